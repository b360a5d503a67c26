//! A public linter reads every OpenAPI document: Redocly CLI, with its recommended rules.

use anyhow::Result;

use super::{Setting, quietly};

/// Lints the documents of the services, of agencies and of the admin API; a warning counts as an error.
pub(super) fn check(setting: &Setting<'_>) -> Result<String> {
    let documents = &setting.documents;
    let all = || documents.services.iter().chain(&documents.agencies).chain([&documents.admin]);
    let mut redocly = setting.node.command("redocly");
    redocly.arg("lint").arg("--config").arg(setting.given("redocly/redocly.yaml"));
    redocly.args(all().map(|document| &document.path));
    redocly.envs([("REDOCLY_TELEMETRY", "off"), ("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")]);
    quietly(&mut redocly)?;
    let operations: usize = all().map(|document| document.operations).sum();
    Ok(format!("{} documents with {operations} operations, no error, no warning", all().count()))
}
