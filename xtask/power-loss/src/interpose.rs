//! The functions that stand in the place of libc's.
//!
//! Each makes the system call itself and, where it was of something in the watched folder, tells the
//! [`disk`](crate::disk). Where nothing is watched, it does nothing else.

// The only crate beside the sandbox with unsafe code, and for the same kind of reason: functions with the names and the
// arguments of libc's cannot be written without it. It is loaded by tests only.
#![allow(unsafe_code)]

use libc::{c_int, c_long, c_void, iovec, off_t, off64_t, size_t, ssize_t};

use crate::disk::{self, Watched, disk};

/// What the loader calls when it has loaded this library, before the program begins: whatever the program creates then
/// comes after the image.
#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;

extern "C" fn begin() {
    disk::begin();
}

fn watched(descriptor: c_int) -> Option<Watched<'static>> {
    disk()?.watched(descriptor)
}

/// Notes that so many bytes were written at an offset; no offset stands for where the descriptor was before.
fn wrote(descriptor: c_int, offset: Option<i64>, written: c_long) -> ssize_t {
    if written > 0
        && let Some(file) = watched(descriptor)
    {
        let end = match offset {
            Some(offset) => offset + written,
            // SAFETY: `lseek` takes numbers and touches no memory of this process.
            None => unsafe { libc::lseek64(descriptor, 0, libc::SEEK_CUR) },
        };
        if let (Ok(start), Ok(end)) = (u64::try_from(end - written), u64::try_from(end)) {
            file.wrote(start..end);
        }
    }
    written as ssize_t
}

fn sync(descriptor: c_int, number: c_long) -> c_int {
    let Some(watched) = watched(descriptor) else {
        // SAFETY: `fsync` and `fdatasync` take a descriptor and touch no memory of this process.
        return unsafe { libc::syscall(number, c_long::from(descriptor)) as c_int };
    };
    match watched.sync() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("power loss: nothing is synced: {error}");
            // SAFETY: the location is this thread's own, and valid for as long as the thread is.
            unsafe { *libc::__errno_location() = libc::EIO };
            -1
        }
    }
}

fn truncate(descriptor: c_int, length: i64) -> c_int {
    // SAFETY: `ftruncate` takes numbers and touches no memory of this process.
    let result = unsafe { libc::syscall(libc::SYS_ftruncate, c_long::from(descriptor), length) };
    if result == 0
        && let (Some(file), Ok(length)) = (watched(descriptor), u64::try_from(length))
    {
        // What is behind the new end is gone; where the file grows again, there are zeros.
        file.wrote(length..u64::MAX);
    }
    result as c_int
}

/// # Safety
/// As libc's `write`.
#[unsafe(no_mangle)]
unsafe extern "C" fn write(descriptor: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller promises what the system call needs: `count` bytes that can be read at `buffer`.
    let written = unsafe { libc::syscall(libc::SYS_write, c_long::from(descriptor), buffer, count) };
    wrote(descriptor, None, written)
}

/// # Safety
/// As libc's `pwrite`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(
    descriptor: c_int,
    buffer: *const c_void,
    count: size_t,
    offset: off_t,
) -> ssize_t {
    // SAFETY: as for `write`.
    let written =
        unsafe { libc::syscall(libc::SYS_pwrite64, c_long::from(descriptor), buffer, count, offset) };
    wrote(descriptor, Some(offset), written)
}

/// # Safety
/// As libc's `pwrite64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(
    descriptor: c_int,
    buffer: *const c_void,
    count: size_t,
    offset: off64_t,
) -> ssize_t {
    // SAFETY: offsets have 64 bits either way.
    unsafe { pwrite(descriptor, buffer, count, offset) }
}

/// # Safety
/// As libc's `writev`.
#[unsafe(no_mangle)]
unsafe extern "C" fn writev(descriptor: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller promises what the system call needs: `count` pieces, each of bytes that can be read.
    let written =
        unsafe { libc::syscall(libc::SYS_writev, c_long::from(descriptor), pieces, c_long::from(count)) };
    wrote(descriptor, None, written)
}

/// # Safety
/// As libc's `pwritev`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pwritev(
    descriptor: c_int,
    pieces: *const iovec,
    count: c_int,
    offset: off_t,
) -> ssize_t {
    // SAFETY: as for `writev`. The offset's upper half is an argument of its own, which a system of 64 bits ignores.
    let written = unsafe {
        libc::syscall(libc::SYS_pwritev, c_long::from(descriptor), pieces, c_long::from(count), offset, 0)
    };
    wrote(descriptor, Some(offset), written)
}

/// # Safety
/// As libc's `pwritev64`.
#[unsafe(no_mangle)]
unsafe extern "C" fn pwritev64(
    descriptor: c_int,
    pieces: *const iovec,
    count: c_int,
    offset: off64_t,
) -> ssize_t {
    // SAFETY: offsets have 64 bits either way.
    unsafe { pwritev(descriptor, pieces, count, offset) }
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate(descriptor: c_int, length: off_t) -> c_int {
    truncate(descriptor, length)
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate64(descriptor: c_int, length: off64_t) -> c_int {
    truncate(descriptor, length)
}

#[unsafe(no_mangle)]
extern "C" fn fsync(descriptor: c_int) -> c_int {
    sync(descriptor, libc::SYS_fsync)
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    sync(descriptor, libc::SYS_fdatasync)
}
