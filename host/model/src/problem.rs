//! Refusals and failures as callers see them: problem details (RFC 9457) with stable codes.

use std::borrow::Cow;
use std::fmt;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident, $code:literal, $status:literal, $title:literal;)*) => {
        /// The problems that Trục itself reports. Each has a page in `docs/problems/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The code as callers see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $code,)* }
            }

            /// The HTTP status the problem is answered with: always 400 to 599.
            pub const fn status(self) -> u16 {
                match self { $(Code::$variant => $status,)* }
            }

            /// The title: one short sentence that is the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// The body is not JSON (RFC 8259), or is nested too deeply.
    MalformedJson, "malformed-json", 400, "The body is not well-formed JSON";
    /// The request line, a header field or the path breaks the rules of HTTP or of Trục.
    MalformedRequest, "malformed-request", 400, "The request is malformed";
    /// No key was sent.
    MissingKey, "missing-key", 401, "No API key was sent";
    /// The key is not known.
    WrongKey, "wrong-key", 401, "The API key is not valid";
    /// The agency has no grant for the operation.
    NotGranted, "not-granted", 403, "The agency has no grant for this operation";
    /// The account or its agency is suspended.
    AccountSuspended, "account-suspended", 403, "The account is suspended";
    /// No service of that name and major version.
    ServiceNotFound, "service-not-found", 404, "No such service";
    /// The service has no operation at this path.
    RouteNotFound, "route-not-found", 404, "No operation at this path";
    /// The path exists, with other methods.
    MethodNotAllowed, "method-not-allowed", 405, "The method is not allowed here";
    /// The request did not arrive in time.
    RequestTimeout, "request-timeout", 408, "The request did not arrive in time";
    /// The body is larger than the service's limit.
    BodyTooLarge, "body-too-large", 413, "The body is too large";
    /// The body is of a media type the operation does not take, or is compressed.
    UnsupportedMediaType, "unsupported-media-type", 415, "The body's media type is not supported";
    /// The request's content breaks the contract.
    InvalidRequest, "invalid-request", 422, "The request does not fit the contract";
    /// The operation touches personal data and the caller stated no purpose.
    PurposeRequired, "purpose-required", 422, "The operation needs a stated purpose";
    /// The idempotency key belongs to a request that is under way.
    IdempotencyKeyInUse, "idempotency-key-in-use", 409, "A request with this idempotency key is under way";
    /// The idempotency key belongs to another request.
    IdempotencyKeyReused, "idempotency-key-reused", 422, "The idempotency key belongs to another request";
    /// The request with the idempotency key was begun, and its answer cannot be given.
    OutcomeUnknown, "outcome-unknown", 409, "What became of the first request with this idempotency key cannot be told";
    /// The caller left before the answer; only the ledger shows it.
    Abandoned, "abandoned", 499, "The caller left before the answer";
    /// The header section is too large.
    HeadersTooLarge, "headers-too-large", 431, "The header section is too large";
    /// A fault of Trục itself.
    Internal, "internal", 500, "Internal error";
    /// The connector's code failed.
    ConnectorTrapped, "connector-trapped", 502, "The connector failed";
    /// The connector used up its processor time.
    ConnectorCpuExhausted, "connector-cpu-exhausted", 502, "The connector used up its processor time";
    /// The connector used up its memory.
    ConnectorMemoryExhausted, "connector-memory-exhausted", 502, "The connector used up its memory";
    /// The connector's answer is larger than the service's limit.
    AnswerTooLarge, "answer-too-large", 502, "The connector's answer is too large";
    /// The connector's answer breaks the contract.
    AnswerInvalid, "answer-invalid", 502, "The connector's answer does not fit the contract";
    /// The service has as many calls as it may have at once.
    TooBusy, "too-busy", 503, "The service has too many calls at once";
    /// The exchange could not be recorded.
    LedgerUnavailable, "ledger-unavailable", 503, "The exchange could not be recorded";
    /// The host is stopping.
    ShuttingDown, "shutting-down", 503, "The host is stopping";
    /// The call's deadline passed.
    DeadlineExceeded, "deadline-exceeded", 504, "The call did not end in time";

    /// The file is not a component, is cut short, or uses features that are switched off.
    ComponentMalformed, "component-malformed", 422, "The file is not a component that can be loaded";
    /// The file is larger than the limit.
    ComponentTooLarge, "component-too-large", 413, "The component is too large";
    /// Compiling the component takes more memory or time than the host allows.
    ComponentTooCostly, "component-too-costly", 422, "The component is too costly to compile";
    /// The component imports something that is not offered.
    ImportRefused, "import-refused", 422, "The component imports something that is not offered";
    /// The component has no manifest, or the manifest is wrong.
    ManifestInvalid, "manifest-invalid", 422, "The manifest is missing or wrong";
    /// The manifest names a contract that the component does not export.
    ContractMismatch, "contract-mismatch", 422, "The component does not export the contract its manifest names";
    /// The contract cannot be served.
    ContractInvalid, "contract-invalid", 422, "The contract cannot be served";
    /// The contract of a connector is proposed and not published.
    ContractNotPublished, "contract-not-published", 409, "The contract is not published";
    /// A contract breaks what an earlier version promised.
    ContractBreaking, "contract-breaking", 409, "The contract breaks what an earlier version promised";
    /// A contract's version does not come after what is published.
    ContractVersionBackwards, "contract-version-backwards", 409, "The contract's version goes backwards";
    /// Something of this name exists already.
    NameTaken, "name-taken", 409, "The name is taken";
    /// Nothing of this name exists.
    ItemNotFound, "item-not-found", 404, "No such item";
    /// A service's bindings, configuration, keys or limits do not fit its connector.
    ServiceInvalid, "service-invalid", 422, "The service's settings do not fit its connector";
    /// A secret that is to be removed is used by a service.
    SecretInUse, "secret-in-use", 409, "The secret is in use";
    /// The vault's keys cannot be read, or do not open what is sealed.
    VaultUnusable, "vault-unusable", 409, "The vault's keys cannot be used";
    /// The database did not do what was asked.
    StoreUnavailable, "store-unavailable", 503, "The database is not available";

    /// The national system knows nothing under the given key.
    NotFound, "not-found", 404, "Nothing was found";
    /// The national system found fault with the request's content.
    Invalid, "invalid", 422, "The national system found the request invalid";
    /// The national system does not allow this.
    Denied, "denied", 403, "The national system does not allow this";
    /// The request contradicts the present state of the national system.
    Conflict, "conflict", 409, "The request contradicts the present state";
    /// The national system received too many requests.
    Limited, "limited", 429, "The national system received too many requests";
    /// The national system did not answer in time.
    UpstreamTimeout, "upstream-timeout", 504, "The national system did not answer in time";
    /// The national system failed or answered with nonsense.
    UpstreamFailed, "upstream-failed", 502, "The national system failed";
    /// The national system says it is not in service.
    Unavailable, "unavailable", 503, "The national system is not in service";
    /// The national system refused for a reason of its own.
    Rejected, "rejected", 422, "The national system refused";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The `type` member of a problem with the given code. The scheme is this product's; the code's page in
