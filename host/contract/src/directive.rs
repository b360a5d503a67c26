//! Doc comments taken apart: lines that begin with `@` are directives for machines, the rest is text for people.

use std::fmt;
use std::sync::Arc;

use crate::model::{Format, Pii, Rules};
use crate::path::{Method, PathTemplate};
use crate::pattern;

/// A doc comment taken apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Docs {
    /// The lines for people: CommonMark without HTML.
    pub text: String,
    /// `@http`.
    pub http: Option<(Method, PathTemplate)>,
    /// `@cache`, in seconds.
    pub cache: Option<u32>,
    /// `@status`.
    pub status: Option<u16>,
    /// `@pii`, `@format`, `@pattern`, `@min`, `@max`, `@example`.
    pub rules: Rules,
    /// `@param`: WIT has no doc comments on parameters, so the function's comment carries them.
    pub params: Vec<(String, Docs)>,
}

/// What a doc comment stands on; it decides which directives make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A package, world or interface: none.
    Container,
    /// A function: `@http`, `@cache`, `@param`.
    Function,
    /// A field, parameter or type: the rules.
    Value,
    /// A case of a variant or enumeration: `@status`.
    Case,
}

/// Why a doc comment is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocsError {
    /// A directive that does not exist, does not belong here, stands twice or cannot be read.
    #[error("`@{name}`: {reason}")]
    Directive {
        /// The directive's name.
        name: String,
        /// What is wrong and what to write instead.
        reason: String,
    },
    /// A text that a reader of CommonMark would take for HTML.
    #[error("its documentation holds HTML at `{0}`: put it between backticks, or write `&lt;` for `<`")]
    Html(String),
}

/// Takes a doc comment apart.
///
/// # Errors
/// A directive that does not exist, does not belong here, stands twice, stands inside a line or cannot be read; HTML.
pub fn parse(comment: Option<&str>, place: Place) -> Result<Docs, DocsError> {
    let mut docs = Docs::default();
    for line in comment.unwrap_or_default().lines() {
        match line.trim_start().strip_prefix('@') {
            Some(directive) => {
                let (name, argument) = split_word(directive);
                docs.apply(name, argument, place)
                    .map_err(|reason| DocsError::Directive { name: name.to_owned(), reason })?;
            }
            None => {
                if let Some(name) = directive_inside(line) {
                    let reason = "begin a line with it".to_owned();
                    return Err(DocsError::Directive { name: name.to_owned(), reason });
                }
                docs.text.push_str(line.trim_end());
                docs.text.push('\n');
            }
        }
    }
    docs.text = docs.text.trim().to_owned();
    let texts = std::iter::once(&docs.text).chain(docs.params.iter().map(|(_, docs)| &docs.text));
    match texts.filter_map(|text| html(text)).next() {
        Some(found) => Err(DocsError::Html(found.chars().take(20).collect())),
        None => Ok(docs),
    }
}

/// A text's first word and what follows it.
fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

/// A directive's name in the middle of a text, where it would go unheeded.
fn directive_inside(line: &str) -> Option<&str> {
    line.split_whitespace().filter_map(|word| word.strip_prefix('@')).find(|name| KNOWN.contains(name))
}

/// The first place that CommonMark (0.31.2, sections 4.6 and 6.6) reads as HTML: `<` before a letter, `/`, `!` or `?`,
/// outside code and not escaped.
fn html(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(at) = rest.find(['`', '<', '\\']) {
        let (_, found) = rest.split_at(at);
        let ticks = found.len() - found.trim_start_matches('`').len();
        if ticks > 0 {
            let (fence, after) = found.split_at(ticks);
            rest = end_of_code(after, fence).unwrap_or(after);
        } else if let Some(escaped) = found.strip_prefix('\\') {
            rest = escaped.strip_prefix(['<', '\\', '`']).unwrap_or(escaped);
        } else {
            let after = found.strip_prefix('<').unwrap_or_default();
            if after.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c)) {
                return Some(found);
            }
            rest = after;
        }
    }
    None
}

/// What follows the backticks that end a piece of code: as many as began it.
fn end_of_code<'t>(text: &'t str, fence: &str) -> Option<&'t str> {
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        let (_, found) = rest.split_at(at);
        let after = found.trim_start_matches('`');
        if found.len() - after.len() == fence.len() {
            return Some(after);
        }
        rest = after;
    }
    None
}

