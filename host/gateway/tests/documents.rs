//! What the data plane tells about itself, over HTTP: services, OpenAPI documents, JSON Schemas, and the document of what
//! an agency may call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;

use bytes::Bytes;
use common::{Host, Reply};
use http_body_util::Full;
use serde_json::{Value, json};
use truc_gateway::GatewaySettings;
use truc_identity::NewGrant;
use truc_model::{AgencyCode, Code, Timestamp};
use truc_store::Options;

const MERGED: &str = "/api/openapi.json";
const SERVICE: &str = "/api/trial/v1/openapi.json";

/// Asks without a key, on condition of a tag where one is given.
async fn ask(host: &Host, method: &str, path: &str, tag: Option<&str>) -> Reply {
    let mut request = host.anonymous(method, path);
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    host.exchange(request.body(Full::new(Bytes::new())).unwrap()).await
}

fn tag(reply: &Reply) -> &str {
    reply.headers["etag"].to_str().unwrap()
}

/// An agency with some grants; gives its account's key.
async fn agency(host: &Host, code: &str, operations: &[&str]) -> String {
    let code: AgencyCode = code.parse().unwrap();
    let identity = host.fleet.identity();
    identity.create_agency(code.clone(), "Sở Nội vụ").await.unwrap();
    let (_, key) = identity.create_account(code.clone(), "app".parse().unwrap()).await.unwrap();
    for operation in operations {
        grant(host, &code, operation, None).await;
    }
    host.fleet.renew_directory().await.unwrap();
    key.expose().to_owned()
}

/// Gives a grant; it is in force with the next directory.
async fn grant(host: &Host, agency: &AgencyCode, operation: &str, expires_at: Option<Timestamp>) -> String {
    let new = NewGrant {
        service: "trial".parse().unwrap(),
        operations: operation.parse().unwrap(),
        purpose: None,
        legal_basis: None,
        expires_at,
    };
    host.fleet.identity().grant(agency.clone(), new).await.unwrap().id
}

async fn with_key(host: &Host, key: &str, method: &str, path: &str, tag: Option<&str>) -> Reply {
    let mut request = host.anonymous(method, path).header("authorization", format!("Bearer {key}"));
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    host.exchange(request.body(Full::new(Bytes::new())).unwrap()).await
}

