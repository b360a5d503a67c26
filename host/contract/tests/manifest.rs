//! Manifests: what a good one says, and that a bad one is told every fault with line, key and remedy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use insta::assert_snapshot;
use truc_contract::{ConfigKind, ConfigValue, KeyUse, Manifest, Method};
use truc_model::{Bytes, Millis};

const GOOD: &str = r#"
[connector]
name = "civil-status"
version = "1.2.0-rc.1"
publisher = "H56.14"
description = """
Births, marriages and deaths.
	Thêm: đăng ký hộ tịch."""
contract = "lgsp:civil-status@1.0.0"

[upstreams.registry]
description = "The register"
allow = ["POST /apiHoTichTuPhap/dangKyHoTich", "GET /x/{id}"]

[config.province-code]
description = "The code of the province"
type = "text"
default = "56"

[config.retries]
description = "How often"
type = "integer"
default = -9_223_372_036_854_775_808

[config.strict]
description = "Whether"
type = "flag"

[config.lists]
description = "Which"
type = "list"
default = ["a", "b"]

[keys.payment]
description = "The shared secret"
use = ["digest", "mac"]

[limits]
memory = "8MiB"
cpu = "1s"
deadline = "20s"
concurrency = 512
upstream-calls = 0
upstream-bytes = "256 KiB"
request-bytes = "1MiB"
response-bytes = "2MiB"
cache-bytes = "0B"
answer-cache-bytes = "1MiB"
host-memory = "32MiB"
queue = 0
queue-wait = "250ms"
upstream-total-bytes = "1MiB"
log-lines = 8
log-rate = 100
cache-put-bytes = "64KiB"
"#;

fn told(text: &str) -> String {
    Manifest::parse(text, "connector.toml").unwrap_err().to_string()
}

#[test]
fn a_good_manifest_says_everything_it_may() {
    let manifest = Manifest::parse(GOOD, "connector.toml").unwrap();
    assert_eq!(manifest.name.as_str(), "civil-status");
    assert_eq!(manifest.version.to_string(), "1.2.0-rc.1");
    assert_eq!(manifest.contract.to_string(), "lgsp:civil-status@1.0.0");
    assert_eq!(manifest.description, "Births, marriages and deaths.\n\tThêm: đăng ký hộ tịch.");
    let allowed = &manifest.upstreams["registry"].allow;
    assert_eq!((allowed[1].method, allowed[1].path.as_str()), (Method::Get, "/x/{id}"));
    let config = |name: &str| (manifest.config[name].kind, manifest.config[name].default.clone());
    assert_eq!(config("province-code"), (ConfigKind::Text, Some(ConfigValue::Text("56".to_owned()))));
    assert_eq!(config("retries"), (ConfigKind::Integer, Some(ConfigValue::Integer(i64::MIN))));
    assert_eq!(config("strict"), (ConfigKind::Flag, None));
    let texts = ConfigValue::Texts(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(config("lists"), (ConfigKind::List, Some(texts)));
    assert_eq!(manifest.keys["payment"].uses, [KeyUse::Digest, KeyUse::Mac]);
    assert_eq!(manifest.limits.deadline, Some(Millis(20_000)));
    assert_eq!(manifest.limits.upstream_bytes, Some(Bytes(256 << 10)));
    assert_eq!((manifest.limits.concurrency, manifest.limits.upstream_calls), (Some(512), Some(0)));
    assert_eq!(manifest.limits.cache_bytes, Some(Bytes(0)));
    assert_eq!(manifest.limits.cache_put_bytes, Some(Bytes(64 << 10)));
    assert_eq!(manifest.limits.host_memory, Some(Bytes(32 << 20)));
    assert_eq!(manifest.limits.upstream_total_bytes, Some(Bytes(1 << 20)));
    assert_eq!((manifest.limits.queue, manifest.limits.queue_wait), (Some(0), Some(Millis(250))));
    assert_eq!((manifest.limits.log_lines, manifest.limits.log_rate), (Some(8), Some(100)));
    assert_eq!(manifest.limits.answer_cache_bytes, Some(Bytes(1 << 20)));
}

#[test]
fn the_least_manifest_is_enough() {
    let least = GOOD.split("[upstreams.registry]").next().unwrap();
    let manifest = Manifest::parse(least, "connector.toml").unwrap();
    assert!(manifest.upstreams.is_empty() && manifest.config.is_empty() && manifest.keys.is_empty());
    assert_eq!(manifest.limits.deadline, None);
}

#[test]
fn every_fault_is_told_at_once() {
    let text = r#"
[connector]
name = "Civil_Status"
version = "1.0"
publisher = ""
description = "rings \u0007"
contract = "civil-status"
licence = "Apache-2.0"

[upstreams.Registry]
description = 5
allow = ["POST", "FETCH /a", "GET a", "GET /a/../b", "GET /a", "GET /a", 7]
address = "http://127.0.0.1"

[upstreams.other]
allow = []

[upstreams]
plain = "http://127.0.0.1"

[config.province]
description = "The province"
type = "string"

[config.retries]
description = "How often"
type = "integer"
default = "3"

[config.ratio]
description = "How much"
type = "text"
default = 0.5

[config.huge]
description = "Too much"
type = "integer"
default = 9223372036854775808

[keys.payment]
description = "The secret"
use = ["hash", "mac", "mac"]

[keys.other]
description = "Another"
use = "mac"

[limits]
memory = "1GiB"
cpu = "0s"
deadline = "10"
request-bytes = "4096"
concurrency = 1000
upstream-calls = -1
upstream-bytes = 4096
stack = "1MiB"

[extra]
"#;
    assert_snapshot!(told(text));
}

#[test]
fn every_limit_above_its_ceiling_is_told_with_the_ceiling() {
    let text = GOOD.split("[limits]").next().unwrap().to_owned()
        + r#"[limits]
memory = "65MiB"
host-memory = "1025MiB"
cpu = "11s"
deadline = "2min"
concurrency = 513
queue = 1025
queue-wait = "31s"
upstream-calls = 257
upstream-bytes = "33MiB"
upstream-total-bytes = "513MiB"
request-bytes = "33MiB"
response-bytes = "33MiB"
log-lines = 1001
log-rate = 100001
cache-bytes = "65MiB"
cache-put-bytes = "65MiB"
answer-cache-bytes = "65MiB"
"#;
    assert_snapshot!(told(&text));
}

#[test]
fn what_is_missing_is_told_with_what_to_write() {
    assert_snapshot!(told("[connector]\n\n[upstreams.a]\n\n[config.b]\n\n[keys.c]\n"));
    assert_snapshot!("an_empty_manifest", told(""));
}

#[test]
fn a_text_that_is_not_toml_is_told_with_its_lines() {
    assert_snapshot!(told("[connector]\nname = land\n\n[connector]\nversion = \"1.0.0\nname == 2\n"));
}

#[test]
fn tables_of_another_shape_are_told() {
    assert_snapshot!(told("connector = 1\nupstreams = [1]\nconfig = \"none\"\nkeys.a = true\nlimits = 5\n"));
}

#[test]
fn a_manifest_of_unreasonable_size_is_not_read() {
    let text = format!("{GOOD}\n# {}", "a".repeat(70_000));
    assert_eq!(told(&text), "connector.toml: it is larger than 64KiB");
    let faults = (0..5_000).map(|number| format!("a{number} = 1\n")).collect::<String>();
    let error = Manifest::parse(&faults, "connector.toml").unwrap_err();
    assert_eq!(error.faults.len(), 100);
}
