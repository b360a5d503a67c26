//! `cargo xtask connectors`: every folder of `plugins/` that has a `connector.toml` becomes one file in
//! `target/connectors/`, ready to publish.
//!
//! cargo compiles and links all of them at once with the toolchain's own component linker; packing then adds the
//! manifest and the contract's documentation and refuses a component that imports anything but `truc:connector`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use truc_contract::Manifest;

use crate::tools::{GUEST_TARGET, GuestToolchain};
use crate::workspace::{Package, Workspace, progress, read, run};

/// The memory a connector starts with. The SDK's allocator fills it without ever growing it in an ordinary call:
/// growing costs more than everything else a call does in the sandbox.
const INITIAL_MEMORY: u32 = 4 << 20;

/// The cargo profile of connectors, set in the workspace's `Cargo.toml`.
const PROFILE: &str = "connector";

/// Only some of the connectors.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Build only these, named as in their manifests.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) only: Vec<String>,
}

/// A finished connector.
pub(crate) struct Built {
    /// The component.
    pub(crate) file: PathBuf,
    /// The component's size in bytes.
    pub(crate) size: usize,
}

/// A connector's source.
struct Source<'a> {
    package: &'a Package,
    manifest_text: String,
    manifest: Manifest,
}

/// Builds connectors and packs them into `target/connectors/`.
pub(crate) fn build(workspace: &Workspace, options: &Options) -> Result<Vec<Built>> {
    let sources = sources(workspace, &options.only)?;
    let toolchain = GuestToolchain::ensure()?;

    let names: Vec<&str> = sources.iter().map(|source| source.manifest.name.as_str()).collect();
    progress(format_args!("building connectors: {}", names.join(", ")));
    compile(workspace, &toolchain, &sources)?;

    let folder = workspace.target.join("connectors");
    sources.iter().map(|source| pack(workspace, source, &folder)).collect()
}

fn sources<'a>(workspace: &'a Workspace, only: &[String]) -> Result<Vec<Source<'a>>> {
    let mut sources = Vec::new();
    for package in &workspace.packages {
        let file = package.manifest_path.with_file_name("connector.toml");
        if file.is_file() {
            let manifest_text = read(&file)?;
            let shown = file.strip_prefix(&workspace.root).unwrap_or(&file);
            let manifest = Manifest::parse(&manifest_text, &shown.display().to_string())?;
            sources.push(Source { package, manifest_text, manifest });
        }
    }
    if let Some(unknown) = only.iter().find(|name| !sources.iter().any(|s| s.manifest.name.as_str() == *name))
    {
        let known: Vec<&str> = sources.iter().map(|source| source.manifest.name.as_str()).collect();
        bail!("there is no connector {unknown:?} in plugins/; there are {}", known.join(", "));
    }
    sources.retain(|source| only.is_empty() || only.iter().any(|name| name == source.manifest.name.as_str()));
    ensure!(!sources.is_empty(), "no folder of plugins/ has a connector.toml");
    Ok(sources)
}

/// One call of cargo for all, so that what they share is compiled once.
fn compile(workspace: &Workspace, toolchain: &GuestToolchain, sources: &[Source<'_>]) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--quiet", "--lib", "--profile", PROFILE, "--target", GUEST_TARGET]);
    for source in sources {
        cargo.args(["--package", &source.package.name]);
    }
    cargo
        .env("PATH", &toolchain.path)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &toolchain.linker)
        .env(
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
            format!("-Clink-arg=--initial-memory={INITIAL_MEMORY}"),
        )
        // Flags meant for this machine's programs would take the place of those above.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(&mut cargo)
}

/// Adds a connector's manifest and contract to what was linked for it, and writes the file.
fn pack(workspace: &Workspace, source: &Source<'_>, folder: &Path) -> Result<Built> {
    let name = source.manifest.name.to_string();
    let library = format!("{}.wasm", source.package.name.replace('-', "_"));
    let linked = workspace.target.join(GUEST_TARGET).join(PROFILE).join(library);
    let linked = std::fs::read(&linked).with_context(|| format!("{} cannot be read", linked.display()))?;

    let contract = workspace.root.join("wit").join(&source.manifest.contract.name);
    let packed = truc_contract::pack(&linked, &[&contract], &source.manifest_text)
        .with_context(|| format!("the connector {name} cannot be packed"))?;

    std::fs::create_dir_all(folder)?;
    let file = folder.join(format!("{name}.wasm"));
    // Written only when it changed, so that the file's time says when the connector did.
    if std::fs::read(&file).ok().as_deref() != Some(&packed) {
        let fresh = file.with_extension("wasm.new");
        std::fs::write(&fresh, &packed)?;
        std::fs::rename(&fresh, &file)?;
    }
    Ok(Built { file, size: packed.len() })
}

/// Packs a connector that was built before under other names. To a host each is a connector of its own.
pub(crate) fn pack_copies(
    workspace: &Workspace,
    connector: &str,
    names: &[String],
    folder: &Path,
) -> Result<Vec<PathBuf>> {
    let only = [connector.to_owned()];
    let mut sources = sources(workspace, &only)?;
    let source = sources.first_mut().context("the connector is not there")?;
    let original = source.manifest_text.clone();
    let mut copies = Vec::new();
    for name in names {
        let (old, new) = (format!("name = \"{connector}\""), format!("name = \"{name}\""));
        source.manifest_text = original.replacen(&old, &new, 1);
        source.manifest = Manifest::parse(&source.manifest_text, name)?;
        copies.push(pack(workspace, source, folder)?.file);
    }
    Ok(copies)
}

/// Says what was built.
pub(crate) fn report(workspace: &Workspace, built: &[Built]) {
    for connector in built {
        let shown = connector.file.strip_prefix(&workspace.root).unwrap_or(&connector.file);
        println!("    {:>5} KiB  {}", connector.size.div_ceil(1024), shown.display());
    }
}
