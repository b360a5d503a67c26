//! Values of every type through the real engine and a real component and back: one case for each row of the table in
//! `docs/contracts.md`, and for what the rows make together.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::{call, call_with, environment};
use serde_json::{Value, json};
use truc_model::{Bytes, Limits, Millis};

/// A value of a case of `anything`.
fn of(kind: &str, value: Value) -> Value {
    json!({ "kind": kind, "value": value })
}

fn rows() -> Vec<(&'static str, Value)> {
    let numbered = |index: usize| of("numbered", json!(format!("n{index}")));
    let marks = |marks: &[usize]| {
        of("marks", marks.iter().map(|index| Value::from(format!("m{index}"))).collect::<Vec<_>>().into())
    };
    let all: Vec<usize> = (0..32).collect();
    vec![
        ("bool", of("truth", json!(true))),
        ("bool: false", of("truth", json!(false))),
        ("u8: least", of("u8", json!(0))),
        ("u8: greatest", of("u8", json!(255))),
        ("u16: greatest", of("u16", json!(65535))),
        ("u32: greatest", of("u32", json!(u32::MAX))),
        ("u64: least", of("u64", json!("0"))),
        ("u64: greatest", of("u64", json!("18446744073709551615"))),
        ("s8: least", of("s8", json!(-128))),
        ("s8: greatest", of("s8", json!(127))),
        ("s16: least", of("s16", json!(i16::MIN))),
        ("s32: least", of("s32", json!(i32::MIN))),
        ("s32: greatest", of("s32", json!(i32::MAX))),
        ("s64: least", of("s64", json!("-9223372036854775808"))),
        ("s64: greatest", of("s64", json!("9223372036854775807"))),
        ("f32", of("f32", json!(-0.15625))),
        ("f32: greatest", of("f32", serde_json::from_str("3.4028235e38").unwrap())),
        ("f64", of("f64", json!(0.1))),
        ("f64: greatest", of("f64", json!(f64::MAX))),
        ("f64: least above 0", of("f64", json!(5e-324))),
        ("f64: negative zero", of("f64", json!(-0.0))),
        ("char", of("letter", json!("ế"))),
        ("char beyond the basic plane", of("letter", json!("𝄞"))),
        ("char: last", of("letter", json!("\u{10ffff}"))),
        ("char: control", of("letter", json!("\u{0}"))),
        ("string", of("text", json!("Nguyễn \"Thị\"\\\n\t\u{1}\u{7f}𝄞"))),
        ("string: empty", of("text", json!(""))),
        ("string: long", of("text", json!("đ".repeat(200_000)))),
        ("list<u8>", of("bytes", json!("AAEC/w=="))),
        ("list<u8>: empty", of("bytes", json!(""))),
        ("list<T>", of("numbers", json!([0, 1, 65535]))),
        ("list<T>: empty", of("numbers", json!([]))),
        ("list<T>: big", of("numbers", (0..20_000).map(|n| n % 65536).collect::<Vec<u32>>().into())),
        ("list of strings", of("texts", json!(["", "a", "đ"]))),
        ("list of chars", of("letters", json!(["a", "ế", "𝄞"]))),
        ("list of bytes", of("lists-of-bytes", json!(["", "AA==", "AAE="]))),
        ("list of lists", of("lists", json!([[], ["-1"], ["2", "3"]]))),
        (
            "list of records",
            of("records", json!([{"amount": "3", "currency": "VND"}, {"amount": "2", "currency": "USD"}])),
        ),
        ("list of options", of("options", json!(["a", null, ""]))),
        ("list of tuples", of("pairs", json!([[1, "a", 1.5], [2, null, -2.0]]))),
        (
            "list of results",
            of("outcomes", json!([{"ok": "AA=="}, {"err": {"amount": "1", "currency": "VND"}}])),
        ),
        (
            "list of variants",
            of("figures", json!([{"kind": "nothing"}, of("circle", json!(1.0)), of("named", json!("a"))])),
        ),
        ("list of flags", of("several-rights", json!([[], ["read"], ["read", "write", "pass-on"]]))),
        ("tuple", of("pair", json!(["a", true]))),
        ("option: something", of("maybe-record", json!({"amount": "1", "currency": "VND"}))),
        ("option: nothing", json!({"kind": "maybe-record"})),
        (
            "record: all members",
            of(
                "sparse",
                json!({"first": 1, "second": "a", "third": {"amount": "1", "currency": "VND"}, "fourth": [1]}),
            ),
        ),
        ("record: no member", of("sparse", json!({}))),
        ("record: the last member", of("sparse", json!({"fourth": []}))),
        (
            "record in record",
            of(
                "outer",
                json!({
                    "middle": {"inner": [
                        {"figure": of("rectangle", json!([1, 2])), "outcome": {"ok": ["small", "large"]}},
                        {"figure": {"kind": "named"}, "outcome": {"err": {"amount": "0", "currency": "VND"}}},
                    ]},
                    "name": "x",
                }),
            ),
        ),
        ("enumeration: first", numbered(0)),
        ("enumeration beyond one byte", numbered(259)),
        ("flags: none", marks(&[])),
        ("flags: the first and the last", marks(&[0, 31])),
        ("flags: all", marks(&all)),
        ("variant without value", json!({"kind": "nothing"})),
        ("result: ok alone", of("ok-only", json!({"ok": 7}))),
        ("result: ok alone, failed", of("ok-only", json!({"err": null}))),
        ("result: err alone", of("err-only", json!({"err": "no"}))),
        ("result: err alone, succeeded", of("err-only", json!({"ok": null}))),
        ("result: neither", of("either-way", json!({"ok": null}))),
        ("result: neither, failed", of("either-way", json!({"err": null}))),
    ]
}

