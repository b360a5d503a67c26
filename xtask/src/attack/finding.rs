//! What an attack came to, beside what was promised.

use std::fmt::Display;

use crate::table::Table;

/// One promise and what was measured.
pub(crate) struct Finding {
    /// What was promised, as `docs/security.md` says it.
    pub(crate) promise: String,
    /// How much was done to break it.
    pub(crate) attempts: u64,
    /// What came of it.
    pub(crate) measured: String,
    /// What it may come to.
    pub(crate) bound: String,
    /// Whether it did.
    pub(crate) held: bool,
}

impl Finding {
    /// A number that may be at most so much.
    pub(crate) fn at_most<T: PartialOrd + Display>(
        promise: impl Into<String>,
        attempts: u64,
        measured: T,
        most: T,
    ) -> Self {
        let held = measured <= most;
        Self {
            promise: promise.into(),
            attempts,
            measured: measured.to_string(),
            bound: format!("<= {most}"),
            held,
        }
    }

    /// A number that must be at least so much.
    pub(crate) fn at_least<T: PartialOrd + Display>(
        promise: impl Into<String>,
        attempts: u64,
        measured: T,
        least: T,
    ) -> Self {
        let held = measured >= least;
        Self {
            promise: promise.into(),
            attempts,
            measured: measured.to_string(),
            bound: format!(">= {least}"),
            held,
        }
    }
}

/// All findings, each with the name of its suite.
pub(crate) fn table(findings: &[(String, Finding)]) -> Table<6> {
    let mut table = Table::new(["suite", "promise", "attempts", "measured", "bound", "held"]);
    for (suite, Finding { promise, attempts, measured, bound, held }) in findings {
        let held = if *held { "yes" } else { "NO" };
        table.row([
            suite.clone(),
            promise.clone(),
            attempts.to_string(),
            measured.clone(),
            bound.clone(),
            held.to_owned(),
        ]);
    }
    table
}
