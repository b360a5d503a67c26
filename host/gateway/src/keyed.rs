//! Requests with an idempotency key (IETF draft `idempotency-key-header`): carried out once, answered as often as asked.
//!
//! ```text
//! claim ─ intent ─ call ─ completion ─ outcome ─ answer
//!   └ claimed before: the first answer again, or why there is none
//! ```
//!
//! From the claim on, the call runs in a task of its own. It ends, and its answer is kept, even when its caller has left;
//! so the outcome of a request becomes unknown only when the host itself is ended.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Collected};
use tokio::time::{Instant, MissedTickBehavior};
use truc_ledger::{Claimed, FirstAnswer, Held, KeyUse, KeyedRequest};
use truc_model::{Code, Problem};

use crate::answer::{self, Answer};
use crate::exchange::{Call, Outcome, Refusal, conclude, nothing_done, withheld};
use crate::record::Record;
use crate::server::Gateway;

/// How often keys are looked for that have expired.
const PURGE: Duration = Duration::from_secs(60);

/// Carries a request out in a task of its own, and waits for its answer.
pub(crate) async fn run(gateway: &Arc<Gateway>, call: Call, request: KeyedRequest, record: Record) -> Answer {
    let id = record.exchange.id;
    let task = gateway.tasks.spawn({
        let gateway = gateway.clone();
        async move { exchange(&gateway, call, request, record).await }
    });
    task.await.unwrap_or_else(|error| withheld(gateway, id, &error))
}

async fn exchange(gateway: &Gateway, call: Call, request: KeyedRequest, mut record: Record) -> Answer {
    let id = record.exchange.id;
    let held = match claim(gateway, &call, request, &record).await {
        Ok(Claimed::New(held)) => held,
        Ok(Claimed::Done(first)) => {
            gateway.meters.replayed.increment(1);
            let outcome = again(&mut record, first);
            return conclude(gateway, record, outcome).await;
        }
        Ok(other) => {
            let refusal = refusal(&other).into();
            return conclude(gateway, record, Outcome::of(Err(refusal), id)).await;
        }
        Err(refusal) => return conclude(gateway, record, Outcome::of(Err(refusal), id)).await,
    };
    if let Err(refusal) = call.intend(gateway, &mut record).await {
        gateway.ledger.keys().release(&held).await;
        return conclude(gateway, record, Outcome::of(Err(refusal), id)).await;
    }
    let deadline = Instant::now() + call.left();
    let called = call.perform(gateway, &mut record, deadline).await;
    let begun = match &called {
        Ok(_) => true,
        // The engine had no room for an instance.
        Err(error) => !error.problem.is(Code::TooBusy) || error.upstream_calls > 0,
    };
    let called = called.map(|answered| answer::success(answered.status, answered.body));
    let outcome = Outcome::of(called.map_err(Refusal::from), id);
    if !begun {
        gateway.ledger.keys().release(&held).await;
    } else if let Err(error) = complete(gateway, &held, &record, &outcome).await {
        // The exchange stays without an outcome, as the key does.
        return withheld(gateway, id, &error);
    }
    conclude(gateway, record, outcome).await
}

async fn claim(
    gateway: &Gateway,
    call: &Call,
    request: KeyedRequest,
    record: &Record,
) -> Result<Claimed, Refusal> {
    let exchange = &record.exchange;
    let (Some(agency), Some(account), Some(service)) =
        (exchange.agency.clone(), exchange.account.clone(), exchange.service.clone())
    else {
        return Err(Problem::new(Code::Internal, "").into());
    };
    let to = KeyUse {
        agency,
        account,
        service,
        operation: exchange.operation.as_deref().unwrap_or_default().to_owned(),
        exchange: exchange.id,
        deadline: call.left(),
        retention: gateway.settings.idempotency_retention.as_duration(),
    };
    gateway.ledger.keys().claim(request, to, gateway.clock.now()).await.map_err(nothing_done)
}

async fn complete(
    gateway: &Gateway,
    held: &Held,
    record: &Record,
    outcome: &Outcome,
) -> Result<(), truc_ledger::KeyError> {
    let answer = &outcome.answer;
    let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Ok(body) = answer.body().clone().collect().await.map(Collected::to_bytes);
    let kept = FirstAnswer {
        revision: record.exchange.revision.unwrap_or_default(),
        status: answer.status().as_u16(),
        problem: outcome.problem.as_deref().map(str::to_owned),
        content_type: content_type.map(str::to_owned),
        body: body.into(),
    };
    gateway.ledger.keys().complete(held, &kept).await
}

/// The first answer once more: an exchange of its own, in which nothing is asked of anybody.
fn again(record: &mut Record, first: FirstAnswer) -> Outcome {
    record.exchange.revision = Some(first.revision);
    Outcome {
        answer: answer::again(first.status, first.content_type.as_deref(), first.body),
        problem: first.problem.map(Cow::Owned),
        cause: Some("given again for its idempotency key".to_owned()),
    }
}

/// Why a key that was claimed before gives no answer.
fn refusal(claimed: &Claimed) -> Problem {
    const SURE: &str = "Ask the national system for the state, and use a new key only when you are sure that the request was not carried out.";
    match claimed {
        Claimed::Running { first } => {
            let detail = format!(
                "The request {first} has it and is under way. Send this one again, with the same key."
            );
            Problem::new(Code::IdempotencyKeyInUse, detail).with_retry_after(1)
        }
        Claimed::Other { first } => {
            let detail = format!(
                "The request {first} had it, with another method, path, query or body. Give each request a key of its own."
            );
            Problem::new(Code::IdempotencyKeyReused, detail)
        }
        Claimed::Unknown { first, at } => {
            let detail =
                format!("The request {first} of {at} was begun, and its end was not recorded. {SURE}");
            Problem::new(Code::OutcomeUnknown, detail)
        }
        Claimed::Sealed { first, at, status } => {
            let detail = format!(
                "The request {first} of {at} was answered with status {status}. The answer can be opened with the API key of that time only, which was replaced. {SURE}"
            );
            Problem::new(Code::OutcomeUnknown, detail)
        }
        Claimed::New(_) | Claimed::Done(_) => Problem::new(Code::Internal, ""),
    }
}

/// Removes keys that have expired, until the host stops.
pub(crate) async fn purge(gateway: Arc<Gateway>) {
    let mut ticks = tokio::time::interval(PURGE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let work = async {
        loop {
            ticks.tick().await;
            loop {
                match gateway.ledger.keys().purge(gateway.clock.now()).await {
                    // Whoever waits for the database's writer comes first.
                    Ok(true) => tokio::task::yield_now().await,
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, "expired idempotency keys could not be removed");
                        break;
                    }
                }
            }
        }
    };
    tokio::select! {
        () = gateway.stopping.cancelled() => {}
        () = work => {}
    }
}
