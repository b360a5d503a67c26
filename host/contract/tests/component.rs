//! Files that are published: what a connector is read as, and what every other file is refused for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::path::PathBuf;

use common::{linked, manifest, small_wit, wit, wit_section, with_manifest_and_wit, with_section};
use proptest::prelude::*;
use truc_contract::component::offered_interfaces;
use truc_contract::{Component, ComponentError, Contract, PackError, pack};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{WorldItem, WorldKey};

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")), PathBuf::from)
}

/// A file that `cargo xtask connectors` leaves.
fn built(path: &str) -> Vec<u8> {
    let path = target().join(path);
    let read = std::fs::read(&path);
    read.unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask connectors` first", path.display()))
}

fn repository(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

fn refusal(bytes: &[u8]) -> ComponentError {
    Component::read(bytes).unwrap_err()
}

/// A small connector in which everything is right.
fn small() -> Vec<u8> {
    with_manifest_and_wit(&linked(&small_wit()), &manifest(), &small_wit())
}

fn text(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap()
}

#[test]
fn a_connector_is_read_with_manifest_contract_and_imports() {
    let component = Component::read(&small()).unwrap();
    assert_eq!(component.manifest.name.as_str(), "case");
    assert_eq!(component.manifest_text, manifest());
    assert_eq!(component.contract.operations[0].name.as_str(), "items/get");
    // The module of these tests uses all there is.
    let imports: std::collections::BTreeSet<String> = component.imports.into_iter().collect();
    assert_eq!(imports, offered_interfaces());
}

#[test]
fn what_is_no_component_is_malformed() {
    let module = text("(module)");
    let cases: [(&str, Vec<u8>); 7] = [
        ("nothing", Vec::new()),
        ("text", b"PK\x03\x04 not a component".to_vec()),
        ("noise", (0_u32..4096).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
        ("a header alone", b"\0asm".to_vec()),
        ("another version", b"\0asm\x0e\0\x01\0".to_vec()),
        ("a section that is cut short", [text("(component)"), vec![0, 200]].concat()),
        ("a core module", module),
    ];
    for (what, bytes) in cases {
        assert!(matches!(refusal(&bytes), ComponentError::Malformed(_)), "{what}: {:?}", refusal(&bytes));
    }
    assert!(refusal(&text("(module)")).to_string().contains("core module; link it with"));
}

#[test]
fn a_component_without_sections_is_told_how_to_get_them() {
    for bytes in [text("(component)"), linked(&small_wit())] {
        let refusal = refusal(&bytes);
        assert!(matches!(refusal, ComponentError::Section { section: "truc:manifest", .. }), "{refusal}");
        assert!(refusal.to_string().contains("cargo xtask connectors"), "{refusal}");
    }
    let without_contract = with_section(&text("(component)"), "truc:manifest", manifest().as_bytes());
    assert!(matches!(refusal(&without_contract), ComponentError::Section { section: "truc:wit", .. }));
}

#[test]
fn sections_that_cannot_be_read_are_told() {
    let component = linked(&small_wit());
    let with = |manifest: &[u8], wit: &[u8]| {
        with_section(&with_section(&component, "truc:wit", wit), "truc:manifest", manifest)
    };
    let (good_manifest, good_wit) = (manifest(), wit_section(&small_wit()));
    let large = format!("# {}", "a".repeat(100_000));
    let huge = vec![b' '; 5 << 20];
    let deep = "[".repeat(100_000);
    let cases: [(Vec<u8>, &str); 7] = [
        (with(&[0xff, 0xfe], &good_wit), "`truc:manifest` section: it is not UTF-8"),
        (with(good_manifest.as_bytes(), &[0xff, 0xfe]), "`truc:wit` section: it is not UTF-8"),
        (
            with(good_manifest.as_bytes(), b"{}"),
            "it is not a JSON array of file names and texts: invalid type: map",
        ),
        (
            with(good_manifest.as_bytes(), deep.as_bytes()),
            "it is not a JSON array of file names and texts: invalid type: sequence",
        ),
        (with(good_manifest.as_bytes(), b"[]"), "there is no `.wit` file"),
        (with(large.as_bytes(), &good_wit), "connector.toml: it is larger than 64KiB"),
        (with(good_manifest.as_bytes(), &huge), "5242880 bytes; at most 4MiB are read"),
    ];
    for (bytes, expected) in cases {
        let told = refusal(&bytes).to_string();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn two_manifests_are_one_too_many() {
    let again = with_section(&small(), "truc:manifest", manifest().as_bytes());
    assert!(refusal(&again).to_string().contains("`truc:manifest` section: it stands twice"));
    let again = with_section(&small(), "truc:wit", &wit_section(&small_wit()));
    assert!(refusal(&again).to_string().contains("`truc:wit` section: it stands twice"));
}

#[test]
fn a_large_section_of_somebody_else_is_passed_over() {
    let padded = with_section(&small(), "somebody:else", &vec![7; 8 << 20]);
    assert_eq!(Component::read(&padded).unwrap().contract, Component::read(&small()).unwrap().contract);
}

#[test]
fn sections_inside_a_nested_component_do_not_count() {
    let nested = text(
        r#"(component (component (@custom "truc:manifest" "x") (@custom "truc:wit" "x")) (core module (@custom "truc:manifest" "x")))"#,
    );
    assert!(matches!(refusal(&nested), ComponentError::Section { section: "truc:manifest", .. }));
}

#[test]
fn what_is_not_offered_may_not_be_imported() {
    let imports = [
        r#"(import "wasi:filesystem/types@0.2.0" (instance))"#,
        r#"(import "truc:connector/upstream@0.2.0" (instance))"#,
        r#"(import "truc:connector/upstreams@0.1.0" (instance))"#,
        r#"(import "truc:connector/upstream" (instance))"#,
        r#"(import "open" (func))"#,
        r#"(import "library" (core module))"#,
        r#"(import "truc:connector/log@0.1.0" (instance)) (import "a:b/c" (component))"#,
    ];
    for import in imports {
        let refusal = refusal(&text(&format!("(component {import})")));
        assert!(matches!(refusal, ComponentError::Import { .. }), "{import}: {refusal}");
        assert!(
            refusal.to_string().contains("a connector may import truc:connector/cache@0.1.0, "),
            "{refusal}"
        );
    }
}

#[test]
fn an_encoded_wit_package_is_no_connector() {
    let mut resolve = wit_parser::Resolve::default();
    let text = "package lgsp:case@1.0.0;\n/// Items.\ninterface items { get: func(id: u32) -> string; }\nworld connector { export items; }";
    let package = resolve.push_source("case.wit", text).unwrap();
    let encoded = wit_component::encode(&resolve, package).unwrap();
    assert!(matches!(refusal(&encoded), ComponentError::Section { .. }));
    let dressed = with_manifest_and_wit(&encoded, &manifest(), &small_wit());
    assert!(
        refusal(&dressed).to_string().contains("an encoded WIT package, not a component"),
        "{}",
        refusal(&dressed)
    );
}

#[test]
fn faults_of_manifest_and_contract_are_told_as_such() {
    let component = linked(&small_wit());
    let no_name = manifest().replace("name = \"case\"\n", "");
    let refused = refusal(&with_manifest_and_wit(&component, &no_name, &small_wit()));
    assert_eq!(
        refused.to_string(),
        "connector.toml:1: connector.name: it is missing: write a name, for instance `land`"
    );
    let undocumented = small_wit().replace("/// Gives an item.\n", "");
    let refused = refusal(&with_manifest_and_wit(&component, &manifest(), &undocumented));
    assert_eq!(
        refused.to_string(),
        "case.wit:8:1: lgsp:case/items@1.0.0#get: it has no documentation: write a `///` comment"
    );
}

