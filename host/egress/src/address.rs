//! Addresses of upstreams, as operators write them: scheme, host, port and base path.
//!
//! Strict on purpose. What different programs read differently (numbers as addresses, user information, escapes, dot
//! segments) is refused, so that the host that was checked is the host that is called.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::uri::Scheme;
use serde::{Deserialize, Serialize};

/// Where an upstream is: `http://host:port/base` or `https://…`. Port and base may be left out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    scheme: Scheme,
    host: Host,
    port: u16,
    base: String,
}

/// The host part of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A DNS name in lower case, to be resolved at each connection.
    Name(String),
    /// The address itself.
    Ip(IpAddr),
}

/// A text that is not an upstream's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address: {reason}")]
pub struct AddressError {
    text: String,
    reason: &'static str,
}

impl Address {
    /// Whether calls are encrypted.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path that stands before every path template: empty, or `/` and segments without a `/` at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The value of the `Host` header: the port only where it is not the scheme's own.
    pub(crate) fn authority(&self) -> String {
        match self.port == default_port(&self.scheme) {
            true => self.host.to_string(),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

fn default_port(scheme: &Scheme) -> u16 {
    if *scheme == Scheme::HTTPS { 443 } else { 80 }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).map_err(|reason| AddressError { text: text.chars().take(200).collect(), reason })
    }
}

fn parse(text: &str) -> Result<Address, &'static str> {
    let (scheme, rest) = match text.split_once("://") {
        Some(("http", rest)) => (Scheme::HTTP, rest),
        Some(("https", rest)) => (Scheme::HTTPS, rest),
        _ => return Err("begin it with `http://` or `https://`"),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("leave user and password out; set a `credential` instead");
    }
    if rest.contains(['?', '#']) {
        return Err("leave query and fragment out; connectors give the query of each call");
    }
    let (host, port) = split_port(authority)?;
    let port = match port {
        None => default_port(&scheme),
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|port| *port != 0).ok_or("the port is a number from 1 to 65535")?
        }
        Some(_) => return Err("the port is a number from 1 to 65535"),
    };
    Ok(Address { scheme, host: parse_host(host)?, port, base: parse_base(path)? })
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or("close the IPv6 address with `]`")?;
        let (host, rest) = authority.split_at(end + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err("only a port may follow the IPv6 address"),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err("put an IPv6 address into brackets: `[fd00::1]`"),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn parse_host(host: &str) -> Result<Host, &'static str> {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let ip: Ipv6Addr = inner.parse().map_err(|_| "between the brackets stands an IPv6 address")?;
        if ip.to_ipv4_mapped().is_some() {
            return Err("write an IPv4 address as four numbers, not inside an IPv6 address");
        }
        return dialable(IpAddr::V6(ip));
    }
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.is_empty() || host.len() > 253 || !host.split('.').all(label_fits) {
        return Err(
            "the host is a DNS name of ASCII letters, digits and hyphens, without a dot at the end, \
                    or an IP address",
        );
    }
    // Resolvers read `10.1`, `0x7f.1` and `2130706433` as IPv4 addresses: a name whose last label is a number is one.
    let last = host.rsplit('.').next().unwrap_or(host);
    let numeric = last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").or(last.strip_prefix("0X")).is_some_and(is_hex);
    if numeric {
        let ip: Ipv4Addr =
            host.parse().map_err(|_| "write an IPv4 address as four decimal numbers: `10.20.0.7`")?;
        return dialable(IpAddr::V4(ip));
    }
    Ok(Host::Name(host.to_ascii_lowercase()))
}

fn is_hex(digits: &str) -> bool {
    digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn dialable(ip: IpAddr) -> Result<Host, &'static str> {
    if is_dialable(ip) {
        Ok(Host::Ip(ip))
    } else {
        Err("an upstream cannot be at an unspecified, multicast or broadcast address")
    }
}

/// Whether an address can belong to one machine. The system reads the unspecified address as this machine, so it is
/// never dialled, whatever the ranges say.
pub(crate) fn is_dialable(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !(ip.is_unspecified() || ip.is_multicast() || broadcast)
}

fn parse_base(path: &str) -> Result<String, &'static str> {
    let base = path.strip_suffix('/').unwrap_or(path);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:@!$'*+,=".contains(&b);
    let segment_fits = |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(plain);
    if base.is_empty() || base.split('/').skip(1).all(segment_fits) {
        Ok(base.to_owned())
    } else {
        Err("the base path is made of plain segments: no `//`, no `.` or `..`, nothing percent-encoded")
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority(), self.base)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_in_one_form() {
        for (text, canonical, authority) in [
            ("http://registry.example", "http://registry.example", "registry.example"),
            ("http://Registry.Example:80/", "http://registry.example", "registry.example"),
            ("https://a.b:8443/v1/x/", "https://a.b:8443/v1/x", "a.b:8443"),
            ("https://10.20.0.7", "https://10.20.0.7", "10.20.0.7"),
            ("http://[fd00::1]:81", "http://[fd00::1]:81", "[fd00::1]:81"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), canonical);
            assert_eq!(address.authority(), authority);
        }
    }

    #[test]
    fn what_programs_read_differently_is_refused() {
        for text in [
            "",
            "registry",
            "ftp://a",
            "HTTP://a",
            "http://",
            "http://:80",
            "http://a:",
            "http://a:0",
            "http://a:65536",
            "http://a:+80",
            "http://a:80:80",
            "http://user@a",
            "http://user:pw@a",
            "http://a?x",
            "http://a#x",
            "http://a/?x",
            "http://a b",
            "http://a\r\nx",
            "http://a\\b",
            "http://a%2eb",
            "http://a.",
            "http://-a",
            "http://đất.vn",
            "http://127.1",
            "http://2130706433",
            "http://0x7f.0.0.1",
            "http://0x7f000001",
            "http://0177.0.0.1",
            "http://1.2.3.4.5",
            "http://256.1.1.1",
            "http://[::1",
            "http://[::1]x",
            "http://[::ffff:127.0.0.1]",
            "http://[fe80::1%25eth0]",
            "http://::1",
            "http://0.0.0.0",
            "http://[::]",
            "http://224.0.0.1",
            "http://255.255.255.255",
            "http://a//b",
            "http://a/../b",
            "http://a/./b",
            "http://a/%2e",
            "http://a/b;c",
            "http://a。b",
            "http://a/b//",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
