//! The order of the host's rooms, held: who may depend on whom, who may name which engine, and what every file and
//! every problem code owes its reader.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// The rooms of `host/`. A room may depend on rooms before it, never on rooms after it.
const ORDER: &[&str] = &[
    "model", "contract", "egress", "sandbox", "store", "ledger", "identity", "fleet", "listen", "gateway",
    "control", "portal", "truc",
];

/// Crates that only some rooms of the host may name.
const CONFINED: &[Confined] = &[
    Confined { crates: &["wasmtime", "wasmtime-"], rooms: &["sandbox"], outside: Outside::Forbidden },
    Confined { crates: &["sqlx", "sqlx-"], rooms: &["store"], outside: Outside::Forbidden },
    Confined {
        crates: &["wit-parser", "wit-component", "wasmparser", "wasm-encoder"],
        rooms: &["contract"],
        outside: Outside::Forbidden,
    },
    Confined {
        crates: &["axum", "axum-", "utoipa-axum"],
        rooms: &["gateway", "control", "portal", "truc"],
        outside: Outside::Allowed,
    },
];

struct Confined {
    /// Names; one that ends with `-` stands for all that begin with it.
    crates: &'static [&'static str],
    /// The rooms that may name them.
    rooms: &'static [&'static str],
    /// Whether packages outside `host/` may name them too.
    outside: Outside,
}

#[derive(PartialEq)]
enum Outside {
    Allowed,
    Forbidden,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev` or `build`; none for what the package itself is built from.
    kind: Option<String>,
}

impl Package {
    /// The room, for a package of the host.
    fn room(&self) -> Option<&str> {
        let folder = self.manifest_path.parent()?;
        let in_host = folder.parent()? == root().join("host");
        in_host.then(|| folder.file_name()?.to_str())?
    }

    /// Whether it is a connector, or several.
    fn is_connector(&self) -> bool {
        self.manifest_path.starts_with(root().join("plugins"))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The workspace's packages with all they declare: dependencies of every kind and for every target.
fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Metadata>(&output.stdout).unwrap().packages
}

/// Every file below a folder whose name ends so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().is_some_and(|name| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_room_depends_only_on_rooms_above_it() {
    let packages = packages();
    let place = |room: &str| {
        ORDER
            .iter()
            .position(|known| *known == room)
            .unwrap_or_else(|| panic!("host/{room} has no place in ORDER"))
    };
    let mut wrong = Vec::new();
    let mut rooms = 0;
    for package in &packages {
        let Some(room) = package.room() else { continue };
        rooms += 1;
        for dependency in &package.dependencies {
            let other = packages.iter().find(|other| other.name == dependency.name);
            match other.map(|other| (other, other.room())) {
                Some((_, Some(other))) if place(other) > place(room) => {
                    wrong.push(format!("host/{room} depends on host/{other}, which is not above it"));
                }
                // A connector that tests run is no part of what the room is built from.
                Some((other, None)) if other.is_connector() && dependency.kind.as_deref() == Some("dev") => {}
                Some((other, None)) => {
                    wrong.push(format!("host/{room} depends on {}, which is no room", other.name));
                }
                _ => {}
            }
        }
    }
    assert!(rooms > 1, "no rooms were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn engines_are_named_only_in_their_rooms() {
    let mut wrong = Vec::new();
    let mut named = BTreeSet::new();
    for package in packages() {
        for dependency in &package.dependencies {
            let is = |name: &&str| {
                dependency.name == *name || (name.ends_with('-') && dependency.name.starts_with(*name))
            };
            let Some(confined) = CONFINED.iter().find(|confined| confined.crates.iter().any(is)) else {
                continue;
            };
            named.insert(confined.crates[0]);
            let fine = match package.room() {
                Some(room) => confined.rooms.contains(&room),
                None => confined.outside == Outside::Allowed,
            };
            if !fine {
                wrong.push(format!(
                    "{} names {}, which belongs to {}",
                    package.name,
                    dependency.name,
                    confined.rooms.join(", ")
                ));
            }
        }
    }
    assert_eq!(named.len(), CONFINED.len(), "an engine is named nowhere; only these are: {named:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_package_takes_the_workspace_s_lints() {
    for package in packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("\n[lints]\nworkspace = true\n"), "{} has lints of its own", package.name);
    }
}

#[test]
fn every_file_of_the_host_says_what_lives_there() {
    let files = files(&root().join("host"), ".rs");
    assert!(!files.is_empty());
    let silent: Vec<_> = files
        .iter()
        .filter(|file| !std::fs::read_to_string(file).unwrap().starts_with("//! "))
        .map(|file| file.display().to_string())
        .collect();
    assert!(silent.is_empty(), "these files do not begin with `//! `:\n{}", silent.join("\n"));
}

#[test]
fn unsafe_code_stands_in_one_file_at_most() {
    let is_unsafe = |file: &PathBuf| {
        std::fs::read_to_string(file).unwrap().lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
        })
    };
    let found: Vec<_> = files(&root().join("host"), ".rs").into_iter().filter(is_unsafe).collect();
    assert!(found.len() <= 1, "{found:?}");
}

/// What stands in the place of libc's functions, in no program, is the one other place beside what guests are built
/// from.
#[test]
fn unsafe_code_outside_the_host_stands_in_the_disk_that_forgets() {
    let allowed: Vec<_> = ["plugins", "xtask"]
        .iter()
        .flat_map(|folder| files(&root().join(folder), ".rs"))
        .filter(|file| std::fs::read_to_string(file).unwrap().contains("#![allow(unsafe_code)]\n"))
        .filter(|file| !file.ends_with("tests/rooms.rs"))
        .collect();
    assert_eq!(allowed, [root().join("xtask/power-loss/src/interpose.rs")]);
    for package in packages() {
        let disk = package.dependencies.iter().find(|dependency| dependency.name == "truc-power-loss");
        assert!(disk.is_none(), "{} is built with a disk that forgets", package.name);
    }
}

#[test]
fn only_tests_compile_connectors_in_their_own_process() {
    let named: Vec<_> = files(&root().join("host"), ".rs")
        .into_iter()
        .filter(|file| std::fs::read_to_string(file).unwrap().contains("InProcess"))
        .map(|file| file.strip_prefix(root().join("host")).unwrap().to_owned())
        .collect();
    let (tests, sources): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|file| file.iter().any(|part| part == "tests" || part == "tests.rs"));
    assert!(!tests.is_empty(), "the name has changed");
    assert_eq!(sources, [PathBuf::from("sandbox/src/compile/mod.rs")]);
}

#[test]
fn every_problem_code_has_its_page_and_every_page_its_code() {
    let folder = root().join("docs/problems");
    let pages: BTreeSet<String> = files(&folder, ".md")
        .iter()
        .map(|page| page.strip_prefix(&folder).unwrap().with_extension("").to_str().unwrap().to_owned())
        .filter(|page| page != "README")
        .collect();
    let codes: BTreeSet<String> = truc_model::Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    let missing: Vec<_> = codes.difference(&pages).collect();
    let orphaned: Vec<_> = pages.difference(&codes).collect();
    assert!(missing.is_empty(), "codes without a page in docs/problems: {missing:?}");
    assert!(orphaned.is_empty(), "pages in docs/problems without a code: {orphaned:?}");
}
