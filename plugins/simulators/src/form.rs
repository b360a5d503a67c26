//! Reading the members of a request, collecting everything that is wrong with them.
//!
//! A reader returns an empty or zero value where a member is at fault, so that all members are looked at;
//! [`Faults::check`] then says whether any of it may be used.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use jiff::civil::{Date, DateTime};
use serde_json::{Map, Value};

use crate::time;

/// What is wrong with a request, in the order it was found.
#[derive(Default)]
pub(crate) struct Faults(RefCell<Vec<String>>);

impl Faults {
    pub(crate) fn add(&self, member: &str, reason: &str) {
        self.0.borrow_mut().push(format!("{member}: {reason}"));
    }

    /// All faults as one text, `member: reason` joined by `; `.
    pub(crate) fn check(&self) -> Result<(), String> {
        let faults = self.0.borrow();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    }
}

/// A JSON object that is being read.
pub(crate) struct Form<'a> {
    members: &'a Map<String, Value>,
    /// What stands before the names of its members, e.g. `ThongTinThuaDat[0].`
    before: String,
    faults: &'a Faults,
}

/// What stands in for an object that should be there.
static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

impl<'a> Form<'a> {
    pub(crate) fn new(members: &'a Map<String, Value>, faults: &'a Faults) -> Self {
        Self { members, before: String::new(), faults }
    }

    pub(crate) fn fault(&self, name: &str, reason: &str) {
        self.faults.add(&format!("{}{name}", self.before), reason);
    }

    /// The member, unless it is absent, `null` or `""`.
    fn given(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// Whether the member is given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.given(name).is_some()
    }

    fn required(&self, name: &str) -> Option<&'a Value> {
        let value = self.given(name);
        if value.is_none() {
            self.fault(name, "thiếu");
        }
        value
    }

    /// A text of at most so many characters.
    pub(crate) fn text(&self, name: &str, longest: usize) -> String {
        self.required(name).map(|value| self.as_text(name, value, longest)).unwrap_or_default()
    }

    /// A text of at most so many characters, or `""`.
    pub(crate) fn optional_text(&self, name: &str, longest: usize) -> String {
        self.given(name).map(|value| self.as_text(name, value, longest)).unwrap_or_default()
    }

    fn as_text(&self, name: &str, value: &Value, longest: usize) -> String {
        let Some(text) = value.as_str() else {
            self.fault(name, "phải là chuỗi");
            return String::new();
        };
        if text.chars().count() > longest {
            self.fault(name, &format!("tối đa {longest} ký tự"));
            return String::new();
        }
        text.to_owned()
    }

    /// One of these texts.
    pub(crate) fn choice(&self, name: &str, choices: &[&str]) -> String {
        let text = self.text(name, 200);
        if !text.is_empty() && !choices.contains(&text.as_str()) {
            self.fault(name, &format!("phải là một trong: {}", choices.join(", ")));
        }
        text
    }

    /// A text of decimal digits, of one of these lengths.
    pub(crate) fn digits(&self, name: &str, lengths: &[usize]) -> String {
        let text = self.text(name, 200);
        let right = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !text.is_empty() && !right {
            let lengths: Vec<_> = lengths.iter().map(usize::to_string).collect();
            self.fault(name, &format!("phải gồm {} chữ số", lengths.join(" hoặc ")));
        }
        text
    }

    /// A whole number of the range; a string of digits is taken too.
    pub(crate) fn number(&self, name: &str, range: RangeInclusive<i64>) -> i64 {
        self.required(name).map(|value| self.as_number(name, value, range)).unwrap_or_default()
    }

    /// A whole number of the range, or this one.
    pub(crate) fn optional_number(&self, name: &str, range: RangeInclusive<i64>, otherwise: i64) -> i64 {
        self.given(name).map_or(otherwise, |value| self.as_number(name, value, range))
    }

    fn as_number(&self, name: &str, value: &Value, range: RangeInclusive<i64>) -> i64 {
        let reason = || format!("phải là số nguyên từ {} đến {}", range.start(), range.end());
        match whole(value).filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                self.fault(name, &reason());
                0
            }
        }
    }

    /// A number above 0, if there is one at all.
    pub(crate) fn optional_measure(&self, name: &str) {
        let given = self.given(name);
        if given.is_some_and(|value| value.as_f64().is_none_or(|measure| measure <= 0.0)) {
            self.fault(name, "phải là số lớn hơn 0");
        }
    }

    /// A date of exactly this pattern of `strptime` and length.
    pub(crate) fn date(&self, name: &str, pattern: &str, length: usize, shown: &str) -> Option<Date> {
        let text = self.text(name, 200);
        let date = time::date(&text, pattern, length);
        if date.is_none() && !text.is_empty() {
            self.fault(name, &format!("phải là ngày {shown}"));
        }
        date
    }

    /// `yyyy-MM-ddTHH:mm:ss`; a fraction and an offset may follow, and are passed over.
    pub(crate) fn date_time(&self, name: &str) -> Option<DateTime> {
        let text = self.text(name, 40);
        let time = text.get(..19).and_then(|head| DateTime::strptime("%Y-%m-%dT%H:%M:%S", head).ok());
        let rest = text.get(19..).unwrap_or_default();
        let right = rest.bytes().all(|byte| byte.is_ascii_digit() || b".:+-Z".contains(&byte));
        if !text.is_empty() && (time.is_none() || !right) {
            self.fault(name, "phải là thời điểm yyyy-MM-ddTHH:mm:ss");
        }
        time
    }

    /// An object.
    pub(crate) fn object(&self, name: &str) -> Form<'a> {
        let members =
            self.required(name).map(|value| self.as_object(&format!("{}{name}", self.before), value));
        Form {
            members: members.unwrap_or(&NOTHING),
            before: format!("{}{name}.", self.before),
            faults: self.faults,
        }
    }

    /// A list of objects, of so many entries.
    pub(crate) fn list(&self, name: &str, entries: RangeInclusive<usize>) -> Vec<Form<'a>> {
        let list = match self.given(name) {
            None => &[],
            Some(Value::Array(list)) => list.as_slice(),
            Some(_) => {
                self.fault(name, "phải là danh sách");
                return Vec::new();
            }
        };
        if !entries.contains(&list.len()) {
            self.fault(name, &format!("phải có từ {} đến {} mục", entries.start(), entries.end()));
            return Vec::new();
        }
        list.iter()
            .enumerate()
            .map(|(place, value)| {
                let at = format!("{}{name}[{place}]", self.before);
                Form { members: self.as_object(&at, value), before: format!("{at}."), faults: self.faults }
            })
            .collect()
    }

    fn as_object(&self, at: &str, value: &'a Value) -> &'a Map<String, Value> {
        match value {
            Value::Object(members) => members,
            _ => {
                self.faults.add(at, "phải là đối tượng");
                &NOTHING
            }
        }
    }
}

