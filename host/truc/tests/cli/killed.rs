//! A host that is killed between a call and its answer: what it remembers of a request with an idempotency key.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::host::{Host, Installation, component, get};

/// A national system that takes requests, says so, and answers only those for the item `quick`.
struct Silent {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    arrived: Receiver<()>,
}

impl Silent {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let (sender, arrived) = channel();
        let counter = requests.clone();
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for mut stream in listener.incoming().flatten() {
                let mut line = String::new();
                // A connection that is cut before its request is none.
                let read = BufReader::new(&stream).read_line(&mut line);
                if read.is_ok_and(|bytes| bytes > 0) {
                    counter.fetch_add(1, Ordering::SeqCst);
                    let _ = sender.send(());
                    if line.contains("quick") {
                        let _ = stream.write_all(
                            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
                        );
                    }
                }
                open.push(stream);
            }
        });
        Self { address, requests, arrived }
    }

    fn wait(&self) {
        self.arrived.recv_timeout(Duration::from_secs(30)).unwrap();
    }
}

/// Sends an order, without waiting for its answer.
fn send(host: &Host, api_key: &str, key: &str, item: &str) -> TcpStream {
    let mut stream = TcpStream::connect(host.api).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let body = json!({ "id": item }).to_string();
    let request = format!(
        "POST /api/trial/v1/orders HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {api_key}\r\n\
         idempotency-key: {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// The head and the document of an answer.
fn answer(mut stream: TcpStream) -> (String, Value) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text}"));
    (head.to_ascii_lowercase(), serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// Publishes the trial connector with the system behind it. The key of an account that may call all of it.
fn with_trial(host: &Host, upstream: &Silent) -> String {
    host.secret("seal", "a-key-for-authentication-codes-32").text();
    host.truc(&["publish", &component("trial")]).text();
    host.truc(&["contract", "publish", "lgsp:trial@1.0.0"]).text();
    let bind = format!("shelf=http://{}", upstream.address);
    let put = ["service", "put", "trial", "--connector", "trial@1.0.0", "--bind", &bind];
    host.truc(&[&put[..], &["--key", "seal=hmac-sha256:seal", "--limit", "deadline=1min"]].concat()).text();
    host.truc(&["agency", "add", "H56.14", "Sở Nông nghiệp và Môi trường"]).text();
    host.truc(&["grant", "add", "H56.14", "--service", "trial", "--operation", "*"]).text();
    let issued = host.truc(&["account", "add", "H56.14", "one-stop-shop", "--json"]).json();
    issued["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_killed_host_repeats_nothing_and_says_what_it_does_not_know() {
    let upstream = Silent::start();
    let host = Installation::new().serve();
    let api_key = with_trial(&host, &upstream);
    let (_, first) = answer(send(&host, &api_key, "answered", "quick"));
    upstream.wait();

    let _caller = send(&host, &api_key, "k1", "silent");
    upstream.wait();
    let unknown = host.truc(&["exchanges", "--end", "unknown", "--json"]).json();
    let begun = unknown["exchanges"][0]["id"].as_str().unwrap().to_owned();

    let host = host.kill().serve();
    let log = host.installation.log();
    assert!(log.contains("their outcome is unknown"), "{log}");
    for _ in 0..2 {
        let (head, problem) = answer(send(&host, &api_key, "k1", "silent"));
        assert!(head.starts_with("http/1.1 409"), "{head}");
        assert_eq!(problem["code"], "outcome-unknown", "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(&begun), "{problem}");
    }
    let (_, other) = answer(send(&host, &api_key, "k1", "quick"));
    assert_eq!(other["code"], "idempotency-key-reused");
    // What was answered before the end is still known.
    let (head, again) = answer(send(&host, &api_key, "answered", "quick"));
    assert!(head.contains("idempotency-replayed: true"), "{head}");
    assert_eq!(again, first);
    assert_eq!(
        upstream.requests.load(Ordering::SeqCst),
        2,
        "the silent request and the quick one, once each"
    );
    let unknown = host.truc(&["exchanges", "--end", "unknown", "--json"]).json();
    assert_eq!(unknown["exchanges"][0]["id"].as_str(), Some(begun.as_str()), "{unknown}");
    let (_, meters) = get(host.admin, "/metrics", None);
    assert!(meters.contains("truc_reused_total{reason=\"idempotency-key\"} 1"), "{meters}");
}
