//! TypeScript: types by openapi-typescript for the client openapi-fetch, checked by the compiler in its strict mode.

use std::process::Command;

use anyhow::Result;

use super::{Setting, quietly};

/// Generates the types and compiles the program.
pub(super) fn build(setting: &Setting<'_>) -> Result<Command> {
    let folder = setting.empty_folder("typescript")?;
    let given = setting.given("typescript");
    for file in ["main.ts", "tsconfig.json", "package.json"] {
        std::fs::copy(given.join(file), folder.join(file))?;
    }
    std::os::unix::fs::symlink(setting.node.folder.join("node_modules"), folder.join("node_modules"))?;
    for document in &setting.documents.services {
        let types = folder.join("generated").join(format!("{}.d.ts", document.name));
        quietly(setting.node.command("openapi-typescript").arg(&document.path).arg("--output").arg(types))?;
    }
    quietly(setting.node.command("tsc").current_dir(&folder))?;
    let mut program = setting.python.command("node");
    program.arg(folder.join("built/main.js"));
    Ok(program)
}
