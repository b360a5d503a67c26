//! One call: a fresh instance, one operation, and the instance is gone.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use truc_contract::model::Fallible;
use truc_model::{AccountName, AgencyCode, Code, Problem, RequestId};
use wasmtime::component::Val;
use wasmtime::{PoolConcurrencyLimitError, ResourceLimiter, Store, StoreContextMut, Trap, UpdateDeadline};

use crate::capabilities::{Environment, printable};
use crate::decode::{Arguments, decode};
use crate::encode::{self, EncodeError, Encoder};
use crate::program::{Program, Sandbox};
use crate::settings::{
    MAX_HANDLES, MAX_TABLE_ELEMENTS, MAX_TABLES, SMALL_BODY, TICK, VALUE_FACTOR, hostcall_fuel,
};

/// An operation with its arguments, decoded and checked.
pub struct Prepared {
    operation: usize,
    parameters: Vec<Val>,
    /// The share of the host's memory for large bodies that the arguments take.
    _share: Option<OwnedSemaphorePermit>,
}

/// What a call is made with, beside the arguments.
#[derive(Debug, Clone)]
pub struct Input {
    /// Who calls.
    pub caller: CallerInfo,
    /// When the call must have ended.
    pub deadline: Instant,
}

/// Who calls, as `truc:connector/caller` tells it.
#[derive(Debug, Clone)]
pub struct CallerInfo {
    /// The agency; none where the host itself tries a connector out.
    pub agency: Option<AgencyCode>,
    /// Its account.
    pub account: Option<AccountName>,
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

/// Counts the ticks during which the call held a thread: the connector's own code and whatever it made the host do
/// at once. Time in which the call waits is not counted.
struct CpuMeter {
    ticks: Arc<AtomicU64>,
    /// The tick at which the call last got a thread.
    resumed: Arc<AtomicU64>,
    spent: u64,
    budget: u64,
}

impl CpuMeter {
    /// Called at the first check of the connector's code after a tick.
    fn tick(&mut self) -> UpdateDeadline {
        let now = self.ticks.load(Ordering::Acquire);
        let before = self.resumed.swap(now, Ordering::AcqRel);
        self.spent = self.spent.saturating_add(now.saturating_sub(before));
        if self.spent > self.budget {
            return UpdateDeadline::Interrupt;
        }
        UpdateDeadline::Yield(1)
    }
}

impl Sandbox {
    /// Decodes and checks the arguments of an operation, known by its index in the program's contract.
    ///
    /// # Errors
    /// Every fault of the arguments that can be found, or no room for a body as large as this one now.
    pub fn prepare(
        &self,
        program: &Program,
        operation: usize,
        arguments: &Arguments<'_>,
    ) -> Result<Prepared, Problem> {
        let planned =
            program.operations.get(operation).ok_or_else(|| Problem::new(Code::RouteNotFound, ""))?;
        let share = self.share_for(arguments.body.len())?;
        Ok(Prepared { operation, parameters: decode(&planned.plan, arguments)?, _share: share })
    }

    /// Values take many times the memory of their JSON, so large bodies share what the host has for them.
    fn share_for(&self, body: usize) -> Result<Option<OwnedSemaphorePermit>, Problem> {
        if body <= SMALL_BODY {
            return Ok(None);
        }
        let kibibytes = u32::try_from(body.saturating_mul(VALUE_FACTOR) >> 10).unwrap_or(u32::MAX);
        let share = self.large_bodies.clone().try_acquire_many_owned(kibibytes);
        share.map(Some).map_err(|_| {
            Problem::new(Code::TooBusy, "Too many large bodies are under way.").with_retry_after(1)
        })
    }

    /// Makes one instance under a service's limits and drops it, so that a revision that could not even start is never
    /// put in force.
    ///
    /// # Errors
    /// What keeps the instance from starting.
    pub async fn try_out(&self, program: &Program, environment: &Arc<Environment>) -> Result<(), String> {
        let deadline = Instant::now() + environment.limits.deadline.as_duration();
        let nobody = CallerInfo {
            agency: None,
            account: None,
            purpose: None,
            dossier: None,
            request_id: RequestId::new(environment.clock.now(), &[0; 10]),
        };
        let (mut store, _) = self.store(environment, Input { caller: nobody, deadline });
        let started = tokio::time::timeout_at(deadline, program.instance.instantiate_async(&mut store)).await;
        match started {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(classify(&error, store.data()).1),
            Err(_) => Err("it did not start in time".to_owned()),
        }
    }

