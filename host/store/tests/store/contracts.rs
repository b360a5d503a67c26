//! Contracts: proposed, published, never changed.

use truc_model::Digest;
use truc_store::contracts::{ContractKey, ContractRow, ContractState, Proposal};
use truc_store::testing::{Kind, TestDatabase, take_contracts_away};
use truc_store::{Store, StoreError};

use crate::{at, connector, on_both};

fn key(version: &str) -> ContractKey {
    ContractKey { namespace: "lgsp".to_owned(), name: "land".to_owned(), version: version.to_owned() }
}

fn sources(text: &str) -> (String, Digest) {
    let sources = format!(r#"[["land.wit","{text}"]]"#);
    let digest = Digest::of(sources.as_bytes());
    (sources, digest)
}

async fn publish(store: &Store, version: &str, text: &str) -> Result<(), StoreError> {
    let (sources, digest) = sources(text);
    store.contracts().publish(&key(version), &digest, &sources, at(5), "admin").await
}

/// A connector of version 1.0.0 that brings a contract.
async fn propose(store: &Store, text: &str) -> Digest {
    let row = connector("land", "1.0.0");
    let (sources, digest) = sources(text);
    let key = key("1.0.0");
    let proposal =
        Proposal { key: &key, digest: &digest, sources: &sources, connector: &row.digest, at: at(1) };
    store.connectors().insert_with(&row, Some(&proposal)).await.unwrap();
    row.digest
}

on_both! {
    async fn a_published_contract_never_changes(store: Store) {
        publish(&store, "1.0.0", "đất").await.unwrap();
        let (row, text) = store.contracts().get(&key("1.0.0")).await.unwrap().unwrap();
        let (expected, digest) = sources("đất");
        assert_eq!(text, expected);
        assert_eq!(row, ContractRow {
            key: key("1.0.0"),
            digest,
            state: ContractState::Published,
            proposed_by: None,
            created_at: at(5),
            published_at: Some(at(5)),
            published_by: Some("admin".to_owned()),
        });
        assert!(matches!(publish(&store, "1.0.0", "other").await, Err(StoreError::Taken)));
        assert_eq!(store.contracts().get(&key("1.0.0")).await.unwrap(), Some((row, expected)));
        assert_eq!(store.contracts().get(&key("1.0.1")).await.unwrap(), None);
    }

    async fn a_proposal_gives_way_to_what_is_published(store: Store) {
        let proposer = propose(&store, "proposed").await;
        let (row, text) = store.contracts().get(&key("1.0.0")).await.unwrap().unwrap();
        assert_eq!((row.state, row.proposed_by, row.created_at), (ContractState::Proposed, Some(proposer), at(1)));
        assert_eq!((row.published_at, row.published_by, text), (None, None, sources("proposed").0));

        publish(&store, "1.0.0", "edited").await.unwrap();
        let (row, text) = store.contracts().get(&key("1.0.0")).await.unwrap().unwrap();
        assert_eq!((row.state, row.proposed_by, row.created_at), (ContractState::Published, Some(proposer), at(1)));
        assert_eq!((row.published_at, row.digest, text), (Some(at(5)), sources("edited").1, sources("edited").0));
    }

    async fn a_proposal_takes_nobodys_place(store: Store) {
        publish(&store, "1.0.0", "published").await.unwrap();
        let proposer = propose(&store, "proposed").await;
        let (other, digest) = sources("proposed later");
        let again = Proposal { key: &key("1.0.0"), digest: &digest, sources: &other, connector: &proposer, at: at(2) };
        store.contracts().propose(&again).await.unwrap();
        let (row, text) = store.contracts().get(&key("1.0.0")).await.unwrap().unwrap();
        assert_eq!((row.state, text), (ContractState::Published, sources("published").0));

        let unknown = Digest::of(b"nobody");
        let foreign = Proposal { key: &key("1.1.0"), digest: &digest, sources: &other, connector: &unknown, at: at(2) };
        assert!(matches!(store.contracts().propose(&foreign).await, Err(StoreError::NotFound)));
    }

    async fn a_connector_that_is_refused_proposes_nothing(store: Store) {
        let row = connector("land", "1.0.0");
        store.connectors().insert(&row).await.unwrap();
        let (text, digest) = sources("proposed");
        let proposal =
            Proposal { key: &key("1.0.0"), digest: &digest, sources: &text, connector: &row.digest, at: at(1) };
        let refused = store.connectors().insert_with(&row, Some(&proposal)).await;
        assert!(matches!(refused, Err(StoreError::Taken)));
        assert!(store.contracts().list().await.unwrap().is_empty());
    }

    async fn contracts_are_listed_by_name(store: Store) {
        publish(&store, "1.1.0", "b").await.unwrap();
        propose(&store, "a").await;
        let listed: Vec<_> = store.contracts().list().await.unwrap().into_iter().map(|row| row.key.version).collect();
        assert_eq!(listed, ["1.0.0", "1.1.0"]);
    }
}

#[tokio::test]
async fn a_database_of_before_gains_the_table_and_keeps_the_rest() {
    let database = TestDatabase::new(Kind::Sqlite).await.unwrap();
    let store = database.open().await.unwrap();
    let land = connector("land", "1.0.0");
    store.connectors().insert(&land).await.unwrap();
    store.close().await;
    take_contracts_away(&database.address).await.unwrap();

    let store = database.open().await.unwrap();
    assert_eq!(store.connectors().list().await.unwrap(), [land]);
    assert!(store.contracts().list().await.unwrap().is_empty());
    publish(&store, "1.0.0", "text").await.unwrap();
    store.close().await;
}
