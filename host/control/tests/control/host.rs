//! A host's control side for one test, and a small client.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use truc_control::{Control, Parts, manners};
use truc_egress::{KeySource, SystemResolver, VaultKeys};
use truc_fleet::{Components, Fleet};
use truc_identity::{AdminKey, Identity};
use truc_ledger::Ledger;
use truc_listen::Manners;
use truc_model::{Clock, Secret, SystemClock};
use truc_sandbox::{Artifacts, Compiler, EngineSettings, Sandbox};
use truc_store::Store;

/// The admin key of every test's host.
pub(crate) const KEY: &str = "the-admin-key-of-a-test-is-long-enough";

/// A control side that serves on a loopback port.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) ledger: Ledger,
    pub(crate) store: Store,
    pub(crate) stopping: CancellationToken,
    stop: CancellationToken,
    served: JoinHandle<()>,
    folder: TempDir,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The document, of an answer that must have a status.
    #[track_caller]
    pub(crate) fn with(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The problem, which must have a code; also checks what every problem owes its reader.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.with(status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:truc:problem:{code}"));
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.headers["x-request-id"], problem["requestId"].as_str().unwrap());
        problem
    }

    /// The places of the faults in a problem.
    #[track_caller]
    pub(crate) fn pointers(&self, status: u16, code: &str) -> Vec<String> {
        let problem = self.problem(status, code);
        let faults = problem["errors"].as_array().unwrap_or_else(|| panic!("{problem}")).iter();
        faults.map(|fault| fault["pointer"].as_str().unwrap().to_owned()).collect()
    }
}

impl Host {
    pub(crate) async fn start() -> Self {
        Self::start_with(manners()).await
    }

    pub(crate) async fn start_with(manners: Manners) -> Self {
        crate::log::keep();
        let folder = TempDir::new().unwrap();
        let inner = |name: &str| {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            Dir::open_ambient_dir(folder.path().join(name), ambient_authority()).unwrap()
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store =
            Store::open(&format!("sqlite://{}", folder.path().join("truc.db").display())).await.unwrap();
        let ledger = Ledger::start(store.clone(), truc_ledger::Settings::default());
        let artifacts = Artifacts::open(inner("artifacts")).unwrap();
        std::fs::write(folder.path().join("vault.key"), vault_key()).unwrap();
        let fleet = Fleet::open(truc_fleet::Parts {
            store: store.clone(),
            identity: Identity::new(store.clone(), clock.clone()),
            sandbox: Arc::new(
                Sandbox::open(EngineSettings { instances: 4 }, artifacts, Compiler::InProcess).unwrap(),
            ),
            components: Components::new(inner("components")),
            vault: KeySource::File(folder.path().join("vault.key")),
            resolver: Arc::new(SystemResolver),
            clock: clock.clone(),
            platform: truc_model::Platform::default(),
        });
        let fleet = Arc::new(fleet.await.unwrap());
        let secret = Secret::new("secret-canary".to_owned());
        fleet.put_secret(&"payment-key".parse().unwrap(), secret).await.unwrap();
        let stopping = CancellationToken::new();
        let parts = Parts {
            fleet: fleet.clone(),
            ledger: ledger.clone(),
            store: store.clone(),
            admin_key: AdminKey::new(&Secret::new(KEY.to_owned())).unwrap(),
            clock,
            meters: Box::new(|| "truc_requests_total 1\n".to_owned()),
            stopping: stopping.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = tokio::spawn(Control::new(parts, manners).serve(listener, stop.clone()));
        Self { address, fleet, ledger, store, stopping, stop, served, folder }
    }

    /// The folder that it works in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends serving and waits for it.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.served.await.unwrap();
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// Sends a request with the admin key.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "admin.test")
            .header(AUTHORIZATION, format!("Bearer {KEY}"));
        if !media_type.is_empty() {
            request = request.header(CONTENT_TYPE, media_type);
        }
        self.send(request.body(Full::new(body.into())).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, "", "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, "", "").await
    }

    pub(crate) async fn act(&self, path: &str) -> Answer {
        self.ask(Method::POST, path, "", "").await
    }

    pub(crate) async fn post(&self, path: &str, document: &Value) -> Answer {
        self.ask(Method::POST, path, "application/json", document.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, document: &Value) -> Answer {
        self.ask(Method::PUT, path, "application/json", document.to_string()).await
    }

    pub(crate) async fn publish(&self, component: impl Into<Bytes>) -> Answer {
        self.ask(Method::POST, "/admin/connectors", "application/wasm", component).await
    }
}

/// A key of the vault.
pub(crate) fn vault_key() -> String {
    VaultKeys::generate().unwrap().expose().to_owned()
}

/// The connector for payments: it has an upstream, configuration and a key.
pub(crate) fn component() -> &'static [u8] {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let file =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("connectors").join("payment.wasm");
        std::fs::read(&file)
            .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask connectors` first", file.display()))
    })
}

/// Settings that fit the connector for payments.
pub(crate) fn settings() -> Value {
    json!({
        "connector": "payment@1.0.0",
        "bindings": { "platform": { "address": "http://127.0.0.1:9" } },
        "config": { "partner-code": "TRUC" },
        "keys": { "payment": { "algorithm": "sha256-suffix", "secret": "payment-key" } }
    })
}
