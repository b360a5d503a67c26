//! A small HTTP client, and one call per system with the right credential.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use truc_model::{ManualClock, Timestamp};
use truc_simulators::{Options, Running, System, credentials, start};

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Simulators in this process, and somebody who calls them.
pub(crate) struct Bench {
    pub(crate) running: Running,
    pub(crate) clock: Arc<ManualClock>,
    pool: Pool<HttpConnector, Full<Bytes>>,
}

/// 2025-07-01T08:30:00+07:00.
const MORNING: i64 = 1_751_333_400;

impl Bench {
    /// Simulators with a clock that stands at [`MORNING`].
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let clock = Arc::new(ManualClock::at(at(MORNING)));
        let mut options = Options { clock: clock.clone(), ..Options::default() };
        change(&mut options);
        let running = start(options).await.unwrap();
        Self { running, clock, pool: Pool::builder(TokioExecutor::new()).build_http() }
    }

    /// Moves the clock so many seconds past [`MORNING`].
    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.set(at(MORNING + seconds));
    }

    pub(crate) async fn send(
        &self,
        to: std::net::SocketAddr,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let mut request = Request::builder().method(method).uri(format!("http://{to}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.pool.request(request.body(Full::new(body.into()))?).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// A call with the system's credential.
    pub(crate) async fn call(&self, system: System, method: Method, path: &str, body: &Value) -> Answer {
        let (name, value) = match system {
            System::CivilStatus => ("authorization", format!("Bearer {}", self.token().await)),
            System::Land => ("authorization", format!("Bearer {}", credentials::LAND_TOKEN)),
            System::Insurance => ("authorization", basic("truc-demo", credentials::INSURANCE_PASSWORD)),
            System::Postal => ("access_token", credentials::POSTAL_TOKEN.to_owned()),
            System::Payment => ("x-none", String::new()),
        };
        let address = self.running.addresses().of(system);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(address, method, path, &[(name, &value)], body).await.unwrap()
    }

    pub(crate) async fn post(&self, system: System, path: &str, body: Value) -> Value {
        self.call(system, Method::POST, path, &body).await.json()
    }

    pub(crate) async fn get(&self, system: System, path: &str) -> Value {
        self.call(system, Method::GET, path, &Value::Null).await.json()
    }

    /// A fresh access token of the civil status system.
    pub(crate) async fn token(&self) -> String {
        let answer =
            self.ask_token("truc-demo", credentials::CIVIL_STATUS_SECRET, "client_credentials").await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn ask_token(&self, client: &str, secret: &str, grant: &str) -> Answer {
        let headers = [
            ("authorization", basic(client, secret)),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let to = self.running.addresses().civil_status;
        self.send(to, Method::POST, "/token", &headers, format!("grant_type={grant}")).await.unwrap()
    }

    pub(crate) async fn admin(&self, method: Method, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(self.running.addresses().admin, method, path, &[], body).await.unwrap()
    }

    pub(crate) async fn samples(&self) -> Value {
        self.admin(Method::GET, "/samples", Value::Null).await.json()
    }

    /// What every system does with a credential that is not its own.
    pub(crate) async fn with_credential(&self, system: System, path: &str, header: (&str, &str)) -> Answer {
        let address = self.running.addresses().of(system);
        self.send(address, Method::POST, path, &[header], json!({}).to_string()).await.unwrap()
    }
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}
