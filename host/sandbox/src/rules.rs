//! Constraints of a contract, checked before the connector runs.

use std::sync::Arc;

use regex::Regex;
use truc_contract::model::{Format, Rules};
use wasmtime::component::Val;

/// A type of whole numbers with its bounds, both inclusive. Where a contract sets none they are those of the type, which
/// have to be checked anyway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Integer {
    pub(crate) width: Width,
    min: i128,
    max: i128,
}

/// What a whole number is held in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
}

macro_rules! widths {
    ($($make:ident, $width:ident, $type:ty;)*) => {
        impl Integer {
            $(pub(crate) fn $make(rules: &Rules) -> Self {
                let (least, most) = (i128::from(<$type>::MIN), i128::from(<$type>::MAX));
                Self {
                    width: Width::$width,
                    min: rules.min.unwrap_or(least).max(least),
                    max: rules.max.unwrap_or(most).min(most),
                }
            })*
        }

        impl Width {
            /// The least and the greatest number.
            fn range(self) -> (i128, i128) {
                match self {
                    $(Width::$width => (<$type>::MIN.into(), <$type>::MAX.into()),)*
                }
            }
        }
    };
}

widths! {
    u8, U8, u8;
    u16, U16, u16;
    u32, U32, u32;
    u64, U64, u64;
    s8, S8, i8;
    s16, S16, i16;
    s32, S32, i32;
    s64, S64, i64;
}

impl Integer {
    /// The value of a number within the bounds.
    pub(crate) fn value(&self, number: i128) -> Option<Val> {
        if number < self.min || number > self.max {
            return None;
        }
        Some(match self.width {
            Width::U8 => Val::U8(number.try_into().ok()?),
            Width::U16 => Val::U16(number.try_into().ok()?),
            Width::U32 => Val::U32(number.try_into().ok()?),
            Width::U64 => Val::U64(number.try_into().ok()?),
            Width::S8 => Val::S8(number.try_into().ok()?),
            Width::S16 => Val::S16(number.try_into().ok()?),
            Width::S32 => Val::S32(number.try_into().ok()?),
            Width::S64 => Val::S64(number.try_into().ok()?),
        })
    }

    /// What is wrong with something that has no [`Integer::value`]: another number, or none at all.
    pub(crate) fn fault(&self, number: Option<i128>) -> String {
        let (least, most) = self.width.range();
        match number {
            Some(number) if (least..self.min).contains(&number) => {
                format!("write a number of at least {}", self.min)
            }
            Some(number) if number > self.max && number <= most => {
                format!("write a number of at most {}", self.max)
            }
            _ if self.is_text() => {
                format!("write a whole number from {least} to {most}, as a string or a number")
            }
            _ => format!("write a whole number from {least} to {most}"),
        }
    }

    /// Whether JSON writes it as a text of digits.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.width, Width::U64 | Width::S64)
    }

    /// The number that a text stands for: digits, with a minus before them where the type has negative numbers.
    pub(crate) fn number(&self, text: &str) -> Option<i128> {
        let digits = match text.strip_prefix('-') {
            Some(digits) if self.width.range().0 < 0 => digits,
            _ => text,
        };
        let plain = (1..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain { text.parse().ok() } else { None }
    }
}

/// Bounds of a length, both inclusive: characters of a text, bytes, items of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SizeRules {
    min: usize,
    max: usize,
}

/// What a text must keep.
#[derive(Debug)]
pub(crate) struct TextRules {
    format: Option<Format>,
    pattern: Option<Arc<Regex>>,
    size: Option<SizeRules>,
}

impl From<&Rules> for SizeRules {
    fn from(rules: &Rules) -> Self {
        let size = |bound: i128| usize::try_from(bound.max(0)).unwrap_or(usize::MAX);
        Self { min: rules.min.map_or(0, size), max: rules.max.map_or(usize::MAX, size) }
    }
}

impl SizeRules {
    /// Whether a length is within the bounds.
    pub(crate) fn fits(&self, length: usize) -> bool {
        self.min <= length && length <= self.max
    }

    /// What is wrong with a length that does not fit. `unit` is the plural of what is counted.
    pub(crate) fn fault(&self, length: usize, unit: &str) -> String {
        if length < self.min {
            format!("{length} {unit}; at least {} are needed", self.min)
        } else {
            format!("{length} {unit}; at most {} are allowed", self.max)
        }
    }
}

impl TextRules {
    /// The rules for a text, or none where there is nothing to check.
    pub(crate) fn of(rules: &Rules) -> Option<Arc<Self>> {
        let size = (rules.min.is_some() || rules.max.is_some()).then(|| rules.into());
        rules
            .constrain()
            .then(|| Arc::new(Self { format: rules.format, pattern: rules.pattern.clone(), size }))
    }

    /// What is wrong with a text.
    pub(crate) fn fault(&self, text: &str) -> Option<String> {
        if let Some(size) = &self.size {
            let length = text.chars().count();
            if !size.fits(length) {
                return Some(size.fault(length, "characters"));
            }
        }
        if let Some(format) = self.format
            && !format.fits(text)
        {
            return Some(match format {
                Format::Date => "write a date that exists as YYYY-MM-DD".to_owned(),
                Format::DateTime => {
                    "write a time with its offset, for instance 2025-07-01T08:30:00+07:00".to_owned()
                }
                Format::Email => "write an e-mail address".to_owned(),
                Format::Uri => "write an absolute URI".to_owned(),
                Format::Uuid => "write a UUID".to_owned(),
            });
        }
        match &self.pattern {
            Some(pattern) if !pattern.is_match(text) => Some(format!("it must match {}", pattern.as_str())),
            _ => None,
        }
    }
}
