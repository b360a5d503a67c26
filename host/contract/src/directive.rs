//! Directives: the lines of a doc comment that begin with `@` and are for machines.

use std::fmt;
use std::sync::Arc;

use crate::model::{Format, Pii, Rules};
use crate::path::{Method, PathTemplate};

/// A doc comment taken apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Docs {
    /// The lines for people.
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

/// Why a directive is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`@{directive}`: {reason}")]
pub struct DirectiveError {
    /// The directive's name.
    pub directive: String,
    /// What is wrong and what to write instead.
    pub reason: String,
}

/// Takes a doc comment apart.
///
/// # Errors
/// A directive that does not exist, does not belong here, stands twice or cannot be read.
pub fn parse(comment: Option<&str>, place: Place) -> Result<Docs, DirectiveError> {
    let mut docs = Docs::default();
    let mut seen: Vec<&str> = Vec::new();
    for line in comment.unwrap_or_default().lines() {
        let Some(directive) = line.trim_start().strip_prefix('@') else {
            docs.text.push_str(line.trim_end());
            docs.text.push('\n');
            continue;
        };
        let (name, argument) = directive.split_once(char::is_whitespace).unwrap_or((directive, ""));
        let error = |reason: String| DirectiveError { directive: name.to_owned(), reason };
        if name != "param" && seen.contains(&name) {
            return Err(error("it stands twice".to_owned()));
        }
        seen.push(name);
        docs.apply(name, argument.trim(), place).map_err(error)?;
    }
    docs.text = docs.text.trim().to_owned();
    Ok(docs)
}

impl Docs {
    fn apply(&mut self, name: &str, argument: &str, place: Place) -> Result<(), String> {
        match (name, place) {
            ("http", Place::Function) => self.http = Some(parse_http(argument)?),
            ("cache", Place::Function) => self.cache = Some(parse_seconds(argument)?),
            ("param", Place::Function) => self.add_parameter(argument)?,
            ("status", Place::Case) => self.status = Some(parse_status(argument)?),
            ("pii", Place::Value) => self.rules.pii = Some(parse_pii(argument)?),
            ("format", Place::Value) => self.rules.format = Some(parse_format(argument)?),
            ("pattern", Place::Value) => self.rules.pattern = Some(Arc::new(parse_pattern(argument)?)),
            ("min", Place::Value) => self.rules.min = Some(parse_number(argument)?),
            ("max", Place::Value) => self.rules.max = Some(parse_number(argument)?),
            ("example", Place::Value) if argument.is_empty() => return Err("it needs a value".to_owned()),
            ("example", Place::Value) => self.rules.example = Some(argument.to_owned()),
            ("http" | "cache" | "param", _) => return Err("it belongs on a function".to_owned()),
            ("status", _) => return Err("it belongs on a case of an error type".to_owned()),
            ("pii" | "format" | "pattern" | "min" | "max" | "example", _) => {
                return Err("it belongs on a field, a type or, behind `@param name`, a parameter".to_owned());
            }
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    fn add_parameter(&mut self, argument: &str) -> Result<(), String> {
        let (name, rest) = argument
            .split_once(char::is_whitespace)
            .ok_or("write the parameter's name and then a text or a directive")?;
        let rest = rest.trim();
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
                let (name, argument) = directive.split_once(char::is_whitespace).unwrap_or((directive, ""));
                docs.apply(name, argument.trim(), Place::Value)
            }
            None => {
                let separator = if docs.text.is_empty() { "" } else { "\n" };
                docs.text.push_str(separator);
                docs.text.push_str(rest);
                Ok(())
            }
        }
    }
}

const KNOWN: [&str; 10] =
    ["http", "cache", "param", "status", "pii", "format", "pattern", "min", "max", "example"];

fn unknown(name: &str) -> String {
    let list = KNOWN.map(|name| format!("`@{name}`")).join(", ");
    format!("there is no directive `@{name}`; there are {list}")
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
    u32::try_from(time.0 / 1000)
        .ok()
        .filter(|seconds| (1..=86_400).contains(seconds))
        .ok_or_else(|| "write a time of 1s to a day".to_owned())
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
    [Format::Date, Format::DateTime, Format::Email, Format::Uri, Format::Uuid]
        .into_iter()
        .find(|format| format.as_str() == argument)
        .ok_or_else(|| format!("{argument:?} is not known; there are date, date-time, email, uri, uuid"))
}

fn parse_pattern(argument: &str) -> Result<regex::Regex, String> {
    if argument.is_empty() {
        return Err("it needs a regular expression".to_owned());
    }
    regex::RegexBuilder::new(argument)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| format!("{argument:?} is not a regular expression: {error}"))
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
        let docs = parse(
            Some("One parcel. (Thửa đất)\n\n@http GET /parcels/{id}\n@cache 60s\n@param id Its number.\n@param id @example 12"),
            Place::Function,
        )
        .unwrap();
        assert_eq!(docs.text, "One parcel. (Thửa đất)");
        assert_eq!(docs.cache, Some(60));
        let (name, id) = &docs.params[0];
        assert_eq!((name.as_str(), id.text.as_str(), id.rules.example.as_deref()), ("id", "Its number.", Some("12")));
    }

    #[test]
    fn a_wrong_directive_says_what_would_be_right() {
        let cases = [
            ("@htp GET /a", Place::Function, "there is no directive `@htp`"),
            ("@http GET", Place::Function, "write a method and a path"),
            ("@http FETCH /a", Place::Function, "not a method"),
            ("@status 200", Place::Case, "not an HTTP status of 400 to 599"),
            ("@status 404", Place::Value, "belongs on a case"),
            ("@pii some", Place::Value, "`basic` or `sensitive`"),
            ("@format day", Place::Value, "there are date"),
            ("@pattern (", Place::Value, "not a regular expression"),
            ("@min one", Place::Value, "not a whole number"),
            ("@min 1\n@min 2", Place::Value, "stands twice"),
            ("@cache 1ms", Place::Function, "1s to a day"),
        ];
        for (text, place, expected) in cases {
            let error = parse(Some(text), place).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
