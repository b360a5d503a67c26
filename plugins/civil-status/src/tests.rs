//! Every operation against a scripted register: what is sent, what comes back, and each way to fail.

use serde_json::{Value, json};
use truc_sdk::Problem;
use truc_sdk::testing::{Answer, Host};
use truc_sdk::types::{Fault, Refusal};
use truc_sdk::upstream::CallError;

use crate::Connector;
use crate::bindings::exports::lgsp::civil_status::registry::*;

const REGISTER: &str = "POST /apiHoTichTuPhap/dangKyHoTich";
const STATE: &str = "POST /apiHoTichTuPhap/traTrangThaiHoSo";
const RESULT: &str = "POST /apiHoTichTuPhap/ketQuaDangKyHS";
const LIST: &str = "POST /apiHoTichTuPhap/dsHoSoDangKy";
const ONE: &str = "POST /apiHoTichTuPhap/traHoSo";
const SEVERAL: &str = "POST /apiHoTichTuPhap/traDanhSachHoSo";
const CODES: &str = "POST /apiHoTichTuPhap/danhMuc";

const DOSSIER: &str = "H56.14-250701-0001";

fn host() -> Host {
    let host = Host::new(include_str!("../connector.toml"));
    host.config("province-code", "56");
    host
}

fn host_answering(request: &str, answer: impl Into<Answer>) -> Host {
    let host = host();
    host.answer("registry", request, answer);
    host
}

fn done(value: Value) -> Value {
    json!({ "status": 1, "statusDescription": "Giao dịch thành công", "value": value, "errorCode": 0, "errorDescription": "" })
}

fn refusal(code: i64, text: &str) -> Value {
    json!({ "status": 0, "statusDescription": "Lỗi", "value": null, "errorCode": code, "errorDescription": text })
}

fn intake() -> Intake {
    Intake {
        dossier: DOSSIER.into(),
        receiving_unit: "00004".into(),
        received_on: "2025-07-01".into(),
        registration: Registration::InTime,
        copies: Some(2),
        note: None,
    }
}

fn requester() -> Requester {
    Requester {
        name: "Trần Thị Hoa".into(),
        relationship: "Mẹ".into(),
        paper: Some(Paper {
            kind: PaperKind::CitizenCard,
            number: "056195999999".into(),
            issued_on: Some("2021-05-10".into()),
            issued_by: Some("Cục Cảnh sát".into()),
        }),
        phone: Some("0900000000".into()),
        email: None,
    }
}

fn birth() -> BirthDossier {
    let parent = |name: &str, born: &str| Parent {
        name: name.into(),
        born: born.into(),
        ethnic_group: None,
        nationality: Some("Việt Nam".into()),
        residence: None,
        paper: Some(PaperNumber { kind: PaperKind::Passport, number: "C1234567".into() }),
    };
    BirthDossier {
        intake: intake(),
        birth_certificate: Some("GCS-17".into()),
        child: Child {
            name: "Nguyễn Minh An".into(),
            sex: Sex::Female,
            born: "2025-06-20".into(),
            place_of_birth: "Bệnh viện A & B".into(),
            province_of_birth: Some("56".into()),
            native_place: "Khánh Hòa".into(),
            ethnic_group: "Kinh".into(),
            nationality: "Việt Nam".into(),
        },
        mother: parent("Trần Thị Hoa", "1995"),
        father: Some(parent("Nguyễn Văn Bình", "1990-03")),
        requester: requester(),
    }
}

fn marriage() -> MarriageDossier {
    let spouse = |name: &str, number: &str| Spouse {
        name: name.into(),
        born: "1990-05-17".into(),
        ethnic_group: "Kinh".into(),
        nationality: "Việt Nam".into(),
        residence: Residence { kind: ResidenceKind::Permanent, address: "Nha Trang".into() },
        paper: Paper {
            kind: PaperKind::CitizenCard,
            number: number.into(),
            issued_on: None,
            issued_by: None,
        },
    };
    MarriageDossier {
        intake: intake(),
        husband: spouse("Lê Văn Bình", "056090000017"),
        wife: spouse("Phạm Thị Cúc", "056190000018"),
        requester: None,
    }
}

