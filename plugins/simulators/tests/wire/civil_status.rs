//! Civil status.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use truc_simulators::{Progress, System};

use crate::client::Bench;

const CIVIL: System = System::CivilStatus;
const UNIT: u32 = 22_366;

fn path(operation: &str) -> String {
    format!("/apiHoTichTuPhap/{operation}")
}

async fn ask(bench: &Bench, operation: &str, body: Value) -> Value {
    bench.post(CIVIL, &path(operation), body).await
}

fn xml(fields: &[(&str, &str)]) -> String {
    let fields: String = fields.iter().map(|(name, value)| format!("<{name}>{value}</{name}>")).collect();
    format!("<hotich><hoso>{fields}</hoso></hotich>")
}

fn birth() -> Vec<(&'static str, &'static str)> {
    vec![
        ("loaiDangKy", "1"),
        ("nksHoTen", "Nguyễn Minh An"),
        ("nksGioiTinh", "2"),
        ("nksNgaySinh", "20.06.2025"),
        ("nksNoiSinh", "Bệnh viện"),
        ("nksQueQuan", "Phường Nha Trang"),
        ("nksDanToc", "Kinh"),
        ("nksQuocTich", "Việt Nam"),
        ("meHoTen", "Trần Thị Hoa"),
        ("meNgaySinh", "05.1995"),
        ("nycHoTen", "Trần Thị Hoa"),
        ("nycQuanHe", "Mẹ"),
        ("nycLoaiGiayToTuyThan", "2"),
        ("nycSoGiayToTuyThan", "B1234567"),
    ]
}

fn submission(module: &str, dossier: &str, data: &str) -> Value {
    json!({"maDonVi": UNIT, "module": module, "maHoSo": dossier, "ngayTiepNhan": "2025-07-01", "data": data})
}

