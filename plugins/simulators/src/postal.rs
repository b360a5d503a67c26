//! Public postal service (bưu chính công ích): orders that bring papers to and from citizens.
//!
//! The order follows the public shape; price, tracking and cancelling are assumptions.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use hyper::StatusCode;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use truc_model::Timestamp;

use crate::credentials::{POSTAL_CUSTOMER, POSTAL_TOKEN};
use crate::form::{Faults, Form, is_telephone};
use crate::http::{JsonObject, Refusal, Voice, answer, header};
use crate::journal::{Journal, Open, Shelf};
use crate::time::{self, Course};
use crate::world::World;

/// Orders that are there from the start, and stay as they are.
pub(crate) const ORDERED: &str = "H56.14-250630-0021";
pub(crate) const DELIVERED: &str = "H56.14-250630-0022";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    customer: String,
    item: String,
    /// Names of the provinces it goes from and to.
    from: String,
    to: String,
    course: Course,
    cancelled: Option<Timestamp>,
}

/// The states of an order that is not cancelled, in their order, and where it is then.
const STAGES: [(u8, &str, Side); 5] = [
    (1, "Đã tiếp nhận đơn hàng", Side::Sender),
    (2, "Đã thu gom", Side::Sender),
    (3, "Đang vận chuyển", Side::Sender),
    (4, "Đang phát", Side::Receiver),
    (5, "Phát thành công", Side::Receiver),
];
const CANCELLED: (u8, &str) = (9, "Đã hủy");
const LAST: usize = STAGES.len() - 1;

#[derive(Debug, Clone, Copy)]
enum Side {
    Sender,
    Receiver,
}

pub(crate) struct Postal {
    world: Arc<World>,
    orders: Shelf<Order>,
}

/// The members of an answer beside `Status` and `Message`.
type Outcome = Result<Value, Refusal>;

impl Postal {
    pub(crate) fn new(world: Arc<World>, journal: &Journal) -> Self {
        let orders = Shelf::new("postal", journal, first_orders());
        Self { world, orders }
    }

    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/apiVNPostNGSP/p1.0/order/post", operation(Self::order))
            .route("/apiVNPostNGSP/p1.0/order/price", operation(Self::price))
            .route("/apiVNPostNGSP/p1.0/order/tracking", operation(Self::track))
            .route("/apiVNPostNGSP/p1.0/order/cancel", operation(Self::cancel))
            .route_layer(from_fn_with_state(Arc::clone(self), authorise))
            .with_state(Arc::clone(self))
    }

    /// `order/post`.
    fn order(&self, members: &Map<String, Value>) -> Outcome {
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        let customer = form.text("CustomerCode", 50);
        let number = form.text("OrderNumber", 50);
        let item = form.optional_text("ItemCode", 13);
        form.optional_number("CODAmount", 0..=100_000_000, 0);
        form.optional_number("FlagConfig", 0..=9, 2);
        let mut provinces = Vec::new();
        for side in ["Sender", "Receiver"] {
            provinces.push(self.province(&form, &format!("{side}Province")));
            form.optional_number(&format!("{side}District"), 0..=99_999, 0);
            form.text(&format!("{side}Address"), 500);
            form.text(&format!("{side}Name"), 200);
            form.optional_text(&format!("{side}Email"), 200);
            let member = format!("{side}Tel");
            let telephone = form.text(&member, 20);
            if !telephone.is_empty() && !is_telephone(&telephone) {
                form.fault(&member, "phải gồm 8 đến 15 chữ số");
            }
        }
        form.optional_text("SenderDesc", 500);
        form.optional_text("Description", 500);
        faults.check().map_err(|faults| Refusal::new(102, faults))?;

        let mut orders = self.orders.open();
        if orders.get(&number).is_some() {
            return Err(Refusal::new(103, "OrderNumber đã tồn tại"));
        }
        let item = if item.is_empty() { item_code(orders.len() as u64 + 1) } else { item };
        let mut provinces = provinces.into_iter();
        let order = Order {
            customer,
            item: item.clone(),
            from: provinces.next().unwrap_or_default(),
            to: provinces.next().unwrap_or_default(),
            course: Course::new(self.world.now()),
            cancelled: None,
        };
        orders.put(&number, order)?;
        Ok(json!({"OrderNumber": number, "ItemCode": item}))
    }

    /// `order/price`.
    fn price(&self, members: &Map<String, Value>) -> Outcome {
        let faults = Faults::default();
        let form = Form::new(members, &faults);
        form.text("CustomerCode", 50);
        let (from, to) = (self.province(&form, "SenderProvince"), self.province(&form, "ReceiverProvince"));
        let weight = form.number("Weight", 1..=30_000);
        let cash = form.optional_number("CODAmount", 0..=100_000_000, 0);
        faults.check().map_err(|faults| Refusal::new(102, faults))?;
        let base = if from == to { 15_000 } else { 25_000 };
        let price = base + (weight - 1) / 500 * 5_000;
        let fee = if cash == 0 { 0 } else { (cash / 100).max(5_000) };
        Ok(json!({"Price": price, "CODFee": fee, "TotalAmount": price + fee}))
    }

    /// `order/tracking`.
    fn track(&self, members: &Map<String, Value>) -> Outcome {
        let mut orders = self.orders.open();
        let (number, mut order) = wanted(&orders, members)?;
        if order.cancelled.is_none() {
            order.course.ask(self.world.progress, self.world.now(), LAST);
        }
        orders.put(&number, order.clone())?;

        let trace = |(code, message): (u8, &str), at: Timestamp, location: &str| {
            json!({
                "StatusCode": code,
                "StatusMessage": message,
                "Time": time::written(at, "%d/%m/%Y %H:%M:%S"),
                "Location": location,
            })
        };
        let mut traces: Vec<_> = STAGES
            .iter()
            .zip(order.course.reached())
            .map(|(&(code, message, side), &at)| {
                let location = match side {
                    Side::Sender => &order.from,
                    Side::Receiver => &order.to,
                };
                trace((code, message), at, location)
            })
            .collect();
        if let Some(at) = order.cancelled {
            traces.push(trace(CANCELLED, at, &order.from));
        }
        let last = traces.last().cloned().unwrap_or_default();
        Ok(json!({
            "OrderNumber": number,
            "ItemCode": order.item,
            "StatusCode": last.get("StatusCode"),
            "StatusMessage": last.get("StatusMessage"),
            "Traces": traces,
        }))
    }

    /// `order/cancel`.
    fn cancel(&self, members: &Map<String, Value>) -> Outcome {
        let faults = Faults::default();
        Form::new(members, &faults).optional_text("Reason", 500);
        faults.check().map_err(|faults| Refusal::new(102, faults))?;
        let mut orders = self.orders.open();
        let (number, mut order) = wanted(&orders, members)?;
        let now = self.world.now();
        if order.cancelled.is_some() || order.course.step(self.world.progress, now, LAST) > 1 {
            return Err(Refusal::new(105, "Đơn hàng không hủy được nữa"));
        }
        order.cancelled = Some(now);
        orders.put(&number, order)?;
        Ok(json!({"OrderNumber": number}))
    }

    /// The name of a province, which the form gives by its number.
    fn province(&self, form: &Form<'_>, member: &str) -> String {
        let number = form.number(member, 0..=99);
        let province = self.world.units.province(number);
        if province.is_none() && form.has(member) {
            form.fault(member, "không có tỉnh này");
        }
        province.map(|province| province.name.to_owned()).unwrap_or_default()
    }
}

