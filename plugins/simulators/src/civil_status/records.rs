//! The national register of civil status: a birth record of every citizen, and the marriages and deaths, all derived
//! from the synthetic population.

use std::collections::HashMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::message::{Fields, Module};
use crate::citizens::{Citizen, Gender};
use crate::units::{Units, Ward};
use crate::world::World;

const FIRST_BIRTH: u64 = 100_000_000;
const FIRST_MARRIAGE: u64 = 200_000_000;
const FIRST_DEATH: u64 = 300_000_000;
/// Records of dossiers that were sent in during the run.
pub(crate) const FIRST_NEW: u64 = 400_000_001;

/// One entry of the register.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) module: Module,
    pub(crate) unit: Ward,
    pub(crate) dossier: String,
    pub(crate) registered: Date,
    /// The personal identification number of the child, for a birth.
    pub(crate) person: Option<String>,
    pub(crate) fields: Fields,
}

impl Record {
    /// In the ministry's shape.
    pub(crate) fn shown(&self) -> Value {
        let number = (self.id % 100_000_000).to_string();
        let day = self.registered.strftime("%d.%m.%Y").to_string();
        let mut shown = Map::new();
        let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        put("id", self.id.to_string().into());
        put("maDonVi", self.unit.number().into());
        put("maHoSo", self.dossier.clone().into());
        put("module", self.module.code().into());
        put("so", number.clone().into());
        put("quyenSo", format!("01/{}", self.registered.year()).into());
        put("trangSo", number.into());
        put("ngayDangKy", day.into());
        put("noiDangKy", format!("Ủy ban nhân dân {}", self.unit.full_name()).into());
        put("nguoiKy", "Người ký mô phỏng".into());
        put("chucVuNguoiKy", "Chủ tịch".into());
        put("ngayCapNhat", self.registered.to_string().into());
        if let Some(person) = &self.person {
            put("soDinhDanhCaNhan", person.clone().into());
        }
        for (name, value) in &self.fields {
            // What the applicant wrote does not stand over what the office wrote.
            shown.entry(name.clone()).or_insert_with(|| value.clone().into());
        }
        shown.into()
    }

    /// As in a list of changes.
    pub(crate) fn listed(&self) -> Value {
        json!({"id": self.id.to_string(), "maDonVi": self.unit.number()})
    }
}

/// The records that are there from the start.
pub(crate) struct Register {
    of_day: HashMap<(Module, Date), Vec<u64>>,
}

impl Register {
    pub(crate) fn draw_up(world: &World) -> Self {
        let mut of_day = HashMap::<_, Vec<_>>::new();
        for citizen in &world.population.citizens {
            for module in [Module::Birth, Module::Marriage, Module::Death] {
                if let Some(day) = registered(module, citizen) {
                    of_day.entry((module, day)).or_default().push(id(module, citizen.index));
                }
            }
        }
        Self { of_day }
    }

    /// Records of a day, in the order of their numbers.
    pub(crate) fn of_day<'a>(
        &'a self,
        world: &'a World,
        module: Module,
        day: Date,
    ) -> impl Iterator<Item = Record> + 'a {
        let ids = self.of_day.get(&(module, day)).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(move |&id| find(world, module, id))
    }
}

/// The number of a record from the start: a birth or death of this citizen, a marriage of this husband.
pub(crate) fn id(module: Module, citizen: usize) -> u64 {
    let first = match module {
        Module::Birth => FIRST_BIRTH,
        Module::Marriage => FIRST_MARRIAGE,
        Module::Death => FIRST_DEATH,
    };
    first + citizen as u64
}

/// The record of this number from the start.
pub(crate) fn find(world: &World, module: Module, number: u64) -> Option<Record> {
    let index = usize::try_from(number.checked_sub(id(module, 0))?).ok()?;
    let citizen = world.population.get(index)?;
    let day = registered(module, citizen)?;
    match module {
        Module::Birth => Some(birth(world, citizen, day)),
        Module::Marriage => marriage(world, citizen, day),
        Module::Death => death(world, citizen, day),
    }
}

/// The day on which something about a citizen was registered: a birth or a death some days after it, a marriage on its
/// own day and under the husband's number.
fn registered(module: Module, citizen: &Citizen) -> Option<Date> {
    let after = |date: Date, days: usize| date.saturating_add(i64::try_from(days).unwrap_or(0).days());
    match module {
        Module::Birth => Some(after(citizen.born, 3 + citizen.index % 27)),
        Module::Marriage => citizen.married.filter(|_| citizen.gender == Gender::Male),
        Module::Death => citizen.died.map(|died| after(died, 1 + citizen.index % 10)),
    }
}

