//! National payment platform (thanh toán): a payment is initiated, settles, has a receipt, and is reconciled.
//!
//! Every message, in both directions, carries an authentication code over its fields in a fixed order.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use hyper::StatusCode;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use truc_model::Timestamp;

use crate::credentials::{PAYMENT_PARTNER, PAYMENT_SECRET};
use crate::form::{Faults, Form};
use crate::http::{JsonObject, Refusal, Voice, answer};
use crate::journal::{Journal, Open, Shelf};
use crate::time::{self, Course};
use crate::world::World;

const VERSION: &str = "1.0.6";
const MOMENT: &str = "%Y%m%d%H%M%S";
/// At most so many entries in a reconciliation.
const LONGEST_LIST: usize = 1000;
/// A bank whose payments fail.
const FAILING_BANK: &str = "SIMFAIL";
/// The bank of payments that left it open.
const USUAL_BANK: &str = "SIMBANK";

/// Payments that are there from the start, and stay as they are.
pub(crate) const WAITING: &str = "SEED-WAITING";
pub(crate) const PAID: &str = "SEED-PAID";
/// The day on which [`PAID`] was paid.
pub(crate) const PAID_ON: Date = Date::constant(2025, 6, 30);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Payment {
    number: usize,
    amount: String,
    currency: String,
    bank: String,
    purpose: String,
    dossier: String,
    course: Course,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Waiting,
    Paid,
    Failed,
}

impl Standing {
    fn code(self) -> &'static str {
        match self {
            Self::Waiting => "0",
            Self::Paid => "1",
            Self::Failed => "2",
        }
    }
}

impl Payment {
    /// A payment has two steps: it waits, and then it is settled.
    fn standing(&self, step: usize) -> Standing {
        match (step, self.bank.as_str()) {
            (0, _) => Standing::Waiting,
            (_, FAILING_BANK) => Standing::Failed,
            _ => Standing::Paid,
        }
    }

    fn transaction(&self) -> String {
        format!("GD{:010}", self.number)
    }

    fn bank(&self) -> &str {
        if self.bank.is_empty() { USUAL_BANK } else { &self.bank }
    }
}

pub(crate) struct PaymentPlatform {
    world: Arc<World>,
    payments: Shelf<Payment>,
    /// Where the pages of payments and receipts would be.
    address: SocketAddr,
}

/// A message of the platform: what is signed, in its order, and then what is not.
#[derive(Default)]
struct Message {
    signed: Vec<(&'static str, String)>,
    /// Signed too, but shown within a list: after the others.
    entries: Vec<String>,
    unsigned: Vec<(&'static str, Value)>,
}

/// Which kind of message, as in `LoaiBanTin`, and what is signed in its answer after `LoaiBanTin` and `MaLoi`.
struct Operation {
    kind: &'static str,
    asked: &'static [&'static str],
    run: fn(&PaymentPlatform, &Form<'_>, &Faults) -> Result<Message, Refusal>,
    answered: &'static [&'static str],
}

const INIT: Operation = Operation {
    kind: "INIT",
    asked: &[
        "LoaiBanTin",
        "PhienBan",
        "MaDoiTac",
        "MaThamChieu",
        "SoTien",
        "LoaiHinhThanhToan",
        "MaKenhThanhToan",
        "MaThietBi",
        "NgonNgu",
        "MaTienTe",
        "MaNganHang",
        "ThongTinGiaoDich",
        "ThoiGianGD",
        "Ip",
    ],
    run: PaymentPlatform::initiate,
    answered: &["MaDoiTac", "MaThamChieu", "SoTien", "MaTienTe", "MaGiaoDich", "UrlThanhToan", "ThoiGianGD"],
};

const QUERY: Operation = Operation {
    kind: "QUERY",
    asked: &["LoaiBanTin", "PhienBan", "MaDoiTac", "MaThamChieu", "ThoiGianGD"],
    run: PaymentPlatform::query,
    answered: &[
        "MaDoiTac",
        "MaThamChieu",
        "SoTien",
        "MaTienTe",
        "MaGiaoDich",
        "MaNganHang",
        "TrangThaiGD",
        "ThoiGianGD",
        "ThongTinGiaoDich",
    ],
};

const GET_BILL: Operation = Operation {
    kind: "GET_BILL",
    asked: QUERY.asked,
    run: PaymentPlatform::bill,
    answered: &["MaDoiTac", "MaThamChieu", "MaGiaoDich", "SoBienLai", "UrlBienLai", "ThoiGianGD"],
};

const RECONCILE: Operation = Operation {
    kind: "RECONCILE",
    asked: &["LoaiBanTin", "PhienBan", "MaDoiTac", "NgayDoiSoat", "ThoiGianGD"],
    run: PaymentPlatform::reconcile,
    answered: &["MaDoiTac", "NgayDoiSoat", "TongSoGiaoDich", "TongSoTien", "ThoiGianGD"],
};

impl PaymentPlatform {
    pub(crate) fn new(world: Arc<World>, journal: &Journal, address: SocketAddr) -> Self {
        let payments = Shelf::new("payment", journal, first_payments());
        Self { world, payments, address }
    }

    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/thanhtoan/init", operation(&INIT))
            .route("/thanhtoan/query", operation(&QUERY))
            .route("/thanhtoan/bill", operation(&GET_BILL))
            .route("/thanhtoan/doisoat", operation(&RECONCILE))
            .with_state(Arc::clone(self))
    }

