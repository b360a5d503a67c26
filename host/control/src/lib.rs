//! The admin API: how operators publish contracts and connectors, put services to work, and say who may call what.
//!
//! ```text
//! server     the parts, the router, and how serving ends; connections are the business of `truc-listen`
//! envelope   request id, a task for each request, the audit line, problems as documents
//! key        the admin key, on everything below /admin
//! body       bodies read within bounds; JSON whose faults are told with their place
//! parameters path and query parameters, likewise
//! contracts, connectors, services, secrets, agencies, accounts, grants, exchanges    thin handlers, one file for each resource
//! operations /healthz, /readyz, /metrics, without a key
//! documents  what goes in and comes out, with its JSON Schema
//! openapi    the document of the API, collected from the handlers
//! ```
//!
//! What the requests mean is decided in `fleet`, `identity` and `ledger`; nothing here is more than a translation. The
//! admin API listens on an address of its own: nothing of it can be reached where agencies call.

mod accounts;
mod agencies;
mod body;
mod connectors;
mod contracts;
pub mod documents;
mod envelope;
mod exchanges;
mod grants;
mod key;
mod openapi;
mod operations;
mod parameters;
mod refusal;
mod secrets;
mod server;
mod services;

pub use openapi::document as openapi_document;
pub use server::{Control, Parts, manners};
