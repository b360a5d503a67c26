//! Tables for people: columns as wide as their widest cell, numbers to the right.

use std::fmt;

/// A table with a heading.
pub(crate) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// Without rows.
    pub(crate) fn new(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.map(str::to_owned)] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// How many rows it has below the heading.
    pub(crate) fn len(&self) -> usize {
        self.rows.len().saturating_sub(1)
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = [0; N];
        let mut numeric = [true; N];
        for (index, row) in self.rows.iter().enumerate() {
            for ((width, numeric), cell) in widths.iter_mut().zip(&mut numeric).zip(row) {
                *width = cell.chars().count().max(*width);
                *numeric &= index == 0 || is_number(cell);
            }
        }
        for (index, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for ((width, numeric), cell) in widths.iter().zip(numeric).zip(row) {
                line += &if numeric { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
            }
            writeln!(f, "{}", line.trim_end())?;
            if index == 0 {
                let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                writeln!(f, "{}", rule.join("  "))?;
            }
        }
        Ok(())
    }
}

/// Whether a cell belongs to a column of numbers; an empty one does not speak against it.
fn is_number(cell: &str) -> bool {
    cell.is_empty() || cell == "-" || cell.trim_end_matches('x').parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        let mut table = Table::new(["dịch vụ", "ms"]);
        table.row(["đất đai".to_owned(), "7".to_owned()]);
        table.row(["a".to_owned(), "130".to_owned()]);
        assert_eq!(table.to_string(), "dịch vụ   ms\n-------  ---\nđất đai    7\na        130\n");
    }
}
