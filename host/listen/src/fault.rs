//! What makes a request one that is not looked into.

use truc_model::{Code, Problem};

/// What is wrong with a request's framing or target. Each is a way in which two servers may read one sequence of bytes
/// as different requests (RFC 9112, sections 2.2, 5, 6.3 and 11.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A line that does not end with CR LF, or a CR elsewhere.
    #[error("Every line of the head must end with CR LF.")]
    LineEnd,
    /// A request line that is not `method SP target SP version`.
    #[error("The request line must be a method, a target and a version, with one space between them.")]
    RequestLine,
    /// A target that is not a path of ASCII characters, or has a fragment.
    #[error(
        "The target must begin with `/` and hold visible ASCII characters only, without `#`: percent-encode the others."
    )]
    Target,
    /// A field that is not `name ":" value`, or is folded.
    #[error("A header field must be a name, a colon right after it, and a value on the same line.")]
    Field,
    /// No `Host` field, several, or one that names no host.
    #[error("Send exactly one header `Host` that names a host.")]
    Host,
    /// `Content-Length` that is not one number.
    #[error("Send `Content-Length` once, as digits only.")]
    Length,
    /// `Transfer-Encoding` that is not one `chunked`.
    #[error("The only transfer coding is `chunked`, once, in HTTP/1.1.")]
    Coding,
    /// Both framings at once.
    #[error("Send either `Content-Length` or `Transfer-Encoding`, not both.")]
    TwoFramings,
    /// hyper and this room's reader disagree about where the request begins.
    #[error("Where the request begins is not clear.")]
    Boundary,
    /// A path that another server might read as another path.
    #[error("The path holds {0}.")]
    Path(&'static str),
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Problem::new(Code::MalformedRequest, fault.to_string())
    }
}
