//! Exchanges: appending and listing.

use truc_model::{Exchange, RequestId, Timestamp};
use truc_store::exchanges::{End, Entry, Exchanges, Filter, Intent, Page};
use truc_store::{Store, StoreError};

use crate::{at, on_both};

fn id(number: u16) -> RequestId {
    let mut random = [0; 10];
    random[8..].copy_from_slice(&number.to_be_bytes());
    RequestId::new(at(0), &random)
}

fn intent(number: u16, received_at: Timestamp) -> Intent {
    Intent {
        id: id(number),
        received_at,
        agency: "H56.14".parse().unwrap(),
        account: "one-stop".parse().unwrap(),
        service: "land".parse().unwrap(),
        revision: 3,
        operation: "parcels/register".into(),
        purpose: Some("đăng ký đất đai".to_owned()),
        dossier: Some("H56.14-250701-0001".to_owned()),
    }
}

fn outcome(number: u16, received_at: Timestamp) -> Exchange {
    let intent = intent(number, received_at);
    Exchange {
        id: intent.id,
        received_at,
        agency: Some(intent.agency),
        account: Some(intent.account),
        service: Some(intent.service),
        revision: Some(intent.revision),
        operation: Some(intent.operation),
        purpose: intent.purpose,
        dossier: intent.dossier,
        status: 200,
        problem: None,
        duration: 1_234,
        request_bytes: 56,
        response_bytes: 7_890,
        upstream_calls: 2,
    }
}

/// An exchange of which nothing is known but that it was refused.
fn refusal(number: u16, received_at: Timestamp) -> Exchange {
    Exchange {
        id: id(number),
        received_at,
        agency: None,
        account: None,
        service: None,
        revision: None,
        operation: None,
        purpose: None,
        dossier: None,
        status: 401,
        problem: Some("wrong-key".to_owned()),
        duration: 40,
        request_bytes: 0,
        response_bytes: 211,
        upstream_calls: 0,
    }
}

async fn append(store: &Store, entries: &[Entry]) {
    store.exchanges().append(entries).await.unwrap();
}

async fn list(store: &Store, filter: Filter) -> Page {
    store.exchanges().list(&filter).await.unwrap()
}

async fn all(store: &Store) -> Vec<Entry> {
    let page = list(store, Filter { limit: Some(Filter::MOST), ..Filter::default() }).await;
    assert_eq!(page.next, None);
    page.entries
}

