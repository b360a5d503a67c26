//! The OpenAPI documents of the repository's contracts: word for word, and what must hold of every one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;

use boon::{Compiler, Schemas};
use common::documents::{check_components, check_examples, described, described_wit, operations, walk};
use common::{CONTRACTS, contract};
use serde_json::Value;
use truc_contract::openapi::{document, operation_id};
use truc_model::Code;

#[test]
fn documents_are_word_for_word_as_they_were() {
    for name in CONTRACTS {
        let document = described(&contract(name));
        insta::with_settings!({ omit_expression => true }, { insta::assert_json_snapshot!(name, document) });
    }
}

#[test]
fn the_same_contract_and_service_give_the_same_bytes() {
    for name in CONTRACTS {
        let service = name.parse().unwrap();
        assert_eq!(document(&contract(name), &service), document(&contract(name), &service));
        assert_ne!(document(&contract(name), &service), document(&contract(name), &"other".parse().unwrap()));
    }
}

#[test]
fn operation_identifiers_are_unique_and_tags_declared() {
    for name in CONTRACTS {
        let contract = contract(name);
        let document = described(&contract);
        let found: Vec<&str> = operations(&document)
            .iter()
            .map(|(_, operation)| operation["operationId"].as_str().unwrap())
            .collect();
        let unique: BTreeSet<&str> = found.iter().copied().collect();
        assert_eq!(found.len(), contract.operations.len(), "{name}");
        assert_eq!(unique.len(), found.len(), "{name}");
        assert!(
            contract.operations.iter().all(|operation| unique.contains(&*operation_id(operation))),
            "{name}"
        );
        let tags: BTreeSet<&str> =
            document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
        for (at, operation) in operations(&document) {
            assert!(tags.contains(operation["tags"][0].as_str().unwrap()), "{name}: {at}");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{name}: {at}");
        }
    }
}

#[test]
fn references_lead_somewhere_and_component_names_are_plain() {
    for name in CONTRACTS {
        check_components(name, &described(&contract(name)));
    }
}

#[test]
fn path_parameters_are_those_of_the_path() {
    for name in CONTRACTS {
        let document = described(&contract(name));
        for (at, operation) in operations(&document) {
            let path = at.split_once(' ').unwrap().1;
            let in_path: BTreeSet<&str> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            let parameters = operation["parameters"].as_array().unwrap();
            let declared: BTreeSet<&str> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| {
                    assert_eq!(parameter["required"], true, "{name}: {at}");
                    parameter["name"].as_str().unwrap()
                })
                .collect();
            assert_eq!(in_path, declared, "{name}: {at}");
        }
    }
}

#[test]
fn examples_fit_their_schemas() {
    for name in CONTRACTS {
        let document = described(&contract(name));
        // At least one each for what goes in or comes out.
        assert!(check_examples(&document) >= operations(&document).len(), "{name}");
    }
}

