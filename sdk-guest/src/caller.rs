//! Who calls, and how long the call may still take.

use std::time::Duration;

pub use crate::wit::caller::Identity;

use crate::host::caller as host;

/// Who makes this call.
pub fn current() -> Identity {
    host::current()
}

/// Time left until the call's deadline.
pub fn time_left() -> Duration {
    Duration::from_millis(u64::from(host::time_left()))
}
