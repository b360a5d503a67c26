//! Dates and times as contracts write them (ISO 8601, RFC 3339) and as national systems do.
//!
//! Vietnam has one time zone, UTC+07:00, without daylight saving; times without an offset are in it.

use std::fmt;

const SECONDS_A_DAY: i64 = 86_400;
const VIETNAM: i64 = 7 * 3_600;

/// A date that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: i64,
    month: u8,
    day: u8,
}

impl Date {
    /// The date, if it exists; years are 0 to 9999.
    pub fn new(year: i64, month: u8, day: u8) -> Option<Self> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        ((0..=9999).contains(&year) && (1..=days).contains(&day)).then_some(Self { year, month, day })
    }

    /// Reads `2025-07-01`.
    pub fn from_iso(text: &str) -> Option<Self> {
        let mut read = Reader(text);
        let (year, month, day) =
            (read.digits(4)?, read.literal("-")?.digits(2)?, read.literal("-")?.digits(2)?);
        read.end(Self::of(year, month, day)?)
    }

    /// Reads `01/07/2025`.
    pub fn from_slashed(text: &str) -> Option<Self> {
        let mut read = Reader(text);
        let date = read.day_first("/")?;
        read.end(date)
    }

    /// Reads `01.07.2025`.
    pub fn from_dotted(text: &str) -> Option<Self> {
        let mut read = Reader(text);
        let date = read.day_first(".")?;
        read.end(date)
    }

    /// Reads `20250701`.
    pub fn from_compact(text: &str) -> Option<Self> {
        let mut read = Reader(text);
        let date = read.compact()?;
        read.end(date)
    }

    /// The year.
    pub fn year(self) -> i64 {
        self.year
    }

    /// The month, from 1.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    pub fn day(self) -> u8 {
        self.day
    }

    /// Writes `2025-07-01`.
    pub fn iso(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// Writes `01/07/2025`.
    pub fn slashed(self) -> String {
        format!("{:02}/{:02}/{:04}", self.day, self.month, self.year)
    }

    /// Writes `01.07.2025`.
    pub fn dotted(self) -> String {
        format!("{:02}.{:02}.{:04}", self.day, self.month, self.year)
    }

    /// Writes `20250701`.
    pub fn compact(self) -> String {
        format!("{:04}{:02}{:02}", self.year, self.month, self.day)
    }

    fn of(year: i64, month: i64, day: i64) -> Option<Self> {
        Self::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
    }

    // Days since 1970-01-01 and back: Howard Hinnant, "chrono-compatible low-level date algorithms".

    fn days(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = if month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }

    fn from_days(days: i64) -> Option<Self> {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self::of(year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso())
    }
}

/// A date and a time of day in Vietnam, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    date: Date,
    second: i64,
}

impl DateTime {
    /// The present moment, from the host's clock.
    pub fn now() -> Self {
        let seconds = i64::try_from(crate::clock::now() / 1_000).unwrap_or(0);
        Self::from_unix(seconds).unwrap_or(Self::EPOCH)
    }

    const EPOCH: Self = Self { date: Date { year: 1970, month: 1, day: 1 }, second: VIETNAM };

    /// The moment that many seconds after 1970-01-01T00:00:00Z, within the years 0 to 9999.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        let local = seconds.checked_add(VIETNAM)?;
        let date = Date::from_days(local.div_euclid(SECONDS_A_DAY))?;
        Some(Self { date, second: local.rem_euclid(SECONDS_A_DAY) })
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn unix(self) -> i64 {
        self.date.days() * SECONDS_A_DAY + self.second - VIETNAM
    }

    /// The start of a day.
    pub fn midnight(date: Date) -> Self {
        Self { date, second: 0 }
    }

    /// Reads RFC 3339 with any offset, e.g. `2025-07-01T08:30:00+07:00`; fractions of a second are dropped.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        Self::from_iso(text, None)
    }

    /// Reads `2025-07-01T08:30:00`, in Vietnam where no offset follows; fractions of a second are dropped.
    pub fn from_local_iso(text: &str) -> Option<Self> {
        Self::from_iso(text, Some(VIETNAM))
    }

    fn from_iso(text: &str, default_offset: Option<i64>) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let date = Date::from_iso(date)?;
        let mut read = Reader(rest.strip_prefix(['T', 't', ' '])?);
        let second = read.time()?;
        read.skip_fraction()?;
        let offset = read.offset(default_offset)?;
        Self::from_unix(date.days() * SECONDS_A_DAY + second - offset)
    }

    /// Reads `01/07/2025 08:30:00`.
    pub fn from_slashed(text: &str) -> Option<Self> {
        let mut read = Reader(text);
        let (date, second) = (read.day_first("/")?, read.literal(" ")?.time()?);
        read.end(Self { date, second })
    }

    /// Reads `20250701083000`.
    pub fn from_compact(text: &str) -> Option<Self> {
        let mut read = Reader(text);
        let (date, hour, minute, second) =
            (read.compact()?, read.digits(2)?, read.digits(2)?, read.digits(2)?);
        read.end(Self { date, second: seconds(hour, minute, second)? })
    }

    /// The date.
    pub fn date(self) -> Date {
        self.date
    }

    /// Writes `2025-07-01T08:30:00+07:00`.
    pub fn rfc3339(self) -> String {
        self.local_iso() + "+07:00"
    }

    /// Writes `2025-07-01T08:30:00`, without the offset.
    pub fn local_iso(self) -> String {
        let (hour, minute, second) = self.time();
        format!("{}T{hour:02}:{minute:02}:{second:02}", self.date.iso())
    }

    /// Writes `01/07/2025 08:30:00`.
    pub fn slashed(self) -> String {
        let (hour, minute, second) = self.time();
        format!("{} {hour:02}:{minute:02}:{second:02}", self.date.slashed())
    }

    /// Writes `20250701083000`.
    pub fn compact(self) -> String {
        let (hour, minute, second) = self.time();
        format!("{}{hour:02}{minute:02}{second:02}", self.date.compact())
    }

    fn time(self) -> (i64, i64, i64) {
        (self.second / 3_600, self.second / 60 % 60, self.second % 60)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

fn seconds(hour: i64, minute: i64, second: i64) -> Option<i64> {
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3_600 + minute * 60 + second)
}

