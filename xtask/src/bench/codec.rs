//! The codec beside `serde_json` into and from plain structs, measured by a program of its own.

use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::report::Aim;
use crate::process::pinned;
use crate::table::Table;
use crate::workspace::{Workspace, output};

/// What one case costs, in microseconds a call.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Case {
    case: String,
    /// Bytes of its JSON.
    bytes: u64,
    decode: f64,
    encode: f64,
    serde_in: f64,
    serde_out: f64,
}

/// The case that the aim is about.
const AIMED_AT: &str = "list of 1,000 records";

/// Runs the program on one core.
pub(crate) fn measure(workspace: &Workspace, core: Option<usize>, quick: bool) -> Result<Vec<Case>> {
    let mut command = Command::new(workspace.program("release", "truc-bench-codec"));
    let printed = pinned(core, || output(command.args(quick.then_some("10"))))??;
    serde_json::from_str(&printed).context("the codec's measurements")
}

/// The costs and their ratios.
pub(crate) fn table(cases: &[Case]) -> String {
    let mut table = Table::new([
        "codec",
        "bytes",
        "decode us",
        "serde_json",
        "ratio",
        "encode us",
        "serde_json",
        "ratio",
    ]);
    for case in cases {
        table.row([
            case.case.clone(),
            case.bytes.to_string(),
            format!("{:.2}", case.decode),
            format!("{:.2}", case.serde_in),
            format!("{:.2}x", case.decode / case.serde_in),
            format!("{:.2}", case.encode),
            format!("{:.2}", case.serde_out),
            format!("{:.2}x", case.encode / case.serde_out),
        ]);
    }
    table.to_string()
}

/// What is aimed at.
pub(crate) fn aims(cases: &[Case]) -> Vec<Aim> {
    let aimed = cases.iter().filter(|case| case.case == AIMED_AT);
    aimed
        .flat_map(|case| {
            let aim = |what: &str, reached| Aim {
                what: format!("{what} a {AIMED_AT}, to serde_json"),
                aim: 2.0,
                reached,
                unit: "x",
            };
            [aim("decoding", case.decode / case.serde_in), aim("encoding", case.encode / case.serde_out)]
        })
        .collect()
}
