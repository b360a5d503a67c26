//! Loops of every kind: each runs until the host ends it.

use super::burns;
use crate::Hostile;
use crate::assemble::{RESULT, Wat, import};

pub(super) fn all() -> Vec<Hostile> {
    vec![
        burns("loop-empty", "Runs for ever, doing nothing.", Wat::attack("(loop $l (br $l)) unreachable")),
        burns(
            "loop-counting",
            "Counts for ever.",
            Wat::attack(
                "(loop $l (local.set $l (i64.add (local.get $l) (i64.const 1))) (br $l)) unreachable",
            ),
        ),
        burns(
            "loop-nested",
            "Loops inside loops, none of which ends by itself in a lifetime.",
            Wat::attack(
                "(loop $a (local.set $j (i32.const 0))
                   (loop $b (local.set $n (i32.const 0))
                     (loop $c
                       (local.set $n (i32.add (local.get $n) (i32.const 1)))
                       (br_if $c (local.get $n)))
                     (local.set $j (i32.add (local.get $j) (i32.const 1)))
                     (br_if $b (local.get $j)))
                   (br $a)) unreachable",
            ),
        ),
        burns("loop-branches", "A storm of branches over a table of 200 targets.", branches()),
        burns(
            "loop-calls",
            "Calls a function for ever.",
            Wat::attack("(loop $l (local.set $i (call $next (local.get $i))) (br $l)) unreachable")
                .items("(func $next (param i32) (result i32) (i32.mul (local.get 0) (i32.const 1664525)))"),
        ),
        burns(
            "loop-indirect",
            "Calls through a table for ever, each time another entry.",
            Wat::attack(
                "(loop $l
                   (local.set $i (call_indirect (type $step) (local.get $i) (i32.and (local.get $i) (i32.const 1))))
                   (br $l)) unreachable",
            )
            .items(
                "(type $step (func (param i32) (result i32)))
                 (table $steps 2 2 funcref)
                 (elem (table $steps) (i32.const 0) func $one $two)
                 (func $one (type $step) (i32.add (local.get 0) (i32.const 1)))
                 (func $two (type $step) (i32.add (local.get 0) (i32.const 3)))",
            ),
        ),
        burns(
            "loop-roots",
            "Divides and takes roots for ever.",
            Wat::attack(
                "(loop $l
                   (global.set $f (f64.sqrt (f64.add (f64.div (f64.const 1e300) (global.get $f)) (f64.const 1.5))))
                   (br $l)) unreachable",
            )
            .items("(global $f (mut f64) (f64.const 3))"),
        ),
        burns(
            "loop-vectors",
            "Multiplies vectors for ever.",
            Wat::attack("(loop $l (global.set $v (i32x4.mul (global.get $v) (global.get $v))) (br $l)) unreachable")
                .items("(global $v (mut v128) (v128.const i32x4 3 5 7 9))"),
        ),
        burns(
            "loop-fill",
            "Fills 32 MiB of memory again and again, in one instruction each time.",
            Wat::attack(
                "(loop $l
                   (memory.fill (i32.const 65536) (local.get $i) (i32.const 33554432))
                   (local.set $i (i32.add (local.get $i) (i32.const 1)))
                   (br $l)) unreachable",
            )
            .memory("(memory (export \"memory\") 520)"),
        ),
        burns(
            "loop-copy",
            "Copies 32 MiB of memory over itself, one byte further, again and again.",
            Wat::attack(
                "(loop $l
                   (memory.copy (i32.const 65537) (i32.const 65536) (i32.const 33554432))
                   (br $l)) unreachable",
            )
            .memory("(memory (export \"memory\") 520)"),
        ),
        burns(
            "loop-tables",
            "Fills and copies a table of 16,000 entries again and again.",
            Wat::attack(
                "(loop $l
                   (table.fill $t (i32.const 0) (ref.func $f) (i32.const 16000))
                   (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 15999))
                   (br $l)) unreachable",
            )
            .items("(table $t 16000 funcref) (elem declare func $f) (func $f)"),
        ),
        burns(
            "clock-until-tomorrow",
            "Asks for the time until a day is over.",
            Wat::attack(
                "(local.set $l (i64.add (call $now) (i64.const 86400000)))
                 (loop $l (br_if $l (i64.lt_u (call $now) (local.get $l)))) (call $nothing)",
            )
            .imports(&[import::NOW]),
        ),
        burns(
            "clock-as-a-ruler",
            "Reads the clock as fast as it can, to measure others by it.",
            Wat::attack(
                "(loop $l (global.set $ticks (i64.add (global.get $ticks) (call $monotonic))) (br $l)) unreachable",
            )
            .imports(&[import::MONOTONIC])
            .items("(global $ticks (mut i64) (i64.const 0))"),
        ),
        burns(
            "clock-until-the-deadline",
            "Wants to stay until there is no time left.",
            Wat::attack("(loop $l (br_if $l (call $time-left))) (call $nothing)").imports(&[import::TIME_LEFT]),
        ),
        burns(
            "who-calls-again-and-again",
            "Asks who calls, for ever, keeping every answer until there is no memory; then in place.",
            Wat::attack(format!(
                "(loop $l
                   (global.set $heap (i32.const 131072))
                   (call $current (i32.const {RESULT}))
                   (br $l)) unreachable"
            ))
            .imports(&[import::CURRENT]),
        ),
    ]
}

fn branches() -> Wat {
    const TARGETS: usize = 200;
    let opening = "(block ".repeat(TARGETS);
    let targets: Vec<String> = (0..TARGETS).map(|target| target.to_string()).collect();
    let closing = ") (local.set $j (i32.add (local.get $j) (i32.const 7)))".repeat(TARGETS);
    Wat::attack(format!(
        "(loop $l
           {opening}(br_table {} (i32.rem_u (local.get $j) (i32.const {TARGETS}))){closing}
           (local.set $j (i32.mul (local.get $j) (i32.const 1664525)))
           (br $l)) unreachable",
        targets.join(" ")
    ))
}
