//! Services: put to work, changed, taken out, and refused with every fault.

use serde_json::json;

use crate::host::{Host, component, settings};

#[tokio::test]
async fn a_service_is_put_changed_and_removed() {
    let host = Host::start().await;
    host.publish(component()).await.with(201);
    host.act("/admin/contracts/lgsp/payment/1.0.0/publish").await.with(200);
    assert_eq!(host.get("/admin/services").await.with(200), json!({ "services": [] }));

    let first = host.put("/admin/services/fees", &settings()).await.with(200);
    assert_eq!((&first["revision"], &first["path"]), (&json!(1), &json!("/api/fees/v1")));
    assert_eq!(host.get("/admin/services/fees").await.with(200), first);

    let mut changed = settings();
    changed["limits"] = json!({ "deadline": "3s" });
    let second = host.put("/admin/services/fees", &changed).await.with(200);
    assert_eq!((&second["revision"], &second["limits"]["deadline"]), (&json!(2), &json!("3s")));
    assert_eq!(host.get("/admin/services").await.with(200), json!({ "services": [second] }));

    host.delete("/admin/services/fees").await.with(204);
    host.get("/admin/services/fees").await.problem(404, "item-not-found");
    host.delete("/admin/services/fees").await.problem(404, "item-not-found");
}

#[tokio::test]
async fn settings_that_do_not_fit_change_nothing_and_every_fault_is_told() {
    let host = Host::start().await;
    host.put("/admin/services/fees", &settings()).await.problem(404, "item-not-found");
    host.publish(component()).await.with(201);
    host.act("/admin/contracts/lgsp/payment/1.0.0/publish").await.with(200);
    let before = host.put("/admin/services/fees", &settings()).await.with(200);

    let wrong = json!({
        "connector": "payment@1.0.0",
        "bindings": { "elsewhere": { "address": "http://127.0.0.1:9" } },
        "config": { "partner-code": 5, "protocol-version": "1", "colour": "red" },
        "keys": { "payment": { "algorithm": "sha256-suffix", "secret": "missing" } },
        "limits": { "memory": "1GiB" }
    });
    let mut pointers = host.put("/admin/services/fees", &wrong).await.pointers(422, "service-invalid");
    pointers.sort();
    assert_eq!(
        pointers,
        [
            "/bindings/elsewhere",
            "/bindings/platform",
            "/config/colour",
            "/config/partner-code",
            "/keys/payment",
            "/limits/memory"
        ]
    );
    let unread = json!({ "connector": "payment@1.0.0", "bindings": { "platform": { "adress": "http://127.0.0.1:9" } } });
    let pointers = host.put("/admin/services/fees", &unread).await.pointers(422, "invalid-request");
    assert_eq!(pointers, ["/bindings/platform/adress"]);
    assert_eq!(host.get("/admin/services/fees").await.with(200), before);
    assert_eq!(
        host.put("/admin/services/Fees", &settings()).await.pointers(422, "invalid-request"),
        ["/name"]
    );
}

#[tokio::test]
async fn limits_are_told_with_their_origin_and_their_ceiling() {
    let host = Host::start().await;
    host.get("/admin/services/fees/limits").await.problem(404, "item-not-found");
    host.publish(component()).await.with(201);
    host.act("/admin/contracts/lgsp/payment/1.0.0/publish").await.with(200);
    let mut settings = settings();
    settings["limits"] = json!({ "queue": 2, "cpu": "1s" });
    let service = host.put("/admin/services/fees", &settings).await.with(200);

    let told = host.get("/admin/services/fees/limits").await.with(200);
    assert_eq!((&told["service"], &told["revision"]), (&json!("fees"), &json!(1)));
    let limits = told["limits"].as_array().unwrap();
    let of = |name: &str| limits.iter().find(|limit| limit["name"] == name).unwrap();
    assert_eq!(
        *of("queue"),
        json!({ "name": "queue", "value": 2, "origin": "operator", "default": 64, "ceiling": 1024 })
    );
    assert_eq!(
        *of("deadline"),
        json!({ "name": "deadline", "value": "10s", "origin": "manifest", "default": "5s", "ceiling": "1min" })
    );
    assert_eq!(of("memory")["origin"], "platform");
    let in_force: serde_json::Map<_, _> = limits
        .iter()
        .map(|limit| (limit["name"].as_str().unwrap().to_owned(), limit["value"].clone()))
        .collect();
    assert_eq!(serde_json::Value::Object(in_force), service["limits"], "none is left out");
}
