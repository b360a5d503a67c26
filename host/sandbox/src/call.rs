//! One call: a fresh instance, one operation, and the instance is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;
use truc_contract::model::Fallible;
use truc_model::{AccountName, AgencyCode, Code, Problem, RequestId};
use wasmtime::component::Val;
use wasmtime::{PoolConcurrencyLimitError, ResourceLimiter, Store, StoreContextMut, Trap, UpdateDeadline};

use crate::capabilities::Environment;
use crate::decode::{Arguments, decode};
use crate::encode::{self, EncodeError, Encoder};
use crate::program::{Program, Sandbox};
use crate::settings::{MAX_HANDLES, MAX_TABLE_ELEMENTS, MAX_TABLES, TICK, hostcall_fuel};

/// What a call is made with.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// The arguments as they came.
    pub arguments: Arguments<'a>,
    /// Who calls.
    pub caller: CallerInfo,
    /// When the call must have ended.
    pub deadline: Instant,
}

/// Who calls, as `truc:connector/caller` tells it.
#[derive(Debug, Clone)]
pub struct CallerInfo {
    /// The agency.
    pub agency: AgencyCode,
    /// Its account.
    pub account: AccountName,
    /// The purpose the caller stated.
    pub purpose: Option<String>,
    /// The dossier the caller named.
    pub dossier: Option<String>,
    /// The request's identifier.
    pub request_id: RequestId,
}

/// A successful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 200 or 204.
    pub status: u16,
    /// JSON; empty for 204.
    pub body: Vec<u8>,
    /// How many calls to upstreams were made.
    pub upstream_calls: u32,
}

/// A call that gave no answer.
#[derive(Debug, Clone)]
pub struct CallError {
    /// What the caller sees.
    pub problem: Problem,
    /// What the operator's log gets, where the problem does not say everything.
    pub cause: Option<String>,
    /// How many calls to upstreams were made.
    pub upstream_calls: u32,
}

/// The state of one call; what capabilities work on.
pub(crate) struct Call {
    pub(crate) environment: Arc<Environment>,
    pub(crate) caller: CallerInfo,
    pub(crate) deadline: Instant,
    pub(crate) started: Instant,
    pub(crate) upstream_calls: u32,
    pub(crate) log_lines: u32,
    limiter: MemoryLimiter,
    cpu: CpuMeter,
}

impl Call {
    /// To be called when a capability has waited: what passed meanwhile is not the connector's processor time.
    pub(crate) fn resume(&mut self) {
        self.cpu.resumed = self.cpu.ticks.load(Ordering::Acquire);
    }
}

/// Sums all memory and tables of a call.
struct MemoryLimiter {
    limit: usize,
    used: usize,
    refused: Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Never,
    AtLeastOnce,
}

impl MemoryLimiter {
    fn grow(&mut self, by: usize) -> bool {
        match self.used.checked_add(by).filter(|used| *used <= self.limit) {
            Some(used) => {
                self.used = used;
                true
            }
            None => {
                self.refused = Refused::AtLeastOnce;
                false
            }
        }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > MAX_TABLE_ELEMENTS {
            self.refused = Refused::AtLeastOnce;
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(size_of::<usize>())))
    }

    fn tables(&self) -> usize {
        MAX_TABLES as usize
    }

    fn memories(&self) -> usize {
        1
    }
}

/// Counts the ticks during which the connector's code ran.
struct CpuMeter {
    ticks: Arc<AtomicU64>,
    /// The tick at which the connector's code last began to run.
    resumed: u64,
    spent: u64,
    budget: u64,
}

impl CpuMeter {
    /// Called at the first check after a tick.
    fn tick(&mut self) -> UpdateDeadline {
        let now = self.ticks.load(Ordering::Acquire);
        if now == self.resumed {
            // The tick passed while a capability waited.
            return UpdateDeadline::Continue(1);
        }
        self.spent += 1;
        if self.spent > self.budget {
            return UpdateDeadline::Interrupt;
        }
        UpdateDeadline::Yield(1)
    }
}

