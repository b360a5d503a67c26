//! Bytes as text, the two ways national systems ask for.

use base64::Engine;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

/// Hexadecimal in lower case.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' + value - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Base64 with padding (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes that are a base64 text in JSON, written without a copy in between: what a file inside a message needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base64<'a>(pub &'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

/// The bytes of a base64 text with padding, none where it is malformed.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_text_and_back() {
        assert_eq!(hex(&[0x00, 0x9f, 0xa0, 0xff]), "009fa0ff");
        assert_eq!(base64(b"Tr\xe1\xbb\xa5c"), "VHLhu6Vj");
        assert_eq!(from_base64("VHLhu6Vj").unwrap(), "Trục".as_bytes());
        assert_eq!(from_base64("VHLhu6V"), None);
        assert_eq!(serde_json::to_string(&Base64("Trục".as_bytes())).unwrap(), "\"VHLhu6Vj\"");
    }
}
