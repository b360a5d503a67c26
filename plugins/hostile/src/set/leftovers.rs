//! Looking for what earlier calls left behind. Each call leaves 32 bytes that are no bytes of the component's, in all
//! the memory there is, and looks for them first.

use super::{attack, nothing};
use crate::Hostile;
use crate::assemble::Wat;

/// Halves of the marker's words: what is looked for stands nowhere as it is.
const MARKER: &str = "(i64.xor (i64.const 0x5afe_c0de_1234_5678) (i64.const 0x0f0f_1e1e_2d2d_3c3c))";

/// Counts marked words in the memory, then marks all of it, 32 bytes in every 4 KiB and at both ends.
fn scan(from: &str) -> String {
    format!(
        "(local.set $l {MARKER})
         (local.set $j (i32.shl (memory.size) (i32.const 16)))
         (local.set $i {from})
         (loop $look
           (if (i64.eq (i64.load (local.get $i)) (local.get $l))
             (then (local.set $n (i32.add (local.get $n) (i32.const 1)))))
           (local.set $i (i32.add (local.get $i) (i32.const 8)))
           (br_if $look (i32.lt_u (local.get $i) (local.get $j))))
         (local.set $i {from})
         (loop $mark
           (i64.store (local.get $i) (local.get $l))
           (i64.store offset=8 (local.get $i) (local.get $l))
           (i64.store offset=16 (local.get $i) (local.get $l))
           (i64.store offset=24 (local.get $i) (local.get $l))
           (local.set $i (i32.add (local.get $i) (i32.const 512)))
           (br_if $mark (i32.lt_u (local.get $i) (local.get $j))))
         (call $gained (local.get $n))"
    )
}

pub(super) fn all() -> Vec<Hostile> {
    vec![
        attack(
            "leftovers-in-memory",
            "Looks for an earlier call's marker in the memory it starts with.",
            Wat::attack(scan("(i32.const 2048)")),
            nothing(),
        ),
        attack(
            "leftovers-in-grown-memory",
            "Grows its memory to 32 MiB and looks for an earlier call's marker in all of it.",
            Wat::attack(format!("(drop (memory.grow (i32.const 508))) {}", scan("(i32.const 2048)"))),
            nothing(),
        ),
        attack(
            "leftovers-after-a-trap",
            "Marks its memory, and traps, so that nobody cleans up after it as usual.",
            Wat::attack(format!(
                "(drop {}) (if (i32.eq (i32.load8_u (i32.const 544)) (i32.const 103)) (then (return (i32.const 256)))) unreachable",
                scan("(i32.const 2048)")
            )),
            super::TRAPPED,
        ),
        attack(
            "leftovers-in-given-memory",
            "Looks for an earlier call's marker in what the host gives it room for.",
            Wat::attack(scan("(i32.and (i32.add (local.get $text) (i32.const 511)) (i32.const -512))")),
            nothing(),
        ),
        attack(
            "leftovers-in-globals",
            "Looks for the number an earlier call left in a global variable.",
            Wat::attack(
                "(local.set $n (i32.wrap_i64 (global.get $left)))
                 (global.set $left (i64.const 77))
                 (call $gained (local.get $n))",
            )
            .items("(global $left (mut i64) (i64.const 0))"),
            nothing(),
        ),
        attack(
            "leftovers-in-tables",
            "Looks for the entry an earlier call left in a table, also where the table had grown.",
            Wat::attack(
                "(drop (table.grow $t (ref.null func) (i32.const 5000)))
                 (loop $look
                   (if (i32.eqz (ref.is_null (table.get $t (local.get $i))))
                     (then (local.set $n (i32.add (local.get $n) (i32.const 1)))))
                   (local.set $i (i32.add (local.get $i) (i32.const 1)))
                   (br_if $look (i32.lt_u (local.get $i) (table.size $t))))
                 (table.fill $t (i32.const 0) (ref.func $f) (table.size $t))
                 (call $gained (local.get $n))",
            )
            .items("(table $t 100 funcref) (elem declare func $f) (func $f)"),
            nothing(),
        ),
        attack(
            "leftovers-of-segments",
            "Drops its data and its elements, and sees whether a later call has them again.",
            Wat::attack(
                "(memory.init $d (i32.const 4096) (i32.const 0) (i32.const 5))
                 (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1))
                 (data.drop $d) (elem.drop $e)
                 (call $nothing)",
            )
            .items("(data $d \"there\") (table $t 1 funcref) (elem $e func $f) (func $f)"),
            nothing(),
        ),
        attack(
            "leftovers-on-the-stack",
            "Fills the stack with its marker deep down, and looks at variables that were never set.",
            on_the_stack(),
            nothing(),
        ),
    ]
}

fn on_the_stack() -> Wat {
    const LOCALS: usize = 60;
    let set: String = (0..LOCALS).map(|local| format!("(local.set $v{local} {MARKER})")).collect();
    let sum: String = (0..LOCALS)
        .map(|local| format!("(local.set $found (i64.or (local.get $found) (local.get $v{local})))"))
        .collect();
    let locals: String = (0..LOCALS).map(|local| format!("(local $v{local} i64)")).collect();
    let kept: String = (0..LOCALS)
        .map(|local| format!("(global.set $keep (i64.add (global.get $keep) (local.get $v{local})))"))
        .collect();
    Wat::attack(
        "(local.set $n (call $look (i32.const 100)))
         (call $mark (i32.const 100))
         (local.set $n (i32.add (local.get $n) (call $look (i32.const 100))))
         (call $gained (local.get $n))",
    )
    .items(format!(
        "(global $keep (mut i64) (i64.const 0))
         (func $mark (param $depth i32) {locals} {set}
           (if (local.get $depth) (then (call $mark (i32.sub (local.get $depth) (i32.const 1)))))
           {kept})
         (func $look (param $depth i32) (result i32) (local $found i64) {locals} {sum}
           (i32.add (i64.ne (local.get $found) (i64.const 0))
             (if (result i32) (local.get $depth)
               (then (call $look (i32.sub (local.get $depth) (i32.const 1))))
               (else (i32.const 0)))))"
    ))
}
