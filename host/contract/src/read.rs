//! WIT text to [`Contract`]: names, types, documentation, directives and routes, all checked.

mod check;
mod place;
mod text;
mod types;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use truc_model::OperationName;
use wit_parser::{
    FunctionKind, InterfaceId, PackageId, Resolve, SourceMap, Span, Stability, TypeDefKind, WorldItem,
};

use crate::directive::{self, Docs};
use crate::manifest::ContractId;
use crate::model::{Contract, ErrorCase, Fallible, Interface, Operation, Parameter, Place, Type, TypeKind};
use crate::names::camel;
use crate::path::{Method, PathTemplate, Segment};
use crate::schema::PROBLEM_DETAILS;

/// Why a text is not a contract that can be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {item}: {reason}")]
pub struct ContractError {
    /// File, line and column.
    pub place: String,
    /// Package, interface and item.
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
                let name =
                    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
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
    Reader::new(&resolve, package, place_of_package(sources))?.read()
}

/// Parses the files of one package together with `truc:connector`.
pub(crate) fn resolve_sources(sources: &[(String, String)]) -> Result<(Resolve, PackageId), ContractError> {
    parse(sources).map_err(|error| match place::item_at(sources, &error.place) {
        Some(item) => ContractError { item, ..error },
        None => error,
    })
}

fn parse(sources: &[(String, String)]) -> Result<(Resolve, PackageId), ContractError> {
    let error = |place: String, reason: String| {
        let lines: Vec<&str> = reason.lines().map(str::trim).collect();
        ContractError { place, item: "the text".to_owned(), reason: lines.join(" ") }
    };
    let place =
        |span: Span, located: String| if span.is_known() { located } else { place_of_package(sources) };
    if sources.is_empty() {
        return Err(error("no file".to_owned(), "there is no `.wit` file".to_owned()));
    }
    let mut map = SourceMap::new();
    for (name, text) in sources {
        map.push_str(name, text::prepare(name, text)?);
    }
    let group = map.parse().map_err(|(map, cause)| {
        let span = cause.kind().span();
        error(place(span, map.render_location(span)), cause.kind().to_string())
    })?;
    let mut resolve = Resolve::default();
    resolve
        .push_source(crate::CONNECTOR_PACKAGE, crate::CONNECTOR_WIT)
        .map_err(|cause| error(crate::CONNECTOR_PACKAGE.to_owned(), format!("{cause:#}")))?;
    match resolve.push_group(group) {
        Ok(package) => Ok((resolve, package)),
        Err(cause) => {
            let span = cause.kind().span();
            Err(error(place(span, resolve.render_location(span)), cause.kind().to_string()))
        }
    }
}

/// Where the `package` line stands, for faults of the package as a whole; the parser does not keep it.
fn place_of_package(sources: &[(String, String)]) -> String {
    let lines = sources
        .iter()
        .flat_map(|(name, text)| text.lines().enumerate().map(move |(index, line)| (name, index + 1, line)));
    let mut packages = lines.filter(|(_, _, line)| line.trim_start().starts_with("package "));
    match (packages.next(), sources.first()) {
        (Some((name, line, _)), _) => format!("{name}:{line}:1"),
        (None, Some((name, _))) => format!("{name}:1:1"),
        (None, None) => String::new(),
    }
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
    /// Where the package is declared.
    package_place: String,
    /// The contract as far as it is read.
    contract: Contract,
    known: HashMap<wit_parser::TypeId, Type>,
    /// How deeply each type of the contract is nested.
    heights: Vec<usize>,
    /// The schema names that are taken.
    names: BTreeSet<String>,
    /// The types with `@status` on their cases.
    statuses: BTreeMap<wit_parser::TypeId, Statuses>,
}

/// The `@status` directives on the cases of one type.
struct Statuses {
    at: At,
    by_case: BTreeMap<Arc<str>, u16>,
    /// Whether an operation returns the type as its error.
    heeded: bool,
}

/// What a function's result means.
struct Outcome {
    ok: Option<Type>,
    fallible: Fallible,
    error: Option<Type>,
    errors: Vec<ErrorCase>,
}

