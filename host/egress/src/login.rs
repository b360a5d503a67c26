//! Sessions of the national integration platform (NDXP, VXP): a login with user name and password gives a session,
//! which every request then carries in its JSON body or in a header field.
//!
//! The platform's answers have the members `session` and `error_code` (its client libraries and provincial systems show
//! no others); how long a session lasts it does not say.

use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use http_body_util::Full;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use truc_model::Secret;
use zeroize::Zeroizing;

use crate::CallError;
use crate::deadline::Deadline;
use crate::link::{Answer, Link};
use crate::retry::Repeat;
use crate::tokens::{Failed, Hidden, MOST_BYTES, Obtained, Pass};

/// The header field that names the system on the platform that is asked.
const DESTINATION: HeaderName = HeaderName::from_static("dstcode");

/// The most bytes of an answer in which a refusal is looked for.
const MOST_REFUSAL: usize = 64 * 1024;

/// How sessions are obtained.
pub(crate) struct Login {
    pub(crate) endpoint: PathAndQuery,
    pub(crate) destination: Option<HeaderValue>,
    /// `{"username":…,"password":…}`.
    pub(crate) form: Bytes,
    pub(crate) place: Place,
    pub(crate) lifetime: Duration,
    /// The `error_code`s that tell that a session is over.
    pub(crate) expired: Vec<String>,
}

/// Where a session goes in a request.
pub(crate) enum Place {
    /// A header field.
    Field(HeaderName),
    /// A member of the JSON object that is the body.
    Member(String),
}

impl Login {
    /// What a login sends.
    pub(crate) fn form(username: &str, password: &Secret) -> Bytes {
        let texts = [username, password.expose()].map(|text| {
            // A text can always be written.
            Zeroizing::new(serde_json::to_string(text).unwrap_or_default())
        });
        let [username, password] = &texts;
        format!("{{\"username\":{},\"password\":{}}}", **username, **password).into()
    }

    pub(crate) async fn obtain(&self, link: &Link, deadline: Deadline) -> Result<Obtained, Failed> {
        let request = || {
            let mut headers = HeaderMap::with_capacity(6);
            headers.insert(header::HOST, link.host.clone());
            headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            if let Some(destination) = &self.destination {
                headers.insert(DESTINATION, destination.clone());
            }
            let mut request = http::Request::new(Full::new(self.form.clone()));
            *request.method_mut() = http::Method::POST;
            *request.uri_mut() = Uri::from(self.endpoint.clone());
            *request.headers_mut() = headers;
            Ok(request)
        };
        // A second session does no harm.
        let answer = link.exchange(request, Repeat::Harmless, deadline, MOST_BYTES).await;
        let answer = answer.map_err(|error| match error {
            CallError::Timeout(text) => Failed::Call(CallError::Timeout(format!("no session: {text}"))),
            error => Failed::of(error),
        })?;
        let body = Zeroizing::new(answer.body);
        if answer.status != StatusCode::OK {
            return Err(Failed::Refused(format!("the login was answered with {}", answer.status.as_u16())));
        }
        let refused = |text: &str| Failed::Refused(text.to_owned());
        let said: LoggedIn = serde_json::from_slice(&body)
            .map_err(|_| refused("the login's answer is no JSON object with a `session`"))?;
        let code = said.error_code.map(|code| code.0).filter(|code| !is_success(code));
        let session = match (said.session, code) {
            (Some(session), None) if !session.is_empty() => session,
            (_, Some(code)) if is_plain(&code) => {
                return Err(Failed::Refused(format!("the login was refused with the code {code}")));
            }
            (_, Some(_)) => return Err(refused("the login was refused")),
            (_, None) => return Err(refused("the login's answer holds no `session`")),
        };
        let pass = match &self.place {
            Place::Field(name) => {
                let mut value = HeaderValue::from_str(&session)
                    .map_err(|_| refused("the login gave a session that no header field can hold"))?;
                value.set_sensitive(true);
                Pass::Field(name.clone(), value)
            }
            Place::Member(name) => Pass::Member(name.clone(), Secret::new(session.to_string())),
        };
        Ok(Obtained { pass, value: session, life: self.lifetime })
    }

    /// Whether an answer tells that the session is over, though its status does not.
    pub(crate) fn is_expiry(&self, answer: &Answer) -> bool {
        if self.expired.is_empty() || answer.body.len() > MOST_REFUSAL {
            return false;
        }
        let said = serde_json::from_slice::<Coded>(&answer.body).ok().and_then(|said| said.error_code);
        said.is_some_and(|code| self.expired.contains(&code.0))
    }
}

/// The body of a request with one more member, the session, before all others.
///
/// # Errors
/// A body that is no JSON object, or one that has the member already.
pub(crate) fn with_member(body: &[u8], name: &str, session: &Secret) -> Result<Bytes, String> {
    let needed = || format!("the session goes into the body as its member {name:?}: send a JSON object");
    let members: Members = serde_json::from_slice(body).map_err(|_| needed())?;
    if members.0.iter().any(|member| member == name) {
        return Err(format!(
            "the body's member {name:?} is set by the host from the operator's credential; leave it out"
        ));
    }
    let open = body.iter().position(|byte| *byte == b'{').ok_or_else(needed)?;
    let written = |text: &str| serde_json::to_string(text).map(Zeroizing::new).unwrap_or_default();
    let (name, value) = (written(name), written(session.expose()));
    let mut whole = Vec::with_capacity(body.len() + name.len() + value.len() + 2);
    whole.push(b'{');
    whole.extend_from_slice(name.as_bytes());
    whole.push(b':');
    whole.extend_from_slice(value.as_bytes());
    if !members.0.is_empty() {
        whole.push(b',');
    }
    whole.extend_from_slice(body.get(open + 1..).unwrap_or_default());
    Ok(whole.into())
}

#[derive(Deserialize)]
struct LoggedIn {
    session: Option<Hidden>,
    error_code: Option<Text>,
}

#[derive(Deserialize)]
struct Coded {
    error_code: Option<Text>,
}

/// A code, which some systems write as a number.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            Number(i64),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Text(text) => Self(text),
            Either::Number(number) => Self(number.to_string()),
        })
    }
}

/// The names of an object's members.
struct Members(Vec<String>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut names = Vec::new();
                while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
                    names.push(name);
                }
                Ok(Members(names))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// Whether a code says that nothing went wrong.
fn is_success(code: &str) -> bool {
    matches!(code, "" | "0" | "00")
}

/// Whether a text is short and plain enough to be a code, and not something that was echoed.
fn is_plain(code: &str) -> bool {
    code.len() < 8 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(body: &str) -> Result<String, String> {
        let session = Secret::new("s\"1".to_owned());
        with_member(body.as_bytes(), "session", &session)
            .map(|body| String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_session_becomes_the_first_member_and_nothing_else_changes() {
        assert_eq!(with("{}").unwrap(), r#"{"session":"s\"1"}"#);
        assert_eq!(with("  { \"a\" : 1.0e2 }\n").unwrap(), "{\"session\":\"s\\\"1\", \"a\" : 1.0e2 }\n");
        assert_eq!(with(r#"{"a":{"session":1}}"#).unwrap(), r#"{"session":"s\"1","a":{"session":1}}"#);
        for body in ["", "[]", "null", "{", "{}{}", "{\"a\":1,}", "\"{\""] {
            assert!(with(body).unwrap_err().contains("send a JSON object"), "{body}");
        }
        for body in [r#"{"session":"x"}"#, r#"{"a":1,"\u0073ession":null}"#] {
            assert!(with(body).unwrap_err().contains("leave it out"), "{body}");
        }
    }
}
