//! `truc account`: the systems of an agency that call, and their keys.

use serde_json::json;
use truc_control::documents::{Account, AccountList, IssuedKey, NewAccount};
use truc_model::{AccountName, AgencyCode};

use crate::client::Admin;
use crate::failure::Failure;
use crate::output::{Output, Table, time};

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make an account and show its key, this once
    Add(Place),
    /// List the accounts of an agency
    List {
        /// The agency's code
        agency: AgencyCode,
    },
    /// Give an account a new key and show it, this once; the old one is no longer good
    Rotate(Place),
    /// Remove an account and its key
    Remove(Place),
    /// Suspend an account: it may no longer call
    Suspend(Place),
    /// Resume a suspended account
    Resume(Place),
}

/// Which account.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The agency's code
    agency: AgencyCode,
    /// The account's name, for instance one-stop-shop
    account: AccountName,
}

impl Place {
    fn path(&self) -> String {
        format!("/admin/agencies/{}/accounts/{}", self.agency, self.account)
    }
}

pub(crate) async fn run(admin: &Admin, command: Command) -> Result<Output, Failure> {
    match command {
        Command::Add(Place { agency, account }) => {
            let path = format!("/admin/agencies/{agency}/accounts");
            issued(admin.post(&path, &NewAccount { name: account }).await?)
        }
        Command::Rotate(place) => issued(admin.act(&format!("{}/rotate", place.path())).await?),
        Command::List { agency } => {
            let list: AccountList = admin.get(&format!("/admin/agencies/{agency}/accounts")).await?;
            let mut table = Table::new(["account", "state", "key", "key since", "since"]);
            for account in &list.accounts {
                table.row([
                    account.name.to_string(),
                    account.state.as_str().to_owned(),
                    account.key_id.clone(),
                    time(account.key_created_at),
                    time(account.created_at),
                ]);
            }
            Output::new(&list, table.text(&format!("{agency} has no account")))
        }
        Command::Remove(place) => {
            admin.delete(&place.path()).await?;
            let Place { agency, account } = place;
            let document = json!({ "removed": { "agency": agency, "account": account } });
            Output::new(&document, format!("{account} of {agency} is removed"))
        }
        Command::Suspend(place) => change(admin, &place, "suspend").await,
        Command::Resume(place) => change(admin, &place, "resume").await,
    }
}

async fn change(admin: &Admin, place: &Place, action: &str) -> Result<Output, Failure> {
    let account: Account = admin.act(&format!("{}/{action}", place.path())).await?;
    Output::new(&account, format!("{} of {} is {}", account.name, account.agency, account.state.as_str()))
}

fn issued(issued: IssuedKey) -> Result<Output, Failure> {
    let IssuedKey { account, key } = &issued;
    let text = format!(
        "{} of {} has this key; it is shown this once and kept nowhere:\n\n  {key}\n\nCalls carry it as `Authorization: Bearer <key>`.",
        account.name, account.agency
    );
    Output::new(&issued, text)
}
