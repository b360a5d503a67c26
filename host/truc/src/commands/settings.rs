//! A service's settings from a file or from options, as the admin API takes them. Whether they fit the connector is
//! decided there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::{Map, Value, json};
use truc_contract::ConfigKind;
use truc_fleet::ConnectorRef;
use truc_model::Handle;

use crate::client::Admin;
use crate::commands::connector;
use crate::failure::{Exit, Failure};

/// What `service put` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct SettingsOptions {
    /// Take the settings from a file: JSON where its name ends in .json, TOML where it ends in .toml
    #[arg(long, value_name = "FILE", required_unless_present = "connector", conflicts_with_all = OPTIONS)]
    file: Option<PathBuf>,
    /// The connector, for instance payment@1.0.0
    #[arg(long, value_name = "NAME@VERSION")]
    connector: Option<ConnectorRef>,
    /// Bind an upstream to its address
    #[arg(long, value_name = "HANDLE=ADDRESS")]
    bind: Vec<Pair>,
    /// Allow an address range to an upstream; needed where its address is a host name
    #[arg(long, value_name = "HANDLE=RANGE")]
    allow: Vec<Pair>,
    /// Name the credential of an upstream: header:name=…,secret=…[,prefix=…], basic:username=…,secret=…,
    /// oauth2:token-path=…,client-id=…,secret=…[,scope=…],
    /// login:login-path=…,username=…,secret=…[,destination=…][,header=…|,member=…][,lifetime=…],
    /// or signature:algorithm=…,key-id=…,secret=…[,label=…]
    #[arg(long, value_name = "HANDLE=CREDENTIAL")]
    credential: Vec<Pair>,
    /// Name the secret that holds the certificate an upstream is shown, with its private key
    #[arg(long, value_name = "HANDLE=SECRET")]
    client_certificate: Vec<Pair>,
    /// Set a configuration value; repeat it for the items of a list
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<Pair>,
    /// Bind a key: hmac-sha256, sha256-suffix or ed25519, and the name of its secret
    #[arg(long, value_name = "HANDLE=ALGORITHM:SECRET")]
    key: Vec<Pair>,
    /// Set a limit, for instance deadline=20s
    #[arg(long, value_name = "LIMIT=VALUE")]
    limit: Vec<Pair>,
}

const OPTIONS: [&str; 8] =
    ["connector", "bind", "allow", "credential", "client_certificate", "config", "key", "limit"];

/// `name=value`.
#[derive(Debug, Clone)]
struct Pair {
    name: Handle,
    value: String,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write a name, `=` and a value")?;
        let name = name.parse().map_err(|error: truc_model::NameError| error.to_string())?;
        Ok(Self { name, value: value.to_owned() })
    }
}

impl SettingsOptions {
    /// The settings as a JSON document. The types of configuration values are asked of the connector.
    pub(crate) async fn document(&self, admin: &Admin) -> Result<String, Failure> {
        if let Some(file) = &self.file {
            return read(file);
        }
        let Some(reference) = &self.connector else {
            return Err(usage("name the connector: --connector name@version"));
        };
        let kinds = if self.config.is_empty() {
            BTreeMap::new()
        } else {
            let details = connector::details(admin, reference).await?;
            details.description.config.into_iter().map(|(key, rule)| (key, rule.kind)).collect()
        };
        self.assembled(reference, &kinds).map(|document| document.to_string())
    }

    fn assembled(
        &self,
        connector: &ConnectorRef,
        kinds: &BTreeMap<Handle, ConfigKind>,
    ) -> Result<Value, Failure> {
        Ok(json!({
            "connector": connector,
            "bindings": self.bindings()?,
            "config": self.config(kinds)?,
            "keys": self.keys()?,
            "limits": self.limits()?,
        }))
    }

    fn bindings(&self) -> Result<Map<String, Value>, Failure> {
        let mut bindings = Map::new();
        for Pair { name, value } in &self.bind {
            once(&mut bindings, "--bind", name, json!({ "address": value }))?;
        }
        for Pair { name, value } in &self.allow {
            let ranges = bound(&mut bindings, "--allow", name)?.entry("allowAddresses").or_insert(json!([]));
            if let Some(ranges) = ranges.as_array_mut() {
                ranges.push(json!(value));
            }
        }
        for Pair { name, value } in &self.credential {
            let credential =
                credential(value).map_err(|reason| usage(format!("--credential {name}: {reason}")))?;
            if bound(&mut bindings, "--credential", name)?
                .insert("credential".to_owned(), credential)
                .is_some()
            {
                return Err(usage(format!("--credential {name} stands twice")));
            }
        }
        for Pair { name, value } in &self.client_certificate {
            let binding = bound(&mut bindings, "--client-certificate", name)?;
            if binding.insert("clientCertificate".to_owned(), json!(value)).is_some() {
                return Err(usage(format!("--client-certificate {name} stands twice")));
            }
        }
        Ok(bindings)
    }

