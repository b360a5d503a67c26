//! One operation: parameters, body, responses.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::problems::Responses;
use super::service::ServiceWriter;
use super::{
    DOSSIER_HEADER, IDEMPOTENCY_KEY_HEADER, PURPOSE_HEADER, REPLAYED_HEADER, REQUEST_ID_HEADER,
    REVISION_HEADER, operation_id,
};
use crate::model::{Operation, Parameter, Place, Rules, Type};
use crate::names::first_sentence;
use crate::schema;

/// Texts in header fields: without control characters, and HTTP takes away spaces at the ends.
const HEADER_TEXT: &str = r"^[^\x00-\x20\x7F-\x9F]([^\x00-\x1F\x7F-\x9F]*[^\x00-\x20\x7F-\x9F])?$";

impl ServiceWriter<'_> {
    pub(super) fn operation(&mut self, operation: &Operation, responses: &mut Responses<'_>) -> Value {
        let id = format!("{}{}", self.prefixes.operation, operation_id(operation));
        let tag = format!("{}{}", self.prefixes.component, operation.interface_name());
        let mut described = Map::new();
        described.insert("operationId".to_owned(), json!(id));
        described.insert("tags".to_owned(), json!([tag]));
        described.insert("summary".to_owned(), json!(first_sentence(&operation.docs)));
        described.insert("description".to_owned(), json!(operation.docs));
        if operation.deprecated.is_some() {
            described.insert("deprecated".to_owned(), json!(true));
        }
        described.insert("parameters".to_owned(), self.parameters(operation));
        if let Some(body) = self.body(operation) {
            described.insert("requestBody".to_owned(), body);
        }
        described.insert("responses".to_owned(), self.responses(operation, responses));
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
            "schema": { "type": "string", "pattern": HEADER_TEXT, "minLength": 1, "maxLength": 200 },
            "example": "Giai quyet thu tuc hanh chinh",
        }));
        list.push(json!({
            "name": DOSSIER_HEADER,
            "in": "header",
            "required": false,
            "description": "The dossier the call belongs to, kept in the ledger.",
            "schema": { "type": "string", "pattern": HEADER_TEXT, "minLength": 1, "maxLength": 100 },
        }));
        if !operation.method.is_safe() {
            list.push(idempotency_key_parameter());
        }
        if keeps_answers(operation) {
            list.push(if_none_match_parameter());
        }
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
        described.insert("schema".to_owned(), self.schema(ty, &parameter.rules, ""));
        if let Some(example) = self.example(ty, &parameter.rules) {
            described.insert("example".to_owned(), example);
        }
        Value::Object(described)
    }

    fn body(&mut self, operation: &Operation) -> Option<Value> {
        let whole = operation.parameters.iter().find(|parameter| parameter.place == Place::Body);
        let (schema, example) = match whole {
            Some(parameter) => (
                self.schema(&parameter.ty, &parameter.rules, &parameter.docs),
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
            let schema = self.schema(&member.ty, &member.rules, &member.docs);
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

    fn responses(&mut self, operation: &Operation, problems: &mut Responses<'_>) -> Value {
        let mut responses: BTreeMap<String, Value> = BTreeMap::new();
        match &operation.ok {
            Some(ty) => {
                let ty = match self.contract.resolve(ty) {
                    Type::Option(inner) => inner,
                    _ => ty,
                };
                let schema = self.schema(ty, &Rules::default(), "");
                let mut content = Map::from_iter([("schema".to_owned(), schema)]);
                content.extend(
                    self.example(ty, &Rules::default()).map(|example| ("example".to_owned(), example)),
                );
                responses.insert(
                    "200".to_owned(),
                    json!({
                        "description": "Success.",
                        "headers": success_headers(operation),
                        "content": { "application/json": content },
                    }),
                );
            }
            None => {
                let success = json!({ "description": "Success, without content.", "headers": success_headers(operation) });
                responses.insert("204".to_owned(), success);
            }
        }
        if keeps_answers(operation) {
            let unchanged = json!({
                "description": "Unchanged: the caller has the answer already.",
                "headers": success_headers(operation),
            });
            responses.insert("304".to_owned(), unchanged);
        }
        for (status, name) in problems.named(operation) {
            let reference = format!("#/components/responses/{name}");
            responses.insert(status.to_string(), json!({ "$ref": reference }));
        }
        responses.into_iter().collect::<Map<_, _>>().into()
    }
}

/// Whether answers may be used for a while, and carry a tag by which to ask whether they still hold.
fn keeps_answers(operation: &Operation) -> bool {
    operation.cache.is_some() && operation.ok.is_some()
}

fn idempotency_key_parameter() -> Value {
    json!({
        "name": IDEMPOTENCY_KEY_HEADER,
        "in": "header",
        "required": false,
        "description": "A key of the caller's own for this request, with or without quotes around it. The same request with the same key gets the first answer again instead of being carried out twice.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
        "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
    })
}

fn if_none_match_parameter() -> Value {
    json!({
        "name": "if-none-match",
        "in": "header",
        "required": false,
        "description": "The tag of an answer that the caller has. If it still holds, the answer is 304.",
        "schema": { "type": "string" },
    })
}

fn success_headers(operation: &Operation) -> Value {
    let revision = json!({
        "description": "The number of the service's revision that answered.",
        "schema": { "type": "integer", "minimum": 1 },
    });
    let mut headers = Map::from_iter([request_id_header(), (REVISION_HEADER.to_owned(), revision)]);
    let mut add = |name: &str, description: &str| {
        let described = json!({ "description": description, "schema": { "type": "string" } });
        headers.insert(name.to_owned(), described);
    };
    if keeps_answers(operation) {
        add("cache-control", "For how many seconds the answer may be used: `private, max-age=…`.");
        add("etag", "The tag of the answer.");
    }
    if !operation.method.is_safe() {
        add(
            REPLAYED_HEADER,
            "`true` where the answer was given before, to the same request with the same key.",
        );
    }
    Value::Object(headers)
}

pub(super) fn request_id_header() -> (String, Value) {
    let described = json!({
        "description": "The request's identifier, also in the ledger.",
        "schema": { "type": "string" },
    });
    (REQUEST_ID_HEADER.to_owned(), described)
}