#[test]
fn made_up_examples_fit_their_schemas_too() {
    let document = described_wit(
        "enum size { small, large }\nflags rights { read, write }\nvariant figure { circle(f32), nothing }\n\
         variant empty-first { nothing, circle(f32) }\n\
         record every {\n  truth: bool, tiny: u8, huge: u64, sign: s64, small: s16, float: f32, letter: char, text: string,\n\
           bytes: list<u8>, %list: list<string>, pair: tuple<u8, string>, maybe: option<u32>, way: result<u8, string>,\n\
           either: result, size: size, rights: rights, figure: figure, empty: empty-first,\n\
           /// @min 3\n  /// @max 3\n  three: list<size>,\n\
           /// @max 0\n  none: list<u32>,\n\
           /// @min 5\n  from-five: u8,\n\
           /// @max 0\n  at-most-zero: s8,\n\
           /// @min 18446744073709551615\n  greatest: u64,\n\
           /// @min 6\n  /// @max 6\n  six: list<u8>,\n\
           /// @format date\n  day: string,\n  /// @format date-time\n  moment: string,\n  /// @format email\n  mail: string,\n\
           /// @format uri\n  link: string,\n  /// @format uuid\n  id: string,\n\
           /// @pattern ^[0-9]$\n  optional-pattern: option<string>,\n\
         }\n\
         /// Takes it.\ntake: func(value: every, again: option<every>) -> result<every, problem>;\n\
         /// Finds some.\n/// @http GET /every\n/// @param sizes @min 1\n\
         find: func(sizes: list<size>, notes: list<string>, note: option<string>) -> result<option<every>, problem>;",
    );
    // Two of them are those of headers that every such operation has.
    assert_eq!(check_examples(&document), 9);
    let body =
        &document["paths"]["/items/take"]["post"]["requestBody"]["content"]["application/json"]["example"];
    assert_eq!(body["value"]["three"], serde_json::json!(["small", "small", "small"]));
    assert_eq!(body["value"]["none"], serde_json::json!([]));
    assert_eq!(body["value"].get("optionalPattern"), None);
    // A list that may not be empty must be sent.
    let required: Vec<bool> = document["paths"]["/every"]["get"]["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| parameter["required"].as_bool().unwrap())
        .collect();
    assert_eq!(required, [true, false, false]);
}

#[test]
fn nothing_is_made_up_against_a_pattern() {
    let document = described_wit(
        "/// A code.\n/// @pattern ^[0-9]{5}$\ntype code = string;\n\
         /// Gives codes.\n/// @http GET /codes/{code}\nget: func(code: code) -> result<list<code>, problem>;\n\
         /// Gives some codes.\n/// @param count @min 2\n\
         some: func(count: u8) -> result<tuple<code, code>, problem>;",
    );
    let get = &document["paths"]["/codes/{code}"]["get"];
    assert_eq!(get["parameters"][0].get("example"), None);
    assert_eq!(get["responses"]["200"]["content"]["application/json"]["example"], serde_json::json!([]));
    let some = &document["paths"]["/items/some"]["post"];
    assert_eq!(
        some["requestBody"]["content"]["application/json"]["example"],
        serde_json::json!({ "count": 2 })
    );
    assert_eq!(some["responses"]["200"]["content"]["application/json"].get("example"), None);
}

/// Who may meet a problem.
#[derive(Debug, PartialEq, Eq)]
enum MetBy {
    /// Whoever calls any operation.
    EveryCall,
    /// Whoever calls an operation with a body, with personal data, that changes something, or with an answer that may be
    /// none.
    SomeCalls,
    /// Whoever calls an operation whose error type has a case of that name.
    Cases,
    /// Those who administer the host, those who read documents, or nobody.
    NoCall,
}

/// Without a `_`, so that a new code has to be put somewhere.
fn met_by(code: Code) -> MetBy {
    match code {
        Code::MalformedRequest
        | Code::MissingKey
        | Code::WrongKey
        | Code::NotGranted
        | Code::AccountSuspended
        | Code::ServiceNotFound
        | Code::RouteNotFound
        | Code::MethodNotAllowed
        | Code::RequestTimeout
        | Code::InvalidRequest
        | Code::HeadersTooLarge
        | Code::Internal
        | Code::ConnectorTrapped
        | Code::ConnectorCpuExhausted
        | Code::ConnectorMemoryExhausted
        | Code::AnswerTooLarge
        | Code::AnswerInvalid
        | Code::TooBusy
        | Code::LedgerUnavailable
        | Code::ShuttingDown
        | Code::DeadlineExceeded => MetBy::EveryCall,
        Code::MalformedJson
        | Code::BodyTooLarge
        | Code::UnsupportedMediaType
        | Code::PurposeRequired
        | Code::IdempotencyKeyInUse
        | Code::IdempotencyKeyReused
        | Code::OutcomeUnknown
        | Code::NotFound => MetBy::SomeCalls,
        Code::Invalid
        | Code::Denied
        | Code::Conflict
        | Code::Limited
        | Code::UpstreamTimeout
        | Code::UpstreamFailed
        | Code::Unavailable
        | Code::Rejected => MetBy::Cases,
        Code::Abandoned
        | Code::ComponentMalformed
        | Code::ComponentTooLarge
        | Code::ComponentTooCostly
        | Code::ImportRefused
        | Code::ManifestInvalid
        | Code::ContractMismatch
        | Code::ContractInvalid
        | Code::ContractNotPublished
        | Code::ContractBreaking
        | Code::ContractVersionBackwards
        | Code::NameTaken
        | Code::ItemNotFound
        | Code::ServiceInvalid
        | Code::SecretInUse
        | Code::VaultUnusable
        | Code::StoreUnavailable => MetBy::NoCall,
    }
}

#[test]
fn every_problem_of_every_operation_is_documented() {
    let always: Vec<Code> =
        Code::ALL.iter().copied().filter(|code| met_by(*code) == MetBy::EveryCall).collect();
    for name in CONTRACTS {
        let contract = contract(name);
        let document = described(&contract);
        for operation in &contract.operations {
            let method = operation.method.as_str().to_ascii_lowercase();
            let responses = &document["paths"][operation.path.as_str()][&method]["responses"];
            let documented = |status: u16, code: &str| {
                let reference = responses[status.to_string()]["$ref"].as_str().unwrap_or_default();
                let response = document.pointer(reference.trim_start_matches('#')).unwrap();
                let content = &response["content"]["application/problem+json"];
                let schema = content["schema"]["$ref"].as_str().unwrap();
                assert!(schema.starts_with("#/components/schemas/ProblemDetails"), "{schema}");
                let example = &content["examples"][code]["value"];
                assert_eq!(
                    (&example["type"], &example["status"], &example["code"]),
                    (&format!("urn:truc:problem:{code}").into(), &status.into(), &code.into()),
                    "{name}: {}: an example of {status} {code}",
                    operation.name
                );
                assert!(!example["title"].as_str().unwrap().is_empty());
                let told =
                    response["description"].as_str().unwrap_or_default().contains(&format!("* `{code}`: "));
                assert!(told, "{name}: {}: {status} {code}", operation.name);
            };
            operation.errors.iter().for_each(|case| documented(case.status, &case.name));
            always.iter().for_each(|code| documented(code.status(), code.as_str()));
            if operation.takes_body() {
                documented(400, "malformed-json");
                documented(413, "body-too-large");
                documented(415, "unsupported-media-type");
            }
            if operation.pii.is_some() {
                documented(422, "purpose-required");
            }
            if !operation.method.is_safe() {
                documented(409, "idempotency-key-in-use");
                documented(422, "idempotency-key-reused");
                documented(409, "outcome-unknown");
            }
            let success = if operation.ok.is_some() { "200" } else { "204" };
            assert!(responses.get(success).is_some(), "{name}: {}", operation.name);
        }
    }
}

#[test]
fn personal_data_demands_a_purpose_and_is_marked() {
    let document = described(&contract("trial"));
    let required = |path: &str| {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        parameters.iter().find(|parameter| parameter["name"] == "truc-purpose").unwrap()["required"].clone()
    };
    assert_eq!((required("/people/{id}"), required("/things/{id}")), (Value::from(true), Value::from(false)));
    assert_eq!(document["components"]["schemas"]["CitizenId"]["x-personal-data"], "basic");
}

#[test]
fn rules_become_keywords_or_words() {
    let document = described_wit(
        "/// A record.\nrecord item {\n  /// @min 1\n  /// @max 9\n  number: u8,\n  /// A large one.\n  /// @min 1\n  /// @max 9\n  large: u64,\n\
         /// @max 3\n  text: option<string>,\n  /// @min 2\n  %list: list<u8>,\n  /// @max 4\n  texts: list<string>,\n}\n\
         /// Takes it.\ntake: func(item: item) -> result<_, problem>;",
    );
    let fields = &document["components"]["schemas"]["Item"]["properties"];
    assert_eq!(
        (&fields["number"]["minimum"], &fields["number"]["maximum"]),
        (&Value::from(1), &Value::from(9))
    );
    assert_eq!(fields["large"]["description"], "A large one.\n\nFrom 1 to 9.");
    assert_eq!(fields["text"]["anyOf"][0]["maxLength"], 3);
    assert_eq!(
        (&fields["list"]["minLength"], &fields["list"]["description"]),
        (&Value::from(4), &Value::from("At least 2 bytes."))
    );
    assert_eq!(fields["texts"]["maxItems"], 4);
}

#[test]
fn deprecated_operations_are_marked() {
    let document = described_wit(
        "/// Old.\n@since(version = 1.0.0)\n@deprecated(version = 1.0.0)\nold: func() -> result<_, problem>;\n\
         /// New.\nnew: func() -> result<_, problem>;",
    );
    assert_eq!(document["paths"]["/items/old"]["post"]["deprecated"], true);
    assert_eq!(document["paths"]["/items/new"]["post"].get("deprecated"), None);
}

#[test]
fn a_discriminator_leads_to_the_schema_of_each_case() {
    let mut variants = 0;
    for name in CONTRACTS {
        let document = described(&contract(name));
        walk(&document, "", &mut |pointer, value| {
            let Some(mapping) = value.get("discriminator").and_then(|found| found["mapping"].as_object())
            else {
                return;
            };
            variants += 1;
            let targets: Vec<&Value> = mapping.values().collect();
            let alternatives = value["oneOf"].as_array().unwrap();
            let references: Vec<&Value> = alternatives.iter().map(|case| &case["$ref"]).collect();
            assert_eq!(targets, references, "{pointer}");
            for (case, target) in mapping {
                let target = target.as_str().unwrap().strip_prefix('#').unwrap();
                let schema = document.pointer(target).unwrap_or_else(|| panic!("{target} is not there"));
                assert_eq!(schema["properties"]["kind"]["const"], **case, "{target}");
            }
        });
    }
    assert!(variants > 0);
}

#[test]
fn texts_in_headers_and_base64_have_patterns_that_fit() {
    let land = described(&contract("land"));
    let fits = |schema: &Value, text: &str| {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        compiler.add_resource("schema.json", schema.clone()).unwrap();
        let index = compiler.compile("schema.json", &mut schemas).unwrap();
        schemas.validate(&text.into(), index).is_ok()
    };

    let operation = &land["paths"]["/parcels"]["get"];
    let parameters = operation["parameters"].as_array().unwrap();
    let purpose = &parameters.iter().find(|found| found["name"] == "truc-purpose").unwrap()["schema"];
    for right in ["x", "Giải quyết thủ tục", "a b"] {
        assert!(fits(purpose, right), "{right:?}");
    }
    for wrong in ["", " ", " a", "a ", "a\tb", "a\u{85}b", "\u{7f}"] {
        assert!(!fits(purpose, wrong), "{wrong:?}");
    }

    let content = &land["components"]["schemas"]["Attachment"]["properties"]["content"];
    for right in ["", "AA==", "AAE=", "AAEC", "JVBERi0xLjQK"] {
        assert!(fits(content, right), "{right:?}");
    }
    for wrong in ["A", "AA", "AA=", "AB==", "AAF=", "AA==AAEC", "AA\n="] {
        assert!(!fits(content, wrong), "{wrong:?}");
    }
}