fn death() -> DeathDossier {
    DeathDossier {
        intake: intake(),
        deceased: Deceased {
            name: "Phạm Văn Cường".into(),
            sex: Sex::Male,
            born: "1940".into(),
            ethnic_group: "Kinh".into(),
            nationality: "Việt Nam".into(),
            residence: None,
            paper: None,
        },
        death: Death {
            died_on: "2025-06-28".into(),
            died_at: Some("04:30".into()),
            place: "Tại nhà".into(),
            cause: Some("Tuổi già".into()),
            notice: Some(DeathNotice {
                kind: NoticeKind::CourtDecision,
                number: "15/QĐ".into(),
                issued_on: "2025-06-29".into(),
                issued_by: "Tòa án".into(),
            }),
        },
        requester: requester(),
    }
}

fn check() -> Result<DossierStatus, Problem> {
    Connector::check_dossier(DOSSIER.into(), "22327".into())
}

fn result() -> Result<Entry, Problem> {
    Connector::get_result(DOSSIER.into(), "22327".into())
}

fn find() -> Result<Vec<EntryReference>, Problem> {
    Connector::find_entries(Event::Birth, "2025-07-01".into(), None)
}

/// A record of the register with these fields over those that every record has.
fn record(fields: Value) -> Value {
    let mut record = json!({
        "id": "100000017", "maDonVi": 4, "maHoSo": DOSSIER, "so": "17", "quyenSo": "01/2025", "trangSo": "17",
        "ngayDangKy": "02.07.2025", "noiDangKy": "Phường Ba Đình", "nguoiKy": "Lê Thị Bình", "chucVuNguoiKy": "Chủ tịch",
        "ngayCapNhat": "2025-07-02", "loaiDangKy": "1",
    });
    record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    record
}

fn birth_record() -> Value {
    record(json!({
        "module": "KS", "soDinhDanhCaNhan": "001325000017", "nksHoTen": "Nguyễn Minh An", "nksGioiTinh": "2",
        "nksNgaySinh": "20.06.2025", "nksNoiSinh": "Bệnh viện", "nksDanToc": "Kinh", "nksQuocTich": "", "meHoTen": "Trần Thị Hoa",
        "meNgaySinh": "1995", "meLoaiGiayToTuyThan": "4", "meSoGiayToTuyThan": "001195000018", "chaHoTen": null,
        "meNoiCuTru": "Hà Nội",
    }))
}

fn fault(pointer: &str, detail: &str) -> Fault {
    Fault { pointer: pointer.into(), detail: detail.into() }
}

#[test]
fn a_birth_is_sent_as_the_register_wants_it() {
    let host = host_answering(REGISTER, done(Value::Null));
    let receipt = Connector::register_birth(birth()).unwrap();
    let expected = Receipt {
        dossier: DOSSIER.into(),
        event: Event::Birth,
        accepted_at: "2025-07-01T08:30:00+07:00".into(),
    };
    assert_eq!(receipt, expected);
    let data = "<hotich><hoso><loaiDangKy>1</loaiDangKy><soLuongBanSao>2</soLuongBanSao><maGCS>GCS-17</maGCS>\
        <nksHoTen>Nguyễn Minh An</nksHoTen><nksGioiTinh>2</nksGioiTinh><nksNgaySinh>20.06.2025</nksNgaySinh>\
        <nksNoiSinh>Bệnh viện A &amp; B</nksNoiSinh><nksNoiSinhDVHC>56</nksNoiSinhDVHC><nksQueQuan>Khánh Hòa</nksQueQuan>\
        <nksDanToc>Kinh</nksDanToc><nksQuocTich>Việt Nam</nksQuocTich>\
        <meHoTen>Trần Thị Hoa</meHoTen><meNgaySinh>1995</meNgaySinh><meQuocTich>Việt Nam</meQuocTich>\
        <meLoaiGiayToTuyThan>2</meLoaiGiayToTuyThan><meSoGiayToTuyThan>C1234567</meSoGiayToTuyThan>\
        <chaHoTen>Nguyễn Văn Bình</chaHoTen><chaNgaySinh>03.1990</chaNgaySinh><chaQuocTich>Việt Nam</chaQuocTich>\
        <chaLoaiGiayToTuyThan>2</chaLoaiGiayToTuyThan><chaSoGiayToTuyThan>C1234567</chaSoGiayToTuyThan>\
        <nycHoTen>Trần Thị Hoa</nycHoTen><nycQuanHe>Mẹ</nycQuanHe><nycLoaiGiayToTuyThan>4</nycLoaiGiayToTuyThan>\
        <nycSoGiayToTuyThan>056195999999</nycSoGiayToTuyThan><nycNgayCapGiayToTuyThan>10.05.2021</nycNgayCapGiayToTuyThan>\
        <nycNoiCapGiayToTuyThan>Cục Cảnh sát</nycNoiCapGiayToTuyThan><nycSoDienThoai>0900000000</nycSoDienThoai></hoso></hotich>";
    assert_eq!(
        host.request().json_body(),
        json!({ "maDonVi": 4, "module": "KS", "maHoSo": DOSSIER, "ngayTiepNhan": "2025-07-01", "data": data })
    );
}

