//! Configuration values that the manifest declares and the operator sets.

use crate::error::Error;
use crate::host::config as host;
use crate::wit::config::Value;

/// The value of a key with `type = "text"`.
///
/// # Errors
/// [`Error::Config`] where the manifest declares no such key or another type; the other functions too.
pub fn text(key: &str) -> Result<String, Error> {
    match host::get(key) {
        Some(Value::Text(value)) => Ok(value),
        other => Err(mistaken(key, "a text", other)),
    }
}

/// The value of a key with `type = "integer"`.
///
/// # Errors
/// [`Error::Config`].
pub fn integer(key: &str) -> Result<i64, Error> {
    match host::get(key) {
        Some(Value::Integer(value)) => Ok(value),
        other => Err(mistaken(key, "an integer", other)),
    }
}

/// The value of a key with `type = "flag"`.
///
/// # Errors
/// [`Error::Config`].
pub fn flag(key: &str) -> Result<bool, Error> {
    match host::get(key) {
        Some(Value::Flag(value)) => Ok(value),
        other => Err(mistaken(key, "a flag", other)),
    }
}

/// The value of a key with `type = "list"`.
///
/// # Errors
/// [`Error::Config`].
pub fn list(key: &str) -> Result<Vec<String>, Error> {
    match host::get(key) {
        Some(Value::Texts(value)) => Ok(value),
        other => Err(mistaken(key, "a list", other)),
    }
}

fn mistaken(key: &str, expected: &str, found: Option<Value>) -> Error {
    let found = match found {
        None => "has no value",
        Some(Value::Text(_)) => "is a text",
        Some(Value::Integer(_)) => "is an integer",
        Some(Value::Flag(_)) => "is a flag",
        Some(Value::Texts(_)) => "is a list",
    };
    Error::Config { key: key.to_owned(), detail: format!("{found}, where {expected} is needed") }
}
