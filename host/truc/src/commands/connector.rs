//! `truc connector`: what was published.

use truc_control::documents::{ConnectorDetails, ConnectorList, ContractState};
use truc_fleet::ConnectorRef;

use crate::client::{Admin, encoded};
use crate::commands::inspect;
use crate::failure::Failure;
use crate::output::{Output, Sheet, Table, size, time};

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the published connectors
    List,
    /// Show one connector: operations, imports, upstreams, configuration, limits
    Show {
        /// Name and version, for instance payment@1.0.0
        connector: ConnectorRef,
    },
}

pub(crate) async fn run(admin: &Admin, command: &Command) -> Result<Output, Failure> {
    match command {
        Command::List => {
            let list: ConnectorList = admin.get("/admin/connectors").await?;
            let mut table = Table::new(["connector", "contract", "publisher", "size", "published"]);
            for connector in &list.connectors {
                table.row([
                    connector.connector.to_string(),
                    match connector.contract_state {
                        ContractState::Published => connector.contract.clone(),
                        ContractState::Proposed => format!("{} (proposed)", connector.contract),
                    },
                    connector.publisher.clone(),
                    size(connector.size),
                    time(connector.published_at),
                ]);
            }
            Output::new(&list, table.text("no connector is published"))
        }
        Command::Show { connector } => {
            let details = details(admin, connector).await?;
            let mut sheet = Sheet::new();
            inspect::head(&mut sheet, &details.description);
            sheet
                .line("published", time(details.published_at))
                .line("size", size(details.size))
                .line("digest", details.digest);
            inspect::body(&mut sheet, &details.description);
            Output::new(&details, sheet.text())
        }
    }
}

/// A published connector with what it says of itself.
pub(crate) async fn details(admin: &Admin, connector: &ConnectorRef) -> Result<ConnectorDetails, Failure> {
    let version = encoded(&connector.version.to_string());
    admin.get(&format!("/admin/connectors/{}/{version}", connector.name)).await
}
