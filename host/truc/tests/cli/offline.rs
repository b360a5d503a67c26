//! What needs no host: looking at components, checking configurations, starting in vain.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::host::{Installation, component, truc};

#[test]
fn a_component_tells_what_it_is() {
    let file = component("trial");
    let installation = Installation::new();
    let text = installation.stable(truc(&["inspect", &file]).text());
    for part in [
        "connector  trial@1.0.0\n",
        "contract  lgsp:trial@1.0.0\n",
        "  values/find  GET /things/{id}\n",
        "  truc:connector/upstream@0.1.0\n",
        "  GET /items/{id}\n",
        "  greeting  text, default \"Xin chào\": ",
        "  seal  mac: ",
        "  memory  64MiB\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let document = truc(&["inspect", &file, "--json"]).json();
    assert_eq!(document["connector"], "trial@1.0.0");
    assert_eq!(document["size"], std::fs::metadata(&file).unwrap().len());

    installation.write("cut.wasm", "\0asm");
    let cut = installation.path("cut.wasm").display().to_string();
    assert!(truc(&["inspect", &cut]).failed(5).contains("cut.wasm: the file is not a component"));
    let error: serde_json::Value =
        serde_json::from_str(truc(&["inspect", &cut, "--json"]).failed(5)).unwrap();
    assert_eq!(error["exit"], 5);
}

#[test]
fn a_configuration_is_checked_without_changing_anything() {
    let installation = Installation::new();
    insta::assert_snapshot!(installation.stable(installation.check_config(&[]).text()), @r"
    <folder>/truc.toml is in order

    api  127.0.0.1:0
    admin  127.0.0.1:0
    data folder  <folder>/data
    vault's keys  <folder>/vault.key
    vault's key  <identifier>
    database  sqlite
    recording  all
    ");
    assert_eq!(installation.check_config(&["--json"]).json()["database"], json!("sqlite"));
    assert!(!installation.path("data").exists());
}

#[test]
fn a_configuration_that_cannot_be_used_ends_with_3() {
    let installation = Installation::new();
    let fails = |needle: &str| {
        for run in [installation.check_config(&[]), installation.serve_in_vain()] {
            let error = run.failed(3);
            assert!(error.contains(needle), "{needle}: {error}");
        }
    };
    installation.configure("127.0.0.1:0", "127.0.0.1:0", "colour = 1\n");
    fails("line 12, column 1");
    installation.configure("0.0.0.0:0", "127.0.0.1:0", "[ledger]\nrecord = \"none\"\n");
    fails("measurements only");

    installation.configure("127.0.0.1:0", "127.0.0.1:0", "");
    let key = std::fs::read_to_string(installation.path("admin.key")).unwrap();
    installation.write("admin.key", "short");
    fails("32 characters");
    std::fs::remove_file(installation.path("admin.key")).unwrap();
    fails("(umask 077; truc admin-key > ");
    installation.write("admin.key", &key);

    installation.write("data-file", "");
    let config = std::fs::read_to_string(installation.path("truc.toml")).unwrap();
    installation.write("truc.toml", &config.replace("data-dir = \"data\"", "data-dir = \"data-file\""));
    fails("data-file");
    std::fs::remove_file(installation.path("truc.toml")).unwrap();
    fails("truc.toml: No such file");
}

#[test]
fn what_keeps_a_host_from_starting_has_its_own_exit_code() {
    let installation = Installation::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    installation.configure(&taken.local_addr().unwrap().to_string(), "127.0.0.1:0", "");
    let run = installation.serve_in_vain();
    assert!(run.failed(8).contains("[api] cannot listen on 127.0.0.1:"), "{}", run.err);
    let mode = std::fs::metadata(installation.path("data")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    let config = std::fs::read_to_string(installation.path("truc.toml")).unwrap();
    for (database, exit, needle) in [
        ("sqlite://nowhere", 3, "write `sqlite:///"),
        ("sqlite:///nowhere/truc.db?mode=ro", 3, "the database address cannot be used"),
        ("sqlite:///nowhere/truc.db", 7, "/nowhere/truc.db"),
        ("postgres://truc:canary@127.0.0.1:9/truc", 7, "database"),
    ] {
        installation.write("truc.toml", &format!("database = \"{database}\"\n{config}"));
        let run = installation.serve_in_vain();
        let error = run.failed(exit);
        assert!(error.contains(needle) && !error.contains("canary"), "{error}");
    }
}
