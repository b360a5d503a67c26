//! Compiled artifacts: what this installation wrote is loaded again, and whatever is done to a file, its code is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::path::PathBuf;
use std::sync::OnceLock;

use common::open;
use proptest::prelude::*;
use tempfile::TempDir;
use truc_sandbox::{Origin, Sandbox};

/// A connector that is compiled in milliseconds.
fn connector(version: &str) -> Vec<u8> {
    let contract = "/// Notes.\npackage lgsp:note@1.0.0;\n/// Notes.\ninterface notes {\n\
                    use truc:connector/types@0.1.0.{problem};\n\
                    /// Reads a note.\n/// @http GET /notes/{id}\nread: func(id: u32) -> result<string, problem>;\n}\n\
                    world connector { include truc:connector/capabilities@0.1.0; export notes; }\n";
    let manifest = format!(
        "[connector]\nname = \"note\"\nversion = \"{version}\"\npublisher = \"H56.14\"\ndescription = \"Notes\"\n\
         contract = \"lgsp:note@1.0.0\"\n"
    );
    truc_contract::testing::connector(contract, &manifest).unwrap()
}

fn origin(sandbox: &Sandbox, component: &[u8]) -> Origin {
    sandbox.load(component, None).unwrap().1
}

/// The artifacts in a folder.
fn artifacts(folder: &TempDir) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "artifact")).collect()
}

fn only_artifact(folder: &TempDir) -> PathBuf {
    let mut artifacts = artifacts(folder);
    assert_eq!(artifacts.len(), 1, "{artifacts:?}");
    artifacts.remove(0)
}

#[test]
fn what_was_compiled_is_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(origin(&open(&folder), &connector("1.0.0")), Origin::Compiled);
    assert_eq!(origin(&open(&folder), &connector("1.0.0")), Origin::Artifact);
    let artifact = std::fs::read(only_artifact(&folder)).unwrap();
    let header = String::from_utf8_lossy(&artifact[32..300]).into_owned();
    for part in ["truc artifact\ncomponent sha256:", "\nengine wasmtime 48.", "\nconfiguration sha256:"] {
        assert!(header.contains(part), "{header}");
    }
}

#[test]
fn another_installation_s_artifact_is_not_loaded() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let component = connector("1.0.0");
    assert_eq!(origin(&open(&theirs), &component), Origin::Compiled);
    let sandbox = open(&ours);
    let artifact = only_artifact(&theirs);
    std::fs::copy(&artifact, ours.path().join(artifact.file_name().unwrap())).unwrap();
    assert_eq!(origin(&sandbox, &component), Origin::Compiled);

    std::fs::remove_file(ours.path().join("artifact.key")).unwrap();
    assert_eq!(origin(&open(&ours), &component), Origin::Compiled, "a new key");
}

#[test]
fn another_component_s_artifact_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = open(&folder);
    assert_eq!(origin(&sandbox, &connector("1.0.0")), Origin::Compiled);
    let first = only_artifact(&folder);
    assert_eq!(origin(&sandbox, &connector("2.0.0")), Origin::Compiled);
    let second = artifacts(&folder).into_iter().find(|path| *path != first).unwrap();
    std::fs::copy(&first, &second).unwrap();
    assert_eq!(origin(&sandbox, &connector("2.0.0")), Origin::Compiled);
    assert_eq!(origin(&sandbox, &connector("2.0.0")), Origin::Artifact);
    assert_eq!(origin(&sandbox, &connector("1.0.0")), Origin::Artifact);
}

#[test]
fn a_file_that_is_cut_short_or_goes_on_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, component) = (open(&folder), connector("1.0.0"));
    assert_eq!(origin(&sandbox, &component), Origin::Compiled);
    let path = only_artifact(&folder);
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 1, 31, 32, 33, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(origin(&sandbox, &component), Origin::Compiled, "{length} of {} bytes", whole.len());
    }
    std::fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
    assert_eq!(origin(&sandbox, &component), Origin::Compiled);
    assert_eq!(origin(&sandbox, &component), Origin::Artifact);
}

struct Flipping {
    sandbox: Sandbox,
    component: Vec<u8>,
    path: PathBuf,
    whole: Vec<u8>,
    _folder: TempDir,
}

fn flipping() -> &'static Flipping {
    static FLIPPING: OnceLock<Flipping> = OnceLock::new();
    FLIPPING.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (sandbox, component) = (open(&folder), connector("1.0.0"));
        assert_eq!(origin(&sandbox, &component), Origin::Compiled);
        let path = only_artifact(&folder);
        let whole = std::fs::read(&path).unwrap();
        Flipping { sandbox, component, path, whole, _folder: folder }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_with_one_bit_changed_anywhere_is_not_loaded(place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let Flipping { sandbox, component, path, whole, .. } = flipping();
        let mut changed = whole.clone();
        changed[place.index(whole.len())] ^= 1 << bit;
        std::fs::write(path, &changed).unwrap();
        prop_assert_eq!(origin(sandbox, component), Origin::Compiled);
        prop_assert_eq!(origin(sandbox, component), Origin::Artifact);
    }
}