fn marriage(husband: &Value, wife: &Value) -> String {
    let mut fields = vec![("loaiDangKy".to_owned(), "1".to_owned())];
    for (who, person) in [("chong", husband), ("vo", wife)] {
        let text = |name: &str| person[name].as_str().unwrap().to_owned();
        for (field, value) in [
            ("HoTen", text("name")),
            ("NgaySinh", text("birthDate")[..4].to_owned()),
            ("DanToc", text("ethnicGroup")),
            ("QuocTich", "Việt Nam".to_owned()),
            ("NoiCuTru", text("address")),
            ("LoaiGiayToTuyThan", "4".to_owned()),
            ("SoGiayToTuyThan", text("id")),
        ] {
            fields.push((format!("{who}{field}"), value));
        }
    }
    fields.push(("nycSoGiayToTuyThan".to_owned(), "B1".to_owned()));
    xml(&fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
}

fn death(person: &Value) -> String {
    let text = |name: &str| person[name].as_str().unwrap();
    xml(&[
        ("loaiDangKy", "1"),
        ("nktHoTen", text("name")),
        ("nktGioiTinh", text("genderCode")),
        ("nktNgaySinh", &text("birthDate")[..4]),
        ("nktDanToc", text("ethnicGroup")),
        ("nktQuocTich", "Việt Nam"),
        ("nktLoaiGiayToTuyThan", "4"),
        ("nktSoGiayToTuyThan", text("id")),
        ("nktNgayChet", "30.06.2025"),
        ("nktGioPhutChet", "07:45"),
        ("nktNoiChet", "Tại nhà"),
        ("nycHoTen", "Người báo"),
        ("nycQuanHe", "Con"),
        ("nycSoGiayToTuyThan", "B2"),
    ])
}

#[tokio::test]
async fn a_birth_is_registered_and_found() {
    let bench = Bench::new().await;
    let sent = ask(&bench, "dangKyHoTich", submission("KS", "H56.14-250701-0001", &xml(&birth()))).await;
    assert_eq!(
        sent,
        json!({"status": 1, "statusDescription": "Gửi thông tin thành công", "value": null, "errorCode": 0,
               "errorDescription": ""})
    );
    let wanted = json!({"maDonVi": UNIT.to_string(), "maHoSo": "H56.14-250701-0001"});
    let early = ask(&bench, "ketQuaDangKyHS", wanted.clone()).await;
    assert_eq!((&early["status"], &early["errorCode"]), (&json!(0), &json!(200)));
    let mut states = Vec::new();
    for _ in 0..4 {
        states.push(ask(&bench, "traTrangThaiHoSo", wanted.clone()).await["status"].as_u64().unwrap());
    }
    assert_eq!(states, [1, 3, 4, 4]);

    let result = ask(&bench, "ketQuaDangKyHS", wanted).await;
    let record = &result["value"][0];
    assert_eq!(record["nksHoTen"], "Nguyễn Minh An");
    assert_eq!(record["ngayDangKy"], "01.07.2025");
    let id = record["soDinhDanhCaNhan"].as_str().unwrap();
    assert_eq!((&id[..6], id.len()), ("056325", 12), "Khánh Hòa, girl of this century, 2025");

    let by_number = ask(&bench, "traHoSo", json!({"module": "KS", "maHoSo": record["id"]})).await;
    assert_eq!(&by_number["value"][0], record);
    let changed = ask(&bench, "dsHoSoDangKy", json!({"module": "KS", "ngayCapNhat": "2025-07-01"})).await;
    let listed = json!({"id": record["id"], "maDonVi": UNIT});
    assert!(changed["value"].as_array().unwrap().contains(&listed), "{changed}");
    let again = ask(&bench, "dangKyHoTich", submission("KS", "H56.14-250701-0001", &xml(&birth()))).await;
    assert_eq!(again["errorDescription"], "DATA_INCORRECT - maHoSo: đã tồn tại");
}

#[tokio::test]
async fn a_dossier_waits_for_its_supplement() {
    let bench = Bench::with(|options| options.progress = Progress::Seconds(10)).await;
    let mut fields = birth();
    fields.truncate(fields.len() - 2);
    ask(&bench, "dangKyHoTich", submission("KS", "D-1", &xml(&fields))).await;
    let wanted = json!({"maDonVi": UNIT, "maHoSo": "D-1"});
    assert_eq!(ask(&bench, "traTrangThaiHoSo", wanted.clone()).await["status"], 1);
    bench.wait(3600);
    let waiting = ask(&bench, "traTrangThaiHoSo", wanted.clone()).await;
    assert_eq!(waiting["status"], 2);
    assert_eq!(waiting["statusDescription"], "Hồ sơ cần bổ sung thông tin: nycSoGiayToTuyThan");

    let sent = ask(&bench, "dangKyHoTich", submission("KS", "D-1", &xml(&birth()))).await;
    assert_eq!(sent["status"], 1);
    bench.wait(3600 + 20);
    assert_eq!(ask(&bench, "traTrangThaiHoSo", wanted).await["status"], 4);
}

#[tokio::test]
async fn marriages_and_deaths_stand_against_each_other() {
    let bench = Bench::new().await;
    let samples = bench.samples().await;
    let (man, woman) = (&samples["singles"]["man"], &samples["singles"]["woman"]);
    let register = async |module: &str, dossier: &str, data: &str| {
        let sent = ask(&bench, "dangKyHoTich", submission(module, dossier, data)).await;
        for _ in 0..3 {
            ask(&bench, "traTrangThaiHoSo", json!({"maDonVi": UNIT, "maHoSo": dossier})).await;
        }
        sent["errorDescription"].as_str().unwrap().to_owned()
    };
    assert_eq!(register("KH", "M-1", &marriage(man, woman)).await, "");
    let twice = register("KH", "M-2", &marriage(man, woman)).await;
    assert_eq!(
        twice,
        "DATA_INCORRECT - chongSoGiayToTuyThan: đang có vợ hoặc có chồng; voSoGiayToTuyThan: đang có vợ hoặc có chồng"
    );
    let husband = &samples["couple"]["husband"];
    let bigamy = register("KH", "M-3", &marriage(husband, &samples["singles"]["woman"])).await;
    assert!(bigamy.contains("chongSoGiayToTuyThan: đang có"), "{bigamy}");

    assert_eq!(register("KT", "T-1", &death(man)).await, "");
    assert_eq!(
        register("KT", "T-2", &death(man)).await,
        "DATA_INCORRECT - nktSoGiayToTuyThan: đã đăng ký khai tử"
    );
    let long_dead = register("KT", "T-3", &death(&samples["deceased"])).await;
    assert!(long_dead.contains("đã đăng ký khai tử"), "{long_dead}");
    let record = ask(&bench, "ketQuaDangKyHS", json!({"maDonVi": UNIT, "maHoSo": "T-1"})).await;
    assert_eq!(record["value"][0]["nktSoGiayToTuyThan"], man["id"]);
}

#[tokio::test]
async fn every_fault_of_a_registration_is_listed() {
    let bench = Bench::new().await;
    let change = |name: &str, value: &'static str| {
        let mut fields = birth();
        fields.iter_mut().find(|field| field.0 == name).unwrap().1 = value;
        xml(&fields)
    };
    let samples = bench.samples().await;
    let mut stranger = birth();
    let id = samples["citizens"][0]["id"].as_str().unwrap();
    stranger.extend([("meLoaiGiayToTuyThan", "4"), ("meSoGiayToTuyThan", id)]);
    for (data, expected) in [
        (change("nksNgaySinh", "2025-06-20"), "nksNgaySinh: phải là ngày dd.MM.yyyy"),
        (change("nksNgaySinh", "02.07.2025"), "nksNgaySinh: ở trong tương lai"),
        (change("nksNgaySinh", "31.12.1899"), "nksNgaySinh: trước năm 1900"),
        (change("nksGioiTinh", "4"), "nksGioiTinh: phải là mã từ 1 đến 3"),
        (change("nksDanToc", "Sao Hỏa"), "nksDanToc: không có trong danh mục dân tộc"),
        (change("meNgaySinh", "1995.05"), "meNgaySinh: phải là ngày dd.MM.yyyy, MM.yyyy hoặc yyyy"),
        (change("nksHoTen", ""), "nksHoTen: thiếu"),
        (xml(&stranger), "meSoGiayToTuyThan: không khớp với họ tên"),
        (
            xml(&[birth(), vec![("chongHoTen", "x")]].concat()),
            "data: phần tử chongHoTen không có trong nghiệp vụ KS",
        ),
        ("<hotich>".to_owned(), "data: không phải XML: kết thúc giữa chừng"),
        ("<!DOCTYPE x><hotich/>".to_owned(), "data: không được có khai báo DOCTYPE"),
    ] {
        let answer = ask(&bench, "dangKyHoTich", submission("KS", "D-2", &data)).await;
        assert_eq!((&answer["status"], &answer["errorCode"]), (&json!(0), &json!(500)));
        assert_eq!(answer["errorDescription"], format!("DATA_INCORRECT - {expected}"));
    }
    let empty = ask(&bench, "dangKyHoTich", json!({"maDonVi": UNIT, "module": "LL"})).await;
    assert_eq!(
        empty["errorDescription"],
        "DATA_INCORRECT - module: phải là một trong: KS, KH, KT; maHoSo: thiếu; ngayTiepNhan: thiếu; data: thiếu"
    );
}

