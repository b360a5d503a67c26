//! Targets that nobody may reach, in every spelling that some program reads as an address, a host, another path or
//! another request; and the fields of a request that a connector controls, to put them into. The suite of attacks
//! (`cargo xtask attack`) puts the same ones through a whole host.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// A field of a request that a connector controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Handle,
    Template,
    TemplateEnd,
    ParameterName,
    ParameterValue,
    QueryName,
    QueryValue,
    HeaderName,
    HeaderValue,
    RoutingHeader,
    Body,
}

/// A request as data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Aim {
    pub(crate) handle: String,
    /// In capitals.
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
}

/// Header fields by which some programs decide where a request goes.
const ROUTING: &[&str] = &[
    "host",
    "Host",
    "x-forwarded-host",
    "x-forwarded-for",
    "x_forwarded_host",
    "forwarded",
    "x-original-url",
    "x-rewrite-url",
    "x-host",
    "x-real-ip",
    "via",
    "proxy-connection",
    "transfer-encoding",
    "content-length",
    "connection",
    "upgrade",
    "referer",
    "x-callback-url",
];

impl Field {
    pub(crate) const ALL: &[Field] = &[
        Field::Handle,
        Field::Template,
        Field::TemplateEnd,
        Field::ParameterName,
        Field::ParameterValue,
        Field::QueryName,
        Field::QueryValue,
        Field::HeaderName,
        Field::HeaderValue,
        Field::RoutingHeader,
        Field::Body,
    ];

    /// A request that is allowed but for the spelling in this field: `GET /items/{id}` or `POST /items` of `handle`.
    /// `turn` chooses where there is a choice.
    pub(crate) fn aim(self, handle: &str, spelling: &str, turn: usize) -> Aim {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut aim = Aim {
            handle: handle.to_owned(),
            method: "GET",
            path: "/items/{id}".to_owned(),
            parameters: vec![pair("id", "1")],
            ..Aim::default()
        };
        match self {
            Field::Handle => spelling.clone_into(&mut aim.handle),
            Field::Template => spelling.clone_into(&mut aim.path),
            Field::TemplateEnd => aim.path.push_str(spelling),
            Field::ParameterName => aim.parameters = vec![pair(spelling, "1")],
            Field::ParameterValue => aim.parameters = vec![pair("id", spelling)],
            Field::QueryName => aim.query.push(pair(spelling, "1")),
            Field::QueryValue => aim.query.push(pair("q", spelling)),
            Field::HeaderName => aim.headers.push(pair(spelling, "1")),
            Field::HeaderValue => aim.headers.push(pair("x-target", spelling)),
            Field::RoutingHeader => {
                let name = ROUTING.get(turn % ROUTING.len()).copied().unwrap_or_default();
                aim.headers.push(pair(name, spelling));
            }
            Field::Body => {
                aim.method = "POST";
                "/items".clone_into(&mut aim.path);
                aim.parameters.clear();
                aim.body = Some(spelling.to_owned());
            }
        }
        aim
    }
}

/// Addresses of this machine, of the network that it is in, and of what clouds tell their machines.
const TARGETS: &[Ipv4Addr] = &[
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(127, 0, 0, 2),
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(192, 168, 1, 1),
];

/// Every spelling once, in a fixed order. `port` is where canaries listen.
pub(crate) fn spellings(port: u16) -> Vec<String> {
    let mut all = BTreeSet::new();
    for host in hosts() {
        all.extend(shapes(&host, port));
    }
    all.extend(PATHS.iter().chain(REQUESTS).map(|text| (*text).to_owned()));
    all.into_iter().collect()
}

/// The targets as hosts.
fn hosts() -> Vec<String> {
    let mut hosts: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    for ip in TARGETS {
        hosts.extend(numbers(*ip));
        hosts.extend(inside_v6(*ip));
        hosts.extend(unicode(&ip.to_string()));
    }
    hosts
}

