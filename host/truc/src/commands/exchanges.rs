//! `truc exchanges`: what was asked, by whom, why, and what became of it.

use truc_control::documents::ExchangeList;
use truc_model::{AgencyCode, ServiceName, Timestamp};

use crate::client::{Admin, encoded};
use crate::failure::Failure;
use crate::output::{Output, Table};

/// Which exchanges.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Those that arrived at this time or later, for instance 2026-01-01T00:00:00+07:00
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Those that arrived before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Those of an agency
    #[arg(long, value_name = "CODE")]
    agency: Option<AgencyCode>,
    /// Those with a service
    #[arg(long, value_name = "NAME")]
    service: Option<ServiceName>,
    /// Those answered with an HTTP status
    #[arg(long, value_parser = clap::value_parser!(u16).range(100..=599))]
    status: Option<u16>,
    /// Those answered with a problem of this code
    #[arg(long, value_name = "CODE")]
    problem: Option<String>,
    /// Those whose end is known, or those that were begun and have no recorded end
    #[arg(long, value_parser = ["known", "unknown"])]
    end: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where a listing ended
    #[arg(long)]
    cursor: Option<String>,
}

impl Options {
    fn path(&self) -> String {
        let text = |value: &Option<String>| value.clone();
        let query: String = [
            ("from", self.from.map(|time| time.to_string())),
            ("to", self.to.map(|time| time.to_string())),
            ("agency", self.agency.as_ref().map(ToString::to_string)),
            ("service", self.service.as_ref().map(ToString::to_string)),
            ("status", self.status.map(|status| status.to_string())),
            ("problem", text(&self.problem)),
            ("end", text(&self.end)),
            ("cursor", text(&self.cursor)),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("&{name}={}", encoded(&value))))
        .collect();
        format!("/admin/exchanges?limit={}{query}", self.limit)
    }
}

pub(crate) async fn run(admin: &Admin, options: &Options) -> Result<Output, Failure> {
    let list: ExchangeList = admin.get(&options.path()).await?;
    let mut table = Table::new([
        "received",
        "status",
        "agency",
        "account",
        "service",
        "operation",
        "ms",
        "problem",
        "request",
    ]);
    for exchange in &list.exchanges {
        table.row([
            exchange.received_at.to_string(),
            exchange.status.map_or_else(|| exchange.end.clone(), |status| status.to_string()),
            exchange.agency.as_ref().map(ToString::to_string).unwrap_or_default(),
            exchange.account.as_ref().map(ToString::to_string).unwrap_or_default(),
            exchange.service.as_ref().map(ToString::to_string).unwrap_or_default(),
            exchange.operation.clone().unwrap_or_default(),
            exchange
                .duration
                .map(|micros| format!("{}.{}", micros / 1000, micros % 1000 / 100))
                .unwrap_or_default(),
            exchange.problem.clone().unwrap_or_default(),
            exchange.id.to_string(),
        ]);
    }
    let mut text = table.text("no exchange");
    if let Some(next) = &list.next {
        text.push_str(&format!("\n\nThere are more: --cursor {next}"));
    }
    Output::new(&list, text)
}
