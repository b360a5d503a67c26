//! The codec proven over types made up by proptest: JSON to values and back is the same JSON, fits the published schema,
//! and means the same however it is written; what does not fit is told with places that can be found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "common/types.rs"]
mod types;

use boon::{Compiler, Draft, Schemas};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use truc_contract::{Contract, openapi, read_sources};
use truc_model::{Code, Problem};
use truc_sandbox::codec::{Outcome, Values};
use truc_sandbox::{Arguments, Codec};
use types::{Dice, Ty, scrambled, ty, value, wit};

/// Arrays and objects inside one another that are read at most.
const MAX_DEPTH: usize = 64;

fn contract(ty: &Ty) -> Contract {
    let text = wit(ty);
    read_sources(&[("case.wit".to_owned(), text.clone())]).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn decode(codec: &Codec, body: &[u8]) -> Result<Values, Problem> {
    codec.decode(0, &Arguments { path: &[], query: None, body })
}

/// What a request with this value has for a body: the record itself, or an object with it.
fn body(ty: &Ty, value: &Value) -> Value {
    if matches!(ty, Ty::Record(_)) { value.clone() } else { json!({ "value": value }) }
}

fn scrambled_body(ty: &Ty, value: &Value, dice: &mut Dice) -> String {
    let text = scrambled(ty, value, dice);
    if matches!(ty, Ty::Record(_)) { text } else { format!("{{\"value\":{text}}}") }
}

/// A type with some of its values.
fn typed() -> impl Strategy<Value = (Ty, Vec<Value>)> {
    // An answer that is none or an error is a problem, so those stand inside something.
    let whole = ty().prop_map(|ty| match ty {
        Ty::Option(_) | Ty::Result(..) => Ty::Tuple(vec![ty]),
        ty => ty,
    });
    whole.prop_flat_map(|ty| {
        let values = prop::collection::vec(value(&ty), 1..4);
        (Just(ty), values)
    })
}

/// Holds JSON against the schemas that the contract's document publishes for the request and the answer.
struct Published {
    schemas: Schemas,
    request: boon::SchemaIndex,
    answer: boon::SchemaIndex,
}

impl Published {
    fn of(contract: &Contract) -> Self {
        let document: Value =
            serde_json::from_slice(&openapi::document(contract, &"case".parse().unwrap())).unwrap();
        let address = "https://contract.example/openapi.json";
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.enable_content_assertions();
        compiler.add_resource(address, document).unwrap();
        let mut schemas = Schemas::new();
        let operation = format!("{address}#/paths/~1items~1echo/post");
        let json = "content/application~1json/schema";
        let request = compiler.compile(&format!("{operation}/requestBody/{json}"), &mut schemas).unwrap();
        let answer = compiler.compile(&format!("{operation}/responses/200/{json}"), &mut schemas).unwrap();
        Self { schemas, request, answer }
    }

    fn check(&self, index: boon::SchemaIndex, value: &Value) -> Result<(), TestCaseError> {
        let checked = self.schemas.validate(value, index);
        checked.map_err(|error| TestCaseError::fail(format!("{value}\n{error:#}")))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn json_to_values_and_back_is_the_same_and_fits_the_published_schema(
        (ty, values) in typed(),
        seed in any::<u64>(),
    ) {
        let contract = contract(&ty);
        let codec = Codec::of(&contract);
        let published = Published::of(&contract);
        for value in values {
            let body = body(&ty, &value);
            let decoded = decode(&codec, body.to_string().as_bytes())
                .map_err(|problem| TestCaseError::fail(format!("{body}\n{problem}")))?;

            // Byte for byte what serde_json writes, in the order of the contract.
            let Outcome::Answer { status, body: answer } = codec.encode(0, &decoded, usize::MAX).unwrap() else {
                return Err(TestCaseError::fail("a problem"));
            };
            prop_assert_eq!((status, String::from_utf8(answer).unwrap()), (200, value.to_string()));
            let request = codec.request(0, &decoded).unwrap();
            prop_assert_eq!(String::from_utf8(request.body).unwrap(), body.to_string());
            published.check(published.request, &body)?;
            published.check(published.answer, &value)?;

            // However it is written, it is the same value.
            let other = scrambled_body(&ty, &value, &mut Dice(seed));
            let again = decode(&codec, other.as_bytes())
                .map_err(|problem| TestCaseError::fail(format!("{other}\n{problem}")))?;
            prop_assert!(again == decoded, "{} is read differently", other);
        }
    }

    #[test]
    fn faults_name_places_that_are_there_or_are_missing(
        (ty, values) in typed(),
        damages in prop::collection::vec((any::<Index>(), damage()), 1..4),
    ) {
        let codec = Codec::of(&contract(&ty));
        for value in values {
            let mut body = body(&ty, &value);
            for (at, damage) in &damages {
                let mut places: Vec<String> = Vec::new();
                pointers(&body, String::new(), &mut places);
                damage.apply(&mut body, at.get(places.as_slice()).as_str());
            }
            match decode(&codec, body.to_string().as_bytes()) {
                Ok(decoded) => {
                    let request = codec.request(0, &decoded).unwrap();
                    prop_assert!(decode(&codec, &request.body).unwrap() == decoded);
                }
                Err(problem) => {
                    prop_assert_eq!(problem.code.as_ref(), "invalid-request");
                    prop_assert!(!problem.errors.is_empty());
                    for fault in &problem.errors {
                        let parent = fault.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                        prop_assert!(body.pointer(parent).is_some(), "{} of {}", fault.pointer, body);
                        prop_assert!(!fault.detail.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_json_and_what_is_not_is_as_serde_json_sees_it(
        (ty, values) in typed(),
        damages in prop::collection::vec((any::<Index>(), 0_usize..6, select_piece()), 0..4),
    ) {
        let codec = Codec::of(&contract(&ty));
        let mut bytes = body(&ty, &values[0]).to_string().into_bytes();
        for (at, cut, piece) in damages {
            let begin = at.index(bytes.len() + 1);
            let end = (begin + cut).min(bytes.len());
            bytes.splice(begin..end, piece.bytes());
        }
        let malformed = decode(&codec, &bytes).is_err_and(|problem| problem.is(Code::MalformedJson));
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(value) => prop_assert_eq!(malformed, depth(&value) > MAX_DEPTH),
            // A number that no float holds is JSON all the same.
            Err(error) => prop_assert!(malformed || error.to_string().contains("number out of range")),
        }
    }
}

/// Something done to a value inside a document.
#[derive(Debug, Clone)]
enum Damage {
    Replace(Value),
    Remove,
    Add(String, Value),
}

fn damage() -> impl Strategy<Value = Damage> {
    let scalars = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[1, {"a": null}]])),
        Just(json!({"kind": "a", "value": [1], "ok": 2})),
    ];
    let names = prop_oneof![Just("kind".to_owned()), Just("value".to_owned()), "[a-z~/]{0,6}"];
    prop_oneof![
        scalars.clone().prop_map(Damage::Replace),
        Just(Damage::Remove),
        (names, scalars).prop_map(|(name, value)| Damage::Add(name, value)),
    ]
}

impl Damage {
    fn apply(&self, document: &mut Value, pointer: &str) {
        if let Self::Remove = self {
            let Some((parent, name)) = pointer.rsplit_once('/') else { return };
            match document.pointer_mut(parent) {
                Some(Value::Object(members)) => {
                    members.remove(&name.replace("~1", "/").replace("~0", "~"));
                }
                Some(Value::Array(items)) => {
                    items.remove(name.parse().unwrap());
                }
                _ => {}
            }
            return;
        }
        let Some(place) = document.pointer_mut(pointer) else { return };
        match (self, place) {
            (Self::Add(name, value), Value::Object(members)) => {
                members.insert(name.clone(), value.clone());
            }
            (Self::Add(_, value), Value::Array(items)) => items.push(value.clone()),
            (Self::Add(_, value) | Self::Replace(value), place) => *place = value.clone(),
            (Self::Remove, _) => {}
        }
    }
}

/// Every place in a document.
fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            pointers(value, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
        }),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| pointers(value, format!("{at}/{index}"), found));
        }
        _ => {}
    }
    found.push(at);
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Pieces of JSON, and of what is almost JSON.
fn select_piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "", "", "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "\\udc00", "\\u00e9", "\\x",
        "null", "nul", "true", "0", "-", "-0", "01", "1.", ".5", "1e5", "1e", "1e999", "+1", " ", "\n",
        "\u{b}", "\u{0}", "\u{feff}", "đ", "\u{7f}", "/", "\"a\":1,", "[[[[", "]]]]",
    ])
}
