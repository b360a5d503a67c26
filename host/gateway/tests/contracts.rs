//! Contracts over HTTP: proposed, published, governing what is served, kept over restarts and upgrades.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Host, grant};
use serde_json::json;
use truc_contract::{ContractText, testing};
use truc_fleet::{ContractSummary, ServiceSettings};
use truc_model::Problem;
use truc_store::contracts::ContractState;
use truc_store::testing::take_contracts_away;

const GET: &str =
    "/// Gives an item.\n/// @http GET /items/{id}\nget: func(id: u32) -> result<string, problem>;\n";
const LIST: &str = "/// Lists items.\n/// @http GET /items\nall: func() -> result<list<string>, problem>;\n";

/// A contract `lgsp:case` with one interface.
fn wit(version: &str, items: &str) -> String {
    format!(
        "/// Cases.\npackage lgsp:case@{version};\n/// Items.\ninterface items {{\n\
         use truc:connector/types@0.1.0.{{problem}};\n{items}}}\n\
         world connector {{ include truc:connector/capabilities@0.1.0; export items; }}\n"
    )
}

fn text(version: &str, items: &str) -> ContractText {
    ContractText::new(vec![("case.wit".to_owned(), wit(version, items))]).unwrap()
}

/// A connector `case` of a version that implements the contract of the same version.
fn connector(version: &str, items: &str) -> Vec<u8> {
    let manifest = format!(
        "[connector]\nname = \"case\"\nversion = \"{version}\"\npublisher = \"H56.14\"\ndescription = \"A case\"\n\
         contract = \"lgsp:case@{version}\"\n"
    );
    testing::connector(&wit(version, items), &manifest).unwrap()
}

fn settings(version: &str) -> ServiceSettings {
    serde_json::from_value(json!({ "connector": format!("case@{version}") })).unwrap()
}

async fn publish(host: &Host, version: &str, items: &str) -> Result<(), Problem> {
    let published = host.fleet.publish_contract(&text(version, items), "test").await;
    published.map(drop).map_err(|error| error.problem())
}

/// Puts a connector to work and lets the agency of the key call it.
async fn put(host: &Host, service: &str, version: &str) -> Result<(), Problem> {
    let put = host.fleet.put_service(&service.parse().unwrap(), &settings(version), "test").await;
    put.map_err(|error| error.problem())?;
    grant(&host.fleet, "H56", service).await;
    Ok(())
}

/// The connectors made here trap, so whoever reaches one is told that it did.
async fn reaches(host: &Host, path: &str) {
    let reply = host.send("GET", path, None).await;
    assert_eq!(reply.problem(), (502, "connector-trapped".to_owned()), "{path}");
}

