//! Upstreams known by their keys.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};
use truc_egress::{CallError, Pin, Response};

use crate::site::{Act, NoNames, Site, bind, call, ok, request};
use crate::tls::Authority;

/// A server that presents a certificate, and signs with a key that need not be the certificate's.
#[derive(Debug)]
struct Presented(Arc<CertifiedKey>);

impl ResolvesServerCert for Presented {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

async fn site(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
    version: &'static SupportedProtocolVersion,
) -> Site {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Presented(Arc::new(CertifiedKey::new(vec![certificate], key)))));
    Site::start_tls(TlsAcceptor::from(Arc::new(config)), |_| Act::Say(ok("well"))).await
}

/// A certificate that its own key signed, for a name that is not the upstream's, long past its end.
fn self_signed(key: &KeyPair) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(vec!["old-gateway.example".to_owned()]).unwrap();
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(2001, 1, 1), rcgen::date_time_ymd(2002, 1, 1));
    params.self_signed(key).unwrap().der().clone()
}

fn pin(key: &KeyPair) -> Pin {
    Pin::of(&key.subject_public_key_info())
}

async fn call_with(site: &Site, ca: Option<&str>, pins: &[Pin]) -> Result<Response, CallError> {
    let mut binding = site.binding();
    binding.address = format!("https://{}", site.address).parse().unwrap();
    binding.ca = ca.map(str::to_owned);
    binding.pins = pins.to_vec();
    let upstream = bind(&["GET /"], &binding, NoNames).unwrap();
    call(&upstream, request("GET /")).await
}

fn is_refused(result: Result<Response, CallError>, needle: &str) {
    let Err(CallError::Unreachable(text)) = result else { panic!("{result:?}") };
    assert!(text.contains("`registry`") && text.contains(needle) && !text.contains("sha256"), "{text}");
}

#[tokio::test]
async fn a_pinned_key_is_enough_for_a_gateway_that_signed_its_own_certificate() {
    for version in [&TLS12, &TLS13] {
        let key = KeyPair::generate().unwrap();
        let site = site(self_signed(&key), &key, version).await;
        assert_eq!(call_with(&site, None, &[pin(&key)]).await.unwrap().body, b"well");
    }
}

#[tokio::test]
async fn another_key_is_refused_and_nothing_is_sent() {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    for version in [&TLS12, &TLS13] {
        let site = site(self_signed(&key), &key, version).await;
        is_refused(call_with(&site, None, &[pin(&other)]).await, "none of those that the operator pinned");
        // Refused for good: it is not tried again.
        assert_eq!((site.connections(), site.requests().len()), (1, 0));
    }
}

#[tokio::test]
async fn with_two_pins_a_key_is_exchanged_without_a_gap() {
    let (old, new) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let pins = [pin(&old), pin(&new)];
    for key in [&old, &new] {
        let site = site(self_signed(key), key, &TLS13).await;
        assert_eq!(call_with(&site, None, &pins).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn with_authorities_and_pins_both_must_hold() {
    let (authority, other_authority) = (Authority::new(), Authority::new());
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let certificate = authority.certificate("127.0.0.1", &key);
    let site = site(certificate, &key, &TLS13).await;
    assert_eq!(call_with(&site, Some(&authority.pem), &[pin(&key)]).await.unwrap().status, 200);
    is_refused(call_with(&site, Some(&authority.pem), &[pin(&other)]).await, "the operator pinned");
    is_refused(call_with(&site, Some(&other_authority.pem), &[pin(&key)]).await, "TLS handshake failed");
    let wrong_name = crate::pins::site(authority.certificate("registry.example", &key), &key, &TLS13).await;
    is_refused(call_with(&wrong_name, Some(&authority.pem), &[pin(&key)]).await, "TLS handshake failed");
    assert_eq!((site.requests().len(), wrong_name.requests().len()), (1, 0));
}

#[tokio::test]
async fn a_certificate_without_its_key_is_worth_nothing() {
    let (key, stolen) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    for version in [&TLS12, &TLS13] {
        // It shows the pinned key's certificate, and can only sign with another key.
        let site = site(self_signed(&key), &stolen, version).await;
        is_refused(call_with(&site, None, &[pin(&key)]).await, "TLS handshake failed");
        assert_eq!(site.requests().len(), 0);
    }
}
