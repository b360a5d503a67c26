//! What the tests of this room share: the contracts of the repository, and components built from WIT on the spot.

#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod documents;

use std::path::{Path, PathBuf};

use truc_contract::{CONNECTOR_PACKAGE, CONNECTOR_WIT, Contract, read_sources, sources_in};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve, SourceMap};

/// The contracts of the repository.
pub(crate) const CONTRACTS: [&str; 6] = ["civil-status", "insurance", "land", "payment", "postal", "trial"];

/// The folder of a contract of the repository.
pub(crate) fn folder(contract: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit").join(contract)
}

/// A contract of the repository.
pub(crate) fn contract(name: &str) -> Contract {
    read_sources(&sources_in(&[&folder(name)]).unwrap()).unwrap()
}

/// The files of a contract in one file.
pub(crate) fn source(text: &str) -> Vec<(String, String)> {
    vec![("case.wit".to_owned(), text.to_owned())]
}

/// A contract with one interface, `lgsp:case/items@1.0.0`.
pub(crate) fn wit(items: &str) -> String {
    format!(
        "/// A contract.\npackage lgsp:case@1.0.0;\n\n/// Items.\ninterface items {{\n\
         use truc:connector/types@0.1.0.{{problem}};\n{items}\n}}\n\n\
         world connector {{ include truc:connector/capabilities@0.1.0; export items; }}\n"
    )
}

/// A contract with one operation.
pub(crate) fn small_wit() -> String {
    wit("/// Gives an item.\n/// @http GET /items/{id}\nget: func(id: u32) -> result<string, problem>;")
}

/// The manifest of a connector of `lgsp:case@1.0.0`.
pub(crate) fn manifest() -> String {
    "[connector]\nname = \"case\"\nversion = \"1.0.0\"\npublisher = \"H56.14\"\n\
     description = \"A case\"\ncontract = \"lgsp:case@1.0.0\"\n"
        .to_owned()
}

/// A component as the linker leaves it, whose functions do nothing, for the world `connector` of a text.
pub(crate) fn linked(text: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_source(CONNECTOR_PACKAGE, CONNECTOR_WIT).unwrap();
    let mut map = SourceMap::new();
    map.push_str("case.wit", text);
    let package = resolve.push_group(map.parse().unwrap()).unwrap();
    let world = resolve.packages[package].worlds["connector"];
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// Adds a custom section to a component, as packing does.
pub(crate) fn with_section(component: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    use wasm_encoder::ComponentSection as _;
    let mut component = component.to_vec();
    wasm_encoder::CustomSection { name: name.into(), data: data.into() }.append_to_component(&mut component);
    component
}

/// The section that holds a contract's text.
pub(crate) fn wit_section(text: &str) -> Vec<u8> {
    serde_json::to_vec(&source(text)).unwrap()
}

/// A component with sections for a manifest and a contract, true or not.
pub(crate) fn with_manifest_and_wit(component: &[u8], manifest: &str, wit: &str) -> Vec<u8> {
    let component = with_section(component, "truc:wit", &wit_section(wit));
    with_section(&component, "truc:manifest", manifest.as_bytes())
}
