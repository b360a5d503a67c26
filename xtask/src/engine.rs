//! Whether the engine is the newest patch release of its line. Security fixes of the engine come as patch releases, so a
//! lock file that is behind is said aloud; it is no failure, as a release may appear at any time.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use semver::Version;

use crate::workspace::{Workspace, progress, read};

/// The engine's package.
const ENGINE: &str = "wasmtime";

/// How long the registry may take. It is asked once, and answers in seconds or not at all.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How the locked release stands to what the registry offers.
#[derive(Debug, PartialEq)]
enum Standing {
    Newest(Version),
    Behind { locked: Version, newest: Version },
}

/// Compares the locked release with the newest of its line. Gives a note for the table of steps, and says aloud what
/// somebody should do something about.
pub(crate) fn check(workspace: &Workspace) -> Result<String> {
    let locked = locked(&read(&workspace.root.join("Cargo.lock"))?)?;
    let offered = offered(workspace, locked.major);
    let (note, aloud) = tell(&locked, offered.map(|newest| standing(locked.clone(), newest)));
    if let Some(aloud) = aloud {
        progress(aloud);
    }
    Ok(note)
}

/// The note for the table, and what is said aloud.
fn tell(locked: &Version, standing: Result<Standing>) -> (String, Option<String>) {
    match standing {
        Ok(Standing::Newest(version)) => (format!("{ENGINE} {version} is the newest of its line"), None),
        Ok(Standing::Behind { locked, newest }) => {
            let note = format!("WARNING: {ENGINE} {locked} is behind {newest}");
            let aloud = format!("{note}: see docs/security.md, \"Patching the engine\"");
            (note, Some(aloud))
        }
        Err(error) => {
            let note = format!("{ENGINE} {locked} NOT compared: the registry cannot be asked");
            let aloud = format!("{note}: {error:#}");
            (note, Some(aloud))
        }
    }
}

fn standing(locked: Version, newest: Version) -> Standing {
    match newest > locked {
        true => Standing::Behind { locked, newest },
        false => Standing::Newest(locked),
    }
}

/// The engine's release in the text of a lock file.
fn locked(lock: &str) -> Result<Version> {
    #[derive(serde::Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    #[derive(serde::Deserialize)]
    struct Package {
        name: String,
        version: Version,
    }
    let lock: Lock = toml::from_str(lock).context("the lock file cannot be read")?;
    let versions = lock.package.into_iter().filter(|package| package.name == ENGINE);
    versions.map(|package| package.version).max().with_context(|| format!("the lock file has no {ENGINE}"))
}

/// The newest release of a line that the registry offers: what cargo locks for a package that asks for nothing else.
fn offered(workspace: &Workspace, line: u64) -> Result<Version> {
    let folder = workspace.target.join("engine-check");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("Cargo.toml"), manifest(line))?;
    std::fs::write(folder.join("lib.rs"), "")?;
    let _ = std::fs::remove_file(folder.join("Cargo.lock"));
    lock(workspace, &folder)?;
    locked(&read(&folder.join("Cargo.lock"))?)
}

/// A package without an own opinion: neither the workspace's lock file nor its compiler's age bears on it.
fn manifest(line: u64) -> String {
    format!(
        "[workspace]\n[package]\nname = \"engine-check\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n\
         [dependencies]\n{ENGINE} = {{ version = \"{line}\", default-features = false }}\n"
    )
}

/// Has cargo choose versions, which asks the registry and compiles nothing.
fn lock(workspace: &Workspace, folder: &Path) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["generate-lockfile", "--quiet", "--manifest-path"]).arg(folder.join("Cargo.toml"));
    cargo.env("CARGO_NET_RETRY", "1").env("CARGO_HTTP_TIMEOUT", "15");
    cargo.env("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "allow");
    cargo.stdin(Stdio::null());
    let mut cargo = tokio::process::Command::from(cargo);
    cargo.kill_on_drop(true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let output = runtime.block_on(async { tokio::time::timeout(ANSWER_WITHIN, cargo.output()).await });
    let output = output.map_err(|_| anyhow!("no answer within {} s", ANSWER_WITHIN.as_secs()))??;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("cargo failed");
            Err(anyhow!("{}", last.trim()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4

[[package]]
name = "wasmtime-environ"
version = "48.0.9"

[[package]]
name = "wasmtime"
version = "48.0.8"
source = "registry+https://example"
dependencies = [
 "addr2line",
]
"#;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn the_engine_is_found_in_a_lock_file() {
        assert_eq!(locked(LOCK).unwrap(), version("48.0.8"));
        for (text, needle) in [("version = 4\npackage = []", "has no wasmtime"), ("<html>", "cannot be read")]
        {
            let error = format!("{:#}", locked(text).unwrap_err());
            assert!(error.contains(needle), "{error}");
        }
    }

    #[test]
    fn this_workspace_s_lock_file_names_the_engine() {
        let lock = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock")).unwrap();
        assert!(locked(&lock).unwrap() >= version("48.0.8"));
    }

    #[test]
    fn what_is_behind_is_told_aloud_and_compared_by_number() {
        let told = |newest: &str| {
            let locked = version("48.0.9");
            tell(&locked, Ok(standing(locked.clone(), version(newest))))
        };
        assert_eq!(told("48.0.9"), ("wasmtime 48.0.9 is the newest of its line".to_owned(), None));
        // A registry that knows less is no reason to warn.
        assert_eq!(told("48.0.8").1, None);
        let (note, aloud) = told("48.0.10");
        assert_eq!(note, "WARNING: wasmtime 48.0.9 is behind 48.0.10");
        assert!(aloud.unwrap().contains("docs/security.md"));
    }

    #[test]
    fn a_registry_that_cannot_be_asked_is_told_and_is_no_failure() {
        let (note, aloud) = tell(&version("48.0.8"), Err(anyhow!("no answer within 60 s")));
        assert_eq!(note, "wasmtime 48.0.8 NOT compared: the registry cannot be asked");
        assert!(aloud.unwrap().ends_with("no answer within 60 s"));
    }

    #[test]
    fn the_page_that_the_warning_names_has_that_section() {
        let page = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/security.md")).unwrap();
        assert!(page.contains("\n## Patching the engine\n"));
    }
}
