//! Contract to OpenAPI 3.1: the document of one service. The same contract and service give the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use truc_model::{Code, ServiceName};

use crate::example;
use crate::model::{Contract, Operation, Parameter, Place, Rules, Type, TypeId, TypeKind};
use crate::names::{camel, first_sentence};
use crate::path::Method;
use crate::schema::{self, PROBLEM_DETAILS};

/// The header in which a caller states its purpose.
pub const PURPOSE_HEADER: &str = "truc-purpose";
/// The header in which a caller names the dossier it works on.
pub const DOSSIER_HEADER: &str = "truc-dossier";
/// The header that carries the request's identifier, in and out.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
/// The header that tells which revision of the service answered.
pub const REVISION_HEADER: &str = "truc-revision";

/// How many values the examples of one document may hold together.
const MAX_EXAMPLE_VALUES: usize = 200_000;

/// The OpenAPI document of a contract served under a name, as JSON.
pub fn document(contract: &Contract, service: &ServiceName) -> Vec<u8> {
    let major = contract.id.version.major;
    let mut info = json!({ "title": title(contract), "version": contract.id.version.to_string() });
    if !contract.docs.is_empty()
        && let Some(info) = info.as_object_mut()
    {
        info.insert("description".to_owned(), json!(contract.docs));
    }
    let mut writer = Writer { contract, example_values: MAX_EXAMPLE_VALUES, problems: BTreeMap::new() };
    let paths = writer.paths();
    let document = json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{ "url": format!("/api/{service}/v{major}") }],
        "security": [{ "apiKey": [] }],
        "tags": tags(contract),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The API key of an account, sent as `Authorization: Bearer <key>`."
                }
            },
            "responses": writer.problem_responses(),
            "schemas": schemas(contract),
        },
    });
    serde_json::to_vec(&document).unwrap_or_default()
}

/// The first sentence of the package's documentation, up to a colon.
fn title(contract: &Contract) -> String {
    let sentence = first_sentence(&contract.docs);
    let title = sentence.split(':').next().unwrap_or_default().trim();
    if title.is_empty() { contract.id.name.clone() } else { title.to_owned() }
}

fn tags(contract: &Contract) -> Value {
    let tags = contract.interfaces.iter().map(|interface| match interface.docs.as_str() {
        "" => json!({ "name": interface.name }),
        docs => json!({ "name": interface.name, "description": docs }),
    });
    tags.collect()
}

fn interface_of(operation: &Operation) -> &str {
    operation.name.as_str().split('/').next().unwrap_or_default()
}

/// `{interface}/{function}` as one identifier in camelCase; different for each operation of a contract.
pub fn operation_id(operation: &Operation) -> String {
    camel(&operation.name.as_str().replace('/', "-"))
}

struct Writer<'a> {
    contract: &'a Contract,
    /// How many values examples may still hold.
    example_values: usize,
    /// Under each status the lists of problems that some operation may answer with, each with the name of its response.
    problems: BTreeMap<u16, BTreeMap<String, String>>,
}