#[tokio::test]
async fn error_numbers() {
    let bench = Bench::new().await;
    for (operation, body, code, name) in [
        ("traTrangThaiHoSo", json!({"maDonVi": 99_999, "maHoSo": "x"}), 106, "AGENCY_ID_INCORRECT"),
        ("dangKyHoTich", json!({}), 106, "AGENCY_ID_INCORRECT"),
        (
            "dsHoSoDangKy",
            json!({"module": "KS", "ngayCapNhat": "2025-01-01", "maTinh": "02"}),
            108,
            "PROVINCE_ID",
        ),
        ("traDanhSachHoSo", json!({"module": "KS", "dsMaHoSo": [1]}), 108, "PROVINCE_ID_INCORRECT"),
        (
            "ketQuaDangKyHS",
            json!({"maDonVi": UNIT, "maHoSo": "H56.14-250630-0001"}),
            200,
            "RECORD_UNCOMPLETE",
        ),
        ("ketQuaDangKyHS", json!({"maDonVi": 4, "maHoSo": "H56.14-250630-0003"}), 201, "RECORD_NOT_FOUND"),
        ("traTrangThaiHoSo", json!({"maDonVi": UNIT, "maHoSo": "none"}), 201, "RECORD_NOT_FOUND"),
        ("traHoSo", json!({"module": "KH", "maHoSo": 100_000_000}), 201, "RECORD_NOT_FOUND"),
        (
            "traDanhSachHoSo",
            json!({"maTinh": "56", "module": "KS", "dsMaHoSo": [7]}),
            201,
            "RECORD_NOT_FOUND",
        ),
        ("danhMuc", json!({"loaiDanhMuc": "6"}), 302, "DATA_TYPE_INVALID"),
        ("traHoSo", json!({"module": "KX", "maHoSo": 1}), 500, "DATA_INCORRECT"),
        ("traDanhSachHoSo", json!({"maTinh": "56", "module": "KS", "dsMaHoSo": []}), 500, "DATA_INCORRECT"),
        ("dsHoSoDangKy", json!({"module": "KS", "ngayCapNhat": "01/01/2025"}), 500, "DATA_INCORRECT"),
    ] {
        let answer = bench.call(CIVIL, Method::POST, &path(operation), &body).await;
        assert_eq!(answer.status, StatusCode::OK);
        let answer = answer.json();
        assert_eq!(
            (&answer["status"], &answer["errorCode"]),
            (&json!(0), &json!(code)),
            "{operation} {body}"
        );
        assert!(answer["errorDescription"].as_str().unwrap().starts_with(name), "{answer}");
        assert_eq!(answer["value"], Value::Null);
    }
}

