//! The commands that ask a host: what they say to people, to programs, and when they are refused.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::host::{Host, Installation, component, contract, truc};

const PUT: [&str; 11] = [
    "service",
    "put",
    "fees",
    "--connector",
    "payment@1.0.0",
    "--bind",
    "platform=http://127.0.0.1:9",
    "--config",
    "partner-code=56",
    "--key",
    "payment=sha256-suffix:payment-key",
];

fn host() -> Host {
    let host = Installation::new().serve();
    host.secret("payment-key", "secret-canary").text();
    host
}

#[test]
fn connectors_and_services() {
    let host = host();
    let mut transcript = host.transcript();
    transcript.run(&["connector", "list"]);
    transcript.run(&["service", "list"]);
    let published = host.truc(&["publish", &component("payment")]);
    assert!(
        published
            .text()
            .contains("truc service put payment --connector payment@1.0.0 --bind platform=<address>")
    );
    transcript.run(&["connector", "list"]);
    transcript.run(&PUT);
    host.truc(&["contract", "publish", "lgsp:payment@1.0.0"]).text();
    transcript.run(&PUT);
    transcript.run(&["service", "list"]);
    transcript.run(&["service", "show", "fees"]);
    transcript.run(&["service", "limits", "fees"]);
    transcript.run(&["service", "remove", "fees"]);
    transcript.run(&["service", "show", "fees"]);
    insta::assert_snapshot!("services", transcript.text());

    let shown = host.truc(&["connector", "show", "payment@1.0.0"]);
    assert!(shown.text().contains("must be set: "), "{shown:?}");
}

#[test]
fn limits_tell_their_origin_and_stay_below_the_platforms_ceilings() {
    let installation = Installation::new();
    let limits = "[limits]\ncpu = \"100ms\"\n[limits.ceilings]\nconcurrency = 8\ndeadline = \"15s\"\n";
    installation.configure("127.0.0.1:0", "127.0.0.1:0", limits);
    let host = installation.serve();
    host.truc(&["contract", "publish", &contract("payment")]).text();
    host.truc(&["publish", &component("payment")]).text();
    host.secret("payment-key", "secret-canary").text();
    let put = |more: &[&str]| host.truc(&[&PUT[..], more].concat());
    let refused = put(&["--limit", "concurrency=9"]);
    let refused = refused.failed(5);
    assert!(refused.contains("/limits/concurrency") && refused.contains("at most 8"), "{refused}");
    put(&["--limit", "queue=2", "--limit", "queue-wait=250ms", "--limit", "concurrency=4"]).text();

    let mut transcript = host.transcript();
    transcript.run(&["service", "limits", "fees"]);
    transcript.run(&["service", "limits", "fees", "--json"]);
    transcript.run(&["service", "limits", "nothing"]);
    insta::assert_snapshot!("limits", transcript.text());

    // Lower ceilings lower what was put before, when the host starts again.
    let installation = host.stop(Signal::TERM);
    installation.configure(
        "127.0.0.1:0",
        "127.0.0.1:0",
        "[limits.ceilings]\ndeadline = \"8s\"\nconcurrency = 3\n",
    );
    let host = installation.serve();
    let limits = host.truc(&["service", "limits", "fees", "--json"]).json();
    let of = |name: &str| {
        let limits = limits["limits"].as_array().unwrap();
        let limit = limits.iter().find(|limit| limit["name"] == name).unwrap();
        (limit["value"].clone(), limit["origin"].clone())
    };
    assert_eq!(of("deadline"), (json!("8s"), json!("ceiling")));
    assert_eq!(of("concurrency"), (json!(3), json!("ceiling")));
    assert_eq!(of("queue"), (json!(2), json!("operator")));
    assert!(host.installation.log().contains("limit lowered to the platform's ceiling"));
    // A host whose own limits contradict one another does not start.
    let installation = host.stop(Signal::TERM);
    installation.configure(
        "127.0.0.1:0",
        "127.0.0.1:0",
        "[limits]\ndeadline = \"20s\"\n[limits.ceilings]\ndeadline = \"15s\"\n",
    );
    assert!(installation.check_config(&[]).failed(3).contains("write at most 15s"));
    assert!(installation.serve_in_vain().failed(3).contains("limits.deadline: 20s is more than the ceiling"));
}

