//! Components that chance makes: core modules by wasm-smith with the imports and exports of a hostile connector, made
//! into components like the hand-written ones. One seed gives one component.

use truc_contract::testing;

use crate::CONTRACT;

/// The core modules of the seeds from 0, one after the other, each with its length before it.
const MODULES: &str = concat!(env!("OUT_DIR"), "/modules");

/// The components of the seeds from 0, with their names; none for a seed of which chance made what is no connector.
///
/// # Errors
/// The modules that were made with this crate are not there.
pub fn components() -> std::io::Result<impl Iterator<Item = (String, Option<Vec<u8>>)>> {
    let modules = std::fs::read(MODULES)?;
    let mut at = 0;
    let next = move || {
        let (length, after) = modules.get(at..)?.split_first_chunk()?;
        let length = u32::from_le_bytes(*length) as usize;
        at += size_of::<u32>() + length;
        Some(after.get(..length)?.to_vec())
    };
    Ok(std::iter::from_fn(next).enumerate().map(|(seed, module)| {
        let name = format!("generated-{seed}");
        let manifest = format!(
            "[connector]\nname = \"{name}\"\nversion = \"1.0.0\"\npublisher = \"Trục\"\n\
             description = \"What chance made of {seed}\"\ncontract = \"lgsp:hostile@1.0.0\"\n\
             [limits]\ncpu = \"50ms\"\ndeadline = \"10s\"\nconcurrency = 4\n"
        );
        let component = testing::connector_of(module, CONTRACT, &manifest).ok();
        (name, component)
    }))
}
