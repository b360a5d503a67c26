//! Connectors that misbehave in every way they can, each in the real engine: every call ends as it must, within its
//! limits, and gains nothing. Those that need an upstream or a key are called by `cargo xtask attack --only hostile`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use hostile::{Call, End, Expected, Hostile, Operation, Upstream};
use serde_json::Value;
use tokio::time::Instant;
use truc_contract::{ComponentError, ContractText};
use truc_model::{Limits, RequestId, Timestamp};
use truc_sandbox::{
    Answer, Arguments, CallError, CallerInfo, Environment, Input, LoadError, Program, Sandbox,
};

/// How long after its deadline a call may end at the most, on a machine that is busy with other things.
const MARGIN: Duration = Duration::from_secs(20);

fn contract() -> ContractText {
    ContractText::new(vec![("contract.wit".to_owned(), hostile::CONTRACT.to_owned())]).unwrap()
}

fn environment(program: &Program) -> Arc<Environment> {
    common::environment(Limits::default().with(&program.manifest().limits))
}

async fn call(
    sandbox: &Sandbox,
    program: &Arc<Program>,
    environment: &Arc<Environment>,
    operation: Operation,
    body: &Value,
) -> Result<Answer, CallError> {
    let operations = &program.contract().operations;
    let index = operations.iter().position(|known| known.name.as_str() == operation.name()).unwrap();
    let deadline = Instant::now() + environment.limits.deadline.as_duration();
    let input = Input {
        caller: CallerInfo {
            agency: "H56".parse().ok(),
            account: "portal".parse().ok(),
            purpose: None,
            dossier: None,
            request_id: RequestId::new(Timestamp::from_micros(0), &[1; 10]),
        },
        deadline,
    };
    let body = body.to_string();
    let prepared = sandbox
        .prepare(program, index, &Arguments { path: &[], query: None, body: body.as_bytes() })
        .map_err(|problem| CallError { problem, cause: None, upstream_calls: 0 })?;
    let ended =
        tokio::time::timeout_at(deadline + MARGIN, sandbox.call(program, prepared, environment, input));
    ended.await.expect("the call ends by its deadline")
}

/// The code a component is refused with when it is published.
fn refusal(error: &LoadError) -> &'static str {
    match error {
        LoadError::TooLarge(_) => "component-too-large",
        LoadError::Component(ComponentError::Import { .. }) => "import-refused",
        LoadError::Component(ComponentError::Section { .. } | ComponentError::Manifest(_)) => {
            "manifest-invalid"
        }
        LoadError::Component(ComponentError::Mismatch { .. }) | LoadError::Types(_) => "contract-mismatch",
        LoadError::Component(ComponentError::Contract(_)) => "contract-invalid",
        _ => "component-malformed",
    }
}

/// What is wrong with how a call ended, if anything.
fn fault(call: &Call, ended: Result<Answer, CallError>) -> Option<String> {
    match (&call.end, ended) {
        (End::Answer(expected), Ok(answer)) => {
            let answer: Value = serde_json::from_slice(&answer.body).unwrap();
            (answer != *expected).then(|| format!("answered {answer:.80}"))
        }
        (End::Problem(code), Err(error)) if error.problem.code == *code => None,
        (_, Ok(answer)) => Some(format!("answered {:.80}", String::from_utf8_lossy(&answer.body))),
        (_, Err(error)) => Some(format!("ended with {} ({:?})", error.problem.code, error.cause)),
    }
}

