//! A connection as the accept loop sees it: what it is doing, and since when, in one word.
//!
//! ```text
//!        head                  body begins          body ends
//! Silent ────► Working ───────────► Receiving ───────► Working
//!   ▲                                                    │ answer
//!   └─────────────────── Answering ◄─────────────────────┘
//!         all written
//! ```
//!
//! The accept loop may ask a silent line to leave. The line then looks at its stream once more, and stays if something has
//! come meanwhile: on a busy machine a caller's first bytes may lie there for a while. A line that keeps waiting for its
//! caller is closed at last. Both are done by exchanging the very word that was looked at, so that what happens at the same
//! moment is not overlooked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use crate::fault::Fault;

/// One connection.
#[derive(Debug)]
pub struct Line {
    /// Milliseconds since `opened`, then whether the line was asked to leave before and whether it is trusted, then its
    /// phase.
    word: AtomicU64,
    opened: Instant,
    /// Heads that the strict reader has seen to their end.
    heads: AtomicU64,
    /// Heads that hyper has handed over.
    requests: AtomicU64,
    /// The fault that the strict reader found in the head of that number. Nothing is read beyond it.
    fault: OnceLock<(u64, Fault)>,
    load: Arc<Load>,
    /// What this line's answer adds to the load.
    unwritten: AtomicU64,
    /// Whoever waits for the next bytes.
    reader: AtomicWaker,
}

/// The bytes of all answers that a server's callers have not taken yet.
#[derive(Debug)]
pub(crate) struct Load {
    bytes: AtomicU64,
    most: u64,
    /// Told when there are more than there should be.
    pub(crate) pressed: Notify,
}

impl Load {
    pub(crate) fn new(most: u64) -> Self {
        Self { bytes: AtomicU64::new(0), most, pressed: Notify::new() }
    }

    /// How many bytes there are beyond what there should be.
    pub(crate) fn excess(&self) -> u64 {
        self.bytes.load(Ordering::Acquire).saturating_sub(self.most)
    }
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It has not sent a whole head yet, or not another one since its last answer.
    Silent,
    /// Its request is being worked on.
    Working,
    /// Its request's body is waited for.
    Receiving,
    /// Its answer is being written.
    Answering,
    /// It is silent and was asked to leave.
    Leaving,
    /// It is to be cut off.
    Closed,
}

/// What a line looked like at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look(u64);

const TRUSTED: u64 = 1 << 3;
const ASKED: u64 = 1 << 4;
const SINCE: u32 = 5;

impl Look {
    pub(crate) fn phase(self) -> Phase {
        match self.0 & 7 {
            0 => Phase::Silent,
            1 => Phase::Working,
            2 => Phase::Receiving,
            3 => Phase::Answering,
            4 => Phase::Leaving,
            _ => Phase::Closed,
        }
    }

    pub(crate) fn is_trusted(self) -> bool {
        self.0 & TRUSTED != 0
    }

    /// Whether it was asked to leave and stayed, and has not come to a whole head since.
    pub(crate) fn was_asked(self) -> bool {
        self.0 & ASKED != 0
    }

    /// From the line's opening to the beginning of its phase.
    fn since(self) -> Duration {
        Duration::from_millis(self.0 >> SINCE)
    }
}

impl Line {
    pub(crate) fn open(load: Arc<Load>) -> Self {
        Self {
            word: AtomicU64::new(Phase::Silent as u64),
            opened: Instant::now(),
            heads: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            fault: OnceLock::new(),
            load,
            unwritten: AtomicU64::new(0),
            reader: AtomicWaker::new(),
        }
    }

    pub(crate) fn look(&self) -> Look {
        Look(self.word.load(Ordering::Acquire))
    }

    /// When the phase began that was seen.
    pub(crate) fn since(&self, look: Look) -> Instant {
        self.opened + look.since()
    }

    /// Says that its caller is known: among silent lines it is closed last.
    pub fn trust(&self) {
        self.word.fetch_or(TRUSTED, Ordering::AcqRel);
    }

