//! The host under attack: everything published, put to work and granted.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use hostile::{Expected, Hostile, Upstream};
use hyper::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use truc_contract::openapi::PURPOSE_HEADER;

use crate::attack::Setting;
use crate::host::{Host, Ports, Recording};
use crate::http::{Answer, Body, Client};

/// The agency that calls everything.
const AGENCY: &str = "H56.14";

/// The secret that the connectors' key is made of.
const SECRET: &str = "hostile-key";

/// A running host with all hostile services, and a benign one.
pub(super) struct Site {
    /// The host.
    pub(super) host: Host,
    /// Its log.
    pub(super) log: PathBuf,
    /// The hostile connectors that are served, each under its own name.
    pub(super) services: Vec<Hostile>,
    /// One that does no harm, served too.
    pub(super) benign: Hostile,
    /// How many were refused, as they must be.
    pub(super) refused: usize,
    /// What did not go as expected.
    pub(super) surprises: Vec<String>,
    /// The upstream that nothing may reach.
    pub(super) canary: Listener,
    /// An upstream that never answers.
    silent: Listener,
    control: Client,
    agency: Client,
}

/// Something that accepts connections, takes what is sent, and says nothing.
pub(super) struct Listener {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Listener {
    async fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let connections = Arc::new(AtomicU64::new(0));
        let count = connections.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut taken = [0; 1024];
                    while matches!(stream.read(&mut taken).await, Ok(1..)) {}
                });
            }
        });
        Ok(Self { address, connections, task })
    }

    /// How many connections were made to it.
    pub(super) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Site {
    /// Starts a host and puts everything to work in it.
    pub(super) async fn open(setting: &Setting<'_>) -> Result<Self> {
        let folder = setting.folder.join("host");
        Host::prepare(&setting.truc, &folder, Recording::All, Ports::default())?;
        let (canary, silent) = (Listener::open().await?, Listener::open().await?);
        let host = Host::start(&setting.truc, &folder, None).await?;
        host.secret(SECRET, "a key of the attack's own").await?;
        let control = host.control()?;
        host.contract(&setting.workspace.root.join("wit/hostile")).await?;
        host.agency(AGENCY, "Sở Thông tin và Truyền thông").await?;
        let key = host.account(AGENCY, "attacker").await?;
        let agency = Client::new(host.api).with_key(&key).with_header(PURPOSE_HEADER, "Kiểm thử an toàn");
        let mut site = Self {
            log: folder.join("host.log"),
            host,
            services: Vec::new(),
            benign: hostile::benign(),
            refused: 0,
            surprises: Vec::new(),
            canary,
            silent,
            control,
            agency,
        };
        let benign = site.benign.component().map_err(anyhow::Error::msg)?;
        site.publish(benign).await?;
        site.serve(site.benign.name, &site.settings(&site.benign)).await?;
        for hostile in hostile::all() {
            site.add(hostile).await?;
        }
        Ok(site)
    }

    /// Publishes a connector and puts it to work, or sees that it is refused where it must be.
    async fn add(&mut self, hostile: Hostile) -> Result<()> {
        let component = hostile.component().map_err(anyhow::Error::msg)?;
        let published = self.send_component(component).await?;
        let code = code_of(&published);
        match (&hostile.expected, published.status) {
            (Expected::Unpublished(expected), _) if code == *expected => self.refused += 1,
            (Expected::Unserved | Expected::Calls(_), 201) => {
                let put = self.put_service(hostile.name, &self.settings(&hostile)).await?;
                match (&hostile.expected, put.status) {
                    (Expected::Unserved, _) if code_of(&put) == "service-invalid" => self.refused += 1,
                    (Expected::Calls(_), 200) => {
                        self.grant(hostile.name).await?;
                        self.services.push(hostile);
                    }
                    _ => self.surprises.push(format!("{} put to work: {}", hostile.name, put.json)),
                }
            }
            _ => self.surprises.push(format!("{} published: {} {code}", hostile.name, published.status)),
        }
        Ok(())
    }

    /// Publishes a component that must be taken.
    pub(super) async fn publish(&self, component: Vec<u8>) -> Result<()> {
        let answer = self.send_component(component).await?;
        ensure!(answer.status == 201, "publishing was answered with {}: {}", answer.status, answer.json);
        Ok(())
    }

    /// Sends a component to be published.
    pub(super) async fn send_component(&self, component: Vec<u8>) -> Result<Answer> {
        self.control
            .send(&Method::POST, "/admin/connectors", Body::File("application/wasm", component.into()))
            .await
    }

    /// Makes a service that must be made, and lets the agency call it.
    async fn serve(&self, name: &str, settings: &Value) -> Result<()> {
        let answer = self.put_service(name, settings).await?;
        ensure!(answer.status == 200, "{name} was answered with {}: {}", answer.status, answer.json);
        self.grant(name).await
    }

    /// Sends the settings of a service.
    pub(super) async fn put_service(&self, name: &str, settings: &Value) -> Result<Answer> {
        self.control.send(&Method::PUT, &format!("/admin/services/{name}"), Body::Json(settings)).await
    }

    /// Takes a service away again.
    pub(super) async fn remove_service(&self, name: &str) -> Result<()> {
        self.control.expect(&Method::DELETE, &format!("/admin/services/{name}"), Body::None).await.map(drop)
    }

    /// Lets the agency call a service.
    pub(super) async fn grant(&self, service: &str) -> Result<()> {
        let grant = json!({ "service": service, "operation": "*" });
        let path = format!("/admin/agencies/{AGENCY}/grants");
        self.control.expect(&Method::POST, &path, Body::Json(&grant)).await.map(drop)
    }

    fn settings(&self, hostile: &Hostile) -> Value {
        let listener = match hostile.upstream {
            Upstream::None => None,
            Upstream::Forbidden => Some(&self.canary),
            Upstream::Silent => Some(&self.silent),
        };
        let bindings = match listener.map(|listener| format!("http://{}", listener.address)) {
            Some(address) => json!({ hostile::UPSTREAM: { "address": address } }),
            None => json!({}),
        };
        let keys = match hostile.key {
            true => json!({ hostile::KEY: { "algorithm": "hmac-sha256", "secret": SECRET } }),
            false => json!({}),
        };
        json!({ "connector": format!("{}@1.0.0", hostile.name), "bindings": bindings, "keys": keys })
    }

    /// The host's process.
    pub(super) fn host_process(&self) -> Result<u32> {
        self.host.server.id().context("the host is gone")
    }

    /// Calls an operation of a service as the agency.
    pub(super) async fn call(&self, service: &str, path: &str, body: Bytes) -> Result<Answer> {
        let body = Body::File("application/json", body);
        self.agency.send(&Method::POST, &format!("/api/{service}/v1/{path}"), body).await
    }

    /// A client for calls as the agency.
    pub(super) fn agency(&self) -> Client {
        self.agency.clone()
    }

    /// A client for what operators ask.
    pub(super) fn control(&self) -> &Client {
        &self.control
    }

    /// How many calls it takes to make each call of each service once.
    pub(super) fn calls(&self) -> usize {
        self.services
            .iter()
            .map(|hostile| match &hostile.expected {
                Expected::Calls(calls) => calls.len(),
                _ => 0,
            })
            .sum()
    }
}

/// The code of a problem; empty where the answer is none.
pub(super) fn code_of(answer: &Answer) -> &str {
    answer.json.get("code").and_then(Value::as_str).unwrap_or_default()
}
