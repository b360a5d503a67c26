//! Postal service.

use hyper::StatusCode;
use serde_json::{Value, json};
use truc_simulators::{Progress, System};

use crate::client::Bench;

async fn ask(bench: &Bench, operation: &str, body: Value) -> Value {
    bench.post(System::Postal, &format!("/apiVNPostNGSP/p1.0/order/{operation}"), body).await
}

fn order(number: &str) -> Value {
    json!({
        "CustomerCode": "TRUC-DEMO", "OrderNumber": number, "CODAmount": 0, "SenderProvince": 56,
        "SenderAddress": "Số 1, đường Trần Phú", "SenderName": "Một cửa", "SenderTel": "02580000000",
        "ReceiverName": "Nguyễn Văn An", "ReceiverAddress": "Số 12, đường Lê Lợi", "ReceiverTel": "+84900000000",
        "ReceiverProvince": "1", "FlagConfig": 2,
    })
}

fn named(number: &str) -> Value {
    json!({"CustomerCode": "TRUC-DEMO", "OrderNumber": number})
}

#[tokio::test]
async fn an_order_moves_on_with_each_query() {
    let bench = Bench::new().await;
    let made = ask(&bench, "post", order("P-1")).await;
    assert_eq!((&made["Status"], &made["OrderNumber"]), (&json!("100"), &json!("P-1")));
    let item = made["ItemCode"].as_str().unwrap();
    assert!(item.len() == 13 && item.starts_with("EN") && item.ends_with("VN"), "{item}");
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(ask(&bench, "tracking", named("P-1")).await["StatusCode"].as_u64().unwrap());
    }
    assert_eq!(codes, [1, 2, 3, 4, 5, 5]);
    let tracked = ask(&bench, "tracking", named("P-1")).await;
    let traces = tracked["Traces"].as_array().unwrap();
    assert_eq!(traces.len(), 5);
    assert_eq!(traces[0]["Location"], "Tỉnh Khánh Hòa");
    assert_eq!(traces[4]["Location"], "Thành phố Hà Nội");
    assert_eq!(traces[0]["Time"], "01/07/2025 08:30:00");
}

#[tokio::test]
async fn an_order_moves_on_with_time() {
    let bench = Bench::with(|options| options.progress = Progress::Seconds(10)).await;
    ask(&bench, "post", order("P-2")).await;
    for _ in 0..3 {
        assert_eq!(ask(&bench, "tracking", named("P-2")).await["StatusCode"], 1);
    }
    bench.wait(25);
    let tracked = ask(&bench, "tracking", named("P-2")).await;
    assert_eq!(tracked["StatusCode"], 3);
    assert_eq!(tracked["Traces"][2]["Time"], "01/07/2025 08:30:20");
}

#[tokio::test]
async fn prices() {
    let bench = Bench::new().await;
    for (to, weight, cash, expected) in [
        (56, 500, 0, (15_000, 0)),
        (1, 500, 0, (25_000, 0)),
        (1, 501, 0, (30_000, 0)),
        (1, 1_001, 100_000, (35_000, 5_000)),
        (56, 1, 1_000_000, (15_000, 10_000)),
    ] {
        let body = json!({
            "CustomerCode": "TRUC-DEMO", "SenderProvince": 56, "ReceiverProvince": to, "Weight": weight,
            "CODAmount": cash,
        });
        let answer = ask(&bench, "price", body).await;
        assert_eq!(
            answer,
            json!({"Status": "100", "Message": "Thành công", "Price": expected.0, "CODFee": expected.1,
                   "TotalAmount": expected.0 + expected.1})
        );
    }
}

#[tokio::test]
async fn an_order_is_cancelled_while_it_can_be() {
    let bench = Bench::new().await;
    ask(&bench, "post", order("P-3")).await;
    ask(&bench, "tracking", named("P-3")).await;
    ask(&bench, "tracking", named("P-3")).await;
    assert_eq!(ask(&bench, "cancel", named("P-3")).await["Status"], "100");
    let tracked = ask(&bench, "tracking", named("P-3")).await;
    assert_eq!((&tracked["StatusCode"], tracked["Traces"].as_array().unwrap().len()), (&json!(9), 3));
    assert_eq!(ask(&bench, "cancel", named("P-3")).await["Status"], "105");

    ask(&bench, "post", order("P-4")).await;
    for _ in 0..3 {
        ask(&bench, "tracking", named("P-4")).await;
    }
    assert_eq!(ask(&bench, "cancel", named("P-4")).await["Status"], "105");
}

#[tokio::test]
async fn error_codes() {
    let bench = Bench::new().await;
    ask(&bench, "post", order("P-5")).await;
    assert_eq!(ask(&bench, "post", order("P-5")).await["Status"], "103");
    assert_eq!(ask(&bench, "tracking", named("none")).await["Status"], "104");
    let other = json!({"CustomerCode": "OTHER", "OrderNumber": "P-5"});
    assert_eq!(ask(&bench, "cancel", other).await["Status"], "104");
    let mut wrong = order("P-6");
    wrong["SenderProvince"] = json!(2);
    wrong["ReceiverTel"] = json!("call me");
    wrong["ReceiverName"] = Value::Null;
    assert_eq!(
        ask(&bench, "post", wrong).await,
        json!({"Status": "102", "Message": "SenderProvince: không có tỉnh này; ReceiverName: thiếu; \
                                            ReceiverTel: phải gồm 8 đến 15 chữ số"})
    );
    assert_eq!(ask(&bench, "price", json!({})).await["Status"], "102");
    let token = bench
        .with_credential(System::Postal, "/apiVNPostNGSP/p1.0/order/post", ("access_token", "wrong"))
        .await;
    assert_eq!((token.status, &token.json()["Status"]), (StatusCode::UNAUTHORIZED, &json!("101")));
}

#[tokio::test]
async fn orders_of_the_start_stand_still() {
    let bench = Bench::new().await;
    let samples = bench.samples().await;
    for (name, code) in [("ordered", 1), ("delivered", 5)] {
        let number = samples["postalOrders"][name].as_str().unwrap();
        for _ in 0..3 {
            assert_eq!(ask(&bench, "tracking", named(number)).await["StatusCode"], code);
        }
    }
}
