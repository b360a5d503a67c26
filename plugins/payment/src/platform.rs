//! How messages go to the platform and how answers come back.
//!
//! Every message, in both directions, carries `MaXacThuc`: the SHA-256, in lower-case hexadecimal, of certain values
//! in a fixed order, each followed by `|`, and then of the secret that both sides share. The host adds the secret; it
//! is never here. An answer is believed only when its code is right and it answers the very message that was sent.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use truc_sdk::encoding::hex;
use truc_sdk::{Error, Problem, config, keys, upstream};

use crate::bindings::exports::lgsp::payment::payments::PaymentProblem;
use crate::pointers;

/// One kind of message.
pub(crate) struct Exchange {
    path: &'static str,
    /// `LoaiBanTin`.
    kind: &'static str,
    /// The members of the answer that its code covers, in order.
    covered: &'static [&'static str],
    /// The members of each entry of `DanhSachGiaoDich` that the code then covers, in order.
    covered_entry: &'static [&'static str],
}

pub(crate) const INIT: Exchange = Exchange {
    path: "/thanhtoan/init",
    kind: "INIT",
    covered: &[
        "LoaiBanTin",
        "MaLoi",
        "MaDoiTac",
        "MaThamChieu",
        "SoTien",
        "MaTienTe",
        "MaGiaoDich",
        "UrlThanhToan",
        "ThoiGianGD",
    ],
    covered_entry: &[],
};

pub(crate) const QUERY: Exchange = Exchange {
    path: "/thanhtoan/query",
    kind: "QUERY",
    covered: &[
        "LoaiBanTin",
        "MaLoi",
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
    covered_entry: &[],
};

pub(crate) const GET_BILL: Exchange = Exchange {
    path: "/thanhtoan/bill",
    kind: "GET_BILL",
    covered: &[
        "LoaiBanTin",
        "MaLoi",
        "MaDoiTac",
        "MaThamChieu",
        "MaGiaoDich",
        "SoBienLai",
        "UrlBienLai",
        "ThoiGianGD",
    ],
    covered_entry: &[],
};

pub(crate) const RECONCILE: Exchange = Exchange {
    path: "/thanhtoan/doisoat",
    kind: "RECONCILE",
    covered: &[
        "LoaiBanTin",
        "MaLoi",
        "MaDoiTac",
        "NgayDoiSoat",
        "TongSoGiaoDich",
        "TongSoTien",
        "ThoiGianGD",
    ],
    covered_entry: &["MaThamChieu", "MaGiaoDich", "SoTien", "TrangThaiGD"],
};

impl Exchange {
    /// Sends a message and gives the answer unless it is a refusal. `members` are those that the message's code
    /// covers, in order, behind the three that all messages begin with; `bill` is not covered.
    pub(crate) fn call<T: DeserializeOwned>(
        &self,
        members: &[(&str, &str)],
        bill: Option<Value>,
    ) -> Result<T, PaymentProblem> {
        let (version, partner) = (config::text("protocol-version")?, config::text("partner-code")?);
        let head = [("LoaiBanTin", self.kind), ("PhienBan", &version), ("MaDoiTac", &partner)];
        let sent = || head.iter().chain(members).copied();

        let mut message: Map<String, Value> =
            sent().map(|(name, value)| (name.to_owned(), value.into())).collect();
        message.insert("MaXacThuc".into(), authentication_code(sent().map(|(_, value)| value))?.into());
        message.extend(bill.map(|bill| ("ThongTinBienLai".to_owned(), bill)));

        let answer = upstream("platform").post(self.path).json(&message)?.send()?.success()?;
        let received: Value = answer.json_at_any_status()?;
        self.check_outcome(&received)?;
        // What was sent comes back, all but the time, so that no old answer can pass for the one to this message.
        let returns = |(name, _): &(&str, &str)| *name != "ThoiGianGD" && self.covered.contains(name);
        match sent().filter(returns).all(|(name, value)| text(&received, name) == value) {
            true => Ok(answer.json()?),
            false => Err(answer.not_understood("it answers another message").into()),
        }
    }

    /// Whether the answer is authentic and says success.
    fn check_outcome(&self, received: &Value) -> Result<(), PaymentProblem> {
        let code = text(received, "MaLoi");
        let unavailable = |detail: &str| Err(PaymentProblem::Unavailable(detail.into()));
        match code {
            // Where the two sides share no secret, no code can be right. These refusals grant nothing: they are
            // believed as they come.
            "01" => {
                return unavailable("the platform refuses the authentication code: check the key `payment`");
            }
            "02" => return unavailable("the platform does not know this `partner-code`"),
            _ => self.check_authentic(received)?,
        }
        let reason = text(received, "MoTaLoi");
        match code {
            "00" => Ok(()),
            "03" => Err(PaymentProblem::AlreadyExists("a payment with this reference exists".into())),
            "04" => Err(Problem::not_found("there is no payment with this reference").into()),
            "05" => Err(Problem::listed_faults(reason, pointers::of).into()),
            "06" => Err(PaymentProblem::NotPaid("it has not been paid, so there is no receipt".into())),
            _ => Err(Problem::rejected(code, reason).into()),
        }
    }

    fn check_authentic(&self, received: &Value) -> Result<(), PaymentProblem> {
        let entries = received.get("DanhSachGiaoDich").and_then(Value::as_array).into_iter().flatten();
        let covered = (self.covered.iter().map(|name| text(received, name)))
            .chain(entries.flat_map(|entry| self.covered_entry.iter().map(|name| text(entry, name))));
        match text(received, "MaXacThuc") == authentication_code(covered)? {
            true => Ok(()),
            false => Err(Problem::upstream_failed("the platform's answer is not authentic").into()),
        }
    }
}

/// `MaXacThuc` over these values.
fn authentication_code<'a>(values: impl Iterator<Item = &'a str>) -> Result<String, Error> {
    let mut message = String::new();
    for value in values {
        message.push_str(value);
        message.push('|');
    }
    Ok(hex(&keys::digest("payment", message.as_bytes())?))
}

/// A member that is a text; one that is absent counts as empty.
fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The value of a field, or that it cannot be understood.
pub(crate) fn understood<T>(field: &str, value: Option<T>) -> Result<T, PaymentProblem> {
    let failed = || Problem::upstream_failed(format!("the platform's `{field}` cannot be understood"));
    value.ok_or_else(|| failed().into())
}
