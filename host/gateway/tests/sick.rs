//! Sick upstreams behind the chaos proxy, twelve faults at once: what each comes to, when, and what is left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code, reason = "the attacks of `cargo xtask attack` use the rest")]
#[path = "../../../xtask/src/attack/chaos.rs"]
mod chaos;
mod common;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chaos::{Fault, Proxy, Upstream, text};
use common::{Host, Reply, bounded, grant};
use http_body_util::Full;
use serde_json::json;

/// For each fault; all of them run at once.
const CALLS: usize = 4;
const DEADLINE: Duration = Duration::from_secs(1);
/// What an answer may take beyond the deadline on a machine that has other work.
const SLACK: Duration = Duration::from_secs(5);

async fn call(host: &Host, fault: Fault, number: usize) -> (Reply, Duration) {
    let path = format!("/api/{}/v1/items/7", fault.name());
    let request = host.request("GET", &path).header("x-request-id", id(fault, number));
    let begin = Instant::now();
    let reply = host.exchange(request.body(Full::new(Bytes::new())).unwrap()).await;
    (reply, begin.elapsed())
}

fn id(fault: Fault, number: usize) -> String {
    format!("5ca1ab1e-{:04x}-7000-8000-{number:012x}", fault as u16)
}

/// Status and code, or nothing for a success.
fn told(reply: &Reply) -> (u16, Option<String>) {
    match reply.status {
        200 => (200, None),
        _ => {
            let (status, code) = reply.problem();
            (status, Some(code))
        }
    }
}

fn fits(fault: Fault, reply: &Reply) -> bool {
    let (status, code) = told(reply);
    let failed = status == 502 && code.as_deref() == Some("upstream-failed");
    let late = status == 504 && matches!(code.as_deref(), Some("upstream-timeout" | "deadline-exceeded"));
    match fault {
        Fault::Silent | Fault::DrippingHead | Fault::DrippingBody | Fault::StalledBody => late,
        // Which of its bounds is met first depends on how fast the machine is.
        Fault::Endless => failed || late,
        Fault::LyingLength if status == 200 => {
            let whole = text("7");
            reply.json()["body"] == whole[..whole.len() / 2]
        }
        _ => failed,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_ends_in_time_is_recorded_and_leaves_nothing_open() {
    let host = Host::start().await;
    let upstream = Upstream::start().await.unwrap();
    let mut proxies = Vec::new();
    for fault in Fault::ALL {
        let proxy = Proxy::start(fault, upstream.address).await.unwrap();
        let settings = serde_json::from_value(json!({
            "connector": "trial@1.0.0",
            "bindings": { "shelf": {
                "address": format!("http://{}", proxy.address),
                "timeouts": { "connect": "5s", "firstByte": "5s", "total": "5s" },
                // Every call is to meet the fault.
                "attempts": 1, "breaker": { "failures": 0 },
            } },
            "keys": { "seal": { "algorithm": "hmac-sha256", "secret": "seal" } },
            "limits": { "deadline": "1s", "cpu": "1s" },
        }));
        host.fleet.put_service(&fault.name().parse().unwrap(), &settings.unwrap(), "test").await.unwrap();
        grant(&host.fleet, "H56", fault.name()).await;
        proxies.push((fault, proxy));
    }
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();

    let calls = Fault::ALL.into_iter().flat_map(|fault| (0..CALLS).map(move |number| (fault, number)));
    let calls = calls.map(async |(fault, number)| ((fault, number), call(&host, fault, number).await));
    let mut answers = HashMap::new();
    for ((fault, number), (reply, took)) in futures_util::future::join_all(calls).await {
        assert!(fits(fault, &reply), "{fault:?}: {} {:?}", reply.status, reply.body);
        assert!(took <= DEADLINE + SLACK, "{fault:?}: {took:?}");
        answers.insert(id(fault, number), told(&reply));
    }

    let every = truc_ledger::Filter { limit: Some(truc_ledger::Filter::MOST), ..Default::default() };
    let recorded = host.ledger.list(&every).await.unwrap().entries;
    assert_eq!(recorded.len(), answers.len());
    for entry in recorded {
        let truc_ledger::Entry::Outcome(exchange) = entry else { panic!("an intent: {entry:?}") };
        let told = answers.remove(&exchange.id.to_string());
        assert_eq!(told, Some((exchange.status, exchange.problem)), "{}", exchange.id);
    }

    // An answer that came whole leaves its connection for the next call, for a while; every other one closes it.
    let left = || -> u64 {
        let sick = proxies.iter().filter(|(fault, _)| *fault != Fault::LyingLength);
        sick.map(|(_, proxy)| proxy.open.load(Ordering::Relaxed)).sum()
    };
    bounded(async {
        // One task waits until the connections that are kept grow old.
        while left() > 0 || tasks() > before + 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
