//! `truc grant`: who may call what, for which purpose, until when.

use serde_json::json;
use truc_control::documents::{Grant, GrantList, NewGrant};
use truc_identity::Operations;
use truc_model::{AgencyCode, ServiceName, Timestamp};

use crate::client::{Admin, encoded};
use crate::failure::Failure;
use crate::output::{Output, Table, time};

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Grant operations of a service to an agency
    Add {
        /// The agency's code
        agency: AgencyCode,
        /// The service
        #[arg(long)]
        service: ServiceName,
        /// interface/function, or '*' for every operation
        #[arg(long)]
        operation: Operations,
        /// The purpose it is given for
        #[arg(long, value_name = "TEXT")]
        purpose: Option<String>,
        /// The legal basis it rests on
        #[arg(long, value_name = "TEXT")]
        legal_basis: Option<String>,
        /// The first moment at which it is no longer good, for instance 2027-01-01T00:00:00+07:00
        #[arg(long, value_name = "TIME")]
        expires: Option<Timestamp>,
    },
    /// List the grants of an agency
    List {
        /// The agency's code
        agency: AgencyCode,
    },
    /// Take a grant back
    Remove {
        /// The agency's code
        agency: AgencyCode,
        /// The grant's identifier, as `grant list` shows it
        id: String,
    },
}

pub(crate) async fn run(admin: &Admin, command: Command) -> Result<Output, Failure> {
    match command {
        Command::Add { agency, service, operation, purpose, legal_basis, expires } => {
            let new = NewGrant { service, operation, purpose, legal_basis, expires_at: expires };
            let grant: Grant = admin.post(&format!("/admin/agencies/{agency}/grants"), &new).await?;
            Output::new(
                &grant,
                format!("{agency} may call {} of {} (grant {})", grant.operation, grant.service, grant.id),
            )
        }
        Command::List { agency } => {
            let list: GrantList = admin.get(&format!("/admin/agencies/{agency}/grants")).await?;
            let mut table = Table::new(["grant", "service", "operation", "until", "purpose", "legal basis"]);
            for grant in &list.grants {
                table.row([
                    grant.id.clone(),
                    grant.service.to_string(),
                    grant.operation.to_string(),
                    grant.expires_at.map(time).unwrap_or_default(),
                    grant.purpose.clone().unwrap_or_default(),
                    grant.legal_basis.clone().unwrap_or_default(),
                ]);
            }
            Output::new(&list, table.text(&format!("{agency} has no grant")))
        }
        Command::Remove { agency, id } => {
            admin.delete(&format!("/admin/agencies/{agency}/grants/{}", encoded(&id))).await?;
            Output::new(
                &json!({ "removed": { "agency": agency, "grant": id } }),
                format!("grant {id} is taken back"),
            )
        }
    }
}
