//! Floods: each capability called as often, and with as much, as the host lets a call do.

use super::{ROOMY, attack, burns, nothing};
use crate::assemble::{DATA, RESULT, Wat, import};
use crate::{Hostile, KEY, Limits, UPSTREAM, Upstream};

/// Does something for ever, in memory that is used again each time.
fn flood(step: &str) -> Wat {
    Wat::attack(format!("(loop $l (global.set $heap (i32.const 2097152)) {step} (br $l)) unreachable"))
        .memory("(memory (export \"memory\") 96)")
}

pub(super) fn all() -> Vec<Hostile> {
    vec![
        burns("flood-upstream", "Calls an upstream that is not bound to it for ever.", upstream()),
        burns("flood-call-all", "Makes five thousand calls at once, for ever.", call_all()),
        burns("flood-log", "Writes lines of 64 bytes into the log for ever.", log(64)).limits(LINES),
        burns("flood-long-lines", "Writes lines of 1 MiB into the log for ever.", log(1 << 20)).limits(LINES),
        lines(),
        burns(
            "flood-random",
            "Asks for 4,096 random bytes for ever.",
            flood(&format!("(call $random (i32.const 4096) (i32.const {RESULT}))"))
                .imports(&[import::RANDOM]),
        ),
        burns(
            "flood-random-more",
            "Asks for 4 GiB of random bytes for ever.",
            flood(&format!("(call $random (i32.const -1) (i32.const {RESULT}))")).imports(&[import::RANDOM]),
        ),
        burns(
            "flood-clock",
            "Asks for the time for ever.",
            flood("(drop (call $now))").imports(&[import::NOW]),
        ),
        burns(
            "flood-caller",
            "Asks who calls for ever.",
            flood(&format!("(call $current (i32.const {RESULT}))")).imports(&[import::CURRENT]),
        ),
        burns("flood-config", "Asks for a configuration value of a name of 1 MiB for ever.", config()),
        burns("flood-cache-names", "Puts one byte under ever new names into the cache.", cache(16, 1)),
        burns(
            "flood-cache-values",
            "Puts 256 KiB under ever new names into the cache.",
            cache(16, 256 << 10),
        ),
        burns(
            "flood-cache-long-names",
            "Puts nothing under ever new names of 256 bytes into the cache.",
            cache(256, 0),
        ),
        burns(
            "flood-cache-too-large",
            "Puts what is too large into the cache for ever.",
            cache(16, (256 << 10) + 1),
        ),
        burns(
            "flood-cache-reading",
            "Asks the cache for names of 1 MiB for ever.",
            flood(&format!("(call $cache-get (i32.const 65536) (i32.const 1048576) (i32.const {RESULT}))"))
                .imports(&[import::CACHE_GET]),
        ),
        burns("flood-codes", "Has authentication codes of 1 MiB made for ever.", mac(1 << 20)).key(),
        burns("flood-codes-too-large", "Has authentication codes of 5 MiB made for ever.", mac(5 << 20))
            .key(),
        burns(
            "flood-upstream-refused",
            "Asks an upstream that is bound for what its manifest does not allow, for ever.",
            refused(),
        )
        .upstream(Upstream::Forbidden),
    ]
}

/// What hides personal data looks at every line that is shown, before the flood is cut off.
const LINES: Limits = Limits { cpu: 60, ..ROOMY };

fn upstream() -> Wat {
    let mut wat = Wat::new();
    let call = call(&mut wat, "elsewhere", "/");
    wat.adopt(flood(&call).imports(&[import::CALL]))
}

fn refused() -> Wat {
    let mut wat = Wat::new();
    let call = call(&mut wat, UPSTREAM, "/admin");
    wat.adopt(flood(&call).imports(&[import::CALL]))
}

/// The instructions of a `GET` without anything.
fn call(wat: &mut Wat, upstream: &str, path: &str) -> String {
    let (upstream, upstream_length) = wat.put(upstream.as_bytes());
    let (path, path_length) = wat.put(path.as_bytes());
    let zeros = "(i32.const 0) ".repeat(9);
    format!(
        "(call $call (i32.const {upstream}) (i32.const {upstream_length}) (i32.const 0)
           (i32.const {path}) (i32.const {path_length}) {zeros} (i32.const {RESULT}))"
    )
}

fn call_all() -> Wat {
    // The requests are all zeros: no upstream, no path.
    flood(&format!("(call $call-all (i32.const 65536) (i32.const 5000) (i32.const {RESULT}))"))
        .imports(&[import::CALL_ALL])
        .memory("(memory (export \"memory\") 160)")
}

fn log(length: u32) -> Wat {
    flood(&format!("(call $log (i32.const 1) (i32.const 65536) (i32.const {length}))"))
        .imports(&[import::LOG])
}

/// A hundred thousand lines in one call.
fn lines() -> Hostile {
    let wat = Wat::attack(
        "(loop $l
           (call $log (i32.const 3) (i32.const 512) (i32.const 7))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $l (i32.lt_u (local.get $i) (i32.const 100000))))
         (call $nothing)",
    )
    .imports(&[import::LOG]);
    attack("flood-many-lines", "Writes a hundred thousand lines into the log, and answers.", wat, nothing())
}

fn config() -> Wat {
    flood(&format!("(call $config (i32.const 65536) (i32.const 1048576) (i32.const {RESULT}))"))
        .imports(&[import::CONFIG])
}

/// Each name begins with a number of its own, written in bytes that are text.
fn cache(name: u32, value: u32) -> Wat {
    flood(&format!(
        "(i64.store (i32.const 65536) (local.get $l))
         (local.set $l (i64.and
           (i64.add (i64.or (local.get $l) (i64.const 0x8080808080808080)) (i64.const 1))
           (i64.const 0x7f7f7f7f7f7f7f7f)))
         (call $cache-put (i32.const 65536) (i32.const {name}) (i32.const 131072) (i32.const {value})
           (i32.const 86400000) (i32.const {RESULT}))"
    ))
    .imports(&[import::CACHE_PUT])
}

fn mac(length: u32) -> Wat {
    let mut wat = flood(&format!(
        "(call $mac (i32.const {DATA}) (i32.const {}) (i32.const 65536) (i32.const {length}) (i32.const {RESULT}))",
        KEY.len()
    ))
    .imports(&[import::MAC]);
    wat.put(KEY.as_bytes());
    wat
}
