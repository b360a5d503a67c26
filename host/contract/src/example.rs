//! Examples: one JSON value per type, from `@example` directives and, where those are missing, the simplest value there
//! is. Nothing is made up where a pattern could refuse it.

use serde_json::{Map, Value, json};

use crate::model::{Contract, Format, Rules, Type, TypeKind};
use crate::schema;

/// How many values one example may hold: types that share types grow without bound when they are written out.
const MAX_VALUES: usize = 1_000;

/// Lists that must be longer than this get no example.
const MAX_ITEMS: i128 = 16;

/// An example of a type under the rules of its place; none where nothing sure can be said, or it would be very long.
pub fn of(contract: &Contract, ty: &Type, rules: &Rules) -> Option<Value> {
    let mut left = MAX_VALUES;
    Maker { contract, left: &mut left }.make(ty, rules)
}

/// The same, out of a stock of values that many examples share.
pub fn within(contract: &Contract, ty: &Type, rules: &Rules, stock: &mut usize) -> Option<Value> {
    let given = MAX_VALUES.min(*stock);
    let mut left = given;
    let example = Maker { contract, left: &mut left }.make(ty, rules);
    *stock -= given - left;
    example
}

/// What an `@example` says of a type: the bare text for what JSON writes as a text, JSON for everything else.
///
/// # Errors
/// A text that is not JSON.
pub(crate) fn written(contract: &Contract, ty: &Type, example: &str) -> Result<Value, String> {
    match contract.resolve(ty) {
        Type::String | Type::Char | Type::Bytes | Type::U64 | Type::S64 => return Ok(bare_text(example)),
        Type::Named(id) if matches!(contract.named(*id).map(|it| &it.kind), Some(TypeKind::Enum(_))) => {
            return Ok(bare_text(example));
        }
        _ => {}
    }
    serde_json::from_str(example).map_err(|error| format!("it is not JSON: {error}"))
}

/// A text as it stands, or out of the quotation marks of a JSON string.
fn bare_text(example: &str) -> Value {
    serde_json::from_str(example).ok().filter(Value::is_string).unwrap_or_else(|| json!(example))
}

struct Maker<'a> {
    contract: &'a Contract,
    left: &'a mut usize,
}

impl Maker<'_> {
    fn make(&mut self, ty: &Type, rules: &Rules) -> Option<Value> {
        *self.left = self.left.checked_sub(1)?;
        let (target, rules) = self.contract.held(ty, rules);
        if let Some(example) = &rules.example {
            return written(self.contract, target, example).ok();
        }
        match target {
            Type::Bool => Some(json!(true)),
            Type::F32 | Type::F64 => Some(json!(1.5)),
            Type::Char => Some(json!("a")),
            Type::String => text(&rules),
            Type::Bytes => bytes(&rules),
            Type::List(item) => self.list(item, &rules),
            Type::Tuple(items) => {
                items.iter().map(|item| self.bare(item)).collect::<Option<Vec<Value>>>().map(Value::Array)
            }
            // `held` looks into options.
            Type::Option(_) => None,
            Type::Result(ok, _) => match ok {
                Some(ok) => self.bare(ok).map(|ok| json!({ "ok": ok })),
                None => Some(json!({ "ok": null })),
            },
            Type::Named(id) => self.named(&self.contract.named(*id)?.kind),
            number => {
                let (least, most) = number.range()?;
                let simplest = 1.max(rules.min.unwrap_or(least)).min(rules.max.unwrap_or(most));
                match number {
                    Type::U64 | Type::S64 => Some(json!(simplest.to_string())),
                    _ => i64::try_from(simplest).ok().map(|number| json!(number)),
                }
            }
        }
    }

    fn bare(&mut self, ty: &Type) -> Option<Value> {
        self.make(ty, &Rules::default())
    }

    fn list(&mut self, item: &Type, rules: &Rules) -> Option<Value> {
        let least = rules.min.unwrap_or_default();
        let count = least.max(1).min(rules.max.unwrap_or(i128::MAX));
        if count > MAX_ITEMS {
            return None;
        }
        let mut items = Vec::new();
        for _ in 0..count {
            match self.bare(item) {
                Some(item) => items.push(item),
                // An empty list is a sure example of a list that may be empty.
                None if least <= 0 => return Some(json!([])),
                None => return None,
            }
        }
        Some(Value::Array(items))
    }

    fn named(&mut self, kind: &TypeKind) -> Option<Value> {
        match kind {
            TypeKind::Alias(_) => None,
            TypeKind::Record(fields) => {
                let mut members = Map::new();
                for field in fields {
                    match self.make(&field.ty, &field.rules) {
                        Some(value) => {
                            members.insert(field.json.as_ref().to_owned(), value);
                        }
                        None if schema::is_option(self.contract, &field.ty) => {}
                        None => return None,
                    }
                }
                Some(Value::Object(members))
            }
            TypeKind::Variant(cases) => {
                let case = cases.first()?;
                match &case.payload {
                    None => Some(json!({ "kind": &*case.name })),
                    Some(payload) => {
                        self.bare(payload).map(|value| json!({ "kind": &*case.name, "value": value }))
                    }
                }
            }
            TypeKind::Enum(labels) => labels.first().map(|label| json!(&*label.name)),
            TypeKind::Flags(labels) => labels.first().map(|label| json!([&*label.name])),
        }
    }
}

/// Whether a text or bytes of this length keep the bounds.
fn fits(length: usize, rules: &Rules) -> bool {
    let length = i128::try_from(length).unwrap_or(i128::MAX);
    rules.min.is_none_or(|min| min <= length) && rules.max.is_none_or(|max| max >= length)
}

fn text(rules: &Rules) -> Option<Value> {
    let example = match (rules.format, &rules.pattern) {
        (_, Some(_)) => return None,
        (Some(Format::Date), _) => "2025-07-01",
        (Some(Format::DateTime), _) => "2025-07-01T08:30:00+07:00",
        (Some(Format::Email), _) => "lien-he@example.vn",
        (Some(Format::Uri), _) => "https://example.vn/",
        (Some(Format::Uuid), _) => "0197c0de-0000-7000-8000-000000000000",
        (None, None) => "Văn bản",
    };
    fits(example.chars().count(), rules).then(|| json!(example))
}

fn bytes(rules: &Rules) -> Option<Value> {
    fits("Trục".len(), rules).then(|| json!("VHLhu6Vj"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_bare_text_or_json_by_its_type() {
        let contract = crate::read_sources(&[(
            "a.wit".to_owned(),
            "/// A.\npackage a:b@1.0.0;\ninterface i { enum e { null, one } /// F.\nf: func(e: e, n: u32); }\n\
             world connector { export i; }"
                .to_owned(),
        )])
        .unwrap();
        let [e, n] = &contract.operations[0].parameters[..] else { panic!("two parameters") };
        assert_eq!(written(&contract, &e.ty, "null"), Ok(json!("null")));
        assert_eq!(written(&contract, &n.ty, "12"), Ok(json!(12)));
        assert!(written(&contract, &n.ty, "twelve").unwrap_err().contains("not JSON"));
        assert_eq!(written(&contract, &Type::String, "12"), Ok(json!("12")));
        assert_eq!(written(&contract, &Type::String, "\"12\""), Ok(json!("12")));
        assert_eq!(written(&contract, &Type::String, "\"a\" and \"b\""), Ok(json!("\"a\" and \"b\"")));
        assert_eq!(written(&contract, &Type::U64, "150000"), Ok(json!("150000")));
    }
}
