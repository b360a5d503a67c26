//! What is counted of each upstream; looked up when it is bound, so that counting in a call is an addition.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};
use truc_model::{Handle, ServiceName};

/// The counter of requests by `service`, `upstream` and `outcome`: `answered`, `failed` (no answer), `refused` (not sent,
/// because the breaker is open or enough calls are there already). Repetitions count each by themselves.
const REQUESTS: &str = "truc_upstream_requests_total";
/// The counter of requests that were made again, by `service` and `upstream`.
const REPETITIONS: &str = "truc_upstream_repetitions_total";
/// How the breaker stands, by `service` and `upstream`: 0 closed, 1 in probation, 2 open.
const BREAKER: &str = "truc_upstream_breaker";

/// The meters of one upstream. Labels are names that the operator gave, and handles of the manifest.
pub(crate) struct Meters {
    pub(crate) answered: Counter,
    pub(crate) failed: Counter,
    pub(crate) refused: Counter,
    pub(crate) repetitions: Counter,
    pub(crate) breaker: Gauge,
}

impl Meters {
    pub(crate) fn of(service: &ServiceName, handle: &Handle) -> Self {
        describe_counter!(REQUESTS, "Requests to upstreams, by service, upstream and outcome.");
        describe_counter!(
            REPETITIONS,
            "Requests to upstreams that were made again, by service and upstream."
        );
        describe_gauge!(BREAKER, "How the breaker of an upstream stands: 0 closed, 1 in probation, 2 open.");
        let (service, upstream) = (service.to_string(), handle.to_string());
        let count = |outcome: &'static str| counter!(REQUESTS, "service" => service.clone(), "upstream" => upstream.clone(), "outcome" => outcome);
        Self {
            answered: count("answered"),
            failed: count("failed"),
            refused: count("refused"),
            repetitions: counter!(REPETITIONS, "service" => service.clone(), "upstream" => upstream.clone()),
            breaker: gauge!(BREAKER, "service" => service.clone(), "upstream" => upstream.clone()),
        }
    }
}
