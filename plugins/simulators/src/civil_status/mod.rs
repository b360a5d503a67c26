//! Civil status (hộ tịch): dossiers of births, marriages and deaths, and the register they end in.
//!
//! Shapes after the public document of a province's platform; the page of this crate says what is assumed.

mod message;
pub(crate) mod records;

mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use truc_model::Timestamp;

use self::message::Fields;
pub(crate) use self::message::{Module, person};
use self::records::{FIRST_NEW, Record, Register};
use self::token::Tokens;
use crate::catalogue::{COUNTRIES, ETHNIC_GROUPS, PAPERS};
use crate::citizens::Citizen;
use crate::credentials::{CIVIL_STATUS_CLIENT, CIVIL_STATUS_SECRET};
use crate::form::{Faults, Form, whole};
use crate::http::{JsonObject, Refusal, Voice, answer, body, header};
use crate::journal::{Journal, Open, Shelf};
use crate::time::{self, Course};
use crate::units::Ward;
use crate::world::World;

/// At most so many entries in a list.
const LONGEST_LIST: usize = 1000;

/// Dossiers that are there from the start, and stay as they are.
pub(crate) const RECEIVED: &str = "H56.14-250630-0001";
pub(crate) const NEEDS_SUPPLEMENT: &str = "H56.14-250630-0002";
pub(crate) const REGISTERED: &str = "H56.14-250630-0003";

/// A dossier that was sent in.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Dossier {
    unit: u32,
    module: Module,
    fields: Fields,
    course: Course,
    /// The number of the record that it became, or will become.
    id: u64,
}

/// The states a dossier goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Received = 1,
    NeedsSupplement = 2,
    Qualified = 3,
    Registered = 4,
}

impl Dossier {
    /// Without the number of the applicant's identity paper it stops.
    fn way(&self) -> &'static [Stage] {
        match self.complete() {
            true => &[Stage::Received, Stage::Qualified, Stage::Registered],
            false => &[Stage::Received, Stage::NeedsSupplement],
        }
    }

    fn complete(&self) -> bool {
        self.fields.contains_key("nycSoGiayToTuyThan")
    }

    fn last(&self) -> usize {
        self.way().len() - 1
    }

    fn stage(&self, step: usize) -> Stage {
        self.way().get(step).copied().unwrap_or(Stage::Received)
    }
}

pub(crate) struct CivilStatus {
    world: Arc<World>,
    register: Register,
    tokens: Tokens,
    dossiers: Shelf<Dossier>,
}

