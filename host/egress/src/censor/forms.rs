//! The forms in which a secret may come back: plain, hexadecimal, Base64 at any alignment, percent-encoded by various
//! rules, and escaped in JSON or XML.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::secrets::{LEAST_SECRET, is_pem};

/// One form of one secret.
pub(super) struct Form {
    /// What is looked for.
    pub(super) text: Zeroizing<Vec<u8>>,
    /// How many characters before and after it hold bits of the secret, where it is Base64.
    pub(super) around: (usize, usize),
}

/// Forms, each once.
#[derive(Default)]
pub(super) struct Forms {
    forms: Vec<Form>,
}

/// What various encoders leave as it is, besides letters and digits: RFC 3986, JavaScript's `encodeURIComponent` and
/// `encodeURI`, HTML forms, Python's `quote`, and one that leaves nothing.
const KEPT: [&[u8]; 6] = [b"-._~", b"-._~!'()*", b"-._~!'()*;,/?:@&=+$#", b"-._*", b"-._~/", b""];

impl Forms {
    /// Adds the forms of a secret; of a PEM file, those of its private keys.
    pub(super) fn add(&mut self, secret: &[u8]) {
        match std::str::from_utf8(secret) {
            Ok(text) if is_pem(text) => private_lines(text).for_each(|line| self.of(line.as_bytes())),
            _ => self.of(secret),
        }
    }

    /// All forms.
    pub(super) fn take(self) -> Vec<Form> {
        self.forms
    }

    fn of(&mut self, secret: &[u8]) {
        if secret.len() < LEAST_SECRET {
            return;
        }
        self.text(secret.to_vec());
        let hex = |write: fn(&mut String, u8)| {
            let mut text = String::with_capacity(secret.len() * 2);
            secret.iter().for_each(|byte| write(&mut text, *byte));
            text.into_bytes()
        };
        // Writing to a text does not fail.
        self.text(hex(|text, byte| write!(text, "{byte:02x}").unwrap_or_default()));
        self.text(hex(|text, byte| write!(text, "{byte:02X}").unwrap_or_default()));
        self.text(hex(|text, byte| write!(text, "%{byte:02x}").unwrap_or_default()));
        self.text(hex(|text, byte| write!(text, "%{byte:02X}").unwrap_or_default()));
        for kept in KEPT {
            for space in ["%20", "+"] {
                self.percent(secret, kept, space, |text, byte| {
                    write!(text, "%{byte:02x}").unwrap_or_default()
                });
                self.percent(secret, kept, space, |text, byte| {
                    write!(text, "%{byte:02X}").unwrap_or_default()
                });
            }
        }
        if let Ok(text) = std::str::from_utf8(secret) {
            self.json(text);
            self.xml(text);
        }
        self.base64(secret);
    }

    fn percent(&mut self, secret: &[u8], kept: &[u8], space: &str, escape: fn(&mut String, u8)) {
        let mut text = String::with_capacity(secret.len() * 3);
        for byte in secret {
            match byte {
                b' ' => text.push_str(space),
                byte if byte.is_ascii_alphanumeric() || kept.contains(byte) => text.push(char::from(*byte)),
                byte => escape(&mut text, *byte),
            }
        }
        self.text(text.into_bytes());
    }

    /// As JSON writes it: as little escaped as may be, with the slash escaped, and in ASCII.
    fn json(&mut self, secret: &str) {
        let Ok(quoted) = serde_json::to_string(secret).map(Zeroizing::new) else { return };
        let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        self.text(inner.as_bytes().to_vec());
        self.text(inner.replace('/', "\\/").into_bytes());
        for escape in [
            (|text, unit| write!(text, "\\u{unit:04x}").unwrap_or_default()) as fn(&mut String, u16),
            |text, unit| write!(text, "\\u{unit:04X}").unwrap_or_default(),
        ] {
            for also in ["", "<>&'", "<>&'+"] {
                let mut text = String::with_capacity(inner.len() * 6);
                for letter in inner.chars() {
                    match letter.is_ascii() && !also.contains(letter) {
                        true => text.push(letter),
                        false => {
                            letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escape(&mut text, *unit))
                        }
                    }
                }
                self.text(text.into_bytes());
            }
        }
    }

    /// As XML and HTML write it, in elements and in attributes.
    fn xml(&mut self, secret: &str) {
        let least = secret.replace('&', "&amp;").replace('<', "&lt;");
        let usual = least.replace('>', "&gt;");
        let quoted = usual.replace('"', "&quot;");
        for text in [
            quoted.replace('\'', "&apos;"),
            quoted.replace('\'', "&#39;"),
            quoted.replace('\'', "&#x27;"),
            quoted,
            usual,
            least,
        ] {
            self.text(text.into_bytes());
        }
    }

    /// The characters that are the same whatever stands before and after the secret in what was encoded, for each of
    /// the three places at which it may begin.
    fn base64(&mut self, secret: &[u8]) {
        for before in 0..3_usize {
            let whole = Zeroizing::new([[0; 2].get(..before).unwrap_or_default(), secret].concat());
            // Characters that hold bits of what is before, and of what is after.
            let first = [0, 2, 3].get(before).copied().unwrap_or_default();
            let after = usize::from(whole.len() % 3 != 0);
            // One character before holds bits of both; after it there are one and the padding.
            let around = (usize::from(before > 0), after * 3);
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let text = Zeroizing::new(engine.encode(&*whole));
                let sure = text.get(first..text.len().saturating_sub(after)).unwrap_or_default();
                self.add_form(sure.as_bytes().to_vec(), around);
            }
        }
    }

    fn text(&mut self, text: Vec<u8>) {
        self.add_form(text, (0, 0));
    }

    fn add_form(&mut self, text: Vec<u8>, around: (usize, usize)) {
        let text = Zeroizing::new(text);
        if text.len() >= LEAST_SECRET && !self.forms.iter().any(|form| form.text == text) {
            self.forms.push(Form { text, around });
        }
    }
}

/// The lines of private keys in a PEM file that are long enough to be told from other text.
fn private_lines(pem: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    pem.lines().map(str::trim).filter(move |line| {
        if line.starts_with("-----") {
            inside = line.starts_with("-----BEGIN ") && line.ends_with("PRIVATE KEY-----");
            return false;
        }
        inside && line.len() >= 16
    })
}

/// Whether a byte is a character of Base64, of either alphabet, or its padding.
pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}
