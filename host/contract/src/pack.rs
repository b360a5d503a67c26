//! Packing: adding a manifest, the contract's text and its documentation to a freshly linked component.

use std::path::Path;

use wasm_encoder::{ComponentSection, CustomSection};
use wit_parser::decoding::DecodedWasm;
use wit_parser::{PackageMetadata, WorldItem};

use crate::component::{Component, ComponentError, MANIFEST_SECTION, Outline, WIT_SECTION, check_imports};
use crate::read::{ContractError, SourceError, resolve_sources, sources_in};
use crate::sources::ContractText;

/// Why a component cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The contract's folder cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The component cannot become a connector.
    #[error(transparent)]
    Component(#[from] ComponentError),
}

impl From<ContractError> for PackError {
    fn from(error: ContractError) -> Self {
        PackError::Component(ComponentError::Contract(error))
    }
}

/// Adds to a linked component its manifest, the text of its contract (all `.wit` files of `wit_dirs`) and the
/// `package-docs` section that public tools show, and checks that the whole is a connector the host would take.
///
/// # Errors
/// A folder that cannot be read, or whatever keeps the component from being a connector: a foreign import, a fault in the
/// manifest, a contract that cannot be served, exports that are not the contract's.
pub fn pack(component: &[u8], wit_dirs: &[&Path], manifest: &str) -> Result<Vec<u8>, PackError> {
    let outline = Outline::read(component)?;
    check_imports(&outline.imports)?;
    let text = ContractText::new(sources_in(wit_dirs)?)
        .map_err(|error| ComponentError::Section { section: WIT_SECTION, reason: error.to_string() })?;
    let mut packed = component.to_vec();
    append(&mut packed, PackageMetadata::SECTION_NAME, &package_docs(component, text.files())?);
    append(&mut packed, WIT_SECTION, text.canonical().as_bytes());
    append(&mut packed, MANIFEST_SECTION, manifest.as_bytes());
    Component::read(&packed)?;
    Ok(packed)
}

pub(crate) fn append(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let section = CustomSection { name: name.into(), data: data.into() };
    section.append_to_component(component);
}

/// The documentation of the package and of each exported interface, in the form public tools read from a component.
/// The form has no place for the documentation of functions and types there; that travels in the contract's text.
fn package_docs(component: &[u8], sources: &[(String, String)]) -> Result<Vec<u8>, PackError> {
    let malformed = |error: anyhow::Error| ComponentError::Malformed(format!("{error:#}"));
    let (contract, package) = resolve_sources(sources)?;
    let DecodedWasm::Component(mut built, world) =
        wit_parser::decoding::decode(component).map_err(malformed)?
    else {
        return Err(
            ComponentError::Malformed("it is an encoded WIT package, not a component".to_owned()).into()
        );
    };
    let docs_of = |export: &str| {
        contract.interfaces.iter().find_map(|(id, interface)| {
            (contract.id_of(id).as_deref() == Some(export)).then(|| interface.docs.clone())
        })
    };
    let root = built.worlds.get(world).and_then(|world| world.package);
    let names: Vec<String> = built
        .worlds
        .get(world)
        .iter()
        .flat_map(|w| w.exports.keys())
        .map(|key| built.name_world_key(key))
        .collect();
    if let Some(world) = built.worlds.get_mut(world) {
        for (item, name) in world.exports.values_mut().zip(&names) {
            if let (WorldItem::Interface { docs, .. }, Some(found)) = (item, docs_of(name)) {
                *docs = found;
            }
        }
    }
    let Some(root) = root else { return Ok(Vec::new()) };
    if let (Some(target), Some(source)) = (built.packages.get_mut(root), contract.packages.get(package)) {
        target.docs = source.docs.clone();
    }
    Ok(PackageMetadata::extract(&built, root).encode().map_err(malformed)?)
}
