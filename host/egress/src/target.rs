//! What a request asks for: a path template filled in, and a query.
//!
//! A connector's values go into the target in one way only: percent-encoded so that nothing but letters, digits and
//! `-._~` stands for itself. A parameter is one segment, whatever it holds. Values that a server might take for more
//! than one segment, or for the way up, once it decodes or normalises them are refused beforehand.

use std::borrow::Cow;

use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use truc_contract::{Allowed, Method, Segment};

use crate::error::Quoted;

/// The most bytes of path and query together.
pub(crate) const MOST_BYTES: usize = 8 * 1024;

/// How often a value may be percent-encoded in itself before it is refused unread.
const MOST_ENCODINGS: usize = 8;

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One allowed method and path, ready to be filled in.
pub(crate) struct Template {
    pub(crate) method: Method,
    text: String,
    pieces: Vec<Piece>,
}

enum Piece {
    /// Stands for itself.
    Text(String),
    /// The name of a parameter.
    Parameter(String),
}

impl Template {
    /// Takes an entry of the manifest, and the path that stands before it.
    pub(crate) fn new(base: &str, allowed: &Allowed) -> Self {
        let mut pieces = Vec::new();
        let mut text = base.to_owned();
        for segment in allowed.path.segments() {
            text.push('/');
            match segment {
                Segment::Literal(literal) => text.push_str(literal),
                Segment::Parameter(name) => {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(Piece::Parameter(name.clone()));
                }
            }
        }
        if allowed.path.segments().is_empty() {
            text.push('/');
        }
        pieces.push(Piece::Text(text));
        Self { method: allowed.method, text: allowed.path.as_str().to_owned(), pieces }
    }

    /// Whether this is the entry that a request names. The template is compared as it was written: there is no
    /// matching of paths that could be led astray.
    pub(crate) fn is(&self, method: Method, path: &str) -> bool {
        self.method == method && self.text == path
    }

    /// The entry as the manifest writes it.
    pub(crate) fn describe(&self) -> String {
        format!("`{} {}`", self.method, self.text)
    }

    /// The path with its parameters, and the query; or why not.
    pub(crate) fn fill(
        &self,
        parameters: &[(String, String)],
        query: &[(String, String)],
    ) -> Result<PathAndQuery, String> {
        let denied = |text: String| format!("{}: {text}", self.describe());
        let mut target = String::with_capacity(128);
        let mut used = 0;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => target.push_str(text),
                Piece::Parameter(name) => {
                    let mut values = parameters.iter().filter(|(given, _)| given == name);
                    let (Some((_, value)), None) = (values.next(), values.next()) else {
                        return Err(denied(format!("parameter `{name}` needs exactly one value")));
                    };
                    if let Some(reason) = refusal(value) {
                        return Err(denied(format!("parameter `{name}` is {}: {reason}", Quoted(value))));
                    }
                    target.extend(utf8_percent_encode(value, RESERVED));
                    used += 1;
                }
            }
        }
        if used != parameters.len() {
            return Err(denied(format!(
                "{} parameters were given, the template has {used}",
                parameters.len()
            )));
        }
        let too_long = || denied(format!("path and query are longer than {MOST_BYTES} bytes"));
        let mut separator = '?';
        for (name, value) in query {
            // Before it is copied: what a connector gives is bounded only by its own memory.
            if target.len() + name.len() + value.len() > MOST_BYTES {
                return Err(too_long());
            }
            target.push(separator);
            target.extend(utf8_percent_encode(name, RESERVED));
            target.push('=');
            target.extend(utf8_percent_encode(value, RESERVED));
            separator = '&';
        }
        if target.len() > MOST_BYTES {
            return Err(too_long());
        }
        PathAndQuery::from_maybe_shared(bytes::Bytes::from(target))
            .map_err(|error| denied(format!("path and query cannot be sent: {error}")))
    }
}

/// Why a value cannot be one segment of a path; none if it can. The value is looked at as it is and as it would be
/// after every further decoding, because some servers decode more than once.
fn refusal(value: &str) -> Option<&'static str> {
    if value.len() > MOST_BYTES {
        return Some("it is too long");
    }
    let mut text = Cow::Borrowed(value);
    for _ in 0..MOST_ENCODINGS {
        if let Some(reason) = refusal_as_is(&text) {
            return Some(reason);
        }
        if !text.contains('%') {
            return None;
        }
        let Ok(decoded) = percent_decode_str(&text).decode_utf8() else {
            return Some("it would decode to something that is not text");
        };
        if decoded == text {
            return None;
        }
        text = Cow::Owned(decoded.into_owned());
    }
    Some("it is percent-encoded too many times")
}

