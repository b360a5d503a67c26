//! A disk that forgets what was not synced.
//!
//! A kill leaves everything that a process has written: it is in the system's memory. A loss of power leaves only what
//! was synced. This library stands for that: loaded into a program with `LD_PRELOAD`, it takes the place of the
//! functions of libc that write and sync, and keeps beside a folder an **image** of it that holds what a disk would hold
//! if the power went now. Whoever kills the program can then put the image in the folder's place.
//!
//! ```text
//!   write ──► the file, and a note of which bytes              (lost with the process)
//!   sync  ──► a file: those bytes into the image
//!             a folder: its names into the image
//! ```
//!
//! Nothing but a sync brings anything into the image: a way to write, name or remove that is not watched loses more
//! than a disk would, never less. That is why creating, renaming and removing need not be watched at all, and why
//! system calls made past libc do no harm. A name is as durable as the last sync of its folder; that a file system
//! may make it durable earlier is not relied upon.
//!
//! [`disk`] is the image, [`interpose`] what stands in the place of libc's functions.
//!
//! For tests only: it is in no program, and no crate depends on it.

mod disk;
mod interpose;
