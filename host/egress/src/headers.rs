//! Header fields: which ones a connector may send, and which ones of an answer it may see.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::Quoted;

/// The most header fields of one request.
pub(crate) const MOST_FIELDS: usize = 64;

/// The most bytes of all header fields of one request, names and values.
pub(crate) const MOST_BYTES: usize = 16 * 1024;

/// Adds a connector's header fields to those of the host. `credential` are the [`folded`] names of the fields that the
/// operator's credential goes into. The error says which field cannot be sent, and why.
pub(crate) fn add(
    headers: &mut HeaderMap,
    fields: &[(String, String)],
    credential: &[String],
) -> Result<(), String> {
    if fields.len() > MOST_FIELDS {
        return Err(format!("more than {MOST_FIELDS} header fields"));
    }
    let size: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MOST_BYTES {
        return Err(format!("the header fields have {size} bytes, more than {MOST_BYTES}"));
    }
    for (name, value) in fields {
        let denied = |reason: &str| format!("header {}: {reason}", Quoted(name));
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| denied("a name is made of letters, digits and `-`"))?;
        let folded = folded(parsed.as_str());
        if credential.iter().any(|field| *field == folded) {
            return Err(denied("the host sets it from the operator's credential; leave it out"));
        }
        if is_reserved(&folded) {
            return Err(denied(
                "it frames, routes or authenticates the request, which is the host's part; leave it out",
            ));
        }
        // `HeaderValue` would take other than ASCII, which servers decode each in their own way.
        let value = HeaderValue::from_str(value).ok().filter(|_| value.is_ascii()).ok_or_else(|| {
            denied("its value holds a line end or another character outside printable ASCII")
        })?;
        headers.append(parsed, value);
    }
    Ok(())
}

/// The answer's header fields that a connector may see, in order.
pub(crate) fn visible(headers: &HeaderMap, credential: &[String]) -> Vec<(String, String)> {
    let mut visible = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let name = name.as_str();
        // A value that is not text could not be given to a connector.
        if let Ok(value) = std::str::from_utf8(value.as_bytes())
            && !is_hidden(name)
            && !credential.iter().any(|field| *field == folded(name))
        {
            visible.push((name.to_owned(), value.to_owned()));
        }
    }
    visible
}

/// A field's name with `-` for `_`: many servers hand both on as one and the same variable.
pub(crate) fn folded(name: &str) -> Cow<'_, str> {
    if name.contains('_') { Cow::Owned(name.replace('_', "-")) } else { Cow::Borrowed(name) }
}

/// Whether a field tells where a message ends or belongs to one connection only (RFC 9110, section 7.6.1).
pub(crate) fn is_framing(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "content-length"
            | "expect"
            | "http2-settings"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    ) || name.starts_with("proxy-")
}

/// Whether a connector may not send the field, whose name is given [`folded`].
fn is_reserved(name: &str) -> bool {
    is_framing(name)
        || matches!(
            name,
            // Whom the request is for and who it is from.
            "host" | "forwarded" | "via" | "x-real-ip" | "client-ip" | "x-client-ip" | "x-cluster-client-ip"
                | "true-client-ip" | "x-host" | "x-original-host" | "x-original-url" | "x-rewrite-url"
            // Another method than the one that was allowed.
                | "x-http-method" | "x-http-method-override" | "x-method-override"
            // Who vouches for it.
                | "authorization" | "cookie" | "cookie2" | "set-cookie"
            // The host reads plain bytes only.
                | "accept-encoding"
        )
        || name.starts_with("x-forwarded")
}

/// Whether a connector may not see the field of an answer.
fn is_hidden(name: &str) -> bool {
    is_framing(name)
        || matches!(
            name,
            "alt-svc"
                | "authentication-info"
                | "authorization"
                | "content-encoding"
                | "cookie"
                | "location"
                | "refresh"
                | "set-cookie"
                | "set-cookie2"
                | "www-authenticate"
        )
}
