//! The connector to the electronic civil status register (hộ tịch) of the Ministry of Justice.
//!
//! The contract's terms become the register's and back: [`wire`] knows its envelope and error numbers, [`dossier`] writes
//! what is sent as XML, [`entry`] reads what is found, [`codes`] has the numbers and dates of both.

mod codes;
mod dossier;
mod entry;
#[cfg(test)]
mod tests;
mod wire;
mod xml;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use truc_sdk::calendar::{Date, DateTime};
use truc_sdk::{Problem, cache, config};

use bindings::exports::lgsp::civil_status::registry::{
    BirthDossier, Code, CodeList, DeathDossier, DossierState, DossierStatus, Entry, EntryReference, Event,
    Guest, Intake, MarriageDossier, Receipt,
};
use wire::{Answer, ask, strange};

truc_sdk::connector!(Connector {
    world: "lgsp:civil-status/connector",
    wit: ["../../wit/truc", "../../wit/civil-status"],
});

struct Connector;

impl Guest for Connector {
    fn register_birth(dossier: BirthDossier) -> Result<Receipt, Problem> {
        register(Event::Birth, &dossier.intake, dossier::birth(&dossier)?)
    }

    fn register_marriage(dossier: MarriageDossier) -> Result<Receipt, Problem> {
        register(Event::Marriage, &dossier.intake, dossier::marriage(&dossier)?)
    }

    fn register_death(dossier: DeathDossier) -> Result<Receipt, Problem> {
        register(Event::Death, &dossier.intake, dossier::death(&dossier)?)
    }

    fn check_dossier(dossier: String, receiving_unit: String) -> Result<DossierStatus, Problem> {
        let question = DossierQuestion::new(&dossier, &receiving_unit)?;
        let answer: Answer<()> = ask("/apiHoTichTuPhap/traTrangThaiHoSo", &question, in_dossier_query)?;
        let state = match answer.status {
            1 => DossierState::Received,
            2 => DossierState::NeedsSupplement,
            3 => DossierState::Qualified,
            4 => DossierState::Registered,
            other => return Err(strange(format!("a dossier's state is {other}"))),
        };
        let missing = match state {
            DossierState::NeedsSupplement => dossier::fields_named_in(&answer.status_description),
            _ => Vec::new(),
        };
        Ok(DossierStatus { dossier, state, description: answer.status_description, missing })
    }

    fn get_result(dossier: String, receiving_unit: String) -> Result<Entry, Problem> {
        let question = DossierQuestion::new(&dossier, &receiving_unit)?;
        one_entry(ask("/apiHoTichTuPhap/ketQuaDangKyHS", &question, in_dossier_query)?)
    }

    fn find_entries(
        event: Event,
        changed_on: String,
        province: Option<String>,
    ) -> Result<Vec<EntryReference>, Problem> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Question {
            module: &'static str,
            ngay_cap_nhat: String,
            ma_tinh: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Found {
            id: String,
            ma_don_vi: u32,
        }
        let changed_on = Date::from_iso(&changed_on)
            .ok_or_else(|| Problem::fault("/changedOn", "this date does not exist"))?;
        let asked_for = province.is_some();
        let question = Question {
            module: codes::module(event),
            ngay_cap_nhat: changed_on.iso(),
            ma_tinh: province.map_or_else(|| config::text("province-code"), Ok)?,
        };
        let pointer = |field: &str| match field {
            "module" => Some("/event".to_owned()),
            "ngayCapNhat" => Some("/changedOn".to_owned()),
            "maTinh" if asked_for => Some("/province".to_owned()),
            _ => None,
        };
        let answer: Answer<Vec<Found>> = ask("/apiHoTichTuPhap/dsHoSoDangKy", &question, pointer)?;
        let found = answer.value.unwrap_or_default();
        Ok(found
            .into_iter()
            .map(|found| EntryReference { id: found.id, unit: codes::ward(found.ma_don_vi) })
            .collect())
    }