async fn contract(host: &Host, id: &str) -> ContractSummary {
    let id = id.parse().unwrap();
    host.fleet.contract(&id).await.unwrap().summary
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_never_seen_is_proposed_and_serves_once_it_is_published() {
    let host = Host::start().await;
    let (summary, _) = host.fleet.publish(connector("1.0.0", GET)).await.unwrap();
    assert_eq!(summary.contract_state, ContractState::Proposed);
    let proposed = contract(&host, "lgsp:case@1.0.0").await;
    assert_eq!(
        (proposed.state, proposed.proposed_by),
        (ContractState::Proposed, Some("case@1.0.0".to_owned()))
    );

    let problem = put(&host, "case", "1.0.0").await.unwrap_err();
    assert_eq!((problem.status, problem.code.as_ref()), (409, "contract-not-published"));
    assert!(problem.detail.contains("`truc contract publish lgsp:case@1.0.0`"), "{problem}");
    assert_eq!(host.send("GET", "/api/case/v1/items/1", None).await.problem().1, "service-not-found");

    host.fleet.publish_proposal(&"lgsp:case@1.0.0".parse().unwrap(), "test").await.unwrap();
    put(&host, "case", "1.0.0").await.unwrap();
    reaches(&host, "/api/case/v1/items/1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_text_governs_routes_and_documents() {
    let host = Host::start().await;
    host.fleet.publish(connector("1.0.0", GET)).await.unwrap();
    // Published in the place of the proposal: other routes, other words, a rule.
    let edited = "/// Gives a thing, as edited.\n/// @http GET /things/{id}\n/// @param id @max 9\n\
                  get: func(id: u32) -> result<string, problem>;\n";
    publish(&host, "1.0.0", edited).await.unwrap();
    put(&host, "case", "1.0.0").await.unwrap();

    reaches(&host, "/api/case/v1/things/1").await;
    assert_eq!(host.send("GET", "/api/case/v1/items/1", None).await.problem().1, "route-not-found");
    assert_eq!(host.send("GET", "/api/case/v1/things/10", None).await.problem().1, "invalid-request");
    let document = host.send("GET", "/api/case/v1/openapi.json", None).await.json();
    let operation = &document["paths"]["/things/{id}"]["get"];
    assert!(operation["summary"].as_str().unwrap().contains("as edited"), "{operation}");
    // What the admin API shows of the connector is governed too.
    let (_, program) = host.fleet.connector(&"case@1.0.0".parse().unwrap()).await.unwrap();
    assert_eq!(program.contract().operations[0].path.as_str(), "/things/{id}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_lacks_a_function_is_refused_by_its_name() {
    let host = Host::start().await;
    publish(&host, "1.0.0", &format!("{GET}{LIST}")).await.unwrap();
    let problem = host.fleet.publish(connector("1.0.0", GET)).await.err().unwrap().problem();
    assert_eq!(problem.code, "contract-mismatch");
    assert!(problem.detail.contains("does not export the function items/all"), "{problem}");

    // One that was there before its contract, and no longer fits what was published.
    let other =
        "/// Gives an item.\n/// @http GET /items/{id}\nget: func(id: u64) -> result<string, problem>;\n";
    host.fleet.publish(connector("2.0.0", GET)).await.unwrap();
    publish(&host, "2.0.0", other).await.unwrap();
    let problem = put(&host, "case", "2.0.0").await.unwrap_err();
    assert_eq!(problem.code, "contract-mismatch");
    assert!(problem.detail.contains("items/get has other types"), "{problem}");
    // It can still be looked at, by the text it brings.
    assert!(host.fleet.connector(&"case@2.0.0".parse().unwrap()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_or_goes_backwards_is_refused_and_nothing_changes() {
    let host = Host::start().await;
    publish(&host, "1.0.0", &format!("{GET}{LIST}")).await.unwrap();
    let breaking =
        "/// Gives an item.\n/// @http GET /items/{id}\nget: func(id: u64) -> result<string, problem>;\n";
    let problem = publish(&host, "1.1.0", breaking).await.unwrap_err();
    assert_eq!((problem.status, problem.code.as_ref()), (409, "contract-breaking"));
    let told: Vec<&str> = problem.errors.iter().map(|fault| fault.detail.as_str()).collect();
    assert_eq!(
        told,
        ["items/get(id): its type was `u32` and is `u64`", "items/all: the operation GET /items is gone",]
    );
    assert!(problem.detail.contains("publish it as 2.0.0"), "{problem}");

    // A connector may not bring in what may not be published.
    let problem = host.fleet.publish(connector("1.1.0", breaking)).await.err().unwrap().problem();
    assert_eq!(problem.code, "contract-breaking");
    let problem = publish(&host, "1.0.0", GET).await.unwrap_err();
    assert_eq!((problem.status, problem.code.as_ref()), (409, "name-taken"));
    publish(&host, "1.2.0", &format!("{GET}{LIST}")).await.unwrap();
    let problem = publish(&host, "1.1.0", &format!("{GET}{LIST}")).await.unwrap_err();
    assert_eq!((problem.status, problem.code.as_ref()), (409, "contract-version-backwards"));
    assert!(problem.detail.contains("1.2.0") && problem.detail.contains("1.3.0"), "{problem}");
    // The same again is no error, whatever came after it.
    publish(&host, "1.0.0", &format!("{GET}{LIST}")).await.unwrap();

    let known: Vec<String> =
        host.fleet.contracts().await.unwrap().iter().map(|contract| contract.id.to_string()).collect();
    assert_eq!(known, ["lgsp:case@1.0.0", "lgsp:case@1.2.0", "lgsp:trial@1.0.0"]);
    assert_eq!(host.fleet.connectors().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn additions_are_accepted_both_versions_serve_and_a_restart_keeps_them() {
    let host = Host::start().await;
    publish(&host, "1.0.0", GET).await.unwrap();
    host.fleet.publish(connector("1.0.0", GET)).await.unwrap();
    put(&host, "old", "1.0.0").await.unwrap();
    publish(&host, "1.1.0", &format!("{GET}{LIST}")).await.unwrap();
    host.fleet.publish(connector("1.1.0", &format!("{GET}{LIST}"))).await.unwrap();
    put(&host, "new", "1.1.0").await.unwrap();

    async fn both_serve(host: &Host) {
        reaches(host, "/api/old/v1/items/1").await;
        assert_eq!(host.send("GET", "/api/old/v1/items", None).await.problem().1, "route-not-found");
        reaches(host, "/api/new/v1/items/1").await;
        reaches(host, "/api/new/v1/items").await;
        assert_eq!(host.send("GET", "/api/trial/v1/items/one", None).await.status, 200);
    }
    both_serve(&host).await;
    let before = host.fleet.contracts().await.unwrap();
    let host = host.restart(|_| async {}).await;
    both_serve(&host).await;
    assert_eq!(host.fleet.contracts().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_before_contracts_serves_what_it_served() {
    let host = Host::start().await;
    // Published and never put to work.
    host.fleet.publish(connector("1.0.0", GET)).await.unwrap();
    let host = host.restart(|database| async move { take_contracts_away(&database).await.unwrap() }).await;

    assert_eq!(host.send("GET", "/api/trial/v1/items/one", None).await.status, 200);
    let trial = contract(&host, "lgsp:trial@1.0.0").await;
    assert_eq!((trial.state, trial.published_by.as_deref()), (ContractState::Published, Some("upgrade")));
    let case = contract(&host, "lgsp:case@1.0.0").await;
    assert_eq!((case.state, case.proposed_by.as_deref()), (ContractState::Proposed, Some("case@1.0.0")));
    assert_eq!(put(&host, "case", "1.0.0").await.unwrap_err().code, "contract-not-published");
    host.fleet.publish_proposal(&case.id, "test").await.unwrap();
    put(&host, "case", "1.0.0").await.unwrap();
    reaches(&host, "/api/case/v1/items/1").await;
}

/// A contract of unreasonable size is read, published and served in bounded time.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_operations_are_published_and_served() {
    let items: String = (0..10_000)
        .map(|number: u32| {
            let word: String =
                number.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect();
            format!(
                "/// Gives item {number}.\n/// @http GET /items/{word}/{{id}}\n\
                 get-{word}: func(id: u32) -> result<string, problem>;\n"
            )
        })
        .collect();
    let host = Host::start().await;
    let begin = std::time::Instant::now();
    publish(&host, "1.0.0", &items).await.unwrap();
    println!("published after {:?}", begin.elapsed());
    publish(&host, "1.1.0", &items.replacen("Gives item 1.", "Gives the item.", 1)).await.unwrap();
    println!("compared and published after {:?}", begin.elapsed());
    host.fleet.publish(connector("1.0.0", &items)).await.unwrap();
    println!("connector published after {:?}", begin.elapsed());
    put(&host, "case", "1.0.0").await.unwrap();
    println!("put to work after {:?}", begin.elapsed());
    reaches(&host, "/api/case/v1/items/jjjj/1").await;
    assert!(begin.elapsed() < std::time::Duration::from_secs(240), "{:?}", begin.elapsed());
}
