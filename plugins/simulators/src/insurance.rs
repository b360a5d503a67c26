//! Social and health insurance (bảo hiểm xã hội, bảo hiểm y tế): numbers, households, cards.
//!
//! Nothing is written here, so there is nothing to remember: everything follows from the synthetic citizens.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::WWW_AUTHENTICATE;
use jiff::civil::Date;
use serde_json::{Map, Value, json};

use crate::citizens::{Citizen, comparable};
use crate::credentials::{INSURANCE_PASSWORD, INSURANCE_USER};
use crate::form::{Faults, Form};
use crate::http::{JsonObject, Refusal, Voice, answer, header};
use crate::time;
use crate::units::Ward;
use crate::world::World;

pub(crate) struct Insurance {
    world: Arc<World>,
}

/// The members of an answer, or a refusal.
type Outcome = Result<Value, Refusal>;

impl Insurance {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route(
                "/apiBHXH/getMaSoBhxhTheoTieuChi",
                operation(Self::number, json!({"maSoBhxh": "", "trangThai": "0"})),
            )
            .route("/apiBHXH/getTraCuuTtHgdByMaSoBhxh", operation(Self::household, empty_person()))
            .route("/apiBHXH/getTraCuuThongTinHgd", operation(Self::member, empty_member()))
            .route("/apiBHXH/getThongTinTheBhyt", operation(Self::card, empty_card()))
            .route_layer(from_fn_with_state(Arc::clone(self), authorise))
            .with_state(Arc::clone(self))
    }

    /// `getMaSoBhxhTheoTieuChi`.
    fn number(&self, members: &Map<String, Value>) -> Outcome {
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        let criteria = Criteria::read(&form, "maTinhKs");
        let ward = form.optional_text("maXaKs", 5);
        form.optional_text("maHuyenKs", 3);
        let place = Place::read(&form.choice("isKs", &["0", "1"]));
        faults.check().map_err(|faults| Refusal::new(400, faults))?;
        let citizen = self
            .only(&criteria, place, |citizen| ward.is_empty() || self.place(citizen, place).code == ward)?;
        Ok(json!({"maSoBhxh": citizen.insurance, "trangThai": "1"}))
    }

    /// `getTraCuuTtHgdByMaSoBhxh`.
    fn household(&self, members: &Map<String, Value>) -> Outcome {
        let faults = Faults::default();
        let number = Form::new(members, &faults).digits("maSoBhxh", &[10]);
        faults.check().map_err(|faults| Refusal::new(400, faults))?;
        let population = &self.world.population;
        let citizen = population.by_insurance(&number).ok_or_else(nobody)?;
        let household = population.household(citizen).ok_or_else(nobody)?;
        let head = population.living(household).next();
        let shown = population.living(household).map(|member| {
            json!({
                "maSo": member.insurance,
                "hoTen": member.name,
                "ngaySinh": compact(member.born),
                "loaiNgaySinh": "0",
                "gioiTinh": member.gender.code(),
                "quanHe": head.map(|head| relation(head, member)).unwrap_or_default(),
                "trangThai": standing(member),
            })
        });
        Ok(json!({
            "hoTen": citizen.name,
            "soSoCu": "",
            "ngaySinh": compact(citizen.born),
            "loaiNgaySinh": "0",
            "gioiTinh": citizen.gender.code(),
            "maTinhKs": citizen.birth_ward.province.code,
            "maHuyenKs": "",
            "maXaKs": citizen.birth_ward.code,
            "trangThai": standing(citizen),
            "maHo": household.number,
            "diaChi": household.address,
            "thanhVien": shown.collect::<Vec<_>>(),
        }))
    }

    /// `getTraCuuThongTinHgd`.
    fn member(&self, members: &Map<String, Value>) -> Outcome {
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        let criteria = Criteria::read(&form, "maTinh");
        let number = form.optional_text("soSo", 10);
        let card = form.optional_text("maThe", 15);
        let place = match form.has("isKs") {
            true => Place::read(&form.choice("isKs", &["0", "1"])),
            false => Place::Home,
        };
        faults.check().map_err(|faults| Refusal::new(400, faults))?;
        let today = self.world.today();
        let citizen = self.only(&criteria, place, |citizen| {
            (number.is_empty() || citizen.insurance == number)
                && (card.is_empty() || self.card_number(citizen, today) == card)
        })?;
        let household = self.world.population.household(citizen).ok_or_else(nobody)?;
        Ok(json!({
            "maSo": citizen.insurance,
            "hoTen": citizen.name,
            "ngaySinh": compact(citizen.born),
            "loaiNgaySinh": "0",
            "gioiTinh": citizen.gender.code(),
            "maHo": household.number,
            "diaChi": household.address,
            "trangThai": standing(citizen),
        }))
    }

    /// `getThongTinTheBhyt`.
    fn card(&self, members: &Map<String, Value>) -> Outcome {
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        let card = form.text("maThe", 15);
        let name = form.text("hoTen", 200);
        let born = form.text("ngaySinh", 8);
        if !card.is_empty() && card.len() != 10 && card.len() != 15 {
            form.fault("maThe", "phải gồm 10 hoặc 15 ký tự");
        }
        if !born.is_empty() && compact_date(&born).is_none() && year(&born).is_none() {
            form.fault("ngaySinh", "phải là yyyyMMdd hoặc yyyy");
        }
        faults.check().map_err(|faults| Refusal::new(400, faults))?;

        let today = self.world.today();
        let number = card.len().checked_sub(10).and_then(|start| card.get(start..)).unwrap_or_default();
        let holder = self
            .world
            .population
            .by_insurance(number)
            .filter(|holder| card.len() == 10 || self.card_number(holder, today) == card);
        let result = |code: &str, description: &str| {
            let mut shown = empty_card();
            if let Some(members) = shown.as_object_mut() {
                members.insert("maKetQua".to_owned(), code.into());
                members.insert("moTaKetQua".to_owned(), description.into());
            }
            Ok(shown)
        };
        let Some(holder) = holder else { return result("050", "Không thấy thông tin thẻ") };
        if comparable(&holder.name) != comparable(&name) {
            return result("060", "Thẻ sai họ tên");
        }
        if !compact(holder.born).starts_with(&born) {
            return result("070", "Thẻ sai ngày sinh");
        }
        let (from, until) = validity(holder, today);
        let valid = (from..=until).contains(&today);
        let home = self.world.population.ward(holder);
        Ok(json!({
            "maKetQua": if valid { "000" } else { "010" },
            "moTaKetQua": if valid { "Thẻ có giá trị sử dụng" } else { "Thẻ không có giá trị sử dụng" },
            "maThe": self.card_number(holder, today),
            "hoTen": holder.name,
            "ngaySinh": compact(holder.born),
            "gioiTinh": holder.gender.code(),
            "gtTheTu": compact(from),
            "gtTheDen": compact(until),
            "maDKBD": format!("{}001", home.province.code),
            "tenDKBD": format!("Bệnh viện đa khoa {}", home.province.name),
            "maKV": "",
            "trangThai": if valid { "1" } else { "2" },
        }))
    }

    /// The only citizen who fits.
    fn only(
        &self,
        criteria: &Criteria,
        place: Place,
        also: impl Fn(&Citizen) -> bool,
    ) -> Result<&Citizen, Refusal> {
        let mut fitting = self.world.population.named(&criteria.name).filter(|citizen| {
            compact(citizen.born).starts_with(&criteria.born)
                && citizen.gender.code() == criteria.gender
                && self.place(citizen, place).province.code == criteria.province
                && also(citizen)
        });
        match (fitting.next(), fitting.next()) {
            (Some(citizen), None) => Ok(citizen),
            (None, _) => Err(nobody()),
            (Some(_), Some(_)) => Err(Refusal::new(409, "Có nhiều người phù hợp")),
        }
    }

    fn place(&self, citizen: &Citizen, place: Place) -> Ward {
        match place {
            Place::Birth => citizen.birth_ward,
            Place::Home => self.world.population.ward(citizen),
        }
    }

    fn card_number(&self, citizen: &Citizen, today: Date) -> String {
        card_number(citizen, self.world.population.ward(citizen), today)
    }
}

