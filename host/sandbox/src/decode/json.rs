//! JSON straight to values: one visitor for objects, one for everything else.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use wasmtime::component::Val;

use super::scalar::{STAND_IN, checked, decode_text, list, range_fault};
use super::{Context, Step};
use crate::plan::{CasePlan, FieldPlan, Node};

/// The fields of a record, or the parameters that make up a body.
pub(super) trait Fields<'p>: Copy {
    fn len(self) -> usize;
    fn field(self, index: usize) -> Option<(&'p str, &'p Node)>;
}

#[derive(Clone, Copy)]
pub(super) struct Member<'p> {
    pub(super) json: &'p str,
    pub(super) node: &'p Node,
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
pub(super) struct Object<'c, 'p, F> {
    pub(super) fields: F,
    pub(super) context: &'c Context<'p>,
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

/// 2⁵³: up to here every whole number is a float of its own.
const EXACT_UP_TO: f64 = 9_007_199_254_740_992.0;

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
pub(super) struct Decode<'c, 'p> {
    pub(super) node: &'p Node,
    pub(super) context: &'c Context<'p>,
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
            // For JSON Schema `2.0` is an integer too. Larger ones may have been rounded.
            #[expect(clippy::cast_possible_truncation, reason = "a whole number in a range that i128 holds")]
            _ if number.fract() == 0.0 && number.abs() <= EXACT_UP_TO => self.integer(number as i128),
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

fn absent_member(node: &Node, context: &Context<'_>) -> Val {
    match node {
        Node::Option(_) => Val::Option(None),
        _ => {
            context.fault("it is missing");
            STAND_IN
        }
    }
}
