//! Opening and closing: what is refused, what is kept, and what SQLite is told.

use std::os::unix::fs::PermissionsExt;

use truc_model::Bytes;
use truc_store::testing::{Kind, Postgres, TestDatabase};
use truc_store::{Options, Store, StoreError};

use crate::{connector, on_both};

on_both! {
    async fn an_open_database_answers_and_a_closed_one_says_so(store: Store) {
        store.ping().await.unwrap();
        store.close().await;
        assert!(matches!(store.ping().await, Err(StoreError::Closed)));
        let written = store.connectors().insert(&connector("land", "1.0.0")).await;
        assert!(matches!(written, Err(StoreError::Closed)));
        // Closing twice is closing once.
        store.close().await;
    }
}

async fn reopened(kind: Kind) {
    let database = TestDatabase::new(kind).await.unwrap();
    let store = database.open().await.unwrap();
    let land = connector("land", "1.0.0");
    store.connectors().insert(&land).await.unwrap();
    store.close().await;
    let store = database.open().await.unwrap();
    assert_eq!(store.connectors().list().await.unwrap(), [land]);
    store.close().await;
}

#[tokio::test]
async fn sqlite_keeps_what_it_was_given() {
    reopened(Kind::Sqlite).await;
}

#[tokio::test]
async fn postgres_keeps_what_it_was_given() {
    reopened(Kind::Postgres).await;
}

#[tokio::test]
async fn addresses_that_name_no_database_are_refused_without_repeating_them() {
    let wrong = [
        "",
        "truc.db",
        "/var/lib/truc.db",
        "mysql://user:pa55word@host/db",
        "sqlite://",
        "sqlite://:memory:",
        "sqlite:///var/lib/truc/truc.db?mode=ro&key=pa55word",
        "postgres://user:pa55word@host:port/db",
    ];
    for address in wrong {
        let error = Store::open(address).await.expect_err(address);
        assert!(matches!(error, StoreError::Address { .. }), "{address}: {error}");
        let text = error.to_string();
        assert!(text.contains("sqlite:///") && text.contains("postgres://"), "{text}");
        assert!(!format!("{text}{error:?}").contains("pa55word"), "{text}");
    }
    let limited = Options { max_size: Some(Bytes(1 << 30)) };
    let error =
        Store::open_with("postgres://user@host/db", limited).await.expect_err("a limit for PostgreSQL");
    assert!(error.to_string().contains("SQLite file only"), "{error}");
}

#[tokio::test]
async fn a_file_in_a_missing_directory_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing/truc.db");
    let error = Store::open(&format!("sqlite://{}", path.display())).await.expect_err("no directory");
    assert!(matches!(error, StoreError::File { .. }));
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("truc.db");
    std::fs::write(&path, "this is a text file, and a long enough one to be looked at\n".repeat(100))
        .unwrap();
    let error = Store::open(&format!("sqlite://{}", path.display())).await.expect_err("not a database");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("not a database"), "{error}");
}

#[tokio::test]
async fn the_sqlite_files_are_for_their_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("truc.db");
    let store = Store::open(&format!("sqlite://{}", path.display())).await.unwrap();
    store.connectors().insert(&connector("land", "1.0.0")).await.unwrap();
    for name in ["truc.db", "truc.db-wal", "truc.db-shm"] {
        let mode = std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    store.close().await;
    assert!(!directory.path().join("truc.db-wal").exists(), "the log is folded in on closing");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_unavailable() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("postgres://truc@localhost/truc?host={}", directory.path().display());
    let error = Store::open(&address).await.expect_err("no server");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_does_not_sync_is_refused() {
    let server = Postgres::start_with(&["-c", "fsync=off"]).unwrap();
    let error = Store::open(&server.database().await.unwrap()).await.expect_err("fsync = off");
    assert!(matches!(error, StoreError::NotDurable(_)), "{error:?}");
    assert!(error.to_string().contains("postgresql.conf"), "{error}");
}
