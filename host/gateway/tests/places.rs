//! The places of a service and the queue before them, over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::pin::pin;

use common::{Host, Reply, bounded, trial_settings};
use futures_util::future::{Either, join_all, select};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use truc_gateway::GatewaySettings;
use truc_model::Millis;
use truc_store::Options;

const HELD: &str = "/api/trial/v1/items/held";
const NUMBERED: &str = "/api/trial/v1/items/numbered";

/// A host whose service has one place, which a call holds until the gate lets it go.
async fn full(limits: Value) -> (Host, tokio::task::JoinHandle<()>) {
    let host = Host::start().await;
    put(&host, json!({ "concurrency": 1, "deadline": "1min" })).await;
    let held = hold(&host).await;
    put(&host, limits).await;
    (host, held)
}

/// Puts the service with one place, unless other limits are given, and with an upstream that may be silent for long.
async fn put(host: &Host, mut limits: Value) {
    for (name, value) in [("concurrency", json!(1)), ("deadline", json!("1min"))] {
        if limits[name].is_null() {
            limits[name] = value;
        }
    }
    let mut settings = trial_settings(host.shelf.address, limits);
    for binding in settings.bindings.values_mut() {
        (binding.timeouts.first_byte, binding.timeouts.total) = (Millis(60_000), Millis(60_000));
    }
    host.fleet.put_service(&"trial".parse().unwrap(), &settings, "test").await.unwrap();
}

/// Sends a request for the item `held`, and goes on when it has reached the upstream.
async fn hold(host: &Host) -> tokio::task::JoinHandle<()> {
    let mut stream = tokio::net::TcpStream::connect(host.address).await.unwrap();
    let reached = host.shelf.count() + 1;
    stream.write_all(get(host, HELD).as_bytes()).await.unwrap();
    host.shelf.reached(reached).await;
    // The connection lasts as long as the task.
    tokio::spawn(async move {
        let _ = stream.readable().await;
        drop(stream);
    })
}

fn get(host: &Host, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n", host.key)
}

/// Goes on when so many calls wait.
async fn waiting(host: &Host, calls: u32) {
    let name = "trial".parse().unwrap();
    bounded(async {
        while host.fleet.snapshot().revision(&name).unwrap().waiting() != calls {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn busy(reply: &Reply) -> u32 {
    assert_eq!(reply.problem(), (503, "too-busy".to_owned()));
    let seconds = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(reply.json()["retryAfter"], seconds);
    assert!((1..=60).contains(&seconds));
    seconds
}

/// How many exchanges ended with a problem.
async fn ended_with(host: &Host, problem: &str) -> usize {
    let exchanges = host.exchanges().await;
    exchanges.iter().filter(|exchange| exchange.problem.as_deref() == Some(problem)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_wait_for_a_place_and_are_served() {
    let (host, held) = full(json!({ "queue": 8, "queueWait": "20s" })).await;
    let calls = join_all((0..8).map(|_| host.send("GET", NUMBERED, None)));
    let release = async {
        waiting(&host, 8).await;
        assert_eq!(host.shelf.count(), 1);
        host.shelf.gate.add_permits(1);
    };
    let (replies, ()) = bounded(async { tokio::join!(calls, release) }).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    assert_eq!(host.shelf.count(), 9);
    bounded(held).await.unwrap();
    assert_eq!(host.exchanges().await.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_the_refusal_is_recorded() {
    let (host, _held) = full(json!({ "queue": 1, "queueWait": "20s" })).await;
    let (one, other) = (pin!(host.send("GET", NUMBERED, None)), pin!(host.send("GET", NUMBERED, None)));
    // Whichever comes first waits.
    let (refused, served) = match bounded(select(one, other)).await {
        Either::Left(ended) | Either::Right(ended) => ended,
    };
    busy(&refused);
    assert!(refused.json()["detail"].as_str().unwrap().contains("run and wait"));
    assert_eq!(ended_with(&host, "too-busy").await, 1);
    host.shelf.gate.add_permits(1);
    assert_eq!(bounded(served).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_with_its_bound_and_with_the_deadline() {
    for limits in [
        json!({ "queue": 4, "queueWait": "50ms" }),
        json!({ "queue": 4, "queueWait": "30s", "deadline": "500ms" }),
        json!({ "queue": 0, "queueWait": "30s" }),
    ] {
        let (host, _held) = full(limits).await;
        busy(&bounded(host.send("GET", NUMBERED, None)).await);
        assert_eq!(host.shelf.count(), 1, "nothing was asked of anybody");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_waiting_is_recorded_and_waits_no_more() {
    let (host, _held) = full(json!({ "queue": 1, "queueWait": "20s" })).await;
    {
        let mut stream = tokio::net::TcpStream::connect(host.address).await.unwrap();
        stream.write_all(get(&host, NUMBERED).as_bytes()).await.unwrap();
        waiting(&host, 1).await;
        busy(&bounded(host.send("GET", NUMBERED, None)).await);
    }
    waiting(&host, 0).await;
    bounded(async {
        while ended_with(&host, "abandoned").await == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let next = host.send("GET", NUMBERED, None);
    let release = async {
        waiting(&host, 1).await;
        host.shelf.gate.add_permits(1);
    };
    let (next, ()) = bounded(async { tokio::join!(next, release) }).await;
    assert_eq!(next.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_revision_counts_those_who_run_and_serves_those_who_wait() {
    let (host, _held) = full(json!({ "queue": 4, "queueWait": "20s" })).await;
    // The call of the first revision still holds the one place of those that came after.
    put(&host, json!({ "queue": 0 })).await;
    busy(&bounded(host.send("GET", NUMBERED, None)).await);
    put(&host, json!({ "queue": 4, "queueWait": "20s" })).await;
    let next = host.send("GET", NUMBERED, None);
    let more = async {
        waiting(&host, 1).await;
        put(&host, json!({ "concurrency": 2, "queue": 4, "queueWait": "20s" })).await;
    };
    let (reply, ()) = bounded(async { tokio::join!(next, more) }).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_lets_nobody_wait() {
    let (host, _held) = full(json!({ "queue": 1, "queueWait": "30s" })).await;
    let call = host.send("GET", NUMBERED, None);
    let stop = async {
        waiting(&host, 1).await;
        host.stop.cancel();
    };
    let (reply, ()) = bounded(async { tokio::join!(call, stop) }).await;
    assert_eq!(reply.problem(), (503, "shutting-down".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_upstreams_are_added_up_over_a_call() {
    let limits = json!({ "upstreamBytes": "8MiB", "upstreamTotalBytes": "10MiB", "cpu": "10s" });
    let host = Host::start_with(GatewaySettings::default(), Options::default(), limits).await;
    // 6 MiB each: one fits, and two at once have 5 MiB each.
    let status = async |query: &str| {
        let reply = bounded(host.send("GET", &format!("/api/trial/v1/items?{query}"), None)).await;
        (reply.status, reply.json()["detail"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(status("ids=huge").await.0, 200);
    let (refused, detail) = status("ids=huge&ids=huge").await;
    assert!(refused >= 500 && detail.contains("`upstream-total-bytes` of 10MiB is used up"), "{detail}");
    let small: Vec<String> = (0..16).map(|id| format!("ids={id}")).collect();
    assert_eq!(status(&small.join("&")).await.0, 200);
}
