//! What is sent, and what comes back.

use truc_egress::{CallError, Limits};
use truc_model::Bytes;

use crate::site::{Act, HANDLE, Site, answer, call, call_within, ok, pair, request, roomy};

#[tokio::test]
async fn a_request_arrives_as_it_was_meant_and_nothing_else_does() {
    let site = Site::start(|_| Act::Say(ok("{}"))).await;
    let upstream = site.upstream_with(&["POST /a/{id}"], |binding| {
        binding.address = format!("http://{}/base/v1", site.address).parse().unwrap();
    });
    let mut request = request("POST /a/{id}");
    request.parameters.push(pair("id", "Ấn 1"));
    request.query.push(pair("q", "x&y"));
    request.headers.push(pair("Content-Type", "application/json"));
    request.body = Some(b"{\"a\":1}".to_vec());
    call(&upstream, request).await.unwrap();
    let received = site.request();
    assert_eq!(
        received.head,
        format!(
            "POST /base/v1/a/%E1%BA%A4n%201?q=x%26y HTTP/1.1\r\nhost: {}\r\naccept-encoding: identity\r\n\
             content-type: application/json\r\ncontent-length: 7",
            site.address
        )
    );
    assert_eq!(received.body, b"{\"a\":1}");
}

#[tokio::test]
async fn an_absent_body_is_said_to_be_absent_where_one_could_be_expected() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream(&["POST /", "PUT /", "PATCH /", "DELETE /", "GET /"]);
    for entry in ["POST /", "PUT /", "PATCH /", "DELETE /", "GET /"] {
        call(&upstream, request(entry)).await.unwrap();
    }
    let lengths: Vec<usize> =
        site.requests().iter().map(|request| request.field("content-length").len()).collect();
    assert_eq!(lengths, [1, 1, 1, 0, 0]);
}

#[tokio::test]
async fn answers_come_back_whole_without_what_is_the_hosts_business() {
    let fields = [
        "Content-Type: application/json",
        "X-Thing: a",
        "x-thing: b",
        "Set-Cookie: session=1",
        "Location: http://elsewhere/",
        "Refresh: 0; url=http://elsewhere/",
        "WWW-Authenticate: Basic",
        "Proxy-Authenticate: Basic",
        "Keep-Alive: timeout=5",
        "Alt-Svc: h2=\":443\"",
    ];
    let site = Site::start(move |_| Act::Say(answer(418, &fields, "short and stout"))).await;
    let upstream = site.upstream(&["GET /"]);
    let response = call(&upstream, request("GET /")).await.unwrap();
    assert_eq!(response.status, 418);
    assert_eq!(
        response.headers,
        [pair("content-type", "application/json"), pair("x-thing", "a"), pair("x-thing", "b")]
    );
    assert_eq!(response.body, b"short and stout");
}

