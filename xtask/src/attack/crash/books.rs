//! What callers were told and what was asked of the national system, held against what the ledger says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Display;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::callers::{Answer, Call, Caller, Kind, Made};
use super::random::Random;
use super::shelf::Shelf;
use crate::host::Host;
use crate::http::Client;
use crate::workspace::progress;

/// How many faults are shown one by one.
const SHOWN: u64 = 10;

/// Of the requests with a key that were answered, so many in a thousand are sent again.
const ANSWERED_AGAIN: u64 = 200;

/// An exchange as the admin API tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exchange {
    id: String,
    end: String,
    status: Option<u16>,
    dossier: Option<String>,
    upstream_calls: Option<u32>,
}

#[derive(Deserialize)]
struct Listing {
    exchanges: Vec<Exchange>,
    next: Option<String>,
}

/// What is wrong with an exchange, an effect or a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// It was acknowledged and is not in the ledger, or not as it was acknowledged.
    Lost,
    /// It is in the ledger more than once.
    Twice,
    /// It was done, and the ledger knows nothing of it.
    Unseen,
    /// It was not done, and the ledger says that it was.
    Invented,
    /// It was done more than once.
    Repeated,
    /// Its repetition was answered neither with the first answer nor with what is not known.
    Strange,
}

/// All that is known so far.
#[derive(Default)]
pub(crate) struct Books {
    /// The status of each exchange that was acknowledged, by identifier.
    acknowledged: HashMap<String, u16>,
    /// Calls that changed something upstream.
    pub(crate) effects: u64,
    /// Of these, those whose callers had no answer: with an outcome in the ledger, and without.
    pub(crate) unanswered: Unanswered,
    /// Requests with a key, each once.
    pub(crate) keyed: u64,
    /// Repetitions, by what became of them.
    pub(crate) repetitions: Repetitions,
    faults: BTreeMap<Fault, u64>,
    shown: Shown,
}

/// Whether faults are shown one by one.
#[derive(Default, PartialEq)]
enum Shown {
    #[default]
    Some,
    /// They are what is expected.
    None,
}

/// Effects whose callers had no answer.
#[derive(Default)]
pub(crate) struct Unanswered {
    pub(crate) recorded: u64,
    pub(crate) unknown: u64,
}

/// What repetitions of requests with a key came to.
#[derive(Default)]
pub(crate) struct Repetitions {
    pub(crate) first_answer: u64,
    pub(crate) unknown: u64,
    pub(crate) carried_out: u64,
}

impl Books {
    /// The same, for a run that must find faults.
    pub(crate) fn quiet(self) -> Self {
        Self { shown: Shown::None, ..self }
    }

