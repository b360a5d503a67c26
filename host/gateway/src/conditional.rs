//! `If-None-Match` (RFC 9110, section 13.1.2): whether a caller already has what it asks for.

use http::header::{HeaderMap, IF_NONE_MATCH};

/// Whether the caller names the strong, quoted entity tag of the present answer, or any.
pub(crate) fn has(headers: &HeaderMap, tag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|value| lists(value.as_bytes(), tag.as_bytes()))
}

/// Whether a list of entity tags holds one, by weak comparison. What follows a fault of the list is not read.
fn lists(list: &[u8], tag: &[u8]) -> bool {
    let mut rest = list;
    loop {
        rest = rest.trim_ascii_start();
        if let Some(more) = rest.strip_prefix(b",") {
            rest = more;
            continue;
        }
        if rest.trim_ascii_end() == b"*" {
            return true;
        }
        rest = rest.strip_prefix(b"W/").unwrap_or(rest);
        // A tag holds no quote, and may hold a comma.
        let Some(inner) = rest.strip_prefix(b"\"") else { return false };
        let Some(length) = inner.iter().position(|byte| *byte == b'"') else { return false };
        let (one, more) = rest.split_at(length + 2);
        if one == tag {
            return true;
        }
        rest = more;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_tag_is_found_exactly_where_it_is_listed(
            tags in prop::collection::vec("(W/)?\"[!#-~]{0,5}\"", 0..6),
            separator in " ?,[ ,]{0,3}",
            tag in "\"[!#-~]{0,2}\"",
        ) {
            let list = tags.join(&separator);
            let listed = tags.iter().any(|one| one.trim_start_matches("W/") == tag);
            prop_assert_eq!(lists(list.as_bytes(), tag.as_bytes()), listed, "{}", list);
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            lists(&bytes, b"\"a\"");
        }
    }

    #[test]
    fn lists_are_read_as_the_standard_writes_them() {
        for has in
            ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "\"b\",\"a\"", " ,, \"b,c\" , W/\"a\"", "*", " * ", "\"a\"x"]
        {
            assert!(lists(has.as_bytes(), b"\"a\""), "{has}");
        }
        for has_not in
            ["", "a", "\"A\"", "\"a", "w/\"a\"", "\"b,\\\"a\\\"\"", "\"b\" x \"a\"", "**", "*, \"a\"", "\"\""]
        {
            assert!(!lists(has_not.as_bytes(), b"\"a\""), "{has_not}");
        }
    }
}
