//! The way out: calls to upstreams, the credentials they need, and keys that never leave the host.
//!
//! A connector names a handle, a method and a path template; it never sees an address or a secret. What the operator
//! bound to the handle ([`Binding`]) is checked once, in [`Upstream::bind`], and made into everything a call needs:
//! parsed address, header values, TLS settings, an empty pool. A call ([`Upstream::call`]) then goes one way:
//!
//! ```text
//! target    method and template allowed? parameters → one encoded segment each; query → encoded
//! headers   names and values well-formed, none that frames, routes or authenticates
//! tokens    the OAuth2 access token, where the binding asks for one
//! pool      a connection that is still open, or
//! dial      name → addresses → every one inside the binding's ranges? → connect to the checked one → TLS
//! connection  one HTTP/1.1 exchange, driven by the call itself
//! link      deadlines, at most one repetition, size limits, what of the answer the connector may see
//! ```
//!
//! What does not live here: how many calls and bytes a connector may spend (sandbox), who may call (identity), and
//! where bindings are kept (fleet, store).

mod address;
mod binding;
mod connection;
mod deadline;
mod dial;
mod error;
mod headers;
mod key;
mod link;
mod pool;
mod resolve;
mod secrets;
mod target;
mod tls;
mod tokens;
mod upstream;

pub use address::{Address, AddressError};
pub use binding::{Binding, Credential, KeyAlgorithm, KeyBinding, Timeouts};
pub use error::{BindError, BindFault, CallError};
pub use key::{Key, KeyError, MAX_MESSAGE};
pub use resolve::{Resolver, Resolving, SystemResolver};
pub use secrets::{SecretError, SecretRef, Secrets};
pub use upstream::{Limits, Request, Response, Upstream};