impl Writer<'_> {
    fn example(&mut self, ty: &Type, rules: &Rules) -> Option<Value> {
        example::within(self.contract, ty, rules, &mut self.example_values)
    }

    fn paths(&mut self) -> Value {
        let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for operation in &self.contract.operations {
            let item = paths.entry(operation.path.as_str()).or_default();
            item.insert(operation.method.as_str().to_ascii_lowercase(), self.operation(operation));
        }
        paths
            .into_iter()
            .map(|(path, item)| (path.to_owned(), Value::Object(item)))
            .collect::<Map<_, _>>()
            .into()
    }

    fn operation(&mut self, operation: &Operation) -> Value {
        let mut described = Map::new();
        described.insert("operationId".to_owned(), json!(operation_id(operation)));
        described.insert("tags".to_owned(), json!([interface_of(operation)]));
        described.insert("summary".to_owned(), json!(first_sentence(&operation.docs)));
        described.insert("description".to_owned(), json!(operation.docs));
        if operation.deprecated.is_some() {
            described.insert("deprecated".to_owned(), json!(true));
        }
        described.insert("parameters".to_owned(), self.parameters(operation));
        if let Some(body) = self.body(operation) {
            described.insert("requestBody".to_owned(), body);
        }
        described.insert("responses".to_owned(), self.responses(operation));
        Value::Object(described)
    }

    fn parameters(&mut self, operation: &Operation) -> Value {
        let mut list: Vec<Value> = operation
            .parameters
            .iter()
            .filter_map(|parameter| match parameter.place {
                Place::Path => Some(self.parameter(parameter, "path")),
                Place::Query => Some(self.parameter(parameter, "query")),
                Place::Member | Place::Body => None,
            })
            .collect();
        list.push(json!({
            "name": PURPOSE_HEADER,
            "in": "header",
            "required": operation.pii.is_some(),
            "description": "The purpose of the call, kept in the ledger. Needed wherever personal data goes in or out.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 200 },
            "example": "Giai quyet thu tuc hanh chinh",
        }));
        list.push(json!({
            "name": DOSSIER_HEADER,
            "in": "header",
            "required": false,
            "description": "The dossier the call belongs to, kept in the ledger.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 100 },
        }));
        Value::Array(list)
    }

    fn parameter(&mut self, parameter: &Parameter, place: &str) -> Value {
        // A query writes an absent value by leaving it out, never as `null`.
        let ty = match self.contract.resolve(&parameter.ty) {
            Type::Option(inner) => inner,
            _ => &parameter.ty,
        };
        // A list that is not there is empty.
        let rules = parameter.rules.over(&self.contract.rules_of(&parameter.ty));
        let may_be_empty =
            matches!(self.contract.resolve(ty), Type::List(_)) && rules.min.is_none_or(|min| min <= 0);
        let optional = may_be_empty || schema::is_option(self.contract, &parameter.ty);
        let mut described = Map::new();
        described.insert("name".to_owned(), json!(&*parameter.json));
        described.insert("in".to_owned(), json!(place));
        described.insert("required".to_owned(), json!(place == "path" || !optional));
        if !parameter.docs.is_empty() {
            described.insert("description".to_owned(), json!(parameter.docs));
        }
        described.insert("schema".to_owned(), schema::of(self.contract, ty, &parameter.rules, ""));
        if let Some(example) = self.example(ty, &parameter.rules) {
            described.insert("example".to_owned(), example);
        }
        Value::Object(described)
    }

    fn body(&mut self, operation: &Operation) -> Option<Value> {
        let whole = operation.parameters.iter().find(|parameter| parameter.place == Place::Body);
        let (schema, example) = match whole {
            Some(parameter) => (
                schema::of(self.contract, &parameter.ty, &parameter.rules, &parameter.docs),
                self.example(&parameter.ty, &parameter.rules),
            ),
            None => self.members(operation)?,
        };
        let mut content = Map::from_iter([("schema".to_owned(), schema)]);
        content.extend(example.map(|example| ("example".to_owned(), example)));
        Some(json!({ "required": true, "content": { "application/json": content } }))
    }

    fn members(&mut self, operation: &Operation) -> Option<(Value, Option<Value>)> {
        let members: Vec<&Parameter> =
            operation.parameters.iter().filter(|parameter| parameter.place == Place::Member).collect();
        if members.is_empty() {
            return None;
        }
        let mut properties = Map::new();
        let mut required = Vec::new();
        let mut example = Some(Map::new());
        for member in members {
            let schema = schema::of(self.contract, &member.ty, &member.rules, &member.docs);
            properties.insert(member.json.as_ref().to_owned(), schema);
            let optional = schema::is_option(self.contract, &member.ty);
            if !optional {
                required.push(member.json.as_ref());
            }
            match (self.example(&member.ty, &member.rules), &mut example) {
                (Some(value), Some(example)) => {
                    example.insert(member.json.as_ref().to_owned(), value);
                }
                (None, Some(_)) if !optional => example = None,
                _ => {}
            }
        }
        Some((Value::Object(schema::object(properties, &required)), example.map(Value::Object)))
    }

    fn responses(&mut self, operation: &Operation) -> Value {
        let mut responses: BTreeMap<String, Value> = BTreeMap::new();
        match &operation.ok {
            Some(ty) => {
                let ty = match self.contract.resolve(ty) {
                    Type::Option(inner) => inner,
                    _ => ty,
                };
                let schema = schema::of(self.contract, ty, &Rules::default(), "");
                let mut content = Map::from_iter([("schema".to_owned(), schema)]);
                content.extend(
                    self.example(ty, &Rules::default()).map(|example| ("example".to_owned(), example)),
                );
                responses.insert(
                    "200".to_owned(),
                    json!({
                        "description": "Success.",
                        "headers": success_headers(),
                        "content": { "application/json": content },
                    }),
                );
            }
            None => {
                let success =
                    json!({ "description": "Success, without content.", "headers": success_headers() });
                responses.insert("204".to_owned(), success);
            }
        }
        for (status, codes) in problems(self.contract, operation) {
            let reference = format!("#/components/responses/{}", self.problem_response(status, codes));
            responses.insert(status.to_string(), json!({ "$ref": reference }));
        }
        responses.into_iter().collect::<Map<_, _>>().into()
    }

    /// The name of the response that tells these problems; most operations share most of theirs.
    fn problem_response(&mut self, status: u16, codes: BTreeMap<String, String>) -> &str {
        let lines: Vec<String> =
            codes.into_iter().map(|(code, docs)| format!("* `{code}`: {docs}")).collect();
        let named = self.problems.entry(status).or_default();
        let number = named.len() + 1;
        named.entry(lines.join("\n")).or_insert_with(|| match number {
            1 => format!("Problem{status}"),
            _ => format!("Problem{status}-{number}"),
        })
    }

    fn problem_responses(&self) -> Value {
        let named = self.problems.iter().flat_map(|(status, named)| {
            named.iter().map(|(description, name)| {
                let response = json!({
                    "description": description,
                    "headers": problem_headers(*status),
                    "content": { "application/problem+json": {
                        "schema": { "$ref": format!("#/components/schemas/{PROBLEM_DETAILS}") }
                    } },
                });
                (name.clone(), response)
            })
        });
        let sorted: BTreeMap<String, Value> = named.collect();
        sorted.into_iter().collect::<Map<_, _>>().into()
    }
}

