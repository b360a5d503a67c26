//! Signing requests: HTTP Message Signatures (RFC 9421) over the parts that the operator names, with the body covered
//! by its digest (RFC 9530).

use std::fmt::Write;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use truc_model::{Clock, Secret};
use zeroize::Zeroizing;

use crate::{BindFault, SecretRef, SignatureAlgorithm};

/// The fields that a signature is written into; a connector may not send them.
pub(crate) const FIELDS: [&str; 3] = ["content-digest", "signature", "signature-input"];

const DIGEST: HeaderName = HeaderName::from_static("content-digest");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");
const INPUT: HeaderName = HeaderName::from_static("signature-input");

/// What is signed where the operator names nothing: everything by which one request differs from another.
const USUAL: [&str; 6] = ["@method", "@authority", "@path", "@query", "content-type", "content-digest"];

/// The parts of a request besides header fields that can be signed (RFC 9421, section 2.2).
const DERIVED: [&str; 6] = ["@method", "@authority", "@scheme", "@request-target", "@path", "@query"];

/// What a secret begins with that is the Base64 of a key's bytes.
const BASE64: &str = "base64:";

/// Signs the requests to one upstream.
pub(crate) struct Signer {
    key: Key,
    key_id: String,
    /// The name of the signature among others that the request may bear.
    label: String,
    components: Vec<String>,
    scheme: &'static str,
    clock: Arc<dyn Clock>,
}

enum Key {
    Hmac(Box<hmac::Key>),
    Ed25519(Ed25519KeyPair),
}

/// What a signature is made of, besides key and time.
pub(crate) struct Terms<'a> {
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) key_id: &'a str,
    pub(crate) label: Option<&'a str>,
    pub(crate) components: &'a [String],
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
}

impl Signer {
    pub(crate) fn new(
        terms: &Terms<'_>,
        name: &SecretRef,
        secret: &Secret,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BindFault> {
        let label = terms.label.unwrap_or("sig1");
        // RFC 8941, section 3.1.2: the key of a dictionary's member.
        let is_label = label.starts_with(|letter: char| letter.is_ascii_lowercase())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b));
        let is_text =
            |text: &str| text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\');
        if !is_label || !is_text(terms.key_id) || terms.key_id.is_empty() {
            return Err(BindFault::SignatureTerms);
        }
        let mut components: Vec<String> = terms.components.to_vec();
        if components.is_empty() {
            components = USUAL.map(str::to_owned).into();
        }
        let known = |component: &&String| match component.strip_prefix('@') {
            Some(_) => DERIVED.contains(&component.as_str()),
            None => HeaderName::from_lowercase(component.as_bytes()).is_ok(),
        };
        if let Some(component) = components.iter().find(|component| !known(component)) {
            return Err(BindFault::SignatureComponent(component.clone()));
        }
        let key = match terms.algorithm {
            SignatureAlgorithm::HmacSha256 => {
                let bytes = hmac_key(secret).ok_or_else(|| BindFault::KeyFormat {
                    secret: name.clone(),
                    kind: "HMAC key",
                    reason: "what follows `base64:` is not Base64",
                })?;
                Key::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
            }
            SignatureAlgorithm::Ed25519 => Key::Ed25519(ed25519(name, secret)?),
        };
        let (key_id, label) = (terms.key_id.to_owned(), label.to_owned());
        Ok(Self { key, key_id, label, components, scheme: terms.scheme, clock })
    }

    /// Adds the digest of the body, where it is to be signed, and the signature.
    pub(crate) fn sign(&self, method: &str, target: &Uri, headers: &mut HeaderMap, body: &[u8]) {
        if !body.is_empty() && self.components.iter().any(|component| component == DIGEST.as_str()) {
            let sum = STANDARD.encode(digest(&SHA256, body));
            append(headers, DIGEST, &format!("sha-256=:{sum}:"));
        }
        let created = self.clock.now().as_micros().div_euclid(1_000_000);
        let (base, parameters) = self.base(method, target, headers, created);
        let signature = STANDARD.encode(match &self.key {
            Key::Hmac(key) => hmac::sign(key, base.as_bytes()).as_ref().to_vec(),
            Key::Ed25519(pair) => pair.sign(base.as_bytes()).as_ref().to_vec(),
        });
        append(headers, INPUT, &format!("{}={parameters}", self.label));
        append(headers, SIGNATURE, &format!("{}=:{signature}:", self.label));
    }

    /// The signature base (RFC 9421, section 2.5) and the signature's parameters, which are its last line. Fields that
    /// the request does not have are left out.
    fn base(&self, method: &str, target: &Uri, headers: &HeaderMap, created: i64) -> (String, String) {
        let mut base = String::with_capacity(512);
        let mut covered = String::with_capacity(128);
        for component in &self.components {
            let Some(value) = self.value(component, method, target, headers) else { continue };
            // Writing to a text does not fail.
            let _ = writeln!(base, "\"{component}\": {value}");
            let _ = write!(covered, "{}\"{component}\"", if covered.is_empty() { "" } else { " " });
        }
        let parameters = format!("({covered});created={created};keyid=\"{}\"", self.key_id);
        let _ = write!(base, "\"@signature-params\": {parameters}");
        (base, parameters)
    }

    fn value(&self, component: &str, method: &str, target: &Uri, headers: &HeaderMap) -> Option<String> {
        let field = |name: &str| {
            let mut values =
                headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default().trim());
            let first = values.next()?.to_owned();
            Some(values.fold(first, |all, value| all + ", " + value))
        };
        match component {
            "@method" => Some(method.to_owned()),
            "@scheme" => Some(self.scheme.to_owned()),
            // The port is left out where it is the scheme's own, as it is in the field.
            "@authority" => field("host").map(|host| host.to_ascii_lowercase()),
            "@path" => Some(target.path().to_owned()),
            "@query" => Some(format!("?{}", target.query().unwrap_or_default())),
            "@request-target" => target.path_and_query().map(ToString::to_string),
            name => field(name),
        }
    }
}

