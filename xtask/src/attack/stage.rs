//! What callers and upstreams meet: a host with services of the trial connector, an agency that may call them, and what
//! the host tells of itself.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use truc_contract::openapi::PURPOSE_HEADER;

use super::Setting;
use crate::host::{Host, Ports, Recording};
use crate::http::Client;

/// A host under attack.
pub(crate) struct Stage {
    /// The host.
    pub(crate) host: Host,
    /// The key of an account that may call every service.
    pub(crate) key: String,
}

/// A service to be made.
pub(crate) struct Service<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Where its upstream is.
    pub(crate) upstream: SocketAddr,
    /// What is set for the upstream beside its address.
    pub(crate) binding: Value,
    /// What its calls may use.
    pub(crate) limits: Value,
}

const AGENCY: &str = "H56.14";

impl Stage {
    /// Starts a host with some services. `api` are lines of the configuration's table `[api]`.
    pub(crate) async fn start(setting: &Setting<'_>, api: &str, services: &[Service<'_>]) -> Result<Self> {
        let component = setting.workspace.target.join("connectors/trial.wasm");
        Host::prepare(&setting.truc, &setting.folder, Recording::All, Ports::default())?;
        let configuration = setting.folder.join("truc.toml");
        let text = crate::workspace::read(&configuration)?;
        std::fs::write(&configuration, text.replacen("[api]\n", &format!("[api]\n{api}"), 1))?;

        let host = Host::start(&setting.truc, &setting.folder, None).await?;
        host.secret("seal", "a-key-for-authentication-codes-32").await?;
        host.contract(&setting.workspace.root.join("wit/trial")).await?;
        host.publish(&component).await?;
        host.agency(AGENCY, "Trung tâm Phục vụ hành chính công").await?;
        let key = host.account(AGENCY, "one-stop-shop").await?;
        for service in services {
            let mut binding = service.binding.clone();
            if let Some(members) = binding.as_object_mut() {
                members.insert("address".to_owned(), json!(format!("http://{}", service.upstream)));
            }
            let settings = json!({
                "connector": "trial@1.0.0",
                "bindings": { "shelf": binding },
                "keys": { "seal": { "algorithm": "hmac-sha256", "secret": "seal" } },
                "limits": service.limits,
            });
            host.service(service.name, &settings).await?;
            host.grant(AGENCY, service.name, "*").await?;
        }
        Ok(Self { host, key })
    }

    /// The data plane as the agency sees it.
    pub(crate) fn caller(&self) -> Client {
        Client::new(self.host.api).with_key(&self.key).with_header(PURPOSE_HEADER, "x")
    }

    /// The host's process.
    pub(crate) fn process(&self) -> Result<u32> {
        self.host.server.id().context("the host has ended")
    }

    /// What a meter without labels stands at.
    pub(crate) async fn meter(&self, name: &str) -> Result<f64> {
        let mut stream = TcpStream::connect(self.host.admin).await?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("the host has no meter {name}"))?.trim().parse()?)
    }

    /// Every recorded exchange, newest first.
    pub(crate) async fn exchanges(&self) -> Result<Vec<Value>> {
        let control = self.host.control()?;
        let mut exchanges = Vec::new();
        let mut path = "/admin/exchanges?limit=1000".to_owned();
        loop {
            let mut page = control.get(&path).await?;
            let listed = page.get_mut("exchanges").and_then(Value::as_array_mut);
            exchanges.append(listed.context("the host lists no exchanges")?);
            match page.get("next").and_then(Value::as_str) {
                Some(next) => path = format!("/admin/exchanges?limit=1000&cursor={next}"),
                None => return Ok(exchanges),
            }
        }
    }
}

/// The sockets of a process, as its descriptors tell.
pub(crate) fn sockets(process: u32) -> Result<usize> {
    let mut sockets = 0;
    for entry in std::fs::read_dir(format!("/proc/{process}/fd"))? {
        // A descriptor that is closed meanwhile is none.
        if std::fs::read_link(entry?.path())
            .is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
        {
            sockets += 1;
        }
    }
    Ok(sockets)
}