    fn answer(&self, operation: &Operation, members: &Map<String, Value>) -> Response {
        match self.checked(operation, members) {
            Ok(message) => sign(operation.kind, 0, "Thành công", message),
            Err(refusal) => {
                let given = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
                let echoed = ["MaDoiTac", "MaThamChieu", "NgayDoiSoat"];
                let fields = operation.answered.iter().map(|&name| match name {
                    "ThoiGianGD" => (name, time::written(self.world.now(), MOMENT)),
                    "TongSoGiaoDich" | "TongSoTien" => (name, "0".to_owned()),
                    _ if echoed.contains(&name) => (name, given(name).to_owned()),
                    _ => (name, String::new()),
                });
                let mut message = Message { signed: fields.collect(), ..Message::default() };
                if operation.kind == RECONCILE.kind {
                    message.unsigned.push(("DanhSachGiaoDich", json!([])));
                }
                sign(operation.kind, refusal.code, &refusal.message, message)
            }
        }
    }

    /// What stands before every operation: the envelope, the partner, the authentication code.
    fn checked(&self, operation: &Operation, members: &Map<String, Value>) -> Result<Message, Refusal> {
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        form.choice("LoaiBanTin", &[operation.kind]);
        form.choice("PhienBan", &[VERSION]);
        let partner = form.text("MaDoiTac", 50);
        faults.check().map_err(|faults| Refusal::new(5, faults))?;
        if partner != PAYMENT_PARTNER {
            return Err(Refusal::new(2, "Mã đối tác không tồn tại"));
        }
        let given = |name: &&str| members.get(*name).and_then(Value::as_str).unwrap_or_default();
        let code = authentication_code(operation.asked.iter().map(given));
        if given(&"MaXacThuc") != code {
            return Err(Refusal::new(1, "Mã xác thực không đúng"));
        }
        form.date("ThoiGianGD", MOMENT, 14, "yyyyMMddHHmmss");
        (operation.run)(self, &form, &faults)
    }

    fn initiate(&self, form: &Form<'_>, faults: &Faults) -> Result<Message, Refusal> {
        let reference = form.text("MaThamChieu", 50);
        let amount = amount_of(form, "SoTien");
        form.choice("LoaiHinhThanhToan", &["1", "2"]);
        form.choice("MaKenhThanhToan", &["WEB", "MOBILE"]);
        form.optional_text("MaThietBi", 100);
        if form.has("NgonNgu") {
            form.choice("NgonNgu", &["vi", "en"]);
        }
        let currency = form.choice("MaTienTe", &["VND"]);
        let bank = form.optional_text("MaNganHang", 20);
        let purpose = form.text("ThongTinGiaoDich", 255);
        form.optional_text("Ip", 45);
        let dossier = check_receipt(&form.object("ThongTinBienLai"), amount);
        faults.check().map_err(|faults| Refusal::new(5, faults))?;

        let mut payments = self.payments.open();
        if payments.get(&reference).is_some() {
            return Err(Refusal::new(3, "MaThamChieu đã tồn tại"));
        }
        let now = self.world.now();
        let payment = Payment {
            number: payments.len() + 1,
            amount: amount.to_string(),
            currency,
            bank,
            purpose,
            dossier,
            course: Course::new(now),
        };
        payments.put(&reference, payment.clone())?;
        Ok(Message {
            signed: vec![
                ("MaDoiTac", PAYMENT_PARTNER.to_owned()),
                ("MaThamChieu", reference),
                ("SoTien", payment.amount.clone()),
                ("MaTienTe", payment.currency.clone()),
                ("MaGiaoDich", payment.transaction()),
                ("UrlThanhToan", self.page("trang", &payment)),
                ("ThoiGianGD", time::written(now, MOMENT)),
            ],
            ..Message::default()
        })
    }

