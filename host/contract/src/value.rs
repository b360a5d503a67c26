//! Whether a JSON value fits a type under its rules. Examples are checked with this; what callers send is decoded and
//! checked elsewhere, without a tree of values.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value};

use crate::model::{Contract, Field, Rules, Type, TypeKind};
use crate::schema;

/// Where and why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// A JSON Pointer into the value.
    pointer: String,
    reason: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => f.write_str(&self.reason),
            pointer => write!(f, "{pointer}: {}", self.reason),
        }
    }
}

impl Misfit {
    fn here(reason: impl Into<String>) -> Self {
        Self { pointer: String::new(), reason: reason.into() }
    }

    fn within(self, step: impl fmt::Display) -> Self {
        Self { pointer: format!("/{step}{}", self.pointer), ..self }
    }
}

/// Says where a value first breaks its type or the rules of its place.
pub(crate) fn check(contract: &Contract, ty: &Type, rules: &Rules, value: &Value) -> Result<(), Misfit> {
    let rules = rules.over(&contract.rules_of(ty));
    let bare = |ty: &Type, value: &Value| check(contract, ty, &Rules::default(), value);
    match contract.resolve(ty) {
        Type::Bool => ensure(value.is_boolean(), "write true or false"),
        Type::F32 => {
            let fits = value.as_f64().is_some_and(|number| number.abs() <= f64::from(f32::MAX));
            ensure(fits, "write a number that fits 32 bits")
        }
        Type::F64 => ensure(value.is_number(), "write a number"),
        Type::Char => {
            let fits = value.as_str().is_some_and(|text| text.chars().count() == 1);
            ensure(fits, "write a text of exactly one character")
        }
        Type::String => text(value, &rules),
        Type::Bytes => {
            let bytes = value.as_str().and_then(|text| BASE64.decode(text).ok());
            let bytes = bytes.ok_or_else(|| Misfit::here("write base64 with padding"))?;
            length(bytes.len(), &rules, "bytes")
        }
        Type::List(item) => {
            let items = array(value)?;
            length(items.len(), &rules, "items")?;
            each(items.iter().map(|value| bare(item, value)))
        }
        Type::Tuple(types) => {
            let items = array(value)?;
            ensure(items.len() == types.len(), format!("write {} items", types.len()))?;
            each(types.iter().zip(items).map(|(ty, value)| bare(ty, value)))
        }
        Type::Option(_) if value.is_null() => Ok(()),
        Type::Option(inner) => check(contract, inner, &rules, value),
        Type::Result(ok, err) => {
            let object = object(value)?;
            let (side, ty) = match object.keys().next().map(String::as_str) {
                Some("ok") => ("ok", ok),
                Some("err") => ("err", err),
                _ => return Err(Misfit::here("write `ok` or `err`")),
            };
            ensure(object.len() == 1, "write one of `ok` and `err`")?;
            let value = object.get(side).unwrap_or(&Value::Null);
            let checked = match ty {
                Some(ty) => bare(ty, value),
                None => ensure(value.is_null(), "write null"),
            };
            checked.map_err(|misfit| misfit.within(side))
        }
        Type::Named(id) => match contract.named(*id).map(|definition| &definition.kind) {
            Some(TypeKind::Record(fields)) => record(contract, fields, object(value)?),
            Some(TypeKind::Variant(cases)) => {
                let object = object(value)?;
                let kind = object.get("kind").and_then(Value::as_str);
                let case = cases.iter().find(|case| Some(&*case.name) == kind);
                let case = case.ok_or_else(|| Misfit::here("write the name of a case as `kind`"))?;
                let members = 1 + usize::from(object.contains_key("value"));
                ensure(object.len() == members, "write `kind` and `value` only")?;
                match (&case.payload, object.get("value")) {
                    (None, None) => Ok(()),
                    (None, Some(_)) => Err(Misfit::here("the case carries no `value`")),
                    (Some(ty), value) => {
                        bare(ty, value.unwrap_or(&Value::Null)).map_err(|misfit| misfit.within("value"))
                    }
                }
            }
            Some(TypeKind::Enum(labels)) => {
                let fits = labels.iter().any(|label| value.as_str() == Some(&*label.name));
                ensure(fits, "write the name of a case")
            }
            Some(TypeKind::Flags(labels)) => {
                let items = array(value)?;
                let known = |item: &Value| labels.iter().any(|label| item.as_str() == Some(&*label.name));
                ensure(items.iter().all(known), "write names of flags")?;
                let once =
                    |(index, item): (usize, &Value)| !items.iter().take(index).any(|other| other == item);
                ensure(items.iter().enumerate().all(once), "write each flag once")
            }
            Some(TypeKind::Alias(_)) | None => Ok(()),
        },
        number => integer(number, value, &rules),
    }
}

