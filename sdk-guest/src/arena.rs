//! The allocator of connectors: an arena in memory that is already there.
//!
//! An instance serves one call and is dropped with its memory, so nothing needs to be freed. Blocks are laid one
//! after the other from the end of the static data to the end of the memory that the linker asked for; only when
//! that is used up does the memory grow, because growing is by far the dearest thing a call can do. The block at
//! the end can grow, shrink and be freed in place, which is what a string or vector being filled needs.

#![allow(unsafe_code, reason = "an allocator is unsafe by its interface; nothing else in this crate is")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

/// The size of a WebAssembly page.
const PAGE: usize = 65_536;

/// How many pages to grow by at least: growing seldom matters more than growing little.
const STEP: usize = 16;

/// Memory that can grow at its end.
trait Memory {
    /// The address of the first byte that the arena may use; never zero.
    fn start(&self) -> usize;

    /// The address after the last byte.
    fn end(&self) -> usize;

    /// Adds pages at the end, or changes nothing.
    fn grow(&self, pages: usize) -> Result<(), NoMemory>;
}

/// The limit of the memory is reached.
struct NoMemory;

/// The memory of the component's instance.
#[cfg(target_arch = "wasm32")]
struct LinearMemory;

#[cfg(target_arch = "wasm32")]
impl Memory for LinearMemory {
    fn start(&self) -> usize {
        unsafe extern "C" {
            /// Set by the linker behind the stack and the static data; its address is its value.
            static __heap_base: u8;
        }
        &raw const __heap_base as usize
    }

    fn end(&self) -> usize {
        core::arch::wasm32::memory_size(0) * PAGE
    }

    fn grow(&self, pages: usize) -> Result<(), NoMemory> {
        match core::arch::wasm32::memory_grow(0, pages) {
            usize::MAX => Err(NoMemory),
            _ => Ok(()),
        }
    }
}

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ARENA: Arena<LinearMemory> = Arena::new(LinearMemory);

/// Addresses of the first free byte and of the end of memory; both zero until the first allocation.
struct Arena<M> {
    memory: M,
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: a connector has one thread; the `threads` proposal is off in the host and in this target.
#[cfg(target_arch = "wasm32")]
unsafe impl Sync for Arena<LinearMemory> {}

impl<M: Memory> Arena<M> {
    const fn new(memory: M) -> Self {
        Self { memory, next: Cell::new(0), end: Cell::new(0) }
    }

    /// Moves the end of the blocks to `stop`, growing the memory where it is too small.
    fn extend_to(&self, stop: usize) -> Result<(), NoMemory> {
        if stop > self.end.get() {
            self.end.set(self.memory.end());
            let missing = stop.saturating_sub(self.end.get()).div_ceil(PAGE);
            if missing > 0 {
                // Less than a step may be all that the limits leave.
                self.memory.grow(missing.max(STEP)).or_else(|_| self.memory.grow(missing))?;
                self.end.set(self.memory.end());
            }
        }
        self.next.set(stop);
        Ok(())
    }

    fn place(&self, layout: Layout) -> Result<usize, NoMemory> {
        if self.next.get() == 0 {
            self.next.set(self.memory.start());
        }
        let start = self.next.get().checked_next_multiple_of(layout.align()).ok_or(NoMemory)?;
        self.extend_to(start.checked_add(layout.size()).ok_or(NoMemory)?)?;
        Ok(start)
    }

    fn is_last(&self, block: *mut u8, layout: Layout) -> bool {
        block as usize + layout.size() == self.next.get()
    }
}

// SAFETY: blocks lie inside the memory, never overlap (each begins at or after the end of all before it; `next` goes
// back only to the start of the last block when that is given up, or to its new end when it shrinks), and are aligned
// by rounding up. An address beyond the address space is refused.
unsafe impl<M: Memory> GlobalAlloc for Arena<M> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.place(layout).map_or(std::ptr::null_mut(), |start| start as *mut u8)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.is_last(block, layout) {
            self.next.set(block as usize);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if self.is_last(block, layout) {
            let extended =
                (block as usize).checked_add(new_size).ok_or(NoMemory).and_then(|stop| self.extend_to(stop));
            return extended.map_or(std::ptr::null_mut(), |()| block);
        }
        if new_size <= layout.size() {
            return block;
        }
        // SAFETY: the caller vouches for size and alignment; the new block is larger than the old one and cannot
        // overlap it.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(block, moved, layout.size());
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part of the test's own memory, of which the first pages are there from the start.
    struct Buffer {
        bytes: Vec<u8>,
        pages: Cell<usize>,
        growths: Cell<usize>,
    }

