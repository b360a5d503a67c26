//! `truc admin-key`: makes the key that opens the admin API.

use serde_json::json;
use truc_identity::AdminKey;

use crate::failure::{Exit, Failure};
use crate::output::Output;

pub(crate) fn run() -> Result<Output, Failure> {
    let (_, key) = AdminKey::generate().map_err(|error| Failure::new(Exit::Internal, error))?;
    Output::new(&json!({ "key": key.expose() }), key.expose())
}
