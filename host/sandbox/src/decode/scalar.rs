//! Single values: from the text of a path segment or query parameter, and from a JSON string.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use wasmtime::component::Val;

use super::path::{Faults, Path};
use super::reader::{Number, Reader, Token};
use crate::plan::Node;

/// What takes the place of a value that has a fault, so that reading can go on.
pub(super) const STAND_IN: Val = Val::Bool(false);

/// A scalar from the text of a path segment or query parameter.
pub(super) fn scalar(node: &Node, text: &str, at: &Path<'_>, faults: &mut Faults) -> Val {
    let value = match node {
        Node::Bool => match text {
            "true" => Some(Val::Bool(true)),
            "false" => Some(Val::Bool(false)),
            _ => None,
        },
        Node::Integer(integer) => {
            let number = text.parse().ok().filter(|_| !text.starts_with('+'));
            return number.and_then(|number| integer.value(number)).unwrap_or_else(|| {
                faults.add(at, || integer.fault(number));
                STAND_IN
            });
        }
        Node::F32 | Node::F64 => {
            let mut reader = Reader::new(text, 1);
            match reader.token() {
                Ok(Token::Number(number)) if reader.end().is_ok() => float(node, &number),
                _ => None,
            }
        }
        _ => text_value(node, text.into(), at, faults),
    };
    value.unwrap_or_else(|| {
        faults.add(at, || match node {
            Node::Bool => "write true or false",
            Node::F32 | Node::F64 => "write a number",
            _ => "it cannot be written here",
        });
        STAND_IN
    })
}

/// A number as a float of the type's width, if it is not beyond it.
pub(super) fn float(node: &Node, number: &Number<'_>) -> Option<Val> {
    match node {
        Node::F32 => number.text.parse().ok().filter(|float: &f32| float.is_finite()).map(Val::Float32),
        Node::F64 => number.text.parse().ok().filter(|float: &f64| float.is_finite()).map(Val::Float64),
        _ => None,
    }
}

/// A value that JSON writes as a string; none when the type is not written so.
pub(super) fn text_value(
    node: &Node,
    text: std::borrow::Cow<'_, str>,
    at: &Path<'_>,
    faults: &mut Faults,
) -> Option<Val> {
    Some(match node {
        Node::String(rules) => {
            if let Some(fault) = rules.as_ref().and_then(|rules| rules.fault(&text)) {
                faults.add(at, || fault);
            }
            Val::String(text.into_owned())
        }
        Node::Enum(labels) => match labels.find(&text) {
            Some(_) => Val::Enum(text.into_owned()),
            None => {
                faults.add(at, || format!("write one of {}", labels.listed()));
                STAND_IN
            }
        },
        Node::Char => {
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(char), None) => Val::Char(char),
                _ => {
                    faults.add(at, || "write a text of exactly one character");
                    STAND_IN
                }
            }
        }
        Node::Bytes(size) => match bytes(text.as_bytes()) {
            Some(bytes) => {
                if !size.fits(bytes.len()) {
                    faults.add(at, || size.fault(bytes.len(), "bytes"));
                }
                Val::List(bytes)
            }
            None => {
                faults.add(at, || "it is not base64 (RFC 4648, section 4, with padding)");
                STAND_IN
            }
        },
        Node::Integer(integer) if integer.is_text() => {
            let number = integer.number(&text);
            number.and_then(|number| integer.value(number)).unwrap_or_else(|| {
                faults.add(at, || integer.fault(number));
                STAND_IN
            })
        }
        _ => return None,
    })
}

/// The bytes that a base64 text stands for, as the engine takes them: each a value. They are made piece by piece, as the
/// values alone are forty times as large.
fn bytes(text: &[u8]) -> Option<Vec<Val>> {
    const PIECE: usize = 4096;
    let mut values = Vec::with_capacity(text.len() / 4 * 3);
    let mut decoded = [0_u8; PIECE / 4 * 3];
    let mut pieces = text.chunks(PIECE).peekable();
    while let Some(piece) = pieces.next() {
        let length = BASE64.decode_slice(piece, &mut decoded).ok()?;
        // Padding may stand at the end only.
        if pieces.peek().is_some() && length < decoded.len() {
            return None;
        }
        values.extend(decoded.iter().take(length).map(|byte| Val::U8(*byte)));
    }
    Some(values)
}
