//! The problems that an operation may answer with, and the responses that tell them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};
use truc_model::{Code, Fault, Problem};

use super::operation::request_id_header;
use super::service::ServiceWriter;
use crate::model::{Contract, Operation, PayloadMeaning, Rules, Type};
use crate::names::first_sentence;
use crate::schema::{self, PROBLEM_DETAILS, References};

/// The request's identifier in examples.
const REQUEST_ID: &str = "019a9c1e-6f0a-7c3e-9b52-4d1f7a60c2e8";

/// Values that the example of a problem holds, without its payload.
const PROBLEM_VALUES: usize = 6;

/// One problem under one status.
struct Told<'a> {
    title: Cow<'a, str>,
    /// Seconds after which a problem of the host's own may have passed.
    retry_after: Option<u32>,
    /// What a case of the contract's carries.
    payload: Option<(PayloadMeaning, &'a Type)>,
}

/// The problems under one status, by code.
type Codes<'a> = BTreeMap<&'a str, Told<'a>>;

struct Response<'a> {
    status: u16,
    name: String,
    codes: Codes<'a>,
    used: bool,
}

/// The responses that tell the problems of a contract; most operations share most of theirs.
pub(super) struct Responses<'a> {
    prefix: String,
    list: Vec<Response<'a>>,
    /// Places in the list, by the operation's name.
    by_operation: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Responses<'a> {
    /// Every response of a contract, with a name that begins with a prefix; of those that tell other problems under the
    /// same status, the second and later ones are numbered.
    pub(super) fn of(contract: &'a Contract, prefix: &str) -> Self {
        let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
        let mut list = Vec::new();
        let mut by_content: HashMap<(u16, String), usize> = HashMap::new();
        let mut by_operation = HashMap::with_capacity(contract.operations.len());
        for operation in &contract.operations {
            let places = told(contract, operation).into_iter().map(|(status, codes)| {
                *by_content.entry((status, content(&codes))).or_insert_with(|| {
                    let count = counts.entry(status).or_default();
                    *count += 1;
                    let name = match count {
                        1 => format!("{prefix}Problem{status}"),
                        _ => format!("{prefix}Problem{status}-{count}"),
                    };
                    list.push(Response { status, name, codes, used: false });
                    list.len() - 1
                })
            });
            by_operation.insert(operation.name.as_str(), places.collect());
        }
        Self { prefix: prefix.to_owned(), list, by_operation }
    }

    /// The responses of an operation, by status; they are used from now on.
    pub(super) fn named(&mut self, operation: &Operation) -> Vec<(u16, String)> {
        let mut named = Vec::new();
        for place in self.by_operation.get(operation.name.as_str()).into_iter().flatten() {
            if let Some(response) = self.list.get_mut(*place) {
                response.used = true;
                named.push((response.status, response.name.clone()));
            }
        }
        named
    }

    /// The used ones, and the schemas that they alone refer to.
    pub(super) fn write(
        &self,
        writer: &mut ServiceWriter<'_>,
    ) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
        let mut responses = BTreeMap::new();
        let mut schemas = BTreeMap::new();
        for Response { status, name, codes, .. } in self.list.iter().filter(|response| response.used) {
            let mut reference = References::Components("").to(PROBLEM_DETAILS);
            if let Some(schema) = with_value(writer, codes) {
                // `ProblemDetails-422` for `Problem422`; types of contracts have no hyphen in their names.
                let number = name.rsplit("Problem").next().unwrap_or_default();
                let schema_name = format!("{}{PROBLEM_DETAILS}-{number}", self.prefix);
                reference = References::Components("").to(&schema_name);
                schemas.insert(schema_name, schema);
            }
            let lines: Vec<String> =
                codes.iter().map(|(code, told)| format!("* `{code}`: {}", told.title)).collect();
            let mut content = Map::from_iter([("schema".to_owned(), json!({ "$ref": reference }))]);
            let examples = examples(writer, *status, codes);
            if !examples.is_empty() {
                content.insert("examples".to_owned(), Value::Object(examples));
            }
            let described = json!({
                "description": lines.join("\n"),
                "headers": headers(*status),
                "content": { "application/problem+json": content },
            });
            responses.insert(name.clone(), described);
        }
        (responses, schemas)
    }
}

impl<'a> Told<'a> {
    fn value(&self) -> Option<&'a Type> {
        self.payload.filter(|(meaning, _)| *meaning == PayloadMeaning::Value).map(|(_, ty)| ty)
    }
}

/// What tells problems apart from others under their status.
fn content(codes: &Codes<'_>) -> String {
    codes.iter().fold(String::new(), |mut text, (code, told)| {
        text.push_str(code);
        text.push('\n');
        text.push_str(&told.title);
        text.push('\n');
        if let Some((_, ty)) = told.payload {
            text.push_str(&format!("{ty:?}\n"));
        }
        text
    })
}

/// The schema of problems of which some have a `value`.
fn with_value(writer: &ServiceWriter<'_>, codes: &Codes<'_>) -> Option<Value> {
    let mut values: Vec<Value> = Vec::new();
    for ty in codes.values().filter_map(Told::value) {
        let schema = writer.schema(ty, &Rules::default(), "");
        if !values.contains(&schema) {
            values.push(schema);
        }
    }
    let value = match values.len() {
        0 => return None,
        1 => values.pop()?,
        _ => json!({ "anyOf": values }),
    };
    Some(json!({
        "description": "Problem details (RFC 9457) of which some have a value.",
        "allOf": [
            { "$ref": References::Components("").to(PROBLEM_DETAILS) },
            { "type": "object", "properties": { "value": value } },
        ],
    }))
}

