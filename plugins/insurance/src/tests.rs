//! Each operation against a scripted system: what is sent, what is made of the answer, and every refusal.

use serde_json::{Value, json};
use truc_sdk::Problem;
use truc_sdk::testing::{Answer, Host};
use truc_sdk::types::Fault;
use truc_sdk::upstream::CallError;

use super::Connector;
use super::bindings::exports::lgsp::insurance::members::*;

const NUMBER: &str = "POST /apiBHXH/getMaSoBhxhTheoTieuChi";
const HOUSEHOLD: &str = "POST /apiBHXH/getTraCuuTtHgdByMaSoBhxh";
const SEARCH: &str = "POST /apiBHXH/getTraCuuThongTinHgd";
const CARD: &str = "POST /apiBHXH/getThongTinTheBhyt";

fn host(request: &str, answer: impl Into<Answer>) -> Host {
    let host = Host::new(include_str!("../connector.toml"));
    host.answer("bhxh", request, answer);
    host
}

fn born() -> BirthDate {
    BirthDate { date: "1980-05-17".into(), precision: DatePrecision::Day }
}

fn person() -> PersonCriteria {
    PersonCriteria {
        name: "Nguyễn Văn An".into(),
        born: born(),
        sex: Sex::Male,
        place: Place { kind: PlaceKind::Household, province: "56".into(), commune: Some("22327".into()) },
    }
}

fn card(on: Option<&str>) -> CardQuery {
    CardQuery {
        number: "GD4565600000017".into(),
        name: "Nguyễn Văn An".into(),
        born: born(),
        on: on.map(Into::into),
    }
}

fn refusal(code: &str, message: &str) -> Value {
    json!({ "maSoBhxh": "", "trangThai": "0", "errorCode": code, "errorMessage": message })
}

fn household_answer() -> Value {
    json!({
        "hoTen": "Nguyễn Văn An", "soSoCu": "", "ngaySinh": "19800517", "loaiNgaySinh": "0", "gioiTinh": "1",
        "maTinhKs": "56", "maHuyenKs": "", "maXaKs": "22327", "trangThai": "1", "maHo": "5600000012",
        "diaChi": "Số 12, đường Lê Lợi", "errorCode": "", "errorMessage": "",
        "thanhVien": [
            { "maSo": "5600000017", "hoTen": "Nguyễn Văn An", "ngaySinh": "19800517", "loaiNgaySinh": "0",
              "gioiTinh": "1", "quanHe": "01", "trangThai": "1" },
            { "maSo": "5600000018", "hoTen": "Trần Thị Hoa", "ngaySinh": "1982", "loaiNgaySinh": "1",
              "gioiTinh": "2", "quanHe": "02", "trangThai": "3" },
        ],
    })
}

fn card_answer(result: &str) -> Value {
    json!({
        "maKetQua": result, "moTaKetQua": "…", "maThe": "GD4565600000017", "hoTen": "Nguyễn Văn An",
        "ngaySinh": "19800517", "gioiTinh": "1", "gtTheTu": "20250101", "gtTheDen": "20251231", "maDKBD": "56001",
        "tenDKBD": "Bệnh viện đa khoa", "maKV": "", "trangThai": "1", "errorCode": "", "errorMessage": "",
    })
}

#[test]
fn a_number_is_found_by_criteria() {
    let answer = json!({ "maSoBhxh": "5600000017", "trangThai": "1", "errorCode": "", "errorMessage": "" });
    let host = host(NUMBER, answer);

    let found = Connector::find_number(person());

    assert_eq!(found, Ok(Identified { insurance_number: "5600000017".into() }));
    let expected = json!({
        "hoTen": "Nguyễn Văn An", "ngaySinh": "19800517", "loaiNgaySinh": "0", "gioiTinh": "1", "maTinhKs": "56",
        "maHuyenKs": "", "maXaKs": "22327", "isKs": "0",
    });
    assert_eq!(host.request().json_body(), expected);
}

#[test]
fn a_household_is_found_by_number() {
    let host = host(HOUSEHOLD, household_answer());

    let household = Connector::get_household("5600000017".into()).unwrap();

    assert_eq!(host.request().json_body(), json!({ "maSoBhxh": "5600000017" }));
    assert_eq!(
        (household.number.as_str(), household.address.as_str()),
        ("5600000012", "Số 12, đường Lê Lợi")
    );
    assert_eq!(household.members.len(), 2);
    let spouse = Member {
        insurance_number: "5600000018".into(),
        name: "Trần Thị Hoa".into(),
        born: BirthDate { date: "1982-01-01".into(), precision: DatePrecision::Year },
        sex: Sex::Female,
        kinship: Kinship::Spouse,
        participation: Participation::Ended,
    };
    assert_eq!(household.members.last(), Some(&spouse));
}

