//! Entries: the register's flat record as the contract's.

use std::collections::BTreeMap;

use serde::Deserialize;
use truc_sdk::Problem;
use truc_sdk::calendar::Date;

use crate::bindings::exports::lgsp::civil_status::registry::{
    BirthDetails, DeathDetails, Details, Entry, MarriageDetails, PaperNumber, Person, Residence,
    ResidenceKind,
};
use crate::codes::{self, Numbered};
use crate::wire::strange;

/// A record by field name. All values are texts but for a few numbers.
#[derive(Deserialize)]
pub(crate) struct Record(BTreeMap<String, Value>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Number(u32),
    Nothing(()),
}

impl Record {
    /// The field's text; an empty one is none.
    fn some(&self, field: &str) -> Option<&str> {
        match self.0.get(field) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn text(&self, field: &str) -> Result<String, Problem> {
        self.some(field).map(str::to_owned).ok_or_else(|| strange(format!("a record has no `{field}`")))
    }

    /// A person's field, `{who}{member}`.
    fn of(&self, who: &str, member: &str) -> Option<String> {
        self.some(&format!("{who}{member}")).map(str::to_owned)
    }

    fn number(&self, field: &str) -> Result<u32, Problem> {
        match self.0.get(field) {
            Some(Value::Number(number)) => Ok(*number),
            _ => Err(strange(format!("a record has no number `{field}`"))),
        }
    }

    /// A field that is read, or absent.
    fn read<T>(&self, field: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let Some(text) = self.some(field) else { return Ok(None) };
        read(text).map(Some).ok_or_else(|| strange(format!("a record's `{field}` has an unknown form")))
    }

    fn required<T>(&self, field: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Problem> {
        self.read(field, read)?.ok_or_else(|| strange(format!("a record has no `{field}`")))
    }

    /// A person, if the record names one.
    fn person(&self, who: &str) -> Result<Option<Person>, Problem> {
        let Some(name) = self.of(who, "HoTen") else { return Ok(None) };
        let paper = match self.of(who, "SoGiayToTuyThan") {
            Some(number) => self
                .read(&format!("{who}LoaiGiayToTuyThan"), Numbered::from_number)?
                .map(|kind| PaperNumber { kind, number }),
            None => None,
        };
        let residence = match self.of(who, "NoiCuTru") {
            Some(address) => {
                let kind = self.read(&format!("{who}LoaiCuTru"), Numbered::from_number)?;
                Some(Residence { kind: kind.unwrap_or(ResidenceKind::Unknown), address })
            }
            None => None,
        };
        Ok(Some(Person {
            name,
            sex: self.read(&format!("{who}GioiTinh"), Numbered::from_number)?,
            born: self.read(&format!("{who}NgaySinh"), codes::partial)?,
            ethnic_group: self.of(who, "DanToc"),
            nationality: self.of(who, "QuocTich"),
            residence,
            paper,
        }))
    }

    fn named_person(&self, who: &str) -> Result<Person, Problem> {
        self.person(who)?.ok_or_else(|| strange(format!("a record has no `{who}HoTen`")))
    }

    fn details(&self) -> Result<Details, Problem> {
        let owned = |field: &str| self.some(field).map(str::to_owned);
        Ok(match self.some("module") {
            Some("KS") => Details::Birth(BirthDetails {
                child: self.named_person("nks")?,
                personal_id: owned("soDinhDanhCaNhan"),
                place_of_birth: owned("nksNoiSinh"),
                native_place: owned("nksQueQuan"),
                mother: self.person("me")?,
                father: self.person("cha")?,
            }),
            Some("KH") => Details::Marriage(MarriageDetails {
                husband: self.named_person("chong")?,
                wife: self.named_person("vo")?,
            }),
            Some("KT") => Details::Death(DeathDetails {
                deceased: self.named_person("nkt")?,
                died_on: self.read("nktNgayChet", dotted_to_iso)?,
                died_at: owned("nktGioPhutChet"),
                place: owned("nktNoiChet"),
                cause: owned("nktNguyenNhanChet"),
            }),
            _ => return Err(strange("a record's `module` is unknown")),
        })
    }
}

/// The contract's entry.
pub(crate) fn read(record: &Record) -> Result<Entry, Problem> {
    Ok(Entry {
        id: record.text("id")?,
        dossier: record.some("maHoSo").map(str::to_owned),
        unit: codes::ward(record.number("maDonVi")?),
        number: record.text("so")?,
        book: record.text("quyenSo")?,
        page: record.text("trangSo")?,
        registered_on: record.required("ngayDangKy", dotted_to_iso)?,
        registered_at: record.text("noiDangKy")?,
        signed_by: record.text("nguoiKy")?,
        signer_title: record.text("chucVuNguoiKy")?,
        changed_on: record.required("ngayCapNhat", |text| Date::from_iso(text).map(Date::iso))?,
        registration: record.read("loaiDangKy", Numbered::from_number)?,
        details: record.details()?,
    })
}

fn dotted_to_iso(text: &str) -> Option<String> {
    Date::from_dotted(text).map(Date::iso)
}
