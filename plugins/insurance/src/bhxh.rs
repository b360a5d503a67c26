//! How the system is asked and how it refuses.
//!
//! Every call is a `POST`, every value a text. Success and refusal both come with status 200; an `errorCode` that is
//! not empty is a refusal.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use truc_sdk::{Problem, upstream};

/// One call of the system.
pub(crate) struct Call {
    path: &'static str,
    /// Where the caller of the contract finds what a field of the system was made of.
    pointers: &'static [(&'static str, &'static str)],
}

pub(crate) const NUMBER_BY_CRITERIA: Call = Call {
    path: "/apiBHXH/getMaSoBhxhTheoTieuChi",
    pointers: &[
        ("hoTen", "/name"),
        ("ngaySinh", "/born/date"),
        ("loaiNgaySinh", "/born/precision"),
        ("gioiTinh", "/sex"),
        ("maTinhKs", "/place/province"),
        ("maXaKs", "/place/commune"),
        ("isKs", "/place/kind"),
    ],
};

pub(crate) const HOUSEHOLD_BY_NUMBER: Call =
    Call { path: "/apiBHXH/getTraCuuTtHgdByMaSoBhxh", pointers: &[("maSoBhxh", "/number")] };

pub(crate) const HOUSEHOLD_BY_CRITERIA: Call = Call {
    path: "/apiBHXH/getTraCuuThongTinHgd",
    pointers: &[
        ("hoTen", "/name"),
        ("ngaySinh", "/born/date"),
        ("loaiNgaySinh", "/born/precision"),
        ("gioiTinh", "/sex"),
        ("maTinh", "/province"),
        ("isKs", "/place"),
        ("soSo", "/insuranceNumber"),
        ("maThe", "/cardNumber"),
    ],
};

pub(crate) const CARD: Call = Call {
    path: "/apiBHXH/getThongTinTheBhyt",
    pointers: &[("maThe", "/number"), ("hoTen", "/name"), ("ngaySinh", "/born/date")],
};

/// What every answer says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    error_code: String,
    error_message: String,
}

impl Call {
    /// Asks, and gives the answer's own members unless it is a refusal.
    pub(crate) fn call<T: DeserializeOwned>(&self, request: &impl Serialize) -> Result<T, Problem> {
        let answer = upstream("bhxh").post(self.path).json(request)?.send()?.success()?;
        let Outcome { error_code, error_message } = answer.json_at_any_status()?;
        match error_code.as_str() {
            "" => Ok(answer.json()?),
            "400" => Err(Problem::listed_faults(&error_message, |field| self.pointer(field))),
            "404" => Err(Problem::not_found("nobody is insured under these particulars")),
            "409" => Err(Problem::fault("", "fits several persons: give more criteria")),
            _ => Err(Problem::rejected(error_code, error_message)),
        }
    }

    /// Where a field of the system's came from in the agency's request.
    fn pointer(&self, field: &str) -> Option<String> {
        self.pointers.iter().find(|(name, _)| *name == field).map(|(_, pointer)| (*pointer).to_owned())
    }
}

/// The value of a field, or that it cannot be understood.
pub(crate) fn understood<T>(field: &str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::upstream_failed(format!("the insurance's `{field}` cannot be understood")))
}
