//! What one call and one service may use: quantities, defaults, and the platform's ceilings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number of bytes; written with a binary unit: `64 MiB`, `512KiB`, `1024 B`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(pub u64);

/// A span of time in milliseconds; written with a unit: `200ms`, `5s`, `1min`, `24h`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Millis(pub u64);

/// A text that is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: write a whole number and one of {units}")]
pub struct QuantityError {
    text: String,
    what: &'static str,
    units: &'static str,
}

fn parse_quantity(
    text: &str,
    what: &'static str,
    units: &'static str,
    factors: &[(&str, u64)],
) -> Result<u64, QuantityError> {
    let wrong = || QuantityError { text: text.chars().take(40).collect(), what, units };
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.trim_start();
    let factor = factors.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
    number.checked_mul(factor).ok_or_else(wrong)
}

fn write_quantity(f: &mut fmt::Formatter<'_>, number: u64, factors: &[(&str, u64)]) -> fmt::Result {
    let fits = |factor: u64| number.is_multiple_of(factor) && (number > 0 || factor == 1);
    match factors.iter().rev().find(|(_, factor)| fits(*factor)) {
        Some((unit, factor)) => write!(f, "{}{unit}", number / factor),
        None => write!(f, "{number}"),
    }
}

const BYTES: &[(&str, u64)] = &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const TIMES: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000)];

