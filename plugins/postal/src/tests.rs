//! Each operation against a scripted service: what is sent, what is made of the answer, and every refusal.

use serde_json::{Value, json};
use truc_sdk::Problem;
use truc_sdk::testing::{Answer, Host};
use truc_sdk::types::{Fault, Money};
use truc_sdk::upstream::CallError;

use super::bindings::exports::lgsp::postal::orders::*;
use super::{Connector, dong};

const ORDER: &str = "POST /apiVNPostNGSP/p1.0/order/post";
const PRICE: &str = "POST /apiVNPostNGSP/p1.0/order/price";
const CANCEL: &str = "POST /apiVNPostNGSP/p1.0/order/cancel";
const TRACKING: &str = "POST /apiVNPostNGSP/p1.0/order/tracking";

fn host(request: &str, answer: impl Into<Answer>) -> Host {
    let host = Host::new(include_str!("../connector.toml"));
    host.config("customer-code", "TRUC-DEMO").answer("vnpost", request, answer);
    host
}

fn refusal(status: &str, message: &str) -> Value {
    json!({ "Status": status, "Message": message })
}

fn order(cash_on_delivery: Option<Money>) -> NewOrder {
    NewOrder {
        number: "H56.14-250701-0003".into(),
        item_code: None,
        sender: Party {
            name: "Trung tâm phục vụ hành chính công".into(),
            phone: "02580000000".into(),
            email: Some("mot-cua@example.vn".into()),
            province: "56".into(),
            address: "Số 1, đường Trần Phú".into(),
        },
        receiver: Party {
            name: "Nguyễn Văn An".into(),
            phone: "0900000000".into(),
            email: None,
            province: "01".into(),
            address: "Số 12, đường Lê Lợi".into(),
        },
        cash_on_delivery,
        contents: Some("Kết quả hồ sơ".into()),
        note: None,
    }
}

fn track() -> Result<Tracking, Problem> {
    Connector::track("H56.14-250701-0003".into())
}

#[test]
fn an_order_is_placed() {
    let answer = json!({
        "Status": "100", "Message": "Thành công", "OrderNumber": "H56.14-250701-0003", "ItemCode": "EN000000016VN",
    });
    let host = host(ORDER, answer);

    let placed = Connector::create(order(Some(dong(100_000))));

    let expected = PlacedOrder { number: "H56.14-250701-0003".into(), item_code: "EN000000016VN".into() };
    assert_eq!(placed, Ok(expected));
    let expected = json!({
        "CustomerCode": "TRUC-DEMO", "ItemCode": "", "OrderNumber": "H56.14-250701-0003", "CODAmount": 100_000,
        "SenderProvince": 56, "SenderDistrict": 0, "SenderAddress": "Số 1, đường Trần Phú",
        "SenderName": "Trung tâm phục vụ hành chính công", "SenderEmail": "mot-cua@example.vn",
        "SenderTel": "02580000000", "SenderDesc": "", "Description": "Kết quả hồ sơ",
        "ReceiverName": "Nguyễn Văn An", "ReceiverAddress": "Số 12, đường Lê Lợi", "ReceiverTel": "0900000000",
        "ReceiverProvince": 1, "ReceiverDistrict": 0, "ReceiverEmail": "", "FlagConfig": 2,
    });
    assert_eq!(host.request().json_body(), expected);
}

#[test]
fn cash_in_another_currency_never_reaches_the_service() {
    let host = host(ORDER, refusal("100", ""));
    let dollars = Money { amount: 5, currency: "USD".into() };
    let fault = Problem::fault("/cashOnDelivery/currency", "must be VND: the postman collects đồng");
    assert_eq!(Connector::create(order(Some(dollars))), Err(fault));
    assert!(host.requests().is_empty());
}

#[test]
fn a_price_is_quoted() {
    let answer =
        json!({ "Status": "100", "Message": "", "Price": 30_000, "CODFee": 5_000, "TotalAmount": 35_000 });
    let host = host(PRICE, answer);

    let quotation = Connector::quote("56".into(), "01".into(), 700, Some(100_000));

    let expected = Quotation { transport: dong(30_000), cash_fee: dong(5_000), total: dong(35_000) };
    assert_eq!(quotation, Ok(expected));
    let expected = json!({
        "CustomerCode": "TRUC-DEMO", "SenderProvince": 56, "ReceiverProvince": 1, "Weight": 700, "CODAmount": 100_000,
    });
    assert_eq!(host.request().json_body(), expected);
}

#[test]
fn an_order_is_cancelled() {
    let host = host(CANCEL, json!({ "Status": "100", "Message": "", "OrderNumber": "H56.14-250701-0003" }));
    let cancelled = Connector::cancel("H56.14-250701-0003".into(), Some("Người dân nhận trực tiếp".into()));
    assert_eq!(cancelled, Ok(()));
    let expected = json!({
        "CustomerCode": "TRUC-DEMO", "OrderNumber": "H56.14-250701-0003", "Reason": "Người dân nhận trực tiếp",
    });
    assert_eq!(host.request().json_body(), expected);
}

