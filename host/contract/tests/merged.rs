//! The document of all that an agency may call, over all services.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;

use common::documents::{check_components, check_examples, operations};
use common::{CONTRACTS, contract, source};
use serde_json::{Value, json};
use truc_contract::openapi::{Agency, Granted, merged};
use truc_contract::{Contract, read_sources};
use truc_model::{AgencyCode, ServiceName};

fn code() -> AgencyCode {
    "H56.14".parse().unwrap()
}

/// The document of operations of services, each with its name, contract and names of operations, `*` for all.
fn of(services: &[(&str, &Contract, &[&str])]) -> Vec<u8> {
    let names: Vec<ServiceName> = services.iter().map(|(name, ..)| name.parse().unwrap()).collect();
    let granted: Vec<Granted<'_>> = services
        .iter()
        .zip(&names)
        .map(|((_, contract, granted), service)| Granted {
            service,
            contract,
            operations: contract
                .operations
                .iter()
                .filter(|operation| granted.contains(&"*") || granted.contains(&operation.name.as_str()))
                .collect(),
        })
        .collect();
    merged(Agency { code: &code(), name: "Sở Nội vụ <b>tỉnh</b>" }, &granted)
}

fn read(document: &[u8]) -> Value {
    serde_json::from_slice(document).unwrap()
}

/// The identifiers of a document's operations.
fn identifiers(document: &Value) -> Vec<&str> {
    operations(document).iter().map(|(_, operation)| operation["operationId"].as_str().unwrap()).collect()
}

#[test]
fn a_part_of_two_services_is_word_for_word_as_it_was() {
    let (land, payment) = (contract("land"), contract("payment"));
    let document = read(&of(&[
        ("land", &land, &["parcels/get-parcel"]),
        ("payment", &payment, &["*"]),
        ("postal", &contract("postal"), &[]),
    ]));
    insta::with_settings!({ omit_expression => true }, { insta::assert_json_snapshot!("part", document) });
}

#[test]
fn everything_of_every_contract_is_one_sound_document() {
    let contracts: Vec<(&str, Contract)> = CONTRACTS.iter().map(|name| (*name, contract(name))).collect();
    let services: Vec<(&str, &Contract, &[&str])> =
        contracts.iter().map(|(name, contract)| (*name, contract, &["*"][..])).collect();
    let bytes = of(&services);
    let document = read(&bytes);
    check_components("merged", &document);
    assert!(check_examples(&document) >= operations(&document).len());
    let found = identifiers(&document);
    let unique: BTreeSet<&str> = found.iter().copied().collect();
    let all: usize = contracts.iter().map(|(_, contract)| contract.operations.len()).sum();
    assert_eq!((found.len(), unique.len()), (all, all));
    assert!(found.iter().all(|id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')), "{found:?}");
    let tags: Vec<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), tags.len());
    for (at, operation) in operations(&document) {
        assert!(at.contains(" /api/"), "{at}");
        assert!(tags.contains(&operation["tags"][0].as_str().unwrap()), "{at}");
    }
    // Whatever the order in which the services are given.
    let backwards: Vec<_> = services.into_iter().rev().collect();
    assert!(of(&backwards) == bytes);
}

#[test]
fn only_what_is_granted_and_what_it_needs_is_there() {
    let land = contract("land");
    let whole = read(&of(&[("land", &land, &["*"])]));
    let part = read(&of(&[("land", &land, &["parcels/get-parcel"])]));
    assert_eq!(identifiers(&part), ["land_parcelsGetParcel"]);
    check_components("part", &part);
    assert_eq!(part["tags"].as_array().unwrap().len(), 1);
    let names = |document: &Value, kind: &str| -> BTreeSet<String> {
        document["components"][kind].as_object().unwrap().keys().cloned().collect()
    };
    assert!(names(&part, "schemas").contains("land.Parcel"));
    for kind in ["schemas", "responses"] {
        let (part, whole) = (names(&part, kind), names(&whole, kind));
        assert!(part.is_subset(&whole) && part.len() < whole.len(), "{kind}: {part:?}");
    }
    // What is there is the same as it is in the whole.
    assert_eq!(part["components"]["schemas"]["land.Parcel"], whole["components"]["schemas"]["land.Parcel"]);
    let path = "/api/land/v1/parcels/{ward}/{sheet}/{number}";
    assert_eq!(part["paths"][path], whole["paths"][path]);
}

#[test]
fn nothing_granted_is_a_document_too() {
    let document = read(&of(&[("land", &contract("land"), &[])]));
    assert_eq!((&document["paths"], &document["tags"]), (&json!({}), &json!([])));
    assert_eq!(document["components"]["schemas"], json!({}));
    assert_eq!(document["info"]["title"], "Services for H56.14");
    let description = document["info"]["description"].as_str().unwrap();
    assert_eq!(description, "No operation is granted to Sở Nội vụ \\<b\\>tỉnh\\</b\\> (H56.14) now.");
}

#[test]
fn services_of_one_contract_and_majors_of_one_service_do_not_meet() {
    let one = |version: &str| {
        let text = format!(
            "/// A.\npackage lgsp:case@{version};\n/// Items.\ninterface items {{\n\
             use truc:connector/types@0.1.0.{{problem}};\n/// An item.\nrecord item {{ id: u32 }}\n\
             /// Gives one.\nget: func(id: u32) -> result<item, problem>;\n}}\n\
             world connector {{ include truc:connector/capabilities@0.1.0; export items; }}\n"
        );
        read_sources(&source(&text)).unwrap()
    };
    let (first, second) = (one("1.0.0"), one("2.1.0"));
    let services: &[(&str, &Contract, &[&str])] = &[
        ("case", &second, &["*"]),
        ("case", &first, &["*"]),
        ("case-v2", &first, &["*"]),
        ("case-2", &first, &["*"]),
        ("case2", &first, &["*"]),
    ];
    let document = read(&of(services));
    check_components("merged", &document);
    let found: BTreeSet<&str> = identifiers(&document).into_iter().collect();
    let expected =
        ["case_itemsGet", "case_v2_itemsGet", "caseV2_itemsGet", "case_2_itemsGet", "case2_itemsGet"];
    assert_eq!(found, BTreeSet::from(expected));
    assert_eq!(document["paths"].as_object().unwrap().len(), 5);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in ["case.Item", "case.v2.Item", "case-v2.Item", "case-2.Item", "case2.Item"] {
        assert!(schemas.contains_key(name), "{name}: {:?}", schemas.keys());
    }
}
