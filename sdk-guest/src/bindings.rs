//! The Rust side of `wit/truc`, generated once here and shared by every connector's bindings.

#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]

wit_bindgen::generate!({
    world: "truc:connector/capabilities",
    path: "../wit/truc",
    // The common types are there for contracts; no capability uses them.
    generate_unused_types: true,
    additional_derives: [PartialEq],
});
