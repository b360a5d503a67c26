//! Patterns of texts: regular expressions that mean the same to this host and to whoever reads the OpenAPI document.
//!
//! JSON Schema takes the expressions of ECMA 262, the host those of the `regex` crate. What both write alike is taken,
//! everything else refused with what to write instead.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

/// How much memory one compiled pattern may take.
const MAX_COMPILED: usize = 1 << 20;

/// Compiles the argument of `@pattern`.
///
/// # Errors
/// A text that is no regular expression, is too large once compiled, or means something else in ECMA 262.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.is_empty() {
        return Err("it needs a regular expression".to_owned());
    }
    let compiled = RegexBuilder::new(pattern).size_limit(MAX_COMPILED).build();
    let compiled = compiled.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => format!("{pattern:?} is too large: repeat less often"),
        error => {
            let drawn = error.to_string();
            let told = drawn.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("{pattern:?} is not a regular expression: {told}")
        }
    })?;
    check_portable(pattern)
        .map_err(|reason| format!("{pattern:?} is read differently elsewhere: {reason}"))?;
    Ok(compiled)
}

/// `pattern` is known to be an expression of the `regex` crate.
fn check_portable(pattern: &str) -> Result<(), String> {
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\\' => check_escape(&mut chars)?,
            '[' => check_class(&mut chars)?,
            '(' if chars.next_if_eq(&'?').is_some() => {
                chars.next_if_eq(&':').ok_or("of groups with `(?` write `(?:…)` only")?;
            }
            // A quantifier; the `regex` crate has seen to it that it ends.
            '{' => {
                while chars.next_if(|c| *c != '}').is_some() {}
                chars.next();
            }
            '}' | ']' => return Err(format!("write `\\{char}` for the character itself")),
            _ => {}
        }
    }
    Ok(())
}

fn check_class(chars: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    chars.next_if_eq(&'^');
    if chars.next_if_eq(&']').is_some() {
        return Err("write `\\]` for the character itself".to_owned());
    }
    while let Some(char) = chars.next() {
        match char {
            ']' => return Ok(()),
            '\\' => check_escape(chars)?,
            '[' => {
                return Err("write `\\[` in a class for the character itself; classes do not nest".to_owned());
            }
            '&' | '~' | '-' if chars.peek() == Some(&char) => {
                return Err(format!(
                    "`{char}{char}` in a class is an operator in some dialects; write it once"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_escape(chars: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    match chars.next() {
        Some('t' | 'n' | 'r') => Ok(()),
        Some(char) if char.is_ascii_punctuation() => Ok(()),
        Some('d' | 'D') => {
            Err("`\\d` takes the digits of all scripts in one and ASCII digits in the other; write `[0-9]`"
                .to_owned())
        }
        Some('p' | 'P') if chars.next_if_eq(&'{').is_some() => {
            let name: String = std::iter::from_fn(|| chars.next_if(|c| *c != '}')).collect();
            chars.next();
            match name.len() {
                1 | 2 => Ok(()),
                _ => Err(format!(
                    "of `\\p{{{name}}}` only the one- and two-letter categories are common, for instance `\\p{{Lu}}`"
                )),
            }
        }
        Some(char) => Err(format!("`\\{char}` is not common to both; write out the characters")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_expressions_are_taken() {
        let patterns = [
            "^[0-9]{12}$",
            r"^\+?[0-9]{8,15}$",
            r"^([A-Z][0-9]{2}(\.[0-9]{1,3})*|[0-9]{3})$",
            "^[^|]{1,200}$",
            r"^(?:\p{L}|\p{Lu}|[\p{L} '-])+$",
            r"^[a-z\-\]\[]+\t?$",
        ];
        for pattern in patterns {
            assert!(compile(pattern).is_ok(), "{pattern}: {:?}", compile(pattern));
        }
    }

    #[test]
    fn dialects_are_refused_with_what_to_write() {
        let cases = [
            ("", "needs a regular expression"),
            ("(", "not a regular expression"),
            ("(?=a)", "not a regular expression"),
            (r"(a)\1", "not a regular expression"),
            (".{1000000}", "too large"),
            (r"^\d+$", "write `[0-9]`"),
            (r"^\w+$", "write out the characters"),
            (r"\bword\b", "write out the characters"),
            ("(?i)abc", "write `(?:…)` only"),
            ("(?P<year>[0-9]{4})", "write `(?:…)` only"),
            ("[[:alpha:]]", r"write `\[`"),
            ("[a-z&&[^b]]", "write it once"),
            ("[]a]", r"write `\]`"),
            ("a]", r"write `\]`"),
            (r"\p{Greek}", "one- and two-letter"),
        ];
        for (pattern, expected) in cases {
            let error = compile(pattern).unwrap_err();
            assert!(error.contains(expected), "{pattern}: {error}");
        }
    }
}
