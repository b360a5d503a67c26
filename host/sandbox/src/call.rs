//! One call: a fresh instance, one operation, and the instance is gone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use truc_model::{AccountName, AgencyCode, Code, Limits, Problem, RequestId};
use wasmtime::component::{ComponentExportIndex, Val};
use wasmtime::{PoolConcurrencyLimitError, ResourceLimiter, Store, StoreContextMut, Trap, UpdateDeadline};

use crate::capabilities::{Environment, printable};
use crate::codec::{Codec, Outcome, Values};
use crate::decode::{Arguments, Undecoded};
use crate::encode::EncodeError;
use crate::mask::Masker;
use crate::program::{Program, Sandbox};
use crate::progress::{Counted, Progress};
use crate::settings::{
    MAX_CORE_INSTANCES, MAX_HANDLES, MAX_TABLE_ELEMENTS, MAX_TABLES, MAX_VALUES, SMALL_BODY, SMALL_VALUES,
    VALUE_BYTES, VALUE_FACTOR, hostcall_fuel,
};
use crate::turns::{self, Weight, weighed};

/// An operation with its arguments, decoded and checked.
#[derive(Debug)]
pub struct Prepared {
    operation: usize,
    arguments: Arc<Values>,
    /// What the host holds for the arguments, in bytes.
    held: u64,
    /// The share of the host's memory for large bodies that the arguments take.
    _share: Option<OwnedSemaphorePermit>,
}

impl Prepared {
    /// The same, if the arguments take no more memory than the host has for a call of the service.
    ///
    /// # Errors
    /// They take more.
    pub fn within(self, limits: &Limits) -> Result<Self, Problem> {
        if self.held <= limits.host_memory.0 {
            return Ok(self);
        }
        let detail = format!(
            "The values of the body take more than the {} that the service has for a call; send less at once.",
            limits.host_memory
        );
        Err(Problem::new(Code::BodyTooLarge, detail))
    }
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
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// 200 or 204.
    pub status: u16,
    /// JSON; empty for 204.
    pub body: Vec<u8>,
    /// How many calls to upstreams were made.
    pub upstream_calls: u32,
}

/// Tells how much there is, never what: an answer may be personal data.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("upstream_calls", &self.upstream_calls)
            .finish()
    }
}

/// A call that gave no answer.
#[derive(Clone)]
pub struct CallError {
    /// What the caller sees.
    pub problem: Problem,
    /// What the operator's log gets, where the problem does not say everything.
    pub cause: Option<String>,
    /// How many calls to upstreams were made.
    pub upstream_calls: u32,
}

/// Tells the problem by its code: what a connector says in one may be personal data.
impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallError")
            .field("problem", &self.problem.code)
            .field("cause", &self.cause)
            .field("upstream_calls", &self.upstream_calls)
            .finish()
    }
}

/// The state of one call; what capabilities work on.
pub(crate) struct Call {
    pub(crate) environment: Arc<Environment>,
    pub(crate) caller: CallerInfo,
    pub(crate) deadline: Instant,
    pub(crate) started: Instant,
    pub(crate) progress: Arc<Progress>,
    /// Bytes of bodies that went to upstreams and came from them.
    pub(crate) upstream_bytes: u64,
    pub(crate) log_lines: u32,
    /// Bytes that were put into the cache.
    pub(crate) cache_put: u64,
    /// What is left, beside the arguments, of the memory that the host has for the call.
    pub(crate) host_room: u64,
    /// What was called, and with what; none where an instance is only tried out.
    called: Option<Called>,
    /// Made when the connector writes its first line.
    masker: Option<Masker>,
    limiter: MemoryLimiter,
    /// The processor time that the call may take.
    processor_time: Duration,
}

/// An operation and its arguments.
pub(crate) struct Called {
    codec: Arc<Codec>,
    operation: usize,
    arguments: Arc<Values>,
}

impl Call {
    /// What hides the personal data of the call's arguments.
    pub(crate) fn masker(&mut self) -> &Masker {
        let Self { called, masker, host_room, .. } = self;
        masker.get_or_insert_with(|| {
            let masker = |called: &Called| called.codec.masker(called.operation, &called.arguments);
            let masker = called.as_ref().map_or(Masker::Nothing, masker);
            // From here to the end of the call the host holds it.
            *host_room = host_room.saturating_sub(masker.held());
            masker
        })
    }