fn refusal_as_is(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("a segment cannot be empty");
    }
    if text.chars().any(char::is_control) {
        return Some("a segment cannot hold control characters");
    }
    // The second character of each pair becomes the first when Unicode text is normalised for compatibility (NFKC).
    if text.contains(['/', '\u{ff0f}', '\\', '\u{ff3c}', '\u{fe68}']) {
        return Some("a segment cannot hold slashes");
    }
    // What follows a `;` is a parameter of the segment to some servers, and dropped before dots are looked at.
    let name = text.split_once(';').map_or(text, |(name, _)| name).trim();
    let dots = name.chars().try_fold(0_u32, |dots, c| match c {
        '.' | '\u{ff0e}' | '\u{2024}' | '\u{fe52}' => Some(dots + 1),
        '\u{2025}' => Some(dots + 2),
        _ => None,
    });
    match dots {
        Some(1 | 2) => Some("a segment cannot be `.` or `..`"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn template(base: &str, path: &str) -> Template {
        Template::new(base, &Allowed { method: Method::Get, path: path.parse().unwrap() })
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn templates_are_filled_in() {
        for (base, path, parameters, query, target) in [
            ("", "/", &[][..], &[][..], "/"),
            ("/v1", "/", &[], &[], "/v1/"),
            ("/v1", "/a/{id}/b", &[("id", "7")], &[], "/v1/a/7/b"),
            ("", "/{a}/{b}", &[("b", "2"), ("a", "1")], &[], "/1/2"),
            ("", "/{a}", &[("a", "đ ?#&=+;:@")], &[], "/%C4%91%20%3F%23%26%3D%2B%3B%3A%40"),
            (
                "",
                "/x",
                &[],
                &[("q", "a b&c=d\r\n"), ("", "é"), ("q", "..")],
                "/x?q=a%20b%26c%3Dd%0D%0A&=%C3%A9&q=..",
            ),
        ] {
            let filled = template(base, path).fill(&pairs(parameters), &pairs(query)).unwrap();
            assert_eq!(filled.as_str(), target);
        }
    }

    #[test]
    fn parameters_are_exactly_those_of_the_template() {
        let template = template("", "/a/{id}");
        for parameters in [&[][..], &[("it", "1")], &[("id", "1"), ("id", "1")], &[("id", "1"), ("x", "1")]] {
            assert!(template.fill(&pairs(parameters), &[]).is_err(), "{parameters:?}");
        }
    }

    #[test]
    fn ways_out_of_a_segment_are_refused() {
        for value in [
            "",
            ".",
            "..",
            " .. ",
            "/",
            "a/b",
            "../x",
            "..\\x",
            "%2e",
            "%2E%2e",
            "%252e%252e",
            "%2f",
            "a%2Fb",
            "%5c",
            "a%252fb",
            "..;x",
            "..;/x",
            "%2e%2e;x",
            "．．",
            "․․",
            "‥",
            "﹒",
            "a／b",
            "a＼b",
            "a\0b",
            "a\r\nb",
            "a%00",
            "%0d%0aHost:%20x",
            "\u{85}",
            "%c0%ae%c0%ae",
            "%ff",
            "%25252525252525252525252525252e",
        ] {
            assert!(refusal(value).is_some(), "{value:?}");
        }
    }

    #[test]
    fn everything_else_is_taken() {
        for value in
            ["...", ".a", "a..", "a.b", "100%", "%zz", "001190000017", "Nguyễn Văn Ấn", "a;b", "-", "~", "…"]
        {
            assert_eq!(refusal(value), None, "{value:?}");
        }
    }

    #[test]
    fn long_targets_are_refused() {
        let template = template("", "/{a}");
        let long = "a".repeat(MOST_BYTES);
        assert!(template.fill(&pairs(&[("a", &long)]), &[]).is_err());
        assert!(template.fill(&pairs(&[("a", "a")]), &pairs(&[("q", &long)])).is_err());
        assert!(template.fill(&pairs(&[("a", "a")]), &pairs(&[("q", &"é".repeat(MOST_BYTES / 4))])).is_err());
    }

    proptest! {
        #[test]
        fn any_value_is_one_segment_or_refused(value in any::<String>(), key in "[a-z]{0,3}", other in any::<String>()) {
            let Ok(target) = template("/base", "/{a}/end").fill(&pairs(&[("a", &value)]), &pairs(&[(&key, &other)])) else {
                return Ok(());
            };
            let segments: Vec<_> = target.path().split('/').collect();
            let [empty, base, segment, end] = segments[..] else { panic!("{target}") };
            prop_assert_eq!((empty, base, end), ("", "base", "end"));
            prop_assert!(!matches!(segment, "" | "." | ".."));
            prop_assert_eq!(percent_decode_str(segment).decode_utf8().unwrap(), value);
            let (name, value) = target.query().unwrap().split_once('=').unwrap();
            prop_assert_eq!(name, key);
            prop_assert_eq!(percent_decode_str(value).decode_utf8().unwrap(), other);
            prop_assert!(target.as_str().bytes().all(|b| b.is_ascii_graphic() && b != b'#'));
        }

        #[test]
        fn spellings_of_the_way_up_never_pass(value in r"(\.|%2e|%2E|%252e|．|․){1,2}(;[a-z]*)?([/\\]|%2f|%5c|／|＼)?") {
            prop_assert!(refusal(&value).is_some());
        }
    }
}
