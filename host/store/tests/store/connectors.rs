//! Connectors.

use truc_model::Digest;
use truc_store::StoreError;

use crate::{connector, on_both};

on_both! {
    async fn a_connector_is_found_by_digest_and_by_name(store: Store) {
        let (land, postal) = (connector("land", "1.0.0"), connector("postal", "2.1.0-rc.1"));
        store.connectors().insert(&postal).await.unwrap();
        store.connectors().insert(&land).await.unwrap();

        assert_eq!(store.connectors().get(&land.digest).await.unwrap(), Some(land.clone()));
        assert_eq!(store.connectors().find(&postal.name, "2.1.0-rc.1").await.unwrap(), Some(postal.clone()));
        assert_eq!(store.connectors().find(&postal.name, "2.1.0").await.unwrap(), None);
        assert_eq!(store.connectors().get(&Digest::of(b"other")).await.unwrap(), None);
        assert_eq!(store.connectors().list().await.unwrap(), [land, postal]);
    }

    async fn a_version_is_published_once(store: Store) {
        let land = connector("land", "1.0.0");
        store.connectors().insert(&land).await.unwrap();
        assert!(matches!(store.connectors().insert(&land).await, Err(StoreError::Taken)));

        let mut other = land.clone();
        other.digest = Digest::of(b"other component, same version");
        assert!(matches!(store.connectors().insert(&other).await, Err(StoreError::Taken)));
        assert_eq!(store.connectors().list().await.unwrap(), [land]);
    }
}
