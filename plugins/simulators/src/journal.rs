//! What a run changes, in memory and, where a directory was given, in a journal that the next start replays.
//!
//! The journal has one line of JSON per change: the shelf, the key and the whole new item. Replaying keeps the last
//! item of each key; the start writes just those back, so that the file does not grow from run to run.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault::lock;

/// At most so many items on one shelf.
const MOST_ITEMS: usize = 100_000;

/// At most so many bytes are appended in one run.
const MOST_BYTES: u64 = 1 << 30;

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("{path}: {error}")]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// A line that this program did not write.
    #[error("{path}, line {line}: {error}; move the file away to start afresh")]
    Line {
        /// The journal.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        error: serde_json::Error,
    },
}

/// There is no room for another change.
#[derive(Debug)]
pub(crate) struct Full;

/// Where changes are kept between runs.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    file: Option<Arc<Mutex<Tail>>>,
    replayed: Arc<Mutex<BTreeMap<(String, String), Value>>>,
}

struct Tail {
    file: File,
    written: u64,
}

#[derive(Deserialize)]
struct Line {
    shelf: String,
    key: String,
    item: Value,
}

#[derive(Serialize)]
struct LineOf<'a, T> {
    shelf: &'a str,
    key: &'a str,
    item: &'a T,
}

impl Journal {
    /// Replays the journal of a directory, which is made where it is missing, and goes on writing it.
    pub(crate) fn open(directory: &Path) -> Result<Self, JournalError> {
        let path = directory.join("journal.jsonl");
        let failed = |error| JournalError::File { path: path.clone(), error };
        fs::create_dir_all(directory).map_err(failed)?;
        let replayed = read(&path)?;

        // Written anew beside the old one, which stays until the new one is complete.
        let fresh = directory.join("journal.jsonl.new");
        let mut file = File::create(&fresh).map_err(failed)?;
        for ((shelf, key), item) in &replayed {
            append(&mut file, &LineOf { shelf, key, item }).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        fs::rename(&fresh, &path).map_err(failed)?;
        let file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        Ok(Self {
            file: Some(Arc::new(Mutex::new(Tail { file, written: 0 }))),
            replayed: Arc::new(Mutex::new(replayed)),
        })
    }

    fn write<T: Serialize>(&self, shelf: &str, key: &str, item: &T) -> Result<(), Full> {
        let Some(tail) = &self.file else { return Ok(()) };
        let mut tail = lock(tail);
        if tail.written > MOST_BYTES {
            return Err(Full);
        }
        let written = append(&mut tail.file, &LineOf { shelf, key, item }).map_err(|_| Full)?;
        tail.written = tail.written.saturating_add(written);
        Ok(())
    }
}

/// The last item of each key. A last line without its end is what a crash leaves, and is passed over.
fn read(path: &Path) -> Result<BTreeMap<(String, String), Value>, JournalError> {
    let mut items = BTreeMap::new();
    let failed = |error| JournalError::File { path: path.to_owned(), error };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(items),
        Err(error) => return Err(failed(error)),
    };
    let mut reader = BufReader::new(file);
    let mut text = String::new();
    for line in 1.. {
        text.clear();
        reader.read_line(&mut text).map_err(failed)?;
        let Some(whole) = text.strip_suffix('\n') else { break };
        let Line { shelf, key, item } = serde_json::from_str(whole).map_err(|error| JournalError::Line {
            path: path.to_owned(),
            line,
            error,
        })?;
        items.insert((shelf, key), item);
    }
    Ok(items)
}

fn append(file: &mut File, line: &impl Serialize) -> io::Result<u64> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)?;
    Ok(text.len() as u64)
}

/// Things of one kind, by key.
pub(crate) struct Shelf<T> {
    name: &'static str,
    items: Mutex<BTreeMap<String, T>>,
    journal: Journal,
}

impl<T: Clone + Serialize + DeserializeOwned> Shelf<T> {
    /// A shelf with the items that are there from the start, as earlier runs left them, and with those earlier runs
    /// added. What a journal holds in a form of another version of this program is left out.
    pub(crate) fn new(name: &'static str, journal: &Journal, first: Vec<(String, T)>) -> Self {
        let mut items: BTreeMap<_, _> = first.into_iter().collect();
        let replayed = lock(&journal.replayed);
        for ((shelf, key), item) in replayed.iter() {
            if shelf == name
                && let Ok(item) = serde_json::from_value(item.clone())
            {
                items.insert(key.clone(), item);
            }
        }
        Self { name, items: Mutex::new(items), journal: journal.clone() }
    }

    /// Opens the shelf; nobody else can until the guard is gone.
    pub(crate) fn open(&self) -> Open<'_, T> {
        Open { items: lock(&self.items), name: self.name, journal: &self.journal }
    }
}

/// An opened shelf.
pub(crate) struct Open<'a, T> {
    items: MutexGuard<'a, BTreeMap<String, T>>,
    name: &'static str,
    journal: &'a Journal,
}

impl<T: Clone + Serialize> Open<'_, T> {
    pub(crate) fn get(&self, key: &str) -> Option<T> {
        self.items.get(key).cloned()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &T)> {
        self.items.iter().map(|(key, item)| (key.as_str(), item))
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Puts an item in place of the one under its key.
    pub(crate) fn put(&mut self, key: &str, item: T) -> Result<(), Full> {
        if self.items.len() >= MOST_ITEMS && !self.items.contains_key(key) {
            return Err(Full);
        }
        self.journal.write(self.name, key, &item)?;
        self.items.insert(key.to_owned(), item);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_outlive_the_run() {
        let directory = tempfile::tempdir().unwrap();
        let first = || vec![("a".to_owned(), 1), ("b".to_owned(), 2)];
        {
            let journal = Journal::open(directory.path()).unwrap();
            let shelf = Shelf::new("numbers", &journal, first());
            shelf.open().put("b", 20).unwrap();
            shelf.open().put("b", 21).unwrap();
            shelf.open().put("c", 30).unwrap();
        }
        let path = directory.path().join("journal.jsonl");
        // A line that a crash cut short.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"shelf\":\"numb").unwrap();

        let journal = Journal::open(directory.path()).unwrap();
        let shelf = Shelf::new("numbers", &journal, first());
        let open = shelf.open();
        assert_eq!(open.all().collect::<Vec<_>>(), [("a", &1), ("b", &21), ("c", &30)]);
        assert_eq!(
            fs::read_to_string(&path).unwrap().lines().count(),
            2,
            "only the last of each key is kept"
        );
    }

    #[test]
    fn a_strange_journal_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("journal.jsonl"), "hello\n").unwrap();
        let error = Journal::open(directory.path()).err().unwrap().to_string();
        assert!(error.contains("line 1"), "{error}");
    }

    #[test]
    fn without_a_directory_nothing_is_kept() {
        let journal = Journal::default();
        let shelf = Shelf::new("numbers", &journal, vec![]);
        shelf.open().put("a", 1).unwrap();
        assert_eq!(shelf.open().get("a"), Some(1));
        assert_eq!(Shelf::<u8>::new("numbers", &journal, vec![]).open().len(), 0);
    }
}
