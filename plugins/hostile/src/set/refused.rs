//! Components that must not be published at all; and one that may be, but is no ordinary one.

use truc_contract::testing;

use super::{attack, nothing};
use crate::assemble::{Wat, import};
use crate::{CONTRACT, Expected, Hostile, Make, Upstream};

const MALFORMED: &str = "component-malformed";

fn refused(
    name: &'static str,
    attempts: &'static str,
    code: &'static str,
    make: fn(&str) -> Result<Vec<u8>, String>,
) -> Hostile {
    Hostile {
        name,
        attempts,
        expected: Expected::Unpublished(code),
        upstream: Upstream::None,
        key: false,
        limits: super::ROOMY,
        make: Make::Own(make),
    }
}

pub(super) fn all() -> Vec<Hostile> {
    vec![
        refused(
            "imports-the-environment",
            "Imports the environment variables of WASI.",
            "import-refused",
            |manifest| {
                renamed(
                    manifest,
                    import::RANDOM,
                    "truc:connector/random@0.1.0",
                    "wasi:cli/environment@0.2.10",
                )
            },
        ),
        refused("imports-sockets", "Imports the sockets of WASI.", "import-refused", |manifest| {
            renamed(manifest, import::CONFIG, "truc:connector/config@0.1.0", "wasi:sockets/network@0.2.10")
        }),
        refused(
            "imports-what-there-is-not",
            "Imports an interface of secrets.",
            "import-refused",
            |manifest| {
                renamed(
                    manifest,
                    import::CURRENT,
                    "truc:connector/caller@0.1.0",
                    "truc:connector/secret@0.1.0",
                )
            },
        ),
        refused(
            "imports-another-version",
            "Imports a capability of a version there is not.",
            "import-refused",
            |manifest| {
                renamed(
                    manifest,
                    import::CURRENT,
                    "truc:connector/caller@0.1.0",
                    "truc:connector/caller@0.9.0",
                )
            },
        ),
        refused(
            "exports-other-types",
            "Exports an operation with other types than its contract's.",
            "contract-mismatch",
            |manifest| {
                let text = CONTRACT.replace("attack: func(step: u32,", "attack: func(step: u64,");
                testing::connector_of(testing::dummy(&text)?, &text, manifest)
            },
        ),
        refused(
            "exports-too-little",
            "Leaves an operation of its contract out.",
            "contract-mismatch",
            |manifest| {
                let operation = "    shape: func(step: u32) -> result<figure, problem>;\n";
                let text = CONTRACT.replace(operation, "    other: func();\n");
                testing::connector_of(testing::dummy(&text)?, &text, manifest)
            },
        ),
        refused("manifest-with-a-way-up", "Asks for a path that leads up.", "manifest-invalid", |manifest| {
            let upstream = "[upstreams.shelf]\ndescription = \"x\"\nallow = [\"GET /items/../admin\"]\n";
            plain(&(manifest.to_owned() + upstream))
        }),
        refused(
            "manifest-with-an-address",
            "Asks for an address instead of a path.",
            "manifest-invalid",
            |manifest| {
                let upstream =
                    "[upstreams.shelf]\ndescription = \"x\"\nallow = [\"GET http://127.0.0.1/\"]\n";
                plain(&(manifest.to_owned() + upstream))
            },
        ),
        refused(
            "manifest-above-the-ceilings",
            "Asks for a day of processor time.",
            "manifest-invalid",
            |manifest| plain(&manifest.replace("cpu = \"3000ms\"", "cpu = \"24h\"")),
        ),
        refused("manifest-with-a-path-as-name", "Calls itself by a path.", "manifest-invalid", |manifest| {
            plain(
                &manifest.replace("name = \"manifest-with-a-path-as-name\"", "name = \"../../etc/cron.d/x\""),
            )
        }),
        refused(
            "manifest-of-nothing",
            "Has a manifest of 1 MiB of nothing but brackets.",
            "manifest-invalid",
            |_| plain(&"[".repeat(1 << 20)),
        ),
        refused("no-component", "Is a core module.", MALFORMED, |_| testing::dummy(CONTRACT)),
        refused("cut-short", "Ends in the middle.", MALFORMED, |manifest| {
            let mut component = plain(manifest)?;
            component.truncate(component.len() / 3);
            Ok(component)
        }),
        refused("too-large", "Has 17 MiB, most of it nothing.", "component-too-large", |manifest| {
            Ok(with_section(plain(manifest)?, 0, &[&[1, b'x'], vec![0; 17 << 20].as_slice()].concat()))
        }),
        refused(
            "two-manifests",
            "Has two manifests, so that everybody may read another.",
            "manifest-invalid",
            |manifest| {
                let mut second = vec![13];
                second.extend_from_slice(b"truc:manifest");
                second.extend_from_slice(manifest.as_bytes());
                Ok(with_section(plain(manifest)?, 0, &second))
            },
        ),
        refused("memory-of-64-bits", "Has a memory of 64 bits.", MALFORMED, |manifest| {
            with_module(manifest, "(module (memory i64 1))", Instances::None)
        }),
        refused("memory-shared", "Has a memory that threads share.", MALFORMED, |manifest| {
            with_module(manifest, "(module (memory 1 1 shared))", Instances::None)
        }),
        refused("memories-two", "Has two memories in one module.", MALFORMED, |manifest| {
            with_module(manifest, "(module (memory 1) (memory 1))", Instances::None)
        }),
        refused(
            "memories-in-two-instances",
            "Has a second memory in an instance of its own.",
            MALFORMED,
            |manifest| with_module(manifest, "(module (memory 1))", Instances::Some(1)),
        ),
        refused("memory-too-large", "Begins with 64 MiB and 64 KiB of memory.", MALFORMED, |manifest| {
            Wat::attack("(call $nothing)").memory("(memory (export \"memory\") 1025)").component(manifest)
        }),
        refused("table-too-large", "Begins with a table of 20,001 entries.", MALFORMED, |manifest| {
            Wat::attack("(call $nothing)").items("(table 20001 funcref)").component(manifest)
        }),
        refused("tables-five", "Has five tables.", MALFORMED, |manifest| {
            Wat::attack("(call $nothing)").items("(table 1 funcref)".repeat(5)).component(manifest)
        }),
        refused(
            "instances-hundreds",
            "Makes three hundred instances of an empty module.",
            MALFORMED,
            |manifest| with_module(manifest, "(module)", Instances::Some(300)),
        ),
        refused("garbage-collected", "Has types of the garbage collector.", MALFORMED, |manifest| {
            with_module(
                manifest,
                "(module (type (struct (field i32))) (func (drop (struct.new_default 0))))",
                Instances::None,
            )
        }),
        refused("exceptions", "Throws exceptions.", MALFORMED, |manifest| {
            with_module(manifest, "(module (tag) (func (throw 0)))", Instances::None)
        }),
        refused("tail-calls", "Calls in the end, for ever, without any stack.", MALFORMED, |manifest| {
            with_module(manifest, "(module (func $f (return_call $f)))", Instances::None)
        }),
        refused("vectors-relaxed", "Computes what differs from machine to machine.", MALFORMED, |manifest| {
            let module = "(module (func (param v128) (result v128)
                (i32x4.relaxed_trunc_f32x4_s (local.get 0))))";
            with_module(manifest, module, Instances::None)
        }),
        refused("stacks-switched", "Makes stacks of its own.", MALFORMED, |manifest| {
            let module = "(module (type $f (func)) (type $c (cont $f)) (func $g) (elem declare func $g)
                (func (drop (cont.new $c (ref.func $g)))))";
            with_module(manifest, module, Instances::None)
        }),
        components_in_components(),
    ]
}

