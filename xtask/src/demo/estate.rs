//! What is demonstrated: the simulators, the host, its connectors, services, agencies, accounts and grants.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use truc_contract::openapi::PURPOSE_HEADER;

use super::samples::Samples;
use super::services::{self, SECRETS, Service};
use crate::host::{Host, Ports as HostPorts, Recording};
use crate::http::Client;
use crate::process::Server;
use crate::workspace::{Workspace, progress};

/// The agency that may call everything, and its account.
const OFFICE: &str = "H56.14";
/// The agency that may look up parcels and nothing else.
const OTHER: &str = "H56.22";
/// What both call themselves where they call from.
const ACCOUNT: &str = "one-stop-shop";

/// Where everything listens.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ports {
    /// Where the documentation says, as far as those ports are free.
    Usual,
    /// Wherever the system chooses.
    Free,
}

/// Everything that runs.
pub(crate) struct Estate {
    /// The workspace's folder.
    root: PathBuf,
    /// The folder of this demonstration.
    folder: PathBuf,
    /// The host's program.
    truc: PathBuf,
    /// Where the connectors' files are.
    components: PathBuf,
    services: Vec<Service>,
    simulators: Server,
    /// The simulators' admin address.
    simulators_at: SocketAddr,
    /// The host.
    pub(crate) host: Host,
    /// Citizens, parcels and dossiers the simulators know.
    pub(crate) samples: Samples,
    /// The key of the agency that may call everything.
    office_key: String,
    /// The key of the agency that may look up parcels.
    other_key: String,
}

impl Estate {
    /// Starts everything in a folder, which is emptied first.
    pub(crate) async fn start(workspace: &Workspace, folder: PathBuf, ports: Ports) -> Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        let usual = |port: u16| match ports {
            Ports::Usual if is_free(port) => port,
            _ => 0,
        };
        let truc = workspace.program("debug", "truc");
        Host::prepare(&truc, &folder, Recording::All, HostPorts { api: usual(8080), admin: usual(8081) })?;
        progress("starting the simulators of five national systems");
        let base = if (9100..=9105).all(is_free) { usual(9100) } else { 0 };
        let (simulators, systems) = start_simulators(workspace, &folder, base).await?;
        let admin =
            systems.get("admin").and_then(Value::as_str).context("the simulators announced no admin")?;
        let simulators_at = admin.parse()?;
        let samples = Samples(Client::new(simulators_at).get("/samples").await?);

        progress("starting the host");
        let host = Host::start(&truc, &folder, None).await?;
        for (name, secret) in SECRETS {
            host.secret(name, secret).await?;
        }

        let components = workspace.target.join("connectors");
        let services = services::all(&systems)?;
        progress("publishing five contracts");
        for service in &services {
            host.contract(&workspace.root.join("wit").join(service.name)).await?;
        }
        for service in &services {
            progress(format_args!(
                "publishing the connector {0} and making the service {0} of it",
                service.name
            ));
            host.publish(&components.join(format!("{}.wasm", service.name))).await?;
            host.service(service.name, &service.settings).await?;
        }

