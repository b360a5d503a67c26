//! Who calls, and what they may.
//!
//! Two sides that share nothing but the data. [`Identity`] is the control plane's: it enters agencies, makes accounts
//! and keys, gives and takes back grants, all in the store. [`Directory`] is the data plane's: an immutable index of
//! the same, made anew at each change, that tells a key's owner and their rights without waiting, locking or
//! allocating.
//!
//! Nothing is allowed that was not granted, and a grant names one agency, one service, and an operation or all of them.

mod admin;
mod directory;
mod error;
mod identity;
mod key;

pub use admin::AdminKey;
pub use directory::{AuthError, Caller, Directory, Grant, Refusal};
pub use error::IdentityError;
pub use identity::{Account, Identity, NewGrant};
pub use truc_store::agencies::{AgencyRow as Agency, GrantRow, Operations, State};
