//! A host from start to stop: what it says, what it serves, how it ends, what it remembers.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::host::{Host, Installation, component, contract, get};

/// Publishes the trial connector and lets an agency call it. The account's key.
pub(crate) fn with_trial(host: &Host) -> String {
    host.secret("seal", "a-key-for-authentication-codes-32").text();
    host.truc(&["contract", "publish", &contract("trial")]).text();
    host.truc(&["publish", &component("trial")]).text();
    host.truc(&[
        "service",
        "put",
        "trial",
        "--connector",
        "trial@1.0.0",
        "--bind",
        "shelf=http://127.0.0.1:9",
        "--key",
        "seal=hmac-sha256:seal",
    ])
    .text();
    host.truc(&["agency", "add", "H56.14", "Sở Nông nghiệp và Môi trường"]).text();
    host.truc(&["grant", "add", "H56.14", "--service", "trial", "--operation", "values/find"]).text();
    let issued = host.truc(&["account", "add", "H56.14", "one-stop-shop", "--json"]).json();
    issued["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_host_serves_records_stops_and_remembers() {
    let host = Installation::new().serve();
    let key = with_trial(&host);
    let (status, body) = host.call("/api/trial/v1/things/7", Some(&key));
    assert_eq!(status, 200, "{body}");
    assert_eq!(host.call("/api/trial/v1/things/7", None).0, 401);
    assert_eq!(host.call("/api/trial/v1/echoes/x?count=1", Some(&key)).0, 403);

    let list = host.truc(&["exchanges", "--json"]).json();
    let told: Vec<_> =
        list["exchanges"].as_array().unwrap().iter().map(|one| (&one["status"], &one["problem"])).collect();
    assert_eq!(
        told,
        [
            (&json!(403), &json!("not-granted")),
            (&json!(401), &json!("missing-key")),
            (&json!(200), &Value::Null)
        ]
    );
    let mut transcript = host.transcript();
    transcript.run(&["exchanges"]);
    transcript.run(&["exchanges", "--status", "403"]);
    transcript.run(&["exchanges", "--service", "land"]);
    insta::assert_snapshot!("exchanges", transcript.text());
    let next =
        host.truc(&["exchanges", "--limit", "2", "--json"]).json()["next"].as_str().unwrap().to_owned();
    let rest = host.truc(&["exchanges", "--limit", "2", "--cursor", &next, "--json"]).json();
    assert_eq!(rest, json!({ "exchanges": [list["exchanges"][2]] }));

    let (status, meters) = get(host.admin, "/metrics", None);
    assert_eq!(status, 200);
    let counted = "truc_requests_total{service=\"trial\",operation=\"values/find\",status=\"2xx\"} 1";
    assert!(meters.contains(counted), "{meters}");
    assert!(meters.contains("truc_request_duration_seconds_bucket"), "{meters}");

    let again = host.stop(Signal::TERM).serve();
    assert_eq!(again.call("/api/trial/v1/things/7", Some(&key)).0, 200);
    assert!(!again.installation.log().contains("connector compiled"), "the compiled artifact was not used");
    let installation = again.stop(Signal::INT);
    let log = installation.log();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(log.contains("\"message\":\"stopped\"") && !log.contains(&key), "{log}");

    // Without its component a service cannot be brought back; the host says so instead of serving less.
    std::fs::remove_dir_all(installation.path("data/components")).unwrap();
    let run = installation.serve_in_vain();
    assert!(run.failed(9).contains("service trial"), "{}", run.err);
}

#[test]
fn a_host_that_does_not_record_says_so() {
    let installation = Installation::new();
    installation.configure(
        "127.0.0.1:0",
        "127.0.0.1:0",
        "[ledger]\nrecord = \"none\"\n[log]\nformat = \"text\"\n",
    );
    let host = installation.serve();
    let key = with_trial(&host);
    assert_eq!(host.call("/api/trial/v1/things/7", Some(&key)).0, 200);
    assert_eq!(host.truc(&["exchanges", "--json"]).json(), json!({ "exchanges": [] }));
    let log = host.stop(Signal::TERM).log();
    assert!(log.contains("WARN") && log.contains("EXCHANGES ARE NOT RECORDED"), "{log}");
}