#[test]
fn settings_from_files() {
    let host = host();
    host.truc(&["contract", "publish", &contract("payment")]).text();
    host.truc(&["publish", &component("payment")]).text();
    host.truc(&PUT).text();
    let service = || host.truc(&["service", "show", "fees", "--json"]).json();
    assert_eq!(service()["settings"]["config"], json!({ "partner-code": "56" }));
    let toml = "connector = \"payment@1.0.0\"\n[bindings.platform]\naddress = \"http://127.0.0.1:9\"\n\
                [config]\npartner-code = \"57\"\n[keys.payment]\nalgorithm = \"sha256-suffix\"\nsecret = \"payment-key\"\n";
    let json = r#"{"connector":"payment@1.0.0","bindings":{"platform":{"address":"http://127.0.0.1:9"}},
                   "config":{"partner-code":"58"},"keys":{"payment":{"algorithm":"sha256-suffix","secret":"payment-key"}}}"#;
    for (name, text, revision, code) in [("fees.toml", toml, 2, "57"), ("fees.json", json, 3, "58")] {
        host.installation.write(name, text);
        let file = host.installation.path(name).display().to_string();
        let put = host.truc(&["service", "put", "fees", "--file", &file, "--json"]).json();
        assert_eq!(put, service());
        assert_eq!(
            (&put["revision"], &put["settings"]["config"]["partner-code"]),
            (&json!(revision), &json!(code))
        );
    }
    host.installation.write("fees.yaml", "");
    let file = host.installation.path("fees.yaml").display().to_string();
    assert!(
        host.truc(&["service", "put", "fees", "--file", &file])
            .failed(2)
            .contains("must end in .json or .toml")
    );
}

#[test]
fn refusals_name_each_place_and_what_to_do() {
    let host = host();
    host.truc(&["contract", "publish", &contract("payment")]).text();
    host.truc(&["publish", &component("payment")]).text();
    let mut transcript = host.transcript();
    let file = host.installation.path("twice.json");
    std::fs::write(&file, r#"{"connector":"payment@1.0.0","limits":{"cpu":"1s","cpu":"2s"}}"#).unwrap();
    transcript.run(&["service", "put", "fees", "--file", file.to_str().unwrap()]);
    transcript.run(&["service", "put", "fees", "--connector", "payment@1.0.0"]);
    transcript.run(&["service", "put", "fees", "--connector", "payment@2.0.0"]);
    transcript.run(&["service", "remove", "fees"]);

    host.installation.write("other.key", "another-key-that-is-long-enough-to-be-one");
    let other = host.installation.path("other.key").display().to_string();
    transcript.run(&["agency", "list", "--admin-key-file", &other]);
    insta::assert_snapshot!("refusals", transcript.text());

    let refused = host.truc(&["service", "put", "fees", "--connector", "payment@1.0.0", "--json"]);
    let problem: Value = serde_json::from_str(refused.failed(5)).unwrap();
    assert_eq!(problem["code"], "service-invalid");
}

#[test]
fn agencies_accounts_and_grants() {
    let host = host();
    let mut transcript = host.transcript();
    transcript.run(&["agency", "add", "H56.14", "Sở Nông nghiệp và Môi trường"]);
    transcript.run(&["agency", "add", "H56.14", "Sở Tài chính"]);
    transcript.run(&["agency", "suspend", "H56.14"]);
    transcript.run(&["agency", "list"]);
    transcript.run(&["agency", "resume", "H56.14"]);
    transcript.run(&["account", "list", "H56.14"]);
    transcript.run(&["account", "add", "H56.14", "one-stop-shop"]);
    transcript.run(&["account", "suspend", "H56.14", "one-stop-shop"]);
    transcript.run(&["account", "list", "H56.14"]);
    transcript.run(&["account", "resume", "H56.14", "one-stop-shop"]);
    transcript.run(&["account", "rotate", "H56.14", "one-stop-shop"]);
    transcript.run(&["account", "remove", "H56.14", "one-stop-shop"]);
    transcript.run(&[
        "grant",
        "add",
        "H56.14",
        "--service",
        "land",
        "--operation",
        "*",
        "--purpose",
        "Giải quyết thủ tục",
        "--legal-basis",
        "NĐ 61/2018",
        "--expires",
        "2999-01-01T00:00:00+07:00",
    ]);
    transcript.run(&["grant", "list", "H56.14"]);
    let grants = host.truc(&["grant", "list", "H56.14", "--json"]).json();
    transcript.run(&["grant", "remove", "H56.14", grants["grants"][0]["id"].as_str().unwrap()]);
    transcript.run(&["grant", "list", "H56.14"]);
    transcript.run(&["grant", "list", "H57"]);
    insta::assert_snapshot!("agencies", transcript.text());
}

#[test]
fn a_host_that_is_not_there_ends_with_4() {
    let installation = Installation::new();
    let key = installation.path("admin.key").display().to_string();
    // Bound and dropped: nothing listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = truc(&["agency", "list", "--admin", &format!("http://{gone}"), "--admin-key-file", &key]);
    assert!(run.failed(4).contains("is the host running?"), "{}", run.err);
}
