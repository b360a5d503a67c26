//! Types to JSON Schema (2020-12), as OpenAPI 3.1 embeds it.

use serde_json::{Map, Value, json};

use crate::model::{Contract, Field, Label, Pii, Rules, Type, TypeDef, TypeKind};

/// Where schemas of named types are found in an OpenAPI document.
const SCHEMAS: &str = "#/components/schemas/";

/// The schema of a type where it is used: named types by reference, under the rules of the place.
pub fn of(contract: &Contract, ty: &Type, rules: &Rules, docs: &str) -> Value {
    let mut schema = bare(contract, ty);
    constrain(contract, ty, rules, &mut schema);
    describe(&mut schema, docs, rules);
    Value::Object(schema)
}

/// The schema of a named type's definition.
pub fn of_definition(contract: &Contract, definition: &TypeDef) -> Value {
    let mut schema = match &definition.kind {
        TypeKind::Alias(target) => {
            let mut schema = bare(contract, target);
            constrain(contract, target, &definition.rules, &mut schema);
            schema
        }
        TypeKind::Record(fields) => record(contract, fields),
        TypeKind::Variant(cases) => {
            let cases = cases.iter().map(|case| {
                let mut properties = Map::new();
                properties.insert("kind".to_owned(), json!({ "const": &*case.name }));
                let mut required = vec!["kind"];
                if let Some(payload) = &case.payload {
                    properties.insert("value".to_owned(), of(contract, payload, &Rules::default(), ""));
                    if !is_option(contract, payload) {
                        required.push("value");
                    }
                }
                let mut schema = object(properties, &required);
                describe(&mut schema, &case.docs, &Rules::default());
                Value::Object(schema)
            });
            let mut schema = Map::new();
            schema.insert("oneOf".to_owned(), cases.collect());
            schema.insert("discriminator".to_owned(), json!({ "propertyName": "kind" }));
            schema
        }
        TypeKind::Enum(labels) => enumeration(labels),
        TypeKind::Flags(labels) => {
            let mut schema = Map::new();
            schema.insert("type".to_owned(), json!("array"));
            schema.insert("items".to_owned(), Value::Object(enumeration(labels)));
            schema.insert("uniqueItems".to_owned(), json!(true));
            schema
        }
    };
    describe(&mut schema, &definition.docs, &definition.rules);
    Value::Object(schema)
}

fn record(contract: &Contract, fields: &[Field]) -> Map<String, Value> {
    let properties = fields
        .iter()
        .map(|field| (field.json.as_ref().to_owned(), of(contract, &field.ty, &field.rules, &field.docs)))
        .collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| !is_option(contract, &field.ty)).map(|field| field.json.as_ref()).collect();
    object(properties, &required)
}

/// The schema of an object with exactly these members.
pub(crate) fn object(properties: Map<String, Value>, required: &[&str]) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

/// Whether a member of this type may be absent.
pub(crate) fn is_option(contract: &Contract, ty: &Type) -> bool {
    matches!(contract.resolve(ty), Type::Option(_))
}

fn enumeration(labels: &[Label]) -> Map<String, Value> {
    let names: Vec<&str> = labels.iter().map(|label| label.name.as_ref()).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), json!(names));
    let documented = labels.iter().filter(|label| !label.docs.is_empty());
    let lines: Vec<String> = documented.map(|label| format!("* `{}`: {}", label.name, label.docs)).collect();
    if !lines.is_empty() {
        schema.insert("description".to_owned(), json!(lines.join("\n")));
    }
    schema
}

fn bare(contract: &Contract, ty: &Type) -> Map<String, Value> {
    let inner = |ty: &Type| of(contract, ty, &Rules::default(), "");
    let integer = |min: i64, max: i64| json!({ "type": "integer", "minimum": min, "maximum": max });
    let schema = match ty {
        Type::Bool => json!({ "type": "boolean" }),
        Type::U8 => integer(0, u8::MAX.into()),
        Type::U16 => integer(0, u16::MAX.into()),
        Type::U32 => integer(0, u32::MAX.into()),
        Type::S8 => integer(i8::MIN.into(), i8::MAX.into()),
        Type::S16 => integer(i16::MIN.into(), i16::MAX.into()),
        Type::S32 => integer(i32::MIN.into(), i32::MAX.into()),
        Type::U64 => json!({ "type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$" }),
        Type::S64 => json!({ "type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$" }),
        Type::F32 | Type::F64 => json!({ "type": "number" }),
        Type::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
        Type::String => json!({ "type": "string" }),
        Type::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
        Type::List(item) => json!({ "type": "array", "items": inner(item) }),
        Type::Tuple(items) => {
            let prefix: Vec<Value> = items.iter().map(inner).collect();
            json!({ "type": "array", "prefixItems": prefix, "items": false, "minItems": items.len() })
        }
        // An absent option is left out; `null` is taken for the same.
        Type::Option(item) => json!({ "anyOf": [inner(item), { "type": "null" }] }),
        Type::Result(ok, err) => {
            let side = |name: &str, ty: &Option<Box<Type>>| {
                let value = ty.as_ref().map_or_else(|| json!({ "type": "null" }), |ty| inner(ty));
                Value::Object(object(Map::from_iter([(name.to_owned(), value)]), &[name]))
            };
            json!({ "oneOf": [side("ok", ok), side("err", err)] })
        }
        Type::Named(id) => match contract.named(*id) {
            Some(definition) => json!({ "$ref": format!("{SCHEMAS}{}", definition.name) }),
            None => json!({}),
        },
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

/// Adds the rules as keywords that fit the type.
fn constrain(contract: &Contract, ty: &Type, rules: &Rules, schema: &mut Map<String, Value>) {
    let target = contract.resolve(ty);
    if let Type::Option(item) = target {
        if let Some(Value::Object(inner)) =
            schema.get_mut("anyOf").and_then(|alternatives| alternatives.get_mut(0))
        {
            constrain(contract, item, rules, inner);
        }
        return;
    }
    let mut set = |keyword: &str, value: Option<Value>| {
        if let Some(value) = value {
            schema.insert(keyword.to_owned(), value);
        }
    };
    let bound = |bound: Option<i128>| bound.and_then(|bound| i64::try_from(bound).ok()).map(Value::from);
    match target {
        Type::String => {
            set("format", rules.format.map(|format| json!(format.as_str())));
            set("pattern", rules.pattern.as_ref().map(|pattern| json!(pattern.as_str())));
            set("minLength", bound(rules.min));
            set("maxLength", bound(rules.max));
        }
        Type::List(_) => {
            set("minItems", bound(rules.min));
            set("maxItems", bound(rules.max));
        }
        Type::U8 | Type::U16 | Type::U32 | Type::S8 | Type::S16 | Type::S32 => {
            set("minimum", bound(rules.min));
            set("maximum", bound(rules.max));
        }
        _ => {}
    }
}

fn describe(schema: &mut Map<String, Value>, docs: &str, rules: &Rules) {
    if !docs.is_empty() {
        let text = match schema.get("description").and_then(Value::as_str) {
            Some(below) => format!("{docs}\n\n{below}"),
            None => docs.to_owned(),
        };
        schema.insert("description".to_owned(), json!(text));
    }
    if let Some(pii) = rules.pii {
        let class = match pii {
            Pii::Basic => "basic",
            Pii::Sensitive => "sensitive",
        };
        schema.insert("x-personal-data".to_owned(), json!(class));
    }
}
