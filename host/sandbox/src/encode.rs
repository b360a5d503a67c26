//! Component values to JSON, by plan; error cases to problems.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use truc_contract::PayloadMeaning;
use truc_model::{Fault, Problem};
use wasmtime::component::Val;

use crate::plan::{ErrorPlan, Node};

/// Why a value cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EncodeError {
    /// A number that JSON does not have: NaN or infinite.
    NotANumber,
    /// A value of another type than the plan's.
    Mismatch,
    /// More bytes than the limit.
    TooLarge,
}

/// Writes JSON into a buffer that may grow to a limit.
pub(crate) struct Encoder {
    out: Vec<u8>,
    limit: usize,
}

impl Encoder {
    pub(crate) fn new(limit: usize) -> Self {
        Self { out: Vec::with_capacity(512), limit }
    }

    /// The JSON of a value.
    pub(crate) fn encode(mut self, node: &Node, value: &Val) -> Result<Vec<u8>, EncodeError> {
        self.value(node, value)?;
        self.check()?;
        Ok(self.out)
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.out.len() > self.limit { Err(EncodeError::TooLarge) } else { Ok(()) }
    }

    fn room_for(&self, more: usize) -> Result<(), EncodeError> {
        if self.out.len().saturating_add(more) > self.limit { Err(EncodeError::TooLarge) } else { Ok(()) }
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn scalar(&mut self, value: impl serde::Serialize) -> Result<(), EncodeError> {
        // Writing a number or a text into memory does not fail.
        serde_json::to_writer(&mut self.out, &value).map_err(|_| EncodeError::Mismatch)
    }

    fn value(&mut self, node: &Node, value: &Val) -> Result<(), EncodeError> {
        match (node, value) {
            (Node::Bool, Val::Bool(value)) => self.raw(if *value { b"true" } else { b"false" }),
            (Node::U8(_), Val::U8(number)) => self.scalar(number)?,
            (Node::U16(_), Val::U16(number)) => self.scalar(number)?,
            (Node::U32(_), Val::U32(number)) => self.scalar(number)?,
            (Node::S8(_), Val::S8(number)) => self.scalar(number)?,
            (Node::S16(_), Val::S16(number)) => self.scalar(number)?,
            (Node::S32(_), Val::S32(number)) => self.scalar(number)?,
            (Node::U64(_), Val::U64(number)) => self.quoted(number)?,
            (Node::S64(_), Val::S64(number)) => self.quoted(number)?,
            (Node::F32, Val::Float32(number)) if number.is_finite() => self.scalar(number)?,
            (Node::F64, Val::Float64(number)) if number.is_finite() => self.scalar(number)?,
            (Node::F32, Val::Float32(_)) | (Node::F64, Val::Float64(_)) => {
                return Err(EncodeError::NotANumber);
            }
            (Node::Char, Val::Char(char)) => self.scalar(char)?,
            (Node::String(_), Val::String(text)) => {
                // Before writing: escapes make a text up to six times as long.
                self.room_for(text.len())?;
                self.scalar(text)?;
                self.check()?;
            }
            (Node::Bytes(_), Val::List(items)) => self.bytes(items)?,
            (Node::List(item, _), Val::List(items)) => {
                self.array(items.iter().map(|value| (&**item, value)))?
            }
            (Node::Tuple(nodes), Val::Tuple(items)) => self.array(nodes.iter().zip(items))?,
            (Node::Option(inner), Val::Option(value)) => match value {
                Some(value) => self.value(inner, value)?,
                None => self.raw(b"null"),
            },
            (Node::Result(ok, _), Val::Result(Ok(value))) => {
                self.side(b"{\"ok\":", ok.as_deref(), value.as_deref())?
            }
            (Node::Result(_, err), Val::Result(Err(value))) => {
                self.side(b"{\"err\":", err.as_deref(), value.as_deref())?;
            }
            (Node::Record(fields), Val::Record(values)) => {
                let mut separator: &[u8] = b"{";
                for (field, (_, value)) in fields.iter().zip(values) {
                    if matches!(value, Val::Option(None)) {
                        continue;
                    }
                    self.raw(separator);
                    self.raw(&field.key);
                    self.value(&field.node, value)?;
                    separator = b",";
                }
                self.raw(if separator == b"{" { b"{}" } else { b"}" });
                self.check()?;
            }
            (Node::Variant(cases), Val::Variant(name, value)) => {
                let case = cases.iter().find(|case| *case.name == **name).ok_or(EncodeError::Mismatch)?;
                self.raw(b"{\"kind\":");
                self.scalar(name)?;
                match (&case.payload, value.as_deref()) {
                    (Some(_), Some(Val::Option(None))) | (None, None) => {}
                    (Some(node), Some(value)) => {
                        self.raw(b",\"value\":");
                        self.value(node, value)?;
                    }
                    _ => return Err(EncodeError::Mismatch),
                }
                self.raw(b"}");
            }
            (Node::Enum(_), Val::Enum(name)) => self.scalar(name)?,
            (Node::Flags(_), Val::Flags(names)) => self.scalar(names)?,
            _ => return Err(EncodeError::Mismatch),
        }
        Ok(())
    }

    fn quoted(&mut self, number: impl serde::Serialize) -> Result<(), EncodeError> {
        self.raw(b"\"");
        self.scalar(number)?;
        self.raw(b"\"");
        Ok(())
    }

    fn bytes(&mut self, items: &[Val]) -> Result<(), EncodeError> {
        let byte = |item: &Val| match item {
            Val::U8(byte) => Ok(*byte),
            _ => Err(EncodeError::Mismatch),
        };
        let bytes = items.iter().map(byte).collect::<Result<Vec<u8>, _>>()?;
        self.raw(b"\"");
        let start = self.out.len();
        let length = base64::encoded_len(bytes.len(), true).ok_or(EncodeError::TooLarge)?;
        self.room_for(length)?;
        self.out.resize(start + length, 0);
        let target = self.out.get_mut(start..).ok_or(EncodeError::TooLarge)?;
        BASE64.encode_slice(&bytes, target).map_err(|_| EncodeError::TooLarge)?;
        self.raw(b"\"");
        Ok(())
    }

    fn array<'a>(&mut self, items: impl Iterator<Item = (&'a Node, &'a Val)>) -> Result<(), EncodeError> {
        self.raw(b"[");
        for (index, (node, value)) in items.enumerate() {
            if index > 0 {
                self.raw(b",");
            }
            self.value(node, value)?;
            self.check()?;
        }
        self.raw(b"]");
        Ok(())
    }

