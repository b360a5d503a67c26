//! Bodies: read within bounds of size and time, and made into what they should be, with every fault told.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use hyper::body::Body as _;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_path_to_error::{Path, Segment};
use truc_listen::{Line, Reception, check_media_type, receive};
use truc_model::{Bytes as Size, Code, Fault, Problem, Secret};
use truc_sandbox::MAX_COMPONENT_BYTES;
use zeroize::{Zeroize, Zeroizing};

use crate::refusal::{Refusal, sentence};
use crate::server::Control;

/// The largest JSON document that is read where nothing else is said.
const MAX_JSON: usize = 1 << 20;

/// The most that is read and thrown away of a body that is too large, so that its sender gets to read the answer.
const MAX_DISCARDED: usize = 64 << 20;

/// The bytes of a component.
pub(crate) struct ComponentBytes(pub(crate) Vec<u8>);

/// The value of a secret, which is the body as it is.
pub(crate) struct SecretText(pub(crate) Secret);

/// A JSON document of at most `MOST` bytes.
pub(crate) struct Json<T, const MOST: usize = MAX_JSON>(pub(crate) T);

impl FromRequest<Arc<Control>> for ComponentBytes {
    type Rejection = Refusal;

    async fn from_request(request: Request, control: &Arc<Control>) -> Result<Self, Refusal> {
        check_media_type(request.headers(), "application/wasm")?;
        read(request, MAX_COMPONENT_BYTES, Code::ComponentTooLarge, control)
            .await
            .map(|bytes| Self(bytes.into()))
    }
}

impl FromRequest<Arc<Control>> for SecretText {
    type Rejection = Refusal;

    async fn from_request(request: Request, control: &Arc<Control>) -> Result<Self, Refusal> {
        check_media_type(request.headers(), "text/plain")?;
        let bytes = read(request, truc_egress::MOST_SECRET, Code::BodyTooLarge, control).await?;
        let text = Zeroizing::new(bytes.to_vec());
        // What was received is overwritten where nothing else holds it.
        if let Ok(mut received) = bytes.try_into_mut() {
            received.as_mut().zeroize();
        }
        match std::str::from_utf8(&text) {
            Ok(text) => Ok(Self(Secret::new(text.to_owned()))),
            Err(_) => {
                let detail = "the value is not UTF-8 text; write bytes in Base64".to_owned();
                Err(Refusal::faults(vec![Fault { pointer: String::new(), detail }]))
            }
        }
    }
}

impl<T: DeserializeOwned, const MOST: usize> FromRequest<Arc<Control>> for Json<T, MOST> {
    type Rejection = Refusal;

    async fn from_request(request: Request, control: &Arc<Control>) -> Result<Self, Refusal> {
        check_media_type(request.headers(), "application/json")?;
        let bytes = read(request, MOST, Code::BodyTooLarge, control).await?;
        parse(&bytes).map(Self)
    }
}

async fn read(request: Request, most: usize, too_large: Code, control: &Control) -> Result<Bytes, Refusal> {
    let line = request.extensions().get::<Arc<Line>>().cloned();
    let line = line.ok_or_else(|| Refusal::new(Code::Internal, ""))?;
    let body = request.into_body();
    let too_large = || Problem::new(too_large, format!("At most {} are taken.", Size(most as u64)));
    let announced = body.size_hint().lower();
    let (taken, discard) = match announced > most as u64 {
        true => (MAX_DISCARDED, true),
        false => (most, false),
    };
    let reception = Reception { most: taken, announced: usize::try_from(announced).unwrap_or(usize::MAX) };
    let received = receive(&line, &control.manners, body, reception).await;
    match received {
        Ok(body) if !discard => Ok(body),
        Ok(_) => Err(too_large().into()),
        Err(error) => Err(error.problem(too_large).into()),
    }
}

/// Reads a document. Members that stand twice are faults everywhere, also where the last would silently win.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut faults = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Duplicates { pointer: &mut String::new(), faults: &mut faults }
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|error| Refusal::new(Code::MalformedJson, sentence(&error.to_string())))?;

    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        // The place is told by the pointer; line and column mean nothing to whoever built the document from values.
        let place = format!(" at line {} column {}", inner.line(), inner.column());
        let detail = inner.to_string();
        Fault { pointer, detail: detail.strip_suffix(&place).unwrap_or(&detail).to_owned() }
    });
    match parsed {
        Ok(document) if faults.is_empty() => Ok(document),
        Ok(_) => Err(Refusal::faults(faults)),
        Err(fault) => {
            // A member that stands twice is met by both readings.
            if !fault.detail.starts_with("duplicate field") {
                faults.push(fault);
            }
            Err(Refusal::faults(faults))
        }
    }
}

