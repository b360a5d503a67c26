//! What can go wrong: when a handle is bound (for the operator) and when a call is made (for the connector).

use std::fmt;
use std::net::IpAddr;

use truc_contract::KeyUse;
use truc_model::{Handle, Millis};

use crate::{KeyAlgorithm, SecretError};

/// A binding that cannot be put to use: which handle, and what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{kind} `{handle}`: {fault}")]
pub struct BindError {
    /// "upstream" or "key".
    pub kind: &'static str,
    /// The handle.
    pub handle: Handle,
    /// What is wrong.
    pub fault: BindFault,
}

/// What is wrong with a binding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindFault {
    /// The host is a name and no range says where it may be.
    #[error(
        "`allowAddresses` is empty: write the ranges in which the addresses of `{host}` lie, for instance \
         [\"10.20.0.0/16\"]"
    )]
    NoRanges {
        /// The host's name.
        host: String,
    },
    /// The host is an IP address outside the ranges.
    #[error(
        "the address {ip} is not in `allowAddresses`: add it, or leave `allowAddresses` out to allow exactly it"
    )]
    OutsideRanges {
        /// The address.
        ip: IpAddr,
    },
    /// A range of IPv4 addresses written as IPv6 never matches, as addresses are compared in their plain form.
    #[error("`allowAddresses` holds {range}: write IPv4 ranges as IPv4, for instance \"10.20.0.0/16\"")]
    MappedRange {
        /// The range.
        range: ipnet::IpNet,
    },
    /// The host cannot be named in a request.
    #[error("the address {0} cannot be written into a request's Host field")]
    Host(crate::Address),
    /// A time is out of bounds.
    #[error("`timeouts.{name}` is {value}: write a time from 1ms to 10min")]
    Timeout {
        /// Which of the times.
        name: &'static str,
        /// What was set.
        value: Millis,
    },
    /// The number of connections is out of bounds.
    #[error("`maxConnections` is {0}: write a number from 1 to 1024")]
    Connections(u32),
    /// The number of calls is out of bounds.
    #[error("`maxCalls` is {0}: write a number from 1 to 1024")]
    Calls(u32),
    /// The number of attempts is out of bounds.
    #[error("`attempts` is {0}: write a number from 1 (nothing is made again) to 5")]
    Attempts(u32),
    /// The breaker's number of failures is out of bounds.
    #[error("`breaker.failures` is {0}: write a number from 0 (it never opens) to 1000")]
    BreakerFailures(u32),
    /// A pause of the breaker is out of bounds.
    #[error("`breaker.{name}` is {value}: write a time from 1ms to 10min")]
    BreakerPause {
        /// Which of the pauses.
        name: &'static str,
        /// What was set.
        value: Millis,
    },
    /// Pins without TLS.
    #[error("`pins` is set, but the address begins with `http://`: write `https://`, or leave `pins` out")]
    PinsWithoutTls,
    /// Certificates without TLS.
    #[error("`ca` is set, but the address begins with `http://`: write `https://`, or leave `ca` out")]
    CaWithoutTls,
    /// The certificates cannot be used.
    #[error("`ca` cannot be used: {0}; write one or more certificates in PEM form")]
    Ca(String),
    /// The system has no certificates.
    #[error(
        "this machine has no certificate authorities installed: install its `ca-certificates`, or set `ca`"
    )]
    NoRoots,
    /// TLS could not be set up.
    #[error("TLS could not be set up: {0}")]
    Tls(String),
    /// A credential cannot go into the header field the operator chose.
    #[error("the credential's header {name:?} {reason}")]
    CredentialHeader {
        /// The field's name as it was set.
        name: String,
        /// What is wrong with it and what to do.
        reason: &'static str,
    },
    /// The user name cannot be sent.
    #[error("the credential's `username` may hold neither a colon nor control characters (RFC 7617)")]
    Username,
    /// The secret cannot be sent in a header field.
    #[error(
        "secret `{0}` cannot be sent: it holds a line end or another character that a header field may not hold"
    )]
    SecretCharacters(crate::SecretRef),
    /// The token endpoint's path is not a path.
    #[error("`tokenPath` is {0:?}: write a plain path that begins with `/`, for instance \"/token\"")]
    TokenPath(String),
    /// The login's path is not a path.
    #[error("`loginPath` is {0:?}: write a plain path that begins with `/`, for instance \"/mapi/login\"")]
    LoginPath(String),
    /// The code of the system that is logged in to cannot be sent.
    #[error(
        "the credential's `destination` cannot stand in a header field: write the code, for instance \"VN:GOV:G22:provider\""
    )]
    Destination,
    /// The name of the body's member is empty.
    #[error("the credential's `place` names no member: write for instance {{ \"member\": \"session\" }}")]
    SessionMember,
    /// A session's life is out of bounds.
    #[error("`lifetime` is {0}: write a time from 10s to 24h")]
    SessionLife(Millis),
    /// The names in a signature cannot be written.
    #[error(
        "a signature's `keyId` is printable ASCII without quotes, and its `label` lower-case letters, digits, `_`, `-`, `.` and `*`"
    )]
    SignatureTerms,
    /// Something cannot be signed.
    #[error(
        "`components` holds {0:?}: write `@method`, `@authority`, `@scheme`, `@request-target`, `@path`, `@query`, or the \
         name of a header field in lower case"
    )]
    SignatureComponent(String),
    /// A client certificate without TLS.
    #[error(
        "`clientCertificate` is set, but the address begins with `http://`: write `https://`, or leave it out"
    )]
    ClientCertificateWithoutTls,
    /// The secret holds no certificate with its key.
    #[error("secret `{secret}` cannot be used as a client certificate: {reason}")]
    ClientCertificate {
        /// The secret's name.
        secret: crate::SecretRef,
        /// What is wrong with it and what to do.
        reason: &'static str,
    },
    /// The secret could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The algorithm cannot do what the manifest asks for.
    #[error("the manifest asks for `{wanted}`, which {algorithm} cannot do: set `algorithm` to {remedy}")]
    KeyUse {
        /// The use.
        wanted: KeyUse,
        /// The algorithm the operator set.
        algorithm: KeyAlgorithm,
        /// The algorithm that fits.
        remedy: KeyAlgorithm,
    },
    /// The secret does not hold a key of this kind.
    #[error("secret `{secret}` holds no {kind}: {reason}")]
    KeyFormat {
        /// The secret's name.
        secret: crate::SecretRef,
        /// What it should hold.
        kind: &'static str,
        /// What is wrong with it and what to do.
        reason: &'static str,
    },
}