/// One that is served, whatever is in it besides.
fn components_in_components() -> Hostile {
    let make = |manifest: &str| {
        let header = b"\0asm\x0d\0\x01\0".to_vec();
        let mut inside = header.clone();
        for _ in 0..5_000 {
            inside = with_section(header.clone(), 4, &inside);
        }
        Ok(with_section(plain(manifest)?, 4, &inside))
    };
    let attempts = "Has five thousand components one inside the other, for whoever reads them by recursion.";
    let mut hostile = attack("components-in-components", attempts, Wat::new(), nothing());
    hostile.make = Make::Own(make);
    hostile
}

fn plain(manifest: &str) -> Result<Vec<u8>, String> {
    Wat::attack("(call $nothing)").component(manifest)
}

/// A component that imports something, under another name of the same length.
fn renamed(manifest: &str, imports: &'static str, name: &str, other: &str) -> Result<Vec<u8>, String> {
    let mut component = Wat::attack("(call $nothing)").imports(&[imports]).component(manifest)?;
    if name.len() != other.len() {
        return Err(format!("{name:?} and {other:?} differ in length"));
    }
    let places: Vec<usize> = component
        .windows(name.len())
        .enumerate()
        .filter(|(_, window)| *window == name.as_bytes())
        .map(|(place, _)| place)
        .collect();
    for place in places {
        component.splice(place..place + name.len(), other.bytes());
    }
    Ok(component)
}

/// How many instances are made of a module.
enum Instances {
    None,
    Some(usize),
}

/// A component with one more core module, and instances of it.
fn with_module(manifest: &str, module: &str, instances: Instances) -> Result<Vec<u8>, String> {
    const CORE_MODULE: u8 = 1;
    const CORE_INSTANCE: u8 = 2;
    let component = plain(manifest)?;
    let index = sections(&component).filter(|id| *id == CORE_MODULE).count();
    let module = wat::parse_str(module).map_err(|error| error.to_string())?;
    let component = with_section(component, CORE_MODULE, &module);
    Ok(match instances {
        Instances::None => component,
        Instances::Some(count) => {
            let mut content = number(count);
            for _ in 0..count {
                // Instantiate, the module, no arguments.
                content.push(0);
                content.extend(number(index));
                content.push(0);
            }
            with_section(component, CORE_INSTANCE, &content)
        }
    })
}

/// The sections of a component, by their numbers.
fn sections(component: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = component.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (id, mut after) = rest.split_first()?;
        let (mut size, mut shift) = (0_usize, 0);
        loop {
            let (byte, left) = after.split_first()?;
            after = left;
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        rest = after.get(size..)?;
        Some(*id)
    })
}

fn with_section(mut component: Vec<u8>, id: u8, content: &[u8]) -> Vec<u8> {
    component.push(id);
    component.extend(number(content.len()));
    component.extend_from_slice(content);
    component
}

/// A number in LEB128.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
