//! `cargo xtask test`: everything a change must pass. Every step runs, whatever became of the ones before it, unless it
//! needs what they make; the table at the end says what passed, what failed and how long each took.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::steps::{Outcome, Steps};
use crate::workspace::{Workspace, output, progress, run};
use crate::{attack, connectors, demo, engine, interop, tools};

/// Runs the whole suite.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::default();
    let mut tests = Count::default();

    steps.step("format", || {
        run(workspace.cargo().args(["fmt", "--all", "--check"]))?;
        // A program that is no member of the workspace.
        let client = workspace.root.join("xtask/interop/rust/src/main.rs");
        run(Command::new("rustfmt").args(["--edition", "2024", "--check"]).arg(client))?;
        Ok(String::new())
    });
    steps.step("dependencies", || dependencies(workspace));
    steps.step("engine", || engine::check(workspace));
    let built = steps.step("connectors", || {
        let built = connectors::build(workspace, &connectors::Options::default())?;
        connectors::report(workspace, &built);
        Ok(format!("{} built", built.len()))
    });
    steps.step("lints", || {
        tools::ensure_make()?;
        run(workspace.cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]))?;
        Ok(String::new())
    });
    if built == Outcome::Passed {
        steps.step("tests", || {
            tests = all_tests(workspace)?;
            ensure!(tests.failed == 0, "{} tests failed", tests.failed);
            ensure!(tests.passed > 0, "no test was executed");
            Ok(tests.to_string())
        });
        steps.step("demo --check", || demo::check(workspace, demo::Features::OfTests));
        steps.step("pages", || demo::check_pages(workspace, demo::Features::OfTests));
        interop::steps(workspace, &mut steps);
        steps.step("attack", || attack::check(workspace));
    } else {
        for step in ["tests", "demo --check", "pages"].into_iter().chain(interop::STEPS).chain(["attack"]) {
            steps.not_run(step);
        }
    }

    steps.show();
    println!("{tests}");
    steps.verdict()
}

/// Licences, bans and sources of everything that is depended on; advisories where their database can be reached.
fn dependencies(workspace: &Workspace) -> Result<String> {
    let deny = tools::cargo_deny(workspace)?;
    let deny = || {
        let mut command = Command::new(&deny);
        command.current_dir(&workspace.root);
        command
    };
    // An exception that no longer applies is a fault, so that the list of exceptions stays true.
    let strict = ["--hide-inclusion-graph", "-D", "unmatched-skip", "-D", "license-not-encountered"];
    run(deny().arg("check").args(strict).args(["licenses", "bans", "sources"]))?;
    match output(deny().args(["fetch", "db"])) {
        Ok(_) => {
            run(deny().args(["check", "--disable-fetch", "--hide-inclusion-graph", "advisories"]))?;
            Ok("advisories included".to_owned())
        }
        Err(_) => {
            let note = "advisories NOT checked: their database cannot be reached";
            progress(format_args!("{note} (https://github.com/RustSec/advisory-db)"));
            Ok(note.to_owned())
        }
    }
}

/// Unit, integration and documentation tests of every package.
fn all_tests(workspace: &Workspace) -> Result<Count> {
    tools::ensure_postgres()?;
    let every = ["--workspace", "--no-fail-fast"];
    if tools::has_nextest() {
        let tests = counted(workspace.cargo().args(["nextest", "run"]).args(every))?;
        let examples_in_docs = counted(workspace.cargo().args(["test", "--doc"]).args(every))?;
        Ok(tests.and(examples_in_docs))
    } else {
        counted(workspace.cargo().arg("test").args(every))
    }
}

/// Runs a test runner, shows what it says, and adds up the results it reports.
fn counted(command: &mut Command) -> Result<Count> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let count = std::thread::scope(|scope| {
        let readers = [scope.spawn(move || shown(out)), scope.spawn(move || shown(err))];
        readers.into_iter().filter_map(|reader| reader.join().ok()).fold(Count::default(), Count::and)
    });
    let status = child.wait()?;
    ensure!(status.success() || count.failed > 0, "the tests could not be built or run: {status}");
    Ok(count)
}

/// Copies a stream to standard output line by line and adds up the results in it.
fn shown(stream: Option<impl Read>) -> Count {
    let lines = stream.into_iter().flat_map(|stream| BufReader::new(stream).lines().map_while(Result::ok));
    lines.fold(Count::default(), |count, line| {
        println!("{line}");
        count.and(Count::in_line(&line))
    })
}

/// How many tests had which result.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Count {
    fn and(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }

    /// What a line says, if it is the closing line of cargo's own test runner or of nextest:
    /// `test result: ok. 4 passed; 0 failed; 1 ignored; …`, `Summary [ 0.1s] 5 tests run: 4 passed (1 slow), 1 failed`.
    fn in_line(line: &str) -> Self {
        // Indented, cargo's line is what nextest shows of a test that failed, which its own line counts.
        let results = match line {
            cargo if cargo.starts_with("test result: ") => cargo.split_once(". "),
            nextest if nextest.trim_start().starts_with("Summary [") => nextest.split_once(" run: "),
            _ => None,
        };
        let mut count = Self::default();
        for result in results.map(|(_, results)| results).unwrap_or_default().split([',', ';']) {
            let mut words = result.split_whitespace();
            let (Some(Ok(number)), Some(kind)) = (words.next().map(str::parse::<u64>), words.next()) else {
                continue;
            };
            match kind {
                "passed" => count.passed += number,
                "failed" | "timed" | "exec" => count.failed += number,
                "skipped" | "ignored" => count.skipped += number,
                _ => {}
            }
        }
        count
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_both_runners_are_understood() {
        let count = |passed, failed, skipped| Count { passed, failed, skipped };
        for (line, expected) in [
            (
                "test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                count(5, 0, 2),
            ),
            (
                "test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 9 filtered out",
                count(1, 3, 0),
            ),
            (
                "     Summary [   1.203s] 7 tests run: 5 passed (1 slow), 1 failed, 1 timed out, 3 skipped",
                count(5, 2, 3),
            ),
            ("test results: 5 passed", count(0, 0, 0)),
            ("    test result: FAILED. 0 passed; 1 failed; 0 ignored", count(0, 0, 0)),
            ("running 5 tests", count(0, 0, 0)),
        ] {
            assert_eq!(Count::in_line(line), expected, "{line}");
        }
    }
}
