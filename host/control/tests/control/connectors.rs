//! Connectors: published once, never changed, refused for a reason.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::host::{Host, KEY, component};

/// The same component with a custom section more: other bytes, same manifest.
fn other_bytes() -> Vec<u8> {
    [component(), &[0, 5, 4, b'm', b'o', b'r', b'e']].concat()
}

#[tokio::test]
async fn a_component_is_published_and_describes_itself() {
    let host = Host::start().await;
    host.get("/admin/connectors/payment/1.0.0").await.problem(404, "item-not-found");
    assert_eq!(host.get("/admin/connectors").await.with(200), json!({ "connectors": [] }));

    let published = host.publish(component()).await;
    let details = published.with(201);
    assert_eq!(published.headers["location"], "/admin/connectors/payment/1.0.0");
    assert_eq!(details["size"], component().len());
    assert_eq!(host.get("/admin/connectors/payment/1.0.0").await.with(200), details);

    let list = host.get("/admin/connectors").await.with(200);
    assert_eq!(list["connectors"].as_array().unwrap().len(), 1);
    for member in ["connector", "digest", "publisher", "contract", "contractState", "size", "publishedAt"] {
        assert_eq!(list["connectors"][0][member], details[member], "{member}");
    }
    // The same bytes again change nothing.
    assert_eq!(host.publish(component()).await.with(201), details);

    let query = details["operations"]
        .as_array()
        .unwrap()
        .iter()
        .find(|operation| operation["name"] == "payments/query");
    assert_eq!(
        (&query.unwrap()["method"], &query.unwrap()["path"]),
        (&json!("GET"), &json!("/payments/{reference}"))
    );
    assert!(details["imports"].as_array().unwrap().contains(&json!("truc:connector/upstream@0.1.0")));
    assert_eq!(details["upstreams"]["platform"]["allow"][0], "POST /thanhtoan/init");
    assert_eq!(details["config"]["partner-code"]["type"], "text");
    assert_eq!(details["config"]["protocol-version"]["default"], "1.0.6");
    assert_eq!(details["keys"]["payment"]["use"], json!(["digest"]));
    assert_eq!(
        (&details["limits"]["deadline"], &details["limits"]["memory"]),
        (&json!("10s"), &json!("64MiB"))
    );
}

#[tokio::test]
async fn a_published_version_never_changes() {
    let host = Host::start().await;
    let details = host.publish(component()).await.with(201);
    host.publish(other_bytes()).await.problem(409, "name-taken");
    assert_eq!(host.get("/admin/connectors/payment/1.0.0").await.with(200), details);
}

/// The component with one text in it replaced by another of the same length, everywhere.
fn with(text: &str, other: &str) -> Vec<u8> {
    assert_eq!(text.len(), other.len());
    let mut bytes = component().to_vec();
    let places: Vec<usize> = bytes
        .windows(text.len())
        .enumerate()
        .filter(|(_, window)| *window == text.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "{text}");
    for place in places {
        bytes[place..place + other.len()].copy_from_slice(other.as_bytes());
    }
    bytes
}

#[tokio::test]
async fn more_power_than_is_offered_and_lies_about_the_contract_are_refused() {
    let host = Host::start().await;
    let foreign = host.publish(with("truc:connector/clock@0.1.0", "wasi:clock/wallclock@0.1.0")).await;
    foreign.problem(422, "import-refused");
    let unknown = host.publish(with("truc:connector/clock@0.1.0", "truc:connector/spawn@0.1.0")).await;
    let detail = unknown.problem(422, "import-refused")["detail"].to_string();
    assert!(
        detail.contains("truc:connector/spawn@0.1.0") && detail.contains("truc:connector/upstream@0.1.0"),
        "{detail}"
    );
    let lie =
        host.publish(with("contract = \"lgsp:payment@1.0.0\"", "contract = \"lgsp:payroll@1.0.0\"")).await;
    let detail = lie.problem(422, "contract-mismatch")["detail"].to_string();
    assert!(detail.contains("lgsp:payroll@1.0.0") && detail.contains("lgsp:payment@1.0.0"), "{detail}");
    let wrong = host.publish(with("version = \"1.0.0\"", "version = \"1.x.0\"")).await;
    let detail = wrong.problem(422, "manifest-invalid")["detail"].to_string();
    assert!(detail.contains("connector.version"), "{detail}");
    assert_eq!(host.get("/admin/connectors").await.with(200), json!({ "connectors": [] }));
}

#[tokio::test]
async fn what_is_no_connector_is_refused() {
    let host = Host::start().await;
    let cut = &component()[..component().len() / 2];
    for bytes in [&b""[..], b"not a component", b"\0asm\x01\0\0\0", cut] {
        host.publish(bytes).await.problem(422, "component-malformed");
    }
    // An empty component lacks everything that packing adds.
    host.publish(&b"\0asm\x0d\0\x01\0"[..]).await.problem(422, "manifest-invalid");
    host.publish(vec![0; (16 << 20) + 1]).await.problem(413, "component-too-large");
    host.ask(hyper::Method::POST, "/admin/connectors", "application/octet-stream", component())
        .await
        .problem(415, "unsupported-media-type");
    assert_eq!(host.get("/admin/connectors").await.with(200), json!({ "connectors": [] }));
}

#[tokio::test]
async fn a_change_that_has_begun_is_finished_without_its_caller() {
    let host = Host::start().await;
    let head = format!(
        "POST /admin/connectors HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\
         content-type: application/wasm\r\ncontent-length: {}\r\n\r\n",
        component().len()
    );
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream.write_all(&[head.as_bytes(), component()].concat()).await.unwrap();
    drop(stream);
    let published = async { while host.get("/admin/connectors/payment/1.0.0").await.status != 200 {} };
    tokio::time::timeout(Duration::from_secs(60), published).await.unwrap();
}