fn append(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // Labels, key names and components were checked when they were bound, and the rest is Base64.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.append(name, value);
    }
}

/// The bytes of a key for HMAC: the secret's text, or what its Base64 says.
pub(crate) fn hmac_key(secret: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    match secret.expose().strip_prefix(BASE64) {
        None => Some(Zeroizing::new(secret.expose().as_bytes().to_vec())),
        Some(text) => STANDARD.decode(text).ok().map(Zeroizing::new),
    }
}

fn ed25519(name: &SecretRef, secret: &Secret) -> Result<Ed25519KeyPair, BindFault> {
    let fault = |reason| BindFault::KeyFormat { secret: name.clone(), kind: "Ed25519 key", reason };
    let document = PrivatePkcs8KeyDer::from_pem_slice(secret.expose().as_bytes()).map_err(|_| {
        fault(
            "write a PEM file with a PRIVATE KEY (PKCS#8), as `openssl genpkey -algorithm ed25519` gives it",
        )
    })?;
    Ed25519KeyPair::from_pkcs8(document.secret_pkcs8_der())
        .map_err(|_| fault("its private key is of another kind"))
}

#[cfg(test)]
mod tests {
    use truc_model::{ManualClock, Timestamp};

    use super::*;

    /// RFC 9421, appendix B.1.4 and B.1.5.
    const ED25519: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----\n";
    const SHARED: &str =
        "base64:uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

    fn signer(
        algorithm: SignatureAlgorithm,
        key_id: &str,
        label: &str,
        components: &[&str],
        secret: &str,
    ) -> Result<Signer, BindFault> {
        let components: Vec<String> = components.iter().map(|component| (*component).to_owned()).collect();
        let terms = Terms { algorithm, key_id, label: Some(label), components: &components, scheme: "https" };
        let clock = ManualClock::at(Timestamp::from_micros(1_618_884_473_999_999));
        Signer::new(&terms, &"key".parse().unwrap(), &Secret::new(secret.to_owned()), Arc::new(clock))
    }

    /// The request of RFC 9421, appendix B.2.
    fn request() -> (Uri, HeaderMap) {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "example.com"),
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("content-type", "application/json"),
            ("content-length", "18"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        (Uri::from_static("/foo?param=Value&Pet=dog"), headers)
    }

