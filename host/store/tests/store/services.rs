//! Services and revisions.

use truc_model::{Digest, ServiceName};
use truc_store::services::NewRevision;
use truc_store::{Store, StoreError};

use crate::{at, connector, on_both};

fn land() -> ServiceName {
    "land".parse().unwrap()
}

/// Publishes a connector and gives its digest.
async fn published(store: &Store, version: &str) -> Digest {
    let row = connector("land", version);
    store.connectors().insert(&row).await.unwrap();
    row.digest
}

async fn revise(store: &Store, connector: &Digest, settings: &str) -> Result<u32, StoreError> {
    let service = land();
    let new = NewRevision { service: &service, connector, settings, created_at: at(7), created_by: "admin" };
    store.services().insert_revision(&new).await
}

on_both! {
    async fn a_new_revision_takes_the_calls(store: Store) {
        let (first, second) = (published(&store, "1.0.0").await, published(&store, "1.1.0").await);
        assert_eq!(revise(&store, &first, "{}").await.unwrap(), 1);
        assert_eq!(revise(&store, &second, r#"{"config":{}}"#).await.unwrap(), 2);

        let service = store.services().get(&land()).await.unwrap().unwrap();
        assert_eq!((service.active_revision, service.created_at), (2, at(7)));
        assert_eq!(store.services().list().await.unwrap(), [service]);

        let active = store.services().active().await.unwrap();
        assert_eq!(active.len(), 1);
        assert_eq!((active[0].number, active[0].connector), (2, second));
        assert_eq!(active[0].settings, r#"{"config":{}}"#);
        assert_eq!(active[0].created_by, "admin");
        assert_eq!(store.services().revision(&land(), 2).await.unwrap().as_ref(), active.first());
    }

    async fn an_earlier_revision_can_be_activated(store: Store) {
        let digest = published(&store, "1.0.0").await;
        for _ in 0..3 {
            revise(&store, &digest, "{}").await.unwrap();
        }
        store.services().activate(&land(), 2).await.unwrap();
        assert_eq!(store.services().active().await.unwrap()[0].number, 2);
        assert!(matches!(store.services().activate(&land(), 4).await, Err(StoreError::NotFound)));
        assert_eq!(store.services().active().await.unwrap()[0].number, 2);
        let numbers: Vec<_> =
            store.services().revisions(&land()).await.unwrap().iter().map(|revision| revision.number).collect();
        assert_eq!(numbers, [3, 2, 1]);
    }

    async fn a_revision_of_an_unknown_connector_leaves_nothing_behind(store: Store) {
        let unknown = Digest::of(b"never published");
        assert!(matches!(revise(&store, &unknown, "{}").await, Err(StoreError::NotFound)));
        assert_eq!(store.services().get(&land()).await.unwrap(), None);
        assert!(store.services().revisions(&land()).await.unwrap().is_empty());
        // The connection is in order: the next change goes through.
        let digest = published(&store, "1.0.0").await;
        assert_eq!(revise(&store, &digest, "{}").await.unwrap(), 1);
    }

    async fn a_removed_service_is_gone_and_its_numbers_are_not_given_again(store: Store) {
        let digest = published(&store, "1.0.0").await;
        revise(&store, &digest, "{}").await.unwrap();
        store.services().remove(&land()).await.unwrap();

        assert_eq!(store.services().get(&land()).await.unwrap(), None);
        assert!(store.services().list().await.unwrap().is_empty());
        assert!(store.services().active().await.unwrap().is_empty());
        assert!(matches!(store.services().remove(&land()).await, Err(StoreError::NotFound)));
        assert!(matches!(store.services().activate(&land(), 1).await, Err(StoreError::NotFound)));
        assert_eq!(revise(&store, &digest, "{}").await.unwrap(), 2);
    }

    async fn revisions_made_at_once_have_numbers_of_their_own(store: Store) {
        let digest = published(&store, "1.0.0").await;
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { revise(&store, &digest, "{}").await.unwrap() })
            })
            .collect();
        let mut numbers = Vec::new();
        for task in tasks {
            numbers.push(task.await.unwrap());
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