#[test]
fn a_lie_about_the_contract_is_a_mismatch() {
    let honest =
        "/// Gives an item.\n/// @http GET /items/{id}\nget: func(id: u32) -> result<string, problem>;\n";
    let item = "/// An item.\nrecord item { name: string, kind: kind }\n/// A kind.\nenum kind { one, other }\n\
                /// Takes one.\nput: func(item: item) -> result<_, problem>;\n";
    let honest = format!("{honest}{item}");
    let component = linked(&wit(&honest));
    let lies = [
        ("another type of parameter", honest.replace("id: u32", "id: u64"), "items/get has other types"),
        (
            "another name of parameter",
            honest.replace("id: u32", "key: u32").replace("{id}", "{key}"),
            "items/get has other types",
        ),
        (
            "another result",
            honest.replace("result<string,", "result<list<string>,"),
            "items/get has other types",
        ),
        ("no result", honest.replace(" -> result<string, problem>", ""), "items/get has other types"),
        (
            "one parameter more",
            honest.replace("id: u32", "id: u32, page: option<u32>"),
            "items/get has other types",
        ),
        (
            "a field of another name",
            honest.replace("name: string", "title: string"),
            "items/put has other types",
        ),
        (
            "fields in another order",
            honest.replace("name: string, kind: kind", "kind: kind, name: string"),
            "items/put has other types",
        ),
        ("a case more", honest.replace("one, other", "one, other, third"), "items/put has other types"),
        ("flags for an enumeration", honest.replace("enum kind", "flags kind"), "items/put has other types"),
        (
            "a function more",
            format!("{honest}/// Removes.\nremove: func() -> result<_, problem>;"),
            "does not export the function items/remove",
        ),
    ];
    assert!(Component::read(&with_manifest_and_wit(&component, &manifest(), &wit(&honest))).is_ok());
    for (what, lie, expected) in lies {
        let refused = refusal(&with_manifest_and_wit(&component, &manifest(), &wit(&lie)));
        assert!(matches!(refused, ComponentError::Mismatch { .. }), "{what}: {refused}");
        assert!(refused.to_string().contains(expected), "{what}: {refused}");
    }
}

