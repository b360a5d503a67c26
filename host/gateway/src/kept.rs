//! Answers that may be used for a while (`@cache`): given again from memory, or asked for once and kept.
//!
//! Whoever comes here is known, may call the operation and has stated a purpose where one is needed; that an answer is
//! there spares the connector and the national system, and nothing else.

use std::sync::Arc;

use http::header::HeaderMap;
use tokio::time::{Instant, timeout_at};
use truc_fleet::{KeptAnswer, Revision};
use truc_model::{Code, Problem};
use truc_sandbox::{Arguments, CallError};

use crate::answer::{self, Answer};
use crate::conditional;
use crate::exchange::{Call, Refusal};
use crate::record::Record;
use crate::server::Gateway;

/// What is asked of an operation whose answers may be used for a while.
pub(crate) struct Asked<'r> {
    pub(crate) revision: &'r Arc<Revision>,
    pub(crate) index: usize,
    /// For how many seconds.
    pub(crate) lifetime: u32,
    pub(crate) route: &'r str,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) arguments: Arguments<'r>,
}

/// Answers from what is kept, or calls the connector and keeps its answer.
pub(crate) async fn answer(
    gateway: &Gateway,
    asked: Asked<'_>,
    record: &mut Record,
) -> Result<Answer, Refusal> {
    let agency = record.exchange.agency.as_ref().map(|agency| agency.as_str()).unwrap_or_default();
    // No part but the last can hold a space.
    let key = format!("{agency} {} {}", asked.route, asked.arguments.query.unwrap_or_default());
    let kept = match asked.revision.answers.get(&key, record.exchange.received_at).await {
        Some(kept) => {
            gateway.meters.kept.increment(1);
            kept
        }
        None => fill(gateway, &asked, key, record).await?,
    };
    let left = kept.left(gateway.clock.now()).unwrap_or_default();
    let content = match conditional::has(asked.headers, &kept.tag) {
        true => None,
        false => Some(kept.body.clone()),
    };
    Ok(answer::lasting(content, &kept.tag, left))
}

async fn fill(
    gateway: &Gateway,
    asked: &Asked<'_>,
    key: String,
    record: &mut Record,
) -> Result<Arc<KeptAnswer>, Refusal> {
    let since = gateway.clock.now();
    let deadline = Instant::now() + asked.revision.environment.limits.deadline.as_duration();
    let fill = async {
        let call = Call::admit(gateway, asked.revision, asked.index, &asked.arguments)
            .await
            .map_err(|problem| CallError { problem, cause: None, upstream_calls: 0 })?;
        let answered = call.perform(gateway, record, deadline).await?;
        Ok::<_, CallError>(KeptAnswer::new(answered.body, since, asked.lifetime))
    };
    match timeout_at(deadline, asked.revision.answers.fill(key, fill)).await {
        Ok(Ok(kept)) => Ok(kept),
        Ok(Err(error)) => Err(Refusal::from((*error).clone())),
        Err(_) => {
            let problem = Problem::new(Code::DeadlineExceeded, "");
            Err(Refusal::with_cause(problem, "the deadline passed while another call asked for the same"))
        }
    }
}
