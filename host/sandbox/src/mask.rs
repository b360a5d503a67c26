//! Personal data in a call's arguments: where it stands, worked out at publication, and its texts, gathered and hidden
//! only when the connector writes a line.

use std::borrow::Cow;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use truc_contract::model::Rules;
use truc_contract::{Contract, Type, TypeId, TypeKind};
use wasmtime::component::Val;

use crate::settings::{MAX_MASKED_BYTES, MIN_MASKED};

/// What stands in the place of a text that is personal data.
pub(crate) const HIDDEN: &str = "•••";

/// Where personal data stands in the values of a type.
#[derive(Clone)]
pub(crate) enum Mask {
    /// Nowhere.
    Nothing,
    /// All of it is personal data.
    All,
    /// In the items of a list or in what an option holds.
    Each(Arc<Mask>),
    /// By the place of a field, an item of a tuple or a side of a result (`ok` is the first).
    Parts(Arc<[Mask]>),
    /// By the name of a variant's case.
    Cases(Arc<[(Arc<str>, Mask)]>),
}

/// Works masks out, each named type once.
pub(crate) struct Masks<'c> {
    contract: &'c Contract,
    known: Vec<Option<Mask>>,
}

impl<'c> Masks<'c> {
    pub(crate) fn new(contract: &'c Contract) -> Self {
        Self { contract, known: vec![None; contract.types.len()] }
    }

    /// The mask of a type at a place with rules of its own.
    pub(crate) fn of(&mut self, ty: &Type, rules: &Rules) -> Mask {
        if rules.pii.is_some() {
            return Mask::All;
        }
        match ty {
            Type::List(item) | Type::Option(item) => match self.bare(item) {
                Mask::Nothing => Mask::Nothing,
                item => Mask::Each(Arc::new(item)),
            },
            Type::Tuple(items) => parts(items.iter().map(|item| self.bare(item)).collect()),
            Type::Result(ok, err) => {
                let mut side = |ty: &Option<Box<Type>>| ty.as_ref().map_or(Mask::Nothing, |ty| self.bare(ty));
                parts(vec![side(ok), side(err)])
            }
            Type::Named(id) => self.named(*id),
            _ => Mask::Nothing,
        }
    }

    fn bare(&mut self, ty: &Type) -> Mask {
        self.of(ty, &Rules::default())
    }

    fn named(&mut self, id: TypeId) -> Mask {
        if let Some(Some(known)) = self.known.get(id.0) {
            return known.clone();
        }
        let contract = self.contract;
        let mask = match contract.named(id) {
            Some(definition) if definition.rules.pii.is_some() => Mask::All,
            Some(definition) if definition.pii.is_some() => match &definition.kind {
                TypeKind::Alias(target) => self.bare(target),
                TypeKind::Record(fields) => {
                    parts(fields.iter().map(|field| self.of(&field.ty, &field.rules)).collect())
                }
                TypeKind::Variant(cases) => {
                    let cases = cases.iter().map(|case| {
                        let payload = case.payload.as_ref();
                        (case.name.clone(), payload.map_or(Mask::Nothing, |ty| self.bare(ty)))
                    });
                    Mask::Cases(cases.collect())
                }
                TypeKind::Enum(_) | TypeKind::Flags(_) => Mask::Nothing,
            },
            _ => Mask::Nothing,
        };
        if let Some(slot) = self.known.get_mut(id.0) {
            *slot = Some(mask.clone());
        }
        mask
    }
}

fn parts(parts: Vec<Mask>) -> Mask {
    match parts.iter().all(|part| matches!(part, Mask::Nothing)) {
        true => Mask::Nothing,
        false => Mask::Parts(parts.into()),
    }
}

/// Finds the personal data of one call in texts.
pub(crate) enum Masker {
    /// There is none.
    Nothing,
    /// These are looked for.
    Texts(AhoCorasick),
    /// There is too much to look for: nothing is shown.
    Everything,
}

impl Masker {
    /// What the host holds for it, in bytes.
    pub(crate) fn held(&self) -> u64 {
        match self {
            Self::Texts(texts) => texts.memory_usage() as u64,
            _ => 0,
        }
    }

