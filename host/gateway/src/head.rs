//! The head of a request: what it says before the body.

use std::cell::Cell;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use truc_contract::{Method, openapi};
use truc_model::{Code, Problem, RequestId, Timestamp};

/// Header fields a request may have.
const MAX_HEADERS: usize = 100;
/// Bytes of all names and values together.
const MAX_HEADER_BYTES: usize = 64 << 10;
/// Characters of a stated purpose.
const MAX_PURPOSE: usize = 200;
/// Characters of a dossier's name.
const MAX_DOSSIER: usize = 100;
/// Characters of an idempotency key.
const MAX_IDEMPOTENCY_KEY: usize = 255;

pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static(openapi::REQUEST_ID_HEADER);
pub(crate) static REVISION: HeaderName = HeaderName::from_static(openapi::REVISION_HEADER);
static PURPOSE: HeaderName = HeaderName::from_static(openapi::PURPOSE_HEADER);
static DOSSIER: HeaderName = HeaderName::from_static(openapi::DOSSIER_HEADER);
static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(openapi::IDEMPOTENCY_KEY_HEADER);
pub(crate) static REPLAYED: HeaderName = HeaderName::from_static(openapi::REPLAYED_HEADER);
pub(crate) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The request's identifier: the caller's, where it sent a UUID, else a new one.
pub(crate) fn request_id(headers: &HeaderMap, now: Timestamp) -> RequestId {
    let sent =
        headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    sent.unwrap_or_else(|| RequestId::new(now, &random()))
}

thread_local! {
    static POOL: Cell<([u8; 160], usize)> = const { Cell::new(([0; 160], 160)) };
}

/// Ten random bytes, drawn in larger pieces.
fn random() -> [u8; 10] {
    POOL.with(|cell| {
        let (mut pool, mut used) = cell.get();
        if used + 10 > pool.len() {
            if SystemRandom::new().fill(&mut pool).is_err() {
                // An identifier needs to differ, not to be secret; time and pool position still make it so.
                tracing::error!("the operating system gave no randomness for request identifiers");
            }
            used = 0;
        }
        let mut bytes = [0; 10];
        if let Some(piece) = pool.get(used..used + 10) {
            bytes.copy_from_slice(piece);
        }
        cell.set((pool, used + 10));
        bytes
    })
}

/// A trace that the caller began (W3C Trace Context): the value to give back, with the same trace and this request as
/// the parent.
pub(crate) fn trace(headers: &HeaderMap, id: RequestId) -> Option<String> {
    let text = headers.get(&TRACEPARENT)?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let zero = |part: &str| part.bytes().all(|b| b == b'0');
    let sound = hex(version, 2)
        && version != "ff"
        && hex(trace, 32)
        && !zero(trace)
        && hex(parent, 16)
        && !zero(parent)
        && hex(flags, 2)
        && (version != "00" || parts.next().is_none());
    if !sound {
        return None;
    }
    let mut buffer = [0; 36];
    let own: String = id.encode(&mut buffer).chars().rev().filter(|c| *c != '-').take(16).collect();
    Some(format!("00-{trace}-{own}-{flags}"))
}

/// What makes a head too large to be served.
pub(crate) fn check_size(headers: &HeaderMap) -> Result<(), Problem> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        let detail =
            format!("At most {MAX_HEADERS} header fields and {MAX_HEADER_BYTES} bytes in all are taken.");
        return Err(Problem::new(Code::HeadersTooLarge, detail));
    }
    Ok(())
}

/// A path below `/api/`, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiPath<'p> {
    pub(crate) service: &'p str,
    pub(crate) major: Option<u64>,
    /// What follows `/api/{service}/v{major}`, beginning with `/`.
    pub(crate) route: &'p str,
}

impl<'p> ApiPath<'p> {
    pub(crate) fn parse(path: &'p str) -> Option<Self> {
        Self::below("/api/", path)
    }

    /// The same of a path below another prefix.
    pub(crate) fn below(prefix: &str, path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix(prefix)?;
        let (service, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let (version, _) = rest.split_once('/').unwrap_or((rest, ""));
        let route = rest.get(version.len()..).filter(|route| !route.is_empty()).unwrap_or("/");
        let major = version.strip_prefix('v').filter(|digits| !digits.starts_with('0') || *digits == "0");
        let digits = major.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        Some(Self { service, major: digits.and_then(|digits| digits.parse().ok()), route })
    }
}

/// The key in `Authorization: Bearer <key>`.
pub(crate) fn key(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = |detail: &str| Err(Problem::new(Code::MissingKey, detail));
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return missing("Send exactly one header `Authorization: Bearer <key>`.");
    };
    let bearer = value.to_str().ok().and_then(|text| text.split_once(' '));
    match bearer {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") && !key.is_empty() => Ok(key.trim()),
        _ => missing("Write the header as `Authorization: Bearer <key>`."),
    }
}

/// A stated purpose.
pub(crate) fn purpose(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    text(headers, &PURPOSE, MAX_PURPOSE)
}

