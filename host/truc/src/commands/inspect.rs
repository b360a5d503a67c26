//! `truc inspect`: what a component file is, without a host.

use std::path::{Path, PathBuf};

use serde::Serialize;
use truc_contract::Component;
use truc_control::documents::{Description, OperationDescription};
use truc_model::Digest;
use truc_sandbox::MAX_COMPONENT_BYTES;

use crate::failure::{Exit, Failure};
use crate::output::{Output, Sheet, size};

/// What it takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The component
    component: PathBuf,
}

/// What a component file is.
#[derive(Debug, Serialize)]
struct Inspection {
    digest: Digest,
    size: u64,
    #[serde(flatten)]
    description: Description,
}

pub(crate) fn run(options: &Options) -> Result<Output, Failure> {
    let bytes = read(&options.component)?;
    let file = options.component.display();
    let component = Component::read(&bytes)
        .map_err(|error| Failure::new(Exit::Refused, format_args!("{file}: {error}")))?;
    let description = Description::of(&component.manifest, &component.contract, &component.imports);
    let inspection = Inspection { digest: Digest::of(&bytes), size: bytes.len() as u64, description };
    let mut sheet = Sheet::new();
    head(&mut sheet, &inspection.description);
    sheet.line("size", size(inspection.size)).line("digest", inspection.digest);
    body(&mut sheet, &inspection.description);
    Output::new(&inspection, sheet.text())
}

/// Reads a component file, no further than a component may go.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let wrong = |reason: String| Failure::new(Exit::Usage, format!("{}: {reason}", file.display()));
    let metadata = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?;
    if metadata.len() > MAX_COMPONENT_BYTES as u64 {
        let reason = format!(
            "it has {}; a component has at most {}",
            size(metadata.len()),
            size(MAX_COMPONENT_BYTES as u64)
        );
        return Err(Failure::new(Exit::Refused, format_args!("{}: {reason}", file.display())));
    }
    std::fs::read(file).map_err(|error| wrong(error.to_string()))
}

/// Who a connector is.
pub(crate) fn head(sheet: &mut Sheet, description: &Description) {
    sheet
        .line("connector", &description.connector)
        .line("publisher", &description.publisher)
        .line("contract", &description.contract)
        .line("description", &description.description);
}

/// What a connector offers and asks for.
pub(crate) fn body(sheet: &mut Sheet, description: &Description) {
    operations(sheet, &description.operations);
    sheet.section("imports");
    for import in &description.imports {
        sheet.line(import, "");
    }
    sheet.section("upstreams");
    for (handle, rule) in &description.upstreams {
        sheet.line(handle.as_str(), &rule.description);
        for allowed in &rule.allow {
            sheet.line("", format!("  {allowed}"));
        }
    }
    sheet.section("config");
    for (key, rule) in &description.config {
        let default = match &rule.default {
            Some(value) => format!("default {}", serde_json::to_string(value).unwrap_or_default()),
            None => "must be set".to_owned(),
        };
        sheet.line(key.as_str(), format!("{}, {default}: {}", rule.kind, rule.description));
    }
    sheet.section("keys");
    for (handle, rule) in &description.keys {
        let uses: Vec<String> = rule.uses.iter().map(ToString::to_string).collect();
        sheet.line(handle.as_str(), format!("{}: {}", uses.join(", "), rule.description));
    }
    limits(sheet, &description.limits);
}

/// Operations with their routes, one in a line.
pub(crate) fn operations(sheet: &mut Sheet, operations: &[OperationDescription]) {
    sheet.section("operations (below /api/{service}/v{major})");
    for operation in operations {
        let marks: String =
            operation.personal_data.iter().map(|pii| format!(" [personal data: {pii}]")).collect();
        let route = format!("{} {}", operation.method, operation.path);
        sheet.line(operation.name.as_str(), format!("{route}{marks}"));
    }
}

/// The limits in force, one in a line.
pub(crate) fn limits(sheet: &mut Sheet, limits: &truc_model::Limits) {
    sheet.section("limits");
    if let Ok(serde_json::Value::Object(members)) = serde_json::to_value(limits) {
        for (name, value) in members {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            sheet.line(&name, value);
        }
    }
}
