//! Pages for people: the reference of every contract that is served, made from the contract itself.
//!
//! ```text
//! portal     a request for a path below /docs → a page, an asset or a refusal; pages are made once and kept
//! answer     status, headers, entity tags
//! page       what every page has: head, navigation, languages
//! index      the services
//! reference  one service: overview, authentication, operations, problems, types
//! operation  one operation; request: how to call it, and the form to try it
//! types      types in words, and tables of members
//! markdown   documentation, which is CommonMark, as HTML
//! language   which language to speak; words: the texts in each
//! assets     style, script and icon
//! ```
//!
//! Contracts are outside text. All of it goes through the escaping templates of `maud` or through `markdown`, which
//! gives no element that it did not write itself. Nothing here reads a request's body, needs a key or is recorded.

mod answer;
mod assets;
mod index;
mod language;
mod markdown;
mod operation;
mod page;
mod portal;
mod reference;
mod request;
mod types;
mod words;

pub use index::{Entry, index};
pub use language::Language;
pub use portal::Portal;
pub use reference::reference;
