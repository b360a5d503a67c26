//! The national platform's sessions: obtained by a login, shown in every request, renewed when they are over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::advance;
use truc_egress::{BindFault, CallError, Credential, Response, SessionPlace, Upstream};
use truc_model::Millis;

use crate::site::{Act, NoNames, Received, SECRET, Site, answer, bind, call, ok, request};

/// A site with a login. `login` decides about the n-th, from 0; everything else is answered by `operation`.
struct Platform {
    site: Site,
    upstream: Arc<Upstream>,
    logins: Arc<AtomicUsize>,
}

fn credential(place: SessionPlace) -> Credential {
    Credential::SessionLogin {
        login_path: "/mapi/login".to_owned(),
        username: "truc \"x\"".to_owned(),
        secret: "key".parse().unwrap(),
        destination: Some("VN:GOV:000.00.00.G22:vpcpdvcprovider".to_owned()),
        place,
        lifetime: Millis(900_000),
        expired_codes: vec!["-1".to_owned(), "12".to_owned()],
    }
}

impl Platform {
    async fn start(
        place: SessionPlace,
        login: impl Fn(usize) -> Act + Send + Sync + 'static,
        operation: impl Fn(&Received) -> Act + Send + Sync + 'static,
    ) -> Self {
        let logins = Arc::new(AtomicUsize::new(0));
        let counter = logins.clone();
        let site = Site::start(move |received| match received.target() {
            "/mapi/login" => login(counter.fetch_add(1, Ordering::SeqCst)),
            _ => operation(received),
        })
        .await;
        let upstream = site.upstream_with(&["GET /", "POST /"], |binding| {
            binding.address = format!("http://{}/base", site.address).parse().unwrap();
            binding.credential = Some(credential(place));
        });
        Self { site, upstream, logins }
    }

    fn logins(&self) -> usize {
        self.logins.load(Ordering::SeqCst)
    }

    async fn post(&self, body: &str) -> Result<Response, CallError> {
        let mut request = request("POST /");
        request.body = Some(body.as_bytes().to_vec());
        call(&self.upstream, request).await
    }
}

