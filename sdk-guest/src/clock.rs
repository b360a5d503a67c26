//! Time, to the millisecond. For dates see [`calendar`](crate::calendar).

use std::time::Duration;

use crate::host::clock as host;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub fn now() -> u64 {
    host::now()
}

/// Time since a fixed moment before the call; never goes back.
pub fn monotonic() -> Duration {
    Duration::from_millis(host::monotonic())
}
