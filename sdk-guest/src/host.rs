//! Where the capabilities come from: the host's imports in a component, the test double everywhere else.

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::truc::connector::{
    cache, caller, clock, config, keys, log, random, upstream,
};

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::capabilities::{cache, caller, clock, config, keys, log, random, upstream};
