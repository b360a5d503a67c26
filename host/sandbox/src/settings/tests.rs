//! Every knob of the engine, read back from the engine or seen to bite on a small component.
//!
//! What cannot be seen is said where it stands. The limits of a service that are kept outside the engine (deadline,
//! bodies, upstream calls, lines, cache, places) are tested where they are kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tokio::time::Instant;
use truc_egress::Upstream;
use truc_model::{Bytes, Handle, Limits, Millis, RequestId, SystemClock, Timestamp};
use wasmtime::component::{Component, Instance, Val};
use wasmtime::{OptLevel, PoolConcurrencyLimitError, Store, UpdateDeadline, WasmFeatures};

use super::*;
use crate::artifact::Artifacts;
use crate::call::{Call, CallerInfo, Input, classify};
use crate::capabilities::{Cache, Environment, Lines};
use crate::compile::Compiler;
use crate::program::Sandbox;
use crate::progress::Counted;

fn sandbox(instances: u32) -> Sandbox {
    let folder = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
    Sandbox::open(EngineSettings { instances }, Artifacts::open(dir).unwrap(), Compiler::InProcess).unwrap()
}

fn environment(limits: Limits, upstreams: BTreeMap<Handle, Arc<Upstream>>) -> Arc<Environment> {
    Arc::new(Environment {
        service: "probe".parse().unwrap(),
        revision: 1,
        upstreams,
        keys: BTreeMap::new(),
        config: BTreeMap::new(),
        cache: Cache::new(Bytes(1 << 20)),
        lines: Lines::new(),
        limits,
        clock: Arc::new(SystemClock),
    })
}

/// The state of a call that can reach some upstreams.
pub(crate) fn call(limits: Limits, upstreams: BTreeMap<Handle, Arc<Upstream>>) -> Call {
    store_with(&sandbox(1), environment(limits, upstreams)).into_data()
}

/// A store as every call gets it.
fn store(sandbox: &Sandbox, limits: Limits) -> Store<Call> {
    store_with(sandbox, environment(limits, BTreeMap::new()))
}

fn store_with(sandbox: &Sandbox, environment: Arc<Environment>) -> Store<Call> {
    let caller = CallerInfo {
        agency: None,
        account: None,
        purpose: None,
        dossier: None,
        request_id: RequestId::new(Timestamp::from_micros(0), &[0; 10]),
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    sandbox.store(&environment, Input { caller, deadline }, None, 0)
}

/// A component with one core module whose function `run` is exported with the type that is written.
fn with_module(fields: &str, ty: &str) -> String {
    format!(
        r#"(component
            (core module $m {fields})
            (core instance $i (instantiate $m))
            (func (export "run") {ty} (canon lift (core func $i "run"))))"#
    )
}

async fn instance(sandbox: &Sandbox, store: &mut Store<Call>, wat: &str) -> wasmtime::Result<Instance> {
    let component = Component::new(sandbox.engine(), wat::parse_str(wat).unwrap())?;
    let progress = store.data().progress.clone();
    Counted::new(progress, sandbox.linker().instantiate_async(store, &component)).await
}

/// Calls `run` with a number, if it takes one, and gives what it returned.
async fn run_in(
    sandbox: &Sandbox,
    store: &mut Store<Call>,
    wat: &str,
    with: &[Val],
) -> wasmtime::Result<Val> {
    let instance = instance(sandbox, store, wat).await?;
    let function = instance.get_func(&mut *store, "run").unwrap();
    let mut results = [Val::Bool(false)];
    let progress = store.data().progress.clone();
    Counted::new(progress, function.call_async(&mut *store, with, &mut results)).await?;
    let [result] = results;
    Ok(result)
}

/// The same, in a store of its own, with the problem's code where it fails.
async fn run(sandbox: &Sandbox, limits: Limits, wat: &str, with: &[Val]) -> Result<Val, String> {
    let mut store = store(sandbox, limits);
    let ran = run_in(sandbox, &mut store, wat, with).await;
    ran.map_err(|error| {
        let (code, cause) = classify(&error, store.data());
        format!("{}: {cause}", code.as_str())
    })
}

