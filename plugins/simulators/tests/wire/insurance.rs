//! Insurance.

use hyper::StatusCode;
use serde_json::{Value, json};
use truc_simulators::System;

use crate::client::{Bench, basic};

async fn ask(bench: &Bench, operation: &str, body: Value) -> Value {
    bench.post(System::Insurance, &format!("/apiBHXH/{operation}"), body).await
}

fn criteria(person: &Value) -> Value {
    json!({
        "hoTen": person["name"], "ngaySinh": person["compactBirthDate"], "loaiNgaySinh": "0",
        "gioiTinh": person["genderCode"], "maTinhKs": person["province"], "isKs": "0",
    })
}

#[tokio::test]
async fn a_number_is_found_by_criteria() {
    let bench = Bench::new().await;
    let samples = bench.samples().await;
    for person in samples["citizens"].as_array().unwrap() {
        let found = ask(&bench, "getMaSoBhxhTheoTieuChi", criteria(person)).await;
        let number = &person["insuranceNumber"];
        assert_eq!(found, json!({"maSoBhxh": number, "trangThai": "1", "errorCode": "", "errorMessage": ""}));
        let mut by_birth = criteria(person);
        by_birth["isKs"] = json!("1");
        by_birth["maTinhKs"] = person["birthProvince"].clone();
        by_birth["hoTen"] = json!(person["name"].as_str().unwrap().to_uppercase());
        assert_eq!(&ask(&bench, "getMaSoBhxhTheoTieuChi", by_birth).await["maSoBhxh"], number);
    }
    let person = &samples["citizens"][0];
    let mut partial = criteria(person);
    partial["ngaySinh"] = json!(person["compactBirthDate"].as_str().unwrap()[..6]);
    partial["loaiNgaySinh"] = json!("2");
    partial["maXaKs"] = person["ward"].clone();
    assert_eq!(
        ask(&bench, "getMaSoBhxhTheoTieuChi", partial.clone()).await["maSoBhxh"],
        person["insuranceNumber"]
    );
    partial["maXaKs"] = json!("00004");
    assert_eq!(ask(&bench, "getMaSoBhxhTheoTieuChi", partial).await["errorCode"], "404");
}

#[tokio::test]
async fn a_household_is_the_family() {
    let bench = Bench::new().await;
    let samples = bench.samples().await;
    let (husband, wife) = (&samples["couple"]["husband"], &samples["couple"]["wife"]);
    let household =
        ask(&bench, "getTraCuuTtHgdByMaSoBhxh", json!({"maSoBhxh": wife["insuranceNumber"]})).await;
    assert_eq!(household["hoTen"], wife["name"]);
    assert_eq!(household["maHo"], husband["household"]);
    assert_eq!(household["diaChi"], husband["address"]);
    let relation = |person: &Value| {
        let members = household["thanhVien"].as_array().unwrap();
        let member = members.iter().find(|member| member["maSo"] == person["insuranceNumber"]).unwrap();
        member["quanHe"].as_str().unwrap().to_owned()
    };
    assert_eq!((relation(husband).as_str(), relation(wife).as_str()), ("01", "02"));

    let body = json!({
        "maTinh": wife["province"], "hoTen": wife["name"], "ngaySinh": wife["compactBirthDate"],
        "loaiNgaySinh": "0", "gioiTinh": "2", "soSo": wife["insuranceNumber"], "maThe": wife["cardNumber"],
    });
    let member = ask(&bench, "getTraCuuThongTinHgd", body).await;
    assert_eq!((&member["maSo"], &member["maHo"]), (&wife["insuranceNumber"], &household["maHo"]));
}