impl CivilStatus {
    pub(crate) fn new(world: Arc<World>, journal: &Journal, token_lifetime: Duration) -> Self {
        let dossiers = Shelf::new("civil-status", journal, first_dossiers(&world));
        let register = Register::draw_up(&world);
        Self { world, register, tokens: Tokens::new(token_lifetime), dossiers }
    }

    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/apiHoTichTuPhap/dangKyHoTich", operation(Self::submit))
            .route("/apiHoTichTuPhap/traTrangThaiHoSo", operation(Self::state))
            .route("/apiHoTichTuPhap/ketQuaDangKyHS", operation(Self::result))
            .route("/apiHoTichTuPhap/dsHoSoDangKy", operation(Self::changes))
            .route("/apiHoTichTuPhap/traHoSo", operation(Self::record))
            .route("/apiHoTichTuPhap/traDanhSachHoSo", operation(Self::records))
            .route("/apiHoTichTuPhap/danhMuc", operation(Self::code_list))
            .route_layer(from_fn_with_state(Arc::clone(self), authorise))
            .route("/token", post(hand_out_token))
            .with_state(Arc::clone(self))
    }

    /// Puts a result into the envelope.
    fn say(&self, result: Result<Said, Refusal>) -> Response {
        match result {
            Ok(Said { status, description, value }) => answer(
                StatusCode::OK,
                &json!({
                    "status": status,
                    "statusDescription": description,
                    "value": value,
                    "errorCode": 0,
                    "errorDescription": "",
                }),
            ),
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// `dangKyHoTich`.
    fn submit(&self, members: &Map<String, Value>) -> Result<Said, Refusal> {
        let unit = self.unit(members)?;
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        let module = module_of(&form);
        let dossier = form.text("maHoSo", 60);
        form.date("ngayTiepNhan", "%Y-%m-%d", 10, "yyyy-MM-dd");
        let data = form.text("data", usize::MAX);
        let fields = match message::read(&data) {
            Ok(fields) => fields,
            Err(reason) => {
                form.fault("data", &reason);
                Fields::new()
            }
        };
        faults.check().map_err(incorrect)?;
        let Some(module) = module else { return Err(incorrect("module: thiếu".to_owned())) };

        message::check(module, &fields, &self.world, &faults);
        let now = self.world.now();
        let mut dossiers = self.dossiers.open();
        self.check_standing(&dossiers, now, module, &fields, &faults);
        faults.check().map_err(incorrect)?;

        let earlier = dossiers.get(&dossier);
        if earlier.as_ref().is_some_and(Dossier::complete) {
            return Err(incorrect("maHoSo: đã tồn tại".to_owned()));
        }
        let id = earlier.map_or(FIRST_NEW + dossiers.len() as u64, |earlier| earlier.id);
        dossiers
            .put(&dossier, Dossier { unit: unit.number(), module, fields, course: Course::new(now), id })?;
        Ok(Said::done("Gửi thông tin thành công", Value::Null))
    }

    /// What is registered already about the people of a marriage or a death.
    fn check_standing(
        &self,
        dossiers: &Open<'_, Dossier>,
        now: Timestamp,
        module: Module,
        fields: &Fields,
        faults: &Faults,
    ) {
        let who: &[&str] = match module {
            Module::Birth => &[],
            Module::Marriage => &["chong", "vo"],
            Module::Death => &["nkt"],
        };
        for who in who {
            let Some(id) = person(fields, who) else { continue };
            let citizen = self.world.population.by_id(id);
            let spouse = citizen.and_then(|citizen| self.world.population.get(citizen.spouse?));
            let dead = citizen.is_some_and(|citizen| !citizen.alive())
                || self.named(dossiers, now, Module::Death, &["nkt"], id);
            let married = spouse.is_some_and(Citizen::alive)
                || self.named(dossiers, now, Module::Marriage, &["chong", "vo"], id);
            let reason = match module {
                _ if dead => "đã đăng ký khai tử",
                Module::Marriage if married => "đang có vợ hoặc có chồng",
                _ => continue,
            };
            faults.add(&format!("{who}SoGiayToTuyThan"), reason);
        }
    }

    /// Whether somebody is named in a registration of this run that is finished.
    fn named(
        &self,
        dossiers: &Open<'_, Dossier>,
        now: Timestamp,
        module: Module,
        who: &[&str],
        id: &str,
    ) -> bool {
        dossiers.all().any(|(_, dossier)| {
            let mut course = dossier.course.clone();
            dossier.module == module
                && who.iter().any(|who| person(&dossier.fields, who) == Some(id))
                && dossier.stage(course.step(self.world.progress, now, dossier.last())) == Stage::Registered
        })
    }

    /// `traTrangThaiHoSo`.
    fn state(&self, members: &Map<String, Value>) -> Result<Said, Refusal> {
        let unit = self.unit(members)?;
        if self.first_record(unit, members).is_some() {
            return Ok(Said {
                status: Stage::Registered as u8,
                description: REGISTRATION_DONE,
                value: Value::Null,
            });
        }
        let mut dossiers = self.dossiers.open();
        let (key, mut dossier) = wanted(&dossiers, unit, members)?;
        let last = dossier.last();
        let step = dossier.course.ask(self.world.progress, self.world.now(), last);
        let stage = dossier.stage(step);
        dossiers.put(&key, dossier)?;
        let description = match stage {
            Stage::Received => "Đã tiếp nhận hồ sơ, chờ xử lý",
            Stage::NeedsSupplement => "Hồ sơ cần bổ sung thông tin: nycSoGiayToTuyThan",
            Stage::Qualified => "Hồ sơ đủ điều kiện giải quyết",
            Stage::Registered => REGISTRATION_DONE,
        };
        Ok(Said { status: stage as u8, description, value: Value::Null })
    }

    /// `ketQuaDangKyHS`.
    fn result(&self, members: &Map<String, Value>) -> Result<Said, Refusal> {
        let unit = self.unit(members)?;
        if let Some(record) = self.first_record(unit, members) {
            return Ok(Said::done(SUCCESS, json!([record.shown()])));
        }
        let (key, dossier) = wanted(&self.dossiers.open(), unit, members)?;
        let record = self.settled(&key, &dossier);
        let record = record.ok_or_else(|| Refusal::new(200, "Hồ sơ chưa hoàn thành đăng ký"))?;
        Ok(Said::done(SUCCESS, json!([record.shown()])))
    }

    /// The record from the start that came out of this dossier, whose number ends in the module and the citizen.
    fn first_record(&self, unit: Ward, members: &Map<String, Value>) -> Option<Record> {
        let dossier = members.get("maHoSo")?.as_str()?;
        let (_, tail) = dossier.rsplit_once('-').filter(|(_, tail)| tail.len() == 6)?;
        let module = match tail.get(..1)? {
            "1" => Module::Birth,
            "2" => Module::Marriage,
            "3" => Module::Death,
            _ => return None,
        };
        let id = records::id(module, tail.get(1..)?.parse().ok()?);
        records::find(&self.world, module, id)
            .filter(|record| record.dossier == dossier && record.unit == unit)
    }

    /// `dsHoSoDangKy`.
    fn changes(&self, members: &Map<String, Value>) -> Result<Said, Refusal> {
        let province = self.province(members)?;
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        let module = module_of(&form);
        let day = form.date("ngayCapNhat", "%Y-%m-%d", 10, "yyyy-MM-dd");
        faults.check().map_err(incorrect)?;
        let (Some(module), Some(day)) = (module, day) else { return Err(incorrect(String::new())) };
        let of_province = |record: &Record| province.is_none_or(|code| record.unit.province.code == code);
        let new = self.new_records(|record| record.module == module && record.registered == day);
        let listed: Vec<_> = self
            .register
            .of_day(&self.world, module, day)
            .chain(new)
            .filter(of_province)
            .take(LONGEST_LIST)
            .map(|record| record.listed())
            .collect();
        Ok(Said::done(SUCCESS, listed.into()))
    }

    /// `traHoSo`.
    fn record(&self, members: &Map<String, Value>) -> Result<Said, Refusal> {
        let province = self.province(members)?;
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        let module = module_of(&form);
        let id = form.number("maHoSo", 0..=i64::MAX);
        faults.check().map_err(incorrect)?;
        let found = self.find(module, id).filter(|record| in_province(record, province));
        let record = found.ok_or_else(|| Refusal::new(201, NOT_FOUND))?;
        Ok(Said::done(SUCCESS, json!([record.shown()])))
    }

    /// `traDanhSachHoSo`.
    fn records(&self, members: &Map<String, Value>) -> Result<Said, Refusal> {
        let Some(province) = self.province(members)? else {
            return Err(Refusal::new(108, "Mã tỉnh không chính xác"));
        };
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        let module = module_of(&form);
        let ids = members.get("dsMaHoSo").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if !(1..=100).contains(&ids.len()) || !ids.iter().all(|id| whole(id).is_some()) {
            form.fault("dsMaHoSo", "phải là danh sách từ 1 đến 100 số nguyên");
        }
        faults.check().map_err(incorrect)?;
        let found: Vec<_> = ids
            .iter()
            .filter_map(|id| self.find(module, whole(id)?))
            .filter(|record| in_province(record, Some(province)))
            .map(|record| record.shown())
            .collect();
        if found.is_empty() {
            return Err(Refusal::new(201, NOT_FOUND));
        }
        Ok(Said::done(SUCCESS, found.into()))
    }

    /// `danhMuc`.
    fn code_list(&self, members: &Map<String, Value>) -> Result<Said, Refusal> {
        let item = |code: &str, name: &str| json!({"ma": code, "ten": name});
        let list: Vec<_> = match members.get("loaiDanhMuc").and_then(whole) {
            Some(1 | 2) => COUNTRIES.iter().map(|(code, name)| item(code, name)).collect(),
            Some(3) => {
                ETHNIC_GROUPS.iter().zip(1..).map(|(name, code)| item(&format!("{code:02}"), name)).collect()
            }
            Some(4) => self.world.units.provinces.iter().map(|unit| item(unit.code, unit.name)).collect(),
            Some(5) => PAPERS.iter().map(|(code, name)| item(code, name)).collect(),
            _ => return Err(Refusal::new(302, "Loại dữ liệu danh mục không hợp lệ")),
        };
        Ok(Said::done(SUCCESS, Value::from(list).to_string().into()))
    }

    /// The ward of `maDonVi`.
    fn unit(&self, members: &Map<String, Value>) -> Result<Ward, Refusal> {
        let number = members.get("maDonVi").and_then(whole);
        let ward = number.and_then(|number| self.world.units.ward(number));
        ward.ok_or_else(|| Refusal::new(106, "Mã đơn vị không chính xác"))
    }

    /// The code of `maTinh`, where it is given.
    fn province(&self, members: &Map<String, Value>) -> Result<Option<&'static str>, Refusal> {
        let given = members.get("maTinh").filter(|value| !value.is_null() && value.as_str() != Some(""));
        let Some(given) = given else { return Ok(None) };
        let province = whole(given).and_then(|number| self.world.units.province(number));
        province
            .map(|province| Some(province.code))
            .ok_or_else(|| Refusal::new(108, "Mã tỉnh không chính xác"))
    }

    fn find(&self, module: Option<Module>, id: i64) -> Option<Record> {
        let (module, id) = (module?, u64::try_from(id).ok()?);
        records::find(&self.world, module, id).or_else(|| {
            self.new_records(|record| record.module == module && record.id == id).into_iter().next()
        })
    }

    /// Records of dossiers that were finished in this run.
    fn new_records(&self, wanted: impl Fn(&Record) -> bool) -> Vec<Record> {
        let dossiers = self.dossiers.open();
        dossiers.all().filter_map(|(key, dossier)| self.settled(key, dossier)).filter(wanted).collect()
    }

    /// The record of a dossier, when it is finished.
    fn settled(&self, key: &str, dossier: &Dossier) -> Option<Record> {
        let mut course = dossier.course.clone();
        let step = course.step(self.world.progress, self.world.now(), dossier.last());
        if dossier.stage(step) != Stage::Registered {
            return None;
        }
        let unit = self.world.units.ward(dossier.unit.into())?;
        let person = match dossier.module {
            Module::Birth => records::new_citizen_id(&self.world.units, unit, &dossier.fields, dossier.id),
            _ => None,
        };
        Some(Record {
            id: dossier.id,
            module: dossier.module,
            unit,
            dossier: key.to_owned(),
            registered: time::today(course.since()),
            person,
            fields: dossier.fields.clone(),
        })
    }
}