/// Where an item stands, for error messages.
#[derive(Clone)]
struct At {
    /// Unknown for the package as a whole.
    span: Span,
    item: String,
}

impl<'a> Reader<'a> {
    fn new(resolve: &'a Resolve, package: PackageId, package_place: String) -> Result<Self, ContractError> {
        #[expect(clippy::indexing_slicing, reason = "an arena is indexed by the identifiers it gave out")]
        let name = &resolve.packages[package].name;
        let refuse = |reason: &str| {
            let place = package_place.clone();
            Err(ContractError { place, item: format!("package {name}"), reason: reason.to_owned() })
        };
        let Some(version) = name.version.clone() else {
            return refuse("a contract needs a version, for instance `@1.0.0`");
        };
        let id = ContractId { namespace: name.namespace.clone(), name: name.name.clone(), version };
        if id.to_string().parse::<ContractId>().is_err() {
            return refuse(
                "write namespace and name in lower-case words joined by hyphens, at most 63 characters each",
            );
        }
        let contract = Contract {
            id,
            docs: String::new(),
            interfaces: Vec::new(),
            operations: Vec::new(),
            types: Vec::new(),
        };
        Ok(Self {
            resolve,
            package,
            package_place,
            contract,
            known: HashMap::new(),
            heights: Vec::new(),
            names: BTreeSet::from([PROBLEM_DETAILS.to_owned()]),
            statuses: BTreeMap::new(),
        })
    }

    fn refuse<T>(&self, at: &At, reason: impl Into<String>) -> Result<T, ContractError> {
        let place = match at.span.is_known() {
            true => self.resolve.render_location(at.span),
            false => self.package_place.clone(),
        };
        Err(ContractError { place, item: at.item.clone(), reason: reason.into() })
    }

