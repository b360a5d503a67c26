//! Every kind of waiting ends in time. The clock is stopped and moves on only when everybody waits.

use std::time::Duration;

use tokio::time::Instant;
use truc_egress::{CallError, Limits, Resolver, Resolving};
use truc_model::Millis;

use crate::site::{Act, Names, NoNames, Site, bind, call, call_within, ok, request, roomy};

/// A resolver that never answers.
struct Silent;

impl Resolver for Silent {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        Box::pin(std::future::pending())
    }
}

fn timed_out(result: Result<truc_egress::Response, CallError>, needle: &str) {
    let Err(CallError::Timeout(text)) = result else { panic!("{result:?}") };
    assert!(text.contains(needle) && text.contains("registry"), "{text}");
}

fn took(since: Instant, expected: Duration) {
    let elapsed = since.elapsed();
    assert!(elapsed >= expected && elapsed < expected + Duration::from_millis(100), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_never_resolved() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let mut binding = site.binding();
    binding.address = "http://registry.example".parse().unwrap();
    binding.allow_addresses = vec!["127.0.0.1/32".parse().unwrap()];
    let upstream = bind(&["GET /"], &binding, Silent).unwrap();
    let start = Instant::now();
    timed_out(call(&upstream, request("GET /")).await, "no connection within 2s");
    took(start, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends() {
    // A site without TLS that waits for an HTTP request.
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let mut binding = site.binding();
    binding.address = format!("https://{}", site.address).parse().unwrap();
    binding.ca = Some(crate::tls::Authority::new().pem);
    binding.timeouts.connect = Millis(700);
    let upstream = bind(&["GET /"], &binding, NoNames).unwrap();
    let start = Instant::now();
    timed_out(call(&upstream, request("GET /")).await, "no connection within 700ms");
    took(start, Duration::from_millis(700));
    site.until_open(0).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_begins() {
    let site = Site::start(|_| Act::SayAndStall(Vec::new())).await;
    let upstream = site.upstream(&["POST /"]);
    let start = Instant::now();
    timed_out(call(&upstream, request("POST /")).await, "no answer within 5s");
    took(start, Duration::from_secs(5));
    site.until_open(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends() {
    let site = Site::start(|_| Act::Drip(Vec::new(), b"HTTP/1.1 200 OK\r\nx: 123456789".to_vec())).await;
    let upstream = site.upstream(&["GET /"]);
    let start = Instant::now();
    timed_out(call(&upstream, request("GET /")).await, "no answer within 5s");
    took(start, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends() {
    let site =
        Site::start(|_| Act::SayAndStall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel".to_vec())).await;
    let upstream = site.upstream(&["GET /"]);
    let start = Instant::now();
    timed_out(call(&upstream, request("GET /")).await, "not complete within 15s");
    took(start, Duration::from_secs(15));
    site.until_open(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    let site = Site::start(move |_| Act::Drip(head.to_vec(), vec![b'x'; 1000])).await;
    let start = Instant::now();
    let upstream = site.upstream(&["GET /"]);
    timed_out(call(&upstream, request("GET /")).await, "not complete within 15s");
    took(start, Duration::from_secs(15));
}

#[tokio::test(start_paused = true)]
async fn the_calls_own_deadline_comes_first() {
    for said in ["", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"] {
        let site = Site::start(|_| Act::SayAndStall(said.as_bytes().to_vec())).await;
        let upstream = site.upstream(&["GET /"]);
        let start = Instant::now();
        let limits = Limits { deadline: start + Duration::from_millis(300), ..roomy() };
        timed_out(call_within(&upstream, request("GET /"), limits).await, "the call's own deadline passed");
        took(start, Duration::from_millis(300));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_the_deadline() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream(&["POST /"]);
    call(&upstream, request("POST /")).await.unwrap();
    let start = Instant::now();
    timed_out(
        call_within(&upstream, request("POST /"), Limits { deadline: start, ..roomy() }).await,
        "deadline passed",
    );
    took(start, Duration::ZERO);
    // The kept connection was not touched.
    call(&upstream, request("POST /")).await.unwrap();
    assert_eq!((site.connections(), site.requests().len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_place_that_never_becomes_free() {
    let site = Site::start(|_| Act::SayAndStall(Vec::new())).await;
    let upstream = site.upstream_with(&["GET /"], |binding| {
        binding.max_connections = 1;
        binding.timeouts.first_byte = Millis(60_000);
        binding.timeouts.total = Millis(10_000);
    });
    let first = tokio::spawn({
        let upstream = upstream.clone();
        async move { call(&upstream, request("GET /")).await }
    });
    site.until_open(1).await;
    let start = Instant::now();
    let limits = Limits { deadline: start + Duration::from_secs(1), ..roomy() };
    timed_out(call_within(&upstream, request("GET /"), limits).await, "all its connections were in use");
    took(start, Duration::from_secs(1));
    timed_out(first.await.unwrap(), "not complete within 10s");
}

#[tokio::test(start_paused = true)]
async fn a_dead_address_leaves_time_for_the_next() {
    let site = Site::start(|_| Act::Say(ok("alive"))).await;
    let mut binding = site.binding();
    binding.address = format!("http://registry.example:{}", site.address.port()).parse().unwrap();
    binding.allow_addresses = vec!["127.0.0.0/8".parse().unwrap()];
    // Nothing listens at the first two.
    let names = Names::default().with("registry.example", &[&["127.0.0.3", "127.0.0.2", "127.0.0.1"]]);
    let upstream = bind(&["GET /"], &binding, names).unwrap();
    assert_eq!(call(&upstream, request("GET /")).await.unwrap().body, b"alive");
}
