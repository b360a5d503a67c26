//! Traps and loops at every stage of a call: when the module starts, when the host hands over arguments, in the
//! operation, and after its answer.

use super::{BRIEF, CPU, TRAPPED, attack, burns, nothing};
use crate::assemble::{RESULT, Wat, import};
use crate::{End, Expected, Hostile};

/// Whether somebody calls: nobody does when the host tries out a new revision.
fn somebody() -> String {
    format!("(call $current (i32.const {RESULT})) (i32.load offset=4 (i32.const {RESULT}))")
}

fn unserved(name: &'static str, attempts: &'static str, wat: Wat) -> Hostile {
    Hostile { expected: Expected::Unserved, ..burns(name, attempts, wat) }
}

/// One that behaves until somebody calls.
fn later(name: &'static str, attempts: &'static str, does: &str, end: End) -> Hostile {
    let initialize = format!("(func (export \"_initialize\") (if (call $somebody) (then {does})))");
    let wat = Wat::attack("(call $nothing)")
        .imports(&[import::CURRENT])
        .items(format!("(func $somebody (result i32) {})", somebody()))
        .items(initialize);
    attack(name, attempts, wat, end)
}

pub(super) fn all() -> Vec<Hostile> {
    vec![
        unserved(
            "start-loop",
            "Runs for ever when it starts.",
            Wat::attack("(call $nothing)").items("(func $begin (loop $l (br $l))) (start $begin)"),
        ),
        unserved(
            "start-trap",
            "Traps when it starts.",
            Wat::attack("(call $nothing)").items("(func $begin unreachable) (start $begin)"),
        ),
        unserved(
            "start-calls",
            "Calls the host before the host's functions are there.",
            Wat::attack("(call $nothing)")
                .imports(&[import::RANDOM])
                .items(format!("(func $begin (call $random (i32.const 8) (i32.const {RESULT}))) (start $begin)")),
        ),
        unserved(
            "start-segment",
            "Starts with data that does not fit its memory.",
            Wat::attack("(call $nothing)").items("(data (i32.const 262140) \"outside\")"),
        ),
        unserved(
            "start-memory",
            "Takes all memory when it starts and traps because there is no more.",
            Wat::attack("(call $nothing)").items(
                "(func $begin (loop $l (br_if $l (i32.ne (i32.const -1) (memory.grow (i32.const 64))))) unreachable)
                 (start $begin)",
            ),
        ),
        later(
            "later-loop",
            "Starts well when it is tried out, and loops when it starts for a caller.",
            "(loop $l (br $l))",
            CPU,
        )
        .limits(BRIEF),
        later(
            "later-trap",
            "Starts well when it is tried out, and traps when it starts for a caller.",
            "unreachable",
            TRAPPED,
        ),
        attack("trap", "Traps.", Wat::attack("unreachable"), TRAPPED),
        attack(
            "trap-division",
            "Divides by zero.",
            Wat::attack("(i32.div_u (i32.const 1) (local.get $i))"),
            TRAPPED,
        ),
        attack(
            "trap-conversion",
            "Makes a whole number of what is none.",
            Wat::attack("(i32.trunc_f64_s (f64.const nan))"),
            TRAPPED,
        ),
        attack(
            "trap-reading-outside",
            "Reads the last bytes of the address space.",
            Wat::attack("(i32.load offset=4294967295 (i32.const -1))"),
            TRAPPED,
        ),
        attack(
            "trap-writing-outside",
            "Writes just behind its memory.",
            Wat::attack("(i64.store (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 7)) (i64.const -1)) (call $nothing)"),
            TRAPPED,
        ),
        attack(
            "trap-copying-outside",
            "Copies from behind its memory.",
            Wat::attack("(memory.copy (i32.const 0) (i32.const 262143) (i32.const 2)) (call $nothing)"),
            TRAPPED,
        ),
        attack(
            "trap-wrong-signature",
            "Calls a function as if it had other parameters.",
            Wat::attack("(call_indirect (type $other) (i64.const 1) (i32.const 0)) (call $nothing)").items(
                "(type $other (func (param i64))) (table 1 funcref) (elem (i32.const 0) func $f)
                 (func $f (param f32))",
            ),
            TRAPPED,
        ),
        attack(
            "trap-empty-entry",
            "Calls what is not in its table.",
            Wat::attack("(call_indirect (param) (i32.const 5)) (call $nothing)").items("(table 10 funcref)"),
            TRAPPED,
        ),
        attack(
            "realloc-trap",
            "Traps when the host hands over the arguments.",
            Wat::attack("(call $nothing)").realloc("unreachable"),
            TRAPPED,
        ),
        burns(
            "realloc-loop",
            "Runs for ever when the host hands over the arguments.",
            Wat::attack("(call $nothing)").realloc("(loop $l (br $l)) unreachable"),
        ),
        burns(
            "after-loop",
            "Answers, and runs for ever afterwards.",
            Wat::attack("(call $nothing)").after("(loop $l (br $l))"),
        ),
        attack("after-trap", "Answers, and traps afterwards.", Wat::attack("(call $nothing)").after("unreachable"), TRAPPED),
        attack(
            "after-calls",
            "Answers, and calls the host afterwards, when it must not.",
            Wat::attack("(call $nothing)")
                .imports(&[import::RANDOM])
                .after("(call $random (i32.const 8) (i32.const 64))"),
            TRAPPED,
        ),
        attack(
            "answers-in-place",
            "Answers with the very bytes the host handed over, and changes them afterwards.",
            Wat::attack("(call $says (local.get $text) (local.get $length))")
                .after("(memory.fill (i32.const 0) (i32.const 255) (i32.const 262144))"),
            End::Answer(serde_json::json!("a")),
        ),
        attack(
            "recursion",
            "Calls itself until its stack is used up.",
            Wat::attack("(call $down (i32.const 1))").items(
                "(func $down (param i32) (result i32)
                   (i32.add (call $down (i32.add (local.get 0) (i32.const 1))) (local.get 0)))",
            ),
            TRAPPED,
        ),
        attack(
            "recursion-through-a-table",
            "Two functions that call one another through a table until the stack is used up.",
            Wat::attack("(call $one (i32.const 0))").items(
                "(type $step (func (param i32) (result i32)))
                 (table 2 funcref) (elem (i32.const 0) func $one $two)
                 (func $one (type $step) (i32.add (i32.const 1) (call_indirect (type $step) (local.get 0) (i32.const 1))))
                 (func $two (type $step) (i32.add (i32.const 1) (call_indirect (type $step) (local.get 0) (i32.const 0))))",
            ),
            TRAPPED,
        ),
        attack("recursion-with-large-frames", "Calls itself, each time with 500 values to come back to.", large_frames(), TRAPPED),
        attack(
            "recursion-then-host",
            "Uses up nearly all of its stack, and calls the host there, again and again.",
            Wat::attack("(drop (call $down (i32.const 6000))) (call $nothing)")
                .imports(&[import::RANDOM, import::CURRENT])
                .items(format!(
                    "(func $down (param $depth i32) (result i32)
                       (global.set $heap (i32.const 131072))
                       (call $random (i32.const 4096) (i32.const {RESULT}))
                       (call $current (i32.const {RESULT}))
                       (if (result i32) (local.get $depth)
                         (then (i32.add (call $down (i32.sub (local.get $depth) (i32.const 1))) (i32.const 1)))
                         (else (i32.const 0))))"
                )),
            nothing(),
        ),
        attack(
            "recursion-through-the-host",
            "Calls the host from where the host asks for memory, so that each would call the other for ever.",
            Wat::attack(format!("(call $random (i32.const 8) (i32.const {RESULT})) (call $nothing)"))
                .imports(&[import::RANDOM])
                .realloc(
                    "(call $random (i32.const 4096) (i32.const 64))
                     (call $give (local.get $old) (local.get $before) (local.get $align) (local.get $size))",
                ),
            TRAPPED,
        ),
    ]
}

fn large_frames() -> Wat {
    const VALUES: usize = 500;
    let load: String = (0..VALUES).map(|n| format!("(i64.load offset={} (i32.const 0))", n * 8)).collect();
    let add = "i64.add ".repeat(VALUES);
    Wat::attack("(drop (call $down (i32.const 0))) (call $nothing)")
        .items(format!("(func $down (param i32) (result i64) {load} (call $down (local.get 0)) {add})"))
}
