//! Compiling by another process: what is not sent to it, what is believed of what it answers, and that it never stays.
//! What the real process may do is shown where there is a program: in the tests of `truc`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use truc_contract::ComponentError;
use truc_model::Millis;
use truc_sandbox::{
    Artifacts, CompileLimits, Compiler, CompilerProcess, Cost, EngineSettings, LoadError, Sandbox,
};

/// What loading gives where a shell script is the compiler.
fn load(script: &str, component: &[u8]) -> LoadError {
    let folder = tempfile::tempdir().unwrap();
    let artifacts =
        Artifacts::open(Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap()).unwrap();
    let arguments = vec!["-c".to_owned(), script.to_owned()];
    let mut process = CompilerProcess::new("/bin/sh".into(), arguments, CompileLimits::default());
    process.patience = Millis(1500);
    let compiler = Compiler::Process(process);
    let sandbox = Sandbox::open(EngineSettings { instances: 1 }, artifacts, compiler).unwrap();
    let error = sandbox.load(component, None).map(|_| ()).expect_err(script);
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["artifact.key"], "{script}");
    error
}

fn trial() -> Vec<u8> {
    trial::component().unwrap()
}

/// A connector with one more core module in it, which nothing uses.
fn with_module(text: &str) -> Vec<u8> {
    let module = wat::parse_str(text).unwrap();
    let mut component = trial();
    component.push(1);
    let mut length = module.len();
    while length >= 0x80 {
        component.push(length as u8 | 0x80);
        length >>= 7;
    }
    component.push(length as u8);
    component.extend(module);
    component
}

#[test]
fn what_the_engine_has_switched_off_never_reaches_the_compiler() {
    for (feature, text) in [
        ("threads", "(module (memory 1 1 shared))"),
        ("tail calls", "(module (func return_call 0))"),
        ("memories of 64 bits", "(module (memory i64 1))"),
        ("several memories", "(module (memory 1) (memory 1))"),
        ("exceptions", "(module (tag))"),
        ("garbage collection", "(module (type (struct)))"),
        ("function references", "(module (type $t (func)) (func (param (ref $t))))"),
        ("external references", "(module (func (param externref)))"),
        ("pages of one byte", "(module (memory 1 2 (pagesize 1)))"),
        (
            "wide arithmetic",
            "(module (func (param i64 i64 i64 i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3))))",
        ),
        (
            "relaxed vectors",
            "(module (func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))",
        ),
        ("stack switching", "(module (type $f (func)) (type $c (cont $f)))"),
    ] {
        match load("exit 1", &with_module(text)) {
            LoadError::Component(ComponentError::Malformed(_)) => {}
            error => panic!("{feature}: {error}"),
        }
    }
    for (feature, text) in [
        ("nothing special", "(module (memory 1))"),
        ("vectors", "(module (func (param v128) (result v128) (i8x16.neg (local.get 0))))"),
        ("bulk memory", "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1))))"),
    ] {
        let error = load("exit 1", &with_module(text));
        assert!(matches!(error, LoadError::Compiler(_)), "{feature}: {error}");
    }
}

#[test]
fn code_that_is_not_valid_never_reaches_the_compiler() {
    // A function of type () -> i32 without a value.
    let mut component = trial();
    let module = b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";
    component.extend([1, module.len() as u8]);
    component.extend(module);
    let error = load("exit 1", &component);
    assert!(matches!(error, LoadError::Component(ComponentError::Malformed(_))), "{error}");
}

#[test]
fn how_a_compiler_ends_tells_what_the_component_costs() {
    let limits = CompileLimits::default();
    for (script, cost) in [
        ("kill -XCPU $$", Cost::Time(limits.time)),
        ("echo memory allocation of 5 bytes failed >&2; kill -ABRT $$", Cost::Memory(limits.memory)),
        ("echo thread main has overflowed its stack >&2; kill -ABRT $$", Cost::Depth),
        ("while true; do :; done", Cost::Patience(Millis(1500))),
        // One that leaves another process behind with its streams.
        ("sleep 1000 & sleep 1000", Cost::Patience(Millis(1500))),
    ] {
        let begin = Instant::now();
        match load(script, &trial()) {
            LoadError::TooCostly(found) => assert_eq!(found, cost, "{script}"),
            error => panic!("{script}: {error}"),
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{script}: {:?}", begin.elapsed());
    }
}

#[test]
fn a_compiler_that_fails_on_a_component_is_told_from_one_that_fails() {
    for script in ["exit 101", "kill -SEGV $$", "cat > /dev/null; exit 134"] {
        match load(script, &trial()) {
            LoadError::Engine(reason) => assert!(reason.contains("the compiler failed on it"), "{reason}"),
            error => panic!("{script}: {error}"),
        }
    }
    for (script, needle) in [
        ("kill -KILL $$", "killed from outside"),
        ("printf 'no filter\\033[2J\\n' >&2; exit 1", "exit status: 1: no filter [2J"),
    ] {
        match load(script, &trial()) {
            LoadError::Compiler(cause) => {
                assert!(cause.contains(needle), "{script}: {cause}");
                assert!(!cause.contains('\u{1b}'), "{cause}");
            }
            error => panic!("{script}: {error}"),
        }
    }
}

#[test]
fn an_answer_is_taken_only_from_a_compiler_for_the_same_engine_and_only_whole() {
    for (script, needle) in [
        ("true", "its answer is none"),
        ("printf short", "its answer is none"),
        ("printf '%032d' 0", "its answer is none"),
        ("printf '%032d\\000code' 0", "another engine or configuration"),
        ("printf '%032d\\001why' 0", "another engine or configuration"),
        // Endless, and killed when it has gone on for too long.
        ("yes", "has no end"),
    ] {
        match load(script, &trial()) {
            LoadError::Compiler(cause) => assert!(cause.contains(needle), "{script}: {cause}"),
            error => panic!("{script}: {error}"),
        }
    }
}
