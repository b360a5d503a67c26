//! The API's document.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::host::Host;

#[tokio::test]
async fn the_document_is_served_as_it_stands_here() {
    let host = Host::start().await;
    let served = host.get("/admin/openapi.json").await;
    let document = served.with(200);
    assert_eq!(served.headers["content-type"], "application/json");
    assert_eq!(served.body, truc_control::openapi_document());
    insta::assert_json_snapshot!("openapi", document);
}

/// Everything that is referred to is there.
#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document: Value = serde_json::from_slice(&truc_control::openapi_document()).unwrap();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

/// Every documented operation is routed, and asks for the key.
#[tokio::test]
async fn every_operation_needs_the_key() {
    let host = Host::start().await;
    let document = host.get("/admin/openapi.json").await.with(200);
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{code}", "H56")
            .replace("{namespace}", "lgsp")
            .replace("{name}", "x")
            .replace("{version}", "1.0.0")
            .replace("{id}", "1");
        for method in item.as_object().unwrap().keys() {
            let request = hyper::Request::builder()
                .method(method.to_uppercase().as_str())
                .uri(&path)
                .header("host", "x");
            let answer = host.send(request.body(Default::default()).unwrap()).await;
            answer.problem(401, "missing-key");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            operations += 1;
        }
    }
    assert!(operations > 15);
}

/// The schema of problem documents names the members that problem documents have.
#[tokio::test]
async fn a_refusal_is_what_the_document_says() {
    let host = Host::start().await;
    let document = host.get("/admin/openapi.json").await.with(200);
    let schema = &document["components"]["schemas"]["ProblemDetails"];
    let refusal = host.get("/admin/agencies/H99").await.with(404);
    for member in refusal.as_object().unwrap().keys() {
        assert!(schema["properties"].get(member).is_some(), "{member}: {refusal}");
    }
    for member in schema["required"].as_array().unwrap() {
        assert!(refusal.get(member.as_str().unwrap()).is_some(), "{member}: {refusal}");
    }
}