#[test]
fn a_marriage_is_sent_as_the_register_wants_it() {
    let host = host_answering(REGISTER, done(Value::Null));
    assert_eq!(Connector::register_marriage(marriage()).unwrap().event, Event::Marriage);
    let sent = host.request().json_body();
    assert_eq!(sent["module"], "KH");
    let person = |who: &str, name: &str, number: &str| {
        format!(
            "<{who}HoTen>{name}</{who}HoTen><{who}NgaySinh>17.05.1990</{who}NgaySinh><{who}DanToc>Kinh</{who}DanToc>\
             <{who}QuocTich>Việt Nam</{who}QuocTich><{who}LoaiCuTru>1</{who}LoaiCuTru><{who}NoiCuTru>Nha Trang</{who}NoiCuTru>\
             <{who}LoaiGiayToTuyThan>4</{who}LoaiGiayToTuyThan><{who}SoGiayToTuyThan>{number}</{who}SoGiayToTuyThan>"
        )
    };
    let expected = format!(
        "<hotich><hoso><loaiDangKy>1</loaiDangKy><soLuongBanSao>2</soLuongBanSao>{}{}</hoso></hotich>",
        person("chong", "Lê Văn Bình", "056090000017"),
        person("vo", "Phạm Thị Cúc", "056190000018"),
    );
    assert_eq!(sent["data"], expected);
}

#[test]
fn a_death_is_sent_as_the_register_wants_it() {
    let host = host_answering(REGISTER, done(Value::Null));
    assert_eq!(Connector::register_death(death()).unwrap().event, Event::Death);
    let sent = host.request().json_body();
    assert_eq!(sent["module"], "KT");
    let data = sent["data"].as_str().unwrap();
    let expected = "<nktHoTen>Phạm Văn Cường</nktHoTen><nktGioiTinh>1</nktGioiTinh><nktNgaySinh>1940</nktNgaySinh>\
        <nktDanToc>Kinh</nktDanToc><nktQuocTich>Việt Nam</nktQuocTich><nktNgayChet>28.06.2025</nktNgayChet>\
        <nktGioPhutChet>04:30</nktGioPhutChet><nktNoiChet>Tại nhà</nktNoiChet><nktNguyenNhanChet>Tuổi già</nktNguyenNhanChet>\
        <gbtLoai>2</gbtLoai><gbtSo>15/QĐ</gbtSo><gbtNgay>29.06.2025</gbtNgay><gbtCoQuanCap>Tòa án</gbtCoQuanCap>";
    assert!(data.contains(expected), "{data}");
}

#[test]
fn faults_that_the_register_finds_point_into_the_dossier() {
    let text = "DATA_INCORRECT - nksHoTen: thiếu; meNgaySinh: sai; maHoSo: quá dài; nycSoGiayToTuyThan: sai; data: quá lớn";
    let _host = host_answering(REGISTER, refusal(500, text));
    assert_eq!(
        Connector::register_birth(birth()),
        Err(Problem::Invalid(vec![
            fault("/child/name", "thiếu"),
            fault("/mother/born", "sai"),
            fault("/intake/dossier", "quá dài"),
            fault("/requester/paper/number", "sai"),
            fault("", "data: quá lớn"),
        ]))
    );
}

#[test]
fn faults_of_a_marriage_and_a_death_point_into_theirs() {
    let host = host_answering(REGISTER, refusal(500, "DATA_INCORRECT - voSoGiayToTuyThan: đã kết hôn"));
    host.answer("registry", REGISTER, refusal(500, "DATA_INCORRECT - nktNgayChet: ở tương lai; gbtSo: sai"));
    let married = Problem::fault("/wife/paper/number", "đã kết hôn");
    assert_eq!(Connector::register_marriage(marriage()), Err(married));
    let dead =
        Problem::Invalid(vec![fault("/death/diedOn", "ở tương lai"), fault("/death/notice/number", "sai")]);
    assert_eq!(Connector::register_death(death()), Err(dead));
}

#[test]
fn a_dossier_that_is_there_is_a_conflict() {
    let _host = host_answering(REGISTER, refusal(500, "DATA_INCORRECT - maHoSo: đã tồn tại"));
    assert!(matches!(Connector::register_birth(birth()), Err(Problem::Conflict(_))));
}

