//! What the tests of this room share: the trial connector in the real engine, and calls of it.

#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde_json::Value;
use tokio::time::Instant;
use truc_contract::ConfigValue;
use truc_model::{Bytes, Limits, RequestId, SystemClock, Timestamp};
use truc_sandbox::{
    Answer, Arguments, Artifacts, Cache, CallError, CallerInfo, Compiler, EngineSettings, Environment, Input,
    Lines, Origin, Program, Sandbox,
};

pub(crate) struct Trial {
    pub(crate) sandbox: Sandbox,
    pub(crate) program: Arc<Program>,
    _folder: tempfile::TempDir,
}

pub(crate) fn open(folder: &tempfile::TempDir) -> Sandbox {
    let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
    let artifacts = Artifacts::open(dir).unwrap();
    Sandbox::open(EngineSettings { instances: 32 }, artifacts, Compiler::InProcess).unwrap()
}

pub(crate) fn trial() -> &'static Trial {
    static TRIAL: OnceLock<Trial> = OnceLock::new();
    TRIAL.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = open(&folder);
        let (program, origin) = sandbox.load(&trial::component().unwrap(), None).unwrap();
        assert_eq!(origin, Origin::Compiled);
        Trial { sandbox, program, _folder: folder }
    })
}

pub(crate) fn environment(limits: Limits) -> Arc<Environment> {
    Arc::new(Environment {
        service: "trial".parse().unwrap(),
        revision: 1,
        upstreams: BTreeMap::new(),
        keys: BTreeMap::new(),
        config: BTreeMap::from([("greeting".parse().unwrap(), ConfigValue::Text("Chào".to_owned()))]),
        cache: Cache::new(Bytes(1 << 20)),
        lines: Lines::new(),
        limits,
        clock: Arc::new(SystemClock),
    })
}

pub(crate) async fn call_with(
    environment: &Arc<Environment>,
    operation: &str,
    path: &[(&str, &str)],
    query: Option<&str>,
    body: &[u8],
) -> Result<Answer, CallError> {
    let Trial { sandbox, program, .. } = trial();
    let operations = &program.contract().operations;
    let index =
        operations.iter().position(|known| known.name.as_str() == operation).expect("the operation exists");
    let input = Input {
        caller: CallerInfo {
            agency: "H56".parse().ok(),
            account: "portal".parse().ok(),
            purpose: Some("thử".to_owned()),
            dossier: None,
            request_id: RequestId::new(Timestamp::from_micros(0), &[1; 10]),
        },
        deadline: Instant::now() + environment.limits.deadline.as_duration(),
    };
    let prepared = sandbox
        .prepare(program, index, &Arguments { path, query, body })
        .and_then(|prepared| prepared.within(&environment.limits))
        .map_err(|problem| CallError { problem, cause: None, upstream_calls: 0 })?;
    sandbox.call(program, prepared, environment, input).await
}

pub(crate) async fn call(
    operation: &str,
    path: &[(&str, &str)],
    query: Option<&str>,
    body: &Value,
) -> Result<Answer, CallError> {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    call_with(&environment(Limits::default()), operation, path, query, &body).await
}
