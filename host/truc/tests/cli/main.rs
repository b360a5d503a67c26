//! The program as its users see it: run with arguments, read by its output and its exit code, served over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod administration;
mod bombs;
mod compile;
mod contracts;
mod help;
mod host;
mod killed;
mod offline;
mod pages;
mod secrets;
mod serving;
