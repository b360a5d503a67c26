//! The admin API: contracts, connectors, services, agencies, accounts, grants, exchanges.

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::{Value, json};

use crate::demo::estate::Estate;
use crate::demo::session::Session;
use crate::http::Body;

/// An agency of these calls' own.
const AGENCY: &str = "H56.30";

/// Calls every operation.
pub(crate) async fn call(session: &mut Session, estate: &Estate) -> Result<()> {
    contracts(session, estate).await?;
    connectors(session, estate).await?;
    secrets(session).await?;
    services(session, estate).await?;
    agencies(session).await?;
    accounts(session).await?;
    grants(session).await?;
    session.get(200, "/admin/exchanges?limit=10").await?;
    session.get(422, "/admin/exchanges?limit=many").await?;
    Ok(())
}

async fn contracts(session: &mut Session, estate: &Estate) -> Result<()> {
    let land = estate.contract("land")?;
    let files = |text: &str| json!({ "files": [{ "name": "land.wit", "text": text }] });
    // The same text again is the same contract; another text under its name and version is refused.
    session.post(201, "/admin/contracts", &files(&land)).await?;
    session.post(409, "/admin/contracts", &files(&format!("{land}\n// Edited.\n"))).await?;
    session.post(422, "/admin/contracts", &files("package")).await?;
    session
        .post(201, "/admin/contracts", &files(&land.replacen("lgsp:land@1.0.0", "lgsp:land@1.0.1", 1)))
        .await?;
    session.get(200, "/admin/contracts").await?;
    session.get_without_key(401, "/admin/contracts").await?;
    session.get(200, "/admin/contracts/lgsp/land/1.0.0").await?;
    session.get(404, "/admin/contracts/lgsp/land/9.9.9").await?;
    session.call(200, Method::POST, "/admin/contracts/lgsp/land/1.0.0/publish", Body::None).await?;
    session.call(404, Method::POST, "/admin/contracts/lgsp/land/9.9.9/publish", Body::None).await?;
    session.get(200, "/admin/contracts/lgsp/land/1.0.1/changes?since=1.0.0").await?;
    session.get(404, "/admin/contracts/lgsp/land/1.0.0/changes").await?;
    Ok(())
}

async fn connectors(session: &mut Session, estate: &Estate) -> Result<()> {
    let component = |bytes: Vec<u8>| Body::File("application/wasm", bytes.into());
    let land = std::fs::read(estate.component("land"))?;
    // The same bytes again are the same connector; other bytes under its name and version are refused.
    session.call(201, Method::POST, "/admin/connectors", component(land)).await?;
    session.call(422, Method::POST, "/admin/connectors", component(b"\0asm".to_vec())).await?;
    session.get(200, "/admin/connectors").await?;
    session.get_without_key(401, "/admin/connectors").await?;
    session.get(200, "/admin/connectors/land/1.0.0").await?;
    session.get(404, "/admin/connectors/land/9.9.9").await?;
    Ok(())
}

async fn secrets(session: &mut Session) -> Result<()> {
    let text = |value: &str| Body::File("text/plain", value.to_owned().into());
    session.call(200, Method::PUT, "/admin/secrets/post-office", text("a simulated secret")).await?;
    session.call(422, Method::PUT, "/admin/secrets/post-office", text("short")).await?;
    session.get(200, "/admin/secrets").await?;
    session.get_without_key(401, "/admin/secrets").await?;
    session.delete(204, "/admin/secrets/post-office").await?;
    session.delete(409, "/admin/secrets/postal-token").await?;
    session.call(200, Method::POST, "/admin/vault/rotate", Body::None).await?;
    session.post_without_key(401, "/admin/vault/rotate").await?;
    Ok(())
}

async fn services(session: &mut Session, estate: &Estate) -> Result<()> {
    let settings = estate.settings("postal")?;
    session.put(200, "/admin/services/parcels-by-post", &settings).await?;
    session.put(422, "/admin/services/parcels-by-post", &json!({ "connector": "postal@1.0.0" })).await?;
    session.get(200, "/admin/services").await?;
    session.get_without_key(401, "/admin/services").await?;
    session.get(200, "/admin/services/parcels-by-post").await?;
    session.get(404, "/admin/services/nothing").await?;
    session.get(200, "/admin/services/parcels-by-post/limits").await?;
    session.get(404, "/admin/services/nothing/limits").await?;
    session.delete(204, "/admin/services/parcels-by-post").await?;
    session.delete(404, "/admin/services/parcels-by-post").await?;
    Ok(())
}

async fn agencies(session: &mut Session) -> Result<()> {
    let agency = json!({ "code": AGENCY, "name": "Sở Văn hóa" });
    session.post(201, "/admin/agencies", &agency).await?;
    session.post(409, "/admin/agencies", &agency).await?;
    session.get(200, "/admin/agencies").await?;
    session.get_without_key(401, "/admin/agencies").await?;
    session.get(200, &format!("/admin/agencies/{AGENCY}")).await?;
    session.get(404, "/admin/agencies/H99").await?;
    suspend_and_resume(session, &format!("/admin/agencies/{AGENCY}"), "/admin/agencies/H99").await
}

/// Suspends and resumes what is there, and tries it with what is not.
async fn suspend_and_resume(session: &mut Session, there: &str, not_there: &str) -> Result<()> {
    for action in ["suspend", "resume"] {
        session.call(200, Method::POST, &format!("{there}/{action}"), Body::None).await?;
        session.call(404, Method::POST, &format!("{not_there}/{action}"), Body::None).await?;
    }
    Ok(())
}

async fn accounts(session: &mut Session) -> Result<()> {
    let accounts = format!("/admin/agencies/{AGENCY}/accounts");
    session.post(201, &accounts, &json!({ "name": "portal" })).await?;
    session.post(409, &accounts, &json!({ "name": "portal" })).await?;
    session.get(200, &accounts).await?;
    session.get(404, "/admin/agencies/H99/accounts").await?;
    suspend_and_resume(session, &format!("{accounts}/portal"), &format!("{accounts}/nobody")).await?;
    session.call(200, Method::POST, &format!("{accounts}/portal/rotate"), Body::None).await?;
    session.call(404, Method::POST, &format!("{accounts}/nobody/rotate"), Body::None).await?;
    session.delete(204, &format!("{accounts}/portal")).await?;
    session.delete(404, &format!("{accounts}/portal")).await?;
    Ok(())
}

async fn grants(session: &mut Session) -> Result<()> {
    let grants = format!("/admin/agencies/{AGENCY}/grants");
    let grant = json!({ "service": "land", "operation": "*", "purpose": "Xác minh", "legalBasis": "Điều 5" });
    let made = session.post(201, &grants, &grant).await?;
    session.post(422, &grants, &json!({ "service": "land", "operation": "everything" })).await?;
    session.get(200, &grants).await?;
    session.get(404, "/admin/agencies/H99/grants").await?;
    let id = made.get("id").map(Value::to_string).context("the new grant has no id")?;
    let id = id.trim_matches('"');
    session.delete(204, &format!("{grants}/{id}")).await?;
    session.delete(404, &format!("{grants}/{id}")).await?;
    Ok(())
}
