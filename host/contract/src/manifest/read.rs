//! The text of a manifest to a [`Manifest`]: a walk over the TOML document that notes every fault where it stands.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use semver::Version;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use truc_model::{Bytes, ConnectorName, Handle, Limits, LimitsPatch, Millis, kebab};

use super::{
    Allowed, ConfigKind, ConfigRule, ConfigValue, ContractId, KeyRule, KeyUse, Manifest, ManifestFault,
    UpstreamRule,
};
use crate::names::is_hidden;

/// A manifest larger than this is not read.
const MAX_SIZE: Bytes = Bytes(64 << 10);
/// Faults beyond this number are not told.
const MAX_FAULTS: usize = 100;

/// Reads a manifest, or tells every fault.
pub(super) fn read(text: &str) -> Result<Manifest, Vec<ManifestFault>> {
    let faults = Faults { text, noted: RefCell::new(Vec::new()) };
    if text.len() > MAX_SIZE.as_usize() {
        faults.note(None, "", format_args!("it is larger than {MAX_SIZE}"));
        return Err(faults.in_order());
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            faults.note(error.span(), "", error.message());
        }
        return Err(faults.in_order());
    }
    let mut root = Table::new(&faults, String::new(), None, document.into_inner());
    let manifest = manifest(&mut root);
    root.finish();
    match (manifest, faults.in_order()) {
        (Some(manifest), faults) if faults.is_empty() => Ok(manifest),
        (_, faults) => Err(faults),
    }
}

fn manifest(root: &mut Table<'_>) -> Option<Manifest> {
    let connector = root.need("connector", "write a table `[connector]` that says who this is");
    let upstreams = root.tables("upstreams", upstream);
    let config = root.tables("config", config);
    let keys = root.tables("keys", key);
    let limits = root.take("limits").and_then(Item::table).map(limits).unwrap_or_default();
    let mut connector = connector?.table()?;
    let name =
        connector.need("name", "write a name, for instance `land`").and_then(Item::parse::<ConnectorName>);
    let version = connector.need("version", VERSION).and_then(Item::version);
    let publisher = connector.text("publisher", 100);
    let description = connector.text("description", 2000);
    let contract =
        connector.need("contract", "write `namespace:name@version`, for instance `lgsp:land@1.0.0`");
    let contract = contract.and_then(Item::parse::<ContractId>);
    connector.finish();
    Some(Manifest {
        name: name?,
        version: version?,
        publisher: publisher?,
        description: description?,
        contract: contract?,
        upstreams,
        config,
        keys,
        limits,
    })
}

const VERSION: &str = "write a semantic version, for instance `1.0.0`";

fn upstream(table: &mut Table<'_>) -> Option<UpstreamRule> {
    let description = table.text("description", 500);
    let hint = "name at least one method and path, for instance \"GET /parcels/{id}\"";
    let items = table.need("allow", hint).and_then(|item| item.items(hint))?;
    let mut allow: Vec<Allowed> = Vec::new();
    for item in items {
        if let Some(allowed) = item.allowed() {
            match allow.contains(&allowed) {
                true => item.fault("it stands twice"),
                false => allow.push(allowed),
            }
        }
    }
    Some(UpstreamRule { description: description?, allow })
}

fn config(table: &mut Table<'_>) -> Option<ConfigRule> {
    let description = table.text("description", 500);
    let names = ConfigKind::ALL.map(|kind| format!("\"{kind}\"")).join(", ");
    let kind = table.need("type", &format!("write one of {names}")).and_then(|item| {
        let text = item.text()?;
        let kind = ConfigKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        kind.or_else(|| item.refuse(format_args!("{text:?} is no type: write one of {names}")))
    });
    let default = match table.take("default") {
        Some(item) => Some((item.config_value()?, item)),
        None => None,
    };
    let kind = kind?;
    if let Some((value, item)) = &default
        && value.kind() != kind
    {
        item.fault(format_args!("it is of type {}; `type` says {kind}", value.kind()));
    }
    Some(ConfigRule { description: description?, kind, default: default.map(|(value, _)| value) })
}

fn key(table: &mut Table<'_>) -> Option<KeyRule> {
    let description = table.text("description", 500);
    let names = KeyUse::ALL.map(|kind| format!("\"{kind}\"")).join(", ");
    let hint = format!("name at least one of {names}");
    let items = table.need("use", &hint).and_then(|item| item.items(&hint))?;
    let mut uses = Vec::new();
    for item in items {
        let Some(text) = item.text() else { continue };
        match KeyUse::ALL.into_iter().find(|known| known.as_str() == text) {
            Some(known) if uses.contains(&known) => item.fault("it stands twice"),
            Some(known) => uses.push(known),
            None => item.fault(format_args!("{text:?} is no use of a key: write one of {names}")),
        }
    }
    Some(KeyRule { description: description?, uses })
}

