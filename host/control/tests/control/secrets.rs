//! Secrets: put, replaced, removed, sealed anew; and never given out.

use serde_json::{Value, json};

use crate::host::{Answer, Host, component, settings, vault_key};

const CANARY: &str = "c4nary-of-the-admin-api";

async fn put(host: &Host, name: &str, value: &str) -> Answer {
    host.ask(
        hyper::Method::PUT,
        &format!("/admin/secrets/{name}"),
        "text/plain; charset=utf-8",
        value.to_owned(),
    )
    .await
}

/// A host with a service that uses the secret `payment-key`.
async fn with_service() -> Host {
    let host = Host::start().await;
    host.publish(component()).await.with(201);
    host.act("/admin/contracts/lgsp/payment/1.0.0/publish").await.with(200);
    host.put("/admin/services/fees", &settings()).await.with(200);
    host
}

#[tokio::test]
async fn a_secret_is_put_replaced_listed_and_removed_and_its_value_never_told() {
    let host = Host::start().await;
    let before = host.get("/admin/secrets").await.with(200)["secrets"].as_array().unwrap().len();
    let first = put(&host, "land-token", CANARY).await;
    let info = first.with(200);
    assert_eq!(
        (&info["name"], &info["version"], &info["services"]),
        (&json!("land-token"), &json!(1), &json!([]))
    );
    let second = put(&host, "land-token", &format!("{CANARY}-2")).await;
    assert_eq!(second.with(200)["version"], 2);
    assert_eq!(second.with(200)["createdAt"], info["createdAt"]);
    let list = host.get("/admin/secrets").await;
    assert_eq!(list.with(200)["secrets"].as_array().unwrap().len(), before + 1);
    for answer in [&first, &second, &list] {
        assert!(!String::from_utf8_lossy(&answer.body).contains("c4nary"));
    }
    host.delete("/admin/secrets/land-token").await.with(204);
    host.delete("/admin/secrets/land-token").await.problem(404, "item-not-found");
    // A name that is used again begins anew.
    assert_eq!(put(&host, "land-token", CANARY).await.with(200)["version"], 1);
}

#[tokio::test]
async fn what_cannot_be_a_secret_is_refused_without_repeating_it() {
    let host = Host::start().await;
    for value in ["c4nary1", &"c4nary".repeat(1000)] {
        let refused = put(&host, "land-token", value).await;
        assert_eq!(refused.pointers(422, "invalid-request"), [""]);
        assert!(!String::from_utf8_lossy(&refused.body).contains("c4nary"));
    }
    let path = "/admin/secrets/land-token";
    let put = hyper::Method::PUT;
    let not_text = host.ask(put.clone(), path, "text/plain", b"c4nary-\xff-bytes".to_vec()).await;
    assert_eq!(not_text.pointers(422, "invalid-request"), [""]);
    host.ask(put.clone(), path, "application/json", CANARY).await.problem(415, "unsupported-media-type");
    host.ask(put.clone(), path, "text/plain", vec![b'x'; 70_000]).await.problem(413, "body-too-large");
    let wrong_name = host.ask(put, "/admin/secrets/Land", "text/plain", CANARY).await;
    assert_eq!(wrong_name.pointers(422, "invalid-request"), ["/name"]);
    assert!(host.get("/admin/secrets").await.with(200).to_string().find("land-token").is_none());
}

#[tokio::test]
async fn a_secret_in_use_stays_and_a_service_without_its_secret_is_not_made() {
    let host = with_service().await;
    let list = host.get("/admin/secrets").await.with(200);
    let used: Vec<&Value> = list["secrets"].as_array().unwrap().iter().map(|one| &one["services"]).collect();
    assert_eq!(used, [&json!(["fees"])]);
    let refused = host.delete("/admin/secrets/payment-key").await.problem(409, "secret-in-use");
    assert!(refused["detail"].as_str().unwrap().contains("is used by fees"), "{refused}");

    let mut other = settings();
    other["keys"]["payment"]["secret"] = json!("absent");
    let refused = host.put("/admin/services/fees", &other).await;
    assert_eq!(refused.pointers(422, "service-invalid"), ["/keys/payment"]);
    let detail = refused.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("truc secret put absent"), "{detail}");

    host.delete("/admin/services/fees").await.with(204);
    host.delete("/admin/secrets/payment-key").await.with(204);
}

