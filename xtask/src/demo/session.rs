//! Calls with the status each must have, what came of them, and whether they cover every operation of a document.

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::Value;

use crate::http::{Answer, Body, Client};
use crate::table::Table;

/// Calls of one service.
pub(crate) struct Session {
    service: String,
    client: Client,
    /// What stands before every path: `/api/land/v1`.
    base: String,
    calls: Vec<Call>,
}

/// One call that was made.
struct Call {
    method: Method,
    /// With `base`, without a query.
    path: String,
    expected: u16,
    answer: Answer,
}

impl Session {
    /// Calls a service below a path.
    pub(crate) fn new(service: &str, client: Client, base: String) -> Self {
        Self { service: service.to_owned(), client, base, calls: Vec::new() }
    }

    /// A `GET` request that must be answered with the given status.
    pub(crate) async fn get(&mut self, status: u16, path: &str) -> Result<Value> {
        self.call(status, Method::GET, path, Body::None).await
    }

    /// A `POST` request.
    pub(crate) async fn post(&mut self, status: u16, path: &str, body: &Value) -> Result<Value> {
        self.call(status, Method::POST, path, Body::Json(body)).await
    }

    /// A `PUT` request.
    pub(crate) async fn put(&mut self, status: u16, path: &str, body: &Value) -> Result<Value> {
        self.call(status, Method::PUT, path, Body::Json(body)).await
    }

    /// A `DELETE` request.
    pub(crate) async fn delete(&mut self, status: u16, path: &str) -> Result<Value> {
        self.call(status, Method::DELETE, path, Body::None).await
    }

    /// A `GET` request by somebody who shows no key.
    pub(crate) async fn get_without_key(&mut self, status: u16, path: &str) -> Result<Value> {
        let client = self.client.without_key();
        self.get_by(&client, status, path).await
    }

    /// A `POST` request without a body by somebody who shows no key.
    pub(crate) async fn post_without_key(&mut self, status: u16, path: &str) -> Result<Value> {
        let client = self.client.without_key();
        self.call_by(&client, status, Method::POST, path, Body::None).await
    }

    /// A `GET` request by somebody else.
    pub(crate) async fn get_by(&mut self, client: &Client, status: u16, path: &str) -> Result<Value> {
        self.call_by(client, status, Method::GET, path, Body::None).await
    }

    /// Any request; gives what came, whatever its status.
    pub(crate) async fn call(
        &mut self,
        expected: u16,
        method: Method,
        path: &str,
        body: Body<'_>,
    ) -> Result<Value> {
        let client = self.client.clone();
        self.call_by(&client, expected, method, path, body).await
    }

    async fn call_by(
        &mut self,
        client: &Client,
        expected: u16,
        method: Method,
        path: &str,
        body: Body<'_>,
    ) -> Result<Value> {
        let path = format!("{}{path}", self.base);
        let answer = client.send(&method, &path, body).await?;
        let json = answer.json.clone();
        let path = path.split('?').next().unwrap_or_default().to_owned();
        self.calls.push(Call { method, path, expected, answer });
        Ok(json)
    }

    /// What is wrong: answers of another status than expected, and operations of the OpenAPI document that were not
    /// seen to succeed and to fail.
    pub(crate) fn faults(&self, document: &Value) -> Result<Vec<String>> {
        let operations = operations(document)?;
        let unexpected = self.calls.iter().filter(|call| call.answer.status != call.expected).map(|call| {
            format!(
                "{} {} was answered with {} instead of {}: {}",
                call.method, call.path, call.answer.status, call.expected, call.answer.json
            )
        });
        let seen = |operation: &Operation, kind: fn(u16) -> bool| {
            let mut calls = self.calls.iter().filter(|call| kind(call.answer.status));
            calls.any(|call| called(&operations, call).is_some_and(|found| std::ptr::eq(found, operation)))
        };
        let missing = operations.iter().flat_map(|operation| {
            let lacks = |how: &str| format!("{} {} {how}", operation.method, operation.path);
            [
                (!seen(operation, |status| status < 300)).then(|| lacks("was never seen to succeed")),
                (!seen(operation, |status| status >= 400)).then(|| lacks("was never seen to fail")),
            ]
        });
        Ok(unexpected.chain(missing.flatten()).collect())
    }

