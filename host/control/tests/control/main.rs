//! The admin API as its callers see it: over HTTP, on a real database, with real connectors.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod agencies;
mod connectors;
mod contracts;
mod exchanges;
mod host;
mod limits;
mod log;
mod openapi;
mod secrets;
mod services;
mod watching;