fn refusal(sandbox: &Sandbox, wat: &str) -> String {
    match Component::new(sandbox.engine(), wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}"))) {
        Ok(_) => panic!("taken: {wat}"),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn the_engine_has_the_settings() {
    let sandbox = sandbox(7);
    let engine = sandbox.engine();
    assert!(engine.get_epoch_interruption());
    // Epochs bound processor time; fuel would bound it once more, at two to three times the cost.
    assert!(!engine.get_consume_fuel());
    assert_eq!((engine.get_max_wasm_stack(), engine.get_async_stack_size()), (512 << 10, 2 << 20));
    // No code of a component's can read the stack of the host, so that zeroing cannot be seen from inside.
    assert!(engine.get_async_stack_zeroing());
    assert!(!engine.get_concurrency_support());
    assert!(!engine.get_shared_memory());
    assert!(!engine.get_guest_debug() && !engine.get_debug_info());
    assert!(engine.get_signals_based_traps() && engine.get_memory_init_cow());
    assert!(engine.get_guard_before_linear_memory());
    // What a 32-bit address with a 32-bit offset can reach is memory or guard: nothing else can be met.
    assert!(engine.get_memory_reservation() >= 4 << 30 && engine.get_memory_guard_size() >= 32 << 20);
    assert_eq!(engine.get_cranelift_opt_level(), Some(OptLevel::Speed));
    assert_eq!(engine.get_wasm_backtrace_max_frames(), 16);
    assert_eq!(engine.get_native_unwind_info(), Some(true));
    assert!(!engine.is_pulley() && !engine.is_recording() && !engine.is_replaying());

    let pool = engine.get_pooling_config().unwrap();
    assert_eq!(pool.get_total_component_instances(), 7);
    assert_eq!(pool.get_total_core_instances(), 7 * MAX_CORE_INSTANCES);
    assert_eq!((pool.get_total_memories(), pool.get_total_stacks()), (7, 7));
    assert_eq!(pool.get_total_tables(), 7 * MAX_TABLES);
    assert_eq!(pool.get_max_core_instances_per_component(), MAX_CORE_INSTANCES);
    assert_eq!((pool.get_max_memories_per_component(), pool.get_max_memories_per_module()), (1, 1));
    assert_eq!(
        (pool.get_max_tables_per_component(), pool.get_max_tables_per_module()),
        (MAX_TABLES, MAX_TABLES)
    );
    assert_eq!(pool.get_table_elements(), MAX_TABLE_ELEMENTS);
    assert_eq!(pool.get_max_memory_size(), MAX_MEMORY);
    assert_eq!(
        (pool.get_max_component_instance_size(), pool.get_max_core_instance_size()),
        (1 << 20, 1 << 20)
    );
    assert_eq!(pool.get_memory_keep_resident(), 128 << 10);
    assert_eq!((pool.get_table_keep_resident(), pool.get_async_stack_keep_resident()), (64 << 10, 64 << 10));
    assert_eq!(pool.get_max_unused_warm_slots(), 64);
}

#[test]
fn the_values_are_those_that_were_decided() {
    assert_eq!((MAX_MEMORY, MAX_TABLES, MAX_TABLE_ELEMENTS), (64 << 20, 4, 20_000));
    assert_eq!((MAX_CORE_INSTANCES, MAX_HANDLES, MAX_COMPONENT_BYTES), (8, 1_000, 16 << 20));
    assert_eq!((TICK, MAX_JSON_DEPTH), (Duration::from_millis(10), 64));
    assert_eq!(Limits::ceilings().memory.as_usize(), MAX_MEMORY);
}

/// What is on, by name: a release of the engine that switches more on is noticed here.
#[test]
fn of_webassembly_only_what_connectors_need_is_on() {
    let sandbox = sandbox(1);
    let mut on: Vec<_> = sandbox.engine().get_wasm_features().iter_names().map(|(name, _)| name).collect();
    on.sort_unstable();
    assert_eq!(
        on,
        [
            "BULK_MEMORY",
            "COMPONENT_MODEL",
            "EXTENDED_CONST",
            "FLOATS",
            "MULTI_VALUE",
            "MUTABLE_GLOBAL",
            "REFERENCE_TYPES",
            "SATURATING_FLOAT_TO_INT",
            "SIGN_EXTENSION",
            "SIMD",
        ]
    );
    assert!(!sandbox.engine().get_wasm_features().contains(WasmFeatures::GC));
}

#[test]
fn what_is_off_is_refused() {
    let sandbox = sandbox(1);
    let modules = [
        ("threads", "(memory 1 1 shared)"),
        ("gc", "(type (struct (field i32)))"),
        ("function references", "(type $f (func)) (func (param (ref $f)))"),
        ("exceptions", "(tag)"),
        ("memory64", "(memory i64 1)"),
        ("multi-memory", "(memory 1) (memory 1)"),
        ("tail calls", "(func $f return_call $f)"),
        ("custom page sizes", "(memory 1 (pagesize 1))"),
        (
            "relaxed simd",
            "(func (param v128 v128) (result v128) local.get 0 local.get 1 i8x16.relaxed_swizzle)",
        ),
        (
            "wide arithmetic",
            "(func (param i64 i64 i64 i64) (result i64 i64) local.get 0 local.get 1 local.get 2 local.get 3 i64.add128)",
        ),
        ("stack switching", "(type $f (func)) (type (cont $f))"),
        ("shared everything", "(global (shared i32) (i32.const 0))"),
    ];
    for (feature, fields) in modules {
        refusal(&sandbox, &format!("(component (core module {fields}))"));
        assert!(!feature.is_empty());
    }
    let components = [
        "(component (type (stream u8)))",
        "(component (type (future u8)))",
        "(component (type (func async)))",
        "(component (core func (canon task.cancel)))",
        "(component (core func (canon error-context.drop)))",
        "(component (core func (canon thread.yield)))",
    ];
    for component in components {
        refusal(&sandbox, component);
    }
}

#[test]
fn every_store_has_its_bounds() {
    let sandbox = sandbox(1);
    let limits = Limits::default();
    let of_a_call = store(&sandbox, limits);
    assert_eq!(of_a_call.max_component_handles(), MAX_HANDLES);
    assert_eq!(of_a_call.hostcall_fuel(), hostcall_fuel(&limits, limits.host_memory.0));
    assert_eq!(of_a_call.hostcall_fuel(), 256 << 20);
    // The largest requests that may go at once, where answers are small.
    let small = Limits { response_bytes: Bytes(1 << 10), ..limits };
    assert_eq!(store(&sandbox, small).hostcall_fuel(), (64 << 20) + HOSTCALL_ALLOWANCE);
    // Never more than the host has for the call.
    let tight = Limits { host_memory: Bytes(3 << 20), ..limits };
    assert_eq!(store(&sandbox, tight).hostcall_fuel(), 3 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hand_over_may_copy_is_bounded() {
    let sandbox = sandbox(4);
    // A text of as many bytes as asked for, out of a memory of 3 MiB, to the log.
    let wat = r#"(component
        (import "truc:connector/log@0.1.0" (instance $log
            (type $cases (enum "debug" "info" "warn" "error"))
            (export "level" (type $level (eq $cases)))
            (export "write" (func (param "level" $level) (param "message" string)))))
        (alias export $log "write" (func $write))
        (core module $memory (memory (export "memory") 48))
        (core instance $memory (instantiate $memory))
        (core func $write (canon lower (func $write) (memory $memory "memory")))
        (core module $m
            (import "" "write" (func $write (param i32 i32 i32)))
            (func (export "run") (param i32) (result i32)
                (call $write (i32.const 0) (i32.const 0) (local.get 0)) (i32.const 1)))
        (core instance $i (instantiate $m (with "" (instance (export "write" (func $write))))))
        (func (export "run") (param "length" u32) (result u32) (canon lift (core func $i "run"))))"#;
    let limits = Limits { host_memory: Bytes(2 << 20), ..Limits::default() };
    let write = async |length: u32| run(&sandbox, limits, wat, &[Val::U32(length)]).await;
    assert_eq!(write(2 << 20).await, Ok(Val::U32(1)));
    // The engine gives this error no type: the text is what it is known by.
    assert!(write((2 << 20) + 1).await.unwrap_err().starts_with("answer-too-large: "));
}

/// A component that returns a list of lists that are all the same piece of its memory.
fn list_of_lists() -> String {
    r#"(component
        (core module $m
            (memory (export "memory") 33)
            (func (export "run") (param $lists i32) (result i32) (local $at i32)
                (local.set $at (i32.const 1048576))
                (block $done (loop $next
                    (br_if $done (i32.ge_u (local.get $at)
                        (i32.add (i32.const 1048576) (i32.mul (local.get $lists) (i32.const 8)))))
                    (i32.store (local.get $at) (i32.const 0))
                    (i32.store offset=4 (local.get $at) (i32.const 1048576))
                    (local.set $at (i32.add (local.get $at) (i32.const 8)))
                    (br $next)))
                (i32.store (i32.const 1048568) (i32.const 1048576))
                (i32.store (i32.const 1048572) (local.get $lists))
                (i32.const 1048568)))
        (core instance $i (instantiate $m))
        (func (export "run") (param "lists" u32) (result (list (list u8)))
            (canon lift (core func $i "run") (memory $i "memory"))))"#
        .to_owned()
}

/// The most that this process has held of late, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Two mebibytes of a component's memory stand for gibibytes of values: what the host holds of them is what the limit
/// says. Meant for a process of its own, in which nextest runs each test.
#[tokio::test(flavor = "multi_thread")]
async fn no_result_makes_the_host_hold_more_than_the_limit() {
    let sandbox = sandbox(4);
    let wat = list_of_lists();
    let limits = Limits { host_memory: Bytes(96 << 20), ..Limits::default() };
    let lists = async |count: u32| run(&sandbox, limits, &wat, &[Val::U32(count)]).await;
    // A list of a mebibyte is 40 MiB of values.
    let Ok(Val::List(two)) = lists(2).await else { panic!("two lists fit") };
    assert_eq!(two.len(), 2);
    drop(two);
    let before = peak();
    for count in [3, 100, 100_000] {
        assert!(lists(count).await.unwrap_err().starts_with("answer-too-large: "));
    }
    // Vectors that grow take up to twice what is in them.
    let grown = peak().saturating_sub(before);
    assert!(grown <= 2 * limits.host_memory.0, "{} MiB", grown >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_are_bounded() {
    let sandbox = sandbox(4);
    // Resources that the component makes for itself: the capabilities have none.
    let wat = r#"(component
        (type $thing (resource (rep i32)))
        (core func $new (canon resource.new $thing))
        (core module $m
            (import "" "new" (func $new (param i32) (result i32)))
            (func (export "run") (param $count i32) (result i32)
                (loop $next
                    (drop (call $new (i32.const 1)))
                    (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
                (i32.const 1)))
        (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
        (func (export "run") (param "count" u32) (result u32) (canon lift (core func $i "run"))))"#;
    let most = u32::try_from(MAX_HANDLES).unwrap();
    assert_eq!(run(&sandbox, Limits::default(), wat, &[Val::U32(most)]).await, Ok(Val::U32(1)));
    let error = run(&sandbox, Limits::default(), wat, &[Val::U32(most + 1)]).await.unwrap_err();
    assert!(error.starts_with("connector-trapped: "), "{error}");
}

/// The host has no table of resources (`ResourceTable`), as no capability has a resource.
#[test]
fn no_capability_has_a_resource() {
    let text = include_str!("../../../../wit/truc/connector.wit");
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    assert!(code.into_iter().all(|line| !line.trim_start().starts_with("resource ")));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_tables_are_added_up() {
    let sandbox = sandbox(4);
    // Grows its memory page by page, then its table element by element, until neither grows, and gives both sizes.
    let greedy = with_module(
        r#"(memory 1) (table $t 0 funcref)
        (func (export "run") (result i64)
            (loop $more (br_if $more (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0))))
            (loop $more (br_if $more (i32.ge_s (table.grow $t (ref.null func) (i32.const 1)) (i32.const 0))))
            (i64.or (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 32)) (i64.extend_i32_u (table.size $t))))"#,
        "(result u64)",
    );
    let sizes = async |memory: u64| {
        let limits = Limits { memory: Bytes(memory), cpu: Millis(10_000), ..Limits::default() };
        match run(&sandbox, limits, &greedy, &[]).await {
            Ok(Val::U64(sizes)) => (sizes >> 32, sizes & 0xffff_ffff),
            other => panic!("{other:?}"),
        }
    };
    let page = 64 << 10;
    assert_eq!(sizes(10 * page).await, (10, 0), "memory took all there was");
    assert_eq!(sizes(10 * page + 800).await, (10, 100), "an element takes eight bytes of the same sum");
    assert_eq!(sizes(11 * page - 8).await, (10, (page - 8) / 8));
    assert_eq!(sizes(64 << 20).await, (1024, 0));

    // Memory that a component has from the start counts too.
    let large =
        with_module(r#"(memory 32) (func (export "run") (result i32) (i32.const 1))"#, "(result u32)");
    let limits = |pages: u64| Limits { memory: Bytes(pages * page), ..Limits::default() };
    assert_eq!(run(&sandbox, limits(32), &large, &[]).await, Ok(Val::U32(1)));
    let error = run(&sandbox, limits(31), &large, &[]).await.unwrap_err();
    assert!(error.starts_with("connector-memory-exhausted: "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_memories_and_instances_are_few() {
    let sandbox = sandbox(4);
    let grows = with_module(
        r#"(table $t 0 funcref)
        (func (export "run") (param i32) (result i32) (table.grow $t (ref.null func) (local.get 0)))"#,
        r#"(param "by" u32) (result s32)"#,
    );
    let most = u32::try_from(MAX_TABLE_ELEMENTS).unwrap();
    let grown = async |by: u32| run(&sandbox, Limits::default(), &grows, &[Val::U32(by)]).await;
    assert_eq!(grown(most).await, Ok(Val::S32(0)));
    assert_eq!(grown(most + 1).await, Ok(Val::S32(-1)));

    let module =
        |fields: &str| format!("(component (core module $m {fields}) (core instance (instantiate $m)))");
    let instances = |count: usize, fields: &str| {
        let instances = "(core instance (instantiate $m))".repeat(count);
        format!("(component (core module $m {fields}) {instances})")
    };
    let taken = [
        module(&format!("(table {most} funcref)")),
        module(&"(table 0 funcref)".repeat(4)),
        module("(memory 1024)"),
        instances(8, ""),
        instances(4, "(table 1 funcref)"),
    ];
    for wat in taken {
        let mut store = store(&sandbox, Limits::default());
        instance(&sandbox, &mut store, &wat).await.unwrap();
    }
    let refused = [
        module(&format!("(table {} funcref)", most + 1)),
        module(&"(table 0 funcref)".repeat(5)),
        module("(memory 1025)"),
        instances(9, ""),
        instances(5, "(table 1 funcref)"),
        instances(2, "(memory 1)"),
    ];
    for wat in refused {
        let mut store = store(&sandbox, Limits::default());
        assert!(instance(&sandbox, &mut store, &wat).await.is_err(), "{wat}");
    }
}

const FOREVER: &str = r#"(func (export "run") (result i32) (loop $on (br $on)) (unreachable))"#;

#[tokio::test(flavor = "multi_thread")]
async fn processor_time_ends() {
    let sandbox = sandbox(4);
    let forever = with_module(FOREVER, "(result u32)");
    for budget in [10, 60] {
        let limits = Limits { cpu: Millis(budget), ..Limits::default() };
        let began = std::time::Instant::now();
        let error = run(&sandbox, limits, &forever, &[]).await.unwrap_err();
        assert!(error.starts_with("connector-cpu-exhausted: "), "{error}");
        assert!(
            began.elapsed() >= Duration::from_millis(budget),
            "not before its time: {:?}",
            began.elapsed()
        );
    }
}

/// On one thread, what else there is to do goes on while a component runs: it gives the thread up at each tick.
#[tokio::test]
async fn a_component_that_runs_lets_others_run() {
    let sandbox = sandbox(4);
    let forever = with_module(FOREVER, "(result u32)");
    let turns = Arc::new(AtomicUsize::new(0));
    let other = tokio::spawn({
        let turns = turns.clone();
        async move {
            loop {
                turns.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    let limits = Limits { cpu: Millis(200), ..Limits::default() };
    assert!(run(&sandbox, limits, &forever, &[]).await.is_err());
    other.abort();
    let turns = turns.load(Ordering::Relaxed);
    assert!(turns >= 10, "{turns} turns in twenty ticks");
}

#[tokio::test]
async fn the_epoch_advances_once_a_tick() {
    let sandbox = sandbox(1);
    let mut store = store(&sandbox, Limits::default());
    let (mut ticks, mut first) = (0, None);
    let (ended, ends) = std::sync::mpsc::channel();
    store.epoch_deadline_callback(move |_| {
        let first = *first.get_or_insert_with(std::time::Instant::now);
        ticks += 1;
        if ticks > 20 {
            ended.send(first.elapsed()).unwrap();
            return Ok(UpdateDeadline::Interrupt);
        }
        Ok(UpdateDeadline::Continue(1))
    });
    assert!(run_in(&sandbox, &mut store, &with_module(FOREVER, "(result u32)"), &[]).await.is_err());
    // The first of them may have been due at once.
    let took = ends.recv().unwrap();
    assert!(took >= 19 * TICK, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn recursion_ends_in_a_trap() {
    let sandbox = sandbox(4);
    let deep = with_module(
        r#"(func $down (param i64) (result i64)
            (if (result i64) (i64.eqz (local.get 0)) (then (i64.const 0))
                (else (i64.add (i64.const 1) (call $down (i64.sub (local.get 0) (i64.const 1)))))))
        (func (export "run") (param i64) (result i64) (call $down (local.get 0)))"#,
        r#"(param "depth" u64) (result u64)"#,
    );
    let down = async |depth: u64| run(&sandbox, Limits::default(), &deep, &[Val::U64(depth)]).await;
    assert_eq!(down(1_000).await, Ok(Val::U64(1_000)));
    // A frame has at least the return address and the frame pointer.
    let most = (MAX_WASM_STACK / 16) as u64;
    let error = down(most).await.unwrap_err();
    assert!(error.starts_with("connector-trapped: ") && error.contains("call stack exhausted"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_refuses_and_serves_again() {
    let sandbox = sandbox(2);
    let wat = with_module(r#"(memory 1) (func (export "run") (result i32) (i32.const 1))"#, "(result u32)");
    let mut stores: Vec<_> = (0..3).map(|_| store(&sandbox, Limits::default())).collect();
    let mut third = stores.pop().unwrap();
    for store in &mut stores {
        instance(&sandbox, store, &wat).await.unwrap();
    }
    let error = instance(&sandbox, &mut third, &wat).await.unwrap_err();
    assert!(error.is::<PoolConcurrencyLimitError>());
    assert_eq!(classify(&error, third.data()).0, truc_model::Code::TooBusy);
    drop(stores);
    assert_eq!(run(&sandbox, Limits::default(), &wat, &[]).await, Ok(Val::U32(1)));
}

/// One store for one call: what one leaves in memory, a global or a table the next does not find, although both have the
/// same slot of the pool.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_for_the_next_call() {
    let sandbox = sandbox(1);
    let marks = with_module(
        r#"(memory 32) (global $g (mut i32) (i32.const 0)) (table $t 10 funcref)
        (elem declare func $f) (func $f)
        (func (export "run") (result i32) (local $at i32) (local $found i32)
            (loop $next
                (local.set $found (i32.or (local.get $found) (i32.load (local.get $at))))
                (i32.store (local.get $at) (i32.const 0x5eed))
                (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4))) (i32.const 0x200000))))
            (local.set $found (i32.or (local.get $found) (global.get $g)))
            (global.set $g (i32.const 0x5eed))
            (local.set $found (i32.or (local.get $found) (i32.eqz (ref.is_null (table.get $t (i32.const 3))))))
            (table.set $t (i32.const 3) (ref.func $f))
            (local.get $found))"#,
        "(result u32)",
    );
    for _ in 0..20 {
        assert_eq!(run(&sandbox, Limits::default(), &marks, &[]).await, Ok(Val::U32(0)));
    }
    // Of the two mebibytes that were touched, a slot keeps one.
    let metrics = sandbox.engine().pooling_allocator_metrics().unwrap();
    assert_eq!((metrics.component_instances(), metrics.memories(), metrics.stacks()), (0, 0, 0));
    assert!(metrics.unused_memory_bytes_resident() <= 1 << 20);
}
