//! What can go wrong in this crate, and which [`Problem`] an agency sees for it.

use std::fmt;

use crate::types::{Problem, Refusal};
use crate::wit;

/// Why a capability gave no result. `?` turns it into a [`Problem`]; a contract with an error variant of its own
/// implements `From<Error>` for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The upstream gave no response.
    NoResponse {
        /// The upstream's handle.
        upstream: String,
        /// Why.
        error: wit::upstream::Error,
    },
    /// The upstream answered with a status that is not a success.
    Status {
        /// The upstream's handle.
        upstream: String,
        /// The HTTP status.
        status: u16,
        /// Seconds to wait, where the upstream said so (`Retry-After`).
        retry_after: Option<u32>,
    },
    /// The upstream's body is not what the connector expects.
    Body {
        /// The upstream's handle.
        upstream: String,
        /// What is wrong, without the content.
        detail: String,
    },
    /// A value cannot be written as JSON.
    Encode(String),
    /// A configuration value is missing or of another type.
    Config {
        /// The key in the manifest.
        key: String,
        /// What is wrong.
        detail: String,
    },
    /// A key's operation gave no result.
    Key {
        /// The key's handle.
        key: String,
        /// Why.
        error: wit::keys::Error,
    },
    /// A cache entry is larger than this number of bytes.
    CacheEntryTooLarge(u64),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::wit::{keys, upstream};
        match self {
            Self::NoResponse { upstream, error } => match error {
                // The host's texts name the upstream themselves.
                upstream::Error::Denied(text)
                | upstream::Error::Timeout(text)
                | upstream::Error::Unreachable(text)
                | upstream::Error::Interrupted(text)
                | upstream::Error::Exhausted(text) => f.write_str(text),
                upstream::Error::TooLarge(limit) => {
                    write!(f, "upstream `{upstream}`: a body is larger than {limit} bytes")
                }
            },
            Self::Status { upstream, status, .. } => {
                write!(f, "upstream `{upstream}` answered with status {status}")
            }
            Self::Body { upstream, detail } => {
                write!(f, "the answer of upstream `{upstream}` cannot be understood: {detail}")
            }
            Self::Encode(detail) => write!(f, "a value cannot be written as JSON: {detail}"),
            Self::Config { key, detail } => write!(f, "configuration `{key}`: {detail}"),
            Self::Key { key, error } => {
                write!(f, "key `{key}`: ")?;
                match error {
                    keys::Error::Denied(text) | keys::Error::Unsuitable(text) => f.write_str(text),
                    keys::Error::TooLarge(limit) => write!(f, "the message is larger than {limit} bytes"),
                }
            }
            Self::CacheEntryTooLarge(limit) => write!(f, "the cache entry is larger than {limit} bytes"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::NoResponse { error: wit::upstream::Error::Timeout(_), .. } => Self::UpstreamTimeout(text),
            Error::Status { status, retry_after, .. } => match status {
                403 => Self::Denied(text),
                404 | 410 => Self::NotFound(text),
                408 | 504 => Self::UpstreamTimeout(text),
                409 => Self::Conflict(text),
                429 => Self::Limited(retry_after),
                503 => Self::Unavailable(text),
                400 | 422 => Self::Rejected(Refusal { code: status.to_string(), message: text }),
                _ => Self::UpstreamFailed(text),
            },
            // What the operator has to mend: nothing the agency sends can change it.
            Error::Config { .. } | Error::Key { .. } => Self::Unavailable(text),
            Error::NoResponse { .. }
            | Error::Body { .. }
            | Error::Encode(_)
            | Error::CacheEntryTooLarge(_) => Self::UpstreamFailed(text),
        }
    }
}
