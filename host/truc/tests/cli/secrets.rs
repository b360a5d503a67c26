//! Secrets and the vault: what operators do, what keeps a host from starting, and that no value is ever shown.

use rustix::process::Signal;
use serde_json::json;

use crate::host::{Host, Installation, truc};
use crate::serving::with_trial;

const CANARY: &str = "c4nary-of-the-command-line";

/// Whether a secret can be found in what a host keeps on the disk, the write-ahead log included.
fn is_on_disk(installation: &Installation, secret: &str) -> bool {
    let files = std::fs::read_dir(installation.path("data")).unwrap().map(|entry| entry.unwrap().path());
    let mut databases = files.filter(|path| path.is_file()).peekable();
    assert!(databases.peek().is_some());
    databases
        .any(|file| std::fs::read(file).unwrap().windows(secret.len()).any(|part| part == secret.as_bytes()))
}

#[test]
fn secrets_are_put_listed_and_removed() {
    let host = Installation::new().serve();
    let mut transcript = host.transcript();
    transcript.run(&["secret", "list"]);
    let put = host.secret("payment-key", &format!("{CANARY}\r\n"));
    assert_eq!(put.text(), "version 1 of payment-key is in the vault; no service uses it yet\n");
    host.installation.write("value", CANARY);
    let file = host.installation.path("value").display().to_string();
    transcript.run(&["secret", "put", "payment-key", "--file", &file]);
    transcript.run(&["secret", "put", "payment-key", "--file", "no-such-file"]);
    transcript.run(&["secret", "list"]);
    host.installation.write("value", "c4nary");
    transcript.run(&["secret", "put", "payment-key", "--file", &file]);
    with_trial(&host);
    transcript.run(&["secret", "remove", "seal"]);
    transcript.run(&["secret", "remove", "payment-key"]);
    transcript.run(&["secret", "remove", "payment-key"]);
    transcript.run(&["secret", "list"]);
    let text = transcript.text();
    assert!(!text.contains("c4nary"), "{text}");
    insta::assert_snapshot!("secrets", text);

    let replaced = host.secret("seal", &format!("{CANARY}-2")).text().to_owned();
    assert_eq!(replaced, "version 2 of seal is in the vault; in force for trial\n");
    assert!(!is_on_disk(&host.installation, "c4nary"));
    let installation = host.stop(Signal::TERM);
    assert!(!is_on_disk(&installation, "c4nary") && !installation.log().contains("c4nary"));
}

#[test]
fn a_folder_of_secrets_is_imported_while_the_host_is_stopped() {
    let installation = Installation::new();
    let folder = installation.path("old");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("seal"), format!("{CANARY}\n")).unwrap();
    std::fs::write(folder.join("postal-token"), CANARY).unwrap();
    let (folder_name, config) =
        (folder.display().to_string(), installation.path("truc.toml").display().to_string());
    let import = || truc(&["secret", "import", &folder_name, "--config", &config]);
    for (file, content, needle) in [
        ("Not a name", CANARY.as_bytes(), "rename or move that file"),
        ("short", b"c4nary", "short: the value has fewer than 8 bytes"),
        ("binary", b"c4nary\xff-bytes", "binary is not UTF-8 text"),
    ] {
        std::fs::write(folder.join(file), content).unwrap();
        let refused = import();
        assert!(refused.failed(2).contains(needle) && !refused.err.contains("c4nary"), "{}", refused.err);
        std::fs::remove_file(folder.join(file)).unwrap();
    }
    std::fs::create_dir(installation.path("data")).unwrap();
    let imported = import();
    assert!(imported.text().contains("2 secrets are in the vault") && !imported.out.contains("c4nary"));

    let host = installation.serve();
    let list = host.truc(&["secret", "list", "--json"]).json();
    let names: Vec<_> = list["secrets"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, [&json!("postal-token"), &json!("seal")]);
}

#[test]
fn the_vault_gets_another_key_with_everything_in_service() {
    let host = Installation::new().serve();
    let key = with_trial(&host);
    let served = |host: &Host| assert_eq!(host.call("/api/trial/v1/things/7", Some(&key)).0, 200);
    let old = std::fs::read_to_string(host.installation.path("vault.key")).unwrap();
    let new = truc(&["vault", "key"]).text().to_owned();

    // Half-way: both keys are there, nothing is sealed anew yet. A host that dies now starts again.
    host.installation.write("vault.key", &format!("{new}{old}"));
    let host = host.kill().serve();
    served(&host);
    let rotated = host.truc(&["vault", "rotate"]);
    assert!(rotated.text().starts_with("1 secrets are sealed under the key "), "{rotated:?}");
    let host = host.kill().serve();
    served(&host);

    host.installation.write("vault.key", &new);
    let host = host.stop(Signal::TERM).serve();
    served(&host);
    let installation = host.stop(Signal::TERM);
    let shown = [&old, &new].map(|key| installation.log().contains(key.trim()));
    assert_eq!(shown, [false, false]);

    // The old key opens nothing any more.
    installation.write("vault.key", &old);
    let run = installation.serve_in_vain();
    assert!(run.failed(11).contains("which is not among the vault's keys"), "{}", run.err);
}

#[test]
fn a_host_without_the_vaults_keys_does_not_start() {
    let installation = Installation::new();
    let key = std::fs::read_to_string(installation.path("vault.key")).unwrap();
    let fails = |needle: &str| {
        for run in [installation.check_config(&[]), installation.serve_in_vain()] {
            let error = run.failed(11);
            assert!(error.contains(needle) && !error.contains("c4nary"), "{needle}: {error}");
        }
    };
    std::fs::remove_file(installation.path("vault.key")).unwrap();
    fails("(umask 077; truc vault key > ");
    installation.write("vault.key", "# nothing\n");
    fails("holds no key");
    installation.write("vault.key", &format!("{key}c4nary\n"));
    fails("line 2: this is not a key of the vault");
    let config = std::fs::read_to_string(installation.path("truc.toml")).unwrap();
    installation.write("truc.toml", &config.replace("[vault]\nkey-file = \"vault.key\"\n", ""));
    fails("set TRUC_VAULT_KEY");
}

#[test]
fn the_vaults_key_can_come_from_the_environment() {
    let installation = Installation::new();
    let key = std::fs::read_to_string(installation.path("vault.key")).unwrap();
    let both = installation.check_config_in(&[("TRUC_VAULT_KEY", key.trim())]);
    assert!(both.failed(11).contains("leave one"), "{}", both.err);
    let config = std::fs::read_to_string(installation.path("truc.toml")).unwrap();
    installation.write("truc.toml", &config.replace("[vault]\nkey-file = \"vault.key\"\n", ""));
    let checked = installation.check_config_in(&[("TRUC_VAULT_KEY", key.trim())]);
    assert!(checked.text().contains("environment (TRUC_VAULT_KEY)") && !checked.out.contains(key.trim()));
}
