//! The register's envelope, and what its error numbers mean.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use truc_sdk::{Problem, upstream};

/// What every call answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer<T> {
    /// 0 for an error; else 1, or a dossier's state.
    pub(crate) status: i64,
    #[serde(default)]
    pub(crate) status_description: String,
    pub(crate) value: Option<T>,
    #[serde(default)]
    error_code: i64,
    #[serde(default)]
    error_description: String,
}

/// Asks the register. `pointer` says where a field of the question came from in the agency's request.
pub(crate) fn ask<T: DeserializeOwned>(
    path: &str,
    question: &impl Serialize,
    pointer: impl Fn(&str) -> Option<String>,
) -> Result<Answer<T>, Problem> {
    let response = upstream("registry").post(path).json(question)?.send()?;
    // A refused credential comes with the envelope and status 401; everything else with 200.
    let response = if response.status() == 401 { response } else { response.success()? };
    let answer: Answer<T> = response.json_at_any_status()?;
    match (answer.status, answer.error_code) {
        (1.., 0) => Ok(answer),
        (_, code) => Err(refused(code, &answer.error_description, pointer)),
    }
}

/// The problem for an answer that can be read but makes no sense.
pub(crate) fn strange(detail: impl std::fmt::Display) -> Problem {
    Problem::upstream_failed(format!("the civil status register's answer cannot be understood: {detail}"))
}

/// The error numbers, and the text that goes with them.
fn refused(code: i64, text: &str, pointer: impl Fn(&str) -> Option<String>) -> Problem {
    match code {
        100 => Problem::upstream_failed("the civil status register refused this platform's credential"),
        101 => Problem::upstream_failed("the civil status register refused this platform's network address"),
        106 => match pointer("maDonVi") {
            Some(pointer) => Problem::fault(pointer, "the register knows no such commune-level unit"),
            None => Problem::rejected(code.to_string(), text),
        },
        108 => match pointer("maTinh") {
            Some(pointer) => Problem::fault(pointer, "the register knows no such province"),
            None => Problem::unavailable(
                "the register does not know this platform's province; see `province-code`",
            ),
        },
        200 => Problem::conflict("the dossier is not finished yet"),
        201 => Problem::not_found("the register has no such dossier or entry"),
        500 => match text.strip_prefix("DATA_INCORRECT - ") {
            Some("maHoSo: đã tồn tại") => {
                Problem::conflict("a dossier with this number is already there")
            }
            Some(faults) => Problem::listed_faults(faults, pointer),
            None => Problem::rejected(code.to_string(), text),
        },
        _ => Problem::rejected(code.to_string(), text),
    }
}
