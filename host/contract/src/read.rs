//! WIT text to [`Contract`]: names, types, documentation, directives and routes, all checked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use truc_model::OperationName;
use wit_parser::{
    FunctionKind, InterfaceId, PackageId, Resolve, SourceMap, Span, Stability, TypeDefKind, TypeOwner,
    UnresolvedPackageGroup, WorldItem,
};

use crate::directive::{self, Docs};
use crate::manifest::ContractId;
use crate::model::{
    Case, Contract, ErrorCase, Fallible, Field, Label, Operation, Parameter, Pii, Place, Type, TypeDef, TypeId,
    TypeKind,
};
use crate::path::{Method, PathTemplate, Segment};

/// Types nested deeper than this are refused.
const MAX_DEPTH: usize = 32;

/// Why a text is not a contract that can be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {item}: {reason}")]
pub struct ContractError {
    /// File, line and column.
    pub place: String,
    /// Interface and item.
    pub item: String,
    /// What is wrong and what to write instead.
    pub reason: String,
}

/// A folder or file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {cause}")]
pub struct SourceError {
    path: String,
    cause: std::io::Error,
}

/// The names and texts of all `.wit` files of some folders, sorted by name.
///
/// # Errors
/// The first folder or file that cannot be read.
pub fn sources_in(dirs: &[&Path]) -> Result<Vec<(String, String)>, SourceError> {
    let mut sources = Vec::new();
    for dir in dirs {
        let failed = |cause| SourceError { path: dir.display().to_string(), cause };
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "wit") {
                let text = std::fs::read_to_string(&path)
                    .map_err(|cause| SourceError { path: path.display().to_string(), cause })?;
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                sources.push((name, text));
            }
        }
    }
    sources.sort();
    Ok(sources)
}

/// Reads the contract whose files are given as names and texts. `truc:connector` is at hand; everything else the text
/// uses must be in the files.
///
/// # Errors
/// The first thing that keeps the text from being served.
pub fn read_sources(sources: &[(String, String)]) -> Result<Contract, ContractError> {
    let (resolve, package) = resolve_sources(sources)?;
    Reader::new(&resolve, package).contract()
}

/// Parses the files of one package together with `truc:connector`.
pub(crate) fn resolve_sources(sources: &[(String, String)]) -> Result<(Resolve, PackageId), ContractError> {
    let error = |reason: String| ContractError {
        place: sources.first().map(|(name, _)| name.clone()).unwrap_or_else(|| "no file".to_owned()),
        item: "the text".to_owned(),
        reason,
    };
    if sources.is_empty() {
        return Err(error("there is no `.wit` file".to_owned()));
    }
    let mut resolve = Resolve::default();
    resolve
        .push_source("truc:connector", crate::CONNECTOR_WIT)
        .map_err(|cause| error(format!("the host's own package cannot be read: {cause:#}")))?;
    let mut map = SourceMap::new();
    for (name, text) in sources {
        map.push_str(name, text.as_str());
    }
    let group: UnresolvedPackageGroup = map.parse().map_err(|(map, cause)| error(cause.render(&map)))?;
    let pushed = resolve.push_group(group);
    match pushed {
        Ok(package) => Ok((resolve, package)),
        Err(cause) => Err(error(resolve.render_error(&cause.into()))),
    }
}

/// The name in JSON of a WIT name: camelCase.
pub(crate) fn camel(kebab: &str) -> String {
    let mut words = kebab.split('-');
    let mut camel = words.next().unwrap_or_default().to_ascii_lowercase();
    for word in words {
        push_capitalised(&mut camel, word);
    }
    camel
}

/// The name in JSON Schema of a WIT name: PascalCase.
fn pascal(kebab: &str) -> String {
    kebab.split('-').fold(String::new(), |mut pascal, word| {
        push_capitalised(&mut pascal, word);
        pascal
    })
}

fn push_capitalised(target: &mut String, word: &str) {
    let mut chars = word.chars();
    target.extend(chars.next().map(|c| c.to_ascii_uppercase()));
    target.push_str(&chars.as_str().to_ascii_lowercase());
}