    /// Calls a prepared operation. Ends by the deadline.
    ///
    /// # Errors
    /// The contract's own refusals, and everything that can go wrong, as a problem with its cause.
    pub async fn call(
        &self,
        program: &Program,
        prepared: Prepared,
        environment: &Arc<Environment>,
        input: Input,
    ) -> Result<Answer, CallError> {
        let Some(operation) = program.operations.get(prepared.operation) else {
            let problem = Problem::new(Code::RouteNotFound, "");
            return Err(CallError { problem, cause: None, upstream_calls: 0 });
        };
        let deadline = input.deadline;
        let (mut store, resumed) = self.store(environment, input);
        let mut results = [Val::Bool(false)];
        let results = if operation.plan.returns() { results.as_mut_slice() } else { Default::default() };
        let run = async {
            let instance = program.instance.instantiate_async(&mut store).await?;
            let Some(function) = instance.get_func(&mut store, operation.export) else {
                return Err(wasmtime::Error::msg("the planned export is missing"));
            };
            function.call_async(&mut store, &prepared.parameters, results).await
        };
        let ended = {
            let mut run = std::pin::pin!(run);
            let ticks = self.ticker.ticks();
            let metered = poll_fn(|context| {
                // Whatever happens from here to the next wait is the call's processor time.
                resumed.store(ticks.load(Ordering::Acquire), Ordering::Release);
                run.as_mut().poll(context)
            });
            tokio::time::timeout_at(deadline, metered).await
        };
        let call = store.data();
        let upstream_calls = call.upstream_calls;
        let failed = |code: Code, cause: String| CallError {
            problem: Problem::new(code, ""),
            cause: Some(cause),
            upstream_calls,
        };
        match ended {
            Err(_) => Err(failed(
                Code::DeadlineExceeded,
                format!("the deadline of {} passed", environment.limits.deadline),
            )),
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
                operation
                    .plan
                    .answer(results.first(), limit)
                    .map(|(status, body)| Answer { status, body, upstream_calls })
                    .map_err(|unanswered| match unanswered {
                        Unanswered::Problem(problem) => CallError { problem, cause: None, upstream_calls },
                        Unanswered::Broken(error) => {
                            let code = if error == EncodeError::TooLarge {
                                Code::AnswerTooLarge
                            } else {
                                Code::AnswerInvalid
                            };
                            failed(code, format!("the connector's result: {error:?}"))
                        }
                    })
            }
        }
    }

    fn store(&self, environment: &Arc<Environment>, input: Input) -> (Store<Call>, Arc<AtomicU64>) {
        let limits = &environment.limits;
        let ticks = self.ticker.ticks().clone();
        let resumed = Arc::new(AtomicU64::new(ticks.load(Ordering::Acquire)));
        let tick = u64::try_from(TICK.as_millis()).unwrap_or(1);
        let call = Call {
            caller: input.caller,
            deadline: input.deadline,
            started: Instant::now(),
            upstream_calls: 0,
            log_lines: 0,
            limiter: MemoryLimiter { limit: limits.memory.as_usize(), used: 0, refused: Refused::Never },
            cpu: CpuMeter { ticks, resumed: resumed.clone(), spent: 0, budget: limits.cpu.0.div_ceil(tick) },
            environment: environment.clone(),
        };
        let mut store = Store::new(self.engine(), call);
        store.limiter(|call| &mut call.limiter);
        store.set_hostcall_fuel(hostcall_fuel(limits));
        store.set_max_component_handles(MAX_HANDLES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store: StoreContextMut<'_, Call>| Ok(store.data_mut().cpu.tick()));
        (store, resumed)
    }
}

/// Characters of a cause that go to the log: it may hold names that the component's author chose.
const MAX_CAUSE: usize = 2_000;

fn classify(error: &wasmtime::Error, call: &Call) -> (Code, String) {
    let root = error.root_cause().to_string();
    let code = if matches!(error.downcast_ref::<Trap>(), Some(Trap::Interrupt)) {
        Code::ConnectorCpuExhausted
    } else if call.limiter.refused == Refused::AtLeastOnce {
        Code::ConnectorMemoryExhausted
    } else if error.is::<PoolConcurrencyLimitError>() {
        Code::TooBusy
    } else if root.contains("fuel allocated for hostcalls") {
        // The engine gives this error no type of its own; a test holds the text.
        Code::AnswerTooLarge
    } else {
        Code::ConnectorTrapped
    };
    (code, printable(&format!("{error:#}"), MAX_CAUSE))
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
