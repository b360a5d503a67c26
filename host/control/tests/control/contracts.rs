//! Contracts: published as artifacts of their own, proposed by connectors, compared, refused for a reason.

use serde_json::{Value, json};
use truc_contract::testing;

use crate::host::{Host, component};

const GET: &str =
    "/// Gives an item.\n/// @http GET /items/{id}\nget: func(id: u32) -> result<string, problem>;\n";
const ALL: &str = "/// Lists items.\n/// @http GET /items\nall: func() -> result<list<string>, problem>;\n";

/// The text of a contract `lgsp:case`.
fn wit(version: &str, items: &str) -> String {
    format!(
        "/// Cases: what comes to the desk.\npackage lgsp:case@{version};\n/// Items.\ninterface items {{\n\
         use truc:connector/types@0.1.0.{{problem}};\n{items}}}\n\
         world connector {{ include truc:connector/capabilities@0.1.0; export items; }}\n"
    )
}

fn files(version: &str, items: &str) -> Value {
    json!({ "files": [{ "name": "case.wit", "text": wit(version, items) }] })
}

/// A connector of a contract `lgsp:case`.
fn connector(version: &str, items: &str) -> Vec<u8> {
    let manifest = format!(
        "[connector]\nname = \"case\"\nversion = \"{version}\"\npublisher = \"H56.14\"\ndescription = \"A case\"\n\
         contract = \"lgsp:case@{version}\"\n"
    );
    testing::connector(&wit(version, items), &manifest).unwrap()
}

#[tokio::test]
async fn a_contract_is_published_shown_and_never_changes() {
    let host = Host::start().await;
    assert_eq!(host.get("/admin/contracts").await.with(200), json!({ "contracts": [] }));
    let published = host.post("/admin/contracts", &files("1.0.0", GET)).await;
    let document = published.with(201);
    assert_eq!(published.headers["location"], "/admin/contracts/lgsp/case/1.0.0");
    assert_eq!((&document["contract"], &document["state"]), (&json!("lgsp:case@1.0.0"), &json!("published")));
    assert_eq!(
        (&document["summary"], &document["publishedBy"]),
        (&json!("Cases: what comes to the desk"), &json!("admin"))
    );
    assert_eq!((document.get("changes"), document.get("proposedBy")), (None, None));

    let details = host.get("/admin/contracts/lgsp/case/1.0.0").await.with(200);
    assert_eq!(details["files"], files("1.0.0", GET)["files"]);
    assert_eq!(details["operations"][0]["name"], "items/get");
    assert_eq!(details["operations"][0]["path"], "/items/{id}");
    for member in ["contract", "digest", "state", "createdAt", "publishedAt", "operations"] {
        assert_eq!(details[member], document[member], "{member}");
    }
    let list = host.get("/admin/contracts").await.with(200);
    assert_eq!(list["contracts"][0]["digest"], details["digest"]);

    // The same text again changes nothing; another text is another contract.
    assert_eq!(host.post("/admin/contracts", &files("1.0.0", GET)).await.with(201), document);
    let other = host.post("/admin/contracts", &files("1.0.0", ALL)).await;
    let detail = other.problem(409, "name-taken")["detail"].to_string();
    assert!(detail.contains("lgsp:case@1.0.0") && detail.contains("another version"), "{detail}");
    assert_eq!(host.get("/admin/contracts/lgsp/case/1.0.0").await.with(200), details);
}

#[tokio::test]
async fn additions_are_told_and_what_breaks_is_refused() {
    let host = Host::start().await;
    host.post("/admin/contracts", &files("1.0.0", GET)).await.with(201);
    let published = host.post("/admin/contracts", &files("1.1.0", &format!("{GET}{ALL}"))).await.with(201);
    let added = json!({
        "from": "lgsp:case@1.0.0", "to": "lgsp:case@1.1.0", "effect": "compatible", "rightVersion": "1.1.0",
        "changes": [{
            "item": "items/all", "kind": "added", "effect": "compatible",
            "text": "a new operation, GET /items: Lists items",
        }],
    });
    assert_eq!(published["changes"], added);
    assert_eq!(host.get("/admin/contracts/lgsp/case/1.1.0/changes").await.with(200), added);
    assert_eq!(host.get("/admin/contracts/lgsp/case/1.1.0/changes?since=1.0.0").await.with(200), added);
    let back = host.get("/admin/contracts/lgsp/case/1.0.0/changes?since=1.1.0").await.with(200);
    assert_eq!((&back["effect"], &back["changes"][0]["kind"]), (&json!("breaking"), &json!("removed")));

    let breaking = host.post("/admin/contracts", &files("1.2.0", GET)).await;
    let problem = breaking.problem(409, "contract-breaking");
    assert_eq!(
        problem["errors"],
        json!([{ "pointer": "", "detail": "items/all: the operation GET /items is gone" }])
    );
    assert!(problem["detail"].as_str().unwrap().contains("publish it as 2.0.0"), "{problem}");
    let backwards = host.post("/admin/contracts", &files("1.0.9", GET)).await;
    let problem = backwards.problem(409, "contract-version-backwards");
    assert!(problem["detail"].as_str().unwrap().contains("1.2.0"), "{problem}");
    host.post("/admin/contracts", &files("2.0.0", GET)).await.with(201);

    host.get("/admin/contracts/lgsp/case/1.0.0/changes").await.problem(404, "item-not-found");
    host.get("/admin/contracts/lgsp/case/1.1.0/changes?since=9.0.0").await.problem(404, "item-not-found");
    let wrong = host.get("/admin/contracts/lgsp/case/1.1.0/changes?since=one").await;
    assert_eq!(wrong.pointers(422, "invalid-request"), ["/since"]);
    host.get("/admin/contracts/lgsp/nothing/1.0.0").await.problem(404, "item-not-found");
    host.get("/admin/contracts/lgsp/case/one").await.problem(422, "invalid-request");
}

