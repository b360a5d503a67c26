//! What a command tells: one JSON document for programs, or a text for people.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use truc_model::Timestamp;

use crate::failure::{Exit, Failure};

/// The result of a command.
#[derive(Debug)]
pub(crate) struct Output {
    /// For programs.
    pub(crate) json: Value,
    /// For people, without a line end.
    pub(crate) text: String,
    /// How the program ends: none for success.
    pub(crate) exit: Option<Exit>,
}

impl Output {
    /// A document, and how people read it.
    pub(crate) fn new(document: &impl Serialize, text: impl Into<String>) -> Result<Self, Failure> {
        let json = serde_json::to_value(document).map_err(|error| Failure::new(Exit::Internal, error))?;
        Ok(Self { json, text: text.into(), exit: None })
    }

    /// The same, said by a program that ends with an exit code.
    pub(crate) fn ending_with(self, exit: Exit) -> Self {
        Self { exit: Some(exit), ..self }
    }
}

/// A table with aligned columns.
pub(crate) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with a head.
    pub(crate) fn new(head: [&str; N]) -> Self {
        Self { rows: vec![head.map(str::to_uppercase)] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { plain(&cell) }));
    }

    /// The text; what is said where there is no row.
    pub(crate) fn text(&self, empty: &str) -> String {
        if self.rows.len() < 2 {
            return empty.to_owned();
        }
        aligned(&self.rows)
    }
}

/// Names and values, one in a line, under an optional heading.
#[derive(Default)]
pub(crate) struct Sheet {
    sections: Vec<(String, Vec<[String; 2]>)>,
}

impl Sheet {
    /// A sheet without a line.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a line to the section begun last.
    pub(crate) fn line(&mut self, name: &str, value: impl ToString) -> &mut Self {
        if self.sections.is_empty() {
            self.section("");
        }
        if let Some((_, lines)) = self.sections.last_mut() {
            lines.push([plain(name), plain(&value.to_string())]);
        }
        self
    }

    /// Begins a section. One that stays without a line is left out.
    pub(crate) fn section(&mut self, heading: &str) -> &mut Self {
        self.sections.push((heading.to_owned(), Vec::new()));
        self
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (heading, lines) in self.sections.iter().filter(|(_, lines)| !lines.is_empty()) {
            let lines = aligned(lines);
            if heading.is_empty() {
                let _ = writeln!(text, "{lines}");
            } else {
                let _ = writeln!(text, "{heading}");
                lines.lines().for_each(|line| {
                    let _ = writeln!(text, "  {line}");
                });
            }
        }
        text.trim_end().to_owned()
    }
}

fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.trim_end().to_owned()
}

/// A text from outside on one line and without control characters, which a terminal would obey.
fn plain(text: &str) -> String {
    text.trim_end().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A size as people read it.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{} MiB", bytes.div_ceil(1 << 20)),
    }
}

/// A time to the second.
pub(crate) fn time(time: Timestamp) -> String {
    let text = time.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_hold_no_control_characters() {
        let mut table = Table::new(["name", "text"]);
        table.row(["đất đai".to_owned(), "a\u{1b}[31mb\nc".to_owned()]);
        table.row(["x".to_owned(), String::new()]);
        insta::assert_snapshot!(table.text("none"), @"
        NAME     TEXT
        đất đai  a [31mb c
        x        -
        ");
        assert_eq!(Table::new(["name"]).text("none"), "none");
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!([size(10), size(1025), size(3 << 20)], ["10 B", "2 KiB", "3 MiB"]);
        assert_eq!(time(Timestamp::from_micros(1_751_333_400_000_001)), "2025-07-01T01:30:00Z");
    }
}
