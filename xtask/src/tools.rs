//! Programs from outside: found, or installed, or said exactly how to install. Nothing is installed outside the
//! workspace's own build folder but the WebAssembly target of the toolchain and, as root on Debian, PostgreSQL, Chromium
//! and Python.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::{Workspace, output, progress, run};

/// The release of cargo-deny that is installed where there is none.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// The target connectors are compiled for: WebAssembly without any system interface.
pub(crate) const GUEST_TARGET: &str = "wasm32-unknown-unknown";

/// What links connectors: programs that come with the toolchain itself.
pub(crate) struct GuestToolchain {
    /// `wasm-component-ld`, whose output is a finished component.
    pub(crate) linker: PathBuf,
    /// `PATH` with the folders in which it looks for `wasm-ld`.
    pub(crate) path: OsString,
}

impl GuestToolchain {
    /// Finds the toolchain's linker and adds the WebAssembly target where it is missing.
    pub(crate) fn ensure() -> Result<Self> {
        let sysroot = PathBuf::from(output(Command::new("rustc").args(["--print", "sysroot"]))?.trim());
        let version = output(Command::new("rustc").arg("-vV"))?;
        let host = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("`rustc -vV` does not name its host")?;
        let libraries = sysroot.join("lib/rustlib");

        if !libraries.join(GUEST_TARGET).join("lib").is_dir() {
            progress(format_args!("adding the target {GUEST_TARGET} to the toolchain"));
            run(Command::new("rustup").args(["target", "add", GUEST_TARGET])).with_context(|| {
                format!(
                    "the toolchain in {} has no {GUEST_TARGET} target: install rustup (https://rustup.rs) and run \
                     `rustup target add {GUEST_TARGET}`, or install your system's package with the standard library \
                     for it",
                    sysroot.display()
                )
            })?;
        }

        let folder = libraries.join(host).join("bin");
        let linker = folder.join("wasm-component-ld");
        let shipped = [linker.clone(), folder.join("rust-lld"), folder.join("gcc-ld/wasm-ld")];
        for program in &shipped {
            ensure!(
                program.is_file(),
                "{} is missing. It ships with toolchains installed by rustup (https://rustup.rs): run \
                 `rustup toolchain install stable` and try again",
                program.display()
            );
        }
        let rest = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(
            [folder.join("gcc-ld"), folder].into_iter().chain(std::env::split_paths(&rest)),
        )?;
        Ok(Self { linker, path })
    }
}

/// Makes sure that `make` is there, with which the host's allocator is built.
pub(crate) fn ensure_make() -> Result<()> {
    if find_on_path("make").is_some() {
        return Ok(());
    }
    let debian = install_from_debian("The tools that build C", &["make"])?;
    match (find_on_path("make"), debian) {
        (Some(_), _) => Ok(()),
        (None, Debian::Yes) => {
            bail!("the host's allocator needs `make`: run `sudo apt-get install make` and try again")
        }
        (None, Debian::No) => {
            bail!("the host's allocator needs `make`: install it, so that it is on PATH, and try again")
        }
    }
}

/// Finds cargo-deny, or builds it into the workspace's target folder.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Result<PathBuf> {
    let own = workspace.target.join("tools");
    let installed = own.join("bin/cargo-deny");
    if let Some(found) = find_on_path("cargo-deny").or_else(|| installed.is_file().then(|| installed.clone()))
    {
        return Ok(found);
    }
    progress(format_args!(
        "cargo-deny is not installed: building release {CARGO_DENY_VERSION} into {} (some minutes, once)",
        own.display()
    ));
    // It runs for a second: the time goes into building it, so it is optimised little.
    let mut install = workspace.cargo();
    install
        .args(["install", "cargo-deny", "--locked", "--quiet", "--version", CARGO_DENY_VERSION, "--root"])
        .arg(&own)
        .envs([
            ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
            ("CARGO_PROFILE_RELEASE_LTO", "off"),
            ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
            ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
        ]);
    run(&mut install).context("install it with `cargo install cargo-deny --locked` and try again")?;
    Ok(installed)
}

/// Whether `cargo nextest` can be used.
pub(crate) fn has_nextest() -> bool {
    find_on_path("cargo-nextest").is_some()
}

/// Makes sure that PostgreSQL's server programs are there; gives their folder. The store's tests start a server of their
/// own from them.
pub(crate) fn ensure_postgres() -> Result<PathBuf> {
    if let Some(found) = find_postgres() {
        return Ok(found);
    }
    let debian = install_from_debian("PostgreSQL's server programs", &["postgresql"])?;
    match (find_postgres(), debian) {
        (Some(found), _) => Ok(found),
        (None, Debian::Yes) => bail!(
            "the tests need PostgreSQL's server programs (`initdb`, `postgres`): run \
             `sudo apt-get install postgresql` and try again"
        ),
        (None, Debian::No) => bail!(
            "the tests need PostgreSQL's server programs: install PostgreSQL 14 or newer so that `initdb` and \
             `postgres` are on PATH, and try again"
        ),
    }
}

/// A browser and what drives it.
pub(crate) struct Chromium {
    /// The browser.
    pub(crate) browser: PathBuf,
    /// Its WebDriver server, of the same release.
    pub(crate) driver: PathBuf,
}

impl Chromium {
    /// Finds Chromium and its driver, or installs them.
    pub(crate) fn ensure() -> Result<Self> {
        if let Some(found) = Self::find() {
            return Ok(found);
        }
        let debian = install_from_debian("Chromium and its driver", &["chromium", "chromium-driver"])?;
        match (Self::find(), debian) {
            (Some(found), _) => Ok(found),
            (None, Debian::Yes) => bail!(
                "the pages are tried in Chromium: run `sudo apt-get install chromium chromium-driver` and try again"
            ),
            (None, Debian::No) => bail!(
                "the pages are tried in Chromium: install it and the ChromeDriver of the same release so that \
                 `chromium` and `chromedriver` are on PATH, and try again"
            ),
        }
    }

