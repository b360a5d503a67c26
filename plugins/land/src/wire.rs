//! The land system's envelope, what its codes mean, and the forms of values that both interfaces share.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use truc_sdk::calendar::DateTime;
use truc_sdk::upstream::{Request, Response, Upstream};
use truc_sdk::{Problem, upstream};

use crate::pointers;

/// How the call went; part of every answer.
#[derive(Deserialize)]
struct Head {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    success: bool,
    code: i64,
    #[serde(default)]
    message: String,
}

/// What the call gave; of the expected shape only where it went well.
#[derive(Deserialize)]
struct Body<T> {
    data: T,
}

/// The land system.
pub(crate) fn land() -> Upstream<'static> {
    upstream("land")
}

/// Asks the land system.
pub(crate) fn ask<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    read(request.send()?)
}

/// Takes an answer out of its envelope.
pub(crate) fn read<T: DeserializeOwned>(response: Response) -> Result<T, Problem> {
    // A refused credential comes with the envelope and status 401; everything else with 200.
    let response = if response.status() == 401 { response } else { response.success()? };
    let Head { status } = response.json_at_any_status()?;
    if !status.success {
        return Err(refused(status));
    }
    let body: Body<T> = response.json_at_any_status()?;
    Ok(body.data)
}

fn refused(status: Status) -> Problem {
    match status.code {
        400 => Problem::listed_faults(&status.message, pointers::of),
        401 => Problem::upstream_failed("the land system refused this platform's credential"),
        404 => Problem::not_found("the land system has no such parcel, certificate or dossier"),
        409 => Problem::conflict(status.message),
        500..=599 => Problem::upstream_failed(format!("the land system failed with code {}", status.code)),
        code => Problem::rejected(code.to_string(), status.message),
    }
}

/// The problem for an answer that can be read but makes no sense.
pub(crate) fn strange(detail: impl std::fmt::Display) -> Problem {
    Problem::upstream_failed(format!("the land system's answer cannot be understood: {detail}"))
}

/// A ward's code as the system's `XaId`.
pub(crate) fn ward_number(code: &str) -> Result<u32, Problem> {
    code.parse().map_err(|_| Problem::fault("/ward", "a commune-level unit's code has five digits"))
}

/// `XaId` as a ward's code.
pub(crate) fn ward(number: u32) -> String {
    format!("{number:05}")
}

/// A moment of the contract's as the system writes it.
pub(crate) fn moment(instant: &str, pointer: &str) -> Result<String, Problem> {
    DateTime::from_rfc3339(instant)
        .map(DateTime::local_iso)
        .ok_or_else(|| Problem::fault(pointer, "this moment does not exist"))
}

/// A moment of the system's.
pub(crate) fn read_moment(text: &str) -> Result<DateTime, Problem> {
    DateTime::from_local_iso(text).ok_or_else(|| strange("a date and time has an unknown form"))
}

/// An empty text is none.
pub(crate) fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
