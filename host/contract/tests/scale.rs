//! Contracts of unreasonable size: they are served or refused in reasonable time, on an ordinary stack.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use common::{source, wit};
use serde_json::Value;
use truc_contract::{Component, openapi, read_sources, schemas};

/// A time that only something that grows faster than the contract needs, even on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A number as a word of letters.
fn word(number: usize) -> String {
    number.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect()
}

#[test]
fn ten_thousand_operations_are_read_and_described() {
    let operations = (0..10_000).fold(String::new(), |mut operations, number| {
        let word = word(number);
        write!(
            operations,
            "/// Gives item {number}.\n/// @http GET /items/{word}/{{id}}\n/// @param id Its number.\n\
             get-{word}: func(id: u32, note: option<string>) -> result<string, problem>;\n"
        )
        .unwrap();
        operations
    });
    let begin = Instant::now();
    let contract = read_sources(&source(&wit(&operations))).unwrap();
    let document = openapi::document(&contract, &"case".parse().unwrap());
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    println!("read and described in {:?}, {} bytes", begin.elapsed(), document.len());
    assert!(document.len() < 64 << 20, "{} bytes", document.len());
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["paths"].as_object().unwrap().len(), 10_000);

    let (begin, code, service) = (Instant::now(), "H56".parse().unwrap(), "case".parse().unwrap());
    for granted in [contract.operations.len(), 1] {
        let operations = contract.operations.iter().take(granted).collect();
        let granted = openapi::Granted { service: &service, contract: &contract, operations };
        let count = granted.operations.len();
        let merged = openapi::merged(openapi::Agency { code: &code, name: "A" }, &[granted]);
        println!("{count} merged after {:?}, {} bytes", begin.elapsed(), merged.len());
        let merged: Value = serde_json::from_slice(&merged).unwrap();
        assert_eq!(merged["paths"].as_object().unwrap().len(), count);
    }
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
}

#[test]
fn ten_thousand_types_and_error_types_are_described() {
    let items = (0..10_000).fold(String::new(), |mut items, number| {
        let word = word(number);
        write!(
            items,
            "/// Item {number}.\nrecord item-{word} {{ id: u32, note: option<string>, numbers: list<u32> }}\n\
             /// Why not.\nvariant refusal-{word} {{\n/// Gone.\ngone-{word}(item-{word}),\n/// Wrong.\nwrong(string) }}\n\
             /// Gives item {number}.\nget-{word}: func(id: u32) -> result<item-{word}, refusal-{word}>;\n"
        )
        .unwrap();
        items
    });
    let contract = read_sources(&source(&wit(&items))).unwrap();
    let begin = Instant::now();
    let document = openapi::document(&contract, &"case".parse().unwrap());
    println!("described in {:?}, {} bytes", begin.elapsed(), document.len());
    assert!(document.len() < 128 << 20, "{} bytes", document.len());
    let begin_schemas = Instant::now();
    let documents = schemas::documents(&contract, &"case".parse().unwrap());
    let bytes: usize = documents.by_name.values().map(Vec::len).sum();
    println!("schemas in {:?}, {bytes} bytes, index {}", begin_schemas.elapsed(), documents.index.len());
    assert_eq!(documents.by_name.len(), 10_000);
    assert!(bytes < 32 << 20, "{bytes} bytes");
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
}

/// Records of which each holds the one below twice: written out they would have 2 to the power of `levels` leaves.
fn doubling(levels: usize) -> String {
    let mut types = "/// The last.\nrecord level-a { value: u32 }\n".to_owned();
    for level in 1..levels {
        let (this, below) = (word(level), word(level - 1));
        writeln!(types, "/// A level.\nrecord level-{this} {{ left: level-{below}, right: level-{below} }}")
            .unwrap();
    }
    let top = word(levels - 1);
    types
        + &format!(
            "/// Takes and gives it.\ntake: func(value: level-{top}) -> result<level-{top}, problem>;\n"
        )
}

#[test]
fn shared_types_are_not_written_out() {
    let begin = Instant::now();
    let contract = read_sources(&source(&wit(&doubling(31)))).unwrap();
    let document = openapi::document(&contract, &"case".parse().unwrap());
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    assert!(document.len() < 100_000, "{} bytes", document.len());
    let document: Value = serde_json::from_slice(&document).unwrap();
    let body = &document["paths"]["/items/take"]["post"]["requestBody"]["content"]["application/json"];
    assert_eq!(body.get("example"), None);
    // The levels, what a problem is, and what it may carry.
    assert_eq!(document["components"]["schemas"].as_object().unwrap().len(), 31 + 3);
}

#[test]
fn shared_types_of_a_component_are_compared_once() {
    let text = wit(&doubling(14));
    let component = common::with_manifest_and_wit(&common::linked(&text), &common::manifest(), &text);
    let begin = Instant::now();
    Component::read(&component).unwrap();
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
}

#[test]
fn the_examples_of_a_document_are_bounded_together() {
    // 128 leaves each.
    let types = doubling(8);
    let operations = (0..2_000).fold(String::new(), |mut operations, number| {
        let word = word(number);
        writeln!(operations, "/// Gives it.\nget-{word}: func() -> result<level-h, problem>;").unwrap();
        operations
    });
    let contract = read_sources(&source(&wit(&(types + &operations)))).unwrap();
    let document = openapi::document(&contract, &"case".parse().unwrap());
    let document: Value = serde_json::from_slice(&document).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let example =
        |path: &str| &paths[path]["post"]["responses"]["200"]["content"]["application/json"]["example"];
    assert!(example("/items/get-a").is_object());
    assert!(paths.keys().any(|path| example(path).is_null()));
}

#[test]
fn a_chain_of_types_is_refused_before_it_exhausts_the_stack() {
    let mut types = String::new();
    for level in 0..20_000 {
        writeln!(types, "/// A level.\nrecord level-{} {{ below: level-{} }}", word(level), word(level + 1))
            .unwrap();
    }
    let last = word(20_000);
    types += &format!("/// The last.\ntype level-{last} = u32;\n");
    types += "/// Takes it.\ntake: func(value: level-a) -> result<_, problem>;\n";
    let error = read_sources(&source(&wit(&types))).unwrap_err();
    assert_eq!(error.reason, "its type is nested more than 32 deep");
}

#[test]
fn brackets_without_end_are_refused_before_they_exhaust_the_stack() {
    for opening in ["list<", "option<", "tuple<u8, ", "result<u8, "] {
        let deep = opening.repeat(100_000);
        let text = wit(&format!("/// Takes it.\ntake: func(value: {deep}) -> result<_, problem>;"));
        let error = read_sources(&source(&text)).unwrap_err();
        assert!(error.reason.contains("nesting too deep"), "{error}");
    }
    let packages = "package a:b { ".repeat(50_000);
    assert!(read_sources(&source(&packages)).is_err());
    let comments = "/* ".repeat(200_000);
    assert!(read_sources(&source(&comments)).unwrap_err().reason.contains("no end"));
}

#[test]
fn thirty_two_levels_are_served_and_thirty_three_are_not() {
    let nested = |levels: usize| {
        let ty = format!("{}u32{}", "list<".repeat(levels), ">".repeat(levels));
        read_sources(&source(&wit(&format!("/// Takes it.\ntake: func(value: {ty}) -> result<_, problem>;"))))
    };
    assert!(nested(32).is_ok());
    assert_eq!(nested(33).unwrap_err().reason, "its type is nested more than 32 deep");
}
