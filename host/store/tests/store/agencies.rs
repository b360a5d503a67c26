//! Agencies, accounts and grants.

use truc_model::{AccountName, AgencyCode, Digest};
use truc_store::agencies::{AccountRow, AgencyRow, GrantRow, Operations, State};
use truc_store::{Store, StoreError};

use crate::{at, on_both};

fn code(text: &str) -> AgencyCode {
    text.parse().unwrap()
}

fn agency(text: &str) -> AgencyRow {
    AgencyRow {
        code: code(text),
        name: "Ủy ban nhân dân".to_owned(),
        state: State::Active,
        created_at: at(1),
    }
}

fn account(agency: &str, name: &str) -> AccountRow {
    AccountRow {
        agency: code(agency),
        name: name.parse().unwrap(),
        key_id: format!("{agency}-{name}"),
        key_hash: Digest::of(name.as_bytes()),
        key_created_at: at(2),
        state: State::Active,
        created_at: at(2),
    }
}

fn grant(id: &str, agency: &str, operations: &str) -> GrantRow {
    GrantRow {
        id: id.to_owned(),
        agency: code(agency),
        service: "land".parse().unwrap(),
        operations: operations.parse().unwrap(),
        purpose: Some("cấp giấy phép xây dựng".to_owned()),
        legal_basis: None,
        expires_at: Some(at(1_000_000)),
        created_at: at(3),
    }
}

async fn two_agencies(store: &Store) {
    store.agencies().insert(&agency("H56.15")).await.unwrap();
    store.agencies().insert(&agency("H56.14")).await.unwrap();
}

on_both! {
    async fn an_agency_is_entered_once_and_can_be_suspended(store: Store) {
        two_agencies(&store).await;
        assert!(matches!(store.agencies().insert(&agency("H56.14")).await, Err(StoreError::Taken)));
        assert_eq!(store.agencies().list().await.unwrap(), [agency("H56.14"), agency("H56.15")]);

        store.agencies().set_state(&code("H56.14"), State::Suspended).await.unwrap();
        let suspended = AgencyRow { state: State::Suspended, ..agency("H56.14") };
        assert_eq!(store.agencies().get(&code("H56.14")).await.unwrap(), Some(suspended));
        assert_eq!(store.agencies().get(&code("H56.15")).await.unwrap(), Some(agency("H56.15")));

        let missing = store.agencies().set_state(&code("H56.16"), State::Suspended).await;
        assert!(matches!(missing, Err(StoreError::NotFound)));
        assert_eq!(store.agencies().get(&code("H56.16")).await.unwrap(), None);
    }

    async fn an_account_belongs_to_an_agency(store: Store) {
        two_agencies(&store).await;
        let accounts = [account("H56.14", "one-stop"), account("H56.14", "registry"), account("H56.15", "one-stop")];
        for row in &accounts {
            store.agencies().insert_account(row).await.unwrap();
        }
        assert_eq!(store.agencies().accounts(None).await.unwrap(), accounts);
        assert_eq!(store.agencies().accounts(Some(&code("H56.14"))).await.unwrap(), accounts[..2]);

        let again = store.agencies().insert_account(&accounts[0]).await;
        assert!(matches!(again, Err(StoreError::Taken)));
        let nobody = store.agencies().insert_account(&account("H56.16", "one-stop")).await;
        assert!(matches!(nobody, Err(StoreError::NotFound)));
        let mut same_key = account("H56.15", "other");
        same_key.key_id = accounts[0].key_id.clone();
        assert!(matches!(store.agencies().insert_account(&same_key).await, Err(StoreError::Taken)));

        store.agencies().remove_account(&code("H56.14"), &accounts[0].name).await.unwrap();
        let removed = store.agencies().remove_account(&code("H56.14"), &accounts[0].name).await;
        assert!(matches!(removed, Err(StoreError::NotFound)));
        assert_eq!(store.agencies().accounts(None).await.unwrap(), accounts[1..]);
    }

    async fn a_key_is_replaced_and_an_account_suspended(store: Store) {
        two_agencies(&store).await;
        let before = account("H56.14", "one-stop");
        store.agencies().insert_account(&before).await.unwrap();
        let hash = Digest::of(b"new");
        let (agency, name) = (&before.agency, &before.name);
        store.agencies().replace_key(agency, name, "new-key", &hash, at(9)).await.unwrap();
        store.agencies().set_account_state(agency, name, State::Suspended).await.unwrap();

        let after = AccountRow {
            key_id: "new-key".to_owned(),
            key_hash: hash,
            key_created_at: at(9),
            state: State::Suspended,
            ..before.clone()
        };
        assert_eq!(store.agencies().accounts(None).await.unwrap(), [after]);

        let other: AccountName = "other".parse().unwrap();
        let missing = store.agencies().replace_key(agency, &other, "third-key", &hash, at(9)).await;
        assert!(matches!(missing, Err(StoreError::NotFound)));
        let missing = store.agencies().set_account_state(agency, &other, State::Active).await;
        assert!(matches!(missing, Err(StoreError::NotFound)));
    }

    async fn grants_are_given_and_taken_back(store: Store) {
        two_agencies(&store).await;
        let mut endless = grant("b", "H56.14", "parcels/get-parcel");
        endless.expires_at = None;
        let rows = [grant("a", "H56.14", "*"), endless, grant("c", "H56.15", "*")];
        for row in &rows {
            store.agencies().insert_grant(row).await.unwrap();
        }
        assert_eq!(store.agencies().grants(None).await.unwrap(), rows);
        assert_eq!(store.agencies().grants(Some(&code("H56.14"))).await.unwrap(), rows[..2]);
        assert_eq!(rows[0].operations, Operations::Every);

        let nobody = store.agencies().insert_grant(&grant("d", "H56.16", "*")).await;
        assert!(matches!(nobody, Err(StoreError::NotFound)));
        // An agency's grant is not removed through another agency.
        let foreign = store.agencies().remove_grant(&code("H56.15"), "a").await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        store.agencies().remove_grant(&code("H56.14"), "a").await.unwrap();
        assert_eq!(store.agencies().grants(None).await.unwrap(), rows[1..]);
    }
}