/// The 15 characters of a health insurance card: the group, which follows from age and occupation, the province, the
/// number.
pub(crate) fn card_number(citizen: &Citizen, home: Ward, today: Date) -> String {
    let group = match citizen.age(today) {
        ..6 => "TE1",
        6..22 => "HS4",
        22..60 if citizen.index % 2 == 1 => "DN4",
        22..60 => "GD4",
        60.. => "HT3",
    };
    format!("{group}{}{}", home.province.code, citizen.insurance)
}

/// Whether a citizen has paused taking part; the card ran out with the year 2024.
pub(crate) fn paused(citizen: &Citizen) -> bool {
    citizen.index % 20 == 7
}

/// First and last day of the card.
fn validity(citizen: &Citizen, today: Date) -> (Date, Date) {
    let year = |year| (Date::new(year, 1, 1).unwrap_or(today), Date::new(year, 12, 31).unwrap_or(today));
    match citizen.died {
        Some(died) => (year(died.year()).0, died),
        None if paused(citizen) => year(2024),
        None => year(today.year()),
    }
}

/// 1 takes part, 2 paused, 3 ended.
fn standing(citizen: &Citizen) -> &'static str {
    match citizen.alive() {
        false => "3",
        true if paused(citizen) => "2",
        true => "1",
    }
}

/// What a member of a household is to its head.
fn relation(head: &Citizen, member: &Citizen) -> &'static str {
    let index = Some(member.index);
    if member.index == head.index {
        "01"
    } else if head.spouse == index {
        "02"
    } else if member.father == Some(head.index) || member.mother == Some(head.index) {
        "03"
    } else if head.father == index || head.mother == index {
        "04"
    } else {
        "05"
    }
}

