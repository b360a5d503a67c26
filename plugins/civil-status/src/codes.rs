//! The register's numbers and dates, and the contract's words for them.

use truc_sdk::Problem;
use truc_sdk::calendar::Date;

use crate::bindings::exports::lgsp::civil_status::registry::{
    CodeList, Event, NoticeKind, PaperKind, Registration, ResidenceKind, Sex,
};

/// `module`.
pub(crate) fn module(event: Event) -> &'static str {
    match event {
        Event::Birth => "KS",
        Event::Marriage => "KH",
        Event::Death => "KT",
    }
}

/// `loaiDanhMuc`.
pub(crate) fn code_list(list: CodeList) -> &'static str {
    match list {
        CodeList::Nationalities => "1",
        CodeList::Countries => "2",
        CodeList::EthnicGroups => "3",
        CodeList::Provinces => "4",
        CodeList::IdentityPapers => "5",
    }
}

/// Names and numbers of one enumeration, in both directions.
pub(crate) trait Numbered: Copy + PartialEq + 'static {
    /// Every value with the register's number.
    const NUMBERS: &'static [(Self, &'static str)];

    /// The register's number.
    fn number(self) -> &'static str {
        Self::NUMBERS.iter().find(|(value, _)| *value == self).map_or("", |(_, number)| number)
    }

    /// The value of a number.
    fn from_number(number: &str) -> Option<Self> {
        Self::NUMBERS.iter().find(|(_, known)| *known == number).map(|(value, _)| *value)
    }
}

impl Numbered for Registration {
    const NUMBERS: &'static [(Self, &'static str)] =
        &[(Self::InTime, "1"), (Self::Again, "2"), (Self::FromAbroad, "3"), (Self::Late, "4")];
}

impl Numbered for Sex {
    const NUMBERS: &'static [(Self, &'static str)] =
        &[(Self::Male, "1"), (Self::Female, "2"), (Self::Undetermined, "3")];
}

impl Numbered for ResidenceKind {
    const NUMBERS: &'static [(Self, &'static str)] =
        &[(Self::Unknown, "0"), (Self::Permanent, "1"), (Self::Temporary, "2")];
}

impl Numbered for PaperKind {
    const NUMBERS: &'static [(Self, &'static str)] = &[
        (Self::IdentityCard, "1"),
        (Self::Passport, "2"),
        (Self::PermanentResidenceCard, "3"),
        (Self::CitizenCard, "4"),
        (Self::ArmyCard, "5"),
        (Self::OfficerCard, "6"),
        (Self::PoliceCard, "7"),
        (Self::Other, "8"),
    ];
}

impl Numbered for NoticeKind {
    const NUMBERS: &'static [(Self, &'static str)] =
        &[(Self::NoticeOfDeath, "1"), (Self::CourtDecision, "2"), (Self::Other, "3")];
}

/// A ward's code as the register's number.
pub(crate) fn ward_number(code: &str, pointer: &str) -> Result<u32, Problem> {
    code.parse().map_err(|_| Problem::fault(pointer, "a commune-level unit's code has five digits"))
}

/// The register's number as a ward's code.
pub(crate) fn ward(number: u32) -> String {
    format!("{number:05}")
}

/// `1980-05-17`, `1980-05` or `1980` as `17.05.1980`, `05.1980` or `1980`.
pub(crate) fn dotted(partial: &str) -> Option<String> {
    match partial.split('-').collect::<Vec<_>>().as_slice() {
        [year] => digits(year, 4).then(|| (*year).to_owned()),
        [year, month] => (digits(year, 4) && is_month(month)).then(|| format!("{month}.{year}")),
        _ => Date::from_iso(partial).map(Date::dotted),
    }
}

/// The other way about.
pub(crate) fn partial(dotted: &str) -> Option<String> {
    match dotted.split('.').collect::<Vec<_>>().as_slice() {
        [year] => digits(year, 4).then(|| (*year).to_owned()),
        [month, year] => (digits(year, 4) && is_month(month)).then(|| format!("{year}-{month}")),
        _ => Date::from_dotted(dotted).map(Date::iso),
    }
}

fn digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_month(text: &str) -> bool {
    digits(text, 2) && matches!(text.parse(), Ok(1..=12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_dates_go_both_ways() {
        for (iso, register) in [("1980-05-17", "17.05.1980"), ("1980-05", "05.1980"), ("1980", "1980")] {
            assert_eq!(dotted(iso).as_deref(), Some(register));
            assert_eq!(partial(register).as_deref(), Some(iso));
        }
        for wrong in ["", "1980-02-30", "1980-13", "80", "1980-5"] {
            assert_eq!(dotted(wrong), None, "{wrong}");
        }
        for wrong in ["", "30.02.1980", "13.1980", "1980-05-17", "5.1980"] {
            assert_eq!(partial(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_number_comes_back() {
        fn check<T: Numbered + std::fmt::Debug>() {
            for (value, number) in T::NUMBERS {
                assert_eq!((value.number(), T::from_number(number)), (*number, Some(*value)));
            }
            assert_eq!(T::from_number("99"), None);
        }
        check::<Registration>();
        check::<Sex>();
        check::<ResidenceKind>();
        check::<PaperKind>();
        check::<NoticeKind>();
    }
}