/// A whole number, written as one or as a string of digits.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => value.as_i64(),
    }
}

/// A telephone number: 8 to 15 digits, a `+` may stand before.
pub(crate) fn is_telephone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults_of(body: Value, read: impl FnOnce(&Form<'_>)) -> String {
        let faults = Faults::default();
        read(&Form::new(body.as_object().unwrap(), &faults));
        faults.check().err().unwrap_or_default()
    }

    #[test]
    fn every_fault_is_named() {
        let found = faults_of(json!({"a": 1, "b": "xyz", "c": "2x", "l": [{"d": ""}, 3]}), |form| {
            form.text("a", 5);
            form.text("b", 2);
            form.number("c", 0..=9);
            for entry in form.list("l", 0..=5) {
                entry.text("d", 5);
            }
            form.object("o").text("p", 5);
        });
        assert_eq!(
            found,
            "a: phải là chuỗi; b: tối đa 2 ký tự; c: phải là số nguyên từ 0 đến 9; l[1]: phải là đối tượng; \
             l[0].d: thiếu; l[1].d: thiếu; o: thiếu; o.p: thiếu"
        );
    }

    #[test]
    fn right_members_are_read() {
        let body = json!({"n": "42", "m": 7, "t": "2025-07-01T08:30:00.123+07:00", "d": "01022025", "z": "0123456789"});
        let found = faults_of(body, |form| {
            assert_eq!(form.number("n", 0..=99), 42);
            assert_eq!(form.number("m", 0..=99), 7);
            assert_eq!(form.date_time("t"), Some(DateTime::constant(2025, 7, 1, 8, 30, 0, 0)));
            assert_eq!(form.date("d", "%d%m%Y", 8, "ddMMyyyy"), Some(Date::constant(2025, 2, 1)));
            assert_eq!(form.digits("z", &[9, 10]), "0123456789");
            assert_eq!(form.optional_text("absent", 5), "");
            assert_eq!(form.optional_number("absent", 0..=5, 3), 3);
        });
        assert_eq!(found, "");
    }
}