/// The HTTP status that a case name stands for where no `@status` says otherwise.
fn status_of(case: &str) -> u16 {
    match case {
        "not-found" => 404,
        "denied" => 403,
        "conflict" => 409,
        "limited" => 429,
        "upstream-timeout" => 504,
        "unavailable" => 503,
        _ if case.starts_with("invalid") => 422,
        _ if case.starts_with("upstream") => 502,
        _ => 422,
    }
}

struct Reader<'a> {
    resolve: &'a Resolve,
    package: PackageId,
    types: Vec<TypeDef>,
    known: HashMap<wit_parser::TypeId, Type>,
    names: BTreeSet<String>,
}

/// Where an item stands, for error messages.
#[derive(Clone)]
struct At {
    span: Span,
    item: String,
}

impl<'a> Reader<'a> {
    fn new(resolve: &'a Resolve, package: PackageId) -> Self {
        Self { resolve, package, types: Vec::new(), known: HashMap::new(), names: BTreeSet::new() }
    }

    fn refuse<T>(&self, at: &At, reason: impl Into<String>) -> Result<T, ContractError> {
        Err(ContractError {
            place: self.resolve.render_location(at.span),
            item: at.item.clone(),
            reason: reason.into(),
        })
    }

    fn contract(mut self) -> Result<Contract, ContractError> {
        let package = self.package().clone();
        let top = At { span: Span::default(), item: format!("package {}", package.name) };
        let Some(version) = package.name.version.clone() else {
            return self.refuse(&top, "a contract needs a version, for instance `@1.0.0`");
        };
        let id =
            ContractId { namespace: package.name.namespace.clone(), name: package.name.name.clone(), version };
        let docs = self.docs(package.docs.contents.as_deref(), directive::Place::Container, &top)?;
        let mut operations = Vec::new();
        for interface in self.exported_interfaces(&top)? {
            self.interface(interface, &mut operations)?;
        }
        if operations.is_empty() {
            return self.refuse(&top, "no exported interface has a function");
        }
        self.check_routes(&operations)?;
        Ok(Contract { id, docs: docs.text, operations, types: self.types })
    }

