//! What the data plane does when everything goes well, over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::atomic::Ordering;

use bytes::Bytes;
use common::{Host, bounded, grant_everything, trial_settings};
use http_body_util::Full;
use serde_json::json;
use truc_ledger::{Entry, Filter};

const ITEM: &str = "/api/trial/v1/items/1";

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_answers_and_its_exchange_is_recorded_before() {
    let host = Host::start().await;
    let reply = host.send("GET", ITEM, None).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"status": 200, "body": "item 1"})));
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.headers["truc-revision"], "1");
    let recorded = host.exchanges().await;
    assert_eq!(recorded.len(), 1);
    let exchange = &recorded[0];
    assert_eq!(exchange.id.to_string(), reply.headers["x-request-id"]);
    assert_eq!(exchange.agency.as_ref().unwrap().as_str(), "H56");
    assert_eq!(exchange.account.as_ref().unwrap().as_str(), "portal");
    assert_eq!(exchange.operation.as_deref(), Some("powers/relay"));
    assert_eq!(exchange.purpose.as_deref(), Some("Thử nghiệm"));
    assert_eq!((exchange.status, exchange.upstream_calls), (200, 1));
    assert_eq!(exchange.response_bytes, reply.body.len() as u64);
    assert!(exchange.duration > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_changes_something_is_recorded_before_it_begins() {
    let host = Host::start().await;
    let reply = host.send("PUT", "/api/trial/v1/cache/k", Some(&json!({"value": "v"}))).await;
    assert_eq!(reply.status, 204);
    let page = host.ledger.list(&Filter::default()).await.unwrap();
    assert!(
        matches!(page.entries.as_slice(), [Entry::Outcome(_)]),
        "an intent with an outcome is one exchange"
    );
    assert_eq!(host.send("GET", "/api/trial/v1/cache/k", None).await.json(), json!("v"));
}

#[tokio::test(flavor = "multi_thread")]
async fn request_id_and_trace_go_through() {
    let host = Host::start().await;
    let id = "0197c0de-0000-7000-8000-000000000001";
    let request = host.request("GET", ITEM).header("x-request-id", id);
    let request = request.header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let reply = host.exchange(request.body(Full::new(Bytes::new())).unwrap()).await;
    assert_eq!(reply.headers["x-request-id"], id);
    assert!(
        reply.headers["traceparent"].to_str().unwrap().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-")
    );
    assert_eq!(host.exchanges().await[0].id.to_string(), id);
    let other = host.request("GET", ITEM).header("x-request-id", "not a uuid\t");
    let reply = host.exchange(other.body(Full::new(Bytes::new())).unwrap()).await;
    assert_eq!(reply.headers["x-request-id"].len(), 36);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_is_served_with_a_tag() {
    let host = Host::start().await;
    let path = "/api/trial/v1/openapi.json";
    let reply = host.exchange(host.anonymous("GET", path).body(Full::new(Bytes::new())).unwrap()).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["openapi"], "3.1.0");
    let tag = reply.headers["etag"].clone();
    let again = host.anonymous("GET", path).header("if-none-match", tag);
    let again = host.exchange(again.body(Full::new(Bytes::new())).unwrap()).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert!(host.exchanges().await.is_empty(), "reading a published contract is no exchange");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_request_has_the_headers_of_a_get_and_no_body() {
    let host = Host::start().await;
    let reply = host.send("HEAD", "/api/trial/v1/greeting", None).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    assert_eq!(reply.headers["content-type"], "application/json");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_revision_takes_over_without_a_failed_call() {
    let host = Host::start().await;
    let name = "trial".parse().unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let callers = async {
        let mut revisions = std::collections::BTreeSet::new();
        while !stop.load(Ordering::Acquire) {
            let reply = host.send("GET", "/api/trial/v1/greeting", None).await;
            assert_eq!(reply.status, 200);
            revisions.insert(reply.headers["truc-revision"].to_str().unwrap().to_owned());
        }
        revisions
    };
    let changes = async {
        for _ in 0..5 {
            let mut settings = trial_settings(host.shelf.address, json!({}));
            settings.config.insert(
                "greeting".parse().unwrap(),
                truc_contract::ConfigValue::Text("Hẹn gặp lại".to_owned()),
            );
            host.fleet.put_service(&name, &settings, "test").await.unwrap();
        }
        stop.store(true, Ordering::Release);
    };
    let (_, ()) = bounded(async { tokio::join!(callers, changes) }).await;
    let reply = host.send("GET", "/api/trial/v1/greeting", None).await;
    assert_eq!((reply.headers["truc-revision"].to_str().unwrap(), reply.json()), ("6", json!("Hẹn gặp lại")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_revision_knows_that_an_upstream_is_down_unless_its_binding_is_another() {
    let host = Host::start().await;
    let name = "trial".parse().unwrap();
    for _ in 0..7 {
        assert_eq!(host.send("GET", "/api/trial/v1/items/broken", None).await.json()["status"], 500);
    }
    let mut settings = trial_settings(host.shelf.address, json!({ "concurrency": 5 }));
    let handle = "shelf".parse::<truc_model::Handle>().unwrap();
    let binding = settings.bindings.get_mut(&handle).unwrap();
    // So long that it does not end while this test runs.
    binding.breaker.pause = truc_model::Millis(600_000);
    binding.breaker.longest_pause = truc_model::Millis(600_000);
    // Another binding: the breaker is closed.
    let put = host.fleet.put_service(&name, &settings, "test").await.unwrap();
    assert_eq!(put.breakers[&handle], truc_egress::BreakerState::Closed);
    for _ in 0..7 {
        assert_eq!(host.send("GET", "/api/trial/v1/items/broken", None).await.json()["status"], 500);
    }
    // The same binding, other limits: it stays open.
    settings.limits.concurrency = Some(6);
    let put = host.fleet.put_service(&name, &settings, "test").await.unwrap();
    assert_eq!(put.breakers[&handle], truc_egress::BreakerState::Open);
    let sent = host.shelf.count();
    let problem = host.send("GET", ITEM, None).await.json();
    assert_eq!(problem["code"], "upstream-failed");
    assert!(problem["detail"].as_str().unwrap().contains("nothing is sent to it"), "{problem}");
    assert_eq!(host.shelf.count(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_do_not_fit_change_nothing() {
    let host = Host::start().await;
    let name = "trial".parse().unwrap();
    let mut wrong = trial_settings(host.shelf.address, json!({ "memory": "1GiB" }));
    wrong.bindings.clear();
    wrong.keys.clear();
    wrong.config.insert("greeting".parse().unwrap(), truc_contract::ConfigValue::Integer(1));
    wrong.config.insert("other".parse().unwrap(), truc_contract::ConfigValue::Flag(true));
    let problem = host.fleet.put_service(&name, &wrong, "test").await.unwrap_err().problem();
    assert_eq!(problem.code, "service-invalid");
    let pointers: Vec<&str> = problem.errors.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        ["/bindings/shelf", "/keys/seal", "/config/other", "/config/greeting", "/limits/memory"]
    );
    let reply = host.send("GET", ITEM, None).await;
    assert_eq!((reply.status, &reply.headers["truc-revision"]), (200, &"1".parse().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_stops_working_at_once() {
    let host = Host::start().await;
    let key = grant_everything(&host.fleet, "G22", "app").await;
    let ask = || {
        host.anonymous("GET", ITEM)
            .header("authorization", format!("Bearer {key}"))
            .body(Full::new(Bytes::new()))
            .unwrap()
    };
    assert_eq!(host.exchange(ask()).await.status, 200);
    host.fleet.identity().remove_account(&"G22".parse().unwrap(), &"app".parse().unwrap()).await.unwrap();
    host.fleet.renew_directory().await.unwrap();
    assert_eq!(host.exchange(ask()).await.problem().1, "wrong-key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_is_recorded_all_the_same() {
    let host = Host::start().await;
    let request = format!(
        "GET /api/trial/v1/items/slow HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        host.key
    );
    {
        use tokio::io::AsyncWriteExt;
        let mut stream = tokio::net::TcpStream::connect(host.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let reached = async {
            while host.shelf.requests.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        };
        bounded(reached).await;
    }
    let recorded = async {
        loop {
            if let Some(exchange) = host.exchanges().await.into_iter().next() {
                return exchange;
            }
        }
    };
    let exchange = bounded(recorded).await;
    assert_eq!((exchange.status, exchange.problem.as_deref()), (499, Some("abandoned")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_caller_leaves_has_an_unknown_end() {
    let host = Host::start_with(
        truc_gateway::GatewaySettings::default(),
        truc_store::Options::default(),
        json!({ "concurrency": 1 }),
    )
    .await;
    let body = json!({ "id": "held" }).to_string();
    let request = format!(
        "POST /api/trial/v1/orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        host.key,
        body.len()
    );
    {
        use tokio::io::AsyncWriteExt;
        let mut stream = tokio::net::TcpStream::connect(host.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        // Not before: a caller that leaves while only the intent is written has changed nothing, and that is recorded.
        host.shelf.reached(1).await;
    }
    // The service has one place: once another call is served, the one without a caller has ended.
    let ended = async {
        loop {
            let served = host.send("GET", ITEM, None).await;
            if served.status == 200 {
                return;
            }
            assert_eq!(served.problem().1, "too-busy");
        }
    };
    bounded(ended).await;
    let unknown = Filter { end: Some(truc_ledger::End::Unknown), ..Filter::default() };
    let page = host.ledger.list(&unknown).await.unwrap();
    assert!(matches!(page.entries.as_slice(), [Entry::Intent(_)]), "{:?}", page.entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_outlast_the_drain_are_cut_and_recorded() {
    let manners = truc_listen::Manners { drain: common::SHORT, ..Default::default() };
    let settings = truc_gateway::GatewaySettings { manners, ..Default::default() };
    let host = Host::start_with(
        settings,
        truc_store::Options::default(),
        json!({ "cpu": "10s", "deadline": "10s" }),
    )
    .await;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(host.address).await.unwrap();
    let request = format!(
        "GET /api/trial/v1/items/slow HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        host.key
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    bounded(async {
        while host.shelf.requests.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    host.stop.cancel();
    let Host { served, ledger, .. } = host;
    let drained = bounded(served).await.unwrap();
    let mut rest = Vec::new();
    // The connection was cut or, where the upstream's silence ended first, answered.
    let _ = stream.read_to_end(&mut rest).await;
    let page = ledger.list(&Filter::default()).await.unwrap();
    assert_eq!(page.entries.len(), 1, "recorded either way");
    assert!(drained.cut == 1 || !rest.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_could_not_start_is_not_put_in_force() {
    let host = Host::start().await;
    let tiny = trial_settings(host.shelf.address, json!({ "memory": "1MiB" }));
    let problem =
        host.fleet.put_service(&"trial".parse().unwrap(), &tiny, "test").await.unwrap_err().problem();
    assert_eq!((problem.code.as_ref(), problem.errors[0].pointer.as_str()), ("service-invalid", "/limits"));
    let zero = trial_settings(host.shelf.address, json!({ "concurrency": 0 }));
    let problem =
        host.fleet.put_service(&"trial".parse().unwrap(), &zero, "test").await.unwrap_err().problem();
    assert_eq!(problem.errors[0].pointer, "/limits/concurrency");
    let reply = host.send("GET", ITEM, None).await;
    assert_eq!((reply.status, &reply.headers["truc-revision"]), (200, &"1".parse().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_lets_calls_end_and_takes_no_more() {
    let host = Host::start().await;
    let slow = host.send("GET", "/api/trial/v1/items/slow", None);
    let stop = async {
        let reached = async {
            while host.shelf.requests.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        };
        bounded(reached).await;
        host.stop.cancel();
    };
    let (reply, ()) = tokio::join!(slow, stop);
    assert_eq!(reply.problem().1, "upstream-timeout", "the call under way ended as it would have");
    let Host { served, address, .. } = host;
    assert_eq!(bounded(served).await.unwrap().cut, 0);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_no_connector_is_refused_and_nothing_changes() {
    let host = Host::start().await;
    let component = trial::component().unwrap();
    let mut corrupt = component.clone();
    let middle = corrupt.len() / 2;
    // So much that it begins or ends in more than one function: a single one is looked at later.
    corrupt[middle..middle + 16 * 1024].fill(0xff);
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("corrupt", corrupt, "component-malformed"),
        ("truncated", component[..component.len() / 3].to_vec(), "component-malformed"),
        ("no component", b"\x7fELF".to_vec(), "component-malformed"),
        ("oversized", vec![0; (16 << 20) + 1], "component-too-large"),
    ];
    for (what, bytes, code) in cases {
        let problem = host.fleet.publish(bytes).await.err().unwrap_or_else(|| panic!("{what}")).problem();
        assert_eq!(problem.code, code, "{what}: {problem}");
    }
    assert_eq!(host.fleet.connectors().await.unwrap().len(), 1);
    assert_eq!(host.send("GET", ITEM, None).await.status, 200);
}
