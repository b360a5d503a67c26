//! Every operation against a scripted land system: what is sent, what comes back, and each way to fail.

use serde_json::{Value, json};
use truc_sdk::Problem;
use truc_sdk::testing::{Answer, Host};
use truc_sdk::types::{Attachment, Fault, Money, Refusal};
use truc_sdk::upstream::CallError;

use crate::Connector;
use crate::bindings::exports::lgsp::land::dossiers::{Guest as Dossiers, *};
use crate::bindings::exports::lgsp::land::parcels::{Guest as Parcels, *};

const PARCEL: &str = "GET /thuadat/{XaId}/{SoHieuBanDo}/{SoThuTuThua}";
const CERTIFICATE: &str = "GET /giaychungnhan/{SoPhatHanh}";
const CERTIFICATES: &str = "GET /giaychungnhan";
const SEND: &str = "POST /tiepnhan";
const STATE: &str = "GET /hoso/{SoBienNhan}";
const SUPPLEMENT: &str = "POST /capnhattrangthaibosunghoso";
const HAND_OVER: &str = "POST /capnhattrangthaitraketquahoso";
const TAX: &str = "GET /ketquathue/{SoBienNhan}";

const CODE: &str = "H56.14-250701-0002";

fn host_answering(request: &str, answer: impl Into<Answer>) -> Host {
    let host = Host::new(include_str!("../connector.toml"));
    host.config("province-code", "56").answer("land", request, answer);
    host
}

fn done(data: Value) -> Value {
    let status = json!({ "success": true, "code": 200, "type": "success", "time": "2025-07-01T08:30:00", "message": "Thành công" });
    json!({ "data": data, "status": status })
}

/// A refusal, with the `data` that the land system gives for an error.
fn refusal(code: i64, message: &str) -> Value {
    let status = json!({ "success": false, "code": code, "type": "error", "time": "2025-07-01T08:30:00", "message": message });
    json!({ "data": 0, "status": status })
}

fn parcel_data(number: &str) -> Value {
    json!({
        "XaId": 4, "TinhId": 1, "SoHieuBanDo": "12", "SoThuTuThua": number, "DienTich": 102.5,
        "LoaiDat": [{ "Ma": "ODT", "Ten": "Đất ở tại đô thị", "DienTich": 102.5 }], "DiaChiChiTiet": "Số 12",
        "ChuSuDung": [
            { "HoTen": "Nguyễn Văn An", "SoDinhDanh": "056080000017", "NamSinh": 1980, "DiaChi": "Nha Trang" },
            { "HoTen": "Công ty A", "SoDinhDanh": null, "NamSinh": null, "DiaChi": "" },
        ],
        "SoPhatHanhGCN": "AA00000017", "TinhTrang": 1,
    })
}

fn parcel(number: &str) -> Parcel {
    Parcel {
        ward: "00004".into(),
        sheet: "12".into(),
        number: number.into(),
        area: 102.5,
        uses: vec![LandUse { code: "ODT".into(), name: "Đất ở tại đô thị".into(), area: 102.5 }],
        address: "Số 12".into(),
        holders: vec![
            Holder {
                name: "Nguyễn Văn An".into(),
                id: Some("056080000017".into()),
                born: Some(1980),
                address: Some("Nha Trang".into()),
            },
            Holder { name: "Công ty A".into(), id: None, born: None, address: None },
        ],
        certificate: Some("AA00000017".into()),
        state: ParcelState::Normal,
    }
}

fn certificate_data(state: u8, parcels: &[&str]) -> Value {
    let parcels: Vec<_> = parcels
        .iter()
        .map(|number| json!({ "XaId": 4, "SoHieuBanDo": "12", "SoThuTuThua": number, "DienTich": 102.5 }))
        .collect();
    json!({
        "SoPhatHanh": "AA00000017", "SoVaoSo": "CS00017", "NgayCap": "2019-03-14T00:00:00", "CoQuanCap": "Văn phòng",
        "TrangThai": state, "ChuSuDung": [], "ThuaDat": parcels,
    })
}

fn paper(content: &[u8]) -> Paper {
    Paper {
        name: "Đơn đăng ký".into(),
        originals: 1,
        copies: 0,
        file: Attachment {
            name: "don.pdf".into(),
            media_type: "application/pdf".into(),
            content: content.into(),
        },
    }
}

