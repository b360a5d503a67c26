//! Two contracts side by side: interfaces, operations and types, each difference in a sentence.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::rules::{Usage, differences};
use super::{Change, ChangeKind, Effect};
use crate::model::{
    Case, Contract, Field, Label, Operation, Parameter, Rules, Type, TypeDef, TypeId, TypeKind,
};
use crate::names::first_sentence;

/// Every difference between two contracts of one name.
pub(super) fn compare(old: &Contract, new: &Contract) -> Vec<Change> {
    let mut comparison =
        Comparison { old, new, usage: usage(old), statuses: BTreeMap::new(), changes: Vec::new() };
    comparison.docs(&format!("{}:{}", old.id.namespace, old.id.name), &old.docs, &new.docs);
    comparison.interfaces();
    comparison.operations();
    comparison.types();
    comparison.changes
}

/// Which way the values of each type go, by its index; none for a type that no operation reaches.
fn usage(contract: &Contract) -> Vec<Option<Usage>> {
    let mut usage = vec![None; contract.types.len()];
    for operation in &contract.operations {
        for parameter in &operation.parameters {
            mark(contract, &mut usage, &parameter.ty, Usage::Taken);
        }
        for ty in operation.ok.iter().chain(&operation.error) {
            mark(contract, &mut usage, ty, Usage::Given);
        }
    }
    usage
}

fn mark(contract: &Contract, usage: &mut [Option<Usage>], ty: &Type, way: Usage) {
    match ty {
        Type::List(item) | Type::Option(item) => mark(contract, usage, item, way),
        Type::Tuple(items) => items.iter().for_each(|item| mark(contract, usage, item, way)),
        Type::Result(ok, err) => ok.iter().chain(err).for_each(|side| mark(contract, usage, side, way)),
        Type::Named(id) => {
            let Some(slot) = usage.get_mut(id.0) else { return };
            let marked = slot.map_or(way, |before| before.and(way));
            if slot.replace(marked) == Some(marked) {
                return;
            }
            match contract.named(*id).map(|definition| &definition.kind) {
                Some(TypeKind::Alias(target)) => mark(contract, usage, target, way),
                Some(TypeKind::Record(fields)) => {
                    fields.iter().for_each(|field| mark(contract, usage, &field.ty, way));
                }
                Some(TypeKind::Variant(cases)) => {
                    let payloads = cases.iter().filter_map(|case| case.payload.as_ref());
                    payloads.for_each(|payload| mark(contract, usage, payload, way));
                }
                _ => {}
            }
        }
        _ => {}
    }
}

/// The name of a type without the contract's package and without versions: `parcels#parcel`,
/// `truc:connector/types#date`.
fn key(contract: &Contract, definition: &TypeDef) -> String {
    let (owner, name) = definition.wit.split_once('#').unwrap_or(("", &definition.wit));
    let owner = owner.split_once('@').map_or(owner, |(owner, _)| owner);
    let own = format!("{}:{}/", contract.id.namespace, contract.id.name);
    format!("{}#{name}", owner.strip_prefix(&own).unwrap_or(owner))
}

/// A type as WIT writes it, for people.
fn written(contract: &Contract, ty: &Type) -> String {
    let side = |ty: &Option<Box<Type>>| ty.as_ref().map_or("_".to_owned(), |ty| written(contract, ty));
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::Char => "char".to_owned(),
        Type::String => "string".to_owned(),
        Type::Bytes => "list<u8>".to_owned(),
        Type::List(item) => format!("list<{}>", written(contract, item)),
        Type::Option(item) => format!("option<{}>", written(contract, item)),
        Type::Tuple(items) => {
            let items: Vec<String> = items.iter().map(|item| written(contract, item)).collect();
            format!("tuple<{}>", items.join(", "))
        }
        Type::Result(ok, err) => format!("result<{}, {}>", side(ok), side(err)),
        Type::Named(id) => contract
            .named(*id)
            .and_then(|definition| definition.wit.rsplit_once('#'))
            .map_or_else(String::new, |(_, name)| name.to_owned()),
        number => format!("{number:?}").to_ascii_lowercase(),
    }
}

