//! What chance makes, published to the host, put to work and called: only that each call ends is known beforehand.

use std::time::Duration;

use anyhow::{Context, Result};
use hostile::{Body, Call, End, Operation};
use serde_json::json;

use super::calls::Calls;
use super::site::{Site, code_of};

/// The deadline that its manifests ask for.
const DEADLINE: Duration = Duration::from_secs(10);

/// What came of it.
#[derive(Default)]
pub(super) struct Generated {
    /// How many were put to work.
    pub(super) served: u64,
}

/// Does all that for the seeds from 0, one after the other.
pub(super) async fn publish_and_call(site: &Site, seeds: usize, calls: &mut Calls) -> Result<Generated> {
    let mut generated = Generated::default();
    let components = hostile::generated::components().context("what chance made is not there")?;
    for (name, component) in components.take(seeds) {
        let Some(component) = component else { continue };
        let published = site.send_component(component).await?;
        match (published.status, code_of(&published)) {
            (201, _) => {}
            (_, "component-malformed") => continue,
            (status, code) => {
                calls.surprises.push(format!("{name} published: {status} {code}"));
                continue;
            }
        }
        let put = site.put_service(&name, &json!({ "connector": format!("{name}@1.0.0") })).await?;
        if put.status != 200 {
            if code_of(&put) != "service-invalid" {
                calls.surprises.push(format!("{name} put to work: {}", put.json));
            }
            continue;
        }
        generated.served += 1;
        site.grant(&name).await?;
        for operation in [Operation::Attack, Operation::Exchange, Operation::Shape] {
            let body = Call { operation, body: Body::Small, end: End::Problem("") }.body();
            let answer = site.call(&name, operation.path(), body.to_string().into()).await;
            calls.count_any(&name, DEADLINE, &answer);
            if answer.as_ref().is_ok_and(|answer| code_of(answer) == "internal") {
                calls.surprises.push(format!("{name}: an error of the host's own"));
            }
        }
        site.remove_service(&name).await?;
    }
    Ok(generated)
}
