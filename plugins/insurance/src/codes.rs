//! The system's enumerations and dates, both ways.

use truc_sdk::Problem;
use truc_sdk::calendar::Date;

use crate::bhxh::understood;
use crate::bindings::exports::lgsp::insurance::members::{
    BirthDate, DatePrecision, Kinship, Participation, PlaceKind, Sex,
};

/// An enumeration of the contract that the system writes as codes.
pub(crate) trait Coded: Copy + PartialEq + 'static {
    /// The system's field.
    const FIELD: &str;
    /// A code for each value.
    const CODES: &[(&str, Self)];

    fn code(self) -> &'static str {
        Self::CODES.iter().find(|(_, value)| *value == self).map_or("", |(code, _)| code)
    }

    fn read(code: &str) -> Result<Self, Problem> {
        let found = Self::CODES.iter().find(|(known, _)| *known == code);
        understood(Self::FIELD, found.map(|(_, value)| *value))
    }
}

impl Coded for Sex {
    const FIELD: &str = "gioiTinh";
    const CODES: &[(&str, Self)] = &[("1", Sex::Male), ("2", Sex::Female), ("3", Sex::Other)];
}

impl Coded for DatePrecision {
    const FIELD: &str = "loaiNgaySinh";
    const CODES: &[(&str, Self)] =
        &[("0", DatePrecision::Day), ("1", DatePrecision::Year), ("2", DatePrecision::Month)];
}

impl Coded for PlaceKind {
    const FIELD: &str = "isKs";
    const CODES: &[(&str, Self)] = &[("0", PlaceKind::Household), ("1", PlaceKind::BirthRegistration)];
}

impl Coded for Participation {
    const FIELD: &str = "trangThai";
    const CODES: &[(&str, Self)] =
        &[("1", Participation::Active), ("2", Participation::Paused), ("3", Participation::Ended)];
}

impl Coded for Kinship {
    const FIELD: &str = "quanHe";
    const CODES: &[(&str, Self)] = &[
        ("01", Kinship::Head),
        ("02", Kinship::Spouse),
        ("03", Kinship::Child),
        ("04", Kinship::Parent),
        ("05", Kinship::Other),
    ];
}

impl BirthDate {
    /// The digits that are known: `yyyyMMdd`, `yyyyMM` or `yyyy`.
    pub(crate) fn digits(&self) -> Result<String, Problem> {
        let missing = || Problem::fault("/born/date", "is no date that exists");
        let date = Date::from_iso(&self.date).ok_or_else(missing)?;
        let mut digits = date.compact();
        digits.truncate(match self.precision {
            DatePrecision::Day => 8,
            DatePrecision::Month => 6,
            DatePrecision::Year => 4,
        });
        Ok(digits)
    }

    /// `yyyyMMdd` or `yyyy`, for the call that does not know months.
    pub(crate) fn day_or_year(&self) -> Result<String, Problem> {
        let mut digits = self.digits()?;
        if self.precision == DatePrecision::Month {
            digits.truncate(4);
        }
        Ok(digits)
    }

    /// Reads the digits that are known; what is not known becomes the first day or month.
    pub(crate) fn read(digits: &str, precision: &str) -> Result<Self, Problem> {
        let precision = DatePrecision::read(precision)?;
        let unknown = match precision {
            DatePrecision::Day => "",
            DatePrecision::Month => "01",
            DatePrecision::Year => "0101",
        };
        let date = understood("ngaySinh", Date::from_compact(&format!("{digits}{unknown}")))?;
        Ok(Self { date: date.iso(), precision })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comes_back<T: Coded + std::fmt::Debug>(values: &[T]) {
        for &value in values {
            assert_eq!(T::read(value.code()), Ok(value));
        }
        assert!(matches!(T::read("9"), Err(Problem::UpstreamFailed(_))));
    }

    #[test]
    fn every_value_has_a_code() {
        comes_back(&[Sex::Male, Sex::Female, Sex::Other]);
        comes_back(&[DatePrecision::Day, DatePrecision::Month, DatePrecision::Year]);
        comes_back(&[PlaceKind::Household, PlaceKind::BirthRegistration]);
        comes_back(&[Participation::Active, Participation::Paused, Participation::Ended]);
        comes_back(&[Kinship::Head, Kinship::Spouse, Kinship::Child, Kinship::Parent, Kinship::Other]);
    }

    #[test]
    fn dates_are_cut_to_what_is_known_and_filled_again() {
        let cases = [
            (DatePrecision::Day, "0", "19800517", "19800517", "1980-05-17"),
            (DatePrecision::Month, "2", "198005", "1980", "1980-05-01"),
            (DatePrecision::Year, "1", "1980", "1980", "1980-01-01"),
        ];
        for (precision, code, digits, for_card, again) in cases {
            let born = BirthDate { date: "1980-05-17".into(), precision };
            assert_eq!(born.digits().as_deref(), Ok(digits));
            assert_eq!(born.day_or_year().as_deref(), Ok(for_card));
            assert_eq!(BirthDate::read(digits, code), Ok(BirthDate { date: again.into(), precision }));
        }
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        let born = BirthDate { date: "1981-02-29".into(), precision: DatePrecision::Day };
        assert_eq!(born.digits(), Err(Problem::fault("/born/date", "is no date that exists")));
        assert!(matches!(BirthDate::read("198013", "2"), Err(Problem::UpstreamFailed(_))));
    }
}
