//! Rust: packages by openapi-generator.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::documents::Document;
use super::{Setting, quietly};

/// A blocking client without TLS, which takes the fewest dependencies; numbers in the type that holds their range.
const OPTIONS: &str = "packageVersion=1.0.0,library=reqwest,supportAsync=false,reqwestDefaultFeatures=,useChrono=false,avoidBoxedModels=true,\
                       bestFitInt=true,preferUnsignedInt=true";

/// Generates the packages and compiles the program that depends on them. What is compiled for it stays where it is, so
/// that only what changed is compiled again.
pub(super) fn build(setting: &Setting<'_>) -> Result<Command> {
    let folder = setting.empty_folder("rust")?;
    std::fs::create_dir_all(folder.join("src"))?;
    for file in ["Cargo.toml", "Cargo.lock", "src/main.rs"] {
        std::fs::copy(setting.given("rust").join(file), folder.join(file))?;
    }
    for document in &setting.documents.services {
        generate(setting, document, &folder.join("generated").join(&document.name))?;
    }
    let target = setting.folder.join("rust-target");
    let mut cargo = setting.workspace.cargo();
    cargo.current_dir(&folder).args(["build", "--quiet", "--locked"]).env("CARGO_TARGET_DIR", &target);
    quietly(&mut cargo).context("what was generated does not compile")?;
    Ok(Command::new(target.join("debug/truc-interop")))
}

fn generate(setting: &Setting<'_>, document: &Document, into: &Path) -> Result<()> {
    let mut generator = setting.python.command("openapi-generator-cli");
    generator.args(["generate", "--generator-name", "rust", "--input-spec"]).arg(&document.path);
    generator.arg("--output").arg(into);
    generator.args(["--global-property", "apiDocs=false,modelDocs=false"]);
    generator.arg("--additional-properties").arg(format!("packageName={},{OPTIONS}", document.name));
    quietly(&mut generator).map(drop)
}
