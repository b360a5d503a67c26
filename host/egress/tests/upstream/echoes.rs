//! What an upstream echoes of a secret never reaches the connector, in whatever form and place it stands.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use truc_egress::{CallError, Credential, Response, SessionPlace, SignatureAlgorithm};
use truc_model::Millis;

use crate::site::{Act, NoNames, Received, SECRET, Site, answer, bind_with_secret, call, ok, request};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(bytes: &[u8]) -> String {
    let one = |byte: &u8| match byte.is_ascii_alphanumeric() {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    bytes.iter().map(one).collect()
}

/// A text in all forms.
fn forms(text: &[u8]) -> String {
    let plain = String::from_utf8_lossy(text);
    let (one, two) = ([b"x", text].concat(), [b"xy", text].concat());
    [
        plain.to_string(),
        hex(text),
        hex(text).to_uppercase(),
        percent(text),
        STANDARD.encode(text),
        STANDARD.encode(one),
        URL_SAFE_NO_PAD.encode(two),
        serde_json::to_string(&plain).unwrap(),
    ]
    .join(" | ")
}

/// An answer with everything that came, in all forms, in the body and in header fields.
fn echo(received: &Received) -> Vec<u8> {
    let all = [received.head.as_bytes(), b"\r\n\r\n", &received.body].concat();
    let mut parts: Vec<String> = vec![forms(&all)];
    for line in received.head.lines() {
        let value = line.split_once(": ").map_or(line, |(_, value)| value);
        parts.push(forms(value.as_bytes()));
        parts.extend(value.split([' ', '=']).map(|word| forms(word.as_bytes())));
        if let Some(decoded) = value.strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok()) {
            parts.push(forms(&decoded));
            let password = decoded.iter().position(|byte| *byte == b':').map(|at| forms(&decoded[at + 1..]));
            parts.extend(password);
        }
    }
    parts.push(forms(&received.body));
    parts.push(forms(SECRET.as_bytes()));
    let short: Vec<String> = parts.iter().filter(|part| part.len() < 500).cloned().collect();
    let fields: Vec<String> = short
        .iter()
        .enumerate()
        .map(|(number, part)| format!("x-echo-{number}: {}", part.replace(['\r', '\n'], " ")))
        .collect();
    let fields: Vec<&str> = fields.iter().map(String::as_str).take(60).collect();
    answer(200, &fields, &parts.join("\n"))
}

/// Whether any form of a text stands in an answer.
#[track_caller]
fn assert_nothing_of(secret: &str, response: &Response) {
    let mut text = String::from_utf8_lossy(&response.body).into_owned();
    for (name, value) in &response.headers {
        text.push_str(&format!("\n{name}: {value}"));
    }
    assert!(text.contains("[secret]"), "{text}");
    for form in forms(secret.as_bytes()).split(" | ") {
        // Of Base64 at another place, what does not depend on what stands around it.
        let core = &form[form.len().min(4)..form.len() - 3];
        assert!(!text.contains(core), "{core}: {text}");
    }
}

#[tokio::test]
async fn every_kind_of_credential_is_cut_from_what_is_echoed() {
    let secret = || "key".parse().unwrap();
    let header =
        Credential::Header { name: "x-key".to_owned(), prefix: Some("Key ".to_owned()), secret: secret() };
    let basic = Credential::Basic { username: "truc".to_owned(), secret: secret() };
    let signature = Credential::HttpSignature {
        algorithm: SignatureAlgorithm::HmacSha256,
        key_id: "truc".to_owned(),
        secret: secret(),
        label: None,
        components: Vec::new(),
    };
    for credential in [Some(header), Some(basic), Some(signature), None] {
        let site = Site::start(|received| Act::Say(echo(received))).await;
        let upstream = site.upstream_with(&["POST /"], |binding| binding.credential = credential);
        let mut request = request("POST /");
        request.body = Some(b"{\"a\":1}".to_vec());
        let response = call(&upstream, request).await.unwrap();
        assert!(response.headers.len() > 3);
        assert_nothing_of(SECRET, &response);
    }
}

#[tokio::test]
async fn tokens_and_sessions_are_cut_as_well() {
    let oauth = Credential::OAuth2ClientCredentials {
        token_path: "/issue".to_owned(),
        client_id: "truc".to_owned(),
        secret: "key".parse().unwrap(),
        scope: None,
    };
    let login = |place| Credential::SessionLogin {
        login_path: "/issue".to_owned(),
        username: "truc".to_owned(),
        secret: "key".parse().unwrap(),
        destination: None,
        place,
        lifetime: Millis(60_000),
        expired_codes: Vec::new(),
    };
    for credential in
        [oauth, login(SessionPlace::default()), login(SessionPlace::Header("x-session".to_owned()))]
    {
        let site = Site::start(|received| match received.target() {
            "/issue" => Act::Say(ok(
                r#"{"access_token":"t0ken/of+the=issuer","session":"t0ken/of+the=issuer","expires_in":60}"#,
            )),
            _ => Act::Say(echo(received)),
        })
        .await;
        let upstream = site.upstream_with(&["POST /"], |binding| binding.credential = Some(credential));
        let mut request = request("POST /");
        request.body = Some(b"{\"a\":1}".to_vec());
        let response = call(&upstream, request).await.unwrap();
        assert_nothing_of("t0ken/of+the=issuer", &response);
        assert_nothing_of(SECRET, &response);
    }
}

#[tokio::test]
async fn the_words_of_errors_are_cut() {
    // A password that could pass for an error code of OAuth 2.0.
    let password = "canary_in_lower_case";
    let site =
        Site::start(move |_| Act::Say(answer(400, &[], &format!(r#"{{"error":"{password}"}}"#)))).await;
    let mut binding = site.binding();
    binding.credential = Some(Credential::OAuth2ClientCredentials {
        token_path: "/token".to_owned(),
        client_id: "truc".to_owned(),
        secret: "key".parse().unwrap(),
        scope: None,
    });
    let upstream = bind_with_secret(&["GET /"], &binding, NoNames, password).unwrap();
    let Err(CallError::Unreachable(text)) = call(&upstream, request("GET /")).await else { panic!() };
    assert!(text.contains("answered 400 ([secret])"), "{text}");
}

#[tokio::test]
async fn an_answer_without_an_echo_comes_as_it_is() {
    let body = "{\"name\":\"Nguyễn Thị Hoa\",\"c4nary\":\"s3cret\"}".repeat(100);
    let said = ok(&body);
    let site = Site::start(move |_| Act::Say(said.clone())).await;
    let upstream = site.upstream_with(&["GET /"], |binding| {
        binding.credential =
            Some(Credential::Basic { username: "truc".to_owned(), secret: "key".parse().unwrap() });
    });
    assert_eq!(call(&upstream, request("GET /")).await.unwrap().body, body.as_bytes());
}
