//! Starting, stopping, and what outlives a run.

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use truc_simulators::{Options, StartError, System, start};

use crate::client::Bench;

#[tokio::test]
async fn changes_outlive_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let order = json!({
        "CustomerCode": "C", "OrderNumber": "K-1", "SenderProvince": 56, "SenderAddress": "a", "SenderName": "b",
        "SenderTel": "02580000000", "ReceiverName": "c", "ReceiverAddress": "d", "ReceiverTel": "0900000000",
        "ReceiverProvince": 1,
    });
    let track = json!({"CustomerCode": "C", "OrderNumber": "K-1"});
    let tracking = "/apiVNPostNGSP/p1.0/order/tracking";

    let bench = Bench::with(|options| options.data_dir = Some(path.clone())).await;
    bench.post(System::Postal, "/apiVNPostNGSP/p1.0/order/post", order).await;
    bench.post(System::Postal, tracking, track.clone()).await;
    let before = bench.post(System::Postal, tracking, track.clone()).await;
    let supplement = json!({
        "SoBienNhan": "H56.14-250630-0011", "NgayHenTraMoi": "2025-08-01T17:00:00",
        "DanhSachGiayToBoSung": [{"TenGiayTo": "x"}],
    });
    bench.post(System::Land, "/capnhattrangthaibosunghoso", supplement).await;
    bench.running.stop().await;

    let bench = Bench::with(|options| options.data_dir = Some(path.clone())).await;
    let after = bench.post(System::Postal, tracking, track).await;
    assert_eq!((&before["StatusCode"], &after["StatusCode"]), (&json!(2), &json!(3)));
    let dossier = bench.get(System::Land, "/hoso/H56.14-250630-0011").await;
    assert_eq!(dossier["data"]["TrangThai"], 3);
}

#[tokio::test]
async fn samples_are_the_same_at_every_start() {
    let (one, other) = (Bench::new().await, Bench::new().await);
    assert_eq!(one.samples().await, other.samples().await);
    assert_eq!(one.running.samples(), one.samples().await);
}

#[tokio::test]
async fn a_stopped_system_takes_no_connection() {
    let bench = Bench::new().await;
    let addresses = bench.running.addresses();
    bench.admin(Method::GET, "/healthz", Value::Null).await;
    bench.running.stop().await;
    for system in System::ALL {
        assert!(TcpStream::connect(addresses.of(system)).await.is_err());
    }
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let bench = Bench::new().await;
    let taken = bench.running.addresses().admin.port();
    let error = start(Options { admin_port: taken, ..Options::default() }).await.err().unwrap();
    assert!(matches!(error, StartError::Listen { port, .. } if port == taken), "{error}");
    let error = start(Options { base_port: 65_532, ..Options::default() }).await.err().unwrap();
    assert!(matches!(error, StartError::BasePort(65_532)));
}

#[tokio::test]
async fn many_calls_at_once_are_all_answered() {
    let bench = Arc::new(Bench::new().await);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..200 {
        let bench = Arc::clone(&bench);
        calls.spawn(async move {
            let reference = format!("{{\"loaiDanhMuc\":\"{}\"}}", number % 5 + 1);
            let body = serde_json::from_str(&reference).unwrap();
            bench.post(System::CivilStatus, "/apiHoTichTuPhap/danhMuc", body).await["status"].clone()
        });
    }
    assert!(calls.join_all().await.iter().all(|status| *status == 1));
}
