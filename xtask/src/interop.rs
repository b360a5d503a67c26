//! `cargo xtask interop`: tools from outside take what the host gives. A public linter reads its OpenAPI documents,
//! clients that public generators make of them call the running host, and a property-based tester looks for answers that
//! the documents do not allow. What these tools are given stands in `xtask/interop/`.

mod clients;
mod documents;
mod lint;
mod python;
mod rust;
mod schemathesis;
mod typescript;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::demo::estate::{Estate, Ports};
use crate::demo::{self, Features, in_runtime};
use crate::steps::Steps;
use crate::tools::{Node, Python};
use crate::workspace::Workspace;
use documents::Documents;

/// What the steps are called.
pub(crate) const STEPS: [&str; 3] = ["openapi linter", "generated clients", "property-based API tests"];

/// Runs only these steps.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    demo::build(workspace, Features::OfTests)?;
    let mut steps = Steps::default();
    self::steps(workspace, &mut steps);
    steps.show();
    steps.verdict()
}

/// Takes the steps; the host and the simulators are built.
pub(crate) fn steps(workspace: &Workspace, steps: &mut Steps) {
    let [linter, clients, tester] = STEPS;
    steps.step(linter, || with(workspace, async |setting| lint::check(setting)));
    steps.step(clients, || with(workspace, clients::call));
    steps.step(tester, || with(workspace, schemathesis::test));
}

/// What every step has.
struct Setting<'a> {
    workspace: &'a Workspace,
    /// A folder for what is made here.
    folder: PathBuf,
    python: &'a Python,
    node: &'a Node<'a>,
    /// A host, its services and the simulated national systems, all new.
    estate: &'a Estate,
    documents: Documents,
}

impl Setting<'_> {
    /// A folder of what the tools are given.
    fn given(&self, name: &str) -> PathBuf {
        self.workspace.root.join("xtask/interop").join(name)
    }

    /// A folder of this step's own, empty.
    fn empty_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

/// Does something with a fresh host, and stops it.
fn with(workspace: &Workspace, work: impl AsyncFnOnce(&Setting<'_>) -> Result<String>) -> Result<String> {
    let given = workspace.root.join("xtask/interop");
    let python = Python::ensure(workspace, &given.join("python/requirements.txt"))?;
    let node = Node::ensure(workspace, &python, &given.join("typescript"))?;
    in_runtime(async {
        let _alone = workspace.alone("interop")?;
        let folder = workspace.target.join("interop");
        let estate = Estate::start(workspace, folder.join("estate"), Ports::Free).await?;
        let documents = Documents::fetch(&estate, folder.join("documents")).await;
        let done = match documents {
            Ok(documents) => {
                let (python, node, estate) = (&python, &node, &estate);
                work(&Setting { workspace, folder, python, node, estate, documents }).await
            }
            Err(error) => Err(error),
        };
        let stopped = estate.stop(done.is_err()).await;
        let note = done?;
        stopped?;
        Ok(note)
    })
}

/// Runs a tool that talks much; what it says is shown only if it fails. Gives it.
fn quietly(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if !output.status.success() {
        println!("{said}");
        bail!("{} failed: {}", command.get_program().display(), output.status);
    }
    Ok(said)
}
