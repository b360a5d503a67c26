//! How long a host takes from the start of its process to its first answer, with few connectors and with many, with
//! compiled artifacts on disk and without.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use hyper::Method;
use serde::Serialize;

use super::report::median;
use crate::host::Host;
use crate::http::{Body, Client};

/// How long to ask for an answer before giving up.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// Times from the start of the process, in milliseconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StartUp {
    /// How many connectors serve, each in a service of its own.
    pub(crate) connectors: usize,
    /// Whether their compiled artifacts were on disk.
    pub(crate) warm: bool,
    /// Until the first answer of the first service.
    pub(crate) first_answer: f64,
    /// Until each service has answered once, asked one after the other.
    pub(crate) all_answered: f64,
}

/// A stopped host that serves some connectors.
pub(crate) struct Prepared<'a> {
    /// The host's program.
    pub(crate) program: &'a Path,
    /// The host's folder.
    pub(crate) folder: &'a Path,
    /// Its services.
    pub(crate) services: Vec<String>,
    /// The key to call them with.
    pub(crate) key: String,
}

impl Prepared<'_> {
    /// Starts the host some times and gives the medians.
    pub(crate) async fn measure(&self, warm: bool, times: u32) -> Result<StartUp> {
        let mut measured = Vec::new();
        for _ in 0..times {
            if !warm {
                Host::forget_artifacts(self.folder)?;
            }
            measured.push(self.start().await?);
        }
        Ok(StartUp {
            connectors: self.services.len(),
            warm,
            first_answer: median(measured.iter().map(|(first, _)| *first)),
            all_answered: median(measured.iter().map(|(_, all)| *all)),
        })
    }

    async fn start(&self) -> Result<(f64, f64)> {
        let begin = Instant::now();
        let host = Host::start(self.program, self.folder, None).await?;
        let client = Client::new(host.api).with_key(&self.key);
        let mut first = None;
        for service in &self.services {
            answered(&client, &format!("/api/{service}/v1/records/000000000042"), begin).await?;
            first.get_or_insert_with(|| millis(begin));
        }
        let all = millis(begin);
        host.stop().await?;
        Ok((first.unwrap_or(all), all))
    }
}

/// Asks until there is a success.
async fn answered(client: &Client, path: &str, begin: Instant) -> Result<()> {
    loop {
        match client.send(&Method::GET, path, Body::None).await {
            Ok(answer) if answer.status == 200 => return Ok(()),
            Ok(answer) if answer.status < 500 => bail!("{path} was answered with {}", answer.status),
            _ if begin.elapsed() > ANSWER_WITHIN => bail!("{path} was not answered within {ANSWER_WITHIN:?}"),
            _ => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

fn millis(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1000.0
}