#[test]
fn another_contract_than_the_manifest_names_is_a_mismatch() {
    let component = linked(&small_wit());
    for other in ["lgsp:case@1.0.1", "lgsp:other@1.0.0", "other:case@1.0.0"] {
        let manifest = manifest().replace("lgsp:case@1.0.0", other);
        let told = refusal(&with_manifest_and_wit(&component, &manifest, &small_wit())).to_string();
        assert_eq!(
            told,
            format!(
                "the manifest names the contract {other}: the component brings the contract lgsp:case@1.0.0"
            )
        );
    }
    // Manifest and contract agree, and the component was built for something else.
    let other = small_wit().replace("lgsp:case@1.0.0", "lgsp:other@1.0.0");
    let manifest = manifest().replace("lgsp:case@1.0.0", "lgsp:other@1.0.0");
    let told = refusal(&with_manifest_and_wit(&component, &manifest, &other)).to_string();
    assert!(told.ends_with("the component does not export lgsp:other/items@1.0.0"), "{told}");
}

#[test]
fn an_async_export_is_refused() {
    let built_for = wit(
        "/// Gives an item.\n/// @http GET /items/{id}\nget: async func(id: u32) -> result<string, problem>;",
    );
    let bytes = with_manifest_and_wit(&linked(&built_for), &manifest(), &small_wit());
    let told = refusal(&bytes).to_string();
    assert!(told.contains("async component functions require the component model async feature"), "{told}");
}

#[test]
fn packing_adds_what_the_host_reads() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("case.wit"), small_wit()).unwrap();
    let component = linked(&small_wit());
    let packed = pack(&component, &[folder.path()], &manifest()).unwrap();
    assert!(packed.starts_with(&component));
    let read = Component::read(&packed).unwrap();
    assert_eq!(read.manifest_text, manifest());
    assert_eq!(read.contract, Component::read(&small()).unwrap().contract);
    assert_eq!(pack(&component, &[folder.path()], &manifest()).unwrap(), packed);
}