fn dossier() -> Dossier {
    Dossier {
        code: CODE.into(),
        level: Level::Commune,
        ward: "22366".into(),
        received_by: Some("Lê Thị Bình".into()),
        received_at: "2025-07-01T01:30:00Z".into(),
        due_at: "2025-07-15T17:00:00+07:00".into(),
        property_address: None,
        applicant: Applicant {
            name: "Nguyễn Văn An".into(),
            identity_number: "056080999999".into(),
            address: None,
            phone: Some("0900000000".into()),
            email: None,
        },
        procedure: Procedure { code: "1.004227".into(), name: None },
        parcels: vec![ClaimedParcel {
            sheet: "12".into(),
            number: "345".into(),
            area: Some(102.5),
            address: None,
        }],
        papers: vec![paper(b"%PDF-1.4\n")],
    }
}

fn supplement() -> Supplement {
    Supplement { due_at: "2025-07-20T17:00:00+07:00".into(), note: None, papers: vec![paper(b"%PDF-1.4\n")] }
}

fn get_parcel() -> Result<Parcel, Problem> {
    Connector::get_parcel("00004".into(), "12".into(), "345".into())
}

fn state() -> Result<DossierStatus, Problem> {
    Connector::check_dossier(CODE.into())
}

#[test]
fn a_parcel_is_asked_for_and_read() {
    let host = host_answering(PARCEL, done(parcel_data("345")));
    assert_eq!(get_parcel(), Ok(parcel("345")));
    let parameter = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        host.request().parameters,
        [parameter("XaId", "4"), parameter("SoHieuBanDo", "12"), parameter("SoThuTuThua", "345")]
    );
}

#[test]
fn every_state_of_a_parcel_has_its_name() {
    let host = Host::new(include_str!("../connector.toml"));
    let with_state = |number: u8| {
        let mut data = parcel_data("345");
        data["TinhTrang"] = number.into();
        data["SoPhatHanhGCN"] = Value::Null;
        host.answer("land", PARCEL, done(data));
        get_parcel()
    };
    for (number, state) in (1..).zip([ParcelState::Normal, ParcelState::Mortgaged, ParcelState::Disputed]) {
        assert_eq!(with_state(number), Ok(Parcel { state, certificate: None, ..parcel("345") }));
    }
    assert!(matches!(with_state(4), Err(Problem::UpstreamFailed(_))));
}

#[test]
fn a_certificate_is_asked_for_and_read() {
    let host = host_answering(CERTIFICATE, done(certificate_data(2, &["345"])));
    let expected = Certificate {
        number: "AA00000017".into(),
        register_number: "CS00017".into(),
        issued_on: "2019-03-14".into(),
        issued_by: "Văn phòng".into(),
        state: CertificateState::Withdrawn,
        holders: Vec::new(),
        parcels: vec![ParcelReference {
            ward: "00004".into(),
            sheet: "12".into(),
            number: "345".into(),
            area: 102.5,
        }],
    };
    assert_eq!(Connector::get_certificate("AA00000017".into()), Ok(expected));
    assert_eq!(host.request().parameters, [("SoPhatHanh".into(), "AA00000017".into())]);

    host.answer("land", CERTIFICATE, done(certificate_data(3, &[])));
    assert!(matches!(Connector::get_certificate("AA00000017".into()), Err(Problem::UpstreamFailed(_))));
    let mut dateless = certificate_data(1, &[]);
    dateless["NgayCap"] = "14/03/2019".into();
    host.answer("land", CERTIFICATE, done(dateless));
    assert!(matches!(Connector::get_certificate("AA00000017".into()), Err(Problem::UpstreamFailed(_))));
}

#[test]
fn certificates_of_a_person_are_found() {
    let host =
        host_answering(CERTIFICATES, done(json!([certificate_data(1, &[]), certificate_data(2, &[])])));
    let found = Connector::find_certificates("056080000017".into()).unwrap();
    let states: Vec<_> = found.iter().map(|certificate| certificate.state).collect();
    assert_eq!(states, [CertificateState::Valid, CertificateState::Withdrawn]);
    assert_eq!(host.request().query, [("SoDinhDanh".into(), "056080000017".into())]);

    host.answer("land", CERTIFICATES, done(json!([])));
    assert_eq!(Connector::find_certificates("056080000017".into()), Ok(Vec::new()));
}

