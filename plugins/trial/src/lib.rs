//! The connector that tests run: it echoes values of every type, uses every power, and does everything a connector can
//! do wrong when it is asked to.

mod aim;

use std::hint::black_box;
use std::time::Duration;

use bindings::exports::lgsp::trial::{faults, memory, powers, shapes, values};
use truc_sdk::types::{Fault, Refusal};
use truc_sdk::upstream::Response;
use truc_sdk::{Problem, cache, caller, clock, config, encoding, keys, log, random, send_all, upstream};

mod search;

truc_sdk::connector!(Connector { world: "lgsp:trial/connector", wit: ["../../wit/truc", "../../wit/trial"] });

/// The connector.
struct Connector;

impl values::Guest for Connector {
    fn echo(value: values::Everything) -> Result<values::Everything, Problem> {
        Ok(value)
    }

    fn echo_parameters(
        word: String,
        count: u8,
        sizes: Vec<values::Size>,
        note: Option<String>,
    ) -> Result<(String, u8, Vec<values::Size>, Option<String>), Problem> {
        Ok((word, count, sizes, note))
    }

    fn find(id: u32) -> Result<Option<String>, Problem> {
        Ok((id != 0).then(|| format!("thing {id}")))
    }

    fn remove(_id: u32) -> Result<(), Problem> {
        Ok(())
    }

    fn person(id: String) -> Result<String, Problem> {
        Ok(id)
    }
}

impl shapes::Guest for Connector {
    fn echo_anything(values: Vec<shapes::Anything>) -> Vec<shapes::Anything> {
        values
    }

    fn echo_records(records: Vec<shapes::Sparse>) -> Vec<shapes::Sparse> {
        records
    }

    fn echo_bytes(content: Vec<u8>) -> Vec<u8> {
        content
    }

    fn echo_many(
        first: String,
        second: shapes::Marks,
        third: values::Figure,
        fourth: Option<shapes::Outer>,
        fifth: Result<u64, String>,
        sixth: shapes::Money,
        seventh: (String, bool),
    ) -> (
        String,
        shapes::Marks,
        values::Figure,
        Option<shapes::Outer>,
        Result<u64, String>,
        shapes::Money,
        (String, bool),
    ) {
        (first, second, third, fourth, fifth, sixth, seventh)
    }
}

impl faults::Guest for Connector {
    fn fail(case: u8) -> Result<(), Problem> {
        let text = || "as asked".to_owned();
        Err(match case {
            0 => Problem::NotFound(text()),
            1 => Problem::Invalid(vec![Fault { pointer: "/a".to_owned(), detail: text() }]),
            2 => Problem::Denied(text()),
            3 => Problem::Conflict(text()),
            4 => Problem::Limited(Some(7)),
            5 => Problem::UpstreamTimeout(text()),
            6 => Problem::UpstreamFailed(text()),
            7 => Problem::Unavailable(text()),
            _ => Problem::Rejected(Refusal { code: "302".to_owned(), message: text() }),
        })
    }

    fn refuse(case: u8) -> Result<(), faults::Refusal> {
        Err(match case {
            0 => faults::Refusal::Locked("as asked".to_owned()),
            1 => faults::Refusal::AmountMismatch((1, 2)),
            _ => faults::Refusal::Limited(9),
        })
    }

    #[expect(clippy::panic, reason = "it is what the operation is for")]
    fn trap() -> Result<(), Problem> {
        panic!("as asked")
    }

    fn run_forever() -> Result<(), Problem> {
        let mut turns = 0_u64;
        while black_box(turns) < u64::MAX {
            turns = turns.wrapping_add(1);
        }
        Ok(())
    }

    fn flood() -> Result<(), Problem> {
        let mut refused = 0_u64;
        while black_box(refused) < u64::MAX {
            refused = refused.wrapping_add(u64::from(upstream("nowhere").get("/").send().is_err()));
        }
        Ok(())
    }

    fn allocate() -> Result<(), Problem> {
        let mut held = Vec::new();
        loop {
            held.push(black_box(vec![1_u8; 1 << 20]));
            if held.len() > 1 << 20 {
                return Ok(());
            }
        }
    }

    fn recurse() -> Result<u64, Problem> {
        Ok(descend(black_box(1)))
    }

    fn long_text(length: u32) -> Result<String, Problem> {
        Ok("x".repeat(length as usize))
    }

