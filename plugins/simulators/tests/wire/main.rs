//! The simulators over real HTTP: every endpoint, every error number, every fault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod civil_status;
mod client;
mod faults;
mod insurance;
mod land;
mod payment;
mod postal;
mod program;
mod readme;
mod run;
