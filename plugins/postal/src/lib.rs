//! The contract `lgsp:postal` on the order API of the public postal service (VNPost).
//!
//! Each operation is here, from the contract's words to the service's and back. [`vnpost`] knows how one asks and how
//! refusals come.

#[cfg(test)]
mod tests;
mod vnpost;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use truc_sdk::Problem;
use truc_sdk::calendar::DateTime;
use truc_sdk::types::Money;

use bindings::exports::lgsp::postal::orders::{
    Event, Guest, NewOrder, PlacedOrder, Quotation, Status, Tracking,
};
use vnpost::understood;

truc_sdk::connector!(Connector {
    world: "lgsp:postal/connector",
    wit: ["../../wit/truc", "../../wit/postal"],
});

struct Connector;

/// `FlagConfig`: the one value that public documents of the service show.
const FLAG_CONFIG: u8 = 2;

/// `SenderDistrict`, `ReceiverDistrict`: there have been no districts since July 2025.
const NO_DISTRICT: u8 = 0;

impl Guest for Connector {
    fn create(order: NewOrder) -> Result<PlacedOrder, Problem> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Placed {
            order_number: String,
            item_code: String,
        }

        let NewOrder { sender, receiver, .. } = order;
        let placed: Placed = vnpost::ORDER.call(json!({
            "ItemCode": order.item_code.unwrap_or_default(),
            "OrderNumber": order.number,
            "CODAmount": in_dong(order.cash_on_delivery.as_ref())?,
            "SenderProvince": province(&sender.province, "/sender/province")?,
            "SenderDistrict": NO_DISTRICT,
            "SenderAddress": sender.address,
            "SenderName": sender.name,
            "SenderEmail": sender.email.unwrap_or_default(),
            "SenderTel": sender.phone,
            "SenderDesc": order.note.unwrap_or_default(),
            "Description": order.contents.unwrap_or_default(),
            "ReceiverName": receiver.name,
            "ReceiverAddress": receiver.address,
            "ReceiverTel": receiver.phone,
            "ReceiverProvince": province(&receiver.province, "/receiver/province")?,
            "ReceiverDistrict": NO_DISTRICT,
            "ReceiverEmail": receiver.email.unwrap_or_default(),
            "FlagConfig": FLAG_CONFIG,
        }))?;
        Ok(PlacedOrder { number: placed.order_number, item_code: placed.item_code })
    }

    fn quote(
        sender_province: String,
        receiver_province: String,
        weight: u32,
        cash_on_delivery: Option<u64>,
    ) -> Result<Quotation, Problem> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Price {
            price: u64,
            #[serde(rename = "CODFee")]
            cod_fee: u64,
            total_amount: u64,
        }

        let price: Price = vnpost::PRICE.call(json!({
            "SenderProvince": province(&sender_province, "/senderProvince")?,
            "ReceiverProvince": province(&receiver_province, "/receiverProvince")?,
            "Weight": weight,
            "CODAmount": cash_on_delivery.unwrap_or(0),
        }))?;
        Ok(Quotation {
            transport: dong(price.price),
            cash_fee: dong(price.cod_fee),
            total: dong(price.total_amount),
        })
    }

    fn cancel(number: String, reason: Option<String>) -> Result<(), Problem> {
        let request = json!({ "OrderNumber": number, "Reason": reason.unwrap_or_default() });
        vnpost::CANCEL.call::<IgnoredAny>(request)?;
        Ok(())
    }

    fn track(number: String) -> Result<Tracking, Problem> {
        vnpost::TRACKING.call::<HanhTrinh>(json!({ "OrderNumber": number }))?.try_into()
    }
}

/// The way of an order as the service describes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HanhTrinh {
    order_number: String,
    item_code: String,
    status_code: u8,
    status_message: String,
    traces: Vec<Trace>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Trace {
    status_code: u8,
    status_message: String,
    time: String,
    location: String,
}

impl TryFrom<HanhTrinh> for Tracking {
    type Error = Problem;

    fn try_from(found: HanhTrinh) -> Result<Self, Problem> {
        Ok(Self {
            number: found.order_number,
            item_code: found.item_code,
            status: status(found.status_code)?,
            description: found.status_message,
            events: found.traces.into_iter().map(Event::try_from).collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<Trace> for Event {
    type Error = Problem;

    fn try_from(trace: Trace) -> Result<Self, Problem> {
        Ok(Self {
            status: status(trace.status_code)?,
            description: trace.status_message,
            at: understood("Time", DateTime::from_slashed(&trace.time))?.rfc3339(),
            location: trace.location,
        })
    }
}

fn status(code: u8) -> Result<Status, Problem> {
    let status = match code {
        1 => Some(Status::Ordered),
        2 => Some(Status::Collected),
        3 => Some(Status::InTransit),
        4 => Some(Status::OutForDelivery),
        5 => Some(Status::Delivered),
        9 => Some(Status::Cancelled),
        _ => None,
    };
    understood("StatusCode", status)
}

/// The service writes the two digits of a province as a number.
fn province(code: &str, pointer: &str) -> Result<u8, Problem> {
    code.parse().map_err(|_| Problem::fault(pointer, "is no code of a province"))
}

fn in_dong(money: Option<&Money>) -> Result<u64, Problem> {
    match money {
        None => Ok(0),
        Some(money) if money.currency == "VND" => Ok(money.amount),
        Some(_) => Err(Problem::fault("/cashOnDelivery/currency", "must be VND: the postman collects đồng")),
    }
}

fn dong(amount: u64) -> Money {
    Money { amount, currency: "VND".into() }
}
