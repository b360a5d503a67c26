//! How much of a service one upstream can hold while it does not answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use truc_egress::{CallError, Upstream};
use truc_model::Millis;

use crate::site::{Act, Site, bind_after, bind_among, call, ok, request};

/// Calls that wait for a site which does not answer.
async fn waiting(site: &Site, upstream: &Arc<Upstream>, calls: usize) -> Vec<tokio::task::JoinHandle<()>> {
    let before = site.requests().len();
    let calls: Vec<_> = (0..calls)
        .map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { drop(call(&upstream, request("GET /")).await) })
        })
        .collect();
    tokio::time::timeout(Duration::from_secs(20), async {
        while site.requests().len() < before + calls.len() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the calls did not arrive");
    calls
}

fn is_full(upstream: &Upstream, most: u32) -> bool {
    match upstream.visit() {
        Err(CallError::Unreachable(text)) => {
            assert!(text.contains("`registry`") && text.contains(&format!("{most} calls")), "{text}");
            true
        }
        Err(other) => panic!("{other}"),
        Ok(_) => false,
    }
}

#[tokio::test]
async fn as_many_calls_as_the_operator_says_are_at_an_upstream_at_once() {
    let site = Site::start(|_| Act::SayAndStall(Vec::new())).await;
    let upstream = site.upstream_with(&["GET /"], |binding| binding.max_calls = Some(3));
    let calls = waiting(&site, &upstream, 3).await;
    assert!(is_full(&upstream, 3));
    assert_eq!(site.requests().len(), 3);
    // Each that leaves makes room.
    for call in calls {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        assert!(!is_full(&upstream, 3));
    }
}

#[tokio::test]
async fn an_upstream_among_others_leaves_them_a_quarter_of_the_service() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    for (concurrency, upstreams, share) in [(64, 2, 48), (64, 5, 48), (4, 2, 3), (1, 2, 1)] {
        let upstream = bind_among(&["GET /"], &site.binding(), concurrency, upstreams);
        let visits: Vec<_> = (0..share).map(|_| upstream.visit().unwrap()).collect();
        assert!(is_full(&upstream, share));
        drop(visits);
        assert!(!is_full(&upstream, share));
    }
}

#[tokio::test]
async fn requests_that_go_at_once_are_one_call() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream_with(&["GET /"], |binding| binding.max_calls = Some(1));
    let visit = upstream.visit().unwrap();
    let send = || visit.call(request("GET /"), crate::site::roomy());
    let (first, second, third) = tokio::join!(send(), send(), send());
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    assert!(is_full(&upstream, 1));
}

#[tokio::test]
async fn a_new_revision_with_the_same_binding_finds_the_places_taken() {
    let site = Site::start(|_| Act::SayAndStall(Vec::new())).await;
    let mut binding = site.binding();
    binding.max_calls = Some(2);
    let upstream = crate::site::bind(&["GET /"], &binding, crate::site::NoNames).unwrap();
    let calls = waiting(&site, &upstream, 2).await;
    let next = bind_after(&["GET /"], &binding, &upstream);
    drop(upstream);
    assert!(is_full(&next, 2));
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    site.until_open(0).await;
    assert!(!is_full(&next, 2));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_connection_has_its_own_bound() {
    let site = Site::start(|_| Act::SayAndStall(Vec::new())).await;
    let upstream = site.upstream_with(&["GET /"], |binding| {
        binding.max_connections = 1;
        binding.timeouts.wait = Millis(400);
    });
    let first = tokio::spawn({
        let upstream = upstream.clone();
        async move { call(&upstream, request("GET /")).await }
    });
    site.until_open(1).await;
    let begin = Instant::now();
    let Err(CallError::Timeout(text)) = call(&upstream, request("GET /")).await else { panic!() };
    assert!(text.contains("all its connections were in use"), "{text}");
    assert_eq!(begin.elapsed().as_millis(), 400);
    assert!(matches!(first.await.unwrap(), Err(CallError::Timeout(_))));
}
