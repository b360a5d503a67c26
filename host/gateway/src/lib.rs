//! The data plane: HTTP in, operation out.
//!
//! ```text
//! server       the parts, and how serving ends; connections are the business of `truc-listen`
//! head         request id, trace, keys
//! exchange     one request: who? may they? → body → intent → call → outcome → answer
//! keyed        the same with an idempotency key: … → claim → intent → call → completion → outcome → answer
//! kept         the same for answers that may be used for a while
//! record       what is recorded of an exchange, however it ends
//! documents    descriptions of what is served
//! conditional  If-None-Match
//! answer       bodies and headers
//! pages        where pages for people are asked for
//! meters       what is counted
//! ```
//!
//! Nothing here knows a national system, a WIT type or a table. What is served comes from the fleet's snapshot; a call
//! keeps the one it began with.

mod answer;
mod conditional;
mod documents;
mod exchange;
mod head;
mod kept;
mod keyed;
mod meters;
mod pages;
mod record;
mod server;

pub use pages::{PageFuture, Pages};
pub use server::{Gateway, GatewaySettings, Recording};