#[tokio::test]
async fn a_connector_brings_a_proposal_that_somebody_publishes() {
    let host = Host::start().await;
    let details = host.publish(component()).await.with(201);
    assert_eq!(details["contractState"], "proposed");
    let advice = details["advice"].as_str().unwrap();
    assert!(advice.contains("`truc contract publish lgsp:payment@1.0.0`"), "{advice}");
    let settings = crate::host::settings();
    let refused = host.put("/admin/services/fees", &settings).await;
    let detail = refused.problem(409, "contract-not-published")["detail"].to_string();
    assert!(detail.contains("`truc contract publish lgsp:payment@1.0.0`"), "{detail}");

    let proposal = "/admin/contracts/lgsp/payment/1.0.0";
    let proposed = host.get(proposal).await.with(200);
    assert_eq!((&proposed["state"], &proposed["proposedBy"]), (&json!("proposed"), &json!("payment@1.0.0")));
    assert_eq!(proposed.get("publishedAt"), None);
    let published = host.act(&format!("{proposal}/publish")).await.with(200);
    assert_eq!((&published["state"], &published["digest"]), (&json!("published"), &proposed["digest"]));
    assert_eq!(host.act(&format!("{proposal}/publish")).await.with(200), published);
    host.act("/admin/contracts/lgsp/payment/9.0.0/publish").await.problem(404, "item-not-found");

    host.put("/admin/services/fees", &settings).await.with(200);
    let details = host.get("/admin/connectors/payment/1.0.0").await.with(200);
    assert_eq!((&details["contractState"], details.get("advice")), (&json!("published"), None));
}

#[tokio::test]
async fn a_proposal_may_be_edited_and_must_then_be_satisfied() {
    let host = Host::start().await;
    host.publish(connector("1.0.0", GET)).await.with(201);
    host.post("/admin/contracts", &files("1.0.0", &format!("{GET}{ALL}"))).await.with(201);
    let refused = host.put("/admin/services/case", &json!({ "connector": "case@1.0.0" })).await;
    let detail = refused.problem(422, "contract-mismatch")["detail"].to_string();
    assert!(detail.contains("items/all"), "{detail}");
    // A connector may not bring what could not be published.
    host.publish(connector("1.1.0", GET)).await.problem(409, "contract-breaking");
    host.publish(connector("0.9.0", GET)).await.with(201);
    host.post("/admin/contracts", &files("0.9.1", GET)).await.with(201);
    host.act("/admin/contracts/lgsp/case/0.9.0/publish").await.problem(409, "contract-version-backwards");
}

#[tokio::test]
async fn texts_that_cannot_be_served_are_refused_with_their_place() {
    let host = Host::start().await;
    let publish = async |name: &str, text: &str| {
        host.post("/admin/contracts", &json!({ "files": [{ "name": name, "text": text }] })).await
    };
    let cases = [
        ("package", "case.wit:1:8: the text: "),
        (&*wit("1.0.0", &GET.replace("@http", "@htp")), "case.wit:8:1: lgsp:case/items@1.0.0#get: `@htp`"),
        (
            &*wit("1.0.0", &format!("{GET}{}", GET.replace("get:", "other:"))),
            "GET /items/{id} is already the route of items/get",
        ),
        (&*wit("1.0.0", &GET.replace("Gives", "<script>")), "holds HTML"),
        (&*wit("1.0.0", &GET.replace("Gives", "\u{1b}[31m")), "control character U+001B"),
        (
            &*wit("1.0.0", "resource thing;\n/// Gives.\nget: func() -> result<thing, problem>;\n"),
            "cannot be served",
        ),
        (
            &*wit("1.0.0", "record a { b: option<a> }\n/// Gives.\nget: func() -> result<a, problem>;\n"),
            "case.wit:6:",
        ),
    ];
    for (text, expected) in cases {
        let problem = publish("case.wit", text).await.problem(422, "contract-invalid");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("case.wit:") && detail.contains(expected), "{expected}: {detail}");
    }
    for files in [
        json!([]),
        json!([{ "name": "../case.wit", "text": "" }]),
        json!([{ "name": "a.wit", "text": "" }, { "name": "a.wit", "text": "" }]),
    ] {
        let refused = host.post("/admin/contracts", &json!({ "files": files })).await;
        assert_eq!(refused.pointers(422, "invalid-request"), ["/files"]);
    }
    let refused = host.post("/admin/contracts", &json!({ "files": [{ "name": "a.wit" }] })).await;
    assert_eq!(refused.pointers(422, "invalid-request"), ["/files/0"]);
    let large = publish("a.wit", &"/".repeat(5 << 20)).await;
    assert_eq!(large.pointers(422, "invalid-request"), ["/files"]);
    publish("a.wit", &"/".repeat(9 << 20)).await.problem(413, "body-too-large");
    assert_eq!(host.get("/admin/contracts").await.with(200), json!({ "contracts": [] }));
}
