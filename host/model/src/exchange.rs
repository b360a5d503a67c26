//! One call as the ledger keeps it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{AccountName, AgencyCode, ServiceName, Timestamp};

/// The identifier of one request: a UUID of version 7 (RFC 9562), so that identifiers sort by time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(Uuid);

impl RequestId {
    /// A new identifier for a request that arrived at the given time, from 10 random bytes.
    pub fn new(time: Timestamp, random: &[u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(time.as_millis(), random).into_uuid())
    }

    /// The 36 characters, without an allocation.
    pub fn encode(self, buffer: &mut [u8; 36]) -> &str {
        self.0.hyphenated().encode_lower(buffer)
    }
}

impl FromStr for RequestId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One exchange: who asked for what, why, when, and what became of it. It holds no personal data and no content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// The request's identifier.
    pub id: RequestId,
    /// When the request arrived.
    pub received_at: Timestamp,
    /// The agency, where the caller could be recognised.
    pub agency: Option<AgencyCode>,
    /// The agency's account, where the caller could be recognised.
    pub account: Option<AccountName>,
    /// The service, where the request named one that exists.
    pub service: Option<ServiceName>,
    /// The revision of the service that answered; none when the request was refused before one was chosen.
    pub revision: Option<u32>,
    /// The operation (`interface/function`), where the request's route led to one.
    pub operation: Option<Arc<str>>,
    /// The purpose the caller stated.
    pub purpose: Option<String>,
    /// The dossier the caller named.
    pub dossier: Option<String>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The problem code, where the answer is a problem.
    pub problem: Option<String>,
    /// From the arrival of the request to the moment the outcome was known, in microseconds.
    pub duration: u64,
    /// Size of the request's body in bytes.
    pub request_bytes: u64,
    /// Size of the answer's body in bytes.
    pub response_bytes: u64,
    /// How many calls to upstreams were made.
    pub upstream_calls: u32,
}
