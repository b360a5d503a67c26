//! What every request meets, whatever it asks for: the key, unknown places, bounds, identifiers.

use http_body_util::Full;
use hyper::header::AUTHORIZATION;
use hyper::{Method, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use truc_control::manners;
use truc_listen::Manners;
use truc_model::Millis;

use crate::host::{Answer, Host, KEY};

async fn with_key(host: &Host, key: &str) -> Answer {
    let request = Request::builder().uri("/admin/agencies").header("host", "x").header(AUTHORIZATION, key);
    host.send(request.body(Full::default()).unwrap()).await
}

#[tokio::test]
async fn only_the_key_opens() {
    let host = Host::start().await;
    with_key(&host, &format!("Bearer {KEY}")).await.with(200);
    with_key(&host, &format!("bearer {KEY}")).await.with(200);
    for missing in ["", "Bearer", "Bearer ", "Basic eDp5", KEY] {
        with_key(&host, missing).await.problem(401, "missing-key");
    }
    for wrong in ["Bearer x".to_owned(), format!("Bearer {KEY}x"), format!("Bearer {}", &KEY[1..])] {
        with_key(&host, &wrong).await.problem(401, "wrong-key");
    }
    let twice = Request::builder().uri("/admin/agencies").header("host", "x");
    let twice =
        twice.header(AUTHORIZATION, format!("Bearer {KEY}")).header(AUTHORIZATION, format!("Bearer {KEY}"));
    host.send(twice.body(Full::default()).unwrap()).await.problem(401, "missing-key");
    // What there is, is told to those with a key only.
    let unknown = Request::builder().uri("/admin/nothing").header("host", "x").body(Full::default()).unwrap();
    host.send(unknown).await.problem(401, "missing-key");
}

#[tokio::test]
async fn unknown_places_are_told() {
    let host = Host::start().await;
    for path in ["/", "/admin", "/admin/nothing", "/admin/agencies/", "/api/land/v1/x"] {
        host.get(path).await.problem(404, "route-not-found");
    }
    let answer = host.ask(Method::PATCH, "/admin/agencies", "", "").await;
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
    host.ask(Method::POST, "/healthz", "", "").await.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn bodies_are_bounded_and_read_strictly() {
    let host = Host::start().await;
    let post = async |media_type: &str, body: String| {
        host.ask(Method::POST, "/admin/agencies", media_type, body).await
    };
    let json = async |body: &str| post("application/json", body.to_owned()).await;

    for malformed in ["", "{", "{}{}", "nothing", &"[".repeat(2000)] {
        json(malformed).await.problem(400, "malformed-json");
    }
    assert_eq!(json(r#"{"code":"H56"}"#).await.pointers(422, "invalid-request"), [""]);
    assert_eq!(json(r#"{"code":"H56","name":"a","x":1}"#).await.pointers(422, "invalid-request"), ["/x"]);
    assert_eq!(
        json(r#"{"code":"?","name":"a","name":"b"}"#).await.pointers(422, "invalid-request"),
        ["/name", "/code"]
    );
    assert_eq!(json(r#"{"code":"H56","name":""}"#).await.pointers(422, "invalid-request"), ["/name"]);
    assert_eq!(host.get("/admin/agencies/nowhere").await.pointers(422, "invalid-request"), ["/code"]);

    let large = format!(r#"{{"code":"H56","name":"{}"}}"#, "x".repeat(2 << 20));
    let problem = post("application/json", large).await.problem(413, "body-too-large");
    assert_eq!(problem["detail"], "At most 1MiB are taken.");
    for media_type in ["", "text/plain", "application/x-www-form-urlencoded"] {
        post(media_type, "{}".to_owned()).await.problem(415, "unsupported-media-type");
    }
    post("application/json; charset=utf-8", r#"{"code":"H56","name":"a"}"#.to_owned()).await.with(201);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let host = Host::start_with(Manners { body_timeout: Millis(50), ..manners() }).await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    let head = format!(
        "POST /admin/agencies HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request-timeout"), "{answer}");
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_is_closed() {
    let settings = Manners { max_connections: 1, header_timeout: Millis(500), ..manners() };
    let host = Host::start_with(settings).await;
    // The only place is taken by one that says nothing, then by one that has its answer and asks no more.
    let mut silent = TcpStream::connect(host.address).await.unwrap();
    let mut idle = TcpStream::connect(host.address).await.unwrap();
    assert_eq!(silent.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    idle.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    host.get("/healthz").await.with(200);
}

#[tokio::test]
async fn every_answer_has_an_identifier_and_is_kept_nowhere() {
    let host = Host::start().await;
    let own = host.get("/admin/agencies").await;
    assert_eq!(own.headers["x-request-id"].len(), 36);
    assert_eq!(own.headers["cache-control"], "no-store");

    let given = "01970000-0000-7000-8000-000000000001";
    let with = async |id: &str| {
        let request = Request::builder().uri("/healthz").header("host", "x").header("x-request-id", id);
        host.send(request.body(Full::default()).unwrap()).await.headers["x-request-id"].clone()
    };
    assert_eq!(with(given).await, given);
    assert_ne!(with("a\"b").await, "a\"b");
}

/// Sends bytes as they are and reads to the end of the connection.
async fn raw(host: &Host, bytes: &str) -> String {
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    // A server that refuses early may have closed its side by now.
    let _ = stream.write_all(bytes.as_bytes()).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(std::time::Duration::from_secs(30), stream.read_to_end(&mut answer));
    let _ = read.await.expect("within the bound of a test");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_anywhere_else() {
    let host = Host::start().await;
    let dots = ["..", "%2e%2e", ".%2e", "%252e%252e", "..;", "%c0%ae%c0%ae", "..%00", "."];
    let slashes = ["/", "%2f", "%5c", "\\", "//", "%252f", "%c0%af"];
    let inside = dots.iter().flat_map(|dots| {
        slashes.iter().map(move |slash| format!("/healthz{slash}{dots}{slash}admin{slash}agencies"))
    });
    let others = [
        "http://x/admin/agencies",
        "//admin/agencies",
        "/admin//agencies",
        "/admin/./agencies",
        "/admin/agencies#",
    ];
    for target in inside.chain(others.map(str::to_owned)) {
        let request = format!(
            "GET {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(&host, &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{target}: {answer}");
        assert!(answer.contains("\"code\":\"malformed-request\""), "{target}: {answer}");
    }
}

#[tokio::test]
async fn a_request_with_two_framings_is_refused_and_nothing_after_it_is_read() {
    let host = Host::start().await;
    let smuggled = format!(
        "POST /admin/agencies HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n\
         content-length: 25\r\n\r\n{{\"code\":\"H56\",\"name\":\"a\"}}"
    );
    for fields in [
        "content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "host: y\r\n\r\n",
        "x: y\nz: z\r\n\r\n",
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    ] {
        let request = format!("POST /healthz HTTP/1.1\r\nhost: x\r\n{fields}{smuggled}");
        let answer = raw(&host, &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{fields:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{fields:?}: {answer}");
    }
    let preface = raw(&host, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0").await;
    assert!(preface.is_empty() || preface.starts_with("HTTP/1.1 400 "), "{preface}");
    assert_eq!(host.get("/admin/agencies").await.with(200)["agencies"].as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn compressed_bodies_and_other_character_sets_are_refused() {
    let host = Host::start().await;
    for (name, value) in
        [("content-encoding", "gzip"), ("content-encoding", "identity, br"), ("x-nothing", "gzip")]
    {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/admin/agencies")
            .header("host", "x")
            .header(AUTHORIZATION, format!("Bearer {KEY}"))
            .header("content-type", "application/json")
            .header(name, value);
        let body = r#"{"code":"H56","name":"a"}"#;
        let answer = host.send(request.body(Full::new(body.into())).unwrap()).await;
        match name {
            "content-encoding" => drop(answer.problem(415, "unsupported-media-type")),
            _ => drop(answer.with(201)),
        }
    }
    let answer = host.ask(Method::POST, "/admin/agencies", "application/json; charset=utf-16", "{}").await;
    answer.problem(415, "unsupported-media-type");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_get_in_however_many_others_say_nothing() {
    let host = Host::start_with(Manners { max_connections: 16, ..manners() }).await;
    let mut crowd = Vec::new();
    for _ in 0..5 {
        for _ in 0..40 {
            crowd.push(TcpStream::connect(host.address).await.unwrap());
        }
        host.get("/admin/agencies").await.with(200);
    }
}
