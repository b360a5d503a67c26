//! Python: clients by openapi-python-client.

use std::process::Command;

use anyhow::Result;

use super::{Setting, quietly};

/// Generates the clients as packages beside the program, and compiles all of it.
pub(super) fn build(setting: &Setting<'_>) -> Result<Command> {
    let folder = setting.empty_folder("python")?;
    for document in &setting.documents.services {
        let mut generator = setting.python.command("openapi-python-client");
        generator.args(["generate", "--meta", "none", "--fail-on-warning"]);
        generator.arg("--path").arg(&document.path);
        quietly(generator.arg("--output-path").arg(folder.join(document.name.replace('-', "_"))))?;
    }
    let program = folder.join("main.py");
    std::fs::copy(setting.given("python/main.py"), &program)?;
    quietly(setting.python.command("python").args(["-W", "error", "-m", "compileall", "-q"]).arg(&folder))?;
    let mut run = setting.python.command("python");
    run.arg(program);
    Ok(run)
}
