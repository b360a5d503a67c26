//! Component bytes to what Trục reads of them before any engine sees them: imports, manifest, contract, and whether the
//! exports are the contract's.

use std::collections::BTreeSet;

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};
use wit_parser::decoding::DecodedWasm;
use wit_parser::{FunctionKind, PackageId, Resolve, Type as WitType, TypeDefKind, WorldItem};

use crate::changes::root_cause;
use crate::manifest::{ContractId, Manifest, ManifestError};
use crate::model::Contract;
use crate::read::{ContractError, resolve_sources};
use crate::sources::{ContractText, MAX_CONTRACT};

/// The custom section that holds the manifest's text.
pub const MANIFEST_SECTION: &str = "truc:manifest";
/// The custom section that holds the contract's text: a JSON array of `[file name, text]`.
pub const WIT_SECTION: &str = "truc:wit";

/// What a connector's code may use of WebAssembly: what the engine has switched on, and no more. All else is refused here,
/// so that neither the readers of this room nor the compiler meet it.
const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::COMPONENT_MODEL);

/// A component as read, before compilation.
#[derive(Debug, Clone)]
pub struct Component {
    /// Its manifest.
    pub manifest: Manifest,
    /// The manifest as written.
    pub manifest_text: String,
    /// The text that governs it: the published one, or the one it brings.
    pub text: ContractText,
    /// What that text says.
    pub contract: Contract,
    /// The interfaces it imports, in order; each belongs to `truc:connector`.
    pub imports: Vec<String>,
}

/// Why a file is not a connector.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// Not a component, cut short, or broken.
    #[error("the file is not a component: {0}")]
    Malformed(String),
    /// It asks for something that is not offered.
    #[error("the component imports {import:?}, which is not offered; a connector may import {offered}")]
    Import {
        /// The import.
        import: String,
        /// The interfaces there are.
        offered: String,
    },
    /// A section that the packing step adds is missing or cannot be read.
    #[error(
        "the component has no readable `{section}` section: {reason}; build it with `cargo xtask connectors`"
    )]
    Section {
        /// The section.
        section: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The contract cannot be served.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// Manifest, contract and exports do not say the same.
    #[error("the manifest names the contract {named}: {reason}")]
    Mismatch {
        /// The contract in the manifest.
        named: ContractId,
        /// Where the difference is.
        reason: String,
    },
}

impl Component {
    /// Reads a component by the contract it brings.
    ///
    /// # Errors
    /// The first thing that keeps it from being a connector, in the order: form, imports, manifest, contract, code,
    /// exports.
    pub fn read(bytes: &[u8]) -> Result<Self, ComponentError> {
        Self::govern(bytes, None)
    }

    /// Reads a component by a published contract; the text that it brings is not looked at.
    ///
    /// # Errors
    /// As [`Component::read`], with the published contract in the place of its own.
    pub fn read_under(bytes: &[u8], published: &ContractText) -> Result<Self, ComponentError> {
        Self::govern(bytes, Some(published))
    }

    /// The contract that a component's manifest names. The contract itself and the exports are not looked at.
    ///
    /// # Errors
    /// What is no component, imports what is not offered, or has no manifest that can be read.
    pub fn contract_named_by(bytes: &[u8]) -> Result<ContractId, ComponentError> {
        let outline = Outline::read(bytes)?;
        check_imports(&outline.imports)?;
        Ok(outline.manifest()?.0.contract)
    }

    /// The text of the contract that a component brings.
    ///
    /// # Errors
    /// What is no component, or brings no text.
    pub fn contract_text_of(bytes: &[u8]) -> Result<ContractText, ComponentError> {
        Outline::read(bytes)?.text()
    }

    fn govern(bytes: &[u8], published: Option<&ContractText>) -> Result<Self, ComponentError> {
        let outline = Outline::read(bytes)?;
        check_imports(&outline.imports)?;
        let (manifest, manifest_text) = outline.manifest()?;
        let text = match published {
            Some(text) => text.clone(),
            None => outline.text()?,
        };
        let contract = text.read()?;
        if contract.id != manifest.contract {
            return Err(ComponentError::Mismatch {
                named: manifest.contract,
                reason: format!("the component brings the contract {}", contract.id),
            });
        }
        check_code(bytes)?;
        check_exports(bytes, &text, &contract)?;
        Ok(Self { manifest, manifest_text, text, contract, imports: outline.imports })
    }
}

/// The top level of a component.
pub(crate) struct Outline<'a> {
    pub(crate) imports: Vec<String>,
    pub(crate) manifest: Option<&'a [u8]>,
    pub(crate) wit: Option<&'a [u8]>,
}