fn session(number: usize) -> Act {
    Act::Say(ok(&format!(r#"{{"session":"session-{number}","error_code":"0"}}"#)))
}

/// Answers with how many bytes came, as an answer with the session in it would be cut.
fn done(_: &Received) -> Act {
    Act::Say(ok(r#"{"error_code":0}"#))
}

fn member() -> SessionPlace {
    SessionPlace::default()
}

#[tokio::test]
async fn one_session_serves_many_calls_in_the_body() {
    let platform = Platform::start(member(), session, done).await;
    for _ in 0..3 {
        assert_eq!(platform.post(r#"{"service":"LayThuTuc","data":[1.0]}"#).await.unwrap().status, 200);
    }
    let requests = platform.site.requests();
    assert_eq!((platform.logins(), requests.len()), (1, 4));
    assert_eq!(requests[0].line(), "POST /mapi/login HTTP/1.1");
    assert_eq!(requests[0].field("dstcode"), ["VN:GOV:000.00.00.G22:vpcpdvcprovider"]);
    let login: serde_json::Value = serde_json::from_slice(&requests[0].body).unwrap();
    assert_eq!(login, serde_json::json!({ "username": "truc \"x\"", "password": SECRET }));
    assert_eq!(requests[1].line(), "POST /base/ HTTP/1.1");
    let body = r#"{"session":"session-0","service":"LayThuTuc","data":[1.0]}"#;
    assert_eq!(String::from_utf8_lossy(&requests[1].body), body);
    assert_eq!(requests[1].field("content-length"), [body.len().to_string()]);
}

#[tokio::test]
async fn a_session_can_go_into_a_header_field_that_is_then_the_hosts() {
    let platform = Platform::start(SessionPlace::Header("X-Session".to_owned()), session, done).await;
    call(&platform.upstream, request("GET /")).await.unwrap();
    assert_eq!(platform.site.requests()[1].field("x-session"), ["session-0"]);
    let mut forged = request("GET /");
    forged.headers.push(("x_session".to_owned(), "mine".to_owned()));
    assert!(matches!(call(&platform.upstream, forged).await, Err(CallError::Denied(_))));
}

#[tokio::test]
async fn a_body_that_cannot_carry_the_session_is_denied() {
    let platform = Platform::start(member(), session, done).await;
    for (body, needle) in
        [("[]", "send a JSON object"), ("", "send a JSON object"), (r#"{"session":"mine"}"#, "leave it out")]
    {
        let Err(CallError::Denied(text)) = platform.post(body).await else { panic!("{body}") };
        assert!(text.contains(needle), "{text}");
    }
    assert!(platform.site.requests().iter().all(|received| received.target() == "/mapi/login"));
}

#[tokio::test]
async fn a_session_that_is_refused_is_replaced_once() {
    for refusal in [
        answer(401, &[], "who?"),
        answer(200, &[], r#"{"error_code":"12","message":"het phien"}"#),
        answer(200, &[], r#"{"error_code":-1}"#),
    ] {
        let platform = Platform::start(member(), session, move |received| {
            match String::from_utf8_lossy(&received.body).contains("session-0") {
                true => Act::Say(refusal.clone()),
                false => done(received),
            }
        })
        .await;
        let answer = platform.post("{}").await.unwrap();
        assert_eq!((answer.status, platform.logins()), (200, 2));
        assert_eq!(answer.body, br#"{"error_code":0}"#);
    }
    // Another code is an answer, and so is a second refusal.
    let platform = Platform::start(member(), session, |_| Act::Say(ok(r#"{"error_code":"7"}"#))).await;
    platform.post("{}").await.unwrap();
    assert_eq!(platform.logins(), 1);
    let platform = Platform::start(member(), session, |_| Act::Say(answer(401, &[], "no"))).await;
    assert_eq!(platform.post("{}").await.unwrap().status, 401);
    assert_eq!(platform.logins(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_renewed_when_its_time_is_nearly_over() {
    let platform = Platform::start(member(), session, done).await;
    platform.post("{}").await.unwrap();
    advance(Duration::from_secs(869)).await;
    platform.post("{}").await.unwrap();
    assert_eq!(platform.logins(), 1);
    advance(Duration::from_secs(1)).await;
    platform.post("{}").await.unwrap();
    assert_eq!(platform.logins(), 2);
}

#[tokio::test]
async fn calls_at_once_log_in_once() {
    let platform = Arc::new(Platform::start(member(), session, done).await);
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let platform = platform.clone();
            tokio::spawn(async move { platform.post("{}").await.unwrap().status })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(platform.logins(), 1);
}

#[tokio::test]
async fn a_login_that_fails_is_told_without_the_password() {
    let echo = |code: &str| format!(r#"{{"session":null,"error_code":"{code}"}}"#);
    for (said, needle) in [
        (answer(403, &[], SECRET), "answered with 403"),
        (answer(200, &[], &echo("9")), "refused with the code 9"),
        (answer(200, &[], &echo(SECRET)), "the login was refused"),
        (answer(200, &[], r#"{"session":"","error_code":"0"}"#), "holds no `session`"),
        (answer(200, &[], SECRET), "no JSON object"),
    ] {
        let platform = Platform::start(member(), move |_| Act::Say(said.clone()), done).await;
        let Err(CallError::Unreachable(text)) = platform.post("{}").await else { panic!("{needle}") };
        assert!(text.contains(needle) && text.contains("no session with the password `key`"), "{text}");
        assert!(!text.contains("c4nary"), "{text}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_refused_when_they_are_bound() {
    let site = Site::start(|_| Act::Say(ok(""))).await;
    let fault = |change: &dyn Fn(&mut Credential)| {
        let mut binding = site.binding();
        let mut login = credential(member());
        change(&mut login);
        binding.credential = Some(login);
        bind(&["GET /"], &binding, NoNames).unwrap_err().fault
    };
    macro_rules! set {
        ($field:ident, $value:expr) => {
            fault(&|login| {
                if let Credential::SessionLogin { $field, .. } = login {
                    *$field = $value;
                }
            })
        };
    }
    assert!(matches!(set!(login_path, "//x".to_owned()), BindFault::LoginPath(_)));
    assert!(matches!(set!(destination, Some("a\nb".to_owned())), BindFault::Destination));
    assert!(matches!(set!(lifetime, Millis(9_999)), BindFault::SessionLife(_)));
    assert!(matches!(set!(place, SessionPlace::Member(String::new())), BindFault::SessionMember));
    let header = SessionPlace::Header("host".to_owned());
    assert!(matches!(set!(place, header.clone()), BindFault::CredentialHeader { .. }));
}