    impl Memory for Buffer {
        fn start(&self) -> usize {
            self.bytes.as_ptr() as usize + 3
        }

        fn end(&self) -> usize {
            self.bytes.as_ptr() as usize + self.pages.get() * PAGE
        }

        fn grow(&self, pages: usize) -> Result<(), NoMemory> {
            self.growths.set(self.growths.get() + 1);
            let pages = self.pages.get() + pages;
            if pages * PAGE > self.bytes.len() {
                return Err(NoMemory);
            }
            self.pages.set(pages);
            Ok(())
        }
    }

    fn arena(pages: usize, most: usize) -> Arena<Buffer> {
        Arena::new(Buffer { bytes: vec![0; most * PAGE], pages: Cell::new(pages), growths: Cell::new(0) })
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_are_aligned_and_apart() {
        let arena = arena(1, 1);
        let mut end = arena.memory.start();
        for (size, align) in [(1, 1), (8, 8), (3, 2), (0, 1), (64, 16), (5, 4)] {
            // SAFETY: the layout is valid; nothing is read or written.
            let block = unsafe { arena.alloc(layout(size, align)) } as usize;
            assert!(block.is_multiple_of(align) && block >= end && block < end + align, "{size} {align}");
            end = block + size;
        }
        assert_eq!(arena.memory.growths.get(), 0);
    }

    #[test]
    fn the_last_block_changes_in_place_and_others_move() {
        let arena = arena(1, 1);
        // SAFETY: blocks are used as they were laid out.
        unsafe {
            let first = arena.alloc(layout(4, 4));
            first.cast::<u32>().write(0xfeed_beef);
            let last = arena.alloc(layout(10, 1));
            assert_eq!(arena.realloc(last, layout(10, 1), 1_000), last);
            assert_eq!(arena.realloc(last, layout(1_000, 1), 10), last);
            assert_eq!(arena.realloc(first, layout(4, 4), 2), first);
            let moved = arena.realloc(first, layout(4, 4), 8);
            assert!(moved > last);
            assert_eq!(moved.cast::<u32>().read(), 0xfeed_beef);
            arena.dealloc(moved, layout(8, 4));
            assert_eq!(arena.alloc(layout(8, 4)), moved);
            arena.dealloc(last, layout(10, 1));
            assert!(arena.alloc(layout(10, 1)) > moved);
        }
    }

    #[test]
    fn memory_grows_only_when_it_is_used_up() {
        let arena = arena(1, 40);
        // SAFETY: the layouts are valid; nothing is read or written.
        unsafe {
            assert!(!arena.alloc(layout(PAGE - 64, 1)).is_null());
            assert_eq!((arena.memory.growths.get(), arena.memory.pages.get()), (0, 1));
            // A whole step, although less is missing; then nothing until the step is used up.
            assert!(!arena.alloc(layout(PAGE, 1)).is_null() && !arena.alloc(layout(15 * PAGE, 1)).is_null());
            assert_eq!((arena.memory.growths.get(), arena.memory.pages.get()), (1, 1 + STEP));
            // More than a step where more is missing.
            assert!(!arena.alloc(layout(20 * PAGE, 1)).is_null());
            assert_eq!((arena.memory.growths.get(), arena.memory.pages.get()), (2, 37));
            // Less than a step where that is all there is, and then no more.
            assert!(!arena.alloc(layout(3 * PAGE, 1)).is_null());
            assert_eq!(arena.memory.pages.get(), 40);
            let last = arena.alloc(layout(16, 1));
            assert!(!last.is_null() && arena.alloc(layout(PAGE, 1)).is_null());
            assert!(arena.realloc(last, layout(16, 1), PAGE).is_null());
            assert!(arena.alloc(layout(isize::MAX as usize, 1)).is_null());
            // What was refused has used nothing.
            assert!(!arena.alloc(layout(16, 1)).is_null());
        }
    }
}
