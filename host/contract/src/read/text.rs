//! A WIT text before it is parsed: what the parser would take wrongly, or drop without a word, is seen to here.

use super::ContractError;
use crate::names::is_hidden;

/// The text for the parser: as it was, every item where it stood, but without ordinary comments, which the parser would
/// take for documentation.
///
/// # Errors
/// Control characters, comments without an end, and documentation where WIT gives it nothing to stand on: inside
/// brackets and before a closing brace.
pub(super) fn prepare(file: &str, text: &str) -> Result<String, ContractError> {
    let prepared = String::with_capacity(text.len());
    let mut scan = Scan { file, at: Position { line: 1, column: 1 }, brackets: 0, waiting: None, prepared };
    let mut rest = text;
    while let Some(piece) = piece(rest) {
        scan.take(piece)?;
        rest = rest.strip_prefix(piece).unwrap_or_default();
    }
    scan.check_waiting()?;
    Ok(scan.prepared)
}

/// The comment, string, arrow or character that a text begins with.
pub(super) fn piece(text: &str) -> Option<&str> {
    let first = text.chars().next()?;
    let length = if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        block_length(text).unwrap_or(text.len())
    } else if text.starts_with("->") {
        2
    } else if let Some(inner) = text.strip_prefix('"') {
        inner.find(['"', '\n']).map_or(text.len(), |end| end + 2)
    } else {
        first.len_utf8()
    };
    text.get(..length)
}

/// The length of the block comment that a text begins with, if it has an end; blocks nest.
fn block_length(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(['/', '*']).map(|next| at + next)) {
        at = match text.get(found..found + 2) {
            Some("/*") => {
                depth += 1;
                found + 2
            }
            Some("*/") => {
                depth -= 1;
                if depth == 0 {
                    return Some(found + 2);
                }
                found + 2
            }
            _ => found + 1,
        };
    }
    None
}

/// Whether a comment is documentation.
fn is_documentation(comment: &str) -> bool {
    comment.starts_with("///") || (comment.starts_with("/**") && comment.len() > "/**/".len())
}

#[derive(Clone, Copy)]
struct Position {
    line: usize,
    column: usize,
}

struct Scan<'t> {
    file: &'t str,
    at: Position,
    /// How many `(` and `<` are open.
    brackets: usize,
    /// Documentation whose item has not come yet.
    waiting: Option<Position>,
    prepared: String,
}

impl Scan<'_> {
    fn take(&mut self, piece: &str) -> Result<(), ContractError> {
        let comment = piece.starts_with("//") || piece.starts_with("/*");
        let documentation = comment && is_documentation(piece);
        match piece {
            _ if documentation => self.check_documentation(piece)?,
            _ if comment => self.check_end(piece)?,
            "}" => self.check_waiting()?,
            "(" | "<" => self.brackets += 1,
            ")" | ">" => self.brackets = self.brackets.saturating_sub(1),
            _ => {}
        }
        if !comment && !piece.trim().is_empty() {
            self.waiting = None;
        }
        let mut chars = piece.chars().peekable();
        while let Some(char) = chars.next() {
            // The end of a comment's line is not part of it, so `\r` may be the last character of a piece.
            let lone_return = char == '\r' && chars.peek().is_some_and(|next| *next != '\n');
            if lone_return || is_hidden(char) {
                let code = u32::from(char);
                return self.refuse(
                    self.at,
                    &format!("the control character U+{code:04X} may not stand in a contract"),
                );
            }
            match char {
                '\n' => self.at = Position { line: self.at.line + 1, column: 1 },
                _ => self.at.column += char.len_utf8(),
            }
            match char {
                '\n' | '\r' => self.prepared.push(char),
                _ if comment && !documentation => {
                    self.prepared.extend(std::iter::repeat_n(' ', char.len_utf8()));
                }
                _ => self.prepared.push(char),
            }
        }
        Ok(())
    }

    fn check_documentation(&mut self, piece: &str) -> Result<(), ContractError> {
        self.check_end(piece)?;
        self.waiting.get_or_insert(self.at);
        match self.brackets {
            0 => Ok(()),
            _ => self.refuse(
                self.at,
                "WIT has no documentation of parameters and of what stands in brackets: write `@param name …` in the \
                 function's comment, or give the type a name",
            ),
        }
    }

    fn check_end(&self, comment: &str) -> Result<(), ContractError> {
        match comment.starts_with("/*") && block_length(comment).is_none() {
            true => self.refuse(self.at, "the comment has no end: write `*/`"),
            false => Ok(()),
        }
    }

    fn check_waiting(&self) -> Result<(), ContractError> {
        match self.waiting {
            None => Ok(()),
            Some(at) => self
                .refuse(at, "nothing follows that this could document: write an ordinary comment with `//`"),
        }
    }

    fn refuse(&self, at: Position, reason: &str) -> Result<(), ContractError> {
        Err(ContractError {
            place: format!("{}:{}:{}", self.file, at.line, at.column),
            item: "the text".to_owned(),
            reason: reason.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_comments_vanish_and_everything_else_stays_where_it_was() {
        let text =
            "// đ\n/// docs\n//// four\n/* a /* b */ c */x /** d */ /**/ /***/\r\nf: func() -> u8; // end";
        let prepared = prepare("a.wit", text).unwrap();
        let expected =
            "     \n/// docs\n//// four\n                 x /** d */      /***/\r\nf: func() -> u8;       ";
        assert_eq!(prepared, expected);
        assert_eq!(prepared.len(), text.len());
    }

    #[test]
    fn a_lone_carriage_return_is_a_control_character() {
        for text in ["/// a\rb\nx", "/// a\u{7}\nx", "a\u{0}", "// \u{202e}", "\u{85}"] {
            assert!(prepare("a.wit", text).unwrap_err().reason.contains("control character"), "{text:?}");
        }
        assert!(prepare("a.wit", "/// a\r\n\tb\r\n").is_ok());
    }

    #[test]
    fn a_comment_ends_and_documentation_stands_before_something() {
        let cases = [
            ("a\n  /* open", "a.wit:2:3", "no end"),
            ("/** /* */", "a.wit:1:1", "no end"),
            ("/*/", "a.wit:1:1", "no end"),
            ("/// last", "a.wit:1:1", "nothing follows"),
            ("{ a,\n/// one\n/// two\n// three\n}", "a.wit:2:1", "nothing follows"),
            ("f: func(\n/// one\na: u8)", "a.wit:2:1", "`@param name …`"),
            ("t: tuple</** one */ u8>", "a.wit:1:10", "give the type a name"),
        ];
        for (text, place, reason) in cases {
            let error = prepare("a.wit", text).unwrap_err();
            assert_eq!(error.place, place, "{text}");
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn what_stands_in_a_string_is_no_comment() {
        for text in ["@external-id(\"https://example.vn\") f: func();", "\"open // a\n// b"] {
            let prepared = prepare("a.wit", text).unwrap();
            assert!(prepared.starts_with(text.split_once('\n').map_or(text, |(line, _)| line)), "{prepared}");
        }
    }
}
