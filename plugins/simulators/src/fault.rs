//! Faults that are switched on at run time, one per system, and the counting of calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One of the five systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum System {
    /// Civil status (hộ tịch).
    CivilStatus,
    /// Land (đất đai).
    Land,
    /// Social and health insurance (bảo hiểm xã hội, bảo hiểm y tế).
    Insurance,
    /// Public postal service (bưu chính công ích).
    Postal,
    /// National payment platform (thanh toán).
    Payment,
}

impl System {
    /// All systems, in the order of their ports.
    pub const ALL: [Self; 5] = [Self::CivilStatus, Self::Land, Self::Insurance, Self::Postal, Self::Payment];

    /// The name in paths of the admin address.
    pub fn name(self) -> &'static str {
        match self {
            Self::CivilStatus => "civil-status",
            Self::Land => "land",
            Self::Insurance => "insurance",
            Self::Postal => "postal",
            Self::Payment => "payment",
        }
    }

    /// The system of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.name() == name)
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultKind {
    /// The right answer, later.
    Latency {
        /// By how many milliseconds, 1 to 120,000.
        ms: u64,
    },
    /// A status instead of the answer.
    Status {
        /// 400 to 599.
        code: u16,
    },
    /// The connection is cut in the middle of the right answer.
    Cut {},
    /// A body that is no JSON.
    Malformed {},
    /// What an expired credential gives. Not for `payment`, which has none.
    ExpiredToken {},
    /// The right answer with a false authentication code. Only for `payment`, which alone signs.
    WrongSignature {},
    /// A very long JSON answer.
    Huge {
        /// How long, 1,024 to 1,073,741,824 bytes.
        bytes: u64,
    },
    /// A redirection.
    Redirect {
        /// Where to.
        to: String,
    },
    /// The system's own error answer.
    Refuse {
        /// Decimal digits, at most five.
        code: String,
        /// What it says.
        #[serde(default)]
        message: String,
    },
}

/// A fault, and which calls meet it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// The share of the calls that meet it, 0 to 1, spread evenly; `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// How many calls meet it before it is gone; `None`: it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The only path that meets it; `None`: every path but `/token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl From<FaultKind> for Fault {
    /// A fault that every call meets until it is cleared.
    fn from(kind: FaultKind) -> Self {
        Self { kind, share: None, count: None, path: None }
    }
}

/// Why a fault cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// Not in the documented form.
    #[error("not a fault: {0}")]
    Unreadable(String),
    /// A value out of its range.
    #[error("{0}")]
    OutOfRange(&'static str),
    /// A fault that this system cannot have.
    #[error("{kind} does not exist for {}: {why}", system.name())]
    NotForSystem {
        /// The kind of the fault.
        kind: &'static str,
        /// The system.
        system: System,
        /// Why not.
        why: &'static str,
    },
}

impl Fault {
    /// Reads the form that the admin address takes; unknown members are errors.
    pub(crate) fn read(mut members: Map<String, Value>) -> Result<Self, FaultError> {
        fn take<T: serde::de::DeserializeOwned>(
            members: &mut Map<String, Value>,
            name: &str,
        ) -> Result<Option<T>, FaultError> {
            let value = members.remove(name).unwrap_or(Value::Null);
            serde_json::from_value(value).map_err(|error| FaultError::Unreadable(format!("{name}: {error}")))
        }
        let share = take(&mut members, "share")?;
        let count = take(&mut members, "count")?;
        let path = take(&mut members, "path")?;
        let kind = serde_json::from_value(Value::Object(members))
            .map_err(|error| FaultError::Unreadable(error.to_string()))?;
        Ok(Self { kind, share, count, path })
    }