/// Method and path of each operation of a document; paths in full, with a value for each parameter.
fn shown(document: &Value) -> BTreeSet<(String, String)> {
    let server = document["servers"][0]["url"].as_str().unwrap().trim_end_matches('/').to_owned();
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            let path = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
            let path = format!("{server}{}", path.collect::<Vec<_>>().join("/"));
            item.as_object().unwrap().keys().map(move |method| (method.to_ascii_uppercase(), path.clone()))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn services_and_schemas_are_listed_for_everybody() {
    let host = Host::start().await;
    let index = ask(&host, "GET", "/api", None).await;
    assert_eq!((index.status, &index.headers["content-type"]), (200, &"application/json".parse().unwrap()));
    let expected = json!({
        "openapi": "/api/openapi.json",
        "services": [{
            "name": "trial",
            "title": index.json()["services"][0]["title"],
            "version": "1.0.0",
            "contract": "lgsp:trial@1.0.0",
            "address": "/api/trial/v1",
            "openapi": "/api/trial/v1/openapi.json",
            "schemas": "/schemas/trial/v1",
            "docs": "/docs/trial",
        }],
    });
    assert_eq!(index.json(), expected);
    assert_eq!(ask(&host, "GET", "/api/", None).await.body, index.body);

    let schemas = ask(&host, "GET", "/schemas/trial/v1", None).await;
    assert_eq!((schemas.status, &schemas.json()["service"]), (200, &json!("trial")));
    let listed = schemas.json()["schemas"].as_array().unwrap().clone();
    assert!(!listed.is_empty());
    let mut tags = BTreeSet::new();
    for entry in &listed {
        let address = entry["address"].as_str().unwrap();
        let schema = ask(&host, "GET", address, None).await;
        assert_eq!(schema.headers["content-type"], "application/schema+json");
        assert_eq!((schema.status, &schema.json()["$id"]), (200, &entry["address"]));
        assert!(tags.insert(tag(&schema).to_owned()), "{address}");
        assert_eq!(ask(&host, "GET", address, Some(tag(&schema))).await.status, 304);
    }
    assert!(host.exchanges().await.is_empty(), "reading what is public is no exchange");
}

#[tokio::test(flavor = "multi_thread")]
async fn public_documents_are_read_and_nothing_else() {
    let host = Host::start().await;
    let schema = ask(&host, "GET", "/schemas/trial/v1", None).await.json()["schemas"][0]["address"].clone();
    for path in ["/api", SERVICE, "/schemas/trial/v1", schema.as_str().unwrap()] {
        let whole = ask(&host, "GET", path, None).await;
        assert_eq!(whole.headers["cache-control"], "no-cache", "{path}");
        let head = ask(&host, "HEAD", path, None).await;
        assert_eq!((head.status, head.body.len(), tag(&head)), (200, 0, tag(&whole)), "{path}");
        assert_eq!(head.headers["content-length"], whole.body.len().to_string(), "{path}");
        for listed in [tag(&whole), "*", &format!("\"x\", W/{}", tag(&whole))] {
            let again = ask(&host, "GET", path, Some(listed)).await;
            assert_eq!((again.status, again.body.len(), tag(&again)), (304, 0, tag(&whole)), "{path}");
        }
        assert_eq!(ask(&host, "GET", path, Some("\"x\"")).await.body, whole.body, "{path}");
    }
    for path in ["/api", "/schemas/trial/v1", schema.as_str().unwrap()] {
        let refused = ask(&host, "POST", path, None).await;
        assert_eq!(refused.problem(), (405, "method-not-allowed".to_owned()), "{path}");
        assert_eq!(refused.headers["allow"], "GET, HEAD");
    }
    // Another method there could have been an operation's, so that it takes a key to be told.
    let refused = host.send("PUT", SERVICE, None).await;
    assert_eq!(refused.problem(), (405, "method-not-allowed".to_owned()));
    assert_eq!(refused.headers["allow"], "GET, HEAD");
    let unknown = [
        ("/schemas/trial/v1/Nothing.json", Code::ItemNotFound),
        ("/schemas/trial/v1/Everything", Code::ItemNotFound),
        ("/schemas/trial/v2", Code::ServiceNotFound),
        ("/schemas/trial", Code::ServiceNotFound),
        ("/schemas/nothing/v1/Nothing.json", Code::ServiceNotFound),
        ("/schemas/", Code::ServiceNotFound),
    ];
    for (path, code) in unknown {
        let reply = ask(&host, "GET", path, None).await;
        assert_eq!(reply.problem(), (404, code.as_str().to_owned()), "{path}");
    }
    let winding = ask(&host, "GET", "/schemas/trial/v1/../v1", None).await;
    assert_eq!(winding.problem(), (400, "malformed-request".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_is_shown_exactly_what_it_may_call() {
    let host = Host::start().await;
    let granted = ["values/find", "values/person", "faults/fail", "powers/remember"];
    let key = agency(&host, "H56.14", &granted).await;
    let reply = with_key(&host, &key, "GET", MERGED, None).await;
    assert_eq!((reply.status, &reply.headers["content-type"]), (200, &"application/json".parse().unwrap()));
    assert_eq!(reply.headers["cache-control"], "private, no-cache");
    let document = reply.json();
    assert_eq!(document["info"]["title"], "Services for H56.14");
    assert!(document["info"]["description"].as_str().unwrap().contains("Sở Nội vụ (H56.14)"));
    let may = shown(&document);
    assert_eq!(may.len(), granted.len());
    let all = shown(&ask(&host, "GET", SERVICE, None).await.json());
    assert!(may.is_subset(&all) && all.len() > may.len(), "{may:?}");
    for (method, path) in all {
        let called = with_key(&host, &key, &method, &path, None).await;
        let refused = called.status == 403 && called.problem().1 == "not-granted";
        assert_eq!(refused, !may.contains(&(method.clone(), path.clone())), "{method} {path}");
    }
    let recorded = host.exchanges().await;
    let asked = recorded.last().unwrap();
    assert_eq!((asked.status, &asked.service, &asked.operation), (200, &None, &None));
    assert_eq!(asked.agency.as_ref().unwrap().as_str(), "H56.14");
    assert_eq!(asked.response_bytes, reply.body.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_follows_grants_and_services_at_once() {
    let host = Host::start().await;
    let key = agency(&host, "H56.14", &["values/find"]).await;
    let code: AgencyCode = "H56.14".parse().unwrap();
    let count = async || shown(&with_key(&host, &key, "GET", MERGED, None).await.json()).len();
    let first = with_key(&host, &key, "GET", MERGED, None).await;
    assert_eq!(count().await, 1);
    assert_eq!(with_key(&host, &key, "GET", MERGED, Some(tag(&first))).await.status, 304);

    let id = grant(&host, &code, "powers/greeting", None).await;
    host.fleet.renew_directory().await.unwrap();
    let second = with_key(&host, &key, "GET", MERGED, Some(tag(&first))).await;
    assert_eq!((second.status, shown(&second.json()).len()), (200, 2));
    host.fleet.identity().revoke(&code, &id).await.unwrap();
    host.fleet.renew_directory().await.unwrap();
    let third = with_key(&host, &key, "GET", MERGED, None).await;
    assert!(third.body == first.body, "the same grants give the same bytes");
    assert_eq!(tag(&third), tag(&first));

    // A new revision of the same contract changes nothing, a removed service takes all of it away.
    let settings = common::trial_settings(host.shelf.address, json!({}));
    host.fleet.put_service(&"trial".parse().unwrap(), &settings, "test").await.unwrap();
    assert_eq!(with_key(&host, &key, "GET", MERGED, Some(tag(&first))).await.status, 304);
    host.fleet.remove_service(&"trial".parse().unwrap()).await.unwrap();
    assert_eq!(count().await, 0);
    assert_eq!(ask(&host, "GET", "/api", None).await.json()["services"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_ends_takes_its_operations_with_it() {
    let host = Host::start().await;
    let key = agency(&host, "H56.14", &["values/find"]).await;
    let code: AgencyCode = "H56.14".parse().unwrap();
    let end: Timestamp = "2999-01-01T00:00:00Z".parse().unwrap();
    grant(&host, &code, "powers/greeting", Some(end)).await;
    host.fleet.renew_directory().await.unwrap();
    assert_eq!(shown(&with_key(&host, &key, "GET", MERGED, None).await.json()).len(), 2);

    let snapshot = host.fleet.snapshot();
    let caller = snapshot.directory().authenticate(&key).unwrap();
    let before = Timestamp::from_micros(end.as_micros() - 1);
    let kept = snapshot.agency_document(&code, before).expect("what was made is kept while it holds");
    assert!(snapshot.agency_document(&code, end).is_none(), "and no longer");
    let made = snapshot.make_agency_document(caller, end);
    assert_ne!(made.tag, kept.tag);
    assert_eq!(shown(&serde_json::from_slice(&made.bytes).unwrap()).len(), 1);
    assert_eq!(snapshot.agency_document(&code, end).unwrap().tag, made.tag);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_of_an_agency_is_asked_for_with_its_key() {
    let host = Host::start().await;
    let key = agency(&host, "H56.14", &[]).await;
    let code: AgencyCode = "H56.14".parse().unwrap();
    assert_eq!(ask(&host, "GET", MERGED, None).await.problem(), (401, "missing-key".to_owned()));
    let wrong = with_key(&host, "truc_0000_x", "GET", MERGED, None).await;
    assert_eq!(wrong.problem(), (401, "wrong-key".to_owned()));
    let refused = with_key(&host, &key, "POST", MERGED, None).await;
    assert_eq!(refused.problem(), (405, "method-not-allowed".to_owned()));
    assert_eq!(refused.headers["allow"], "GET, HEAD");
    let nothing = with_key(&host, &key, "GET", MERGED, None).await;
    assert_eq!((nothing.status, &nothing.json()["paths"]), (200, &json!({})));
    let head = with_key(&host, &key, "HEAD", MERGED, None).await;
    assert_eq!((head.status, head.body.len(), tag(&head)), (200, 0, tag(&nothing)));
    host.fleet.identity().set_agency_state(&code, truc_identity::State::Suspended).await.unwrap();
    host.fleet.renew_directory().await.unwrap();
    let suspended = with_key(&host, &key, "GET", MERGED, None).await;
    assert_eq!(suspended.problem(), (403, "account-suspended".to_owned()));
    let recorded = host.exchanges().await;
    let statuses: Vec<u16> = recorded.iter().rev().map(|exchange| exchange.status).collect();
    assert_eq!(statuses, [401, 401, 405, 200, 200, 403]);
    assert!(recorded.iter().all(|exchange| exchange.service.is_none() && exchange.operation.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn agencies_that_ask_at_once_get_their_own() {
    let host = Host::start().await;
    let mut keys = Vec::new();
    // More than there are places for documents to be kept.
    for number in 1..=80 {
        let code = format!("H56.{number}");
        let key = agency(&host, &code, if number % 2 == 0 { &["values/find"] } else { &["*"] }).await;
        keys.push((code, key));
    }
    for _ in 0..2 {
        let asked = keys.iter().map(|(code, key)| async {
            let reply = with_key(&host, key, "GET", MERGED, None).await;
            (code.clone(), reply)
        });
        for (code, reply) in futures_util::future::join_all(asked).await {
            assert_eq!(reply.json()["info"]["title"], format!("Services for {code}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_calls_are_answered_with_is_in_the_document() {
    let limits = json!({ "cpu": "2s", "requestBytes": "64KiB" });
    let host = Host::start_with(GatewaySettings::default(), Options::default(), limits).await;
    let document = ask(&host, "GET", SERVICE, None).await.json();
    let documented = |method: &str, path: &str, reply: &Reply| {
        let (status, code) = reply.problem();
        let response = &document["paths"][path][method.to_ascii_lowercase()]["responses"][status.to_string()];
        let reference =
            response["$ref"].as_str().unwrap_or_else(|| panic!("{method} {path}: {status} {code}"));
        let example = document.pointer(reference.trim_start_matches('#')).unwrap();
        let example = &example["content"]["application/problem+json"]["examples"][&code]["value"];
        let told = reply.json();
        for member in ["type", "title", "status", "code"] {
            assert_eq!(example[member], told[member], "{method} {path}: {status} {code}");
        }
        for member in ["errors", "value", "retryAfter"] {
            let (shown, told) = (example.get(member).is_some(), told.get(member).is_some());
            assert_eq!(shown, told, "{method} {path}: {member} of {status} {code}");
        }
        code
    };
    let mut codes = BTreeSet::new();
    let nobody = ask(&host, "GET", "/api/trial/v1/things/1", None).await;
    codes.insert(documented("GET", "/things/{id}", &nobody));
    let wrong = with_key(&host, "truc_0000_x", "GET", "/api/trial/v1/things/1", None).await;
    codes.insert(documented("GET", "/things/{id}", &wrong));
    let stranger = agency(&host, "G22", &[]).await;
    let ungranted = with_key(&host, &stranger, "GET", "/api/trial/v1/things/1", None).await;
    codes.insert(documented("GET", "/things/{id}", &ungranted));
    let purposeless = with_key(&host, &host.key, "GET", "/api/trial/v1/people/001190000017", None).await;
    codes.insert(documented("GET", "/people/{id}", &purposeless));
    let calls = [
        ("GET", "/things/{id}", "/things/x"),
        ("GET", "/things/{id}", "/things/%ff%2f"),
        ("POST", "/trap", "/trap"),
        ("POST", "/loop", "/loop"),
        ("POST", "/allocate", "/allocate"),
        ("GET", "/not-a-number", "/not-a-number"),
        ("GET", "/texts/{length}", "/texts/9437184"),
        ("GET", "/items/{id}", "/items/slow"),
    ];
    let cases = (0..9).map(|case| ("GET", "/problems/{case}", format!("/problems/{case}")));
    let refusals = (0..3).map(|case| ("GET", "/refusals/{case}", format!("/refusals/{case}")));
    let calls = calls.into_iter().map(|(method, template, path)| (method, template, path.to_owned()));
    for (method, template, path) in calls.chain(cases).chain(refusals) {
        let reply = host.send(method, &format!("/api/trial/v1{path}"), None).await;
        if reply.status >= 400 {
            codes.insert(documented(method, template, &reply));
        }
    }
    for (content_type, body) in [
        ("application/json", b"{".to_vec()),
        ("text/plain", b"{}".to_vec()),
        ("application/json", vec![b' '; 70_000]),
    ] {
        let request = host.request("POST", "/api/trial/v1/values/echo").header("content-type", content_type);
        let reply = host.exchange(request.body(Full::new(Bytes::from(body))).unwrap()).await;
        codes.insert(documented("POST", "/values/echo", &reply));
    }
    let expected = [
        "missing-key",
        "wrong-key",
        "not-granted",
        "purpose-required",
        "invalid-request",
        "malformed-request",
        "connector-trapped",
        "connector-cpu-exhausted",
        "connector-memory-exhausted",
        "answer-invalid",
        "answer-too-large",
        "upstream-timeout",
        "not-found",
        "invalid",
        "denied",
        "conflict",
        "limited",
        "upstream-failed",
        "unavailable",
        "rejected",
        "locked",
        "amount-mismatch",
        "malformed-json",
        "unsupported-media-type",
        "body-too-large",
    ];
    for code in expected {
        assert!(codes.contains(code), "{code}: {codes:?}");
    }
}