impl Voice for CivilStatus {
    fn refuse(&self, refusal: Refusal) -> Response {
        let Refusal { code, message } = refusal;
        let name = match code {
            100 => "AUTHEN_ERROR",
            101 => "IP_DISALLOWED",
            106 => "AGENCY_ID_INCORRECT",
            108 => "PROVINCE_ID_INCORRECT",
            200 => "RECORD_UNCOMPLETE",
            201 => "RECORD_NOT_FOUND",
            302 => "DATA_TYPE_INVALID",
            500 => "DATA_INCORRECT",
            _ => "ERROR",
        };
        let envelope = json!({
            "status": 0,
            "statusDescription": "Đã có lỗi xảy ra trong quá trình gửi thông tin",
            "value": null,
            "errorCode": code,
            "errorDescription": format!("{name} - {message}"),
        });
        if code == 100 {
            let mut response = answer(StatusCode::UNAUTHORIZED, &envelope);
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
        answer(StatusCode::OK, &envelope)
    }

    fn unauthorised(&self) -> Option<Response> {
        Some(self.refuse(Refusal::new(100, "Mã xác thực không chính xác")))
    }
}

/// An operation behind the path that is routed to it.
fn operation(
    run: fn(&CivilStatus, &Map<String, Value>) -> Result<Said, Refusal>,
) -> MethodRouter<Arc<CivilStatus>> {
    post(move |State(system): State<Arc<CivilStatus>>, JsonObject(members): JsonObject| async move {
        system.say(run(&system, &members))
    })
}

/// What goes into the envelope when all is well.
struct Said {
    status: u8,
    description: &'static str,
    value: Value,
}

impl Said {
    fn done(description: &'static str, value: Value) -> Self {
        Self { status: 1, description, value }
    }
}

const REGISTRATION_DONE: &str = "Đã hoàn thành đăng ký";
const SUCCESS: &str = "Giao dịch thành công";
const NOT_FOUND: &str = "Hồ sơ không tồn tại, đề nghị xem lại số phiếu tiếp nhận";

fn incorrect(faults: String) -> Refusal {
    Refusal::new(500, faults)
}

fn module_of(form: &Form<'_>) -> Option<Module> {
    Module::coded(&form.choice("module", &["KS", "KH", "KT"]))
}

fn in_province(record: &Record, code: Option<&str>) -> bool {
    code.is_none_or(|code| record.unit.province.code == code)
}

/// The dossier that a request asks for, with its key.
fn wanted(
    dossiers: &Open<'_, Dossier>,
    unit: Ward,
    members: &Map<String, Value>,
) -> Result<(String, Dossier), Refusal> {
    let key = members.get("maHoSo").and_then(Value::as_str).unwrap_or_default();
    let dossier = dossiers.get(key).filter(|dossier| dossier.unit == unit.number());
    dossier.map(|dossier| (key.to_owned(), dossier)).ok_or_else(|| Refusal::new(201, NOT_FOUND))
}

async fn authorise(State(system): State<Arc<CivilStatus>>, request: Request, next: Next) -> Response {
    let token = header(request.headers(), "authorization").strip_prefix("Bearer ").unwrap_or_default();
    if system.tokens.good(token, system.world.now()) {
        return next.run(request).await;
    }
    system.unauthorised().unwrap_or_else(|| StatusCode::UNAUTHORIZED.into_response())
}

/// `/token` (RFC 6749, section 4.4).
async fn hand_out_token(State(system): State<Arc<CivilStatus>>, request: Request) -> Response {
    let error = |status, error: &str| answer(status, &json!({"error": error}));
    let expected = STANDARD.encode(format!("{CIVIL_STATUS_CLIENT}:{CIVIL_STATUS_SECRET}"));
    if header(request.headers(), "authorization").strip_prefix("Basic ") != Some(expected.as_str()) {
        let mut response = error(StatusCode::UNAUTHORIZED, "invalid_client");
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        return response;
    }
    let form = match body(request).await {
        Ok(form) => form,
        Err(status) => return status.into_response(),
    };
    if !form.split(|&byte| byte == b'&').any(|pair| pair == b"grant_type=client_credentials") {
        return error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    answer(
        StatusCode::OK,
        &json!({
            "access_token": system.tokens.issue(system.world.now()),
            "token_type": "Bearer",
            "expires_in": system.tokens.lifetime(),
            "scope": "default",
        }),
    )
}

/// Three births that were sent in on the last day of June 2025.
fn first_dossiers(world: &World) -> Vec<(String, Dossier)> {
    let on = time::instant(Date::constant(2025, 6, 30).at(8, 30, 0, 0));
    let dossier = |id, name: &str, complete: bool, steps: usize| {
        let mut fields: Fields = [
            ("loaiDangKy", "1"),
            ("nksHoTen", name),
            ("nksGioiTinh", "2"),
            ("nksNgaySinh", "20.06.2025"),
            ("nksNoiSinh", "Bệnh viện đa khoa tỉnh"),
            ("nksQueQuan", "Phường Nha Trang, Tỉnh Khánh Hòa"),
            ("nksDanToc", "Kinh"),
            ("nksQuocTich", "Việt Nam"),
            ("meHoTen", "Trần Thị Hoa"),
            ("meNgaySinh", "1995"),
            ("nycHoTen", "Trần Thị Hoa"),
            ("nycQuanHe", "Mẹ"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        if complete {
            fields.insert("nycLoaiGiayToTuyThan".to_owned(), "2".to_owned());
            fields.insert("nycSoGiayToTuyThan".to_owned(), "B0000001".to_owned());
        }
        let course = Course::held(vec![on; steps]);
        Dossier { unit: world.home().number(), module: Module::Birth, fields, course, id: FIRST_NEW + id }
    };
    vec![
        (RECEIVED.to_owned(), dossier(0, "Nguyễn Minh An", true, 1)),
        (NEEDS_SUPPLEMENT.to_owned(), dossier(1, "Nguyễn Minh Bình", false, 2)),
        (REGISTERED.to_owned(), dossier(2, "Nguyễn Minh Châu", true, 3)),
    ]
}
