//! The way out: calls to upstreams, the credentials they need, and keys that never leave the host.
//!
//! A connector names a handle, a method and a path template; it never sees an address or a secret. What the operator
//! bound to the handle ([`Binding`]) is checked once, in [`Upstream::bind`], and made into everything a call needs:
//! parsed address, header values, TLS settings, an empty pool. A call ([`Upstream::call`]) then goes one way:
//!
//! ```text
//! target    method and template allowed? parameters → one encoded segment each; query → encoded
//! headers   names and values well-formed, none that frames, routes or authenticates
//! standing  not too many of the service's calls at this upstream? a place among its connections
//! tokens    the OAuth2 access token or the session of a login, where the binding asks for one
//! signature the request signed, where the binding asks for it
//! breaker   is it in a state to be asked at all?
//! pool      a connection that is still open, or
//! dial      name → addresses → every one inside the binding's ranges? → connect to the checked one → TLS
//! connection  one HTTP/1.1 exchange, driven by the call itself
//! link      deadlines, size limits, what of the answer the connector may see
//! retry     once more, if it can do no harm, there is time, and the budget has something left
//! censor    what the answer echoes of a secret, cut
//! ```
//!
//! Secrets are kept sealed. [`VaultKeys`] seals and opens them; where the sealed values are, is not known here.
//!
//! What does not live here: how many calls and bytes a connector may spend (sandbox), who may call (identity), and
//! where bindings are kept (fleet, store).

mod address;
mod binding;
mod breaker;
mod budget;
mod censor;
mod connection;
mod credential;
mod deadline;
mod dial;
mod error;
mod headers;
mod key;
mod link;
mod login;
mod meters;
mod oauth;
mod pin;
mod pool;
mod resolve;
mod retry;
mod secrets;
mod signature;
mod standing;
mod target;
mod tls;
mod tokens;
mod upstream;
mod vault;

pub use address::{Address, AddressError};
pub use binding::{
    Binding, BreakerSettings, Credential, KeyAlgorithm, KeyBinding, SessionPlace, SignatureAlgorithm,
    Timeouts,
};
pub use breaker::BreakerState;
pub use error::{BindError, BindFault, CallError};
pub use key::{Key, KeyError, MAX_MESSAGE};
pub use pin::{Pin, PinError};
pub use resolve::{Resolver, Resolving, SystemResolver};
pub use retry::{Jitter, SystemJitter};
pub use secrets::{LEAST_SECRET, MOST_SECRET, SecretError, SecretRef, Secrets, check_secret};
pub use upstream::{Limits, Request, Response, Surroundings, Upstream, Visit};
pub use vault::{KeyId, KeySource, Sealed, VaultError, VaultKeys};
