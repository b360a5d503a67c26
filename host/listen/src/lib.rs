//! Connections, for whatever serves HTTP/1.1: taken, bounded, read strictly, and ended in order. What is asked for, and
//! by whom, is no business of this room.
//!
//! * [`serve`] takes connections. When there are as many as there may be, the one that has been silent for longest makes
//!   room for the next; one whose request is being worked on never does.
//! * The framing of requests is read twice: strictly here, and then by hyper. What this reader finds fault with is
//!   refused and ends its connection, so that what follows is never taken for a request; and what hyper takes for a
//!   request that this reader has not seen is refused as well.
//! * [`check_path`] refuses every path that another server might read as another path, before anything looks at it.
//! * [`receive`] reads a body within bounds of size, time and pace; answers must be taken at a pace, too.
//!
//! HTTP/2 is not spoken. Its preface is a malformed request, and `Upgrade` is ignored, as RFC 9110 has it.

mod body;
mod fault;
mod framing;
mod line;
mod places;
mod server;
mod stream;
mod target;

pub use body::{Reception, Unreceived, check_media_type, receive};
pub use fault::Fault;
pub use line::Line;
pub use server::{Arrival, Drained, Manners, Plane, serve};
pub use target::check_path;
