//! The data plane: HTTP in, operation out.
//!
//! ```text
//! server    connections: how many, how long a head may take, graceful end (patience: slow readers)
//! head      request id, trace, path in normal form, key
//! exchange  one request: who? may they? → body → intent → call → outcome → answer
//! documents descriptions of what is served
//! answer    bodies and headers
//! meters    what is counted
//! ```
//!
//! Nothing here knows a national system, a WIT type or a table. What is served comes from the fleet's snapshot; a call
//! keeps the one it began with.

mod answer;
mod documents;
mod exchange;
mod head;
mod meters;
mod patience;
mod server;

pub use server::{Drained, Gateway, GatewaySettings, Recording};
