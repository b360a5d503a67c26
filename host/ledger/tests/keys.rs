//! What is promised of requests with an idempotency key, shown on SQLite and on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::time::Duration;

use truc_ledger::{Claimed, FirstAnswer, Held, KeyUse, KeyedRequest, Ledger, Settings};
use truc_model::{RequestId, Timestamp};
use truc_store::Store;
use truc_store::testing::{Kind, TestDatabase};

const API_KEY: &str = "truc_api-key-canary";
const KEY: &str = "idempotency-key-canary";
const SECOND: i64 = 1_000_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_751_333_400_000_000 + micros)
}

fn first() -> RequestId {
    RequestId::new(at(0), &[7; 10])
}

async fn claim(ledger: &Ledger, account: &str, api_key: &str, request: &[&[u8]], now: i64) -> Claimed {
    let (agency, account) = ("H56.14".parse().unwrap(), account.parse().unwrap());
    let keyed = KeyedRequest::new(&agency, &account, api_key, KEY, request).unwrap();
    let to = KeyUse {
        agency,
        account,
        service: "land".parse().unwrap(),
        operation: "dossiers/send-dossier".to_owned(),
        exchange: first(),
        deadline: Duration::from_secs(5),
        retention: Duration::from_secs(3600),
    };
    ledger.keys().claim(keyed, to, at(now)).await.unwrap()
}

fn held(claimed: Claimed) -> Held {
    match claimed {
        Claimed::New(held) => held,
        _ => panic!("the key is as new"),
    }
}

fn answer() -> FirstAnswer {
    FirstAnswer {
        revision: 3,
        status: 200,
        problem: None,
        content_type: Some("application/json".to_owned()),
        body: b"\"answer-canary\"".to_vec(),
    }
}

async fn both(test: impl AsyncFn(Store)) {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let database = TestDatabase::new(kind).await.unwrap();
        let store = database.open().await.unwrap();
        test(store.clone()).await;
        store.close().await;
    }
}

#[tokio::test]
async fn a_request_is_answered_as_what_became_of_the_first_allows() {
    both(async |store| {
        let ledger = Ledger::start(store.clone(), Settings::default());
        let request: [&[u8]; 2] = [b"POST /a", b"{}"];
        let claim = async |account, api_key, request: &[&[u8]], now| claim(&ledger, account, api_key, request, now).await;
        let held = held(claim("shop", API_KEY, &request, 0).await);
        assert!(matches!(claim("shop", API_KEY, &request, SECOND).await, Claimed::Running { first: id } if id == first()));
        // Pieces that only together are the same are another request.
        let other: [&[u8]; 2] = [b"POST /a{", b"}"];
        assert!(matches!(claim("shop", API_KEY, &other, SECOND).await, Claimed::Other { first: id } if id == first()));
        assert!(matches!(claim("desk", API_KEY, &other, SECOND).await, Claimed::New(_)));

        // The call can no longer be under way, and left no answer.
        let unknown = claim("shop", API_KEY, &request, 60 * SECOND).await;
        assert!(matches!(unknown, Claimed::Unknown { first: id, at: when } if id == first() && when == at(0)));
        // It did end, only late: what is known is told.
        ledger.keys().complete(&held, &answer()).await.unwrap();
        let done = claim("shop", API_KEY, &request, 60 * SECOND).await;
        assert!(matches!(done, Claimed::Done(kept) if kept == answer()));
        let sealed = claim("shop", "truc_another", &request, 60 * SECOND).await;
        assert!(matches!(sealed, Claimed::Sealed { status: 200, at: when, .. } if when == at(0)));
        assert!(matches!(claim("shop", API_KEY, &request, 3600 * SECOND).await, Claimed::New(_)));
        ledger.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_key_given_back_is_as_new_and_one_interrupted_is_unknown() {
    both(async |store| {
        let ledger = Ledger::start(store.clone(), Settings::default());
        let request: [&[u8]; 1] = [b"request"];
        let claim = async |now| claim(&ledger, "shop", API_KEY, &request, now).await;
        ledger.keys().release(&held(claim(0).await)).await;
        held(claim(0).await);
        ledger.keys().interrupt().await.unwrap();
        assert!(matches!(claim(0).await, Claimed::Unknown { .. }));
        assert!(!ledger.keys().purge(at(0)).await.unwrap());
        assert!(matches!(claim(0).await, Claimed::Unknown { .. }));
        assert!(!ledger.keys().purge(at(3600 * SECOND)).await.unwrap());
        held(claim(0).await);
        ledger.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_database_shows_neither_keys_nor_answers() {
    let database = TestDatabase::new(Kind::Sqlite).await.unwrap();
    let store = database.open().await.unwrap();
    let ledger = Ledger::start(store.clone(), Settings::default());
    let held = held(claim(&ledger, "shop", API_KEY, &[b"request-canary"], 0).await);
    ledger.keys().complete(&held, &answer()).await.unwrap();
    let file = database.address.strip_prefix("sqlite://").unwrap();
    let read = |ending: &str| std::fs::read(Path::new(&format!("{file}{ending}"))).unwrap_or_default();
    let bytes = [read(""), read("-wal")].concat();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("dossiers/send-dossier"), "the row was looked at");
    for canary in ["api-key-canary", "idempotency-key-canary", "answer-canary", "request-canary"] {
        assert!(!holds(canary), "{canary}");
    }
    store.close().await;
}
