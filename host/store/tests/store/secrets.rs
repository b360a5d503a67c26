//! Sealed secrets.

use truc_store::StoreError;
use truc_store::secrets::{Resealed, SecretRow};

use crate::{at, on_both};

fn row(name: &str, version: u32, sealed: &[u8]) -> SecretRow {
    SecretRow {
        name: name.to_owned(),
        version,
        key: "0123456789abcdef".to_owned(),
        sealed: sealed.to_vec(),
        created_at: at(i64::from(version)),
        changed_at: at(i64::from(version)),
    }
}

fn resealed(name: &str, version: u32) -> Resealed {
    Resealed { name: name.to_owned(), version, key: "fedcba9876543210".to_owned(), sealed: b"anew".to_vec() }
}

on_both! {
    async fn a_value_takes_the_place_of_the_one_before(store: Store) {
        assert_eq!(store.secrets().get("token").await.unwrap(), None);
        store.secrets().put(&row("token", 1, b"\0one")).await.unwrap();
        store.secrets().put(&row("other", 1, b"x")).await.unwrap();
        store.secrets().put(&row("token", 2, b"two")).await.unwrap();
        let expected = SecretRow { created_at: at(1), ..row("token", 2, b"two") };
        assert_eq!(store.secrets().get("token").await.unwrap(), Some(expected.clone()));
        assert_eq!(store.secrets().list().await.unwrap(), [row("other", 1, b"x"), expected]);
        // Somebody else was first.
        for version in [1, 2, 4] {
            let late = store.secrets().put(&row("token", version, b"late")).await;
            assert!(matches!(late, Err(StoreError::Taken)), "{version}");
        }
        store.secrets().remove("token").await.unwrap();
        assert!(matches!(store.secrets().remove("token").await, Err(StoreError::NotFound)));
        assert_eq!(store.secrets().get("token").await.unwrap(), None);
    }

    async fn all_are_sealed_anew_or_none(store: Store) {
        store.secrets().put(&row("a", 1, b"a")).await.unwrap();
        store.secrets().put(&row("b", 1, b"b")).await.unwrap();
        for missed in [resealed("b", 2), resealed("c", 1)] {
            let error = store.secrets().reseal(&[resealed("a", 1), missed]).await.unwrap_err();
            assert!(matches!(error, StoreError::NotFound));
            assert_eq!(store.secrets().list().await.unwrap(), [row("a", 1, b"a"), row("b", 1, b"b")]);
        }
        store.secrets().reseal(&[resealed("a", 1), resealed("b", 1)]).await.unwrap();
        for row in store.secrets().list().await.unwrap() {
            assert_eq!((row.key.as_str(), row.sealed.as_slice(), row.version), ("fedcba9876543210", &b"anew"[..], 1));
            assert_eq!((row.created_at, row.changed_at), (at(1), at(1)));
        }
    }
}
