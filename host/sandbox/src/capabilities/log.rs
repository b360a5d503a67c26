//! `truc:connector/log`: a connector's lines in the operator's log, as data in a field of their own, without the
//! personal data that the call came with.

use super::bindings::truc::connector::log::{Host, Level};
use crate::call::Call;

const MAX_LINES: u32 = 64;
const MAX_LINE: usize = 1 << 10;

impl Host for Call {
    fn write(&mut self, level: Level, message: String) {
        self.log_lines = self.log_lines.saturating_add(1);
        if self.log_lines > MAX_LINES {
            if self.log_lines == MAX_LINES + 1 {
                let environment = &self.environment;
                tracing::warn!(service.name = %environment.service, request.id = %self.caller.request_id, "connector lines beyond {MAX_LINES} are dropped");
            }
            return;
        }
        // Before anything is cut off, so that no piece of a text is left that would not be found.
        let text = printable(&self.masker().hide(&message, MAX_LINE), MAX_LINE);
        let (service, revision, request) =
            (&self.environment.service, self.environment.revision, self.caller.request_id);
        macro_rules! line {
            ($macro:ident) => {
                tracing::$macro!(target: "connector", { service.name = %service, service.revision = revision, request.id = %request, connector.text = text }, "connector line")
            };
        }
        match level {
            Level::Debug => line!(debug),
            Level::Info => line!(info),
            Level::Warn => line!(warn),
            Level::Error => line!(error),
        }
    }
}

/// The text without characters that could act on a terminal or reorder a line, at most that many bytes.
pub(crate) fn printable(message: &str, most: usize) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    let mut text = String::with_capacity(message.len().min(most));
    for c in message.chars() {
        let c = if acts(c) { '\u{fffd}' } else { c };
        if text.len() + c.len_utf8() > most {
            text.push('…');
            break;
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_line_can_act() {
        assert_eq!(printable("a\nb\u{1b}[31m\u{202e}c", MAX_LINE), "a\u{fffd}b\u{fffd}[31m\u{fffd}c");
        assert_eq!(printable(&"đ".repeat(2000), MAX_LINE).chars().count(), MAX_LINE / 2 + 1);
    }
}
