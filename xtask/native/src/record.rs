//! The record both sides answer with, and the register's own form of it.

use serde::{Deserialize, Serialize};

/// The record as callers see it; member names and order are those of the contract in `wit/bench`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    id: String,
    full_name: String,
    date_of_birth: String,
    sex: Sex,
    ethnicity: String,
    province: String,
    commune: String,
    address: String,
    version: u32,
    in_force: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Sex {
    Male,
    Female,
}

/// The record as the register keeps it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BanGhi {
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

impl Entry {
    /// The record of a number, from memory.
    pub(crate) fn of(id: String) -> Self {
        Self {
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
        }
    }
}

impl BanGhi {
    /// The same record as callers see it; none where sex or date are not what the register defines.
    pub(crate) fn translate(self) -> Option<Entry> {
        let sex = match self.gioi_tinh {
            1 => Sex::Male,
            2 => Sex::Female,
            _ => return None,
        };
        let digits = self.ngay_sinh.len() == 8 && self.ngay_sinh.bytes().all(|byte| byte.is_ascii_digit());
        let (year, day) = digits.then(|| self.ngay_sinh.split_at(4))?;
        let (month, day) = day.split_at(2);
        Some(Entry {
            date_of_birth: format!("{year}-{month}-{day}"),
            id: self.ma_so,
            full_name: self.ho_ten,
            sex,
            ethnicity: self.dan_toc,
            province: self.tinh,
            commune: self.xa,
            address: self.dia_chi,
            version: self.phien_ban,
            in_force: self.hieu_luc,
        })
    }
}

/// The register's answer for a number: 1,024 bytes of JSON, of which the record is a part.
pub(crate) fn register_answer(id: &str) -> String {
    let known = format!(
        r#"{{"maSo":"{id}","hoTen":"Nguyễn Thị Hoa","ngaySinh":"19900517","gioiTinh":2,"danToc":"Kinh","tinh":"Thành phố Đà Nẵng","xa":"Phường Hội An","diaChi":"12 Trần Phú","phienBan":3,"hieuLuc":true,"lichSu":["#
    );
    let history =
        (1..).map(|n| format!(r#"{{"lan":{n},"ngay":"20{:02}0701","noiDung":"Điều chỉnh"}}"#, n % 30));
    let mut answer = known;
    for (n, change) in history.enumerate() {
        if answer.len() + change.len() + 30 > 1024 {
            break;
        }
        answer.push_str(if n == 0 { "" } else { "," });
        answer.push_str(&change);
    }
    answer.push_str(r#"],"ghiChu":""#);
    let padding = 1024_usize.saturating_sub(answer.len() + 2);
    answer.extend(std::iter::repeat_n('x', padding));
    answer.push_str("\"}");
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_register_answers_one_kilobyte_that_translates_to_the_record_from_memory() {
        let answer = register_answer("000000000042");
        assert_eq!(answer.len(), 1024);
        let found: BanGhi = serde_json::from_str(&answer).unwrap();
        assert_eq!(
            serde_json::to_string(&found.translate().unwrap()).unwrap(),
            serde_json::to_string(&Entry::of("000000000042".to_owned())).unwrap()
        );
    }
}