/// A personal identification number for a child that the simulated register did not know. It follows from the number
/// of the record; no citizen of the register has last six digits of 900,000 or more.
pub(crate) fn new_citizen_id(units: &Units, unit: Ward, fields: &Fields, id: u64) -> Option<String> {
    let born = crate::time::date(fields.get("nksNgaySinh")?, "%d.%m.%Y", 10)?;
    let sex = i16::from(fields.get("nksGioiTinh").is_some_and(|gender| gender == "2"));
    let place = fields.get("nksNoiSinhDVHC").map(String::as_str).unwrap_or(unit.province.code);
    let place = units.provinces.iter().find(|province| province.code == place)?.code;
    let century = (born.year() / 100 - 19) * 2 + sex;
    Some(format!(
        "0{place}{century}{:02}{:06}",
        born.year() % 100,
        900_000 + id.saturating_sub(FIRST_NEW) % 100_000
    ))
}

fn birth(world: &World, citizen: &Citizen, registered: Date) -> Record {
    let unit = citizen.birth_ward;
    let mut fields = Sheet::default();
    fields.put("loaiDangKy", "1");
    fields.put("nksHoTen", &citizen.name);
    fields.put("nksGioiTinh", citizen.gender.code());
    fields.put("nksNgaySinh", &written(citizen.born));
    fields.put("nksNoiSinh", &unit.full_name());
    fields.put("nksNoiSinhDVHC", unit.province.code);
    fields.put("nksQueQuan", &unit.full_name());
    fields.put("nksDanToc", citizen.ethnic_group);
    fields.put("nksQuocTich", "Việt Nam");
    let parents = [("me", citizen.mother, "Mẹ"), ("cha", citizen.father, "Cha")];
    for (who, parent, relation) in parents {
        let Some(parent) = parent.and_then(|parent| world.population.get(parent)) else { continue };
        fields.person(world, who, parent);
        fields.put("nycHoTen", &parent.name);
        fields.put("nycQuanHe", relation);
        fields.put("nycLoaiGiayToTuyThan", "4");
        fields.put("nycSoGiayToTuyThan", &parent.id);
    }
    Record {
        id: id(Module::Birth, citizen.index),
        module: Module::Birth,
        unit,
        dossier: dossier(unit, registered, 1, citizen),
        registered,
        person: Some(citizen.id.clone()),
        fields: fields.0,
    }
}

fn marriage(world: &World, husband: &Citizen, registered: Date) -> Option<Record> {
    let wife = world.population.get(husband.spouse?)?;
    let unit = world.population.ward(husband);
    let mut fields = Sheet::default();
    fields.put("loaiDangKy", "1");
    fields.person(world, "chong", husband);
    fields.person(world, "vo", wife);
    Some(Record {
        id: id(Module::Marriage, husband.index),
        module: Module::Marriage,
        unit,
        dossier: dossier(unit, registered, 2, husband),
        registered,
        person: None,
        fields: fields.0,
    })
}

fn death(world: &World, citizen: &Citizen, registered: Date) -> Option<Record> {
    let died = citizen.died?;
    let unit = world.population.ward(citizen);
    let mut fields = Sheet::default();
    fields.put("loaiDangKy", "1");
    fields.person(world, "nkt", citizen);
    fields.put("nktGioiTinh", citizen.gender.code());
    fields.put("nktNgayChet", &written(died));
    fields.put("nktNoiChet", world.population.address(citizen));
    fields.put("nktNguyenNhanChet", "Tuổi già");
    Some(Record {
        id: id(Module::Death, citizen.index),
        module: Module::Death,
        unit,
        dossier: dossier(unit, registered, 3, citizen),
        registered,
        person: None,
        fields: fields.0,
    })
}

fn written(date: Date) -> String {
    date.strftime("%d.%m.%Y").to_string()
}

fn dossier(unit: Ward, day: Date, module: u8, citizen: &Citizen) -> String {
    format!("{}-{}-{module}{:05}", unit.agency(), day.strftime("%y%m%d"), citizen.index)
}

#[derive(Default)]
struct Sheet(Fields);

impl Sheet {
    fn put(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    fn person(&mut self, world: &World, who: &str, citizen: &Citizen) {
        let mut put = |field: &str, value: &str| self.put(&format!("{who}{field}"), value);
        put("HoTen", &citizen.name);
        put("NgaySinh", &written(citizen.born));
        put("DanToc", citizen.ethnic_group);
        put("QuocTich", "Việt Nam");
        put("LoaiCuTru", "1");
        put("NoiCuTru", world.population.address(citizen));
        put("LoaiGiayToTuyThan", "4");
        put("SoGiayToTuyThan", &citizen.id);
    }
}