/// Fills what a directive says, once.
fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err("it stands twice".to_owned()),
    }
}

impl Docs {
    fn apply(&mut self, name: &str, argument: &str, place: Place) -> Result<(), String> {
        match (name, place) {
            ("http", Place::Function) => set(&mut self.http, parse_http(argument)?),
            ("cache", Place::Function) => set(&mut self.cache, parse_seconds(argument)?),
            ("param", Place::Function) => self.add_parameter(argument),
            ("status", Place::Case) => set(&mut self.status, parse_status(argument)?),
            ("pii", Place::Value) => set(&mut self.rules.pii, parse_pii(argument)?),
            ("format", Place::Value) => set(&mut self.rules.format, parse_format(argument)?),
            ("pattern", Place::Value) => set(&mut self.rules.pattern, Arc::new(pattern::compile(argument)?)),
            ("min", Place::Value) => set(&mut self.rules.min, parse_number(argument)?),
            ("max", Place::Value) => set(&mut self.rules.max, parse_number(argument)?),
            ("example", Place::Value) if argument.is_empty() => Err("it needs a value".to_owned()),
            ("example", Place::Value) => set(&mut self.rules.example, argument.to_owned()),
            ("http" | "cache" | "param", _) => Err("it belongs on a function".to_owned()),
            ("status", _) => Err("it belongs on a case of an error type".to_owned()),
            ("pii" | "format" | "pattern" | "min" | "max" | "example", _) => {
                Err("it belongs on a field, a type or, behind `@param name`, a parameter".to_owned())
            }
            _ => Err(unknown()),
        }
    }

    fn add_parameter(&mut self, argument: &str) -> Result<(), String> {
        let (name, rest) = split_word(argument);
        if rest.is_empty() {
            return Err("write the parameter's name and then a text or a directive".to_owned());
        }
        let index = match self.params.iter().position(|(known, _)| known == name) {
            Some(index) => index,
            None => {
                self.params.push((name.to_owned(), Docs::default()));
                self.params.len() - 1
            }
        };
        let Some((_, docs)) = self.params.get_mut(index) else { return Ok(()) };
        match rest.strip_prefix('@') {
            Some(directive) => {
                let (directive, argument) = split_word(directive);
                docs.apply(directive, argument, Place::Value)
                    .map_err(|reason| format!("`{name}`: `@{directive}`: {reason}"))
            }
            None => match directive_inside(rest) {
                Some(directive) => {
                    Err(format!("`{name}`: write `@param {name} @{directive} …` on a line of its own"))
                }
                None => {
                    let separator = if docs.text.is_empty() { "" } else { "\n" };
                    docs.text.push_str(separator);
                    docs.text.push_str(rest);
                    Ok(())
                }
            },
        }
    }
}

const KNOWN: [&str; 10] =
    ["http", "cache", "param", "status", "pii", "format", "pattern", "min", "max", "example"];

fn unknown() -> String {
    let list = KNOWN.map(|name| format!("`@{name}`")).join(", ");
    format!("there is no such directive; there are {list}")
}

fn parse_http(argument: &str) -> Result<(Method, PathTemplate), String> {
    let (method, path) = argument
        .split_once(char::is_whitespace)
        .ok_or("write a method and a path, for instance `@http GET /parcels/{id}`")?;
    let method = method.parse().map_err(|error: crate::path::MethodError| error.to_string())?;
    let path = path.trim().parse().map_err(|error: crate::path::PathTemplateError| error.to_string())?;
    match method {
        Method::Head => Err("HEAD is served wherever GET is; write GET".to_owned()),
        _ => Ok((method, path)),
    }
}

fn parse_seconds(argument: &str) -> Result<u32, String> {
    let time: truc_model::Millis =
        argument.parse().map_err(|error: truc_model::QuantityError| error.to_string())?;
    let seconds = u32::try_from(time.0 / 1000).ok().filter(|_| time.0.is_multiple_of(1000));
    seconds
        .filter(|seconds| (1..=86_400).contains(seconds))
        .ok_or_else(|| "write whole seconds, from 1s to a day".to_owned())
}

fn parse_status(argument: &str) -> Result<u16, String> {
    argument
        .parse()
        .ok()
        .filter(|status| (400..=599).contains(status))
        .ok_or_else(|| format!("{argument:?} is not an HTTP status of 400 to 599"))
}