/// Where a province in the criteria lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where the birth was registered.
    Birth,
    /// Where the household is.
    Home,
}

impl Place {
    fn read(code: &str) -> Self {
        if code == "1" { Self::Birth } else { Self::Home }
    }
}

struct Criteria {
    name: String,
    /// `yyyyMMdd`, or the part of it that is known.
    born: String,
    gender: String,
    province: String,
}

impl Criteria {
    fn read(form: &Form<'_>, province: &str) -> Self {
        let name = form.text("hoTen", 200);
        let born = form.text("ngaySinh", 8);
        let precision = form.choice("loaiNgaySinh", &["0", "1", "2"]);
        let (right, shape) = match precision.as_str() {
            "1" => (year(&born).is_some(), "yyyy"),
            "2" => (compact_date(&format!("{born}01")).is_some(), "yyyyMM"),
            _ => (compact_date(&born).is_some(), "yyyyMMdd"),
        };
        if !born.is_empty() && !right {
            form.fault("ngaySinh", &format!("phải là {shape}"));
        }
        Self {
            name,
            born,
            gender: form.choice("gioiTinh", &["1", "2", "3"]),
            province: form.digits(province, &[2]),
        }
    }
}

fn compact(date: Date) -> String {
    date.strftime("%Y%m%d").to_string()
}

fn compact_date(text: &str) -> Option<Date> {
    time::date(text, "%Y%m%d", 8)
}

fn year(text: &str) -> Option<i16> {
    text.parse().ok().filter(|year| (1900..=2100).contains(year) && text.len() == 4)
}

fn nobody() -> Refusal {
    Refusal::new(404, "Không tìm thấy")
}

fn empty_person() -> Value {
    json!({
        "hoTen": "", "soSoCu": "", "ngaySinh": "", "loaiNgaySinh": "", "gioiTinh": "", "maTinhKs": "",
        "maHuyenKs": "", "maXaKs": "", "trangThai": "0", "maHo": "", "diaChi": "", "thanhVien": [],
    })
}

fn empty_member() -> Value {
    json!({
        "maSo": "", "hoTen": "", "ngaySinh": "", "loaiNgaySinh": "", "gioiTinh": "", "maHo": "", "diaChi": "",
        "trangThai": "0",
    })
}

fn empty_card() -> Value {
    json!({
        "maKetQua": "", "moTaKetQua": "", "maThe": "", "hoTen": "", "ngaySinh": "", "gioiTinh": "", "gtTheTu": "",
        "gtTheDen": "", "maDKBD": "", "tenDKBD": "", "maKV": "", "trangThai": "0",
    })
}

/// An operation, and what its members are when there is nothing to say.
fn operation(
    run: fn(&Insurance, &Map<String, Value>) -> Outcome,
    empty: Value,
) -> MethodRouter<Arc<Insurance>> {
    post(move |State(system): State<Arc<Insurance>>, JsonObject(members): JsonObject| async move {
        match run(&system, &members) {
            Ok(members) => envelope(members, "", ""),
            Err(refusal) => envelope(empty, &refusal.code.to_string(), &refusal.message),
        }
    })
}

fn envelope(mut members: Value, code: &str, message: &str) -> Response {
    if let Some(members) = members.as_object_mut() {
        members.insert("errorCode".to_owned(), code.into());
        members.insert("errorMessage".to_owned(), message.into());
    }
    answer(StatusCode::OK, &members)
}

async fn authorise(State(system): State<Arc<Insurance>>, request: Request, next: Next) -> Response {
    let expected = STANDARD.encode(format!("{INSURANCE_USER}:{INSURANCE_PASSWORD}"));
    if header(request.headers(), "authorization").strip_prefix("Basic ") == Some(expected.as_str()) {
        return next.run(request).await;
    }
    system.unauthorised().unwrap_or_else(|| StatusCode::UNAUTHORIZED.into_response())
}

impl Voice for Insurance {
    fn refuse(&self, refusal: Refusal) -> Response {
        envelope(json!({"trangThai": "0"}), &refusal.code.to_string(), &refusal.message)
    }

    fn unauthorised(&self) -> Option<Response> {
        Some((StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Basic")]).into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::citizens::Gender;

    #[test]
    fn relations_are_seen_from_the_head() {
        let population = crate::citizens::Population::generate(&crate::units::Units::read());
        let child = population.citizens.iter().find(|citizen| citizen.father.is_some()).unwrap();
        let father = population.get(child.father.unwrap()).unwrap();
        let mother = population.get(child.mother.unwrap()).unwrap();
        assert_eq!(father.gender, Gender::Male);
        assert_eq!(relation(father, father), "01");
        assert_eq!(relation(father, mother), "02");
        assert_eq!(relation(father, child), "03");
        assert_eq!(relation(child, mother), "04");
        assert_eq!(relation(child, &population.citizens[9_999]), "05");
    }
}
