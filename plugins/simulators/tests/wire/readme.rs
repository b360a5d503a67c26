//! The page of this crate is what others write connectors against, so its examples are run as they stand.

use hyper::Method;
use serde_json::Value;
use truc_simulators::System;

use crate::client::Bench;
use crate::payment;

const README: &str = include_str!("../../README.md");

/// An example: the system by its chapter, the request, the answer.
struct Example {
    system: System,
    method: Method,
    path: String,
    body: String,
    answer: Value,
}

fn examples(samples: &Value) -> Vec<Example> {
    let mut system = None;
    let mut request = None;
    let mut examples = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        match line {
            "## Civil status" => system = Some(System::CivilStatus),
            "## Land" => system = Some(System::Land),
            "## Insurance" => system = Some(System::Insurance),
            "## Postal" => system = Some(System::Postal),
            "## Payment" => system = Some(System::Payment),
            _ => {}
        }
        let mut block = || lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n");
        if let Some(head) = line.strip_prefix("```json request ") {
            let (method, path) = head.split_once(' ').unwrap();
            request = Some((method.parse().unwrap(), filled(path, samples), filled(&block(), samples)));
        } else if line == "```json answer" {
            let answer =
                serde_json::from_str(&block()).unwrap_or_else(|error| panic!("{error} in an answer"));
            // The answer of `/token` stands alone: its request is a form.
            if let (Some(system), Some((method, path, body))) = (system, request.take()) {
                examples.push(Example { system, method, path, body, answer });
            }
        }
    }
    examples
}

/// Puts the samples into their places.
fn filled(text: &str, samples: &Value) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap();
        filled.push_str(before);
        if name == "signature" {
            filled.push_str("{{signature}}");
        } else {
            let value = samples.pointer(&format!("/{}", name.replace('.', "/")));
            let value = value.unwrap_or_else(|| panic!("no sample {name}"));
            filled.push_str(value.as_str().unwrap_or(&value.to_string()));
        }
        rest = after;
    }
    filled + rest
}

/// Whether an answer has the members of the example, and no others, with the same types. An example with an ellipsis
/// among its values shows only some members.
fn compare(at: &str, example: &Value, answer: &Value) {
    match (example, answer) {
        (Value::Object(example), Value::Object(answer)) => {
            for (name, example) in example {
                let found = answer.get(name).unwrap_or_else(|| panic!("{at}/{name} is missing"));
                compare(&format!("{at}/{name}"), example, found);
            }
            let partial = example.values().any(|value| value == "…");
            for name in answer.keys().filter(|_| !partial) {
                assert!(example.contains_key(name), "{at}/{name} is not in the example");
            }
        }
        (Value::Array(example), Value::Array(answer)) => {
            assert_eq!(example.is_empty(), answer.is_empty(), "{at}");
            if let (Some(example), Some(answer)) = (example.first(), answer.first()) {
                compare(&format!("{at}/0"), example, answer);
            }
        }
        _ => assert_eq!(
            std::mem::discriminant(example),
            std::mem::discriminant(answer),
            "{at}: {example} in the example, {answer} in the answer"
        ),
    }
}

#[tokio::test]
async fn every_example_is_answered_as_shown() {
    let bench = Bench::new().await;
    let examples = examples(&bench.samples().await);
    assert!(examples.len() >= 22, "only {} examples", examples.len());
    for Example { system, method, path, body, answer } in examples {
        let mut body: Value =
            if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() };
        if system == System::Payment {
            body["MaXacThuc"] = payment::code_of(&body).into();
        }
        let found = bench.call(system, method, &path, &body).await;
        assert_eq!(found.status, 200, "{path}");
        let found = found.json();
        compare(&path, &answer, &found);
        for success in ["errorCode", "MaLoi", "Status"] {
            assert_eq!(answer.get(success), found.get(success), "{path}: {found}");
        }
    }
}

#[tokio::test]
async fn the_samples_are_as_shown() {
    let bench = Bench::new().await;
    let (_, after) = README.split_once("```json samples\n").unwrap();
    let shown: Value = serde_json::from_str(after.split_once("```").unwrap().0).unwrap();
    let samples = bench.samples().await;
    compare("", &shown, &samples);
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&shown), names(&samples));
}

#[test]
fn credentials_are_those_of_the_page() {
    use truc_simulators::credentials::*;
    for credential in [
        CIVIL_STATUS_CLIENT,
        CIVIL_STATUS_SECRET,
        LAND_TOKEN,
        INSURANCE_USER,
        INSURANCE_PASSWORD,
        POSTAL_TOKEN,
        PAYMENT_PARTNER,
        PAYMENT_SECRET,
    ] {
        assert!(README.contains(&format!("`{credential}`")), "{credential}");
    }
}