    fn check(&self, system: System) -> Result<(), FaultError> {
        use FaultError::{NotForSystem, OutOfRange};
        if self.share.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            return Err(OutOfRange("share is more than 0 and at most 1"));
        }
        if self.count == Some(0) {
            return Err(OutOfRange("count is at least 1"));
        }
        match &self.kind {
            FaultKind::Latency { ms } if !(1..=120_000).contains(ms) => Err(OutOfRange("ms is 1 to 120000")),
            FaultKind::Status { code } if !(400..=599).contains(code) => {
                Err(OutOfRange("code is 400 to 599"))
            }
            FaultKind::Huge { bytes } if !(1024..=1 << 30).contains(bytes) => {
                Err(OutOfRange("bytes is 1024 to 1073741824"))
            }
            FaultKind::Redirect { to }
                if to.is_empty() || !to.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                Err(OutOfRange("to is an address in visible ASCII"))
            }
            FaultKind::Refuse { code, .. } if code.parse::<u16>().is_err() => {
                Err(OutOfRange("code is a decimal number of at most 65535"))
            }
            FaultKind::ExpiredToken {} if system == System::Payment => {
                Err(NotForSystem { kind: "expired-token", system, why: "it takes no token" })
            }
            FaultKind::WrongSignature {} if system != System::Payment => {
                Err(NotForSystem { kind: "wrong-signature", system, why: "it signs nothing" })
            }
            _ => Ok(()),
        }
    }
}

/// A fault that is switched on.
#[derive(Debug, Clone, Serialize)]
struct Active {
    #[serde(flatten)]
    fault: Fault,
    hits: u64,
    #[serde(skip)]
    seen: u64,
}

/// The faults of all systems, and how often each route was called.
#[derive(Debug, Default)]
pub struct Board {
    faults: Mutex<BTreeMap<System, Active>>,
    calls: Mutex<BTreeMap<System, BTreeMap<String, u64>>>,
}

impl Board {
    /// Switches a fault on, in place of the one the system has.
    ///
    /// # Errors
    /// When a value is out of range, or the system cannot have such a fault.
    pub fn set(&self, system: System, fault: impl Into<Fault>) -> Result<(), FaultError> {
        let fault = fault.into();
        fault.check(system)?;
        lock(&self.faults).insert(system, Active { fault, hits: 0, seen: 0 });
        Ok(())
    }

    /// Switches the fault of a system off.
    pub fn clear(&self, system: System) {
        lock(&self.faults).remove(&system);
    }

    /// Switches all faults off.
    pub fn clear_all(&self) {
        lock(&self.faults).clear();
    }

    /// How often a route was called since the start or since [`Board::forget_calls`], e.g. `POST /token`; what met no
    /// route counts as `unmatched`.
    pub fn calls(&self, system: System, route: &str) -> u64 {
        lock(&self.calls).get(&system).and_then(|calls| calls.get(route)).copied().unwrap_or(0)
    }

    /// Starts counting calls anew.
    pub fn forget_calls(&self) {
        lock(&self.calls).clear();
    }

    pub(crate) fn count(&self, system: System, route: String) {
        let mut calls = lock(&self.calls);
        let calls = calls.entry(system).or_default().entry(route).or_default();
        *calls = calls.saturating_add(1);
    }

    /// The fault that this call meets, if any.
    pub(crate) fn strike(&self, system: System, path: &str) -> Option<FaultKind> {
        let mut faults = lock(&self.faults);
        let active = faults.get_mut(&system)?;
        let meant = match &active.fault.path {
            Some(only) => only == path,
            None => path != "/token",
        };
        if !meant {
            return None;
        }
        active.seen = active.seen.saturating_add(1);
        // The n-th call is hit when the whole part of n times the share grows with it: even, and always the same.
        if let Some(share) = active.fault.share
            && (active.seen as f64 * share).floor() <= ((active.seen - 1) as f64 * share).floor()
        {
            return None;
        }
        active.hits = active.hits.saturating_add(1);
        let kind = active.fault.kind.clone();
        if active.fault.count.is_some_and(|count| active.hits >= count) {
            faults.remove(&system);
        }
        Some(kind)
    }

    /// What `GET /faults` shows.
    pub(crate) fn faults_shown(&self) -> Value {
        let faults = lock(&self.faults);
        System::ALL
            .into_iter()
            .map(|system| (system.name(), serde_json::to_value(faults.get(&system)).unwrap_or_default()))
            .collect()
    }

