//! Upstreams through their public surface, against servers on real sockets.
//!
//! The servers ([`site`]) speak HTTP byte by byte, so that tests see exactly what was sent and can answer with what no
//! proper server would.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod addresses;
mod breaker;
mod bulkhead;
mod calls;
mod connections;
mod credentials;
mod deadlines;
mod echoes;
mod fields;
mod login;
mod pins;
mod rebinding;
mod retries;
mod signatures;
mod site;
mod spelled;
mod spellings;
mod strict;
mod targets;
mod tls;
mod tokens;