    /// Called at the first check of the connector's code after a tick. Its own code counts, and whatever it made the host
    /// do at once; time in which it waits does not.
    fn tick(&self) -> UpdateDeadline {
        if self.progress.processor_time() > self.processor_time {
            return UpdateDeadline::Interrupt;
        }
        UpdateDeadline::Yield(1)
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

    fn instances(&self) -> usize {
        MAX_CORE_INSTANCES as usize
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
        let body = arguments.body.len();
        let mut share =
            if body > SMALL_BODY { Some(self.share_of(body.saturating_mul(VALUE_FACTOR))?) } else { None };
        let covered = (body.saturating_mul(VALUE_FACTOR) / VALUE_BYTES).clamp(SMALL_VALUES, MAX_VALUES);
        let weight = if body > SMALL_BODY { Weight::Heavy } else { Weight::Light };
        let decode = |values| {
            weighed(weight, || {
                let arguments = program.codec.decode_within(operation, arguments, values)?;
                Ok((arguments.held(), Arc::new(arguments)))
            })
        };
        let decoded = match decode(covered) {
            Err(Undecoded::TooMany) if covered < MAX_VALUES => {
                drop(share.take());
                share = Some(self.share_of(MAX_VALUES.saturating_mul(VALUE_BYTES))?);
                decode(MAX_VALUES)
            }
            decoded => decoded,
        };
        let (held, arguments) = decoded?;
        Ok(Prepared { operation, held, arguments, _share: share })
    }

    /// Values take many times the memory of their JSON, so large requests share what the host has for them.
    fn share_of(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let kibibytes = u32::try_from(bytes >> 10).unwrap_or(u32::MAX);
        self.large_bodies.clone().try_acquire_many_owned(kibibytes).map_err(|_| {
            Problem::new(Code::TooBusy, "Too many large bodies are under way.").with_retry_after(1)
        })
    }

    /// How many calls that compute for long, or have much to convert, have not ended.
    pub fn long_calls(&self) -> usize {
        self.turns.in_progress()
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
        let mut store = self.store(environment, Input { caller: nobody, deadline }, None, 0);
        let progress = store.data().progress.clone();
        let start = Counted::new(progress, program.instance.instantiate_async(&mut store));
        match tokio::time::timeout_at(deadline, start).await {
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
        program: &Arc<Program>,
        prepared: Prepared,
        environment: &Arc<Environment>,
        input: Input,
    ) -> Result<Answer, CallError> {
        let Some(export) = program.exports.get(prepared.operation).copied() else {
            let problem = Problem::new(Code::RouteNotFound, "");
            return Err(CallError { problem, cause: None, upstream_calls: 0 });
        };
        let deadline = input.deadline;
        let weight = Weight::of(prepared.held);
        let called = Called {
            codec: program.codec.clone(),
            operation: prepared.operation,
            arguments: prepared.arguments.clone(),
        };
        let store = self.store(environment, input, Some(called), prepared.held);
        let progress = store.data().progress.clone();
        let work = carry_out(program.clone(), export, prepared, store);
        let ended = self.turns.run(&program.pace, weight, progress.clone(), work);
        tokio::time::timeout_at(deadline, ended).await.unwrap_or_else(|_| {
            let cause = format!("the deadline of {} passed", environment.limits.deadline);
            Err(failed(&progress, Code::DeadlineExceeded, cause))
        })
    }

    /// A store for one call whose arguments the host holds in that many bytes.
    pub(crate) fn store(
        &self,
        environment: &Arc<Environment>,
        input: Input,
        called: Option<Called>,
        held: u64,
    ) -> Store<Call> {
        let limits = &environment.limits;
        let host_room = limits.host_memory.0.saturating_sub(held);
        let call = Call {
            caller: input.caller,
            deadline: input.deadline,
            started: Instant::now(),
            progress: Arc::new(Progress::new()),
            upstream_bytes: 0,
            log_lines: 0,
            cache_put: 0,
            host_room,
            called,
            masker: None,
            limiter: MemoryLimiter { limit: limits.memory.as_usize(), used: 0, refused: Refused::Never },
            processor_time: limits.cpu.as_duration(),
            environment: environment.clone(),
        };
        let mut store = Store::new(self.engine(), call);
        store.limiter(|call| &mut call.limiter);
        store.set_hostcall_fuel(hostcall_fuel(limits, host_room));
        store.set_max_component_handles(MAX_HANDLES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store: StoreContextMut<'_, Call>| Ok(store.data().tick()));
        store
    }
}

/// Does the work of a call, from a fresh instance to the answer, and gives everything back.
async fn carry_out(
    program: Arc<Program>,
    export: ComponentExportIndex,
    prepared: Prepared,
    mut store: Store<Call>,
) -> Result<Answer, CallError> {
    let Prepared { operation, arguments, held: _, _share } = prepared;
    let mut results = vec![Val::Bool(false); usize::from(program.codec.returns(operation))];
    let ran = run(&program, export, &arguments, &mut store, &mut results).await;
    let progress = store.data().progress.clone();
    if let Err(error) = ran {
        let (code, cause) = classify(&error, store.data());
        let mut failed = failed(&progress, code, cause);
        if code == Code::TooBusy {
            failed.problem.retry_after = Some(1);
        }
        return Err(failed);
    }
    let returned = Values::returned(results);
    let held = returned.held();
    turns::before(Weight::of(held), &progress).await;
    let call = store.data();
    let limit = call.environment.limits.response_bytes.0.min(call.host_room.saturating_sub(held));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let upstream_calls = progress.upstream_calls();
    match program.codec.encode(operation, &returned, limit) {
        Ok(Outcome::Answer { status, body }) => Ok(Answer { status, body, upstream_calls }),
        Ok(Outcome::Problem(problem)) => Err(CallError { problem, cause: None, upstream_calls }),
        Err(error) => {
            let too_large = error == EncodeError::TooLarge;
            let code = if too_large { Code::AnswerTooLarge } else { Code::AnswerInvalid };
            Err(failed(&progress, code, format!("the connector's result: {error}")))
        }
    }
}

async fn run(
    program: &Program,
    export: ComponentExportIndex,
    arguments: &Values,
    store: &mut Store<Call>,
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let instance = program.instance.instantiate_async(&mut *store).await?;
    let Some(function) = instance.get_func(&mut *store, export) else {
        return Err(wasmtime::Error::msg("the planned export is missing"));
    };
    function.call_async(store, arguments.as_slice(), results).await
}

fn failed(progress: &Progress, code: Code, cause: String) -> CallError {
    CallError {
        problem: Problem::new(code, ""),
        cause: Some(cause),
        upstream_calls: progress.upstream_calls(),
    }
}

/// Characters of a cause that go to the log: it may hold names that the component's author chose.
const MAX_CAUSE: usize = 2_000;

pub(crate) fn classify(error: &wasmtime::Error, call: &Call) -> (Code, String) {
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
