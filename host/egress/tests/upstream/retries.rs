//! What is made again, after how long, and how often at the most. The clock is stopped and moves on only when everybody
//! waits; random waits are as long as they may be.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use truc_egress::{CallError, Limits, Resolver, Resolving};

use crate::site::{Act, Site, answer, bind, call, call_within, ok, request, roomy};

/// A site whose first answers are these, each once, and then all is well.
async fn sick_at_first(acts: &'static [fn() -> Act]) -> Site {
    Site::start(move |received| acts.get(received.before).map_or_else(|| Act::Say(ok("well")), |act| act()))
        .await
}

fn status(code: u16) -> Act {
    Act::Say(answer(code, &[], "sick"))
}

const SICKNESSES: &[fn() -> Act] = &[
    || status(502),
    || status(503),
    || status(504),
    || Act::SayAndClose(Vec::new()),
    || Act::SayAndClose(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec()),
];

#[tokio::test(start_paused = true)]
async fn what_can_do_no_harm_is_made_again_whatever_went_wrong() {
    for (number, sickness) in SICKNESSES.iter().enumerate() {
        for entry in ["GET /", "HEAD /", "PUT /", "DELETE /"] {
            let site = sick_at_first(std::slice::from_ref(sickness)).await;
            let answer = call(&site.upstream(&[entry]), request(entry)).await;
            // An answer to HEAD has no body that could be cut.
            let times = if entry == "HEAD /" && number == 4 { 1 } else { 2 };
            assert_eq!(answer.map(|answer| answer.status), Ok(200), "{number} {entry}");
            assert_eq!(site.requests().len(), times, "{number} {entry}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_its_effect_twice_is_sent_once() {
    for (number, sickness) in SICKNESSES.iter().enumerate() {
        for entry in ["POST /", "PATCH /"] {
            let site = sick_at_first(std::slice::from_ref(sickness)).await;
            match call(&site.upstream(&[entry]), request(entry)).await {
                Ok(answer) => assert!(number < 3 && answer.status > 500),
                Err(error) => assert!(matches!(error, CallError::Interrupted(_)), "{error}"),
            }
            assert_eq!(site.requests().len(), 1, "{number} {entry}");
        }
    }
}

/// A resolver that fails so many times and then knows this machine.
struct Late(AtomicUsize);

impl Resolver for Late {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        Box::pin(std::future::ready(match left {
            Ok(_) => Err(io::ErrorKind::TimedOut.into()),
            Err(_) => Ok(vec!["127.0.0.1".parse().unwrap()]),
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_is_sent_again_whatever_its_method() {
    for entry in ["POST /", "GET /"] {
        let site = Site::start(|_| Act::Say(ok(""))).await;
        let mut binding = site.binding();
        binding.address = format!("http://registry.example:{}", site.address.port()).parse().unwrap();
        binding.allow_addresses = vec!["127.0.0.1/32".parse().unwrap()];
        let upstream = bind(&[entry], &binding, Late(AtomicUsize::new(2))).unwrap();
        let begin = Instant::now();
        assert_eq!(call(&upstream, request(entry)).await.map(|answer| answer.status), Ok(200));
        assert_eq!(site.requests().len(), 1);
        // The waits before the second and the third attempt.
        assert_eq!(begin.elapsed().as_millis(), 300);
        let upstream = bind(&[entry], &binding, Late(AtomicUsize::new(3))).unwrap();
        assert!(matches!(call(&upstream, request(entry)).await, Err(CallError::Unreachable(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_a_most_of_attempts_and_the_last_answer_stands() {
    for (attempts, sent) in [(1, 1), (2, 2), (3, 3), (5, 5)] {
        let site =
            Site::start(|received| if received.before < 40 { Act::Say(ok("")) } else { status(503) }).await;
        let upstream = site.upstream_with(&["GET /"], |binding| binding.attempts = attempts);
        for _ in 0..40 {
            call(&upstream, request("GET /")).await.unwrap();
        }
        assert_eq!(call(&upstream, request("GET /")).await.map(|answer| answer.status), Ok(503));
        assert_eq!(site.requests().len() - 40, sent);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_asked_for_is_kept_if_it_is_short() {
    for (code, field, sent, waited) in [
        (429, "retry-after: 1", 2, 1100),
        (503, "retry-after: 1", 2, 1100),
        (503, "retry-after: 60", 1, 0),
        (429, "retry-after: 60", 1, 0),
        (429, "x: y", 1, 0),
        (500, "retry-after: 1", 1, 0),
    ] {
        let site = Site::start(move |received| match received.before {
            0 => Act::Say(answer(code, &[field], "")),
            _ => Act::Say(ok("")),
        })
        .await;
        let upstream = site.upstream(&["GET /"]);
        let begin = Instant::now();
        let answered = call(&upstream, request("GET /")).await.unwrap().status;
        assert_eq!(answered, if sent == 2 { 200 } else { code }, "{code} {field}");
        assert_eq!((site.requests().len(), begin.elapsed().as_millis()), (sent, waited), "{code} {field}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_again_that_would_come_too_late() {
    let site = Site::start(|_| status(503)).await;
    let upstream = site.upstream(&["GET /"]);
    let begin = Instant::now();
    let limits = |millis| Limits { deadline: begin + Duration::from_millis(millis), ..roomy() };
    // The first repetition would begin after 100 ms, the second after 300.
    for (millis, sent) in [(100, 1), (250, 2)] {
        let before = site.requests().len();
        let answer = call_within(&upstream, request("GET /"), limits(millis)).await.unwrap();
        assert_eq!((answer.status, site.requests().len() - before), (503, sent));
        assert!(begin.elapsed() < Duration::from_millis(millis));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_too_slow_is_not_asked_twice() {
    let site = Site::start(|_| Act::SayAndStall(Vec::new())).await;
    let result = call(&site.upstream(&["GET /"]), request("GET /")).await;
    assert!(matches!(result, Err(CallError::Timeout(_))), "{result:?}");
    assert_eq!(site.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_failures_grows_by_a_tenth_at_the_most() {
    let site = Site::start(|_| status(503)).await;
    let upstream = site.upstream_with(&["GET /"], |binding| {
        binding.attempts = 5;
        binding.breaker.failures = 0;
    });
    for _ in 0..40 {
        let calls = (0..10).map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { call(&upstream, request("GET /")).await.unwrap().status })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap(), 503);
        }
    }
    let sent = site.requests().len();
    assert!((420..=440).contains(&sent), "{sent} requests for 400 calls");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_trusted_is_not_asked_for_again() {
    let site = Site::start(|_| Act::SayAndClose(b"nonsense\r\n\r\n".to_vec())).await;
    let upstream = site.upstream(&["GET /"]);
    assert!(matches!(call(&upstream, request("GET /")).await, Err(CallError::Interrupted(_))));
    assert_eq!(site.requests().len(), 1);
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_not_asked_for_again() {
    #[derive(Clone)]
    struct Elsewhere(Arc<AtomicUsize>);
    impl Resolver for Elsewhere {
        fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::ready(Ok(vec!["127.0.0.2".parse().unwrap()])))
        }
    }
    let mut binding = Site::start(|_| Act::Say(ok(""))).await.binding();
    binding.address = "http://registry.example".parse().unwrap();
    binding.allow_addresses = vec!["127.0.0.1/32".parse().unwrap()];
    let names = Elsewhere(Arc::default());
    let upstream = bind(&["GET /"], &binding, names.clone()).unwrap();
    for asked in 1..=20 {
        assert!(matches!(call(&upstream, request("GET /")).await, Err(CallError::Denied(_))));
        // Nor does it count against the upstream: the breaker stays closed.
        assert_eq!(names.0.load(Ordering::SeqCst), asked);
    }
}