#[test]
fn a_household_found_by_criteria_comes_with_all_members() {
    let host = host(
        SEARCH,
        json!({ "maSo": "5600000017", "maHo": "5600000012", "errorCode": "", "errorMessage": "" }),
    );
    host.answer("bhxh", HOUSEHOLD, household_answer());

    let criteria = HouseholdCriteria {
        name: "Nguyễn Văn An".into(),
        born: BirthDate { date: "1980-05-01".into(), precision: DatePrecision::Month },
        sex: Sex::Male,
        place: PlaceKind::BirthRegistration,
        province: "56".into(),
        insurance_number: None,
        card_number: Some("GD4565600000017".into()),
    };
    let household = Connector::find_household(criteria).unwrap();

    assert_eq!(household.members.len(), 2);
    let sent: Vec<Value> = host.requests().iter().map(|request| request.json_body()).collect();
    let search = json!({
        "maTinh": "56", "hoTen": "Nguyễn Văn An", "ngaySinh": "198005", "loaiNgaySinh": "2", "gioiTinh": "1",
        "soSo": "", "maThe": "GD4565600000017", "isKs": "1",
    });
    assert_eq!(sent, [search, json!({ "maSoBhxh": "5600000017" })]);
}

#[test]
fn a_card_is_judged_by_the_day_in_question() {
    let host = host(CARD, card_answer("000"));
    // The host's clock stands at 2025-07-01; the system's own verdict counts for that day only.
    for (on, valid) in
        [(None, true), (Some("2025-12-31"), true), (Some("2026-01-01"), false), (Some("2024-12-31"), false)]
    {
        let validity = Connector::check_card(card(on)).unwrap();
        assert_eq!((validity.on.as_str(), validity.valid), (on.unwrap_or("2025-07-01"), valid));
    }
    let expected = json!({ "maThe": "GD4565600000017", "hoTen": "Nguyễn Văn An", "ngaySinh": "19800517" });
    assert_eq!(host.requests().first().unwrap().json_body(), expected);
}

#[test]
fn a_card_that_is_not_valid_today_still_has_its_dates() {
    let _host = host(CARD, card_answer("010"));
    let validity = Connector::check_card(card(Some("2025-03-01"))).unwrap();
    let expected = CardValidity {
        on: "2025-03-01".into(),
        valid: true,
        valid_from: "2025-01-01".into(),
        valid_until: "2025-12-31".into(),
        facility: Facility { code: "56001".into(), name: "Bệnh viện đa khoa".into() },
    };
    assert_eq!(validity, expected);
}

#[test]
fn a_card_of_someone_else_is_refused() {
    let cases = [
        ("050", Problem::not_found("there is no card with this number")),
        ("060", Problem::fault("/name", "is not the name of the card's holder")),
        ("070", Problem::fault("/born/date", "is not the date of birth of the card's holder")),
        ("099", Problem::rejected("099", "…")),
    ];
    for (result, problem) in cases {
        let _host = host(CARD, card_answer(result));
        assert_eq!(Connector::check_card(card(None)), Err(problem));
    }
}

#[test]
fn faults_point_into_the_contracts_request() {
    let message = "ngaySinh: phải là ngày; maXaKs: không có trong danh mục; maVung: thiếu";
    let _host = host(NUMBER, refusal("400", message));
    let fault = |pointer: &str, detail: &str| Fault { pointer: pointer.into(), detail: detail.into() };
    let expected = Problem::Invalid(vec![
        fault("/born/date", "phải là ngày"),
        fault("/place/commune", "không có trong danh mục"),
        fault("", "maVung: thiếu"),
    ]);
    assert_eq!(Connector::find_number(person()), Err(expected));
}

#[test]
fn refusals_become_problems() {
    let cases = [
        ("404", Problem::not_found("nobody is insured under these particulars")),
        ("409", Problem::fault("", "fits several persons: give more criteria")),
        ("500", Problem::rejected("500", "lỗi")),
    ];
    for (code, problem) in cases {
        let _host = host(NUMBER, refusal(code, "lỗi"));
        assert_eq!(Connector::find_number(person()), Err(problem));
    }
}

#[test]
fn failures_of_the_system_become_problems() {
    let unknown_sex = {
        let mut answer = household_answer();
        answer["thanhVien"][0]["gioiTinh"] = json!("7");
        answer
    };
    let household = |answer: Answer| {
        let _host = host(HOUSEHOLD, answer);
        Connector::get_household("5600000017".into())
    };
    assert!(matches!(household(CallError::Timeout("late".into()).into()), Err(Problem::UpstreamTimeout(_))));
    assert!(matches!(household(Answer::new(503, "")), Err(Problem::Unavailable(_))));
    assert!(matches!(household(Answer::new(401, "")), Err(Problem::UpstreamFailed(_))));
    assert!(matches!(household(Answer::new(200, "<html>")), Err(Problem::UpstreamFailed(_))));
    assert!(matches!(household(unknown_sex.into()), Err(Problem::UpstreamFailed(_))));
}

#[test]
fn a_date_that_does_not_exist_never_reaches_the_system() {
    let host = host(CARD, card_answer("000"));
    let answer = Connector::check_card(card(Some("2025-02-30")));
    assert_eq!(answer, Err(Problem::fault("/on", "is no date that exists")));
    assert!(host.requests().is_empty());
}
