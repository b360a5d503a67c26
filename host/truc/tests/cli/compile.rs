//! Compiling in a process of its own: what that process may do, what becomes of it, and what a component that is made to
//! hurt a compiler does to the host, which is nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bombs;
use crate::host::{Host, Installation, Run, component};

/// Longer than anything here takes, on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A host on which compiling may cost little.
fn host(limits: &str) -> Host {
    let installation = Installation::new();
    installation.configure("127.0.0.1:0", "127.0.0.1:0", limits);
    installation.serve()
}

/// The processes that a process has started and not waited for.
fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let lists = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().map(|child| child.parse().unwrap()).collect::<Vec<_>>())
        .collect()
}

/// Looks until there is something to see.
fn wait_for<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        match look() {
            Some(seen) => return seen,
            None if begin.elapsed() > PATIENCE => panic!("{what} did not come"),
            None => std::thread::yield_now(),
        }
    }
}

/// What the system says of a process: the value of a line.
fn status(pid: u32, name: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

/// The open files of a process: their numbers, and what they are.
fn open_files(pid: &str) -> BTreeSet<(String, String)> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let files = entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name(), std::fs::read_link(entry.path()).ok()?)));
    files
        .map(|(number, file)| (number.to_string_lossy().into_owned(), file.to_string_lossy().into_owned()))
        .collect()
}

/// The compiler of a host, once it is confined.
fn compiler(host: &Host) -> u32 {
    wait_for("a compiler", || {
        children(host.pid()).into_iter().find(|child| status(*child, "Seccomp").as_deref() == Some("2"))
    })
}

/// Memory of the machine that a process has now, in KiB.
fn resident(pid: u32) -> u64 {
    let text = status(pid, "VmRSS").unwrap();
    text.strip_suffix(" kB").unwrap().parse().unwrap()
}

