//! Payment platform.

use serde_json::{Value, json};
use truc_simulators::{Progress, System, authentication_code};

use crate::client::Bench;

/// What is signed in a request, by the kind of message.
fn asked(kind: &str) -> &'static str {
    match kind {
        "INIT" => {
            "LoaiBanTin PhienBan MaDoiTac MaThamChieu SoTien LoaiHinhThanhToan MaKenhThanhToan MaThietBi NgonNgu \
             MaTienTe MaNganHang ThongTinGiaoDich ThoiGianGD Ip"
        }
        "RECONCILE" => "LoaiBanTin PhienBan MaDoiTac NgayDoiSoat ThoiGianGD",
        _ => "LoaiBanTin PhienBan MaDoiTac MaThamChieu ThoiGianGD",
    }
}

/// What is signed in an answer.
fn answered(kind: &str) -> &'static str {
    match kind {
        "INIT" => "LoaiBanTin MaLoi MaDoiTac MaThamChieu SoTien MaTienTe MaGiaoDich UrlThanhToan ThoiGianGD",
        "QUERY" => {
            "LoaiBanTin MaLoi MaDoiTac MaThamChieu SoTien MaTienTe MaGiaoDich MaNganHang TrangThaiGD ThoiGianGD \
             ThongTinGiaoDich"
        }
        "GET_BILL" => "LoaiBanTin MaLoi MaDoiTac MaThamChieu MaGiaoDich SoBienLai UrlBienLai ThoiGianGD",
        _ => "LoaiBanTin MaLoi MaDoiTac NgayDoiSoat TongSoGiaoDich TongSoTien ThoiGianGD",
    }
}

fn values<'a>(message: &'a Value, fields: &'a str) -> impl Iterator<Item = &'a str> {
    fields.split_whitespace().map(|field| message[field].as_str().unwrap_or_default())
}

/// The right authentication code of a request.
pub(crate) fn code_of(message: &Value) -> String {
    authentication_code(values(message, asked(message["LoaiBanTin"].as_str().unwrap_or_default())))
}

/// Whether an answer carries the right authentication code.
pub(crate) fn genuine(answer: &Value) -> bool {
    let kind = answer["LoaiBanTin"].as_str().unwrap();
    let entries = answer["DanhSachGiaoDich"].as_array().map(Vec::as_slice).unwrap_or_default();
    let listed = entries.iter().flat_map(|entry| values(entry, "MaThamChieu MaGiaoDich SoTien TrangThaiGD"));
    answer["MaXacThuc"] == authentication_code(values(answer, answered(kind)).chain(listed))
}

pub(crate) async fn ask(bench: &Bench, mut message: Value) -> Value {
    message["MaXacThuc"] = json!(code_of(&message));
    ask_as_is(bench, message).await
}

async fn ask_as_is(bench: &Bench, message: Value) -> Value {
    let path = match message["LoaiBanTin"].as_str().unwrap() {
        "INIT" => "/thanhtoan/init",
        "QUERY" => "/thanhtoan/query",
        "GET_BILL" => "/thanhtoan/bill",
        _ => "/thanhtoan/doisoat",
    };
    let answer = bench.post(System::Payment, path, message).await;
    assert!(genuine(&answer), "{answer}");
    answer
}

fn about(kind: &str, reference: &str) -> Value {
    json!({
        "LoaiBanTin": kind, "PhienBan": "1.0.6", "MaDoiTac": "TRUC-DEMO", "MaThamChieu": reference,
        "ThoiGianGD": "20250701083000",
    })
}

fn initiation(reference: &str, amount: &str) -> Value {
    let mut message = about("INIT", reference);
    let rest = json!({
        "SoTien": amount, "LoaiHinhThanhToan": "1", "MaKenhThanhToan": "WEB", "MaTienTe": "VND",
        "ThongTinGiaoDich": "Lệ phí",
        "ThongTinBienLai": {
            "MaDichVu": "1", "MaDonVi": "H56.14", "TenDonVi": "UBND phường", "MaHoSo": "H56.14-250701-0004",
            "TKThuHuong": "0000000001", "MaNHThuHuong": "SIMBANK", "TenTKThuHuong": "UBND phường",
            "HoTenNguoiNop": "Nguyễn Văn An", "DSKhoanNop": [{"NoiDung": "Lệ phí", "SoTien": amount}],
        },
    });
    message.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    message
}

fn reconciliation(day: &str) -> Value {
    json!({
        "LoaiBanTin": "RECONCILE", "PhienBan": "1.0.6", "MaDoiTac": "TRUC-DEMO", "NgayDoiSoat": day,
        "ThoiGianGD": "20250701083000",
    })
}

