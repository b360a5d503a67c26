//! The codec of a contract: requests to values and values to answers. What every call goes through, and the whole of
//! it, so that it can be proven and measured without an engine.

use std::fmt;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use truc_contract::model::Fallible;
use truc_contract::{Contract, Place};
use truc_model::{Code, Problem};
use wasmtime::component::Val;

use crate::decode::{Arguments, Undecoded, decode};
use crate::encode::{self, EncodeError, Encoder};
use crate::mask::Masker;
use crate::plan::{self, BodyPlan, Node, OperationPlan};
use crate::settings::MAX_VALUES;

/// How the operations of a contract read their arguments and write their answers. Operations are known by their index
/// in the contract.
pub struct Codec {
    operations: Vec<OperationPlan>,
}

/// Values of a contract's types: an operation's arguments, or what it returned.
#[derive(Clone, PartialEq)]
pub struct Values(Vec<Val>);

/// What an operation's result comes to.
#[derive(Clone, PartialEq)]
pub enum Outcome {
    /// A success: 200 with JSON, or 204 with nothing.
    Answer {
        /// The HTTP status.
        status: u16,
        /// JSON, or nothing.
        body: Vec<u8>,
    },
    /// A refusal: a case of the operation's error type, or `not-found` for an answer that is none.
    Problem(Problem),
}

/// Arguments as a request carries them.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The path's parameters: JSON name and percent-encoded value.
    pub path: Vec<(String, String)>,
    /// The query without its question mark.
    pub query: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Codec {
    /// Plans the operations of a contract.
    pub fn of(contract: &Contract) -> Self {
        Self { operations: plan::plan(contract) }
    }

    /// Decodes and checks the arguments of an operation.
    ///
    /// # Errors
    /// `malformed-json`, `malformed-request`, `body-too-large` for more than a million values, or `invalid-request` with
    /// every fault that can be found.
    pub fn decode(&self, operation: usize, arguments: &Arguments<'_>) -> Result<Values, Problem> {
        Ok(self.decode_within(operation, arguments, MAX_VALUES)?)
    }

    pub(crate) fn decode_within(
        &self,
        operation: usize,
        arguments: &Arguments<'_>,
        values: usize,
    ) -> Result<Values, Undecoded> {
        let unknown = || Undecoded::Refused(Problem::new(Code::RouteNotFound, ""));
        let plan = self.operations.get(operation).ok_or_else(unknown)?;
        decode(plan, arguments, values).map(Values)
    }

    /// Status and JSON for what an operation returned, or the problem that its error case stands for. `limit` is the
    /// most bytes that the JSON may have.
    ///
    /// # Errors
    /// What keeps the values from being written.
    pub fn encode(&self, operation: usize, returned: &Values, limit: usize) -> Result<Outcome, EncodeError> {
        let plan = self.operations.get(operation).ok_or(EncodeError::Mismatch)?;
        let value = match (plan.fallible, returned.0.first()) {
            (Fallible::Never, value) => value,
            (_, Some(Val::Result(Ok(value)))) => value.as_deref(),
            (_, Some(Val::Result(Err(Some(error))))) => {
                return encode::problem(&plan.errors, error, limit).map(Outcome::Problem);
            }
            _ => return Err(EncodeError::Mismatch),
        };
        match (&plan.ok, value) {
            (None, None) => Ok(Outcome::Answer { status: 204, body: Vec::new() }),
            (Some(_), Some(Val::Option(None))) => Ok(Outcome::Problem(Problem::new(Code::NotFound, ""))),
            (Some(node), Some(value)) => {
                let body = Encoder::new(limit).encode(node, value)?;
                Ok(Outcome::Answer { status: 200, body })
            }
            _ => Err(EncodeError::Mismatch),
        }
    }

    /// The request that carries these arguments of an operation: what [`Codec::decode`] takes apart again.
    ///
    /// # Errors
    /// Values that are not the operation's arguments, or that no request carries.
    pub fn request(&self, operation: usize, arguments: &Values) -> Result<Request, EncodeError> {
        let plan = self.operations.get(operation).ok_or(EncodeError::Mismatch)?;
        let mut request = Request { path: Vec::new(), query: String::new(), body: Vec::new() };
        let mut pair = |json: &str, text: String| {
            let separator = if request.query.is_empty() { "" } else { "&" };
            request.query += &format!("{separator}{json}={text}");
        };
        for (parameter, value) in plan.parameters.iter().zip(&arguments.0) {
            match (parameter.place, &parameter.node, value) {
                (Place::Path, node, value) => {
                    request.path.push((parameter.json.to_string(), segment(node, value)?));
                }
                (Place::Query, _, Val::Option(None)) => {}
                (Place::Query, Node::List(item, _), Val::List(values)) => {
                    for value in values {
                        pair(&parameter.json, segment(item, value)?);
                    }
                }
                (Place::Query, node, value) => pair(&parameter.json, segment(node, value)?),
                (Place::Member | Place::Body, ..) => {}
            }
        }
        let encoder = Encoder::new(usize::MAX);
        request.body = match &plan.body {
            BodyPlan::None => Vec::new(),
            BodyPlan::Whole(index) => {
                let parameter = plan.parameters.get(*index).zip(arguments.0.get(*index));
                let (parameter, value) = parameter.ok_or(EncodeError::Mismatch)?;
                encoder.encode(&parameter.node, value)?
            }
            BodyPlan::Members(fields, places) => {
                let members = fields.list.iter().zip(places).filter_map(|(field, place)| {
                    Some((field.key.as_ref(), &field.node, arguments.0.get(*place)?))
                });
                encoder.encode_object(members)?
            }
        };
        Ok(request)
    }

    /// Whether an operation returns anything.
    pub(crate) fn returns(&self, operation: usize) -> bool {
        let plan = self.operations.get(operation);
        plan.is_some_and(|plan| plan.ok.is_some() || plan.fallible != Fallible::Never)
    }

    /// What finds the personal data of an operation's arguments in texts.
    pub(crate) fn masker(&self, operation: usize, arguments: &Values) -> Masker {
        let masks = self.operations.get(operation).map_or(&[][..], |plan| &plan.masks);
        Masker::of(masks, &arguments.0)
    }
}

