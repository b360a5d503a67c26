//! TLS towards upstreams: rustls on aws-lc-rs, with the system's authorities or the operator's own.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;

use crate::BindFault;
use crate::address::Host;

/// What is needed to make a TCP connection into a TLS one.
pub(crate) struct Tls {
    pub(crate) connector: TlsConnector,
    pub(crate) server: ServerName<'static>,
}

impl Tls {
    /// Settings for one host, whose name or IP address its certificate must bear.
    pub(crate) fn new(host: &Host, ca: Option<&str>) -> Result<Self, BindFault> {
        let fault = |error: &dyn std::error::Error| BindFault::Tls(error.to_string());
        let roots = match ca {
            Some(pem) => pinned(pem)?,
            None => native()?,
        };
        // The provider is named here and not installed for the process: other parts of the process may have their own.
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| fault(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let server = match host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|error| fault(&error))?,
            Host::Ip(ip) => ServerName::from(*ip),
        };
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), server })
    }
}

fn pinned(pem: &str) -> Result<RootCertStore, BindFault> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| BindFault::Ca(error.to_string()))?;
        roots.add(certificate).map_err(|error| BindFault::Ca(error.to_string()))?;
    }
    if roots.is_empty() { Err(BindFault::Ca("it holds no certificate".to_owned())) } else { Ok(roots) }
}

fn native() -> Result<RootCertStore, BindFault> {
    let mut roots = RootCertStore::empty();
    // Some systems ship certificates that cannot be read; the others still count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(BindFault::NoRoots) } else { Ok(roots) }
}
