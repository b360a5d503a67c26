//! OAuth2 client credentials: tokens are shared, renewed, given up, and never shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::{Instant, advance};
use truc_egress::{BindFault, CallError, Credential, Limits, Upstream};

use crate::site::{
    Act, NoNames, Received, SECRET, Site, answer, bind, call, call_within, ok, request, roomy,
};

/// A site with a token endpoint. `token` decides about the n-th request for one, from 0; everything else wants a
/// token and is answered with it.
struct Issuer {
    site: Site,
    upstream: Arc<Upstream>,
    fetched: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start(token: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        Self::start_with(token, |received| Act::Say(ok(received.field("authorization")[0]))).await
    }

    async fn start_with(
        token: impl Fn(usize) -> Act + Send + Sync + 'static,
        operation: impl Fn(&Received) -> Act + Send + Sync + 'static,
    ) -> Self {
        let fetched = Arc::new(AtomicUsize::new(0));
        let counter = fetched.clone();
        let site = Site::start(move |received| match received.target() {
            "/oauth/token" => token(counter.fetch_add(1, Ordering::SeqCst)),
            _ => operation(received),
        })
        .await;
        let upstream = site.upstream_with(&["GET /", "POST /"], |binding| {
            binding.address = format!("http://{}/base", site.address).parse().unwrap();
            binding.credential = Some(credential("/oauth/token"));
            binding.attempts = 1;
        });
        Self { site, upstream, fetched }
    }

    fn fetched(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }

    async fn call(&self) -> Result<String, CallError> {
        call(&self.upstream, request("GET /")).await.map(|answer| String::from_utf8(answer.body).unwrap())
    }
}

fn credential(token_path: &str) -> Credential {
    Credential::OAuth2ClientCredentials {
        token_path: token_path.to_owned(),
        client_id: "truc:x".to_owned(),
        secret: "key".parse().unwrap(),
        scope: Some("read write".to_owned()),
    }
}

fn grant(token: &str, seconds: u64) -> Act {
    Act::Say(answer(
        200,
        &["content-type: application/json"],
        &format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{seconds}}}"#),
    ))
}