    fn config(&self, kinds: &BTreeMap<Handle, ConfigKind>) -> Result<Map<String, Value>, Failure> {
        let mut config = Map::new();
        for Pair { name, value } in &self.config {
            let wrong = |what: &str| usage(format!("--config {name}: {value:?} is not {what}"));
            match kinds.get(name) {
                Some(ConfigKind::List) => {
                    let items = config.entry(name.as_str()).or_insert(json!([]));
                    if let Some(items) = items.as_array_mut() {
                        items.push(json!(value));
                    }
                    continue;
                }
                Some(ConfigKind::Integer) => {
                    let number: i64 = value.parse().map_err(|_| wrong("a whole number"))?;
                    once(&mut config, "--config", name, json!(number))?;
                }
                Some(ConfigKind::Flag) => {
                    let flag: bool = value.parse().map_err(|_| wrong("`true` or `false`"))?;
                    once(&mut config, "--config", name, json!(flag))?;
                }
                // What the connector does not declare is refused by the host, in its own words.
                Some(ConfigKind::Text) | None => once(&mut config, "--config", name, json!(value))?,
            }
        }
        Ok(config)
    }

    fn keys(&self) -> Result<Map<String, Value>, Failure> {
        let mut keys = Map::new();
        for Pair { name, value } in &self.key {
            let (algorithm, secret) = value.split_once(':').ok_or_else(|| {
                usage(format!("--key {name}: write the algorithm, `:` and the secret's name, for instance sha256-suffix:payment-key"))
            })?;
            once(&mut keys, "--key", name, json!({ "algorithm": algorithm, "secret": secret }))?;
        }
        Ok(keys)
    }

    fn limits(&self) -> Result<Map<String, Value>, Failure> {
        let mut limits = Map::new();
        for Pair { name, value } in &self.limit {
            // Some limits are numbers, the others texts with a unit.
            let value = value.parse::<u32>().map_or_else(|_| json!(value), |number| json!(number));
            let member = camel(name.as_str());
            if limits.insert(member, value).is_some() {
                return Err(usage(format!("--limit {name} stands twice")));
            }
        }
        Ok(limits)
    }
}

fn usage(reason: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, reason.into())
}

fn once(table: &mut Map<String, Value>, option: &str, name: &Handle, value: Value) -> Result<(), Failure> {
    match table.insert(name.to_string(), value) {
        None => Ok(()),
        Some(_) => Err(usage(format!("{option} {name} stands twice"))),
    }
}

fn bound<'a>(
    bindings: &'a mut Map<String, Value>,
    option: &str,
    name: &Handle,
) -> Result<&'a mut Map<String, Value>, Failure> {
    let binding = bindings.get_mut(name.as_str()).and_then(Value::as_object_mut);
    binding.ok_or_else(|| {
        usage(format!("{option} {name}: bind this upstream too, with --bind {name}=<address>"))
    })
}

/// `basic:username=…,secret=…` as the admin API takes it.
fn credential(text: &str) -> Result<Value, String> {
    let forms = "write header:name=…,secret=…, basic:username=…,secret=…, oauth2:token-path=…,client-id=…,secret=…, \
                 login:login-path=…,username=…,secret=…, or signature:algorithm=…,key-id=…,secret=…";
    let (kind, fields) = text.split_once(':').ok_or(forms)?;
    let (kind, known): (&str, &[&str]) = match kind {
        "header" => ("header", &["name", "prefix", "secret"]),
        "basic" => ("basic", &["username", "secret"]),
        "oauth2" => ("oauth2-client-credentials", &["token-path", "client-id", "secret", "scope"]),
        "login" => (
            "session-login",
            &["login-path", "username", "secret", "destination", "header", "member", "lifetime"],
        ),
        "signature" => ("http-signature", &["algorithm", "key-id", "secret", "label"]),
        _ => return Err(forms.to_owned()),
    };
    let mut credential = Map::from_iter([("type".to_owned(), json!(kind))]);
    for field in fields.split(',') {
        let (name, value) =
            field.split_once('=').ok_or_else(|| format!("{field:?} is not a name, `=` and a value"))?;
        if !known.contains(&name) {
            return Err(format!("there is no {name:?} here; there are {}", known.join(", ")));
        }
        let (member, value) = match name {
            "header" | "member" => ("place".to_owned(), json!({ name: value })),
            _ => (camel(name), json!(value)),
        };
        if credential.insert(member, value).is_some() {
            return Err(format!("{name} stands twice"));
        }
    }
    Ok(Value::Object(credential))
}

