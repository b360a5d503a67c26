//! Land (đất đai): parcels and certificates, and dossiers that a province sends to the land information system.
//!
//! The calls that send something follow the shapes of VBDLIS; the lookups are assumptions.

pub(crate) mod register;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::credentials::LAND_TOKEN;
use crate::form::{Faults, Form, is_telephone};
use crate::http::{JsonObject, Refusal, Voice, answer, header};
use crate::journal::{Journal, Shelf};
use crate::random::fingerprint;
use crate::time::{self, Course};
use crate::world::World;

/// At most so many bytes in an attachment.
const LARGEST_FILE: usize = 5 << 20;
/// The number of the first dossier that is sent in.
const FIRST_NUMBER: usize = 1001;
/// Dossiers that are there from the start, and stay as they are until a message changes them.
pub(crate) const NEEDS_SUPPLEMENT: &str = "H56.14-250630-0011";
pub(crate) const TAX_KNOWN: &str = "H56.14-250630-0012";
pub(crate) const RESULT_READY: &str = "H56.14-250630-0013";

const LOCAL: &str = "%Y-%m-%dT%H:%M:%S";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Dossier {
    number: usize,
    applicant: String,
    /// Local times, as they are shown.
    received: String,
    due: String,
    note: String,
    way: Way,
    course: Course,
    /// When the result was handed to the applicant.
    handed_out: Option<String>,
}

/// Which states a dossier goes through.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Way {
    Straight,
    /// No papers came with it.
    Incomplete,
    Supplemented,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Received = 1,
    NeedsSupplement = 2,
    Processing = 3,
    WaitingForDuty = 4,
    ResultReady = 5,
    HandedOut = 6,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Received => "Đã tiếp nhận",
            Self::NeedsSupplement => "Yêu cầu bổ sung hồ sơ",
            Self::Processing => "Đang xử lý",
            Self::WaitingForDuty => "Chờ thực hiện nghĩa vụ tài chính",
            Self::ResultReady => "Đã có kết quả",
            Self::HandedOut => "Đã trả kết quả",
        }
    }
}

impl Dossier {
    fn stages(&self) -> &'static [Stage] {
        match self.way {
            Way::Straight => &[Stage::Received, Stage::Processing, Stage::WaitingForDuty, Stage::ResultReady],
            Way::Incomplete => &[Stage::Received, Stage::NeedsSupplement],
            Way::Supplemented => &[Stage::Processing, Stage::WaitingForDuty, Stage::ResultReady],
        }
    }

    fn last(&self) -> usize {
        self.stages().len() - 1
    }

    fn stage(&self, step: usize) -> Stage {
        match &self.handed_out {
            Some(_) => Stage::HandedOut,
            None => self.stages().get(step).copied().unwrap_or(Stage::Received),
        }
    }
}

pub(crate) struct Land {
    world: Arc<World>,
    dossiers: Shelf<Dossier>,
}

/// What an operation puts into `data`.
type Outcome = Result<Value, Refusal>;

