//! The text of a contract as it is kept, compared and published: files by name, in one order, known by a digest.

use std::collections::BTreeSet;
use std::sync::Arc;

use truc_model::{Bytes, Digest};

use crate::model::Contract;
use crate::names::is_hidden;
use crate::read::{ContractError, read_sources};

/// The most that the text of a contract may have, in its canonical form.
pub const MAX_CONTRACT: Bytes = Bytes(4 << 20);
/// The most files a contract may have.
pub(crate) const MAX_FILES: usize = 256;
/// The longest name of a file, in bytes.
const MAX_FILE_NAME: usize = 128;

/// The files of a contract, by name. Clones share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractText {
    files: Arc<[(String, String)]>,
    canonical: Arc<str>,
    digest: Digest,
}

/// Why files are not the text of a contract. Whether the text can be served is another question: see
/// [`ContractText::read`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourcesError {
    /// There is nothing.
    #[error("there is no `.wit` file")]
    Empty,
    /// There are more than [`MAX_FILES`].
    #[error("there are {0} files; a contract has at most {MAX_FILES}")]
    TooMany(usize),
    /// The canonical form is larger than [`MAX_CONTRACT`].
    #[error("the text has {0}; a contract has at most {MAX_CONTRACT}")]
    TooLarge(Bytes),
    /// A name that cannot be one.
    #[error(
        "{0:?} is not the name of a file of a contract: write at most {MAX_FILE_NAME} bytes that end with `.wit`, \
         without folders"
    )]
    Name(String),
    /// Two files have one name.
    #[error("two files have the name {0:?}: rename one")]
    Twice(String),
    /// The canonical form cannot be read.
    #[error("it is not a JSON array of file names and texts: {0}")]
    Form(String),
}

impl ContractText {
    /// The text that some files make up, in any order.
    ///
    /// # Errors
    /// No file, too many, too much, and names that are none or stand twice.
    pub fn new(mut files: Vec<(String, String)>) -> Result<Self, SourcesError> {
        match files.len() {
            0 => return Err(SourcesError::Empty),
            many if many > MAX_FILES => return Err(SourcesError::TooMany(many)),
            _ => {}
        }
        files.sort();
        let mut seen = BTreeSet::new();
        for (name, _) in &files {
            let shown = || name.chars().take(MAX_FILE_NAME).collect();
            let wrong = name.len() > MAX_FILE_NAME
                || name.strip_suffix(".wit").is_none_or(str::is_empty)
                || name.chars().any(|char| is_hidden(char) || "/\\\n\r\t".contains(char));
            if wrong {
                return Err(SourcesError::Name(shown()));
            }
            if !seen.insert(name) {
                return Err(SourcesError::Twice(shown()));
            }
        }
        let canonical =
            serde_json::to_string(&files).map_err(|error| SourcesError::Form(error.to_string()))?;
        if canonical.len() > MAX_CONTRACT.as_usize() {
            return Err(SourcesError::TooLarge(Bytes(canonical.len() as u64)));
        }
        let digest = Digest::of(canonical.as_bytes());
        Ok(Self { files: files.into(), canonical: canonical.into(), digest })
    }

    /// Reads the canonical form.
    ///
    /// # Errors
    /// Something else, and whatever [`ContractText::new`] refuses.
    pub fn parse(canonical: &str) -> Result<Self, SourcesError> {
        if canonical.len() > MAX_CONTRACT.as_usize() {
            return Err(SourcesError::TooLarge(Bytes(canonical.len() as u64)));
        }
        Self::new(serde_json::from_str(canonical).map_err(|error| SourcesError::Form(error.to_string()))?)
    }

    /// The files: name and text, sorted by name.
    pub fn files(&self) -> &[(String, String)] {
        &self.files
    }

    /// The form that is kept and hashed: a JSON array of `[name, text]`, sorted by name, without white space. The
    /// section `truc:wit` of a component holds the same.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The digest of the canonical form.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The contract that the text says.
    ///
    /// # Errors
    /// The first thing that keeps the text from being served.
    pub fn read(&self) -> Result<Contract, ContractError> {
        read_sources(&self.files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn the_order_of_files_does_not_matter_and_every_letter_does() {
        let one = ContractText::new(vec![file("b.wit", "x"), file("a.wit", "y")]).unwrap();
        let other = ContractText::new(vec![file("a.wit", "y"), file("b.wit", "x")]).unwrap();
        assert_eq!(one, other);
        assert_eq!(one.canonical(), r#"[["a.wit","y"],["b.wit","x"]]"#);
        assert_eq!(ContractText::parse(one.canonical()).unwrap(), one);
        let changed = ContractText::new(vec![file("a.wit", "y"), file("b.wit", "x ")]).unwrap();
        assert_ne!(changed.digest(), one.digest());
    }

    #[test]
    fn what_is_no_set_of_files_is_refused() {
        let refused = |files: Vec<(String, String)>| ContractText::new(files).unwrap_err();
        assert_eq!(refused(vec![]), SourcesError::Empty);
        for name in
            ["", ".wit", "a.txt", "a/b.wit", "..\\b.wit", "a\u{0}.wit", "\u{202e}a.wit", &"a".repeat(200)]
        {
            assert!(matches!(refused(vec![file(name, "")]), SourcesError::Name(_)), "{name:?}");
        }
        assert_eq!(
            refused(vec![file("a.wit", "1"), file("a.wit", "2")]),
            SourcesError::Twice("a.wit".to_owned())
        );
        let many = (0..=MAX_FILES).map(|number| file(&format!("{number}.wit"), "")).collect();
        assert_eq!(refused(many), SourcesError::TooMany(257));
        let large = refused(vec![file("a.wit", &"x".repeat(4 << 20))]);
        assert!(matches!(large, SourcesError::TooLarge(_)), "{large}");
        for text in ["", "{}", "[[1,2]]", r#"[["a.wit"]]"#] {
            assert!(matches!(ContractText::parse(text), Err(SourcesError::Form(_))), "{text}");
        }
    }
}
