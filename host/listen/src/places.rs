//! The open connections of a server, and who among them makes room for the next.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use tokio::task::{AbortHandle, Id};
use tokio::time::{Duration, Instant};

use crate::line::{Line, Look, Phase};

/// How many are chosen in one walk over all connections, so that a flood of new ones costs one walk for many.
const CHOSEN_AT_ONCE: usize = 64;
/// How many may be on their way out at once, beside those that may be open.
const MOST_LEAVING: usize = 64;
/// How long a connection may be silent in any case: the time to look at its first bytes.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// How long a line may wait for its caller before it counts as one that makes callers wait.
const DAWDLING: Duration = Duration::from_secs(1);
/// How long after a walk in vain there is no other.
const PAUSE: Duration = Duration::from_millis(10);

/// The open connections.
#[derive(Default)]
pub(crate) struct Places {
    open: HashMap<Id, Place>,
    /// How many there are from each address.
    addresses: HashMap<IpAddr, usize>,
    /// Who was asked to leave and has not left yet.
    leaving: HashSet<Id>,
    /// Who was chosen, as it was seen then.
    chosen: VecDeque<(Id, Look)>,
    in_vain: Option<Instant>,
}

struct Place {
    line: Arc<Line>,
    abort: AbortHandle,
    address: IpAddr,
}

/// Whether there is room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Somebody was closed.
    Made,
    /// Everybody is at work, or has only just come.
    None,
}

impl Places {
    /// How many there are, without those who are leaving.
    pub(crate) fn len(&self) -> usize {
        self.open.len() - self.leaving.len()
    }

    /// How many there are from where an address belongs to.
    pub(crate) fn from(&self, address: IpAddr) -> usize {
        self.addresses.get(&source(address)).copied().unwrap_or_default()
    }

    pub(crate) fn add(&mut self, line: Arc<Line>, abort: AbortHandle, address: IpAddr) {
        let address = source(address);
        *self.addresses.entry(address).or_default() += 1;
        self.open.insert(abort.id(), Place { line, abort, address });
    }

