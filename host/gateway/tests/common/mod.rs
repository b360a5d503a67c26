//! A whole host in the test's process: a real store, the real engine with the trial connector, an upstream of the
//! test's own, and the data plane on a port of its own.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use truc_egress::{KeySource, SystemResolver, VaultKeys};
use truc_fleet::{Components, Fleet, Parts, ServiceSettings};
use truc_gateway::{Gateway, GatewaySettings};
use truc_identity::Identity;
use truc_ledger::{Entry, Filter, Ledger};
use truc_model::{AccountName, AgencyCode, Clock, Exchange, Millis, Secret, SystemClock};
use truc_sandbox::{Artifacts, Compiler, EngineSettings, Sandbox};
use truc_store::{Options, Store};

/// What the upstream does with the next requests.
pub(crate) const SHELF: &str = "shelf";

/// A running host.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) ledger: Ledger,
    pub(crate) store: Store,
    pub(crate) key: String,
    pub(crate) shelf: Shelf,
    pub(crate) stop: CancellationToken,
    pub(crate) served: tokio::task::JoinHandle<truc_listen::Drained>,
    folder: tempfile::TempDir,
}

/// An answer taken apart.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// Status and problem code.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let document = self.json();
        assert_eq!(document["status"], self.status);
        assert_eq!(document["requestId"].as_str(), self.headers["x-request-id"].to_str().ok());
        (self.status, document["code"].as_str().expect("a code").to_owned())
    }
}

impl Host {
    pub(crate) async fn start() -> Self {
        Self::start_with(GatewaySettings::default(), Options::default(), json!({})).await
    }

    /// Starts a host whose trial service has the given limits.
    pub(crate) async fn start_with(settings: GatewaySettings, options: Options, limits: Value) -> Self {
        Self::start_at(Arc::new(SystemClock), settings, options, limits).await
    }

    /// Starts a host with a clock of the test's own.
    pub(crate) async fn start_at(
        clock: Arc<dyn Clock>,
        settings: GatewaySettings,
        options: Options,
        limits: Value,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["components", "artifacts"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let key = VaultKeys::generate().expect("a key");
        std::fs::write(folder.path().join("vault.key"), key.expose()).expect("a vault");
        let (store, fleet) = open(folder.path(), options, clock.clone()).await;
        let fleet = Arc::new(fleet.expect("a fleet"));
        let secret = Secret::new("mật khẩu".to_owned());
        fleet.put_secret(&"seal".parse().expect("a name"), secret).await.expect("a secret");
        let shelf = Shelf::start().await;
        let (_, trial) =
            fleet.publish(trial::component().expect("the trial connector")).await.expect("published");
        fleet.publish_contract(trial.contract_text(), "test").await.expect("its contract published");
        let service = trial_settings(shelf.address, limits);
        fleet.put_service(&"trial".parse().expect("a name"), &service, "test").await.expect("put");
        let key = grant_everything(&fleet, "H56", "portal").await;
        Self::serve(clock, settings, store, fleet, key, shelf, folder).await
    }

    async fn serve(
        clock: Arc<dyn Clock>,
        settings: GatewaySettings,
        store: Store,
        fleet: Arc<Fleet>,
        key: String,
        shelf: Shelf,
        folder: tempfile::TempDir,
    ) -> Self {
        let ledger = Ledger::start(store.clone(), truc_ledger::Settings::default());
        let gateway = Gateway::new(fleet.clone(), ledger.clone(), clock, settings, None);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let served = tokio::spawn(gateway.serve(listener, stop.clone()));
        Self { address, fleet, ledger, store, key, shelf, stop, served, folder }
    }

    /// Stops the host, changes what it left, and starts it again.
    pub(crate) async fn restart<F: Future<Output = ()>>(self, change: impl FnOnce(String) -> F) -> Self {
        let Self { fleet, ledger, store, key, shelf, stop, served, folder, .. } = self;
        stop.cancel();
        bounded(served).await.expect("it stopped");
        bounded(ledger.close()).await;
        drop(fleet);
        store.close().await;
        change(database(folder.path())).await;
        let (store, fleet) = open(folder.path(), Options::default(), Arc::new(SystemClock)).await;
        let fleet = Arc::new(fleet.expect("a fleet"));
        Self::serve(Arc::new(SystemClock), GatewaySettings::default(), store, fleet, key, shelf, folder).await
    }

    /// The folder that it works in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A request with the key.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let mut request = self.request(method, path);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.exchange(request.body(Full::new(Bytes::from(body))).expect("a request")).await
    }

    /// A request with the key and a purpose, to be completed.
    pub(crate) fn request(&self, method: &str, path: &str) -> http::request::Builder {
        self.anonymous(method, path)
            .header("authorization", format!("Bearer {}", self.key))
            .header("truc-purpose", "Thử nghiệm".as_bytes())
    }

    pub(crate) fn anonymous(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(path).header("host", self.address.to_string())
    }