impl<'a> Outline<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, ComponentError> {
        let mut outline = Outline { imports: Vec::new(), manifest: None, wit: None };
        let mut depth = 0_usize;
        let malformed = |error: wasmparser::BinaryReaderError| ComponentError::Malformed(error.to_string());
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(malformed)? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    let reason =
                        "it is a core module; link it with `wasm-component-ld` or `wasm-tools component new`";
                    return Err(ComponentError::Malformed(reason.to_owned()));
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        outline.imports.push(import.map_err(malformed)?.name.name.to_owned());
                    }
                }
                Payload::CustomSection(section) if depth == 0 => match section.name() {
                    MANIFEST_SECTION => once(MANIFEST_SECTION, &mut outline.manifest, section.data())?,
                    WIT_SECTION => once(WIT_SECTION, &mut outline.wit, section.data())?,
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(outline)
    }

    /// The manifest, and its text.
    fn manifest(&self) -> Result<(Manifest, String), ComponentError> {
        let text = text_section(MANIFEST_SECTION, self.manifest)?;
        Ok((Manifest::parse(&text, "connector.toml")?, text))
    }

    /// The text of the contract.
    fn text(&self) -> Result<ContractText, ComponentError> {
        let wrong = |reason: String| ComponentError::Section { section: WIT_SECTION, reason };
        if let Some(wit) = self.wit.filter(|wit| wit.len() > MAX_CONTRACT.as_usize()) {
            return Err(wrong(format!("it has {} bytes; at most {MAX_CONTRACT} are read", wit.len())));
        }
        ContractText::parse(&text_section(WIT_SECTION, self.wit)?).map_err(|error| wrong(error.to_string()))
    }
}

/// Of two sections of one name another reader might take the other one.
fn once<'a>(
    section: &'static str,
    slot: &mut Option<&'a [u8]>,
    data: &'a [u8],
) -> Result<(), ComponentError> {
    match slot.replace(data) {
        None => Ok(()),
        Some(_) => Err(ComponentError::Section { section, reason: "it stands twice".to_owned() }),
    }
}

/// The interfaces of `truc:connector`, by the names components import them under.
pub fn offered_interfaces() -> BTreeSet<String> {
    let mut resolve = Resolve::default();
    match resolve.push_source(crate::CONNECTOR_PACKAGE, crate::CONNECTOR_WIT) {
        Ok(_) => resolve.interfaces.iter().filter_map(|(id, _)| resolve.id_of(id)).collect(),
        Err(_) => BTreeSet::new(),
    }
}

pub(crate) fn check_imports(imports: &[String]) -> Result<(), ComponentError> {
    let offered = offered_interfaces();
    match imports.iter().find(|import| !offered.contains(*import)) {
        None => Ok(()),
        Some(import) => Err(ComponentError::Import {
            import: import.clone(),
            offered: offered.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        }),
    }
}

fn text_section(section: &'static str, bytes: Option<&[u8]>) -> Result<String, ComponentError> {
    let missing = |reason: &str| ComponentError::Section { section, reason: reason.to_owned() };
    let bytes = bytes.ok_or_else(|| missing("it is missing"))?;
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| missing("it is not UTF-8"))
}

/// Whether all of its code is valid WebAssembly that uses nothing but [`FEATURES`].
fn check_code(bytes: &[u8]) -> Result<(), ComponentError> {
    let valid = Validator::new_with_features(FEATURES).validate_all(bytes);
    valid.map(drop).map_err(|error| ComponentError::Malformed(error.to_string()))
}

/// Whether the component really exports what its contract says.
fn check_exports(bytes: &[u8], text: &ContractText, contract: &Contract) -> Result<(), ComponentError> {
    let malformed = |error: anyhow::Error| ComponentError::Malformed(format!("{error:#}"));
    let DecodedWasm::Component(built, world) = wit_parser::decoding::decode(bytes).map_err(malformed)? else {
        return Err(ComponentError::Malformed("it is an encoded WIT package, not a component".to_owned()));
    };
    let (promised, package_id) = resolve_sources(text.files())?;
    let mut comparison = Comparison { promised: &promised, built: &built, equal: BTreeSet::new() };
    let mismatch = |reason: String| ComponentError::Mismatch { named: contract.id.clone(), reason };

    let package = promised.packages.get(package_id);
    let built_world = built.worlds.get(world);
    for (name, id) in package.iter().flat_map(|package| &package.interfaces) {
        let Some(interface) = promised.interfaces.get(*id) else { continue };
        let Some(export) = promised.id_of(*id) else { continue };
        if !contract.operations.iter().any(|operation| *operation.interface == *export) {
            continue;
        }
        let exported =
            built_world.iter().flat_map(|world| &world.exports).find_map(|(key, item)| match item {
                WorldItem::Interface { id, .. } if built.name_world_key(key) == export => {
                    built.interfaces.get(*id)
                }
                _ => None,
            });
        let Some(exported) = exported else {
            return Err(mismatch(format!("the component does not export {export}")));
        };
        for (function_name, function) in &interface.functions {
            let Some(found) = exported.functions.get(function_name) else {
                return Err(mismatch(format!(
                    "the component does not export the function {name}/{function_name}"
                )));
            };
            if !comparison.same_function(function, found) {
                let reason =
                    format!("the exported function {name}/{function_name} has other types than the contract");
                return Err(mismatch(reason));
            }
        }
    }
    match target(promised, package_id, bytes) {
        Ok(()) => Ok(()),
        Err(error) => Err(mismatch(format!("its exports are not the contract's: {}", root_cause(&error)))),
    }
}