    fn read(mut self) -> Result<Contract, ContractError> {
        let package = self.package();
        let top = At { span: Span::default(), item: format!("package {}", package.name) };
        self.contract.docs =
            self.docs(package.docs.contents.as_deref(), directive::Place::Container, &top)?.text;
        let mut places = Vec::new();
        for interface in self.exported_interfaces(&top)? {
            self.interface(interface, &mut places)?;
        }
        if self.contract.operations.is_empty() {
            return self.refuse(&top, "no exported interface has a function");
        }
        self.check_routes(&places)?;
        self.check_identifiers(&places)?;
        if let Some(unheeded) = self.statuses.values().find(|statuses| !statuses.heeded) {
            return self.refuse(&unheeded.at, "`@status`: no operation returns this type as its error");
        }
        Ok(self.contract)
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
        let Some(world) = self.package().worlds.get("connector").and_then(|id| self.resolve.worlds.get(*id))
        else {
            return self.refuse(top, "it has no `world connector` that exports its interfaces");
        };
        let at = At { span: world.span, item: format!("{}, world connector", top.item) };
        self.docs(world.docs.contents.as_deref(), directive::Place::Container, &at)?;
        let mut interfaces = Vec::new();
        for (key, item) in &world.exports {
            let name = self.resolve.name_world_key(key);
            let at = At { span: world.span, item: format!("{}, export {name}", at.item) };
            match item {
                WorldItem::Interface { id, .. } if self.wit_interface(*id).name.is_none() => {
                    return self
                        .refuse(&at, "declare the interface outside the world and export it by its name");
                }
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

    /// Reads the operations of an interface; `places` gets where each stands.
    fn interface(&mut self, id: InterfaceId, places: &mut Vec<At>) -> Result<(), ContractError> {
        let interface = self.wit_interface(id);
        let name = interface.name.as_deref().unwrap_or_default();
        let export: Arc<str> = self.resolve.id_of(id).unwrap_or_else(|| name.to_owned()).into();
        let at = At { span: interface.span, item: format!("interface {export}") };
        let docs = self.docs(interface.docs.contents.as_deref(), directive::Place::Container, &at)?.text;
        if !interface.functions.is_empty() {
            self.contract.interfaces.push(Interface { name: name.to_owned(), docs });
        }
        for (function_name, function) in &interface.functions {
            let at = At { span: function.span, item: format!("{export}#{function_name}") };
            let operation = self.operation(name, &export, function, &at)?;
            self.contract.operations.push(operation);
            places.push(at);
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
                Err(_) => {
                    return self.refuse(at, "its name cannot stand in a path; give it an `@http` directive");
                }
            },
        };
        let parameters = self.parameters(function, &docs, method, &template, at)?;
        let Outcome { ok, fallible, error, errors } = self.outcome(function.result, at)?;
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
            error,
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
                return self
                    .refuse(at, format!("the route names `{{{name}}}`, and there is no such parameter"));
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
            && matches!(self.kind_of(&only.ty), Some(TypeKind::Record(_)))
        {
            only.place = Place::Body;
        }
    }

    /// The definition behind any chain of aliases, where there is one.
    fn kind_of(&self, ty: &Type) -> Option<&TypeKind> {
        match self.contract.resolve(ty) {
            Type::Named(id) => self.contract.named(*id).map(|definition| &definition.kind),
            _ => None,
        }
    }

    fn outcome(&mut self, result: Option<wit_parser::Type>, at: &At) -> Result<Outcome, ContractError> {
        let never = |ok| Outcome { ok, fallible: Fallible::Never, error: None, errors: Vec::new() };
        let Some(result) = result else { return Ok(never(None)) };
        let outcome = match self.behind_aliases(result) {
            wit_parser::Type::Id(id) => match &self.wit_type(id).kind {
                TypeDefKind::Result(outcome) => outcome,
                _ => return Ok(never(Some(self.ty(&result, at, 0)?))),
            },
            _ => return Ok(never(Some(self.ty(&result, at, 0)?))),
        };
        let ok = outcome.ok.map(|ty| self.ty(&ty, at, 0)).transpose()?;
        let needs = "its error needs a type: `problem` of `truc:connector/types`, or a variant of its own";
        let Some(error) = outcome.err else { return self.refuse(at, needs) };
        let error_type = self.ty(&error, at, 0)?;
        let statuses = match self.behind_aliases(error) {
            wit_parser::Type::Id(id) => self.statuses.get_mut(&id),
            _ => None,
        };
        let statuses = statuses.map(|statuses| {
            statuses.heeded = true;
            statuses.by_case.clone()
        });
        let status = |name: &Arc<str>| {
            statuses
                .as_ref()
                .and_then(|by_case| by_case.get(name))
                .copied()
                .unwrap_or_else(|| status_of(name))
        };
        let (fallible, errors) = match self.kind_of(&error_type) {
            Some(TypeKind::Variant(cases)) => {
                let cases = cases.iter().map(|case| ErrorCase {
                    status: status(&case.name),
                    name: case.name.clone(),
                    docs: case.docs.clone(),
                    payload: case.payload.clone(),
                });
                (Fallible::Variant, cases.collect())
            }
            Some(TypeKind::Enum(labels)) => {
                let cases = labels.iter().map(|label| ErrorCase {
                    status: status(&label.name),
                    name: label.name.clone(),
                    docs: label.docs.clone(),
                    payload: None,
                });
                (Fallible::Enum, cases.collect())
            }
            _ => return self.refuse(at, needs),
        };
        Ok(Outcome { ok, fallible, error: Some(error_type), errors })
    }

    fn behind_aliases(&self, ty: wit_parser::Type) -> wit_parser::Type {
        let mut ty = ty;
        while let wit_parser::Type::Id(id) = ty
            && let TypeDefKind::Type(target) = self.wit_type(id).kind
        {
            ty = target;
        }
        ty
    }

    fn docs(&self, comment: Option<&str>, place: directive::Place, at: &At) -> Result<Docs, ContractError> {
        directive::parse(comment, place).or_else(|error| self.refuse(at, error.to_string()))
    }
}

fn deprecated(stability: &Stability) -> Option<semver::Version> {
    match stability {
        Stability::Stable { deprecated, .. } | Stability::Unstable { deprecated, .. } => deprecated.clone(),
        Stability::Unknown => None,
    }
}
