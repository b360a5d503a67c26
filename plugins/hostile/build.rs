//! Has chance make core modules: wasm-smith, seed by seed, with the imports and exports of `shape.wat`. They are made
//! here and not where they are used, so that what wasm-smith needs is not built into anything else.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a build that cannot go on ends")]

use arbitrary::Unstructured;
use wasm_smith::{Config, Module};

/// How many there are: seeds from 0.
const SEEDS: u64 = 2_000;

/// Bytes of chance that one module is made of.
const CHANCE: usize = 8 << 10;

fn main() {
    println!("cargo::rerun-if-changed=shape.wat");
    println!("cargo::rerun-if-changed=build.rs");
    let shape = wat::parse_file("shape.wat").expect("shape.wat is a module");
    let mut modules = Vec::new();
    for seed in 0..SEEDS {
        let chance = chance(seed);
        let module = Module::new(config(seed, &shape), &mut Unstructured::new(&chance));
        // Where chance made none there is an empty one.
        let bytes = module.map(|module| module.to_bytes()).unwrap_or_default();
        modules.extend((bytes.len() as u32).to_le_bytes());
        modules.extend(bytes);
    }
    let folder = std::env::var_os("OUT_DIR").expect("cargo sets it");
    std::fs::write(std::path::Path::new(&folder).join("modules"), modules)
        .expect("the folder can be written");
}

/// What the engine is set to take, and sizes that leave most modules loadable.
fn config(seed: u64, shape: &[u8]) -> Config {
    // Some want more than a call may have.
    let greedy = seed % 8 == 7;
    Config {
        available_imports: Some(shape.to_vec()),
        exports: Some(shape.to_vec()),
        max_imports: 20,
        max_funcs: 40,
        // The one that is exported comes on top.
        max_memories: 0,
        // References of the outside are off in the engine; where there are tables of references, chance makes some of them.
        reference_types_enabled: seed % 8 == 3,
        max_tables: if seed % 8 == 3 { 3 } else { 1 },
        max_table_elements: if greedy { 30_000 } else { 4_000 },
        max_instructions: 400,
        allow_start_export: seed % 4 == 2,
        gc_enabled: false,
        exceptions_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        shared_everything_threads_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        wide_arithmetic_enabled: false,
        custom_page_sizes_enabled: false,
        custom_descriptors_enabled: false,
        // What does not trap lives longer and calls more.
        disallow_traps: seed % 2 == 1,
        ..Config::default()
    }
}

/// Bytes that follow from a seed alone (SplitMix64).
fn chance(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    };
    (0..CHANCE / 8).flat_map(|_| next().to_le_bytes()).collect()
}
