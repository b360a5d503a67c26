//! The log: what was done, by lines that nobody can forge, and no secret.

use std::io;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::host::{Host, KEY};

/// What all hosts of this process wrote.
static WRITTEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Has every host of this process write its log here. One for all: a subscriber for one thread only would miss lines
/// whose place in the code another thread met first.
pub(crate) fn keep() {
    static STARTED: LazyLock<()> =
        LazyLock::new(|| tracing_subscriber::fmt().json().with_writer(Keeper).init());
    LazyLock::force(&STARTED);
}

struct Keeper;

impl io::Write for Keeper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        WRITTEN.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Keeper {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

#[tokio::test]
async fn the_log_tells_what_was_done_and_no_secret() {
    let host = Host::start().await;
    host.post("/admin/agencies", &json!({ "code": "G22", "name": "x" })).await.with(201);
    let issued =
        host.post("/admin/agencies/G22/accounts", &json!({ "name": "one-stop-shop" })).await.with(201);
    host.get("/admin/agencies/G22%7b%22forged%22%3a1%7d").await.problem(422, "invalid-request");
    host.get("/admin/agencies/G22%0a%7b%22forged%22%3a1%7d").await.problem(400, "malformed-request");

    let written = String::from_utf8(WRITTEN.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |message: &str| {
        let of = |line: &&Value| line["fields"]["message"] == message && line.to_string().contains("G22");
        lines.iter().filter(of).map(|line| &line["fields"]).collect::<Vec<_>>()
    };
    assert_eq!((of("agency entered").len(), of("account made").len()), (1, 1), "{written}");
    let requests = of("admin request");
    let [made, forged, malformed] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((&made["method"], &made["status"]), (&json!("POST"), &json!(201)));
    assert_eq!((&forged["status"], &forged["problem"]), (&json!(422), &json!("invalid-request")));
    assert_eq!(forged["route"], "/admin/agencies/{code}");
    assert_eq!((&malformed["status"], &malformed["problem"]), (&json!(400), &json!("malformed-request")));

    let key = issued["key"].as_str().unwrap();
    assert!(!written.contains(KEY) && !written.contains(&key[key.len() - 43..]));
    assert!(!written.contains("secret-canary"));
}
