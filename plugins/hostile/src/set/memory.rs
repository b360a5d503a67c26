//! Growth of memory and tables.

use super::{MEMORY, attack, nothing};
use crate::Hostile;
use crate::assemble::Wat;

pub(super) fn all() -> Vec<Hostile> {
    vec![
        attack(
            "memory-page-by-page",
            "Grows its memory page by page as far as it goes, and is content.",
            Wat::attack(
                "(loop $l (br_if $l (i32.ne (i32.const -1) (memory.grow (i32.const 1)))))
                 (call $gained (i32.gt_u (memory.size) (i32.const 1024)))",
            ),
            nothing(),
        ),
        attack(
            "memory-touching-all",
            "Grows its memory and writes to every page until there is no more.",
            Wat::attack(
                "(loop $l
                   (local.set $i (i32.shl (memory.size) (i32.const 16)))
                   (if (i32.eq (i32.const -1) (memory.grow (i32.const 16))) (then unreachable))
                   (memory.fill (local.get $i) (i32.const 165) (i32.const 1048576))
                   (br $l)) unreachable",
            ),
            MEMORY,
        ),
        attack(
            "memory-all-at-once",
            "Wants all 4 GiB at once.",
            Wat::attack("(if (i32.eq (i32.const -1) (memory.grow (i32.const 65532))) (then unreachable)) (call $gained (i32.const 1))"),
            MEMORY,
        ),
        attack(
            "memory-from-the-start",
            "Begins with all the memory a call may have but what its table takes, and uses every byte.",
            Wat::attack("(memory.fill (i32.const 65536) (i32.const 165) (i32.const 66977792)) (call $nothing)")
                .memory("(memory (export \"memory\") 1023 1023)"),
            nothing(),
        ),
        attack(
            "memory-again-and-again",
            "Asks a hundred thousand times for memory that it does not get.",
            Wat::attack(
                "(loop $l
                   (if (i32.ne (i32.const -1) (memory.grow (i32.const 65000))) (then (return (call $gained (i32.const 1)))))
                   (local.set $i (i32.add (local.get $i) (i32.const 1)))
                   (br_if $l (i32.lt_u (local.get $i) (i32.const 100000))))
                 (call $nothing)",
            ),
            nothing(),
        ),
        attack(
            "table-entry-by-entry",
            "Grows a table entry by entry as far as it goes, and is content.",
            Wat::attack(
                "(loop $l (br_if $l (i32.ne (i32.const -1) (table.grow $t (ref.null func) (i32.const 1)))))
                 (call $gained (i32.gt_u (table.size $t) (i32.const 20000)))",
            )
            .items("(table $t 0 funcref)"),
            nothing(),
        ),
        attack(
            "table-all-at-once",
            "Wants a table of four thousand million entries.",
            Wat::attack("(if (i32.eq (i32.const -1) (table.grow $t (ref.null func) (i32.const -1))) (then unreachable)) (call $gained (i32.const 1))")
                .items("(table $t 0 funcref)"),
            MEMORY,
        ),
        attack(
            "tables-all",
            "Grows all the tables it may have as far as they go, and memory with what is left.",
            Wat::attack(
                "(loop $a (br_if $a (i32.ne (i32.const -1) (table.grow $a (ref.null func) (i32.const 100)))))
                 (loop $b (br_if $b (i32.ne (i32.const -1) (table.grow $b (ref.null func) (i32.const 100)))))
                 (loop $c (br_if $c (i32.ne (i32.const -1) (table.grow $c (ref.null func) (i32.const 100)))))
                 (loop $m (br_if $m (i32.ne (i32.const -1) (memory.grow (i32.const 1)))))
                 ;; 64 MiB are 1,024 pages; the tables must have taken of them.
                 (call $gained (i32.gt_u (memory.size) (i32.const 1023)))",
            )
            .items("(table $a 0 funcref) (table $b 0 funcref) (table $c 0 funcref)"),
            nothing(),
        ),
    ]
}