    /// What `GET /calls` shows.
    pub(crate) fn calls_shown(&self) -> Value {
        let calls = lock(&self.calls);
        System::ALL
            .into_iter()
            .map(|system| {
                let calls = calls.get(&system).cloned().unwrap_or_default();
                (system.name(), serde_json::to_value(calls).unwrap_or_default())
            })
            .collect()
    }
}

/// Everything under these locks is whole at every moment, so a panic elsewhere does not spoil it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(fault: Value) -> Result<Fault, FaultError> {
        Fault::read(fault.as_object().unwrap().clone())
    }

    #[test]
    fn faults_are_read_strictly() {
        let fault =
            read(json!({"kind": "latency", "ms": 500, "share": 0.3, "count": 2, "path": "/token"})).unwrap();
        assert_eq!(fault.kind, FaultKind::Latency { ms: 500 });
        assert_eq!((fault.share, fault.count, fault.path.as_deref()), (Some(0.3), Some(2), Some("/token")));
        assert_eq!(read(json!({"kind": "cut"})).unwrap(), Fault::from(FaultKind::Cut {}));
        for wrong in [
            json!({}),
            json!({"kind": "flood"}),
            json!({"kind": "latency"}),
            json!({"kind": "cut", "shares": 0.5}),
            json!({"kind": "status", "code": "503"}),
            json!({"kind": "cut", "count": -1}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let board = Board::default();
        for (system, wrong) in [
            (System::Land, json!({"kind": "latency", "ms": 0})),
            (System::Land, json!({"kind": "latency", "ms": 120_001})),
            (System::Land, json!({"kind": "status", "code": 200})),
            (System::Land, json!({"kind": "huge", "bytes": 1})),
            (System::Land, json!({"kind": "redirect", "to": "a\r\nb"})),
            (System::Land, json!({"kind": "refuse", "code": "many"})),
            (System::Land, json!({"kind": "cut", "share": 0.0})),
            (System::Land, json!({"kind": "cut", "count": 0})),
            (System::Land, json!({"kind": "wrong-signature"})),
            (System::Payment, json!({"kind": "expired-token"})),
        ] {
            assert!(board.set(system, read(wrong.clone()).unwrap()).is_err(), "{wrong}");
        }
        assert_eq!(board.strike(System::Land, "/tiepnhan"), None);
    }

    #[test]
    fn shares_are_even_and_counts_end() {
        let board = Board::default();
        let third = Fault { share: Some(0.25), ..FaultKind::Cut {}.into() };
        board.set(System::Land, third).unwrap();
        let hit: Vec<_> = (0..8).map(|_| board.strike(System::Land, "/tiepnhan").is_some()).collect();
        assert_eq!(hit, [false, false, false, true, false, false, false, true]);

        board.set(System::Land, Fault { count: Some(2), ..FaultKind::Cut {}.into() }).unwrap();
        let hit: Vec<_> = (0..4).map(|_| board.strike(System::Land, "/tiepnhan").is_some()).collect();
        assert_eq!(hit, [true, true, false, false]);
        assert_eq!(board.faults_shown()["land"], Value::Null);
    }

    #[test]
    fn a_path_narrows_a_fault_and_tokens_are_spared_otherwise() {
        let board = Board::default();
        board.set(System::CivilStatus, FaultKind::Cut {}).unwrap();
        assert_eq!(board.strike(System::CivilStatus, "/token"), None);
        assert_eq!(board.strike(System::Land, "/tiepnhan"), None);
        assert!(board.strike(System::CivilStatus, "/apiHoTichTuPhap/danhMuc").is_some());
        let token = Fault { path: Some("/token".into()), ..FaultKind::Cut {}.into() };
        board.set(System::CivilStatus, token).unwrap();
        assert_eq!(board.strike(System::CivilStatus, "/apiHoTichTuPhap/danhMuc"), None);
        assert!(board.strike(System::CivilStatus, "/token").is_some());
    }
}
