//! Clients that public generators make of the services' documents, in three languages: built as they were made, and used
//! by a small program in each language. What they did is read from the host's ledger.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Setting, python, quietly, rust, typescript};
use crate::workspace::progress;

/// One language: the name of its account, and what makes the program.
struct Language {
    name: &'static str,
    build: fn(&Setting<'_>) -> Result<Command>,
}

const LANGUAGES: [Language; 3] = [
    Language { name: "typescript", build: typescript::build },
    Language { name: "python", build: python::build },
    Language { name: "rust", build: rust::build },
];

/// Generates, builds and runs the clients of all languages.
pub(super) async fn call(setting: &Setting<'_>) -> Result<String> {
    let samples = setting.folder.join("samples.json");
    std::fs::write(&samples, serde_json::to_vec(&setting.estate.samples.0)?)?;
    let address = format!("http://{}", setting.estate.host.api);

    for language in &LANGUAGES {
        progress(format_args!("generating and building the {} clients", language.name));
        let mut program = (language.build)(setting)?;
        let key = setting.estate.account_of_office(language.name).await?;
        progress(format_args!("calling the five services with the {} clients", language.name));
        quietly(program.envs([("TRUC", &address), ("TRUC_KEY", &key)]).env("TRUC_SAMPLES", &samples))
            .with_context(|| format!("the program that uses the {} clients", language.name))?;
    }
    figures(setting).await
}

/// What the ledger says of the calls; an error where an operation was not called, or a language left a service out.
async fn figures(setting: &Setting<'_>) -> Result<String> {
    let list = setting.estate.host.control()?.get("/admin/exchanges?limit=1000").await?;
    let exchanges =
        list.get("exchanges").and_then(Value::as_array).context("the listing has no exchanges")?;
    let services = setting.documents.services.len();
    let mut called = BTreeSet::new();
    let mut notes = Vec::new();
    for Language { name, .. } in &LANGUAGES {
        let text = |exchange: &Value, member: &str| {
            exchange.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let own: Vec<&Value> =
            exchanges.iter().filter(|exchange| text(exchange, "account") == *name).collect();
        let (well, refused): (Vec<&Value>, Vec<&Value>) =
            own.into_iter().partition(|exchange| exchange.get("problem").is_none());
        let operations: BTreeSet<(String, String)> =
            well.iter().map(|exchange| (text(exchange, "service"), text(exchange, "operation"))).collect();
        let reached: BTreeSet<&String> = operations.iter().map(|(service, _)| service).collect();
        ensure!(reached.len() == services, "the {name} clients succeeded with {reached:?} only");
        ensure!(!refused.is_empty(), "the {name} clients were never refused");
        notes.push(format!("{name} {} + {} refused", well.len(), refused.len()));
        called.extend(operations);
    }
    let all = setting.documents.operations();
    ensure!(called.len() == all, "{} of {all} operations succeeded, these: {called:?}", called.len());
    Ok(format!("{all} operations; calls: {}", notes.join(", ")))
}
