//! JSON, path and query to component values, by plan, with every fault that can be found.
//!
//! The body goes straight from bytes to values: no tree in between. A fault does not end the reading: it is noted with
//! its JSON Pointer, a stand-in value takes its place, and the request is refused at the end with all faults.

mod path;
mod reader;
mod scalar;
mod value;

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;
use truc_contract::Place;
use truc_model::{Code, Problem};
use wasmtime::component::Val;

use self::path::{Faults, Path};
use self::reader::{Broken, Reader, Why};
use self::scalar::{STAND_IN, scalar};
use self::value::Decoder;
use crate::plan::{BodyPlan, Node, OperationPlan};
use crate::settings::{MAX_JSON_DEPTH, MAX_VALUES};

/// The parts of a request that hold an operation's arguments, as they came.
#[derive(Clone, Copy)]
pub struct Arguments<'a> {
    /// The path's parameters: JSON name and percent-encoded value.
    pub path: &'a [(&'a str, &'a str)],
    /// The query without its question mark.
    pub query: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// Tells how much there is, never what: arguments may be personal data.
impl fmt::Debug for Arguments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arguments")
            .field("path_parameters", &self.path.len())
            .field("query_bytes", &self.query.map(str::len))
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Why arguments were not decoded.
pub(crate) enum Undecoded {
    /// They are refused.
    Refused(Problem),
    /// They have more values than were allowed for.
    TooMany,
}

impl From<Undecoded> for Problem {
    fn from(undecoded: Undecoded) -> Self {
        match undecoded {
            Undecoded::Refused(problem) => problem,
            Undecoded::TooMany => Problem::new(
                Code::BodyTooLarge,
                format!(
                    "The body has more than {MAX_VALUES} values, absent optional members counted; send less at once."
                ),
            ),
        }
    }
}

/// Decodes the arguments of an operation, in the order of its parameters. `values` is how many values the body may have.
pub(crate) fn decode(
    plan: &OperationPlan,
    arguments: &Arguments<'_>,
    values: usize,
) -> Result<Vec<Val>, Undecoded> {
    let mut faults = Faults::default();
    let mut parameters: Vec<Option<Val>> = vec![None; plan.parameters.len()];
    decode_path(plan, arguments.path, &mut faults, &mut parameters);
    decode_query(plan, arguments.query.unwrap_or_default(), &mut faults, &mut parameters);
    let faults = decode_body(plan, arguments.body, values, faults, &mut parameters)?.into_list();
    if !faults.is_empty() {
        let count = faults.len();
        let detail =
            if count == 1 { "1 fault was found.".to_owned() } else { format!("{count} faults were found.") };
        return Err(Undecoded::Refused(Problem::new(Code::InvalidRequest, detail).with_errors(faults)));
    }
    Ok(parameters.into_iter().flatten().collect())
}

fn decode_path(
    plan: &OperationPlan,
    path: &[(&str, &str)],
    faults: &mut Faults,
    parameters: &mut [Option<Val>],
) {
    for (parameter, value) in plan.parameters.iter().zip(parameters) {
        if parameter.place != Place::Path {
            continue;
        }
        let at = Path::ROOT;
        let at = at.name(&parameter.json);
        let raw = path.iter().find(|(name, _)| *name == parameter.json.as_ref()).map(|(_, raw)| *raw);
        match raw.and_then(|raw| percent_decode_str(raw).decode_utf8().ok()) {
            Some(text) => *value = Some(scalar(&parameter.node, &text, &at, faults)),
            None => faults.add(&at, || "the path segment is not UTF-8 once decoded"),
        }
    }
}