/// The names in a folder of the host's data.
fn files(host: &Host, folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(host.installation.path("data").join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Puts a file into the installation's folder.
fn file(host: &Host, name: &str, bytes: &[u8]) -> String {
    let path = host.installation.path(name);
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn refused_as_too_costly(run: &Run, name: &str) {
    let error: Value = serde_json::from_str(run.failed(5)).unwrap();
    assert_eq!(
        (&error["code"], &error["status"]),
        (&"component-too-costly".into(), &422.into()),
        "{name}: {error}"
    );
}

#[test]
fn components_that_are_too_costly_are_refused_and_the_host_goes_on() {
    let host = host("compile-time = \"2s\"\ncompile-memory = \"512MiB\"\n");
    host.truc(&["publish", &component("trial")]).text();
    host.truc(&["contract", "publish", "lgsp:trial@1.0.0"]).text();
    host.secret("seal", "a-key-for-authentication-codes-32").text();
    let put = ["service", "put", "trial", "--connector", "trial@1.0.0", "--bind", "shelf=http://127.0.0.1:9"];
    host.truc(&[&put[..], &["--key", "seal=hmac-sha256:seal"]].concat()).text();
    host.truc(&["agency", "add", "H56.14", "Sở Nông nghiệp và Môi trường"]).text();
    host.truc(&["grant", "add", "H56.14", "--service", "trial", "--operation", "*"]).text();
    let issued = host.truc(&["account", "add", "H56.14", "one-stop-shop", "--json"]).json();
    let key = issued["key"].as_str().unwrap();
    let (kept, artifacts) = (files(&host, "components"), files(&host, "artifacts"));
    let before = resident(host.pid());

    // Two are compiled at once, and the others wait, while the host serves and is administered.
    let over = AtomicBool::new(false);
    let calls = std::thread::scope(|scope| {
        let publishing: Vec<_> = bombs::all()
            .into_iter()
            .enumerate()
            .map(|(index, (name, bytes))| {
                let path = file(&host, &format!("{index}.wasm"), &bytes);
                let host = &host;
                (name, scope.spawn(move || host.truc(&["publish", &path, "--json"])))
            })
            .collect();
        let serving = scope.spawn(|| {
            let mut calls = 0;
            while !over.load(Ordering::Relaxed) {
                let (status, body) = host.call("/api/trial/v1/things/7", Some(key));
                assert_eq!((status, body.as_str()), (200, "\"thing 7\""));
                assert_eq!(
                    host.truc(&["connector", "list", "--json"]).json()["connectors"]
                        .as_array()
                        .unwrap()
                        .len(),
                    1
                );
                assert!(children(host.pid()).len() <= 2);
                calls += 1;
            }
            calls
        });
        for (name, publishing) in publishing {
            refused_as_too_costly(&publishing.join().unwrap(), name);
        }
        over.store(true, Ordering::Relaxed);
        serving.join().unwrap()
    });
    assert!(calls > 1, "{calls}");

    assert_eq!(children(host.pid()), [0; 0], "neither a compiler nor what is left of one");
    assert_eq!((files(&host, "components"), files(&host, "artifacts")), (kept, artifacts));
    let grown = resident(host.pid()).saturating_sub(before);
    assert!(grown < 96 << 10, "the host has grown by {grown} KiB");
    let log = host.installation.log();
    assert_eq!(log.matches("\"component is too costly to compile\"").count(), bombs::all().len(), "{log}");
    assert_eq!(log.matches("\"component-too-costly\"").count(), bombs::all().len(), "{log}");
}

#[test]
fn a_refusal_says_which_bound_was_met_and_what_to_do() {
    let host = host("compile-time = \"1s\"\ncompile-memory = \"4GiB\"\n");
    let path = file(&host, "long.wasm", &bombs::longest());
    insta::assert_snapshot!(host.installation.stable(host.truc(&["publish", &path]).failed(5)), @"
    error: component-too-costly: The component is too costly to compile
      the compiler needs more processor time than the 1s it may have (`compile-time` in [engine] of the host's configuration)
    what to do: build the connector optimised for size, with smaller functions; or raise what compiling may cost, in [engine] of the host's configuration (docs/problems/component-too-costly.md)
    request: <request>
    ");
}

#[test]
fn a_compiler_has_nothing_of_the_host_s_and_may_do_nothing_but_compile() {
    let host = host("compile-time = \"30s\"\ncompile-memory = \"4GiB\"\n");
    let path = file(&host, "long.wasm", &bombs::longest());
    std::thread::scope(|scope| {
        let publishing = scope.spawn(|| host.truc(&["publish", &path]));
        let pid = compiler(&host);
        let of = |name: &str| PathBuf::from(format!("/proc/{pid}/{name}"));
        let told = "_RJEM_MALLOC_CONF=background_thread:false\0";
        assert_eq!(std::fs::read_to_string(of("environ")).unwrap(), told);
        assert_eq!(std::fs::read_link(of("cwd")).unwrap(), PathBuf::from("/"));
        // What this test itself was started with passes through the host; nothing that the host has opened does.
        let passed_on = open_files("self");
        let own: Vec<_> =
            open_files(&pid.to_string()).into_iter().filter(|file| !passed_on.contains(file)).collect();
        assert_eq!(own.iter().map(|(number, _)| number.as_str()).collect::<Vec<_>>(), ["0", "1", "2"]);
        assert!(own.iter().all(|(_, file)| file.starts_with("pipe:")), "{own:?}");
        assert_eq!(status(pid, "NoNewPrivs").as_deref(), Some("1"));
        assert_eq!(status(pid, "Threads").as_deref(), Some("1"));
        let limits = std::fs::read_to_string(of("limits")).unwrap();
        let limits: Vec<String> =
            limits.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for limit in [
            "Max cpu time 30 31 seconds",
            "Max file size 0 0 bytes",
            "Max core file size 0 0 bytes",
            "Max open files 3 3 files",
            "Max address space 4294967296 4294967296 bytes",
        ] {
            assert!(limits.iter().any(|line| line == limit), "{limit}: {limits:#?}");
        }
        assert_eq!(std::fs::read_to_string(of("oom_score_adj")).unwrap().trim(), "1000");

        // Killed by somebody else it is no fault of the component's, and the host has not waited for it in vain.
        kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
        let error = publishing.join().unwrap();
        assert!(error.failed(5).starts_with("error: internal: "), "{}", error.err);
    });
    assert_eq!(children(host.pid()), [0; 0]);
    assert!(
        host.installation.log().contains("\"it was killed from outside\""),
        "{}",
        host.installation.log()
    );
    host.truc(&["publish", &component("payment")]).text();
}

#[test]
fn a_compiler_ends_with_its_host() {
    let host = host("compile-time = \"1h\"\n");
    let path = file(&host, "long.wasm", &bombs::longest());
    std::thread::scope(|scope| {
        let (address, key) = (host.admin, host.installation.path("admin.key"));
        scope.spawn(move || Host::truc_at(address, &key, &["publish", &path]));
        let pid = compiler(&host);
        let installation = host.kill();
        // Whoever it is left to may not have looked after it yet.
        wait_for("the compiler's end", || match status(pid, "State") {
            Some(state) => state.starts_with('Z').then_some(()),
            None => Some(()),
        });
        let left = std::fs::read_dir(installation.path("data/artifacts")).unwrap().count();
        assert_eq!(left, 1, "nothing but the key");
    });
}

#[test]
fn an_artifact_that_was_tampered_with_is_compiled_anew_at_the_next_start() {
    let host = host("");
    host.truc(&["publish", &component("payment")]).text();
    host.truc(&["contract", "publish", "lgsp:payment@1.0.0"]).text();
    host.secret("payment-key", "secret-canary").text();
    let put = [
        "service",
        "put",
        "payment",
        "--connector",
        "payment@1.0.0",
        "--bind",
        "platform=http://127.0.0.1:9",
    ];
    host.truc(
        &[&put[..], &["--config", "partner-code=T", "--key", "payment=sha256-suffix:payment-key"]].concat(),
    )
    .text();
    let compiled = |installation: &Installation| installation.log().matches("\"connector compiled\"").count();
    let artifact = files(&host, "artifacts").into_iter().find(|name| name.ends_with(".artifact")).unwrap();

    let host = host.stop(Signal::TERM).serve();
    assert_eq!(compiled(&host.installation), 0, "{}", host.installation.log());
    let installation = host.stop(Signal::TERM);
    let path = installation.path("data/artifacts").join(artifact);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let host = installation.serve();
    assert_eq!(compiled(&host.installation), 1, "{}", host.installation.log());
    assert!(host.installation.log().contains("foreign seal"));
    let host = host.stop(Signal::TERM).serve();
    assert_eq!(compiled(&host.installation), 0);
}

#[test]
fn people_are_not_shown_the_compiler_s_command() {
    assert!(!crate::host::truc(&["--help"]).text().contains("compile-component"));
    assert!(crate::host::truc(&["--version"]).text().contains("(wasmtime 48."));
}