fn limits(mut table: Table<'_>) -> LimitsPatch {
    let size = |item: Item<'_>| item.quantity::<Bytes>("write a size, for instance \"4MiB\"");
    let time = |item: Item<'_>| item.quantity::<Millis>("write a time, for instance \"5s\"");
    let patch = LimitsPatch {
        memory: table.take("memory").and_then(size),
        host_memory: table.take("host-memory").and_then(size),
        cpu: table.take("cpu").and_then(time),
        deadline: table.take("deadline").and_then(time),
        concurrency: table.take("concurrency").and_then(Item::whole),
        queue: table.take("queue").and_then(Item::whole),
        queue_wait: table.take("queue-wait").and_then(time),
        upstream_calls: table.take("upstream-calls").and_then(Item::whole),
        upstream_bytes: table.take("upstream-bytes").and_then(size),
        upstream_total_bytes: table.take("upstream-total-bytes").and_then(size),
        request_bytes: table.take("request-bytes").and_then(size),
        response_bytes: table.take("response-bytes").and_then(size),
        log_lines: table.take("log-lines").and_then(Item::whole),
        log_rate: table.take("log-rate").and_then(Item::whole),
        cache_bytes: table.take("cache-bytes").and_then(size),
        cache_put_bytes: table.take("cache-put-bytes").and_then(size),
        answer_cache_bytes: table.take("answer-cache-bytes").and_then(size),
    };
    for (field, value, ceiling) in patch.above(&Limits::ceilings()) {
        let detail = format!("{value} is more than the platform allows: write at most {ceiling}");
        table.fault_of(&kebab(field), &detail);
    }
    for name in patch.unservable() {
        table.fault_of(
            &kebab(name),
            "without any the connector could not run: write more than 0, or leave it out",
        );
    }
    table.finish();
    patch
}

/// The faults noted so far, and the text they are in.
struct Faults<'t> {
    text: &'t str,
    noted: RefCell<Vec<ManifestFault>>,
}

impl Faults<'_> {
    fn note(&self, span: Option<Range<usize>>, key: &str, detail: impl fmt::Display) {
        let before = span.and_then(|span| self.text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        self.noted.borrow_mut().push(ManifestFault { line, key: key.to_owned(), detail: detail.to_string() });
    }

    fn in_order(&self) -> Vec<ManifestFault> {
        let mut faults = self.noted.take();
        faults.sort_by_key(|fault| fault.line);
        faults.truncate(MAX_FAULTS);
        faults
    }
}

/// A table while it is read: what nobody asked for in the end is unknown.
struct Table<'t> {
    faults: &'t Faults<'t>,
    key: String,
    span: Option<Range<usize>>,
    entries: DeTable<'t>,
    /// What was asked for, and where it stands.
    asked: Vec<(&'static str, Option<Range<usize>>)>,
}

impl<'t> Table<'t> {
    fn new(faults: &'t Faults<'t>, key: String, span: Option<Range<usize>>, entries: DeTable<'t>) -> Self {
        Self { faults, key, span, entries, asked: Vec::new() }
    }

    fn key_of(&self, name: &str) -> String {
        match self.key.as_str() {
            "" => name.to_owned(),
            key => format!("{key}.{name}"),
        }
    }