    /// Sends on a connection of its own.
    pub(crate) async fn exchange(&self, request: Request<Full<Bytes>>) -> Reply {
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a handshake");
        tokio::spawn(connection);
        let response = bounded(sender.send_request(request)).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = bounded(body.collect()).await.expect("a body").to_bytes();
        Reply { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// Sends bytes as they are and reads until the connection ends or a whole answer is there.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        // A server that refuses early may have closed its side by now.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = bounded(stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The recorded exchanges, newest first.
    pub(crate) async fn exchanges(&self) -> Vec<Exchange> {
        let page = self.ledger.list(&Filter::default()).await.expect("a listing");
        page.entries
            .into_iter()
            .filter_map(|entry| match entry {
                Entry::Outcome(exchange) => Some(exchange),
                Entry::Intent(_) => None,
            })
            .collect()
    }
}

/// The address of the database in a host's folder.
fn database(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("truc.db").display())
}

/// A store and a fleet on what is in a host's folder.
async fn open(
    folder: &Path,
    options: Options,
    clock: Arc<dyn Clock>,
) -> (Store, Result<Fleet, truc_fleet::FleetError>) {
    let store = Store::open_with(&database(folder), options).await.expect("a store");
    let artifacts = Artifacts::open(dir(&folder.join("artifacts"))).expect("artifacts");
    let sandbox =
        Sandbox::open(EngineSettings { instances: 64 }, artifacts, Compiler::InProcess).expect("a sandbox");
    let fleet = Fleet::open(Parts {
        store: store.clone(),
        identity: Identity::new(store.clone(), clock.clone()),
        sandbox: Arc::new(sandbox),
        components: Components::new(dir(&folder.join("components"))),
        vault: KeySource::File(folder.join("vault.key")),
        resolver: Arc::new(SystemResolver),
        clock,
        platform: truc_model::Platform::default(),
    });
    let fleet = fleet.await;
    (store, fleet)
}

/// Waits, at most as long as any test may.
pub(crate) async fn bounded<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("within the bound of a test")
}

pub(crate) fn dir(path: &Path) -> Dir {
    Dir::open_ambient_dir(path, ambient_authority()).expect("a folder")
}

pub(crate) fn trial_settings(shelf: SocketAddr, limits: Value) -> ServiceSettings {
    serde_json::from_value(json!({
        "connector": "trial@1.0.0",
        "bindings": { "shelf": {
            "address": format!("http://{shelf}"),
            "timeouts": { "connect": "1s", "firstByte": "1500ms", "total": "4s" },
        } },
        "keys": { "seal": { "algorithm": "hmac-sha256", "secret": "seal" } },
        "limits": limits,
    }))
    .expect("settings")
}

/// An agency whose account may call everything of the trial service; gives the key.
pub(crate) async fn grant_everything(fleet: &Fleet, agency: &str, account: &str) -> String {
    let (agency, account): (AgencyCode, AccountName) =
        (agency.parse().expect("a code"), account.parse().expect("a name"));
    let identity = fleet.identity();
    identity.create_agency(agency.clone(), "Cơ quan thử").await.expect("an agency");
    let (_, key) = identity.create_account(agency.clone(), account).await.expect("an account");
    grant(fleet, agency.as_str(), "trial").await;
    key.expose().to_owned()
}

/// Lets an agency call everything of a service.
pub(crate) async fn grant(fleet: &Fleet, agency: &str, service: &str) {
    let new = truc_identity::NewGrant {
        service: service.parse().expect("a name"),
        operations: "*".parse().expect("operations"),
        purpose: None,
        legal_basis: None,
        expires_at: None,
    };
    fleet.identity().grant(agency.parse().expect("a code"), new).await.expect("a grant");
    fleet.renew_directory().await.expect("a directory");
}

/// An upstream that does what the item's name says.
pub(crate) struct Shelf {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Arc<AtomicUsize>,
    /// Lets requests for the item `held` go on, one for each permit.
    pub(crate) gate: Arc<Semaphore>,
}

impl Shelf {
    /// How many requests came.
    pub(crate) fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Waits until so many requests came.
    pub(crate) async fn reached(&self, count: usize) {
        bounded(async {
            while self.count() < count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Semaphore::new(0));
        tokio::spawn({
            let (requests, gate) = (requests.clone(), gate.clone());
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (requests, gate) = (requests.clone(), gate.clone());
                    tokio::spawn(async move {
                        let service = service_fn(move |request| {
                            let number = requests.fetch_add(1, Ordering::SeqCst) + 1;
                            shelf(request, number, gate.clone())
                        });
                        let connection = hyper::server::conn::http1::Builder::new();
                        // A client that goes away ends its connection with an error.
                        let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                    });
                }
            }
        });
        Self { address, requests, gate }
    }
}

async fn shelf(
    request: Request<hyper::body::Incoming>,
    number: usize,
    gate: Arc<Semaphore>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let item = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let answer = |status: StatusCode, body: Vec<u8>| {
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response
    };
    match item.as_str() {
        "cut" => Err(std::io::Error::other("cut as asked")),
        "slow" => std::future::pending().await,
        "held" => {
            gate.acquire().await.expect("an open gate").forget();
            Ok(answer(StatusCode::OK, b"item held".to_vec()))
        }
        "numbered" => Ok(answer(StatusCode::OK, format!("item {number}").into_bytes())),
        "huge" => Ok(answer(StatusCode::OK, vec![b'x'; 6 << 20])),
        "redirect" => {
            let mut response = answer(StatusCode::FOUND, Vec::new());
            response.headers_mut().insert("location", "http://127.0.0.1:1/".parse().expect("a header"));
            Ok(response)
        }
        "broken" => Ok(answer(StatusCode::INTERNAL_SERVER_ERROR, b"<html>".to_vec())),
        other => Ok(answer(StatusCode::OK, format!("item {other}").into_bytes())),
    }
}

/// A bound on waiting that tests set for settings.
pub(crate) const SHORT: Millis = Millis(700);
