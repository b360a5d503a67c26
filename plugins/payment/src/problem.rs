//! The contract's own error type: every common problem is one of its cases, so that `?` works as everywhere.

use truc_sdk::{Error, Problem};

use crate::bindings::exports::lgsp::payment::payments::PaymentProblem;

impl From<Problem> for PaymentProblem {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::NotFound(detail) => Self::NotFound(detail),
            Problem::Invalid(faults) => Self::Invalid(faults),
            Problem::Denied(detail) => Self::Denied(detail),
            Problem::Conflict(detail) => Self::Conflict(detail),
            Problem::Limited(seconds) => Self::Limited(seconds),
            Problem::UpstreamTimeout(detail) => Self::UpstreamTimeout(detail),
            Problem::UpstreamFailed(detail) => Self::UpstreamFailed(detail),
            Problem::Unavailable(detail) => Self::Unavailable(detail),
            Problem::Rejected(refusal) => Self::Rejected(refusal),
        }
    }
}

impl From<Error> for PaymentProblem {
    fn from(error: Error) -> Self {
        Problem::from(error).into()
    }
}