#[test]
fn what_cannot_be_sent_never_reaches_the_register() {
    let host = host();
    let mut dossier = birth();
    dossier.child.born = "2025-02-29".into();
    dossier.child.name = "An\u{1}".into();
    dossier.mother.born = "2025-13".into();
    let faults = vec![
        fault("/child/name", "the register cannot take the character U+0001"),
        fault("/child/born", "this date does not exist"),
        fault("/mother/born", "this date does not exist"),
    ];
    assert_eq!(Connector::register_birth(dossier), Err(Problem::Invalid(faults)));

    let mut dossier = birth();
    dossier.intake.received_on = "yesterday".into();
    let fault = Problem::fault("/intake/receivedOn", "this date does not exist");
    assert_eq!(Connector::register_birth(dossier), Err(fault));
    assert!(host.requests().is_empty());
}

#[test]
fn every_state_has_its_name() {
    let host = host();
    let states = [
        DossierState::Received,
        DossierState::NeedsSupplement,
        DossierState::Qualified,
        DossierState::Registered,
    ];
    for (number, state) in (1..).zip(states) {
        host.answer("registry", STATE, json!({ "status": number, "statusDescription": "…", "errorCode": 0 }));
        assert_eq!(check().unwrap().state, state);
    }
    host.answer("registry", STATE, json!({ "status": 9, "statusDescription": "…", "errorCode": 0 }));
    assert!(matches!(check(), Err(Problem::UpstreamFailed(_))));
    let sent = host.requests();
    assert_eq!(sent[0].json_body(), json!({ "maDonVi": 22327, "maHoSo": DOSSIER }));
}

#[test]
fn what_is_missing_points_into_the_dossier() {
    let text = "Hồ sơ cần bổ sung thông tin: nycSoGiayToTuyThan, chaHoTen";
    let _host = host_answering(STATE, json!({ "status": 2, "statusDescription": text, "errorCode": 0 }));
    let status = check().unwrap();
    assert_eq!((status.description.as_str(), status.dossier.as_str()), (text, DOSSIER));
    assert_eq!(status.missing, ["/requester/paper/number", "/father/name"]);
}

#[test]
fn a_birth_entry_is_read() {
    let host = host_answering(RESULT, done(json!([birth_record()])));
    let entry = result().unwrap();
    assert_eq!(host.request().json_body(), json!({ "maDonVi": 22327, "maHoSo": DOSSIER }));
    let nobody = |name: &str| Person {
        name: name.into(),
        sex: None,
        born: None,
        ethnic_group: None,
        nationality: None,
        residence: None,
        paper: None,
    };
    let expected = Entry {
        id: "100000017".into(),
        dossier: Some(DOSSIER.into()),
        unit: "00004".into(),
        number: "17".into(),
        book: "01/2025".into(),
        page: "17".into(),
        registered_on: "2025-07-02".into(),
        registered_at: "Phường Ba Đình".into(),
        signed_by: "Lê Thị Bình".into(),
        signer_title: "Chủ tịch".into(),
        changed_on: "2025-07-02".into(),
        registration: Some(Registration::InTime),
        details: Details::Birth(BirthDetails {
            child: Person {
                sex: Some(Sex::Female),
                born: Some("2025-06-20".into()),
                ethnic_group: Some("Kinh".into()),
                ..nobody("Nguyễn Minh An")
            },
            personal_id: Some("001325000017".into()),
            place_of_birth: Some("Bệnh viện".into()),
            native_place: None,
            mother: Some(Person {
                born: Some("1995".into()),
                residence: Some(Residence { kind: ResidenceKind::Unknown, address: "Hà Nội".into() }),
                paper: Some(PaperNumber { kind: PaperKind::CitizenCard, number: "001195000018".into() }),
                ..nobody("Trần Thị Hoa")
            }),
            father: None,
        }),
    };
    assert_eq!(entry, expected);
}

