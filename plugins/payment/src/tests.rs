//! Each operation against a scripted platform that signs as the real one: what is sent, what is made of the answer,
//! every refusal, and answers that must not be believed.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use truc_sdk::Problem;
use truc_sdk::encoding::hex;
use truc_sdk::testing::{Answer, Host, KeyUse};
use truc_sdk::types::{Fault, Money};
use truc_sdk::upstream::CallError;

use super::Connector;
use super::bindings::exports::lgsp::payment::payments::*;

const INIT: &str = "POST /thanhtoan/init";
const QUERY: &str = "POST /thanhtoan/query";
const BILL: &str = "POST /thanhtoan/bill";
const RECONCILE: &str = "POST /thanhtoan/doisoat";

/// The present moment of the test host's clock.
const NOW: &str = "20250701083000";

fn sha256_with_secret(message: &[u8]) -> Vec<u8> {
    digest(&SHA256, &[message, b"simulated-payment-secret"].concat()).as_ref().to_vec()
}

fn code(values: &[&str]) -> String {
    hex(&sha256_with_secret(format!("{}|", values.join("|")).as_bytes()))
}

/// An answer of these members, signed over them in their order.
fn signed(members: &[(&str, &str)]) -> Value {
    let values: Vec<_> = members.iter().map(|(_, value)| *value).collect();
    let mut answer: Value = members.iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
    answer["MoTaLoi"] = json!("…");
    answer["MaXacThuc"] = json!(code(&values));
    answer
}

fn host(request: &str, answer: impl Into<Answer>) -> Host {
    let host = Host::new(include_str!("../connector.toml"));
    host.config("partner-code", "TRUC-DEMO")
        .key("payment", KeyUse::Digest, sha256_with_secret)
        .answer("platform", request, answer);
    host
}

fn dong(amount: u64) -> Money {
    Money { amount, currency: "VND".into() }
}

fn new_payment() -> NewPayment {
    NewPayment {
        reference: "REF-0001".into(),
        amount: dong(150_000),
        description: "Lệ phí đăng ký kết hôn".into(),
        destination: Destination::Agency,
        channel: Channel::Web,
        language: None,
        bank: None,
        bill: Bill {
            agency: "H56.14".into(),
            agency_name: "Ủy ban nhân dân Phường Nha Trang".into(),
            dossier: "H56.14-250701-0004".into(),
            service: None,
            procedure: Some(Coded { code: "1.000894".into(), name: "Đăng ký kết hôn".into() }),
            account: Account {
                number: "0000000001".into(),
                bank: "SIMBANK".into(),
                holder: "Ủy ban nhân dân Phường Nha Trang".into(),
            },
            payer: Payer { name: "Nguyễn Văn An".into(), id: Some("056080999999".into()) },
            fees: vec![
                Fee {
                    kind: FeeKind::Charge,
                    code: "LP01".into(),
                    name: "Lệ phí".into(),
                    amount: dong(100_000),
                },
                Fee { kind: FeeKind::Fee, code: "P01".into(), name: "Phí".into(), amount: dong(50_000) },
            ],
            lines: vec![Line { contents: "Lệ phí".into(), amount: dong(150_000) }],
        },
    }
}

fn started(reference: &str) -> Value {
    signed(&[
        ("LoaiBanTin", "INIT"),
        ("MaLoi", "00"),
        ("MaDoiTac", "TRUC-DEMO"),
        ("MaThamChieu", reference),
        ("SoTien", "150000"),
        ("MaTienTe", "VND"),
        ("MaGiaoDich", "GD0000000001"),
        ("UrlThanhToan", "https://pay.example.vn/GD0000000001"),
        ("ThoiGianGD", NOW),
    ])
}

fn found(error: &str, bank: &str, state: &str) -> Value {
    signed(&[
        ("LoaiBanTin", "QUERY"),
        ("MaLoi", error),
        ("MaDoiTac", "TRUC-DEMO"),
        ("MaThamChieu", "REF-0001"),
        ("SoTien", "150000"),
        ("MaTienTe", "VND"),
        ("MaGiaoDich", "GD0000000001"),
        ("MaNganHang", bank),
        ("TrangThaiGD", state),
        ("ThoiGianGD", "20250701090000"),
        ("ThongTinGiaoDich", "Lệ phí đăng ký kết hôn"),
    ])
}

