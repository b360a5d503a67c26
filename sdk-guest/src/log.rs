//! Lines for the operator's log. Never write personal data. At most 64 lines a call and 1 KiB a line.

pub use crate::wit::log::Level;

use crate::host::log as host;

/// For the connector's author.
pub fn debug(message: impl AsRef<str>) {
    host::write(Level::Debug, message.as_ref());
}

/// Worth knowing.
pub fn info(message: impl AsRef<str>) {
    host::write(Level::Info, message.as_ref());
}

/// Unexpected, and dealt with.
pub fn warn(message: impl AsRef<str>) {
    host::write(Level::Warn, message.as_ref());
}

/// Something failed.
pub fn error(message: impl AsRef<str>) {
    host::write(Level::Error, message.as_ref());
}
