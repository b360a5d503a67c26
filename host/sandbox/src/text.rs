//! Texts as JSON writes them: where something stands that cannot stand there as it is.

/// How many bytes at the beginning stand in a JSON string as they are: up to the first quote, backslash or control
/// character. Looks at eight bytes at once.
pub(crate) fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let (words, _) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let (quotes, backslashes) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5c));
        // The high bit of a byte is set where subtracting borrowed, which it does at the first hit and only above it.
        let hits = (word.wrapping_sub(ONES * 0x20) & !word)
            | (quotes.wrapping_sub(ONES) & !quotes)
            | (backslashes.wrapping_sub(ONES) & !backslashes);
        let hits = hits & HIGHS;
        if hits != 0 {
            return index * 8 + hits.trailing_zeros() as usize / 8;
        }
    }
    let rest = bytes.iter().skip(words.len() * 8);
    words.len() * 8 + rest.take_while(|byte| is_plain(**byte)).count()
}

/// Whether a byte stands in a JSON string as it is.
pub(crate) fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_prefix_is_what_looking_at_each_byte_gives(bytes in prop::collection::vec(prop_oneof![
            4 => 0x1f_u8..0x24,
            4 => 0x5b_u8..0x5e,
            10 => any::<u8>(),
            40 => 0x61_u8..0x7b,
        ], 0..40)) {
            prop_assert_eq!(plain_prefix(&bytes), bytes.iter().take_while(|byte| is_plain(**byte)).count());
        }
    }
}
