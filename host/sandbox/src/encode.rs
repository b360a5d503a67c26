//! Component values to JSON, by plan; error cases to problems.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use truc_contract::PayloadMeaning;
use truc_model::{Fault, Problem};
use wasmtime::component::Val;

use crate::plan::{ErrorPlan, Node};
use crate::settings::MAX_FAULTS;
use crate::text::plain_prefix;

/// Why a value cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// JSON has no such number.
    #[error("a number is infinite or not a number")]
    NotANumber,
    /// The value is of another type than the contract's.
    #[error("a value is of another type than the contract says")]
    Mismatch,
    /// The JSON has more bytes than the limit.
    #[error("the JSON has more bytes than the limit")]
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
        self.finish()
    }

    /// The JSON of an object with these members; those that are none are left out.
    pub(crate) fn encode_object<'v>(
        mut self,
        members: impl Iterator<Item = (&'v [u8], &'v Node, &'v Val)>,
    ) -> Result<Vec<u8>, EncodeError> {
        self.object(members)?;
        self.finish()
    }

    fn finish(self) -> Result<Vec<u8>, EncodeError> {
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

    fn integer(&mut self, number: impl itoa::Integer) {
        self.raw(itoa::Buffer::new().format(number).as_bytes());
    }

    fn quoted(&mut self, number: impl itoa::Integer) {
        self.raw(b"\"");
        self.integer(number);
        self.raw(b"\"");
    }

    fn float(&mut self, number: impl zmij::Float) {
        self.raw(zmij::Buffer::new().format_finite(number).as_bytes());
    }

    fn text(&mut self, text: &str) -> Result<(), EncodeError> {
        // Before writing: escapes make a text up to six times as long.
        self.room_for(text.len())?;
        self.raw(b"\"");
        let mut rest = text.as_bytes();
        loop {
            let (plain, other) = rest.split_at(plain_prefix(rest));
            self.raw(plain);
            let Some((byte, behind)) = other.split_first() else { break };
            self.escaped(*byte);
            rest = behind;
        }
        self.raw(b"\"");
        self.check()
    }

    fn escaped(&mut self, byte: u8) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let letter = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            control => {
                let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
                return self.raw(&[b'\\', b'u', b'0', b'0', digit(control >> 4), digit(control & 15)]);
            }
        };
        self.raw(&[b'\\', letter]);
    }

    fn value(&mut self, node: &Node, value: &Val) -> Result<(), EncodeError> {
        match (node, value) {
            (Node::Bool, Val::Bool(value)) => self.raw(if *value { b"true" } else { b"false" }),
            (Node::Integer(_), Val::U8(number)) => self.integer(*number),
            (Node::Integer(_), Val::U16(number)) => self.integer(*number),
            (Node::Integer(_), Val::U32(number)) => self.integer(*number),
            (Node::Integer(_), Val::S8(number)) => self.integer(*number),
            (Node::Integer(_), Val::S16(number)) => self.integer(*number),
            (Node::Integer(_), Val::S32(number)) => self.integer(*number),
            (Node::Integer(_), Val::U64(number)) => self.quoted(*number),
            (Node::Integer(_), Val::S64(number)) => self.quoted(*number),
            (Node::F32, Val::Float32(number)) if number.is_finite() => self.float(*number),
            (Node::F64, Val::Float64(number)) if number.is_finite() => self.float(*number),
            (Node::F32, Val::Float32(_)) | (Node::F64, Val::Float64(_)) => {
                return Err(EncodeError::NotANumber);
            }
            (Node::Char, Val::Char(char)) => self.text(char.encode_utf8(&mut [0; 4]))?,
            (Node::String(_), Val::String(text)) => self.text(text)?,
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
                let members = fields.list.iter().zip(values);
                self.object(members.map(|(field, (_, value))| (field.key.as_ref(), &field.node, value)))?;
            }
            (Node::Variant(cases), Val::Variant(name, value)) => {
                let case = cases.names.find(name).and_then(|index| cases.payloads.get(index));
                self.raw(b"{\"kind\":");
                self.text(name)?;
                match (case.ok_or(EncodeError::Mismatch)?, value.as_deref()) {
                    (Some(_), Some(Val::Option(None))) | (None, None) => {}
                    (Some(node), Some(value)) => {
                        self.raw(b",\"value\":");
                        self.value(node, value)?;
                    }
                    _ => return Err(EncodeError::Mismatch),
                }
                self.raw(b"}");
            }
            (Node::Enum(_), Val::Enum(name)) => self.text(name)?,
            (Node::Flags(_), Val::Flags(names)) => {
                let mut separator: &[u8] = b"[";
                for name in names {
                    self.raw(separator);
                    self.text(name)?;
                    separator = b",";
                }
                self.raw(if names.is_empty() { b"[]" } else { b"]" });
            }
            _ => return Err(EncodeError::Mismatch),
        }
        Ok(())
    }

    fn object<'v>(
        &mut self,
        members: impl Iterator<Item = (&'v [u8], &'v Node, &'v Val)>,
    ) -> Result<(), EncodeError> {
        let mut separator: &[u8] = b"{";
        for (key, node, value) in members {
            if matches!(value, Val::Option(None)) {
                continue;
            }
            self.raw(separator);
            self.raw(key);
            self.value(node, value)?;
            separator = b",";
        }
        self.raw(if separator == b"{" { b"{}" } else { b"}" });
        self.check()
    }

    /// Bytes as base64, piece by piece.
    fn bytes(&mut self, items: &[Val]) -> Result<(), EncodeError> {
        const PIECE: usize = 3072;
        let length = base64::encoded_len(items.len(), true).ok_or(EncodeError::TooLarge)?;
        self.room_for(length)?;
        self.out.reserve(length + 2);
        self.raw(b"\"");
        let (mut bytes, mut text) = ([0_u8; PIECE], [0_u8; PIECE / 3 * 4]);
        for piece in items.chunks(PIECE) {
            for (byte, item) in bytes.iter_mut().zip(piece) {
                let Val::U8(value) = item else { return Err(EncodeError::Mismatch) };
                *byte = *value;
            }
            let bytes = bytes.get(..piece.len()).unwrap_or_default();
            let written = BASE64.encode_slice(bytes, &mut text).map_err(|_| EncodeError::TooLarge)?;
            self.raw(text.get(..written).unwrap_or_default());
        }
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
