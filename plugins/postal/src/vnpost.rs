//! How the service is asked and how it refuses.
//!
//! Every call is a `POST` with the agency's customer code. Every answer has a `Status`; `"100"` is success.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use truc_sdk::{Problem, config, upstream};

/// One call of the service.
pub(crate) struct Call {
    path: &'static str,
    /// Where the caller of the contract finds what a field of the service was made of.
    pointers: &'static [(&'static str, &'static str)],
}

pub(crate) const ORDER: Call = Call {
    path: "/apiVNPostNGSP/p1.0/order/post",
    pointers: &[
        ("OrderNumber", "/number"),
        ("ItemCode", "/itemCode"),
        ("CODAmount", "/cashOnDelivery/amount"),
        ("SenderName", "/sender/name"),
        ("SenderTel", "/sender/phone"),
        ("SenderEmail", "/sender/email"),
        ("SenderProvince", "/sender/province"),
        ("SenderAddress", "/sender/address"),
        ("SenderDesc", "/note"),
        ("Description", "/contents"),
        ("ReceiverName", "/receiver/name"),
        ("ReceiverTel", "/receiver/phone"),
        ("ReceiverEmail", "/receiver/email"),
        ("ReceiverProvince", "/receiver/province"),
        ("ReceiverAddress", "/receiver/address"),
    ],
};

pub(crate) const PRICE: Call = Call {
    path: "/apiVNPostNGSP/p1.0/order/price",
    pointers: &[
        ("SenderProvince", "/senderProvince"),
        ("ReceiverProvince", "/receiverProvince"),
        ("Weight", "/weight"),
        ("CODAmount", "/cashOnDelivery"),
    ],
};

pub(crate) const CANCEL: Call = Call {
    path: "/apiVNPostNGSP/p1.0/order/cancel",
    pointers: &[("OrderNumber", "/number"), ("Reason", "/reason")],
};

pub(crate) const TRACKING: Call =
    Call { path: "/apiVNPostNGSP/p1.0/order/tracking", pointers: &[("OrderNumber", "/number")] };

/// What every answer says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    status: String,
    #[serde(default)]
    message: String,
}

impl Call {
    /// Asks, and gives the answer's own members unless it is a refusal.
    pub(crate) fn call<T: DeserializeOwned>(&self, mut request: Value) -> Result<T, Problem> {
        if let Value::Object(members) = &mut request {
            members.insert("CustomerCode".into(), config::text("customer-code")?.into());
        }
        let answer = upstream("vnpost").post(self.path).json(&request)?.send()?.success()?;
        let Outcome { status, message } = answer.json_at_any_status()?;
        match status.as_str() {
            "100" => Ok(answer.json()?),
            "101" => Err(Problem::upstream_failed("the postal service refuses the operator's credential")),
            "102" => Err(Problem::listed_faults(&message, |field| self.pointer(field))),
            "103" => Err(Problem::conflict("an order with this number exists")),
            "104" => Err(Problem::not_found("there is no order with this number")),
            "105" => Err(Problem::conflict("the order can no longer be cancelled")),
            _ => Err(Problem::rejected(status, message)),
        }
    }

    /// Where a field of the system's came from in the agency's request.
    fn pointer(&self, field: &str) -> Option<String> {
        self.pointers.iter().find(|(name, _)| *name == field).map(|(_, pointer)| (*pointer).to_owned())
    }
}

/// The value of a field, or that it cannot be understood.
pub(crate) fn understood<T>(field: &str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| {
        Problem::upstream_failed(format!("the postal service's `{field}` cannot be understood"))
    })
}
