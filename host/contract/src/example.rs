//! Examples: one JSON value per type, from `@example` directives and, where those are missing, the simplest value there
//! is. Nothing is made up where a pattern could refuse it.

use serde_json::{Map, Number, Value, json};

use crate::model::{Contract, Format, Rules, Type, TypeKind};

/// An example of a type under the rules of its place; none where nothing sure can be said.
pub fn of(contract: &Contract, ty: &Type, rules: &Rules) -> Option<Value> {
    let rules = rules.over(&contract.rules_of(ty));
    let target = contract.resolve(ty);
    if let Type::Option(inner) = target {
        return of(contract, inner, &rules);
    }
    if let Some(example) = &rules.example {
        return Some(written(target, example));
    }
    match target {
        Type::Bool => Some(json!(true)),
        Type::U8 | Type::U16 | Type::U32 | Type::S8 | Type::S16 | Type::S32 => {
            let least = rules.min.and_then(|min| i64::try_from(min).ok()).unwrap_or(1);
            Some(json!(least))
        }
        Type::U64 | Type::S64 => Some(json!("1")),
        Type::F32 | Type::F64 => Some(json!(1.5)),
        Type::Char => Some(json!("a")),
        Type::String => text(&rules),
        Type::Bytes => Some(json!("VHLhu6Vj")),
        Type::List(item) => of(contract, item, &Rules::default()).map(|item| json!([item])),
        Type::Tuple(items) => {
            let items = items.iter().map(|item| of(contract, item, &Rules::default()));
            items.collect::<Option<Vec<Value>>>().map(Value::Array)
        }
        Type::Option(_) => None,
        Type::Result(ok, _) => match ok {
            Some(ok) => of(contract, ok, &Rules::default()).map(|ok| json!({ "ok": ok })),
            None => Some(json!({ "ok": null })),
        },
        Type::Named(id) => match &contract.named(*id)?.kind {
            TypeKind::Alias(_) => None,
            TypeKind::Record(fields) => {
                let members = fields.iter().map(|field| {
                    let value = of(contract, &field.ty, &field.rules)?;
                    Some((field.json.as_ref().to_owned(), value))
                });
                members.collect::<Option<Map<String, Value>>>().map(Value::Object)
            }
            TypeKind::Variant(cases) => {
                let case = cases.first()?;
                match &case.payload {
                    None => Some(json!({ "kind": &*case.name })),
                    Some(payload) => {
                        let value = of(contract, payload, &Rules::default())?;
                        Some(json!({ "kind": &*case.name, "value": value }))
                    }
                }
            }
            TypeKind::Enum(labels) => labels.first().map(|label| json!(&*label.name)),
            TypeKind::Flags(labels) => labels.first().map(|label| json!([&*label.name])),
        },
    }
}

/// What an `@example` says: the bare text for texts, JSON for everything else.
fn written(ty: &Type, example: &str) -> Value {
    match ty {
        Type::String | Type::Char | Type::Bytes | Type::U64 | Type::S64 => json!(example.trim_matches('"')),
        _ => serde_json::from_str(example).unwrap_or_else(|_| match example.parse::<i64>() {
            Ok(number) => Value::Number(Number::from(number)),
            Err(_) => json!(example),
        }),
    }
}

fn text(rules: &Rules) -> Option<Value> {
    let plain = "Văn bản";
    match (rules.format, &rules.pattern) {
        (_, Some(_)) => None,
        (Some(Format::Date), _) => Some(json!("2025-07-01")),
        (Some(Format::DateTime), _) => Some(json!("2025-07-01T08:30:00+07:00")),
        (Some(Format::Email), _) => Some(json!("lien-he@example.vn")),
        (Some(Format::Uri), _) => Some(json!("https://example.vn/")),
        (Some(Format::Uuid), _) => Some(json!("0197c0de-0000-7000-8000-000000000000")),
        (None, None) => {
            let length = i128::try_from(plain.chars().count()).unwrap_or_default();
            let fits = rules.min.is_none_or(|min| min <= length) && rules.max.is_none_or(|max| max >= length);
            fits.then(|| json!(plain))
        }
    }
}
