//! How a command can fail, and the exit code of each way.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};
use truc_model::Fault;

/// The exit codes, for scripts. 0 is success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// A fault of Trục itself.
    Internal = 1,
    /// The command line, or a file it names, cannot be used. clap ends with it too.
    Usage = 2,
    /// The configuration, or a file or folder it names, cannot be used.
    Configuration = 3,
    /// The admin API cannot be reached, or did not answer in time.
    Unreachable = 4,
    /// The admin API, or a check made here, refused what was asked.
    Refused = 5,
    /// The admin API does not know the key.
    Unauthorised = 6,
    /// The database cannot be opened.
    Database = 7,
    /// An address cannot be listened on.
    Listen = 8,
    /// A service that was active cannot be brought back.
    Restore = 9,
    /// A contract breaks what it promised before.
    Breaking = 10,
    /// The vault's keys cannot be read, or do not open the secrets.
    Vault = 11,
}

/// What the help says of exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  a fault of Trục itself
  2  the command line, or a file it names, cannot be used
  3  the configuration, or a file or folder it names, cannot be used
  4  the admin API cannot be reached, or did not answer in time
  5  refused: the problem says why
  6  the admin API does not know the key
  7  the database cannot be opened
  8  an address cannot be listened on
  9  a service that was active cannot be brought back
  10  a contract breaks what it promised before
  11  the vault's keys cannot be read, or do not open the secrets";

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Text(String),
    Problem(Box<Refused>),
}

/// A problem document (RFC 9457) as the admin API sent it.
#[derive(Debug)]
struct Refused {
    problem: Problem,
    document: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Problem {
    code: String,
    title: String,
    detail: String,
    errors: Vec<Fault>,
    request_id: Option<String>,
}

impl Failure {
    /// A failure with its reason in words.
    pub(crate) fn new(exit: Exit, reason: impl fmt::Display) -> Self {
        Self { exit, cause: Cause::Text(reason.to_string()) }
    }

    /// A refusal by the admin API.
    pub(crate) fn refused(status: u16, document: Value) -> Self {
        let exit = if status == 401 { Exit::Unauthorised } else { Exit::Refused };
        match serde_json::from_value::<Problem>(document.clone()) {
            Ok(problem) if !problem.code.is_empty() => {
                Self { exit, cause: Cause::Problem(Box::new(Refused { problem, document })) }
            }
            _ => Self::new(
                Exit::Unreachable,
                format_args!("what answers there is not Trục's admin API: HTTP {status}"),
            ),
        }
    }

    /// The failure as one JSON document: the problem as it came, or one with the reason as `detail`.
    pub(crate) fn to_json(&self) -> Value {
        match &self.cause {
            Cause::Problem(refused) => refused.document.clone(),
            Cause::Text(reason) => json!({ "detail": reason, "exit": self.exit as u8 }),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = match &self.cause {
            Cause::Text(reason) => return write!(f, "error: {}", reason.trim_end()),
            Cause::Problem(refused) => refused,
        };
        let Problem { code, title, detail, errors, request_id } = &refused.problem;
        write!(f, "error: {code}: {title}")?;
        if !detail.is_empty() {
            write!(f, "\n  {detail}")?;
        }
        for Fault { pointer, detail } in errors {
            match pointer.as_str() {
                "" => write!(f, "\n  {detail}")?,
                pointer => write!(f, "\n  {pointer}: {detail}")?,
            }
        }
        write!(f, "\nwhat to do: {}", remedy(code))?;
        match request_id {
            Some(id) => write!(f, "\nrequest: {id}"),
            None => Ok(()),
        }
    }
}

/// What to do about a problem, in one sentence. The code's page in `docs/problems/` says more.
fn remedy(code: &str) -> String {
    let remedy = match code {
        "missing-key" | "wrong-key" => {
            "name the file with the host's admin key: --admin-key-file, or TRUC_ADMIN_KEY_FILE"
        }
        "service-invalid" | "invalid-request" => {
            "correct each place that is named, then ask again; nothing was changed"
        }
        "item-not-found" => "look up the names there are with the command's `list`",
        "contract-not-published" => "publish the contract as the detail says, then ask again",
        "contract-breaking" => {
            "take the breaking changes back, or give the contract the next major version; `truc contract diff` shows all"
        }
        "contract-version-backwards" => "give the contract a greater version",
        "secret-in-use" => "look up with `truc secret list` which services use it",
        "vault-unusable" => {
            "correct the vault's keys as the detail says, then ask again; nothing was changed"
        }
        "name-taken" => "choose another name or version, or leave it as it is",
        "component-malformed"
        | "import-refused"
        | "manifest-invalid"
        | "contract-mismatch"
        | "contract-invalid" => {
            "correct the connector and build it again; `truc inspect <component>` checks it without a host"
        }
        "component-too-large" => "build the connector optimised for size, without debug information",
        "component-too-costly" => {
            "build the connector optimised for size, with smaller functions; or raise what compiling may cost, in [engine] of the host's configuration"
        }
        "store-unavailable" | "ledger-unavailable" => {
            "look at the host's log and at its database; then ask again"
        }
        "shutting-down" => "ask again when the host has started",
        "internal" => "look up the request's identifier in the host's log",
        code => return format!("see docs/problems/{code}.md"),
    };
    format!("{remedy} (docs/problems/{code}.md)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_its_places_and_a_remedy() {
        let failure = Failure::refused(
            422,
            json!({
                "type": "urn:truc:problem:service-invalid", "title": "The settings do not fit", "status": 422,
                "code": "service-invalid",
                "errors": [{ "pointer": "/config/x", "detail": "set it" }, { "pointer": "", "detail": "missing" }],
                "requestId": "0197"
            }),
        );
        assert_eq!(failure.exit, Exit::Refused);
        insta::assert_snapshot!(failure, @"
        error: service-invalid: The settings do not fit
          /config/x: set it
          missing
        what to do: correct each place that is named, then ask again; nothing was changed (docs/problems/service-invalid.md)
        request: 0197
        ");
    }

    #[test]
    fn what_is_no_problem_document_is_somebody_else() {
        let failure = Failure::refused(404, json!({ "error": "not found" }));
        assert_eq!(failure.exit, Exit::Unreachable);
    }

    #[test]
    fn every_exit_code_is_documented() {
        let all = [
            Exit::Internal,
            Exit::Usage,
            Exit::Configuration,
            Exit::Unreachable,
            Exit::Refused,
            Exit::Unauthorised,
            Exit::Database,
            Exit::Listen,
            Exit::Restore,
            Exit::Breaking,
            Exit::Vault,
        ];
        for exit in all {
            assert!(EXIT_CODES.contains(&format!("\n  {}  ", exit as u8)), "{exit:?}");
        }
    }
}
