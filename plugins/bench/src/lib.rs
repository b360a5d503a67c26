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
