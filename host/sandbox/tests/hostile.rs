//! Requests that mean harm, and what fuzzing has found: whatever is sent, decoding ends soon, does not panic, and what it
//! takes is read the same again when it is written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../fuzz/check.rs"]
mod check;
#[path = "common/types.rs"]
#[allow(dead_code)]
mod types;

use std::time::{Duration, Instant};

use truc_sandbox::Arguments;
use types::Dice;

/// A time that only something that grows faster than the request needs, even unoptimised on a machine with other things
/// to do.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_corpus_of_the_fuzz_target_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/decode");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 20, "the corpus is missing");
    let mut taken = 0;
    for file in files {
        let input = std::fs::read(&file).unwrap();
        check::check(&input);
        let body = Arguments { path: &[], query: None, body: &input[1..] };
        taken += usize::from(check::codec().decode(usize::from(input[0]) % 3, &body).is_ok());
    }
    // A corpus of nothing but refusals would try little.
    assert!(taken >= 5, "{taken} are taken");
}

#[test]
fn ten_thousand_hostile_documents_are_read_or_refused() {
    let mut dice = Dice(1);
    for number in 0..10_000_usize {
        let mut document = vec![u8::try_from(dice.below(2)).unwrap()];
        let size = if number.is_multiple_of(100) { 2_000 } else { 60 };
        hostile(&mut document, size, &mut dice);
        check::check(&document);
    }
}

/// A document of about that many pieces: mostly JSON, of the contract's words, and never far from something wrong.
fn hostile(document: &mut Vec<u8>, size: usize, dice: &mut Dice) {
    const NAMES: [&str; 24] = [
        "truth", "tiny", "huge", "text", "bytes", "numbers", "pair", "outcome", "figure", "sparse",
        "checked", "records", "lists", "first", "second", "third", "kind", "value", "ok", "err", "a", "j",
        "day", "unknown",
    ];
    const SCALARS: [&[u8]; 32] = [
        b"null",
        b"true",
        b"false",
        b"0",
        b"-0",
        b"255",
        b"256",
        b"-129",
        b"1e400",
        b"-1e-400",
        b"1.5",
        b"123456789012345678901234567890123456789012345678901234567890",
        b"01",
        b"-",
        b"\"\"",
        b"\"nothing\"",
        b"\"circle\"",
        b"\"\\ud834\\udd1e\"",
        b"\"\\ud834\"",
        b"\"\\udd1e\\ud834\"",
        b"\"\\u00\"",
        b"\"\xff\xfe\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\x00\"",
        b"\"AAEC/w==\"",
        b"\"A===\"",
        b"\"2025-02-30\"",
        b"\"18446744073709551616\"",
        b"NaN",
        b"'a'",
        b"\xef\xbb\xbf",
    ];
    let mut open: Vec<(u8, usize)> = Vec::new();
    for _ in 0..size {
        if let Some((close, count)) = open.last_mut() {
            if dice.below(4) == 0 {
                document.push(*close);
                open.pop();
                continue;
            }
            if *count > 0 && dice.below(200) > 0 {
                document.push(b',');
            }
            *count += 1;
            if *close == b'}' {
                let name = NAMES[dice.below(NAMES.len())];
                document.extend_from_slice(format!("\"{name}\":").as_bytes());
            }
        }
        match dice.below(10) {
            0..=2 => {
                document.push(b'{');
                open.push((b'}', 0));
            }
            3 | 4 => {
                document.push(b'[');
                open.push((b']', 0));
            }
            5 => {
                let piece = ["x", "đ", "\\n", "\\u0041", "\\\\"][dice.below(5)];
                document.extend_from_slice(format!("\"{}\"", piece.repeat(dice.below(3_000))).as_bytes());
            }
            _ => document.extend_from_slice(SCALARS[dice.below(SCALARS.len())]),
        }
    }
    // Some are cut off.
    if dice.below(5) > 0 {
        document.extend(open.iter().rev().map(|(close, _)| *close));
    }
}

#[test]
fn what_costs_most_ends_soon() {
    let everything = |member: &str| [b"\0{", member.as_bytes(), b"}"].concat();
    let unknown: String = (0..200_000).map(|index| format!("\"u{index}\":1,")).collect();
    let nested = "{\"value\":".repeat(60) + "1" + &",\"kind\":\"many\"}".repeat(60);
    let documents = [
        ("deep arrays", "\0".to_owned() + &"[".repeat(2_000_000)),
        ("deep objects", "\0".to_owned() + &"{\"a\":".repeat(1_000_000)),
        ("one member again and again", format!("\0{{{}\"tiny\":1}}", "\"tiny\":1,".repeat(300_000))),
        ("unknown members", format!("\0{{{unknown}\"tiny\":1}}")),
        ("values before their kinds", format!("\u{1}{{\"first\":{nested}}}")),
        ("a long string", format!("\0{{\"text\":\"{}\"}}", "x".repeat(8 << 20))),
        ("a long string of escapes", format!("\0{{\"text\":\"{}\"}}", "\\u0061".repeat(1 << 20))),
        ("a long number", format!("\0{{\"huge\":{}}}", "9".repeat(4 << 20))),
        ("a long fraction", format!("\0{{\"double\":0.{}}}", "9".repeat(4 << 20))),
        ("long digits in a string", format!("\0{{\"huge\":\"{}\"}}", "9".repeat(4 << 20))),
        ("flags again and again", format!("\0{{\"rights\":[{}\"read\"]}}", "\"read\",".repeat(300_000))),
        ("absent members", format!("\0{{\"records\":[{}{{}}]}}", "{},".repeat(300_000))),
        ("spaces", "\0".to_owned() + &" ".repeat(8 << 20)),
        (
            "a pattern against a long text",
            format!("\0{{\"checked\":{{\"code\":\"{}\"}}}}", "a".repeat(4 << 20)),
        ),
        ("base64 that is wrong at its end", format!("\0{{\"bytes\":\"{}!\"}}", "AAAA".repeat(1 << 20))),
    ];
    for (name, document) in documents {
        let begin = Instant::now();
        let body = Arguments { path: &[], query: None, body: &document.as_bytes()[1..] };
        let problem = check::codec().decode(usize::from(document.as_bytes()[0]), &body).unwrap_err();
        assert!(problem.errors.len() <= 100, "{name}");
        assert!(problem.to_json(None).len() < 100_000, "{name}: the answer is bounded too");
        assert!(begin.elapsed() < PATIENCE, "{name}: {:?}", begin.elapsed());
    }
    let begin = Instant::now();
    check::check(&everything("\"a\":1"));
    assert!(begin.elapsed() < PATIENCE);
}