#[tokio::test]
async fn cards_are_judged() {
    let bench = Bench::new().await;
    let samples = bench.samples().await;
    let check = async |person: &Value, change: &[(&str, Value)]| {
        let mut body = json!({
            "maThe": person["cardNumber"], "hoTen": person["name"], "ngaySinh": person["compactBirthDate"],
        });
        for (name, value) in change {
            body[*name] = value.clone();
        }
        ask(&bench, "getThongTinTheBhyt", body).await
    };
    let person = &samples["citizens"][0];
    let valid = check(person, &[]).await;
    assert_eq!((&valid["maKetQua"], &valid["trangThai"]), (&json!("000"), &json!("1")));
    assert_eq!((&valid["gtTheTu"], &valid["gtTheDen"]), (&json!("20250101"), &json!("20251231")));
    let number = [("maThe", person["insuranceNumber"].clone()), ("ngaySinh", json!("1967"))];
    assert_eq!(check(person, &number).await["maKetQua"], "000");
    let expired = check(&samples["expiredCard"], &[]).await;
    assert_eq!((&expired["maKetQua"], &expired["gtTheDen"]), (&json!("010"), &json!("20241231")));
    assert_eq!(check(&samples["deceased"], &[]).await["maKetQua"], "010");
    for (change, code) in [
        (("maThe", json!("GD4560000000000")), "050"),
        (("hoTen", json!("Người Khác")), "060"),
        (("ngaySinh", json!("19000101")), "070"),
    ] {
        let answer = check(person, &[change]).await;
        assert_eq!((&answer["maKetQua"], &answer["trangThai"]), (&json!(code), &json!("0")));
        assert_eq!((&answer["hoTen"], &answer["errorCode"]), (&json!(""), &json!("")));
    }
}

#[tokio::test]
async fn error_codes() {
    let bench = Bench::new().await;
    let samples = bench.samples().await;
    let mut body = criteria(&samples["citizens"][0]);
    body["hoTen"] = json!("Không Ai Cả");
    let nobody = ask(&bench, "getMaSoBhxhTheoTieuChi", body.clone()).await;
    assert_eq!(
        nobody,
        json!({"maSoBhxh": "", "trangThai": "0", "errorCode": "404", "errorMessage": "Không tìm thấy"})
    );
    body["loaiNgaySinh"] = json!("1");
    body["gioiTinh"] = json!(1);
    let wrong = ask(&bench, "getMaSoBhxhTheoTieuChi", body).await;
    assert_eq!(wrong["errorCode"], "400");
    assert_eq!(wrong["errorMessage"], "ngaySinh: phải là yyyy; gioiTinh: phải là chuỗi");
    for (operation, empty) in [
        ("getTraCuuTtHgdByMaSoBhxh", "thanhVien"),
        ("getTraCuuThongTinHgd", "maHo"),
        ("getThongTinTheBhyt", "maKetQua"),
    ] {
        let answer = ask(&bench, operation, json!({})).await;
        assert_eq!((&answer["errorCode"], &answer["trangThai"]), (&json!("400"), &json!("0")), "{operation}");
        assert!(answer.get(empty).is_some(), "{answer}");
    }
    let unknown = ask(&bench, "getTraCuuTtHgdByMaSoBhxh", json!({"maSoBhxh": "0000000000"})).await;
    assert_eq!(unknown["errorCode"], "404");
}

#[tokio::test]
async fn several_who_fit_are_said() {
    let bench = Bench::new().await;
    let samples = bench.samples().await;
    let mut body = criteria(&samples["namesakes"][0]);
    body["ngaySinh"] = json!(samples["namesakes"][1]["birthDate"].as_str().unwrap()[..4]);
    body["loaiNgaySinh"] = json!("1");
    let answer = ask(&bench, "getMaSoBhxhTheoTieuChi", body).await;
    assert_eq!((&answer["errorCode"], &answer["maSoBhxh"]), (&json!("409"), &json!("")));
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let bench = Bench::new().await;
    let wrong = basic("truc-demo", "wrong");
    let answer = bench
        .with_credential(System::Insurance, "/apiBHXH/getThongTinTheBhyt", ("authorization", &wrong))
        .await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::UNAUTHORIZED, 0));
    assert_eq!(answer.headers["www-authenticate"], "Basic");
}