#[test]
fn a_marriage_and_a_death_entry_are_read() {
    let marriage =
        record(json!({ "module": "KH", "chongHoTen": "A", "voHoTen": "B", "voNgaySinh": "05.1991" }));
    let death = record(
        json!({ "module": "KT", "nktHoTen": "C", "nktNgayChet": "28.06.2025", "nktNguyenNhanChet": "Tuổi già" }),
    );
    let host = host_answering(ONE, done(json!([marriage])));
    host.answer("registry", ONE, done(json!([death])));

    let entry = Connector::get_entry(Event::Marriage, "200000012".into()).unwrap();
    let Details::Marriage(details) = entry.details else { panic!("{entry:?}") };
    assert_eq!((details.husband.name.as_str(), details.wife.born.as_deref()), ("A", Some("1991-05")));

    let entry = Connector::get_entry(Event::Death, "300000033".into()).unwrap();
    let Details::Death(details) = entry.details else { panic!("{entry:?}") };
    assert_eq!(
        (details.died_on.as_deref(), details.cause.as_deref()),
        (Some("2025-06-28"), Some("Tuổi già"))
    );

    let sent: Vec<_> = host.requests().iter().map(|request| request.json_body()).collect();
    assert_eq!(
        sent,
        [json!({ "module": "KH", "maHoSo": 200_000_012 }), json!({ "module": "KT", "maHoSo": 300_000_033 })]
    );
}

#[test]
fn a_record_that_makes_no_sense_is_the_registers_fault() {
    let host = host();
    let mut without_number = birth_record();
    without_number.as_object_mut().unwrap().remove("so");
    for strange in [
        done(json!([without_number])),
        done(json!([record(json!({ "module": "XX" }))])),
        done(json!([record(json!({ "module": "KS" }))])),
        done(json!([record(json!({ "module": "KS", "nksHoTen": "A", "nksNgaySinh": "31.02.2025" }))])),
        done(json!([record(json!({ "module": "KS", "nksHoTen": "A", "nksGioiTinh": "7" }))])),
        done(json!([record(json!({ "module": "KS", "nksHoTen": "A", "maDonVi": "4" }))])),
        done(json!([birth_record(), birth_record()])),
        done(json!({})),
        json!({}),
    ] {
        host.answer("registry", ONE, strange.clone());
        let answer = Connector::get_entry(Event::Birth, "1".into());
        assert!(matches!(answer, Err(Problem::UpstreamFailed(_))), "{strange}: {answer:?}");
    }
}

#[test]
fn an_entry_that_is_not_there_is_not_found() {
    let host = host_answering(ONE, refusal(201, "RECORD_NOT_FOUND"));
    host.answer("registry", ONE, done(json!([]))).answer("registry", ONE, done(Value::Null));
    for _ in 0..3 {
        assert!(matches!(Connector::get_entry(Event::Birth, "1".into()), Err(Problem::NotFound(_))));
    }
    assert_eq!(
        Connector::get_entry(Event::Birth, "one".into()),
        Err(Problem::fault("/id", "an entry's number has 1 to 18 digits"))
    );
}

#[test]
fn several_entries_are_asked_for_in_the_platforms_province() {
    let host = host_answering(SEVERAL, done(json!([birth_record()])));
    let entries = Connector::get_entries(Event::Birth, vec!["100000017".into(), "5".into()]).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["100000017"]);
    let expected = json!({ "maTinh": "56", "module": "KS", "dsMaHoSo": [100_000_017, 5] });
    assert_eq!(host.request().json_body(), expected);

    host.answer("registry", SEVERAL, refusal(201, "RECORD_NOT_FOUND"));
    assert_eq!(Connector::get_entries(Event::Birth, vec!["5".into()]), Ok(Vec::new()));
}

#[test]
fn entries_are_found_by_day() {
    let host = host_answering(LIST, done(json!([{ "id": "100000017", "maDonVi": 4 }])));
    host.answer("registry", LIST, done(json!([])));
    assert_eq!(find().unwrap(), [EntryReference { id: "100000017".into(), unit: "00004".into() }]);
    assert_eq!(Connector::find_entries(Event::Death, "2025-07-01".into(), Some("01".into())), Ok(Vec::new()));
    let sent: Vec<_> = host.requests().iter().map(|request| request.json_body()).collect();
    assert_eq!(
        sent,
        [
            json!({ "module": "KS", "ngayCapNhat": "2025-07-01", "maTinh": "56" }),
            json!({ "module": "KT", "ngayCapNhat": "2025-07-01", "maTinh": "01" }),
        ]
    );
    let fault = Problem::fault("/changedOn", "this date does not exist");
    assert_eq!(Connector::find_entries(Event::Birth, "2025-06-31".into(), None), Err(fault));
}

