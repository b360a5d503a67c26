//! What must hold of every input to the decoder, however it came about. Shared by the fuzz target and by the test that
//! replays its corpus.

use std::sync::OnceLock;

use serde_json::Value;
use truc_contract::read_sources;
use truc_model::Code;
use truc_sandbox::{Arguments, Codec};

/// The codec of the contract in `every.wit`.
pub(crate) fn codec() -> &'static Codec {
    static CODEC: OnceLock<Codec> = OnceLock::new();
    CODEC.get_or_init(|| {
        let text = include_str!("every.wit").to_owned();
        Codec::of(&read_sources(&[("every.wit".to_owned(), text)]).unwrap())
    })
}

/// The operation that takes its arguments from path and query.
const QUERY: usize = 2;

/// Decodes an input, whose first byte chooses the operation, and checks what comes of it.
pub(crate) fn check(input: &[u8]) {
    let Some((first, body)) = input.split_first() else { return };
    match usize::from(*first) % 3 {
        QUERY => check_query(body),
        operation => check_body(operation, body),
    }
}

fn check_body(operation: usize, body: &[u8]) {
    let decoded = codec().decode(operation, &Arguments { path: &[], query: None, body });
    let malformed = decoded.as_ref().is_err_and(|problem| problem.is(Code::MalformedJson));
    // What is JSON and what is not is as serde_json sees it, but for depth and for numbers beyond all floats.
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => assert_eq!(malformed, depth(&value) > 64),
        Err(error) => {
            let bounds = ["number out of range", "recursion limit exceeded"];
            assert!(malformed || bounds.iter().any(|bound| error.to_string().contains(bound)), "{error}");
        }
    }
    match decoded {
        Ok(values) => {
            let request = codec().request(operation, &values).unwrap();
            let again = codec()
                .decode(operation, &Arguments { path: &[], query: None, body: &request.body })
                .unwrap();
            assert!(again == values, "it is read differently when it is written again");
            assert_eq!(codec().request(operation, &again).unwrap().body, request.body);
        }
        Err(problem) => assert!(problem.errors.len() <= 100 && !problem.code.is_empty()),
    }
}

fn check_query(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let path = [("word", line()), ("number", line())];
    let query = Some(line());
    if let Ok(values) = codec().decode(QUERY, &Arguments { path: &path, query, body: b"" }) {
        let request = codec().request(QUERY, &values).unwrap();
        let path: Vec<(&str, &str)> =
            request.path.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let again = Arguments { path: &path, query: Some(&request.query), body: &request.body };
        assert!(codec().decode(QUERY, &again).unwrap() == values);
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
