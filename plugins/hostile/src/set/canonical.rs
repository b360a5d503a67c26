//! Values that break the rules by which components and host hand values over: pointers, lengths, texts, discriminants,
//! and very many or very large ones in both directions.

use serde_json::json;

use super::{TOO_LARGE, TRAPPED, attack, nothing, served};
use crate::assemble::{ANSWER, DATA, Wat};
use crate::{Body, Call, End, Hostile, Operation};

/// One that answers with a text at an address, of a length.
fn text(name: &'static str, attempts: &'static str, address: u32, length: u32, end: End) -> Hostile {
    let says =
        format!("(call $says (i32.const {}) (i32.const {}))", address.cast_signed(), length.cast_signed());
    attack(name, attempts, Wat::attack(says), end)
}

/// One whose `exchange` gives a list at an address, of a length.
fn list(name: &'static str, attempts: &'static str, address: u32, length: u32, end: End) -> Hostile {
    let says =
        format!("(call $says (i32.const {}) (i32.const {}))", address.cast_signed(), length.cast_signed());
    exchange(name, attempts, Wat::exchange(says), end)
}

fn exchange(name: &'static str, attempts: &'static str, wat: Wat, end: End) -> Hostile {
    served(name, attempts, wat, vec![Call { operation: Operation::Exchange, body: Body::Small, end }])
}

/// The bytes of a good shape, in a `result`.
const GOOD: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[8] = b'a';
    bytes
};

/// One whose `shape` gives a good shape but for one byte, or, of a character, four.
fn shape(name: &'static str, attempts: &'static str, at: usize, wrong: &[u8], end: End) -> Hostile {
    let mut bytes = GOOD;
    for (byte, wrong) in bytes.iter_mut().skip(at).zip(wrong) {
        *byte = *wrong;
    }
    let mut wat = Wat::shape(format!("(i32.const {DATA})"));
    wat.put(&bytes);
    served(name, attempts, wat, vec![Call { operation: Operation::Shape, body: Body::Small, end }])
}

