//! Everything a caller, a connector or an upstream can do wrong, over HTTP: each has its code, the host stays up, and
//! the exchange is recorded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{Host, SHORT, bounded};
use http_body_util::Full;
use serde_json::json;
use truc_gateway::GatewaySettings;
use truc_identity::State;
use truc_listen::Manners;
use truc_model::{Bytes as Size, Code};
use truc_store::Options;

const ITEM: &str = "/api/trial/v1/items/1";
const TRAP: &str = "/api/trial/v1/trap";

async fn expect(host: &Host, method: &str, path: &str, code: Code) {
    let reply = host.send(method, path, None).await;
    assert_eq!(reply.problem(), (code.status(), code.as_str().to_owned()), "{method} {path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_refused_with_reasons_and_every_refusal_is_recorded() {
    let host = Host::start().await;
    let empty = || Full::new(Bytes::new());

    let nobody = host.exchange(host.anonymous("GET", ITEM).body(empty()).unwrap()).await;
    assert_eq!(nobody.problem(), (401, "missing-key".to_owned()));
    assert_eq!(nobody.headers["www-authenticate"], "Bearer");
    for key in ["Basic YTpi", "Bearer", "Bearer ", "truc"] {
        let reply = host
            .exchange(host.anonymous("GET", ITEM).header("authorization", key).body(empty()).unwrap())
            .await;
        assert_eq!(reply.problem().1, "missing-key", "{key}");
    }
    let half = host.key.get(..host.key.len() - 1).unwrap().to_owned();
    for key in [half.as_str(), "truc_0000_x", "x", &"a".repeat(5000)] {
        let bearer = format!("Bearer {key}");
        let reply = host
            .exchange(host.anonymous("GET", ITEM).header("authorization", bearer).body(empty()).unwrap())
            .await;
        assert_eq!(reply.problem(), (401, "wrong-key".to_owned()), "{key:.20}");
    }

    expect(&host, "GET", "/api/nothing/v1/items/1", Code::ServiceNotFound).await;
    expect(&host, "GET", "/api/trial/v2/items/1", Code::ServiceNotFound).await;
    expect(&host, "GET", "/api/trial", Code::ServiceNotFound).await;
    expect(&host, "GET", "/api/trial/v1/nothing", Code::RouteNotFound).await;
    expect(&host, "GET", "/elsewhere", Code::RouteNotFound).await;
    let method = host.send("PATCH", ITEM, None).await;
    assert_eq!(method.problem(), (405, "method-not-allowed".to_owned()));
    assert_eq!(method.headers["allow"], "GET, HEAD");
    for path in [
        "/api/trial/v1/items/..",
        "/api/trial/v1/items/%2e%2e",
        "/api/trial/v1/items/a%2fb",
        "/api/trial//v1/items/1",
    ] {
        expect(&host, "GET", path, Code::MalformedRequest).await;
    }

    let stranger = {
        let identity = host.fleet.identity();
        let agency: truc_model::AgencyCode = "G22".parse().unwrap();
        identity.create_agency(agency.clone(), "Người lạ").await.unwrap();
        let (_, key) = identity.create_account(agency, "app".parse().unwrap()).await.unwrap();
        host.fleet.renew_directory().await.unwrap();
        format!("Bearer {}", key.expose())
    };
    let ask = || host.anonymous("GET", ITEM).header("authorization", &stranger).body(empty()).unwrap();
    assert_eq!(host.exchange(ask()).await.problem(), (403, "not-granted".to_owned()));
    host.fleet.identity().set_agency_state(&"G22".parse().unwrap(), State::Suspended).await.unwrap();
    host.fleet.renew_directory().await.unwrap();
    assert_eq!(host.exchange(ask()).await.problem(), (403, "account-suspended".to_owned()));

    let person = "/api/trial/v1/people/001190000017";
    let purposeless = host.anonymous("GET", person).header("authorization", format!("Bearer {}", host.key));
    assert_eq!(
        host.exchange(purposeless.body(empty()).unwrap()).await.problem(),
        (422, "purpose-required".to_owned())
    );
    assert_eq!(host.send("GET", person, None).await.status, 200);

    let recorded = host.exchanges().await;
    assert_eq!(recorded.len(), 23, "{recorded:#?}");
    let refused =
        recorded.iter().find(|exchange| exchange.problem.as_deref() == Some("not-granted")).unwrap();
    assert_eq!(refused.agency.as_ref().map(|agency| agency.as_str()), Some("G22"));
    assert_eq!((refused.operation.as_deref(), refused.status), (Some("powers/relay"), 403));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_say_nothing_are_refused() {
    let host = Host::start().await;
    for name in ["truc-purpose", "truc-dossier"] {
        for value in ["", "  ", "a\tb"] {
            let mut request = host.request("GET", ITEM).body(Full::new(Bytes::new())).unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
            let reply = host.exchange(request).await;
            assert_eq!(reply.problem(), (400, "malformed-request".to_owned()), "{name}: {value:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_checked_before_the_connector_runs() {
    let host =
        Host::start_with(GatewaySettings::default(), Options::default(), json!({ "requestBytes": "64KiB" }))
            .await;
    let echo = "/api/trial/v1/values/echo";
    let post = |content_type: &str, body: Vec<u8>| {
        host.request("POST", echo)
            .header("content-type", content_type)
            .body(Full::new(Bytes::from(body)))
            .unwrap()
    };
    let malformed = host.exchange(post("application/json", b"{".to_vec())).await;
    assert_eq!(malformed.problem(), (400, "malformed-json".to_owned()));
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(
        host.exchange(post("application/json", deep.into())).await.problem(),
        (400, "malformed-json".to_owned())
    );
    let other = host.exchange(post("text/plain", b"{}".to_vec())).await;
    assert_eq!(other.problem(), (415, "unsupported-media-type".to_owned()));
    let compressed = host
        .request("POST", echo)
        .header("content-type", "application/json")
        .header("content-encoding", "gzip");
    let compressed =
        host.exchange(compressed.body(Full::new(Bytes::from_static(b"\x1f\x8b"))).unwrap()).await;
    assert_eq!(compressed.problem(), (415, "unsupported-media-type".to_owned()));
    let large = host.exchange(post("application/json", vec![b' '; (64 << 10) + 1])).await;
    assert_eq!(large.problem(), (413, "body-too-large".to_owned()));
    let faults =
        host.exchange(post("application/json", br#"{"tiny":1,"tiny":300,"other":1}"#.to_vec())).await;
    assert_eq!(faults.problem(), (422, "invalid-request".to_owned()));
    let errors = faults.json()["errors"].as_array().unwrap().clone();
    let pointers: Vec<&str> = errors.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    for pointer in ["/tiny", "/other", "/truth", "/price"] {
        assert!(pointers.contains(&pointer), "{pointer}: {pointers:?}");
    }
    let chunked = "POST /api/trial/v1/values/echo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer KEY\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut endless = chunked.replace("KEY", &host.key).into_bytes();
    for _ in 0..20 {
        endless.extend_from_slice(b"2000\r\n");
        endless.extend_from_slice(&[b' '; 0x2000]);
        endless.extend_from_slice(b"\r\n");
    }
    let answer = host.raw(&endless).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let unwanted = host.request("GET", ITEM).body(Full::new(Bytes::from_static(b"{}"))).unwrap();
    assert_eq!(host.exchange(unwanted).await.problem(), (400, "malformed-request".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_slow_senders_are_bounded() {
    let settings = Manners { header_timeout: SHORT, body_timeout: SHORT, ..Manners::default() };
    let settings = GatewaySettings { manners: settings, ..GatewaySettings::default() };
    let host = Host::start_with(settings, Options::default(), json!({})).await;
    let large = host
        .request("GET", ITEM)
        .header("x-large", "x".repeat(70 << 10))
        .body(Full::new(Bytes::new()))
        .unwrap();
    assert_eq!(host.exchange(large).await.problem(), (431, "headers-too-large".to_owned()));
    let mut many = host.request("GET", ITEM);
    for index in 0..120 {
        many = many.header(format!("x-{index}"), "x");
    }
    assert_eq!(
        host.exchange(many.body(Full::new(Bytes::new())).unwrap()).await.problem(),
        (431, "headers-too-large".to_owned())
    );
    let enormous = format!("GET {ITEM} HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(200 << 10));
    let answer = host.raw(enormous.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");

    let silent = host.raw(b"").await;
    assert!(silent.is_empty(), "a connection that says nothing is closed: {silent}");
    let unfinished = host.raw(b"GET /api/trial/v1/items/1 HTTP/1.1\r\nHost: a\r\nX-Slow:").await;
    assert!(!unfinished.starts_with("HTTP/1.1 200"), "{unfinished}");
    let half = format!(
        "POST /api/trial/v1/values/echo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        host.key
    );
    let answer = host.raw(half.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("request-timeout"), "{answer}");
    for smuggled in [
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: nonsense\r\n\r\n",
        "GET /\u{1} HTTP/1.1\r\n\r\n",
        "NONSENSE\r\n\r\n",
    ] {
        let answer = host.raw(smuggled.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{smuggled:?}: {answer}");
    }
    assert_eq!(host.send("GET", ITEM, None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_connector_harms_nobody_else() {
    let host = Host::start_with(GatewaySettings::default(), Options::default(), json!({ "cpu": "2s" })).await;
    let cases = [
        ("POST", TRAP, Code::ConnectorTrapped),
        ("POST", "/api/trial/v1/allocate", Code::ConnectorMemoryExhausted),
        ("POST", "/api/trial/v1/recurse", Code::ConnectorTrapped),
        ("GET", "/api/trial/v1/texts/9437184", Code::AnswerTooLarge),
        ("GET", "/api/trial/v1/texts/104857600", Code::ConnectorMemoryExhausted),
        ("GET", "/api/trial/v1/not-a-number", Code::AnswerInvalid),
    ];
    for (method, path, code) in cases {
        expect(&host, method, path, code).await;
    }
    drop(host);
    let host =
        Host::start_with(GatewaySettings::default(), Options::default(), json!({ "cpu": "100ms" })).await;
    // While many calls loop, others are answered, and every loop ends.
    let looping = (0..16).map(|_| host.send("POST", "/api/trial/v1/loop", None));
    let quick = async {
        for _ in 0..20 {
            assert_eq!(host.send("GET", "/api/trial/v1/things/5", None).await.status, 200);
        }
    };
    let (loops, ()) = bounded(async { tokio::join!(futures_util::future::join_all(looping), quick) }).await;
    assert!(loops.iter().all(|reply| reply.problem().1 == "connector-cpu-exhausted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sick_upstreams_end_in_time_with_a_code() {
    let host = Host::start().await;
    let item = |name: &str| format!("/api/trial/v1/items/{name}");
    let cases = [("cut", "upstream-failed"), ("slow", "upstream-timeout"), ("huge", "upstream-failed")];
    for (name, code) in cases {
        let began = Instant::now();
        assert_eq!(host.send("GET", &item(name), None).await.problem().1, code, "{name}");
        assert!(began.elapsed() < Duration::from_secs(8), "{name}: {:?}", began.elapsed());
    }
    let redirect = host.send("GET", &item("redirect"), None).await;
    assert_eq!(
        (redirect.status, redirect.json()["status"].as_u64()),
        (200, Some(302)),
        "a redirect is an answer, not followed"
    );
    assert_eq!(host.send("GET", &item("broken"), None).await.json()["status"], 500);

    let reach = async |body| host.send("POST", "/api/trial/v1/reach", Some(&body)).await.problem();
    let header = json!(["accept", "text/plain"]);
    let refused = [
        json!({"upstream": "other", "path": "/items/{id}", "header": header}),
        json!({"upstream": "shelf", "path": "/secret", "header": header}),
        json!({"upstream": "shelf", "path": "http://127.0.0.1/", "header": header}),
        json!({"upstream": "shelf", "path": "/items/../secret", "header": header}),
        json!({"upstream": "shelf", "path": "/items/{id}", "header": ["host", "elsewhere"]}),
        json!({"upstream": "shelf", "path": "/items/{id}", "header": ["authorization", "x"]}),
    ];
    let before = host.shelf.requests.load(std::sync::atomic::Ordering::SeqCst);
    for body in refused {
        let (status, code) = reach(body.clone()).await;
        assert!(status >= 400, "{body}: {code}");
    }
    assert_eq!(host.shelf.requests.load(std::sync::atomic::Ordering::SeqCst), before, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_full_says_when_to_come_back() {
    let limits = json!({ "concurrency": 1, "cpu": "500ms", "queue": 0 });
    let host = Host::start_with(GatewaySettings::default(), Options::default(), limits).await;
    let calls = (0..4).map(|_| host.send("POST", "/api/trial/v1/loop", None));
    let replies = bounded(futures_util::future::join_all(calls)).await;
    let busy: Vec<_> = replies.iter().filter(|reply| reply.status == 503).collect();
    assert!(!busy.is_empty());
    for reply in busy {
        assert_eq!(reply.problem().1, "too-busy");
        let seconds: u32 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_full_database_nothing_unrecorded_is_served() {
    let options = Options { max_size: Some(Size(512 << 10)) };
    let host = Host::start_with(GatewaySettings::default(), options, json!({})).await;
    let path = "/api/trial/v1/things/5";
    let mut served = 0;
    let refused = loop {
        let reply = host.send("GET", path, None).await;
        match reply.status {
            200 => served += 1,
            _ => break reply,
        }
        assert!(served < 100_000, "the database never fills");
    };
    assert_eq!(refused.problem(), (503, "ledger-unavailable".to_owned()));
    assert!(refused.headers.contains_key("retry-after"));
    let before = host.shelf.requests.load(std::sync::atomic::Ordering::SeqCst);
    let intent = host
        .send(
            "POST",
            "/api/trial/v1/reach",
            Some(&json!({"upstream": "shelf", "path": "/items/{id}", "header": ["a", "b"]})),
        )
        .await;
    assert_eq!(intent.problem().1, "ledger-unavailable");
    assert_eq!(host.shelf.requests.load(std::sync::atomic::Ordering::SeqCst), before, "nothing was sent");
    let listed = host.ledger.list(&truc_ledger::Filter { limit: Some(1), ..Default::default() }).await;
    assert!(listed.is_ok(), "what is recorded can still be read");
}