#[tokio::test]
async fn one_token_serves_many_calls() {
    let issuer = Issuer::start(|_| grant("t0", 3600)).await;
    for _ in 0..5 {
        assert_eq!(issuer.call().await.unwrap(), "Bearer t0");
    }
    let requests = issuer.site.requests();
    assert_eq!((issuer.fetched(), requests.len(), issuer.site.connections()), (1, 6, 1));
    // The endpoint is on the same host, not under the base; id and secret are form-encoded (RFC 6749, section 2.3.1).
    assert_eq!(requests[0].line(), "POST /oauth/token HTTP/1.1");
    assert_eq!(requests[0].field("authorization"), ["Basic dHJ1YyUzQXg6YzRuYXJ5LXMzY3JldA=="]);
    assert_eq!(requests[0].field("content-type"), ["application/x-www-form-urlencoded"]);
    assert_eq!(requests[0].body, b"grant_type=client_credentials&scope=read%20write");
    assert_eq!(requests[1].line(), "GET /base/ HTTP/1.1");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_expires() {
    // A long life ends 30 s early, a short one after four fifths; one that is not stated is five minutes.
    for (life, renewed) in [("\"expires_in\":1000,", 970), ("\"expires_in\":\"100\",", 80), ("", 270)] {
        let issuer = Issuer::start(move |number| {
            Act::Say(ok(&format!(r#"{{{life}"access_token":"t{number}","token_type":"bearer"}}"#)))
        })
        .await;
        assert_eq!(issuer.call().await.unwrap(), "Bearer t0");
        advance(Duration::from_secs(renewed - 1)).await;
        assert_eq!(issuer.call().await.unwrap(), "Bearer t0", "{life}");
        advance(Duration::from_secs(1)).await;
        assert_eq!(issuer.call().await.unwrap(), "Bearer t1", "{life}");
        assert_eq!(issuer.fetched(), 2);
    }
}

#[tokio::test]
async fn calls_at_once_fetch_one_token() {
    let issuer = Arc::new(Issuer::start(|number| grant(&format!("t{number}"), 3600)).await);
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let issuer = issuer.clone();
            tokio::spawn(async move { issuer.call().await.unwrap() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "Bearer t0");
    }
    assert_eq!(issuer.fetched(), 1);
}

#[tokio::test]
async fn calls_at_once_share_a_failure() {
    let issuer = Arc::new(Issuer::start(|_| Act::Say(answer(503, &[], ""))).await);
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let issuer = issuer.clone();
            tokio::spawn(async move { issuer.call().await.unwrap_err() })
        })
        .collect();
    for call in calls {
        assert!(matches!(call.await.unwrap(), CallError::Unreachable(text) if text.contains("answered 503")));
    }
    assert_eq!(issuer.fetched(), 1);
    // A later call tries again.
    issuer.call().await.unwrap_err();
    assert_eq!(issuer.fetched(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_old_token_serves_while_the_next_is_fetched() {
    let issuer = Arc::new(
        Issuer::start(|number| match number {
            0 => grant("t0", 1000),
            _ => Act::SayAndStall(Vec::new()),
        })
        .await,
    );
    issuer.call().await.unwrap();
    advance(Duration::from_secs(975)).await;
    let renewing = tokio::spawn({
        let issuer = issuer.clone();
        async move { issuer.call().await }
    });
    // The one that renews has a connection of its own; the others go on with what they have.
    issuer.site.until_open(1).await;
    while issuer.fetched() < 2 {
        tokio::task::yield_now().await;
    }
    let start = Instant::now();
    assert_eq!(issuer.call().await.unwrap(), "Bearer t0");
    assert_eq!(start.elapsed(), Duration::ZERO);
    // And when renewing fails, the old token is still good.
    assert_eq!(renewing.await.unwrap().unwrap(), "Bearer t0");
    assert_eq!(issuer.fetched(), 2);
    // The next attempt is not made at once.
    issuer.call().await.unwrap();
    assert_eq!(issuer.fetched(), 2);
}

#[tokio::test(start_paused = true)]
async fn renewing_leaves_time_for_the_call_itself() {
    let issuer = Issuer::start(|number| match number {
        0 => grant("t0", 1000),
        _ => Act::SayAndStall(Vec::new()),
    })
    .await;
    issuer.call().await.unwrap();
    advance(Duration::from_secs(975)).await;
    let start = Instant::now();
    let limits = Limits { deadline: start + Duration::from_secs(2), ..roomy() };
    let response = call_within(&issuer.upstream, request("GET /"), limits).await.unwrap();
    assert_eq!((response.body.as_slice(), start.elapsed().as_secs()), (&b"Bearer t0"[..], 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_fails_alone() {
    let issuer = Arc::new(
        Issuer::start(|number| match number {
            0 => Act::SayAndStall(Vec::new()),
            _ => grant("t1", 1000),
        })
        .await,
    );
    let hurried = tokio::spawn({
        let issuer = issuer.clone();
        let limits = Limits { deadline: Instant::now() + Duration::from_secs(1), ..roomy() };
        async move { call_within(&issuer.upstream, request("GET /"), limits).await }
    });
    while issuer.fetched() < 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(issuer.call().await.unwrap(), "Bearer t1");
    assert!(matches!(hurried.await.unwrap(), Err(CallError::Timeout(_))));
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    for method in ["GET /", "POST /"] {
        let issuer = Issuer::start_with(
            |number| grant(&format!("t{number}"), 3600),
            |received| match received.field("authorization")[0] {
                "Bearer t0" => Act::Say(answer(401, &[], "expired")),
                _ => Act::Say(ok(std::str::from_utf8(&received.body).unwrap())),
            },
        )
        .await;
        let mut request = request(method);
        let body = if method == "POST /" { "payload" } else { "" };
        request.body = Some(body.as_bytes().to_vec());
        let response = call(&issuer.upstream, request).await.unwrap();
        assert_eq!((response.status, response.body.as_slice()), (200, body.as_bytes()));
        assert_eq!(issuer.fetched(), 2);
    }
}

#[tokio::test]
async fn an_upstream_that_refuses_every_token_is_answered_with_its_refusal() {
    let issuer = Issuer::start_with(|_| grant("t", 3600), |_| Act::Say(answer(401, &[], "no"))).await;
    let response = call(&issuer.upstream, request("GET /")).await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (401, &b"no"[..]));
    assert_eq!((issuer.fetched(), issuer.site.requests().len()), (2, 4));
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_the_secret() {
    let echo = format!(r#"{{"error":"invalid_client","error_description":"{SECRET}"}}"#);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (answer(401, &[], &echo), "answered 401 (invalid_client)"),
        (answer(400, &[], &format!(r#"{{"error":"{SECRET}"}}"#)), "answered 400"),
        (answer(302, &["location: http://127.0.0.1/"], ""), "answered 302"),
        (answer(200, &[], &format!("{{\"{SECRET}\":")), "holds no `access_token`"),
        (answer(200, &[], r#"{"access_token":"c4nary","token_type":"mac"}"#), "another type than Bearer"),
        (answer(200, &[], r#"{"access_token":"c4nary\r\nx: y"}"#), "no header field can hold"),
        (answer(200, &[], &" ".repeat(64 * 1024 + 1)), "the answer is too large"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}".to_vec(), "the connection ended"),
    ];
    for (said, needle) in cases {
        let issuer = Issuer::start(move |_| Act::SayAndClose(said.clone())).await;
        let Err(CallError::Unreachable(text)) = issuer.call().await else { panic!("{needle}") };
        assert!(
            text.contains(needle) && text.contains("`registry`") && text.contains("secret `key`"),
            "{text}"
        );
        assert!(!text.contains("c4nary") && !text.contains("127.0.0.1"), "{text}");
        assert!(issuer.site.requests().iter().all(|received| received.target() == "/oauth/token"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_that_never_answers_is_a_timeout() {
    let issuer = Arc::new(Issuer::start(|_| Act::SayAndStall(Vec::new())).await);
    let start = Instant::now();
    let first = tokio::spawn({
        let issuer = issuer.clone();
        async move { issuer.call().await }
    });
    while issuer.fetched() < 1 {
        tokio::task::yield_now().await;
    }
    // One that waits for the first keeps to its own time.
    let limits = Limits { deadline: Instant::now() + Duration::from_secs(1), ..roomy() };
    let Err(CallError::Timeout(text)) = call_within(&issuer.upstream, request("GET /"), limits).await else {
        panic!()
    };
    assert!(text.contains("another call was fetching its access token"), "{text}");
    assert_eq!(start.elapsed().as_secs(), 1);
    let Err(CallError::Timeout(text)) = first.await.unwrap() else { panic!() };
    assert!(text.contains("no access token") && text.contains("no answer within 5s"), "{text}");
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn a_call_dropped_while_fetching_leaves_it_to_the_next() {
    let issuer = Arc::new(
        Issuer::start(|number| match number {
            0 => Act::SayAndStall(Vec::new()),
            _ => grant("t1", 3600),
        })
        .await,
    );
    let dropped = tokio::spawn({
        let issuer = issuer.clone();
        async move { issuer.call().await }
    });
    while issuer.fetched() < 1 {
        tokio::task::yield_now().await;
    }
    let waiting = tokio::spawn({
        let issuer = issuer.clone();
        async move { issuer.call().await }
    });
    tokio::task::yield_now().await;
    dropped.abort();
    assert_eq!(waiting.await.unwrap().unwrap(), "Bearer t1");
}

#[tokio::test]
async fn one_connection_is_enough() {
    let issuer = Issuer::start(|number| grant(&format!("t{number}"), 3600)).await;
    let upstream = issuer.site.upstream_with(&["GET /"], |binding| {
        binding.credential = Some(credential("/oauth/token"));
        binding.max_connections = 1;
    });
    assert_eq!(call(&upstream, request("GET /")).await.unwrap().body, b"Bearer t0");
    assert_eq!(issuer.site.most_open(), 1);
}

#[tokio::test]
async fn the_endpoints_path_is_checked() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    for path in
        ["", "token", "//evil.example/token", "/../token", "/token?x=1", "/{x}", "http://evil.example/token"]
    {
        let mut binding = site.binding();
        binding.credential = Some(credential(path));
        let error = bind(&["GET /"], &binding, NoNames).unwrap_err();
        assert!(matches!(error.fault, BindFault::TokenPath(_)), "{error}");
    }
}
