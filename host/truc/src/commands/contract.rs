//! `truc contract`: contracts as artifacts of their own. Published, listed, shown, compared.

use std::path::Path;

use hyper::Method;
use truc_contract::{Changes, Component, ContractId, ContractText, Effect, predecessor, sources_in};
use truc_control::documents::{
    ChangeLog, ContractDetails, ContractFile, ContractList, ContractState, NewContract, PublishedContract,
};

use crate::client::{Admin, AdminOptions, Body, encoded};
use crate::commands::inspect;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Sheet, Table, time};

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Publish a contract, or what a connector proposed
    ///
    /// Name and version stand in the text. Within a major version (before 1.0.0: within a minor version) only additions
    /// are accepted, and versions go forward. A published contract never changes; publishing the same text again changes
    /// nothing.
    #[command(after_help = PUBLISH_EXAMPLES)]
    Publish {
        /// A folder of .wit files, a .wit file, a component that brings a contract, or the name of a proposal
        source: String,
    },
    /// List the contracts, published and proposed
    List,
    /// Show one contract: how it stands, and its operations
    Show {
        /// Name and version, for instance lgsp:land@1.0.0
        contract: ContractId,
        /// Print its text instead
        #[arg(long)]
        wit: bool,
    },
    /// Say what changed between two texts of a contract, and whether it breaks anybody
    ///
    /// Ends with 10 where a change breaks callers or connectors.
    #[command(after_help = DIFF_EXAMPLES)]
    Diff {
        /// The text before: a folder, a file, a component, or a published contract
        before: String,
        /// The text after; without it, the only text given is compared with the newest published version of its track
        after: Option<String>,
    },
}

const PUBLISH_EXAMPLES: &str = "\
Examples:
  truc contract publish wit/land                a folder of .wit files
  truc contract publish land.wit                one file
  truc contract publish lgsp:land@1.0.0         what a connector proposed
  truc contract publish land.wasm               the contract that a component brings";

const DIFF_EXAMPLES: &str = "\
Examples:
  truc contract diff wit/land                   since the newest published version of its track
  truc contract diff lgsp:land@1.0.0 wit/land
  truc contract diff lgsp:land@1.0.0 lgsp:land@2.0.0
  truc contract diff land-1.0.0.wasm land-1.1.0.wasm";

pub(crate) async fn run(admin: &AdminOptions, command: Command) -> Result<Output, Failure> {
    match command {
        Command::Publish { source } => publish(&admin.client()?, &source).await,
        Command::List => list(&admin.client()?).await,
        Command::Show { contract, wit } => show(&admin.client()?, &contract, wit).await,
        Command::Diff { before, after } => diff(admin, &before, after.as_deref()).await,
    }
}

async fn publish(admin: &Admin, source: &str) -> Result<Output, Failure> {
    let published: PublishedContract = match Source::of(source) {
        Source::Published(id) => admin.act(&format!("{}/publish", path(&id))).await?,
        Source::Local(file_or_folder) => {
            let file =
                |(name, text): &(String, String)| ContractFile { name: name.clone(), text: text.clone() };
            let files = local(file_or_folder)?.files().iter().map(file).collect();
            admin.post("/admin/contracts", &NewContract { files }).await?
        }
    };
    let mut sheet = Sheet::new();
    sheet
        .line("published", &published.contract.contract)
        .line("operations", published.operations.len())
        .line("digest", published.contract.digest);
    let text = match &published.changes {
        Some(changes) => format!("{}\n\n{}", sheet.text(), log(changes)),
        None => sheet.text(),
    };
    Output::new(&published, text)
}

async fn list(admin: &Admin) -> Result<Output, Failure> {
    let list: ContractList = admin.get("/admin/contracts").await?;
    let mut table = Table::new(["contract", "state", "since", "by"]);
    for contract in &list.contracts {
        let by = contract.published_by.as_ref().or(contract.proposed_by.as_ref());
        table.row([
            contract.contract.clone(),
            state(contract.state).to_owned(),
            time(contract.published_at.unwrap_or(contract.created_at)),
            by.cloned().unwrap_or_default(),
        ]);
    }
    Output::new(&list, table.text("no contract is published or proposed"))
}

async fn show(admin: &Admin, contract: &ContractId, wit: bool) -> Result<Output, Failure> {
    let details: ContractDetails = admin.get(&path(contract)).await?;
    if wit {
        return Output::new(&details, texts(&details.files));
    }
    let known = &details.contract;
    let mut sheet = Sheet::new();
    sheet.line("contract", &known.contract).line("is", &details.summary).line("state", state(known.state));
    if let Some(connector) = &known.proposed_by {
        sheet.line("proposed by", connector);
    }
    if let (Some(at), Some(by)) = (known.published_at, &known.published_by) {
        sheet.line("published", format!("{} by {by}", time(at)));
    }
    sheet.line("digest", known.digest);
    inspect::operations(&mut sheet, &details.operations);
    let next = match known.state {
        ContractState::Proposed => format!("\n\nPublish it with:\n  truc contract publish {contract}"),
        ContractState::Published => String::new(),
    };
    Output::new(&details, format!("{}{next}", sheet.text()))
}

async fn diff(admin: &AdminOptions, before: &str, after: Option<&str>) -> Result<Output, Failure> {
    let (old, new) = match after {
        Some(after) => (text_of(admin, before).await?, text_of(admin, after).await?),
        None => {
            let new = text_of(admin, before).await?;
            (newest_before(&admin.client()?, before, &new).await?, new)
        }
    };
    // The same work as in the host: large contracts take their time, and nothing else waits for this thread.
    let changes = Changes::between(&old, &new).map_err(|error| Failure::new(Exit::Refused, error))?;
    let document = ChangeLog::from(&changes);
    let output = Output::new(&document, log(&document))?;
    Ok(match changes.effect() {
        Effect::Breaking => output.ending_with(Exit::Breaking),
        Effect::Compatible => output,
    })
}

