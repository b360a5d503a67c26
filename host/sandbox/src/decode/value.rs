//! JSON to values, type by type.

use wasmtime::component::Val;

use super::path::{Faults, Path};
use super::reader::{Broken, Member, Reader, Token};
use super::scalar::{STAND_IN, float, text_value};
use crate::plan::{Cases, FieldPlan, Fields, Names, Node};

/// What stands where a field has not been read yet. No contract has maps, so that no value looks like it.
const ABSENT: Val = Val::Map(Vec::new());

/// Reads values, and notes faults as it goes.
pub(super) struct Decoder<'t> {
    pub(super) reader: Reader<'t>,
    pub(super) faults: Faults,
}

/// A field with its value: a record's has its name, a parameter of the body does not need one.
trait Slot {
    fn new(field: &FieldPlan, value: Val) -> Self;
    fn value(&mut self) -> &mut Val;
}

impl Slot for Val {
    fn new(_: &FieldPlan, value: Val) -> Self {
        value
    }

    fn value(&mut self) -> &mut Val {
        self
    }
}

impl Slot for (String, Val) {
    fn new(field: &FieldPlan, value: Val) -> Self {
        (field.name.as_ref().to_owned(), value)
    }

    fn value(&mut self) -> &mut Val {
        &mut self.1
    }
}

