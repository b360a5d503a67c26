//! The contract held against the types the engine reflects, so that no call meets a value of another type.
//!
//! Types are compared by structure and by every name that has one: parameters, fields, cases, labels. What differs is
//! told with the package, the interface, the function and the place inside its types.

use std::collections::HashMap;
use std::fmt;

use truc_contract::model::{Fallible, Label};
use truc_contract::{Contract, ErrorCase, Operation, Type, TypeId, TypeKind};
use wasmtime::component::types::{self, ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, Type as Reflected};

/// Where component and contract differ.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{interface}#{function}{place}: the contract says {said}, the component has {found}")]
pub struct Difference {
    /// The interface with its package: `lgsp:land/parcels@1.0.0`.
    pub interface: String,
    /// The function.
    pub function: String,
    /// The place in the function's type: `, parameter value, field price`.
    pub place: String,
    /// What the contract says there.
    pub said: String,
    /// What the component has there.
    pub found: String,
}

/// The exports of a contract's operations, in their order, if each has the types the contract says.
pub(crate) fn exports(
    component: &Component,
    contract: &Contract,
) -> Result<Vec<ComponentExportIndex>, Difference> {
    let mut comparison = Comparison { contract, equal: HashMap::new() };
    contract
        .operations
        .iter()
        .map(|operation| {
            let nothing = || Differs::here("a function", "nothing of this name");
            let found = component
                .get_export_index(None, &*operation.interface)
                .and_then(|interface| component.get_export(Some(&interface), &*operation.function));
            let compared = match found {
                Some((ComponentItem::ComponentFunc(function), export)) => {
                    comparison.function(operation, &function).map(|()| export)
                }
                Some(_) => Err(Differs::here("a function", "something else")),
                None => Err(nothing()),
            };
            compared.map_err(|differs| Difference {
                interface: operation.interface.to_string(),
                function: operation.function.to_string(),
                place: differs.steps.iter().rev().map(|step| format!(", {step}")).collect(),
                said: differs.said,
                found: differs.found,
            })
        })
        .collect()
}

/// A difference on the way out of the types it was found in.
struct Differs {
    /// The innermost first.
    steps: Vec<String>,
    said: String,
    found: String,
}

impl Differs {
    fn here(said: impl Into<String>, found: impl Into<String>) -> Self {
        Self { steps: Vec::new(), said: said.into(), found: found.into() }
    }
}

trait Within {
    /// The place that what was compared is in.
    fn within(self, step: impl fmt::Display) -> Self;
}

impl Within for Result<(), Differs> {
    fn within(self, step: impl fmt::Display) -> Self {
        self.map_err(|mut differs| {
            differs.steps.push(step.to_string());
            differs
        })
    }
}

struct Comparison<'c> {
    contract: &'c Contract,
    /// What named types were found equal to, so that types that are used often are compared once.
    equal: HashMap<TypeId, Reflected>,
}

