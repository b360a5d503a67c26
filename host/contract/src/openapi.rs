//! Contract to OpenAPI 3.1: the document of one service. The same contract and service give the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use truc_model::{Code, ServiceName};

use crate::example;
use crate::model::{Contract, Operation, Parameter, Place, Rules, Type, TypeId, TypeKind};
use crate::path::Method;
use crate::schema;

/// The header in which a caller states its purpose.
pub const PURPOSE_HEADER: &str = "truc-purpose";
/// The header in which a caller names the dossier it works on.
pub const DOSSIER_HEADER: &str = "truc-dossier";
/// The header that carries the request's identifier, in and out.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
/// The header that tells which revision of the service answered.
pub const REVISION_HEADER: &str = "truc-revision";

/// The OpenAPI document of a contract served under a name, as JSON.
pub fn document(contract: &Contract, service: &ServiceName) -> Vec<u8> {
    let major = contract.id.version.major;
    let mut title = contract.docs.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
    if title.is_empty() {
        title = contract.id.name.clone();
    }
    let mut info = json!({
        "title": title,
        "version": contract.id.version.to_string(),
    });
    if !contract.docs.is_empty()
        && let Some(info) = info.as_object_mut()
    {
        info.insert("description".to_owned(), json!(contract.docs));
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{ "url": format!("/api/{service}/v{major}") }],
        "security": [{ "apiKey": [] }],
        "tags": tags(contract),
        "paths": paths(contract),
        "components": {
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The API key of an account, sent as `Authorization: Bearer <key>`."
                }
            },
            "schemas": schemas(contract),
        },
    });
    serde_json::to_vec(&document).unwrap_or_default()
}

fn tags(contract: &Contract) -> Value {
    let interfaces: BTreeSet<&str> = contract.operations.iter().map(interface_of).collect();
    interfaces.into_iter().map(|name| json!({ "name": name })).collect()
}

fn interface_of(operation: &Operation) -> &str {
    operation.name.as_str().split('/').next().unwrap_or_default()
}

fn paths(contract: &Contract) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in &contract.operations {
        let item = paths.entry(operation.path.as_str()).or_default();
        item.insert(operation.method.as_str().to_ascii_lowercase(), describe(contract, operation));
    }
    paths.into_iter().map(|(path, item)| (path.to_owned(), Value::Object(item))).collect::<Map<_, _>>().into()
}

fn describe(contract: &Contract, operation: &Operation) -> Value {
    let summary = operation.docs.lines().next().unwrap_or_default();
    let mut described = Map::new();
    described.insert("operationId".to_owned(), json!(operation_id(operation)));
    described.insert("tags".to_owned(), json!([interface_of(operation)]));
    described.insert("summary".to_owned(), json!(summary));
    described.insert("description".to_owned(), json!(operation.docs));
    if operation.deprecated.is_some() {
        described.insert("deprecated".to_owned(), json!(true));
    }
    described.insert("parameters".to_owned(), parameters(contract, operation));
    if let Some(body) = body(contract, operation) {
        described.insert("requestBody".to_owned(), body);
    }
    described.insert("responses".to_owned(), responses(contract, operation));
    Value::Object(described)
}

/// `{interface}/{function}` as one identifier in camelCase.
pub fn operation_id(operation: &Operation) -> String {
    crate::read::camel(&operation.name.as_str().replace('/', "-"))
}