    /// Gathers the texts, of at least [`MIN_MASKED`] characters, that stand at masked places. Numbers count as the digits
    /// they are written with. Names of cases and flags are the contract's words, not the caller's.
    pub(crate) fn of(masks: &[Mask], values: &[Val]) -> Self {
        let mut found = Found { texts: Vec::new(), room: MAX_MASKED_BYTES };
        let complete = masks.iter().zip(values).all(|(mask, value)| found.gather(mask, value));
        if !complete {
            return Self::Everything;
        }
        if found.texts.is_empty() {
            return Self::Nothing;
        }
        // The longest first, so that a text inside another does not leave the rest of it behind.
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&found.texts);
        finder.map_or(Self::Everything, Self::Texts)
    }

    /// A text with every occurrence of personal data hidden; no more of it is looked at than gives `most` bytes.
    pub(crate) fn hide<'t>(&self, text: &'t str, most: usize) -> Cow<'t, str> {
        let finder = match self {
            Self::Nothing => return Cow::Borrowed(text),
            Self::Everything => return Cow::Borrowed(HIDDEN),
            Self::Texts(finder) => finder,
        };
        let mut hidden = String::new();
        let mut rest = 0;
        for found in finder.find_iter(text) {
            hidden.push_str(text.get(rest..found.start()).unwrap_or_default());
            hidden.push_str(HIDDEN);
            rest = found.end();
            if hidden.len() > most {
                return Cow::Owned(hidden);
            }
        }
        hidden.push_str(text.get(rest..).unwrap_or_default());
        Cow::Owned(hidden)
    }
}

struct Found {
    texts: Vec<String>,
    /// Bytes that may still be gathered.
    room: usize,
}

impl Found {
    /// Whether there was room for all the personal data of a value.
    fn gather(&mut self, mask: &Mask, value: &Val) -> bool {
        match (mask, value) {
            (Mask::Nothing, _) => true,
            (Mask::All, value) => self.all(value),
            (Mask::Each(item), Val::List(values)) => values.iter().all(|value| self.gather(item, value)),
            (Mask::Each(item), Val::Option(value)) => {
                value.as_deref().is_none_or(|value| self.gather(item, value))
            }
            (Mask::Parts(masks), Val::Record(fields)) => {
                masks.iter().zip(fields).all(|(mask, (_, value))| self.gather(mask, value))
            }
            (Mask::Parts(masks), Val::Tuple(values)) => {
                masks.iter().zip(values).all(|(mask, value)| self.gather(mask, value))
            }
            (Mask::Parts(masks), Val::Result(result)) => {
                let (side, value) = match result {
                    Ok(value) => (masks.first(), value),
                    Err(value) => (masks.last(), value),
                };
                side.zip(value.as_deref()).is_none_or(|(mask, value)| self.gather(mask, value))
            }
            (Mask::Cases(cases), Val::Variant(name, value)) => {
                let mask = cases.iter().find(|(case, _)| **case == **name).map(|(_, mask)| mask);
                mask.zip(value.as_deref()).is_none_or(|(mask, value)| self.gather(mask, value))
            }
            // No other pairs are made: masks and values are of one type.
            _ => false,
        }
    }

    fn all(&mut self, value: &Val) -> bool {
        match value {
            Val::String(text) => self.text(text),
            Val::U8(number) => self.text(&number.to_string()),
            Val::U16(number) => self.text(&number.to_string()),
            Val::U32(number) => self.text(&number.to_string()),
            Val::U64(number) => self.text(&number.to_string()),
            Val::S8(number) => self.text(&number.to_string()),
            Val::S16(number) => self.text(&number.to_string()),
            Val::S32(number) => self.text(&number.to_string()),
            Val::S64(number) => self.text(&number.to_string()),
            // Bytes are no text, and there are many of them.
            Val::List(values) if matches!(values.first(), Some(Val::U8(_))) => true,
            Val::List(values) | Val::Tuple(values) => values.iter().all(|value| self.all(value)),
            Val::Record(fields) => fields.iter().all(|(_, value)| self.all(value)),
            Val::Variant(_, value) | Val::Option(value) | Val::Result(Ok(value) | Err(value)) => {
                value.as_deref().is_none_or(|value| self.all(value))
            }
            _ => true,
        }
    }

    fn text(&mut self, text: &str) -> bool {
        if text.chars().nth(MIN_MASKED - 1).is_none() {
            return true;
        }
        let Some(room) = self.room.checked_sub(text.len()) else { return false };
        self.room = room;
        self.texts.push(text.to_owned());
        true
    }
}