impl Comparison<'_> {
    fn function(&mut self, said: &Operation, found: &ComponentFunc) -> Result<(), Differs> {
        if found.async_() {
            return Err(Differs::here("a plain function", "an async function"));
        }
        let names = said.parameters.iter().map(|parameter| parameter.name.as_str());
        same_names("parameters", names, found.params().map(|(name, _)| name))?;
        for (parameter, (name, found)) in said.parameters.iter().zip(found.params()) {
            self.ty(&parameter.ty, &found).within(format_args!("parameter {name}"))?;
        }
        self.returned(said, found.results().next().as_ref()).within("result")
    }

    fn returned(&mut self, said: &Operation, found: Option<&Reflected>) -> Result<(), Differs> {
        if said.fallible == Fallible::Never {
            return self.maybe(said.ok.as_ref(), found);
        }
        let Some(Reflected::Result(found)) = found else {
            return Err(Differs::here("result", found.map_or("nothing".to_owned(), described)));
        };
        self.maybe(said.ok.as_ref(), found.ok().as_ref()).within("ok")?;
        self.errors(&said.errors, said.fallible, found.err().as_ref()).within("err")
    }

    fn errors(
        &mut self,
        said: &[ErrorCase],
        kind: Fallible,
        found: Option<&Reflected>,
    ) -> Result<(), Differs> {
        match (kind, found) {
            (Fallible::Enum, Some(Reflected::Enum(found))) => {
                same_names("cases", said.iter().map(|case| &*case.name), found.names())
            }
            (Fallible::Variant, Some(Reflected::Variant(found))) => {
                self.cases(said.iter().map(|case| (&*case.name, case.payload.as_ref())), found)
            }
            (kind, found) => {
                let said = if kind == Fallible::Enum { "enum" } else { "variant" };
                Err(Differs::here(said, found.map_or("nothing".to_owned(), described)))
            }
        }
    }

    fn maybe(&mut self, said: Option<&Type>, found: Option<&Reflected>) -> Result<(), Differs> {
        match (said, found) {
            (None, None) => Ok(()),
            (Some(said), Some(found)) => self.ty(said, found),
            (said, found) => Err(Differs::here(
                said.map_or("nothing".to_owned(), |said| self.said(said)),
                found.map_or("nothing".to_owned(), described),
            )),
        }
    }

    fn ty(&mut self, said: &Type, found: &Reflected) -> Result<(), Differs> {
        let said = self.contract.resolve(said);
        match (said, found) {
            (Type::Bool, Reflected::Bool)
            | (Type::U8, Reflected::U8)
            | (Type::U16, Reflected::U16)
            | (Type::U32, Reflected::U32)
            | (Type::U64, Reflected::U64)
            | (Type::S8, Reflected::S8)
            | (Type::S16, Reflected::S16)
            | (Type::S32, Reflected::S32)
            | (Type::S64, Reflected::S64)
            | (Type::F32, Reflected::Float32)
            | (Type::F64, Reflected::Float64)
            | (Type::Char, Reflected::Char)
            | (Type::String, Reflected::String) => Ok(()),
            (Type::Bytes, Reflected::List(found)) => self.ty(&Type::U8, &found.ty()).within("item"),
            (Type::List(said), Reflected::List(found)) => self.ty(said, &found.ty()).within("item"),
            (Type::Option(said), Reflected::Option(found)) => self.ty(said, &found.ty()).within("some"),
            (Type::Tuple(said), Reflected::Tuple(found)) => {
                if said.len() != found.types().len() {
                    let items = |count: usize| format!("a tuple of {count} items");
                    return Err(Differs::here(items(said.len()), items(found.types().len())));
                }
                let mut items = said.iter().zip(found.types()).enumerate();
                items.try_for_each(|(index, (said, found))| {
                    self.ty(said, &found).within(format_args!("item {index}"))
                })
            }
            (Type::Result(ok, err), Reflected::Result(found)) => {
                self.maybe(ok.as_deref(), found.ok().as_ref()).within("ok")?;
                self.maybe(err.as_deref(), found.err().as_ref()).within("err")
            }
            (Type::Named(id), found) => self.named(*id, found),
            (said, found) => Err(Differs::here(self.said(said), described(found))),
        }
    }

    fn named(&mut self, id: TypeId, found: &Reflected) -> Result<(), Differs> {
        if self.equal.get(&id) == Some(found) {
            return Ok(());
        }
        let contract = self.contract;
        match (contract.named(id).map(|definition| &definition.kind), found) {
            (Some(TypeKind::Record(fields)), Reflected::Record(found)) => {
                same_names(
                    "fields",
                    fields.iter().map(|field| &*field.name),
                    found.fields().map(|field| field.name),
                )?;
                for (said, found) in fields.iter().zip(found.fields()) {
                    self.ty(&said.ty, &found.ty).within(format_args!("field {}", said.name))?;
                }
            }
            (Some(TypeKind::Variant(cases)), Reflected::Variant(found)) => {
                self.cases(cases.iter().map(|case| (&*case.name, case.payload.as_ref())), found)?;
            }
            (Some(TypeKind::Enum(labels)), Reflected::Enum(found)) => {
                same_names("cases", labels.iter().map(name), found.names())?;
            }
            (Some(TypeKind::Flags(labels)), Reflected::Flags(found)) => {
                same_names("flags", labels.iter().map(name), found.names())?;
            }
            _ => return Err(Differs::here(self.said(&Type::Named(id)), described(found))),
        }
        self.equal.insert(id, found.clone());
        Ok(())
    }

    fn cases<'s>(
        &mut self,
        said: impl Iterator<Item = (&'s str, Option<&'s Type>)> + Clone,
        found: &types::Variant,
    ) -> Result<(), Differs> {
        same_names("cases", said.clone().map(|(name, _)| name), found.cases().map(|case| case.name))?;
        for ((name, said), found) in said.zip(found.cases()) {
            self.maybe(said, found.ty.as_ref()).within(format_args!("case {name}"))?;
        }
        Ok(())
    }

    /// A type of the contract in one word.
    fn said(&self, ty: &Type) -> String {
        let word = match self.contract.resolve(ty) {
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::S8 => "s8",
            Type::S16 => "s16",
            Type::S32 => "s32",
            Type::S64 => "s64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "char",
            Type::String => "string",
            Type::Bytes | Type::List(_) => "list",
            Type::Tuple(_) => "tuple",
            Type::Option(_) => "option",
            Type::Result(..) => "result",
            Type::Named(id) => match self.contract.named(*id).map(|definition| &definition.kind) {
                Some(TypeKind::Record(_)) => "record",
                Some(TypeKind::Variant(_)) => "variant",
                Some(TypeKind::Enum(_)) => "enum",
                Some(TypeKind::Flags(_)) => "flags",
                Some(TypeKind::Alias(_)) | None => "another type",
            },
        };
        word.to_owned()
    }
}

