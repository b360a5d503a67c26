//! Short ways to say each [`Problem`].

use crate::types::{Fault, Problem, Refusal};

impl Problem {
    /// Nothing was found.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::NotFound(detail.into())
    }

    /// One fault in the request, at a JSON Pointer into it (RFC 6901), e.g. `/child/dateOfBirth`; the empty pointer
    /// is the request as a whole.
    pub fn fault(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Fault { pointer: pointer.into(), detail: detail.into() }])
    }

    /// The faults that a national system lists in one text, `field: reason; field: reason`. `pointer` says where a
    /// field of the system's came from in the agency's request; a field that came from nowhere there is named in
    /// the detail.
    pub fn listed_faults(text: &str, pointer: impl Fn(&str) -> Option<String>) -> Self {
        let fault = |entry: &str| {
            let (field, reason) = entry.split_once(": ").unwrap_or(("", entry));
            match pointer(field) {
                Some(pointer) => Fault { pointer, detail: reason.to_owned() },
                None => Fault { pointer: String::new(), detail: entry.to_owned() },
            }
        };
        Self::Invalid(text.split("; ").map(fault).collect())
    }

    /// The national system does not allow this.
    pub fn denied(detail: impl Into<String>) -> Self {
        Self::Denied(detail.into())
    }

    /// The request contradicts the present state.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::Conflict(detail.into())
    }

    /// The national system failed or cannot be understood.
    pub fn upstream_failed(detail: impl Into<String>) -> Self {
        Self::UpstreamFailed(detail.into())
    }

    /// The national system says that it is not in service now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::Unavailable(detail.into())
    }

    /// The national system refused with a code of its own.
    pub fn rejected(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Rejected(Refusal { code: code.into(), message: message.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_faults_are_found_in_the_request() {
        let pointer = |field: &str| (field == "HoTen").then(|| "/applicant/name".to_owned());
        let fault = |pointer: &str, detail: &str| Fault { pointer: pointer.into(), detail: detail.into() };
        assert_eq!(
            Problem::listed_faults("HoTen: thiếu; TinhId: không có; sai", pointer),
            Problem::Invalid(vec![
                fault("/applicant/name", "thiếu"),
                fault("", "TinhId: không có"),
                fault("", "sai"),
            ])
        );
    }
}
