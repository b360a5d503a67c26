#![doc = include_str!("../README.md")]
//!
//! ## The whole of `examples/rainfall`
//!
//! ```ignore
#![doc = include_str!("../examples/rainfall/main.rs")]
//! ```

mod bindings;
mod error;
mod host;
mod problem;

#[cfg(any(target_arch = "wasm32", test))]
mod arena;

pub mod cache;
pub mod calendar;
pub mod caller;
pub mod clock;
pub mod config;
pub mod encoding;
pub mod keys;
pub mod log;
pub mod random;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod upstream;

pub use bindings::truc::connector::types;
pub use error::Error;
pub use types::Problem;
pub use upstream::{send_all, upstream};

#[doc(hidden)]
pub use wit_bindgen;

/// The capabilities as generated, for the `with` table of [`connector!`] only.
#[doc(hidden)]
pub mod wit {
    pub use crate::bindings::truc::connector::{
        cache, caller, clock, config, keys, log, random, types, upstream,
    };
}

/// Binds a contract's world and makes a type the connector.
///
/// ```ignore
/// truc_sdk::connector!(Connector {
///     world: "lgsp:land/connector",
///     wit: ["../../wit/truc", "../../wit/land"],
/// });
/// ```
///
/// `world` is the contract's world with its package. `wit` lists the folders that hold the capabilities and then the
/// contract, relative to the connector's `Cargo.toml`.
///
/// The macro makes a module `bindings`. For each interface that the world exports there is a trait to implement on the
/// named type, `bindings::exports::<namespace>::<package>::<interface>::Guest`, with the interface's types beside
/// it. The types of `truc:connector/types` are those of [`types`], the same in every contract. Only a build for
/// `wasm32` exports anything, so that the crate and its tests also build natively.
#[macro_export]
macro_rules! connector {
    ($component:ident { world: $world:literal, wit: [$($path:literal),+ $(,)?] $(,)? }) => {
        #[allow(missing_docs, unsafe_code, unreachable_pub, dead_code, clippy::all, reason = "generated code")]
        mod bindings {
            $crate::wit_bindgen::generate!({
                world: $world,
                path: [$($path),+],
                runtime_path: "::truc_sdk::wit_bindgen::rt",
                additional_derives: [PartialEq],
                with: {
                    "truc:connector/types@0.1.0": ::truc_sdk::wit::types,
                    "truc:connector/upstream@0.1.0": ::truc_sdk::wit::upstream,
                    "truc:connector/config@0.1.0": ::truc_sdk::wit::config,
                    "truc:connector/keys@0.1.0": ::truc_sdk::wit::keys,
                    "truc:connector/cache@0.1.0": ::truc_sdk::wit::cache,
                    "truc:connector/log@0.1.0": ::truc_sdk::wit::log,
                    "truc:connector/clock@0.1.0": ::truc_sdk::wit::clock,
                    "truc:connector/random@0.1.0": ::truc_sdk::wit::random,
                    "truc:connector/caller@0.1.0": ::truc_sdk::wit::caller,
                },
            });

            #[cfg(target_arch = "wasm32")]
            use super::$component as Component;
            #[cfg(target_arch = "wasm32")]
            export!(Component);
        }
    };
}