fn decode_query(plan: &OperationPlan, query: &str, faults: &mut Faults, parameters: &mut [Option<Val>]) {
    let root = Path::ROOT;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, raw) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(text)) = (form_decode(name), form_decode(raw)) else {
            faults.add(&root.name(name), || "the query is not UTF-8 once decoded");
            continue;
        };
        let at = root.name(&name);
        let found = plan
            .parameters
            .iter()
            .zip(parameters.iter_mut())
            .find(|(parameter, _)| parameter.place == Place::Query && parameter.json.as_ref() == name);
        let Some((parameter, value)) = found else {
            faults.add(&at, || "the operation has no such query parameter");
            continue;
        };
        match (&parameter.node, value) {
            (Node::List(item, _), Some(Val::List(items))) => items.push(scalar(item, &text, &at, faults)),
            (Node::List(item, _), value) => {
                *value = Some(Val::List(vec![scalar(item, &text, &at, faults)]));
            }
            (_, Some(_)) => faults.add(&at, || "it stands twice"),
            (Node::Option(inner), value) => {
                let inner = scalar(inner, &text, &at, faults);
                *value = Some(Val::Option(Some(Box::new(inner))));
            }
            (node, value) => *value = Some(scalar(node, &text, &at, faults)),
        }
    }
    for (parameter, value) in plan.parameters.iter().zip(parameters) {
        if parameter.place != Place::Query {
            continue;
        }
        let at = root.name(&parameter.json);
        match (&parameter.node, value) {
            (Node::List(_, size), Some(Val::List(items))) => {
                if !size.fits(items.len()) {
                    faults.add(&at, || size.fault(items.len(), "items"));
                }
            }
            (_, Some(_)) => {}
            (Node::Option(_), value) => *value = Some(Val::Option(None)),
            // An absent list in a query is an empty list; in a body it is missing.
            (Node::List(_, size), value) if size.fits(0) => *value = Some(Val::List(Vec::new())),
            (_, value) => {
                faults.add(&at, || "it is missing");
                *value = Some(STAND_IN);
            }
        }
    }
}

/// Decodes one name or value of `application/x-www-form-urlencoded`.
fn form_decode(raw: &str) -> Option<Cow<'_, str>> {
    if raw.contains('+') {
        let spaced = raw.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().ok().map(|text| Cow::Owned(text.into_owned()))
    } else {
        percent_decode_str(raw).decode_utf8().ok()
    }
}

/// Decodes the body; gives the faults that were found before and those found in it.
fn decode_body(
    plan: &OperationPlan,
    body: &[u8],
    values: usize,
    faults: Faults,
    parameters: &mut [Option<Val>],
) -> Result<Faults, Undecoded> {
    let refused = |code, detail: String| Undecoded::Refused(Problem::new(code, detail));
    if let BodyPlan::None = plan.body {
        return match body {
            [] => Ok(faults),
            _ => Err(refused(Code::MalformedRequest, "The operation takes no body.".to_owned())),
        };
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return Err(refused(Code::MalformedJson, "The body is not UTF-8.".to_owned()));
    };
    let mut decoder = Decoder { reader: Reader::new(text, values), faults };
    let read = whole_body(plan, &mut decoder, parameters).and_then(|()| decoder.reader.end());
    read.map(|()| decoder.faults).map_err(|Broken { at, why }| match why {
        Why::Many => Undecoded::TooMany,
        Why::Syntax if text.is_empty() => {
            refused(Code::MalformedJson, "The body is empty; a JSON object is needed.".to_owned())
        }
        Why::Syntax => {
            refused(Code::MalformedJson, format!("The body is not well-formed JSON at {}.", place(text, at)))
        }
        Why::Deep => refused(
            Code::MalformedJson,
            format!(
                "The body nests arrays and objects more than {MAX_JSON_DEPTH} deep at {}.",
                place(text, at)
            ),
        ),
    })
}

fn whole_body(
    plan: &OperationPlan,
    decoder: &mut Decoder<'_>,
    parameters: &mut [Option<Val>],
) -> Result<(), Broken> {
    match &plan.body {
        BodyPlan::None => {}
        BodyPlan::Whole(index) => {
            if let (Some(parameter), Some(slot)) = (plan.parameters.get(*index), parameters.get_mut(*index)) {
                *slot = Some(decoder.value(&parameter.node, &Path::ROOT)?);
            }
        }
        BodyPlan::Members(fields, places) => {
            let members = decoder.members(fields, &Path::ROOT)?;
            for (place, value) in places.iter().zip(members) {
                if let Some(slot) = parameters.get_mut(*place) {
                    *slot = Some(value);
                }
            }
        }
    }
    Ok(())
}

/// A place in a text, for people: lines and columns of characters, from 1.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}
