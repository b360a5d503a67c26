//! What the host wrote down: the ledger, and its log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::calls::Calls;
use super::site::Site;

/// How many exchanges are asked for at once.
const PART: usize = 1_000;

/// How many calls are in the ledger too seldom or too often, or with an unknown end.
pub(super) async fn unrecorded(site: &Site, calls: &Calls) -> Result<u64> {
    let mut recorded: BTreeMap<String, u64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut wrong = 0;
    let mut cursor = String::new();
    loop {
        let part = site.control().get(&format!("/admin/exchanges?limit={PART}{cursor}")).await?;
        for exchange in part.get("exchanges").and_then(Value::as_array).context("no exchanges are listed")? {
            let member = |name: &str| exchange.get(name).and_then(Value::as_str).unwrap_or_default();
            let twice = !seen.insert(member("id").to_owned());
            wrong += u64::from(twice || member("end") != "known");
            *recorded.entry(member("service").to_owned()).or_default() += 1;
        }
        match part.get("next").and_then(Value::as_str) {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let differs = calls
        .of
        .iter()
        .map(|(service, sent)| sent.abs_diff(recorded.get(service).copied().unwrap_or_default()));
    Ok(wrong + differs.sum::<u64>())
}

/// Lines of the log that are no line of the host's: no JSON object, or one with another message than the host writes for
/// a connector's text.
pub(super) fn foreign_lines(log: &Path) -> Result<u64> {
    let log = std::fs::read(log).context("the host's log cannot be read")?;
    let log = String::from_utf8_lossy(&log);
    let foreign = |line: &&str| {
        let Ok(Value::Object(line)) = serde_json::from_str(line) else { return true };
        // What the forger wrote may stand in the field for a connector's text and nowhere else.
        let mut elsewhere = line.iter().filter(|(name, _)| *name != "connector.text");
        elsewhere.any(|(_, value)| value.to_string().contains("forged-by-a-connector"))
            || line.values().any(|value| value.as_str().is_some_and(|text| text.contains(['\n', '\u{1b}'])))
    };
    Ok(log.lines().filter(foreign).count() as u64)
}
