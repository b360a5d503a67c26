//! Single values: from the text of a path segment or query parameter, and from a JSON string.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use wasmtime::component::Val;

use super::Context;
use crate::plan::Node;
use crate::rules::NumberRules;

/// What takes the place of a value that has a fault, so that reading can go on.
pub(super) const STAND_IN: Val = Val::Bool(false);

/// A scalar from the text of a path segment or query parameter.
pub(super) fn scalar(node: &Node, text: &str, context: &Context<'_>) -> Val {
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

pub(super) fn checked(value: Val, number: i128, rules: &NumberRules, context: &Context<'_>) -> Val {
    if let Some(fault) = rules.fault(number) {
        context.fault(fault);
    }
    value
}

pub(super) trait Bounded {
    const RANGE: (i128, i128);
}

macro_rules! bounded {
    ($($type:ty),*) => { $(impl Bounded for $type {
        const RANGE: (i128, i128) = (<$type>::MIN as i128, <$type>::MAX as i128);
    })* };
}
bounded!(u8, u16, u32, u64, i8, i16, i32, i64);

pub(super) fn range_fault<T: Bounded>() -> String {
    let (min, max) = T::RANGE;
    format!("write a whole number from {min} to {max}")
}

/// A value that JSON writes as a string; none when the type is not written so.
pub(super) fn decode_text(node: &Node, text: &str, context: &Context<'_>) -> Option<Val> {
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

pub(super) fn list(labels: &[Arc<str>]) -> String {
    labels.iter().map(|label| label.as_ref()).collect::<Vec<_>>().join(", ")
}
