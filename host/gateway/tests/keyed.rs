//! Requests with an idempotency key, over HTTP: carried out once, answered as often as asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{Host, Reply, bounded, grant_everything};
use futures_util::future::join_all;
use http_body_util::Full;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use truc_gateway::GatewaySettings;
use truc_ledger::{End, Filter};
use truc_model::{Bytes as Size, ManualClock, Millis, Timestamp};
use truc_store::Options;

const ORDERS: &str = "/api/trial/v1/orders";

/// Orders an item.
async fn order(host: &Host, key: &str, item: &str) -> Reply {
    send(host, &host.key, "POST", ORDERS, &[key], json!({ "id": item }).to_string()).await
}

async fn send(host: &Host, api_key: &str, method: &str, path: &str, keys: &[&str], body: String) -> Reply {
    let mut request = host
        .anonymous(method, path)
        .header("authorization", format!("Bearer {api_key}"))
        .header("truc-purpose", "test");
    for key in keys {
        request = request.header("idempotency-key", *key);
    }
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    host.exchange(request.body(Full::new(Bytes::from(body))).unwrap()).await
}

/// Sends an order and leaves once the upstream has it.
async fn order_and_leave(host: &Host, key: &str, item: &str) {
    let before = host.shelf.count();
    let body = json!({ "id": item }).to_string();
    let request = format!(
        "POST {ORDERS} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        host.key,
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(host.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    host.shelf.reached(before + 1).await;
}

fn replayed(reply: &Reply) -> bool {
    reply.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

/// Status, type and body: what must be the same again.
fn content(reply: &Reply) -> (u16, Option<&str>, &[u8]) {
    (reply.status, reply.headers.get("content-type").map(|value| value.to_str().unwrap()), &reply.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_gets_the_first_answer_again() {
    let host = Host::start().await;
    let first = order(&host, "k1", "numbered").await;
    assert_eq!((first.status, first.json()["body"].as_str().unwrap()), (200, "item 1"));
    assert!(!replayed(&first));
    for key in ["k1", "\"k1\""] {
        let again = order(&host, key, "numbered").await;
        assert_eq!(content(&again), content(&first));
        assert!(replayed(&again));
        assert_eq!(again.headers["truc-revision"], first.headers["truc-revision"]);
        assert_eq!(again.headers["cache-control"], "no-store");
        assert_ne!(again.headers["x-request-id"], first.headers["x-request-id"]);
    }
    assert_eq!(host.shelf.count(), 1);
    let recorded = host.exchanges().await;
    let told: Vec<_> = recorded.iter().rev().map(|one| (one.status, one.upstream_calls)).collect();
    assert_eq!(told, [(200, 1), (200, 0), (200, 0)], "each is an exchange of its own");
    assert!(recorded.iter().all(|one| one.operation.as_deref() == Some("powers/order")));
    let unknown = Filter { end: Some(End::Unknown), ..Filter::default() };
    assert!(host.ledger.list(&unknown).await.unwrap().entries.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_answer_is_given_again_as_it_was() {
    let host = Host::start().await;
    let cases = [
        ("DELETE", "/api/trial/v1/things/7", String::new(), 204),
        ("PUT", "/api/trial/v1/cache/k", json!({ "value": "v" }).to_string(), 204),
        ("POST", "/api/trial/v1/codes", json!({ "message": "Chào" }).to_string(), 200),
        ("POST", "/api/trial/v1/trap", String::new(), 502),
        ("POST", ORDERS, json!({ "id": "slow" }).to_string(), 504),
    ];
    for (method, path, body, status) in cases {
        let first = send(&host, &host.key, method, path, &[path], body.clone()).await;
        assert_eq!(first.status, status, "{method} {path}");
        let again = send(&host, &host.key, method, path, &[path], body).await;
        assert_eq!(content(&again), content(&first), "{method} {path}");
        assert!(replayed(&again), "{method} {path}");
    }
    assert_eq!(host.shelf.count(), 1);
    let recorded = host.exchanges().await;
    assert_eq!(recorded[0].problem.as_deref(), Some("upstream-timeout"));
    assert_eq!((recorded[0].status, recorded[0].upstream_calls, recorded[1].upstream_calls), (504, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_request_with_the_key_is_refused() {
    let host = Host::start().await;
    let first = order(&host, "k1", "1").await;
    let id = first.headers["x-request-id"].to_str().unwrap().to_owned();
    let item = json!({ "id": "1" }).to_string();
    let others = [
        ("POST", ORDERS.to_owned(), json!({ "id": "2" }).to_string()),
        ("POST", ORDERS.to_owned(), format!("{item} ")),
        ("POST", format!("{ORDERS}?a=b"), item),
        ("POST", "/api/trial/v1/codes".to_owned(), json!({ "message": "1" }).to_string()),
        ("DELETE", "/api/trial/v1/things/7".to_owned(), String::new()),
    ];
    let mut refused = 0;
    for (method, path, body) in others {
        let reply = send(&host, &host.key, method, &path, &["k1"], body).await;
        if reply.problem().1 == "invalid-request" {
            continue;
        }
        assert_eq!(reply.problem(), (422, "idempotency-key-reused".to_owned()), "{method} {path}");
        assert!(reply.json()["detail"].as_str().unwrap().contains(&id));
        refused += 1;
    }
    assert!(refused >= 4, "{refused}");
    assert_eq!(content(&order(&host, "k1", "1").await), content(&first), "the first request keeps its key");
    assert_eq!(host.shelf.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_requests_at_once_one_is_carried_out() {
    let host = Host::start().await;
    let both = join_all([order(&host, "k1", "held"), order(&host, "k1", "held")]);
    let go = async {
        host.shelf.reached(1).await;
        let third = order(&host, "k1", "held").await;
        host.shelf.gate.add_permits(10);
        third
    };
    let (both, third) = bounded(async { tokio::join!(both, go) }).await;
    assert_eq!(third.problem(), (409, "idempotency-key-in-use".to_owned()));
    assert_eq!(third.headers["retry-after"], "1");
    let answered = both.iter().filter(|reply| reply.status == 200).count();
    let refused = both.iter().filter(|reply| reply.status == 409).count();
    assert!(answered >= 1 && answered + refused == 2, "{both:?}");
    assert_eq!(host.shelf.count(), 1);
    assert!(replayed(&order(&host, "k1", "held").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_caller_leaves_is_carried_out_and_its_answer_is_kept() {
    let host = Host::start().await;
    order_and_leave(&host, "k1", "held").await;
    assert_eq!(order(&host, "k1", "held").await.problem().1, "idempotency-key-in-use");
    host.shelf.gate.add_permits(10);
    let reply = bounded(async {
        loop {
            let reply = order(&host, "k1", "held").await;
            if reply.status != 409 {
                return reply;
            }
        }
    })
    .await;
    assert_eq!((reply.status, reply.json()["body"].as_str().unwrap()), (200, "item held"));
    assert!(replayed(&reply));
    assert_eq!(host.shelf.count(), 1);
    let unknown = Filter { end: Some(End::Unknown), ..Filter::default() };
    assert!(host.ledger.list(&unknown).await.unwrap().entries.is_empty(), "its outcome is recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_host_waits_for_requests_without_a_caller() {
    let host = Host::start().await;
    order_and_leave(&host, "k1", "held").await;
    host.stop.cancel();
    let Host { served, ledger, shelf, .. } = host;
    tokio::task::yield_now().await;
    assert!(!served.is_finished());
    shelf.gate.add_permits(1);
    assert_eq!(bounded(served).await.unwrap().cut, 0);
    let page = ledger.list(&Filter::default()).await.unwrap();
    assert!(matches!(&page.entries[..], [truc_ledger::Entry::Outcome(one)] if one.status == 200), "{page:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_beforehand_leaves_the_key_as_new() {
    let host =
        Host::start_with(GatewaySettings::default(), Options::default(), json!({ "concurrency": 1 })).await;
    let item = json!({ "id": "1" }).to_string();
    let key = &host.key;
    for (api_key, path, body, code) in [
        ("truc_wrong", ORDERS, item.clone(), "wrong-key"),
        (key, "/api/trial/v1/nothing", item.clone(), "route-not-found"),
        (key, ORDERS, "{".to_owned(), "malformed-json"),
        (key, ORDERS, json!({ "id": 1 }).to_string(), "invalid-request"),
    ] {
        assert_eq!(send(&host, api_key, "POST", path, &["k1"], body).await.problem().1, code);
    }
    let stranger = {
        let (agency, account) = ("G22".parse().unwrap(), "app".parse().unwrap());
        let identity = host.fleet.identity();
        let agency: truc_model::AgencyCode = agency;
        identity.create_agency(agency.clone(), "Người lạ").await.unwrap();
        let (_, key) = identity.create_account(agency, account).await.unwrap();
        host.fleet.renew_directory().await.unwrap();
        key.expose().to_owned()
    };
    assert_eq!(send(&host, &stranger, "POST", ORDERS, &["k1"], item).await.problem().1, "not-granted");
    let busy = async {
        host.shelf.reached(1).await;
        let reply = order(&host, "k1", "1").await;
        host.shelf.gate.add_permits(1);
        reply
    };
    let (_, busy) = tokio::join!(order(&host, "k0", "held"), busy);
    assert_eq!(busy.problem().1, "too-busy");
    let reply = order(&host, "k1", "1").await;
    assert!(reply.status == 200 && !replayed(&reply), "{reply:?}");
    assert_eq!(host.shelf.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_none_are_refused_and_reading_ignores_them() {
    let host = Host::start().await;
    let item = json!({ "id": "1" }).to_string();
    let long = "k".repeat(256);
    for keys in [&["a", "a"][..], &[""], &["a b"], &["\"a"], &["\"a\";p=1"], &[&long]] {
        let reply = send(&host, &host.key, "POST", ORDERS, keys, item.clone()).await;
        assert_eq!(reply.problem(), (400, "malformed-request".to_owned()), "{keys:?}");
        assert!(reply.json()["detail"].as_str().unwrap().contains("idempotency-key"));
    }
    assert_eq!(host.shelf.count(), 0);
    for method in ["GET", "HEAD"] {
        for keys in [&["k"][..], &["k"], &["a", "a b"]] {
            let reply = send(&host, &host.key, method, "/api/trial/v1/items/1", keys, String::new()).await;
            assert!(reply.status == 200 && !replayed(&reply));
        }
    }
    assert_eq!(host.shelf.count(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_of_another_account_is_another_key() {
    let host = Host::start().await;
    let other = grant_everything(&host.fleet, "G22", "portal").await;
    let item = json!({ "id": "numbered" }).to_string();
    let first = order(&host, "k1", "numbered").await;
    let second = send(&host, &other, "POST", ORDERS, &["k1"], item).await;
    assert!(!replayed(&second));
    assert_ne!(content(&first), content(&second));
    assert_eq!(host.shelf.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_api_key_opens_no_earlier_answer_and_nothing_is_repeated() {
    let host = Host::start().await;
    let first = order(&host, "k1", "1").await;
    let (agency, account) = ("H56".parse().unwrap(), "portal".parse().unwrap());
    let renewed = host.fleet.identity().rotate_key(&agency, &account).await.unwrap();
    host.fleet.renew_directory().await.unwrap();
    let item = json!({ "id": "1" }).to_string();
    let reply = send(&host, renewed.expose(), "POST", ORDERS, &["k1"], item).await;
    assert_eq!(reply.problem(), (409, "outcome-unknown".to_owned()));
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    for part in [first.headers["x-request-id"].to_str().unwrap(), "status 200", "API key"] {
        assert!(detail.contains(part), "{detail}");
    }
    assert_eq!(host.shelf.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_as_new_once_its_time_is_over() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_751_333_400_000_000)));
    let settings = GatewaySettings { idempotency_retention: Millis(3_600_000), ..GatewaySettings::default() };
    let host = Host::start_at(clock.clone(), settings, Options::default(), json!({})).await;
    let first = order(&host, "k1", "numbered").await;
    clock.set(Timestamp::from_micros(1_751_333_400_000_000 + 3_599_999_999));
    assert_eq!(content(&order(&host, "k1", "numbered").await), content(&first));
    clock.set(Timestamp::from_micros(1_751_333_400_000_000 + 3_600_000_000));
    let second = order(&host, "k1", "numbered").await;
    assert!(!replayed(&second));
    assert_ne!(content(&second), content(&first));
    assert_eq!(host.shelf.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_in_any_order_have_one_effect_for_each_key() {
    const KEYS: usize = 20;
    let host = Host::start().await;
    // Until its answer is there, with pauses that differ, as patient clients would.
    let patient = async |number: usize| {
        loop {
            let reply = order(&host, &format!("k{}", number % KEYS), "numbered").await;
            match reply.status {
                200 => return reply,
                409 => assert_eq!(reply.problem().1, "idempotency-key-in-use"),
                503 => assert_eq!(reply.problem().1, "too-busy"),
                _ => panic!("{reply:?}"),
            }
            tokio::time::sleep(Duration::from_millis(number as u64 % 7)).await;
        }
    };
    let replies = bounded(join_all((0..10 * KEYS).map(patient))).await;
    assert_eq!(host.shelf.count(), KEYS);
    for (number, reply) in replies.iter().enumerate() {
        assert_eq!(content(reply), content(&replies[number % KEYS]), "{number}");
    }
    let first = replies.iter().filter(|reply| !replayed(reply)).count();
    assert_eq!(first, KEYS);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_full_database_nothing_is_begun_and_nothing_is_told_that_is_not_kept() {
    let options = Options { max_size: Some(Size(768 << 10)) };
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_751_333_400_000_000)));
    let host = Host::start_at(clock.clone(), GatewaySettings::default(), options, json!({})).await;
    // An answer for which there is no room any more, though there was for its request.
    let body = json!({ "message": "1" }).to_string();
    let large =
        send(&host, &host.key, "POST", "/api/trial/v1/values/echo", &["large"], everything(1 << 20)).await;
    assert_eq!(large.problem(), (503, "ledger-unavailable".to_owned()));
    let detail = large.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("not told"), "{detail}");
    let again =
        send(&host, &host.key, "POST", "/api/trial/v1/values/echo", &["large"], everything(1 << 20)).await;
    assert_eq!(again.problem().1, "idempotency-key-in-use");
    // Once it can no longer be under way, its outcome is known to be unknown.
    clock.set(Timestamp::from_micros(1_751_333_400_000_000 + 60_000_000));
    let again =
        send(&host, &host.key, "POST", "/api/trial/v1/values/echo", &["large"], everything(1 << 20)).await;
    assert_eq!(again.problem().1, "outcome-unknown");
    assert!(
        again.json()["detail"].as_str().unwrap().contains(large.headers["x-request-id"].to_str().unwrap())
    );

    let mut kept = 0;
    let refused = loop {
        let reply =
            send(&host, &host.key, "POST", "/api/trial/v1/codes", &[&kept.to_string()], body.clone()).await;
        match reply.status {
            200 => kept += 1,
            _ => break reply,
        }
        assert!(kept < 10_000, "the database never fills");
    };
    assert_eq!(refused.problem(), (503, "ledger-unavailable".to_owned()));
    let begin = host.shelf.count();
    for number in 0..20 {
        let before = host.shelf.count();
        let reply = order(&host, &format!("late-{number}"), "1").await;
        assert_eq!(reply.problem().1, "ledger-unavailable");
        let nothing_done = reply.json()["detail"].as_str().unwrap().starts_with("Nothing was done");
        assert!(!nothing_done || host.shelf.count() == before, "what is said not to be done was not done");
    }
    let begun = host.shelf.count() - begin;
    assert!(begun <= 2, "a row or two may still fit into the last page, not those of {begun} calls");
}

/// A request for `echo` with a text of that many bytes.
fn everything(length: usize) -> String {
    json!({
        "truth": true, "tiny": 1, "short": 1, "long": 1, "huge": "1", "signedTiny": 1, "signedShort": 1,
        "signedLong": 1, "signedHuge": "1", "single": 1.0, "double": 1.0, "letter": "x", "text": "x".repeat(length),
        "bytes": "", "numbers": [], "pair": ["x", true], "outcome": { "ok": 1 }, "size": "small", "rights": [],
        "figure": { "kind": "nothing" }, "price": { "amount": "1", "currency": "VND" }, "day": "2025-07-01"
    })
    .to_string()
}
