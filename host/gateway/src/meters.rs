//! What is counted of the data plane beyond the operations themselves.

use metrics::{Counter, Unit, counter, describe_counter, describe_gauge, describe_histogram};
use truc_fleet::{BUSY, DURATION, QUEUED, REQUESTS, WAITING};

const REFUSED: &str = "truc_refused_total";
const UNRECORDED: &str = "truc_unrecorded_total";
const REUSED: &str = "truc_reused_total";

/// The meters of a gateway.
pub(crate) struct Meters {
    /// Requests refused before an operation was found.
    pub(crate) refused: Counter,
    /// Answers withheld because the exchange could not be recorded.
    pub(crate) unrecorded: Counter,
    /// Answers given again for their idempotency key.
    pub(crate) replayed: Counter,
    /// Answers that last, given again from memory.
    pub(crate) kept: Counter,
}

impl Meters {
    pub(crate) fn new() -> Self {
        describe_counter!(REQUESTS, "Requests answered, by service, operation and class of status.");
        describe_histogram!(DURATION, Unit::Seconds, "From the arrival of a request to its answer.");
        describe_counter!(REFUSED, "Requests refused before an operation was found.");
        describe_counter!(UNRECORDED, "Answers withheld because the exchange could not be recorded.");
        describe_counter!(REUSED, "Answers given again without calling the connector, by reason.");
        describe_counter!(QUEUED, "Calls that waited for a place, by service.");
        describe_gauge!(WAITING, "Calls that wait for a place, by service.");
        describe_counter!(BUSY, "Calls that found no place, by service and reason.");
        Self {
            refused: counter!(REFUSED),
            unrecorded: counter!(UNRECORDED),
            replayed: counter!(REUSED, "reason" => "idempotency-key"),
            kept: counter!(REUSED, "reason" => "cache"),
        }
    }
}
