//! HTTP methods and path templates, as routes and manifests write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An HTTP method (RFC 9110) that routes and upstream rules may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Retrieve.
    Get,
    /// Retrieve without a body.
    Head,
    /// Process.
    Post,
    /// Replace.
    Put,
    /// Change in part.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 6] =
        [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete];

    /// The method as HTTP writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// Whether the method only retrieves (RFC 9110, section 9.2.1).
    pub const fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head)
    }

    /// Whether doing it twice has the effect of doing it once (RFC 9110, section 9.2.2).
    pub const fn is_idempotent(self) -> bool {
        !matches!(self, Method::Post | Method::Patch)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not a method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a method: write one of GET, HEAD, POST, PUT, PATCH, DELETE")]
pub struct MethodError(String);

impl FromStr for Method {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        Method::ALL
            .into_iter()
            .find(|method| method.as_str() == text)
            .ok_or_else(|| MethodError(text.chars().take(40).collect()))
    }
}

/// One segment of a path template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A text that stands for itself: unreserved characters of RFC 3986 and `:`, `@`, `!`, `$`, `'`, `*`, `+`, `,`,
    /// `=`, never `.` or `..`.
    Literal(String),
    /// `{name}`: exactly one segment of any non-empty content.
    Parameter(String),
}

/// A path template: `/parcels/{id}`. Normal by construction: no empty segments, no dot segments, nothing encoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathTemplate {
    text: String,
    segments: Vec<Segment>,
}

/// Why a text is not a path template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{template:?} is not a path template: {reason}")]
pub struct PathTemplateError {
    template: String,
    reason: String,
}

impl PathTemplate {
    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its segments; none for `/`.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names of its parameters in order.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Parameter(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// Whether every path of one template that could match a path of the other is of the same shape: the two differ
    /// at most in their parameters' names.
    pub fn same_shape(&self, other: &PathTemplate) -> bool {
        self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Literal(a), Segment::Literal(b)) => a == b,
                (Segment::Parameter(_), Segment::Parameter(_)) => true,
                _ => false,
            })
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for PathTemplate {
    type Err = PathTemplateError;

    fn from_str(text: &str) -> Result<Self, PathTemplateError> {
        let wrong = |reason: String| PathTemplateError { template: text.chars().take(200).collect(), reason };
        let rest = text.strip_prefix('/').ok_or_else(|| wrong("begin it with `/`".to_owned()))?;
        let mut segments: Vec<Segment> = Vec::new();
        if !rest.is_empty() {
            for part in rest.split('/') {
                let segment = parse_segment(part).map_err(wrong)?;
                if matches!(&segment, Segment::Parameter(_)) && segments.contains(&segment) {
                    return Err(wrong(format!("`{part}` stands twice")));
                }
                segments.push(segment);
            }
        }
        Ok(Self { text: text.to_owned(), segments })
    }
}

fn parse_segment(part: &str) -> Result<Segment, String> {
    if let Some(name) = part.strip_prefix('{') {
        let name = name.strip_suffix('}').ok_or_else(|| format!("`{part}` has no closing `}}`"))?;
        let fits = !name.is_empty()
            && name.len() <= 63
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        return if fits {
            Ok(Segment::Parameter(name.to_owned()))
        } else {
            Err(format!("`{part}` needs a name of letters, digits, `-` and `_`, beginning with a letter"))
        };
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:@!$'*+,=".contains(&b);
    match part {
        "" => Err("two `/` follow each other, or it ends with one".to_owned()),
        "." | ".." => Err(format!("`{part}` is a dot segment")),
        _ if part.bytes().all(plain) => Ok(Segment::Literal(part.to_owned())),
        _ => Err(format!("`{part}` holds a character that a segment may not hold as it is")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_normal_by_construction() {
        for good in ["/", "/parcels/{id}", "/p1.0/order/post", "/{a}/{b-c}"] {
            assert_eq!(good.parse::<PathTemplate>().map(|t| t.as_str().to_owned()), Ok(good.to_owned()));
        }
        for bad in [
            "", "a", "//", "/a/", "/a//b", "/../a", "/./a", "/%2e", "/a?b", "/a#b", "/{a", "/{}", "/{a}/{a}",
            "/đ", "/a b", "/a\\b",
        ] {
            assert!(bad.parse::<PathTemplate>().is_err(), "{bad}");
        }
    }
}
