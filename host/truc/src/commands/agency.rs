//! `truc agency`: the organisations that call.

use truc_control::documents::{Agency, AgencyList, NewAgency};
use truc_model::AgencyCode;

use crate::client::Admin;
use crate::failure::Failure;
use crate::output::{Output, Table, time};

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Enter an agency
    Add {
        /// Its identification code, for instance H56.14
        code: AgencyCode,
        /// Its name
        name: String,
    },
    /// List the agencies
    List,
    /// Suspend an agency: its accounts may no longer call
    Suspend {
        /// Its code
        code: AgencyCode,
    },
    /// Resume a suspended agency
    Resume {
        /// Its code
        code: AgencyCode,
    },
}

pub(crate) async fn run(admin: &Admin, command: Command) -> Result<Output, Failure> {
    match command {
        Command::Add { code, name } => {
            let agency: Agency = admin.post("/admin/agencies", &NewAgency { code, name }).await?;
            Output::new(&agency, format!("{} is entered", agency.code))
        }
        Command::List => {
            let list: AgencyList = admin.get("/admin/agencies").await?;
            let mut table = Table::new(["agency", "state", "since", "name"]);
            for agency in &list.agencies {
                table.row([
                    agency.code.to_string(),
                    agency.state.as_str().to_owned(),
                    time(agency.created_at),
                    agency.name.clone(),
                ]);
            }
            Output::new(&list, table.text("there is no agency"))
        }
        Command::Suspend { code } => change(admin, &code, "suspend").await,
        Command::Resume { code } => change(admin, &code, "resume").await,
    }
}

async fn change(admin: &Admin, code: &AgencyCode, action: &str) -> Result<Output, Failure> {
    let agency: Agency = admin.act(&format!("/admin/agencies/{code}/{action}")).await?;
    Output::new(&agency, format!("{code} is {}", agency.state.as_str()))
}
