//! The calls that `demo --check` makes: for each service, and for the admin API, one file that calls every operation so
//! that it succeeds, and so that it fails in a way that is its own.

pub(crate) mod admin;
pub(crate) mod civil_status;
pub(crate) mod insurance;
pub(crate) mod land;
pub(crate) mod payment;
pub(crate) mod postal;