impl Land {
    pub(crate) fn new(world: Arc<World>, journal: &Journal) -> Self {
        Self { world, dossiers: Shelf::new("land", journal, first_dossiers()) }
    }

    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/thuadat/{ward}/{sheet}/{number}", get(parcel))
            .route("/giaychungnhan/{number}", lookup(Self::certificate))
            .route("/giaychungnhan", get(certificates))
            .route("/hoso/{dossier}", lookup(Self::state))
            .route("/ketquathue/{dossier}", lookup(Self::tax))
            .route("/tiepnhan", operation(Self::submit))
            .route("/capnhattrangthaibosunghoso", operation(Self::supplement))
            .route("/capnhattrangthaitraketquahoso", operation(Self::hand_out))
            .route_layer(from_fn_with_state(Arc::clone(self), authorise))
            .with_state(Arc::clone(self))
    }

    /// Puts an outcome into the envelope.
    fn say(&self, outcome: Outcome) -> Response {
        match outcome {
            Ok(data) => self.envelope(StatusCode::OK, data, 200, "Thành công"),
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn envelope(&self, http: StatusCode, data: Value, code: u16, message: &str) -> Response {
        let success = code == 200;
        let status = json!({
            "success": success,
            "code": code,
            "type": if success { "success" } else { "error" },
            "time": time::written(self.world.now(), LOCAL),
            "message": message,
        });
        answer(http, &json!({"data": data, "status": status}))
    }

    fn certificate(&self, number: &str) -> Outcome {
        let parcel = self.world.land.with_certificate(number);
        let shown = parcel.and_then(|parcel| parcel.certificate_shown(&self.world.population));
        shown.ok_or_else(|| Refusal::new(404, "Không tìm thấy giấy chứng nhận"))
    }

    fn certificates(&self, owner: &str) -> Outcome {
        if owner.len() != 12 || !owner.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::new(400, "SoDinhDanh: phải gồm 12 chữ số"));
        }
        let owner = self.world.population.by_id(owner);
        let parcels = owner.into_iter().flat_map(|owner| self.world.land.of(owner));
        Ok(parcels.filter_map(|parcel| parcel.certificate_shown(&self.world.population)).collect())
    }

    /// `tiepnhan`.
    fn submit(&self, members: &Map<String, Value>) -> Outcome {
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        self.check_place(&form);
        form.optional_number("HuyenId", 0..=i64::from(u32::MAX), 0);
        if members.get("LaQuyTrinhCapTinh").is_some_and(|value| !value.is_boolean() && !value.is_null()) {
            form.fault("LaQuyTrinhCapTinh", "phải là true hoặc false");
        }
        let key = form.text("SoBienNhan", 50);
        form.optional_text("MaHoSoMotCua", 50);
        form.optional_text("NguoiTiepNhan", 200);
        form.optional_text("DiaChiTaiSan", 500);
        let received = form.date_time("NgayTiepNhan");
        let due = form.date_time("NgayHenTra");
        if received.zip(due).is_some_and(|(received, due)| due < received) {
            form.fault("NgayHenTra", "trước NgayTiepNhan");
        }
        let applicant = form.object("ThongTinNguoiNopDon");
        let name = applicant.text("HoTen", 200);
        applicant.digits("SoChungMinh", &[9, 12]);
        applicant.optional_text("DiaChiChiTiet", 500);
        applicant.optional_text("Email", 200);
        let telephone = applicant.optional_text("SoDienThoai", 20);
        if !telephone.is_empty() && !is_telephone(&telephone) {
            applicant.fault("SoDienThoai", "phải gồm 8 đến 15 chữ số");
        }
        let procedure = form.object("ThongTinQuyTrinh");
        procedure.text("MaQuyTrinh", 50);
        procedure.optional_text("TenQuyTrinh", 500);
        for parcel in form.list("ThongTinThuaDat", 1..=50) {
            parcel.text("SoThuTuThua", 20);
            parcel.text("SoHieuBanDo", 20);
            parcel.optional_measure("DienTich");
            parcel.optional_text("DiaChiChiTiet", 500);
        }
        let papers = check_papers(&form, "DanhSachGiayToDinhKem", 0);
        faults.check().map_err(|faults| Refusal::new(400, faults))?;
        let (Some(received), Some(due)) = (received, due) else { return Err(Refusal::new(400, "")) };

        let mut dossiers = self.dossiers.open();
        if dossiers.get(&key).is_some() {
            return Err(Refusal::new(409, "Số biên nhận đã tồn tại"));
        }
        let number = FIRST_NUMBER + dossiers.len() - first_dossiers().len();
        let dossier = Dossier {
            number,
            applicant: name,
            received: written(received),
            due: written(due),
            note: String::new(),
            way: if papers == 0 { Way::Incomplete } else { Way::Straight },
            course: Course::new(self.world.now()),
            handed_out: None,
        };
        dossiers.put(&key, dossier)?;
        Ok(number.into())
    }

    fn check_place(&self, form: &Form<'_>) {
        let province = form.number("TinhId", 0..=99);
        let ward = form.number("XaId", 0..=99_999);
        if ward > 0
            && self.world.units.ward(ward).is_none_or(|ward| i64::from(ward.province.number()) != province)
        {
            form.fault("XaId", "không có xã này trong tỉnh");
        }
    }

    /// `capnhattrangthaibosunghoso`.
    fn supplement(&self, members: &Map<String, Value>) -> Outcome {
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        let key = form.text("SoBienNhan", 50);
        let due = form.date_time("NgayHenTraMoi");
        let note = form.optional_text("GhiChu", 2000);
        check_papers(&form, "DanhSachGiayToBoSung", 1);
        faults.check().map_err(|faults| Refusal::new(400, faults))?;
        let mut dossiers = self.dossiers.open();
        let mut dossier = dossiers.get(&key).ok_or_else(no_dossier)?;
        self.demand(&mut dossier, Stage::NeedsSupplement)?;
        dossier.due = due.map_or(dossier.due, written);
        dossier.note = note;
        dossier.way = Way::Supplemented;
        dossier.course = Course::new(self.world.now());
        let number = dossier.number;
        dossiers.put(&key, dossier)?;
        Ok(number.into())
    }

    /// `capnhattrangthaitraketquahoso`.
    fn hand_out(&self, members: &Map<String, Value>) -> Outcome {
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        let key = form.text("SoBienNhan", 50);
        let on = form.date_time("NgayTra");
        faults.check().map_err(|faults| Refusal::new(400, faults))?;
        let mut dossiers = self.dossiers.open();
        let mut dossier = dossiers.get(&key).ok_or_else(no_dossier)?;
        self.demand(&mut dossier, Stage::ResultReady)?;
        dossier.handed_out = on.map(written);
        let number = dossier.number;
        dossiers.put(&key, dossier)?;
        Ok(number.into())
    }

    /// Refuses unless the dossier is in this state.
    fn demand(&self, dossier: &mut Dossier, stage: Stage) -> Result<(), Refusal> {
        let last = dossier.last();
        let step = dossier.course.step(self.world.progress, self.world.now(), last);
        match dossier.stage(step) {
            now if now == stage => Ok(()),
            now => Err(Refusal::new(409, format!("Hồ sơ đang ở trạng thái {}: {}", now as u8, now.name()))),
        }
    }

    /// A query about a dossier, which moves it on.
    fn ask(&self, key: &str) -> Result<(Dossier, Stage), Refusal> {
        let mut dossiers = self.dossiers.open();
        let mut dossier = dossiers.get(key).ok_or_else(no_dossier)?;
        let last = dossier.last();
        let step = dossier.course.ask(self.world.progress, self.world.now(), last);
        dossiers.put(key, dossier.clone())?;
        let stage = dossier.stage(step);
        Ok((dossier, stage))
    }

    /// `hoso`.
    fn state(&self, key: &str) -> Outcome {
        let (dossier, stage) = self.ask(key)?;
        let changed = dossier.handed_out.unwrap_or_else(|| time::written(dossier.course.since(), LOCAL));
        Ok(json!({
            "SoBienNhan": key,
            "TrangThai": stage as u8,
            "TenTrangThai": stage.name(),
            "NgayTiepNhan": dossier.received,
            "NgayHenTra": dossier.due,
            "NgayCapNhat": changed,
            "GhiChu": dossier.note,
        }))
    }

    /// `ketquathue`. The amounts follow from the receipt's number: half a per cent for the registration fee and two
    /// per cent of income tax on a value that is made up.
    fn tax(&self, key: &str) -> Outcome {
        let (dossier, stage) = self.ask(key)?;
        if stage < Stage::WaitingForDuty {
            return Err(Refusal::new(409, "Chưa có kết quả thuế"));
        }
        let known = dossier.stages().iter().position(|stage| *stage == Stage::WaitingForDuty).unwrap_or(0);
        let known = dossier.course.reached().get(known).copied().unwrap_or(dossier.course.since());
        let value = (200 + fingerprint(key) % 800) * 1_000_000;
        let notice = |tax: &str, amount: u64| {
            json!({
                "HoTenChu": dossier.applicant,
                "LoaiThue": tax,
                "SoThongBaoThue": format!("LTB{:010}-{tax}/TB-CCT", dossier.number),
                "SoTien": amount,
                "DuongDanThongBaoThue": format!("/thongbaothue/{}-{tax}.pdf", dossier.number),
            })
        };
        Ok(json!({
            "SoBienNhan": key,
            "NguoiXuLy": "Cơ quan thuế mô phỏng",
            "NgayCoKetQuaThue": time::written(known, LOCAL),
            "GhiChu": "",
            "DanhSachThongBaoThue": [notice("LPTB", value / 200), notice("TNCN", value / 50)],
        }))
    }
}