fn written_option(contract: &Contract, ty: Option<&Type>) -> String {
    ty.map_or("nothing".to_owned(), |ty| format!("`{}`", written(contract, ty)))
}

fn kind_name(kind: &TypeKind) -> &'static str {
    match kind {
        TypeKind::Alias(_) => "another name for a type",
        TypeKind::Record(_) => "a record",
        TypeKind::Variant(_) => "a variant",
        TypeKind::Enum(_) => "an enumeration",
        TypeKind::Flags(_) => "flags",
    }
}

/// Something with a name in a list whose order counts.
trait Part {
    fn name(&self) -> &str;
}

impl Part for Field {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Part for Case {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Part for Label {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Part for Operation {
    fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl Part for Parameter {
    fn name(&self) -> &str {
        &self.name
    }
}

struct Comparison<'a> {
    old: &'a Contract,
    new: &'a Contract,
    /// Which way values of the old contract's types go.
    usage: Vec<Option<Usage>>,
    /// Statuses that changed, by case of an error type: told once, however many operations return it.
    statuses: BTreeMap<String, (u16, u16)>,
    changes: Vec<Change>,
}

impl<'a> Comparison<'a> {
    fn note(&mut self, item: &str, kind: ChangeKind, effect: Effect, text: impl Into<String>) {
        self.changes.push(Change { item: item.to_owned(), kind, effect, text: text.into() });
    }

    fn docs(&mut self, item: &str, old: &str, new: &str) {
        if old == new {
            return;
        }
        let (before, after) = (first_sentence(old), first_sentence(new));
        let text = match (before == after, after.is_empty()) {
            (true, _) => "its documentation says more or other than before".to_owned(),
            (false, true) => "it has no documentation any more".to_owned(),
            (false, false) => format!("its documentation says now: {after}"),
        };
        self.note(item, ChangeKind::Changed, Effect::Compatible, text);
    }

    fn interfaces(&mut self) {
        let (old, new) = (self.old, self.new);
        for interface in &old.interfaces {
            match new.interfaces.iter().find(|other| other.name == interface.name) {
                Some(other) => self.docs(&interface.name, &interface.docs, &other.docs),
                None => {
                    let text = "the interface, with all its operations, is gone";
                    self.note(&interface.name, ChangeKind::Removed, Effect::Breaking, text);
                }
            }
        }
        for interface in &new.interfaces {
            if !old.interfaces.iter().any(|other| other.name == interface.name) {
                let text = with_summary("a new interface", &interface.docs);
                self.note(&interface.name, ChangeKind::Added, Effect::Compatible, text);
            }
        }
    }

    fn operations(&mut self) {
        let (before, after) = (by_name(&self.old.operations), by_name(&self.new.operations));
        for operation in &self.old.operations {
            let name = operation.name.as_str();
            match after.get(name) {
                Some(other) => self.operation(name, operation, other),
                None => {
                    let text = format!("the operation {} {} is gone", operation.method, operation.path);
                    self.note(name, ChangeKind::Removed, Effect::Breaking, text);
                }
            }
        }
        for operation in &self.new.operations {
            let name = operation.name.as_str();
            if !before.contains_key(name) {
                let what = format!("a new operation, {} {}", operation.method, operation.path);
                self.note(name, ChangeKind::Added, Effect::Compatible, with_summary(&what, &operation.docs));
            }
        }
        for (case, (before, after)) in std::mem::take(&mut self.statuses) {
            let text = format!("the refusal was answered with {before} and is with {after}");
            self.note(&case, ChangeKind::Changed, Effect::Breaking, text);
        }
    }