fn refusal(kind: &str, error: &str, reason: &str) -> Value {
    // The members of the result are there and empty.
    let empty = |name| (name, "");
    let mut members = vec![("LoaiBanTin", kind), ("MaLoi", error), ("MaDoiTac", "TRUC-DEMO")];
    members.extend(match kind {
        "INIT" => ["MaThamChieu", "SoTien", "MaTienTe", "MaGiaoDich", "UrlThanhToan"].map(empty).to_vec(),
        _ => ["MaThamChieu", "MaGiaoDich", "SoBienLai", "UrlBienLai"].map(empty).to_vec(),
    });
    members.push(("ThoiGianGD", NOW));
    let mut answer = signed(&members);
    answer["MoTaLoi"] = json!(reason);
    answer
}

fn query() -> Result<Payment, PaymentProblem> {
    Connector::query("REF-0001".into())
}

#[test]
fn a_payment_is_started() {
    let host = host(INIT, started("REF-0001"));

    let answer = Connector::initiate(new_payment());

    let expected = Started {
        reference: "REF-0001".into(),
        transaction: "GD0000000001".into(),
        pay_at: "https://pay.example.vn/GD0000000001".into(),
        at: "2025-07-01T08:30:00+07:00".into(),
    };
    assert_eq!(answer, Ok(expected));
    let code = code(&[
        "INIT",
        "1.0.6",
        "TRUC-DEMO",
        "REF-0001",
        "150000",
        "1",
        "WEB",
        "",
        "vi",
        "VND",
        "",
        "Lệ phí đăng ký kết hôn",
        NOW,
        "",
    ]);
    let expected = json!({
        "LoaiBanTin": "INIT", "PhienBan": "1.0.6", "MaDoiTac": "TRUC-DEMO", "MaThamChieu": "REF-0001",
        "SoTien": "150000", "LoaiHinhThanhToan": "1", "MaKenhThanhToan": "WEB", "MaThietBi": "", "NgonNgu": "vi",
        "MaTienTe": "VND", "MaNganHang": "", "ThongTinGiaoDich": "Lệ phí đăng ký kết hôn", "ThoiGianGD": NOW,
        "Ip": "", "MaXacThuc": code,
        "ThongTinBienLai": {
            "MaDichVu": "1", "MaDVC": "", "TenDVC": "", "MaTTHC": "1.000894", "TenTTHC": "Đăng ký kết hôn",
            "MaDonVi": "H56.14", "TenDonVi": "Ủy ban nhân dân Phường Nha Trang", "MaHoSo": "H56.14-250701-0004",
            "TKThuHuong": "0000000001", "MaNHThuHuong": "SIMBANK",
            "TenTKThuHuong": "Ủy ban nhân dân Phường Nha Trang",
            "PhiLePhi": [
                { "LoaiPhiLePhi": "2", "MaPhiLePhi": "LP01", "TenPhiLePhi": "Lệ phí", "SoTien": "100000" },
                { "LoaiPhiLePhi": "1", "MaPhiLePhi": "P01", "TenPhiLePhi": "Phí", "SoTien": "50000" },
            ],
            "DSKhoanNop": [{ "NoiDung": "Lệ phí", "SoTien": "150000" }],
            "HoTenNguoiNop": "Nguyễn Văn An", "SoCMNDNguoiNop": "056080999999",
        },
    });
    assert_eq!(host.request().json_body(), expected);
}

#[test]
fn amounts_that_do_not_add_up_never_reach_the_platform() {
    let host = host(INIT, started("REF-0001"));
    let mut payment = new_payment();
    payment.bill.fees.truncate(1);
    let mismatch = Mismatch { pointer: "/bill/fees".into(), stated: dong(150_000), found: dong(100_000) };
    assert_eq!(Connector::initiate(payment), Err(PaymentProblem::AmountMismatch(mismatch)));

    let mut payment = new_payment();
    payment.bill.lines.push(Line { contents: "Phí".into(), amount: dong(u64::MAX) });
    let mismatch = Mismatch { pointer: "/bill/lines".into(), stated: dong(150_000), found: dong(u64::MAX) };
    assert_eq!(Connector::initiate(payment), Err(PaymentProblem::AmountMismatch(mismatch)));

    let mut payment = new_payment();
    payment.bill.fees[1].amount.currency = "USD".into();
    let fault = Problem::fault("/bill/fees/1/amount/currency", "must be VND: the platform takes đồng only");
    assert_eq!(Connector::initiate(payment), Err(fault.into()));
    assert!(host.requests().is_empty());
}

#[test]
fn a_payment_without_fees_and_lines_adds_up() {
    let _host = host(INIT, started("REF-0001"));
    let mut payment = new_payment();
    payment.bill.fees.clear();
    payment.bill.lines.clear();
    assert!(Connector::initiate(payment).is_ok());
}

