//! A pull reader of JSON (RFC 8259): tokens out of a text, without a tree and without copies where there are no escapes.
//!
//! Whoever reads says what is to come and skips what is not wanted, so that a value may be read later by going back to
//! its place. The reader bounds how deep a text nests and how many values it has; neither costs recursion here.

use std::borrow::Cow;

use crate::settings::MAX_JSON_DEPTH;
use crate::text::plain_prefix;

/// Reads a text from its beginning to its end.
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    /// Values that may still come.
    left: usize,
}

/// Why a text cannot be read on, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) at: usize,
    pub(super) why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It is not JSON.
    Syntax,
    /// It nests too deeply.
    Deep,
    /// It has too many values.
    Many,
}

/// A scalar, or the beginning of an array or object, of which items or members are read next.
pub(super) enum Token<'t> {
    Null,
    Bool(bool),
    Number(Number<'t>),
    Text(Cow<'t, str>),
    Array,
    Object,
}

/// A number as it was written.
pub(super) struct Number<'t> {
    pub(super) text: &'t str,
    /// Its value where it has neither fraction nor exponent and is not beyond all types.
    pub(super) whole: Option<i128>,
}

/// 2⁵³: up to here every whole number is a float of its own.
const EXACT_UP_TO: f64 = 9_007_199_254_740_992.0;

impl Number<'_> {
    /// Its value where that is whole, however it was written: for JSON Schema `2.0` is an integer too. One with a
    /// fraction or an exponent must be small enough not to have been rounded.
    pub(super) fn integer(&self) -> Option<i128> {
        self.whole.or_else(|| {
            let number: f64 = self.text.parse().ok()?;
            #[expect(clippy::cast_possible_truncation, reason = "a whole number in a range that i128 holds")]
            (number.fract() == 0.0 && number.abs() <= EXACT_UP_TO).then_some(number as i128)
        })
    }
}

/// A value that was passed over and can be gone back to.
pub(super) struct Skipped {
    at: usize,
    /// How many values it was counted as.
    values: usize,
}

impl<'t> Reader<'t> {
    /// A reader of a text that may have that many values.
    pub(super) fn new(text: &'t str, values: usize) -> Self {
        Self { text, at: 0, depth: 0, left: values }
    }

