//! Names: what each may look like, and nothing else.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: {rule}")]
pub struct NameError {
    /// The text that was given, shortened to 80 characters.
    pub text: String,
    /// What it should have been, with its article: "a service name".
    pub what: &'static str,
    /// The rule it breaks, as an instruction.
    pub rule: &'static str,
}

impl NameError {
    fn new(text: &str, what: &'static str, rule: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), what, rule }
    }
}

/// Whether a text is kebab-case: lower-case words of letters and digits, joined by single hyphens, beginning with a
/// letter.
fn is_kebab(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.split('-').all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name as text that is shared, not copied.
            pub fn to_shared(&self) -> Arc<str> {
                self.0.clone()
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.into())) } else { Err(NameError::new(text, $what, $rule)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// The name of a service: the `{service}` of `/api/{service}/v{major}/…`.
    ServiceName, "a service name",
    "use 1 to 63 lower-case letters, digits and single hyphens, beginning with a letter",
    |text| text.len() <= 63 && is_kebab(text)
);
name!(
    /// The name of a connector, as its manifest gives it.
    ConnectorName, "a connector name",
    "use 1 to 63 lower-case letters, digits and single hyphens, beginning with a letter",
    |text| text.len() <= 63 && is_kebab(text)
);
name!(
    /// The name by which a connector knows an upstream, a key or a configuration value.
    Handle, "a handle",
    "use 1 to 63 lower-case letters, digits and single hyphens, beginning with a letter",
    |text| text.len() <= 63 && is_kebab(text)
);
name!(
    /// The name of an account of an agency: the system that calls.
    AccountName, "an account name",
    "use 1 to 63 lower-case letters, digits and single hyphens, beginning with a letter",
    |text| text.len() <= 63 && is_kebab(text)
);
name!(
    /// The identification code of an agency: the form of Decision 20/2020/QĐ-TTg (`H56.14`) or the older form of
    /// QCVN 102:2016 (`000.00.01.H22`).
    AgencyCode, "an agency code",
    "use the form `H56.14` (Decision 20/2020/QĐ-TTg) or `000.00.01.H22` (QCVN 102:2016)",
    is_agency_code
);
name!(
    /// An operation of a contract: `{interface}/{function}`, both in kebab-case.
    OperationName, "an operation name",
    "use `interface/function`, both lower-case words joined by hyphens",
    |text| text.len() <= 255
        && text.split_once('/').is_some_and(|(interface, function)| is_kebab(interface) && is_kebab(function))
);

fn is_agency_code(text: &str) -> bool {
    let letter_and_two_digits = |part: &str| {
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_uppercase())
            && part.len() == 3
            && bytes.all(|b| b.is_ascii_digit())
    };
    let digits = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    let parts: Vec<&str> = text.split('.').collect();
    let new_form = |parts: &[&str]| {
        parts.split_first().is_some_and(|(top, rest)| {
            letter_and_two_digits(top) && rest.iter().all(|part| digits(part, 1..=3))
        })
    };
    let old_form = |parts: &[&str]| match parts {
        [a, b, c, top] => {
            digits(a, 3..=3) && digits(b, 2..=2) && digits(c, 2..=2) && letter_and_two_digits(top)
        }
        _ => false,
    };
    text.len() <= 35 && (new_form(&parts) || old_form(&parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agency_codes_of_both_forms_are_taken() {
        for code in ["G22", "H56", "H56.14", "H56.14.3", "000.00.01.H22"] {
            assert!(code.parse::<AgencyCode>().is_ok(), "{code}");
        }
        for code in ["", "h56", "H5", "H56.", "H56.1234", "000.00.1.H22", "H56.14-1", "H56 "] {
            assert!(code.parse::<AgencyCode>().is_err(), "{code}");
        }
    }

    #[test]
    fn kebab_names_refuse_what_would_be_ambiguous_in_a_path() {
        for name in ["land", "civil-status", "v2-land"] {
            assert!(name.parse::<ServiceName>().is_ok(), "{name}");
        }
        for name in ["", "-land", "land-", "la--nd", "Land", "2land", "đất", "a/b", "a b", &"a".repeat(64)]
        {
            assert!(name.parse::<ServiceName>().is_err(), "{name}");
        }
    }
}
