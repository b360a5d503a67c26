//! What is counted of each operation; looked up at publication, so that counting in a call is an addition.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use truc_model::{OperationName, ServiceName};

/// The counter of answered requests, by `service`, `operation` and `status` (`2xx`, `4xx`, `5xx`).
pub const REQUESTS: &str = "truc_requests_total";
/// The histogram of seconds from a request's arrival to its answer, by `service` and `operation`.
pub const DURATION: &str = "truc_request_duration_seconds";

/// The counter of calls that waited for a place, by `service`.
pub const QUEUED: &str = "truc_queued_total";
/// The gauge of calls that wait for a place, by `service`.
pub const WAITING: &str = "truc_waiting";
/// The counter of calls that found no place, by `service` and `reason` (`queue-full`, `waited`).
pub const BUSY: &str = "truc_busy_total";

/// The meters of a service's queue. Nothing of them is touched while there are places.
pub(crate) struct QueueMeters {
    pub(crate) waited: Counter,
    pub(crate) waiting: Gauge,
    pub(crate) full: Counter,
    pub(crate) expired: Counter,
}

impl QueueMeters {
    pub(crate) fn of(service: &ServiceName) -> Self {
        let busy =
            |reason: &'static str| counter!(BUSY, "service" => service.to_string(), "reason" => reason);
        Self {
            waited: counter!(QUEUED, "service" => service.to_string()),
            waiting: gauge!(WAITING, "service" => service.to_string()),
            full: busy("queue-full"),
            expired: busy("waited"),
        }
    }
}

/// The meters of one operation. Labels are names of the catalogue, never callers' texts.
pub struct OperationMeters {
    succeeded: Counter,
    refused: Counter,
    failed: Counter,
    duration: Histogram,
}

impl OperationMeters {
    pub(crate) fn of(service: &ServiceName, operation: &OperationName) -> Self {
        let count = |status: &'static str| counter!(REQUESTS, "service" => service.to_string(), "operation" => operation.to_string(), "status" => status);
        Self {
            succeeded: count("2xx"),
            refused: count("4xx"),
            failed: count("5xx"),
            duration: histogram!(DURATION, "service" => service.to_string(), "operation" => operation.to_string()),
        }
    }

    /// One request was answered.
    pub fn answered(&self, status: u16, duration: Duration) {
        let counter = match status {
            ..400 => &self.succeeded,
            400..500 => &self.refused,
            _ => &self.failed,
        };
        counter.increment(1);
        self.duration.record(duration);
    }
}