/// A JSON Pointer (RFC 6901) to where serde met the fault.
pub(crate) fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            // The name of a variant of a Rust type is no member of the document.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn push(pointer: &mut String, member: &str) {
    pointer.push('/');
    pointer.push_str(&member.replace('~', "~0").replace('/', "~1"));
}

/// Walks any JSON and notes members that stand twice.
struct Duplicates<'a> {
    pointer: &'a mut String,
    faults: &'a mut Vec<Fault>,
}

impl<'de> DeserializeSeed<'de> for Duplicates<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Duplicates<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = std::collections::HashSet::new();
        let length = self.pointer.len();
        while let Some(member) = map.next_key::<String>()? {
            push(self.pointer, &member);
            if !seen.insert(member) {
                let detail = "the member stands twice: leave one".to_owned();
                self.faults.push(Fault { pointer: self.pointer.clone(), detail });
            }
            map.next_value_seed(Duplicates { pointer: self.pointer, faults: self.faults })?;
            self.pointer.truncate(length);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let length = self.pointer.len();
        for index in 0_usize.. {
            push(self.pointer, &index.to_string());
            let item = items.next_element_seed(Duplicates { pointer: self.pointer, faults: self.faults })?;
            self.pointer.truncate(length);
            if item.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use truc_fleet::ServiceSettings;

    use super::*;
    use crate::documents::NewAgency;

    fn faults<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> Vec<(String, String)> {
        let Refusal(problem) = parse::<T>(text.as_bytes()).unwrap_err();
        assert!(problem.is(Code::InvalidRequest), "{problem}");
        problem.errors.into_iter().map(|fault| (fault.pointer, fault.detail)).collect()
    }

    #[test]
    fn faults_have_their_place() {
        let settings = |text| faults::<ServiceSettings>(text);
        let only = |faults: Vec<(String, String)>| {
            assert_eq!(faults.len(), 1, "{faults:?}");
            faults.into_iter().next().unwrap()
        };
        let (pointer, detail) = only(faults::<NewAgency>(r#"{"code":"nowhere","name":"x"}"#));
        assert_eq!(pointer, "/code");
        assert!(detail.contains("is not an agency code") && !detail.contains("line"), "{detail}");

        let (pointer, detail) = only(faults::<NewAgency>(r#"{"code":"H56","nam":"x"}"#));
        assert_eq!(
            (pointer.as_str(), detail.as_str()),
            ("/nam", "unknown field `nam`, expected `code` or `name`")
        );

        let (pointer, detail) = only(faults::<NewAgency>(r#"{"code":"H56"}"#));
        assert_eq!((pointer.as_str(), detail.as_str()), ("", "missing field `name`"));

        let (pointer, _) = only(settings(
            r#"{"connector":"land@1.0.0","bindings":{"a":{"address":"http://a","timeouts":{"total":1}}}}"#,
        ));
        assert_eq!(pointer, "/bindings/a/timeouts/total");
    }

    #[test]
    fn a_member_that_stands_twice_is_a_fault_wherever_it_is() {
        let text =
            r#"{"connector":"a@1.0.0","config":{"x/y":1,"x/y":2,"z":[{"q":1,"q":2}]},"connector":"b@1.0.0"}"#;
        let pointers: Vec<String> =
            faults::<ServiceSettings>(text).into_iter().map(|(pointer, _)| pointer).collect();
        assert!(
            pointers.starts_with(&[
                "/config/x~1y".to_owned(),
                "/config/z/0/q".to_owned(),
                "/connector".to_owned()
            ]),
            "{pointers:?}"
        );
    }

    #[test]
    fn what_is_not_json_is_refused_as_that() {
        let deep = "[".repeat(1000);
        for text in ["", "{", "nothing", "{} {}", "\u{feff}{}", r#"{"a":1,}"#, deep.as_str()] {
            let Refusal(problem) = parse::<NewAgency>(text.as_bytes()).unwrap_err();
            assert!(problem.is(Code::MalformedJson), "{text}: {problem}");
        }
    }
}