    fn find() -> Option<Self> {
        let browser = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(find_on_path)?;
        Some(Self { browser, driver: find_on_path("chromedriver")? })
    }
}

/// Whether packages can be installed as Debian does it.
enum Debian {
    Yes,
    No,
}

/// Installs packages, if this is Debian and the user is root.
fn install_from_debian(what: &str, packages: &[&str]) -> Result<Debian> {
    let Some(apt) = find_on_path("apt-get") else { return Ok(Debian::No) };
    if rustix::process::geteuid().is_root() {
        let named = packages.join("` and `");
        progress(format_args!("{what} are not installed: installing from Debian `{named}`"));
        let apt = || {
            let mut command = Command::new(&apt);
            command.env("DEBIAN_FRONTEND", "noninteractive");
            command
        };
        run(apt().args(["update", "--quiet=2"]))?;
        run(apt().args(["install", "--yes", "--quiet=2", "--no-install-recommends"]).args(packages))?;
    }
    Ok(Debian::Yes)
}

/// Programs from PyPI, Node.js and Java among them, in an environment of their own.
pub(crate) struct Python {
    /// The folder of the programs.
    bin: PathBuf,
}

impl Python {
    /// Makes the environment, or finds it as the pinned list of packages wants it.
    pub(crate) fn ensure(workspace: &Workspace, requirements: &Path) -> Result<Self> {
        let folder = workspace.target.join("tools/python");
        let python = Self { bin: folder.join("bin") };
        if is_installed(&folder, requirements)? {
            return Ok(python);
        }
        ensure_python()?;
        progress(format_args!(
            "installing the packages of {} into {}",
            requirements.display(),
            folder.display()
        ));
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let pinned = ["--require-hashes", "--only-binary=:all:"];
        let quiet = ["--quiet", "--disable-pip-version-check", "--no-input"];
        let mut pip = python.command("python");
        run(pip
            .args(["-m", "pip", "install"])
            .args(quiet)
            .args(pinned)
            .arg("--requirement")
            .arg(requirements))?;
        mark_installed(&folder, requirements)?;
        Ok(python)
    }

    /// A call of one of its programs, or of another that needs them.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(self.bin.join(program));
        let folders = std::iter::once(self.bin.clone()).chain(path_folders());
        if let Ok(path) = std::env::join_paths(folders) {
            command.env("PATH", path);
        }
        command
    }
}

/// The newest features that pinned packages use came with this release.
const PYTHON_AT_LEAST: (u32, u32) = (3, 11);

/// Makes sure that Python can make environments.
pub(crate) fn ensure_python() -> Result<()> {
    let can = || {
        let (major, minor) = PYTHON_AT_LEAST;
        let test = format!("import ensurepip, sys, venv; sys.exit(sys.version_info < ({major}, {minor}))");
        output(Command::new("python3").args(["-c", &test])).is_ok()
    };
    if !can() {
        install_from_debian("Python's environments", &["python3", "python3-venv"])?;
    }
    let (major, minor) = PYTHON_AT_LEAST;
    ensure!(
        can(),
        "outside tools are installed by Python {major}.{minor} or newer with its module `venv`: install it (on Debian \
         `sudo apt-get install python3 python3-venv`) and try again"
    );
    Ok(())
}

/// Programs from npm.
pub(crate) struct Node<'a> {
    python: &'a Python,
    /// The folder with `node_modules`.
    pub(crate) folder: PathBuf,
}

impl<'a> Node<'a> {
    /// Installs the packages of a lock file, or finds them as it wants them. Node.js itself comes from PyPI.
    pub(crate) fn ensure(workspace: &Workspace, python: &'a Python, wanted: &Path) -> Result<Self> {
        let folder = workspace.target.join("tools/node");
        let lock = wanted.join("package-lock.json");
        if !is_installed(&folder, &lock)? {
            let shown = folder.display();
            progress(format_args!("installing the packages of {} into {shown}", lock.display()));
            std::fs::create_dir_all(&folder)?;
            for name in ["package.json", "package-lock.json"] {
                std::fs::copy(wanted.join(name), folder.join(name))?;
            }
            let quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
            run(python.command("npm").args(["ci", "--ignore-scripts"]).args(quiet).current_dir(&folder))?;
            mark_installed(&folder, &lock)?;
        }
        Ok(Self { python, folder })
    }

    /// A call of one of its programs.
    pub(crate) fn command(&self, program: &str) -> Command {
        let program = self.folder.join("node_modules/.bin").join(program);
        self.python.command(program)
    }
}

/// What a folder of packages was made from stands in it, so that a change of the list makes it anew.
const INSTALLED: &str = "installed";

fn is_installed(folder: &Path, list: &Path) -> Result<bool> {
    let installed = std::fs::read(folder.join(INSTALLED)).ok();
    Ok(installed == Some(std::fs::read(list).with_context(|| format!("{} cannot be read", list.display()))?))
}

/// Comes last: a folder that was made in part has no mark.
fn mark_installed(folder: &Path, list: &Path) -> Result<()> {
    std::fs::copy(list, folder.join(INSTALLED))?;
    Ok(())
}

/// The folder of PostgreSQL's server programs: on `PATH`, or where Debian keeps them.
fn find_postgres() -> Option<PathBuf> {
    let has_both = |folder: &Path| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file());
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    path_folders().into_iter().chain(versions.map(|entry| entry.path().join("bin"))).find(|f| has_both(f))
}

fn find_on_path(program: &str) -> Option<PathBuf> {
    path_folders().into_iter().map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn path_folders() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}