/// A named dossier.
pub(crate) fn dossier(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    text(headers, &DOSSIER, MAX_DOSSIER)
}

fn text(headers: &HeaderMap, name: &HeaderName, most: usize) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    // Purposes are written in Vietnamese, so the field's bytes are taken as UTF-8.
    match std::str::from_utf8(value.as_bytes()).map(str::trim) {
        Ok(text) if (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control) => {
            Ok(Some(text.to_owned()))
        }
        _ => Err(Problem::new(
            Code::MalformedRequest,
            format!(
                "The header `{name}` must be UTF-8 of 1 to {most} characters, without control characters."
            ),
        )),
    }
}

/// The idempotency key: a string of structured fields (RFC 9651, section 3.3.3) as the IETF draft has it, or the same
/// without quotes, as many clients send it.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
    let key = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().ok().and_then(unquoted),
        (Some(_), Some(_)) => None,
    };
    let sound = |key: &String| {
        (1..=MAX_IDEMPOTENCY_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    key.filter(sound).map(Some).ok_or_else(|| {
        let detail = format!(
            "Send the header `{IDEMPOTENCY_KEY}` once, with 1 to {MAX_IDEMPOTENCY_KEY} visible ASCII characters, with or without quotes around them."
        );
        Problem::new(Code::MalformedRequest, detail)
    })
}

/// The text of a string of structured fields; anything that does not begin with a quote stands for itself.
fn unquoted(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    loop {
        match rest.next()? {
            '"' => return rest.as_str().is_empty().then_some(text),
            '\\' => text.push(rest.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            other => text.push(other),
        }
    }
}

/// The method, if operations can have it.
pub(crate) fn method(method: &http::Method) -> Option<Method> {
    match *method {
        http::Method::GET => Some(Method::Get),
        http::Method::HEAD => Some(Method::Head),
        http::Method::POST => Some(Method::Post),
        http::Method::PUT => Some(Method::Put),
        http::Method::PATCH => Some(Method::Patch),
        http::Method::DELETE => Some(Method::Delete),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn api_paths_are_taken_apart() {
        let path = |text| ApiPath::parse(text);
        assert_eq!(
            path("/api/land/v1/a/b"),
            Some(ApiPath { service: "land", major: Some(1), route: "/a/b" })
        );
        assert_eq!(path("/api/land/v1"), Some(ApiPath { service: "land", major: Some(1), route: "/" }));
        assert_eq!(path("/api/land"), Some(ApiPath { service: "land", major: None, route: "/" }));
        assert_eq!(path("/api/land/v01/a").and_then(|path| path.major), None);
        assert_eq!(path("/api/land/v+1/a").and_then(|path| path.major), None);
        assert_eq!(path("/other"), None);
    }

    proptest! {
        #[test]
        fn a_key_is_the_same_with_quotes_and_without(key in "[!#-~][!-~]{0,254}", any in "[ -~]{0,20}") {
            let with = |value: &str| {
                let mut headers = HeaderMap::new();
                headers.append(&IDEMPOTENCY_KEY, value.parse().unwrap());
                idempotency_key(&headers).ok().flatten()
            };
            let quoted = format!("\"{}\"", key.replace('\\', r"\\").replace('"', "\\\""));
            prop_assert_eq!(with(&quoted), Some(key.clone()));
            prop_assert_eq!(with(&key), Some(key.clone()));
            let _ = with(&any);
        }
    }

    #[test]
    fn idempotency_keys_come_bare_or_quoted_and_once() {
        let with = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(&IDEMPOTENCY_KEY, value.parse().unwrap());
            }
            idempotency_key(&headers).map_err(|problem| problem.code)
        };
        assert_eq!(with(&[]), Ok(None));
        let long = "k".repeat(255);
        for (sent, key) in [
            ("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
            ("\"order-1\"", "order-1"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("a\"b\\c", "a\"b\\c"),
            (&long, &long),
        ] {
            assert_eq!(with(&[sent]), Ok(Some(key.to_owned())), "{sent}");
        }
        let (longer, spaced) = ("k".repeat(256), "\"a b\"");
        for wrong in [
            "",
            "\"\"",
            "\"",
            "\"a",
            "\"a\"b",
            "\"a\";p=1",
            r#""a\b""#,
            r#""a\"#,
            "a b",
            "a\tb",
            spaced,
            &longer,
        ] {
            assert_eq!(with(&[wrong]), Err("malformed-request".into()), "{wrong}");
        }
        assert!(with(&["a", "a"]).is_err());
    }

    #[test]
    fn a_sound_trace_goes_on_and_a_broken_one_is_left() {
        let id = RequestId::new(Timestamp::from_micros(0), &[7; 10]);
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(&TRACEPARENT, value.parse().unwrap());
            trace(&headers, id)
        };
        let answer = with("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
        assert!(answer.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && answer.ends_with("-01"));
        assert_eq!(answer.len(), 55);
        for broken in ["", "00-0-0-0", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            assert_eq!(with(broken), None, "{broken}");
        }
    }
}