const NAMES: &[&str] = &[
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost.localdomain",
    "ip6-localhost",
    "ｌｏｃａｌｈｏｓｔ",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "local\u{ad}host",
    "loc\u{200d}alhost",
    "lоcalhost",
    "127.0.0.1.nip.io",
    "metadata.google.internal",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::1%25lo]",
    "[::1%lo]",
    "[fe80::1%25eth0]",
    "[fd00:ec2::254]",
    "0",
    "0.0.0.0",
    "127.1",
    "xn--lcalhost-xxa",
];

/// An IPv4 address in the ways that C libraries and browsers read one.
fn numbers(ip: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = ip.octets();
    let whole = u32::from(ip);
    let low16 = u32::from(c) << 8 | u32::from(d);
    let low24 = u32::from(b) << 16 | low16;
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{a}.{b}.{c}.{d}."),
        format!("{whole}"),
        format!("{whole:#x}"),
        format!("{whole:#X}"),
        format!("0{whole:o}"),
        format!("{}", u64::from(whole) + (1 << 32)),
        format!("0x00000000{whole:08x}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0000{a:o}.0000{b:o}.0000{c:o}.0000{d:o}"),
        format!("{a:03}.{b:03}.{c:03}.{d:03}"),
        format!("{a:#x}.{b}.0{c:o}.{d}"),
        format!("{a}.{low24}"),
        format!("{a:#x}.{low24:#x}"),
        format!("{a}.{b}.{low16}"),
        format!("0{a:o}.{b}.{low16:#x}"),
        format!(
            "{}.{}.{}.{}",
            u32::from(a) + 256,
            u32::from(b) + 256,
            u32::from(c) + 256,
            u32::from(d) + 256
        ),
        format!("{a}%2e{b}%2e{c}%2e{d}"),
        format!("{a}%252e{b}%252e{c}%252e{d}"),
        format!("{a}.{b}.{c}.{d}%00.example"),
        format!("{a}.{b}.{c}.{d}\0.example"),
        format!("{a}.{b}.{c}.{d}\t"),
        format!(" {a}.{b}.{c}.{d}"),
        format!("+{a}.{b}.{c}.{d}"),
    ]
}

/// An IPv4 address inside IPv6 ones: mapped, compatible, translated (RFC 6052, RFC 8215), 6to4, Teredo, ISATAP.
fn inside_v6(ip: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = ip.octets();
    let (high, low) = (u32::from(a) << 8 | u32::from(b), u32::from(c) << 8 | u32::from(d));
    vec![
        format!("[::ffff:{ip}]"),
        format!("[::FFFF:{high:x}:{low:x}]"),
        format!("[0:0:0:0:0:ffff:{high:04x}:{low:04x}]"),
        format!("[::{ip}]"),
        format!("[::{high:x}:{low:x}]"),
        format!("[::ffff:0:{ip}]"),
        format!("[64:ff9b::{ip}]"),
        format!("[64:ff9b:1::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::]"),
        format!("[2001:0:{high:x}:{low:x}::{:x}:{:x}]", high ^ 0xffff, low ^ 0xffff),
        format!("[fe80::5efe:{ip}]"),
        format!("[::ffff:{ip}%25lo]"),
        format!("::ffff:{ip}"),
    ]
}

/// Text in characters that become those of the text when they are normalised, or look like them.
fn unicode(text: &str) -> Vec<String> {
    let digits = |zero: u32| -> String {
        let other = |c: char| c.to_digit(10).and_then(|digit| char::from_u32(zero + digit)).unwrap_or(c);
        text.chars().map(other).collect()
    };
    vec![
        text.replace('.', "。"),
        text.replace('.', "．"),
        text.replace('.', "｡"),
        text.replace('.', "․"),
        digits(0xff10),
        digits(0x0660),
        digits(0x1d7ce),
        digits(0x1d7f6),
        format!("{text}\u{200b}"),
        format!("\u{202e}{text}"),
    ]
}