/// `docs/problems/` says cause and remedy.
pub fn problem_type(code: &str) -> String {
    format!("urn:truc:problem:{code}")
}

/// One fault of a request: where and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// A JSON Pointer (RFC 6901) into the body; for parameters `/{name}`.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

/// A refusal or failure as the caller sees it (RFC 9457). Internal causes are not part of it: they go to the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The stable code: one of [`Code`], or a case of the contract's own error variant.
    pub code: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// The same short sentence for every occurrence.
    pub title: Cow<'static, str>,
    /// What happened this time and what to do about it; empty for nothing to add.
    pub detail: String,
    /// Every fault that was found in the request.
    pub errors: Vec<Fault>,
    /// The payload of a contract's own error case.
    pub value: Option<serde_json::Value>,
    /// Seconds to wait before trying again, for the `Retry-After` header.
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem of Trục's own.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(code.as_str()),
            status: code.status(),
            title: Cow::Borrowed(code.title()),
            detail: detail.into(),
            errors: Vec::new(),
            value: None,
            retry_after: None,
        }
    }

    /// The same problem with faults of the request.
    pub fn with_errors(mut self, errors: Vec<Fault>) -> Self {
        self.errors = errors;
        self
    }

    /// The same problem with a time to wait, in seconds.
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Whether the problem has the given code.
    pub fn is(&self, code: Code) -> bool {
        self.code == code.as_str()
    }

    /// The document (`application/problem+json`), with the request's identifier as `requestId` where there is one.
    pub fn to_json(&self, request_id: Option<&str>) -> Vec<u8> {
        let document = Document { problem: self, request_id };
        serde_json::to_vec(&document).unwrap_or_else(|_| b"{}".to_vec())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        self.errors.iter().try_for_each(|fault| write!(f, "\n  {}: {}", fault.pointer, fault.detail))
    }
}

impl std::error::Error for Problem {}

struct Document<'a> {
    problem: &'a Problem,
    request_id: Option<&'a str>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let problem = self.problem;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &problem_type(&problem.code))?;
        map.serialize_entry("title", &problem.title)?;
        map.serialize_entry("status", &problem.status)?;
        map.serialize_entry("code", &problem.code)?;
        if !problem.detail.is_empty() {
            map.serialize_entry("detail", &problem.detail)?;
        }
        if !problem.errors.is_empty() {
            map.serialize_entry("errors", &problem.errors)?;
        }
        if let Some(value) = &problem.value {
            map.serialize_entry("value", value)?;
        }
        if let Some(seconds) = problem.retry_after {
            map.serialize_entry("retryAfter", &seconds)?;
        }
        if let Some(id) = self.request_id {
            map.serialize_entry("requestId", id)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_never_a_success() {
        let mut codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }

    #[test]
    fn the_document_leaves_out_what_is_not_there() {
        let problem = Problem::new(Code::NotGranted, "");
        assert_eq!(
            String::from_utf8_lossy(&problem.to_json(Some("x"))),
            r#"{"type":"urn:truc:problem:not-granted","title":"The agency has no grant for this operation","status":403,"code":"not-granted","requestId":"x"}"#
        );
    }
}
