//! Header fields that connectors send.

use std::sync::Arc;

use proptest::prelude::*;
use truc_egress::{CallError, Upstream};

use crate::site::{Act, Received, Site, call, ok, pair, request};

async fn site() -> (Site, Arc<Upstream>) {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream(&["POST /"]);
    (site, upstream)
}

async fn send(upstream: &Upstream, fields: Vec<(String, String)>) -> Result<(), String> {
    let mut request = request("POST /");
    request.headers = fields;
    request.body = Some(b"body".to_vec());
    match call(upstream, request).await {
        Ok(_) => Ok(()),
        Err(CallError::Denied(text)) => Err(text),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn fields_that_frame_route_or_authenticate_are_refused() {
    let (site, upstream) = site().await;
    for name in [
        "host",
        "Host",
        "HOST",
        "content-length",
        "Content_Length",
        "transfer-encoding",
        "transfer_encoding",
        "te",
        "trailer",
        "upgrade",
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "Proxy-Anything",
        "expect",
        "http2-settings",
        "authorization",
        "cookie",
        "cookie2",
        "set-cookie",
        "forwarded",
        "via",
        "x-forwarded-for",
        "X_Forwarded_For",
        "x-forwarded-host",
        "x-forwarded",
        "x-real-ip",
        "x_real_ip",
        "x-client-ip",
        "true-client-ip",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
        "x-method-override",
        "accept-encoding",
    ] {
        let text = send(&upstream, vec![pair(name, "1")]).await.expect_err(name);
        assert!(text.contains(&format!("{name:?}")) && text.contains("leave it out"), "{text}");
    }
    assert_eq!(site.connections(), 0);
}

#[tokio::test]
async fn names_and_values_that_could_be_more_than_one_field_are_refused() {
    let (site, upstream) = site().await;
    for (name, value) in [
        ("x\r\nhost", "evil"),
        ("x\nhost", "evil"),
        ("x: y\r\nhost", "evil"),
        ("x:y", "z"),
        ("x ", "y"),
        (" x", "y"),
        ("x\ty", "z"),
        ("", "y"),
        (":path", "/"),
        ("x\0", "y"),
        ("xé", "y"),
        ("x(y)", "z"),
        ("x", "a\r\nhost: evil"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\r\n\r\nGET /admin HTTP/1.1\r\n"),
        ("x", "\r\n folded"),
        ("x", "a\0b"),
        ("x", "a\u{7f}"),
        ("x", "a\u{85}b"),
        ("x", "a\u{2028}b"),
        ("x", "đ"),
    ] {
        let text = send(&upstream, vec![pair(name, value)]).await.expect_err(value);
        assert!(!text.contains(['\r', '\n']), "{text}");
    }
    assert_eq!(site.connections(), 0);
}

#[tokio::test]
async fn everything_else_is_sent_as_it_is() {
    let (site, upstream) = site().await;
    let fields = [
        ("X-Request", "a, b;c=\"d\""),
        ("accept", "application/xml"),
        ("x-request", "again"),
        ("user_agent", "x"),
    ];
    send(&upstream, fields.iter().map(|(name, value)| pair(name, value)).collect()).await.unwrap();
    let received = site.request();
    assert_eq!(received.field("x-request"), ["a, b;c=\"d\"", "again"]);
    assert_eq!(received.field("accept"), ["application/xml"]);
    assert_eq!(received.field("user_agent"), ["x"]);
}

#[tokio::test]
async fn there_is_a_most_of_fields_and_bytes() {
    let (site, upstream) = site().await;
    let many = |count: usize| (0..count).map(|number| pair(&format!("x-{number}"), "1")).collect::<Vec<_>>();
    assert!(send(&upstream, many(64)).await.is_ok());
    assert!(send(&upstream, many(65)).await.is_err());
    let long = |length| vec![pair("x", &"y".repeat(length))];
    assert!(send(&upstream, long(16 * 1024 - 1)).await.is_ok());
    assert!(send(&upstream, long(16 * 1024)).await.is_err());
    assert_eq!(site.requests().len(), 2);
}

/// One message, framed once, for the right host: what a server that reads strictly makes of a request.
fn is_sound(received: &Received, site: &Site) {
    assert_eq!(received.line(), "POST / HTTP/1.1");
    assert_eq!(received.field("host"), [site.address.to_string()]);
    assert_eq!(received.field("content-length"), ["4"]);
    assert_eq!(received.field("transfer-encoding"), [""; 0]);
    assert_eq!(received.body, b"body");
}

#[test]
fn whatever_a_connector_sends_is_one_message_or_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (site, upstream) = runtime.block_on(site());
    let name = prop_oneof![
        any::<String>(),
        "[a-zA-Z_-]{1,12}",
        "(?i)(x[-_])?(host|content[-_]length|transfer[-_]encoding|forwarded|connection)[ \r\n:]{0,2}",
    ];
    let value = prop_oneof![
        any::<String>(),
        "[ -~]{0,20}",
        "[a-z]{0,3}\r?\n?(host: evil|GET / HTTP/1.1)?(\r\n){0,2}"
    ];
    proptest!(|(fields in prop::collection::vec((name, value), 0..4))| {
        let before = site.requests().len();
        let sent = runtime.block_on(send(&upstream, fields.clone()));
        let requests = site.requests();
        prop_assert_eq!(requests.len() - before, usize::from(sent.is_ok()));
        if sent.is_ok() {
            let received = requests.last().unwrap();
            is_sound(received, &site);
            // Nothing was added to what the connector asked for but what the host sets.
            prop_assert_eq!(received.head.split("\r\n").count(), 1 + fields.len() + 3);
            for (name, value) in &fields {
                prop_assert!(received.field(name).contains(&value.trim_matches([' ', '\t'])));
            }
        }
    });
}
