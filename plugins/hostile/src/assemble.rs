//! Hand-written core modules: what all of them have in common, and how they become components.
//!
//! The memory of each begins with places that its code knows: [`RESULT`] for what the host returns, [`ANSWER`] for the
//! answer, [`TEXT`] for a text, then its data, then what `cabi_realloc` gives out.

use truc_contract::testing;

use crate::CONTRACT;

/// Where the host's results are put: 128 bytes.
pub(crate) const RESULT: u32 = 64;

/// Where `result<…>` of an operation is put together: 64 bytes.
pub(crate) const ANSWER: u32 = 256;

/// Where the module's data begins.
pub(crate) const DATA: u32 = 1024;

/// Functions of the host that a module may import, as it calls them.
pub(crate) mod import {
    pub(crate) const NOW: &str = r#"(import "truc:connector/clock@0.1.0" "now" (func $now (result i64)))"#;
    pub(crate) const MONOTONIC: &str =
        r#"(import "truc:connector/clock@0.1.0" "monotonic" (func $monotonic (result i64)))"#;
    pub(crate) const TIME_LEFT: &str =
        r#"(import "truc:connector/caller@0.1.0" "time-left" (func $time-left (result i32)))"#;
    pub(crate) const CURRENT: &str =
        r#"(import "truc:connector/caller@0.1.0" "current" (func $current (param i32)))"#;
    pub(crate) const RANDOM: &str =
        r#"(import "truc:connector/random@0.1.0" "bytes" (func $random (param i32 i32)))"#;
    pub(crate) const CONFIG: &str =
        r#"(import "truc:connector/config@0.1.0" "get" (func $config (param i32 i32 i32)))"#;
    pub(crate) const CACHE_GET: &str =
        r#"(import "truc:connector/cache@0.1.0" "get" (func $cache-get (param i32 i32 i32)))"#;
    pub(crate) const CACHE_PUT: &str =
        r#"(import "truc:connector/cache@0.1.0" "put" (func $cache-put (param i32 i32 i32 i32 i32 i32)))"#;
    pub(crate) const LOG: &str =
        r#"(import "truc:connector/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;
    pub(crate) const MAC: &str =
        r#"(import "truc:connector/keys@0.1.0" "mac" (func $mac (param i32 i32 i32 i32 i32)))"#;
    pub(crate) const DIGEST: &str =
        r#"(import "truc:connector/keys@0.1.0" "digest" (func $digest (param i32 i32 i32 i32 i32)))"#;
    pub(crate) const SIGN: &str =
        r#"(import "truc:connector/keys@0.1.0" "sign" (func $sign (param i32 i32 i32 i32 i32)))"#;
    pub(crate) const CALL: &str = r#"(import "truc:connector/upstream@0.1.0" "call" (func $call
        (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#;
    pub(crate) const CALL_ALL: &str =
        r#"(import "truc:connector/upstream@0.1.0" "call-all" (func $call-all (param i32 i32 i32)))"#;
}

/// A core module with the shape of a hostile connector; what is not set traps when it is called.
pub(crate) struct Wat {
    imports: Vec<&'static str>,
    memory: &'static str,
    realloc: &'static str,
    items: String,
    data: Vec<u8>,
    attack: String,
    exchange: String,
    shape: String,
    after: &'static str,
}

/// Gives out memory and never takes it back, as far as the host lets it grow.
const REALLOC: &str =
    "(call $give (local.get $old) (local.get $before) (local.get $align) (local.get $size))";

const TRAP: &str = "unreachable";

impl Wat {
    /// A module that does nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            imports: Vec::new(),
            memory: "(memory (export \"memory\") 4)",
            realloc: REALLOC,
            items: String::new(),
            data: Vec::new(),
            attack: TRAP.to_owned(),
            exchange: TRAP.to_owned(),
            shape: TRAP.to_owned(),
            after: "",
        }
    }

    /// A module whose `attack` runs these instructions. It has the parameters `$step`, `$text` and `$length`, the locals
    /// `$i`, `$j`, `$n` (`i32`) and `$l` (`i64`), and leaves the address of its result.
    pub(crate) fn attack(body: impl Into<String>) -> Self {
        Self { attack: body.into(), ..Self::new() }
    }

    /// A module whose `exchange` runs these instructions, with the parameters `$items` and `$count`.
    pub(crate) fn exchange(body: impl Into<String>) -> Self {
        Self { exchange: body.into(), ..Self::new() }
    }

    /// A module whose `shape` runs these instructions, with the parameter `$step`.
    pub(crate) fn shape(body: impl Into<String>) -> Self {
        Self { shape: body.into(), ..Self::new() }
    }

    /// The same, with functions of the host.
    pub(crate) fn imports(mut self, imports: &[&'static str]) -> Self {
        self.imports.extend(imports);
        self
    }

    /// The same, with another memory.
    pub(crate) fn memory(mut self, memory: &'static str) -> Self {
        self.memory = memory;
        self
    }

    /// The same, with other instructions in `cabi_realloc`.
    pub(crate) fn realloc(mut self, body: &'static str) -> Self {
        self.realloc = body;
        self
    }

    /// The same, with more functions, tables, globals.
    pub(crate) fn items(mut self, items: impl AsRef<str>) -> Self {
        self.items += items.as_ref();
        self
    }

    /// The same, with instructions that run after `attack` has been answered.
    pub(crate) fn after(mut self, body: &'static str) -> Self {
        self.after = body;
        self
    }

    /// Puts bytes into the module's data; gives where they will be, and how many there are.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> (u32, u32) {
        let place = DATA + self.data.len() as u32;
        self.data.extend_from_slice(bytes);
        self.data.resize(self.data.len().next_multiple_of(8), 0);
        (place, bytes.len() as u32)
    }

    /// Puts numbers into the module's data, one after the other; gives where they will be.
    pub(crate) fn put_numbers(&mut self, numbers: &[u32]) -> u32 {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.put(&bytes).0
    }

    /// The other module with this one's data.
    pub(crate) fn adopt(self, other: Self) -> Self {
        Self { data: self.data, ..other }
    }

    /// The same, with the instructions of `attack` made into others.
    pub(crate) fn map_attack(self, map: impl FnOnce(&str) -> String) -> Self {
        Self { attack: map(&self.attack), ..self }
    }

    /// The component.
    pub(crate) fn component(&self, manifest: &str) -> Result<Vec<u8>, String> {
        let module = wat::parse_str(self.text()).map_err(|error| error.to_string())?;
        testing::connector_of(module, CONTRACT, manifest)
    }

    fn text(&self) -> String {
        let Self { memory, realloc, items, attack, exchange, shape, .. } = self;
        let imports = self.imports.join("\n");
        let heap = (DATA as usize + self.data.len()).next_multiple_of(16);
        let mut data = String::new();
        for byte in &self.data {
            data += &format!("\\{byte:02x}");
        }
        let after = match self.after {
            "" => String::new(),
            after => format!(
                r#"(func (export "cabi_post_lgsp:hostile/attacks@1.0.0#attack") (param $answer i32) {after})"#
            ),
        };
        format!(
            r#"(module
{imports}
{memory}
(global $heap (mut i32) (i32.const {heap}))
(data (i32.const 512) "nothinggained ")
(data (i32.const {DATA}) "{data}")
(func $give (param $old i32) (param $before i32) (param $align i32) (param $size i32) (result i32)
  (local $place i32) (local $end i32)
  (local.set $place (i32.and
    (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
    (i32.sub (i32.const 0) (local.get $align))))
  (local.set $end (i32.add (local.get $place) (local.get $size)))
  (if (i32.gt_u (local.get $end) (i32.shl (memory.size) (i32.const 16)))
    (then (if (i32.eq (i32.const -1) (memory.grow (i32.shr_u
        (i32.add (i32.sub (local.get $end) (i32.shl (memory.size) (i32.const 16))) (i32.const 65535))
        (i32.const 16))))
      (then unreachable))))
  (global.set $heap (local.get $end))
  (if (local.get $before)
    (then (memory.copy (local.get $place) (local.get $old) (local.get $before))))
  (local.get $place))
(func (export "cabi_realloc") (param $old i32) (param $before i32) (param $align i32) (param $size i32) (result i32)
  {realloc})
(func $says (param $text i32) (param $length i32) (result i32)
  (i32.store8 (i32.const {ANSWER}) (i32.const 0))
  (i32.store offset=4 (i32.const {ANSWER}) (local.get $text))
  (i32.store offset=8 (i32.const {ANSWER}) (local.get $length))
  (i32.const {ANSWER}))
(func $nothing (result i32) (call $says (i32.const 512) (i32.const 7)))
;; "nothing" for 0, else "gained" and the number.
(func $gained (param $count i32) (result i32) (local $at i32)
  (if (i32.eqz (local.get $count)) (then (return (call $nothing))))
  (memory.copy (i32.const 544) (i32.const 519) (i32.const 7))
  (local.set $at (i32.const 561))
  (loop $digit
    (local.set $at (i32.sub (local.get $at) (i32.const 1)))
    (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $count) (i32.const 10))))
    (local.set $count (i32.div_u (local.get $count) (i32.const 10)))
    (br_if $digit (i32.gt_u (local.get $at) (i32.const 551))))
  (call $says (i32.const 544) (i32.const 17)))
{items}
(func (export "lgsp:hostile/attacks@1.0.0#attack") (param $step i32) (param $text i32) (param $length i32) (result i32)
  (local $i i32) (local $j i32) (local $n i32) (local $l i64)
  {attack})
(func (export "lgsp:hostile/attacks@1.0.0#exchange") (param $items i32) (param $count i32) (result i32)
  (local $i i32) (local $j i32)
  {exchange})
(func (export "lgsp:hostile/attacks@1.0.0#shape") (param $step i32) (result i32)
  {shape})
{after})"#
        )
    }
}
