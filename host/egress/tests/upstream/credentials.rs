//! Credentials that do not change: where they go, and where they must not show.

use truc_egress::{BindFault, CallError, Credential};

use crate::site::{Act, NoNames, SECRET, Site, answer, bind, bind_with_secret, call, ok, pair, request};

fn header(name: &str, prefix: Option<&str>) -> Credential {
    Credential::Header {
        name: name.to_owned(),
        prefix: prefix.map(str::to_owned),
        secret: "key".parse().unwrap(),
    }
}

fn basic(username: &str) -> Credential {
    Credential::Basic { username: username.to_owned(), secret: "key".parse().unwrap() }
}

#[tokio::test]
async fn each_kind_goes_where_it_belongs() {
    for (credential, field, value) in [
        (header("access_token", None), "access_token", SECRET),
        (header("Authorization", Some("Bearer ")), "authorization", "Bearer c4nary-s3cret"),
        // `printf 'truc:c4nary-s3cret' | base64`
        (basic("truc"), "authorization", "Basic dHJ1YzpjNG5hcnktczNjcmV0"),
    ] {
        let site = Site::start(|_| Act::Say(ok(""))).await;
        let upstream = site.upstream_with(&["GET /"], |binding| binding.credential = Some(credential));
        call(&upstream, request("GET /")).await.unwrap();
        assert_eq!(site.request().field(field), [value]);
    }
}

#[tokio::test]
async fn connectors_can_neither_set_nor_see_it() {
    for (credential, spellings) in [
        (header("access_token", None), &["access_token", "ACCESS_TOKEN", "access-token", "Access-Token"][..]),
        (header("x-api-key", None), &["x-api-key", "x_api_key", "X-Api_Key"]),
        (basic("truc"), &["authorization"]),
    ] {
        let echo = |field: &str| format!("{field}: {SECRET}");
        let echoes: Vec<String> = spellings.iter().map(|field| echo(field)).collect();
        let site = Site::start(move |_| {
            Act::Say(answer(200, &echoes.iter().map(String::as_str).collect::<Vec<_>>(), ""))
        })
        .await;
        let upstream = site.upstream_with(&["GET /"], |binding| binding.credential = Some(credential));
        for field in spellings {
            let mut request = request("GET /");
            request.headers.push(pair(field, "mine"));
            let result = call(&upstream, request).await;
            assert!(matches!(result, Err(CallError::Denied(_))), "{field}: {result:?}");
        }
        assert_eq!(site.connections(), 0);
        assert_eq!(call(&upstream, request("GET /")).await.unwrap().headers, []);
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_when_it_is_bound() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let fault = |credential, secret| {
        let mut binding = site.binding();
        binding.credential = Some(credential);
        let error = bind_with_secret(&["GET /"], &binding, NoNames, secret).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("c4nary"), "{text}");
        error.fault
    };
    assert!(matches!(fault(header("x y", None), SECRET), BindFault::CredentialHeader { .. }));
    assert!(matches!(fault(header("Host", None), SECRET), BindFault::CredentialHeader { .. }));
    assert!(matches!(fault(header("transfer-encoding", None), SECRET), BindFault::CredentialHeader { .. }));
    assert!(matches!(fault(header("x-key", None), "c4nary\nx: y"), BindFault::SecretCharacters(_)));
    assert!(matches!(fault(basic("a:b"), SECRET), BindFault::Username));
    let missing = Credential::Basic { username: "a".to_owned(), secret: "absent".parse().unwrap() };
    assert!(matches!(fault(missing, SECRET), BindFault::Secret(_)));
}

#[tokio::test]
async fn nothing_shows_the_secret() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    for credential in [header("x-key", None), basic("truc")] {
        let mut binding = site.binding();
        binding.credential = Some(credential);
        let upstream = bind(&["GET /"], &binding, NoNames).unwrap();
        let text = format!("{upstream:?} {binding:?} {}", serde_json::to_string(&binding).unwrap());
        assert!(!text.contains("c4nary") && !text.contains("dHJ1Yz"), "{text}");
    }
}
