//! What one call and one service may use: quantities, defaults, and the platform's ceilings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number of bytes; written with a binary unit: `64 MiB`, `512KiB`, `1024 B`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(pub u64);

/// A span of time in milliseconds; written with a unit: `200ms`, `5s`, `1min`, `24h`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Millis(pub u64);

/// A text that is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: write a whole number and one of {units}")]
pub struct QuantityError {
    text: String,
    what: &'static str,
    units: &'static str,
}

fn parse_quantity(
    text: &str,
    what: &'static str,
    units: &'static str,
    factors: &[(&str, u64)],
) -> Result<u64, QuantityError> {
    let wrong = || QuantityError { text: text.chars().take(40).collect(), what, units };
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.trim_start();
    let factor = factors.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
    number.checked_mul(factor).ok_or_else(wrong)
}

fn write_quantity(f: &mut fmt::Formatter<'_>, number: u64, factors: &[(&str, u64)]) -> fmt::Result {
    let fits = |factor: u64| number.is_multiple_of(factor) && (number > 0 || factor == 1);
    match factors.iter().rev().find(|(_, factor)| fits(*factor)) {
        Some((unit, factor)) => write!(f, "{}{unit}", number / factor),
        None => write!(f, "{number}"),
    }
}

const BYTES: &[(&str, u64)] = &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const TIMES: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000)];

macro_rules! quantity {
    ($name:ident, $what:literal, $units:literal, $factors:ident) => {
        impl FromStr for $name {
            type Err = QuantityError;

            fn from_str(text: &str) -> Result<Self, QuantityError> {
                parse_quantity(text, $what, $units, $factors).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = QuantityError;

            fn try_from(text: String) -> Result<Self, QuantityError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(quantity: $name) -> String {
                quantity.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_quantity(f, self.0, $factors)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

quantity!(Bytes, "a size", "`B`, `KiB`, `MiB`, `GiB`", BYTES);
quantity!(Millis, "a time", "`ms`, `s`, `min`, `h`", TIMES);

impl Millis {
    /// The same span as the standard library's type.
    pub fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl Bytes {
    /// The number as `usize`, saturating.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

macro_rules! limits {
    ($($(#[$doc:meta])* $field:ident: $kind:ty = $default:expr, at most $ceiling:expr;)*) => {
        /// What one call of a service may use, and how many calls may run at once. Every field has a value in force.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct Limits {
            $($(#[$doc])* pub $field: $kind,)*
        }

        /// Some limits: what a manifest asks for or an operator sets. A field that is none leaves the value below it.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct LimitsPatch {
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$kind>,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Limits {
            /// The most that anyone may set.
            pub fn ceilings() -> Self {
                Self { $($field: $ceiling,)* }
            }

            /// These limits with those of the patch put over them.
            pub fn with(mut self, patch: &LimitsPatch) -> Self {
                $(if let Some(value) = patch.$field { self.$field = value; })*
                self
            }
        }

        impl LimitsPatch {
            /// Every field above its ceiling, as `(field in camelCase, value, ceiling)`.
            pub fn above(&self, ceilings: &Limits) -> Vec<(&'static str, String, String)> {
                let mut above = Vec::new();
                $(if let Some(value) = self.$field && value > ceilings.$field {
                    above.push((camel(stringify!($field)), value.to_string(), ceilings.$field.to_string()));
                })*
                above
            }
        }
    };
}

fn camel(snake: &'static str) -> &'static str {
    match snake {
        "upstream_calls" => "upstreamCalls",
        "upstream_bytes" => "upstreamBytes",
        "request_bytes" => "requestBytes",
        "response_bytes" => "responseBytes",
        "cache_bytes" => "cacheBytes",
        "answer_cache_bytes" => "answerCacheBytes",
        same => same,
    }
}

limits! {
    /// Memory of the instance: linear memories and tables together.
    memory: Bytes = Bytes(64 << 20), at most Bytes(64 << 20);
    /// Processor time of the connector's own code.
    cpu: Millis = Millis(200), at most Millis(10_000);
    /// Wall-clock time of the whole call, upstreams included.
    deadline: Millis = Millis(5_000), at most Millis(60_000);
    /// Calls that run at once; more are refused with `too-busy`.
    concurrency: u32 = 64, at most 512;
    /// Calls to upstreams in one call.
    upstream_calls: u32 = 16, at most 256;
    /// Bytes of one upstream request's and of one upstream response's body.
    upstream_bytes: Bytes = Bytes(4 << 20), at most Bytes(32 << 20);
    /// Bytes of the caller's body.
    request_bytes: Bytes = Bytes(8 << 20), at most Bytes(32 << 20);
    /// Bytes of the answer's body.
    response_bytes: Bytes = Bytes(8 << 20), at most Bytes(32 << 20);
    /// Bytes that the service's cache holds.
    cache_bytes: Bytes = Bytes(4 << 20), at most Bytes(64 << 20);
    /// Bytes of answers that are kept to be given again (`@cache`); with 0 none are.
    answer_cache_bytes: Bytes = Bytes(4 << 20), at most Bytes(64 << 20);
}

impl LimitsPatch {
    /// The fields that are 0 and under which nothing could be served.
    pub fn unservable(&self) -> Vec<&'static str> {
        let fields = [
            ("memory", self.memory.is_some_and(|memory| memory.0 == 0)),
            ("cpu", self.cpu.is_some_and(|cpu| cpu.0 == 0)),
            ("deadline", self.deadline.is_some_and(|deadline| deadline.0 == 0)),
            ("concurrency", self.concurrency == Some(0)),
        ];
        fields.into_iter().filter(|(_, nothing)| *nothing).map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_and_write_their_units() {
        assert_eq!("64MiB".parse(), Ok(Bytes(64 << 20)));
        assert_eq!("64 MiB".parse(), Ok(Bytes(64 << 20)));
        assert_eq!(Bytes(1536).to_string(), "1536B");
        assert_eq!(Bytes(2048).to_string(), "2KiB");
        assert_eq!("1min".parse(), Ok(Millis(60_000)));
        assert_eq!(Millis(0).to_string(), "0ms");
        assert_eq!("24h".parse(), Ok(Millis(86_400_000)));
        assert_eq!(Millis(5_400_000).to_string(), "90min");
        for wrong in ["", "64", "MiB", "64 MB", "-1s", "1.5s", "99999999999GiB"] {
            assert!(wrong.parse::<Bytes>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_patch_changes_only_what_it_names_and_tells_what_is_above_the_ceiling() {
        let patch =
            LimitsPatch { deadline: Some(Millis(90_000)), upstream_calls: Some(4), ..Default::default() };
        let limits = Limits::default().with(&patch);
        assert_eq!((limits.deadline, limits.upstream_calls), (Millis(90_000), 4));
        assert_eq!(limits.memory, Limits::default().memory);
        assert_eq!(patch.above(&Limits::ceilings()), vec![("deadline", "90s".to_owned(), "1min".to_owned())]);
    }
}
