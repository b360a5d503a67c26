//! What the tests of documents share: reading them, walking through them, checking examples against schemas.

#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeSet;

use boon::{Compiler, Draft, Schemas};
use serde_json::Value;
use truc_contract::openapi::document;
use truc_contract::{Contract, read_sources};

use super::{source, wit};

/// The document of a contract, served under its own name.
pub(crate) fn described(contract: &Contract) -> Value {
    let service = contract.id.name.parse().unwrap();
    serde_json::from_slice(&document(contract, &service)).unwrap()
}

/// The document of a contract with these items.
pub(crate) fn described_wit(items: &str) -> Value {
    described(&read_sources(&source(&wit(items))).unwrap())
}

/// All values of a document with their JSON Pointers.
pub(crate) fn walk<'v>(value: &'v Value, pointer: &str, visit: &mut impl FnMut(&str, &'v Value)) {
    visit(pointer, value);
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, value)| walk(value, &format!("{pointer}/{}", escape(name)), visit));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| walk(value, &format!("{pointer}/{index}"), visit));
        }
        _ => {}
    }
}

/// The operations of a document with method and path.
pub(crate) fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .iter()
                .map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

/// Checks every example of a document against the schema beside it, or around it; gives how many have a
/// single one beside it.
pub(crate) fn check_examples(document: &Value) -> usize {
    let mut places = Vec::new();
    walk(document, "", &mut |pointer, value| {
        if value.get("schema").is_none() {
            return;
        }
        let several = value.get("examples").and_then(Value::as_object).into_iter().flatten();
        let several: Vec<&Value> = several.map(|(_, example)| &example["value"]).collect();
        if value.get("example").is_some() || !several.is_empty() {
            places.push((
                pointer.to_owned(),
                value.get("example").into_iter().chain(several).collect::<Vec<_>>(),
            ));
        }
    });
    let address = "https://contract.example/openapi.json";
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    compiler.enable_format_assertions();
    compiler.add_resource(address, document.clone()).unwrap();
    for (pointer, examples) in &places {
        let mut schemas = Schemas::new();
        let encoded = format!("{pointer}/schema").replace('{', "%7B").replace('}', "%7D");
        let schema = compiler.compile(&format!("{address}#{encoded}"), &mut schemas).unwrap();
        for example in examples {
            let fits = schemas.validate(example, schema);
            fits.unwrap_or_else(|error| panic!("{pointer}: {example}: {error:#}"));
        }
    }
    let mut schemas_with_examples = Vec::new();
    walk(&document["components"]["schemas"], "/components/schemas", &mut |pointer, value| {
        if value["examples"].is_array() {
            schemas_with_examples.push(pointer.to_owned());
        }
    });
    for pointer in schemas_with_examples {
        let mut schemas = Schemas::new();
        let schema = compiler.compile(&format!("{address}#{pointer}"), &mut schemas).unwrap();
        let example = &document.pointer(&pointer).unwrap()["examples"][0];
        schemas.validate(example, schema).unwrap_or_else(|error| panic!("{pointer}: {example}: {error:#}"));
    }
    places.iter().filter(|(pointer, _)| document.pointer(pointer).unwrap().get("example").is_some()).count()
}

/// Checks that references lead somewhere, that somebody refers to every component, and that names are plain.
pub(crate) fn check_components(what: &str, document: &Value) {
    let mut used = BTreeSet::new();
    walk(document, "", &mut |pointer, value| {
        if let Some(reference) = value.get("$ref") {
            let target = reference.as_str().unwrap().strip_prefix('#').unwrap();
            assert!(document.pointer(target).is_some(), "{what}: {pointer} refers to {target}");
            used.insert(target.to_owned());
        }
    });
    for (kind, components) in document["components"].as_object().unwrap() {
        for component in components.as_object().unwrap().keys() {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            assert!(!component.is_empty() && component.chars().all(plain), "{what}: {component}");
            let pointer = format!("/components/{kind}/{component}");
            assert!(
                kind == "securitySchemes" || used.contains(&pointer),
                "{what}: nobody refers to {pointer}"
            );
        }
    }
}
