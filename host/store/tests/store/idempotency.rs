//! Idempotency keys: claimed once, completed by who holds them, gone when they expire.

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use truc_model::{Bytes, Digest, RequestId};
use truc_store::idempotency::{AnswerRow, Claim, Claimed, KeyRow, KeyState};
use truc_store::testing::{Kind, TestDatabase};
use truc_store::{Options, Store, StoreError};

use crate::{at, on_both};

fn claim(key: &str, number: i64) -> Claim {
    Claim {
        key: Digest::of(key.as_bytes()),
        number,
        agency: "H56.14".parse().unwrap(),
        account: "one-stop".parse().unwrap(),
        service: "land".parse().unwrap(),
        operation: "dossiers/send-dossier".to_owned(),
        request: Digest::of(b"request"),
        exchange: RequestId::new(at(0), &[7; 10]),
        created_at: at(number),
        ends_by: at(number + 100),
        expires_at: at(number + 1000),
    }
}

fn answer(status: u16, body: &[u8]) -> AnswerRow {
    AnswerRow {
        revision: 3,
        status,
        problem: (status >= 400).then(|| "denied".to_owned()),
        content_type: Some("application/json".to_owned()),
        body: body.to_vec(),
    }
}

async fn take(store: &Store, claim: &Claim) -> Claimed {
    store.idempotency().claim(claim).await.unwrap()
}

fn before(first: &Claim, state: KeyState) -> Claimed {
    Claimed::Before(KeyRow {
        request: first.request,
        exchange: first.exchange,
        created_at: first.created_at,
        state,
    })
}

on_both! {
    async fn a_key_is_held_until_its_answer_is_kept(store: Store) {
        let first = claim("a", 1);
        assert_eq!(take(&store, &first).await, Claimed::New);
        assert_eq!(take(&store, &claim("a", 2)).await, before(&first, KeyState::Running(first.ends_by)));
        assert_eq!(take(&store, &claim("b", 3)).await, Claimed::New, "keys are independent");
        // Who does not hold it changes nothing.
        let other = store.idempotency().complete(&first.key, 2, &answer(200, b"{}")).await;
        assert!(matches!(other, Err(StoreError::NotFound)), "{other:?}");
        store.idempotency().release(&first.key, 2).await.unwrap();
        for body in [&[0, 159, 146, 150][..], b"", &vec![b'x'; 3 << 20]] {
            store.idempotency().complete(&first.key, 1, &answer(403, body)).await.unwrap();
            let row = KeyState::Done(answer(403, body));
            assert_eq!(take(&store, &claim("a", 2)).await, before(&first, row));
        }
        store.idempotency().release(&first.key, 1).await.unwrap();
        assert_ne!(take(&store, &claim("a", 2)).await, Claimed::New, "what was answered is not given back");
    }

    async fn a_key_given_back_and_a_key_expired_are_as_new(store: Store) {
        let first = claim("a", 1);
        take(&store, &first).await;
        store.idempotency().release(&first.key, 1).await.unwrap();
        let second = claim("a", 2);
        assert_eq!(take(&store, &second).await, Claimed::New);
        store.idempotency().complete(&second.key, 2, &answer(200, b"{}")).await.unwrap();
        assert_ne!(take(&store, &claim("a", 1001)).await, Claimed::New);
        let third = claim("a", 1002);
        assert_eq!(take(&store, &third).await, Claimed::New, "at the end of its time");
        assert_eq!(take(&store, &claim("a", 1003)).await, before(&third, KeyState::Running(third.ends_by)));
        let late = store.idempotency().complete(&second.key, 2, &answer(200, b"{}")).await;
        assert!(matches!(late, Err(StoreError::NotFound)), "{late:?}");
    }

    async fn what_was_under_way_is_unknown_after_an_interruption(store: Store) {
        let (running, done) = (claim("a", 1), claim("b", 2));
        take(&store, &running).await;
        take(&store, &done).await;
        store.idempotency().complete(&done.key, 2, &answer(200, b"{}")).await.unwrap();
        assert_eq!(store.idempotency().interrupt().await.unwrap(), 1);
        assert_eq!(store.idempotency().interrupt().await.unwrap(), 0);
        assert_eq!(take(&store, &claim("a", 3)).await, before(&running, KeyState::Unknown));
        assert_eq!(take(&store, &claim("b", 3)).await, before(&done, KeyState::Done(answer(200, b"{}"))));
    }

    async fn expired_keys_are_removed_in_batches(store: Store) {
        for number in 0..10 {
            take(&store, &claim(&number.to_string(), number)).await;
        }
        let purge = async |now| store.idempotency().purge(at(now), 4).await.unwrap();
        assert_eq!(purge(999).await, 0);
        assert_eq!((purge(1005).await, purge(1005).await, purge(1005).await), (4, 2, 0));
        assert_eq!(take(&store, &claim("5", 900)).await, Claimed::New);
        assert_ne!(take(&store, &claim("6", 900)).await, Claimed::New);
    }

    async fn of_claims_at_once_one_holds_the_key(store: Store) {
        for round in 0..5 {
            let tasks: Vec<_> = (0..16)
                .map(|number| {
                    let (store, claim) = (store.clone(), claim(&round.to_string(), number));
                    tokio::spawn(async move { take(&store, &claim).await == Claimed::New })
                })
                .collect();
            let mut holders = 0;
            for task in tasks {
                holders += usize::from(task.await.unwrap());
            }
            assert_eq!(holders, 1);
        }
    }
}

