//! Signed requests, checked as an upstream would check them: from what came over the wire.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use truc_egress::{BindFault, CallError, Credential, SignatureAlgorithm};

use crate::site::{Act, NoNames, Received, SECRET, Site, bind_with_secret, call, ok, pair, request};

fn credential(algorithm: SignatureAlgorithm, components: &[&str]) -> Credential {
    Credential::HttpSignature {
        algorithm,
        key_id: "truc-1".to_owned(),
        secret: "key".parse().unwrap(),
        label: None,
        components: components.iter().map(|component| (*component).to_owned()).collect(),
    }
}

/// The signature base that a verifier makes of a request (RFC 9421, section 2.5), and the signature.
fn verified(received: &Received) -> (String, Vec<u8>) {
    let input = received.field("signature-input")[0].strip_prefix("sig1=").unwrap();
    let (path, query) = received.target().split_once('?').unwrap_or((received.target(), ""));
    let covered = &input[1..input.find(')').unwrap()];
    let mut base = String::new();
    for component in covered.split(' ').map(|component| component.trim_matches('"')) {
        let value = match component {
            "@method" => received.line().split(' ').next().unwrap().to_owned(),
            "@authority" => received.field("host")[0].to_owned(),
            "@path" => path.to_owned(),
            "@query" => format!("?{query}"),
            name => received.field(name).join(", "),
        };
        base.push_str(&format!("\"{component}\": {value}\n"));
    }
    base.push_str(&format!("\"@signature-params\": {input}"));
    let signature = received.field("signature")[0].strip_prefix("sig1=:").unwrap().strip_suffix(':').unwrap();
    (base, STANDARD.decode(signature).unwrap())
}

#[tokio::test]
async fn an_upstream_can_verify_what_it_receives() {
    let pair_of_keys = Ed25519KeyPair::generate().unwrap();
    let document = pair_of_keys.to_pkcs8().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(document.as_ref())
    );
    for (algorithm, secret) in [(SignatureAlgorithm::HmacSha256, SECRET), (SignatureAlgorithm::Ed25519, &pem)]
    {
        let site = Site::start(|_| Act::Say(ok(""))).await;
        let mut binding = site.binding();
        binding.credential = Some(credential(algorithm, &[]));
        let upstream = bind_with_secret(&["POST /items/{id}"], &binding, NoNames, secret).unwrap();
        let mut asked = request("POST /items/{id}");
        asked.parameters.push(pair("id", "a b"));
        asked.query.push(pair("x", "1 & 2"));
        asked.headers.push(pair("content-type", "application/json"));
        asked.body = Some(br#"{"hello": "world"}"#.to_vec());
        call(&upstream, asked).await.unwrap();
        let received = site.request();
        assert_eq!(
            received.field("content-digest"),
            ["sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"]
        );
        let (base, signature) = verified(&received);
        assert!(base.starts_with("\"@method\": POST\n") && base.contains("keyid=\"truc-1\""), "{base}");
        assert!(base.contains("\"content-type\": application/json\n\"content-digest\": "), "{base}");
        match algorithm {
            SignatureAlgorithm::HmacSha256 => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
                hmac::verify(&key, base.as_bytes(), &signature).unwrap();
            }
            SignatureAlgorithm::Ed25519 => {
                let public = ParsedPublicKey::new(&ED25519, pair_of_keys.public_key().as_ref()).unwrap();
                public.verify_sig(base.as_bytes(), &signature).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_connector_can_set_none_of_its_fields() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let upstream = site.upstream_with(&["GET /"], |binding| {
        binding.credential = Some(credential(SignatureAlgorithm::HmacSha256, &["@method"]));
    });
    for field in ["Signature", "signature-input", "content_digest"] {
        let mut forged = request("GET /");
        forged.headers.push(pair(field, "sig1=:AA==:"));
        assert!(matches!(call(&upstream, forged).await, Err(CallError::Denied(_))), "{field}");
    }
    call(&upstream, request("GET /")).await.unwrap();
    assert!(site.request().field("content-digest").is_empty());
}

#[tokio::test]
async fn a_secret_that_is_no_key_is_refused_without_being_shown() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let mut binding = site.binding();
    binding.credential = Some(credential(SignatureAlgorithm::Ed25519, &[]));
    let error = bind_with_secret(&["GET /"], &binding, NoNames, SECRET).unwrap_err();
    assert!(matches!(error.fault, BindFault::KeyFormat { .. }) && !format!("{error:?}").contains("c4nary"));
}
