//! A host for tests: scripted upstream answers, configuration, keys, a clock that stands still.
//!
//! [`Host::new`] reads the connector's manifest and becomes the host of the present thread until it is dropped. What
//! the manifest does not allow is refused here as the real host refuses it, so a test also proves the manifest.
//!
//! ```
//! use serde_json::json;
//! use truc_sdk::testing::Host;
//!
//! let host = Host::new(r#"
//!     [upstreams.registry]
//!     description = "The register"
//!     allow = ["GET /people/{id}"]
//! "#);
//! host.answer("registry", "GET /people/{id}", json!({ "name": "Nguyễn Văn An" }));
//!
//! let person: serde_json::Value =
//!     truc_sdk::upstream("registry").get("/people/{id}").parameter("id", 7).send()?.json()?;
//!
//! assert_eq!(person["name"], "Nguyễn Văn An");
//! assert_eq!(host.request().parameters, [("id".to_owned(), "7".to_owned())]);
//! # Ok::<(), truc_sdk::Error>(())
//! ```

#![allow(clippy::panic, reason = "a test double tells its test what is wrong by panicking")]

pub(crate) mod capabilities;
mod manifest;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use crate::wit::{caller, config, log, upstream};
use manifest::Manifest;

pub use manifest::KeyUse;

thread_local! {
    static CURRENT: RefCell<Option<Rc<RefCell<State>>>> = const { RefCell::new(None) };
}

/// The host of the present thread, for as long as it lives.
pub struct Host {
    state: Rc<RefCell<State>>,
}

/// What the fake host knows and has seen.
struct State {
    manifest: Manifest,
    scripts: HashMap<(String, String), Script>,
    requests: Vec<upstream::Request>,
    config: BTreeMap<String, config::Value>,
    keys: HashMap<(String, KeyUse), Rc<KeyFunction>>,
    cache: HashMap<String, (Vec<u8>, u64)>,
    lines: Vec<(log::Level, String)>,
    now: u64,
    random: u8,
    caller: caller::Identity,
    time_left: u32,
}

/// The answers to one request.
#[derive(Default)]
struct Script {
    answers: VecDeque<Answer>,
    /// Whether the only answer left was given already.
    given: bool,
}

impl Script {
    fn push(&mut self, answer: Answer) {
        if self.given {
            self.answers.clear();
            self.given = false;
        }
        self.answers.push_back(answer);
    }

    fn next(&mut self) -> Option<Answer> {
        if self.answers.len() > 1 {
            return self.answers.pop_front();
        }
        self.given = true;
        self.answers.front().cloned()
    }
}

/// From a message and, to verify, its signature.
type KeyFunction = dyn Fn(&[u8], &[u8]) -> Vec<u8>;

impl Host {
    /// Becomes the host of this thread. `manifest` is the text of `connector.toml`; only its upstreams, configuration
    /// and keys are read. The clock stands at 2025-07-01T08:30:00+07:00.
    ///
    /// # Panics
    /// Where the manifest cannot be read.
    pub fn new(manifest: &str) -> Self {
        let manifest = Manifest::parse(manifest).unwrap_or_else(|error| panic!("connector.toml: {error}"));
        let state = State {
            manifest,
            scripts: HashMap::new(),
            requests: Vec::new(),
            config: BTreeMap::new(),
            keys: HashMap::new(),
            cache: HashMap::new(),
            lines: Vec::new(),
            now: 1_751_333_400_000,
            random: 0,
            caller: caller::Identity {
                agency: "H56.14".into(),
                account: "test".into(),
                purpose: None,
                dossier: None,
                request_id: "00000000-0000-7000-8000-000000000000".into(),
            },
            time_left: 10_000,
        };
        let state = Rc::new(RefCell::new(state));
        CURRENT.set(Some(state.clone()));
        Self { state }
    }

    /// Scripts an answer to `"METHOD /path/{template}"`. Answers to the same request are given in order; the last
    /// one again and again, until there is another. A [`serde_json::Value`] is a success with that body.
    ///
    /// # Panics
    /// Where the manifest does not allow the request, since then the connector cannot make it.
    pub fn answer(&self, handle: &str, request: &str, answer: impl Into<Answer>) -> &Self {
        let mut state = self.state.borrow_mut();
        if let Err(refusal) = state.manifest.check_request(handle, request) {
            panic!("{refusal}");
        }
        state.scripts.entry((handle.into(), request.into())).or_default().push(answer.into());
        drop(state);
        self
    }