    /// Takes the beginning of the next value.
    pub(super) fn token(&mut self) -> Result<Token<'t>, Broken> {
        self.count(1)?;
        match self.skip_space() {
            Some(b'"') => {
                self.at += 1;
                self.string().map(Token::Text)
            }
            Some(b'{') => self.open().map(|()| Token::Object),
            Some(b'[') => self.open().map(|()| Token::Array),
            Some(b'-' | b'0'..=b'9') => self.number().map(Token::Number),
            Some(b't') => self.word("true").map(|()| Token::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Token::Bool(false)),
            Some(b'n') => self.word("null").map(|()| Token::Null),
            _ => Err(self.broken(Why::Syntax)),
        }
    }

    /// Goes to the next item of an array, whose beginning was taken. `index` is how many items came before.
    pub(super) fn item(&mut self, index: usize) -> Result<bool, Broken> {
        self.next(index == 0, b']')
    }

    /// Goes to the value of the next member of an object, whose beginning was taken, and gives the member's name.
    pub(super) fn member(&mut self, index: usize) -> Result<Option<Cow<'t, str>>, Broken> {
        if self.next(index == 0, b'}')? { self.name().map(Some) } else { Ok(None) }
    }

    /// As [`Reader::member`], for an object whose members are expected in an order: says at once that the name is the
    /// expected one, which is given as it is mostly written, with quotes and colon.
    pub(super) fn expected_member(&mut self, index: usize, key: Option<&[u8]>) -> Result<Member<'t>, Broken> {
        if !self.next(index == 0, b'}')? {
            return Ok(Member::End);
        }
        if let Some(key) = key
            && self.rest().starts_with(key)
        {
            self.at += key.len();
            return Ok(Member::Expected);
        }
        self.name().map(Member::Named)
    }

    /// Passes over what is left of a value whose beginning was taken.
    pub(super) fn skip_rest(&mut self, token: &Token<'_>) -> Result<(), Broken> {
        let mut index = 0;
        match token {
            Token::Array => {
                while self.item(index)? {
                    self.skip()?;
                    index += 1;
                }
            }
            Token::Object => {
                while self.member(index)?.is_some() {
                    self.skip()?;
                    index += 1;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self) -> Result<(), Broken> {
        let token = self.token()?;
        self.skip_rest(&token)
    }

    /// Passes over what is left of an object of which that many members were read.
    pub(super) fn skip_members(&mut self, mut index: usize) -> Result<(), Broken> {
        while self.member(index)?.is_some() {
            self.skip()?;
            index += 1;
        }
        Ok(())
    }

    /// That nothing follows.
    pub(super) fn end(&mut self) -> Result<(), Broken> {
        match self.skip_space() {
            None => Ok(()),
            Some(_) => Err(self.broken(Why::Syntax)),
        }
    }

    /// Counts values.
    pub(super) fn count(&mut self, values: usize) -> Result<(), Broken> {
        self.left = self.left.checked_sub(values).ok_or(self.broken(Why::Many))?;
        Ok(())
    }

    /// Passes over a value that is to be read later.
    pub(super) fn skip_for_now(&mut self) -> Result<Skipped, Broken> {
        let (at, left) = (self.at, self.left);
        self.skip()?;
        Ok(Skipped { at, values: left - self.left })
    }

    /// Goes back to a value of the array or object that is being read, and gives the place to go on from afterwards.
    pub(super) fn go_back(&mut self, to: &Skipped) -> usize {
        // It was counted when it was passed over, and is counted again when it is read.
        self.left += to.values;
        std::mem::replace(&mut self.at, to.at)
    }

    /// Goes on from a place that [`Reader::go_back`] gave.
    pub(super) fn go_on(&mut self, from: usize) {
        self.at = from;
    }

    fn broken(&self, why: Why) -> Broken {
        Broken { at: self.at, why }
    }

    fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The first byte that is no space.
    fn skip_space(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other,
            }
        }
    }

    fn open(&mut self) -> Result<(), Broken> {
        if self.depth == MAX_JSON_DEPTH {
            return Err(self.broken(Why::Deep));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    /// Goes to what comes next in an array or object; false at its end.
    fn next(&mut self, first: bool, close: u8) -> Result<bool, Broken> {
        match self.skip_space() {
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            _ if first => Ok(true),
            Some(b',') => {
                self.at += 1;
                self.skip_space();
                Ok(true)
            }
            _ => Err(self.broken(Why::Syntax)),
        }
    }

    /// A member's name and its colon.
    fn name(&mut self) -> Result<Cow<'t, str>, Broken> {
        self.byte(b'"')?;
        let name = self.string()?;
        self.skip_space();
        self.byte(b':')?;
        Ok(name)
    }

    fn byte(&mut self, expected: u8) -> Result<(), Broken> {
        if self.peek() != Some(expected) {
            return Err(self.broken(Why::Syntax));
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Broken> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.broken(Why::Syntax));
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Result<Number<'t>, Broken> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.since(start);
        // 39 digits are beyond all types, and beyond what is held here.
        let whole = if whole && text.len() < 32 { small_integer(text) } else { None };
        Ok(Number { text, whole })
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Broken> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.broken(Why::Syntax)) } else { Ok(()) }
    }

    /// A string whose opening quote was taken.
    fn string(&mut self) -> Result<Cow<'t, str>, Broken> {
        let start = self.at;
        self.at += plain_prefix(self.rest());
        if self.peek() != Some(b'"') {
            return self.escaped(start).map(Cow::Owned);
        }
        let text = self.since(start);
        self.at += 1;
        Ok(Cow::Borrowed(text))
    }

    /// The rest of a string that began at `start` and has something to unescape, or is broken, here.
    #[cold]
    fn escaped(&mut self, start: usize) -> Result<String, Broken> {
        let mut text = self.since(start).to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    let at = self.at;
                    self.at += 1;
                    let char = self.escape().ok_or(Broken { at, why: Why::Syntax })?;
                    text.push(char);
                }
                _ => return Err(self.broken(Why::Syntax)),
            }
            let start = self.at;
            self.at += plain_prefix(self.rest());
            text.push_str(self.since(start));
        }
    }

    /// The character of an escape whose backslash was taken.
    fn escape(&mut self) -> Option<char> {
        let byte = self.peek()?;
        self.at += 1;
        Some(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.hexadecimal()?;
                if !(0xd800..0xe000).contains(&unit) {
                    return char::from_u32(unit);
                }
                // Half of a pair is no character.
                self.word("\\u").ok()?;
                let low = self.hexadecimal()?;
                if unit >= 0xdc00 || !(0xdc00..0xe000).contains(&low) {
                    return None;
                }
                char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?
            }
            _ => return None,
        })
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if plain { u32::from_str_radix(digits, 16).ok() } else { None }
    }

    fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.at).unwrap_or_default()
    }
}

/// What comes next in an object.
pub(super) enum Member<'t> {
    /// The member that was expected.
    Expected,
    /// Another one.
    Named(Cow<'t, str>),
    /// Nothing.
    End,
}

/// The number that an optional minus and digits stand for.
fn small_integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() > 18 {
        return text.parse().ok();
    }
    let number = digits.bytes().fold(0_i64, |number, digit| number * 10 + i64::from(digit & 15));
    Some(i128::from(if digits.len() < text.len() { -number } else { number }))
}
