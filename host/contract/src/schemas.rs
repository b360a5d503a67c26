//! JSON Schema documents (2020-12): one for each named type that an operation takes or gives, at an address of its own,
//! and the list of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use truc_model::ServiceName;

use crate::example;
use crate::model::{Contract, Rules, Type};
use crate::names::first_sentence;
use crate::openapi;
use crate::schema::{References, SchemaWriter};

/// The dialect of the schemas.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// How many values the examples of one contract's schemas may hold together.
const MAX_EXAMPLE_VALUES: usize = 200_000;

/// The schemas of a contract served under a name.
pub struct SchemaDocuments {
    /// The list of them, as JSON.
    pub index: Vec<u8>,
    /// Each as JSON, by the type's name. Its address is `/schemas/{service}/v{major}/{name}.json`, by which the others
    /// refer to it.
    pub by_name: BTreeMap<Arc<str>, Vec<u8>>,
}

/// The address of a service's schemas: `/schemas/{service}/v{major}`.
pub fn base(contract: &Contract, service: &ServiceName) -> String {
    format!("/schemas/{service}/v{}", contract.id.version.major)
}

/// The schemas of a contract served under a name. The same contract and service give the same bytes.
pub fn documents(contract: &Contract, service: &ServiceName) -> SchemaDocuments {
    let base = base(contract, service);
    let references = References::Addresses(&base);
    let writer = SchemaWriter { contract, references };
    let mut stock = MAX_EXAMPLE_VALUES;
    let mut by_name = BTreeMap::new();
    let mut listed = BTreeMap::new();
    for id in contract.exchanged() {
        let Some(definition) = contract.named(id) else { continue };
        let address = references.to(&definition.name);
        let mut schema = Map::from_iter([
            ("$schema".to_owned(), json!(DIALECT)),
            ("$id".to_owned(), json!(address)),
            ("title".to_owned(), json!(&*definition.name)),
        ]);
        schema.extend(writer.definition(id, definition));
        if !schema.contains_key("examples") {
            let example = example::within(contract, &Type::Named(id), &Rules::default(), &mut stock);
            schema.extend(example.map(|example| ("examples".to_owned(), json!([example]))));
        }
        let mut entry = json!({ "name": &*definition.name, "address": address });
        if let Some(entry) = entry.as_object_mut()
            && !definition.docs.is_empty()
        {
            entry.insert("description".to_owned(), json!(first_sentence(&definition.docs)));
        }
        listed.insert(definition.name.clone(), entry);
        by_name.insert(definition.name.clone(), serde_json::to_vec(&schema).unwrap_or_default());
    }
    let index = json!({
        "service": service,
        "title": openapi::title(contract),
        "version": contract.id.version.to_string(),
        "openapi": format!("/api/{service}/v{}/openapi.json", contract.id.version.major),
        "schemas": listed.into_values().collect::<Vec<Value>>(),
    });
    SchemaDocuments { index: serde_json::to_vec(&index).unwrap_or_default(), by_name }
}
