//! Connectors for tests, of this room and of others: made on the spot of a contract's text, and of a core module or none.

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WorldId};

use crate::component::{MANIFEST_SECTION, WIT_SECTION};
use crate::pack::append;
use crate::read::resolve_sources;

/// A packed connector that exports what the text of a contract says and brings that text along as `contract.wit`. Its
/// functions trap.
///
/// # Errors
/// A text that is no contract.
pub fn connector(text: &str, manifest: &str) -> Result<Vec<u8>, String> {
    let contract = Text::read(text)?;
    contract.connector(dummy_module(&contract.resolve, contract.world, ManglingAndAbi::Standard32), manifest)
}

/// A packed connector made of a core module, which must have the imports and exports of a connector of the contract, as
/// [`dummy`] has them.
///
/// # Errors
/// A text that is no contract, a module that does not fit it.
pub fn connector_of(module: Vec<u8>, text: &str, manifest: &str) -> Result<Vec<u8>, String> {
    Text::read(text)?.connector(module, manifest)
}

/// A core module with the imports and exports that a connector of the contract may have. Its functions trap.
///
/// # Errors
/// A text that is no contract.
pub fn dummy(text: &str) -> Result<Vec<u8>, String> {
    let contract = Text::read(text)?;
    Ok(dummy_module(&contract.resolve, contract.world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync)))
}

/// A contract's text, understood.
struct Text {
    sources: [(String, String); 1],
    resolve: Resolve,
    world: WorldId,
}

impl Text {
    fn read(text: &str) -> Result<Self, String> {
        let sources = [("contract.wit".to_owned(), text.to_owned())];
        let (resolve, package) = resolve_sources(&sources).map_err(|error| error.to_string())?;
        let world =
            resolve.packages.get(package).and_then(|package| package.worlds.get("connector").copied());
        let world = world.ok_or("the text has no world `connector`")?;
        Ok(Self { sources, resolve, world })
    }

    fn connector(&self, mut module: Vec<u8>, manifest: &str) -> Result<Vec<u8>, String> {
        let encoded = embed_component_metadata(&mut module, &self.resolve, self.world, StringEncoding::UTF8)
            .and_then(|()| ComponentEncoder::default().module(&module))
            .and_then(|mut encoder| encoder.encode());
        let mut component = encoded.map_err(|error: anyhow::Error| format!("{error:#}"))?;
        let wit = serde_json::to_string(&self.sources).map_err(|error| error.to_string())?;
        append(&mut component, WIT_SECTION, wit.as_bytes());
        append(&mut component, MANIFEST_SECTION, manifest.as_bytes());
        Ok(component)
    }
}
