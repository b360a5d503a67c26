//! TLS with certificates that tests make for themselves.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use truc_egress::{BindFault, Binding, CallError, Response};

use crate::site::{Act, Names, NoNames, Site, bind, bind_with_secret, call, ok, request};

/// A certificate authority for one test.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate.
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(issuer.der())
        );
        Self { issuer, pem }
    }

    /// A certificate for one name or IP address.
    pub(crate) fn certificate(&self, name: &str, key: &KeyPair) -> CertificateDer<'static> {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.signed_by(key, &self.issuer).unwrap().der().clone()
    }

    /// A server whose certificate bears one name or IP address.
    async fn site(&self, name: &str) -> Site {
        let key = KeyPair::generate().unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![self.certificate(name, &key)],
                PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        Site::start_tls(TlsAcceptor::from(Arc::new(config)), |received| {
            Act::Say(ok(&received.field("host").join("|")))
        })
        .await
    }
}

impl Authority {
    /// A certificate with its private key, in one PEM file.
    fn client(&self) -> String {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["truc.example".to_owned()]).unwrap();
        let pem = |label: &str, der: &[u8]| {
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
        };
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        pem("CERTIFICATE", certificate.der()) + &pem("PRIVATE KEY", &key.serialize_der())
    }

    /// A server that talks to those only whose certificate leads to an authority.
    async fn guarded(&self, clients: &Authority) -> Site {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(clients.issuer.der().clone()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        Site::start_tls(TlsAcceptor::from(Arc::new(config)), |_| Act::Say(ok("welcome"))).await
    }
}

#[tokio::test]
async fn an_upstream_that_asks_for_a_certificate_is_shown_one() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let site = servers.guarded(&clients).await;
    let binding = |certificate: Option<&str>| {
        let mut binding = site.binding();
        binding.address = format!("https://{}", site.address).parse().unwrap();
        binding.ca = Some(servers.pem.clone());
        binding.client_certificate = certificate.map(|name| name.parse().unwrap());
        binding
    };
    let upstream = bind_with_secret(&["GET /"], &binding(Some("key")), NoNames, &clients.client()).unwrap();
    assert_eq!(call(&upstream, request("GET /")).await.unwrap().body, b"welcome");
    let stranger = bind_with_secret(&["GET /"], &binding(Some("key")), NoNames, &strangers.client()).unwrap();
    let nobody = bind(&["GET /"], &binding(None), NoNames).unwrap();
    for refused in [stranger, nobody] {
        call(&refused, request("GET /")).await.unwrap_err();
    }
    assert_eq!(site.requests().len(), 1);
}

#[tokio::test]
async fn what_is_no_client_certificate_is_refused_without_being_shown() {
    let (one, other) = (Authority::new().client(), Authority::new().client());
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let certificate = &one[..one.find("-----BEGIN PRIVATE KEY").unwrap()];
    let key = &one[certificate.len()..];
    let of_another = format!("{certificate}{}", &other[other.find("-----BEGIN PRIVATE KEY").unwrap()..]);
    for (pem, needle) in [
        ("c4nary-s3cret", "holds no CERTIFICATE"),
        (certificate, "holds no PRIVATE KEY"),
        (key, "holds no CERTIFICATE"),
        (&of_another, "not that of its first certificate"),
    ] {
        let mut binding = site.binding();
        binding.address = format!("https://{}", site.address).parse().unwrap();
        binding.ca = Some(Authority::new().pem);
        binding.client_certificate = Some("key".parse().unwrap());
        let error = bind_with_secret(&["GET /"], &binding, NoNames, pem).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(needle) && !text.contains("c4nary") && !text.contains("MII"), "{text}");
        binding.address = format!("http://{}", site.address).parse().unwrap();
        binding.ca = None;
        let plain = bind_with_secret(&["GET /"], &binding, NoNames, &one).unwrap_err();
        assert!(matches!(plain.fault, BindFault::ClientCertificateWithoutTls), "{plain}");
    }
}

