//! `truc contract`: what it says to people and programs, and how it ends.

use serde_json::{Value, json};

use crate::host::{Host, Installation, component, contract, truc};

/// The text of the contract for land, edited, in a folder of the installation.
fn edited(installation: &Installation, folder: &str, edits: &[(&str, &str)]) -> String {
    let text = std::fs::read_to_string(format!("{}/land.wit", contract("land"))).unwrap();
    let text = edits.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    std::fs::create_dir_all(installation.path(folder)).unwrap();
    installation.write(&format!("{folder}/land.wit"), &text);
    installation.path(folder).display().to_string()
}

const NEXT: (&str, &str) = ("lgsp:land@1.0.0", "lgsp:land@1.1.0");
const ADDED: (&str, &str) = (
    "interface parcels {\n    use truc:connector/types@0.1.0.{date, citizen-id, problem};",
    "interface parcels {\n    use truc:connector/types@0.1.0.{date, citizen-id, problem};\n    \
     /// How many parcels there are. (Số thửa đất)\n    /// @http GET /parcels/count\n    \
     count-parcels: func() -> result<u32, problem>;",
);
const BREAKING: (&str, &str) = ("area: f64", "area: f32");

fn host() -> Host {
    Installation::new().serve()
}

#[test]
fn contracts_are_published_listed_shown_and_compared() {
    let host = host();
    let added = edited(&host.installation, "added", &[NEXT, ADDED]);
    let breaking = edited(&host.installation, "breaking", &[NEXT, ADDED, BREAKING]);
    let mut transcript = host.transcript();
    transcript.run(&["contract", "list"]);
    transcript.run(&["contract", "diff", &added]);
    transcript.run(&["contract", "publish", &contract("land")]);
    transcript.run(&["contract", "publish", &breaking]);
    transcript.run(&["contract", "diff", &breaking]);
    transcript.run(&["contract", "publish", &added]);
    transcript.run(&["contract", "publish", &edited(&host.installation, "other", &[])]);
    transcript.run(&["contract", "publish", &edited(&host.installation, "other", &[BREAKING])]);
    transcript.run(&["publish", &component("payment")]);
    transcript.run(&["connector", "list"]);
    transcript.run(&["contract", "list"]);
    transcript.run(&["contract", "show", "lgsp:payment@1.0.0"]);
    transcript.run(&["contract", "publish", "lgsp:payment@1.0.0"]);
    transcript.run(&["contract", "show", "lgsp:payment@1.0.0"]);
    transcript.run(&["contract", "diff", "lgsp:land@1.1.0", "lgsp:land@1.0.0"]);
    transcript.run(&["contract", "diff", "lgsp:land@1.0.0", "lgsp:payment@1.0.0"]);
    insta::assert_snapshot!("contracts", transcript.text());

    let text = std::fs::read_to_string(format!("{}/land.wit", contract("land"))).unwrap();
    let shown = host.truc(&["contract", "show", "lgsp:land@1.0.0", "--wit"]);
    assert_eq!(shown.text().trim_end(), text.trim_end());
    let list = host.truc(&["contract", "list", "--json"]).json();
    let states: Vec<&Value> = list["contracts"].as_array().unwrap().iter().map(|c| &c["state"]).collect();
    assert_eq!(states, [&json!("published"), &json!("published"), &json!("published")]);
}

#[test]
fn texts_are_compared_without_a_host() {
    let installation = Installation::new();
    let added = edited(&installation, "added", &[NEXT, ADDED]);
    let land = contract("land");
    let run = truc(&["contract", "diff", &land, &added, "--json"]);
    let log = run.json();
    assert_eq!((&log["effect"], &log["rightVersion"]), (&json!("compatible"), &json!("1.1.0")));
    assert_eq!(log["changes"][0]["item"], "parcels/count-parcels");
    // What a component brings is the text it was built from.
    let same = truc(&["contract", "diff", &component("land"), &land]);
    assert!(same.text().ends_with("nothing changed\n"), "{same:?}");

    let breaking = edited(&installation, "breaking", &[NEXT, BREAKING]);
    let run = truc(&["contract", "diff", &land, &breaking, "--json"]);
    assert_eq!((run.exit, run.err.as_str()), (10, ""));
    let log: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&log["effect"], &log["rightVersion"]), (&json!("breaking"), &json!("2.0.0")));

    let typo = edited(&installation, "typo", &[("@pattern", "@patern")]);
    let error = truc(&["contract", "diff", &land, &typo]).failed(5).to_owned();
    assert!(
        error.contains("land.wit:") && error.contains("`@patern`") && error.contains("lgsp:land"),
        "{error}"
    );
    installation.write("empty.wasm", "\0asm");
    let empty = installation.path("empty.wasm").display().to_string();
    assert!(truc(&["contract", "diff", &empty, &land]).failed(5).contains("empty.wasm: "));
}