#[test]
fn an_order_is_followed() {
    let step = |code: u8, message: &str, time: &str| json!({ "StatusCode": code, "StatusMessage": message, "Time": time, "Location": "Tỉnh Khánh Hòa" });
    let answer = json!({
        "Status": "100", "Message": "Thành công", "OrderNumber": "H56.14-250701-0003", "ItemCode": "EN000000016VN",
        "StatusCode": 9, "StatusMessage": "Đã hủy",
        "Traces": [step(1, "Đã tiếp nhận đơn hàng", "01/07/2025 08:30:00"), step(9, "Đã hủy", "02/07/2025 09:00:00")],
    });
    let host = host(TRACKING, answer);

    let event = |status, description: &str, at: &str| Event {
        status,
        description: description.into(),
        at: at.into(),
        location: "Tỉnh Khánh Hòa".into(),
    };
    let expected = Tracking {
        number: "H56.14-250701-0003".into(),
        item_code: "EN000000016VN".into(),
        status: Status::Cancelled,
        description: "Đã hủy".into(),
        events: vec![
            event(Status::Ordered, "Đã tiếp nhận đơn hàng", "2025-07-01T08:30:00+07:00"),
            event(Status::Cancelled, "Đã hủy", "2025-07-02T09:00:00+07:00"),
        ],
    };
    assert_eq!(track(), Ok(expected));
    let expected = json!({ "CustomerCode": "TRUC-DEMO", "OrderNumber": "H56.14-250701-0003" });
    assert_eq!(host.request().json_body(), expected);
}

#[test]
fn every_status_has_its_word() {
    let words = [
        (1, Status::Ordered),
        (2, Status::Collected),
        (3, Status::InTransit),
        (4, Status::OutForDelivery),
        (5, Status::Delivered),
        (9, Status::Cancelled),
    ];
    for (code, status) in words {
        let answer = json!({
            "Status": "100", "OrderNumber": "1", "ItemCode": "2", "StatusCode": code, "StatusMessage": "", "Traces": [],
        });
        let _host = host(TRACKING, answer);
        assert_eq!(track().map(|tracking| tracking.status), Ok(status));
    }
}

#[test]
fn refusals_become_problems() {
    let cases = [
        ("101", Problem::upstream_failed("the postal service refuses the operator's credential")),
        ("103", Problem::conflict("an order with this number exists")),
        ("104", Problem::not_found("there is no order with this number")),
        ("105", Problem::conflict("the order can no longer be cancelled")),
        ("199", Problem::rejected("199", "lỗi")),
    ];
    for (status, problem) in cases {
        let _host = host(TRACKING, refusal(status, "lỗi"));
        assert_eq!(track(), Err(problem));
    }
}

#[test]
fn faults_point_into_the_contracts_request() {
    let message =
        "SenderTel: phải có 8–15 chữ số; ReceiverProvince: không có trong danh mục; CustomerCode: không đúng";
    let _host = host(ORDER, refusal("102", message));
    let fault = |pointer: &str, detail: &str| Fault { pointer: pointer.into(), detail: detail.into() };
    let expected = Problem::Invalid(vec![
        fault("/sender/phone", "phải có 8–15 chữ số"),
        fault("/receiver/province", "không có trong danh mục"),
        fault("", "CustomerCode: không đúng"),
    ]);
    assert_eq!(Connector::create(order(None)), Err(expected));
}

#[test]
fn failures_of_the_service_become_problems() {
    let tracked = |answer: Answer| {
        let _host = host(TRACKING, answer);
        track()
    };
    let odd = json!({
        "Status": "100", "OrderNumber": "1", "ItemCode": "2", "StatusCode": 6, "StatusMessage": "", "Traces": [],
    });
    assert!(matches!(tracked(CallError::Timeout("late".into()).into()), Err(Problem::UpstreamTimeout(_))));
    assert!(matches!(tracked(CallError::Interrupted("cut".into()).into()), Err(Problem::UpstreamFailed(_))));
    assert!(matches!(tracked(Answer::json(401, &refusal("101", ""))), Err(Problem::UpstreamFailed(_))));
    assert!(matches!(tracked(Answer::new(503, "")), Err(Problem::Unavailable(_))));
    assert!(matches!(tracked(Answer::new(200, "simulated")), Err(Problem::UpstreamFailed(_))));
    assert!(matches!(tracked(odd.into()), Err(Problem::UpstreamFailed(_))));
}

#[test]
fn a_service_without_its_customer_code_is_the_operators_to_mend() {
    let _host = Host::new(include_str!("../connector.toml"));
    assert!(matches!(track(), Err(Problem::Unavailable(_))));
}