    /// A row for each call.
    pub(crate) fn show(&self, document: &Value, table: &mut Table<4>) -> Result<()> {
        let operations = operations(document)?;
        for call in &self.calls {
            let path = called(&operations, call).map_or(&call.path, |operation| &operation.path);
            let status = match call.answer.status {
                status if status == call.expected => status.to_string(),
                status => format!("{status}, expected {}", call.expected),
            };
            let ms = format!("{:.1}", call.answer.took.as_secs_f64() * 1000.0);
            table.row([self.service.clone(), format!("{} {path}", call.method), status, ms]);
        }
        Ok(())
    }
}

/// One operation of an OpenAPI document.
struct Operation {
    method: String,
    /// With what the document's server says stands before it.
    path: String,
}

impl Operation {
    /// Whether a call fits the method and the path.
    fn is(&self, call: &Call) -> bool {
        let template: Vec<&str> = self.path.split('/').collect();
        let path: Vec<&str> = call.path.split('/').collect();
        self.method == call.method.as_str()
            && template.len() == path.len()
            && template.iter().zip(&path).all(|(part, given)| part.starts_with('{') || part == given)
    }
}

/// The operation that a call is one of.
fn called<'a>(operations: &'a [Operation], call: &Call) -> Option<&'a Operation> {
    operations.iter().find(|operation| operation.is(call))
}

/// The operations of an OpenAPI document, those with fewer parameters first, so that a fixed path goes before a template
/// that it fits as well.
fn operations(document: &Value) -> Result<Vec<Operation>> {
    let server = document.pointer("/servers/0/url").and_then(Value::as_str).unwrap_or_default();
    let base = server.trim_end_matches('/');
    let paths = document.get("paths").and_then(Value::as_object).context("the document has no paths")?;
    let mut operations = Vec::new();
    for (path, item) in paths {
        for method in item.as_object().into_iter().flat_map(|item| item.keys()) {
            let method = method.to_ascii_uppercase();
            if ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"].contains(&method.as_str()) {
                operations.push(Operation { method, path: format!("{base}{path}") });
            }
        }
    }
    operations.sort_by_key(|operation| operation.path.matches('{').count());
    Ok(operations)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn session(calls: &[(Method, &str, u16, u16)]) -> Session {
        let client = Client::new("127.0.0.1:9".parse().unwrap());
        let mut session = Session::new("land", client, "/api/land/v1".to_owned());
        for (method, path, expected, status) in calls {
            let answer = Answer { status: *status, json: Value::Null, took: Duration::ZERO };
            let path = format!("/api/land/v1{path}");
            session.calls.push(Call { method: method.clone(), path, expected: *expected, answer });
        }
        session
    }

    fn document() -> Value {
        json!({
            "servers": [{ "url": "/api/land/v1" }],
            "paths": {
                "/parcels/{number}": { "parameters": [], "get": {} },
                "/parcels/search": { "post": {} },
            },
        })
    }

    #[test]
    fn an_operation_must_be_seen_to_succeed_and_to_fail() {
        let session = session(&[
            (Method::GET, "/parcels/17", 200, 200),
            (Method::POST, "/parcels/search", 200, 200),
            (Method::POST, "/parcels/search", 422, 422),
        ]);
        assert_eq!(
            session.faults(&document()).unwrap(),
            ["GET /api/land/v1/parcels/{number} was never seen to fail"]
        );
    }

    #[test]
    fn an_unexpected_status_is_a_fault() {
        let session = session(&[
            (Method::GET, "/parcels/17", 200, 200),
            (Method::GET, "/parcels/18", 404, 502),
            (Method::POST, "/parcels/search", 200, 200),
            (Method::POST, "/parcels/search", 422, 422),
        ]);
        let faults = session.faults(&document()).unwrap();
        assert_eq!(faults, ["GET /api/land/v1/parcels/18 was answered with 502 instead of 404: null"]);
        let mut table = Table::new(["service", "operation", "status", "ms"]);
        session.show(&document(), &mut table).unwrap();
        let table = table.to_string();
        assert!(table.contains("GET /api/land/v1/parcels/{number}"), "{table}");
        assert!(table.contains("502, expected 404"), "{table}");
    }
}
