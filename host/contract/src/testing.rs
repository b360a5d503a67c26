//! Connectors for tests, of this room and of others: made on the spot of a contract's text. Their functions trap.

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::ManglingAndAbi;

use crate::component::{MANIFEST_SECTION, WIT_SECTION};
use crate::pack::append;
use crate::read::resolve_sources;

/// A packed connector that exports what the text of a contract says and brings that text along as `contract.wit`.
///
/// # Errors
/// A text that is no contract.
pub fn connector(text: &str, manifest: &str) -> Result<Vec<u8>, String> {
    let sources = [("contract.wit".to_owned(), text.to_owned())];
    let (resolve, package) = resolve_sources(&sources).map_err(|error| error.to_string())?;
    let world = resolve.packages.get(package).and_then(|package| package.worlds.get("connector").copied());
    let world = world.ok_or("the text has no world `connector`")?;
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    let encoded = embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .and_then(|()| ComponentEncoder::default().module(&module))
        .and_then(|mut encoder| encoder.encode());
    let mut component = encoded.map_err(|error: anyhow::Error| format!("{error:#}"))?;
    let wit = serde_json::to_string(&sources).map_err(|error| error.to_string())?;
    append(&mut component, WIT_SECTION, wit.as_bytes());
    append(&mut component, MANIFEST_SECTION, manifest.as_bytes());
    Ok(component)
}
