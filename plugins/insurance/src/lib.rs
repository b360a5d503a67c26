//! The contract `lgsp:insurance` on the lookup API of Vietnam Social Security (BHXH).
//!
//! Each operation is here, from the contract's words to the system's and back. [`bhxh`] knows how one asks and how
//! refusals come; [`codes`] knows the enumerations and the dates.

mod bhxh;
mod codes;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::json;
use truc_sdk::Problem;
use truc_sdk::calendar::{Date, DateTime};

use bhxh::understood;
use bindings::exports::lgsp::insurance::members::{
    BirthDate, CardQuery, CardValidity, Facility, Guest, Household, HouseholdCriteria, Identified, Member,
    PersonCriteria,
};
use codes::Coded;

truc_sdk::connector!(Connector {
    world: "lgsp:insurance/connector",
    wit: ["../../wit/truc", "../../wit/insurance"],
});

struct Connector;

impl Guest for Connector {
    fn find_number(criteria: PersonCriteria) -> Result<Identified, Problem> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Found {
            ma_so_bhxh: String,
        }

        let found: Found = bhxh::NUMBER_BY_CRITERIA.call(&json!({
            "hoTen": criteria.name,
            "ngaySinh": criteria.born.digits()?,
            "loaiNgaySinh": criteria.born.precision.code(),
            "gioiTinh": criteria.sex.code(),
            "maTinhKs": criteria.place.province,
            "maHuyenKs": "", // there have been no districts since July 2025
            "maXaKs": criteria.place.commune.unwrap_or_default(),
            "isKs": criteria.place.kind.code(),
        }))?;
        Ok(Identified { insurance_number: found.ma_so_bhxh })
    }

    fn get_household(number: String) -> Result<Household, Problem> {
        bhxh::HOUSEHOLD_BY_NUMBER.call::<HoGiaDinh>(&json!({ "maSoBhxh": number }))?.try_into()
    }

    fn find_household(criteria: HouseholdCriteria) -> Result<Household, Problem> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Found {
            ma_so: String,
        }

        // The search gives the one member without the others; the number then gives them all.
        let found: Found = bhxh::HOUSEHOLD_BY_CRITERIA.call(&json!({
            "maTinh": criteria.province,
            "hoTen": criteria.name,
            "ngaySinh": criteria.born.digits()?,
            "loaiNgaySinh": criteria.born.precision.code(),
            "gioiTinh": criteria.sex.code(),
            "soSo": criteria.insurance_number.unwrap_or_default(),
            "maThe": criteria.card_number.unwrap_or_default(),
            "isKs": criteria.place.code(),
        }))?;
        Self::get_household(found.ma_so)
    }

    fn check_card(card: CardQuery) -> Result<CardValidity, Problem> {
        let on = match &card.on {
            Some(day) => {
                Date::from_iso(day).ok_or_else(|| Problem::fault("/on", "is no date that exists"))?
            }
            None => DateTime::now().date(),
        };
        let checked: The = bhxh::CARD.call(&json!({
            "maThe": card.number,
            "hoTen": card.name,
            "ngaySinh": card.born.day_or_year()?,
        }))?;
        checked.validity(on)
    }
}

/// A household as the system describes it: the person asked for, and the members, that person among them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HoGiaDinh {
    ma_ho: String,
    dia_chi: String,
    thanh_vien: Vec<ThanhVien>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThanhVien {
    ma_so: String,
    ho_ten: String,
    ngay_sinh: String,
    loai_ngay_sinh: String,
    gioi_tinh: String,
    quan_he: String,
    trang_thai: String,
}

impl TryFrom<HoGiaDinh> for Household {
    type Error = Problem;

    fn try_from(found: HoGiaDinh) -> Result<Self, Problem> {
        Ok(Self {
            number: found.ma_ho,
            address: found.dia_chi,
            members: found.thanh_vien.into_iter().map(Member::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<ThanhVien> for Member {
    type Error = Problem;

    fn try_from(found: ThanhVien) -> Result<Self, Problem> {
        Ok(Self {
            insurance_number: found.ma_so,
            name: found.ho_ten,
            born: BirthDate::read(&found.ngay_sinh, &found.loai_ngay_sinh)?,
            sex: Coded::read(&found.gioi_tinh)?,
            kinship: Coded::read(&found.quan_he)?,
            participation: Coded::read(&found.trang_thai)?,
        })
    }
}

/// A card as the system describes it, or why there is none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct The {
    ma_ket_qua: String,
    mo_ta_ket_qua: String,
    gt_the_tu: String,
    gt_the_den: String,
    #[serde(rename = "maDKBD")]
    ma_dkbd: String,
    #[serde(rename = "tenDKBD")]
    ten_dkbd: String,
}

impl The {
    fn validity(self, on: Date) -> Result<CardValidity, Problem> {
        match self.ma_ket_qua.as_str() {
            // Valid today or not: the dates say how it is on the day in question.
            "000" | "010" => {}
            "050" => return Err(Problem::not_found("there is no card with this number")),
            "060" => return Err(Problem::fault("/name", "is not the name of the card's holder")),
            "070" => {
                return Err(Problem::fault("/born/date", "is not the date of birth of the card's holder"));
            }
            _ => return Err(Problem::rejected(self.ma_ket_qua, self.mo_ta_ket_qua)),
        }
        let from = understood("gtTheTu", Date::from_compact(&self.gt_the_tu))?;
        let until = understood("gtTheDen", Date::from_compact(&self.gt_the_den))?;
        Ok(CardValidity {
            on: on.iso(),
            valid: (from..=until).contains(&on),
            valid_from: from.iso(),
            valid_until: until.iso(),
            facility: Facility { code: self.ma_dkbd, name: self.ten_dkbd },
        })
    }
}
