//! Tells the room which release of the engine it is built with. The engine itself does not say.

use std::error::Error;

const LOCK: &str = "../../Cargo.lock";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={LOCK}");
    let lock = std::fs::read_to_string(LOCK)?;
    let mut lines = lock.lines().skip_while(|line| *line != "name = \"wasmtime\"");
    let version = lines.nth(1).and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    println!("cargo::rustc-env=WASMTIME_VERSION={}", version.ok_or("Cargo.lock does not name wasmtime")?);
    Ok(())
}