pub(super) fn all() -> Vec<Hostile> {
    let shaped = |marks: &[&str], truth: bool| {
        End::Answer(
            json!({"shade": "light", "letter": "a", "truth": truth, "marks": marks, "kind": {"kind": "nothing"}}),
        )
    };
    let outside = u32::MAX - 15;
    vec![
        text("text-outside", "Answers with a text that lies outside its memory.", outside, 8, TRAPPED),
        text("text-across-the-end", "Answers with a text that begins in its memory and ends outside.", 262_140, 8, TRAPPED),
        text("text-around-the-end", "Answers with a text whose end wraps around to the beginning.", 16, u32::MAX, TRAPPED),
        text("text-of-2-gib", "Answers with a text of 2 GiB, which it does not have.", 0, 1 << 31, TRAPPED),
        list("list-of-2-gi", "Answers with a list of 2,147,483,648 texts.", 0, 1 << 31, TRAPPED),
        list("list-of-all", "Answers with a list of 4,294,967,295 texts.", 0, u32::MAX, TRAPPED),
        list("list-overflowing", "Answers with a list whose size is 8 bytes when computed in 32 bits.", 0, 0x2000_0001, TRAPPED),
        list("list-unaligned", "Answers with a list at an odd address.", 1025, 1, TRAPPED),
        attack(
            "answer-unaligned",
            "Leaves its answer at an odd address.",
            Wat::attack(format!("(i32.const {})", ANSWER + 1)),
            TRAPPED,
        ),
        attack("answer-outside", "Leaves its answer outside its memory.", Wat::attack("(i32.const -8)"), TRAPPED),
        attack(
            "answer-of-no-case",
            "Answers with neither success nor failure.",
            Wat::attack(format!("(i32.store8 (i32.const {ANSWER}) (i32.const 2)) (i32.const {ANSWER})")),
            TRAPPED,
        ),
        attack(
            "problem-of-no-case",
            "Fails with a problem that there is not.",
            Wat::attack(format!(
                "(i32.store8 (i32.const {ANSWER}) (i32.const 1)) (i32.store8 offset=4 (i32.const {ANSWER}) (i32.const 200))
                 (i32.const {ANSWER})"
            )),
            TRAPPED,
        ),
        not_text("text-of-wrong-bytes", "Answers with bytes that are no UTF-8.", b"\xff\xfe"),
        not_text("text-cut-short", "Answers with a text that ends inside a character.", b"Vi\xe1\xbb"),
        not_text("text-of-a-surrogate", "Answers with half of a character of UTF-16.", b"\xed\xa0\x80"),
        not_text("text-overlong", "Answers with a slash that is written in two bytes.", b"\xc0\xaf"),
        shape("case-of-no-enumeration", "Answers with a case that its enumeration does not have.", 4, &[2], TRAPPED),
        shape("case-of-no-variant", "Answers with a case that its variant does not have.", 16, &[3], TRAPPED),
        shape("case-of-no-option", "Answers with neither something nor nothing.", 28, &[255], TRAPPED),
        shape("character-surrogate", "Answers with a character that is half of one.", 8, &[0, 0xd8, 0, 0], TRAPPED),
        shape("character-beyond-all", "Answers with a character beyond the last.", 8, &[0, 0, 0x11, 0], TRAPPED),
        shape("truth-of-two", "Answers with a truth value of 2, which counts as true.", 12, &[2], shaped(&[], true)),
        shape("flags-beyond-all", "Answers with flags that it does not have, which are left out.", 13, &[0xff], shaped(&["first", "second"], false)),
        attack(
            "text-of-60-mib",
            "Answers with a text of 60 MiB.",
            Wat::attack("(drop (memory.grow (i32.const 1000))) (call $says (i32.const 1048576) (i32.const 62914560))"),
            TOO_LARGE,
        ),
        exchange(
            "list-of-one-text",
            "Answers with a thousand texts of 1 MiB that are all the same one.",
            same_text(1_000, 1 << 20),
            TOO_LARGE,
        ),
        exchange(
            "list-of-empty-texts",
            "Answers with four million empty texts, each of which costs the host more than it.",
            same_text(4_000_000, 0),
            TOO_LARGE,
        ),
        faults(),
        attack(
            "problem-of-20-mib",
            "Fails with a text of 20 MiB, of which its callers get the beginning.",
            problem(20 << 20),
            End::Problem("denied"),
        ),
        attack(
            "realloc-outside",
            "Gives the host memory that it does not have.",
            Wat::attack("(call $nothing)").realloc("(i32.const -64)"),
            TRAPPED,
        ),
        exchange(
            "realloc-unaligned",
            "Gives the host memory at an odd address.",
            Wat::exchange("(call $says (i32.const 0) (i32.const 0))").realloc("(i32.const 2049)"),
            TRAPPED,
        ),
        exchange(
            "realloc-in-one-place",
            "Gives the host the same memory for everything, so that one value overwrites the other.",
            Wat::exchange("(call $says (i32.const 0) (i32.const 0))").realloc("(i32.const 2048)"),
            End::Answer(json!([])),
        ),
        exchange(
            "realloc-over-the-answer",
            "Gives the host the memory at address 0 and answers from there with whatever it is.",
            Wat::exchange("(i32.store (i32.const 0) (i32.const 0)) (i32.const 0)").realloc("(i32.const 0)"),
            TRAPPED,
        ),
        served(
            "gives-back-twice",
            "Answers with what it was given, twice.",
            Wat::attack(
                "(local.set $n (call $give (i32.const 0) (i32.const 0) (i32.const 1) (i32.shl (local.get $length) (i32.const 1))))
                 (memory.copy (local.get $n) (local.get $text) (local.get $length))
                 (memory.copy (i32.add (local.get $n) (local.get $length)) (local.get $text) (local.get $length))
                 (call $says (local.get $n) (i32.shl (local.get $length) (i32.const 1)))",
            ),
            vec![
                Call { operation: Operation::Attack, body: Body::Small, end: End::Answer(json!("aa")) },
                Call { operation: Operation::Attack, body: Body::Long(5 << 20), end: TOO_LARGE },
            ],
        ),
        served(
            "takes-large-lists",
            "Is given a hundred thousand texts, and a text of 8 MiB.",
            Wat::exchange("(call $says (i32.const 0) (i32.const 0))"),
            vec![
                Call { operation: Operation::Exchange, body: Body::Many(100_000), end: End::Answer(json!([])) },
                Call { operation: Operation::Exchange, body: Body::Long(7 << 20), end: End::Answer(json!([])) },
            ],
        ),
        attack(
            "problem-that-forges",
            "Fails with a text that looks like the end of an answer, a head, and a line of the log.",
            forged(),
            End::Problem("denied"),
        ),
        attack("answer-that-does-nothing", "Answers as it should, for comparison.", Wat::attack("(call $nothing)"), nothing()),
    ]
}