#[test]
fn a_payment_is_followed() {
    for (code, state) in [("0", State::Waiting), ("1", State::Paid), ("2", State::Failed)] {
        let host = host(QUERY, found("00", "", code));
        let expected = Payment {
            reference: "REF-0001".into(),
            transaction: "GD0000000001".into(),
            amount: dong(150_000),
            state,
            bank: None,
            at: "2025-07-01T09:00:00+07:00".into(),
            description: "Lệ phí đăng ký kết hôn".into(),
        };
        assert_eq!(query(), Ok(expected));
        let expected = json!({
            "LoaiBanTin": "QUERY", "PhienBan": "1.0.6", "MaDoiTac": "TRUC-DEMO", "MaThamChieu": "REF-0001",
            "ThoiGianGD": NOW,
            // As the platform's own documentation computes it for this message.
            "MaXacThuc": "a713e84cd56a282be78d2465a895f6a79f1220371638640f565a951c2f9f00a5",
        });
        assert_eq!(host.request().json_body(), expected);
    }
}

#[test]
fn the_payers_bank_is_told_once_it_is_known() {
    let _host = host(QUERY, found("00", "SIMBANK", "1"));
    assert_eq!(query().unwrap().bank.as_deref(), Some("SIMBANK"));
}

#[test]
fn a_receipt_is_given() {
    let answer = signed(&[
        ("LoaiBanTin", "GET_BILL"),
        ("MaLoi", "00"),
        ("MaDoiTac", "TRUC-DEMO"),
        ("MaThamChieu", "REF-0001"),
        ("MaGiaoDich", "GD0000000001"),
        ("SoBienLai", "BL0000000001"),
        ("UrlBienLai", "https://pay.example.vn/BL0000000001"),
        ("ThoiGianGD", NOW),
    ]);
    let host = host(BILL, answer);

    let receipt = Connector::get_receipt("REF-0001".into());

    let expected = Receipt {
        reference: "REF-0001".into(),
        transaction: "GD0000000001".into(),
        number: "BL0000000001".into(),
        url: "https://pay.example.vn/BL0000000001".into(),
    };
    assert_eq!(receipt, Ok(expected));
    assert_eq!(host.request().json_body()["LoaiBanTin"], "GET_BILL");
}

/// Two payments of a day; the code covers four members of each.
fn two_payments() -> Value {
    let entry = |number: &str, amount: &str| {
        json!({
            "MaThamChieu": format!("REF-{number}"), "MaGiaoDich": format!("GD-{number}"), "SoTien": amount,
            "MaTienTe": "VND", "MaNganHang": "SIMBANK", "ThoiGianGD": "20250630091500", "TrangThaiGD": "1",
            "MaHoSo": "H56.14-250630-0001",
        })
    };
    let head = ["RECONCILE", "00", "TRUC-DEMO", "20250630", "2", "200000", NOW];
    let entries = ["REF-1", "GD-1", "50000", "1", "REF-2", "GD-2", "150000", "1"];
    json!({
        "LoaiBanTin": "RECONCILE", "MaLoi": "00", "MoTaLoi": "Thành công", "MaDoiTac": "TRUC-DEMO",
        "NgayDoiSoat": "20250630", "TongSoGiaoDich": "2", "TongSoTien": "200000",
        "DanhSachGiaoDich": [entry("1", "50000"), entry("2", "150000")], "ThoiGianGD": NOW,
        "MaXacThuc": code(&[&head[..], &entries[..]].concat()),
    })
}

#[test]
fn the_payments_of_a_day_are_listed() {
    let host = host(RECONCILE, two_payments());

    let listed = Connector::reconcile("2025-06-30".into()).unwrap();

    assert_eq!((listed.day.as_str(), listed.count, listed.total), ("2025-06-30", 2, dong(200_000)));
    let expected = Settled {
        reference: "REF-1".into(),
        transaction: "GD-1".into(),
        dossier: "H56.14-250630-0001".into(),
        amount: dong(50_000),
        bank: "SIMBANK".into(),
        at: "2025-06-30T09:15:00+07:00".into(),
    };
    assert_eq!(listed.payments.first(), Some(&expected));
    assert_eq!(listed.payments.len(), 2);
    assert_eq!(host.request().json_body()["NgayDoiSoat"], "20250630");
}

#[test]
fn a_day_that_does_not_exist_never_reaches_the_platform() {
    let host = host(RECONCILE, two_payments());
    let fault = Problem::fault("/day", "is no date that exists");
    assert_eq!(Connector::reconcile("2025-06-31".into()), Err(fault.into()));
    assert!(host.requests().is_empty());
}