        progress("making two agencies, their accounts and their grants");
        host.agency(OFFICE, "Trung tâm Phục vụ hành chính công").await?;
        host.agency(OTHER, "Sở Xây dựng").await?;
        let office_key = host.account(OFFICE, ACCOUNT).await?;
        let other_key = host.account(OTHER, ACCOUNT).await?;
        for service in &services {
            host.grant(OFFICE, service.name, "*").await?;
        }
        host.grant(OTHER, "land", "parcels/get-parcel").await?;
        Ok(Self {
            root: workspace.root.clone(),
            folder,
            truc,
            components,
            services,
            simulators,
            simulators_at,
            host,
            samples,
            office_key,
            other_key,
        })
    }

    /// The data plane as the agency that may call everything sees it.
    pub(crate) fn office(&self) -> Client {
        Client::new(self.host.api)
            .with_key(&self.office_key)
            .with_header(PURPOSE_HEADER, "Giải quyết thủ tục hành chính")
    }

    /// The data plane as the agency sees it that may only look up parcels.
    pub(crate) fn other(&self) -> Client {
        self.office().with_key(&self.other_key)
    }

    /// The key of the agency that may call everything.
    pub(crate) fn office_key(&self) -> &str {
        &self.office_key
    }

    /// The folder of this demonstration, which goes with it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Another account of the agency that may call everything; gives its key.
    pub(crate) async fn account_of_office(&self, name: &str) -> Result<String> {
        self.host.account(OFFICE, name).await
    }

    /// The services' names.
    pub(crate) fn services(&self) -> impl Iterator<Item = &'static str> {
        self.services.iter().map(|service| service.name)
    }

    /// A connector's file.
    pub(crate) fn component(&self, name: &str) -> PathBuf {
        self.components.join(format!("{name}.wasm"))
    }

    /// The text of a service's contract.
    pub(crate) fn contract(&self, name: &str) -> Result<String> {
        crate::workspace::read(&self.root.join("wit").join(name).join(format!("{name}.wit")))
    }

    /// The settings of a service.
    pub(crate) fn settings(&self, name: &str) -> Result<Value> {
        let service = self.services.iter().find(|service| service.name == name);
        Ok(service.with_context(|| format!("there is no service {name}"))?.settings.clone())
    }

    /// What a person needs to try it.
    pub(crate) fn introduction(&self) -> Result<String> {
        let (gateway, operators) = (self.host.api, self.host.admin);
        let simulators = self.simulators_at;
        let (office, other) = (&self.office_key, &self.other_key);
        let (truc, key_file) = (&self.truc, self.host.admin_key_file());
        let below_root = |path: &Path| path.strip_prefix(&self.root).unwrap_or(path).display().to_string();
        let (truc, key_file) = (below_root(truc), below_root(&key_file));
        let services: Vec<&str> = self.services.iter().map(|service| service.name).collect();
        let services = services.join(", ");
        let parcel = self.samples.part("/parcels/0")?;
        let (ward, sheet, number) = (parcel.text("/ward")?, parcel.text("/sheet")?, parcel.text("/number")?);
        let paid = self.samples.text("/payments/paid")?;
        Ok(format!(
            r#"Five services run: {services}.

  for agencies    http://{gateway}/api/{{service}}/v1/…  (and …/v1/openapi.json)
  to read         http://{gateway}/docs                (every operation, to be tried from the page)
  for operators   http://{operators}/admin/…             (and /admin/openapi.json, /metrics)
  simulators      http://{simulators}/samples, /calls, /faults

Two agencies have keys. {OFFICE} may call everything, {OTHER} may look up parcels:

  OFFICE={office}
  OTHER={other}

Paste these two lines, and then any of these:

  # a parcel of land, for a stated purpose
  curl -sS -H "Authorization: Bearer $OTHER" \
       -H '{PURPOSE_HEADER}: ownership check' \
       http://{gateway}/api/land/v1/parcels/{ward}/{sheet}/{number}

  # the same agency asks for what it was not granted
  curl -sS -H "Authorization: Bearer $OTHER" \
       http://{gateway}/api/payment/v1/payments/{paid}

  # what a parcel from Nha Trang to Hà Nội costs
  curl -sS -H "Authorization: Bearer $OFFICE" \
       'http://{gateway}/api/postal/v1/quotations?senderProvince=56&receiverProvince=01&weight=700'

  # the payment platform goes down, and comes back
  curl -sS -X PUT -d '{{"kind":"status","code":503}}' http://{simulators}/faults/payment
  curl -sS -H "Authorization: Bearer $OFFICE" http://{gateway}/api/payment/v1/payments/{paid}
  curl -sS -X DELETE http://{simulators}/faults/payment

  # what was recorded of all this
  {truc} exchanges --admin http://{operators} --admin-key-file {key_file} --limit 5

Ctrl-C stops everything."#
        ))
    }

    /// Waits until one of the programs ends by itself, and says which.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        tokio::select! {
            error = self.simulators.ended() => error,
            error = self.host.server.ended() => error,
        }
    }

    /// Stops everything; removes the folder unless it is to be kept.
    pub(crate) async fn stop(self, keep: bool) -> Result<()> {
        let host = self.host.stop().await;
        self.simulators.stop().await?;
        host?;
        match keep {
            true => {
                progress(format_args!("database, logs and configuration are in {}", self.folder.display()))
            }
            false => std::fs::remove_dir_all(&self.folder)?,
        }
        Ok(())
    }
}

/// Starts the simulators; `base` is the first of six ports, 0 lets the system choose. Gives the addresses they announce.
async fn start_simulators(workspace: &Workspace, folder: &Path, base: u16) -> Result<(Server, Value)> {
    let next = if base == 0 { 0 } else { base + 1 };
    let mut command = Command::new(workspace.program("debug", "truc-simulators"));
    command.args(["--admin-port", &base.to_string(), "--base-port", &next.to_string()]);
    command.arg("--data-dir").arg(folder.join("simulators"));
    let log = folder.join("simulators.log");
    let mut server = Server::start("the simulators", command, &log, None)?;
    let systems = server.line(|line| serde_json::from_str(line).ok()).await?;
    Ok((server, systems))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok()
}
