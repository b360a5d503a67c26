//! Contracts that cannot be served: each file in `refusals/` is one, and its first line is the refusal, word for word.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use truc_contract::{ContractError, read_sources};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refusals");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_refusal_names_place_item_and_remedy() {
    let mut differences = Vec::new();
    for file in cases() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let expected = text.lines().next().unwrap().trim_start_matches("// ").to_owned();
        let told = match read_sources(&[(name.clone(), text)]) {
            Ok(_) => "it is served".to_owned(),
            Err(error) => error.to_string().replace('\n', " "),
        };
        if told != expected {
            differences.push(format!("{name}\n  expected: {expected}\n      told: {told}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_refusal_of_a_text_has_file_and_line() {
    for file in cases() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().count();
        let ContractError { place, .. } = read_sources(&[(name.clone(), text)]).unwrap_err();
        let mut parts = place.split(':');
        assert_eq!(parts.next(), Some(name.as_str()), "{place}");
        let line: usize = parts.next().unwrap().parse().unwrap();
        assert!((1..=lines + 1).contains(&line), "{place}");
    }
}