/// The order that a request asks for, with its number.
fn wanted(orders: &Open<'_, Order>, members: &Map<String, Value>) -> Result<(String, Order), Refusal> {
    let faults = Faults::default();
    let form = Form::new(members, &faults);
    let customer = form.text("CustomerCode", 50);
    let number = form.text("OrderNumber", 50);
    faults.check().map_err(|faults| Refusal::new(102, faults))?;
    let order = orders.get(&number).filter(|order| order.customer == customer);
    order.map(|order| (number, order)).ok_or_else(|| Refusal::new(104, "Không tìm thấy đơn hàng"))
}

/// An item identifier: service, eight digits, check digit, country (UPU S10).
fn item_code(serial: u64) -> String {
    let digits = format!("{:08}", serial % 100_000_000);
    let weights = [8, 6, 4, 2, 3, 5, 9, 7];
    let sum: u32 =
        digits.chars().zip(weights).filter_map(|(digit, weight)| Some(digit.to_digit(10)? * weight)).sum();
    let check = match 11 - sum % 11 {
        10 => 0,
        11 => 5,
        check => check,
    };
    format!("EN{digits}{check}VN")
}

fn operation(run: fn(&Postal, &Map<String, Value>) -> Outcome) -> MethodRouter<Arc<Postal>> {
    post(move |State(system): State<Arc<Postal>>, JsonObject(members): JsonObject| async move {
        let mut envelope = json!({"Status": "100", "Message": "Thành công"});
        match (run(&system, &members), envelope.as_object_mut()) {
            (Ok(Value::Object(result)), Some(members)) => {
                members.extend(result);
                answer(StatusCode::OK, &envelope)
            }
            (Err(refusal), _) => system.refuse(refusal),
            _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    })
}

async fn authorise(State(system): State<Arc<Postal>>, request: Request, next: Next) -> Response {
    if header(request.headers(), "access_token") == POSTAL_TOKEN {
        return next.run(request).await;
    }
    system.unauthorised().unwrap_or_else(|| StatusCode::UNAUTHORIZED.into_response())
}

impl Voice for Postal {
    fn refuse(&self, refusal: Refusal) -> Response {
        let Refusal { code, message } = refusal;
        let http = if code == 101 { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
        answer(http, &json!({"Status": code.to_string(), "Message": message}))
    }

    fn unauthorised(&self) -> Option<Response> {
        Some(self.refuse(Refusal::new(101, "Mã truy cập không đúng hoặc đã hết hạn")))
    }
}

fn first_orders() -> Vec<(String, Order)> {
    let at = |hour| time::instant(Date::constant(2025, 6, 30).at(hour, 0, 0, 0));
    let order = |serial, hours: &[i8]| Order {
        customer: POSTAL_CUSTOMER.to_owned(),
        item: item_code(serial),
        from: "Tỉnh Khánh Hòa".to_owned(),
        to: "Thành phố Hà Nội".to_owned(),
        course: Course::held(hours.iter().map(|&hour| at(hour)).collect()),
        cancelled: None,
    };
    vec![(ORDERED.to_owned(), order(1, &[8])), (DELIVERED.to_owned(), order(2, &[8, 9, 11, 15, 17]))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_codes_carry_the_check_digit_of_upu_s10() {
        // The example of the standard is RR 473124829.
        assert_eq!(item_code(47_312_482), "EN473124829VN");
        assert_eq!(item_code(1).len(), 13);
    }
}
