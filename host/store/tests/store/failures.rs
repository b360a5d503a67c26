//! Full, stopped, busy: writes fail in time and whole, and go on when the cause is gone.

use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use truc_model::{Bytes, Exchange, RequestId};
use truc_store::exchanges::{Entry, Filter};
use truc_store::testing::{Kind, Postgres, TestDatabase, lock, set_max_size};
use truc_store::{Options, Store, StoreError};

use crate::{at, connector};

/// Every wait in the store is bounded below this.
const BOUND: Duration = Duration::from_secs(8);

/// Entries of about one kilobyte, of one moment per batch.
fn batch(moment: i64) -> Vec<Entry> {
    (0..64)
        .map(|number| {
            Entry::Outcome(Exchange {
                id: RequestId::new(at(moment), &[number; 10]),
                received_at: at(moment),
                agency: None,
                account: None,
                service: None,
                revision: None,
                operation: None,
                purpose: Some("x".repeat(1000)),
                dossier: None,
                status: 200,
                problem: None,
                duration: 1,
                request_bytes: 0,
                response_bytes: 0,
                upstream_calls: 0,
            })
        })
        .collect()
}

/// How many entries there are at each of the moments.
async fn counts(store: &Store, moments: i64) -> Vec<usize> {
    let mut counts = Vec::new();
    for moment in 0..moments {
        let filter = Filter {
            from: Some(at(moment)),
            to: Some(at(moment + 1)),
            limit: Some(1000),
            ..Filter::default()
        };
        counts.push(store.exchanges().list(&filter).await.unwrap().entries.len());
    }
    counts
}

#[tokio::test]
async fn a_full_sqlite_file_refuses_writes_whole_and_goes_on_when_there_is_room() {
    let database = TestDatabase::new(Kind::Sqlite).await.unwrap();
    let options = Options { max_size: Some(Bytes(1 << 20)) };
    let store = Store::open_with(&database.address, options).await.unwrap();

    let mut written = 0;
    let error = loop {
        match store.exchanges().append(&batch(written)).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 100, "a file of 1 MiB took {written} batches of 64 KiB");
    };
    assert!(matches!(error, StoreError::Full), "{error:?}");
    assert!(written > 5, "{written}");
    // It stays full, for transactions of several statements too, and reads go on.
    assert!(matches!(store.exchanges().append(&batch(written)).await, Err(StoreError::Full)));
    let mut large = connector("land", "1.0.0");
    large.manifest = "#".repeat(200_000);
    assert!(matches!(store.connectors().insert(&large).await, Err(StoreError::Full)));
    let moments = written + 1;
    let mut expected = vec![64; written as usize];
    expected.push(0);
    assert_eq!(counts(&store, moments).await, expected);

    set_max_size(&store, Bytes(4 << 20)).await.unwrap();
    store.exchanges().append(&batch(written)).await.unwrap();
    store.connectors().insert(&large).await.unwrap();
    expected[written as usize] = 64;
    assert_eq!(counts(&store, moments).await, expected);

    // All of it is there after opening again, and the bound is not remembered.
    store.close().await;
    let store = database.open().await.unwrap();
    assert_eq!(counts(&store, moments).await, expected);
    store.close().await;
}

#[tokio::test]
async fn a_stopped_postgres_fails_writes_in_time_and_is_found_again() {
    let mut server = Postgres::start().unwrap();
    let store = Store::open(&server.database().await.unwrap()).await.unwrap();
    store.exchanges().append(&batch(0)).await.unwrap();

    server.stop().unwrap();
    for _ in 0..2 {
        let start = Instant::now();
        let error = store.exchanges().append(&batch(1)).await.expect_err("the server is stopped");
        assert!(matches!(error, StoreError::Unavailable(_) | StoreError::TimedOut), "{error:?}");
        assert!(store.exchanges().list(&Filter::default()).await.is_err());
        assert!(start.elapsed() < 2 * BOUND, "{:?}", start.elapsed());
    }

    server.resume().unwrap();
    // Connections from before the stop are told from good ones at the first use at the latest.
    let mut attempts = 0;
    while store.exchanges().append(&batch(1)).await.is_err() {
        attempts += 1;
        assert!(attempts < 10, "the server is back and is not used");
    }
    assert_eq!(counts(&store, 2).await, [64, 64]);
    store.close().await;
}

#[tokio::test]
async fn a_locked_table_fails_the_write_in_time() {
    let server = Postgres::start().unwrap();
    let address = server.database().await.unwrap();
    let store = Store::open(&address).await.unwrap();
    let lock = lock(&address, "exchanges").await.unwrap();

    let start = Instant::now();
    let error = store.exchanges().append(&batch(0)).await.expect_err("the table is locked");
    assert!(matches!(error, StoreError::TimedOut), "{error:?}");
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());

    drop(lock);
    store.exchanges().append(&batch(0)).await.unwrap();
    assert_eq!(counts(&store, 1).await, [64]);
    store.close().await;
}

#[tokio::test]
async fn postgres_refuses_what_no_text_may_hold_and_keeps_the_rest_of_nothing() {
    let database = TestDatabase::new(Kind::Postgres).await.unwrap();
    let store = database.open().await.unwrap();
    let mut entries = batch(0);
    if let Some(Entry::Outcome(exchange)) = entries.last_mut() {
        exchange.purpose = Some("a\0b".to_owned());
    }
    let error = store.exchanges().append(&entries).await.expect_err("a NUL in a text");
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    assert_eq!(counts(&store, 1).await, [0]);
    store.close().await;
}

#[tokio::test]
async fn a_write_dropped_half_way_leaves_nothing_open() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let database = TestDatabase::new(kind).await.unwrap();
        let store = database.open().await.unwrap();
        // Dropped at every await in turn.
        for polls in 0..40 {
            let row = connector("land", &format!("1.0.{polls}"));
            let connectors = store.connectors();
            dropped_after(polls, connectors.insert(&row)).await;
            if kind == Kind::Postgres {
                // The transaction ends: nobody has to wait for it.
                let unused = tokio::time::timeout(BOUND, lock(&database.address, "connectors")).await;
                drop(unused.expect("a dropped write still holds its table").unwrap());
            }
        }
        let row = connector("postal", "1.0.0");
        store.connectors().insert(&row).await.unwrap();
        store.exchanges().append(&batch(0)).await.unwrap();
        assert_eq!(store.connectors().get(&row.digest).await.unwrap(), Some(row), "{kind:?}");
        assert_eq!(counts(&store, 1).await, [64], "{kind:?}");
        store.close().await;
    }
}

/// Drops the future after it was polled so many times.
async fn dropped_after(mut polls: u32, future: impl Future) {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(());
        }
        polls -= 1;
        future.as_mut().poll(context).map(drop)
    })
    .await;
}