    fn not_a_number() -> Result<f64, Problem> {
        Ok(f64::NAN)
    }
}

#[expect(unconditional_recursion, reason = "it is what the operation is for")]
fn descend(depth: u64) -> u64 {
    black_box(descend(black_box(depth + 1))) + depth
}

impl powers::Guest for Connector {
    fn relay(id: String) -> Result<powers::Reply, Problem> {
        Ok(reply(&upstream("shelf").get("/items/{id}").parameter("id", id).send()?))
    }

    fn look_up(id: String) -> Result<powers::Reply, Problem> {
        Self::relay(id)
    }

    fn order(id: String) -> Result<powers::Reply, Problem> {
        Self::relay(id)
    }

    fn relay_all(ids: Vec<String>) -> Result<Vec<powers::Reply>, Problem> {
        let requests = ids.into_iter().map(|id| upstream("shelf").get("/items/{id}").parameter("id", id));
        send_all(requests).into_iter().map(|answer| Ok(reply(&answer?))).collect()
    }

    fn reach(to: String, path: String, header: (String, String)) -> Result<powers::Reply, Problem> {
        Ok(reply(&upstream(&to).get(&path).header(&header.0, &header.1).send()?))
    }

    fn remember(key: String, value: String) -> Result<(), Problem> {
        Ok(cache::put(&key, &value, Duration::from_secs(60))?)
    }

    fn recall(key: String) -> Result<Option<String>, Problem> {
        Ok(cache::get(&key))
    }

    fn greeting() -> Result<String, Problem> {
        Ok(config::text("greeting")?)
    }

    fn code(message: String) -> Result<String, Problem> {
        Ok(encoding::hex(&keys::mac("seal", message.as_bytes())?))
    }

    fn caller() -> Result<(String, String, Option<String>, u32), Problem> {
        let who = caller::current();
        let left = u32::try_from(caller::time_left().as_millis()).unwrap_or(u32::MAX);
        Ok((who.agency, who.account, who.purpose, left))
    }

    fn write_line(text: String) -> Result<(), Problem> {
        log::info(text);
        Ok(())
    }

    #[expect(clippy::panic, reason = "it is what the remark asks for")]
    fn betray(id: String, citizen: powers::Citizen, remark: String) -> Result<powers::Citizen, Problem> {
        log::debug(format!("{id}: {citizen:?}"));
        log::info(format!("{} of {}, telephone {}", citizen.full_name, citizen.ward, citizen.telephone));
        for name in citizen.illness.iter().chain(&citizen.other_names) {
            // So that the text lies across the end of what is shown of a line.
            log::warn("x".repeat(1020) + name);
        }
        match remark.as_str() {
            "trap" => panic!("{}", citizen.full_name),
            "refuse" => Err(Problem::Denied(citizen.full_name)),
            _ => Ok(citizen),
        }
    }

    fn nature() -> Result<(u64, Vec<u8>), Problem> {
        Ok((clock::now(), random::bytes(16)))
    }
}

impl memory::Guest for Connector {
    fn search(item: String, needles: Vec<Vec<u8>>) -> Result<memory::Findings, Problem> {
        let asked = serde_json::json!({ "item": item });
        let answer = upstream("shelf").post("/items").json(&asked).and_then(|request| request.send());
        let (status, seen) = match &answer {
            Ok(answer) => {
                let body = String::from_utf8_lossy(answer.body()).into_owned();
                let fields = answer.headers().map(|(name, value)| format!("{name}: {value}\n"));
                (answer.status(), fields.collect::<String>() + &body)
            }
            Err(error) => (0, error.to_string()),
        };
        let (found, searched) = search::all(&needles);
        // Kept to here, so that it is searched.
        drop(black_box(answer));
        Ok(memory::Findings { status, seen, found, searched })
    }
}

fn reply(answer: &Response) -> powers::Reply {
    powers::Reply { status: answer.status(), body: String::from_utf8_lossy(answer.body()).into_owned() }
}

/// The packed component, as `cargo xtask connectors` leaves it.
///
/// # Errors
/// A text that says how to build it.
#[cfg(not(target_arch = "wasm32"))]
pub fn component() -> Result<Vec<u8>, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), Into::into);
    let path = target.join("connectors/trial.wasm");
    std::fs::read(&path)
        .map_err(|error| format!("{}: {error}; run `cargo xtask connectors` first", path.display()))
}