macro_rules! quantity {
    ($name:ident, $what:literal, $units:literal, $factors:ident) => {
        impl FromStr for $name {
            type Err = QuantityError;

            fn from_str(text: &str) -> Result<Self, QuantityError> {
                parse_quantity(text, $what, $units, $factors).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = QuantityError;

            fn try_from(text: String) -> Result<Self, QuantityError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(quantity: $name) -> String {
                quantity.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_quantity(f, self.0, $factors)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

quantity!(Bytes, "a size", "`B`, `KiB`, `MiB`, `GiB`", BYTES);
quantity!(Millis, "a time", "`ms`, `s`, `min`, `h`", TIMES);

impl Millis {
    /// The same span as the standard library's type.
    pub fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl Bytes {
    /// The number as `usize`, saturating.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

macro_rules! limits {
    ($($(#[$doc:meta])* $field:ident: $kind:ty = $default:expr, at most $ceiling:expr;)*) => {
        /// What one call of a service may use, and how many calls may run and wait. Every field has a value in force.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct Limits {
            $($(#[$doc])* pub $field: $kind,)*
        }

        /// Some limits: what a manifest asks for or an operator sets. A field that is none leaves the value below it.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct LimitsPatch {
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$kind>,)*
        }

        /// The platform's own limits as its configuration file writes them, with names in kebab case.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        pub struct PlatformTable {
            $($(#[$doc])* pub $field: Option<$kind>,)*
            /// The most that a service may have.
            pub ceilings: CeilingsTable,
        }

        /// Ceilings as the configuration file writes them, with names in kebab case.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        pub struct CeilingsTable {
            $($(#[$doc])* pub $field: Option<$kind>,)*
        }

        impl PlatformTable {
            /// The defaults that are set.
            pub fn defaults(&self) -> LimitsPatch {
                LimitsPatch { $($field: self.$field,)* }
            }

            /// The ceilings that are set.
            pub fn ceilings(&self) -> LimitsPatch {
                LimitsPatch { $($field: self.ceilings.$field,)* }
            }
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Limits {
            /// The most that anyone may set on any platform.
            pub fn ceilings() -> Self {
                Self { $($field: $ceiling,)* }
            }

            /// These limits with those of the patch put over them.
            pub fn with(mut self, patch: &LimitsPatch) -> Self {
                $(if let Some(value) = patch.$field { self.$field = value; })*
                self
            }

            /// These limits, none of them above its ceiling.
            pub fn lowered_to(self, ceilings: &Self) -> Self {
                Self { $($field: self.$field.min(ceilings.$field),)* }
            }
        }

        impl LimitsPatch {
            /// Every field above its ceiling, as `(field in camelCase, value, ceiling)`.
            pub fn above(&self, ceilings: &Limits) -> Vec<(&'static str, String, String)> {
                let mut above = Vec::new();
                $(if let Some(value) = self.$field && value > ceilings.$field {
                    above.push((camel(stringify!($field)), value.to_string(), ceilings.$field.to_string()));
                })*
                above
            }

            /// What of this patch another one leaves as it is.
            pub fn without(&self, other: &Self) -> Self {
                Self { $($field: if other.$field.is_some() { None } else { self.$field },)* }
            }
        }

        impl Platform {
            /// Every limit with its value in force and where that comes from, in the order of the documentation.
            pub fn effective(&self, manifest: &LimitsPatch, operator: &LimitsPatch) -> Vec<EffectiveLimit> {
                let mut limits = Vec::new();
                $({
                    let (asked, origin) = match (operator.$field, manifest.$field) {
                        (Some(value), _) => (value, LimitOrigin::Operator),
                        (None, Some(value)) => (value, LimitOrigin::Manifest),
                        (None, None) => (self.defaults.$field, LimitOrigin::Platform),
                    };
                    let ceiling = self.ceilings.$field;
                    limits.push(EffectiveLimit {
                        name: camel(stringify!($field)).to_owned(),
                        value: asked.min(ceiling).into(),
                        origin: if asked > ceiling { LimitOrigin::Ceiling } else { origin },
                        default: self.defaults.$field.into(),
                        ceiling: ceiling.into(),
                    });
                })*
                limits
            }
        }
    };
}

fn camel(snake: &'static str) -> &'static str {
    match snake {
        "host_memory" => "hostMemory",
        "queue_wait" => "queueWait",
        "upstream_calls" => "upstreamCalls",
        "upstream_bytes" => "upstreamBytes",
        "upstream_total_bytes" => "upstreamTotalBytes",
        "request_bytes" => "requestBytes",
        "response_bytes" => "responseBytes",
        "log_lines" => "logLines",
        "log_rate" => "logRate",
        "cache_bytes" => "cacheBytes",
        "cache_put_bytes" => "cachePutBytes",
        "answer_cache_bytes" => "answerCacheBytes",
        same => same,
    }
}

/// A name in camel case as manifests, the configuration and the command line write it: `upstream-calls`.
pub fn kebab(camel: &str) -> String {
    let mut kebab = String::with_capacity(camel.len() + 2);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}

limits! {
    /// Memory of the instance: linear memories and tables together.
    memory: Bytes = Bytes(64 << 20), at most Bytes(64 << 20);
    /// What the host may hold for the call beside the instance: its arguments, what the connector hands over, what
    /// upstreams answer, the result and its JSON.
    host_memory: Bytes = Bytes(256 << 20), at most Bytes(1 << 30);
    /// Processor time of the connector's own code.
    cpu: Millis = Millis(200), at most Millis(10_000);
    /// Wall-clock time of the whole call, waiting for a place and upstreams included.
    deadline: Millis = Millis(5_000), at most Millis(60_000);
    /// Calls that run at once.
    concurrency: u32 = 64, at most 512;
    /// Calls that wait for a place when as many run as may; more are refused with `too-busy`.
    queue: u32 = 64, at most 1_024;
    /// How long a call waits for a place before it is refused with `too-busy`.
    queue_wait: Millis = Millis(1_000), at most Millis(30_000);
    /// Calls to upstreams in one call.
    upstream_calls: u32 = 16, at most 256;
    /// Bytes of one upstream request's and of one upstream response's body.
    upstream_bytes: Bytes = Bytes(4 << 20), at most Bytes(32 << 20);
    /// Bytes of all bodies that go to upstreams and come from them in one call, together.
    upstream_total_bytes: Bytes = Bytes(64 << 20), at most Bytes(512 << 20);
    /// Bytes of the caller's body.
    request_bytes: Bytes = Bytes(8 << 20), at most Bytes(32 << 20);
    /// Bytes of the answer's body.
    response_bytes: Bytes = Bytes(8 << 20), at most Bytes(32 << 20);
    /// Lines that one call writes to the log; more are dropped.
    log_lines: u32 = 64, at most 1_000;
    /// Lines that all calls of the service write to the log in a second; more are dropped.
    log_rate: u32 = 1_000, at most 100_000;
    /// Bytes that the service's cache holds.
    cache_bytes: Bytes = Bytes(4 << 20), at most Bytes(64 << 20);
    /// Bytes that one call puts into the cache.
    cache_put_bytes: Bytes = Bytes(1 << 20), at most Bytes(64 << 20);
    /// Bytes of answers that are kept to be given again (`@cache`); with 0 none are.
    answer_cache_bytes: Bytes = Bytes(4 << 20), at most Bytes(64 << 20);
}

impl LimitsPatch {
    /// The fields that are 0 and under which nothing could be served.
    pub fn unservable(&self) -> Vec<&'static str> {
        let fields = [
            ("memory", self.memory.is_some_and(|memory| memory.0 == 0)),
            ("hostMemory", self.host_memory.is_some_and(|memory| memory.0 == 0)),
            ("cpu", self.cpu.is_some_and(|cpu| cpu.0 == 0)),
            ("deadline", self.deadline.is_some_and(|deadline| deadline.0 == 0)),
            ("concurrency", self.concurrency == Some(0)),
        ];
        fields.into_iter().filter(|(_, nothing)| *nothing).map(|(name, _)| name).collect()
    }
}

/// Where the value of a limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitOrigin {
    /// The platform's default.
    Platform,
    /// The connector's manifest asks for it.
    Manifest,
    /// The operator set it for the service.
    Operator,
    /// The platform's ceiling, lowered since more was asked for.
    Ceiling,
}

impl LimitOrigin {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Manifest => "manifest",
            Self::Operator => "operator",
            Self::Ceiling => "ceiling",
        }
    }
}

/// The value of a limit: a size, a time, or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LimitValue {
    /// A number of things.
    Count(u32),
    /// A size.
    Size(Bytes),
    /// A time.
    Time(Millis),
}

impl From<u32> for LimitValue {
    fn from(count: u32) -> Self {
        Self::Count(count)
    }
}

impl From<Bytes> for LimitValue {
    fn from(size: Bytes) -> Self {
        Self::Size(size)
    }
}

impl From<Millis> for LimitValue {
    fn from(time: Millis) -> Self {
        Self::Time(time)
    }
}

impl fmt::Display for LimitValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Size(size) => write!(f, "{size}"),
            Self::Time(time) => write!(f, "{time}"),
        }
    }
}

/// One limit of a service as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveLimit {
    /// Its name in settings.
    pub name: String,
    /// The value in force.
    pub value: LimitValue,
    /// Where that comes from.
    pub origin: LimitOrigin,
    /// What holds where neither manifest nor operator say anything.
    pub default: LimitValue,
    /// The most that may be set on this platform.
    pub ceiling: LimitValue,
}

/// The limits of one installation: what holds where nothing is said, and the most that may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    /// What holds where neither manifest nor operator say anything.
    pub defaults: Limits,
    /// The most that a service may have.
    pub ceilings: Limits,
}

impl Default for Platform {
    fn default() -> Self {
        Self { defaults: Limits::default(), ceilings: Limits::ceilings() }
    }
}

impl Platform {
    /// The limits of an installation whose configuration sets these defaults and ceilings. A default that is not set is
    /// lowered to its ceiling.
    ///
    /// # Errors
    /// Every value that cannot be, one in a line, by the name that the configuration gives it.
    pub fn new(defaults: &LimitsPatch, ceilings: &LimitsPatch) -> Result<Self, String> {
        let most = Limits::ceilings();
        let lowered = most.with(ceilings);
        let zero = |table: &'static str, patch: &LimitsPatch| {
            let names = patch.unservable().into_iter();
            names.map(move |name| format!("{table}{}: with 0 nothing could be served", kebab(name)))
        };
        let above = |table: &'static str, patch: &LimitsPatch, ceilings: &Limits, whose: &'static str| {
            let values = patch.above(ceilings).into_iter();
            values.map(move |(name, value, ceiling)| {
                format!("{table}{}: {value} is more than {whose}: write at most {ceiling}", kebab(name))
            })
        };
        let faults: Vec<String> = zero("limits.", defaults)
            .chain(zero("limits.ceilings.", ceilings))
            .chain(above("limits.ceilings.", ceilings, &most, "any platform can give"))
            .chain(above("limits.", defaults, &lowered, "the ceiling"))
            .collect();
        if !faults.is_empty() {
            return Err(faults.join("\n"));
        }
        Ok(Self { defaults: Limits::default().lowered_to(&lowered).with(defaults), ceilings: lowered })
    }

    /// The limits in force of a service, none above its ceiling.
    pub fn limits(&self, manifest: &LimitsPatch, operator: &LimitsPatch) -> Limits {
        self.defaults.with(manifest).with(operator).lowered_to(&self.ceilings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_and_write_their_units() {
        assert_eq!("64MiB".parse(), Ok(Bytes(64 << 20)));
        assert_eq!("64 MiB".parse(), Ok(Bytes(64 << 20)));
        assert_eq!(Bytes(1536).to_string(), "1536B");
        assert_eq!(Bytes(2048).to_string(), "2KiB");
        assert_eq!("1min".parse(), Ok(Millis(60_000)));
        assert_eq!(Millis(0).to_string(), "0ms");
        assert_eq!("24h".parse(), Ok(Millis(86_400_000)));
        assert_eq!(Millis(5_400_000).to_string(), "90min");
        for wrong in ["", "64", "MiB", "64 MB", "-1s", "1.5s", "99999999999GiB"] {
            assert!(wrong.parse::<Bytes>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_patch_changes_only_what_it_names_and_tells_what_is_above_the_ceiling() {
        let patch =
            LimitsPatch { deadline: Some(Millis(90_000)), upstream_calls: Some(4), ..Default::default() };
        let limits = Limits::default().with(&patch);
        assert_eq!((limits.deadline, limits.upstream_calls), (Millis(90_000), 4));
        assert_eq!(limits.memory, Limits::default().memory);
        assert_eq!(patch.above(&Limits::ceilings()), vec![("deadline", "90s".to_owned(), "1min".to_owned())]);
    }

    #[test]
    fn what_nobody_sets_is_the_platforms_and_the_operator_has_the_last_word() {
        let defaults = LimitsPatch { cpu: Some(Millis(100)), ..Default::default() };
        let platform = Platform::new(&defaults, &LimitsPatch::default()).unwrap();
        let manifest = LimitsPatch { deadline: Some(Millis(20_000)), queue: Some(8), ..Default::default() };
        let operator = LimitsPatch { queue: Some(0), ..Default::default() };
        let effective = platform.effective(&manifest, &operator);
        let of = |name: &str| {
            let limit = effective.iter().find(|limit| limit.name == name).unwrap();
            (limit.value.to_string(), limit.origin, limit.default.to_string(), limit.ceiling.to_string())
        };
        let row = |value: &str, origin, default: &str, ceiling: &str| {
            (value.to_owned(), origin, default.to_owned(), ceiling.to_owned())
        };
        assert_eq!(of("cpu"), row("100ms", LimitOrigin::Platform, "100ms", "10s"));
        assert_eq!(of("deadline"), row("20s", LimitOrigin::Manifest, "5s", "1min"));
        assert_eq!(of("queue"), row("0", LimitOrigin::Operator, "64", "1024"));
        let limits = platform.limits(&manifest, &operator);
        assert_eq!((limits.cpu, limits.deadline, limits.queue), (Millis(100), Millis(20_000), 0));
        // What is told is what is in force, for every limit there is.
        let told: serde_json::Map<String, serde_json::Value> = effective
            .iter()
            .map(|limit| (limit.name.clone(), serde_json::to_value(limit.value).unwrap()))
            .collect();
        assert_eq!(serde_json::Value::Object(told), serde_json::to_value(limits).unwrap());
    }

    #[test]
    fn a_lower_ceiling_lowers_what_lies_above_it() {
        let ceilings = LimitsPatch { memory: Some(Bytes(16 << 20)), ..Default::default() };
        let platform = Platform::new(&LimitsPatch::default(), &ceilings).unwrap();
        let manifest = LimitsPatch { memory: Some(Bytes(32 << 20)), ..Default::default() };
        let none = LimitsPatch::default();
        for (manifest, origin) in [(&none, LimitOrigin::Platform), (&manifest, LimitOrigin::Ceiling)] {
            assert_eq!(platform.limits(manifest, &none).memory, Bytes(16 << 20));
            assert_eq!(platform.effective(manifest, &none)[0].origin, origin);
        }
    }

    #[test]
    fn platform_limits_that_cannot_be_are_all_told() {
        let defaults = LimitsPatch {
            queue: Some(2_000),
            cpu: Some(Millis(0)),
            memory: Some(Bytes(32 << 20)),
            ..Default::default()
        };
        let ceilings = LimitsPatch {
            memory: Some(Bytes(16 << 20)),
            log_lines: Some(5_000),
            concurrency: Some(0),
            ..Default::default()
        };
        let faults = Platform::new(&defaults, &ceilings).unwrap_err();
        assert_eq!(
            faults.lines().collect::<Vec<_>>(),
            [
                "limits.cpu: with 0 nothing could be served",
                "limits.ceilings.concurrency: with 0 nothing could be served",
                "limits.ceilings.log-lines: 5000 is more than any platform can give: write at most 1000",
                "limits.memory: 32MiB is more than the ceiling: write at most 16MiB",
                "limits.queue: 2000 is more than the ceiling: write at most 1024",
            ]
        );
    }
}