on_both! {
    async fn entries_come_back_as_they_were_newest_first(store: Store) {
        let first = Entry::Outcome(outcome(1, at(10)));
        let second = Entry::Outcome(refusal(2, at(30)));
        let third = Entry::Intent(intent(3, at(20)));
        append(&store, &[first.clone(), second.clone(), third.clone()]).await;
        assert_eq!(all(&store).await, [second, third, first]);
    }

    async fn every_size_of_batch_is_written_whole(store: Store) {
        let mut number = 0;
        let mut expected = 0;
        for size in [0, 1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, Exchanges::BATCH] {
            let entries: Vec<_> = (0..size)
                .map(|_| {
                    number += 1;
                    Entry::Outcome(outcome(number, at(i64::from(number))))
                })
                .collect();
            append(&store, &entries).await;
            expected += size;
        }
        let listed = all(&store).await;
        assert_eq!(listed.len(), expected);
        for (entry, number) in listed.iter().rev().zip(1..) {
            assert_eq!(*entry, Entry::Outcome(outcome(number, at(i64::from(number)))));
        }
    }

    async fn more_than_a_batch_is_refused_whole(store: Store) {
        let entries = vec![Entry::Outcome(outcome(1, at(1))); Exchanges::BATCH + 1];
        assert!(matches!(store.exchanges().append(&entries).await, Err(StoreError::Refused(_))));
        assert!(all(&store).await.is_empty());
    }

    async fn an_exchange_appears_once_with_its_outcome_or_without(store: Store) {
        append(&store, &[Entry::Intent(intent(1, at(1))), Entry::Intent(intent(2, at(2)))]).await;
        append(&store, &[Entry::Outcome(outcome(1, at(1))), Entry::Outcome(outcome(3, at(3)))]).await;

        let known = [Entry::Outcome(outcome(3, at(3))), Entry::Outcome(outcome(1, at(1)))];
        let unknown = [Entry::Intent(intent(2, at(2)))];
        assert_eq!(all(&store).await, [known[0].clone(), unknown[0].clone(), known[1].clone()]);
        assert_eq!(list(&store, Filter { end: Some(End::Known), ..Filter::default() }).await.entries, known);
        assert_eq!(list(&store, Filter { end: Some(End::Unknown), ..Filter::default() }).await.entries, unknown);
    }

    async fn the_outcome_of_another_request_does_not_stand_in_for_a_missing_one(store: Store) {
        // Two requests bore the same identifier; one of them has no outcome.
        append(&store, &[Entry::Intent(intent(1, at(1))), Entry::Intent(intent(1, at(2)))]).await;
        append(&store, &[Entry::Outcome(outcome(1, at(2)))]).await;
        let unknown = list(&store, Filter { end: Some(End::Unknown), ..Filter::default() }).await;
        assert_eq!(unknown.entries, [Entry::Intent(intent(1, at(1)))]);
    }

    async fn each_filter_restricts(store: Store) {
        let mut postal = outcome(1, at(10));
        postal.service = Some("postal".parse().unwrap());
        let mut elsewhere = outcome(2, at(20));
        elsewhere.agency = Some("H56.15".parse().unwrap());
        let mut failed = outcome(3, at(30));
        failed.status = 504;
        failed.problem = Some("upstream-timeout".to_owned());
        let refused = refusal(4, at(40));
        let open = intent(5, at(50));
        append(&store, &[postal.clone(), elsewhere.clone(), failed.clone(), refused.clone()].map(Entry::Outcome)).await;
        append(&store, &[Entry::Intent(open.clone())]).await;

        let numbers = async |filter: Filter| -> Vec<RequestId> {
            list(&store, filter).await.entries.iter().map(Entry::id).collect()
        };
        let any = Filter::default;
        assert_eq!(numbers(any()).await, [5, 4, 3, 2, 1].map(id));
        assert_eq!(numbers(Filter { from: Some(at(30)), ..any() }).await, [5, 4, 3].map(id));
        assert_eq!(numbers(Filter { to: Some(at(30)), ..any() }).await, [2, 1].map(id));
        assert_eq!(numbers(Filter { from: Some(at(20)), to: Some(at(31)), ..any() }).await, [3, 2].map(id));
        assert_eq!(numbers(Filter { agency: elsewhere.agency, ..any() }).await, [id(2)]);
        assert_eq!(numbers(Filter { agency: Some(open.agency), ..any() }).await, [5, 3, 1].map(id));
        assert_eq!(numbers(Filter { service: postal.service, ..any() }).await, [id(1)]);
        assert_eq!(numbers(Filter { status: Some(200), ..any() }).await, [2, 1].map(id));
        assert_eq!(numbers(Filter { status: Some(204), ..any() }).await, []);
        assert_eq!(numbers(Filter { problem: failed.problem, ..any() }).await, [id(3)]);
        assert_eq!(numbers(Filter { problem: Some("wrong-key' OR 1=1 --".to_owned()), ..any() }).await, []);
        assert_eq!(numbers(Filter { status: Some(200), end: Some(End::Unknown), ..any() }).await, []);
    }

    async fn pages_meet_without_gap_or_overlap(store: Store) {
        // Seven at each of ten moments, so that pages end between exchanges of the same moment.
        let entries: Vec<_> =
            (0..70).map(|number| Entry::Outcome(outcome(number, at(i64::from(number / 7))))).collect();
        append(&store, &entries).await;

        let mut seen = Vec::new();
        let mut filter = Filter { from: Some(at(1)), limit: Some(10), ..Filter::default() };
        loop {
            let page = list(&store, filter.clone()).await;
            seen.extend(page.entries);
            // What arrives meanwhile is newer and changes nothing below.
            append(&store, &[Entry::Outcome(outcome(1000, at(1000)))]).await;
            match page.next {
                Some(next) => filter.after = Some(next.to_string().parse().unwrap()),
                None => break,
            }
        }
        let mut expected = entries[7..].to_vec();
        expected.reverse();
        assert_eq!(seen, expected);
    }

    async fn a_page_that_is_exactly_full_is_the_last(store: Store) {
        append(&store, &[Entry::Outcome(outcome(1, at(1))), Entry::Outcome(outcome(2, at(2)))]).await;
        assert_eq!(list(&store, Filter { limit: Some(2), ..Filter::default() }).await.next, None);
        assert!(list(&store, Filter { limit: Some(1), ..Filter::default() }).await.next.is_some());
        assert_eq!(list(&store, Filter { limit: Some(0), ..Filter::default() }).await.entries.len(), 1);
    }

    async fn the_largest_numbers_and_foreign_letters_survive(store: Store) {
        let mut extreme = outcome(1, at(1));
        extreme.duration = u64::MAX;
        extreme.request_bytes = i64::MAX as u64;
        extreme.upstream_calls = u32::MAX;
        extreme.revision = Some(u32::MAX);
        extreme.status = 599;
        extreme.purpose = Some("Đ'ăng \"ký\" \u{1f3e0}\n; DROP TABLE exchanges; --".to_owned());
        append(&store, &[Entry::Outcome(extreme.clone())]).await;
        extreme.duration = i64::MAX as u64;
        assert_eq!(all(&store).await, [Entry::Outcome(extreme)]);
    }
}