    /// Asks the line to leave, if it is still as it was seen.
    pub(crate) fn ask_to_leave(&self, seen: Look) -> bool {
        let leaving = seen.0 & !7 | Phase::Leaving as u64;
        let asked = self.word.compare_exchange(seen.0, leaving, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if asked {
            self.reader.wake();
        }
        asked
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.look().phase() == Phase::Leaving
    }

    /// Something has come: a line that was to leave stays, for once, as old as it was.
    pub(crate) fn stay(&self) {
        let seen = self.look();
        if seen.phase() == Phase::Leaving {
            let staying = seen.0 & !7 | ASKED | Phase::Silent as u64;
            // Nobody else changes a line that is leaving.
            let _ = self.word.compare_exchange(seen.0, staying, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    /// Says who waits for the next bytes.
    pub(crate) fn wait(&self, reader: &Waker) {
        self.reader.register(reader);
    }

    /// A head has come. False if the line has been closed meanwhile.
    pub(crate) fn begin(&self) -> bool {
        self.change(&[Phase::Silent, Phase::Leaving, Phase::Answering], Phase::Working)
    }

    /// A body is waited for.
    pub(crate) fn receive(&self) -> bool {
        self.change(&[Phase::Working], Phase::Receiving)
    }

    /// The body has come, or is not waited for any more.
    pub(crate) fn received(&self) -> bool {
        self.change(&[Phase::Receiving], Phase::Working)
    }

    /// There is an answer of so many bytes to write.
    pub(crate) fn answer(&self, bytes: u64) {
        self.unwritten.store(bytes, Ordering::Release);
        let before = self.load.bytes.fetch_add(bytes, Ordering::AcqRel);
        if before + bytes > self.load.most {
            self.load.pressed.notify_one();
        }
        self.change(&[Phase::Working, Phase::Receiving], Phase::Answering);
    }

    /// Everything is written: a line that was answering is silent again.
    pub(crate) fn flushed(&self) {
        if self.look().phase() == Phase::Answering {
            self.take_off();
            self.change(&[Phase::Answering], Phase::Silent);
        }
    }

    /// The bytes of its answer, until they are written.
    pub(crate) fn unwritten(&self) -> u64 {
        self.unwritten.load(Ordering::Acquire)
    }

    fn take_off(&self) {
        self.load.bytes.fetch_sub(self.unwritten.swap(0, Ordering::AcqRel), Ordering::AcqRel);
    }

    /// Closes the line, if it is still as it was seen.
    pub(crate) fn close(&self, seen: Look) -> bool {
        self.word.compare_exchange(seen.0, Phase::Closed as u64, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn change(&self, from: &[Phase], to: Phase) -> bool {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX >> SINCE);
        let changed = self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            let look = Look(word);
            from.contains(&look.phase()).then_some(now << SINCE | word & TRUSTED | to as u64)
        });
        changed.is_ok()
    }

    /// The strict reader has come to the end of a head.
    pub(crate) fn head(&self, fault: Option<Fault>) {
        let number = self.heads.fetch_add(1, Ordering::AcqRel);
        if let Some(fault) = fault {
            let _ = self.fault.set((number, fault));
        }
    }

    /// Whether everything that was handed to hyper has been answered.
    pub(crate) fn is_refused(&self) -> bool {
        let all = self.requests.load(Ordering::Acquire) >= self.heads.load(Ordering::Acquire);
        all && matches!(self.look().phase(), Phase::Silent | Phase::Leaving | Phase::Closed)
    }

    /// hyper hands a request over: what the strict reader has to say about it.
    pub(crate) fn request(&self) -> Option<Fault> {
        let number = self.requests.fetch_add(1, Ordering::AcqRel);
        if number >= self.heads.load(Ordering::Acquire) {
            return Some(Fault::Boundary);
        }
        self.fault.get().filter(|(faulty, _)| *faulty <= number).map(|(_, fault)| *fault)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.take_off();
    }
}

#[cfg(test)]
impl Line {
    /// A line of a server without bounds.
    pub(crate) fn alone() -> Self {
        Self::open(Arc::new(Load::new(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_round_and_is_closed_only_as_it_was_seen() {
        let line = Line::alone();
        let silent = line.look();
        assert_eq!((silent.phase(), silent.is_trusted()), (Phase::Silent, false));
        assert!(line.begin());
        assert!(!line.close(silent), "a request has come meanwhile");
        line.trust();
        assert!(line.receive() && line.received());
        assert!(!line.received(), "nothing is waited for");
        line.flushed();
        assert_eq!(line.look().phase(), Phase::Working, "what is written before the answer is no answer");
        line.answer(9);
        line.flushed();
        let silent = line.look();
        assert_eq!((silent.phase(), silent.is_trusted()), (Phase::Silent, true));
        assert!(line.ask_to_leave(silent) && line.is_leaving());
        line.stay();
        let silent = line.look();
        assert!(!line.is_leaving() && silent.is_trusted() && silent.was_asked());
        assert!(line.close(silent));
        assert!(!line.begin() && !line.receive());
        assert_eq!(line.look().phase(), Phase::Closed);
    }

    #[test]
    fn answers_weigh_until_they_are_written_or_their_line_is_gone() {
        let load = Arc::new(Load::new(10));
        let (one, other) = (Line::open(load.clone()), Line::open(load.clone()));
        for line in [&one, &other] {
            assert!(line.begin());
            line.answer(8);
        }
        assert_eq!((load.excess(), one.unwritten()), (6, 8));
        one.flushed();
        assert_eq!((load.excess(), one.unwritten()), (0, 0));
        drop(other);
        assert_eq!(load.bytes.load(Ordering::Acquire), 0);
    }

    #[test]
    fn a_request_that_the_strict_reader_has_not_seen_is_faulty() {
        let line = Line::alone();
        line.head(None);
        line.head(Some(Fault::Length));
        assert_eq!(line.request(), None);
        assert_eq!(line.request(), Some(Fault::Length));
        assert_eq!(line.request(), Some(Fault::Boundary));
    }
}
