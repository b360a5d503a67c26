//! Refusals: every error of every handler, on its way to a problem document.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use truc_fleet::FleetError;
use truc_identity::IdentityError;
use truc_model::{Code, Fault, Problem};
use truc_store::StoreError;

/// A problem as a handler's answer. [`crate::envelope`] writes the document, since it knows the request's identifier.
#[derive(Debug, Clone)]
pub(crate) struct Refusal(pub(crate) Box<Problem>);

impl Refusal {
    /// A problem with some detail.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// Faults of the request.
    pub(crate) fn faults(faults: Vec<Fault>) -> Self {
        Problem::new(Code::InvalidRequest, "").with_errors(faults).into()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<FleetError> for Refusal {
    fn from(error: FleetError) -> Self {
        let problem = error.problem();
        if problem.status >= 500 {
            tracing::error!(%error, "an admin request failed");
        }
        problem.into()
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "an admin request failed");
        Problem::new(Code::StoreUnavailable, error.to_string()).with_retry_after(1).into()
    }
}

impl From<IdentityError> for Refusal {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Taken(_) => Self::new(Code::NameTaken, sentence(&error.to_string())),
            IdentityError::NotFound(_) => Self::new(Code::ItemNotFound, sentence(&error.to_string())),
            IdentityError::Invalid { field, reason } => {
                Self::faults(vec![Fault { pointer: format!("/{field}"), detail: reason }])
            }
            IdentityError::Store(error) => error.into(),
            error => {
                tracing::error!(%error, "an admin request failed");
                Self::new(Code::Internal, "")
            }
        }
    }
}

/// An error's text as a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}
