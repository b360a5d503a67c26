//! Contracts to OpenAPI 3.1: the document of one service, and one document of all that an agency may call.
//!
//! ```text
//! service     one service's part of a document: tags, paths, components (operation: one operation)
//! problems    the problems an operation may answer with, and the responses that tell them
//! mod         parts to documents
//! ```
//!
//! The same contracts, services and operations give the same bytes.

mod operation;
mod problems;
mod service;

use serde_json::{Map, Value, json};
use truc_model::{AgencyCode, ServiceName};

use crate::model::{Contract, Operation};
use crate::names::{camel, first_sentence};
pub use problems::problems;
use service::{Part, ServiceWriter};

/// The header in which a caller states its purpose.
pub const PURPOSE_HEADER: &str = "truc-purpose";
/// The header in which a caller names the dossier it works on.
pub const DOSSIER_HEADER: &str = "truc-dossier";
/// The header that carries the request's identifier, in and out.
pub const REQUEST_ID_HEADER: &str = "x-request-id";
/// The header that tells which revision of the service answered.
pub const REVISION_HEADER: &str = "truc-revision";
/// The header in which a caller gives a request a key, so that repeating it repeats nothing upstream.
pub const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";
/// The header that marks an answer that was given before.
pub const REPLAYED_HEADER: &str = "idempotency-replayed";

/// An agency, as the document of what it may call names it.
#[derive(Debug, Clone, Copy)]
pub struct Agency<'a> {
    /// Its identification code.
    pub code: &'a AgencyCode,
    /// Its name.
    pub name: &'a str,
}

/// A service of which an agency may call some operations.
#[derive(Debug, Clone)]
pub struct Granted<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// The contract it serves.
    pub contract: &'a Contract,
    /// The operations of the contract that may be called.
    pub operations: Vec<&'a Operation>,
}

/// The OpenAPI document of a contract served under a name, as JSON.
pub fn document(contract: &Contract, service: &ServiceName) -> Vec<u8> {
    let mut info = json!({ "title": title(contract), "version": contract.id.version.to_string() });
    if !contract.docs.is_empty()
        && let Some(info) = info.as_object_mut()
    {
        info.insert("description".to_owned(), json!(contract.docs));
    }
    let operations: Vec<&Operation> = contract.operations.iter().collect();
    let part = ServiceWriter::alone(contract, service).write(&operations);
    write(info, &format!("/api/{service}/v{}", contract.id.version.major), part)
}

/// The OpenAPI document of all that an agency may call, over all services, as JSON. Paths are written in full. Names of
/// tags and schemas begin with the service's, `land.Parcel`, those of operations too, `land_parcelsGetParcel`; where the
/// major version is not 1 it follows the service: `land.v2.Parcel`, `land_v2_parcelsGetParcel`. What a part of a service
/// is called depends neither on other services nor on which of its operations are granted.
pub fn merged(agency: Agency<'_>, granted: &[Granted<'_>]) -> Vec<u8> {
    let mut services: Vec<&Granted<'_>> =
        granted.iter().filter(|granted| !granted.operations.is_empty()).collect();
    services.sort_by_key(|granted| (granted.service, granted.contract.id.version.major));
    let mut whole = Part::default();
    let mut lines = String::new();
    for Granted { service, contract, operations } in services {
        whole.add(ServiceWriter::among_others(contract, service).write(operations));
        let (title, version) = (title(contract), &contract.id.version);
        lines.push_str(&format!("\n* `{service}`: {title}, version {version}"));
    }
    let agency_name = plain_text(agency.name);
    let what = if lines.is_empty() { "No operation is granted to" } else { "The operations granted to" };
    let description = format!("{what} {agency_name} ({}) now.\n{lines}", agency.code);
    // The version is that of the document's form: what is in it has versions of its own.
    let info = json!({
        "title": format!("Services for {}", agency.code),
        "version": "1.0.0",
        "description": description.trim_end(),
    });
    write(info, "/", whole)
}

/// `{interface}/{function}` as one identifier in camelCase; different for each operation of a contract.
pub fn operation_id(operation: &Operation) -> String {
    camel(&operation.name.as_str().replace('/', "-"))
}

/// What a contract is, in a few words: the first sentence of the package's documentation, up to a colon.
pub fn title(contract: &Contract) -> String {
    let sentence = first_sentence(&contract.docs);
    let title = sentence.split(':').next().unwrap_or_default().trim();
    if title.is_empty() { contract.id.name.clone() } else { title.to_owned() }
}

fn write(info: Value, server: &str, part: Part) -> Vec<u8> {
    let document = json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{ "url": server }],
        "security": [{ "apiKey": [] }],
        "tags": part.tags,
        "paths": sorted(part.paths),
        "components": {
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The API key of an account, sent as `Authorization: Bearer <key>`."
                }
            },
            "responses": sorted(part.responses),
            "schemas": sorted(part.schemas),
        },
    });
    serde_json::to_vec(&document).unwrap_or_default()
}

fn sorted(members: std::collections::BTreeMap<String, Value>) -> Value {
    members.into_iter().collect::<Map<_, _>>().into()
}

/// A text that CommonMark shows as it is: what could mean something to it is escaped.
fn plain_text(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, char| {
        if char.is_ascii_punctuation() && !matches!(char, '.' | ',' | '(' | ')' | '-' | '/' | '\'') {
            escaped.push('\\');
        }
        escaped.push(char);
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_markup() {
        assert_eq!(plain_text("Sở Nội vụ (H56)"), "Sở Nội vụ (H56)");
        assert_eq!(plain_text("<b>*a*</b> [x](y) `z`"), "\\<b\\>\\*a\\*\\</b\\> \\[x\\](y) \\`z\\`");
    }
}
