//! Schemathesis tries every operation of every service with requests made from its OpenAPI document, right and wrong
//! ones, and holds each answer against the document.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

use super::Setting;
use super::documents::Document;
use crate::workspace::{progress, read};

/// How many services are tried at a time: the tester uses one core for each.
const AT_A_TIME: usize = 2;

/// Tries all services.
pub(super) async fn test(setting: &Setting<'_>) -> Result<String> {
    let key = setting.estate.account_of_office("schemathesis").await?;
    let reports = setting.empty_folder("schemathesis")?;
    let waiting: Mutex<Vec<&Document>> = Mutex::new(setting.documents.services.iter().collect());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();

    let results: Vec<(&Document, Result<()>)> = std::thread::scope(|scope| {
        let workers = [(); AT_A_TIME].map(|()| {
            scope.spawn(|| {
                let tried = std::iter::from_fn(next);
                tried.map(|document| (document, run(setting, document, &key, &reports))).collect::<Vec<_>>()
            })
        });
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    });

    let mut cases = 0;
    let mut failed = Vec::new();
    for (document, result) in &results {
        let said = read(&log(&reports, document))?;
        match result {
            Ok(()) => cases += generated(&said).with_context(|| format!("{said}\nnames no test cases"))?,
            Err(error) => {
                println!("{said}");
                failed.push(format!("{}: {error:#}", document.name));
            }
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    let (services, operations) = (setting.documents.services.len(), setting.documents.operations());
    ensure!(results.len() == services, "only {} of {services} services were tried", results.len());
    Ok(format!("{operations} operations, {cases} test cases, no violation"))
}

/// Tries one service; what the tester says goes into a log.
fn run(setting: &Setting<'_>, document: &Document, key: &str, reports: &Path) -> Result<()> {
    progress(format_args!("trying the {} operations of {}", document.operations, document.name));
    let api = setting.estate.host.api;
    let given = setting.given("schemathesis");
    let mut tester: Command = setting.python.command("schemathesis");
    tester.arg("--config-file").arg(given.join("schemathesis.toml")).arg("run").arg(&document.path);
    tester.args(["--url", &format!("http://{api}/api/{}/v1", document.name)]).env("TRUC_KEY", key);
    // Hooks are named in the configuration by a path from its folder, and nothing may be written there.
    tester.env("PYTHONPATH", &given).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(reports);
    let output = tester.output()?;
    std::fs::write(log(reports, document), [output.stdout, output.stderr].concat())?;
    ensure!(output.status.success(), "{}", output.status);
    Ok(())
}

fn log(reports: &Path, document: &Document) -> std::path::PathBuf {
    reports.join(format!("{}.log", document.name))
}

/// How many test cases a closing report names: `  1234 generated, 1234 passed`.
fn generated(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains(" generated, "))?;
    line.split_whitespace().next()?.replace(',', "").parse().ok()
}