#[test]
fn parcels_of_a_person_are_those_of_certificates_in_force_each_once() {
    let certificates = json!([
        certificate_data(1, &["345", "346"]),
        certificate_data(2, &["347"]),
        certificate_data(1, &["346", "348"]),
    ]);
    let host = host_answering(CERTIFICATES, done(certificates));
    host.answer("land", PARCEL, done(parcel_data("345")))
        .answer("land", PARCEL, refusal(404, "Không tìm thấy"))
        .answer("land", PARCEL, done(parcel_data("348")));
    assert_eq!(Connector::find_parcels("056080000017".into()), Ok(vec![parcel("345"), parcel("348")]));
    let asked: Vec<_> =
        host.requests().iter().skip(1).map(|request| request.parameters[2].1.clone()).collect();
    assert_eq!(asked, ["345", "346", "348"]);
    assert_eq!(host.lines().len(), 1);
}

#[test]
fn parcels_of_a_person_are_all_or_none() {
    let host = host_answering(CERTIFICATES, done(json!([certificate_data(1, &["345", "346"])])));
    host.answer("land", PARCEL, done(parcel_data("345"))).answer(
        "land",
        PARCEL,
        CallError::Timeout("late".into()),
    );
    assert!(matches!(Connector::find_parcels("056080000017".into()), Err(Problem::UpstreamTimeout(_))));
}

#[test]
fn a_dossier_is_sent_as_the_land_system_wants_it() {
    let host = host_answering(SEND, done(json!(1001)));
    assert_eq!(Connector::send_dossier(dossier()), Ok(Receipt { code: CODE.into(), number: 1001 }));
    assert_eq!(
        host.request().json_body(),
        json!({
            "LaQuyTrinhCapTinh": false, "TinhId": 56, "HuyenId": 0, "XaId": 22366, "SoBienNhan": CODE, "MaHoSoMotCua": CODE,
            "NguoiTiepNhan": "Lê Thị Bình", "NgayTiepNhan": "2025-07-01T08:30:00", "NgayHenTra": "2025-07-15T17:00:00",
            "DiaChiTaiSan": null,
            "ThongTinNguoiNopDon": {
                "HoTen": "Nguyễn Văn An", "SoChungMinh": "056080999999", "DiaChiChiTiet": null,
                "SoDienThoai": "0900000000", "Email": null,
            },
            "ThongTinQuyTrinh": { "MaQuyTrinh": "1.004227", "TenQuyTrinh": null },
            "ThongTinThuaDat": [
                { "SoThuTuThua": "345", "SoHieuBanDo": "12", "DienTich": 102.5, "DiaChiChiTiet": null },
            ],
            "DanhSachGiayToDinhKem": [{
                "TenGiayTo": "Đơn đăng ký", "SoBanChinh": 1, "SoBanSao": 0,
                "TapTin": { "name": "don.pdf", "data": "JVBERi0xLjQK" },
            }],
        })
    );
}

#[test]
fn faults_that_the_land_system_finds_point_into_the_dossier() {
    let message =
        "ThongTinNguoiNopDon.SoChungMinh: sai; ThongTinThuaDat[0].SoThuTuThua: thiếu; TinhId: không có";
    let _host = host_answering(SEND, refusal(400, message));
    let fault = |pointer: &str, detail: &str| Fault { pointer: pointer.into(), detail: detail.into() };
    assert_eq!(
        Connector::send_dossier(dossier()),
        Err(Problem::Invalid(vec![
            fault("/applicant/identityNumber", "sai"),
            fault("/parcels/0/number", "thiếu"),
            fault("", "TinhId: không có"),
        ]))
    );
}