/// What is left of a text being read.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    }

    fn literal(&mut self, text: &str) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(text)?;
        Some(self)
    }

    fn day_first(&mut self, separator: &str) -> Option<Date> {
        let (day, month) = (self.digits(2)?, self.literal(separator)?.digits(2)?);
        Date::of(self.literal(separator)?.digits(4)?, month, day)
    }

    fn compact(&mut self) -> Option<Date> {
        Date::of(self.digits(4)?, self.digits(2)?, self.digits(2)?)
    }

    fn time(&mut self) -> Option<i64> {
        seconds(self.digits(2)?, self.literal(":")?.digits(2)?, self.literal(":")?.digits(2)?)
    }

    fn skip_fraction(&mut self) -> Option<()> {
        if let Some(fraction) = self.0.strip_prefix('.') {
            self.0 = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
            return (self.0.len() < fraction.len()).then_some(());
        }
        Some(())
    }

    /// Seconds east of Greenwich; the rest of the text.
    fn offset(&mut self, default: Option<i64>) -> Option<i64> {
        let sign = match self.0 {
            "" => return default,
            "Z" | "z" => return Some(0),
            rest if rest.starts_with('-') => -1,
            _ => 1,
        };
        self.0 = self.0.strip_prefix(['+', '-'])?;
        let (hours, minutes) = (self.digits(2)?, self.literal(":")?.digits(2)?);
        let in_range = hours < 24 && minutes < 60;
        self.end(in_range.then_some(sign * (hours * 3_600 + minutes * 60))?)
    }

    fn end<T>(&self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_every_form() {
        let date = Date::new(2025, 7, 1).unwrap();
        assert_eq!((Date::from_iso("2025-07-01"), date.iso().as_str()), (Some(date), "2025-07-01"));
        assert_eq!((Date::from_slashed("01/07/2025"), date.slashed().as_str()), (Some(date), "01/07/2025"));
        assert_eq!((Date::from_dotted("01.07.2025"), date.dotted().as_str()), (Some(date), "01.07.2025"));
        assert_eq!((Date::from_compact("20250701"), date.compact().as_str()), (Some(date), "20250701"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2025-7-1",
            "2025-02-29",
            "2025-13-01",
            "2025-07-01x",
            "2025-07-00",
            "+025-07-01",
            "２０25-07-01",
        ] {
            assert_eq!(Date::from_iso(text), None, "{text}");
        }
        assert_eq!(Date::from_slashed("2025/07/01"), None);
        assert_eq!(Date::from_compact("2025070"), None);
        assert!(Date::from_iso("2024-02-29").is_some() && Date::from_iso("1900-02-29").is_none());
    }

    #[test]
    fn moments_in_every_form() {
        let moment = DateTime::from_rfc3339("2025-07-01T08:30:00+07:00").unwrap();
        assert_eq!(moment.unix(), 1_751_333_400);
        for same in ["2025-07-01T01:30:00Z", "2025-06-30T20:30:00.250-05:00"] {
            assert_eq!(DateTime::from_rfc3339(same), Some(moment), "{same}");
        }
        for same in ["2025-07-01T08:30:00", "2025-07-01T08:30:00.7", "2025-07-01T01:30:00Z"] {
            assert_eq!(DateTime::from_local_iso(same), Some(moment), "{same}");
        }
        assert_eq!(moment.local_iso(), "2025-07-01T08:30:00");
        assert_eq!(DateTime::from_slashed("01/07/2025 08:30:00"), Some(moment));
        assert_eq!(DateTime::from_compact("20250701083000"), Some(moment));
        assert_eq!(moment.rfc3339(), "2025-07-01T08:30:00+07:00");
        assert_eq!(moment.slashed(), "01/07/2025 08:30:00");
        assert_eq!(moment.compact(), "20250701083000");
        for wrong in [
            "2025-07-01T24:00:00Z",
            "2025-07-01T08:30:00",
            "2025-07-01T08:30:00.Z",
            "2025-07-01T08:30:00+7:00",
        ] {
            assert_eq!(DateTime::from_rfc3339(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_day_comes_back() {
        for days in (-719_528..2_932_896).step_by(97) {
            assert_eq!(Date::from_days(days).unwrap().days(), days);
        }
    }
}
