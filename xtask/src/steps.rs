//! Steps that are taken one after the other, whatever became of those before, and the table that tells what passed, what
//! failed and how long each took.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::table::Table;
use crate::workspace::progress;

/// What became of each step so far.
#[derive(Default)]
pub(crate) struct Steps {
    rows: Vec<(&'static str, Outcome, Duration, String)>,
}

/// What became of one step.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Outcome {
    /// It did what it should.
    Passed,
    /// It did not.
    Failed,
    /// It was not taken, because it needs one that failed.
    NotRun,
}

impl Steps {
    /// Takes one step. It gives a note for the table.
    pub(crate) fn step(&mut self, name: &'static str, take: impl FnOnce() -> Result<String>) -> Outcome {
        progress(format_args!("test: {name}"));
        let begin = Instant::now();
        let (outcome, note) = match take() {
            Ok(note) => (Outcome::Passed, note),
            Err(error) => {
                eprintln!("error: {error:#}");
                (Outcome::Failed, format!("{error:#}").lines().next().unwrap_or_default().to_owned())
            }
        };
        self.rows.push((name, outcome, begin.elapsed(), note));
        outcome
    }

    /// Enters a step that is not taken.
    pub(crate) fn not_run(&mut self, name: &'static str) {
        self.rows.push((name, Outcome::NotRun, Duration::ZERO, "needs a step that failed".to_owned()));
    }

    /// Prints the table.
    pub(crate) fn show(&self) {
        let mut table = Table::new(["step", "result", "seconds", "note"]);
        for (name, outcome, took, note) in &self.rows {
            let result = match outcome {
                Outcome::Passed => "passed",
                Outcome::Failed => "FAILED",
                Outcome::NotRun => "not run",
            };
            table.row([
                (*name).to_owned(),
                result.to_owned(),
                format!("{:.1}", took.as_secs_f64()),
                note.clone(),
            ]);
        }
        println!("\n{table}");
    }

    /// An error that names what did not pass, if anything.
    pub(crate) fn verdict(&self) -> Result<()> {
        let failed: Vec<_> =
            self.rows.iter().filter(|row| row.1 != Outcome::Passed).map(|(name, ..)| *name).collect();
        ensure!(failed.is_empty(), "not passed: {}", failed.join(", "));
        Ok(())
    }
}
