//! Components that cost a compiler far more than they cost their maker: a real connector, and in it one more core module
//! that nothing uses. Each is valid WebAssembly and passes every check that comes before compiling.

use crate::host::component;

/// Instructions and types, as WebAssembly writes them.
const I32: u8 = 0x7f;
const LOOP: [u8; 2] = [0x03, 0x40];
const BLOCK: [u8; 2] = [0x02, 0x40];
const IF: [u8; 2] = [0x04, 0x40];
const END: u8 = 0x0b;
const ADD: u8 = 0x6a;
const MULTIPLY: u8 = 0x6c;

/// The components, each with a name.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("one huge function", with(&[body(0, &sum(600_000))])),
        ("storms of jump tables", with(&vec![body(0, &jumps(60, 50_000)); 4])),
        ("as many local variables as there can be", with(&[body(49_999, &locals(40_000))])),
        ("hundreds of thousands of functions", with(&vec![body(0, &sum(1)); 400_000])),
        ("loops inside one another", with(&[body(0, &loops(20_000))])),
    ]
}

/// The one that keeps a compiler busy for longest.
pub(crate) fn longest() -> Vec<u8> {
    with(&vec![body(0, &sum(700_000)); 2])
}

/// A long calculation without a branch.
fn sum(steps: u32) -> Vec<u8> {
    let mut code = get(0);
    for step in 0..steps {
        code.extend(get(0));
        code.extend(constant(step | 1));
        code.extend([MULTIPLY, ADD]);
    }
    code
}

/// Jump tables, each with as many targets and blocks around it as it has.
fn jumps(tables: u32, targets: u32) -> Vec<u8> {
    const DEPTH: u32 = 200;
    let mut code = Vec::new();
    for _ in 0..tables {
        code.extend(BLOCK.repeat(DEPTH as usize));
        code.extend(get(0));
        code.push(0x0e);
        code.extend(number(targets.into()));
        (0..=targets).for_each(|target| code.extend(number((target % DEPTH).into())));
        code.extend(vec![END; DEPTH as usize]);
    }
    code.extend(get(0));
    code
}

/// Local variables that are set under conditions and read in a loop, so that each may come from many places.
fn locals(count: u32) -> Vec<u8> {
    let mut code = LOOP.to_vec();
    for local in 1..=count {
        code.extend(get(local % 7));
        code.extend(IF);
        code.extend(get(local));
        code.extend(set(count - local + 1));
        code.push(END);
    }
    // Once more from the beginning.
    code.extend(get(0));
    code.extend([0x0d, 0x00, END]);
    code.extend(get(count));
    code
}

/// Loops inside one another, each with a way out to the outermost.
fn loops(depth: u32) -> Vec<u8> {
    let mut code = Vec::new();
    for level in 0..depth {
        code.extend(LOOP);
        code.extend(get(0));
        code.extend(constant(level));
        code.push(ADD);
        code.extend(set(0));
        code.extend(get(0));
        code.push(0x0d);
        code.extend(number((level / 2).into()));
    }
    code.extend(vec![END; depth as usize]);
    code.extend(get(0));
    code
}

fn get(local: u32) -> Vec<u8> {
    [&[0x20][..], &number(local.into())].concat()
}

fn set(local: u32) -> Vec<u8> {
    [&[0x21][..], &number(local.into())].concat()
}

fn constant(value: u32) -> Vec<u8> {
    // Signed: one more byte than needed keeps the sign bit clear.
    let low = (0..4).map(|place| (value >> (7 * place)) as u8 & 0x7f | 0x80);
    [0x41].into_iter().chain(low).chain([(value >> 28) as u8 & 0x07]).collect()
}

/// A function of one number to one number.
fn body(locals: u32, code: &[u8]) -> Vec<u8> {
    let mut body = match locals {
        0 => vec![0],
        count => [&[1][..], &number(count.into()), &[I32]].concat(),
    };
    body.extend(code);
    body.push(END);
    [number(body.len() as u64), body].concat()
}

/// The trial connector with a module of these functions in it.
fn with(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut component = std::fs::read(component("trial")).unwrap();
    let count = number(bodies.len() as u64);
    let module = [
        &b"\0asm\x01\0\0\0"[..],
        &section(1, &[1, 0x60, 1, I32, 1, I32]),
        &section(3, &[&count[..], &vec![0; bodies.len()]].concat()),
        &section(10, &[&count[..], &bodies.concat()].concat()),
    ]
    .concat();
    component.extend(section(1, &module));
    component
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &number(content.len() as u64), content].concat()
}

/// An unsigned number as WebAssembly writes it (LEB128).
fn number(mut value: u64) -> Vec<u8> {
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