/// Whether a component can be used where one of the contract's world is expected, by wit-component's own check: the
/// last word, which also knows what no operation shows.
fn target(mut promised: Resolve, package: PackageId, bytes: &[u8]) -> anyhow::Result<()> {
    let world = |resolve: &Resolve, package: PackageId, name: &str| {
        resolve.packages.get(package).and_then(|package| package.worlds.get(name).copied())
    };
    let Some(connector) = world(&promised, package, "connector") else { return Ok(()) };
    // What a connector imports has been looked at before, and is no part of its contract.
    let capabilities = promised
        .packages
        .iter()
        .filter(|(_, package)| {
            format!("{}:{}", package.name.namespace, package.name.name) == crate::CONNECTOR_PACKAGE
        })
        .find_map(|(id, _)| world(&promised, id, "capabilities"));
    let offered = capabilities.and_then(|id| promised.worlds.get(id)).map(|world| world.imports.clone());
    if let Some(world) = promised.worlds.get_mut(connector) {
        for (key, item) in offered.into_iter().flatten() {
            world.imports.entry(key).or_insert(item);
        }
    }
    wit_component::targets(&promised, connector, bytes)
}

/// Compares types of two texts by structure and names.
struct Comparison<'a> {
    promised: &'a Resolve,
    built: &'a Resolve,
    /// Pairs already found equal, so that shared types are compared once.
    equal: BTreeSet<(usize, usize)>,
}

impl Comparison<'_> {
    fn same_function(&mut self, a: &wit_parser::Function, b: &wit_parser::Function) -> bool {
        b.kind == FunctionKind::Freestanding
            && a.params.len() == b.params.len()
            && a.params.iter().zip(&b.params).all(|(a, b)| a.name == b.name && self.same(&a.ty, &b.ty))
            && self.same_option(a.result.as_ref(), b.result.as_ref())
    }

    fn same_option(&mut self, a: Option<&WitType>, b: Option<&WitType>) -> bool {
        match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => self.same(a, b),
            _ => false,
        }
    }

    fn same(&mut self, a: &WitType, b: &WitType) -> bool {
        let (a, b) = (plain(self.promised, *a), plain(self.built, *b));
        let (WitType::Id(a), WitType::Id(b)) = (a, b) else { return a == b };
        let pair = (a.index(), b.index());
        if self.equal.contains(&pair) {
            return true;
        }
        let (Some(left), Some(right)) = (self.promised.types.get(a), self.built.types.get(b)) else {
            return false;
        };
        let same = self.same_kind(&left.kind, &right.kind);
        if same {
            self.equal.insert(pair);
        }
        same
    }

    fn same_kind(&mut self, a: &TypeDefKind, b: &TypeDefKind) -> bool {
        match (a, b) {
            (TypeDefKind::Record(a), TypeDefKind::Record(b)) => {
                a.fields.len() == b.fields.len()
                    && a.fields
                        .iter()
                        .zip(&b.fields)
                        .all(|(a, b)| a.name == b.name && self.same(&a.ty, &b.ty))
            }
            (TypeDefKind::Variant(a), TypeDefKind::Variant(b)) => {
                a.cases.len() == b.cases.len()
                    && a.cases
                        .iter()
                        .zip(&b.cases)
                        .all(|(a, b)| a.name == b.name && self.same_option(a.ty.as_ref(), b.ty.as_ref()))
            }
            (TypeDefKind::Enum(a), TypeDefKind::Enum(b)) => {
                a.cases.iter().map(|case| &case.name).eq(b.cases.iter().map(|case| &case.name))
            }
            (TypeDefKind::Flags(a), TypeDefKind::Flags(b)) => {
                a.flags.iter().map(|flag| &flag.name).eq(b.flags.iter().map(|flag| &flag.name))
            }
            (TypeDefKind::Tuple(a), TypeDefKind::Tuple(b)) => {
                a.types.len() == b.types.len() && a.types.iter().zip(&b.types).all(|(a, b)| self.same(a, b))
            }
            (TypeDefKind::Result(a), TypeDefKind::Result(b)) => {
                self.same_option(a.ok.as_ref(), b.ok.as_ref())
                    && self.same_option(a.err.as_ref(), b.err.as_ref())
            }
            (TypeDefKind::Option(a), TypeDefKind::Option(b))
            | (TypeDefKind::List(a), TypeDefKind::List(b)) => self.same(a, b),
            _ => false,
        }
    }
}

/// A type without its aliases.
fn plain(resolve: &Resolve, ty: WitType) -> WitType {
    let mut ty = ty;
    while let WitType::Id(id) = ty
        && let Some(TypeDefKind::Type(target)) = resolve.types.get(id).map(|definition| &definition.kind)
    {
        ty = *target;
    }
    ty
}
