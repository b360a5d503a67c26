//! Vietnamese time, and how far a dossier, an order or a payment has come.

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};
use truc_model::Timestamp;

/// The local time in Việt Nam, which keeps no summer time.
pub(crate) fn local(time: Timestamp) -> DateTime {
    let time = jiff::Timestamp::from_microsecond(time.as_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    Offset::constant(7).to_datetime(time)
}

/// The date in Việt Nam.
pub(crate) fn today(time: Timestamp) -> Date {
    local(time).date()
}

/// The local time in a pattern of `strftime`.
pub(crate) fn written(time: Timestamp, pattern: &str) -> String {
    local(time).strftime(pattern).to_string()
}

/// The time at which a local date and time is.
pub(crate) fn instant(local: DateTime) -> Timestamp {
    let time = Offset::constant(7).to_timestamp(local).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    Timestamp::from_micros(time.as_microsecond())
}

/// Reads a date of exactly this length and pattern.
pub(crate) fn date(text: &str, pattern: &str, length: usize) -> Option<Date> {
    if text.len() != length || !text.is_ascii() {
        return None;
    }
    Date::strptime(pattern, text).ok()
}

/// What makes dossiers, orders and payments move on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Progress {
    /// One step with each query about them; the first query shows the first state.
    #[default]
    Query,
    /// One step each so many seconds since the submission.
    Seconds(u64),
}

impl std::str::FromStr for Progress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "`query`, or `seconds:` and a number of 1 to 86400, e.g. `seconds:10`";
        if text == "query" {
            return Ok(Self::Query);
        }
        match text.strip_prefix("seconds:").and_then(|seconds| seconds.parse().ok()) {
            Some(seconds @ 1..=86_400) => Ok(Self::Seconds(seconds)),
            _ => Err(EXPECTED),
        }
    }
}

/// The way of one thing through its steps, the first of which is step 0.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Course {
    asked: u64,
    /// When each step was reached.
    reached: Vec<Timestamp>,
    /// Things that are there from the start stay where they are.
    held: bool,
}

impl Course {
    /// Begins now.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { asked: 0, reached: vec![now], held: false }
    }

    /// Stays at the step that was reached last.
    pub(crate) fn held(reached: Vec<Timestamp>) -> Self {
        Self { asked: 0, reached, held: true }
    }

    /// A query: the step it shows, at most `last`.
    pub(crate) fn ask(&mut self, progress: Progress, now: Timestamp, last: usize) -> usize {
        self.asked = self.asked.saturating_add(1);
        self.step(progress, now, last)
    }

    /// The step now, at most `last`, without a query.
    pub(crate) fn step(&mut self, progress: Progress, now: Timestamp, last: usize) -> usize {
        let began = self.reached.first().copied().unwrap_or(now);
        if !self.held {
            let step = match progress {
                Progress::Query => self.asked.saturating_sub(1),
                Progress::Seconds(pace) => {
                    let seconds = now.as_micros().saturating_sub(began.as_micros()) / 1_000_000;
                    u64::try_from(seconds).unwrap_or(0).checked_div(pace).unwrap_or(0)
                }
            };
            let step = usize::try_from(step).unwrap_or(last).min(last);
            while self.reached.len() <= step {
                let behind = i64::try_from(self.reached.len()).unwrap_or(i64::MAX);
                self.reached.push(match progress {
                    Progress::Query => now,
                    Progress::Seconds(pace) => Timestamp::from_micros(
                        behind
                            .saturating_mul(i64::try_from(pace).unwrap_or(i64::MAX))
                            .saturating_mul(1_000_000)
                            .saturating_add(began.as_micros()),
                    ),
                });
            }
        }
        self.reached.len().saturating_sub(1).min(last)
    }

    /// When the steps were reached, in their order.
    pub(crate) fn reached(&self) -> &[Timestamp] {
        &self.reached
    }

    /// When the present step was reached.
    pub(crate) fn since(&self) -> Timestamp {
        self.reached.last().copied().unwrap_or(Timestamp::from_micros(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * SECOND)
    }

    #[test]
    fn local_time_is_seven_hours_ahead() {
        assert_eq!(written(at(0), "%Y-%m-%dT%H:%M:%S"), "1970-01-01T07:00:00");
        assert_eq!(instant(local(at(1_751_333_400))), at(1_751_333_400));
        assert_eq!(today(at(17 * 3600)).to_string(), "1970-01-02");
    }

    #[test]
    fn one_step_per_query() {
        let mut course = Course::new(at(5));
        assert_eq!(course.step(Progress::Query, at(6), 2), 0);
        let steps: Vec<_> = (0..5).map(|_| course.ask(Progress::Query, at(7), 2)).collect();
        assert_eq!(steps, [0, 1, 2, 2, 2]);
        assert_eq!(course.step(Progress::Query, at(8), 2), 2);
        assert_eq!(course.reached(), [at(5), at(7), at(7)]);
    }

    #[test]
    fn one_step_per_interval() {
        let mut course = Course::new(at(5));
        assert_eq!(course.ask(Progress::Seconds(10), at(14), 3), 0);
        assert_eq!(course.ask(Progress::Seconds(10), at(36), 3), 3);
        assert_eq!(course.reached(), [at(5), at(15), at(25), at(35)]);
        assert_eq!(course.since(), at(35));
    }

    #[test]
    fn a_held_course_stays() {
        let mut course = Course::held(vec![at(1), at(2)]);
        assert_eq!(course.ask(Progress::Query, at(3), 4), 1);
        assert_eq!(course.ask(Progress::Seconds(1), at(900), 4), 1);
    }

    #[test]
    fn progress_is_read() {
        assert_eq!("query".parse(), Ok(Progress::Query));
        assert_eq!("seconds:10".parse(), Ok(Progress::Seconds(10)));
        for wrong in ["", "seconds:", "seconds:0", "seconds:86401", "10"] {
            assert!(wrong.parse::<Progress>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn dates_are_read_in_their_exact_form() {
        assert_eq!(date("01.02.2020", "%d.%m.%Y", 10), Some(Date::constant(2020, 2, 1)));
        for wrong in ["1.2.2020", "31.02.2020", "01-02-2020", "01.02.20200"] {
            assert_eq!(date(wrong, "%d.%m.%Y", 10), None, "{wrong}");
        }
    }
}
