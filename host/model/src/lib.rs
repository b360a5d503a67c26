//! The words of Trục as types: names, identifiers, digests, time, limits, secrets and problem codes.
//!
//! Values only. Nothing here waits, reads a file or opens a socket. Every type is parsed once, at the edge, and
//! cannot be wrong afterwards; the other rooms take these types and check nothing again.

mod digest;
mod exchange;
mod limits;
mod names;
mod problem;
mod secret;
mod time;

pub use digest::{Digest, DigestError};
pub use exchange::{Exchange, RequestId};
pub use limits::{
    Bytes, CeilingsTable, EffectiveLimit, LimitOrigin, LimitValue, Limits, LimitsPatch, Millis, Platform,
    PlatformTable, QuantityError, kebab,
};
pub use names::{AccountName, AgencyCode, ConnectorName, Handle, NameError, OperationName, ServiceName};
pub use problem::{Code, Fault, Problem, problem_type};
pub use secret::Secret;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