    fn operation(&mut self, name: &str, old: &'a Operation, new: &'a Operation) {
        let (changed, compatible) = (ChangeKind::Changed, Effect::Compatible);
        let route = |operation: &Operation| format!("{} {}", operation.method, operation.path);
        if route(old) != route(new) {
            let text = format!("its route was {} and is {}", route(old), route(new));
            self.note(name, changed, Effect::Breaking, text);
        }
        self.docs(name, &old.docs, &new.docs);
        self.parameters(name, old, new);
        self.result(name, "its answer", old.ok.as_ref(), new.ok.as_ref());
        self.result(name, "its error", old.error.as_ref(), new.error.as_ref());
        self.note_statuses(old, new);
        if old.cache != new.cache {
            let time = |cache: Option<u32>| cache.map_or("not at all".to_owned(), |s| format!("for {s} s"));
            let text =
                format!("its answers may be reused {}; it was {} before", time(new.cache), time(old.cache));
            self.note(name, changed, compatible, text);
        }
        match (&old.deprecated, &new.deprecated) {
            (before, after) if before == after => {}
            (_, Some(version)) => {
                self.note(name, changed, compatible, format!("it is deprecated since {version}"));
            }
            (_, None) => self.note(name, changed, compatible, "it is not deprecated any more"),
        }
    }

    fn parameters(&mut self, operation: &str, old: &'a Operation, new: &'a Operation) {
        let item = |parameter: &Parameter| format!("{operation}({})", parameter.name);
        self.order(operation, "parameters", &old.parameters, &new.parameters);
        let (before, after) = (by_name(&old.parameters), by_name(&new.parameters));
        for parameter in &old.parameters {
            let item = item(parameter);
            let Some(other) = after.get(parameter.name()) else {
                self.note(&item, ChangeKind::Removed, Effect::Breaking, "the parameter is gone");
                continue;
            };
            self.docs(&item, &parameter.docs, &other.docs);
            self.ty(&item, Usage::Taken, (&parameter.ty, &parameter.rules), (&other.ty, &other.rules));
        }
        for parameter in new.parameters.iter().filter(|parameter| !before.contains_key(parameter.name())) {
            let text = "a new parameter: callers and compiled connectors do not know it";
            self.note(&item(parameter), ChangeKind::Added, Effect::Breaking, text);
        }
    }

    fn result(&mut self, operation: &str, what: &str, old: Option<&'a Type>, new: Option<&'a Type>) {
        match (old, new) {
            (None, None) => {}
            (Some(old), Some(new)) if self.same(old, new) => {
                self.ty(operation, Usage::Given, (old, &Rules::default()), (new, &Rules::default()));
            }
            (old, new) => {
                let text = format!(
                    "{what} was {} and is {}",
                    written_option(self.old, old),
                    written_option(self.new, new)
                );
                self.note(operation, ChangeKind::Changed, Effect::Breaking, text);
            }
        }
    }

    fn note_statuses(&mut self, old: &Operation, new: &Operation) {
        let error_key = match &old.error {
            Some(ty) => match self.old.resolve(ty) {
                Type::Named(id) => self.old.named(*id).map(|definition| key(self.old, definition)),
                _ => None,
            },
            None => None,
        };
        let Some(error_key) = error_key else { return };
        for case in &old.errors {
            let other = new.errors.iter().find(|other| other.name == case.name);
            if let Some(other) = other.filter(|other| other.status != case.status) {
                self.statuses.insert(format!("{error_key}.{}", case.name), (case.status, other.status));
            }
        }
    }

    fn types(&mut self) {
        let by_key = |contract: &'a Contract| -> HashMap<String, &'a TypeDef> {
            contract.types.iter().map(|definition| (key(contract, definition), definition)).collect()
        };
        let (before, after) = (by_key(self.old), by_key(self.new));
        let own = |key: &str| !key.contains(':');
        for (index, definition) in self.old.types.iter().enumerate() {
            let item = key(self.old, definition);
            let usage = self.usage.get(index).copied().flatten().unwrap_or(Usage::Both);
            match after.get(&item) {
                Some(other) => self.definition(&item, usage, definition, other),
                None if own(&item) => {
                    let text = "no operation uses the type any more";
                    self.note(&item, ChangeKind::Removed, Effect::Compatible, text);
                }
                None => {}
            }
        }
        for definition in &self.new.types {
            let item = key(self.new, definition);
            if own(&item) && !before.contains_key(&item) {
                let what = match &definition.kind {
                    TypeKind::Alias(target) => {
                        format!("a new type, another name for `{}`", written(self.new, target))
                    }
                    kind => format!("a new type, {}", kind_name(kind)),
                };
                let text = with_summary(&what, &definition.docs);
                self.note(&item, ChangeKind::Added, Effect::Compatible, text);
            }
        }
    }