/// A host in the places where some program looks for one.
fn shapes(host: &str, port: u16) -> Vec<String> {
    let encoded = host.bytes().fold(String::new(), |mut text, byte| {
        let _never_fails = write!(text, "%{byte:02x}");
        text
    });
    vec![
        format!("{host}:{port}"),
        format!("http://{host}:{port}/"),
        format!("HTTP://{host}:{port}"),
        format!("//{host}:{port}/"),
        format!("/\\{host}:{port}/"),
        format!("\\\\{host}:{port}\\"),
        format!("http:\\\\{host}:{port}\\"),
        format!("http:/{host}:{port}/"),
        format!("http://user:pass@{host}:{port}/"),
        format!("http://registry.example@{host}:{port}/"),
        format!("http://{host}:{port}@registry.example/"),
        format!("http://registry.example\\@{host}:{port}/"),
        format!("http://{encoded}:{port}/"),
        format!("@{host}:{port}"),
        format!("#@{host}:{port}/"),
        format!("?@{host}:{port}/"),
        format!("../..//{host}:{port}/"),
        format!("%2e%2e%2f%2f{host}:{port}%2f"),
        format!("x\r\nHost: {host}:{port}"),
        format!("x%0d%0aHost:%20{host}:{port}"),
        format!("x HTTP/1.1\r\nHost: {host}:{port}\r\n\r\nGET /"),
        format!("gopher://{host}:{port}/_GET%20/"),
        format!("file://{host}/etc/passwd"),
    ]
}

/// Other paths of the right host.
const PATHS: &[&str] = &[
    "",
    ".",
    "..",
    "/",
    "//",
    "../",
    "/..",
    "/../admin",
    "../../admin",
    "..\\admin",
    "..%2fadmin",
    "..%5cadmin",
    "%2e",
    "%2e%2e",
    "%2E%2E",
    ".%2e",
    "%2e.",
    "%2e%2e/admin",
    "%2e%2e%2fadmin",
    "%252e%252e%252fadmin",
    "%25252e%25252e",
    "..;/admin",
    "..;x=1/admin",
    ";/../admin",
    "%3b/..",
    "..%00/",
    "..%0d/",
    "..%ff",
    "....//",
    "..././",
    "%c0%ae%c0%ae%c0%af",
    "%e0%80%ae",
    "%f0%80%80%ae",
    "%uff0e%uff0e",
    "．．／admin",
    "․․/admin",
    "‥/admin",
    "。。/admin",
    "∕admin",
    "⁄admin",
    "＼admin",
    "/admin",
    "admin?x=1",
    "x#y",
    "x?y",
    "x&y=z",
    "x;y=z",
    "*",
    "{id}",
    "{id}/../admin",
    "/items/{id}?x",
    "/items/{id}#x",
    "/items/{id}/",
    "/items//{id}",
    "/ITEMS/{id}",
    "/items/%7bid%7d",
    "/items/1",
    "\u{feff}",
    "\u{0}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    " ",
    "\t",
    "%",
    "%2",
    "%zz",
];

/// Other requests, and other ends of this one.
const REQUESTS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "x\r\n y",
    "x\n\ty",
    "x\r\nContent-Length: 0",
    "x\r\nTransfer-Encoding: chunked",
    "x\nTransfer-Encoding:chunked",
    "chunked",
    "identity, chunked",
    "\x0bchunked",
    "0",
    "+5",
    "5, 5",
    "0x5",
    "5\r\n",
    "close",
    "keep-alive, host",
    "upgrade, http2-settings",
    "h2c",
    "100-continue",
    "trailers",
    "0\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n",
    "x\r\nContent-Length: 44\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n",
    "x HTTP/1.0",
    "x HTTP/1.1",
    "x HTTP/0.9\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\u{10a}\u{10d}",
    "嘊嘍",
    "%E5%98%8A%E5%98%8D",
    "%u000d%u000a",
    "x\u{b}y",
    "x\u{c}y",
    "x\u{1c}y",
    "x: y",
    "x : y",
    " x",
    "x ",
    ":authority",
    ":path",
    "x(y)",
    "x,y",
    "x\"y",
    "host ",
    "ho\u{17f}t",
    "content\u{2010}length",
    "Content_Length",
    "transfer_encoding",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_many_and_each_once() {
        let all = spellings(9);
        assert!(all.len() >= 500, "{}", all.len());
        assert!(all.len() * Field::ALL.len() >= 10_000);
        let mut once = all.clone();
        once.dedup();
        assert_eq!(once.len(), all.len());
    }
}
