//! The connectors, by what they attack.

mod canonical;
mod floods;
mod leftovers;
mod memory;
mod reach;
mod refused;
mod stages;
mod time;

use serde_json::json;

use crate::assemble::Wat;
use crate::{Body, CONCURRENCY, Call, End, Expected, Hostile, Limits, Make, Operation, Upstream};

pub(super) fn all() -> Vec<Hostile> {
    let sets = [
        time::all(),
        stages::all(),
        memory::all(),
        canonical::all(),
        floods::all(),
        reach::all(),
        leftovers::all(),
        refused::all(),
    ];
    sets.into_iter().flatten().collect()
}

pub(super) fn benign() -> Hostile {
    let wat = Wat::attack("(call $says (local.get $text) (local.get $length))");
    attack("benign", "Nothing: it gives back the text it is given.", wat, End::Answer(json!("a")))
        .limits(Limits { concurrency: 512, ..ROOMY })
}

/// So that on a busy machine nothing is ended but what never ends.
const ROOMY: Limits = Limits { cpu: 3_000, deadline: 25_000, upstream_calls: 16, concurrency: CONCURRENCY };

/// For what never ends.
const BRIEF: Limits = Limits { cpu: 30, ..ROOMY };

const CPU: End = End::Problem("connector-cpu-exhausted");
const MEMORY: End = End::Problem("connector-memory-exhausted");
const TRAPPED: End = End::Problem("connector-trapped");
const TOO_LARGE: End = End::Problem("answer-too-large");

/// The answer of an attack that gained nothing.
fn nothing() -> End {
    End::Answer(json!("nothing"))
}

/// One that is served.
fn served(name: &'static str, attempts: &'static str, wat: Wat, calls: Vec<Call>) -> Hostile {
    Hostile {
        name,
        attempts,
        expected: Expected::Calls(calls),
        upstream: Upstream::None,
        key: false,
        limits: ROOMY,
        make: Make::Module(Box::new(wat)),
    }
}

/// One whose `attack` is called.
fn attack(name: &'static str, attempts: &'static str, wat: Wat, end: End) -> Hostile {
    served(name, attempts, wat, vec![Call { operation: Operation::Attack, body: Body::Small, end }])
}

/// One whose `attack` never ends by itself.
fn burns(name: &'static str, attempts: &'static str, wat: Wat) -> Hostile {
    attack(name, attempts, wat, CPU).limits(BRIEF)
}

impl Hostile {
    fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = upstream;
        self
    }

    fn key(mut self) -> Self {
        self.key = true;
        self
    }

    fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}
