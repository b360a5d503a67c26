//! Exchanges as the ledger tells them, and the query that chooses some.

use serde::{Deserialize, Serialize};
use truc_ledger::{End, Entry};
use truc_model::{AccountName, AgencyCode, RequestId, ServiceName, Timestamp};
use utoipa::{IntoParams, ToSchema};

/// One exchange: who asked for what, why, when, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// The request's identifier.
    #[schema(value_type = String, format = "uuid")]
    pub id: RequestId,
    /// When the request arrived.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// `known` where the outcome is recorded; `unknown` where only the intent is: the call is under way, or the host
    /// stopped in between and the caller had no answer.
    #[schema(example = "known")]
    pub end: String,
    /// The agency, where the caller was recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub agency: Option<AgencyCode>,
    /// The agency's account, where the caller was recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account: Option<AccountName>,
    /// The service, where the request named one that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub service: Option<ServiceName>,
    /// The revision of the service that was to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// The operation (`interface/function`), where the request led to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The purpose the caller stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The dossier the caller named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dossier: Option<String>,
    /// The HTTP status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The problem code, where the answer was a problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// From the arrival of the request to the moment the outcome was known, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// Size of the request's body in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_bytes: Option<u64>,
    /// Size of the answer's body in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<u64>,
    /// How many calls to upstreams were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_calls: Option<u32>,
}

/// Part of a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExchangeList {
    /// Those that arrived last first.
    pub exchanges: Vec<Exchange>,
    /// What to give as `cursor` to go on; left out where this is the last part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which exchanges to list. The parameters are described here; the handler reads them one by one.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExchangeQuery {
    /// Those that arrived at this time (RFC 3339) or later.
    #[param(format = DateTime)]
    pub from: Option<String>,
    /// Those that arrived before this time.
    #[param(format = DateTime)]
    pub to: Option<String>,
    /// Those of this agency.
    pub agency: Option<String>,
    /// Those with this service.
    pub service: Option<String>,
    /// Those answered with this HTTP status.
    #[param(minimum = 100, maximum = 599)]
    pub status: Option<u16>,
    /// Those answered with the problem of this code.
    pub problem: Option<String>,
    /// Those whose end is `known`, or `unknown`.
    pub end: Option<String>,
    /// At most this many; 100 where it is left out.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Those after the part that gave this as `next`.
    pub cursor: Option<String>,
}

/// The word for what is known of an exchange's end.
pub(crate) fn end_word(end: End) -> &'static str {
    match end {
        End::Known => "known",
        End::Unknown => "unknown",
    }
}

impl From<Entry> for Exchange {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::Intent(intent) => Self {
                id: intent.id,
                received_at: intent.received_at,
                end: end_word(End::Unknown).to_owned(),
                agency: Some(intent.agency),
                account: Some(intent.account),
                service: Some(intent.service),
                revision: Some(intent.revision),
                operation: Some(intent.operation.as_ref().to_owned()),
                purpose: intent.purpose,
                dossier: intent.dossier,
                status: None,
                problem: None,
                duration: None,
                request_bytes: None,
                response_bytes: None,
                upstream_calls: None,
            },
            Entry::Outcome(exchange) => Self {
                id: exchange.id,
                received_at: exchange.received_at,
                end: end_word(End::Known).to_owned(),
                agency: exchange.agency,
                account: exchange.account,
                service: exchange.service,
                revision: exchange.revision,
                operation: exchange.operation.map(|operation| operation.as_ref().to_owned()),
                purpose: exchange.purpose,
                dossier: exchange.dossier,
                status: Some(exchange.status),
                problem: exchange.problem,
                duration: Some(exchange.duration),
                request_bytes: Some(exchange.request_bytes),
                response_bytes: Some(exchange.response_bytes),
                upstream_calls: Some(exchange.upstream_calls),
            },
        }
    }
}
