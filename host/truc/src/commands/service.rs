//! `truc service`: connectors put to work.

use hyper::Method;
use serde_json::json;
use truc_control::documents::{Service, ServiceLimits, ServiceList};
use truc_egress::{Binding, BreakerSettings, Credential};
use truc_model::{ServiceName, kebab};

use crate::client::{Admin, Body};
use crate::commands::inspect;
use crate::commands::settings::SettingsOptions;
use crate::failure::Failure;
use crate::output::{Output, Sheet, Table, time};

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Put a connector to work, or give a service new settings
    ///
    /// Makes a new revision and puts it in force at once. Settings come from a file, as the admin API takes them, or
    /// from the other options. Settings that do not fit the connector change nothing.
    #[command(after_help = PUT_EXAMPLES)]
    Put {
        /// The service's name: the {service} of /api/{service}/v{major}
        name: ServiceName,
        #[command(flatten)]
        settings: Box<SettingsOptions>,
    },
    /// List the services
    List,
    /// Show one service with its settings
    Show {
        /// The service's name
        name: ServiceName,
    },
    /// Show the limits of a service: values in force, where they come from, ceilings
    ///
    /// A value comes from the platform's defaults (platform), the connector's manifest (manifest), the settings of the
    /// service (operator), or is the platform's ceiling, as more was asked for (ceiling).
    Limits {
        /// The service's name
        name: ServiceName,
    },
    /// Take a service out of service
    Remove {
        /// The service's name
        name: ServiceName,
    },
}

const PUT_EXAMPLES: &str = "\
Examples:
  truc service put land --connector land@1.0.0 --config province-code=56 \\
      --bind land=http://10.0.0.5:8080 \\
      --credential 'land=header:name=authorization,prefix=Bearer ,secret=land-token'
  truc service put land --connector land@1.0.0 --config province-code=56 --limit deadline=20s \\
      --bind land=https://land.example --allow land=10.20.0.0/16 \\
      --credential land=oauth2:token-path=/token,client-id=truc,secret=land-client
  truc service put land --file land.toml

A file is JSON or TOML with the members connector, bindings, config, keys and limits:
  connector = \"land@1.0.0\"
  [bindings.land]
  address = \"https://land.example\"
  allowAddresses = [\"10.20.0.0/16\"]
  credential = { type = \"basic\", username = \"truc\", secret = \"land-password\" }
  timeouts = { total = \"20s\" }
  [config]
  province-code = \"56\"";

pub(crate) async fn run(admin: &Admin, command: Command) -> Result<Output, Failure> {
    match command {
        Command::Put { name, settings } => {
            let settings = Body::Json(settings.document(admin).await?);
            let service: Service =
                admin.ask(Method::PUT, &format!("/admin/services/{name}"), settings).await?;
            Output::new(
                &service,
                format!("revision {} of {name} is in force at {}", service.revision, service.path),
            )
        }
        Command::List => {
            let list: ServiceList = admin.get("/admin/services").await?;
            let mut table = Table::new(["service", "revision", "connector", "path", "since"]);
            for service in &list.services {
                table.row([
                    service.name.to_string(),
                    service.revision.to_string(),
                    service.settings.connector.to_string(),
                    service.path.clone(),
                    time(service.created_at),
                ]);
            }
            Output::new(&list, table.text("there is no service"))
        }
        Command::Show { name } => {
            let service: Service = admin.get(&format!("/admin/services/{name}")).await?;
            Output::new(&service, text(&service))
        }
        Command::Limits { name } => {
            let limits: ServiceLimits = admin.get(&format!("/admin/services/{name}/limits")).await?;
            let mut table = Table::new(["limit", "value", "origin", "default", "ceiling"]);
            for limit in &limits.limits {
                table.row([
                    kebab(&limit.name),
                    limit.value.to_string(),
                    limit.origin.as_str().to_owned(),
                    limit.default.to_string(),
                    limit.ceiling.to_string(),
                ]);
            }
            Output::new(&limits, table.text("there is no limit"))
        }
        Command::Remove { name } => {
            admin.delete(&format!("/admin/services/{name}")).await?;
            Output::new(&json!({ "removed": name }), format!("{name} is out of service"))
        }
    }
}

fn text(service: &Service) -> String {
    let settings = &service.settings;
    let mut sheet = Sheet::new();
    sheet
        .line("service", &service.name)
        .line("revision", service.revision)
        .line("since", time(service.created_at))
        .line("path", &service.path)
        .line("connector", &settings.connector);
    sheet.section("bindings");
    for (handle, binding) in &settings.bindings {
        describe_binding(&mut sheet, handle.as_str(), binding);
        if let Some(breaker) = service.breakers.get(handle) {
            sheet.line("", format!("  breaker    {breaker}"));
        }
    }
    sheet.section("config");
    for (key, value) in &settings.config {
        sheet.line(key.as_str(), serde_json::to_string(value).unwrap_or_default());
    }
    sheet.section("keys");
    for (handle, key) in &settings.keys {
        sheet.line(handle.as_str(), format!("{}, secret {}", key.algorithm, key.secret));
    }
    inspect::limits(&mut sheet, &service.limits);
    sheet.text()
}

fn describe_binding(sheet: &mut Sheet, handle: &str, binding: &Binding) {
    let credential = match &binding.credential {
        None => "none".to_owned(),
        Some(Credential::Header { name, secret, .. }) => format!("header {name}, secret {secret}"),
        Some(Credential::Basic { username, secret }) => format!("basic, user {username}, secret {secret}"),
        Some(Credential::OAuth2ClientCredentials { token_path, client_id, secret, .. }) => {
            format!("OAuth 2.0 at {token_path}, client {client_id}, secret {secret}")
        }
        Some(Credential::SessionLogin { login_path, username, secret, .. }) => {
            format!("login at {login_path}, user {username}, secret {secret}")
        }
        Some(Credential::HttpSignature { algorithm, key_id, secret, .. }) => {
            format!("signature by {algorithm}, key {key_id}, secret {secret}")
        }
    };
    let ranges: Vec<String> = binding.allow_addresses.iter().map(ToString::to_string).collect();
    let allowed = if ranges.is_empty() { "exactly that address".to_owned() } else { ranges.join(", ") };
    let keys = match binding.pins.len() {
        0 => String::new(),
        pins => format!(", {pins} pinned keys"),
    };
    let timeouts = &binding.timeouts;
    let attempts = match binding.attempts {
        1 => "once".to_owned(),
        attempts => format!("up to {attempts} times"),
    };
    let BreakerSettings { failures, pause, longest_pause } = binding.breaker;
    let rests = match failures {
        0 => "never left alone".to_owned(),
        failures => format!("left alone for {pause} to {longest_pause} after {failures} failures in a row"),
    };
    sheet.line(handle, &binding.address).line("", format!("  credential {credential}"));
    if let Some(secret) = &binding.client_certificate {
        sheet.line("", format!("  shown      client certificate, secret {secret}"));
    }
    sheet
        .line("", format!("  allowed    {allowed}{keys}"))
        .line(
            "",
            format!(
                "  timeouts   {} to connect, {} to the first byte, {} in all",
                timeouts.connect, timeouts.first_byte, timeouts.total
            ),
        )
        .line("", format!("  requests   sent {attempts}; {rests}"));
}
