//! Answers that may be used for a while (`@cache`), over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::{Host, Reply, bounded, grant_everything, trial_settings};
use futures_util::future::join_all;
use http_body_util::Full;
use serde_json::{Value, json};
use truc_gateway::GatewaySettings;
use truc_model::{ManualClock, Timestamp};
use truc_store::Options;

const NUMBERED: &str = "/api/trial/v1/catalogue/numbered";
const START: i64 = 1_751_333_400_000_000;

async fn start(limits: Value) -> (Host, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(START)));
    (Host::start_at(clock.clone(), GatewaySettings::default(), Options::default(), limits).await, clock)
}

async fn ask(host: &Host, method: &str, path: &str, tags: &[&str]) -> Reply {
    let mut request = host.request(method, path);
    for tag in tags {
        request = request.header("if-none-match", *tag);
    }
    host.exchange(request.body(Full::new(Bytes::new())).unwrap()).await
}

fn item(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["body"].as_str().unwrap().to_owned()
}

fn header<'r>(reply: &'r Reply, name: &str) -> &'r str {
    reply.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_given_again_until_its_time_is_over() {
    let (host, clock) = start(json!({})).await;
    let first = ask(&host, "GET", NUMBERED, &[]).await;
    assert_eq!(item(&first), "item 1");
    assert_eq!(header(&first, "cache-control"), "private, max-age=60");
    assert_eq!(header(&first, "vary"), "authorization, truc-purpose, truc-dossier");
    assert_eq!(header(&first, "content-type"), "application/json");
    assert_eq!(header(&first, "truc-revision"), "1");
    clock.set(Timestamp::from_micros(START + 59_000_000));
    let again = ask(&host, "GET", NUMBERED, &[]).await;
    assert_eq!((&again.body, header(&again, "etag")), (&first.body, header(&first, "etag")));
    assert_eq!(header(&again, "cache-control"), "private, max-age=1");
    clock.set(Timestamp::from_micros(START + 60_000_000));
    let fresh = ask(&host, "GET", NUMBERED, &[]).await;
    assert_eq!((item(&fresh).as_str(), header(&fresh, "cache-control")), ("item 2", "private, max-age=60"));
    assert_ne!(header(&fresh, "etag"), header(&first, "etag"));
    // A clock that was set back knows nothing of the future.
    clock.set(Timestamp::from_micros(START));
    assert_eq!(item(&ask(&host, "GET", NUMBERED, &[]).await), "item 3");

    let recorded = host.exchanges().await;
    let mut calls: Vec<_> = recorded.iter().map(|one| one.upstream_calls).collect();
    calls.sort_unstable();
    assert_eq!(calls, [0, 1, 1, 1], "each is an exchange");
    assert!(recorded.iter().all(|one| one.purpose.is_some() && one.response_bytes > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_has_the_answer_is_told_so() {
    let (host, clock) = start(json!({})).await;
    let path = "/api/trial/v1/catalogue/1";
    let first = ask(&host, "GET", path, &[]).await;
    let tag = header(&first, "etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'));
    let weak = format!("W/{tag}");
    let list = format!("\"other\", {tag}");
    for tags in [&[tag.as_str()][..], &[&weak], &[&list], &["\"other\"", &tag], &["*"]] {
        for method in ["GET", "HEAD"] {
            let reply = ask(&host, method, path, tags).await;
            assert_eq!((reply.status, reply.body.len()), (304, 0), "{tags:?}");
            assert_eq!(header(&reply, "etag"), tag);
            assert_eq!(header(&reply, "cache-control"), "private, max-age=60");
            assert_eq!(header(&reply, "vary"), header(&first, "vary"));
        }
    }
    for tags in [&["\"other\""][..], &["nonsense"], &[tag.trim_matches('"')]] {
        assert_eq!(ask(&host, "GET", path, tags).await.body, first.body, "{tags:?}");
    }
    assert_eq!(host.shelf.count(), 1);
    // The fresh answer is the same: the caller's time begins anew, without the content.
    clock.set(Timestamp::from_micros(START + 100_000_000));
    let fresh = ask(&host, "GET", path, &[&tag]).await;
    assert_eq!((fresh.status, header(&fresh, "cache-control")), (304, "private, max-age=60"));
    assert_eq!(host.shelf.count(), 2);
    let recorded = &host.exchanges().await[0];
    assert_eq!((recorded.status, recorded.upstream_calls, recorded.response_bytes), (304, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_a_get_without_its_content() {
    let (host, _) = start(json!({})).await;
    let head = ask(&host, "HEAD", NUMBERED, &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let get = ask(&host, "GET", NUMBERED, &[]).await;
    for name in ["etag", "cache-control", "content-type", "content-length", "vary"] {
        assert_eq!(header(&head, name), header(&get, name), "{name}");
    }
    assert_eq!((item(&get).as_str(), host.shelf.count()), ("item 1", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_passes_between_agencies_and_nobody_gets_past_the_checks() {
    let (host, _) = start(json!({})).await;
    let other = grant_everything(&host.fleet, "G22", "portal").await;
    let get = async |key: &str, purpose: &str| {
        let mut request = host.anonymous("GET", NUMBERED).header("authorization", format!("Bearer {key}"));
        if !purpose.is_empty() {
            request = request.header("truc-purpose", purpose);
        }
        host.exchange(request.body(Full::new(Bytes::new())).unwrap()).await
    };
    assert_eq!(item(&get(&host.key, "a").await), "item 1");
    assert_eq!(item(&get(&host.key, "b").await), "item 1", "the agency has it already");
    assert_eq!(item(&get(&other, "a").await), "item 2");
    assert_eq!(get(&host.key, "").await.problem(), (422, "purpose-required".to_owned()));
    assert_eq!(get("truc_wrong", "a").await.problem(), (401, "wrong-key".to_owned()));
    let identity = host.fleet.identity();
    let agency = "G22".parse().unwrap();
    let grants = identity.grants(&agency).await.unwrap();
    identity.revoke(&agency, &grants[0].id).await.unwrap();
    host.fleet.renew_directory().await.unwrap();
    let refused = get(&other, "a").await;
    assert_eq!(refused.problem(), (403, "not-granted".to_owned()));
    assert_eq!(header(&refused, "cache-control"), "no-store");
    assert_eq!(host.shelf.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_asked_alike_has_the_same_answer() {
    let (host, _) = start(json!({})).await;
    let mut asked = 0;
    for path in ["/api/trial/v1/catalogue/1", "/api/trial/v1/catalogue/2", "/api/trial/v1/catalogue/%31"] {
        for _ in 0..2 {
            assert_eq!(ask(&host, "GET", path, &[]).await.status, 200);
        }
        asked += 1;
        assert_eq!(host.shelf.count(), asked, "{path}");
    }
    // What takes no query is refused with one, kept or not.
    assert_eq!(ask(&host, "GET", "/api/trial/v1/catalogue/1?a=b", &[]).await.problem().1, "invalid-request");
    let plain = ask(&host, "GET", "/api/trial/v1/items/1", &["*"]).await;
    assert_eq!(
        (plain.status, header(&plain, "cache-control"), header(&plain, "etag")),
        (200, "no-store", "")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_not_kept() {
    let (host, _) = start(json!({})).await;
    for expected in 1..=2 {
        let reply = ask(&host, "GET", "/api/trial/v1/catalogue/cut", &["*"]).await;
        assert_eq!(reply.problem().1, "upstream-failed");
        assert_eq!((header(&reply, "cache-control"), header(&reply, "etag")), ("no-store", ""));
        assert!(host.shelf.count() >= expected);
        assert_eq!(host.exchanges().await[0].upstream_calls, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_revision_begins_with_nothing() {
    let (host, _) = start(json!({})).await;
    assert_eq!(item(&ask(&host, "GET", NUMBERED, &[]).await), "item 1");
    let settings = trial_settings(host.shelf.address, json!({}));
    host.fleet.put_service(&"trial".parse().unwrap(), &settings, "test").await.unwrap();
    let reply = ask(&host, "GET", NUMBERED, &[]).await;
    assert_eq!((item(&reply).as_str(), header(&reply, "truc-revision")), ("item 2", "2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_ask_at_once_share_one_call() {
    let (host, _) = start(json!({ "concurrency": 2 })).await;
    let path = "/api/trial/v1/catalogue/held";
    let calls = join_all((0..20).map(|_| ask(&host, "GET", path, &[])));
    let go = async {
        host.shelf.reached(1).await;
        host.shelf.gate.add_permits(20);
    };
    let (replies, ()) = bounded(async { tokio::join!(calls, go) }).await;
    assert!(replies.iter().all(|reply| item(reply) == "item held"));
    assert_eq!(host.shelf.count(), 1);
    let calls: u32 = host.exchanges().await.iter().map(|one| one.upstream_calls).sum();
    assert_eq!(calls, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_takes_over_from_one_who_leaves() {
    use tokio::io::AsyncWriteExt;
    let (host, _) = start(json!({})).await;
    let path = "/api/trial/v1/catalogue/held";
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nTruc-Purpose: test\r\n\r\n",
        host.key
    );
    let mut leaver = tokio::net::TcpStream::connect(host.address).await.unwrap();
    leaver.write_all(request.as_bytes()).await.unwrap();
    host.shelf.reached(1).await;
    let leave = async {
        drop(leaver);
        host.shelf.reached(2).await;
        host.shelf.gate.add_permits(2);
    };
    let (reply, ()) = bounded(async { tokio::join!(ask(&host, "GET", path, &[]), leave) }).await;
    assert_eq!(item(&reply), "item held");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_bounded_and_nothing_is_an_amount() {
    let asked = async |limit: &str| {
        let (host, _) = start(json!({ "answerCacheBytes": limit })).await;
        for round in 0..2 {
            for number in 0..40 {
                let path = format!("/api/trial/v1/catalogue/{number}");
                let reply = ask(&host, "GET", &path, &[]).await;
                assert_eq!(item(&reply), format!("item {number}"), "{round}");
                assert_eq!(header(&reply, "cache-control"), "private, max-age=60");
                let tag = header(&reply, "etag");
                assert_eq!(ask(&host, "GET", &path, &[tag]).await.status, 304);
            }
        }
        host.shelf.count()
    };
    assert_eq!(asked("4MiB").await, 40);
    let some = asked("8KiB").await;
    assert!(some > 60, "8 KiB held 40 answers of more than 512 bytes: {some}");
    assert_eq!(asked("0B").await, 160, "without room every request is a call");
}