fn request_id_header() -> (String, Value) {
    let described = json!({
        "description": "The request's identifier, also in the ledger.",
        "schema": { "type": "string" },
    });
    (REQUEST_ID_HEADER.to_owned(), described)
}

fn success_headers() -> Value {
    let revision = json!({
        "description": "The number of the service's revision that answered.",
        "schema": { "type": "integer", "minimum": 1 },
    });
    Value::Object(Map::from_iter([request_id_header(), (REVISION_HEADER.to_owned(), revision)]))
}

fn problem_headers(status: u16) -> Value {
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

/// Every problem an operation can answer with: status, then code and what it means.
fn problems(contract: &Contract, operation: &Operation) -> BTreeMap<u16, BTreeMap<String, String>> {
    let mut problems: BTreeMap<u16, BTreeMap<String, String>> = BTreeMap::new();
    let mut add = |status: u16, code: &str, docs: &str| {
        problems.entry(status).or_default().entry(code.to_owned()).or_insert_with(|| docs.to_owned());
    };
    for case in &operation.errors {
        add(case.status, &case.name, &first_sentence(&case.docs));
    }
    let mut own = |code: Code| add(code.status(), code.as_str(), code.title());
    if operation.ok.as_ref().is_some_and(|ty| schema::is_option(contract, ty)) {
        own(Code::NotFound);
    }
    if operation.pii.is_some() {
        own(Code::PurposeRequired);
    }
    if !matches!(operation.method, Method::Get | Method::Delete | Method::Head) {
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

fn schemas(contract: &Contract) -> Value {
    let mut reached = BTreeSet::new();
    for operation in &contract.operations {
        for ty in operation.parameters.iter().map(|parameter| &parameter.ty).chain(&operation.ok) {
            reach(contract, ty, &mut reached);
        }
    }
    let mut schemas: BTreeMap<String, Value> = reached
        .into_iter()
        .filter_map(|id| Some((id, contract.named(id)?)))
        .map(|(id, definition)| {
            (definition.name.to_string(), schema::of_definition(contract, id, definition))
        })
        .collect();
    schemas.insert(PROBLEM_DETAILS.to_owned(), problem_details());
    schemas.into_iter().collect::<Map<_, _>>().into()
}

fn reach(contract: &Contract, ty: &Type, reached: &mut BTreeSet<TypeId>) {
    match ty {
        Type::List(item) | Type::Option(item) => reach(contract, item, reached),
        Type::Tuple(items) => items.iter().for_each(|item| reach(contract, item, reached)),
        Type::Result(ok, err) => ok.iter().chain(err).for_each(|ty| reach(contract, ty, reached)),
        Type::Named(id) if reached.insert(*id) => {
            match contract.named(*id).map(|definition| &definition.kind) {
                Some(TypeKind::Alias(target)) => reach(contract, target, reached),
                Some(TypeKind::Record(fields)) => {
                    fields.iter().for_each(|field| reach(contract, &field.ty, reached))
                }
                Some(TypeKind::Variant(cases)) => {
                    cases.iter().flat_map(|case| &case.payload).for_each(|ty| reach(contract, ty, reached));
                }
                _ => {}
            }
        }
        _ => {}
    }
}

fn problem_details() -> Value {
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