#[tokio::test]
async fn a_payment_settles_and_is_reconciled() {
    let bench = Bench::new().await;
    let begun = ask(&bench, initiation("R-1", "150000")).await;
    assert_eq!((&begun["MaLoi"], &begun["SoTien"]), (&json!("00"), &json!("150000")));
    assert!(begun["UrlThanhToan"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert_eq!(ask(&bench, about("GET_BILL", "R-1")).await["MaLoi"], "06");
    assert_eq!(ask(&bench, about("QUERY", "R-1")).await["TrangThaiGD"], "0");
    bench.wait(60);
    let paid = ask(&bench, about("QUERY", "R-1")).await;
    assert_eq!((&paid["TrangThaiGD"], &paid["MaNganHang"]), (&json!("1"), &json!("SIMBANK")));
    assert_eq!(paid["ThoiGianGD"], "20250701083100");
    let bill = ask(&bench, about("GET_BILL", "R-1")).await;
    assert_eq!(bill["MaGiaoDich"], paid["MaGiaoDich"]);
    assert!(bill["UrlBienLai"].as_str().unwrap().ends_with(paid["MaGiaoDich"].as_str().unwrap()));

    ask(&bench, initiation("R-2", "7000")).await;
    let day = ask(&bench, reconciliation("20250701")).await;
    assert_eq!((&day["TongSoGiaoDich"], &day["TongSoTien"]), (&json!("1"), &json!("150000")));
    let entry = &day["DanhSachGiaoDich"][0];
    assert_eq!((&entry["MaThamChieu"], &entry["MaHoSo"]), (&json!("R-1"), &json!("H56.14-250701-0004")));
    let quiet = ask(&bench, reconciliation("20240101")).await;
    assert_eq!((&quiet["TongSoGiaoDich"], &quiet["DanhSachGiaoDich"]), (&json!("0"), &json!([])));
}

#[tokio::test]
async fn a_payment_settles_with_time_and_may_fail() {
    let bench = Bench::with(|options| options.progress = Progress::Seconds(10)).await;
    let mut failing = initiation("R-3", "1");
    failing["MaNganHang"] = json!("SIMFAIL");
    ask(&bench, failing).await;
    ask(&bench, initiation("R-4", "2")).await;
    assert_eq!(ask(&bench, about("QUERY", "R-3")).await["TrangThaiGD"], "0");
    bench.wait(10);
    assert_eq!(ask(&bench, about("QUERY", "R-3")).await["TrangThaiGD"], "2");
    assert_eq!(ask(&bench, about("GET_BILL", "R-3")).await["MaLoi"], "06");
    let day = ask(&bench, reconciliation("20250701")).await;
    assert_eq!(day["TongSoTien"], "2", "settled though nobody asked about it");
}

#[tokio::test]
async fn error_codes() {
    let bench = Bench::new().await;
    let mut forged = about("QUERY", "SEED-PAID");
    forged["MaXacThuc"] = json!("0".repeat(64));
    assert_eq!(ask_as_is(&bench, forged).await["MaLoi"], "01");
    let mut altered = initiation("R-5", "100");
    altered["MaXacThuc"] = json!(code_of(&altered));
    altered["SoTien"] = json!("1");
    assert_eq!(ask_as_is(&bench, altered).await["MaLoi"], "01");
    let mut stranger = about("QUERY", "SEED-PAID");
    stranger["MaDoiTac"] = json!("SOMEBODY");
    assert_eq!(ask(&bench, stranger).await["MaLoi"], "02");
    ask(&bench, initiation("R-6", "100")).await;
    assert_eq!(ask(&bench, initiation("R-6", "100")).await["MaLoi"], "03");
    assert_eq!(ask(&bench, about("QUERY", "none")).await["MaLoi"], "04");

    let mut wrong = initiation("R-7", "100");
    wrong["PhienBan"] = json!("2");
    assert_eq!(ask(&bench, wrong).await["MoTaLoi"], "PhienBan: phải là một trong: 1.0.6");
    let mut wrong = initiation("R-7", "0100");
    wrong["MaTienTe"] = json!("USD");
    wrong["ThoiGianGD"] = json!("now");
    wrong["ThongTinBienLai"]["DSKhoanNop"][0]["SoTien"] = json!("99");
    wrong["ThongTinBienLai"]["HoTenNguoiNop"] = json!("");
    let answer = ask(&bench, wrong).await;
    assert_eq!(answer["MaLoi"], "05");
    assert_eq!(
        answer["MoTaLoi"],
        "ThoiGianGD: phải là ngày yyyyMMddHHmmss; SoTien: phải gồm 1 đến 12 chữ số, lớn hơn 0; \
         MaTienTe: phải là một trong: VND; ThongTinBienLai.HoTenNguoiNop: thiếu; \
         ThongTinBienLai.DSKhoanNop: tổng không bằng SoTien"
    );
    assert_eq!((&answer["MaThamChieu"], &answer["MaGiaoDich"]), (&json!("R-7"), &json!("")));
    assert_eq!(ask(&bench, reconciliation("2025-07-01")).await["MaLoi"], "05");
}

#[tokio::test]
async fn payments_of_the_start_stand_still() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        assert_eq!(ask(&bench, about("QUERY", "SEED-WAITING")).await["TrangThaiGD"], "0");
    }
    assert_eq!(ask(&bench, about("GET_BILL", "SEED-PAID")).await["MaLoi"], "00");
    let samples = bench.samples().await;
    let day = ask(&bench, reconciliation(samples["payments"]["paidOn"].as_str().unwrap())).await;
    assert_eq!(day["DanhSachGiaoDich"][0]["MaThamChieu"], samples["payments"]["paid"]);
}