impl Sandbox {
    /// Calls an operation, known by its index in the program's contract. Ends by the deadline.
    ///
    /// # Errors
    /// The contract's own refusals, and everything that can go wrong, as a problem with its cause.
    pub async fn call(
        &self,
        program: &Program,
        operation: usize,
        environment: &Arc<Environment>,
        input: Input<'_>,
    ) -> Result<Answer, CallError> {
        let refused = |problem| CallError { problem, cause: None, upstream_calls: 0 };
        let Some(operation) = program.operations.get(operation) else {
            return Err(refused(Problem::new(Code::RouteNotFound, "")));
        };
        let parameters = decode(&operation.plan, &input.arguments).map_err(refused)?;
        let deadline = input.deadline;
        let mut store = self.store(environment, input);
        let mut results = [Val::Bool(false)];
        let results = if operation.plan.returns() { results.as_mut_slice() } else { Default::default() };
        let run = async {
            let instance = program.instance.instantiate_async(&mut store).await?;
            let Some(function) = instance.get_func(&mut store, operation.export) else {
                return Err(wasmtime::Error::msg("the planned export is missing"));
            };
            function.call_async(&mut store, &parameters, results).await
        };
        let ended = tokio::time::timeout_at(deadline, run).await;
        let call = store.data();
        let upstream_calls = call.upstream_calls;
        let failed = |code: Code, cause: String| CallError {
            problem: Problem::new(code, ""),
            cause: Some(cause),
            upstream_calls,
        };
        match ended {
            Err(_) => Err(failed(Code::DeadlineExceeded, format!("the deadline of {} passed", environment.limits.deadline))),
            Ok(Err(error)) => {
                let (code, cause) = classify(&error, call);
                let mut failed = failed(code, cause);
                if code == Code::TooBusy {
                    failed.problem.retry_after = Some(1);
                }
                Err(failed)
            }
            Ok(Ok(())) => {
                let limit = environment.limits.response_bytes.as_usize();
                operation.plan.answer(results.first(), limit).map(|(status, body)| Answer { status, body, upstream_calls }).map_err(
                    |unanswered| match unanswered {
                        Unanswered::Problem(problem) => CallError { problem, cause: None, upstream_calls },
                        Unanswered::Broken(error) => {
                            let code = if error == EncodeError::TooLarge { Code::AnswerTooLarge } else { Code::AnswerInvalid };
                            failed(code, format!("the connector's result: {error:?}"))
                        }
                    },
                )
            }
        }
    }

    fn store(&self, environment: &Arc<Environment>, input: Input<'_>) -> Store<Call> {
        let limits = &environment.limits;
        let ticks = self.ticker.ticks();
        let tick = u64::try_from(TICK.as_millis()).unwrap_or(1);
        let call = Call {
            caller: input.caller,
            deadline: input.deadline,
            started: Instant::now(),
            upstream_calls: 0,
            log_lines: 0,
            limiter: MemoryLimiter { limit: limits.memory.as_usize(), used: 0, refused: Refused::Never },
            cpu: CpuMeter {
                resumed: ticks.load(Ordering::Acquire),
                ticks,
                spent: 0,
                budget: limits.cpu.0.div_ceil(tick),
            },
            environment: environment.clone(),
        };
        let mut store = Store::new(self.engine(), call);
        store.limiter(|call| &mut call.limiter);
        store.set_hostcall_fuel(hostcall_fuel(limits));
        store.set_max_component_handles(MAX_HANDLES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store: StoreContextMut<'_, Call>| Ok(store.data_mut().cpu.tick()));
        store
    }
}

fn classify(error: &wasmtime::Error, call: &Call) -> (Code, String) {
    let cause = format!("{error:#}");
    let code = if call.limiter.refused == Refused::AtLeastOnce {
        Code::ConnectorMemoryExhausted
    } else if error.is::<PoolConcurrencyLimitError>() {
        Code::TooBusy
    } else if matches!(error.downcast_ref::<Trap>(), Some(Trap::Interrupt)) {
        Code::ConnectorCpuExhausted
    } else if cause.contains("fuel allocated for hostcalls") {
        // The engine gives this error no type of its own; a test holds the text.
        Code::AnswerTooLarge
    } else {
        Code::ConnectorTrapped
    };
    (code, cause)
}

enum Unanswered {
    Problem(Problem),
    Broken(EncodeError),
}

impl crate::plan::OperationPlan {
    fn returns(&self) -> bool {
        self.ok.is_some() || self.fallible != Fallible::Never
    }

    /// Status and body for what the function returned.
    fn answer(&self, result: Option<&Val>, limit: usize) -> Result<(u16, Vec<u8>), Unanswered> {
        let value = match (self.fallible, result) {
            (Fallible::Never, value) => value,
            (_, Some(Val::Result(Ok(value)))) => value.as_deref(),
            (_, Some(Val::Result(Err(Some(error))))) => {
                let problem = encode::problem(&self.errors, error, limit).map_err(Unanswered::Broken)?;
                return Err(Unanswered::Problem(problem));
            }
            _ => return Err(Unanswered::Broken(EncodeError::Mismatch)),
        };
        match (&self.ok, value) {
            (None, None) => Ok((204, Vec::new())),
            (Some(_), Some(Val::Option(None))) => Err(Unanswered::Problem(Problem::new(Code::NotFound, ""))),
            (Some(node), Some(value)) => {
                let body = Encoder::new(limit).encode(node, value).map_err(Unanswered::Broken)?;
                Ok((200, body))
            }
            _ => Err(Unanswered::Broken(EncodeError::Mismatch)),
        }
    }
}