    /// Forgets a connection that has ended.
    pub(crate) fn remove(&mut self, id: Id) {
        self.leaving.remove(&id);
        let Some(place) = self.open.remove(&id) else { return };
        if let Some(count) = self.addresses.get_mut(&place.address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&place.address);
            }
        }
    }

    /// Has the connection leave that can best be done without.
    pub(crate) fn make_room(&mut self) -> Room {
        let Self { open, leaving, .. } = self;
        // Those to whom something has come meanwhile stay.
        leaving.retain(|id| open.get(id).is_some_and(|place| place.line.is_leaving()));
        if leaving.len() >= MOST_LEAVING {
            return Room::None;
        }
        if self.close_next_chosen() == Room::Made {
            return Room::Made;
        }
        let now = Instant::now();
        if self.in_vain.is_some_and(|then| now < then + PAUSE) {
            return Room::None;
        }
        self.chosen = self.choose(now, |_| true).into();
        self.in_vain = self.chosen.is_empty().then_some(now);
        self.close_next_chosen()
    }

    /// The same among those from where an address belongs to.
    pub(crate) fn make_room_of(&mut self, address: IpAddr) -> Room {
        let source = source(address);
        for (id, look) in self.choose(Instant::now(), |place| place.address == source) {
            if self.close(id, look) {
                return Room::Made;
            }
        }
        Room::None
    }

    /// Closes those whose callers do not take their answers, the longest first, until so many bytes fewer are held.
    pub(crate) fn relieve(&mut self, mut excess: u64) -> usize {
        let mut closed = 0;
        let waits = |place: &Place| {
            let answering = place.line.look().phase() == Phase::Answering;
            if answering { place.line.unwritten() } else { 0 }
        };
        for (id, look) in self.choose(Instant::now(), |place| waits(place) > 0) {
            let weight = self.open.get(&id).map(waits).unwrap_or_default();
            if excess > 0 && self.close(id, look) {
                excess = excess.saturating_sub(weight);
                closed += 1;
            }
        }
        closed
    }

    fn close_next_chosen(&mut self) -> Room {
        while let Some((id, look)) = self.chosen.pop_front() {
            if self.close(id, look) {
                return Room::Made;
            }
        }
        Room::None
    }

    /// Closes a connection that is as it was seen, or has it leave, if it is silent and was not asked before.
    fn close(&mut self, id: Id, look: Look) -> bool {
        if look.phase() == Phase::Silent && !look.was_asked() {
            let asked = self.open.get(&id).is_some_and(|place| place.line.ask_to_leave(look));
            if asked {
                self.leaving.insert(id);
            }
            return asked;
        }
        let closed = self.open.get(&id).is_some_and(|place| {
            let closed = place.line.close(look);
            if closed {
                place.abort.abort();
            }
            closed
        });
        if closed {
            self.remove(id);
        }
        closed
    }

    /// Those who can best be done without, the first first: all of one rank.
    fn choose(&self, now: Instant, of: impl Fn(&Place) -> bool) -> Vec<(Id, Look)> {
        let (mut fresh, mut known) = (0, 0);
        let mut dispensable = Vec::new();
        for (id, place) in self.open.iter().filter(|(_, place)| of(place)) {
            let look = place.line.look();
            let since = place.line.since(look);
            let rank = rank(look, now.saturating_duration_since(since));
            fresh += usize::from(rank.is_none() && look.phase() == Phase::Silent);
            known += usize::from(rank == Some(Rank::Known));
            dispensable.extend(rank.map(|rank| (rank, since, *id, look)));
        }
        dispensable.sort_unstable_by_key(|(rank, since, ..)| (*rank, *since));
        let Some(first) = dispensable.first().map(|(rank, ..)| *rank) else { return Vec::new() };
        // Those who have just come can be judged in a moment, and until then they do not drive out who is known; unless
        // those are so many that nobody else would get in.
        if first > Rank::Unknown && fresh > 0 && known * 2 <= self.open.len() {
            return Vec::new();
        }
        let chosen = dispensable.into_iter().take_while(|(rank, ..)| *rank == first);
        chosen.take(CHOSEN_AT_ONCE).map(|(_, _, id, look)| (id, look)).collect()
    }
}

/// In which order connections are done without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Silent, and nothing is known of its caller.
    Unknown,
    /// Silent, of a caller who is known.
    Known,
    /// It has had the host wait for a body.
    Receiving,
    /// It has had an answer wait for its reader.
    Answering,
}

/// The rank of a connection that was seen so for some time; none if it cannot be done without.
fn rank(look: Look, time: Duration) -> Option<Rank> {
    match look.phase() {
        Phase::Silent if time < FIRST_LOOK => None,
        Phase::Silent if look.is_trusted() => Some(Rank::Known),
        Phase::Silent => Some(Rank::Unknown),
        Phase::Receiving if time >= DAWDLING => Some(Rank::Receiving),
        Phase::Answering if time >= DAWDLING => Some(Rank::Answering),
        Phase::Receiving | Phase::Answering | Phase::Working | Phase::Leaving | Phase::Closed => None,
    }
}

