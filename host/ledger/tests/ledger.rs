//! What the ledger promises, shown on SQLite and on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use truc_ledger::{End, Entry, Filter, Intent, Ledger, LedgerError, Settings};
use truc_model::{Bytes, Exchange, RequestId, Timestamp};
use truc_store::testing::{Kind, Postgres, TestDatabase, lock, set_max_size};
use truc_store::{Options, Store, StoreError};

fn at(number: u32) -> Timestamp {
    Timestamp::from_micros(1_751_333_400_000_000 + i64::from(number))
}

fn id(number: u32) -> RequestId {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    RequestId::new(at(0), &random)
}

fn exchange(number: u32) -> Exchange {
    Exchange {
        id: id(number),
        received_at: at(number),
        agency: Some("H56.14".parse().unwrap()),
        account: Some("one-stop".parse().unwrap()),
        service: Some("land".parse().unwrap()),
        revision: Some(1),
        operation: Some("parcels/register".into()),
        purpose: None,
        dossier: None,
        status: 200,
        problem: None,
        duration: 1000,
        request_bytes: 10,
        response_bytes: 20,
        upstream_calls: 1,
    }
}

fn intent(number: u32) -> Intent {
    Intent {
        id: id(number),
        received_at: at(number),
        agency: "H56.14".parse().unwrap(),
        account: "one-stop".parse().unwrap(),
        service: "land".parse().unwrap(),
        revision: 1,
        operation: "parcels/register".into(),
        purpose: None,
        dossier: None,
    }
}