async fn echoed(operation: &str, body: &Value) -> Value {
    let limits = Limits { cpu: Millis(10_000), deadline: Millis(60_000), ..Limits::default() };
    let answer = call_with(&environment(limits), operation, &[], None, body.to_string().as_bytes()).await;
    let answer = answer.unwrap_or_else(|error| panic!("{}: {:?}", error.problem, error.cause));
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_table_comes_back_as_it_went() {
    for (row, value) in rows() {
        let echoed = echoed("shapes/echo-anything", &json!({ "values": [value] })).await;
        assert!(echoed == json!([value]), "{row}: {echoed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_together_come_back_in_their_order() {
    let values: Vec<Value> = rows().into_iter().map(|(_, value)| value).collect();
    let echoed = echoed("shapes/echo-anything", &json!({ "values": values })).await;
    assert!(echoed == Value::from(values));
    assert_eq!(call("shapes/echo-anything", &[], None, &json!({ "values": [] })).await.unwrap().body, b"[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn big_lists_and_many_bytes_come_back() {
    let records: Vec<Value> = (0..5_000)
        .map(|index| match index % 3 {
            0 => json!({}),
            1 => json!({"first": index % 256, "second": "x".repeat(index % 50)}),
            _ => {
                json!({"third": {"amount": index.to_string(), "currency": "VND"}, "fourth": [index % 65536]})
            }
        })
        .collect();
    let echo = echoed("shapes/echo-records", &json!({ "records": records })).await;
    assert!(echo == Value::from(records));

    // Base64 is read and written piece by piece: lengths around the ends of pieces.
    for length in [0, 1, 2, 3, 3071, 3072, 3073, 3074, 6144, 1 << 20] {
        let bytes: Vec<u8> = (0_usize..length).map(|index| (index * 7 % 256) as u8).collect();
        let content = Value::from(BASE64.encode(&bytes));
        let echo = echoed("shapes/echo-bytes", &json!({ "content": content })).await;
        assert!(echo == content, "{length} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_parameters_than_wasm_functions_have_come_back() {
    let body = json!({
        "first": "a", "second": ["m0", "m31"], "third": of("circle", json!(2.5)), "fifth": {"err": "b"},
        "sixth": {"amount": "1", "currency": "VND"}, "seventh": ["c", false],
    });
    let echo = echoed("shapes/echo-many", &body).await;
    assert_eq!(
        echo,
        json!([
            body["first"],
            body["second"],
            body["third"],
            null,
            body["fifth"],
            body["sixth"],
            body["seventh"]
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn base64_that_is_not_is_refused() {
    let piece = "AAAA".repeat(1023);
    let wrong = ["A", "AA", "AAA", "AA=A", "AA==AAAA", "AAA!", "AA-_", "AAB=", "====", " AAAA", "AAAA\n"];
    let across = [format!("{piece}AA==AAAA"), format!("{piece}AAA=AAAA"), format!("{piece}AAAAA")];
    for content in wrong.into_iter().map(str::to_owned).chain(across) {
        let problem =
            call("shapes/echo-bytes", &[], None, &json!({ "content": content })).await.unwrap_err().problem;
        assert_eq!(problem.errors.len(), 1, "{content:.20}");
        assert_eq!(problem.errors[0].pointer, "/content");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_values_than_a_request_may_have_are_refused() {
    let environment = environment(Limits { request_bytes: Bytes(32 << 20), ..Limits::default() });
    // Few bytes, many absent members: each stands for a value that the host would hold.
    let many = format!("{{\"records\":[{}{{}}]}}", "{},".repeat(250_000));
    let error = call_with(&environment, "shapes/echo-records", &[], None, many.as_bytes()).await.unwrap_err();
    assert_eq!(error.problem.code, "body-too-large", "{}", error.problem);
    assert!(error.problem.detail.contains("more than 1000000 values"), "{}", error.problem);
    let scalars = format!("[{}1]", "1,".repeat(1_000_001));
    let error =
        call_with(&environment, "shapes/echo-records", &[], None, scalars.as_bytes()).await.unwrap_err();
    assert_eq!(error.problem.code, "body-too-large", "{}", error.problem);
    // More than a small request is taken to have, and not too many.
    let some = format!("{{\"records\":[{}{{}}]}}", "{},".repeat(20_000));
    let Err(error) = call_with(&environment, "shapes/echo-records", &[], None, some.as_bytes()).await else {
        return;
    };
    assert_ne!(error.problem.code, "body-too-large", "{}", error.problem);
}