#[tokio::test]
async fn a_value_that_a_service_cannot_use_changes_nothing() {
    let host = with_service().await;
    let mut bound = settings();
    bound["bindings"]["platform"]["credential"] =
        json!({ "type": "header", "name": "x-key", "secret": "platform-key" });
    assert_eq!(put(&host, "platform-key", CANARY).await.with(200)["version"], 1);
    host.put("/admin/services/fees", &bound).await.with(200);
    let before = host.fleet.snapshot().revision(&"fees".parse().unwrap()).unwrap().clone();

    let refused = put(&host, "platform-key", "c4nary\nwith a line end").await;
    assert_eq!(refused.pointers(422, "invalid-request"), [""]);
    let detail = refused.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("service fees") && !detail.contains("c4nary"), "{detail}");
    let now = || host.fleet.snapshot().revision(&"fees".parse().unwrap()).unwrap().clone();
    assert!(std::sync::Arc::ptr_eq(&before, &now()));
    let row = host.store.secrets().get("platform-key").await.unwrap().unwrap();
    assert_eq!(row.version, 1);

    // One that it can use is in force at once, under the same revision.
    let told = put(&host, "platform-key", &format!("{CANARY}-2")).await.with(200);
    assert_eq!((&told["version"], &told["services"]), (&json!(2), &json!(["fees"])));
    assert!(!std::sync::Arc::ptr_eq(&before, &now()));
    assert_eq!(now().environment.revision, before.environment.revision);
}

#[tokio::test]
async fn the_vault_is_sealed_anew_under_the_first_key_or_not_at_all() {
    let host = with_service().await;
    put(&host, "land-token", CANARY).await.with(200);
    let rows = async || host.store.secrets().list().await.unwrap();
    let before = rows().await;
    let key_file = host.folder().join("vault.key");
    let old = std::fs::read_to_string(&key_file).unwrap();
    let new = vault_key();

    // The old key is gone: what is sealed could not be opened after a crash.
    std::fs::write(&key_file, &new).unwrap();
    let refused = host.act("/admin/vault/rotate").await.problem(409, "vault-unusable");
    assert!(refused["detail"].as_str().unwrap().contains("which is not among the vault's keys"), "{refused}");
    std::fs::write(&key_file, "c4nary").unwrap();
    let refused = host.act("/admin/vault/rotate").await.problem(409, "vault-unusable");
    assert!(
        refused["detail"].as_str().unwrap().contains("line 1") && !refused.to_string().contains("c4nary")
    );
    assert_eq!(rows().await, before);
    // The keys in force go on.
    put(&host, "another", CANARY).await.with(200);

    std::fs::write(&key_file, format!("{new}\n{old}\n")).unwrap();
    let rotated = host.act("/admin/vault/rotate").await.with(200);
    assert_eq!(rotated["secrets"], 3);
    let after = rows().await;
    assert!(after.iter().all(|row| rotated["key"] == row.key.as_str() && row.sealed.len() > 28));
    assert!(before.iter().all(|row| rotated["key"] != row.key.as_str()));

    // The old key can go.
    std::fs::write(&key_file, &new).unwrap();
    assert_eq!(host.act("/admin/vault/rotate").await.with(200)["key"], rotated["key"]);
    host.put("/admin/services/fees", &settings()).await.with(200);
}

#[tokio::test]
async fn a_sealed_value_that_was_changed_or_moved_opens_nothing() {
    let host = with_service().await;
    put(&host, "another", CANARY).await.with(200);
    let row = host.store.secrets().get("another").await.unwrap().unwrap();
    let moved = truc_store::secrets::Resealed {
        name: "payment-key".to_owned(),
        version: 1,
        key: row.key.clone(),
        sealed: row.sealed.clone(),
    };
    host.store.secrets().reseal(&[moved]).await.unwrap();
    let refused = host.put("/admin/services/fees", &settings()).await.problem(409, "vault-unusable");
    assert!(
        refused["detail"].as_str().unwrap().contains("`payment-key` is not what was sealed"),
        "{refused}"
    );
    // Putting it again mends it.
    put(&host, "payment-key", CANARY).await.with(200);
    host.put("/admin/services/fees", &settings()).await.with(200);
}