impl Decoder<'_> {
    /// Reads a value of a type; one that does not fit leaves a fault and a stand-in.
    pub(super) fn value(&mut self, node: &Node, at: &Path<'_>) -> Result<Val, Broken> {
        let token = self.reader.token()?;
        self.rest_of_value(node, token, at)
    }

    /// Reads what is left of a value whose beginning was taken.
    fn rest_of_value(&mut self, node: &Node, token: Token<'_>, at: &Path<'_>) -> Result<Val, Broken> {
        let value = match (node, token) {
            (Node::Option(_), Token::Null) => Some(Val::Option(None)),
            (Node::Option(inner), token) => {
                let value = self.rest_of_value(inner, token, at)?;
                Some(Val::Option(Some(Box::new(value))))
            }
            (Node::Bool, Token::Bool(value)) => Some(Val::Bool(value)),
            (Node::Integer(integer), Token::Number(number)) => {
                let whole = number.integer();
                let value = whole.and_then(|whole| integer.value(whole));
                if value.is_none() {
                    self.faults.add(at, || integer.fault(whole));
                    return Ok(STAND_IN);
                }
                value
            }
            (Node::F32 | Node::F64, Token::Number(number)) => float(node, &number),
            (node, Token::Text(text)) => text_value(node, text, at, &mut self.faults),
            (Node::List(item, size), Token::Array) => {
                let items = self.items(item, at)?;
                if !size.fits(items.len()) {
                    self.faults.add(at, || size.fault(items.len(), "items"));
                }
                Some(Val::List(items))
            }
            (Node::Tuple(nodes), Token::Array) => self.tuple(nodes, at)?,
            (Node::Record(fields), Token::Object) => Some(Val::Record(self.fields(fields, at)?)),
            (Node::Variant(cases), Token::Object) => self.variant(cases, at)?,
            (Node::Result(ok, err), Token::Object) => self.result(ok.as_deref(), err.as_deref(), at)?,
            (Node::Flags(labels), Token::Array) => Some(Val::Flags(self.flags(labels, at)?)),
            (_, token) => {
                self.reader.skip_rest(&token)?;
                None
            }
        };
        Ok(value.unwrap_or_else(|| {
            self.faults.add(at, || needed(node));
            STAND_IN
        }))
    }

    /// Reads an object into parameters; anything else leaves a fault.
    pub(super) fn members(&mut self, fields: &Fields, at: &Path<'_>) -> Result<Vec<Val>, Broken> {
        match self.reader.token()? {
            Token::Object => self.fields(fields, at),
            token => {
                self.reader.skip_rest(&token)?;
                self.faults.add(at, || "an object is needed");
                Ok(Vec::new())
            }
        }
    }

    fn items(&mut self, node: &Node, at: &Path<'_>) -> Result<Vec<Val>, Broken> {
        let mut values = Vec::new();
        while self.reader.item(values.len())? {
            values.push(self.value(node, &at.index(values.len()))?);
        }
        Ok(values)
    }

    /// None where there are fewer or more items than the tuple has.
    fn tuple(&mut self, nodes: &[Node], at: &Path<'_>) -> Result<Option<Val>, Broken> {
        let mut values = Vec::with_capacity(nodes.len());
        let mut index = 0;
        while self.reader.item(index)? {
            match nodes.get(index) {
                Some(node) => values.push(self.value(node, &at.index(index))?),
                None => self.reader.skip()?,
            }
            index += 1;
        }
        Ok((index == nodes.len()).then_some(Val::Tuple(values)))
    }

    fn flags(&mut self, labels: &Names, at: &Path<'_>) -> Result<Vec<String>, Broken> {
        let mut set = vec![false; labels.len()];
        let mut flags = Vec::new();
        let mut index = 0;
        while self.reader.item(index)? {
            let token = self.reader.token()?;
            let label = match &token {
                Token::Text(text) => labels.find(text),
                _ => None,
            };
            self.reader.skip_rest(&token)?;
            match (label.and_then(|label| set.get_mut(label)), token) {
                (Some(set), Token::Text(text)) if !*set => {
                    *set = true;
                    flags.push(text.into_owned());
                }
                (Some(_), _) => self.faults.add(&at.index(index), || "it stands twice"),
                (None, _) => {
                    self.faults.add(&at.index(index), || format!("write one of {}", labels.listed()));
                }
            }
            index += 1;
        }
        Ok(flags)
    }

    /// Reads the members of an object into fields, in the fields' order. Members mostly come in that order too.
    fn fields<S: Slot>(&mut self, fields: &Fields, at: &Path<'_>) -> Result<Vec<S>, Broken> {
        let mut values: Vec<S> = Vec::with_capacity(fields.list.len());
        let mut members = 0;
        let mut found = 0;
        let mut next = 0;
        loop {
            let expected = fields.list.get(next).map(|field| field.key.as_ref());
            let member = self.reader.expected_member(members, expected)?;
            members += 1;
            let index = match member {
                Member::Expected => next,
                Member::End => break,
                Member::Named(name) => match fields.names.find(&name) {
                    Some(index) => index,
                    None => {
                        self.faults.add(&at.name(&name), || "there is no such member");
                        self.reader.skip()?;
                        continue;
                    }
                },
            };
            next = index + 1;
            let Some(field) = fields.list.get(index) else { continue };
            let at = at.name(&field.json);
            let value = self.value(&field.node, &at)?;
            match values.get_mut(index).map(S::value) {
                Some(slot) if matches!(slot, Val::Map(_)) => *slot = value,
                Some(_) => {
                    self.faults.add(&at, || "it stands twice");
                    continue;
                }
                None => {
                    let between = fields.list.iter().take(index).skip(values.len());
                    values.extend(between.map(|field| S::new(field, ABSENT)));
                    values.push(S::new(field, value));
                }
            }
            found += 1;
        }
        if found < fields.list.len() {
            self.reader.count(fields.list.len() - found)?;
            self.complete(fields, &mut values, at);
        }
        Ok(values)
    }

    /// Fills in the fields that no member was there for.
    fn complete<S: Slot>(&mut self, fields: &Fields, values: &mut Vec<S>, at: &Path<'_>) {
        let behind = fields.list.iter().skip(values.len());
        values.extend(behind.map(|field| S::new(field, ABSENT)));
        for (field, slot) in fields.list.iter().zip(values) {
            let slot = slot.value();
            if !matches!(slot, Val::Map(_)) {
                continue;
            }
            *slot = match field.node {
                Node::Option(_) => Val::Option(None),
                _ => {
                    self.faults.add(&at.name(&field.json), || "it is missing");
                    STAND_IN
                }
            };
        }
    }

    /// Reads `{"kind": …, "value": …}`. `kind` mostly comes first; where it does not, the value is read afterwards. None
    /// where no case is named.
    fn variant(&mut self, cases: &Cases, at: &Path<'_>) -> Result<Option<Val>, Broken> {
        let mut case: Option<(usize, String)> = None;
        let mut value = None;
        let mut waiting = None;
        let mut kinds = 0;
        let mut values = 0;
        let mut members = 0;
        while let Some(name) = self.reader.member(members)? {
            members += 1;
            match &*name {
                "kind" => {
                    kinds += 1;
                    let token = self.reader.token()?;
                    self.reader.skip_rest(&token)?;
                    if let Token::Text(text) = token
                        && let Some(index) = cases.names.find(&text)
                    {
                        case = Some((index, text.into_owned()));
                    }
                }
                "value" => {
                    values += 1;
                    match &case {
                        Some((index, _)) => value = self.payload(cases, *index, at)?,
                        None => waiting = Some(self.reader.skip_for_now()?),
                    }
                }
                _ => {
                    self.faults.add(&at.name(&name), || "there is no such member");
                    self.reader.skip()?;
                }
            }
        }
        for (name, _) in [("kind", kinds), ("value", values)].iter().filter(|(_, count)| *count > 1) {
            self.faults.add(&at.name(name), || "it stands twice");
        }
        let Some((index, name)) = case else { return Ok(None) };
        if let Some(waiting) = waiting {
            let end = self.reader.go_back(&waiting);
            value = self.payload(cases, index, at)?;
            self.reader.go_on(end);
        }
        let payload = match (cases.payloads.get(index), value) {
            (Some(Some(_)), Some(value)) => Some(value),
            (Some(Some(Node::Option(_))), None) => Some(Val::Option(None)),
            (Some(Some(_)), None) => {
                self.faults.add(&at.name("value"), || format!("it is missing: the case {name} carries one"));
                None
            }
            _ => None,
        };
        Ok(Some(Val::Variant(name, payload.map(Box::new))))
    }

    /// Reads what a case carries.
    fn payload(&mut self, cases: &Cases, index: usize, at: &Path<'_>) -> Result<Option<Val>, Broken> {
        let at = at.name("value");
        if let Some(Some(node)) = cases.payloads.get(index) {
            return self.value(node, &at).map(Some);
        }
        let case = cases.names.get(index).unwrap_or_default();
        self.faults.add(&at, || format!("there is no such member: the case {case} carries nothing"));
        self.reader.skip()?;
        Ok(None)
    }

    /// Reads `{"ok": …}` or `{"err": …}`. None where it is neither, or both.
    fn result(
        &mut self,
        ok: Option<&Node>,
        err: Option<&Node>,
        at: &Path<'_>,
    ) -> Result<Option<Val>, Broken> {
        let value = match self.reader.member(0)?.as_deref() {
            Some("ok") => Val::Result(Ok(self.side(ok, &at.name("ok"))?)),
            Some("err") => Val::Result(Err(self.side(err, &at.name("err"))?)),
            None => return Ok(None),
            Some(_) => {
                self.reader.skip()?;
                self.reader.skip_members(1)?;
                return Ok(None);
            }
        };
        if self.reader.member(1)?.is_none() {
            return Ok(Some(value));
        }
        self.reader.skip()?;
        self.reader.skip_members(2)?;
        Ok(None)
    }

    fn side(&mut self, node: Option<&Node>, at: &Path<'_>) -> Result<Option<Box<Val>>, Broken> {
        if let Some(node) = node {
            return self.value(node, at).map(|value| Some(Box::new(value)));
        }
        let token = self.reader.token()?;
        if !matches!(token, Token::Null) {
            self.reader.skip_rest(&token)?;
            self.faults.add(at, || "null is needed: this side carries nothing");
        }
        Ok(None)
    }
}

/// What should have stood where something of another kind stands.
fn needed(node: &Node) -> String {
    match node {
        Node::Bool => "true or false is needed".to_owned(),
        Node::Integer(integer) => integer.fault(None),
        Node::F32 | Node::F64 => "a number is needed".to_owned(),
        Node::Char | Node::String(_) => "a string is needed".to_owned(),
        Node::Bytes(_) => "a base64 string is needed".to_owned(),
        Node::List(..) => "an array is needed".to_owned(),
        Node::Tuple(items) => format!("an array of {} items is needed", items.len()),
        Node::Enum(labels) => format!("write one of {}", labels.listed()),
        Node::Flags(labels) => format!("an array of different strings of {} is needed", labels.listed()),
        Node::Variant(cases) => format!(
            "an object with `kind` (one of {}) and, where the case carries one, `value` is needed",
            cases.names.listed()
        ),
        Node::Result(..) => "an object with either `ok` or `err` is needed".to_owned(),
        Node::Option(_) | Node::Record(_) => "an object is needed".to_owned(),
    }
}
