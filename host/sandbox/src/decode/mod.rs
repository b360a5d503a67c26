//! JSON, path and query to component values, by plan, with every fault that can be found.
//!
//! The body goes straight from bytes to values: no tree in between. A fault does not end the reading: it is noted with
//! its JSON Pointer, a stand-in value takes its place, and the request is refused at the end with all faults.

mod json;
mod scalar;

use std::borrow::Cow;
use std::cell::RefCell;

use percent_encoding::percent_decode_str;
use serde::de::DeserializeSeed;
use truc_contract::Place;
use truc_model::{Code, Fault, Problem};
use wasmtime::component::Val;

use self::json::{Decode, Member, Object};
use self::scalar::scalar;
use crate::plan::{BodyPlan, Node, OperationPlan};

/// Faults beyond this number are not reported.
const MAX_FAULTS: usize = 100;

/// The parts of a request that hold an operation's arguments, as they came.
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'a> {
    /// The path's parameters: JSON name and percent-encoded value.
    pub path: &'a [(&'a str, &'a str)],
    /// The query without its question mark.
    pub query: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// Decodes the arguments of an operation, in the order of its parameters.
pub(crate) fn decode(plan: &OperationPlan, arguments: &Arguments<'_>) -> Result<Vec<Val>, Problem> {
    let context = Context::default();
    let mut values: Vec<Option<Val>> = Vec::new();
    values.resize_with(plan.parameters.len(), || None);
    decode_path(plan, arguments.path, &context, &mut values);
    decode_query(plan, arguments.query.unwrap_or_default(), &context, &mut values);
    decode_body(plan, arguments.body, &context, &mut values)?;
    let faults = context.faults.into_inner();
    if !faults.is_empty() {
        let count = faults.len();
        let detail =
            if count == 1 { "1 fault was found.".to_owned() } else { format!("{count} faults were found.") };
        return Err(Problem::new(Code::InvalidRequest, detail).with_errors(faults));
    }
    Ok(values.into_iter().flatten().collect())
}

#[derive(Default)]
struct Context<'p> {
    faults: RefCell<Vec<Fault>>,
    path: RefCell<Vec<Step<'p>>>,
}

#[derive(Clone)]
enum Step<'p> {
    Name(&'p str),
    Unknown(String),
    Index(usize),
}

impl<'p> Context<'p> {
    fn fault(&self, detail: impl Into<String>) {
        let mut faults = self.faults.borrow_mut();
        if faults.len() < MAX_FAULTS {
            faults.push(Fault { pointer: self.pointer(), detail: detail.into() });
        }
    }

    /// Whether further faults are not reported, so that their texts need not be made.
    fn is_full(&self) -> bool {
        self.faults.borrow().len() >= MAX_FAULTS
    }

    fn fault_at(&self, step: Step<'p>, detail: impl Into<String>) {
        self.within(step, || self.fault(detail));
    }

    fn within<T>(&self, step: Step<'p>, inner: impl FnOnce() -> T) -> T {
        self.path.borrow_mut().push(step);
        let result = inner();
        self.path.borrow_mut().pop();
        result
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in self.path.borrow().iter() {
            pointer.push('/');
            match step {
                Step::Name(name) => pointer.push_str(&escape(name)),
                Step::Unknown(name) => pointer.push_str(&escape(name)),
                Step::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        pointer
    }
}

/// A reference token of a JSON Pointer, shortened to 100 characters.
fn escape(name: &str) -> Cow<'_, str> {
    let short = match name.char_indices().nth(100) {
        Some((end, _)) => name.get(..end).unwrap_or_default(),
        None => name,
    };
    if short.contains(['~', '/']) { short.replace('~', "~0").replace('/', "~1").into() } else { short.into() }
}

fn decode_path<'p>(
    plan: &'p OperationPlan,
    path: &[(&str, &str)],
    context: &Context<'p>,
    values: &mut [Option<Val>],
) {
    for (parameter, value) in plan.parameters.iter().zip(values) {
        if parameter.place != Place::Path {
            continue;
        }
        let raw = path.iter().find(|(name, _)| *name == parameter.json.as_ref()).map(|(_, raw)| *raw);
        context.within(Step::Name(&parameter.json), || {
            let text = raw.and_then(|raw| percent_decode_str(raw).decode_utf8().ok());
            match text {
                Some(text) => *value = Some(scalar(&parameter.node, &text, context)),
                None => context.fault("the path segment is not UTF-8 once decoded"),
            }
        });
    }
}

