//! TLS towards upstreams: rustls on aws-lc-rs, with the system's authorities, the operator's own, or pinned keys.
//!
//! | set | what the upstream's certificate must be |
//! |---|---|
//! | nothing | issued for the address's host, by an authority that this system trusts |
//! | `ca` | issued for the address's host, by one of these authorities |
//! | `pins` | for one of these keys; by whom, for which name and until when does not matter, as the key says it all |
//! | both | both |

use std::io;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;
use truc_model::Secret;

use crate::address::Host;
use crate::{BindFault, Pin, SecretRef};

/// What is needed to make a TCP connection into a TLS one.
pub(crate) struct Tls {
    pub(crate) connector: TlsConnector,
    pub(crate) server: ServerName<'static>,
}

/// Whom to take for the upstream.
pub(crate) struct Trust<'a> {
    /// Authorities (PEM) instead of the system's own.
    pub(crate) ca: Option<&'a str>,
    /// Keys of the upstream; none if any key will do.
    pub(crate) pins: &'a [Pin],
}

/// What Trục shows an upstream that asks for a certificate.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    secret: SecretRef,
}

impl Identity {
    /// The certificate, those that lead to its authority, and its private key, all in one PEM file.
    pub(crate) fn new(name: &SecretRef, pem: &Secret) -> Result<Self, BindFault> {
        let fault = |reason| BindFault::ClientCertificate { secret: name.clone(), reason };
        let bytes = pem.expose().as_bytes();
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
        let chain = chain.map_err(|_| fault("a certificate in it is cut short or damaged"))?;
        if chain.is_empty() {
            return Err(fault(
                "it holds no CERTIFICATE: write certificate and private key into one PEM file",
            ));
        }
        let key = PrivateKeyDer::from_pem_slice(bytes).map_err(|_| {
            fault("it holds no PRIVATE KEY (PKCS#8): write certificate and private key into one PEM file")
        })?;
        Ok(Self { chain, key, secret: name.clone() })
    }
}

impl Tls {
    /// Settings for one host, whose name or IP address its certificate must bear where authorities vouch for it.
    pub(crate) fn new(host: &Host, trust: &Trust<'_>, identity: Option<Identity>) -> Result<Self, BindFault> {
        let fault = |error: &dyn std::error::Error| BindFault::Tls(error.to_string());
        // The provider is named here and not installed for the process: other parts of the process may have their own.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| fault(&error))?;
        let builder = match (trust.ca, trust.pins) {
            (ca, []) => builder.with_root_certificates(ca.map_or_else(native, authorities)?),
            (ca, pins) => {
                let chain = ca
                    .map(|pem| {
                        let roots = Arc::new(authorities(pem)?);
                        WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
                            .build()
                            .map_err(|error| BindFault::Ca(error.to_string()))
                    })
                    .transpose()?;
                let verifier = PinnedKey { pins: pins.to_vec(), chain, provider };
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
        };
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key, secret }) => {
                builder.with_client_auth_cert(chain, key).map_err(|_| BindFault::ClientCertificate {
                    secret,
                    reason: "its private key cannot be used, or is not that of its first certificate",
                })?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let server = match host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|error| fault(&error))?,
            Host::Ip(ip) => ServerName::from(*ip),
        };
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), server })
    }
}

/// A key that was not pinned.
#[derive(Debug, thiserror::Error)]
#[error("its key is {0}, which is none of `pins`; if the upstream has changed its key, add it there")]
pub(crate) struct UnknownKey(Pin);

/// Whether a handshake failed because the upstream is not whom it should be. That will be the same the next time.
pub(crate) fn is_distrust(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

/// The key that was presented instead of a pinned one, if that is why a handshake failed.
pub(crate) fn unknown_key(error: &io::Error) -> Option<&UnknownKey> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => cause.downcast_ref(),
        _ => None,
    }
}

/// Takes a certificate whose key is pinned. That the other side really has the key is proven by its signature, as always.
#[derive(Debug)]
struct PinnedKey {
    pins: Vec<Pin>,
    /// What the certificate must satisfy besides.
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(chain) = &self.chain {
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        }
        let presented = Pin::of(&ParsedCertificate::try_from(end_entity)?.subject_public_key_info());
        if self.pins.contains(&presented) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::Other(OtherError(Arc::new(UnknownKey(presented)))).into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn authorities(pem: &str) -> Result<RootCertStore, BindFault> {
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
