//! JSON Schema documents: each resolves, holds its examples, and says what the OpenAPI document says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use boon::{Compiler, Draft, Schemas};
use common::documents::{described, walk};
use common::{CONTRACTS, contract, source, wit};
use serde_json::{Value, json};
use truc_contract::schemas::{SchemaDocuments, documents};
use truc_contract::{Contract, read_sources};

const HOST: &str = "https://truc.example.vn";

fn made(contract: &Contract) -> SchemaDocuments {
    documents(contract, &contract.id.name.parse().unwrap())
}

fn read(document: &[u8]) -> Value {
    serde_json::from_slice(document).unwrap()
}

/// A compiler that finds each schema at its address and fetches nothing.
fn compiler(documents: &SchemaDocuments) -> Compiler {
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    compiler.enable_format_assertions();
    for schema in documents.by_name.values() {
        let schema = read(schema);
        let address = format!("{HOST}{}", schema["$id"].as_str().unwrap());
        compiler.add_resource(&address, schema).unwrap();
    }
    compiler
}

#[test]
fn every_schema_resolves_and_takes_its_examples() {
    for name in CONTRACTS {
        let documents = made(&contract(name));
        let mut compiler = compiler(&documents);
        let mut examples = 0;
        for (ty, schema) in &documents.by_name {
            let schema = read(schema);
            assert_eq!(schema["$id"], format!("/schemas/{name}/v1/{ty}.json"));
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            assert_eq!(schema["title"], **ty);
            let mut schemas = Schemas::new();
            let index = compiler.compile(&format!("{HOST}/schemas/{name}/v1/{ty}.json"), &mut schemas);
            let index = index.unwrap_or_else(|error| panic!("{name}: {ty}: {error:#}"));
            for example in schema["examples"].as_array().into_iter().flatten() {
                let fits = schemas.validate(example, index);
                fits.unwrap_or_else(|error| panic!("{name}: {ty}: {example}: {error:#}"));
                examples += 1;
            }
            assert!(schemas.validate(&json!({ "surely": "not" }), index).is_err(), "{name}: {ty}");
        }
        assert!(examples * 10 >= documents.by_name.len() * 8, "{name}: {examples} examples");
    }
}

#[test]
fn schemas_are_those_of_the_openapi_document() {
    for name in CONTRACTS {
        let contract = contract(name);
        let (document, made) = (described(&contract), made(&contract));
        let components = document["components"]["schemas"].as_object().unwrap();
        let of_types = components.iter().filter(|(name, _)| *name != "ProblemDetails" && !name.contains('-'));
        let names: Vec<&str> = of_types.clone().map(|(name, _)| name.as_str()).collect();
        assert_eq!(made.by_name.keys().map(|name| &**name).collect::<Vec<_>>(), names, "{name}");
        for (ty, component) in of_types {
            let address = component["externalDocs"]["url"].as_str().unwrap();
            let schema = read(&made.by_name[ty.as_str()]);
            assert_eq!(schema["$id"], address);
            for keyword in ["type", "required", "enum", "pattern", "description", "additionalProperties"] {
                assert_eq!(schema.get(keyword), component.get(keyword), "{name}: {ty}: {keyword}");
            }
        }
    }
}

#[test]
fn schemas_hold_nothing_of_openapi() {
    let items = "variant figure { circle(f32), nothing }\n\
                 /// Takes it.\ntake: func(value: figure) -> result<_, problem>;";
    let documents = made(&read_sources(&source(&wit(items))).unwrap());
    let schema = read(&documents.by_name["Figure"]);
    assert!(schema["oneOf"].is_array());
    walk(&schema, "", &mut |pointer, value| {
        assert!(value.get("discriminator").is_none() && value.get("externalDocs").is_none(), "{pointer}");
    });
}

#[test]
fn lists_and_schemas_are_word_for_word_as_they_were() {
    let documents = made(&contract("land"));
    let shown = json!({
        "index": read(&documents.index),
        "Parcel": read(&documents.by_name["Parcel"]),
        "ParcelState": read(&documents.by_name["ParcelState"]),
        "CitizenId": read(&documents.by_name["CitizenId"]),
    });
    insta::with_settings!({ omit_expression => true }, { insta::assert_json_snapshot!("land", shown) });
}

#[test]
fn the_same_contract_and_service_give_the_same_bytes() {
    for name in CONTRACTS {
        let (one, two) = (made(&contract(name)), made(&contract(name)));
        assert!(one.index == two.index && one.by_name == two.by_name, "{name}");
    }
}
