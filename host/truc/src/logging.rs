//! The log: one line for each event, to standard error, as JSON for programs or as text for people.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::config::{Format, Log};
use crate::failure::{Exit, Failure};

/// Starts logging. A panic is logged like everything else, so that every line on standard error has one form.
pub(crate) fn start(log: &Log) -> Result<(), Failure> {
    let filter =
        EnvFilter::try_new(&log.level.0).map_err(|error| Failure::new(Exit::Configuration, error))?;
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_timer(SystemTime).with_writer(std::io::stderr);
    let started = match log.format {
        Format::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
        Format::Text => lines.with_ansi(false).try_init(),
    };
    started.map_err(|error| Failure::new(Exit::Internal, error))?;
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or_default();
        tracing::error!(location, message, "panic");
    }));
    Ok(())
}
