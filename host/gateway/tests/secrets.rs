//! Twenty secrets, an upstream that echoes them in every form, and a connector that gives back all it sees and searches
//! its own memory: nothing of them is found, neither there nor in anything that the host writes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use common::{Host, bounded};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tracing_subscriber::fmt::MakeWriter;
use truc_gateway::GatewaySettings;
use truc_model::Secret;
use truc_store::Options;

/// What the connector changes each byte of a needle with.
const MASK: u8 = 165;

/// What every answer of the upstream begins with.
const MARKER: &str = "EVERYTHING-IS-ECHOED";

static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// What the host logs, at every level.
struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

fn canary(number: usize) -> String {
    format!("canary {number:02}/of+the=vault&~\"{}\"", number * 7919)
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(text: &str) -> String {
    let one = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// The forms of a secret: of Base64, what is the same whatever stands around it.
fn needles(secret: &str) -> Vec<String> {
    let base64 = |before: &str, first: usize| {
        let text = STANDARD_NO_PAD.encode(format!("{before}{secret}"));
        text[first..text.len() - 1].to_owned()
    };
    vec![
        secret.to_owned(),
        hex(secret),
        hex(secret).to_uppercase(),
        percent(secret),
        base64("", 0),
        base64("x", 2),
        base64("xy", 3),
    ]
}

/// An upstream that answers with everything it got and with all secrets of the service that asks, in every form.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut got = Vec::new();
                while !(got.ends_with(b"}") && got.windows(4).any(|part| part == b"\r\n\r\n")) {
                    if stream.read_buf(&mut got).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let got = String::from_utf8_lossy(&got).into_owned();
                let number: usize = got
                    .rsplit("\"item\":\"item-")
                    .next()
                    .unwrap()
                    .trim_end_matches(['"', '}'])
                    .parse()
                    .unwrap();
                let words = got.split([' ', '\r', '\n']).map(str::to_owned);
                let known = [canary(number), canary(number + 10)];
                let said: Vec<String> = words.chain(known).flat_map(|word| echoes(&word)).collect();
                let fields: String =
                    echoes(&canary(number)).iter().map(|form| format!("x-echo: {form}\r\n")).collect();
                let body = format!("{MARKER}\n{got}\n{}", said.join("\n"));
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n{fields}\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

/// A text in every form.
fn echoes(word: &str) -> Vec<String> {
    let base64 = ["", "x", "xy"].map(|before| STANDARD.encode(format!("{before}{word}")));
    let others = [word.to_owned(), hex(word), hex(word).to_uppercase(), percent(word)];
    others.into_iter().chain(base64).collect()
}

#[tokio::test]
async fn of_twenty_secrets_nothing_is_found_anywhere() {
    let host = Host::start_with(GatewaySettings::default(), Options::default(), json!({})).await;
    // From here on: what compiling a connector tells of itself would fill the memory.
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(Log)
        .init();
    let upstream = echo().await;
    for number in 0..20 {
        let name = format!("canary-{number}").parse().unwrap();
        host.fleet.put_secret(&name, Secret::new(canary(number))).await.unwrap();
    }
    let mut list: Vec<String> = (0..20).flat_map(|number| needles(&canary(number))).collect();
    list.push(MARKER.to_owned());
    let masked: Vec<String> = list
        .iter()
        .map(|needle| STANDARD.encode(needle.bytes().map(|byte| byte ^ MASK).collect::<Vec<_>>()))
        .collect();

    for number in 0..10 {
        let secret = format!("canary-{number}");
        let credential = match number % 3 {
            0 => json!({ "type": "header", "name": "x-api-key", "secret": secret }),
            1 => json!({ "type": "basic", "username": "truc", "secret": secret }),
            _ => {
                json!({ "type": "http-signature", "algorithm": "hmac-sha256", "keyId": "truc", "secret": secret })
            }
        };
        let settings = json!({
            "connector": "trial@1.0.0",
            "bindings": { "shelf": { "address": format!("http://{upstream}"), "credential": credential } },
            "keys": { "seal": { "algorithm": "hmac-sha256", "secret": format!("canary-{}", number + 10) } },
            "limits": { "cpu": "10s", "deadline": "30s" }
        });
        let service = format!("echo-{number}");
        let settings = serde_json::from_value(settings).unwrap();
        host.fleet.put_service(&service.parse().unwrap(), &settings, "test").await.unwrap();
        common::grant(&host.fleet, "H56", &service).await;
        let body = json!({ "item": format!("item-{number}"), "needles": masked });
        let reply =
            bounded(host.send("POST", &format!("/api/{service}/v1/memory/searches"), Some(&body))).await;
        let document = reply.json();
        assert_eq!(reply.status, 200, "{document}");
        assert_eq!(document["status"], 200, "{document}");
        let found: Vec<&str> = document["found"]
            .as_array()
            .unwrap()
            .iter()
            .map(|place| list[place.as_u64().unwrap() as usize].as_str())
            .collect();
        assert_eq!(found, [MARKER], "in the memory of {service}");
        let seen = document["seen"].as_str().unwrap();
        assert!(seen.contains("[secret]") && seen.contains(MARKER));
        for needle in list.iter().filter(|needle| *needle != MARKER) {
            assert!(!seen.contains(needle.as_str()), "{needle} in the answer of {service}");
        }
    }

    let told = host.fleet.secrets().await.unwrap();
    assert_eq!(told.len(), 21);
    let rows = host.store.secrets().list().await.unwrap();
    assert!(rows.iter().all(|row| row.sealed.len() >= 8 + 28));
    let log = String::from_utf8_lossy(&WRITTEN.lock().unwrap()).into_owned();
    let mut kept = vec![
        ("the log", log),
        ("what operators are told", format!("{told:?} {rows:?} {:?}", host.fleet.services().await.unwrap())),
        ("the ledger", format!("{:?}", host.exchanges().await)),
    ];
    for entry in std::fs::read_dir(host.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_some_and(|ending| ending != "key") {
            kept.push(("the database", String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()));
        }
    }
    assert!(kept.len() >= 5, "the database and its write-ahead log are there");
    assert!(kept[0].1.contains("an answer held a secret of the service"));
    for (place, text) in &kept {
        for needle in list.iter().filter(|needle| *needle != MARKER) {
            assert!(!text.contains(needle.as_str()), "{needle} in {place}");
        }
    }
}

#[tokio::test]
async fn a_replaced_value_is_in_force_for_the_next_call() {
    let host = Host::start().await;
    let upstream = echo().await;
    let put = async |value: &str| {
        let name = "token".parse().unwrap();
        host.fleet.put_secret(&name, Secret::new(value.to_owned())).await
    };
    put("first-value").await.unwrap();
    let settings = json!({
        "connector": "trial@1.0.0",
        "bindings": { "shelf": {
            "address": format!("http://{upstream}"),
            "credential": { "type": "header", "name": "x-api-key", "prefix": "Key-", "secret": "token" }
        } },
        "keys": { "seal": { "algorithm": "hmac-sha256", "secret": "seal" } },
        "limits": { "cpu": "10s", "deadline": "30s" }
    });
    host.fleet
        .put_service(&"trial".parse().unwrap(), &serde_json::from_value(settings).unwrap(), "test")
        .await
        .unwrap();
    let seen = async || {
        let body: Value = json!({ "item": "item-1", "needles": [] });
        let reply = bounded(host.send("POST", "/api/trial/v1/memory/searches", Some(&body))).await;
        reply.json()["seen"].as_str().unwrap().to_owned()
    };
    assert!(seen().await.contains("x-api-key: Key-[secret]"));
    put("second-value").await.unwrap();
    // The new value is shown and cut; the old one is no secret any more.
    assert!(seen().await.contains("x-api-key: Key-[secret]"));
    assert!(put("no\nvalue\nof\na\nheader").await.is_err());
    assert!(seen().await.contains("x-api-key: Key-[secret]"));
}
