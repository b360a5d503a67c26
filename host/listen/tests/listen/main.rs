//! Connections over real sockets, before a handler that writes down what reaches it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod crowds;
mod paces;
mod server;
mod smuggling;
