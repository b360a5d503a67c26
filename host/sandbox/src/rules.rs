//! Constraints of a contract, checked before the connector runs.

use std::sync::Arc;

use regex::Regex;
use truc_contract::model::{Format, Rules};

/// Bounds of a whole number, both inclusive.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NumberRules {
    min: Option<i128>,
    max: Option<i128>,
}

/// Bounds of a length, both inclusive: characters of a text, bytes, items of a list.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SizeRules {
    min: Option<usize>,
    max: Option<usize>,
}

/// What a text must keep.
#[derive(Debug)]
pub(crate) struct TextRules {
    format: Option<Format>,
    pattern: Option<Arc<Regex>>,
    size: SizeRules,
}

impl From<&Rules> for NumberRules {
    fn from(rules: &Rules) -> Self {
        Self { min: rules.min, max: rules.max }
    }
}

impl From<&Rules> for SizeRules {
    fn from(rules: &Rules) -> Self {
        let size =
            |bound: Option<i128>| bound.map(|bound| usize::try_from(bound.max(0)).unwrap_or(usize::MAX));
        Self { min: size(rules.min), max: size(rules.max) }
    }
}

impl NumberRules {
    /// What is wrong with a number that fits its type.
    pub(crate) fn fault(&self, number: i128) -> Option<String> {
        match (self.min, self.max) {
            (Some(min), _) if number < min => Some(format!("write a number of at least {min}")),
            (_, Some(max)) if number > max => Some(format!("write a number of at most {max}")),
            _ => None,
        }
    }
}

impl SizeRules {
    /// What is wrong with a length. `unit` is the plural of what is counted.
    pub(crate) fn fault(&self, length: impl FnOnce() -> usize, unit: &str) -> Option<String> {
        if self.min.is_none() && self.max.is_none() {
            return None;
        }
        let length = length();
        match (self.min, self.max) {
            (Some(min), _) if length < min => Some(format!("{length} {unit}; at least {min} are needed")),
            (_, Some(max)) if length > max => Some(format!("{length} {unit}; at most {max} are allowed")),
            _ => None,
        }
    }
}

impl TextRules {
    /// The rules for a text, or none where there is nothing to check.
    pub(crate) fn of(rules: &Rules) -> Option<Arc<Self>> {
        let size = SizeRules::from(rules);
        let empty =
            rules.format.is_none() && rules.pattern.is_none() && size.min.is_none() && size.max.is_none();
        (!empty).then(|| Arc::new(Self { format: rules.format, pattern: rules.pattern.clone(), size }))
    }

    /// What is wrong with a text.
    pub(crate) fn fault(&self, text: &str) -> Option<String> {
        if let Some(fault) = self.size.fault(|| text.chars().count(), "characters") {
            return Some(fault);
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
