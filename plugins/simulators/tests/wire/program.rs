//! The program itself: its first line, its end, its complaints.

use std::process::Stdio;
use std::time::Duration;

use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_truc-simulators"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn it_says_where_it_is_and_stops_when_told() {
    let mut child = program().args(["--admin-port", "0", "--base-port", "0"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(Duration::from_secs(30), lines.next_line()).await.unwrap().unwrap().unwrap();
    let addresses: Value = serde_json::from_str(&line).unwrap();
    let names: Vec<_> = addresses.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["admin", "civilStatus", "land", "insurance", "postal", "payment"]);
    let client = Client::builder(TokioExecutor::new()).build_http::<http_body_util::Empty<bytes::Bytes>>();
    let uri = format!("http://{}/healthz", addresses["admin"].as_str().unwrap()).parse().unwrap();
    assert_eq!(client.get(uri).await.unwrap().status(), 200);

    let told = Command::new("kill").arg(child.id().unwrap().to_string()).status().await.unwrap();
    assert!(told.success());
    let ended = timeout(Duration::from_secs(30), child.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn it_complains_about_what_it_cannot_do() {
    for (arguments, complaint) in [
        (["--progress", "daily"], "seconds:10"),
        (["--base-port", "65535"], "leaves no room"),
        (["--token-lifetime", "0"], "token-lifetime"),
    ] {
        let output = program().args(["--admin-port", "0"]).args(arguments).output().await.unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(complaint), "{said}");
        assert!(output.stdout.is_empty());
    }
}
