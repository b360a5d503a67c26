//! The five services of the demonstration: how each connector is bound to its simulator.

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// What the simulators ask to be shown, and the name of the secret that holds it.
pub(crate) const SECRETS: &[(&str, &str)] = &[
    ("civil-status-client", "simulated-civil-status-secret"),
    ("land-token", "simulated-land-token"),
    ("insurance-password", "simulated-insurance-password"),
    ("postal-token", "simulated-postal-token"),
    ("payment-key", "simulated-payment-secret"),
];

/// One service: its name, which is also its connector's, and its settings.
pub(crate) struct Service {
    /// The name.
    pub(crate) name: &'static str,
    /// The settings, as the admin API takes them.
    pub(crate) settings: Value,
}

/// The five services, bound to simulators at the addresses that the simulators announced.
pub(crate) fn all(simulators: &Value) -> Result<Vec<Service>> {
    let at = |member: &str| -> Result<String> {
        let address = simulators.get(member).and_then(Value::as_str);
        Ok(format!("http://{}", address.with_context(|| format!("the simulators announced no {member}"))?))
    };
    Ok(vec![
        Service {
            name: "civil-status",
            settings: json!({
                "connector": "civil-status@1.0.0",
                "bindings": { "registry": {
                    "address": at("civilStatus")?,
                    "credential": {
                        "type": "oauth2-client-credentials",
                        "tokenPath": "/token", "clientId": "truc-demo", "secret": "civil-status-client",
                    },
                } },
                "config": { "province-code": "56" },
            }),
        },
        Service {
            name: "land",
            settings: json!({
                "connector": "land@1.0.0",
                "bindings": { "land": {
                    "address": at("land")?,
                    "credential": {
                        "type": "header",
                        "name": "authorization", "prefix": "Bearer ", "secret": "land-token",
                    },
                } },
                "config": { "province-code": "56" },
            }),
        },
        Service {
            name: "insurance",
            settings: json!({
                "connector": "insurance@1.0.0",
                "bindings": { "bhxh": {
                    "address": at("insurance")?,
                    "credential": { "type": "basic", "username": "truc-demo", "secret": "insurance-password" },
                } },
            }),
        },
        Service {
            name: "postal",
            settings: json!({
                "connector": "postal@1.0.0",
                "bindings": { "vnpost": {
                    "address": at("postal")?,
                    "credential": { "type": "header", "name": "access_token", "secret": "postal-token" },
                } },
                "config": { "customer-code": "TRUC-DEMO" },
            }),
        },
        Service {
            name: "payment",
            settings: json!({
                "connector": "payment@1.0.0",
                "bindings": { "platform": { "address": at("payment")? } },
                "config": { "partner-code": "TRUC-DEMO" },
                "keys": { "payment": { "algorithm": "sha256-suffix", "secret": "payment-key" } },
            }),
        },
    ])
}