/// The text of the newest published version of a text's track that is no pre-release.
async fn newest_before(admin: &Admin, source: &str, new: &ContractText) -> Result<ContractText, Failure> {
    let contract = new.read().map_err(|error| Failure::new(Exit::Refused, error))?;
    let list: ContractList = admin.get("/admin/contracts").await?;
    let published = list.contracts.iter().filter(|contract| contract.state == ContractState::Published);
    let newest = published
        .filter_map(|published| published.contract.parse::<ContractId>().ok())
        .filter(|id| id.namespace == contract.id.namespace && id.name == contract.id.name)
        .filter(|id| id.track() == contract.id.track() && id.version.pre.is_empty())
        .max_by(|a, b| a.version.cmp(&b.version));
    match newest {
        Some(id) => fetch(admin, &id).await,
        None => {
            let reason = format!(
                "no version of {}:{} {}.x is published, so there is nothing to compare {source} with: name another \
                 text",
                contract.id.namespace,
                contract.id.name,
                contract.id.track()
            );
            Err(Failure::new(Exit::Usage, reason))
        }
    }
}

/// Where a text is.
enum Source<'a> {
    /// In a file or folder.
    Local(&'a Path),
    /// In the host.
    Published(ContractId),
}

impl<'a> Source<'a> {
    /// What is there as a file is meant as one.
    fn of(source: &'a str) -> Self {
        match source.parse() {
            Ok(id) if !Path::new(source).exists() => Source::Published(id),
            _ => Source::Local(Path::new(source)),
        }
    }
}

async fn text_of(admin: &AdminOptions, source: &str) -> Result<ContractText, Failure> {
    match Source::of(source) {
        Source::Local(file) => local(file),
        Source::Published(id) => fetch(&admin.client()?, &id).await,
    }
}

async fn fetch(admin: &Admin, id: &ContractId) -> Result<ContractText, Failure> {
    let details: ContractDetails = admin.ask(Method::GET, &path(id), Body::None).await?;
    let files = details.files.into_iter().map(|file| (file.name, file.text)).collect();
    ContractText::new(files).map_err(|error| Failure::new(Exit::Unreachable, format_args!("{id}: {error}")))
}

/// The text in a folder, in a `.wit` file, or in a component.
fn local(source: &Path) -> Result<ContractText, Failure> {
    let refused = |reason: &dyn std::fmt::Display| {
        Failure::new(Exit::Refused, format_args!("{}: {reason}", source.display()))
    };
    let ending = source.extension().and_then(|ending| ending.to_str());
    let files = match ending {
        _ if source.is_dir() => sources_in(&[source]).map_err(|error| Failure::new(Exit::Usage, error))?,
        Some("wit") => {
            let text = std::fs::read_to_string(source)
                .map_err(|error| Failure::new(Exit::Usage, format_args!("{}: {error}", source.display())))?;
            let name = source.file_name().map(|name| name.to_string_lossy().into_owned());
            vec![(name.unwrap_or_default(), text)]
        }
        _ => {
            let bytes = inspect::read(source)?;
            return Component::contract_text_of(&bytes).map_err(|error| refused(&error));
        }
    };
    ContractText::new(files).map_err(|error| refused(&error))
}

/// Where the admin API has a contract.
fn path(id: &ContractId) -> String {
    let ContractId { namespace, name, version } = id;
    format!("/admin/contracts/{namespace}/{name}/{}", encoded(&version.to_string()))
}

fn state(state: ContractState) -> &'static str {
    match state {
        ContractState::Proposed => "proposed",
        ContractState::Published => "published",
    }
}

/// The text of a contract; of several files, each under its name.
fn texts(files: &[ContractFile]) -> String {
    match files {
        [only] => only.text.trim_end().to_owned(),
        files => {
            let files: Vec<String> =
                files.iter().map(|file| format!("// {}\n\n{}", file.name, file.text.trim_end())).collect();
            files.join("\n\n")
        }
    }
}

/// The change log as people read it.
fn log(log: &ChangeLog) -> String {
    let head = format!("{} -> {}", log.from, log.to);
    if log.changes.is_empty() {
        return format!("{head}\n\nnothing changed");
    }
    let mut sheet = Sheet::new();
    for kind in ["added", "changed", "removed"] {
        sheet.section(kind);
        for change in log.changes.iter().filter(|change| change.kind == kind) {
            let mark = if change.effect == Effect::Breaking.as_str() { "[breaking] " } else { "" };
            sheet.line(&change.item, format!("{mark}{}", change.text));
        }
    }
    format!("{head}\n\n{}\n\n{}", sheet.text(), verdict(log))
}

/// The last line: what the changes are together, and whether the version says so.
fn verdict(log: &ChangeLog) -> String {
    let ids = (log.from.parse::<ContractId>(), log.to.parse::<ContractId>());
    let fits = match ids {
        (Ok(from), Ok(to)) if log.effect == Effect::Compatible.as_str() => {
            predecessor(&to, [from.version].iter()).is_ok()
        }
        (Ok(from), Ok(to)) => from.track() != to.track() && to.version > from.version,
        _ => false,
    };
    match fits {
        true => format!("{}, as its version says", log.effect),
        false => format!("{}: its version should be {}", log.effect, log.right_version),
    }
}
