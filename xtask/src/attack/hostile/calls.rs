//! Hostile calls and what came of them, and the benign ones beside them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use futures_util::future::join_all;
use hostile::{Call, End, Expected, Hostile};
use hyper::Method;
use hyper::body::Bytes;
use serde_json::json;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinHandle;

use super::site::{Site, code_of};
use crate::attack::measure::Latencies;
use crate::http::{Answer, Body};

/// How long after its deadline an answer may come at the latest: reading a large body and recording take their time on a
/// machine that is busy with the attack.
const MARGIN: Duration = Duration::from_secs(5);

/// Hostile calls and what came of them.
#[derive(Default)]
pub(super) struct Calls {
    /// How many calls were sent to each service.
    pub(super) of: BTreeMap<String, u64>,
    /// How many had no answer by their deadline.
    pub(super) stuck: u64,
    /// How many gained what they must not have.
    pub(super) gained: u64,
    /// What ended otherwise than it must.
    pub(super) surprises: Vec<String>,
}

impl Calls {
    /// How many there were.
    pub(super) fn sent(&self) -> u64 {
        self.of.values().sum()
    }

    /// Makes that many calls, spread over all services, some at once.
    pub(super) async fn spread(&mut self, site: &Site, many: usize, at_once: usize) {
        let calls: Vec<(&Hostile, &Call, Bytes)> = site
            .services
            .iter()
            .filter_map(|hostile| match &hostile.expected {
                Expected::Calls(calls) => Some(calls.iter().map(move |call| (hostile, call, encoded(call)))),
                _ => None,
            })
            .flatten()
            .collect();
        let places: BTreeMap<&str, Semaphore> = site
            .services
            .iter()
            .map(|hostile| (hostile.name, Semaphore::new(hostile::CONCURRENCY)))
            .collect();
        let next = AtomicUsize::new(0);
        let tally = Mutex::new(self);
        join_all((0..at_once).map(async |_| {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some((hostile, call, body)) =
                    (number < many).then(|| number % calls.len()).and_then(|at| calls.get(at))
                else {
                    return;
                };
                let _place = match places.get(hostile.name) {
                    Some(place) => place.acquire().await.ok(),
                    None => None,
                };
                let answer = site.call(hostile.name, call.operation.path(), body.clone()).await;
                tally.lock().await.count(hostile, call, answer);
            }
        }))
        .await;
    }

    /// Calls each connector that never ends by itself so many times, one at a time. Gives how far beyond its processor
    /// time each was answered.
    pub(super) async fn burn(&mut self, site: &Site, times: usize) -> Latencies {
        let mut late = Latencies::default();
        for hostile in &site.services {
            let Expected::Calls(calls) = &hostile.expected else { continue };
            let Some(call) =
                calls.iter().find(|call| matches!(call.end, End::Problem("connector-cpu-exhausted")))
            else {
                continue;
            };
            for _ in 0..times {
                let answer = site.call(hostile.name, call.operation.path(), encoded(call)).await;
                if let Ok(answer) = &answer {
                    late.add(answer.took.saturating_sub(hostile.processor_time()));
                }
                self.count(hostile, call, answer);
            }
        }
        late
    }

    /// Counts a call of a service of which nothing more is known than that it ends.
    pub(super) fn count_any(&mut self, service: &str, deadline: Duration, answer: &Result<Answer>) {
        *self.of.entry(service.to_owned()).or_default() += 1;
        match answer {
            Ok(answer) if answer.took <= deadline + MARGIN => {}
            Ok(answer) => {
                self.stuck += 1;
                self.surprises.push(format!("{service} was answered after {:?}", answer.took));
            }
            Err(_) => self.stuck += 1,
        }
    }

    fn count(&mut self, hostile: &Hostile, call: &Call, answer: Result<Answer>) {
        self.count_any(hostile.name, hostile.deadline(), &answer);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return self.surprises.push(format!("{}: {error:#}", hostile.name)),
        };
        if answer.json.as_str().is_some_and(|text| text.starts_with(hostile::GAINED)) {
            self.gained += 1;
        }
        let as_expected = match &call.end {
            End::Answer(expected) => answer.status == 200 && answer.json == *expected,
            End::Problem(expected) => code_of(&answer) == *expected,
        };
        if !as_expected {
            let Answer { status, json, .. } = answer;
            self.surprises.push(format!("{}: {status} {json:.200}", hostile.name));
        }
    }
}

/// A call's body as it is sent.
fn encoded(call: &Call) -> Bytes {
    Bytes::from(call.body().to_string())
}

/// What became of benign calls.
#[derive(Default)]
pub(super) struct Benign {
    /// How long those took that were answered well.
    pub(super) times: Latencies,
    /// How many were not.
    pub(super) failed: u64,
}

/// Steady calls of the benign service.
pub(super) struct Steady {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<Benign>>,
}

impl Steady {
    /// Starts calling, once in that time.
    pub(super) fn start(site: &Site, pace: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (client, path) = (site.agency(), format!("/api/{}/v1/attacks", site.benign.name));
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let body = json!({ "step": 1, "text": "a" });
            let mut calls = Vec::new();
            let mut next = tokio::time::interval(pace);
            while !stopped.load(Ordering::Relaxed) {
                next.tick().await;
                let (client, path, body) = (client.clone(), path.clone(), body.clone());
                // At its time, whatever became of the ones before it.
                calls.push(tokio::spawn(async move {
                    client.send(&Method::POST, &path, Body::Json(&body)).await.ok()
                }));
            }
            let mut benign = Benign::default();
            for call in calls {
                match call.await? {
                    Some(answer) if answer.status == 200 => benign.times.add(answer.took),
                    _ => benign.failed += 1,
                }
            }
            Ok(benign)
        });
        Self { stop, task }
    }

    /// Ends it; gives what became of the calls.
    pub(super) async fn stop(self) -> Result<Benign> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?
    }
}
