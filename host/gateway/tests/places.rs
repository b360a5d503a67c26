//! The places of a service and the queue before them, over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::pin::pin;

use common::{Host, Reply, bounded, trial_settings};
use futures_util::future::{Either, join_all, select};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use truc_gateway::GatewaySettings;
use truc_store::Options;

const HELD: &str = "/api/trial/v1/items/held";
const NUMBERED: &str = "/api/trial/v1/items/numbered";

/// A host whose service has one place, which a call holds until the gate lets it go.
async fn full(mut limits: Value) -> (Host, tokio::task::JoinHandle<()>) {
    limits["concurrency"] = json!(1);
    limits["deadline"] = limits.get("deadline").cloned().unwrap_or(json!("20s"));
    let host = Host::start_with(GatewaySettings::default(), Options::default(), limits).await;
    let held = hold(&host).await;
    (host, held)
}

/// Sends a request for the item `held`, and goes on when it has reached the upstream.
async fn hold(host: &Host) -> tokio::task::JoinHandle<()> {
    let mut stream = tokio::net::TcpStream::connect(host.address).await.unwrap();
    stream.write_all(get(host, HELD).as_bytes()).await.unwrap();
    let reached = host.shelf.count() + 1;
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
        // Whichever of them came first to the host would have reached the upstream, had there been a place.
        tokio::task::yield_now().await;
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
    let (refused, waiting) = match bounded(select(one, other)).await {
        Either::Left((refused, waiting)) | Either::Right((refused, waiting)) => (refused, waiting),
    };
    busy(&refused);
    assert!(refused.json()["detail"].as_str().unwrap().contains("run and wait"));
    assert_eq!(ended_with(&host, "too-busy").await, 1);
    host.shelf.gate.add_permits(1);
    assert_eq!(bounded(waiting).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_with_its_bound_and_with_the_deadline() {
    for limits in [
        json!({ "queue": 4, "queueWait": "50ms" }),
        // The call that holds the place has the same deadline: it ends a little earlier, or this one is refused.
        json!({ "queue": 4, "queueWait": "30s", "deadline": "500ms" }),
        json!({ "queue": 0, "queueWait": "30s" }),
    ] {
        let (host, _held) = full(limits.clone()).await;
        let reply = bounded(host.send("GET", NUMBERED, None)).await;
        match reply.status {
            503 => {
                busy(&reply);
                assert_eq!(host.shelf.count(), 1, "nothing was asked of anybody");
            }
            200 => assert_eq!(limits["deadline"], "500ms"),
            _ => panic!("{reply:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_waiting_is_recorded_and_waits_no_more() {
    let (host, _held) = full(json!({ "queue": 1, "queueWait": "20s" })).await;
    {
        let mut stream = tokio::net::TcpStream::connect(host.address).await.unwrap();
        stream.write_all(get(&host, NUMBERED).as_bytes()).await.unwrap();
        // It waits once another finds the queue full.
        bounded(async {
            loop {
                let refused = {
                    let probe = pin!(host.send("GET", NUMBERED, None));
                    match select(probe, pin!(tokio::time::sleep(common::SHORT.as_duration()))).await {
                        Either::Left((reply, _)) => busy(&reply) > 0,
                        Either::Right(_) => false,
                    }
                };
                if refused {
                    return;
                }
            }
        })
        .await;
    }
    bounded(async {
        while ended_with(&host, "abandoned").await == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let waiting = host.send("GET", NUMBERED, None);
    host.shelf.gate.add_permits(1);
    assert_eq!(bounded(waiting).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_revision_counts_those_who_run_and_serves_those_who_wait() {
    let (host, _held) = full(json!({ "queue": 4, "queueWait": "20s" })).await;
    let name = "trial".parse().unwrap();
    let put = async |limits: Value| {
        host.fleet.put_service(&name, &trial_settings(host.shelf.address, limits), "test").await.unwrap();
    };
    // The call of the first revision still holds the one place of the second.
    put(json!({ "concurrency": 1, "queue": 0 })).await;
    busy(&bounded(host.send("GET", NUMBERED, None)).await);
    put(json!({ "concurrency": 1, "queue": 4, "queueWait": "20s", "deadline": "20s" })).await;
    let waiting = pin!(host.send("GET", NUMBERED, None));
    let more = async {
        tokio::task::yield_now().await;
        put(json!({ "concurrency": 2, "queue": 4, "queueWait": "20s", "deadline": "20s" })).await;
    };
    let (reply, ()) = bounded(async { tokio::join!(waiting, more) }).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_lets_nobody_wait() {
    let (host, _held) = full(json!({ "queue": 1, "queueWait": "30s", "deadline": "30s" })).await;
    let waiting = pin!(host.send("GET", NUMBERED, None));
    let stop = async {
        // Once another finds the queue full, the first waits.
        loop {
            let probe = pin!(host.send("GET", NUMBERED, None));
            if let Either::Left((reply, _)) =
                select(probe, pin!(tokio::time::sleep(common::SHORT.as_duration()))).await
            {
                busy(&reply);
                break;
            }
        }
        host.stop.cancel();
    };
    let (reply, ()) = bounded(async { tokio::join!(waiting, stop) }).await;
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
