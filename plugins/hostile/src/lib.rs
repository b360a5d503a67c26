//! Connectors that misbehave in every way they can, each with what it attempts and the exact end that must come of it.
//!
//! Each is a real component: a core module written in the text format of WebAssembly ([`assemble`]), made a component of
//! the contract `wit/hostile` and packed with a manifest, so that it is published like any other, or refused. Beside them
//! there are components that chance makes ([`generated`]), seed by seed.
//!
//! One rule holds for all that are called: whoever gains anything answers with a text that begins with `gained`.
//!
//! The sandbox's tests run each of them in the engine, `cargo xtask attack --only hostile` all of them against a host.

mod assemble;
pub mod generated;
mod set;

use std::time::Duration;

use serde_json::{Value, json};

use assemble::Wat;

/// The contract's text.
pub const CONTRACT: &str = include_str!("../../../wit/hostile/hostile.wit");

/// How the answer of a connector begins that gained what it must not have.
pub const GAINED: &str = "gained";

/// The handle under which some of them know an upstream; they may `GET /items/{id}` and `POST /items` there.
pub const UPSTREAM: &str = "shelf";

/// The handle under which some of them know a key, for `mac`.
pub const KEY: &str = "seal";

/// Calls of one of them that may run at once.
pub const CONCURRENCY: usize = 4;

/// A connector that misbehaves.
pub struct Hostile {
    /// Its name.
    pub name: &'static str,
    /// What it attempts.
    pub attempts: &'static str,
    /// What must come of it.
    pub expected: Expected,
    /// What must be bound to [`UPSTREAM`].
    pub upstream: Upstream,
    /// Whether a key must be bound to [`KEY`].
    pub key: bool,
    limits: Limits,
    make: Make,
}

/// An upstream for a connector to attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// None.
    None,
    /// One that nothing may reach: all that the connector asks of it is refused.
    Forbidden,
    /// One that takes requests and never answers.
    Silent,
}

/// The limits that a connector asks for.
#[derive(Clone, Copy)]
struct Limits {
    /// Processor time in milliseconds.
    cpu: u64,
    /// The deadline in milliseconds.
    deadline: u64,
    /// Calls of upstreams.
    upstream_calls: u32,
    /// Calls that run at once.
    concurrency: usize,
}

/// What must come of a hostile connector.
pub enum Expected {
    /// It is not published; the problem's code.
    Unpublished(&'static str),
    /// It is published, but no service can be made of it.
    Unserved,
    /// It is served, and its calls end so.
    Calls(Vec<Call>),
}

/// A call.
pub struct Call {
    /// What is called.
    pub operation: Operation,
    /// With what.
    pub body: Body,
    /// How it ends.
    pub end: End,
}

/// An operation of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `attacks/attack`.
    Attack,
    /// `attacks/exchange`.
    Exchange,
    /// `attacks/shape`.
    Shape,
}

/// The body of a call.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// Step 1, and the text "a", or a list of two short texts.
    Small,
    /// A text of that many bytes.
    Long(usize),
    /// A list of that many empty texts.
    Many(usize),
}

/// How a call ends.
#[derive(Clone, Debug)]
pub enum End {
    /// With this answer.
    Answer(Value),
    /// With a problem of this code.
    Problem(&'static str),
}

/// How the component is made.
enum Make {
    /// Of a core module.
    Module(Box<Wat>),
    /// In a way of its own, under its manifest.
    Own(fn(&str) -> Result<Vec<u8>, String>),
}

impl Operation {
    /// The operation's name in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Operation::Attack => "attacks/attack",
            Operation::Exchange => "attacks/exchange",
            Operation::Shape => "attacks/shape",
        }
    }

    /// Its path below the service's.
    pub const fn path(self) -> &'static str {
        match self {
            Operation::Attack => "attacks",
            Operation::Exchange => "lists",
            Operation::Shape => "shapes",
        }
    }
}

impl Call {
    /// The request's body.
    pub fn body(&self) -> Value {
        match (self.operation, self.body) {
            (Operation::Exchange, Body::Many(count)) => json!({ "items": vec![""; count] }),
            (Operation::Exchange, Body::Long(length)) => json!({ "items": ["x".repeat(length)] }),
            (Operation::Exchange, Body::Small) => json!({ "items": ["a", "b"] }),
            (Operation::Shape, _) => json!({ "step": 1 }),
            (Operation::Attack, Body::Long(length)) => json!({ "step": 1, "text": "x".repeat(length) }),
            (Operation::Attack, _) => json!({ "step": 1, "text": "a" }),
        }
    }
}

impl Hostile {
    /// Its manifest.
    pub fn manifest(&self) -> String {
        let Self { name, attempts, limits, .. } = self;
        let mut manifest = format!(
            "[connector]\nname = \"{name}\"\nversion = \"1.0.0\"\npublisher = \"Trục\"\n\
             description = \"{attempts}\"\ncontract = \"lgsp:hostile@1.0.0\"\n"
        );
        if self.upstream != Upstream::None {
            manifest += &format!(
                "[upstreams.{UPSTREAM}]\ndescription = \"A server of the test's own\"\n\
                 allow = [\"GET /items/{{id}}\", \"POST /items\"]\n"
            );
        }
        if self.key {
            manifest +=
                &format!("[keys.{KEY}]\ndescription = \"A key of the test's own\"\nuse = [\"mac\"]\n");
        }
        manifest
            + &format!(
                "[limits]\ncpu = \"{}ms\"\ndeadline = \"{}ms\"\nupstream-calls = {}\nconcurrency = {}\n",
                limits.cpu, limits.deadline, limits.upstream_calls, limits.concurrency
            )
    }

    /// The processor time that each of its calls may take.
    pub fn processor_time(&self) -> Duration {
        Duration::from_millis(self.limits.cpu)
    }

    /// How long each of its calls may take in all.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.limits.deadline)
    }

    /// The component, ready to be published.
    ///
    /// # Errors
    /// A connector that is not written as it should be.
    pub fn component(&self) -> Result<Vec<u8>, String> {
        let made = match &self.make {
            Make::Module(wat) => wat.component(&self.manifest()),
            Make::Own(make) => make(&self.manifest()),
        };
        made.map_err(|error| format!("{}: {error}", self.name))
    }
}

/// All of them.
pub fn all() -> Vec<Hostile> {
    set::all()
}

/// One that does no harm, to see that others do it none: it answers `nothing`, or the text of lists it is given.
pub fn benign() -> Hostile {
    set::benign()
}