fn not_text(name: &'static str, attempts: &'static str, bytes: &[u8]) -> Hostile {
    let mut wat = Wat::attack(format!("(call $says (i32.const {DATA}) (i32.const {}))", bytes.len()));
    wat.put(bytes);
    attack(name, attempts, wat, TRAPPED)
}

/// A list of that many texts of that length, all of which are the same zeros at 36 MiB.
fn same_text(count: u32, length: u32) -> Wat {
    Wat::exchange(format!(
        "(drop (memory.grow (i32.const 600)))
         (local.set $i (i32.const 1048576))
         (loop $l
           (i32.store (local.get $i) (i32.const 37748736))
           (i32.store offset=4 (local.get $i) (i32.const {length}))
           (local.set $i (i32.add (local.get $i) (i32.const 8)))
           (br_if $l (i32.lt_u (local.get $i) (i32.const {}))))
         (call $says (i32.const 1048576) (i32.const {count}))",
        1_048_576 + 8 * count
    ))
}

/// Fails with a problem `denied` with a text of that length.
fn problem(length: u32) -> Wat {
    Wat::attack(format!(
        "(drop (memory.grow (i32.const 900)))
         (i32.store8 (i32.const {ANSWER}) (i32.const 1))
         (i32.store8 offset=4 (i32.const {ANSWER}) (i32.const 2))
         (i32.store offset=8 (i32.const {ANSWER}) (i32.const 65536))
         (i32.store offset=12 (i32.const {ANSWER}) (i32.const {length}))
         (i32.const {ANSWER})"
    ))
}

/// Fails with a hundred thousand faults.
fn faults() -> Hostile {
    let wat = Wat::attack(format!(
        "(drop (memory.grow (i32.const 900)))
         (i32.store8 (i32.const {ANSWER}) (i32.const 1))
         (i32.store8 offset=4 (i32.const {ANSWER}) (i32.const 1))
         (i32.store offset=8 (i32.const {ANSWER}) (i32.const 1048576))
         (i32.store offset=12 (i32.const {ANSWER}) (i32.const 100000))
         (i32.const {ANSWER})"
    ));
    attack(
        "problem-of-many-faults",
        "Finds a hundred thousand faults in a request, of which its callers get a hundred.",
        wat,
        End::Problem("invalid"),
    )
}

fn forged() -> Wat {
    let text = "\"}\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}\n{\"level\":\"ERROR\",\"message\":\"forged\"}\u{1b}[2J\u{202e}";
    let mut wat = Wat::attack(format!(
        "(i32.store8 (i32.const {ANSWER}) (i32.const 1))
         (i32.store8 offset=4 (i32.const {ANSWER}) (i32.const 2))
         (i32.store offset=8 (i32.const {ANSWER}) (i32.const {DATA}))
         (i32.store offset=12 (i32.const {ANSWER}) (i32.const {}))
         (i32.const {ANSWER})",
        text.len()
    ));
    wat.put(text.as_bytes());
    wat
}
