//! File descriptors: as many as the system lets this process have, and how many connections they are enough for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is kept for everything but callers' connections: upstreams, the database, files.
const KEPT: u64 = 1024;

/// Raises the bound of this process as far as needed and allowed; gives how many connections there may be.
pub(crate) fn for_connections(wanted: usize) -> usize {
    let needed = (wanted as u64).saturating_add(KEPT);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut allowed = current.unwrap_or(u64::MAX);
    if allowed < needed {
        let raised = maximum.unwrap_or(u64::MAX).min(needed);
        match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
            Ok(()) => allowed = raised,
            Err(error) => tracing::warn!(%error, "the bound of file descriptors could not be raised"),
        }
    }
    let possible = enough_for(wanted, allowed);
    if possible < wanted {
        tracing::warn!(
            wanted,
            possible,
            allowed,
            needed,
            "the system allows too few file descriptors for `max-connections` in [api]: raise the bound (LimitNOFILE= of \
             the unit, ulimit -n), or set fewer connections"
        );
    }
    possible
}

fn enough_for(wanted: usize, allowed: u64) -> usize {
    // Where there are very few, half of them are for callers.
    let possible = allowed.saturating_sub(KEPT).max(allowed / 2).max(1);
    wanted.min(usize::try_from(possible).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        for (wanted, allowed, possible) in
            [(4096, 1 << 20, 4096), (4096, 5120, 4096), (4096, 4096, 3072), (4096, 1024, 512), (10, 0, 1)]
        {
            assert_eq!(enough_for(wanted, allowed), possible, "{wanted} of {allowed}");
        }
    }

    #[test]
    fn the_bound_is_raised_for_what_is_wanted() {
        let before = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        if before >= 1500 {
            assert_eq!(for_connections(300), 300);
            assert!(getrlimit(Resource::Nofile).current.is_none_or(|current| current >= 300));
        }
    }
}
