//! Attempts to reach what was not given: addresses, paths, methods, header fields, keys, configuration, the cache of
//! another service, the lines of the log.

use serde_json::json;

use super::{ROOMY, attack, nothing};
use crate::assemble::{DATA, RESULT, Wat, import};
use crate::{End, Hostile, KEY, Limits, UPSTREAM, Upstream};

/// A request to an upstream.
struct Request<'a> {
    upstream: &'a str,
    method: u32,
    path: &'a str,
    parameters: &'a [(&'a str, &'a str)],
    query: &'a [(&'a str, &'a str)],
    headers: &'a [(&'a str, &'a str)],
}

/// One that may be made.
const ALLOWED: Request<'static> = Request {
    upstream: UPSTREAM,
    method: 0,
    path: "/items/{id}",
    parameters: &[("id", "1")],
    query: &[],
    headers: &[],
};

/// Makes requests one after the other. Each that is answered, or fails in any way but `denied`, is gained.
fn requests(requests: &[Request<'_>]) -> Wat {
    let mut wat = Wat::new();
    let mut numbers = Vec::new();
    for request in requests {
        let (upstream, upstream_length) = wat.put(request.upstream.as_bytes());
        let (path, path_length) = wat.put(request.path.as_bytes());
        let (parameters, parameters_length) = pairs(&mut wat, request.parameters);
        let (query, query_length) = pairs(&mut wat, request.query);
        let (headers, headers_length) = pairs(&mut wat, request.headers);
        numbers.extend([
            upstream,
            upstream_length,
            request.method,
            path,
            path_length,
            parameters,
            parameters_length,
            query,
            query_length,
            headers,
            headers_length,
            0,
            0,
            0,
        ]);
    }
    let table = wat.put_numbers(&numbers);
    let arguments: String = (0..14).map(|n| format!("(i32.load offset={} (local.get $i))", n * 4)).collect();
    let made = Wat::attack(format!(
        "(local.set $i (i32.const {table}))
         (loop $l
           (call $call {arguments} (i32.const {RESULT}))
           ;; `result`: 1 is an error; of the errors 0 is `denied`.
           (if (i32.or (i32.ne (i32.load8_u (i32.const {RESULT})) (i32.const 1)) (i32.load8_u offset=8 (i32.const {RESULT})))
             (then (local.set $n (i32.add (local.get $n) (i32.const 1)))))
           (local.set $i (i32.add (local.get $i) (i32.const 56)))
           (br_if $l (i32.lt_u (local.get $i) (i32.const {}))))
         (call $gained (local.get $n))",
        table as usize + 56 * requests.len()
    ))
    .imports(&[import::CALL]);
    wat.adopt(made)
}

fn pairs(wat: &mut Wat, pairs: &[(&str, &str)]) -> (u32, u32) {
    let mut numbers = Vec::new();
    for (name, value) in pairs {
        let (name, name_length) = wat.put(name.as_bytes());
        let (value, value_length) = wat.put(value.as_bytes());
        numbers.extend([name, name_length, value, value_length]);
    }
    (wat.put_numbers(&numbers), pairs.len() as u32)
}

/// Calls of an upstream count, also refused ones.
const MANY_CALLS: Limits = Limits { upstream_calls: 256, ..ROOMY };

fn refused(name: &'static str, attempts: &'static str, made: &[Request<'_>]) -> Hostile {
    attack(name, attempts, requests(made), nothing()).upstream(Upstream::Forbidden).limits(MANY_CALLS)
}

pub(super) fn all() -> Vec<Hostile> {
    let upstreams: Vec<Request<'_>> =
        ADDRESSES.iter().map(|upstream| Request { upstream, ..ALLOWED }).collect();
    let paths: Vec<Request<'_>> = PATHS.iter().map(|path| Request { path, ..ALLOWED }).collect();
    let parameters: Vec<[(&str, &str); 1]> = SEGMENTS.iter().map(|value| [("id", *value)]).collect();
    let parameters: Vec<Request<'_>> =
        parameters.iter().map(|parameters| Request { parameters, ..ALLOWED }).collect();
    let headers: Vec<[(&str, &str); 1]> = HEADERS.iter().map(|header| [*header]).collect();
    let headers: Vec<Request<'_>> = headers.iter().map(|headers| Request { headers, ..ALLOWED }).collect();
    vec![
        refused("reach-addresses", "Names addresses where a handle belongs.", &upstreams),
        refused("reach-paths", "Asks for paths that are not in its manifest, in many spellings.", &paths),
        refused("reach-segments", "Gives values for a path's parameter that lead out of it.", &parameters),
        refused(
            "reach-methods",
            "Uses methods that its manifest does not allow.",
            &[1, 2, 3, 4, 5].map(|method| Request { method, ..ALLOWED }),
        ),
        refused(
            "reach-parameters",
            "Leaves parameters of a path out, repeats them, and invents some.",
            &[
                Request { parameters: &[], ..ALLOWED },
                Request { parameters: &[("id", "1"), ("id", "../2")], ..ALLOWED },
                Request { parameters: &[("id", "1"), ("other", "2")], ..ALLOWED },
                Request { parameters: &[("ID", "1")], ..ALLOWED },
                Request { parameters: &[("{id}", "1")], ..ALLOWED },
            ],
        ),
        refused(
            "smuggle-headers",
            "Sets header fields that are the host's, and writes fields into values.",
            &headers,
        ),
        keys(),
        config(),
        attack(
            "cache-keeper",
            "Leaves something in its cache for another service to find.",
            cache_keeper(),
            End::Answer(json!("kept")),
        ),
        attack(
            "cache-thief",
            "Looks for what another service left in its cache, under many names.",
            cache_thief(),
            nothing(),
        ),
        attack(
            "log-forger",
            "Writes lines into the log that look like lines of the host's, move the cursor, and turn the direction.",
            log_forger(),
            nothing(),
        ),
        attack(
            "sleeper",
            "Asks an upstream that never answers, for as long as there is time.",
            sleeper(),
            End::Problem("deadline-exceeded"),
        )
        .upstream(Upstream::Silent)
        .limits(Limits { deadline: 1_000, ..MANY_CALLS }),
    ]
}

const ADDRESSES: &[&str] = &[
    "",
    "127.0.0.1",
    "localhost",
    "http://127.0.0.1:8081/admin",
    "https://shelf",
    "//shelf",
    "shelf:80",
    "shelf/",
    "shelf ",
    " shelf",
    "SHELF",
    "shelf\0",
    "shelf\n",
    "shelf.",
    "../shelf",
    "shelf/../other",
    "user@shelf",
    "0x7f000001",
    "2130706433",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "169.254.169.254",
    "metadata",
    "unix:/run/truc.sock",
    "file:///etc/passwd",
    "ѕhelf",
    "shelf#",
    "shelf?x",
    "shelf%00",
    "shelf\r\nhost: other",
];

const PATHS: &[&str] = &[
    "",
    "/",
    "*",
    "/items",
    "/items/",
    "/items/1",
    "/items/{id}/",
    "/items/{id}/..",
    "/items/{id}/../../admin",
    "/items/../admin",
    "/items/{id}?admin=1",
    "/items/{id}#x",
    "//items/{id}",
    "/items//{id}",
    "/./items/{id}",
    "/Items/{id}",
    "/items/{ID}",
    "/items/{id} HTTP/1.1\r\nx: y",
    "/items/{id}\0",
    "items/{id}",
    "http://127.0.0.1/items/{id}",
    "//127.0.0.1/items/{id}",
    "/%69tems/{id}",
    "/items/%7bid%7d",
    "/items\\{id}",
    "/items/{id};x",
    "/admin",
    "/admin/../items/{id}",
    "\u{ff0f}items/{id}",
];

const SEGMENTS: &[&str] = &["", ".", "..", "%2e%2e", "%2E%2e", ".%2e", "%2e"];

const HEADERS: &[(&str, &str)] = &[
    ("host", "other"),
    ("Host", "other"),
    ("HOST", "other"),
    (":authority", "other"),
    (":path", "/admin"),
    (":method", "DELETE"),
    ("content-length", "0"),
    ("Content-Length", "5"),
    ("content-length ", "5"),
    (" content-length", "5"),
    ("transfer-encoding", "chunked"),
    ("Transfer-Encoding", "identity, chunked"),
    ("transfer-encoding\t", "chunked"),
    ("connection", "close"),
    ("connection", "host"),
    ("keep-alive", "timeout=9"),
    ("proxy-connection", "close"),
    ("proxy-authorization", "Basic eA=="),
    ("upgrade", "h2c"),
    ("te", "trailers"),
    ("trailer", "x"),
    ("expect", "100-continue"),
    ("authorization", "Bearer x"),
    ("Authorization", "x"),
    ("cookie", "a=b"),
    ("set-cookie", "a=b"),
    ("forwarded", "for=127.0.0.1"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-host", "other"),
    ("x-forwarded-proto", "https"),
    ("x", "a\r\nhost: other"),
    ("x", "a\nb: c"),
    ("x", "a\rb"),
    ("x", "a\0b"),
    ("x\r\nhost", "other"),
    ("x:y", "z"),
    ("", "x"),
    ("x y", "z"),
    ("x(", "z"),
    ("tiêu-đề", "z"),
    ("x\u{b}", "z"),
];

/// Uses the key it has for what it may not, and keys it does not have.
fn keys() -> Hostile {
    const NAMES: &[&str] = &[
        "",
        "other",
        "../seal",
        "seal ",
        "SEAL",
        "seal\0",
        "/run/secrets/seal",
        "admin.key",
        "artifact.key",
    ];
    let mut wat = Wat::new();
    let mut code = String::new();
    let mut uses: Vec<(&str, &str)> = NAMES.iter().map(|name| ("$mac", *name)).collect();
    uses.extend([("$sign", KEY), ("$digest", KEY)]);
    for (function, name) in uses {
        let (name, length) = wat.put(name.as_bytes());
        code += &format!(
            "(call {function} (i32.const {name}) (i32.const {length}) (i32.const 0) (i32.const 8) (i32.const {RESULT}))
             (if (i32.ne (i32.load8_u (i32.const {RESULT})) (i32.const 1))
               (then (local.set $n (i32.add (local.get $n) (i32.const 1)))))"
        );
    }
    let made = Wat::attack(code + "(call $gained (local.get $n))").imports(&[
        import::MAC,
        import::SIGN,
        import::DIGEST,
    ]);
    attack(
        "reach-keys",
        "Uses keys that it does not have, and its own for what it may not.",
        wat.adopt(made),
        nothing(),
    )
    .key()
}

/// Asks for values that no configuration of its own has.
fn config() -> Hostile {
    const NAMES: &[&str] = &[
        "",
        "PATH",
        "HOME",
        "TRUC_ADMIN_KEY",
        "admin.key",
        "key-file",
        "../truc.toml",
        "/etc/passwd",
        "data-dir",
        "secrets-dir",
        "bindings.shelf.address",
        "credential",
        "shelf",
    ];
    let mut wat = Wat::new();
    let mut code = String::new();
    for name in NAMES {
        let (name, length) = wat.put(name.as_bytes());
        code += &format!(
            "(call $config (i32.const {name}) (i32.const {length}) (i32.const {RESULT}))
             (local.set $n (i32.add (local.get $n) (i32.load8_u (i32.const {RESULT}))))"
        );
    }
    let made = Wat::attack(code + "(call $gained (local.get $n))").imports(&[import::CONFIG]);
    attack(
        "reach-configuration",
        "Asks for values of the host's configuration, environment and files.",
        wat.adopt(made),
        nothing(),
    )
}

/// The name under which the keeper leaves something.
const KEPT: &str = "kept-for-the-thief";

fn cache_keeper() -> Wat {
    let mut wat = Wat::attack(format!(
        "(call $cache-put (i32.const {DATA}) (i32.const {}) (i32.const {DATA}) (i32.const 8) (i32.const 86400000) (i32.const {RESULT}))
         (call $says (i32.const {DATA}) (i32.const 4))",
        KEPT.len()
    ))
    .imports(&[import::CACHE_PUT]);
    wat.put(KEPT.as_bytes());
    wat
}

fn cache_thief() -> Wat {
    let mut wat = Wat::new();
    let mut code = String::new();
    for before in [
        "",
        "cache-keeper/",
        "cache-keeper:",
        "cache-keeper\0",
        "/cache-keeper/",
        "../cache-keeper/",
        "../",
        "*",
        "1/",
    ] {
        let (name, length) = wat.put(format!("{before}{KEPT}").as_bytes());
        code += &format!(
            "(call $cache-get (i32.const {name}) (i32.const {length}) (i32.const {RESULT}))
             (local.set $n (i32.add (local.get $n) (i32.load8_u (i32.const {RESULT}))))"
        );
    }
    wat.adopt(Wat::attack(code + "(call $gained (local.get $n))").imports(&[import::CACHE_GET]))
}

/// What the forger's lines have in common, so that they are found in the log.
const FORGED: &str = "forged-by-a-connector";

fn log_forger() -> Wat {
    let lines = [
        format!("{FORGED}\n{{\"level\":\"ERROR\",\"message\":\"{FORGED}\"}}"),
        format!("{FORGED}\r\n2026-01-01T00:00:00Z ERROR truc: {FORGED}"),
        format!("{FORGED}\",\"level\":\"ERROR\",\"service.name\":\"other"),
        format!("{FORGED}\\\",\\\"level\\\":\\\"ERROR"),
        format!("{FORGED}\u{1b}[2J\u{1b}[1;1H\u{1b}]0;title\u{7}"),
        format!("{FORGED}\u{9b}31m\u{85}\u{2028}\u{2029}\u{b}\u{c}"),
        format!("{FORGED}\u{202e}gnisrever\u{2066}\u{2069}\u{200f}\u{61c}"),
        format!("{FORGED}\0after"),
        format!("{FORGED}\u{8}\u{8}\u{8}\u{7f}"),
        "x".repeat(1020) + "\n" + FORGED,
    ];
    let mut wat = Wat::new();
    let mut code = String::new();
    for (number, line) in lines.iter().enumerate() {
        let (line, length) = wat.put(line.as_bytes());
        code += &format!("(call $log (i32.const {}) (i32.const {line}) (i32.const {length}))", number % 4);
    }
    wat.adopt(Wat::attack(code + "(call $nothing)").imports(&[import::LOG]))
}

fn sleeper() -> Wat {
    // Whatever the upstream call ends with, another one is made.
    requests(&[ALLOWED]).map_attack(|once| format!("(loop $again (drop {once}) (br $again)) unreachable"))
}