    fn definition(&mut self, item: &str, usage: Usage, old: &'a TypeDef, new: &'a TypeDef) {
        self.docs(item, &old.docs, &new.docs);
        if old.name != new.name {
            let text = format!("its schema was named `{}` and is named `{}`", old.name, new.name);
            self.note(item, ChangeKind::Changed, Effect::Compatible, text);
        }
        match (&old.kind, &new.kind) {
            // The rules in force for an alias are its own and those of what it stands for.
            (TypeKind::Alias(before), TypeKind::Alias(after)) => {
                self.ty(item, usage, (before, &old.rules), (after, &new.rules));
                return;
            }
            (TypeKind::Record(before), TypeKind::Record(after)) => self.fields(item, usage, before, after),
            (TypeKind::Variant(before), TypeKind::Variant(after)) => self.cases(item, usage, before, after),
            (TypeKind::Enum(before), TypeKind::Enum(after)) => self.labels(item, "case", before, after),
            (TypeKind::Flags(before), TypeKind::Flags(after)) => self.labels(item, "flag", before, after),
            (before, after) => {
                let text = format!("it was {} and is {}", kind_name(before), kind_name(after));
                self.note(item, ChangeKind::Changed, Effect::Breaking, text);
            }
        }
        self.rules(item, usage, &old.rules, &new.rules);
    }

    fn fields(&mut self, item: &str, usage: Usage, old: &'a [Field], new: &'a [Field]) {
        for (field, other) in self.parts(item, "field", old, new) {
            let item = format!("{item}.{}", field.name);
            self.docs(&item, &field.docs, &other.docs);
            self.ty(&item, usage, (&field.ty, &field.rules), (&other.ty, &other.rules));
        }
    }

    fn cases(&mut self, item: &str, usage: Usage, old: &'a [Case], new: &'a [Case]) {
        for (case, other) in self.parts(item, "case", old, new) {
            let item = format!("{item}.{}", case.name);
            self.docs(&item, &case.docs, &other.docs);
            match (&case.payload, &other.payload) {
                (None, None) => {}
                (Some(old), Some(new)) => {
                    self.ty(&item, usage, (old, &Rules::default()), (new, &Rules::default()));
                }
                (old, new) => {
                    let text = format!(
                        "it carried {} and carries {}",
                        written_option(self.old, old.as_ref()),
                        written_option(self.new, new.as_ref())
                    );
                    self.note(&item, ChangeKind::Changed, Effect::Breaking, text);
                }
            }
        }
    }

    fn labels(&mut self, item: &str, what: &str, old: &'a [Label], new: &'a [Label]) {
        for (label, other) in self.parts(item, what, old, new) {
            self.docs(&format!("{item}.{}", label.name), &label.docs, &other.docs);
        }
    }

    /// Notes which parts came and went; gives those that are there before and after.
    fn parts<P: Part>(&mut self, item: &str, what: &str, old: &'a [P], new: &'a [P]) -> Vec<(&'a P, &'a P)> {
        let (before, after) = (by_name(old), by_name(new));
        let mut both = Vec::new();
        for part in old {
            match after.get(part.name()) {
                Some(other) => both.push((part, *other)),
                None => {
                    let (item, text) = (format!("{item}.{}", part.name()), format!("the {what} is gone"));
                    self.note(&item, ChangeKind::Removed, Effect::Breaking, text);
                }
            }
        }
        for part in new.iter().filter(|part| !before.contains_key(part.name())) {
            let text = format!("a new {what}: callers and compiled connectors do not know it");
            self.note(&format!("{item}.{}", part.name()), ChangeKind::Added, Effect::Breaking, text);
        }
        self.order(item, &format!("{what}s"), old, new);
        both
    }

    /// The order of parts is part of the binary form.
    fn order<P: Part>(&mut self, item: &str, what: &str, old: &[P], new: &[P]) {
        let common = |list: &[P], other: &[P]| -> Vec<String> {
            let there: HashSet<&str> = other.iter().map(Part::name).collect();
            list.iter().map(|part| part.name().to_owned()).filter(|name| there.contains(&**name)).collect()
        };
        if common(old, new) != common(new, old) {
            let text = format!("its {what} stand in another order, which compiled connectors do not know");
            self.note(item, ChangeKind::Changed, Effect::Breaking, text);
        }
    }