fn name(label: &Label) -> &str {
    &label.name
}

/// Whether two lists of names are the same in the same order; the first difference, if they are not.
fn same_names<'n>(
    what: &str,
    mut said: impl Iterator<Item = &'n str>,
    mut found: impl Iterator<Item = &'n str>,
) -> Result<(), Differs> {
    loop {
        let (said, found) = (said.next(), found.next());
        if said != found {
            let told =
                |name: Option<&str>| name.map_or(format!("no more {what}"), |name| format!("`{name}`"));
            return Err(Differs::here(told(said), told(found)));
        }
        if said.is_none() {
            return Ok(());
        }
    }
}

/// A type of the component in one word.
fn described(found: &Reflected) -> String {
    let word = match found {
        Reflected::Bool => "bool",
        Reflected::S8 => "s8",
        Reflected::U8 => "u8",
        Reflected::S16 => "s16",
        Reflected::U16 => "u16",
        Reflected::S32 => "s32",
        Reflected::U32 => "u32",
        Reflected::S64 => "s64",
        Reflected::U64 => "u64",
        Reflected::Float32 => "f32",
        Reflected::Float64 => "f64",
        Reflected::Char => "char",
        Reflected::String => "string",
        Reflected::List(_) => "list",
        Reflected::Map(_) => "map",
        Reflected::Record(_) => "record",
        Reflected::Tuple(_) => "tuple",
        Reflected::Variant(_) => "variant",
        Reflected::Enum(_) => "enum",
        Reflected::Option(_) => "option",
        Reflected::Result(_) => "result",
        Reflected::Flags(_) => "flags",
        Reflected::Own(_) | Reflected::Borrow(_) => "resource",
        Reflected::Future(_) => "future",
        Reflected::Stream(_) => "stream",
        Reflected::ErrorContext => "error-context",
        Reflected::FixedLengthList(_) => "a list of fixed length",
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use truc_contract::{CONNECTOR_WIT, read_sources};
    use wasmtime::Engine;

    use super::*;
    use crate::settings::{self, EngineSettings};

    const TRIAL: &str = include_str!("../../../wit/trial/trial.wit");
    const AIM: &str = include_str!("../../../wit/trial/aim.wit");

    fn contract(text: &str) -> Contract {
        let files = [("trial.wit", text), ("aim.wit", AIM)];
        read_sources(&files.map(|(name, text)| (name.to_owned(), text.to_owned()))).unwrap()
    }

    /// One row for each kind of difference: what is written instead of what in the contract, and what is told.
    const DIFFERENCES: &[(&str, &str, &str)] = &[
        (
            "price: money,",
            "price: u32,",
            "values@1.0.0#echo, parameter value, field price: the contract says u32, the component has record",
        ),
        (
            "tiny: u8,",
            "tiny: string,",
            "values@1.0.0#echo, parameter value, field tiny: the contract says string, the component has u8",
        ),
        (
            "        letter: char,\n",
            "",
            "values@1.0.0#echo, parameter value: the contract says `text`, the component has `letter`",
        ),
        (
            "day: date,\n    }",
            "day: date,\n        more: bool,\n    }",
            "values@1.0.0#echo, parameter value: the contract says `more`, the component has no more fields",
        ),
        (
            "numbers: list<s32>,",
            "numbers: list<u32>,",
            "values@1.0.0#echo, parameter value, field numbers, item: the contract says u32, the component has s32",
        ),
        (
            "bytes: list<u8>,",
            "bytes: list<s8>,",
            "values@1.0.0#echo, parameter value, field bytes, item: the contract says s8, the component has u8",
        ),
        (
            "pair: tuple<string, bool>,\n        /// Something",
            "pair: tuple<string, char>,\n        /// Something",
            "values@1.0.0#echo, parameter value, field pair, item 1: the contract says char, the component has bool",
        ),
        (
            "pair: tuple<string, bool>,\n        /// Something",
            "pair: tuple<string>,\n        /// Something",
            "values@1.0.0#echo, parameter value, field pair: the contract says a tuple of 1 items, the component has a tuple of 2 items",
        ),
        (
            "maybe: option<string>,",
            "maybe: string,",
            "values@1.0.0#echo, parameter value, field maybe: the contract says string, the component has option",
        ),
        (
            "maybe: option<string>,",
            "maybe: option<u8>,",
            "values@1.0.0#echo, parameter value, field maybe, some: the contract says u8, the component has string",
        ),
        (
            "outcome: result<u32, string>,",
            "outcome: result<u32>,",
            "values@1.0.0#echo, parameter value, field outcome, err: the contract says nothing, the component has string",
        ),
        (
            " n259,",
            " n260,",
            "shapes@1.0.0#echo-anything, parameter values, item, case numbered: the contract says `n260`, the component has `n259`",
        ),
        (
            "        pass-on,\n",
            "        pass-on,\n        sell,\n",
            "values@1.0.0#echo, parameter value, field rights: the contract says `sell`, the component has no more flags",
        ),
        (
            "        circle(f64),",
            "        circle(f32),",
            "values@1.0.0#echo, parameter value, field figure, case circle: the contract says f32, the component has f64",
        ),
        (
            "        nothing,\n        truth(bool),",
            "        nothing(u8),\n        truth(bool),",
            "shapes@1.0.0#echo-anything, parameter values, item, case nothing: the contract says u8, the component has nothing",
        ),
        (
            "find: func(id: u32)",
            "find: func(id: u64)",
            "values@1.0.0#find, parameter id: the contract says u64, the component has u32",
        ),
        (
            "    /// @http DELETE /things/{id}\n    /// @param id Its number.\n    /// @param id @example 7\n    remove: func(id: u32)",
            "    /// @http DELETE /things/{other}\n    /// @param other Its number.\n    remove: func(other: u32)",
            "values@1.0.0#remove: the contract says `other`, the component has `id`",
        ),
        (
            "find: func(id: u32) -> result<option<string>, problem>;",
            "find: func(id: u32) -> option<string>;",
            "values@1.0.0#find, result: the contract says option, the component has result",
        ),
        (
            "find: func(id: u32) -> result<option<string>, problem>;",
            "find: func(id: u32) -> result<string, problem>;",
            "values@1.0.0#find, result, ok: the contract says string, the component has option",
        ),
        (
            "refuse: func(case: u8) -> result<_, refusal>;",
            "refuse: func(case: u8) -> result<_, problem>;",
            "faults@1.0.0#refuse, result, err: the contract says `not-found`, the component has `locked`",
        ),
        (
            "echo-bytes: func(content: list<u8>) -> list<u8>;",
            "echo-bytes: func(content: list<u8>);",
            "shapes@1.0.0#echo-bytes, result: the contract says nothing, the component has list",
        ),
        (
            "    run-forever: func()",
            "    run-for-ever: func()",
            "faults@1.0.0#run-for-ever: the contract says a function, the component has nothing of this name",
        ),
    ];

    #[test]
    fn every_difference_is_told_with_its_place() {
        let engine = Engine::new(&settings::config(EngineSettings { instances: 1 }).unwrap()).unwrap();
        let component = Component::new(&engine, trial::component().unwrap()).unwrap();
        let same = contract(TRIAL);
        assert_eq!(exports(&component, &same).unwrap().len(), same.operations.len());
        for (from, to, told) in DIFFERENCES {
            let text = TRIAL.replacen(from, to, 1);
            assert_ne!(text, TRIAL, "{from}");
            let difference = exports(&component, &contract(&text)).expect_err(told);
            assert_eq!(difference.to_string(), format!("lgsp:trial/{told}"));
        }
        assert!(CONNECTOR_WIT.contains("record money"), "the first row rests on it");
    }
}