#[test]
fn a_province_is_the_callers_fault_only_if_the_caller_named_it() {
    let _host = host_answering(LIST, refusal(108, "PROVINCE_ID_INCORRECT"));
    assert!(matches!(find(), Err(Problem::Unavailable(_))));
    let named = Connector::find_entries(Event::Birth, "2025-07-01".into(), Some("99".into()));
    assert_eq!(named, Err(Problem::fault("/province", "the register knows no such province")));
}

#[test]
fn a_code_list_is_kept() {
    let host = host_answering(CODES, done(json!("[{\"ma\":\"01\",\"ten\":\"Kinh\"}]")));
    for _ in 0..2 {
        let codes = Connector::list_codes(CodeList::EthnicGroups).unwrap();
        assert_eq!(codes, [Code { code: "01".into(), name: "Kinh".into() }]);
    }
    assert_eq!(host.request().json_body(), json!({ "loaiDanhMuc": "3" }));

    // After an hour it is asked for again, and a list that is no list is the register's fault.
    host.set_now(1_751_333_400_000 + 3_600_000).answer("registry", CODES, done(json!("no list")));
    assert!(matches!(Connector::list_codes(CodeList::EthnicGroups), Err(Problem::UpstreamFailed(_))));
    assert_eq!(host.requests().len(), 2);
}

#[test]
fn an_operator_may_keep_no_code_list() {
    let host = host_answering(CODES, done(json!("[]")));
    host.config("code-list-seconds", 0);
    for _ in 0..2 {
        assert_eq!(Connector::list_codes(CodeList::Provinces), Ok(Vec::new()));
    }
    assert_eq!(host.requests().len(), 2);
}

#[test]
fn every_error_number_has_its_problem() {
    let host = host();
    let upstream_failed = |problem: &Problem| matches!(problem, Problem::UpstreamFailed(_));
    host.answer("registry", RESULT, Answer::json(401, &refusal(100, "AUTHEN_ERROR")));
    assert!(upstream_failed(&result().unwrap_err()));
    host.answer("registry", STATE, refusal(101, "IP_DISALLOWED"));
    assert!(upstream_failed(&check().unwrap_err()));
    host.answer("registry", REGISTER, refusal(106, "AGENCY_ID_INCORRECT"));
    let unknown_unit =
        |pointer: &str| Problem::fault(pointer, "the register knows no such commune-level unit");
    assert_eq!(Connector::register_birth(birth()), Err(unknown_unit("/intake/receivingUnit")));

    let host = host_answering(STATE, refusal(106, "AGENCY_ID_INCORRECT"));
    assert_eq!(check(), Err(unknown_unit("/receivingUnit")));
    host.answer("registry", RESULT, refusal(200, "RECORD_UNCOMPLETE"));
    assert!(matches!(result(), Err(Problem::Conflict(_))));

    let other =
        |code: &str, message: &str| Problem::Rejected(Refusal { code: code.into(), message: message.into() });
    let host = host_answering(CODES, refusal(302, "DATA_TYPE_INVALID"));
    assert_eq!(Connector::list_codes(CodeList::Countries), Err(other("302", "DATA_TYPE_INVALID")));
    host.answer("registry", ONE, refusal(500, "DATA_INCORRECT"));
    assert_eq!(Connector::get_entry(Event::Birth, "1".into()), Err(other("500", "DATA_INCORRECT")));
    host.answer("registry", SEVERAL, refusal(999, "?"));
    assert_eq!(Connector::get_entries(Event::Birth, vec!["1".into()]), Err(other("999", "?")));
}

#[test]
fn failures_on_the_way_have_their_problems() {
    let host = host();
    host.answer("registry", STATE, CallError::Timeout("no answer within 5 s".into()))
        .answer("registry", STATE, CallError::Unreachable("connection refused".into()))
        .answer("registry", STATE, CallError::Interrupted("closed".into()))
        .answer("registry", STATE, Answer::new(503, "simulated fault"))
        .answer("registry", STATE, Answer::new(500, "simulated fault"))
        .answer("registry", STATE, Answer::new(401, "simulated fault"))
        .answer("registry", STATE, Answer::new(200, "not JSON"))
        .answer("registry", STATE, Answer::new(302, "").header("location", "http://127.0.0.1:9/"));
    assert!(matches!(check(), Err(Problem::UpstreamTimeout(_))));
    assert!(matches!(check(), Err(Problem::UpstreamFailed(_))));
    assert!(matches!(check(), Err(Problem::UpstreamFailed(_))));
    assert!(matches!(check(), Err(Problem::Unavailable(_))));
    for _ in 0..4 {
        assert!(matches!(check(), Err(Problem::UpstreamFailed(_))));
    }
}
