//! The time a call has left, and waiting within it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;
use truc_model::Handle;

use crate::CallError;

/// When a call must be over: the earlier of the binding's total and the call's own deadline.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    whose: Whose,
}

#[derive(Clone, Copy)]
enum Whose {
    /// The binding's `timeouts.total`.
    Binding(Duration),
    /// The connector's call as a whole.
    Call,
}

/// What a call waits for.
#[derive(Clone, Copy)]
pub(crate) enum Stage {
    /// A free place among the upstream's connections, for at most this long.
    Place(Duration),
    /// A token that another call is fetching.
    Token,
    /// An open connection, for at most this long.
    Connection(Duration),
    /// The head of the answer, for at most this long.
    Head(Duration),
    /// The rest of the answer.
    Body,
}

impl Deadline {
    pub(crate) fn new(now: Instant, total: Duration, call: Instant) -> Self {
        match now + total {
            at if at < call => Self { at, whose: Whose::Binding(total) },
            _ => Self { at: call, whose: Whose::Call },
        }
    }

    /// Waits for the future to the end of the stage or of the call, whichever comes first. Futures come pinned: they
    /// are large, and would be copied into the timer.
    pub(crate) async fn within<T>(
        self,
        stage: Stage,
        handle: &Handle,
        future: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, CallError> {
        let stage_ends = match stage {
            Stage::Place(most) | Stage::Connection(most) | Stage::Head(most) => Instant::now() + most,
            Stage::Token | Stage::Body => self.at,
        };
        tokio::time::timeout_at(stage_ends.min(self.at), future).await.map_err(|_| {
            match stage_ends < self.at {
                true => CallError::Timeout(format!("upstream `{handle}`: {stage}")),
                false => self.passed(handle, &stage),
            }
        })
    }

    /// Whether the time is over.
    pub(crate) fn is_over(self) -> bool {
        Instant::now() >= self.at
    }

    /// Whether anything is left of the time after a wait.
    pub(crate) fn leaves(self, wait: Duration) -> bool {
        Instant::now() + wait < self.at
    }

    /// Half of the time that is left, for something the call can do without.
    pub(crate) fn half(self) -> Self {
        let now = Instant::now();
        Self { at: now + self.at.saturating_duration_since(now) / 2, ..self }
    }

    /// Refuses to begin anything after the deadline: to begin may mean to send.
    pub(crate) fn check(self, handle: &Handle) -> Result<(), CallError> {
        if self.is_over() { Err(self.passed(handle, &"nothing was sent")) } else { Ok(()) }
    }

    fn passed(self, handle: &Handle, state: &dyn fmt::Display) -> CallError {
        CallError::Timeout(match self.whose {
            Whose::Binding(total) => format!("upstream `{handle}`: not complete within {total:?}; {state}"),
            Whose::Call => format!("upstream `{handle}`: the call's own deadline passed; {state}"),
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Place(_) => f.write_str("all its connections were in use"),
            Stage::Token => f.write_str("another call was fetching its access token"),
            Stage::Connection(most) => write!(f, "no connection within {most:?}"),
            Stage::Head(most) => write!(f, "no answer within {most:?}"),
            Stage::Body => f.write_str("the answer began but did not end"),
        }
    }
}
