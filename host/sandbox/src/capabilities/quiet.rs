//! The capabilities that reach nothing outside the call: `clock`, `random` and `caller`.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;

use super::bindings::truc::connector::{caller, clock, random};
use crate::call::Call;

const MAX_RANDOM: u32 = 4096;

impl clock::Host for Call {
    fn now(&mut self) -> u64 {
        self.environment.clock.now().as_millis()
    }

    fn monotonic(&mut self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl random::Host for Call {
    fn bytes(&mut self, count: u32) -> Vec<u8> {
        let mut bytes = vec![0; count.min(MAX_RANDOM) as usize];
        match SystemRandom::new().fill(&mut bytes) {
            Ok(()) => bytes,
            // Fewer bytes than asked for is something a connector notices; predictable ones it would not.
            Err(_) => Vec::new(),
        }
    }
}

impl caller::Host for Call {
    fn current(&mut self) -> caller::Identity {
        let caller = &self.caller;
        caller::Identity {
            agency: caller.agency.as_ref().map(ToString::to_string).unwrap_or_default(),
            account: caller.account.as_ref().map(ToString::to_string).unwrap_or_default(),
            purpose: caller.purpose.clone(),
            dossier: caller.dossier.clone(),
            request_id: caller.request_id.to_string(),
        }
    }

    fn time_left(&mut self) -> u32 {
        let left = self.deadline.saturating_duration_since(Instant::now());
        u32::try_from(left.as_millis()).unwrap_or(u32::MAX)
    }
}
