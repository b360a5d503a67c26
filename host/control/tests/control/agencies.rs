//! Agencies, accounts and grants: each change is in force for callers when its answer comes.

use serde_json::{Value, json};
use truc_identity::{AuthError, Refusal};
use truc_model::{Clock, ServiceName, SystemClock};

use crate::host::Host;

/// Whether a key opens, as the data plane sees it.
fn authenticate(host: &Host, key: &str) -> Result<(), AuthError> {
    host.fleet.snapshot().directory().authenticate(key).map(|_| ())
}

/// Whether a key's owner may call an operation now, as the data plane sees it.
fn may(host: &Host, key: &str, operation: &str) -> bool {
    let service: ServiceName = "land".parse().unwrap();
    let snapshot = host.fleet.snapshot();
    let caller = snapshot.directory().authenticate(key).unwrap();
    let allowed: Result<_, Refusal> = caller.may(&service, operation, SystemClock.now()).map(|_| ());
    allowed.is_ok()
}

async fn with_agency() -> Host {
    let host = Host::start().await;
    let agency = json!({ "code": "H56.14", "name": "Sở Nông nghiệp và Môi trường" });
    let created = host.post("/admin/agencies", &agency).await;
    assert_eq!(created.headers["location"], "/admin/agencies/H56.14");
    assert_eq!(created.with(201)["state"], "active");
    host
}

fn key(issued: &Value) -> &str {
    issued["key"].as_str().unwrap()
}

#[tokio::test]
async fn an_agency_is_entered_once_suspended_and_resumed() {
    let host = with_agency().await;
    host.post("/admin/agencies", &json!({ "code": "H56.14", "name": "x" })).await.problem(409, "name-taken");
    let agency = host.get("/admin/agencies/H56.14").await.with(200);
    assert_eq!(agency["name"], "Sở Nông nghiệp và Môi trường");
    assert_eq!(host.get("/admin/agencies").await.with(200), json!({ "agencies": [agency] }));
    for path in ["/admin/agencies/H1X", "/admin/agencies/h56"] {
        host.get(path).await.problem(422, "invalid-request");
    }
    host.get("/admin/agencies/H57").await.problem(404, "item-not-found");
    host.act("/admin/agencies/H57/suspend").await.problem(404, "item-not-found");

    let issued = host.post("/admin/agencies/H56.14/accounts", &json!({ "name": "a" })).await.with(201);
    assert_eq!(authenticate(&host, key(&issued)), Ok(()));
    assert_eq!(host.act("/admin/agencies/H56.14/suspend").await.with(200)["state"], "suspended");
    assert_eq!(authenticate(&host, key(&issued)), Err(AuthError::Suspended));
    assert_eq!(host.act("/admin/agencies/H56.14/resume").await.with(200)["state"], "active");
    assert_eq!(authenticate(&host, key(&issued)), Ok(()));
}

#[tokio::test]
async fn an_account_s_key_is_shown_once_and_can_be_replaced() {
    let host = with_agency().await;
    let accounts = "/admin/agencies/H56.14/accounts";
    host.post("/admin/agencies/H57/accounts", &json!({ "name": "a" })).await.problem(404, "item-not-found");
    host.get("/admin/agencies/H57/accounts").await.problem(404, "item-not-found");

    let first = host.post(accounts, &json!({ "name": "one-stop-shop" })).await.with(201);
    host.post(accounts, &json!({ "name": "one-stop-shop" })).await.problem(409, "name-taken");
    let listed = host.get(accounts).await;
    assert_eq!(listed.with(200), json!({ "accounts": [first["account"]] }));
    let secret = key(&first).rsplit('_').next().unwrap();
    assert!(!String::from_utf8_lossy(&listed.body).contains(secret));

    let second = host.act(&format!("{accounts}/one-stop-shop/rotate")).await.with(200);
    assert_eq!(authenticate(&host, key(&first)), Err(AuthError::Wrong));
    assert_eq!(authenticate(&host, key(&second)), Ok(()));
    assert_ne!(first["account"]["keyId"], second["account"]["keyId"]);

    let suspended = host.act(&format!("{accounts}/one-stop-shop/suspend")).await.with(200);
    assert_eq!(suspended["state"], "suspended");
    assert_eq!(authenticate(&host, key(&second)), Err(AuthError::Suspended));
    host.act(&format!("{accounts}/one-stop-shop/resume")).await.with(200);
    assert_eq!(authenticate(&host, key(&second)), Ok(()));

    host.delete(&format!("{accounts}/one-stop-shop")).await.with(204);
    assert_eq!(authenticate(&host, key(&second)), Err(AuthError::Wrong));
    for action in ["/rotate", "/suspend", "/resume"] {
        host.act(&format!("{accounts}/one-stop-shop{action}")).await.problem(404, "item-not-found");
    }
    host.delete(&format!("{accounts}/one-stop-shop")).await.problem(404, "item-not-found");
}

#[tokio::test]
async fn a_grant_is_good_until_it_is_taken_back() {
    let host = with_agency().await;
    let grants = "/admin/agencies/H56.14/grants";
    let issued = host.post("/admin/agencies/H56.14/accounts", &json!({ "name": "a" })).await.with(201);
    assert!(!may(&host, key(&issued), "parcels/find"));

    let one = json!({
        "service": "land", "operation": "parcels/find", "purpose": "Giải quyết thủ tục", "legalBasis": "NĐ 61/2018",
        "expiresAt": "2999-01-01T00:00:00+07:00"
    });
    let one = host.post(grants, &one).await.with(201);
    assert_eq!(one["expiresAt"], "2998-12-31T17:00:00.000000Z");
    assert!(may(&host, key(&issued), "parcels/find") && !may(&host, key(&issued), "parcels/search"));
    let every = host.post(grants, &json!({ "service": "land", "operation": "*" })).await.with(201);
    assert!(may(&host, key(&issued), "parcels/search"));
    let listed = host.get(grants).await.with(200);
    assert_eq!(listed, json!({ "grants": [every, one] }));

    host.delete(&format!("{grants}/{}", every["id"].as_str().unwrap())).await.with(204);
    assert!(may(&host, key(&issued), "parcels/find") && !may(&host, key(&issued), "parcels/search"));
    host.delete(&format!("{grants}/{}", every["id"].as_str().unwrap())).await.problem(404, "item-not-found");

    for (wrong, pointer) in [
        (json!({ "service": "Land", "operation": "*" }), "/service"),
        (json!({ "service": "land", "operation": "find" }), "/operation"),
        (json!({ "service": "land", "operation": "*", "expiresAt": "soon" }), "/expiresAt"),
        (json!({ "service": "land", "operation": "*", "expiresAt": "2020-01-01T00:00:00Z" }), "/expiresAt"),
        (json!({ "service": "land", "operation": "*", "purpose": "" }), "/purpose"),
    ] {
        assert_eq!(host.post(grants, &wrong).await.pointers(422, "invalid-request"), [pointer]);
    }
    host.post("/admin/agencies/H57/grants", &json!({ "service": "land", "operation": "*" }))
        .await
        .problem(404, "item-not-found");
}