#[test]
fn what_cannot_be_sent_never_reaches_the_land_system() {
    let host = host_answering(SEND, done(json!(1)));
    let mut late = dossier();
    late.due_at = "2025-02-30T08:00:00+07:00".into();
    assert_eq!(Connector::send_dossier(late), Err(Problem::fault("/dueAt", "this moment does not exist")));
    let mut large = dossier();
    large.papers.push(paper(&vec![0; (5 << 20) + 1]));
    let fault = Problem::fault("/papers/1/file/content", "the land system takes files of at most 5 MiB");
    assert_eq!(Connector::send_dossier(large), Err(fault));
    host.config("province-code", "Khánh Hòa");
    assert!(matches!(Connector::send_dossier(dossier()), Err(Problem::Unavailable(_))));
    assert!(host.requests().is_empty());
}

#[test]
fn a_file_of_the_largest_size_is_sent_whole() {
    let host = host_answering(SEND, done(json!(1)));
    let mut large = dossier();
    large.papers = vec![paper(&vec![7; 5 << 20])];
    assert!(Connector::send_dossier(large).is_ok());
    let sent = host.request().json_body();
    let data = sent["DanhSachGiayToDinhKem"][0]["TapTin"]["data"].as_str().unwrap();
    assert_eq!(truc_sdk::encoding::from_base64(data).unwrap(), vec![7; 5 << 20]);
}

#[test]
fn every_state_of_a_dossier_has_its_name() {
    let host = host_answering(STATE, Answer::new(503, ""));
    let with_state = |number: u8| {
        host.answer("land", STATE, done(json!({
            "SoBienNhan": CODE, "TrangThai": number, "TenTrangThai": "Đã tiếp nhận", "NgayTiepNhan": "2025-07-01T08:30:00",
            "NgayHenTra": "2025-07-15T17:00:00.123", "NgayCapNhat": "2025-07-01T01:30:00Z", "GhiChu": "",
        })));
        state()
    };
    assert!(matches!(state(), Err(Problem::Unavailable(_))));
    let states = [
        DossierState::Received,
        DossierState::NeedsSupplement,
        DossierState::Processing,
        DossierState::AwaitingPayment,
        DossierState::ResultReady,
        DossierState::HandedOver,
    ];
    for (number, state) in (1..).zip(states) {
        let expected = DossierStatus {
            code: CODE.into(),
            state,
            description: "Đã tiếp nhận".into(),
            received_at: "2025-07-01T08:30:00+07:00".into(),
            due_at: "2025-07-15T17:00:00+07:00".into(),
            changed_at: "2025-07-01T08:30:00+07:00".into(),
            note: None,
        };
        assert_eq!(with_state(number), Ok(expected));
    }
    assert!(matches!(with_state(7), Err(Problem::UpstreamFailed(_))));
}

#[test]
fn a_supplement_is_sent_as_the_land_system_wants_it() {
    let host = host_answering(SUPPLEMENT, done(json!(7)));
    let receipt = Receipt { code: CODE.into(), number: 7 };
    assert_eq!(Connector::supplement_dossier(CODE.into(), supplement()), Ok(receipt));
    assert_eq!(
        host.request().json_body(),
        json!({
            "SoBienNhan": CODE, "NgayHenTraMoi": "2025-07-20T17:00:00", "GhiChu": null,
            "DanhSachGiayToBoSung": [{
                "TenGiayTo": "Đơn đăng ký", "SoBanChinh": 1, "SoBanSao": 0,
                "TapTin": { "name": "don.pdf", "data": "JVBERi0xLjQK" },
            }],
        })
    );
    host.answer("land", SUPPLEMENT, refusal(409, "Hồ sơ không ở trạng thái chờ bổ sung"));
    let conflict = Problem::Conflict("Hồ sơ không ở trạng thái chờ bổ sung".into());
    assert_eq!(Connector::supplement_dossier(CODE.into(), supplement()), Err(conflict));
}

#[test]
fn a_hand_over_is_reported() {
    let host = host_answering(HAND_OVER, done(json!(3)));
    let report = || Connector::report_hand_over(CODE.into(), "2025-07-15T09:00:00+07:00".into());
    assert_eq!(report(), Ok(()));
    assert_eq!(host.request().json_body(), json!({ "SoBienNhan": CODE, "NgayTra": "2025-07-15T09:00:00" }));

    host.answer("land", HAND_OVER, refusal(400, "NgayTra: sai"));
    assert_eq!(report(), Err(Problem::fault("/handedOverAt", "sai")));
    let fault = Problem::fault("/handedOverAt", "this moment does not exist");
    assert_eq!(Connector::report_hand_over(CODE.into(), "today".into()), Err(fault));
}

