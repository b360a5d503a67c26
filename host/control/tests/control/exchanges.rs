//! Exchanges: listed, filtered, in parts.

use truc_ledger::Intent;
use truc_model::{Exchange, RequestId, Timestamp};

use crate::host::Host;

fn exchange(second: u8, status: u16) -> Exchange {
    Exchange {
        id: RequestId::new(at(second), &[second; 10]),
        received_at: at(second),
        agency: Some("H56.14".parse().unwrap()),
        account: Some("one-stop-shop".parse().unwrap()),
        service: Some("land".parse().unwrap()),
        revision: Some(1),
        operation: Some("parcels/find".into()),
        purpose: None,
        dossier: None,
        status,
        problem: (status >= 400).then(|| "upstream-timeout".to_owned()),
        duration: 1500,
        request_bytes: 10,
        response_bytes: 20,
        upstream_calls: 1,
    }
}

fn intent(second: u8) -> Intent {
    Intent {
        id: RequestId::new(at(second), &[second; 10]),
        received_at: at(second),
        agency: "H57".parse().unwrap(),
        account: "b".parse().unwrap(),
        service: "payment".parse().unwrap(),
        revision: 2,
        operation: "orders/create".into(),
        purpose: Some("Thu phí".to_owned()),
        dossier: None,
    }
}

fn at(second: u8) -> Timestamp {
    Timestamp::from_micros(1_751_333_400_000_000 + i64::from(second) * 1_000_000)
}

async fn with_exchanges() -> Host {
    let host = Host::start().await;
    for second in 1..=3 {
        host.ledger.record(exchange(second, 200)).await.unwrap();
    }
    host.ledger.record(exchange(4, 504)).await.unwrap();
    host.ledger.intend(intent(5)).await.unwrap();
    host
}

/// The seconds at which the listed exchanges arrived, and where the listing goes on.
async fn seconds(host: &Host, query: &str) -> (Vec<i64>, Option<String>) {
    let list = host.get(&format!("/admin/exchanges{query}")).await.with(200);
    let second = |exchange: &serde_json::Value| {
        let time: Timestamp = exchange["receivedAt"].as_str().unwrap().parse().unwrap();
        (time.as_micros() - at(0).as_micros()) / 1_000_000
    };
    let seconds = list["exchanges"].as_array().unwrap().iter().map(second).collect();
    (seconds, list["next"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn exchanges_are_told_whole() {
    let host = with_exchanges().await;
    let list = host.get("/admin/exchanges?from=2025-07-01T01:30:04Z").await.with(200);
    insta::assert_json_snapshot!("exchanges", list);
}

#[tokio::test]
async fn a_listing_is_filtered_and_goes_on_where_it_ended() {
    let host = with_exchanges().await;
    for (query, expected) in [
        ("", vec![5, 4, 3, 2, 1]),
        ("?agency=H56.14", vec![4, 3, 2, 1]),
        ("?service=payment", vec![5]),
        ("?status=200", vec![3, 2, 1]),
        ("?problem=upstream-timeout", vec![4]),
        ("?end=unknown", vec![5]),
        ("?end=known&agency=H57", vec![]),
        ("?from=2025-07-01T08:30:02%2B07:00&to=2025-07-01T01:30:04Z", vec![3, 2]),
    ] {
        assert_eq!(seconds(&host, query).await, (expected, None), "{query}");
    }
    let (first, next) = seconds(&host, "?limit=2").await;
    let (second, next) = seconds(&host, &format!("?limit=2&cursor={}", next.unwrap())).await;
    let (third, end) = seconds(&host, &format!("?limit=2&cursor={}", next.unwrap())).await;
    assert_eq!((first, second, third, end), (vec![5, 4], vec![3, 2], vec![1], None));
}

#[tokio::test]
async fn every_parameter_that_is_wrong_is_told() {
    let host = Host::start().await;
    let query =
        "?from=now&to=&agency=x&service=X&status=20&end=soon&limit=0&cursor=x&colour=red&problem=a&problem=b";
    let mut pointers = host.get(&format!("/admin/exchanges{query}")).await.pointers(422, "invalid-request");
    pointers.sort();
    assert_eq!(
        pointers,
        [
            "/agency", "/colour", "/cursor", "/end", "/from", "/limit", "/problem", "/service", "/status",
            "/to"
        ]
    );
}