/// Calls a site as `https://{host}`, trusting one authority.
async fn call_as(site: &Site, host: &str, ca: Option<&str>) -> Result<Response, CallError> {
    let mut binding = site.binding();
    binding.address = format!("https://{host}:{}/", site.address.port()).parse().unwrap();
    binding.allow_addresses = vec!["127.0.0.1".parse::<std::net::IpAddr>().unwrap().into()];
    binding.ca = ca.map(str::to_owned);
    let names = Names::default().with(host, &[&["127.0.0.1"]]);
    let upstream = bind(&["GET /"], &binding, names).unwrap();
    call(&upstream, request("GET /")).await?;
    call(&upstream, request("GET /")).await
}

#[tokio::test]
async fn a_pinned_authority_is_trusted_for_the_addresss_own_name() {
    let authority = Authority::new();
    let site = authority.site("registry.example").await;
    let response = call_as(&site, "registry.example", Some(&authority.pem)).await.unwrap();
    assert_eq!(response.body, format!("registry.example:{}", site.address.port()).as_bytes());
    assert_eq!(site.server_names(), [Some("registry.example".to_owned())]);
    assert_eq!((site.connections(), site.requests().len()), (1, 2));
}

#[tokio::test]
async fn an_ip_address_needs_a_certificate_for_it() {
    let authority = Authority::new();
    let site = authority.site("127.0.0.1").await;
    assert!(call_as(&site, "127.0.0.1", Some(&authority.pem)).await.is_ok());
    assert_eq!(site.server_names(), [None]);
    let site = authority.site("registry.example").await;
    assert!(matches!(
        call_as(&site, "127.0.0.1", Some(&authority.pem)).await,
        Err(CallError::Unreachable(_))
    ));
}

#[tokio::test]
async fn nobody_else_is_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    let site = authority.site("registry.example").await;
    let wrong_name = authority.site("elsewhere.example").await;
    for (site, ca) in [(&site, &other.pem), (&wrong_name, &authority.pem)] {
        let Err(CallError::Unreachable(text)) = call_as(site, "registry.example", Some(ca)).await else {
            panic!()
        };
        assert!(text.contains("TLS handshake failed") && !text.contains("example"), "{text}");
        assert_eq!(site.requests().len(), 0);
    }
}

#[tokio::test]
async fn the_systems_authorities_do_not_know_ours() {
    let site = Authority::new().site("registry.example").await;
    let mut binding = site.binding();
    binding.address = format!("https://registry.example:{}", site.address.port()).parse().unwrap();
    binding.allow_addresses = vec!["127.0.0.1/32".parse().unwrap()];
    match bind(&["GET /"], &binding, Names::default().with("registry.example", &[&["127.0.0.1"]])) {
        Ok(upstream) => {
            let result = call(&upstream, request("GET /")).await;
            assert!(matches!(result, Err(CallError::Unreachable(_))), "{result:?}");
        }
        // A machine without any authorities says so beforehand.
        Err(error) => assert!(matches!(error.fault, BindFault::NoRoots), "{error}"),
    }
    assert_eq!(site.requests().len(), 0);
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to() {
    let site = Site::start_at("127.0.0.1:0".parse().unwrap(), |_| Act::Say(ok(""))).await;
    // Something that answers at once, and not in TLS.
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut binding: Binding = site.binding();
    binding.address = format!("https://{}", plain.local_addr().unwrap()).parse().unwrap();
    binding.ca = Some(Authority::new().pem);
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let upstream = bind(&["GET /"], &binding, NoNames).unwrap();
    let result = call(&upstream, request("GET /")).await;
    assert!(matches!(result, Err(CallError::Unreachable(_))), "{result:?}");
}

#[tokio::test]
async fn what_is_no_certificate_is_refused() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    for ca in ["", "registry", not_der, cut] {
        let mut binding = site.binding();
        binding.address = format!("https://{}", site.address).parse().unwrap();
        binding.ca = Some(ca.to_owned());
        let error = bind(&["GET /"], &binding, NoNames).unwrap_err();
        assert!(matches!(error.fault, BindFault::Ca(_)), "{ca:?}: {error}");
    }
}
