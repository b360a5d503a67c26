//! Land.

use hyper::StatusCode;
use serde_json::{Value, json};
use truc_simulators::System;

use crate::client::Bench;

const LAND: System = System::Land;

fn submission(receipt: &str) -> Value {
    json!({
        "LaQuyTrinhCapTinh": false, "TinhId": 56, "HuyenId": 0, "XaId": "22366", "SoBienNhan": receipt,
        "NgayTiepNhan": "2025-07-01T08:30:00", "NgayHenTra": "2025-07-15T17:00:00+07:00",
        "ThongTinNguoiNopDon": {"HoTen": "Nguyễn Văn An", "SoChungMinh": "056080999999"},
        "ThongTinQuyTrinh": {"MaQuyTrinh": "1.004227"},
        "ThongTinThuaDat": [{"SoThuTuThua": "345", "SoHieuBanDo": "12", "DienTich": 102.5}],
        "DanhSachGiayToDinhKem": [
            {"TenGiayTo": "Đơn", "SoBanChinh": 1, "TapTin": {"name": "don.pdf", "data": "JVBERi0xLjQK"}}
        ],
    })
}

async fn state(bench: &Bench, receipt: &str) -> Value {
    bench.get(LAND, &format!("/hoso/{receipt}")).await["data"]["TrangThai"].clone()
}

#[tokio::test]
async fn parcels_and_certificates_agree() {
    let bench = Bench::new().await;
    let samples = bench.samples().await;
    let sample = &samples["parcels"][0];
    let text = |name: &str| sample[name].as_str().unwrap();
    let path = format!("/thuadat/{}/{}/{}", text("ward"), text("sheet"), text("number"));
    let parcel = bench.get(LAND, &path).await;
    assert_eq!(parcel["status"]["success"], true);
    let parcel = &parcel["data"];
    assert_eq!(parcel["SoPhatHanhGCN"], sample["certificate"]);
    assert_eq!(parcel["ChuSuDung"][0]["SoDinhDanh"], sample["owner"]);
    assert_eq!(parcel["LoaiDat"][0]["DienTich"], parcel["DienTich"]);

    let certificate = bench.get(LAND, &format!("/giaychungnhan/{}", text("certificate"))).await;
    assert_eq!(certificate["data"]["ThuaDat"][0]["SoThuTuThua"], parcel["SoThuTuThua"]);
    assert_eq!(certificate["data"]["ChuSuDung"], parcel["ChuSuDung"]);
    let owned = bench.get(LAND, &format!("/giaychungnhan?SoDinhDanh={}", text("owner"))).await;
    assert!(owned["data"].as_array().unwrap().contains(&certificate["data"]), "{owned}");
    let none = bench.get(LAND, "/giaychungnhan?SoDinhDanh=001199000000").await;
    assert_eq!((&none["data"], &none["status"]["code"]), (&json!([]), &json!(200)));
}

#[tokio::test]
async fn a_dossier_goes_its_way() {
    let bench = Bench::new().await;
    let sent = bench.post(LAND, "/tiepnhan", submission("L-1")).await;
    assert_eq!(sent["data"], 1001);
    assert_eq!(
        sent["status"],
        json!({"success": true, "code": 200, "type": "success", "time": "2025-07-01T08:30:00",
               "message": "Thành công"})
    );
    let early = bench.get(LAND, "/ketquathue/L-1").await;
    assert_eq!((&early["data"], &early["status"]["code"]), (&Value::Null, &json!(409)));
    let too_soon = bench.post(
        LAND,
        "/capnhattrangthaitraketquahoso",
        json!({"SoBienNhan": "L-1", "NgayTra": "2025-07-02T09:00:00"}),
    );
    assert_eq!(too_soon.await["status"]["code"], 409);
    assert_eq!(state(&bench, "L-1").await, 3);
    let tax = bench.get(LAND, "/ketquathue/L-1").await;
    let notices = tax["data"]["DanhSachThongBaoThue"].as_array().unwrap();
    assert_eq!(notices.len(), 2);
    assert_eq!(notices[0]["HoTenChu"], "Nguyễn Văn An");
    assert!(notices[0]["SoTien"].as_u64().unwrap() > 0);
    assert_eq!(bench.get(LAND, "/ketquathue/L-1").await["data"]["DanhSachThongBaoThue"], json!(notices));
    assert_eq!(state(&bench, "L-1").await, 5);
    let done = bench.post(
        LAND,
        "/capnhattrangthaitraketquahoso",
        json!({"SoBienNhan": "L-1", "NgayTra": "2025-07-15T09:00:00"}),
    );
    assert_eq!(done.await["data"], 1001);
    assert_eq!(state(&bench, "L-1").await, 6);
    let shown = bench.get(LAND, "/hoso/L-1").await;
    assert_eq!(shown["data"]["NgayCapNhat"], "2025-07-15T09:00:00");
}