#[tokio::test]
async fn what_was_under_way_is_found_without_looking_at_every_key() {
    let database = TestDatabase::new(Kind::Sqlite).await.unwrap();
    database.open().await.unwrap().close().await;
    let path = database.address.strip_prefix("sqlite://").unwrap();
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let mut plan = async |statement: &'static str| -> String {
        let rows: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(statement).fetch_all(&mut connection).await.unwrap();
        rows.into_iter().map(|(.., detail)| detail).collect()
    };
    let interrupt =
        "EXPLAIN QUERY PLAN UPDATE idempotency_keys SET state = 'unknown' WHERE state = 'running'";
    let found = plan(interrupt).await;
    assert!(found.contains("INDEX idempotency_keys_running"), "{found}");
    let other = plan("EXPLAIN QUERY PLAN SELECT key FROM idempotency_keys WHERE state = 'unknown'").await;
    assert!(!other.contains("idempotency_keys_running"), "{other}");
}

#[tokio::test]
async fn a_full_file_takes_no_claim_and_no_answer_and_keeps_what_it_has() {
    let database = TestDatabase::new(Kind::Sqlite).await.unwrap();
    let options = Options { max_size: Some(Bytes(512 << 10)) };
    let store = Store::open_with(&database.address, options).await.unwrap();
    let first = claim("first", 1);
    assert_eq!(take(&store, &first).await, Claimed::New);
    let answered = store.idempotency().complete(&first.key, 1, &answer(200, &vec![b'x'; 1 << 20])).await;
    assert!(matches!(answered, Err(StoreError::Full)), "{answered:?}");
    assert_eq!(take(&store, &claim("first", 2)).await, before(&first, KeyState::Running(first.ends_by)));
    let mut taken = 0;
    let refused = loop {
        match store.idempotency().claim(&claim(&format!("more {taken}"), 1)).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 10_000, "the file never fills");
    };
    assert!(matches!(refused, StoreError::Full), "{refused:?}");
    assert_eq!(take(&store, &claim("first", 2)).await, before(&first, KeyState::Running(first.ends_by)));
    assert!(store.idempotency().purge(at(2000), 1000).await.unwrap() > 0, "room is made in a full file");
    assert_eq!(take(&store, &claim("after", 1)).await, Claimed::New);
    store.close().await;
}
