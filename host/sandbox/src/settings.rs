//! Every limit and switch of the engine, in one place, each with its reason.

use truc_model::Limits;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, RegallocAlgorithm, Result,
};

/// A component larger than this is not read.
pub const MAX_COMPONENT_BYTES: usize = 16 << 20;

/// The compiled form of a component may not be larger than this: eight times the largest component.
pub(crate) const MAX_CODE_BYTES: usize = 8 * MAX_COMPONENT_BYTES;

/// Components that are compiled at once.
pub(crate) const MAX_COMPILATIONS: usize = 2;

/// How often the epoch advances. A connector's processor time is counted in these.
pub(crate) const TICK: std::time::Duration = std::time::Duration::from_millis(10);

/// Linear memory and tables of one call together; no service may set more.
pub(crate) const MAX_MEMORY: usize = 64 << 20;

/// Tables of one instance.
pub(crate) const MAX_TABLES: u32 = 4;

/// Elements of one table.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 20_000;

/// Core instances inside one component: Rust connectors have 3 or 4.
pub(crate) const MAX_CORE_INSTANCES: u32 = 8;

/// Component-model handles alive in one call. The capabilities have no resources, so that the host holds none and has no
/// table of them; a component may make some for itself.
pub(crate) const MAX_HANDLES: usize = 1_000;

/// Requests to upstreams that go at once in one call.
pub(crate) const MAX_AT_ONCE: usize = 16;

/// What the host takes of one request to an upstream beside its body; what may be sent is less.
pub(crate) const MAX_REQUEST_HEAD: usize = 64 << 10;

/// Bytes of one line of a connector's that are shown.
pub(crate) const MAX_LINE: usize = 1 << 10;

/// Arrays and objects inside one another in a request. Types nest at most 32 deep.
pub(crate) const MAX_JSON_DEPTH: usize = 64;

/// Values in one request: every member and item, optional members that are absent too.
pub(crate) const MAX_VALUES: usize = 1_000_000;

/// Values that a request of any size may have without asking for a share of [`LARGE_BODIES`].
pub(crate) const SMALL_VALUES: usize = 1 << 16;

/// What the host holds for one value, at most, on average: the value, its box or its place in a record, and a name.
pub(crate) const VALUE_BYTES: usize = 128;

/// Faults of one request that are told.
pub(crate) const MAX_FAULTS: usize = 100;

/// Characters that a text of personal data has at least to be looked for in the connector's lines. Shorter ones would
/// hide half of every line and say nothing of anybody.
pub(crate) const MIN_MASKED: usize = 4;

/// Bytes of personal data that are looked for in the connector's lines; where a call has more, its lines are not shown.
pub(crate) const MAX_MASKED_BYTES: usize = 64 << 10;

/// How many bytes the host may hold as values for each byte of JSON: each byte of a `list<u8>`, which is four thirds of
/// a byte in base64, is held as a value of 40 bytes.
pub(crate) const VALUE_FACTOR: usize = 32;

/// A body of at most that many bytes is decoded without asking for a share of [`LARGE_BODIES`].
pub(crate) const SMALL_BODY: usize = 64 << 10;

/// What the arguments of all calls with large bodies may take together, in KiB.
pub(crate) const LARGE_BODIES: usize = 2 << 20;

/// What one hand-over from guest to host may copy beyond bodies: the heads of as many requests as may go at once.
pub(crate) const HOSTCALL_ALLOWANCE: usize = MAX_AT_ONCE * MAX_REQUEST_HEAD;

/// Native stack of one call, of which wasm may use [`MAX_WASM_STACK`]; the rest is for host functions, whose overflow
/// would end the process.
const STACK: usize = 2 << 20;

/// Stack that a connector's code may use before it traps.
const MAX_WASM_STACK: usize = 512 << 10;

/// What an installation may choose of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineSettings {
    /// Calls that may run at once in the whole host.
    pub instances: u32,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self { instances: 512 }
    }
}

/// The configuration of the engine that runs connectors.
pub(crate) fn config(settings: EngineSettings) -> Result<Config> {
    let mut config = code();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)));
    Ok(config)
}

/// The configuration of an engine that compiles for it and runs nothing: it makes the same code, on one thread, and
/// reserves no address space.
pub(crate) fn compiler_config() -> Config {
    let mut config = code();
    config.parallel_compilation(false);
    config
}

/// All that decides which code is made of a component.
fn code() -> Config {
    let mut config = Config::new();

    // Surface: what connectors do not need is off, although it is compiled in (builds without the features have had
    // faults of their own).
    config.wasm_component_model(true);
    config.wasm_component_model_async(false);
    config.wasm_component_model_gc(false);
    config.wasm_component_model_error_context(false);
    config.wasm_component_model_threading(false);
    config.wasm_threads(false);
    config.wasm_shared_everything_threads(false);
    config.wasm_gc(false);
    config.wasm_function_references(false);
    config.wasm_exceptions(false);
    config.wasm_memory64(false);
    config.wasm_multi_memory(false);
    config.wasm_relaxed_simd(false);
    config.wasm_stack_switching(false);
    config.wasm_tail_call(false);
    config.wasm_custom_page_sizes(false);
    config.wasm_wide_arithmetic(false);
    config.gc_support(false);
    config.concurrency_support(false);

    // Interruption: the epoch is checked at loops and function entries and costs nothing measurable.
    config.epoch_interruption(true);

    // Stacks are reused by calls of different services.
    config.async_stack_size(STACK);
    config.max_wasm_stack(MAX_WASM_STACK);
    config.async_stack_zeroing(true);

    // Code: compiled once at publication, so it may take its time; backtraces go nowhere an agency sees.
    config.cranelift_opt_level(OptLevel::Speed);
    config.cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking);
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16));
    config.native_unwind_info(true);
    config.memory_init_cow(true);
    config
}

fn pool(settings: EngineSettings) -> PoolingAllocationConfig {
    let instances = settings.instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(MAX_CORE_INSTANCES))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(MAX_TABLES))
        .total_stacks(instances)
        .max_core_instances_per_component(MAX_CORE_INSTANCES)
        .max_memories_per_component(1)
        .max_memories_per_module(1)
        .max_tables_per_component(MAX_TABLES)
        .max_tables_per_module(MAX_TABLES)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_memory_size(MAX_MEMORY)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        // Keeping touched pages and resetting them in place, found by the page-map scan, saves the page faults that
        // giving them back would cost at each call. A connector in Rust touches some 30 pages; what a call touches
        // beyond this goes back, so that a burst of large calls leaves nothing behind.
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto)
        .max_unused_warm_slots(64);
    pool
}

/// The most that one hand-over from a service's connector may make the host hold, in bytes: what its largest answer, or
/// its largest requests to upstreams, can need, and never more than is left of the memory that the host has for the call.
pub(crate) fn hostcall_fuel(limits: &Limits, room: u64) -> usize {
    let bodies = limits.upstream_bytes.as_usize().saturating_mul(MAX_AT_ONCE);
    let upstream = bodies.min(limits.upstream_total_bytes.as_usize()).saturating_add(HOSTCALL_ALLOWANCE);
    let answer = limits.response_bytes.as_usize().saturating_mul(VALUE_FACTOR);
    upstream.max(answer).min(usize::try_from(room).unwrap_or(usize::MAX))
}

#[cfg(test)]
pub(crate) mod tests;