#[tokio::test]
async fn dossiers_of_the_start_stand_still() {
    let bench = Bench::new().await;
    let samples = bench.samples().await;
    let dossiers = &samples["civilStatusDossiers"];
    for (name, state) in [("received", 1), ("needsSupplement", 2), ("registered", 4)] {
        for _ in 0..3 {
            let body = json!({"maDonVi": dossiers["agencyUnit"], "maHoSo": dossiers[name]});
            assert_eq!(ask(&bench, "traTrangThaiHoSo", body).await["status"], state, "{name}");
        }
    }
    let old = &samples["births"][0];
    let body = json!({"maDonVi": old["agencyUnit"], "maHoSo": old["dossier"]});
    assert_eq!(ask(&bench, "traTrangThaiHoSo", body).await["status"], 4);
}

#[tokio::test]
async fn several_records_at_once() {
    let bench = Bench::new().await;
    let samples = bench.samples().await;
    let marriage = &samples["marriages"][0];
    let body =
        json!({"maTinh": marriage["province"], "module": "KH", "dsMaHoSo": [marriage["id"], 1, "200009999"]});
    let found = ask(&bench, "traDanhSachHoSo", body).await;
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    assert_eq!(found["value"][0]["chongSoGiayToTuyThan"], marriage["person"]);
}

#[tokio::test]
async fn code_lists_are_json_in_a_string() {
    let bench = Bench::new().await;
    for (kind, length, first) in [
        ("1", 30, "Việt Nam"),
        ("2", 30, "Việt Nam"),
        ("3", 54, "Kinh"),
        ("4", 34, "Thành phố Hà Nội"),
        ("5", 9, ""),
    ] {
        let answer = ask(&bench, "danhMuc", json!({"loaiDanhMuc": kind})).await;
        let list: Vec<Value> = serde_json::from_str(answer["value"].as_str().unwrap()).unwrap();
        assert_eq!(list.len(), length);
        assert!(list[0]["ten"].as_str().unwrap().starts_with(first) && list[0]["ma"].is_string());
    }
}

#[tokio::test]
async fn tokens_are_given_to_the_client_and_end() {
    let bench = Bench::new().await;
    let wrong = bench.ask_token("truc-demo", "wrong", "client_credentials").await;
    assert_eq!((wrong.status, wrong.json()), (StatusCode::UNAUTHORIZED, json!({"error": "invalid_client"})));
    let password = bench.ask_token("truc-demo", "simulated-civil-status-secret", "password").await;
    assert_eq!(password.status, StatusCode::BAD_REQUEST);
    assert_eq!(password.json(), json!({"error": "unsupported_grant_type"}));

    let token = format!("Bearer {}", bench.token().await);
    let call = || bench.with_credential(CIVIL, "/apiHoTichTuPhap/danhMuc", ("authorization", &token));
    assert_eq!(call().await.status, StatusCode::OK);
    bench.wait(299);
    assert_eq!(call().await.status, StatusCode::OK);
    bench.wait(300);
    let late = call().await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
    assert_eq!(late.headers["www-authenticate"], "Bearer");
    let late = late.json();
    assert_eq!(late["errorCode"], 100);
    assert!(late["errorDescription"].as_str().unwrap().starts_with("AUTHEN_ERROR"));
    let none = bench.with_credential(CIVIL, "/apiHoTichTuPhap/danhMuc", ("x-other", "1")).await;
    assert_eq!(none.status, StatusCode::UNAUTHORIZED);
}