    fn query(&self, form: &Form<'_>, faults: &Faults) -> Result<Message, Refusal> {
        let mut payments = self.payments.open();
        let (reference, mut payment) = wanted(&payments, form, faults)?;
        let step = payment.course.ask(self.world.progress, self.world.now(), 1);
        payments.put(&reference, payment.clone())?;
        let standing = payment.standing(step);
        let bank = if standing == Standing::Paid { payment.bank() } else { &payment.bank };
        Ok(Message {
            signed: vec![
                ("MaDoiTac", PAYMENT_PARTNER.to_owned()),
                ("MaThamChieu", reference),
                ("SoTien", payment.amount.clone()),
                ("MaTienTe", payment.currency.clone()),
                ("MaGiaoDich", payment.transaction()),
                ("MaNganHang", bank.to_owned()),
                ("TrangThaiGD", standing.code().to_owned()),
                ("ThoiGianGD", time::written(payment.course.since(), MOMENT)),
                ("ThongTinGiaoDich", payment.purpose.clone()),
            ],
            ..Message::default()
        })
    }

    fn bill(&self, form: &Form<'_>, faults: &Faults) -> Result<Message, Refusal> {
        let payments = self.payments.open();
        let (reference, payment) = wanted(&payments, form, faults)?;
        let now = self.world.now();
        let step = payment.course.clone().step(self.world.progress, now, 1);
        if payment.standing(step) != Standing::Paid {
            return Err(Refusal::new(6, "Giao dịch chưa được thanh toán"));
        }
        Ok(Message {
            signed: vec![
                ("MaDoiTac", PAYMENT_PARTNER.to_owned()),
                ("MaThamChieu", reference),
                ("MaGiaoDich", payment.transaction()),
                ("SoBienLai", format!("BL{:010}", payment.number)),
                ("UrlBienLai", self.page("bienlai", &payment)),
                ("ThoiGianGD", time::written(now, MOMENT)),
            ],
            ..Message::default()
        })
    }

    fn reconcile(&self, form: &Form<'_>, faults: &Faults) -> Result<Message, Refusal> {
        let day = form.date("NgayDoiSoat", "%Y%m%d", 8, "yyyyMMdd");
        faults.check().map_err(|faults| Refusal::new(5, faults))?;
        let day = day.ok_or_else(|| Refusal::new(5, "NgayDoiSoat: thiếu"))?;
        let now = self.world.now();
        let payments = self.payments.open();
        let mut paid: Vec<(Timestamp, &str, &Payment)> = payments
            .all()
            .filter_map(|(reference, payment)| {
                let mut course = payment.course.clone();
                let step = course.step(self.world.progress, now, 1);
                let on_that_day = time::today(course.since()) == day;
                (payment.standing(step) == Standing::Paid && on_that_day).then_some((
                    course.since(),
                    reference,
                    payment,
                ))
            })
            .collect();
        paid.sort_by_key(|(at, _, payment)| (*at, payment.number));
        paid.truncate(LONGEST_LIST);

        let total: u64 = paid.iter().filter_map(|(_, _, payment)| payment.amount.parse::<u64>().ok()).sum();
        let mut entries = Vec::new();
        let mut list = Vec::new();
        for (at, reference, payment) in &paid {
            let (transaction, standing) = (payment.transaction(), Standing::Paid.code());
            list.push(json!({
                "MaThamChieu": reference,
                "MaGiaoDich": transaction,
                "SoTien": payment.amount,
                "MaTienTe": payment.currency,
                "MaNganHang": payment.bank(),
                "ThoiGianGD": time::written(*at, MOMENT),
                "TrangThaiGD": standing,
                "MaHoSo": payment.dossier,
            }));
            let (reference, standing) = ((*reference).to_owned(), standing.to_owned());
            entries.extend([reference, transaction, payment.amount.clone(), standing]);
        }
        Ok(Message {
            signed: vec![
                ("MaDoiTac", PAYMENT_PARTNER.to_owned()),
                ("NgayDoiSoat", day.strftime("%Y%m%d").to_string()),
                ("TongSoGiaoDich", paid.len().to_string()),
                ("TongSoTien", total.to_string()),
                ("ThoiGianGD", time::written(now, MOMENT)),
            ],
            entries,
            unsigned: vec![("DanhSachGiaoDich", list.into())],
        })
    }

    fn page(&self, kind: &str, payment: &Payment) -> String {
        format!("http://{}/thanhtoan/{kind}/{}", self.address, payment.transaction())
    }
}

/// The authentication code of a message: lower-case hexadecimal SHA-256 over the values joined with `|`, one more `|`,
/// and the secret.
pub fn authentication_code<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for value in values {
        text.push_str(value);
        text.push('|');
    }
    text.push_str(PAYMENT_SECRET);
    digest(&SHA256, text.as_bytes()).as_ref().iter().fold(String::new(), |mut code, byte| {
        // Writing to a string does not fail.
        let _ = write!(code, "{byte:02x}");
        code
    })
}

