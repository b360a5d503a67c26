//! JSON, path and query to component values, by plan, with every fault that can be found.
//!
//! The body goes straight from bytes to values: no tree in between. A fault does not end the reading: it is noted with
//! its JSON Pointer, a stand-in value takes its place, and the request is refused at the end with all faults.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use truc_contract::Place;
use truc_model::{Code, Fault, Problem};
use wasmtime::component::Val;

use crate::plan::{BodyPlan, CasePlan, FieldPlan, Node, OperationPlan};
use crate::rules::NumberRules;

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

fn absent_member(node: &Node, context: &Context<'_>) -> Val {
    match node {
        Node::Option(_) => Val::Option(None),
        _ => {
            context.fault("it is missing");
            STAND_IN
        }
    }
}

const STAND_IN: Val = Val::Bool(false);

/// A scalar from the text of a path segment or query parameter.
fn scalar(node: &Node, text: &str, context: &Context<'_>) -> Val {
    macro_rules! number {
        ($type:ty, $variant:ident, $rules:expr) => {
            match text.parse::<$type>() {
                Ok(number) if plain_number(text) => {
                    checked(Val::$variant(number), i128::from(number), $rules, context)
                }
                _ => {
                    context.fault(range_fault::<$type>());
                    STAND_IN
                }
            }
        };
    }
    match node {
        Node::Bool => match text {
            "true" => Val::Bool(true),
            "false" => Val::Bool(false),
            _ => {
                context.fault("write true or false");
                STAND_IN
            }
        },
        Node::U8(rules) => number!(u8, U8, rules),
        Node::U16(rules) => number!(u16, U16, rules),
        Node::U32(rules) => number!(u32, U32, rules),
        Node::U64(rules) => number!(u64, U64, rules),
        Node::S8(rules) => number!(i8, S8, rules),
        Node::S16(rules) => number!(i16, S16, rules),
        Node::S32(rules) => number!(i32, S32, rules),
        Node::S64(rules) => number!(i64, S64, rules),
        Node::F32 => match text.parse::<f32>() {
            Ok(number) if number.is_finite() => Val::Float32(number),
            _ => {
                context.fault("write a number");
                STAND_IN
            }
        },
        Node::F64 => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Val::Float64(number),
            _ => {
                context.fault("write a number");
                STAND_IN
            }
        },
        _ => decode_text(node, text, context).unwrap_or_else(|| {
            context.fault("it cannot be written here");
            STAND_IN
        }),
    }
}

/// Rust's own parsing takes a leading `+`; JSON and URIs here do not.
fn plain_number(text: &str) -> bool {
    !text.starts_with('+')
}

fn checked(value: Val, number: i128, rules: &NumberRules, context: &Context<'_>) -> Val {
    if let Some(fault) = rules.fault(number) {
        context.fault(fault);
    }
    value
}

trait Bounded {
    const RANGE: (i128, i128);
}

macro_rules! bounded {
    ($($type:ty),*) => { $(impl Bounded for $type {
        const RANGE: (i128, i128) = (<$type>::MIN as i128, <$type>::MAX as i128);
    })* };
}
bounded!(u8, u16, u32, u64, i8, i16, i32, i64);

fn range_fault<T: Bounded>() -> String {
    let (min, max) = T::RANGE;
    format!("write a whole number from {min} to {max}")
}

/// A value that JSON writes as a string; none when the type is not written so.
fn decode_text(node: &Node, text: &str, context: &Context<'_>) -> Option<Val> {
    Some(match node {
        Node::String(rules) => {
            if let Some(fault) = rules.as_ref().and_then(|rules| rules.fault(text)) {
                context.fault(fault);
            }
            Val::String(text.to_owned())
        }
        Node::Enum(labels) => match labels.iter().find(|label| label.as_ref() == text) {
            Some(label) => Val::Enum(label.as_ref().to_owned()),
            None => {
                context.fault(format!("write one of {}", list(labels)));
                STAND_IN
            }
        },
        Node::Char => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(char), None) => Val::Char(char),
                _ => {
                    context.fault("write a text of exactly one character");
                    STAND_IN
                }
            }
        }
        Node::Bytes(size) => match BASE64.decode(text) {
            Ok(bytes) => {
                if let Some(fault) = size.fault(|| bytes.len(), "bytes") {
                    context.fault(fault);
                }
                Val::List(bytes.into_iter().map(Val::U8).collect())
            }
            Err(error) => {
                context.fault(format!("it is not base64 (RFC 4648, section 4, with padding): {error}"));
                STAND_IN
            }
        },
        Node::U64(_) | Node::S64(_) => scalar(node, text, context),
        _ => return None,
    })
}

