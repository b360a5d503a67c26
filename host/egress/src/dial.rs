//! Making a connection: look the name up, check every address, connect to a checked one.
//!
//! The address that was checked is the address that is connected to; nothing is looked up a second time, so a name
//! server that changes its mind in between (DNS rebinding) changes nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use crate::address::{Host, is_dialable};
use crate::tls::{Identity, Tls, Trust, UnknownKey, is_distrust, unknown_key};
use crate::{BindFault, Binding, Resolver};

/// How many of a name's addresses are tried.
const MOST_TRIES: usize = 4;

/// Everything needed to connect to one upstream.
pub(crate) struct Dialer {
    host: Host,
    port: u16,
    ranges: Vec<IpNet>,
    resolver: Arc<dyn Resolver>,
    tls: Option<Tls>,
}

/// A byte stream to an upstream.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why there is no connection. The texts are for the operator's log: they name addresses.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("the name could not be resolved: {0}")]
    Unresolved(io::Error),
    #[error("the name resolves to {0}, which is outside `allowAddresses`")]
    Forbidden(IpAddr),
    #[error("connecting failed: {0}")]
    Refused(io::Error),
    #[error("the TLS handshake failed: {}", reason(.0))]
    Handshake(io::Error),
}

fn reason(error: &io::Error) -> String {
    unknown_key(error).map_or_else(|| error.to_string(), UnknownKey::to_string)
}

impl DialError {
    /// Whether the same may go well the next time.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            DialError::Forbidden(_) => false,
            DialError::Unresolved(_) | DialError::Refused(_) => true,
            DialError::Handshake(error) => !is_distrust(error),
        }
    }

    /// Whether the upstream presented a key that the operator did not pin.
    pub(crate) fn is_unknown_key(&self) -> bool {
        matches!(self, DialError::Handshake(error) if unknown_key(error).is_some())
    }
}

impl Dialer {
    pub(crate) fn new(
        binding: &Binding,
        identity: Option<Identity>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, BindFault> {
        let address = &binding.address;
        let host = address.host().clone();
        let mut ranges = binding.allow_addresses.clone();
        if let Some(range) = ranges.iter().find(|range| is_mapped(range)) {
            return Err(BindFault::MappedRange { range: *range });
        }
        match &host {
            Host::Name(name) if ranges.is_empty() => return Err(BindFault::NoRanges { host: name.clone() }),
            Host::Name(_) => {}
            Host::Ip(ip) if ranges.is_empty() => ranges.push(IpNet::from(*ip)),
            Host::Ip(ip) if is_allowed(&ranges, *ip) => {}
            Host::Ip(ip) => return Err(BindFault::OutsideRanges { ip: *ip }),
        }
        let trust = Trust { ca: binding.ca.as_deref(), pins: &binding.pins };
        let tls = match (address.is_https(), &trust) {
            (true, trust) => Some(Tls::new(&host, trust, identity)?),
            (false, Trust { ca: Some(_), .. }) => return Err(BindFault::CaWithoutTls),
            (false, _) if identity.is_some() => return Err(BindFault::ClientCertificateWithoutTls),
            (false, Trust { pins: [], .. }) => None,
            (false, _) => return Err(BindFault::PinsWithoutTls),
        };
        Ok(Self { host, port: address.port(), ranges, resolver, tls })
    }

    /// Connects. `until` is when the caller stops waiting: it is shared out among the addresses, so that a dead one
    /// leaves time for the next.
    pub(crate) async fn dial(&self, until: Instant) -> Result<Stream, DialError> {
        let stream = match &self.host {
            Host::Ip(ip) => self.connect(*ip).await.map_err(DialError::Refused)?,
            Host::Name(name) => self.connect_any(self.resolve(name).await?, until).await?,
        };
        // Requests are written whole; waiting to fill a packet would only delay them.
        stream.set_nodelay(true).map_err(DialError::Refused)?;
        match &self.tls {
            None => Ok(Stream::Plain(stream)),
            Some(tls) => {
                let stream = tls.connector.connect(tls.server.clone(), stream).await;
                Ok(Stream::Tls(Box::new(stream.map_err(DialError::Handshake)?)))
            }
        }
    }

    /// The name's addresses in their plain form, if all of them are allowed.
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, DialError> {
        let mut addresses = self.resolver.resolve(name).await.map_err(DialError::Unresolved)?;
        for ip in &mut addresses {
            *ip = ip.to_canonical();
            if !is_allowed(&self.ranges, *ip) {
                return Err(DialError::Forbidden(*ip));
            }
        }
        Ok(addresses)
    }

    async fn connect(&self, ip: IpAddr) -> io::Result<TcpStream> {
        TcpStream::connect(SocketAddr::new(ip, self.port)).await
    }

    async fn connect_any(&self, addresses: Vec<IpAddr>, until: Instant) -> Result<TcpStream, DialError> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        let mut left = u32::try_from(addresses.len().min(MOST_TRIES)).unwrap_or(1);
        for ip in addresses.into_iter().take(MOST_TRIES) {
            let share = until.saturating_duration_since(Instant::now()) / left;
            last = match tokio::time::timeout(share, self.connect(ip)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => error,
                Err(_) => io::ErrorKind::TimedOut.into(),
            };
            left = left.saturating_sub(1).max(1);
        }
        Err(DialError::Refused(last))
    }
}

fn is_allowed(ranges: &[IpNet], ip: IpAddr) -> bool {
    is_dialable(ip) && ranges.iter().any(|range| range.contains(&ip))
}

/// Whether a range lies within `::ffff:0:0/96`.
fn is_mapped(range: &IpNet) -> bool {
    matches!(range, IpNet::V6(range) if range.prefix_len() >= 96 && range.network().to_ipv4_mapped().is_some())
}
