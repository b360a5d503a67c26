//! The capabilities of `truc:connector`: one file each, all of one shape. Each implements the interface's trait on
//! [`Call`] and works on what the service's [`Environment`] holds; none can reach anything else.

mod cache;
mod config;
mod keys;
mod log;
mod quiet;
mod upstream;

use std::collections::BTreeMap;
use std::sync::Arc;

use truc_contract::ConfigValue;
use truc_egress::{Key, Upstream};
use truc_model::{Clock, Handle, Limits, ServiceName};
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::call::Call;

pub use cache::Cache;
pub use log::Lines;
pub(crate) use log::printable;

mod bindings {
    //! Generated from `wit/truc`.
    #![allow(missing_docs, unreachable_pub, reason = "generated; the WIT is the documentation")]
    wasmtime::component::bindgen!({
        path: "../../wit/truc",
        world: "capabilities",
        imports: {
            "truc:connector/upstream.call": async,
            "truc:connector/upstream.call-all": async,
        },
    });
}

/// What one revision of a service gives its connector: everything that capabilities can reach.
pub struct Environment {
    /// The service.
    pub service: ServiceName,
    /// The revision.
    pub revision: u32,
    /// The bound upstreams.
    pub upstreams: BTreeMap<Handle, Arc<Upstream>>,
    /// The bound keys.
    pub keys: BTreeMap<Handle, Key>,
    /// The configuration in force: the operator's values over the manifest's defaults.
    pub config: BTreeMap<Handle, ConfigValue>,
    /// The service's cache.
    pub cache: Cache,
    /// The lines that the service's connector writes to the log.
    pub lines: Lines,
    /// The limits in force.
    pub limits: Limits,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

/// A linker with every capability.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Call>> {
    let mut linker = Linker::new(engine);
    bindings::Capabilities::add_to_linker::<_, HasSelf<Call>>(&mut linker, |call| call)?;
    Ok(linker)
}

impl bindings::truc::connector::types::Host for Call {}