fn parameters(contract: &Contract, operation: &Operation) -> Value {
    let mut list: Vec<Value> = operation
        .parameters
        .iter()
        .filter_map(|parameter| match parameter.place {
            Place::Path => Some(described_parameter(contract, parameter, "path")),
            Place::Query => Some(described_parameter(contract, parameter, "query")),
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

fn described_parameter(contract: &Contract, parameter: &Parameter, place: &str) -> Value {
    // A query writes an absent value by leaving it out, never as `null`.
    let ty = match contract.resolve(&parameter.ty) {
        Type::Option(inner) => inner,
        _ => &parameter.ty,
    };
    let list = matches!(contract.resolve(ty), Type::List(_));
    let optional = list || schema::is_option(contract, &parameter.ty);
    let mut described = Map::new();
    described.insert("name".to_owned(), json!(&*parameter.json));
    described.insert("in".to_owned(), json!(place));
    described.insert("required".to_owned(), json!(place == "path" || !optional));
    if !parameter.docs.is_empty() {
        described.insert("description".to_owned(), json!(parameter.docs));
    }
    described.insert("schema".to_owned(), schema::of(contract, ty, &parameter.rules, ""));
    if let Some(example) = example::of(contract, ty, &parameter.rules) {
        described.insert("example".to_owned(), example);
    }
    Value::Object(described)
}

fn body(contract: &Contract, operation: &Operation) -> Option<Value> {
    let whole = operation.parameters.iter().find(|parameter| parameter.place == Place::Body);
    let (schema, example) = match whole {
        Some(parameter) => (
            schema::of(contract, &parameter.ty, &parameter.rules, &parameter.docs),
            example::of(contract, &parameter.ty, &parameter.rules),
        ),
        None => members(contract, operation)?,
    };
    let mut content = Map::from_iter([("schema".to_owned(), schema)]);
    content.extend(example.map(|example| ("example".to_owned(), example)));
    Some(json!({ "required": true, "content": { "application/json": content } }))
}

fn members(contract: &Contract, operation: &Operation) -> Option<(Value, Option<Value>)> {
    let members: Vec<&Parameter> =
        operation.parameters.iter().filter(|parameter| parameter.place == Place::Member).collect();
    if members.is_empty() {
        return None;
    }
    let properties = members
        .iter()
        .map(|member| {
            let schema = schema::of(contract, &member.ty, &member.rules, &member.docs);
            (member.json.as_ref().to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = members
        .iter()
        .filter(|member| !schema::is_option(contract, &member.ty))
        .map(|member| member.json.as_ref())
        .collect();
    let example = members
        .iter()
        .map(|member| {
            let value = example::of(contract, &member.ty, &member.rules)?;
            Some((member.json.as_ref().to_owned(), value))
        })
        .collect::<Option<Map<String, Value>>>();
    Some((Value::Object(schema::object(properties, &required)), example.map(Value::Object)))
}

fn responses(contract: &Contract, operation: &Operation) -> Value {
    let mut responses: BTreeMap<String, Value> = BTreeMap::new();
    match &operation.ok {
        Some(ty) => {
            let ty = match contract.resolve(ty) {
                Type::Option(inner) => inner,
                _ => ty,
            };
            let mut content =
                Map::from_iter([("schema".to_owned(), schema::of(contract, ty, &Rules::default(), ""))]);
            let example = example::of(contract, ty, &Rules::default());
            content.extend(example.map(|example| ("example".to_owned(), example)));
            responses.insert(
                "200".to_owned(),
                json!({
                    "description": "Success.",
                    "headers": answer_headers(),
                    "content": { "application/json": content },
                }),
            );
        }
        None => {
            let success = json!({ "description": "Success, without content.", "headers": answer_headers() });
            responses.insert("204".to_owned(), success);
        }
    }
    for (status, codes) in problems(contract, operation) {
        let lines: Vec<String> = codes.into_iter().map(|(code, docs)| format!("* `{code}`: {docs}")).collect();
        responses.insert(
            status.to_string(),
            json!({
                "description": lines.join("\n"),
                "headers": answer_headers(),
                "content": { "application/problem+json": {
                    "schema": { "$ref": "#/components/schemas/ProblemDetails" }
                } },
            }),
        );
    }
    responses.into_iter().collect::<Map<_, _>>().into()
}

fn answer_headers() -> Value {
    json!({
        REQUEST_ID_HEADER: { "description": "The request's identifier, also in the ledger.", "schema": { "type": "string" } },
    })
}

/// Every problem an operation can answer with: status, then code and what it means.
fn problems(contract: &Contract, operation: &Operation) -> BTreeMap<u16, BTreeMap<String, String>> {
    let mut problems: BTreeMap<u16, BTreeMap<String, String>> = BTreeMap::new();
    let mut add = |status: u16, code: &str, docs: &str| {
        problems.entry(status).or_default().entry(code.to_owned()).or_insert_with(|| docs.to_owned());
    };
    for case in &operation.errors {
        let first = case.docs.lines().next().unwrap_or_default();
        add(case.status, &case.name, first);
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
        .filter_map(|id| contract.named(id))
        .map(|definition| (definition.name.as_ref().to_owned(), schema::of_definition(contract, definition)))
        .collect();
    schemas.insert("ProblemDetails".to_owned(), problem_details());
    schemas.into_iter().collect::<Map<_, _>>().into()
}

fn reach(contract: &Contract, ty: &Type, reached: &mut BTreeSet<TypeId>) {
    match ty {
        Type::List(item) | Type::Option(item) => reach(contract, item, reached),
        Type::Tuple(items) => items.iter().for_each(|item| reach(contract, item, reached)),
        Type::Result(ok, err) => ok.iter().chain(err).for_each(|ty| reach(contract, ty, reached)),
        Type::Named(id) if reached.insert(*id) => match contract.named(*id).map(|definition| &definition.kind) {
            Some(TypeKind::Alias(target)) => reach(contract, target, reached),
            Some(TypeKind::Record(fields)) => fields.iter().for_each(|field| reach(contract, &field.ty, reached)),
            Some(TypeKind::Variant(cases)) => {
                cases.iter().flat_map(|case| &case.payload).for_each(|ty| reach(contract, ty, reached));
            }
            _ => {}
        },
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
