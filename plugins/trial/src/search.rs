//! Searching a connector's own memory, from its first byte to its last.

/// What every byte of a needle is changed with, so that the needles themselves are not found.
const MASK: u8 = 165;

/// Which needles stand somewhere in memory, and how many bytes were searched.
pub(crate) fn all(needles: &[Vec<u8>]) -> (Vec<u32>, u64) {
    let memory = whole();
    let mut begins = [false; 256];
    for first in needles.iter().filter_map(|needle| needle.first()) {
        if let Some(begin) = begins.get_mut(usize::from(first ^ MASK)) {
            *begin = true;
        }
    }
    let mut found = vec![false; needles.len()];
    for (at, byte) in memory.iter().enumerate() {
        if begins.get(usize::from(*byte)) != Some(&true) {
            continue;
        }
        let here = memory.get(at..).unwrap_or_default();
        for (needle, found) in needles.iter().zip(&mut found) {
            let is_here = || needle.iter().zip(here).all(|(masked, byte)| masked ^ MASK == *byte);
            *found = *found || (!needle.is_empty() && needle.len() <= here.len() && is_here());
        }
    }
    let places = found.iter().zip(0..).filter(|(found, _)| **found).map(|(_, place)| place);
    (places.collect(), memory.len() as u64)
}

/// All memory there is.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "a connector can read all of its memory; Rust alone does not let it")]
fn whole() -> &'static [u8] {
    let pages = core::arch::wasm32::memory_size::<0>();
    let first = std::hint::black_box(1_usize) as *const u8;
    // SAFETY: WebAssembly's memory is readable from its first byte to its last, and nothing is written while it is
    // searched but what the search itself has in its locals.
    unsafe { core::slice::from_raw_parts(first, pages * 65_536 - 1) }
}

/// Outside of WebAssembly there is nothing to search.
#[cfg(not(target_arch = "wasm32"))]
fn whole() -> &'static [u8] {
    &[]
}