    fn take(&mut self, name: &'static str) -> Option<Item<'t>> {
        let found = self.entries.remove(name);
        self.asked.push((name, found.as_ref().map(Spanned::span)));
        let value = found?;
        Some(Item {
            faults: self.faults,
            key: self.key_of(name),
            span: value.span(),
            value: value.into_inner(),
        })
    }

    fn need(&mut self, name: &'static str, hint: &str) -> Option<Item<'t>> {
        let found = self.take(name);
        if found.is_none() {
            self.faults.note(self.span.clone(), &self.key_of(name), format_args!("it is missing: {hint}"));
        }
        found
    }

    /// A text for people of 1 to `most` characters.
    fn text(&mut self, name: &'static str, most: usize) -> Option<String> {
        let hint = format!("write a text of 1 to {most} characters without control characters");
        let item = self.need(name, &hint)?;
        let text = item.text()?;
        let fits = !text.trim().is_empty() && text.chars().count() <= most && !text.contains(is_hidden);
        if fits { Some(text.to_owned()) } else { item.refuse(hint) }
    }

    /// Tables by handle, each read by `read`.
    fn tables<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&mut Table<'t>) -> Option<T>,
    ) -> BTreeMap<Handle, T> {
        let Some(tables) = self.take(name).and_then(Item::table) else { return BTreeMap::new() };
        let mut found = BTreeMap::new();
        for (handle, value) in tables.entries {
            let key = format!("{}.{}", tables.key, handle.get_ref());
            let span = handle.span();
            let item =
                Item { faults: self.faults, key: key.clone(), span: span.clone(), value: value.into_inner() };
            let Some(mut table) = item.table() else { continue };
            let rule = read(&mut table);
            table.finish();
            match (handle.get_ref().parse::<Handle>(), rule) {
                (Ok(handle), Some(rule)) => {
                    found.insert(handle, rule);
                }
                (Ok(_), None) => {}
                (Err(error), _) => self.faults.note(Some(span), &key, error),
            }
        }
        found
    }

    /// Notes a fault of something that was asked for.
    fn fault_of(&self, name: &str, detail: &str) {
        let span = self.asked.iter().find(|(asked, _)| *asked == name).and_then(|(_, span)| span.clone());
        self.faults.note(span, &self.key_of(name), detail);
    }

    /// Notes what nobody asked for.
    fn finish(self) {
        let known: Vec<&str> = self.asked.iter().map(|(name, _)| *name).collect();
        for name in self.entries.keys() {
            let detail = format!("there is no such key; there are {}", known.join(", "));
            self.faults.note(Some(name.span()), &self.key_of(name.get_ref()), detail);
        }
    }
}

/// A value with its place.
struct Item<'t> {
    faults: &'t Faults<'t>,
    key: String,
    span: Range<usize>,
    value: DeValue<'t>,
}

impl<'t> Item<'t> {
    fn fault(&self, detail: impl fmt::Display) {
        self.faults.note(Some(self.span.clone()), &self.key, detail);
    }

    fn refuse<T>(&self, detail: impl fmt::Display) -> Option<T> {
        self.fault(detail);
        None
    }

    fn text(&self) -> Option<&str> {
        self.value.as_str().or_else(|| self.refuse("write a text, in quotation marks"))
    }

    fn parse<T: FromStr<Err: fmt::Display>>(self) -> Option<T> {
        match self.text()?.parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => self.refuse(error),
        }
    }

    fn quantity<T: FromStr<Err: fmt::Display>>(self, hint: &str) -> Option<T> {
        match self.value.is_str() {
            true => self.parse(),
            false => self.refuse(hint),
        }
    }

    fn version(self) -> Option<Version> {
        match Version::parse(self.text()?) {
            Ok(version) => Some(version),
            Err(error) => self.refuse(format_args!("{error}: {VERSION}")),
        }
    }

    fn allowed(&self) -> Option<Allowed> {
        let text = self.text()?;
        let Some((method, path)) = text.split_once(' ') else {
            return self
                .refuse(format_args!("{text:?} is not a method and a path: write \"GET /parcels/{{id}}\""));
        };
        match (method.parse(), path.parse()) {
            (Ok(method), Ok(path)) => Some(Allowed { method, path }),
            (Err(error), _) => self.refuse(error),
            (_, Err(error)) => self.refuse(error),
        }
    }

    /// The items of a list that is not empty.
    fn items(self, hint: &str) -> Option<Vec<Item<'t>>> {
        let DeValue::Array(items) = self.value else { return self.refuse(hint) };
        if items.is_empty() {
            self.faults.note(Some(self.span), &self.key, hint);
            return None;
        }
        let items = items.into_iter().enumerate().map(|(index, value)| Item {
            faults: self.faults,
            key: format!("{}[{index}]", self.key),
            span: value.span(),
            value: value.into_inner(),
        });
        Some(items.collect())
    }

    fn table(self) -> Option<Table<'t>> {
        match self.value {
            DeValue::Table(entries) => Some(Table::new(self.faults, self.key, Some(self.span), entries)),
            _ => self.refuse("write a table"),
        }
    }

    fn integer<T: TryFrom<i64>>(&self) -> Option<T> {
        let integer = self.value.as_integer()?;
        let integer = i64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
        T::try_from(integer).ok()
    }

    fn whole(self) -> Option<u32> {
        self.integer().or_else(|| self.refuse(format_args!("write a whole number from 0 to {}", u32::MAX)))
    }

    fn config_value(&self) -> Option<ConfigValue> {
        let texts = |items: &[Spanned<DeValue<'_>>]| {
            items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        };
        let value = match &self.value {
            DeValue::String(text) => Some(ConfigValue::Text(text.clone().into_owned())),
            DeValue::Boolean(flag) => Some(ConfigValue::Flag(*flag)),
            DeValue::Integer(_) => self.integer().map(ConfigValue::Integer),
            DeValue::Array(items) => texts(items).map(ConfigValue::Texts),
            _ => None,
        };
        value.or_else(|| {
            self.refuse("write a text, a whole number of 64 bits, true or false, or a list of texts")
        })
    }
}