fn camel(kebab: &str) -> String {
    let mut words = kebab.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

/// A file as JSON. A JSON file goes as it is, so that the host sees every fault in it.
fn read(file: &Path) -> Result<String, Failure> {
    let wrong = |reason: String| usage(format!("{}: {reason}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Ok(text),
        Some("toml") => {
            let document: Value = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
            Ok(document.to_string())
        }
        _ => Err(wrong("its name must end in .json or .toml".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Put {
        #[command(flatten)]
        settings: SettingsOptions,
    }

    fn document(arguments: &[&str]) -> Result<Value, String> {
        let put = Put::try_parse_from([&["put"], arguments].concat()).map_err(|error| error.to_string())?;
        let connector = put.settings.connector.clone().unwrap();
        let kind = |(name, kind): (&str, ConfigKind)| (name.parse().unwrap(), kind);
        let kinds = [
            ("text", ConfigKind::Text),
            ("number", ConfigKind::Integer),
            ("flag", ConfigKind::Flag),
            ("list", ConfigKind::List),
        ];
        put.settings
            .assembled(&connector, &kinds.into_iter().map(kind).collect())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn options_become_the_document_the_host_reads() {
        let document = document(&[
            "--connector",
            "land@1.0.0",
            "--bind",
            "a=http://10.0.0.1",
            "--credential",
            "a=header:name=authorization,prefix=Bearer ,secret=token",
            "--bind",
            "b=https://b.example",
            "--allow",
            "b=10.0.0.0/8",
            "--allow",
            "b=10.1.0.1",
            "--credential",
            "b=oauth2:token-path=/token,client-id=truc,secret=client",
            "--client-certificate",
            "b=own-certificate",
            "--bind",
            "c=http://10.0.0.3",
            "--credential",
            "c=login:login-path=/mapi/login,username=truc,secret=platform,destination=VN:GOV:G22:x,header=session",
            "--bind",
            "d=http://10.0.0.4",
            "--credential",
            "d=signature:algorithm=hmac-sha256,key-id=truc,secret=shared",
            "--config",
            "text=56",
            "--config",
            "number=56",
            "--config",
            "flag=true",
            "--config",
            "list=x",
            "--config",
            "list=y",
            "--key",
            "payment=sha256-suffix:payment-key",
            "--limit",
            "deadline=20s",
            "--limit",
            "upstream-calls=4",
        ])
        .unwrap();
        serde_json::from_value::<truc_fleet::ServiceSettings>(document.clone()).unwrap();
        assert_eq!(
            document,
            json!({
                "connector": "land@1.0.0",
                "bindings": {
                    "a": {
                        "address": "http://10.0.0.1",
                        "credential": { "type": "header", "name": "authorization", "prefix": "Bearer ", "secret": "token" }
                    },
                    "b": {
                        "address": "https://b.example",
                        "allowAddresses": ["10.0.0.0/8", "10.1.0.1"],
                        "credential": {
                            "type": "oauth2-client-credentials", "tokenPath": "/token", "clientId": "truc", "secret": "client"
                        },
                        "clientCertificate": "own-certificate"
                    },
                    "c": {
                        "address": "http://10.0.0.3",
                        "credential": {
                            "type": "session-login", "loginPath": "/mapi/login", "username": "truc", "secret": "platform",
                            "destination": "VN:GOV:G22:x", "place": { "header": "session" }
                        }
                    },
                    "d": {
                        "address": "http://10.0.0.4",
                        "credential": {
                            "type": "http-signature", "algorithm": "hmac-sha256", "keyId": "truc", "secret": "shared"
                        }
                    }
                },
                "config": { "text": "56", "number": 56, "flag": true, "list": ["x", "y"] },
                "keys": { "payment": { "algorithm": "sha256-suffix", "secret": "payment-key" } },
                "limits": { "deadline": "20s", "upstreamCalls": 4 }
            })
        );
    }

    #[test]
    fn mistakes_are_told_before_anything_is_asked() {
        for (arguments, needle) in [
            (&["--bind", "a"][..], "write a name, `=` and a value"),
            (&["--bind", "a=http://x", "--bind", "a=http://y"], "--bind a stands twice"),
            (&["--allow", "a=10.0.0.0/8"], "bind this upstream too"),
            (&["--bind", "a=http://x", "--credential", "a=basic"], "write header:name="),
            (&["--bind", "a=http://x", "--credential", "a=basic:user=x"], "there are username, secret"),
            (&["--config", "number=x"], "is not a whole number"),
            (&["--config", "text=x", "--config", "text=y"], "--config text stands twice"),
            (&["--key", "k=secret"], "write the algorithm"),
            (&["--file", "x.toml"], "cannot be used with"),
        ] {
            let error = document(&[&["--connector", "a@1.0.0"], arguments].concat()).unwrap_err();
            assert!(error.contains(needle), "{error}");
        }
    }
}
