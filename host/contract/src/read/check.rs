//! What must hold beyond the types themselves: places of parameters, rules and examples, names and routes.

use std::collections::{BTreeMap, HashMap};

use super::{At, ContractError, Reader};
use crate::example;
use crate::model::{Operation, Place, Rules, Type, TypeKind};
use crate::names::camel;
use crate::openapi;
use crate::path::{Method, Segment};

/// The route of the service's own document.
const DOCUMENT_ROUTE: &str = "/openapi.json";

impl Reader<'_> {
    pub(super) fn check_place(&self, place: Place, ty: &Type, at: &At) -> Result<(), ContractError> {
        let fits = match (place, self.contract.resolve(ty)) {
            (Place::Path, scalar) => self.is_scalar(scalar),
            (Place::Query, Type::Option(inner) | Type::List(inner)) => {
                self.is_scalar(self.contract.resolve(inner))
            }
            (Place::Query, scalar) => self.is_scalar(scalar),
            _ => true,
        };
        match (fits, place) {
            (true, _) => Ok(()),
            (false, Place::Path) => self.refuse(at, "a path segment binds a number, text, boolean or enumeration"),
            (false, _) => self.refuse(
                at,
                "the query binds numbers, texts, booleans and enumerations, options and lists of them; use POST for more",
            ),
        }
    }

    fn is_scalar(&self, ty: &Type) -> bool {
        match ty {
            Type::Named(_) => matches!(self.kind_of(ty), Some(TypeKind::Enum(_))),
            Type::Bytes | Type::List(_) | Type::Tuple(_) | Type::Option(_) | Type::Result(..) => false,
            _ => true,
        }
    }

    /// Two WIT names that become one in JSON would hide one another.
    pub(super) fn check_camel<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
        at: &At,
    ) -> Result<(), ContractError> {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for name in names {
            if let Some(other) = seen.insert(camel(name), name) {
                let json = camel(name);
                return self
                    .refuse(at, format!("`{other}` and `{name}` are both `{json}` in JSON; rename one"));
            }
        }
        Ok(())
    }

    /// The rules of a field or parameter must make sense for its type and go with those of the type.
    pub(super) fn check_rules(&self, own: &Rules, ty: &Type, at: &At) -> Result<(), ContractError> {
        self.check_bounds(own, ty, at)?;
        match own.constrain() || own.example.is_some() {
            true => self.check_example(own, ty, at),
            false => Ok(()),
        }
    }

    /// Rules may narrow what the type itself says, never widen it: whoever reads the OpenAPI document sees both.
    pub(super) fn check_bounds(&self, own: &Rules, ty: &Type, at: &At) -> Result<(), ContractError> {
        if !own.constrain() {
            return Ok(());
        }
        let (target, under) = self.contract.held(ty, &Rules::default());
        if own.format.is_some() && *target != Type::String {
            return self.refuse(at, "`@format` goes with texts only");
        }
        if own.pattern.is_some() && *target != Type::String {
            return self.refuse(at, "`@pattern` goes with texts only");
        }
        for (directive, own, under) in [
            ("format", own.format.is_some(), under.format.is_some()),
            ("pattern", own.pattern.is_some(), under.pattern.is_some()),
        ] {
            if own && under {
                return self.refuse(at, format!("`@{directive}`: its type has one already"));
            }
        }
        let Some((least, most)) = bounds(target) else {
            return match own.min.is_some() || own.max.is_some() {
                true => {
                    self.refuse(at, "`@min` and `@max` go with whole numbers, texts, bytes and lists only")
                }
                false => Ok(()),
            };
        };
        let (least, most) = (under.min.unwrap_or(least), under.max.unwrap_or(most));
        for (directive, bound) in [("min", own.min), ("max", own.max)] {
            if let Some(bound) = bound.filter(|bound| !(least..=most).contains(bound)) {
                return self.refuse(at, format!("`@{directive}` {bound}: its type allows {least} to {most}"));
            }
        }
        match (own.min, own.max) {
            (Some(min), Some(max)) if min > max => {
                self.refuse(at, format!("`@min` {min} is above `@max` {max}"))
            }
            _ => Ok(()),
        }
    }

    /// The example in force at a place must keep the rules in force there.
    pub(super) fn check_example(&self, own: &Rules, ty: &Type, at: &At) -> Result<(), ContractError> {
        let (target, rules) = self.contract.held(ty, own);
        let Some(text) = &rules.example else { return Ok(()) };
        let checked = example::written(&self.contract, target, text).and_then(|value| {
            crate::value::check(&self.contract, target, &rules, &value).map_err(|m| m.to_string())
        });
        match checked {
            Ok(()) => Ok(()),
            Err(misfit) if own.constrain() && own.example.is_none() => {
                let reason = format!(
                    "`{text}`, the example of its type, does not fit here: {misfit}; give it an `@example`"
                );
                self.refuse(at, reason)
            }
            Err(misfit) => self.refuse(at, format!("`@example {text}` does not fit: {misfit}")),
        }
    }

    /// No two operations on one route, and none on the platform's own.
    pub(super) fn check_routes(&self, places: &[At]) -> Result<(), ContractError> {
        let mut taken: HashMap<(Method, Vec<Option<&str>>), &Operation> = HashMap::new();
        for (operation, at) in self.contract.operations.iter().zip(places) {
            let (method, path) = (operation.method, &operation.path);
            if method == Method::Get && path.as_str() == DOCUMENT_ROUTE {
                return self
                    .refuse(at, format!("{method} {path} is the route of the service's OpenAPI document"));
            }
            let shape = path.segments().iter().map(|segment| match segment {
                Segment::Literal(text) => Some(text.as_str()),
                Segment::Parameter(_) => None,
            });
            if let Some(earlier) = taken.insert((method, shape.collect()), operation) {
                return self.refuse(at, format!("{method} {path} is already the route of {}", earlier.name));
            }
        }
        Ok(())
    }

    /// Clients are generated with one method per operation, so their names must differ too.
    pub(super) fn check_identifiers(&self, places: &[At]) -> Result<(), ContractError> {
        let mut taken: HashMap<String, &Operation> = HashMap::new();
        for (operation, at) in self.contract.operations.iter().zip(places) {
            let id = openapi::operation_id(operation);
            if let Some(earlier) = taken.insert(id.clone(), operation) {
                return self.refuse(
                    at,
                    format!("its `operationId` {id} is that of {} too; rename one", earlier.name),
                );
            }
        }
        Ok(())
    }
}

/// What `@min` and `@max` may say of a type: its numbers, or its lengths; none where there is nothing to bound.
fn bounds(ty: &Type) -> Option<(i128, i128)> {
    match ty {
        Type::String | Type::Bytes | Type::List(_) => Some((0, u32::MAX.into())),
        number => number.range(),
    }
}
