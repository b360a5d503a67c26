//! Calls of a real component in the real engine: values of every type, powers, and everything that can go wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{call, call_with, environment};
use serde_json::{Value, json};
use tokio::time::Instant;
use truc_model::{Bytes, Limits, Millis};
use truc_sandbox::{Answer, CallError};

fn everything() -> Value {
    json!({
        "truth": true, "tiny": 255, "short": 65535, "long": 4294967295_u32, "huge": "18446744073709551615",
        "signedTiny": -128, "signedShort": -32768, "signedLong": -2147483648, "signedHuge": "-9223372036854775808",
        "single": 1.5, "double": -2.25, "letter": "ế", "text": "Nguyễn \"Thị\"\n", "bytes": "AAEC/w==",
        "numbers": [1, -2, 3], "pair": ["a", false], "maybe": "b", "outcome": {"ok": 7}, "size": "large",
        "rights": ["read", "pass-on"], "figure": {"kind": "rectangle", "value": [3, 4]},
        "price": {"amount": "150000", "currency": "VND"}, "day": "2024-02-29"
    })
}

fn code(result: Result<Answer, CallError>) -> String {
    result.expect_err("a problem").problem.code.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_come_back_as_they_went() {
    let answer = call("values/echo", &[], None, &everything()).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), everything());

    let mut other = everything();
    other["maybe"] = Value::Null;
    other["outcome"] = json!({"err": "no"});
    other["figure"] = json!({"value": null, "kind": "named"});
    other["huge"] = json!(12);
    other["rights"] = json!([]);
    let answer = call("values/echo", &[], None, &other).await.unwrap();
    let mut expected = other.clone();
    expected.as_object_mut().unwrap().remove("maybe");
    expected["figure"] = json!({"kind": "named"});
    expected["huge"] = json!("12");
    assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_without_a_fraction_is_whole_however_it_is_written() {
    let with = |member: &str, number: &str| {
        let body = everything().to_string();
        let before = format!("\"{member}\":{}", everything()[member]);
        assert!(body.contains(&before), "{before}");
        body.replacen(&before, &format!("\"{member}\":{number}"), 1)
    };
    let echo = async |body: String| {
        call_with(&environment(Limits::default()), "values/echo", &[], None, body.as_bytes()).await
    };
    for (member, written, value) in [
        ("tiny", "84.0", json!(84)),
        ("long", "4.294967295e9", json!(4_294_967_295_u32)),
        ("signedTiny", "-0.0", json!(0)),
        ("huge", "9007199254740992.0", json!("9007199254740992")),
    ] {
        let answer = echo(with(member, written)).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap()[member], value, "{written}");
    }
    for (member, written) in [("tiny", "84.5"), ("tiny", "256.0"), ("huge", "1e19"), ("text", "1.0")] {
        assert_eq!(code(echo(with(member, written)).await), "invalid-request", "{member}: {written}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_of_a_request_are_told_at_once_with_their_places() {
    let mut wrong = everything();
    wrong["tiny"] = json!(256);
    wrong["letter"] = json!("ab");
    wrong["numbers"] = json!([1, "two", 3.5]);
    wrong["size"] = json!("medium");
    wrong["day"] = json!("2025-02-29");
    wrong["price"] = json!({"amount": "-1", "currency": "dong", "extra/~member": 1});
    wrong["figure"] = json!({"kind": "square"});
    wrong["rights"] = json!(["read", "read"]);
    wrong.as_object_mut().unwrap().remove("text");
    let problem = call("values/echo", &[], None, &wrong).await.unwrap_err().problem;
    assert_eq!(problem.code, "invalid-request");
    let mut pointers: Vec<&str> = problem.errors.iter().map(|fault| fault.pointer.as_str()).collect();
    pointers.sort_unstable();
    let mut expected = [
        "/tiny",
        "/letter",
        "/numbers/1",
        "/numbers/2",
        "/size",
        "/day",
        "/price/amount",
        "/price/currency",
        "/price/extra~1~0member",
        "/figure",
        "/rights/1",
        "/text",
    ];
    expected.sort_unstable();
    assert_eq!(pointers, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_members_and_broken_json_are_refused() {
    let environment = environment(Limits::default());
    let text = everything().to_string();
    let duplicate = text.replacen("{\"truth\":true", "{\"truth\":true,\"truth\":true", 1);
    let problem =
        call_with(&environment, "values/echo", &[], None, duplicate.as_bytes()).await.unwrap_err().problem;
    assert_eq!((problem.errors.len(), problem.errors[0].pointer.as_str()), (1, "/truth"));

    for broken in ["", "{", "[1", "{\"truth\":tru}", "nul", &text[..text.len() - 1], &(text.clone() + "x")] {
        let result = call_with(&environment, "values/echo", &[], None, broken.as_bytes()).await;
        assert_eq!(code(result), "malformed-json", "{broken:.20}");
    }
    assert_eq!(code(call_with(&environment, "values/echo", &[], None, b"\"\xff\"").await), "malformed-json");
    // 64 levels are read, also where no type asks for them.
    let levels = |count: usize| format!("{}1{}", "[".repeat(count), "]".repeat(count));
    for deep in [levels(65), levels(100_000), format!("{}1", "{\"a\":".repeat(65))] {
        let error = call_with(&environment, "values/echo", &[], None, deep.as_bytes()).await.unwrap_err();
        assert_eq!(error.problem.code, "malformed-json");
        assert!(error.problem.detail.contains("more than 64 deep at line 1, column"), "{}", error.problem);
    }
    for other in ["[]", "1", "null", "\"a\"", &levels(64)] {
        assert_eq!(
            code(call_with(&environment, "values/echo", &[], None, other.as_bytes()).await),
            "invalid-request"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_queries_bind_to_parameters() {
    let path = [("word", "xin%20ch%C3%A0o")];
    let answer = call(
        "values/echo-parameters",
        &path,
        Some("count=3&sizes=small&sizes=large&note=a+b%26"),
        &Value::Null,
    )
    .await;
    let body: Value = serde_json::from_slice(&answer.unwrap().body).unwrap();
    assert_eq!(body, json!(["xin chào", 3, ["small", "large"], "a b&"]));

    let answer = call("values/echo-parameters", &path, Some("count=1"), &Value::Null).await.unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), json!(["xin chào", 1, [], null]));

    let query = "count=11&sizes=medium&note=a&note=b&other=1";
    let problem = call("values/echo-parameters", &path, Some(query), &Value::Null).await.unwrap_err().problem;
    let pointers: Vec<&str> = problem.errors.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(pointers, ["/count", "/sizes", "/note", "/other"]);
    let problem = call("values/echo-parameters", &path, None, &Value::Null).await.unwrap_err().problem;
    assert_eq!(problem.errors[0].pointer, "/count");
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_results_and_empty_successes_have_their_statuses() {
    let found = call("values/find", &[("id", "5")], None, &Value::Null).await.unwrap();
    assert_eq!((found.status, found.body.as_slice()), (200, b"\"thing 5\"".as_slice()));
    assert_eq!(code(call("values/find", &[("id", "0")], None, &Value::Null).await), "not-found");
    let removed = call("values/remove", &[("id", "5")], None, &Value::Null).await.unwrap();
    assert_eq!((removed.status, removed.body.len()), (204, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn error_cases_become_problems() {
    let expected = [
        ("not-found", 404),
        ("invalid", 422),
        ("denied", 403),
        ("conflict", 409),
        ("limited", 429),
        ("upstream-timeout", 504),
        ("upstream-failed", 502),
        ("unavailable", 503),
        ("rejected", 422),
    ];
    for (case, (code, status)) in expected.into_iter().enumerate() {
        let problem = call("faults/fail", &[("case", &case.to_string())], None, &Value::Null)
            .await
            .unwrap_err()
            .problem;
        assert_eq!((problem.code.as_ref(), problem.status), (code, status));
        match code {
            "invalid" => assert_eq!(problem.errors[0].pointer, "/a"),
            "limited" => assert_eq!(problem.retry_after, Some(7)),
            "rejected" => assert_eq!(problem.value, Some(json!({"code": "302", "message": "as asked"}))),
            _ => assert_eq!(problem.detail, "as asked"),
        }
    }
    let own = [("locked", 423), ("amount-mismatch", 422), ("limited", 429)];
    for (case, (code, status)) in own.into_iter().enumerate() {
        let problem = call("faults/refuse", &[("case", &case.to_string())], None, &Value::Null)
            .await
            .unwrap_err()
            .problem;
        assert_eq!((problem.code.as_ref(), problem.status), (code, status));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_connector_does_wrong_ends_in_its_own_code() {
    let limits = Limits { cpu: Millis(50), ..Limits::default() };
    let environment = environment(limits);
    let roomy = common::environment(Limits { cpu: Millis(5_000), ..Limits::default() });
    let cases = [
        ("faults/trap", &environment, "connector-trapped"),
        ("faults/run-forever", &environment, "connector-cpu-exhausted"),
        ("faults/flood", &environment, "connector-cpu-exhausted"),
        // Touching all the memory takes its time, which is not what is tried here.
        ("faults/allocate", &roomy, "connector-memory-exhausted"),
        ("faults/recurse", &roomy, "connector-trapped"),
        ("faults/not-a-number", &environment, "answer-invalid"),
    ];
    for (operation, environment, expected) in cases {
        let error = call_with(environment, operation, &[], None, b"").await.unwrap_err();
        assert_eq!(error.problem.code, expected, "{operation}: {:?}", error.cause);
        assert_eq!(error.problem.detail, "", "the connector's text stays inside");
    }
    let length = (9_u32 << 20).to_string();
    let error = call_with(&roomy, "faults/long-text", &[("length", &length)], None, b"").await.unwrap_err();
    assert_eq!(error.problem.code, "answer-too-large", "{:?}", error.cause);
    let length = (30_u32 << 20).to_string();
    let error = call_with(&roomy, "faults/long-text", &[("length", &length)], None, b"").await.unwrap_err();
    assert_eq!(error.problem.code, "answer-too-large", "{:?}", error.cause);
    let length = (100_u32 << 20).to_string();
    let error = call_with(&roomy, "faults/long-text", &[("length", &length)], None, b"").await.unwrap_err();
    assert_eq!(error.problem.code, "connector-memory-exhausted", "{:?}", error.cause);
    // And the engine still serves.
    assert!(call("values/find", &[("id", "5")], None, &Value::Null).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_ends_a_call_whatever_its_processor_time() {
    let limits = Limits { cpu: Millis(10_000), deadline: Millis(100), ..Limits::default() };
    let began = Instant::now();
    let result = call_with(&environment(limits), "faults/run-forever", &[], None, b"").await;
    assert_eq!(code(result), "deadline-exceeded");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn powers_reach_what_the_environment_holds_and_nothing_else() {
    let environment = environment(Limits::default());
    let greeting = call_with(&environment, "powers/greeting", &[], None, b"").await.unwrap();
    assert_eq!(greeting.body, "\"Chào\"".as_bytes());

    let key = [("key", "k")];
    let remembered =
        call_with(&environment, "powers/remember", &key, None, br#"{"value":"v"}"#).await.unwrap();
    assert_eq!(remembered.status, 204);
    let recalled = call_with(&environment, "powers/recall", &key, None, b"").await.unwrap();
    assert_eq!(recalled.body, b"\"v\"");
    let elsewhere = call("powers/recall", &key, None, &Value::Null).await;
    assert_eq!(code(elsewhere), "not-found", "another service has a cache of its own");

    let caller = call_with(&environment, "powers/caller", &[], None, b"").await.unwrap();
    let caller: Value = serde_json::from_slice(&caller.body).unwrap();
    assert_eq!((&caller[0], &caller[1], &caller[2]), (&json!("H56"), &json!("portal"), &json!("thử")));
    assert!((1..=5000).contains(&caller[3].as_u64().unwrap()));

    let nature = call_with(&environment, "powers/nature", &[], None, b"").await.unwrap();
    let nature: Value = serde_json::from_slice(&nature.body).unwrap();
    assert!(nature[0].as_str().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000);

    let denied = call_with(&environment, "powers/code", &[], None, br#"{"message":"m"}"#).await.unwrap_err();
    assert_eq!(denied.problem.code, "unavailable", "a key that is not bound: {:?}", denied.problem);
    let denied = call_with(&environment, "powers/relay", &[("id", "1")], None, b"").await.unwrap_err();
    assert_eq!(denied.upstream_calls, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_host_holds_for_a_call_is_added_up() {
    use base64::Engine;
    let body = |bytes: usize| {
        let content = base64::engine::general_purpose::STANDARD.encode(vec![7; bytes]);
        json!({ "content": content }).to_string()
    };
    let limits = |mebibytes: u64| Limits {
        host_memory: Bytes(mebibytes << 20),
        cpu: Millis(10_000),
        deadline: Millis(60_000),
        ..Limits::default()
    };
    let echo = async |mebibytes: u64, bytes: usize| {
        let environment = environment(limits(mebibytes));
        call_with(&environment, "shapes/echo-bytes", &[], None, body(bytes).as_bytes()).await
    };
    // A mebibyte of bytes is 40 MiB of values, as an argument and once more as the result.
    let mebibyte = 1 << 20;
    let answer = echo(84, mebibyte).await.unwrap();
    assert_eq!(answer.body.len(), 2 + mebibyte.div_ceil(3) * 4);
    assert_eq!(code(echo(79, mebibyte).await), "answer-too-large");
    // Room for the values of the result and none for its JSON.
    assert_eq!(code(echo(81, mebibyte).await), "answer-too-large");
    assert_eq!(code(echo(39, mebibyte).await), "body-too-large");
    assert!(echo(1, 1_000).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_puts_no_more_into_the_cache_than_its_limit() {
    let value = |length: usize| json!({ "value": "x".repeat(length) }).to_string();
    for (most, kept) in [(Bytes(8 << 10), true), (Bytes(4 << 10), false)] {
        let environment = environment(Limits { cache_put_bytes: most, ..Limits::default() });
        let key = [("key", "k")];
        let body = value(6 << 10);
        let put = call_with(&environment, "powers/remember", &key, None, body.as_bytes()).await.unwrap();
        assert_eq!(put.status, 204, "what is not kept is no error: entries may vanish at any time");
        let recalled = call_with(&environment, "powers/recall", &key, None, b"").await;
        assert_eq!(recalled.is_ok(), kept);
    }
}