fn parse_pii(argument: &str) -> Result<Pii, String> {
    match argument {
        "basic" => Ok(Pii::Basic),
        "sensitive" => Ok(Pii::Sensitive),
        _ => Err("write `basic` or `sensitive`".to_owned()),
    }
}

fn parse_format(argument: &str) -> Result<Format, String> {
    Format::ALL.into_iter().find(|format| format.as_str() == argument).ok_or_else(|| {
        format!("{argument:?} is not known; there are {}", Format::ALL.map(Format::as_str).join(", "))
    })
}

fn parse_number(argument: &str) -> Result<i128, String> {
    argument.parse().map_err(|_| format!("{argument:?} is not a whole number"))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Container => "package or interface",
            Place::Function => "function",
            Place::Value => "field or type",
            Place::Case => "case",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_directives_are_told_apart() {
        let comment = "One parcel. (Thửa đất)\n\n@http GET /parcels/{id}\n@cache 60s\n@param id Its number.\n\
                       @param id @example 12";
        let docs = parse(Some(comment), Place::Function).unwrap();
        assert_eq!(docs.text, "One parcel. (Thửa đất)");
        assert_eq!(docs.cache, Some(60));
        let (name, id) = &docs.params[0];
        assert_eq!(
            (name.as_str(), id.text.as_str(), id.rules.example.as_deref()),
            ("id", "Its number.", Some("12"))
        );
    }

    #[test]
    fn a_wrong_directive_says_what_would_be_right() {
        let cases = [
            ("@htp GET /a", Place::Function, "`@htp`: there is no such directive"),
            ("@ http GET /a", Place::Function, "there is no such directive"),
            ("@http GET", Place::Function, "write a method and a path"),
            ("@http FETCH /a", Place::Function, "not a method"),
            ("@http HEAD /a", Place::Function, "write GET"),
            ("@http GET a", Place::Function, "begin it with `/`"),
            ("@http GET /a\n@http GET /b", Place::Function, "stands twice"),
            ("@http GET /a", Place::Value, "belongs on a function"),
            ("@cache 60s", Place::Container, "belongs on a function"),
            ("@cache 1ms", Place::Function, "from 1s to a day"),
            ("@cache 1500ms", Place::Function, "whole seconds"),
            ("@cache 1441min", Place::Function, "from 1s to a day"),
            ("@cache soon", Place::Function, "not a time"),
            ("@status 200", Place::Case, "not an HTTP status of 400 to 599"),
            ("@status 404", Place::Value, "belongs on a case"),
            ("@pii some", Place::Value, "`basic` or `sensitive`"),
            ("@pii basic", Place::Case, "belongs on a field"),
            ("@format day", Place::Value, "there are date"),
            ("@pattern (", Place::Value, "not a regular expression"),
            ("@min one", Place::Value, "not a whole number"),
            ("@min 1\n@min 2", Place::Value, "stands twice"),
            ("@example", Place::Value, "needs a value"),
            ("@example 1", Place::Function, "behind `@param name`"),
            ("@param", Place::Function, "write the parameter's name"),
            ("@param id", Place::Function, "write the parameter's name"),
            ("@param id @min 1\n@param id @min 2", Place::Function, "`id`: `@min`: it stands twice"),
            ("@param id @http GET /a", Place::Function, "`id`: `@http`: it belongs on a function"),
            ("@param id The number. @pii basic", Place::Function, "on a line of its own"),
            ("The number. @pii basic", Place::Value, "`@pii`: begin a line with it"),
            ("* @pii basic", Place::Value, "`@pii`: begin a line with it"),
        ];
        for (text, place, expected) in cases {
            let error = parse(Some(text), place).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn html_is_told_from_text_and_code() {
        for text in [
            "a < b",
            "1 <2",
            "`<b>`",
            "``a ` <b>``",
            "```\n<b>\n```",
            r"\<b>",
            "a -> b",
            "lien-he@example.vn",
            "\\\\ `<b>`",
        ] {
            assert!(parse(Some(text), Place::Value).is_ok(), "{text}");
        }
        for text in ["<b>", "a <script>", "</p>", "<!-- -->", "<?x", "` <b>", "`a` <b>", r"\\<b>", "``a` <b>"]
        {
            assert!(matches!(parse(Some(text), Place::Value), Err(DocsError::Html(_))), "{text}");
        }
        let parameter = parse(Some("@param id The <b>number</b>."), Place::Function);
        assert_eq!(parameter.unwrap_err(), DocsError::Html("<b>number</b>.".to_owned()));
    }
}