/// Why a call gave no answer; the cases of `truc:connector/upstream.error` that arise here. The texts are for the
/// connector's author and may reach the caller: they name handles, never addresses or secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The manifest or the operator does not allow it.
    #[error("denied: {0}")]
    Denied(String),
    /// A deadline passed.
    #[error("timeout: {0}")]
    Timeout(String),
    /// No connection could be made, or no token obtained; or nothing was sent because the upstream keeps failing, or
    /// because enough calls are there already.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The connection ended, or broke the protocol, before the answer was complete.
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// The answer is larger than this number of bytes, the limit in force.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
}

impl CallError {
    /// The same error with its text changed.
    pub(crate) fn map(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Denied(text) => Self::Denied(change(text)),
            Self::Timeout(text) => Self::Timeout(change(text)),
            Self::Unreachable(text) => Self::Unreachable(change(text)),
            Self::Interrupted(text) => Self::Interrupted(change(text)),
            Self::TooLarge(most) => Self::TooLarge(most),
        }
    }
}

/// A text of a connector inside one of ours: quoted, escaped and shortened, so that it cannot pass for ours.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 80;
        match self.0.char_indices().nth(MOST) {
            Some((end, _)) => write!(f, "{:?}…", self.0.get(..end).unwrap_or_default()),
            None => write!(f, "{:?}", self.0),
        }
    }
}