fn decode_query<'p>(plan: &'p OperationPlan, query: &str, context: &Context<'p>, values: &mut [Option<Val>]) {
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, raw) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(text)) = (form_decode(name), form_decode(raw)) else {
            context.fault_at(Step::Unknown(name.to_owned()), "the query is not UTF-8 once decoded");
            continue;
        };
        let found = plan
            .parameters
            .iter()
            .zip(values.iter_mut())
            .find(|(parameter, _)| parameter.place == Place::Query && parameter.json.as_ref() == name);
        let Some((parameter, value)) = found else {
            context.fault_at(Step::Unknown(name.into_owned()), "the operation has no such query parameter");
            continue;
        };
        context.within(Step::Name(&parameter.json), || match (&parameter.node, value) {
            (Node::List(item, _), value) => {
                let item = scalar(item, &text, context);
                match value {
                    Some(Val::List(items)) => items.push(item),
                    _ => *value = Some(Val::List(vec![item])),
                }
            }
            (_, Some(_)) => context.fault("it stands twice"),
            (Node::Option(inner), value) => {
                *value = Some(Val::Option(Some(Box::new(scalar(inner, &text, context)))));
            }
            (node, value) => *value = Some(scalar(node, &text, context)),
        });
    }
    for (parameter, value) in plan.parameters.iter().zip(values) {
        if parameter.place == Place::Query {
            let at = Step::Name(&parameter.json);
            context.within(at, || match (&parameter.node, value) {
                (Node::List(_, size), Some(Val::List(items))) => {
                    if let Some(fault) = size.fault(|| items.len(), "items") {
                        context.fault(fault);
                    }
                }
                (_, Some(_)) => {}
                (node, value) => *value = absent(node, context),
            });
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

/// The value of something that is not there, or a fault.
fn absent(node: &Node, context: &Context<'_>) -> Option<Val> {
    match node {
        Node::Option(_) => Some(Val::Option(None)),
        // An absent list in a query is an empty list; in a body `absent_member` refuses it.
        Node::List(_, size) if size.fault(|| 0, "items").is_none() => Some(Val::List(Vec::new())),
        _ => {
            context.fault("it is missing");
            None
        }
    }
}

fn decode_body<'p>(
    plan: &'p OperationPlan,
    body: &[u8],
    context: &Context<'p>,
    values: &mut [Option<Val>],
) -> Result<(), Problem> {
    if plan.body == BodyPlan::None {
        return match body {
            [] => Ok(()),
            _ => Err(Problem::new(Code::MalformedRequest, "The operation takes no body.")),
        };
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return Err(Problem::new(Code::MalformedJson, "The body is not UTF-8."));
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = match plan.body {
        BodyPlan::Whole(index) => match (plan.parameters.get(index), values.get_mut(index)) {
            (Some(parameter), Some(value)) => {
                Decode { node: &parameter.node, context }.deserialize(&mut deserializer).map(|decoded| {
                    *value = Some(decoded);
                })
            }
            _ => Ok(()),
        },
        _ => {
            let fields: Vec<Member<'p>> = plan
                .parameters
                .iter()
                .filter(|parameter| parameter.place == Place::Member)
                .map(|parameter| Member { json: &parameter.json, node: &parameter.node })
                .collect();
            Object { fields: fields.as_slice(), context }.deserialize(&mut deserializer).map(|decoded| {
                let members = plan
                    .parameters
                    .iter()
                    .zip(values)
                    .filter(|(parameter, _)| parameter.place == Place::Member);
                for ((_, value), decoded) in members.zip(decoded) {
                    *value = Some(decoded);
                }
            })
        }
    };
    read.and_then(|()| deserializer.end()).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        let what = match body {
            [] => "The body is empty; a JSON object is needed.".to_owned(),
            _ => format!("The body is not well-formed JSON, or is nested too deeply, at {place}."),
        };
        Problem::new(Code::MalformedJson, what)
    })
}