/// Where an address belongs to: itself, or its network of 64 bits, which is what one subscriber has of IPv6.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;
    use tokio::time::advance;

    use super::*;

    struct Server {
        places: Places,
        tasks: JoinSet<()>,
    }

    impl Server {
        fn new() -> Self {
            Self { places: Places::default(), tasks: JoinSet::new() }
        }

        fn open(&mut self, address: &str) -> (Arc<Line>, Id) {
            let line = Arc::new(Line::alone());
            let abort = self.tasks.spawn(std::future::pending());
            let id = abort.id();
            self.places.add(line.clone(), abort, address.parse().unwrap());
            (line, id)
        }

        fn is_open(&self, id: Id) -> bool {
            self.places.open.contains_key(&id) && !self.places.leaving.contains(&id)
        }
    }

    async fn wait(millis: u64) {
        advance(Duration::from_millis(millis)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_are_silent_for_longest_and_unknown_go_first_and_those_at_work_stay() {
        let mut server = Server::new();
        let (known, known_id) = server.open("10.0.0.1");
        known.trust();
        let (working, working_id) = server.open("10.0.0.1");
        assert!(working.begin());
        wait(100).await;
        let (_, old) = server.open("10.0.0.2");
        wait(100).await;
        let (_, young) = server.open("10.0.0.2");
        wait(100).await;
        let (_, fresh) = server.open("10.0.0.3");
        for (gone, left) in [(old, 4), (young, 3)] {
            assert_eq!(server.places.make_room(), Room::Made);
            assert_eq!((server.is_open(gone), server.places.len()), (false, left));
        }
        assert_eq!(server.places.make_room(), Room::None, "one has just come: it is judged in a moment");
        wait(50).await;
        for (gone, left) in [(fresh, 2), (known_id, 1)] {
            assert_eq!(server.places.make_room(), Room::Made);
            assert_eq!((server.is_open(gone), server.places.len()), (false, left));
        }
        assert_eq!(server.places.make_room(), Room::None);
        assert!(server.is_open(working_id));
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_keeps_the_host_waiting_is_closed_where_nobody_is_silent() {
        let mut server = Server::new();
        let (receiving, slow) = server.open("10.0.0.1");
        assert!(receiving.begin() && receiving.receive());
        wait(500).await;
        assert_eq!(server.places.make_room(), Room::None);
        wait(600).await;
        assert_eq!(server.places.make_room(), Room::Made);
        assert!(!server.is_open(slow));
        assert!(!receiving.received(), "its request is not begun");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_take_no_answer_are_closed_as_far_as_need_be() {
        let mut server = Server::new();
        let answering = |server: &mut Server| {
            let (line, id) = server.open("10.0.0.1");
            assert!(line.begin());
            line.answer(100);
            (line, id)
        };
        let first = answering(&mut server);
        wait(100).await;
        let (second, third) = (answering(&mut server), answering(&mut server));
        let (_, silent) = server.open("10.0.0.1");
        assert_eq!(server.places.relieve(150), 0, "they have only just begun");
        wait(1000).await;
        second.0.flushed();
        assert_eq!(server.places.relieve(100), 1);
        assert!(!server.is_open(first.1) && server.is_open(second.1));
        assert_eq!(server.places.relieve(100), 1);
        assert!(!server.is_open(third.1) && server.is_open(silent));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_was_chosen_and_speaks_meanwhile_stays() {
        let mut server = Server::new();
        let lines: Vec<_> = (0..3).map(|_| server.open("10.0.0.1")).collect();
        wait(100).await;
        assert_eq!(server.places.make_room(), Room::Made);
        let (line, speaking) = lines.iter().find(|(_, id)| server.is_open(*id)).unwrap();
        assert!(line.begin());
        assert_eq!(server.places.make_room(), Room::Made);
        assert!(server.is_open(*speaking));
        assert_eq!((server.places.make_room(), server.places.len()), (Room::None, 1));
        // One that was asked to leave finds that something has come, and counts again.
        let (staying, id) = lines.iter().find(|(_, id)| !server.is_open(*id)).unwrap();
        staying.stay();
        wait(20).await;
        assert_eq!(server.places.make_room(), Room::Made, "but what has come is no whole head");
        assert!(!server.places.open.contains_key(id));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_makes_room_for_itself_alone() {
        let mut server = Server::new();
        let (_, other) = server.open("10.0.0.1");
        let (_, one) = server.open("2001:db8::1");
        server.open("2001:db8::2");
        server.open("::ffff:10.0.0.1");
        wait(100).await;
        let of = |server: &Server, address: &str| server.places.from(address.parse().unwrap());
        assert_eq!((of(&server, "2001:db8::9"), of(&server, "10.0.0.1"), of(&server, "10.0.0.9")), (2, 2, 0));
        assert_eq!(server.places.make_room_of("2001:db8::3".parse().unwrap()), Room::Made);
        assert_eq!(server.places.len(), 3);
        assert!(server.is_open(other));
        server.places.remove(one);
        server.places.remove(other);
        assert_eq!(server.places.make_room_of("192.0.2.1".parse().unwrap()), Room::None);
    }
}
