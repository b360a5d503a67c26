//! What the store promises, shown on SQLite and on a real PostgreSQL alike.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod agencies;
mod connectors;
mod contracts;
mod exchanges;
mod failures;
mod idempotency;
mod opening;
mod secrets;
mod services;

use truc_model::{ConnectorName, Digest, Timestamp};
use truc_store::Store;
use truc_store::connectors::ConnectorRow;
use truc_store::testing::{Kind, TestDatabase};

/// Makes a test of each function, on both databases.
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($store:ident: Store) $body:block)*) => {
        $($(#[$attribute])* async fn $name($store: truc_store::Store) $body)*

        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                crate::with(truc_store::testing::Kind::Sqlite, super::$name).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                crate::with(truc_store::testing::Kind::Postgres, super::$name).await;
            })*
        }
    };
}
pub(crate) use on_both;

async fn with<F: Future<Output = ()>>(kind: Kind, test: impl FnOnce(Store) -> F) {
    let database = TestDatabase::new(kind).await.unwrap();
    let store = database.open().await.unwrap();
    test(store.clone()).await;
    store.close().await;
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_751_333_400_000_000 + micros)
}

fn connector(name: &str, version: &str) -> ConnectorRow {
    ConnectorRow {
        digest: Digest::of(format!("{name}@{version}").as_bytes()),
        name: name.parse::<ConnectorName>().unwrap(),
        version: version.to_owned(),
        publisher: "Sở Khoa học và Công nghệ".to_owned(),
        contract: format!("lgsp:{name}@1.0.0"),
        manifest: "[connector]\n".to_owned(),
        size: 65_536,
        published_at: at(0),
    }
}