#[test]
fn an_answer_that_was_changed_is_not_believed() {
    let changed = |pointer: &str, value: &str| {
        let mut answer = two_payments();
        *answer.pointer_mut(pointer).unwrap() = json!(value);
        let _host = host(RECONCILE, answer);
        Connector::reconcile("2025-06-30".into())
    };
    let not_authentic = Problem::upstream_failed("the platform's answer is not authentic");
    for (pointer, value) in
        [("/TongSoTien", "1"), ("/DanhSachGiaoDich/1/SoTien", "1"), ("/MaLoi", "04"), ("/MaXacThuc", "")]
    {
        assert_eq!(changed(pointer, value), Err(not_authentic.clone().into()), "{pointer}");
    }
}

#[test]
fn an_authentic_answer_to_another_message_is_not_believed() {
    let _host = host(INIT, started("REF-0002"));
    let answer = Connector::initiate(new_payment());
    assert!(
        matches!(answer, Err(PaymentProblem::UpstreamFailed(detail)) if detail.contains("another message"))
    );

    let mut payment = new_payment();
    payment.amount = dong(150_001);
    payment.bill.fees.clear();
    payment.bill.lines.clear();
    let _host = host(INIT, started("REF-0001"));
    assert!(matches!(Connector::initiate(payment), Err(PaymentProblem::UpstreamFailed(_))));
}

#[test]
fn refusals_become_problems() {
    let receipt = |error: &str| {
        let _host = host(BILL, refusal("GET_BILL", error, "lỗi"));
        Connector::get_receipt("REF-0001".into())
    };
    assert!(matches!(receipt("01"), Err(PaymentProblem::Unavailable(_))));
    assert!(matches!(receipt("02"), Err(PaymentProblem::Unavailable(_))));
    assert!(matches!(receipt("03"), Err(PaymentProblem::AlreadyExists(_))));
    assert!(matches!(receipt("04"), Err(PaymentProblem::NotFound(_))));
    assert!(matches!(receipt("06"), Err(PaymentProblem::NotPaid(_))));
    assert_eq!(receipt("99"), Err(Problem::rejected("99", "lỗi").into()));
}

#[test]
fn faults_point_into_the_contracts_request() {
    let message = "SoTien: phải lớn hơn 0; ThongTinBienLai.MaHoSo: thiếu; MaThietBi: quá dài";
    let _host = host(INIT, refusal("INIT", "05", message));
    let fault = |pointer: &str, detail: &str| Fault { pointer: pointer.into(), detail: detail.into() };
    let expected = vec![
        fault("/amount/amount", "phải lớn hơn 0"),
        fault("/bill/dossier", "thiếu"),
        fault("", "MaThietBi: quá dài"),
    ];
    assert_eq!(Connector::initiate(new_payment()), Err(PaymentProblem::Invalid(expected)));
}

#[test]
fn failures_of_the_platform_become_problems() {
    let queried = |answer: Answer| {
        let _host = host(QUERY, answer);
        query()
    };
    assert!(matches!(
        queried(CallError::Timeout("late".into()).into()),
        Err(PaymentProblem::UpstreamTimeout(_))
    ));
    assert!(matches!(queried(Answer::new(503, "")), Err(PaymentProblem::Unavailable(_))));
    assert!(matches!(queried(Answer::new(500, "")), Err(PaymentProblem::UpstreamFailed(_))));
    assert!(matches!(
        queried(Answer::new(429, "").header("retry-after", "3")),
        Err(PaymentProblem::Limited(Some(3)))
    ));
    assert!(matches!(queried(Answer::new(200, "simulated")), Err(PaymentProblem::UpstreamFailed(_))));
    assert!(matches!(queried(found("00", "", "7").into()), Err(PaymentProblem::UpstreamFailed(_))));
}

#[test]
fn every_common_problem_is_a_case_of_the_contracts() {
    let pairs = [
        (Problem::NotFound("x".into()), PaymentProblem::NotFound("x".into())),
        (Problem::Invalid(Vec::new()), PaymentProblem::Invalid(Vec::new())),
        (Problem::Denied("x".into()), PaymentProblem::Denied("x".into())),
        (Problem::Conflict("x".into()), PaymentProblem::Conflict("x".into())),
        (Problem::Limited(None), PaymentProblem::Limited(None)),
        (Problem::UpstreamTimeout("x".into()), PaymentProblem::UpstreamTimeout("x".into())),
        (Problem::UpstreamFailed("x".into()), PaymentProblem::UpstreamFailed("x".into())),
        (Problem::Unavailable("x".into()), PaymentProblem::Unavailable("x".into())),
    ];
    for (common, own) in pairs {
        assert_eq!(PaymentProblem::from(common), own);
    }
}

#[test]
fn a_platform_that_is_not_set_up_is_the_operators_to_mend() {
    let _host = Host::new(include_str!("../connector.toml"));
    assert!(matches!(query(), Err(PaymentProblem::Unavailable(_))));
}