    const BODY: &[u8] = br#"{"hello": "world"}"#;

    #[test]
    fn ed25519_matches_the_rfc() {
        // Appendix B.2.6.
        let components = ["date", "@method", "@path", "@authority", "content-type", "content-length"];
        let signer =
            signer(SignatureAlgorithm::Ed25519, "test-key-ed25519", "sig-b26", &components, ED25519).unwrap();
        let (target, mut headers) = request();
        let (base, _) = signer.base("POST", &target, &headers, 1_618_884_473);
        assert_eq!(
            base,
            "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@method\": POST\n\"@path\": /foo\n\
             \"@authority\": example.com\n\"content-type\": application/json\n\"content-length\": 18\n\
             \"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \
             \"content-length\");created=1618884473;keyid=\"test-key-ed25519\""
        );
        signer.sign("POST", &target, &mut headers, BODY);
        assert_eq!(
            headers["signature-input"],
            "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
             ;created=1618884473;keyid=\"test-key-ed25519\""
        );
        assert_eq!(
            headers["signature"],
            "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"
        );
        assert!(!headers.contains_key("content-digest"), "nobody asked for it");
    }

    #[test]
    fn hmac_matches_the_rfc() {
        // Appendix B.2.5.
        let components = ["date", "@authority", "content-type"];
        let signer =
            signer(SignatureAlgorithm::HmacSha256, "test-shared-secret", "sig-b25", &components, SHARED)
                .unwrap();
        let (target, mut headers) = request();
        signer.sign("POST", &target, &mut headers, BODY);
        assert_eq!(
            headers["signature-input"],
            "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\""
        );
        assert_eq!(headers["signature"], "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:");
    }

    #[test]
    fn the_body_is_covered_by_its_digest_and_absent_fields_are_left_out() {
        let signer = signer(SignatureAlgorithm::HmacSha256, "k", "sig1", &[], SHARED).unwrap();
        let (target, mut headers) = request();
        signer.sign("POST", &target, &mut headers, BODY);
        // RFC 9530, appendix D: the digest of this body.
        assert_eq!(headers["content-digest"], "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
        let input = headers["signature-input"].to_str().unwrap();
        assert!(
            input.contains(r#"("@method" "@authority" "@path" "@query" "content-type" "content-digest")"#)
        );
        let (base, _) = signer.base("POST", &target, &headers, 0);
        assert!(base.contains("\"@query\": ?param=Value&Pet=dog\n"), "{base}");

        let mut headers = HeaderMap::new();
        headers.append("host", HeaderValue::from_static("Example.COM:8443"));
        signer.sign("GET", &Uri::from_static("/"), &mut headers, b"");
        assert!(!headers.contains_key("content-digest"));
        let (base, _) = signer.base("GET", &Uri::from_static("/"), &headers, 5);
        assert_eq!(
            base,
            "\"@method\": GET\n\"@authority\": example.com:8443\n\"@path\": /\n\"@query\": ?\n\
             \"@signature-params\": (\"@method\" \"@authority\" \"@path\" \"@query\");created=5;keyid=\"k\""
        );
    }

    #[test]
    fn what_cannot_be_signed_with_is_refused() {
        let hmac = SignatureAlgorithm::HmacSha256;
        for (key_id, label, components) in [
            ("", "sig1", &[][..]),
            ("a\"b", "sig1", &[]),
            ("k", "Sig", &[]),
            ("k", "a b", &[]),
            ("k", "sig1", &["@status"]),
            ("k", "sig1", &["Content-Type"]),
            ("k", "sig1", &["a b"]),
        ] {
            assert!(
                signer(hmac, key_id, label, components, SHARED).is_err(),
                "{key_id} {label} {components:?}"
            );
        }
        assert!(matches!(signer(hmac, "k", "sig1", &[], "base64:?"), Err(BindFault::KeyFormat { .. })));
        let canary = signer(SignatureAlgorithm::Ed25519, "k", "sig1", &[], "canary").err().unwrap();
        assert!(!format!("{canary} {canary:?}").contains("canary"));
    }
}
