//! The breaker as those see it who call: after how many failures of which kind nothing is sent any more, what they are
//! told, and how it ends. The clock is stopped; random pauses are as short as they may be, half of their length.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::{Instant, advance};
use truc_egress::{Binding, BreakerState, CallError, Limits, Upstream};

use crate::site::{Act, NoNames, Site, answer, bind, bind_after, call, call_within, ok, request, roomy};

/// A site that is sick until it is told to be well.
async fn site(sickness: fn() -> Act) -> (Site, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = well.clone();
    let site =
        Site::start(move |_| if is_well.load(Ordering::SeqCst) { Act::Say(ok("well")) } else { sickness() });
    (site.await, well)
}

fn open(upstream: &Upstream) -> bool {
    upstream.breaker() == BreakerState::Open
}

async fn refused(upstream: &Upstream) -> String {
    match call(upstream, request("POST /")).await {
        Err(CallError::Unreachable(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn seven_failures_in_a_row_of_any_kind_open_it() {
    let kinds: [fn() -> Act; 5] = [
        || Act::Say(answer(500, &[], "")),
        || Act::Say(answer(503, &[], "")),
        || Act::SayAndClose(Vec::new()),
        || Act::SayAndClose(b"nonsense\r\n\r\n".to_vec()),
        || Act::SayAndStall(Vec::new()),
    ];
    for (number, kind) in kinds.into_iter().enumerate() {
        let (site, _) = site(kind).await;
        let upstream = site.upstream(&["POST /"]);
        for _ in 0..7 {
            assert_eq!(upstream.breaker(), BreakerState::Closed, "{number}");
            let _any = call(&upstream, request("POST /")).await;
        }
        assert!(open(&upstream), "{number}");
        let (begin, connections) = (Instant::now(), site.connections());
        let text = refused(&upstream).await;
        assert!(text.contains("`registry`") && text.contains("nothing is sent to it for 501ms"), "{text}");
        assert_eq!(
            (begin.elapsed(), site.requests().len(), site.connections()),
            (Duration::ZERO, 7, connections)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_not_there_opens_it() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let mut gone = site.binding();
    // Nothing listens at this address.
    gone.address = format!("http://127.0.0.9:{}", site.address.port()).parse().unwrap();
    let upstream = bind(&["POST /"], &gone, NoNames).unwrap();
    let mut calls = 0;
    while !open(&upstream) {
        assert!(matches!(call(&upstream, request("POST /")).await, Err(CallError::Unreachable(_))));
        calls += 1;
    }
    // Two of the seven attempts were repetitions.
    assert_eq!(calls, 5);
}

#[tokio::test(start_paused = true)]
async fn answers_that_only_refuse_are_no_failures() {
    for status in [400, 401, 403, 404, 409, 422, 429, 501] {
        let site = Site::start(move |_| Act::Say(answer(status, &[], ""))).await;
        let upstream = site.upstream(&["POST /"]);
        for _ in 0..20 {
            assert_eq!(call(&upstream, request("POST /")).await.unwrap().status, status);
        }
        assert_eq!(upstream.breaker(), BreakerState::Closed, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_its_pause_one_call_tries_and_the_others_wait_for_its_outcome() {
    let (site, well) = site(|| Act::SayAndStall(Vec::new())).await;
    let upstream = site.upstream_with(&["POST /"], |binding| binding.breaker.failures = 1);
    let _late = call(&upstream, request("POST /")).await;
    assert!(open(&upstream));
    // Each trial that fails doubles the pause; jitter halves it.
    for pause in [500, 1000, 2000] {
        advance(Duration::from_millis(pause - 1)).await;
        assert!(refused(&upstream).await.contains("nothing is sent to it for 2ms"));
        advance(Duration::from_millis(1)).await;
        let sent = site.requests().len();
        let trial = tokio::spawn({
            let upstream = upstream.clone();
            async move { call(&upstream, request("POST /")).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(upstream.breaker(), BreakerState::Probation);
        for _ in 0..5 {
            assert!(refused(&upstream).await.contains("one call is under way"));
        }
        assert!(matches!(trial.await.unwrap(), Err(CallError::Timeout(_))));
        assert_eq!(site.requests().len(), sent + 1);
        assert!(open(&upstream));
    }
    well.store(true, Ordering::SeqCst);
    advance(Duration::from_secs(4)).await;
    for _ in 0..10 {
        assert_eq!(call(&upstream, request("POST /")).await.unwrap().body, b"well");
        assert_eq!(upstream.breaker(), BreakerState::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_dropped_leaves_room_for_the_next() {
    let (site, well) = site(|| Act::SayAndStall(Vec::new())).await;
    let upstream = site.upstream_with(&["POST /"], |binding| binding.breaker.failures = 1);
    let _late = call(&upstream, request("POST /")).await;
    advance(Duration::from_secs(1)).await;
    let trial = tokio::spawn({
        let upstream = upstream.clone();
        async move { call(&upstream, request("POST /")).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(upstream.breaker(), BreakerState::Probation);
    trial.abort();
    assert!(trial.await.unwrap_err().is_cancelled());
    well.store(true, Ordering::SeqCst);
    assert_eq!(call(&upstream, request("POST /")).await.unwrap().body, b"well");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_says_nothing_of_the_upstream() {
    let site = Site::start(|_| Act::SayAndStall(Vec::new())).await;
    let upstream = site.upstream_with(&["POST /"], |binding| binding.breaker.failures = 3);
    for millis in [0, 1, 100, 240] {
        for _ in 0..5 {
            let deadline = Instant::now() + Duration::from_millis(millis);
            let late = call_within(&upstream, request("POST /"), Limits { deadline, ..roomy() }).await;
            assert!(matches!(late, Err(CallError::Timeout(_))));
        }
        assert_eq!(upstream.breaker(), BreakerState::Closed);
    }
    for _ in 0..3 {
        let deadline = Instant::now() + Duration::from_millis(300);
        let _late = call_within(&upstream, request("POST /"), Limits { deadline, ..roomy() }).await;
    }
    assert!(open(&upstream));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_again_once_it_is_open() {
    let (site, _) = site(|| Act::Say(answer(503, &[], ""))).await;
    let upstream = site.upstream_with(&["GET /"], |binding| binding.breaker.failures = 2);
    assert_eq!(call(&upstream, request("GET /")).await.unwrap().status, 503);
    assert_eq!(site.requests().len(), 2);
    assert!(open(&upstream));
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_connection_when_it_opens_are_refused() {
    let (site, _) = site(|| Act::SayAndStall(Vec::new())).await;
    let upstream = site.upstream_with(&["POST /"], |binding| {
        binding.max_connections = 2;
        binding.breaker.failures = 1;
        binding.timeouts.first_byte.0 = 1000;
    });
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { call(&upstream, request("POST /")).await })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().is_err());
    }
    assert_eq!(site.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn new_settings_of_something_else_do_not_close_it() {
    let (site, _) = site(|| Act::Say(answer(503, &[], ""))).await;
    let binding = site.binding();
    let upstream = bind(&["POST /"], &binding, NoNames).unwrap();
    for _ in 0..7 {
        let _sick = call(&upstream, request("POST /")).await;
    }
    // The next revision with the same binding, and another manifest.
    let next = bind_after(&["POST /", "GET /"], &binding, &upstream);
    assert!(open(&next));
    assert!(refused(&next).await.contains("nothing is sent"));
    // The operator has changed something about it, which may be the remedy.
    let changed = Binding { max_connections: 9, ..binding };
    assert_eq!(bind_after(&["POST /"], &changed, &next).breaker(), BreakerState::Closed);
    assert_eq!(site.requests().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn its_state_and_what_was_sent_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let (site, well) = site(|| Act::Say(answer(503, &[], ""))).await;
    let upstream = site.upstream(&["GET /", "POST /"]);
    let names = r#"service="service",upstream="registry""#;
    let shows = |line: String| {
        let text = page.render();
        assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
    };
    shows(format!("truc_upstream_breaker{{{names}}} 0"));
    let _sick = call(&upstream, request("GET /")).await;
    shows(format!("truc_upstream_repetitions_total{{{names}}} 2"));
    for _ in 0..4 {
        let _sick = call(&upstream, request("POST /")).await;
    }
    shows(format!("truc_upstream_breaker{{{names}}} 2"));
    refused(&upstream).await;
    shows(format!(r#"truc_upstream_requests_total{{{names},outcome="refused"}} 1"#));
    shows(format!(r#"truc_upstream_requests_total{{{names},outcome="answered"}} 7"#));
    well.store(true, Ordering::SeqCst);
    advance(Duration::from_secs(1)).await;
    call(&upstream, request("POST /")).await.unwrap();
    shows(format!("truc_upstream_breaker{{{names}}} 0"));
}
