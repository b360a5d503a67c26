//! Targets: which paths are taken. It is these bytes, unchanged, that are routed by and handed on.

use std::borrow::Cow;

/// How often a path is decoded to look for what hides in it.
const ROUNDS: usize = 3;

/// What makes a path ambiguous: another server, or one that decodes it once more, might read it as another path.
///
/// # Errors
/// What the path holds that it must not.
pub fn check_path(path: &str) -> Result<(), &'static str> {
    if !path.starts_with('/') {
        return Err("no `/` at its beginning");
    }
    check_plain(path.as_bytes())?;
    if !path.contains('%') {
        return Ok(());
    }
    let mut text = Cow::Borrowed(path.as_bytes());
    for round in 0..ROUNDS {
        let Some(decoded) = decode(&text, round)? else { break };
        // An encoded slash, dot or backslash shows as one that was not there before.
        check_decoded(&text, &decoded)?;
        text = Cow::Owned(decoded);
    }
    match std::str::from_utf8(&text) {
        Ok(_) => Ok(()),
        Err(_) => Err("percent-encoded bytes that are not UTF-8"),
    }
}

/// What no path may hold as it is.
fn check_plain(path: &[u8]) -> Result<(), &'static str> {
    let mut previous = 0;
    for byte in path {
        match byte {
            b'/' if previous == b'/' => return Err("an empty segment"),
            b'\\' => return Err("a backslash"),
            b'#' => return Err("a fragment"),
            0..=0x20 | 0x7f.. => return Err("a character that must be percent-encoded"),
            _ => {}
        }
        previous = *byte;
    }
    let dots = |segment: &[u8]| {
        // `..;a=b` is a dot segment to servers that cut parameters off.
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        matches!(name, b"." | b"..")
    };
    match path.split(|byte| *byte == b'/').any(dots) {
        true => Err("a dot segment"),
        false => Ok(()),
    }
}

/// Decodes once. None if nothing is encoded. Beyond the first round a `%` may stand for itself.
fn decode(text: &[u8], round: usize) -> Result<Option<Vec<u8>>, &'static str> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut any = false;
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        match after {
            [high, low, after @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
                decoded.push(hex(*high).unwrap_or_default() << 4 | hex(*low).unwrap_or_default());
                rest = after;
                any = true;
            }
            _ if round == 0 => return Err("a `%` that is not followed by two hexadecimal digits"),
            _ => decoded.push(b'%'),
        }
    }
    Ok(any.then_some(decoded))
}

fn check_decoded(before: &[u8], after: &[u8]) -> Result<(), &'static str> {
    let count = |text: &[u8], wanted: u8| text.iter().filter(|byte| **byte == wanted).count();
    for (wanted, what) in
        [(b'/', "an encoded slash"), (b'\\', "an encoded backslash"), (b'.', "an encoded dot")]
    {
        if count(after, wanted) > count(before, wanted) {
            return Err(what);
        }
    }
    match after.iter().any(|byte| *byte < 0x20 || *byte == 0x7f) {
        true => Err("an encoded control character"),
        false => Ok(()),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_as_clients_write_them_are_taken() {
        for path in [
            "/",
            "/api/land/v1/a",
            "/api/land/v1/%C4%91",
            "/a/b.c",
            "/a/...",
            "/a/.b",
            "/a/b..",
            "/a/b;c=d/e",
            "/a/100%25",
            "/a/%25zz",
            "/a/%2541",
            "/a%3Ab",
            "/a/%20",
            "/a/",
            "/a/~!$&'()*+,;=:@",
        ] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn what_might_be_read_as_another_path_is_refused() {
        for path in [
            "",
            "a",
            "*",
            "/a//b",
            "//a",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/a/.",
            "/..",
            "/a/..;/b",
            "/a/.;x=1/b",
            "/a\\b",
            "/a/..\\b",
            "/a%2fb",
            "/a%2Fb",
            "/%2e%2e/",
            "/%2E./",
            "/a/.%2e",
            "/a%5cb",
            "/a%00",
            "/a%0d%0a",
            "/a%7f",
            "/a%zz",
            "/a%",
            "/a%2",
            "/a/%252e%252e/b",
            "/a/%25252e",
            "/a%252fb",
            "/a%25252fb",
            "/a%255c",
            "/a%2500",
            "/a#b",
            "/a b",
            "/a\tb",
            "/á",
            "/a/%c0%ae%c0%ae/",
            "/a/%e0%80%ae",
            "/a/%ff",
            "/a/%c0%af",
        ] {
            assert!(check_path(path).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_path_that_is_taken_stays_where_it_is(path in "(/|[.]|%|2|5|e|f|c|;|\\\\|a){0,24}") {
            let path = format!("/{path}");
            if check_path(&path).is_ok() {
                let mut text = path.clone().into_bytes();
                for round in 1..=3 {
                    let segments: Vec<&[u8]> = text.split(|byte| *byte == b'/').collect();
                    let slashes = path.matches('/').count();
                    prop_assert_eq!(segments.len(), slashes + 1);
                    prop_assert!(!segments.iter().any(|segment| matches!(*segment, b"." | b"..")));
                    match decode(&text, round) {
                        Ok(Some(decoded)) => text = decoded,
                        _ => break,
                    }
                }
            }
        }
    }
}
