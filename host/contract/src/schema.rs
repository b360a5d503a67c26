//! Types to JSON Schema (2020-12), as OpenAPI 3.1 embeds it and as documents of their own hold it.

use serde_json::{Map, Value, json};

use crate::example;
use crate::model::{Case, Contract, Field, Label, Pii, Rules, Type, TypeDef, TypeId, TypeKind};

/// The name of the schema of problem documents; no type of a contract has it.
pub(crate) const PROBLEM_DETAILS: &str = "ProblemDetails";

/// What base64 with padding looks like (RFC 4648, section 4). `contentEncoding` alone is only a remark.
const BASE64: &str = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// How schemas refer to those of named types.
#[derive(Debug, Clone, Copy)]
pub(crate) enum References<'a> {
    /// Components of one OpenAPI document, whose names begin with a prefix.
    Components(&'a str),
    /// Documents of their own, below an address without a slash at its end.
    Addresses(&'a str),
}

impl References<'_> {
    /// The reference to the type of this name.
    pub(crate) fn to(self, name: &str) -> String {
        match self {
            References::Components(prefix) => format!("#/components/schemas/{prefix}{name}"),
            References::Addresses(base) => format!("{base}/{name}.json"),
        }
    }
}

/// Writes the schemas of a contract's types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SchemaWriter<'a> {
    pub(crate) contract: &'a Contract,
    pub(crate) references: References<'a>,
}

