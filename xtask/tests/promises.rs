//! What the documents promise is tested: every test that a table of promises names is in the file that it links to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use regex::Regex;

/// Documents whose tables name tests, and how many rows of each do at least.
const DOCUMENTS: &[(&str, usize)] = &[("docs/architecture.md", 20), ("docs/security.md", 40)];

/// Paths of Rust files, or folders of them, that a cell links to.
fn linked(document: &Path, cell: &str) -> Vec<PathBuf> {
    let link = Regex::new(r"\]\(([^)#]+)").unwrap();
    let folder = document.parent().unwrap();
    link.captures_iter(cell).map(|found| folder.join(&found[1])).collect()
}

/// Names of functions in a cell.
fn named(cell: &str) -> Vec<String> {
    let name = Regex::new(r"`([a-z0-9]+(?:_[a-z0-9]+)+)`").unwrap();
    name.captures_iter(cell).map(|found| found[1].to_owned()).collect()
}

/// The text of a file, or of all Rust files below a folder.
fn text(path: &Path) -> String {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries.map(|entry| text(&entry.unwrap().path())).collect();
    }
    let is_rust = path.extension().is_some_and(|extension| extension == "rs");
    if is_rust { std::fs::read_to_string(path).unwrap() } else { String::new() }
}

#[test]
fn every_test_that_a_promise_names_exists_where_it_is_linked() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut missing = Vec::new();
    for (document, least) in DOCUMENTS {
        let path = root.join(document);
        let content = std::fs::read_to_string(&path).unwrap();
        let mut rows = 0;
        for line in content.lines().filter(|line| line.starts_with("| ")) {
            let cell = line.trim_end_matches('|').rsplit(" | ").next().unwrap();
            let files = linked(&path, cell);
            for file in &files {
                if !file.exists() {
                    missing.push(format!("{document}: {} is not there", file.display()));
                }
            }
            let names = named(cell);
            rows += usize::from(!names.is_empty());
            let texts: String = files.iter().filter(|file| file.exists()).map(|file| text(file)).collect();
            for name in names {
                if !texts.contains(&format!("fn {name}(")) {
                    missing.push(format!("{document}: `{name}` is in none of the files linked beside it"));
                }
            }
        }
        assert!(rows >= *least, "{document} has {rows} rows that name tests, at least {least} were expected");
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
