//! Schemathesis tries every operation of every service and of the admin API with requests made from its OpenAPI document,
//! right and wrong ones, and holds each answer against the document.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

use super::Setting;
use super::documents::Document;
use crate::workspace::{progress, read};

/// How many services are tried at a time: the tester uses one core for each.
const AT_A_TIME: usize = 2;

/// One document, and how its operations are reached.
struct Target<'a> {
    document: &'a Document,
    /// What stands before the document's paths.
    base: String,
    key: &'a str,
}

/// Tries all services, and then the admin API, which takes away what they need.
pub(super) async fn test(setting: &Setting<'_>) -> Result<String> {
    let host = &setting.estate.host;
    let key = setting.estate.account_of_office("schemathesis").await?;
    let admin_key = read(&host.admin_key_file())?;
    let service = |document| Target {
        document,
        base: format!("http://{}/api/{}/v1", host.api, document.name),
        key: &key,
    };
    let services: Vec<Target<'_>> = setting.documents.services.iter().map(service).collect();
    let admin = Target {
        document: &setting.documents.admin,
        base: format!("http://{}", host.admin),
        key: admin_key.trim(),
    };

    let reports = setting.empty_folder("schemathesis")?;
    let mut results = several(setting, &services, &reports);
    results.push((&admin, run(setting, &admin, &reports)));

    let (mut cases, mut operations, mut let_pass, mut failed) = (0, 0, 0, Vec::new());
    for (Target { document, .. }, result) in &results {
        let said = read(&log(&reports, document))?;
        match result {
            Ok(()) => {
                cases += generated(&said).with_context(|| format!("{said}\nnames no test cases"))?;
                let_pass += filtered(&said);
            }
            Err(error) => {
                println!("{said}");
                failed.push(format!("{}: {error:#}", document.name));
            }
        }
        operations += document.operations;
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    let expected = setting.documents.operations() + admin.document.operations;
    ensure!(operations == expected, "only {operations} of {expected} operations were tried");
    Ok(format!(
        "{operations} operations, {cases} test cases, no violation; {let_pass} refusals by national systems let pass"
    ))
}

/// Tries several, some at a time.
fn several<'a>(
    setting: &Setting<'_>,
    targets: &'a [Target<'a>],
    reports: &Path,
) -> Vec<(&'a Target<'a>, Result<()>)> {
    let waiting: Mutex<Vec<&Target<'_>>> = Mutex::new(targets.iter().collect());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    std::thread::scope(|scope| {
        let workers = [(); AT_A_TIME].map(|()| {
            scope.spawn(|| {
                let tried = std::iter::from_fn(next);
                tried.map(|target| (target, run(setting, target, reports))).collect::<Vec<_>>()
            })
        });
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    })
}

/// Tries one document; what the tester says goes into a log.
fn run(setting: &Setting<'_>, target: &Target<'_>, reports: &Path) -> Result<()> {
    let Target { document, base, key } = target;
    progress(format_args!("trying the {} operations of {}", document.operations, document.name));
    let given = setting.given("schemathesis");
    let mut tester = setting.python.command("schemathesis");
    tester.arg("--config-file").arg(given.join("schemathesis.toml")).arg("run").arg(&document.path);
    tester.args(["--url", base]).env("TRUC_KEY", key);
    // The hooks are a module that the configuration names; nothing is written beside them.
    tester.env("PYTHONPATH", &given).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(reports);
    let output = tester.output()?;
    std::fs::write(log(reports, document), [output.stdout, output.stderr].concat())?;
    ensure!(output.status.success(), "{}", output.status);
    Ok(())
}

fn log(reports: &Path, document: &Document) -> PathBuf {
    reports.join(format!("{}.log", document.name))
}

/// How many failures the hooks let pass: `Filtered: 12 (dropped by `filter_failure`)`.
fn filtered(said: &str) -> u64 {
    let counts = said.lines().filter_map(|line| line.strip_prefix("Filtered: ")?.split_whitespace().next());
    counts.filter_map(|count| count.parse::<u64>().ok()).sum()
}

/// How many test cases a closing report names: `  1234 generated, 1234 passed`.
fn generated(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains(" generated, "))?;
    line.split_whitespace().next()?.replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_report_are_understood() {
        let report = "  - 3 operations mostly rejected generated data\n\nFiltered: 38 (dropped by `filter_failure`)\n\n\
                      Test cases:\n  1771 generated, 1771 passed, 8 skipped\n";
        assert_eq!((generated(report), filtered(report)), (Some(1771), 38));
        assert_eq!((generated("Errors:\n  4 errors\n"), filtered("")), (None, 0));
    }
}