fn list(labels: &[Arc<str>]) -> String {
    labels.iter().map(|label| label.as_ref()).collect::<Vec<_>>().join(", ")
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

/// The fields of a record, or the parameters that make up a body.
trait Fields<'p>: Copy {
    fn len(self) -> usize;
    fn field(self, index: usize) -> Option<(&'p str, &'p Node)>;
}

#[derive(Clone, Copy)]
struct Member<'p> {
    json: &'p str,
    node: &'p Node,
}

impl<'p> Fields<'p> for &'p [FieldPlan] {
    fn len(self) -> usize {
        <[FieldPlan]>::len(self)
    }

    fn field(self, index: usize) -> Option<(&'p str, &'p Node)> {
        self.get(index).map(|field| (field.json.as_ref(), &field.node))
    }
}

impl<'p> Fields<'p> for &[Member<'p>] {
    fn len(self) -> usize {
        <[Member<'p>]>::len(self)
    }

    fn field(self, index: usize) -> Option<(&'p str, &'p Node)> {
        self.get(index).map(|member| (member.json, member.node))
    }
}

/// Reads a JSON object into the values of some fields, in the fields' order.
struct Object<'c, 'p, F> {
    fields: F,
    context: &'c Context<'p>,
}

impl<'de, 'p, F: Fields<'p>> DeserializeSeed<'de> for Object<'_, 'p, F> {
    type Value = Vec<Val>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Val>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'p, F: Fields<'p>> Object<'_, 'p, F> {
    fn not_an_object<E>(self) -> Result<Vec<Val>, E> {
        self.context.fault("an object is needed");
        Ok(Vec::new())
    }
}

macro_rules! wrong_scalars {
    ($value:ty, $method:ident) => {
        fn visit_bool<E>(self, _: bool) -> Result<$value, E> {
            self.$method()
        }
        fn visit_i64<E>(self, _: i64) -> Result<$value, E> {
            self.$method()
        }
        fn visit_u64<E>(self, _: u64) -> Result<$value, E> {
            self.$method()
        }
        fn visit_f64<E>(self, _: f64) -> Result<$value, E> {
            self.$method()
        }
        fn visit_str<E>(self, _: &str) -> Result<$value, E> {
            self.$method()
        }
        fn visit_unit<E>(self) -> Result<$value, E> {
            self.$method()
        }
    };
}

impl<'de, 'p, F: Fields<'p>> Visitor<'de> for Object<'_, 'p, F> {
    type Value = Vec<Val>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    wrong_scalars!(Vec<Val>, not_an_object);

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Val>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        self.not_an_object()
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Vec<Val>, A::Error> {
        let mut values: Vec<Option<Val>> = Vec::new();
        values.resize_with(self.fields.len(), || None);
        let mut expected = 0;
        while let Some(found) = members.next_key_seed(Key { fields: self.fields, expected })? {
            let index = match found {
                Found::Field(index) => index,
                Found::Unknown(name) => {
                    self.context.fault_at(Step::Unknown(name), "there is no such member");
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            expected = index + 1;
            let (Some((json, node)), Some(slot)) = (self.fields.field(index), values.get_mut(index)) else {
                continue;
            };
            self.context.path.borrow_mut().push(Step::Name(json));
            let value = members.next_value_seed(Decode { node, context: self.context })?;
            if slot.replace(value).is_some() {
                self.context.fault("it stands twice");
            }
            self.context.path.borrow_mut().pop();
        }
        let complete =
            values.into_iter().enumerate().map(|(index, value)| match (value, self.fields.field(index)) {
                (Some(value), _) => value,
                (None, Some((json, node))) => {
                    self.context.within(Step::Name(json), || absent_member(node, self.context))
                }
                (None, None) => STAND_IN,
            });
        Ok(complete.collect())
    }
}

enum Found {
    Field(usize),
    Unknown(String),
}

/// Reads a member's name. Members mostly come in the order of the fields, so that one is tried first.
struct Key<F> {
    fields: F,
    expected: usize,
}

impl<'de, 'p, F: Fields<'p>> DeserializeSeed<'de> for Key<F> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'p, F: Fields<'p>> Visitor<'_> for Key<F> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Found, E> {
        let is = |index: usize| self.fields.field(index).is_some_and(|(json, _)| json == name);
        if is(self.expected) {
            return Ok(Found::Field(self.expected));
        }
        match (0..self.fields.len()).find(|index| is(*index)) {
            Some(index) => Ok(Found::Field(index)),
            None => Ok(Found::Unknown(name.to_owned())),
        }
    }
}

/// Reads one value of a node.
struct Decode<'c, 'p> {
    node: &'p Node,
    context: &'c Context<'p>,
}

impl<'de> DeserializeSeed<'de> for Decode<'_, '_> {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        match self.node {
            Node::Option(inner) => {
                deserializer.deserialize_option(Maybe { node: inner, context: self.context })
            }
            Node::Record(fields) => {
                let values = Object { fields: &**fields, context: self.context }.deserialize(deserializer)?;
                Ok(Val::Record(
                    fields.iter().map(|field| field.name.as_ref().to_owned()).zip(values).collect(),
                ))
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

struct Maybe<'c, 'p> {
    node: &'p Node,
    context: &'c Context<'p>,
}

impl<'de> Visitor<'de> for Maybe<'_, '_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_unit<E>(self) -> Result<Val, E> {
        Ok(Val::Option(None))
    }

    fn visit_none<E>(self) -> Result<Val, E> {
        Ok(Val::Option(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        let value = Decode { node: self.node, context: self.context }.deserialize(deserializer)?;
        Ok(Val::Option(Some(Box::new(value))))
    }
}

impl Decode<'_, '_> {
    fn wrong(self) -> Val {
        if self.context.is_full() {
            return STAND_IN;
        }
        self.context.fault(match self.node {
            Node::Bool => "true or false is needed".to_owned(),
            Node::U8(_) => range_fault::<u8>(),
            Node::U16(_) => range_fault::<u16>(),
            Node::U32(_) => range_fault::<u32>(),
            Node::U64(_) => range_fault::<u64>() + ", as a string or a number",
            Node::S8(_) => range_fault::<i8>(),
            Node::S16(_) => range_fault::<i16>(),
            Node::S32(_) => range_fault::<i32>(),
            Node::S64(_) => range_fault::<i64>() + ", as a string or a number",
            Node::F32 | Node::F64 => "a number is needed".to_owned(),
            Node::Char | Node::String(_) => "a string is needed".to_owned(),
            Node::Bytes(_) => "a base64 string is needed".to_owned(),
            Node::List(..) => "an array is needed".to_owned(),
            Node::Tuple(items) => format!("an array of {} items is needed", items.len()),
            Node::Enum(labels) => format!("write one of {}", list(labels)),
            Node::Flags(labels) => format!("an array of different strings of {} is needed", list(labels)),
            Node::Variant(cases) => {
                let names: Vec<&str> = cases.iter().map(|case| case.name.as_ref()).collect();
                format!(
                    "an object with `kind` (one of {}) and, where the case carries one, `value` is needed",
                    names.join(", ")
                )
            }
            Node::Result(..) => "an object with either `ok` or `err` is needed".to_owned(),
            Node::Option(_) | Node::Record(_) => "an object is needed".to_owned(),
        });
        STAND_IN
    }

    fn integer(self, number: i128) -> Val {
        macro_rules! fit {
            ($type:ty, $variant:ident, $rules:expr) => {
                match <$type>::try_from(number) {
                    Ok(fitting) => checked(Val::$variant(fitting), number, $rules, self.context),
                    Err(_) => self.wrong(),
                }
            };
        }
        match self.node {
            Node::U8(rules) => fit!(u8, U8, rules),
            Node::U16(rules) => fit!(u16, U16, rules),
            Node::U32(rules) => fit!(u32, U32, rules),
            Node::U64(rules) => fit!(u64, U64, rules),
            Node::S8(rules) => fit!(i8, S8, rules),
            Node::S16(rules) => fit!(i16, S16, rules),
            Node::S32(rules) => fit!(i32, S32, rules),
            Node::S64(rules) => fit!(i64, S64, rules),
            #[expect(
                clippy::cast_precision_loss,
                reason = "a JSON number for a float is rounded to the nearest float"
            )]
            Node::F32 => Val::Float32(number as f32),
            #[expect(
                clippy::cast_precision_loss,
                reason = "a JSON number for a float is rounded to the nearest float"
            )]
            Node::F64 => Val::Float64(number as f64),
            _ => self.wrong(),
        }
    }
}

impl<'de> Visitor<'de> for Decode<'_, '_> {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Val, E> {
        Ok(if matches!(self.node, Node::Bool) { Val::Bool(value) } else { self.wrong() })
    }

    fn visit_i64<E>(self, number: i64) -> Result<Val, E> {
        Ok(self.integer(i128::from(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Val, E> {
        Ok(self.integer(i128::from(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Val, E> {
        Ok(match self.node {
            Node::F64 if number.is_finite() => Val::Float64(number),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a number too large becomes infinite and is refused"
            )]
            Node::F32 if (number as f32).is_finite() => Val::Float32(number as f32),
            _ => self.wrong(),
        })
    }

    fn visit_str<E>(self, text: &str) -> Result<Val, E> {
        Ok(decode_text(self.node, text, self.context).unwrap_or_else(|| self.wrong()))
    }

    fn visit_unit<E>(self) -> Result<Val, E> {
        Ok(self.wrong())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Val, A::Error> {
        match self.node {
            Node::List(item, size) => {
                let mut values = Vec::new();
                loop {
                    self.context.path.borrow_mut().push(Step::Index(values.len()));
                    let next = items.next_element_seed(Decode { node: item, context: self.context })?;
                    self.context.path.borrow_mut().pop();
                    match next {
                        Some(value) => values.push(value),
                        None => break,
                    }
                }
                if let Some(fault) = size.fault(|| values.len(), "items") {
                    self.context.fault(fault);
                }
                Ok(Val::List(values))
            }
            Node::Tuple(nodes) => {
                let mut values = Vec::with_capacity(nodes.len());
                for (index, node) in nodes.iter().enumerate() {
                    self.context.path.borrow_mut().push(Step::Index(index));
                    let next = items.next_element_seed(Decode { node, context: self.context })?;
                    self.context.path.borrow_mut().pop();
                    values.extend(next);
                }
                let mut more = 0;
                while items.next_element::<IgnoredAny>()?.is_some() {
                    more += 1;
                }
                if values.len() < nodes.len() || more > 0 { Ok(self.wrong()) } else { Ok(Val::Tuple(values)) }
            }
            Node::Flags(labels) => {
                let mut flags: Vec<String> = Vec::new();
                let mut fits = true;
                while let Some(flag) = items.next_element::<serde_json::Value>()? {
                    match flag {
                        serde_json::Value::String(flag)
                            if labels.iter().any(|label| **label == *flag) && !flags.contains(&flag) =>
                        {
                            flags.push(flag);
                        }
                        _ => fits = false,
                    }
                }
                Ok(if fits { Val::Flags(flags) } else { self.wrong() })
            }
            _ => {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(self.wrong())
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Val, A::Error> {
        match self.node {
            Node::Variant(cases) => decode_variant(cases, self, members),
            Node::Result(ok, err) => {
                let name = members.next_key::<String>()?;
                let (side, node) = match name.as_deref() {
                    Some("ok") => ("ok", ok),
                    Some("err") => ("err", err),
                    _ => {
                        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                        return Ok(self.wrong());
                    }
                };
                self.context.path.borrow_mut().push(Step::Name(if side == "ok" { "ok" } else { "err" }));
                let value = match node {
                    Some(node) => {
                        Some(Box::new(members.next_value_seed(Decode { node, context: self.context })?))
                    }
                    None => {
                        members.next_value::<IgnoredAny>()?;
                        None
                    }
                };
                self.context.path.borrow_mut().pop();
                let mut more = false;
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    more = true;
                }
                Ok(match (more, side) {
                    (true, _) => self.wrong(),
                    (false, "ok") => Val::Result(Ok(value)),
                    (false, _) => Val::Result(Err(value)),
                })
            }
            _ => {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(self.wrong())
            }
        }
    }
}

/// Reads `{"kind": …, "value": …}`. `kind` mostly comes first; where it does not, the value waits as text.
fn decode_variant<'de, 'p, A: MapAccess<'de>>(
    cases: &'p [CasePlan],
    decode: Decode<'_, 'p>,
    mut members: A,
) -> Result<Val, A::Error> {
    let context = decode.context;
    let mut case: Option<&CasePlan> = None;
    let mut value: Option<Val> = None;
    let mut waiting: Option<serde_json::Value> = None;
    let mut fits = true;
    while let Some(name) = members.next_key::<Cow<'_, str>>()? {
        match (name.as_ref(), case) {
            ("kind", None) => {
                let kind = members.next_value::<serde_json::Value>()?;
                case = cases.iter().find(|case| kind.as_str() == Some(case.name.as_ref()));
                fits &= case.is_some();
            }
            ("value", Some(CasePlan { payload: Some(node), .. })) if value.is_none() => {
                context.path.borrow_mut().push(Step::Name("value"));
                value = Some(members.next_value_seed(Decode { node, context })?);
                context.path.borrow_mut().pop();
            }
            ("value", None) if waiting.is_none() => waiting = Some(members.next_value()?),
            _ => {
                fits = false;
                members.next_value::<IgnoredAny>()?;
            }
        }
    }
    let Some(case) = case.filter(|_| fits) else { return Ok(decode.wrong()) };
    if let (Some(waiting), Some(node)) = (&waiting, &case.payload) {
        context.path.borrow_mut().push(Step::Name("value"));
        value = Decode { node, context }.deserialize(waiting).ok();
        context.path.borrow_mut().pop();
    }
    match (&case.payload, value) {
        (None, None) if waiting.is_none() => Ok(Val::Variant(case.name.as_ref().to_owned(), None)),
        (Some(_), Some(value)) => Ok(Val::Variant(case.name.as_ref().to_owned(), Some(Box::new(value)))),
        (Some(Node::Option(_)), None) => {
            Ok(Val::Variant(case.name.as_ref().to_owned(), Some(Box::new(Val::Option(None)))))
        }
        _ => Ok(decode.wrong()),
    }
}