#[test]
fn packing_refuses_what_publishing_would() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("case.wit"), small_wit()).unwrap();
    let wit = [folder.path()];
    let component = linked(&small_wit());
    let told = |bytes: &[u8], manifest: &str| pack(bytes, &wit, manifest).unwrap_err().to_string();
    assert!(told(b"nothing", &manifest()).contains("not a component"));
    assert!(told(&text("(module)"), &manifest()).contains("core module"));
    assert!(
        told(&text(r#"(component (import "a:b/c" (instance)))"#), &manifest())
            .contains("\"a:b/c\", which is not offered")
    );
    assert!(told(&component, "").contains("connector: it is missing"));
    assert!(
        told(&linked(&common::wit("/// Gives.\nget: func() -> result<_, problem>;")), &manifest())
            .contains("has other types")
    );
    let packed = pack(&component, &wit, &manifest()).unwrap();
    assert!(told(&packed, &manifest()).contains("it stands twice"));
    let nowhere = folder.path().join("nowhere");
    assert!(matches!(pack(&component, &[&nowhere], &manifest()), Err(PackError::Source(_))));
}

/// What public tools show of a component: the documentation of package and exported interfaces.
fn shown_docs(bytes: &[u8]) -> (Option<String>, Vec<(String, Option<String>)>) {
    let DecodedWasm::Component(resolve, world) = decode(bytes).unwrap() else { panic!("a component") };
    let world = &resolve.worlds[world];
    let package = &resolve.packages[world.package.unwrap()];
    let exports = world.exports.iter().map(|(key, item)| match (key, item) {
        (WorldKey::Interface(_), WorldItem::Interface { docs, .. }) => {
            (resolve.name_world_key(key), docs.contents.clone())
        }
        _ => panic!("an interface"),
    });
    (package.docs.contents.clone(), exports.collect())
}

#[test]
fn public_tools_find_the_documentation() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("case.wit"), small_wit()).unwrap();
    let packed = pack(&linked(&small_wit()), &[folder.path()], &manifest()).unwrap();
    let expected = vec![("lgsp:case/items@1.0.0".to_owned(), Some("Items.".to_owned()))];
    assert_eq!(shown_docs(&packed), (Some("A contract.".to_owned()), expected));
}

#[test]
fn a_built_connector_survives_packing() {
    let linked = built("wasm32-unknown-unknown/connector/land.wasm");
    let manifest = std::fs::read_to_string(repository("plugins/land/connector.toml")).unwrap();
    let packed = pack(&linked, &[&repository("wit/land")], &manifest).unwrap();
    let component = Component::read(&packed).unwrap();
    assert_eq!(component.manifest.name.as_str(), "land");
    assert_eq!(component.contract, common::contract("land"));
    assert!(component.imports.iter().all(|import| import.starts_with("truc:connector/")));
    let (package, exports) = shown_docs(&packed);
    assert!(package.unwrap().starts_with("Land: parcels, certificates and dossiers"));
    let names: Vec<&str> = exports.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["lgsp:land/parcels@1.0.0", "lgsp:land/dossiers@1.0.0"]);
    assert!(exports[0].1.as_ref().unwrap().starts_with("Parcels of land"));
}

#[test]
fn every_packed_connector_is_read() {
    for name in common::CONTRACTS {
        let component = Component::read(&built(&format!("connectors/{name}.wasm"))).unwrap();
        assert_eq!(component.manifest.contract.name, name);
        let Contract { operations, .. } = component.contract;
        assert!(!operations.is_empty());
    }
}

#[test]
fn a_connector_cut_short_anywhere_is_refused() {
    let whole = built("connectors/land.wasm");
    for length in (0..whole.len()).step_by(997) {
        let refused = refusal(&whole[..length]);
        // Cut between two sections it is a component that lacks some of them.
        let expected = matches!(refused, ComponentError::Malformed(_) | ComponentError::Section { .. });
        assert!(expected, "{length} bytes: {refused}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_connector_is_read_or_refused(
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = small();
        for (at, value) in damages {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = Component::read(&bytes);
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Component::read(&bytes).is_err());
        let headed = [&b"\0asm\x0d\0\x01\0"[..], &bytes].concat();
        prop_assert!(Component::read(&headed).is_err());
    }
}