    /// How many exchanges were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.len() as u64
    }

    /// How many faults of some kinds there are.
    pub(crate) fn faults(&self, kinds: &[Fault]) -> u64 {
        kinds.iter().filter_map(|kind| self.faults.get(kind)).sum()
    }

    /// Enters an answer that came to its end.
    pub(crate) fn acknowledge(&mut self, answer: &Answer) {
        // Such an answer says that its exchange is not recorded.
        if answer.problem().as_deref() != Some("ledger-unavailable") {
            self.acknowledged.insert(answer.exchange.clone(), answer.status);
        }
    }

    /// Enters what was called until a host was gone, repeats what had a key, and looks up in the ledger of the next host
    /// what has arrived since.
    pub(crate) async fn settle(
        &mut self,
        host: &Host,
        caller: &mut Caller,
        made: Vec<Made>,
        since: &str,
        shelf: &Shelf,
        random: &mut Random,
    ) -> Result<()> {
        for answer in made.iter().filter_map(|(_, answer)| answer.as_ref()) {
            self.acknowledge(answer);
        }
        for (call, answer) in made.iter().filter(|(call, _)| call.kind == Kind::Keyed) {
            self.keyed += 1;
            if answer.is_none() || random.in_a_thousand(ANSWERED_AGAIN) {
                self.repeat(caller, call, answer.as_ref(), shelf).await?;
            }
        }
        let listed = self.list(host, Some(since)).await?;
        let mut ends: HashMap<&str, Vec<&Exchange>> = HashMap::new();
        for exchange in &listed {
            ends.entry(exchange.dossier.as_deref().unwrap_or_default()).or_default().push(exchange);
        }
        let ids: HashMap<&str, &Exchange> =
            listed.iter().map(|exchange| (exchange.id.as_str(), exchange)).collect();
        for (call, answer) in &made {
            if let Some(answer) = answer {
                self.find(&ids, &answer.exchange);
            }
            let of_item = ends.get(call.item.as_str()).map(Vec::as_slice).unwrap_or_default();
            if call.kind != Kind::Read {
                self.effect(call, answer.as_ref(), of_item, shelf.effects(&call.item));
            }
        }
        Ok(())
    }

    /// Looks every exchange that was ever acknowledged up in the whole ledger.
    pub(crate) async fn close(&mut self, host: &Host) -> Result<()> {
        let listed = self.list(host, None).await?;
        let ids = listed.iter().map(|exchange| (exchange.id.as_str(), exchange)).collect();
        let acknowledged: Vec<String> = self.acknowledged.keys().cloned().collect();
        for exchange in acknowledged {
            self.find(&ids, &exchange);
        }
        Ok(())
    }

    fn find(&mut self, listed: &HashMap<&str, &Exchange>, id: &str) {
        let Some(status) = self.acknowledged.get(id).copied() else { return };
        match listed.get(id) {
            Some(exchange) if exchange.end == "known" && exchange.status == Some(status) => {}
            Some(exchange) => {
                let found = format!("{} with {:?}", exchange.end, exchange.status);
                self.fault(Fault::Lost, format_args!("{id} was answered with {status}, and is {found}"));
            }
            None => self.fault(Fault::Lost, format_args!("{id} was answered with {status}")),
        }
    }

    /// Holds what was done of a call against what the ledger has of its item.
    fn effect(&mut self, call: &Call, answer: Option<&Answer>, listed: &[&Exchange], effects: u64) {
        let item = &call.item;
        if effects > 1 {
            self.fault(Fault::Repeated, format_args!("{item} was carried out {effects} times"));
        }
        let succeeded = listed.iter().any(|exchange| exchange.status == Some(200));
        let recorded = listed.iter().any(|exchange| exchange.upstream_calls > Some(0));
        let unknown = listed.iter().any(|exchange| exchange.end == "unknown");
        match effects {
            0 if succeeded => self.fault(Fault::Invented, format_args!("{item} was never asked for")),
            0 => {}
            _ => {
                self.effects += 1;
                match answer {
                    Some(_) => {}
                    None if unknown => self.unanswered.unknown += 1,
                    None if recorded => self.unanswered.recorded += 1,
                    None => {}
                }
                if !recorded && !unknown {
                    let ends = listed.len();
                    self.fault(
                        Fault::Unseen,
                        format_args!("{item} was carried out; {ends} exchanges say otherwise"),
                    );
                }
            }
        }
    }

    /// Sends a request with a key again: what was answered must be answered in the same way, what was not must be answered
    /// or be said to be unknown, and nothing may be done twice.
    async fn repeat(
        &mut self,
        caller: &mut Caller,
        call: &Call,
        first: Option<&Answer>,
        shelf: &Shelf,
    ) -> Result<()> {
        let before = shelf.effects(&call.item);
        let again = caller.call(call).await.with_context(|| format!("{} sent again", call.item))?;
        self.acknowledge(&again);
        let unknown = again.status == 409 && again.problem().as_deref() == Some("outcome-unknown");
        let same = first.is_none_or(|first| (first.status, &first.body) == (again.status, &again.body));
        match first {
            _ if again.replayed && same => self.repetitions.first_answer += 1,
            None if unknown => self.repetitions.unknown += 1,
            // The first request had not come as far as its key.
            None if again.status == 200 && !again.replayed && before == 0 => {
                self.repetitions.carried_out += 1
            }
            _ => {
                let (item, status, body) = (&call.item, again.status, String::from_utf8_lossy(&again.body));
                self.fault(
                    Fault::Strange,
                    format_args!("{item} again, after {before} effects: {status} {body}"),
                );
            }
        }
        Ok(())
    }

    /// The exchanges since a time, or all; says so of those that come twice.
    async fn list(&mut self, host: &Host, since: Option<&str>) -> Result<Vec<Exchange>> {
        let control = host.control()?;
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let page = page(&control, since, cursor.as_deref()).await?;
            all.extend(page.exchanges);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let mut seen = HashSet::new();
        for exchange in all.iter().filter(|exchange| !seen.insert(exchange.id.as_str())) {
            self.fault(Fault::Twice, format_args!("{} is listed twice", exchange.id));
        }
        Ok(all)
    }

    fn fault(&mut self, fault: Fault, what: impl Display) {
        let count = self.faults.entry(fault).or_default();
        *count += 1;
        if *count <= SHOWN && self.shown == Shown::Some {
            progress(format_args!("{fault:?}: {what}"));
        }
    }
}

async fn page(control: &Client, since: Option<&str>, cursor: Option<&str>) -> Result<Listing> {
    let given = [since.map(|since| format!("&from={since}")), cursor.map(|next| format!("&cursor={next}"))];
    let query: String = given.into_iter().flatten().collect();
    let listing = control.get(&format!("/admin/exchanges?limit=1000{query}")).await?;
    Ok(serde_json::from_value(listing)?)
}
