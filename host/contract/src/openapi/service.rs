//! One service's part of a document: tags, paths, and the components that they reach.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use truc_model::ServiceName;

use super::problems::{self, Responses};
use crate::example;
use crate::model::{Contract, Operation, Rules, Type};
use crate::schema::{PROBLEM_DETAILS, References, SchemaWriter};
use crate::schemas;

/// How many values the examples of one service may hold together.
const MAX_EXAMPLE_VALUES: usize = 200_000;

/// What one service, or several, bring to a document.
#[derive(Default)]
pub(super) struct Part {
    pub(super) tags: Vec<Value>,
    pub(super) paths: BTreeMap<String, Value>,
    pub(super) responses: BTreeMap<String, Value>,
    pub(super) schemas: BTreeMap<String, Value>,
}

impl Part {
    pub(super) fn add(&mut self, other: Part) {
        self.tags.extend(other.tags);
        self.paths.extend(other.paths);
        self.responses.extend(other.responses);
        self.schemas.extend(other.schemas);
    }
}

/// How a service's parts are named in a document: what stands before each name.
pub(super) struct Prefixes {
    pub(super) path: String,
    pub(super) operation: String,
    /// Of tags, responses and schemas.
    pub(super) component: String,
}

impl Prefixes {
    fn of(service: &ServiceName, major: u64) -> Self {
        // A hyphen before a digit leaves no hump: an underscore keeps `a-1` apart from `a1`.
        let words = service.as_str().split('-').enumerate().map(|(index, word)| {
            let mut chars = word.chars();
            match chars.next() {
                Some(first) if index > 0 && first.is_ascii_digit() => format!("_{word}"),
                Some(first) if index > 0 => format!("{}{}", first.to_ascii_uppercase(), chars.as_str()),
                _ => word.to_owned(),
            }
        });
        let words: String = words.collect();
        let path = format!("/api/{service}/v{major}");
        match major {
            1 => Self { path, operation: format!("{words}_"), component: format!("{service}.") },
            _ => Self {
                path,
                operation: format!("{words}_v{major}_"),
                component: format!("{service}.v{major}."),
            },
        }
    }
}

/// Writes a service's part of a document.
pub(super) struct ServiceWriter<'a> {
    pub(super) contract: &'a Contract,
    service: &'a ServiceName,
    pub(super) prefixes: Prefixes,
    /// How many values examples may still hold.
    example_values: usize,
}

impl<'a> ServiceWriter<'a> {
    /// For a document of this service alone, whose server's address holds the service.
    pub(super) fn alone(contract: &'a Contract, service: &'a ServiceName) -> Self {
        let prefixes = Prefixes { path: String::new(), operation: String::new(), component: String::new() };
        Self { contract, service, prefixes, example_values: MAX_EXAMPLE_VALUES }
    }

    /// For a document of several services.
    pub(super) fn among_others(contract: &'a Contract, service: &'a ServiceName) -> Self {
        let prefixes = Prefixes::of(service, contract.id.version.major);
        Self { contract, service, prefixes, example_values: MAX_EXAMPLE_VALUES }
    }

    /// The part of some of the contract's operations.
    pub(super) fn write(mut self, operations: &[&Operation]) -> Part {
        // Named over the whole contract, so that names do not depend on which operations are asked for.
        let mut responses = Responses::of(self.contract, &self.prefixes.component);
        let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
        for operation in operations {
            let path = format!("{}{}", self.prefixes.path, operation.path);
            let described = self.operation(operation, &mut responses);
            paths.entry(path).or_default().insert(operation.method.as_str().to_ascii_lowercase(), described);
        }
        let (responses, mut schemas) = responses.write(&mut self);
        schemas.extend(self.schemas(operations));
        Part {
            tags: self.tags(operations),
            paths: paths.into_iter().map(|(path, item)| (path, Value::Object(item))).collect(),
            responses,
            schemas,
        }
    }

    pub(super) fn example(&mut self, ty: &Type, rules: &Rules) -> Option<Value> {
        example::within(self.contract, ty, rules, &mut self.example_values)
    }

    /// Takes from the values that examples may hold; false where too few are left.
    pub(super) fn take_values(&mut self, count: usize) -> bool {
        match self.example_values.checked_sub(count) {
            Some(left) => {
                self.example_values = left;
                true
            }
            None => false,
        }
    }

    pub(super) fn schema(&self, ty: &Type, rules: &Rules, docs: &str) -> Value {
        self.schema_writer().used(ty, rules, docs)
    }

    fn schema_writer(&self) -> SchemaWriter<'_> {
        let references = References::Components(&self.prefixes.component);
        SchemaWriter { contract: self.contract, references }
    }

    fn tags(&self, operations: &[&Operation]) -> Vec<Value> {
        let used: BTreeSet<&str> = operations.iter().map(|operation| operation.interface_name()).collect();
        let interfaces = self.contract.interfaces.iter();
        interfaces
            .filter(|interface| used.contains(interface.name.as_str()))
            .map(|interface| {
                let name = format!("{}{}", self.prefixes.component, interface.name);
                match interface.docs.as_str() {
                    "" => json!({ "name": name }),
                    docs => json!({ "name": name, "description": docs }),
                }
            })
            .collect()
    }

    fn schemas(&self, operations: &[&Operation]) -> BTreeMap<String, Value> {
        let base = schemas::base(self.contract, self.service);
        let writer = self.schema_writer();
        let mut schemas: BTreeMap<String, Value> = self
            .contract
            .exchanged_by(operations)
            .into_iter()
            .filter_map(|id| Some((id, self.contract.named(id)?)))
            .flat_map(|(id, definition)| {
                let mut schema = writer.definition(id, definition);
                let address = References::Addresses(&base).to(&definition.name);
                schema.insert(
                    "externalDocs".to_owned(),
                    json!({ "description": "The same as JSON Schema.", "url": address }),
                );
                let mut schemas = writer.cases(definition);
                schemas.push((definition.name.to_string(), Value::Object(schema)));
                schemas
            })
            .map(|(name, schema)| (format!("{}{name}", self.prefixes.component), schema))
            .collect();
        if !operations.is_empty() {
            schemas.insert(PROBLEM_DETAILS.to_owned(), problems::details());
        }
        schemas
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_services_have_different_prefixes() {
        let of = |name: &str, major| {
            let prefixes = Prefixes::of(&name.parse().unwrap(), major);
            (prefixes.operation, prefixes.component)
        };
        assert_eq!(of("civil-status", 1), ("civilStatus_".to_owned(), "civil-status.".to_owned()));
        assert_eq!(of("land", 2), ("land_v2_".to_owned(), "land.v2.".to_owned()));
        let services = [("a-1b", 1), ("a1b", 1), ("a-b", 1), ("ab", 1), ("a-v2", 1), ("a", 2), ("a", 0)];
        let operations: BTreeSet<String> = services.iter().map(|(name, major)| of(name, *major).0).collect();
        let components: BTreeSet<String> = services.iter().map(|(name, major)| of(name, *major).1).collect();
        assert_eq!((operations.len(), components.len()), (services.len(), services.len()));
    }
}
