//! How many components are compiled at once, and each once.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use truc_model::Digest;

use crate::settings::MAX_COMPILATIONS;

/// Lets [`MAX_COMPILATIONS`] in at once, and for each component one.
#[derive(Default)]
pub(crate) struct Gate {
    inside: Mutex<HashSet<Digest>>,
    left: Condvar,
}

/// A place inside the gate, until it is dropped.
pub(crate) struct Turn<'a> {
    gate: &'a Gate,
    component: Digest,
    /// Whether the component was being compiled when this one came.
    after_another: bool,
}

impl Gate {
    /// Waits for a place. It blocks, as whoever compiles does anyway; each compilation before it is bounded.
    pub(crate) fn enter(&self, component: Digest) -> Turn<'_> {
        let mut inside = self.inside();
        let after_another = inside.contains(&component);
        while inside.len() >= MAX_COMPILATIONS || inside.contains(&component) {
            inside = self.left.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
        inside.insert(component);
        Turn { gate: self, component, after_another }
    }

    fn inside(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Whether the component was being compiled already when this turn was asked for, so that its artifact may be there.
    pub(crate) fn is_after_another(&self) -> bool {
        self.after_another
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.gate.inside().remove(&self.component);
        self.gate.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Two are inside and two more come; gives whether the one that came for a component inside was told so.
    fn crowd() -> bool {
        let gate = Gate::default();
        let [first, second, third] = ["1", "2", "3"].map(|text| Digest::of(text.as_bytes()));
        let (one, two) = (gate.enter(first), gate.enter(second));
        assert!(!one.is_after_another() && !two.is_after_another());
        let (sender, entered) = mpsc::channel();
        let next = || entered.recv_timeout(Duration::from_secs(30)).unwrap();
        let told = std::thread::scope(|scope| {
            for component in [first, third] {
                let (gate, sender) = (&gate, sender.clone());
                scope.spawn(move || {
                    let turn = gate.enter(component);
                    sender.send((component, turn.is_after_another())).unwrap();
                });
            }
            assert!(entered.try_recv().is_err(), "all places are taken");
            drop(two);
            // The place that became free is not for what is being compiled.
            assert_eq!(next(), (third, false));
            drop(one);
            let (component, told) = next();
            assert_eq!(component, first);
            told
        });
        assert!(gate.inside().is_empty());
        told
    }

    #[test]
    fn few_are_inside_at_once_and_each_component_once() {
        // A thread may come to the gate only when the other has left, which cannot be seen from outside.
        assert!((0..1_000).any(|_| crowd()), "nobody was told that its component was being compiled");
    }
}