    fn get_entry(event: Event, id: String) -> Result<Entry, Problem> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Question {
            module: &'static str,
            ma_ho_so: u64,
        }
        let question = Question { module: codes::module(event), ma_ho_so: entry_number(&id)? };
        one_entry(ask("/apiHoTichTuPhap/traHoSo", &question, in_entry_query)?)
    }

    fn get_entries(event: Event, id: Vec<String>) -> Result<Vec<Entry>, Problem> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Question {
            ma_tinh: String,
            module: &'static str,
            ds_ma_ho_so: Vec<u64>,
        }
        let question = Question {
            ma_tinh: config::text("province-code")?,
            module: codes::module(event),
            ds_ma_ho_so: id.iter().map(|id| entry_number(id)).collect::<Result<_, _>>()?,
        };
        match ask::<Vec<entry::Record>>("/apiHoTichTuPhap/traDanhSachHoSo", &question, in_entry_query) {
            Ok(answer) => answer.value.unwrap_or_default().iter().map(entry::read).collect(),
            // What is not found is left out, also where nothing is left.
            Err(Problem::NotFound(_)) => Ok(Vec::new()),
            Err(problem) => Err(problem),
        }
    }

    fn list_codes(name: CodeList) -> Result<Vec<Code>, Problem> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Question {
            loai_danh_muc: &'static str,
        }
        #[derive(Serialize, Deserialize)]
        struct Item {
            ma: String,
            ten: String,
        }
        let loai_danh_muc = codes::code_list(name);
        let key = format!("danhMuc/{loai_danh_muc}");
        let items: Vec<Item> = match cache::get(&key) {
            Some(kept) => kept,
            None => {
                let answer: Answer<String> =
                    ask("/apiHoTichTuPhap/danhMuc", &Question { loai_danh_muc }, |_| None)?;
                let list = answer.value.ok_or_else(|| strange("a code list is missing"))?;
                let items =
                    serde_json::from_str(&list).map_err(|_| strange("a code list is not a JSON list"))?;
                keep(&key, &items)?;
                items
            }
        };
        Ok(items.into_iter().map(|item| Code { code: item.ma, name: item.ten }).collect())
    }
}

/// What identifies a dossier to the register.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DossierQuestion<'a> {
    ma_don_vi: u32,
    ma_ho_so: &'a str,
}

impl<'a> DossierQuestion<'a> {
    fn new(dossier: &'a str, receiving_unit: &str) -> Result<Self, Problem> {
        Ok(Self { ma_don_vi: codes::ward_number(receiving_unit, "/receivingUnit")?, ma_ho_so: dossier })
    }
}

/// Where the register's fields come from in a query about a dossier.
fn in_dossier_query(field: &str) -> Option<String> {
    match field {
        "maDonVi" => Some("/receivingUnit".to_owned()),
        "maHoSo" => Some("/dossier".to_owned()),
        _ => None,
    }
}

/// Where the register's fields come from in a query about entries.
fn in_entry_query(field: &str) -> Option<String> {
    match field {
        "module" => Some("/event".to_owned()),
        "maHoSo" | "dsMaHoSo" => Some("/id".to_owned()),
        _ => None,
    }
}

fn register(event: Event, intake: &Intake, data: String) -> Result<Receipt, Problem> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Registration<'a> {
        ma_don_vi: u32,
        module: &'static str,
        ma_ho_so: &'a str,
        ngay_tiep_nhan: String,
        data: String,
    }
    let received_on = Date::from_iso(&intake.received_on)
        .ok_or_else(|| Problem::fault("/intake/receivedOn", "this date does not exist"))?;
    let registration = Registration {
        ma_don_vi: codes::ward_number(&intake.receiving_unit, "/intake/receivingUnit")?,
        module: codes::module(event),
        ma_ho_so: &intake.dossier,
        ngay_tiep_nhan: received_on.iso(),
        data,
    };
    let _: Answer<()> = ask("/apiHoTichTuPhap/dangKyHoTich", &registration, dossier::pointer)?;
    Ok(Receipt { dossier: intake.dossier.clone(), event, accepted_at: DateTime::now().rfc3339() })
}

fn one_entry(answer: Answer<Vec<entry::Record>>) -> Result<Entry, Problem> {
    match answer.value.as_deref() {
        Some([record]) => entry::read(record),
        Some([]) | None => Err(Problem::not_found("the register has no such entry")),
        Some(records) => Err(strange(format!("{} records instead of one", records.len()))),
    }
}

fn entry_number(id: &str) -> Result<u64, Problem> {
    id.parse().map_err(|_| Problem::fault("/id", "an entry's number has 1 to 18 digits"))
}

/// Keeps a value for as long as the operator wants.
fn keep(key: &str, value: &impl Serialize) -> Result<(), Problem> {
    match u64::try_from(config::integer("code-list-seconds")?) {
        Ok(seconds) if seconds > 0 => Ok(cache::put(key, value, Duration::from_secs(seconds))?),
        _ => Ok(()),
    }
}
