//! Personal data of a call stays out of the log, out of causes and out of whatever prints a value for debugging.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use common::{call_with, environment, trial};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;
use truc_model::{Limits, Millis};
use truc_sandbox::Arguments;

const ID: &str = "079190001234";
const NAME: &str = "Nguyễn Thị Hoa";
const ILLNESS: &str = "hen suyễn mạn tính";
const OTHER_NAMES: [&str; 3] = ["Hoa Hồng Bạch", "Nguyễn Thị Hoa Hồng", "Bé"];
const TELEPHONE: &str = "912345678";
const WARD: &str = "Phường Hội An Tây";

/// Everything that was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Lines {
    /// What was logged from every part of the process while something was done, on one thread.
    fn of<F: Future>(work: F) -> (String, F::Output) {
        let lines = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(lines.clone())
            .finish();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let output = tracing::subscriber::with_default(subscriber, || runtime.block_on(work));
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        (text, output)
    }
}

fn body(remark: &str) -> Value {
    json!({
        "citizen": {
            "fullName": NAME, "illness": ILLNESS, "otherNames": OTHER_NAMES, "telephone": TELEPHONE, "ward": WARD,
        },
        "remark": remark,
    })
}

/// What must not be read anywhere. Two letters say nothing of anybody and are not looked for.
fn secrets() -> Vec<&'static str> {
    [ID, NAME, ILLNESS, TELEPHONE]
        .into_iter()
        .chain(OTHER_NAMES)
        .filter(|text| text.chars().count() > 3)
        .collect()
}

fn assert_silent(what: &str, text: &str) {
    for secret in secrets() {
        assert!(!text.contains(secret), "{what} tells {secret}: {text}");
    }
}

#[test]
fn lines_of_a_connector_hide_the_personal_data_of_the_call() {
    for remark in ["as it is", "refuse", "trap"] {
        let (log, result) = Lines::of(async {
            let body = body(remark).to_string();
            let environment = environment(Limits::default());
            call_with(&environment, "powers/betray", &[("id", ID)], None, body.as_bytes()).await
        });
        // The lines are there, with what is no secret.
        assert_eq!(log.matches("connector line").count(), 6, "{log}");
        assert!(log.contains(&format!("••• of {WARD}, telephone •••")), "{log}");
        assert_silent("the log", &log);
        // No piece of a text that lies across the end of what is shown is left either.
        assert_eq!(log.matches(&("x".repeat(1020) + "•…")).count(), 3, "{log}");

        assert_silent("what is printed of the result", &format!("{result:?}"));
        match (remark, result) {
            ("as it is", Ok(answer)) => {
                assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap()["fullName"], NAME);
            }
            ("refuse", Err(error)) => {
                // The caller is told; nobody else is.
                assert_eq!((error.problem.detail.as_str(), error.cause), (NAME, None));
            }
            ("trap", Err(error)) => assert_silent("the cause", &error.cause.unwrap()),
            (_, result) => panic!("{remark}: {result:?}"),
        }
    }
}

#[test]
fn refused_arguments_are_told_to_nobody_but_the_caller() {
    let wrong = json!({ "citizen": { "fullName": [NAME], "telephone": NAME, "ward": 1 }, "remark": ID });
    let (log, result) = Lines::of(async {
        let wrong = wrong.to_string();
        call_with(&environment(Limits::default()), "powers/betray", &[("id", NAME)], None, wrong.as_bytes())
            .await
    });
    let error = result.unwrap_err();
    assert!(error.problem.errors.len() >= 4, "{}", error.problem);
    assert_silent("the log", &log);
    assert_silent("the problem", &error.problem.to_string());
    assert_silent("the problem, printed", &format!("{:?}", error.problem));
}

#[test]
fn more_personal_data_than_is_looked_for_hides_whole_lines() {
    let mut body = body("as it is");
    let names: Vec<String> = (0..5_000).map(|index| format!("Người thứ {index}")).collect();
    body["citizen"]["otherNames"] = names.into();
    let (log, result) = Lines::of(async {
        let body = body.to_string();
        let limits = Limits { cpu: Millis(10_000), deadline: Millis(60_000), ..Limits::default() };
        call_with(&environment(limits), "powers/betray", &[("id", ID)], None, body.as_bytes()).await
    });
    assert!(log.contains("connector.text=\"•••\""), "{result:?}: {log:.2000}");
    assert!(!log.contains(WARD) && !log.contains("Người thứ"), "{log:.2000}");
}

#[test]
fn lines_of_calls_without_personal_data_are_as_they_were_written() {
    let (log, result) = Lines::of(async {
        let body = json!({ "text": format!("{NAME}, {ID}") }).to_string();
        call_with(&environment(Limits::default()), "powers/write-line", &[], None, body.as_bytes()).await
    });
    assert!(result.is_ok());
    assert!(log.contains(&format!("{NAME}, {ID}")), "{log}");
}

#[test]
fn nothing_that_holds_arguments_prints_them() {
    let text = body("as it is").to_string();
    let arguments = Arguments { path: &[("id", ID)], query: Some(NAME), body: text.as_bytes() };
    assert_silent("Arguments", &format!("{arguments:?}"));
    let arguments = Arguments { query: None, ..arguments };
    let program = &trial().program;
    let operations = &program.contract().operations;
    let index = operations.iter().position(|known| known.name.as_str() == "powers/betray").unwrap();
    let prepared = trial().sandbox.prepare(program, index, &arguments).unwrap();
    assert_silent("Prepared", &format!("{prepared:?}"));
    let codec = truc_sandbox::Codec::of(program.contract());
    let values = codec.decode(index, &arguments).unwrap();
    assert_silent("Values", &format!("{values:?}"));
    assert_silent("Request", &format!("{:?}", codec.request(index, &values).unwrap()));
}

#[test]
fn lines_beyond_the_limits_of_a_call_and_of_a_service_are_dropped_and_that_is_told() {
    let body = json!({ "text": "a line" }).to_string();
    let write = async |environment: &Arc<truc_sandbox::Environment>, times: usize| {
        for _ in 0..times {
            call_with(environment, "powers/write-line", &[], None, body.as_bytes()).await.unwrap();
        }
    };
    let written = |text: &str| text.matches("connector.text=").count();
    let (text, ()) = Lines::of(async {
        write(&environment(Limits { log_lines: 0, ..Limits::default() }), 1).await;
    });
    assert_eq!(written(&text), 0, "{text}");
    assert!(text.contains("connector lines beyond the limit of a call are dropped"), "{text}");
    let (text, ()) = Lines::of(async {
        tokio::time::pause();
        let environment = environment(Limits { log_rate: 3, ..Limits::default() });
        write(&environment, 20).await;
        // A third of a second later there is room for one line more.
        tokio::time::advance(std::time::Duration::from_millis(400)).await;
        write(&environment, 1).await;
    });
    assert_eq!(written(&text), 4, "{text}");
    assert!(text.contains("connector lines beyond the limit of a second were dropped"), "{text}");
}