fn sign(kind: &str, code: u16, description: &str, message: Message) -> Response {
    let code = format!("{code:02}");
    let values = [kind, &code].into_iter();
    let values = values.chain(message.signed.iter().map(|(_, value)| value.as_str()));
    let signature = authentication_code(values.chain(message.entries.iter().map(String::as_str)));
    let mut members = Map::new();
    members.insert("LoaiBanTin".to_owned(), kind.into());
    members.insert("MaLoi".to_owned(), code.into());
    members.insert("MoTaLoi".to_owned(), description.into());
    members.extend(message.signed.into_iter().map(|(name, value)| (name.to_owned(), value.into())));
    members.extend(message.unsigned.into_iter().map(|(name, value)| (name.to_owned(), value)));
    members.insert("MaXacThuc".to_owned(), signature.into());
    answer(StatusCode::OK, &members)
}

/// A positive amount of whole đồng, written as digits.
fn amount_of(form: &Form<'_>, name: &str) -> u64 {
    let text = form.text(name, 12);
    let amount = text.parse().ok().filter(|amount: &u64| *amount > 0 && amount.to_string() == text);
    if amount.is_none() && !text.is_empty() {
        form.fault(name, "phải gồm 1 đến 12 chữ số, lớn hơn 0");
    }
    amount.unwrap_or_default()
}

/// Looks at what is to stand on the receipt, and gives the dossier.
fn check_receipt(form: &Form<'_>, amount: u64) -> String {
    for name in ["MaDichVu", "TKThuHuong", "MaNHThuHuong"] {
        form.text(name, 50);
    }
    for name in ["MaDonVi", "TenDonVi", "TenTKThuHuong", "HoTenNguoiNop"] {
        form.text(name, 255);
    }
    for name in ["MaDVC", "TenDVC", "MaTTHC", "TenTTHC", "SoCMNDNguoiNop"] {
        form.optional_text(name, 500);
    }
    let fees = form.list("PhiLePhi", 0..=50);
    for fee in &fees {
        for name in ["LoaiPhiLePhi", "MaPhiLePhi", "TenPhiLePhi"] {
            fee.text(name, 255);
        }
    }
    let items = form.list("DSKhoanNop", 0..=50);
    for item in &items {
        item.text("NoiDung", 255);
    }
    for (name, entries) in [("PhiLePhi", fees), ("DSKhoanNop", items)] {
        let sum: u64 = entries.iter().map(|entry| amount_of(entry, "SoTien")).sum();
        if !entries.is_empty() && sum != amount {
            form.fault(name, "tổng không bằng SoTien");
        }
    }
    form.text("MaHoSo", 60)
}

/// The payment that a request asks for, with its reference.
fn wanted(
    payments: &Open<'_, Payment>,
    form: &Form<'_>,
    faults: &Faults,
) -> Result<(String, Payment), Refusal> {
    let reference = form.text("MaThamChieu", 50);
    faults.check().map_err(|faults| Refusal::new(5, faults))?;
    let payment = payments.get(&reference);
    payment.map(|payment| (reference, payment)).ok_or_else(|| Refusal::new(4, "Không tìm thấy giao dịch"))
}

fn operation(operation: &'static Operation) -> MethodRouter<Arc<PaymentPlatform>> {
    post(move |State(system): State<Arc<PaymentPlatform>>, JsonObject(members): JsonObject| async move {
        system.answer(operation, &members)
    })
}

impl Voice for PaymentPlatform {
    fn refuse(&self, refusal: Refusal) -> Response {
        let now = time::written(self.world.now(), MOMENT);
        let message = Message { signed: vec![("ThoiGianGD", now)], ..Message::default() };
        sign("ERROR", refusal.code, &refusal.message, message)
    }

    fn unauthorised(&self) -> Option<Response> {
        None
    }
}

fn first_payments() -> Vec<(String, Payment)> {
    let at = |hour, minute| time::instant(PAID_ON.at(hour, minute, 0, 0));
    let payment = |number: usize, reached: Vec<Timestamp>| Payment {
        number,
        amount: "50000".to_owned(),
        currency: "VND".to_owned(),
        bank: String::new(),
        purpose: "Lệ phí".to_owned(),
        dossier: format!("H56.14-250630-{:04}", 30 + number),
        course: Course::held(reached),
    };
    vec![
        (PAID.to_owned(), payment(1, vec![at(9, 0), at(9, 15)])),
        (WAITING.to_owned(), payment(2, vec![at(10, 0)])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_sha256_over_the_fields_and_the_secret() {
        let fields = ["QUERY", "1.0.6", "TRUC-DEMO", "REF-0001", "20250701083000"];
        assert_eq!(
            authentication_code(fields.into_iter()),
            "a713e84cd56a282be78d2465a895f6a79f1220371638640f565a951c2f9f00a5",
            "computed with sha256sum",
        );
    }
}