impl SchemaWriter<'_> {
    /// The schema of a type where it is used: named types by reference, under the rules of the place.
    pub(crate) fn used(&self, ty: &Type, rules: &Rules, docs: &str) -> Value {
        let mut schema = self.bare(ty);
        constrain(self.contract, ty, rules, &mut schema);
        describe(&mut schema, docs, rules);
        exemplify(self.contract, ty, rules, &mut schema);
        Value::Object(schema)
    }

    /// The schema of a named type itself.
    pub(crate) fn definition(&self, id: TypeId, definition: &TypeDef) -> Map<String, Value> {
        let mut schema = match &definition.kind {
            TypeKind::Alias(target) => {
                let mut schema = self.bare(target);
                constrain(self.contract, target, &definition.rules, &mut schema);
                schema
            }
            TypeKind::Record(fields) => self.record(fields),
            TypeKind::Variant(cases) => self.variant(&definition.name, cases),
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
        exemplify(self.contract, &Type::Named(id), &definition.rules, &mut schema);
        schema
    }

    fn record(&self, fields: &[Field]) -> Map<String, Value> {
        let properties = fields
            .iter()
            .map(|field| (field.json.as_ref().to_owned(), self.used(&field.ty, &field.rules, &field.docs)))
            .collect();
        let required: Vec<&str> = fields
            .iter()
            .filter(|field| !is_option(self.contract, &field.ty))
            .map(|field| field.json.as_ref())
            .collect();
        object(properties, &required)
    }

    fn variant(&self, name: &str, cases: &[Case]) -> Map<String, Value> {
        let mut schema = Map::new();
        match self.references {
            // OpenAPI's discriminator chooses among components only.
            References::Components(_) => {
                let reference = |case: &Case| self.references.to(&case_name(name, case));
                let alternatives = cases.iter().map(|case| json!({ "$ref": reference(case) }));
                schema.insert("oneOf".to_owned(), alternatives.collect());
                let mapping: Map<String, Value> = cases
                    .iter()
                    .map(|case| (case.name.as_ref().to_owned(), json!(reference(case))))
                    .collect();
                let discriminator = json!({ "propertyName": "kind", "mapping": mapping });
                schema.insert("discriminator".to_owned(), discriminator);
            }
            References::Addresses(_) => {
                let alternatives = cases.iter().map(|case| self.case(case));
                schema.insert("oneOf".to_owned(), alternatives.collect());
            }
        }
        schema
    }

    /// The schemas of the cases that a type's definition refers to as components, by name.
    pub(crate) fn cases(&self, definition: &TypeDef) -> Vec<(String, Value)> {
        match (&definition.kind, self.references) {
            (TypeKind::Variant(cases), References::Components(_)) => {
                cases.iter().map(|case| (case_name(&definition.name, case), self.case(case))).collect()
            }
            _ => Vec::new(),
        }
    }

    fn case(&self, case: &Case) -> Value {
        let mut properties = Map::new();
        properties.insert("kind".to_owned(), json!({ "const": &*case.name }));
        let mut required = vec!["kind"];
        if let Some(payload) = &case.payload {
            properties.insert("value".to_owned(), self.used(payload, &Rules::default(), ""));
            if !is_option(self.contract, payload) {
                required.push("value");
            }
        }
        let mut schema = object(properties, &required);
        describe(&mut schema, &case.docs, &Rules::default());
        Value::Object(schema)
    }

    fn bare(&self, ty: &Type) -> Map<String, Value> {
        let inner = |ty: &Type| self.used(ty, &Rules::default(), "");
        let schema = match ty {
            Type::Bool => json!({ "type": "boolean" }),
            Type::U8 | Type::U16 | Type::U32 | Type::S8 | Type::S16 | Type::S32 => {
                let (least, most) = ty.range().unzip();
                json!({ "type": "integer", "minimum": small(least), "maximum": small(most) })
            }
            Type::U64 => json!({ "type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$" }),
            Type::S64 => json!({ "type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$" }),
            Type::F32 | Type::F64 => json!({ "type": "number" }),
            Type::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
            Type::String => json!({ "type": "string" }),
            Type::Bytes => json!({ "type": "string", "contentEncoding": "base64", "pattern": BASE64 }),
            Type::List(item) => json!({ "type": "array", "items": inner(item) }),
            Type::Tuple(items) => {
                let prefix: Vec<Value> = items.iter().map(inner).collect();
                let count = items.len();
                // `items: false` would say the same as `maxItems`, but not every reader knows schemas that are booleans.
                json!({
                    "type": "array", "prefixItems": prefix, "items": {}, "minItems": count, "maxItems": count,
                })
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
            Type::Named(id) => match self.contract.named(*id) {
                Some(definition) => json!({ "$ref": self.references.to(&definition.name) }),
                None => json!({}),
            },
        };
        match schema {
            Value::Object(schema) => schema,
            _ => Map::new(),
        }
    }
}

/// The name of the component that is a variant's case; types have no hyphens in their names.
fn case_name(variant: &str, case: &Case) -> String {
    format!("{variant}-{}", case.name)
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

/// A bound as JSON; none where there is none or JSON numbers do not hold it everywhere.
fn small(bound: Option<i128>) -> Option<i64> {
    bound.and_then(|bound| i64::try_from(bound).ok())
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
    let (min, max) = (small(rules.min), small(rules.max));
    match target {
        Type::String => {
            set("format", rules.format.map(|format| json!(format.as_str())));
            set("pattern", rules.pattern.as_ref().map(|pattern| json!(pattern.as_str())));
            set("minLength", min.map(Value::from));
            set("maxLength", max.map(Value::from));
        }
        Type::List(_) => {
            set("minItems", min.map(Value::from));
            set("maxItems", max.map(Value::from));
        }
        Type::U8 | Type::U16 | Type::U32 | Type::S8 | Type::S16 | Type::S32 => {
            set("minimum", min.map(Value::from));
            set("maximum", max.map(Value::from));
        }
        // Base64 writes three bytes as four characters.
        Type::Bytes => {
            let characters = |bytes: i64| Value::from(4 * bytes.unsigned_abs().div_ceil(3));
            set("minLength", min.map(characters));
            set("maxLength", max.map(characters));
            set("description", bounds(rules, "bytes").map(Value::from));
        }
        // JSON Schema cannot bound a number that is written as a text.
        Type::U64 | Type::S64 => set("description", bounds(rules, "").map(Value::from)),
        _ => {}
    }
}

/// Bounds in words.
fn bounds(rules: &Rules, unit: &str) -> Option<String> {
    let text = match (rules.min, rules.max) {
        (Some(min), Some(max)) => format!("From {min} to {max} {unit}"),
        (Some(min), None) => format!("At least {min} {unit}"),
        (None, Some(max)) => format!("At most {max} {unit}"),
        (None, None) => return None,
    };
    Some(format!("{}.", text.trim_end()))
}

/// Adds what `@example` says here; what it says elsewhere stands there.
fn exemplify(contract: &Contract, ty: &Type, rules: &Rules, schema: &mut Map<String, Value>) {
    let (target, _) = contract.held(ty, rules);
    let example = rules.example.as_ref().and_then(|text| example::written(contract, target, text).ok());
    schema.extend(example.map(|example| ("examples".to_owned(), json!([example]))));
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