    fn side(&mut self, opening: &[u8], node: Option<&Node>, value: Option<&Val>) -> Result<(), EncodeError> {
        self.raw(opening);
        match (node, value) {
            (Some(node), Some(value)) => self.value(node, value)?,
            (None, None) => self.raw(b"null"),
            _ => return Err(EncodeError::Mismatch),
        }
        self.raw(b"}");
        Ok(())
    }
}

/// The problem that an error case stands for.
pub(crate) fn problem(errors: &[ErrorPlan], value: &Val, limit: usize) -> Result<Problem, EncodeError> {
    let (name, payload) = match value {
        Val::Variant(name, payload) => (name, payload.as_deref()),
        Val::Enum(name) => (name, None),
        _ => return Err(EncodeError::Mismatch),
    };
    let plan = errors.iter().find(|plan| *plan.name == **name).ok_or(EncodeError::Mismatch)?;
    let mut problem = Problem {
        code: Cow::Owned(name.clone()),
        status: plan.status,
        title: Cow::Owned(plan.title.clone()),
        detail: String::new(),
        errors: Vec::new(),
        value: None,
        retry_after: None,
    };
    match (plan.meaning, payload) {
        (_, None) => {}
        (PayloadMeaning::Detail, Some(Val::String(text))) => problem.detail = shortened(text),
        (PayloadMeaning::Faults, Some(Val::List(items))) => {
            problem.errors = items.iter().filter_map(fault).take(MAX_FAULTS).collect();
        }
        (PayloadMeaning::RetryAfter, Some(Val::U32(seconds))) => problem.retry_after = Some(*seconds),
        (PayloadMeaning::RetryAfter, Some(Val::Option(seconds))) => {
            if let Some(Val::U32(seconds)) = seconds.as_deref() {
                problem.retry_after = Some(*seconds);
            }
        }
        (_, Some(payload)) => {
            let node = plan.payload.as_ref().ok_or(EncodeError::Mismatch)?;
            let json = Encoder::new(limit).encode(node, payload)?;
            problem.value = serde_json::from_slice(&json).ok();
        }
    }
    Ok(problem)
}

/// Characters of one text in a problem.
const MAX_TEXT: usize = 4_000;
/// Faults in a problem.
const MAX_FAULTS: usize = 100;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn fault(value: &Val) -> Option<Fault> {
    let Val::Record(fields) = value else { return None };
    let text = |wanted: &str| {
        fields.iter().find_map(|(name, value)| match value {
            Val::String(text) if name == wanted => Some(shortened(text)),
            _ => None,
        })
    };
    Some(Fault { pointer: text("pointer")?, detail: text("detail")? })
}