/// Publishes one connector, puts it to work, and calls it several times. Gives what did not go as expected.
async fn try_one(sandbox: &Sandbox, hostile: &Hostile, times: usize) -> Vec<String> {
    let component = hostile.component().unwrap();
    let program = match (sandbox.load(&component, Some(&contract())), &hostile.expected) {
        (Err(error), Expected::Unpublished(code)) if refusal(&error) == *code => return Vec::new(),
        (Err(error), _) => return vec![format!("it is refused: {error:.200}")],
        (Ok(_), Expected::Unpublished(_)) => return vec!["it is published".to_owned()],
        (Ok((program, _)), _) => Arc::new(program),
    };
    let environment = environment(&program);
    let calls = match (sandbox.try_out(&program, &environment).await, &hostile.expected) {
        (Err(_), Expected::Unserved) => return Vec::new(),
        (Ok(()), Expected::Calls(calls)) => calls,
        (tried, _) => return vec![format!("it is tried out with {tried:?}")],
    };
    let mut faults = Vec::new();
    for _ in 0..times {
        for one in calls {
            let ended = call(sandbox, &program, &environment, one.operation, &one.body()).await;
            faults.extend(fault(one, ended));
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_connector_ends_as_it_must_and_gains_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = common::open(&folder);
    let mut wrong = Vec::new();
    let mut tried = 0;
    for hostile in hostile::all().iter().filter(|hostile| hostile.upstream == Upstream::None && !hostile.key)
    {
        for fault in try_one(&sandbox, hostile, 2).await {
            wrong.push(format!("{}: {fault}", hostile.name));
        }
        tried += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried >= 80, "{tried} are tried");
    // And the engine still serves.
    assert_eq!(try_one(&sandbox, &hostile::benign(), 3).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_hostile_connectors_at_once_end_as_each_must() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Arc::new(common::open(&folder));
    let chosen = [
        "loop-empty",
        "loop-fill",
        "memory-touching-all",
        "flood-log",
        "leftovers-in-grown-memory",
        "recursion",
    ];
    let calls: Vec<_> = hostile::all()
        .into_iter()
        .chain([hostile::benign()])
        .filter(|hostile| chosen.contains(&hostile.name) || hostile.name == "benign")
        .map(|hostile| {
            let sandbox = sandbox.clone();
            tokio::spawn(async move { (hostile.name, try_one(&sandbox, &hostile, 3).await) })
        })
        .collect();
    assert_eq!(calls.len(), chosen.len() + 1);
    for call in calls {
        let (name, faults) = call.await.unwrap();
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}

/// How many of what chance made are tried here; `cargo xtask attack --only hostile` tries all.
const GENERATED: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_chance_makes_ends_within_its_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = common::open(&folder);
    let (mut loaded, mut answered, mut ended) = (0, 0, 0);
    let mut refused = Vec::new();
    for (name, component) in hostile::generated::components().unwrap().take(GENERATED) {
        let Some(component) = component else { continue };
        let program = match sandbox.load(&component, Some(&contract())) {
            Ok((program, _)) => Arc::new(program),
            // Some of it needs what the engine has switched off.
            Err(error @ (LoadError::Engine(_) | LoadError::Component(_))) => {
                refused.push(error.to_string());
                continue;
            }
            Err(error) => panic!("{name}: {error}"),
        };
        loaded += 1;
        let environment = environment(&program);
        let _ = sandbox.try_out(&program, &environment).await;
        for operation in [Operation::Attack, Operation::Exchange, Operation::Shape] {
            let body = Call { operation, body: hostile::Body::Small, end: End::Problem("") }.body();
            match call(&sandbox, &program, &environment, operation, &body).await {
                Ok(_) => answered += 1,
                Err(error) => {
                    let code = error.problem.code.as_ref();
                    assert!(may_end_with(code), "{name}: {code} ({:?})", error.cause);
                    ended += 1;
                }
            }
        }
    }
    assert!(loaded >= GENERATED / 2, "{loaded} are loaded; refused are {refused:.1000?}");
    assert!(ended > 0, "{answered} answered, {ended} ended otherwise");
}

/// Whether a connector may have ended a call so: by what it did, or by a case of its contract's `problem`.
fn may_end_with(code: &str) -> bool {
    code.starts_with("connector-")
        || code.starts_with("answer-")
        || [
            "not-found",
            "invalid",
            "denied",
            "conflict",
            "limited",
            "upstream-timeout",
            "upstream-failed",
            "unavailable",
            "rejected",
        ]
        .contains(&code)
}
