//! What watches the host sees, without a key.

use http_body_util::Full;
use hyper::Request;

use crate::host::{Answer, Host};

async fn watch(host: &Host, path: &str) -> Answer {
    host.send(Request::builder().uri(path).header("host", "x").body(Full::default()).unwrap()).await
}

#[tokio::test]
async fn a_host_is_alive_ready_and_counted() {
    let host = Host::start().await;
    assert_eq!(watch(&host, "/healthz").await.with(200)["status"], "ok");
    assert_eq!(watch(&host, "/readyz").await.with(200)["status"], "ready");
    let meters = watch(&host, "/metrics").await;
    assert_eq!(meters.body, "truc_requests_total 1\n");
    assert!(meters.headers["content-type"].to_str().unwrap().starts_with("text/plain"));
}

#[tokio::test]
async fn a_host_that_stops_is_alive_and_not_ready() {
    let host = Host::start().await;
    host.stopping.cancel();
    watch(&host, "/healthz").await.with(200);
    watch(&host, "/readyz").await.problem(503, "shutting-down");
    host.stop().await;
}

#[tokio::test]
async fn a_host_without_its_database_says_so() {
    let host = Host::start().await;
    host.store.close().await;
    let answer = watch(&host, "/readyz").await;
    assert_eq!(answer.pointers(503, "store-unavailable"), ["/store", "/ledger"]);
    assert_eq!(answer.headers["retry-after"], "1");
    host.get("/admin/agencies").await.problem(503, "store-unavailable");
    host.get("/admin/exchanges").await.problem(503, "store-unavailable");
    watch(&host, "/healthz").await.with(200);
}
