//! The codec beside `serde_json` into and from plain Rust structs: what reading a request and writing an answer cost.
//!
//! `cargo xtask bench` runs it as a process of its own. It prints one JSON array; times are microseconds per call. All
//! four of a case are measured in turns, round after round, each only for moments, so that whatever else the machine does
//! meets them alike and some rounds not at all; of each the lower quartile counts. What is read is dropped within the
//! time.

mod cases;
mod plain;

use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use truc_sandbox::codec::Outcome;
use truc_sandbox::{Arguments, Codec};

use cases::Case;

/// How long each of a case's four is measured in one round.
const SLICE: Duration = Duration::from_millis(2);

/// Rounds, unless the command line says otherwise.
const ROUNDS: usize = 200;

/// What one case costs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    case: &'static str,
    /// Bytes of its JSON.
    bytes: usize,
    decode: f64,
    encode: f64,
    serde_in: f64,
    serde_out: f64,
}

fn main() -> Result<()> {
    let rounds = std::env::args().nth(1).map(|rounds| rounds.parse()).transpose()?.unwrap_or(ROUNDS);
    let contract = cases::contract()?;
    let codec = Codec::of(&contract);
    let measured: Vec<Measured> = cases::all()
        .into_iter()
        .map(|case| {
            let name = case.operation;
            let is = |operation: &truc_contract::Operation| &*operation.function == name;
            let index = contract.operations.iter().position(is).context("no such operation")?;
            measure(&codec, index, &case, rounds)
        })
        .collect::<Result<_>>()?;
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &measured)?;
    Ok(writeln!(out)?)
}

fn measure(codec: &Codec, operation: usize, case: &Case, rounds: usize) -> Result<Measured> {
    let arguments = Arguments { path: &[], query: None, body: &case.body };
    let decoded = codec.decode(operation, &arguments)?;
    let Outcome::Answer { body, .. } = codec.encode(operation, &decoded, usize::MAX)? else {
        anyhow::bail!("{} is answered with a problem", case.name);
    };
    ensure!(body == case.answer, "{}: the codec writes other JSON than serde_json", case.name);
    ensure!(case.plain.write() == case.answer, "{}: serde_json writes other JSON", case.name);

    let mut decode = || drop(black_box(codec.decode(operation, black_box(&arguments))));
    let mut encode = || drop(black_box(codec.encode(operation, black_box(&decoded), usize::MAX)));
    let mut serde_in = || case.plain.read_like(black_box(&case.body));
    let mut serde_out = || drop(black_box(black_box(&case.plain).write()));
    let mut four: [&mut dyn FnMut(); 4] = [&mut decode, &mut encode, &mut serde_in, &mut serde_out];
    let mut times = [const { Vec::new() }; 4];
    // Looking at the clock is to cost nothing beside the work.
    let batch = (16_384 / case.body.len()).max(1);
    for _ in 0..rounds {
        for (work, times) in four.iter_mut().zip(&mut times) {
            times.push(microseconds(work, batch));
        }
    }
    let [decode, encode, serde_in, serde_out] = times.map(lower_quartile);
    Ok(Measured { case: case.name, bytes: case.body.len(), decode, encode, serde_in, serde_out })
}

/// What one turn of some work takes.
fn microseconds(work: &mut dyn FnMut(), batch: usize) -> f64 {
    let begin = Instant::now();
    let mut turns = 0_u32;
    loop {
        for _ in 0..batch {
            work();
            turns += 1;
        }
        let elapsed = begin.elapsed();
        if elapsed >= SLICE {
            return elapsed.as_secs_f64() * 1e6 / f64::from(turns);
        }
    }
}

fn lower_quartile(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 4).copied().unwrap_or_default()
}
