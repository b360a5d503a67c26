//! Types: from the parser's to the contract's, each named type once, with what its documentation says.

use std::sync::Arc;

use wit_parser::{Span, TypeDefKind, TypeOwner};

use super::{At, ContractError, Reader, Statuses};
use crate::directive;
use crate::model::{Case, Field, Label, Operation, Pii, Rules, Type, TypeDef, TypeId, TypeKind};
use crate::names::{camel, pascal};

/// Types nested deeper than this are refused.
const MAX_DEPTH: usize = 32;

/// Flags of one type: the component model has no more (Component Model, "Flags").
const MAX_FLAGS: usize = 32;

const NO_JSON: &str = "resources, streams, futures, maps and fixed-length lists cannot be served";
const NESTED_OPTION: &str = "an option inside an option has no JSON; use a variant";

impl Reader<'_> {
    /// The contract's type for one of the parser's. `depth` is how deeply the reading is nested, which bounds the stack.
    pub(super) fn ty(&mut self, ty: &wit_parser::Type, at: &At, depth: usize) -> Result<Type, ContractError> {
        let built = match ty {
            wit_parser::Type::Bool => Type::Bool,
            wit_parser::Type::U8 => Type::U8,
            wit_parser::Type::U16 => Type::U16,
            wit_parser::Type::U32 => Type::U32,
            wit_parser::Type::U64 => Type::U64,
            wit_parser::Type::S8 => Type::S8,
            wit_parser::Type::S16 => Type::S16,
            wit_parser::Type::S32 => Type::S32,
            wit_parser::Type::S64 => Type::S64,
            wit_parser::Type::F32 => Type::F32,
            wit_parser::Type::F64 => Type::F64,
            wit_parser::Type::Char => Type::Char,
            wit_parser::Type::String => Type::String,
            wit_parser::Type::ErrorContext => return self.refuse(at, "`error-context` cannot be served"),
            wit_parser::Type::Id(id) => match self.known.get(id) {
                Some(known) => known.clone(),
                None if depth > MAX_DEPTH => return self.refuse_depth(at),
                None => {
                    let built = self.defined(*id, at, depth)?;
                    self.known.insert(*id, built.clone());
                    built
                }
            },
        };
        // A type read before may be nested more deeply than the reading is now.
        match self.height(&built) > MAX_DEPTH {
            true => self.refuse_depth(at),
            false => Ok(built),
        }
    }

    fn refuse_depth<T>(&self, at: &At) -> Result<T, ContractError> {
        self.refuse(at, format!("its type is nested more than {MAX_DEPTH} deep"))
    }

    /// How many types a value of this type has inside one another.
    fn height(&self, ty: &Type) -> usize {
        match ty {
            Type::List(item) | Type::Option(item) => 1 + self.height(item),
            Type::Tuple(items) => 1 + items.iter().map(|item| self.height(item)).max().unwrap_or_default(),
            Type::Result(ok, err) => {
                1 + ok.iter().chain(err).map(|side| self.height(side)).max().unwrap_or_default()
            }
            Type::Named(id) => self.heights.get(id.0).copied().unwrap_or_default(),
            _ => 0,
        }
    }

    fn height_of_kind(&self, kind: &TypeKind) -> usize {
        let inner = match kind {
            TypeKind::Alias(target) => self.height(target),
            TypeKind::Record(fields) => {
                fields.iter().map(|field| self.height(&field.ty)).max().unwrap_or_default()
            }
            TypeKind::Variant(cases) => {
                let payloads = cases.iter().filter_map(|case| case.payload.as_ref());
                payloads.map(|payload| self.height(payload)).max().unwrap_or_default()
            }
            TypeKind::Enum(_) | TypeKind::Flags(_) => 0,
        };
        1 + inner
    }

    fn defined(&mut self, id: wit_parser::TypeId, at: &At, depth: usize) -> Result<Type, ContractError> {
        let definition = self.wit_type(id);
        match &definition.kind {
            TypeDefKind::Type(target) if self.same_name(id, target) => self.ty(target, at, depth + 1),
            kind if definition.name.is_none() => match self.composed(kind, at, depth + 1)? {
                Some(built) => Ok(built),
                None => self.refuse(at, NO_JSON),
            },
            _ => self.named(id, depth + 1),
        }
    }

    /// A type that is put together of others, without a name of its own; none for all other kinds.
    fn composed(&mut self, kind: &TypeDefKind, at: &At, depth: usize) -> Result<Option<Type>, ContractError> {
        Ok(Some(match kind {
            TypeDefKind::List(wit_parser::Type::U8) => Type::Bytes,
            TypeDefKind::List(item) => Type::List(Box::new(self.ty(item, at, depth)?)),
            TypeDefKind::Option(item) => {
                let item = self.ty(item, at, depth)?;
                if matches!(self.contract.resolve(&item), Type::Option(_)) {
                    return self.refuse(at, NESTED_OPTION);
                }
                Type::Option(Box::new(item))
            }
            TypeDefKind::Tuple(tuple) => Type::Tuple(
                tuple.types.iter().map(|item| self.ty(item, at, depth)).collect::<Result<_, _>>()?,
            ),
            TypeDefKind::Result(result) => {
                let mut side = |ty: &Option<wit_parser::Type>| {
                    ty.as_ref().map(|ty| self.ty(ty, at, depth).map(Box::new)).transpose()
                };
                Type::Result(side(&result.ok)?, side(&result.err)?)
            }
            _ => return Ok(None),
        }))
    }

    /// Whether a type is the mere `use` of one of the same name.
    fn same_name(&self, id: wit_parser::TypeId, target: &wit_parser::Type) -> bool {
        match target {
            wit_parser::Type::Id(target) => self.wit_type(*target).name == self.wit_type(id).name,
            _ => false,
        }
    }

    fn named(&mut self, id: wit_parser::TypeId, depth: usize) -> Result<Type, ContractError> {
        let definition = self.wit_type(id);
        let name = definition.name.as_deref().unwrap_or_default();
        let wit = match definition.owner {
            TypeOwner::Interface(owner) => {
                format!("{}#{name}", self.resolve.id_of(owner).unwrap_or_default())
            }
            _ => name.to_owned(),
        };
        let at = At { span: definition.span, item: wit.clone() };
        let docs = self.docs(definition.docs.contents.as_deref(), directive::Place::Value, &at)?;
        let kind = match &definition.kind {
            TypeDefKind::Record(record) => TypeKind::Record(self.fields(&record.fields, &at, depth)?),
            TypeDefKind::Variant(variant) => {
                let comments = variant.cases.iter().map(|case| (&case.name, &case.docs, case.span));
                let labels = self.labels(id, comments, &at)?;
                TypeKind::Variant(self.cases(&variant.cases, labels, &at, depth)?)
            }
            TypeDefKind::Enum(labels) => {
                let comments = labels.cases.iter().map(|case| (&case.name, &case.docs, case.span));
                TypeKind::Enum(self.labels(id, comments, &at)?)
            }
            TypeDefKind::Flags(flags) => {
                if flags.flags.len() > MAX_FLAGS {
                    let reason = format!(
                        "it has {} flags, and components hold at most {MAX_FLAGS} in one type; use two types, or a list \
                         of an enumeration",
                        flags.flags.len()
                    );
                    return self.refuse(&at, reason);
                }
                let comments = flags.flags.iter().map(|flag| (&flag.name, &flag.docs, flag.span));
                TypeKind::Flags(self.labels(id, comments, &at)?)
            }
            TypeDefKind::Type(target) => TypeKind::Alias(self.ty(target, &at, depth)?),
            kind => match self.composed(kind, &at, depth)? {
                Some(built) => TypeKind::Alias(built),
                None => return self.refuse(&at, NO_JSON),
            },
        };
        let type_id = TypeId(self.contract.types.len());
        match &kind {
            TypeKind::Alias(target) => self.check_bounds(&docs.rules, target, &at)?,
            _ => self.check_bounds(&docs.rules, &Type::Named(type_id), &at)?,
        }
        let schema_name = self.schema_name(definition, name);
        self.heights.push(self.height_of_kind(&kind));
        self.contract.types.push(TypeDef {
            name: schema_name.into(),
            wit,
            docs: docs.text,
            pii: docs.rules.pii.max(self.pii_of_kind(&kind)),
            rules: docs.rules,
            kind,
        });
        let ty = Type::Named(type_id);
        // Only now, as an example of a record can be read when the record is known.
        self.check_example(&Rules::default(), &ty, &at)?;
        Ok(ty)
    }

    /// A name for JSON Schema that no other type of this contract has.
    fn schema_name(&mut self, definition: &wit_parser::TypeDef, name: &str) -> String {
        let mut schema_name = pascal(name);
        if self.names.contains(&schema_name)
            && let TypeOwner::Interface(owner) = definition.owner
            && let Some(interface) = &self.wit_interface(owner).name
        {
            schema_name = pascal(interface) + &schema_name;
        }
        while !self.names.insert(schema_name.clone()) {
            schema_name.push('X');
        }
        schema_name
    }

    fn fields(
        &mut self,
        fields: &[wit_parser::Field],
        owner: &At,
        depth: usize,
    ) -> Result<Vec<Field>, ContractError> {
        let mut built = Vec::with_capacity(fields.len());
        for field in fields {
            let at = At { span: field.span, item: format!("{}.{}", owner.item, field.name) };
            let docs = self.docs(field.docs.contents.as_deref(), directive::Place::Value, &at)?;
            let ty = self.ty(&field.ty, &at, depth)?;
            self.check_rules(&docs.rules, &ty, &at)?;
            built.push(Field {
                name: field.name.as_str().into(),
                json: camel(&field.name).into(),
                docs: docs.text,
                rules: docs.rules,
                ty,
            });
        }
        self.check_camel(fields.iter().map(|field| field.name.as_str()), owner)?;
        Ok(built)
    }

    fn cases(
        &mut self,
        cases: &[wit_parser::Case],
        labels: Vec<Label>,
        owner: &At,
        depth: usize,
    ) -> Result<Vec<Case>, ContractError> {
        let cases = cases.iter().zip(labels);
        cases
            .map(|(case, label)| {
                let at = At { span: case.span, item: format!("{}.{}", owner.item, case.name) };
                let payload = case.ty.as_ref().map(|ty| self.ty(ty, &at, depth)).transpose()?;
                Ok(Case { name: label.name, docs: label.docs, payload })
            })
            .collect()
    }

    /// Names and documentation of the cases of a variant or enumeration, or of flags.
    fn labels<'l>(
        &mut self,
        owner: wit_parser::TypeId,
        labels: impl Iterator<Item = (&'l String, &'l wit_parser::Docs, Span)>,
        owner_at: &At,
    ) -> Result<Vec<Label>, ContractError> {
        let mut built = Vec::new();
        for (name, docs, span) in labels {
            let at = At { span, item: format!("{}.{name}", owner_at.item) };
            let docs = self.docs(docs.contents.as_deref(), directive::Place::Case, &at)?;
            let name: Arc<str> = name.as_str().into();
            if let Some(status) = docs.status {
                let empty = || Statuses { at, by_case: Default::default(), heeded: false };
                self.statuses.entry(owner).or_insert_with(empty).by_case.insert(name.clone(), status);
            }
            built.push(Label { name, docs: docs.text });
        }
        Ok(built)
    }

    /// The most delicate personal data that goes in or out of an operation.
    pub(super) fn pii_of(&self, operation: &Operation) -> Option<Pii> {
        let parameters =
            operation.parameters.iter().map(|parameter| parameter.rules.pii.max(self.pii_in(&parameter.ty)));
        let payloads = operation.errors.iter().filter_map(|case| case.payload.as_ref());
        let results = operation.ok.iter().chain(payloads).map(|ty| self.pii_in(ty));
        parameters.chain(results).max().flatten()
    }

    fn pii_in(&self, ty: &Type) -> Option<Pii> {
        match ty {
            Type::List(item) | Type::Option(item) => self.pii_in(item),
            Type::Tuple(items) => items.iter().map(|item| self.pii_in(item)).max().flatten(),
            Type::Result(ok, err) => ok.iter().chain(err).map(|ty| self.pii_in(ty)).max().flatten(),
            Type::Named(id) => self.contract.named(*id)?.pii,
            _ => None,
        }
    }

    fn pii_of_kind(&self, kind: &TypeKind) -> Option<Pii> {
        match kind {
            TypeKind::Alias(target) => self.pii_in(target),
            TypeKind::Record(fields) => {
                fields.iter().map(|field| field.rules.pii.max(self.pii_in(&field.ty))).max().flatten()
            }
            TypeKind::Variant(cases) => cases
                .iter()
                .filter_map(|case| case.payload.as_ref())
                .map(|ty| self.pii_in(ty))
                .max()
                .flatten(),
            TypeKind::Enum(_) | TypeKind::Flags(_) => None,
        }
    }
}
