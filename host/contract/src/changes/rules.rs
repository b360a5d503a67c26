//! Changes of directives on values: which narrow, which widen, and whom that breaks.

use super::Effect;
use crate::model::{Pii, Rules};

/// Which way the values of a type go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    /// Callers send them.
    Taken,
    /// Callers receive them.
    Given,
    /// Both.
    Both,
}

impl Usage {
    pub(super) fn and(self, other: Usage) -> Usage {
        if self == other { self } else { Usage::Both }
    }
}

/// What a change does to the set of values that are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Narrower,
    Wider,
    Other,
}

/// Sentences about what differs between the rules in force before and after, and whether each breaks somebody.
pub(super) fn differences(usage: Usage, old: &Rules, new: &Rules) -> Vec<(Effect, String)> {
    let mut found = Vec::new();
    found.extend(personal_data(old.pii, new.pii));
    let format = |rules: &Rules| rules.format.map(|format| format.as_str().to_owned());
    let pattern = |rules: &Rules| rules.pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
    let texts = [("format", format(old), format(new)), ("pattern", pattern(old), pattern(new))];
    for (directive, old, new) in texts {
        let reach = match (&old, &new) {
            (old, new) if old == new => continue,
            (None, Some(_)) => Reach::Narrower,
            (Some(_), None) => Reach::Wider,
            _ => Reach::Other,
        };
        found.push(judged(usage, reach, directive, old.as_deref(), new.as_deref()));
    }
    let numbers = [
        ("min", old.min, new.min, reach_of(new.min, old.min, i128::MIN)),
        ("max", old.max, new.max, reach_of(old.max, new.max, i128::MAX)),
    ];
    for (directive, old, new, reach) in numbers.into_iter().filter(|(_, old, new, _)| old != new) {
        let text = |bound: Option<i128>| bound.map(|bound| bound.to_string());
        found.push(judged(usage, reach, directive, text(old).as_deref(), text(new).as_deref()));
    }
    if old.example != new.example {
        found.push((Effect::Compatible, "it has another `@example`".to_owned()));
    }
    found
}

/// Whether the greater bound came before or after; `open` stands for no bound.
fn reach_of(greater_narrows: Option<i128>, other: Option<i128>, open: i128) -> Reach {
    match greater_narrows.unwrap_or(open) > other.unwrap_or(open) {
        true => Reach::Narrower,
        false => Reach::Wider,
    }
}

fn judged(
    usage: Usage,
    reach: Reach,
    directive: &str,
    old: Option<&str>,
    new: Option<&str>,
) -> (Effect, String) {
    let what = match (old, new) {
        (None, Some(new)) => format!("it has `@{directive} {new}` now"),
        (Some(old), None) => format!("it has no `@{directive} {old}` any more"),
        (Some(old), Some(new)) => format!("`@{directive}` was `{old}` and is `{new}`"),
        (None, None) => format!("`@{directive}` changed"),
    };
    const REFUSED: &str = "what callers send may be refused now";
    const UNSEEN: &str = "callers may receive what they never did";
    let (effect, consequence) = match (usage, reach) {
        (Usage::Taken, Reach::Wider) => (Effect::Compatible, "more is taken than before"),
        (Usage::Given, Reach::Narrower) => (Effect::Compatible, "less is given than before"),
        (Usage::Taken, _) | (Usage::Both, Reach::Narrower) => (Effect::Breaking, REFUSED),
        (Usage::Given, _) | (Usage::Both, Reach::Wider) => (Effect::Breaking, UNSEEN),
        (Usage::Both, Reach::Other) => (Effect::Breaking, REFUSED),
    };
    (effect, format!("{what}: {consequence}"))
}

fn personal_data(old: Option<Pii>, new: Option<Pii>) -> Option<(Effect, String)> {
    let name = |pii: Pii| match pii {
        Pii::Basic => "basic",
        Pii::Sensitive => "sensitive",
    };
    match (old, new) {
        (old, new) if old == new => None,
        (None, Some(new)) => Some((
            Effect::Breaking,
            format!("it is {} personal data now: calls that touch it must state a purpose", name(new)),
        )),
        (Some(old), Some(new)) if new > old => Some((
            Effect::Breaking,
            format!(
                "it was {} personal data and is {}: whoever may handle the one may not handle the other",
                name(old),
                name(new)
            ),
        )),
        (Some(old), Some(new)) => {
            Some((Effect::Compatible, format!("it was {} personal data and is {}", name(old), name(new))))
        }
        (Some(_), None) => Some((Effect::Compatible, "it is no personal data any more".to_owned())),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(min: Option<i128>, max: Option<i128>) -> Rules {
        Rules { min, max, ..Rules::default() }
    }

    #[test]
    fn the_way_of_a_value_decides_what_a_bound_breaks() {
        let cases = [
            // Narrower.
            (bounds(None, Some(50)), bounds(None, Some(20)), [true, false, true]),
            (bounds(None, None), bounds(Some(1), None), [true, false, true]),
            // Wider.
            (bounds(None, Some(20)), bounds(None, Some(50)), [false, true, true]),
            (bounds(Some(1), None), bounds(None, None), [false, true, true]),
        ];
        for (old, new, breaks) in cases {
            for (usage, breaks) in [Usage::Taken, Usage::Given, Usage::Both].into_iter().zip(breaks) {
                let found = differences(usage, &old, &new);
                assert_eq!(found.len(), 1, "{found:?}");
                assert_eq!(found[0].0 == Effect::Breaking, breaks, "{usage:?}: {found:?}");
            }
        }
    }

    #[test]
    fn only_stricter_personal_data_breaks() {
        let rules = |pii| Rules { pii, ..Rules::default() };
        let all = [None, Some(Pii::Basic), Some(Pii::Sensitive)];
        for old in all {
            for new in all {
                let found = differences(Usage::Given, &rules(old), &rules(new));
                assert_eq!(found.is_empty(), old == new);
                assert_eq!(found.iter().any(|(effect, _)| *effect == Effect::Breaking), new > old);
            }
        }
    }
}