/// A scalar as a segment of a path or a value of a query: its JSON without quotes, percent-encoded.
fn segment(node: &Node, value: &Val) -> Result<String, EncodeError> {
    let text = match (node, value) {
        (Node::Option(inner), Val::Option(Some(value))) => return segment(inner, value),
        (_, Val::String(text) | Val::Enum(text)) => text.clone(),
        (_, Val::Char(char)) => char.to_string(),
        _ => {
            let json = Encoder::new(usize::MAX).encode(node, value)?;
            let json = String::from_utf8(json).map_err(|_| EncodeError::Mismatch)?;
            json.trim_matches('"').to_owned()
        }
    };
    Ok(utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string())
}

impl Values {
    /// What a function returned.
    pub(crate) fn returned(values: Vec<Val>) -> Self {
        Self(values)
    }

    pub(crate) fn as_slice(&self) -> &[Val] {
        &self.0
    }

    /// What the host holds for these values, in bytes: the values, names and texts. What the system's allocator adds to
    /// that is not counted.
    pub(crate) fn held(&self) -> u64 {
        (self.0.len() * size_of::<Val>()) as u64 + self.0.iter().map(held_beside).sum::<u64>()
    }
}

/// What a value holds beside itself.
fn held_beside(value: &Val) -> u64 {
    const VALUE: u64 = size_of::<Val>() as u64;
    let all = |values: &[Val]| match values {
        // Items of a list are of one type.
        [
            Val::Bool(_) | Val::S8(_) | Val::U8(_) | Val::S16(_) | Val::U16(_) | Val::S32(_) | Val::U32(_),
            ..,
        ]
        | [Val::S64(_) | Val::U64(_) | Val::Float32(_) | Val::Float64(_) | Val::Char(_), ..] => {
            values.len() as u64 * VALUE
        }
        values => values.iter().map(|value| VALUE + held_beside(value)).sum(),
    };
    let text = |text: &str| text.len() as u64;
    let boxed = |value: &Option<Box<Val>>| value.as_ref().map_or(0, |value| VALUE + held_beside(value));
    match value {
        Val::String(string) => text(string),
        Val::List(values) => all(values),
        Val::Tuple(values) => values.iter().map(|value| VALUE + held_beside(value)).sum(),
        Val::Record(fields) => fields
            .iter()
            .map(|(name, value)| size_of::<(String, Val)>() as u64 + text(name) + held_beside(value))
            .sum(),
        Val::Variant(name, payload) => text(name) + boxed(payload),
        Val::Enum(name) => text(name),
        Val::Option(inner) => boxed(inner),
        Val::Result(Ok(inner) | Err(inner)) => boxed(inner),
        Val::Flags(names) => names.iter().map(|name| size_of::<String>() as u64 + text(name)).sum(),
        _ => 0,
    }
}

/// Tells how many there are, never what: values may be personal data.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({})", self.0.len())
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { status, body } => {
                f.debug_struct("Answer").field("status", status).field("body_bytes", &body.len()).finish()
            }
            Self::Problem(problem) => f.debug_tuple("Problem").field(&problem.code).finish(),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("path_parameters", &self.path.len())
            .field("query_bytes", &self.query.len())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}