impl Voice for Land {
    fn refuse(&self, refusal: Refusal) -> Response {
        let Refusal { code, message } = refusal;
        let http = if code == 401 { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
        self.envelope(http, Value::Null, code, &message)
    }

    fn unauthorised(&self) -> Option<Response> {
        Some(self.refuse(Refusal::new(401, "Mã truy cập không đúng hoặc đã hết hạn")))
    }
}

fn written(time: DateTime) -> String {
    time.strftime(LOCAL).to_string()
}

fn no_dossier() -> Refusal {
    Refusal::new(404, "Không tìm thấy hồ sơ")
}

/// An operation that takes a message. On an error its `data` is 0, not `null`.
fn operation(run: fn(&Land, &Map<String, Value>) -> Outcome) -> MethodRouter<Arc<Land>> {
    post(move |State(system): State<Arc<Land>>, JsonObject(members): JsonObject| async move {
        match run(&system, &members) {
            Err(refusal) => system.envelope(StatusCode::OK, 0.into(), refusal.code, &refusal.message),
            outcome => system.say(outcome),
        }
    })
}

/// An operation that takes one key from the path.
fn lookup(run: fn(&Land, &str) -> Outcome) -> MethodRouter<Arc<Land>> {
    get(move |State(system): State<Arc<Land>>, Path(key): Path<String>| async move {
        system.say(run(&system, &key))
    })
}

async fn parcel(
    State(system): State<Arc<Land>>,
    Path((ward, sheet, number)): Path<(String, String, String)>,
) -> Response {
    let parcel = match (ward.parse(), sheet.parse(), number.parse()) {
        (Ok(ward), Ok(sheet), Ok(number)) => system.world.land.at(ward, sheet, number),
        _ => None,
    };
    let shown = parcel.map(|parcel| parcel.shown(&system.world.population));
    system.say(shown.ok_or_else(|| Refusal::new(404, "Không tìm thấy thửa đất")))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Owner {
    #[serde(default)]
    so_dinh_danh: String,
}

async fn certificates(State(system): State<Arc<Land>>, Query(owner): Query<Owner>) -> Response {
    system.say(system.certificates(&owner.so_dinh_danh))
}

async fn authorise(State(system): State<Arc<Land>>, request: Request, next: Next) -> Response {
    if header(request.headers(), "authorization").strip_prefix("Bearer ") == Some(LAND_TOKEN) {
        return next.run(request).await;
    }
    system.unauthorised().unwrap_or_else(|| StatusCode::UNAUTHORIZED.into_response())
}

/// Looks at a list of papers, each of which may have its file, and says how many there are.
fn check_papers(form: &Form<'_>, name: &str, at_least: usize) -> usize {
    let papers = form.list(name, at_least..=50);
    for paper in &papers {
        paper.text("TenGiayTo", 500);
        paper.optional_number("SoBanChinh", 0..=100, 0);
        paper.optional_number("SoBanSao", 0..=100, 0);
        if !paper.has("TapTin") {
            continue;
        }
        let file = paper.object("TapTin");
        let name = file.text("name", 255);
        if name.contains(['/', '\\', '\0']) {
            file.fault("name", "không được có đường dẫn");
        }
        match STANDARD.decode(file.text("data", usize::MAX)) {
            Err(_) => file.fault("data", "phải là base64"),
            Ok(bytes) if bytes.len() > LARGEST_FILE => file.fault("data", "tối đa 5 MiB"),
            Ok(_) => {}
        }
    }
    papers.len()
}

/// Dossiers that arrived in June 2025.
fn first_dossiers() -> Vec<(String, Dossier)> {
    let received = Date::constant(2025, 6, 30).at(8, 30, 0, 0);
    let on = time::instant(received);
    let dossier = |number, way, steps: usize| Dossier {
        number,
        applicant: "Nguyễn Văn An".to_owned(),
        received: written(received),
        due: written(Date::constant(2025, 7, 15).at(17, 0, 0, 0)),
        note: String::new(),
        way,
        course: Course::held(vec![on; steps]),
        handed_out: None,
    };
    vec![
        (NEEDS_SUPPLEMENT.to_owned(), dossier(1, Way::Incomplete, 2)),
        (TAX_KNOWN.to_owned(), dossier(2, Way::Straight, 3)),
        (RESULT_READY.to_owned(), dossier(3, Way::Straight, 4)),
    ]
}
