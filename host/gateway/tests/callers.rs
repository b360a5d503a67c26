//! Callers who try to be read as something else: by their path, their framing or their body's encoding. Nothing of it
//! reaches another operation, and every refusal is recorded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;

use bytes::Bytes;
use common::{Host, bounded};
use http_body_util::Full;
use serde_json::json;
use tokio::net::TcpStream;
use truc_gateway::GatewaySettings;
use truc_listen::Manners;
use truc_store::Options;

/// The targets of `traversal.json`: ways up with everything another server may take for the end of a segment, and
/// targets that begin somewhere else.
fn targets() -> BTreeSet<String> {
    let table: serde_json::Value = serde_json::from_str(include_str!("traversal.json")).unwrap();
    let list = |name: &str| -> Vec<&str> {
        table[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
    };
    let mut targets: BTreeSet<String> = list("others").into_iter().map(str::to_owned).collect();
    for dots in list("dots") {
        targets.insert(format!("/api/trial/v1/items/{dots}"));
        for slash in list("slashes") {
            targets.insert(format!("/api/trial/v1/items/{dots}{slash}people{slash}001190000017"));
        }
    }
    targets
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_path_reaches_another_operation() {
    let host = Host::start().await;
    let targets = targets();
    assert!(targets.len() >= 100, "{}", targets.len());
    let (mut answered, mut closed) = (0, 0);
    for target in &targets {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\ntruc-purpose: x\r\nConnection: close\r\n\r\n",
            host.key
        );
        let answer = host.raw(request.as_bytes()).await;
        match answer.is_empty() || !answer.contains("\r\n\r\n{") {
            true => {
                assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{target}: {answer}");
                closed += 1;
            }
            false => {
                assert!(answer.starts_with("HTTP/1.1 400 "), "{target}: {answer}");
                assert!(answer.contains("\"code\":\"malformed-request\""), "{target}: {answer}");
                answered += 1;
            }
        }
    }
    assert_eq!(host.shelf.count(), 0, "nothing was asked of the upstream");
    let every = truc_ledger::Filter { limit: Some(truc_ledger::Filter::MOST), ..Default::default() };
    let page = host.ledger.list(&every).await.unwrap();
    for entry in &page.entries {
        let truc_ledger::Entry::Outcome(exchange) = entry else { panic!("an intent: {entry:?}") };
        assert_eq!(exchange.problem.as_deref(), Some("malformed-request"));
        assert_eq!((exchange.status, &exchange.operation, &exchange.agency), (400, &None, &None));
    }
    let recorded = page.entries.len();
    assert_eq!(recorded, answered, "every answer is recorded");
    assert!(closed <= 8, "{closed} of {} were no requests to hyper", targets.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_that_are_checked_are_the_bytes_that_are_forwarded() {
    let host = Host::start().await;
    // Texts that are encoded once and once only.
    for value in ["a%3Fb", "a%23b", "a%25b", "%C4%91%E1%BB%93", "a;b=c", "a+b", "...", "a%26b"] {
        let reply = host.send("GET", &format!("/api/trial/v1/items/{value}"), None).await;
        assert_eq!(reply.status, 200, "{value}: {:?}", reply.body);
        // The upstream tells the segment that it was asked for, as it came.
        let body = reply.json()["body"].as_str().unwrap().to_owned();
        let forwarded = body.strip_prefix("item ").unwrap();
        let plain = |text: &str| percent_decoded(text);
        assert_eq!(plain(forwarded), plain(value), "{value}: {forwarded}");
        assert!(
            !forwarded.contains('/') && !forwarded.contains('?') && !forwarded.contains('#'),
            "{forwarded}"
        );
    }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    decoded
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_framing_are_refused_recorded_and_end_their_connection() {
    let host = Host::start().await;
    let smuggled = format!(
        "GET /api/trial/v1/items/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        host.key
    );
    let faulty = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "X: y\nZ: z\r\n\r\n",
        "Host: b\r\n\r\n",
    ];
    for (number, fields) in faulty.iter().enumerate() {
        let request = format!(
            "POST /api/trial/v1/values/echo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n{fields}{smuggled}",
            host.key
        );
        let answer = host.raw(request.as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("malformed-request"),
            "{fields:?}: {answer}"
        );
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{fields:?}: {answer}");
        assert_eq!(host.exchanges().await.len(), number + 1, "{fields:?}");
    }
    let chunks = format!(
        "POST /api/trial/v1/values/echo HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{{}}\r\n0\r\n\r\n{smuggled}",
        host.key
    );
    let answer = host.raw(chunks.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("framed wrongly"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert_eq!(host.exchanges().await.len(), faulty.len() + 1);
    assert_eq!(host.shelf.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_key_cannot_hide_a_request_in_a_body() {
    let host = Host::start().await;
    let smuggled = format!(
        "GET /api/trial/v1/items/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        host.key
    );
    let request = format!(
        "POST /api/trial/v1/values/echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{smuggled}{smuggled}",
        smuggled.len()
    );
    let answer = host.raw(request.as_bytes()).await;
    let first = answer.find("HTTP/1.1 401 ");
    assert_eq!(first, Some(0), "{answer}");
    // What follows the body is a request of its own, as everybody reads it, unless the connection ended with the refusal.
    assert!(host.shelf.count() <= 1, "the body was read as a request");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_json_in_utf_8_and_nothing_is_decompressed() {
    let host = Host::start().await;
    let post = |fields: &[(&str, &str)], body: &[u8]| {
        let mut request = host.request("POST", "/api/trial/v1/values/echo");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        host.exchange(request.body(Full::new(Bytes::copy_from_slice(body))).unwrap())
    };
    let json = ("content-type", "application/json");
    for coding in
        ["gzip", "br", "deflate", "zstd", "x-gzip", "compress", "identity, gzip", "gzip, identity", ""]
    {
        let reply = post(&[json, ("content-encoding", coding)], b"{}").await;
        assert_eq!(reply.problem(), (415, "unsupported-media-type".to_owned()), "{coding}");
    }
    let twice = post(&[json, ("content-encoding", "identity"), ("content-encoding", "gzip")], b"{}").await;
    assert_eq!(twice.problem().1, "unsupported-media-type");
    for media_type in [
        "",
        "text/json",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json;charset=\"iso-8859-1\"",
        "application/jsonx",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        let reply = post(&[("content-type", media_type)], b"{}").await;
        assert_eq!(reply.problem(), (415, "unsupported-media-type".to_owned()), "{media_type}");
    }
    let two = post(&[json, ("content-type", "text/plain")], b"{}").await;
    assert_eq!(two.problem().1, "unsupported-media-type");
    for fine in
        ["application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\"", "application/json; x=y"]
    {
        assert_eq!(post(&[("content-type", fine)], b"{}").await.problem().1, "invalid-request", "{fine}");
    }
    let utf_16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    let names = format!("{{{}", "\"a\":{".repeat(100_000));
    for (what, body) in [
        ("UTF-16", utf_16.as_slice()),
        ("a byte order mark", b"\xef\xbb\xbf{}".as_slice()),
        ("bytes that are no UTF-8", b"{\"text\":\"\xff\"}"),
        ("an overlong form", b"{\"text\":\"\xc0\xaf\"}"),
        ("half a surrogate", br#"{"text":"\ud800"}"#),
        ("Latin-1", b"{\"text\":\"\xe9\"}"),
        ("NUL", b"{\"text\":\"\0\"}"),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0"),
        ("lists in lists", deep.as_bytes()),
        ("objects in objects", names.as_bytes()),
        ("two documents", b"{}{}"),
    ] {
        let reply = post(&[json], body).await;
        assert_eq!(reply.problem(), (400, "malformed-json".to_owned()), "{what}");
    }
    let twice = post(&[json], br#"{"text":"a","text":"b"}"#).await;
    assert_eq!(twice.problem().1, "invalid-request");
    let told = twice.json()["errors"].to_string();
    assert!(told.contains("/text"), "a member that stands twice is told: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_ends_at_its_preface() {
    let host = Host::start().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    // HEADERS without END_HEADERS, CONTINUATION without end, RST_STREAM, PING: of none of it anything is read.
    let flood = [
        b"\0\0\x01\x01\0\0\0\0\x01\x82".as_slice(),
        b"\0\0\x01\x09\0\0\0\0\x01\x82",
        b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08",
        b"\0\0\x08\x06\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ]
    .concat();
    let bytes = [preface.as_slice(), settings, &flood.repeat(10_000)].concat();
    let answer = host.raw(&bytes).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    // An upgrade is not followed: the request is answered in HTTP/1.1, and the frames after it are no request.
    let upgrade = format!(
        "GET /api/trial/v1/things/5 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nConnection: Upgrade, HTTP2-Settings\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        host.key
    );
    let answer = host.raw(&[upgrade.as_bytes(), preface, settings, &flood].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.matches("HTTP/1.1 ").count() <= 2 && !answer.contains(" 101 "), "{answer}");
    assert_eq!(host.exchanges().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn good_callers_are_served_while_others_hold_all_places() {
    let manners = Manners { max_connections: 16, ..Manners::default() };
    let settings = GatewaySettings { manners, ..GatewaySettings::default() };
    let host = Host::start_with(settings, Options::default(), json!({})).await;
    let mut crowd = Vec::new();
    for _ in 0..10 {
        for _ in 0..30 {
            crowd.push(bounded(TcpStream::connect(host.address)).await.unwrap());
        }
        assert_eq!(host.send("GET", "/api/trial/v1/things/5", None).await.status, 200);
    }
}