#[tokio::test]
async fn a_dossier_without_papers_waits_for_them() {
    let bench = Bench::new().await;
    let mut bare = submission("L-2");
    bare.as_object_mut().unwrap().remove("DanhSachGiayToDinhKem");
    bench.post(LAND, "/tiepnhan", bare).await;
    assert_eq!(state(&bench, "L-2").await, 1);
    let mut supplement = json!({
        "SoBienNhan": "L-2", "NgayHenTraMoi": "2025-08-01T17:00:00", "GhiChu": "đủ",
        "DanhSachGiayToBoSung": [{"TenGiayTo": "Bản vẽ"}],
    });
    let early = bench.post(LAND, "/capnhattrangthaibosunghoso", supplement.clone()).await;
    assert_eq!(early["status"]["code"], 409);
    for _ in 0..3 {
        assert_eq!(state(&bench, "L-2").await, 2);
    }
    assert_eq!(bench.post(LAND, "/capnhattrangthaibosunghoso", supplement.clone()).await["data"], 1001);
    let shown = bench.get(LAND, "/hoso/L-2").await;
    assert_eq!(shown["data"]["TrangThai"], 3);
    assert_eq!(shown["data"]["NgayHenTra"], "2025-08-01T17:00:00");
    supplement["DanhSachGiayToBoSung"] = json!([]);
    let none = bench.post(LAND, "/capnhattrangthaibosunghoso", supplement).await;
    assert_eq!(none["status"]["message"], "DanhSachGiayToBoSung: phải có từ 1 đến 50 mục");
}

#[tokio::test]
async fn error_codes() {
    let bench = Bench::new().await;
    for path in [
        "/thuadat/22366/0/0",
        "/thuadat/x/y/z",
        "/giaychungnhan/AA99999999",
        "/hoso/none",
        "/ketquathue/none",
    ] {
        let answer = bench.get(LAND, path).await;
        assert_eq!((&answer["data"], &answer["status"]["code"]), (&Value::Null, &json!(404)), "{path}");
        assert_eq!(
            (&answer["status"]["success"], &answer["status"]["type"]),
            (&json!(false), &json!("error"))
        );
    }
    assert_eq!(bench.get(LAND, "/giaychungnhan").await["status"]["code"], 400);
    assert_eq!(bench.get(LAND, "/giaychungnhan?SoDinhDanh=12").await["status"]["code"], 400);
    bench.post(LAND, "/tiepnhan", submission("L-3")).await;
    let twice = bench.post(LAND, "/tiepnhan", submission("L-3")).await;
    assert_eq!((&twice["data"], &twice["status"]["code"]), (&json!(0), &json!(409)));

    let mut wrong = submission("L-4");
    wrong["XaId"] = json!(4);
    wrong["NgayHenTra"] = json!("2025-06-01T00:00:00");
    wrong["NgayTiepNhan"] = json!("2025-07-01T08:30:00");
    wrong["ThongTinNguoiNopDon"]["SoChungMinh"] = json!("123");
    wrong["ThongTinThuaDat"] = json!([{"SoHieuBanDo": "1", "DienTich": "nhỏ"}]);
    wrong["DanhSachGiayToDinhKem"] = json!([{"TenGiayTo": "x", "TapTin": {"name": "../x", "data": "%%%"}}]);
    let wrong = bench.post(LAND, "/tiepnhan", wrong).await;
    assert_eq!(wrong["status"]["code"], 400);
    assert_eq!(
        wrong["status"]["message"],
        "XaId: không có xã này trong tỉnh; NgayHenTra: trước NgayTiepNhan; \
         ThongTinNguoiNopDon.SoChungMinh: phải gồm 9 hoặc 12 chữ số; ThongTinThuaDat[0].SoThuTuThua: thiếu; \
         ThongTinThuaDat[0].DienTich: phải là số lớn hơn 0; \
         DanhSachGiayToDinhKem[0].TapTin.name: không được có đường dẫn; \
         DanhSachGiayToDinhKem[0].TapTin.data: phải là base64"
    );
}

#[tokio::test]
async fn a_wrong_token_is_refused() {
    let bench = Bench::new().await;
    let answer = bench.with_credential(LAND, "/tiepnhan", ("authorization", "Bearer wrong")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!((&answer.json()["data"], &answer.json()["status"]["code"]), (&Value::Null, &json!(401)));
}

#[tokio::test]
async fn dossiers_of_the_start_stand_still_until_changed() {
    let bench = Bench::new().await;
    let samples = bench.samples().await;
    let dossier = |name: &str| samples["landDossiers"][name].as_str().unwrap().to_owned();
    for (name, expected) in [("needsSupplement", 2), ("taxKnown", 4), ("resultReady", 5)] {
        for _ in 0..2 {
            assert_eq!(state(&bench, &dossier(name)).await, expected, "{name}");
        }
    }
    let tax = bench.get(LAND, &format!("/ketquathue/{}", dossier("taxKnown"))).await;
    assert_eq!(tax["data"]["NgayCoKetQuaThue"], "2025-06-30T08:30:00");
}