#[test]
fn a_tax_result_is_read() {
    let notice = |tax: &str| {
        json!({
            "HoTenChu": "Nguyễn Văn An", "LoaiThue": tax, "SoThongBaoThue": "LTB25", "SoTien": 1_250_000,
            "DuongDanThongBaoThue": "/thongbaothue/2-LPTB.pdf",
        })
    };
    let result = |notices: Value| {
        done(json!({
            "SoBienNhan": CODE, "NguoiXuLy": "Chi cục Thuế", "NgayCoKetQuaThue": "2025-06-10T10:00:00", "GhiChu": "Gấp",
            "DanhSachThongBaoThue": notices,
        }))
    };
    let host = host_answering(TAX, result(json!([notice("LPTB"), notice("TNCN")])));
    let expected = |tax: Tax| TaxNotice {
        payer: "Nguyễn Văn An".into(),
        tax,
        number: "LTB25".into(),
        amount: Money { amount: 1_250_000, currency: "VND".into() },
        document: Some("/thongbaothue/2-LPTB.pdf".into()),
    };
    assert_eq!(
        Connector::get_tax_result(CODE.into()),
        Ok(TaxResult {
            code: CODE.into(),
            processed_by: "Chi cục Thuế".into(),
            assessed_at: "2025-06-10T10:00:00+07:00".into(),
            note: Some("Gấp".into()),
            notices: vec![expected(Tax::RegistrationFee), expected(Tax::IncomeTax)],
        })
    );
    host.answer("land", TAX, result(json!([notice("?")])));
    assert!(matches!(Connector::get_tax_result(CODE.into()), Err(Problem::UpstreamFailed(_))));
    host.answer("land", TAX, refusal(409, "Chưa có kết quả thuế"));
    assert!(matches!(Connector::get_tax_result(CODE.into()), Err(Problem::Conflict(_))));
}

#[test]
fn every_code_has_its_problem() {
    let host = host_answering(PARCEL, Answer::json(401, &refusal(401, "Sai token")));
    assert!(matches!(get_parcel(), Err(Problem::UpstreamFailed(_))));
    host.answer("land", PARCEL, refusal(404, "Không tìm thấy"));
    assert!(matches!(get_parcel(), Err(Problem::NotFound(_))));
    host.answer("land", PARCEL, refusal(409, "Trùng"));
    assert_eq!(get_parcel(), Err(Problem::Conflict("Trùng".into())));
    host.answer("land", PARCEL, refusal(500, "Lỗi hệ thống"));
    assert!(matches!(get_parcel(), Err(Problem::UpstreamFailed(_))));
    host.answer("land", PARCEL, refusal(77, "?"));
    assert_eq!(get_parcel(), Err(Problem::Rejected(Refusal { code: "77".into(), message: "?".into() })));
}

#[test]
fn failures_on_the_way_have_their_problems() {
    let host = host_answering(STATE, CallError::Timeout("no answer within 5 s".into()));
    host.answer("land", STATE, Answer::new(503, "simulated fault"));
    assert!(matches!(state(), Err(Problem::UpstreamTimeout(_))));
    assert!(matches!(state(), Err(Problem::Unavailable(_))));
    for failure in [
        Answer::from(CallError::Unreachable("connection refused".into())),
        CallError::Interrupted("closed".into()).into(),
        CallError::TooLarge(4 << 20).into(),
        CallError::Exhausted("64 calls".into()).into(),
        CallError::Denied("not bound".into()).into(),
        Answer::new(500, "simulated fault"),
        Answer::new(401, "simulated fault"),
        Answer::new(302, "").header("location", "http://127.0.0.1:9/"),
        Answer::new(200, "not JSON"),
        Answer::from(json!({ "data": 1 })),
        done(json!({ "SoBienNhan": CODE })).into(),
    ] {
        host.answer("land", STATE, failure.clone());
        assert!(matches!(state(), Err(Problem::UpstreamFailed(_))), "{failure:?}");
    }
}
