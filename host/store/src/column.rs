//! Between columns and the types of the model.

use std::fmt::Display;
use std::str::FromStr;

use truc_model::Timestamp;

use crate::{Result, StoreError};

fn corrupt(column: &'static str, value: &dyn Display, reason: impl Display) -> StoreError {
    let value = value.to_string().chars().take(80).collect();
    StoreError::Corrupt { column, value, reason: reason.to_string() }
}

/// A text column as the type it was written from.
pub(crate) fn text<T>(column: &'static str, value: String) -> Result<T>
where
    T: FromStr,
    T::Err: Display,
{
    value.parse().map_err(|reason| corrupt(column, &value, reason))
}

/// A text column that may be empty.
pub(crate) fn optional_text<T>(column: &'static str, value: Option<String>) -> Result<Option<T>>
where
    T: FromStr,
    T::Err: Display,
{
    value.map(|value| text(column, value)).transpose()
}

/// A number as the type it was written from.
pub(crate) fn number<T>(column: &'static str, value: i64) -> Result<T>
where
    T: TryFrom<i64>,
    T::Error: Display,
{
    T::try_from(value).map_err(|reason| corrupt(column, &value, reason))
}

/// A number that may be empty.
pub(crate) fn optional_number<T>(column: &'static str, value: Option<i64>) -> Result<Option<T>>
where
    T: TryFrom<i64>,
    T::Error: Display,
{
    value.map(|value| number(column, value)).transpose()
}

/// A number that must be there.
pub(crate) fn required<T>(column: &'static str, value: Option<i64>) -> Result<T>
where
    T: TryFrom<i64>,
    T::Error: Display,
{
    value.map_or_else(
        || Err(corrupt(column, &"nothing", "a number is expected")),
        |value| number(column, value),
    )
}

/// A point in time.
pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// A count as a column takes it. What exceeds 63 bits stays at the largest number.
pub(crate) fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Whether a change met the row it was meant for.
pub(crate) fn found(rows_affected: u64) -> Result<()> {
    if rows_affected == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}