    fn package(&self) -> &'a wit_parser::Package {
        #[expect(clippy::indexing_slicing, reason = "an arena is indexed by the identifiers it gave out")]
        &self.resolve.packages[self.package]
    }

    fn wit_interface(&self, id: InterfaceId) -> &'a wit_parser::Interface {
        #[expect(clippy::indexing_slicing, reason = "an arena is indexed by the identifiers it gave out")]
        &self.resolve.interfaces[id]
    }

    fn wit_type(&self, id: wit_parser::TypeId) -> &'a wit_parser::TypeDef {
        #[expect(clippy::indexing_slicing, reason = "an arena is indexed by the identifiers it gave out")]
        &self.resolve.types[id]
    }

    /// The interfaces that connectors of this contract export: those of the world `connector`.
    fn exported_interfaces(&self, top: &At) -> Result<Vec<InterfaceId>, ContractError> {
        let Some(world) = self.package().worlds.get("connector").and_then(|id| self.resolve.worlds.get(*id)) else {
            return self.refuse(top, "it has no `world connector` that exports its interfaces");
        };
        let mut interfaces = Vec::new();
        for (key, item) in &world.exports {
            let name = self.resolve.name_world_key(key);
            let at = At { span: world.span, item: format!("world connector, export {name}") };
            match item {
                WorldItem::Interface { id, .. } if self.wit_interface(*id).package == Some(self.package) => {
                    interfaces.push(*id);
                }
                WorldItem::Interface { .. } => {
                    return self.refuse(&at, "a contract exports interfaces of its own package only");
                }
                _ => return self.refuse(&at, "export interfaces, not functions or types"),
            }
        }
        Ok(interfaces)
    }

    fn interface(&mut self, id: InterfaceId, operations: &mut Vec<Operation>) -> Result<(), ContractError> {
        let interface = self.wit_interface(id);
        let name = interface.name.clone().unwrap_or_default();
        let at = At { span: interface.span, item: format!("interface {name}") };
        self.docs(interface.docs.contents.as_deref(), directive::Place::Container, &at)?;
        let export: Arc<str> = self.resolve.id_of(id).unwrap_or_else(|| name.clone()).into();
        for (function_name, function) in &interface.functions {
            let at = At { span: function.span, item: format!("{name}/{function_name}") };
            operations.push(self.operation(&name, &export, function, &at)?);
        }
        Ok(())
    }

    fn operation(
        &mut self,
        interface: &str,
        export: &Arc<str>,
        function: &wit_parser::Function,
        at: &At,
    ) -> Result<Operation, ContractError> {
        if function.kind != FunctionKind::Freestanding {
            return self.refuse(at, "operations are plain functions: no methods, no `async`");
        }
        let docs = self.docs(function.docs.contents.as_deref(), directive::Place::Function, at)?;
        if docs.text.is_empty() {
            return self.refuse(at, "it has no documentation: write a `///` comment");
        }
        let Ok(name) = format!("{interface}/{}", function.name).parse::<OperationName>() else {
            return self.refuse(at, "write interface and function in lower-case words joined by hyphens");
        };
        let (method, template) = match docs.http.clone() {
            Some(route) => route,
            None => match format!("/{interface}/{}", function.name).parse() {
                Ok(template) => (Method::Post, template),
                Err(_) => return self.refuse(at, "its name cannot stand in a path; give it an `@http` directive"),
            },
        };
        let parameters = self.parameters(function, &docs, method, &template, at)?;
        let (ok, fallible, errors) = self.outcome(function.result, at)?;
        if docs.cache.is_some() && method != Method::Get {
            return self.refuse(at, "`@cache` goes with GET only");
        }
        let mut operation = Operation {
            name,
            interface: export.clone(),
            function: function.name.as_str().into(),
            docs: docs.text,
            deprecated: deprecated(&function.stability),
            method,
            path: self.json_template(&template, at)?,
            parameters,
            ok,
            fallible,
            errors,
            cache: docs.cache,
            pii: None,
        };
        operation.pii = self.pii_of(&operation);
        Ok(operation)
    }

    /// The template with its parameters by their JSON names.
    fn json_template(&self, template: &PathTemplate, at: &At) -> Result<PathTemplate, ContractError> {
        let text: String = template
            .segments()
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => format!("/{text}"),
                Segment::Parameter(name) => format!("/{{{}}}", camel(name)),
            })
            .collect();
        let text = if text.is_empty() { "/".to_owned() } else { text };
        text.parse().or_else(|error: crate::path::PathTemplateError| self.refuse(at, error.to_string()))
    }

    fn parameters(
        &mut self,
        function: &wit_parser::Function,
        docs: &Docs,
        method: Method,
        template: &PathTemplate,
        at: &At,
    ) -> Result<Vec<Parameter>, ContractError> {
        let in_path: BTreeSet<&str> = template.parameters().collect();
        for name in &in_path {
            if !function.params.iter().any(|parameter| parameter.name == *name) {
                return self.refuse(at, format!("the route names `{{{name}}}`, and there is no such parameter"));
            }
        }
        for (name, _) in &docs.params {
            if !function.params.iter().any(|parameter| &parameter.name == name) {
                return self.refuse(at, format!("`@param {name}`: there is no such parameter"));
            }
        }
        let mut parameters = Vec::new();
        for parameter in &function.params {
            let at = At { span: at.span, item: format!("{}, parameter {}", at.item, parameter.name) };
            let ty = self.ty(&parameter.ty, &at, 0)?;
            let own = docs.params.iter().find(|(name, _)| *name == parameter.name).map(|(_, docs)| docs);
            let place = match method {
                _ if in_path.contains(parameter.name.as_str()) => Place::Path,
                Method::Get | Method::Delete | Method::Head => Place::Query,
                _ => Place::Member,
            };
            self.check_place(place, &ty, &at)?;
            let rules = own.map(|docs| docs.rules.clone()).unwrap_or_default();
            self.check_rules(&rules, &ty, &at)?;
            parameters.push(Parameter {
                name: parameter.name.clone(),
                json: camel(&parameter.name).into(),
                docs: own.map(|docs| docs.text.clone()).unwrap_or_default(),
                rules,
                place,
                ty,
            });
        }
        self.check_camel(parameters.iter().map(|parameter| parameter.name.as_str()), at)?;
        self.bind_whole_body(&mut parameters);
        Ok(parameters)
    }

    /// If exactly one record is left for the body, the record is the body.
    fn bind_whole_body(&self, parameters: &mut [Parameter]) {
        let mut members = parameters.iter_mut().filter(|parameter| parameter.place == Place::Member);
        if let (Some(only), None) = (members.next(), members.next())
            && self.is_record(&only.ty)
        {
            only.place = Place::Body;
        }
    }

    fn is_record(&self, ty: &Type) -> bool {
        matches!(self.kind_of(ty), Some(TypeKind::Record(_)))
    }

    /// The definition behind any chain of aliases, where there is one.
    fn kind_of(&self, ty: &Type) -> Option<&TypeKind> {
        match ty {
            Type::Named(id) => match &self.types.get(id.0)?.kind {
                TypeKind::Alias(target) => self.kind_of(target),
                kind => Some(kind),
            },
            _ => None,
        }
    }

    fn structural<'t>(&'t self, ty: &'t Type) -> &'t Type {
        match ty {
            Type::Named(id) => match self.types.get(id.0).map(|definition| &definition.kind) {
                Some(TypeKind::Alias(target)) => self.structural(target),
                _ => ty,
            },
            _ => ty,
        }
    }

    fn check_place(&self, place: Place, ty: &Type, at: &At) -> Result<(), ContractError> {
        let fits = match (place, self.structural(ty)) {
            (Place::Path, scalar) => self.is_scalar(scalar),
            (Place::Query, Type::Option(inner) | Type::List(inner)) => self.is_scalar(self.structural(inner)),
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

    fn outcome(
        &mut self,
        result: Option<wit_parser::Type>,
        at: &At,
    ) -> Result<(Option<Type>, Fallible, Vec<ErrorCase>), ContractError> {
        let Some(result) = result else { return Ok((None, Fallible::Never, Vec::new())) };
        let outcome = match result {
            wit_parser::Type::Id(id) => match &self.wit_type(id).kind {
                TypeDefKind::Result(outcome) => outcome,
                _ => return Ok((Some(self.ty(&result, at, 0)?), Fallible::Never, Vec::new())),
            },
            _ => return Ok((Some(self.ty(&result, at, 0)?), Fallible::Never, Vec::new())),
        };
        let ok = outcome.ok.map(|ty| self.ty(&ty, at, 0)).transpose()?;
        let needs = "its error needs a type: `problem` of `truc:connector/types`, or a variant of its own";
        let Some(error) = outcome.err else { return self.refuse(at, needs) };
        let error_type = self.ty(&error, at, 0)?;
        let statuses = self.statuses(error)?;
        let cases: Vec<(Arc<str>, String, Option<Type>)> = match self.kind_of(&error_type) {
            Some(TypeKind::Variant(cases)) => {
                cases.iter().map(|case| (case.name.clone(), case.docs.clone(), case.payload.clone())).collect()
            }
            Some(TypeKind::Enum(labels)) => {
                labels.iter().map(|label| (label.name.clone(), label.docs.clone(), None)).collect()
            }
            _ => return self.refuse(at, needs),
        };
        let fallible = match self.kind_of(&error_type) {
            Some(TypeKind::Enum(_)) => Fallible::Enum,
            _ => Fallible::Variant,
        };
        let errors = cases
            .into_iter()
            .map(|(name, docs, payload)| ErrorCase {
                status: statuses.get(name.as_ref()).copied().unwrap_or_else(|| status_of(&name)),
                name,
                docs,
                payload,
            })
            .collect();
        Ok((ok, fallible, errors))
    }

    /// The `@status` directives of an error type's cases.
    fn statuses(&self, ty: wit_parser::Type) -> Result<BTreeMap<String, u16>, ContractError> {
        let mut statuses = BTreeMap::new();
        let mut ty = ty;
        while let wit_parser::Type::Id(id) = ty {
            let comments: Vec<(&String, &wit_parser::Docs, Span)> = match &self.wit_type(id).kind {
                TypeDefKind::Type(target) => {
                    ty = *target;
                    continue;
                }
                TypeDefKind::Variant(variant) => {
                    variant.cases.iter().map(|case| (&case.name, &case.docs, case.span)).collect()
                }
                TypeDefKind::Enum(labels) => {
                    labels.cases.iter().map(|case| (&case.name, &case.docs, case.span)).collect()
                }
                _ => Vec::new(),
            };
            for (name, docs, span) in comments {
                let at = At { span, item: format!("case {name}") };
                let docs = self.docs(docs.contents.as_deref(), directive::Place::Case, &at)?;
                statuses.extend(docs.status.map(|status| (name.clone(), status)));
            }
            break;
        }
        Ok(statuses)
    }

    fn docs(&self, comment: Option<&str>, place: directive::Place, at: &At) -> Result<Docs, ContractError> {
        directive::parse(comment, place).or_else(|error| self.refuse(at, error.to_string()))
    }

    fn ty(&mut self, ty: &wit_parser::Type, at: &At, depth: usize) -> Result<Type, ContractError> {
        if depth > MAX_DEPTH {
            return self.refuse(at, format!("its type is nested more than {MAX_DEPTH} deep"));
        }
        Ok(match ty {
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
                None => {
                    let built = self.defined(*id, at, depth)?;
                    self.known.insert(*id, built.clone());
                    built
                }
            },
        })
    }

    fn defined(&mut self, id: wit_parser::TypeId, at: &At, depth: usize) -> Result<Type, ContractError> {
        let definition = self.wit_type(id);
        let inner = depth + 1;
        match &definition.kind {
            TypeDefKind::List(wit_parser::Type::U8) if definition.name.is_none() => Ok(Type::Bytes),
            TypeDefKind::List(item) if definition.name.is_none() => {
                Ok(Type::List(Box::new(self.ty(item, at, inner)?)))
            }
            TypeDefKind::Option(item) if definition.name.is_none() => {
                let item = self.ty(item, at, inner)?;
                if matches!(self.structural(&item), Type::Option(_)) {
                    return self.refuse(at, "an option inside an option has no JSON; use a variant");
                }
                Ok(Type::Option(Box::new(item)))
            }
            TypeDefKind::Tuple(tuple) if definition.name.is_none() => {
                let items = tuple.types.iter().map(|item| self.ty(item, at, inner)).collect::<Result<_, _>>()?;
                Ok(Type::Tuple(items))
            }
            TypeDefKind::Result(result) if definition.name.is_none() => {
                let mut side = |ty: &Option<wit_parser::Type>| {
                    ty.as_ref().map(|ty| self.ty(ty, at, inner).map(Box::new)).transpose()
                };
                Ok(Type::Result(side(&result.ok)?, side(&result.err)?))
            }
            TypeDefKind::Type(target) if self.same_name(id, target) => self.ty(target, at, depth),
            _ => self.named(id, at, inner),
        }
    }

    /// Whether a type is the mere `use` of one of the same name.
    fn same_name(&self, id: wit_parser::TypeId, target: &wit_parser::Type) -> bool {
        match target {
            wit_parser::Type::Id(target) => self.wit_type(*target).name == self.wit_type(id).name,
            _ => false,
        }
    }

    fn named(&mut self, id: wit_parser::TypeId, at: &At, depth: usize) -> Result<Type, ContractError> {
        let definition = self.wit_type(id);
        let Some(name) = &definition.name else {
            return self.refuse(at, "resources, streams, futures, maps and fixed-length lists cannot be served");
        };
        let at = At { span: definition.span, item: format!("type {name}") };
        let docs = self.docs(definition.docs.contents.as_deref(), directive::Place::Value, &at)?;
        let kind = match &definition.kind {
            TypeDefKind::Record(record) => TypeKind::Record(self.fields(&record.fields, name, depth)?),
            TypeDefKind::Variant(variant) => TypeKind::Variant(self.cases(&variant.cases, name, depth)?),
            TypeDefKind::Enum(labels) => {
                let labels = labels.cases.iter().map(|case| (&case.name, &case.docs, case.span));
                TypeKind::Enum(self.labels(labels, name)?)
            }
            TypeDefKind::Flags(flags) => {
                let labels = flags.flags.iter().map(|flag| (&flag.name, &flag.docs, flag.span));
                TypeKind::Flags(self.labels(labels, name)?)
            }
            TypeDefKind::Type(target) => TypeKind::Alias(self.ty(target, &at, depth)?),
            TypeDefKind::List(wit_parser::Type::U8) => TypeKind::Alias(Type::Bytes),
            TypeDefKind::List(item) => TypeKind::Alias(Type::List(Box::new(self.ty(item, &at, depth)?))),
            TypeDefKind::Option(item) => {
                let item = self.ty(item, &at, depth)?;
                if matches!(self.structural(&item), Type::Option(_)) {
                    return self.refuse(&at, "an option inside an option has no JSON; use a variant");
                }
                TypeKind::Alias(Type::Option(Box::new(item)))
            }
            TypeDefKind::Tuple(tuple) => {
                let items = tuple.types.iter().map(|item| self.ty(item, &at, depth)).collect::<Result<_, _>>()?;
                TypeKind::Alias(Type::Tuple(items))
            }
            TypeDefKind::Result(result) => {
                let ok = result.ok.map(|ty| self.ty(&ty, &at, depth).map(Box::new)).transpose()?;
                let err = result.err.map(|ty| self.ty(&ty, &at, depth).map(Box::new)).transpose()?;
                TypeKind::Alias(Type::Result(ok, err))
            }
            _ => {
                return self.refuse(&at, "resources, streams, futures, maps and fixed-length lists cannot be served");
            }
        };
        let schema_name = self.schema_name(definition, name);
        let wit = match definition.owner {
            TypeOwner::Interface(owner) => format!("{}#{name}", self.resolve.id_of(owner).unwrap_or_default()),
            _ => name.clone(),
        };
        let type_id = TypeId(self.types.len());
        let pii = docs.rules.pii.max(self.pii_of_kind(&kind));
        let rules = docs.rules;
        self.types.push(TypeDef { name: schema_name.into(), wit, docs: docs.text, rules: rules.clone(), pii, kind });
        self.check_rules(&rules, &Type::Named(type_id), &at)?;
        Ok(Type::Named(type_id))
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
        owner: &str,
        depth: usize,
    ) -> Result<Vec<Field>, ContractError> {
        let mut built = Vec::with_capacity(fields.len());
        for field in fields {
            let at = At { span: field.span, item: format!("{owner}.{}", field.name) };
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
        if let Some(first) = fields.first() {
            let at = At { span: first.span, item: format!("record {owner}") };
            self.check_camel(fields.iter().map(|field| field.name.as_str()), &at)?;
        }
        Ok(built)
    }

    fn cases(&mut self, cases: &[wit_parser::Case], owner: &str, depth: usize) -> Result<Vec<Case>, ContractError> {
        let mut built = Vec::with_capacity(cases.len());
        for case in cases {
            let at = At { span: case.span, item: format!("{owner}.{}", case.name) };
            let docs = self.docs(case.docs.contents.as_deref(), directive::Place::Case, &at)?;
            let payload = case.ty.as_ref().map(|ty| self.ty(ty, &at, depth)).transpose()?;
            built.push(Case { name: case.name.as_str().into(), docs: docs.text, payload });
        }
        Ok(built)
    }

    fn labels<'l>(
        &self,
        labels: impl Iterator<Item = (&'l String, &'l wit_parser::Docs, Span)>,
        owner: &str,
    ) -> Result<Vec<Label>, ContractError> {
        labels
            .map(|(name, docs, span)| {
                let at = At { span, item: format!("{owner}.{name}") };
                let docs = self.docs(docs.contents.as_deref(), directive::Place::Case, &at)?;
                Ok(Label { name: name.as_str().into(), docs: docs.text })
            })
            .collect()
    }

    /// Two WIT names that become one in JSON would hide one another.
    fn check_camel<'n>(&self, names: impl Iterator<Item = &'n str>, at: &At) -> Result<(), ContractError> {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for name in names {
            if let Some(other) = seen.insert(camel(name), name) {
                let json = camel(name);
                return self.refuse(at, format!("`{other}` and `{name}` are both `{json}` in JSON; rename one"));
            }
        }
        Ok(())
    }

    /// Rules must make sense for the type they stand on.
    fn check_rules(&self, rules: &crate::model::Rules, ty: &Type, at: &At) -> Result<(), ContractError> {
        let mut ty = self.structural(ty);
        if let Type::Option(inner) = ty {
            ty = self.structural(inner);
        }
        let is_text = matches!(ty, Type::String);
        if rules.format.is_some() && !is_text {
            return self.refuse(at, "`@format` goes with texts only");
        }
        if rules.pattern.is_some() && !is_text {
            return self.refuse(at, "`@pattern` goes with texts only");
        }
        let sized = !matches!(ty, Type::Bool | Type::Char | Type::Result(..) | Type::Tuple(_) | Type::Named(_));
        if (rules.min.is_some() || rules.max.is_some()) && !sized {
            return self.refuse(at, "`@min` and `@max` go with numbers, texts and lists only");
        }
        match (rules.min, rules.max) {
            (Some(min), Some(max)) if min > max => self.refuse(at, format!("`@min` {min} is above `@max` {max}")),
            _ => Ok(()),
        }
    }

    fn check_routes(&self, operations: &[Operation]) -> Result<(), ContractError> {
        for (index, operation) in operations.iter().enumerate() {
            let earlier = operations.iter().take(index).find(|earlier| {
                earlier.method == operation.method && earlier.path.same_shape(&operation.path)
            });
            if let Some(earlier) = earlier {
                let at = At { span: Span::default(), item: operation.name.to_string() };
                let (method, path) = (operation.method, &operation.path);
                return self.refuse(&at, format!("{method} {path} is already the route of {}", earlier.name));
            }
        }
        Ok(())
    }

    fn pii_of(&self, operation: &Operation) -> Option<Pii> {
        let parameters =
            operation.parameters.iter().map(|parameter| parameter.rules.pii.max(self.pii_in(&parameter.ty)));
        let results = operation.ok.iter().map(|ty| self.pii_in(ty));
        parameters.chain(results).max().flatten()
    }

    fn pii_in(&self, ty: &Type) -> Option<Pii> {
        match ty {
            Type::List(item) | Type::Option(item) => self.pii_in(item),
            Type::Tuple(items) => items.iter().map(|item| self.pii_in(item)).max().flatten(),
            Type::Result(ok, err) => ok.iter().chain(err).map(|ty| self.pii_in(ty)).max().flatten(),
            Type::Named(id) => self.types.get(id.0)?.pii,
            _ => None,
        }
    }

    fn pii_of_kind(&self, kind: &TypeKind) -> Option<Pii> {
        match kind {
            TypeKind::Alias(target) => self.pii_in(target),
            TypeKind::Record(fields) => {
                fields.iter().map(|field| field.rules.pii.max(self.pii_in(&field.ty))).max().flatten()
            }
            TypeKind::Variant(cases) => {
                cases.iter().filter_map(|case| case.payload.as_ref()).map(|ty| self.pii_in(ty)).max().flatten()
            }
            TypeKind::Enum(_) | TypeKind::Flags(_) => None,
        }
    }
}

fn deprecated(stability: &Stability) -> Option<semver::Version> {
    match stability {
        Stability::Stable { deprecated, .. } | Stability::Unstable { deprecated, .. } => deprecated.clone(),
        Stability::Unknown => None,
    }
}