fn ensure(fits: bool, reason: impl Into<String>) -> Result<(), Misfit> {
    if fits { Ok(()) } else { Err(Misfit::here(reason)) }
}

fn each(mut checked: impl Iterator<Item = Result<(), Misfit>>) -> Result<(), Misfit> {
    let mut index = 0_usize;
    checked.try_for_each(|checked| {
        let here = index;
        index += 1;
        checked.map_err(|misfit| misfit.within(here))
    })
}

fn array(value: &Value) -> Result<&Vec<Value>, Misfit> {
    value.as_array().ok_or_else(|| Misfit::here("write a JSON array"))
}

fn object(value: &Value) -> Result<&Map<String, Value>, Misfit> {
    value.as_object().ok_or_else(|| Misfit::here("write a JSON object"))
}

fn integer(ty: &Type, value: &Value, rules: &Rules) -> Result<(), Misfit> {
    let Some((least, most)) = ty.range() else { return Ok(()) };
    let number = match (ty, value) {
        (Type::U64 | Type::S64, Value::String(text)) => text.parse().ok(),
        _ => value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from)),
    };
    let (least, most) = (rules.min.unwrap_or(least), rules.max.unwrap_or(most));
    let fits = number.is_some_and(|number| (least..=most).contains(&number));
    ensure(fits, format!("write a whole number from {least} to {most}"))
}

fn length(length: usize, rules: &Rules, unit: &str) -> Result<(), Misfit> {
    let length = i128::try_from(length).unwrap_or(i128::MAX);
    match (rules.min, rules.max) {
        (Some(min), _) if length < min => {
            Err(Misfit::here(format!("{length} {unit}; at least {min} are needed")))
        }
        (_, Some(max)) if length > max => {
            Err(Misfit::here(format!("{length} {unit}; at most {max} are allowed")))
        }
        _ => Ok(()),
    }
}

fn text(value: &Value, rules: &Rules) -> Result<(), Misfit> {
    let text = value.as_str().ok_or_else(|| Misfit::here("write a text"))?;
    length(text.chars().count(), rules, "characters")?;
    if let Some(format) = rules.format
        && !format.fits(text)
    {
        return Err(Misfit::here(format!("it is not of the format {}", format.as_str())));
    }
    match &rules.pattern {
        Some(pattern) if !pattern.is_match(text) => {
            Err(Misfit::here(format!("it must match {}", pattern.as_str())))
        }
        _ => Ok(()),
    }
}

fn record(contract: &Contract, fields: &[Field], object: &Map<String, Value>) -> Result<(), Misfit> {
    if let Some(unknown) = object.keys().find(|name| !fields.iter().any(|field| *field.json == ***name)) {
        return Err(Misfit::here("there is no such member").within(unknown));
    }
    for field in fields {
        let checked = match object.get(&*field.json) {
            Some(value) => check(contract, &field.ty, &field.rules, value),
            None => ensure(schema::is_option(contract, &field.ty), "it is missing"),
        };
        checked.map_err(|misfit| misfit.within(&field.json))?;
    }
    Ok(())
}