    fn rules(&mut self, item: &str, usage: Usage, old: &Rules, new: &Rules) {
        for (effect, text) in differences(usage, old, new) {
            self.note(item, ChangeKind::Changed, effect, text);
        }
    }

    /// Compares the type of one place, and what the place says of its values beyond the type.
    fn ty(&mut self, item: &str, usage: Usage, old: (&'a Type, &Rules), new: (&'a Type, &Rules)) {
        if !self.same(old.0, new.0) {
            let text =
                format!("its type was `{}` and is `{}`", written(self.old, old.0), written(self.new, new.0));
            self.note(item, ChangeKind::Changed, Effect::Breaking, text);
            return;
        }
        if self.same_name(old.0, new.0) {
            // What changed about the type itself is told where the type stands.
            self.rules(item, usage, old.1, new.1);
            return;
        }
        let before = old.1.over(&self.old.rules_of(old.0));
        let after = new.1.over(&self.new.rules_of(new.0));
        let bare = Rules::default();
        match (self.old.resolve(old.0), self.new.resolve(new.0)) {
            // Rules on an option are rules on what it holds.
            (Type::Option(old), Type::Option(new)) => self.ty(item, usage, (old, &before), (new, &after)),
            (Type::List(old), Type::List(new)) => {
                self.rules(item, usage, &before, &after);
                self.ty(item, usage, (old, &bare), (new, &bare));
            }
            (Type::Tuple(old), Type::Tuple(new)) => {
                for (old, new) in old.iter().zip(new) {
                    self.ty(item, usage, (old, &bare), (new, &bare));
                }
            }
            (Type::Result(ok, err), Type::Result(new_ok, new_err)) => {
                for (old, new) in ok.iter().chain(err).zip(new_ok.iter().chain(new_err)) {
                    self.ty(item, usage, (old, &bare), (new, &bare));
                }
            }
            _ => self.rules(item, usage, &before, &after),
        }
    }

    /// Whether both are the same type by the same name.
    fn same_name(&self, old: &Type, new: &Type) -> bool {
        match (old, new) {
            (Type::Named(old), Type::Named(new)) => self.same_key(*old, *new),
            _ => false,
        }
    }

    fn same_key(&self, old: TypeId, new: TypeId) -> bool {
        match (self.old.named(old), self.new.named(new)) {
            (Some(before), Some(after)) => key(self.old, before) == key(self.new, after),
            _ => false,
        }
    }

    /// Whether both are one type, whatever aliases stand before it. Types with a name are told apart by it: what
    /// changed inside one is told where it stands.
    fn same(&self, old: &Type, new: &Type) -> bool {
        if self.same_name(old, new) {
            return true;
        }
        let side = |old: &Option<Box<Type>>, new: &Option<Box<Type>>| match (old, new) {
            (None, None) => true,
            (Some(old), Some(new)) => self.same(old, new),
            _ => false,
        };
        match (self.old.resolve(old), self.new.resolve(new)) {
            (Type::Named(old), Type::Named(new)) => self.same_key(*old, *new),
            (Type::List(old), Type::List(new)) | (Type::Option(old), Type::Option(new)) => {
                self.same(old, new)
            }
            (Type::Tuple(old), Type::Tuple(new)) => {
                old.len() == new.len() && old.iter().zip(new).all(|(old, new)| self.same(old, new))
            }
            (Type::Result(ok, err), Type::Result(new_ok, new_err)) => side(ok, new_ok) && side(err, new_err),
            (Type::Named(_), _) | (_, Type::Named(_)) => false,
            (old, new) => old == new,
        }
    }
}

fn by_name<P: Part>(parts: &[P]) -> HashMap<&str, &P> {
    parts.iter().map(|part| (part.name(), part)).collect()
}

fn with_summary(what: &str, docs: &str) -> String {
    match first_sentence(docs) {
        summary if summary.is_empty() => what.to_owned(),
        summary => format!("{what}: {summary}"),
    }
}