    /// The only request that was made.
    ///
    /// # Panics
    /// Where none or several were made.
    pub fn request(&self) -> upstream::Request {
        let requests = self.requests();
        match <[upstream::Request; 1]>::try_from(requests) {
            Ok([request]) => request,
            Err(requests) => panic!("{} requests instead of one: {requests:#?}", requests.len()),
        }
    }

    /// All requests that were made, in order.
    pub fn requests(&self) -> Vec<upstream::Request> {
        self.state.borrow().requests.clone()
    }

    /// Sets a configuration value over the manifest's default.
    ///
    /// # Panics
    /// Where the manifest does not declare the key with this type.
    pub fn config(&self, key: &str, value: impl Into<config::Value>) -> &Self {
        let value = value.into();
        let mut state = self.state.borrow_mut();
        if let Err(refusal) = state.manifest.check_config(key, &value) {
            panic!("{refusal}");
        }
        state.config.insert(key.into(), value);
        drop(state);
        self
    }

    /// Binds a key for one use to a function of the message.
    ///
    /// # Panics
    /// Where the manifest does not declare the key for this use.
    pub fn key(&self, key: &str, key_use: KeyUse, function: impl Fn(&[u8]) -> Vec<u8> + 'static) -> &Self {
        self.bind_key(key, key_use, move |message, _| function(message))
    }

    /// Binds a key for verification to a function of the message and the signature.
    ///
    /// # Panics
    /// Where the manifest does not declare the key for verification.
    pub fn verifier(&self, key: &str, function: impl Fn(&[u8], &[u8]) -> bool + 'static) -> &Self {
        self.bind_key(key, KeyUse::Verify, move |message, signature| {
            vec![function(message, signature).into()]
        })
    }

    fn bind_key(
        &self,
        key: &str,
        key_use: KeyUse,
        function: impl Fn(&[u8], &[u8]) -> Vec<u8> + 'static,
    ) -> &Self {
        let mut state = self.state.borrow_mut();
        if let Err(refusal) = state.manifest.check_key(key, key_use) {
            panic!("{refusal}");
        }
        state.keys.insert((key.into(), key_use), Rc::new(function));
        drop(state);
        self
    }

    /// Sets the clock, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn set_now(&self, now: u64) -> &Self {
        self.state.borrow_mut().now = now;
        self
    }

    /// Says who calls.
    pub fn set_caller(&self, caller: caller::Identity) -> &Self {
        self.state.borrow_mut().caller = caller;
        self
    }

    /// Sets the time left, in milliseconds.
    pub fn set_time_left(&self, time_left: u32) -> &Self {
        self.state.borrow_mut().time_left = time_left;
        self
    }

    /// The lines that were logged.
    pub fn lines(&self) -> Vec<(log::Level, String)> {
        self.state.borrow().lines.clone()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| {
            // A newer host of the same thread stays.
            if current.as_ref().is_some_and(|state| Rc::ptr_eq(state, &self.state)) {
                *current = None;
            }
        });
    }
}

/// What an upstream answers in a test.
#[derive(Debug, Clone)]
pub struct Answer(Result<upstream::Response, upstream::Error>);

impl Answer {
    /// A response with a body of bytes.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self(Ok(upstream::Response { status, headers: Vec::new(), body: body.into() }))
    }

    /// A response with a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, body.to_string()).header("content-type", "application/json")
    }

    /// Adds a header field, its name in lower case.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Ok(response) = &mut self.0 {
            response.headers.push((name.into(), value.into()));
        }
        self
    }
}

impl From<serde_json::Value> for Answer {
    fn from(body: serde_json::Value) -> Self {
        Self::json(200, &body)
    }
}

impl From<upstream::Error> for Answer {
    fn from(error: upstream::Error) -> Self {
        Self(Err(error))
    }
}

impl upstream::Request {
    /// The JSON body.
    ///
    /// # Panics
    /// Where there is none.
    pub fn json_body(&self) -> serde_json::Value {
        let body = self.body.as_deref().unwrap_or_default();
        serde_json::from_slice(body).unwrap_or_else(|error| panic!("the body is not JSON: {error}"))
    }
}

impl From<&str> for config::Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<i64> for config::Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<bool> for config::Value {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl From<&[&str]> for config::Value {
    fn from(values: &[&str]) -> Self {
        Self::Texts(values.iter().map(|&value| value.into()).collect())
    }
}

/// The state of this thread's host.
fn with_state<T>(use_state: impl FnOnce(&mut State) -> T) -> T {
    let state = CURRENT.with_borrow(Clone::clone);
    let state =
        state.unwrap_or_else(|| panic!("no host: begin the test with `testing::Host::new(manifest)`"));
    let mut state = state.borrow_mut();
    use_state(&mut state)
}