fn examples(writer: &mut ServiceWriter<'_>, status: u16, codes: &Codes<'_>) -> Map<String, Value> {
    let mut examples = Map::new();
    for (code, told) in codes {
        if !writer.take_values(PROBLEM_VALUES) {
            break;
        }
        let mut problem = Problem {
            code: Cow::Owned((*code).to_owned()),
            status,
            title: Cow::Owned(told.title.clone().into_owned()),
            detail: String::new(),
            errors: Vec::new(),
            value: None,
            retry_after: told.retry_after,
        };
        let fault = || Fault {
            pointer: "/dateOfBirth".to_owned(),
            detail: "write a day that exists as YYYY-MM-DD".to_owned(),
        };
        match told.payload {
            Some((PayloadMeaning::Faults, _)) => problem.errors = vec![fault()],
            Some((PayloadMeaning::RetryAfter, _)) => problem.retry_after = Some(30),
            Some((PayloadMeaning::Value, ty)) => problem.value = writer.example(ty, &Rules::default()),
            Some((PayloadMeaning::Detail, _)) => problem.detail = "What the national system said.".to_owned(),
            None if problem.is(Code::InvalidRequest) => problem.errors = vec![fault()],
            None => {}
        }
        let value: Value = serde_json::from_slice(&problem.to_json(Some(REQUEST_ID))).unwrap_or_default();
        examples.insert((*code).to_owned(), json!({ "summary": told.title, "value": value }));
    }
    examples
}

fn headers(status: u16) -> Value {
    let mut headers = Map::from_iter([request_id_header()]);
    if matches!(status, 429 | 503) {
        let retry_after = json!({
            "description": "Seconds to wait, where they are known.",
            "schema": { "type": "integer", "minimum": 0 },
        });
        headers.insert("retry-after".to_owned(), retry_after);
    }
    Value::Object(headers)
}

/// Every problem an operation can answer with: status, then code and title.
pub fn problems(contract: &Contract, operation: &Operation) -> BTreeMap<u16, BTreeMap<String, String>> {
    let titles = |codes: Codes<'_>| {
        codes.into_iter().map(|(code, told)| (code.to_owned(), told.title.into_owned())).collect()
    };
    told(contract, operation).into_iter().map(|(status, codes)| (status, titles(codes))).collect()
}

fn told<'a>(contract: &Contract, operation: &'a Operation) -> BTreeMap<u16, Codes<'a>> {
    let mut problems: BTreeMap<u16, Codes<'a>> = BTreeMap::new();
    for case in &operation.errors {
        let told = Told {
            title: Cow::Owned(first_sentence(&case.docs)),
            retry_after: None,
            payload: case.payload.as_ref().map(|ty| (contract.payload_meaning(case), ty)),
        };
        problems.entry(case.status).or_default().insert(&case.name, told);
    }
    let mut own = |code: Code| {
        let retry_after = match code {
            Code::TooBusy | Code::ShuttingDown | Code::IdempotencyKeyInUse => Some(1),
            Code::LedgerUnavailable => Some(5),
            _ => None,
        };
        let codes = problems.entry(code.status()).or_default();
        codes.entry(code.as_str()).or_insert_with(|| Told {
            title: Cow::Borrowed(code.title()),
            retry_after,
            payload: None,
        });
    };
    if operation.ok.as_ref().is_some_and(|ty| schema::is_option(contract, ty)) {
        own(Code::NotFound);
    }
    if operation.pii.is_some() {
        own(Code::PurposeRequired);
    }
    if !operation.method.is_safe() {
        [Code::IdempotencyKeyInUse, Code::IdempotencyKeyReused, Code::OutcomeUnknown]
            .into_iter()
            .for_each(&mut own);
    }
    if operation.takes_body() {
        [Code::MalformedJson, Code::BodyTooLarge, Code::UnsupportedMediaType].into_iter().for_each(&mut own);
    }
    let always = [
        Code::MalformedRequest,
        Code::MissingKey,
        Code::WrongKey,
        Code::NotGranted,
        Code::AccountSuspended,
        Code::ServiceNotFound,
        Code::RouteNotFound,
        Code::MethodNotAllowed,
        Code::RequestTimeout,
        Code::InvalidRequest,
        Code::HeadersTooLarge,
        Code::Internal,
        Code::ConnectorTrapped,
        Code::ConnectorCpuExhausted,
        Code::ConnectorMemoryExhausted,
        Code::AnswerTooLarge,
        Code::AnswerInvalid,
        Code::TooBusy,
        Code::LedgerUnavailable,
        Code::ShuttingDown,
        Code::DeadlineExceeded,
    ];
    always.into_iter().for_each(own);
    problems
}

/// The schema of problem documents.
pub(super) fn details() -> Value {
    json!({
        "type": "object",
        "description": "Problem details (RFC 9457).",
        "properties": {
            "type": { "type": "string", "format": "uri", "description": "`urn:truc:problem:` and the code." },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "code": { "type": "string", "description": "The stable code to program against." },
            "detail": { "type": "string" },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "pointer": { "type": "string", "description": "A JSON Pointer (RFC 6901) into the request." },
                        "detail": { "type": "string" }
                    },
                    "required": ["pointer", "detail"]
                }
            },
            "value": { "description": "What the contract's own error case carries." },
            "retryAfter": { "type": "integer", "minimum": 0, "description": "Seconds to wait." },
            "requestId": { "type": "string" }
        },
        "required": ["type", "title", "status", "code"]
    })
}
