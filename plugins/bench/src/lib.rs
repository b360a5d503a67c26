//! The connector that measurements run. Its two operations are the shortest work a connector does: answering from
//! memory, and translating one answer of an upstream. The native handler they are compared with does the same.

use bindings::exports::lgsp::bench::records::{Entry, Guest, Sex};
use serde::Deserialize;
use truc_sdk::calendar::Date;
use truc_sdk::{Problem, upstream};

truc_sdk::connector!(Connector { world: "lgsp:bench/connector", wit: ["../../wit/truc", "../../wit/bench"] });

/// The connector.
struct Connector;

/// What the register answers, as far as the record needs it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BanGhi {
    ma_so: String,
    ho_ten: String,
    ngay_sinh: String,
    gioi_tinh: u8,
    dan_toc: String,
    tinh: String,
    xa: String,
    dia_chi: String,
    phien_ban: u32,
    hieu_luc: bool,
}

impl Guest for Connector {
    fn get(id: String) -> Result<Entry, Problem> {
        Ok(Entry {
            id,
            full_name: "Nguyễn Thị Hoa".to_owned(),
            date_of_birth: "1990-05-17".to_owned(),
            sex: Sex::Female,
            ethnicity: "Kinh".to_owned(),
            province: "Thành phố Đà Nẵng".to_owned(),
            commune: "Phường Hội An".to_owned(),
            address: "12 Trần Phú".to_owned(),
            version: 3,
            in_force: true,
        })
    }

    fn fetch(id: String) -> Result<Entry, Problem> {
        let found: BanGhi = upstream("register").get("/ban-ghi/{ma}").parameter("ma", id).send()?.json()?;
        let sex = match found.gioi_tinh {
            1 => Sex::Male,
            2 => Sex::Female,
            _ => return Err(Problem::upstream_failed("the register gave a sex that it does not define")),
        };
        let born = Date::from_compact(&found.ngay_sinh)
            .ok_or_else(|| Problem::upstream_failed("the register gave a date that does not exist"))?;
        Ok(Entry {
            id: found.ma_so,
            full_name: found.ho_ten,
            date_of_birth: born.iso(),
            sex,
            ethnicity: found.dan_toc,
            province: found.tinh,
            commune: found.xa,
            address: found.dia_chi,
            version: found.phien_ban,
            in_force: found.hieu_luc,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use truc_sdk::testing::Host;

    #[test]
    fn both_operations_give_the_same_record() {
        let host = Host::new(include_str!("../connector.toml"));
        let kept = json!({
            "maSo": "000000000042", "hoTen": "Nguyễn Thị Hoa", "ngaySinh": "19900517", "gioiTinh": 2,
            "danToc": "Kinh", "tinh": "Thành phố Đà Nẵng", "xa": "Phường Hội An", "diaChi": "12 Trần Phú",
            "phienBan": 3, "hieuLuc": true, "lichSu": [],
        });
        host.answer("register", "GET /ban-ghi/{ma}", kept);
        let id = "000000000042".to_owned();
        assert_eq!(Connector::fetch(id.clone()), Connector::get(id));
    }

    #[test]
    fn a_sex_that_is_not_defined_is_a_failure_of_the_register() {
        let host = Host::new(include_str!("../connector.toml"));
        let kept = json!({
            "maSo": "1", "hoTen": "", "ngaySinh": "19900517", "gioiTinh": 7, "danToc": "", "tinh": "", "xa": "",
            "diaChi": "", "phienBan": 1, "hieuLuc": true,
        });
        host.answer("register", "GET /ban-ghi/{ma}", kept);
        assert!(matches!(Connector::fetch("1".to_owned()), Err(Problem::UpstreamFailed(_))));
    }
}