/// Everything recorded, oldest first.
async fn recorded(store: &Store) -> Vec<RequestId> {
    let mut filter = Filter { limit: Some(Filter::MOST), ..Filter::default() };
    let mut ids = Vec::new();
    loop {
        let page = store.exchanges().list(&filter).await.unwrap();
        ids.extend(page.entries.iter().map(Entry::id));
        match page.next {
            Some(next) => filter.after = Some(next),
            None => break,
        }
    }
    ids.reverse();
    ids
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<RequestId> {
    numbers.into_iter().map(id).collect()
}

async fn both(test: impl AsyncFn(Store)) {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let database = TestDatabase::new(kind).await.unwrap();
        let store = database.open().await.unwrap();
        test(store.clone()).await;
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_acknowledged_is_recorded_exactly_once() {
    both(async |store| {
        let ledger = Ledger::start(store.clone(), Settings::default());
        let mut callers = JoinSet::new();
        for caller in 0..64 {
            let ledger = ledger.clone();
            callers.spawn(async move {
                for number in 0..25 {
                    ledger.record(exchange(caller * 25 + number)).await.unwrap();
                }
            });
        }
        while let Some(caller) = callers.join_next().await {
            caller.unwrap();
        }
        assert_eq!(recorded(&store).await, ids(0..64 * 25));
        ledger.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_entry_is_there_for_others_when_it_is_acknowledged() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let database = TestDatabase::new(kind).await.unwrap();
        let (writing, reading) = (database.open().await.unwrap(), database.open().await.unwrap());
        let ledger = Ledger::start(writing.clone(), Settings::default());
        for number in 0..10 {
            ledger.record(exchange(number)).await.unwrap();
            assert_eq!(recorded(&reading).await, ids(0..=number), "{kind:?}");
        }
        ledger.close().await;
        writing.close().await;
        reading.close().await;
    }
}

#[tokio::test]
async fn an_intent_is_an_exchange_of_unknown_end_until_its_outcome_comes() {
    both(async |store| {
        let ledger = Ledger::start(store.clone(), Settings::default());
        let unknown = Filter { end: Some(End::Unknown), ..Filter::default() };
        ledger.intend(intent(1)).await.unwrap();
        ledger.intend(intent(2)).await.unwrap();
        ledger.record(exchange(1)).await.unwrap();
        assert_eq!(ledger.list(&unknown).await.unwrap().entries, [Entry::Intent(intent(2))]);
        let all = ledger.list(&Filter::default()).await.unwrap().entries;
        assert_eq!(all, [Entry::Intent(intent(2)), Entry::Outcome(exchange(1))]);
        ledger.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_database_stops_acknowledgements_and_nothing_else() {
    let database = TestDatabase::new(Kind::Sqlite).await.unwrap();
    let store =
        Store::open_with(&database.address, Options { max_size: Some(Bytes(512 << 10)) }).await.unwrap();
    let ledger = Ledger::start(store.clone(), Settings::default());

    let mut acknowledged = BTreeSet::new();
    let mut refused = 0;
    for round in 0..40 {
        let mut callers = JoinSet::new();
        for caller in 0..100 {
            let (ledger, number) = (ledger.clone(), round * 100 + caller);
            callers.spawn(async move { (number, ledger.record(exchange(number)).await) });
        }
        while let Some(caller) = callers.join_next().await {
            match caller.unwrap() {
                (number, Ok(())) => assert!(acknowledged.insert(number)),
                (_, Err(LedgerError::Failed(error))) => {
                    assert!(matches!(*error, StoreError::Full), "{error:?}");
                    refused += 1;
                }
                (_, Err(error)) => panic!("{error:?}"),
            }
        }
        if refused > 200 {
            break;
        }
    }
    assert!(refused > 0, "4000 exchanges went into 512 KiB");
    assert_eq!(recorded(&store).await, ids(acknowledged.iter().copied()));

    set_max_size(&store, Bytes(64 << 20)).await.unwrap();
    ledger.record(exchange(10_000)).await.unwrap();
    acknowledged.insert(10_000);
    assert_eq!(recorded(&store).await, ids(acknowledged));
    ledger.close().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server_costs_no_acknowledged_entry() {
    let mut server = Postgres::start().unwrap();
    let address = server.database().await.unwrap();
    let store = Store::open(&address).await.unwrap();
    let wait = Duration::from_secs(2);
    let ledger = Ledger::start(store.clone(), Settings { wait, ..Settings::default() });

    let mut acknowledged = BTreeSet::new();
    for number in 0..20 {
        ledger.record(exchange(number)).await.unwrap();
        acknowledged.insert(number);
    }
    server.stop().unwrap();
    for number in 20..25 {
        let start = Instant::now();
        ledger.record(exchange(number)).await.expect_err("the server is stopped");
        assert!(start.elapsed() < wait + Duration::from_secs(3), "{:?}", start.elapsed());
    }
    server.resume().unwrap();
    let mut failures = 0;
    for number in 25..45 {
        match ledger.record(exchange(number)).await {
            Ok(()) => assert!(acknowledged.insert(number)),
            Err(_) => failures += 1,
        }
    }
    // Each connection from before the stop may fail once.
    assert!(failures <= 10, "{failures} of 20 failed after the server was back");
    assert_eq!(recorded(&store).await, ids(acknowledged));
    ledger.close().await;
    store.close().await;
}

/// A ledger whose database takes the connection and does nothing, and what makes it go on.
async fn stuck(settings: Settings) -> (Postgres, Store, Ledger, impl Sized) {
    let server = Postgres::start().unwrap();
    let address = server.database().await.unwrap();
    let store = Store::open(&address).await.unwrap();
    let lock = lock(&address, "exchanges").await.unwrap();
    let ledger = Ledger::start(store.clone(), settings);
    (server, store, ledger, lock)
}

#[tokio::test]
async fn a_stuck_database_is_waited_for_so_long_and_no_longer() {
    let wait = Duration::from_millis(500);
    let (_server, store, ledger, lock) = stuck(Settings { wait, ..Settings::default() }).await;

    let start = Instant::now();
    let mut callers = JoinSet::new();
    for number in 0..300 {
        let ledger = ledger.clone();
        callers.spawn(async move { ledger.record(exchange(number)).await });
    }
    while let Some(result) = callers.join_next().await {
        assert!(matches!(result.unwrap(), Err(LedgerError::Late)));
    }
    assert!(start.elapsed() < wait + Duration::from_secs(2), "{:?}", start.elapsed());

    drop(lock);
    ledger.record(exchange(1000)).await.unwrap();
    assert!(recorded(&store).await.contains(&id(1000)));
    ledger.close().await;
    store.close().await;
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let settings = Settings { queue: 8, batch: 4, ..Settings::default() };
    let (_server, store, ledger, lock) = stuck(settings).await;
    let mut callers = JoinSet::new();
    for number in 0..100 {
        let ledger = ledger.clone();
        callers.spawn(async move { (number, ledger.record(exchange(number)).await) });
    }
    // At most a batch and a queue can be waiting; the rest know at once, while the database is still stuck.
    for _ in 0..100 - 8 - 4 {
        let (number, result) = callers.join_next().await.unwrap().unwrap();
        assert!(matches!(result, Err(LedgerError::Busy)), "{number}: {result:?}");
    }
    drop(lock);
    let mut acknowledged = BTreeSet::new();
    while let Some(caller) = callers.join_next().await {
        match caller.unwrap() {
            (number, Ok(())) => assert!(acknowledged.insert(number)),
            (number, result) => assert!(matches!(result, Err(LedgerError::Busy)), "{number}: {result:?}"),
        }
    }
    assert!(acknowledged.len() >= 8, "{acknowledged:?}");
    assert_eq!(recorded(&store).await, ids(acknowledged));
    ledger.close().await;
    store.close().await;
}

#[tokio::test]
async fn an_entry_that_is_refused_for_what_it_holds_fails_alone() {
    let database = TestDatabase::new(Kind::Postgres).await.unwrap();
    let store = database.open().await.unwrap();
    let ledger = Ledger::start(store.clone(), Settings::default());
    let mut callers = JoinSet::new();
    for number in 0..50 {
        let (ledger, mut exchange) = (ledger.clone(), exchange(number));
        if number == 20 {
            // No text in PostgreSQL holds this character.
            exchange.purpose = Some("\0".to_owned());
        }
        callers.spawn(async move { (number, ledger.record(exchange).await) });
    }
    while let Some(caller) = callers.join_next().await {
        match caller.unwrap() {
            (20, result) => assert!(matches!(result, Err(LedgerError::Failed(_))), "{result:?}"),
            (number, result) => result.unwrap_or_else(|error| panic!("{number}: {error}")),
        }
    }
    assert_eq!(recorded(&store).await, ids((0..50).filter(|number| *number != 20)));
    ledger.close().await;
    store.close().await;
}

#[tokio::test]
async fn closing_records_what_waits_and_refuses_what_comes() {
    both(async |store| {
        let ledger = Ledger::start(store.clone(), Settings { batch: 16, ..Settings::default() });
        let mut callers = JoinSet::new();
        for number in 0..200 {
            let ledger = ledger.clone();
            callers.spawn(async move { ledger.record(exchange(number)).await });
        }
        // On this runtime's one thread, all of them have handed over before the first commit ends.
        tokio::task::yield_now().await;
        ledger.close().await;
        while let Some(result) = callers.join_next().await {
            result.unwrap().unwrap();
        }
        assert_eq!(recorded(&store).await, ids(0..200));
        assert!(matches!(ledger.record(exchange(200)).await, Err(LedgerError::Closed)));
        // Closing twice is closing once.
        ledger.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_with_it() {
    let database = TestDatabase::new(Kind::Sqlite).await.unwrap();
    let store = database.open().await.unwrap();
    let ledger = Ledger::start(store.clone(), Settings::default());
    {
        let mut gone = std::pin::pin!(ledger.record(exchange(1)));
        std::future::poll_fn(|context| {
            assert!(gone.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }
    ledger.record(exchange(2)).await.unwrap();
    assert_eq!(recorded(&store).await, ids(1..=2));
    ledger.close().await;
    store.close().await;
}