#[tokio::test]
async fn every_framing_of_an_answer_is_read() {
    let site = Site::start(|received| match received.target() {
        "/chunked" => Act::Say(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\ntrailer: x-t\r\n\r\n3\r\nabc\r\n4;e=1\r\ndefg\r\n0\r\nx-t: 1\r\n\r\n"
                .to_vec(),
        ),
        "/to-the-end" => Act::SayAndClose(b"HTTP/1.0 200 OK\r\n\r\nabcdefg".to_vec()),
        "/after-hints" => Act::Say(
            b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nabcdefg".to_vec(),
        ),
        "/none" => Act::Say(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        other => panic!("{other}"),
    })
    .await;
    let paths = ["GET /chunked", "GET /to-the-end", "GET /after-hints", "GET /none"];
    let upstream = site.upstream(&paths);
    let mut bodies = Vec::new();
    for path in paths {
        bodies.push(String::from_utf8(call(&upstream, request(path)).await.unwrap().body).unwrap());
    }
    assert_eq!(bodies, ["abcdefg", "abcdefg", "abcdefg", ""]);
}

#[tokio::test]
async fn head_has_no_body_whatever_its_length_says() {
    let site = Site::start(|_| Act::Say(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".to_vec())).await;
    let upstream = site.upstream(&["HEAD /"]);
    for _ in 0..2 {
        assert_eq!(call(&upstream, request("HEAD /")).await.unwrap().body, b"");
    }
    assert_eq!(site.connections(), 1);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Site::start(|_| Act::Say(ok("loot"))).await;
    let target = format!("Location: http://{}/", elsewhere.address);
    let site = Site::start(move |received| {
        let status = received.target().trim_start_matches('/').parse().unwrap();
        Act::Say(answer(status, &[&target], ""))
    })
    .await;
    for status in ["301", "302", "303", "307", "308"] {
        let entry = format!("GET /{status}");
        let response = call(&site.upstream(&[&entry]), request(&entry)).await.unwrap();
        assert_eq!(response.status.to_string(), status);
        assert_eq!(response.headers, []);
    }
    assert_eq!((site.requests().len(), elsewhere.connections()), (5, 0));
}

#[tokio::test]
async fn only_what_the_manifest_allows_is_sent() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream(&["GET /a/{id}", "POST /b"]);
    for entry in
        ["POST /a/{id}", "GET /b", "GET /a/1", "GET /a/{id}/", "GET a/{id}", "GET /A/{id}", "GET /a/{id}?x=1"]
    {
        let Err(CallError::Denied(text)) = call(&upstream, request(entry)).await else { panic!("{entry}") };
        assert!(
            text.contains(HANDLE) && text.contains("`POST /b`") && text.contains("[upstreams.registry]"),
            "{text}"
        );
    }
    assert_eq!(site.connections(), 0);
}

#[tokio::test]
async fn a_body_where_none_belongs_is_refused() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream(&["GET /", "HEAD /"]);
    for entry in ["GET /", "HEAD /"] {
        let mut request = request(entry);
        request.body = Some(b"x".to_vec());
        assert!(matches!(call(&upstream, request).await, Err(CallError::Denied(_))));
    }
    assert_eq!(site.connections(), 0);
}

#[tokio::test]
async fn bodies_end_at_the_limit() {
    let site = Site::start(|received| match received.target() {
        "/announced" => Act::Say(ok("12345678")),
        "/chunked" => Act::Say(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\n12345678\r\n0\r\n\r\n".to_vec(),
        ),
        "/to-the-end" => Act::SayAndClose(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n12345678".to_vec()),
        other => panic!("{other}"),
    })
    .await;
    let paths = ["GET /announced", "GET /chunked", "GET /to-the-end"];
    let upstream = site.upstream(&paths);
    for path in paths {
        let limit = |max_body| Limits { max_body: Bytes(max_body), ..roomy() };
        assert_eq!(
            call_within(&upstream, request(path), limit(8)).await.unwrap().body,
            b"12345678",
            "{path}"
        );
        assert_eq!(
            call_within(&upstream, request(path), limit(7)).await,
            Err(CallError::TooLarge(7)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn endless_answers_are_cut_and_their_connections_closed() {
    let site = Site::start(|received| {
        let head = match received.target() {
            "/length" => "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551000\r\n\r\n",
            "/chunks" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n",
            "/close" => "HTTP/1.1 200 OK\r\n\r\n",
            other => panic!("{other}"),
        };
        Act::SayForEver(head.as_bytes().to_vec(), vec![b'x'; 64 * 1024])
    })
    .await;
    let paths = ["GET /length", "GET /chunks", "GET /close"];
    let upstream = site.upstream(&paths);
    for path in paths {
        assert_eq!(call(&upstream, request(path)).await, Err(CallError::TooLarge(1 << 20)), "{path}");
    }
    site.until_open(0).await;
}

#[tokio::test]
async fn answers_that_cannot_be_trusted_are_interruptions() {
    let heads: &[&str] = &[
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: x\r\ncontent-length: 0\r\n\r\n",
    ];
    for head in heads {
        let site = Site::start(|_| Act::SayAndClose(head.as_bytes().to_vec())).await;
        let result = call(&site.upstream(&["GET /"]), request("GET /")).await;
        let Err(CallError::Interrupted(text)) = result else { panic!("{head:?}: {result:?}") };
        assert!(text.contains(HANDLE) && !text.contains("127.0.0.1"), "{text}");
        site.until_open(0).await;
    }
}

#[tokio::test]
async fn heads_without_end_are_interruptions() {
    for line in ["x-a: b\r\n", "x"] {
        let more = line.repeat(4000).into_bytes();
        let site = Site::start(move |_| Act::SayForEver(b"HTTP/1.1 200 OK\r\n".to_vec(), more.clone())).await;
        let result = call(&site.upstream(&["GET /"]), request("GET /")).await;
        assert!(matches!(result, Err(CallError::Interrupted(_))), "{result:?}");
        site.until_open(0).await;
    }
}
