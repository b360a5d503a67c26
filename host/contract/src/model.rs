//! The contract as the rest of the host sees it: operations, their parameters and answers, and the types they use.

use std::collections::BTreeSet;
use std::sync::Arc;

use semver::Version;
use truc_model::OperationName;

use crate::manifest::ContractId;
use crate::path::{Method, PathTemplate};

/// A contract: everything an agency can see of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// Its name and version.
    pub id: ContractId,
    /// What the package's documentation says.
    pub docs: String,
    /// The interfaces that have operations, in the order of the text.
    pub interfaces: Vec<Interface>,
    /// Its operations, in the order of the text.
    pub operations: Vec<Operation>,
    /// The named types that operations reach; [`TypeId`] is an index into this list.
    pub types: Vec<TypeDef>,
}

impl Contract {
    /// The definition of a named type.
    pub fn named(&self, id: TypeId) -> Option<&TypeDef> {
        self.types.get(id.0)
    }

    /// The type behind any chain of aliases.
    pub fn resolve<'a>(&'a self, ty: &'a Type) -> &'a Type {
        let mut ty = ty;
        while let Type::Named(id) = ty
            && let Some(TypeDef { kind: TypeKind::Alias(target), .. }) = self.named(*id)
        {
            ty = target;
        }
        ty
    }

    /// The rules of a type and, where it is an alias, of all that it stands for; the outermost wins.
    pub fn rules_of(&self, ty: &Type) -> Rules {
        let mut rules = Rules::default();
        let mut ty = ty;
        while let Type::Named(id) = ty
            && let Some(definition) = self.named(*id)
        {
            rules = rules.over(&definition.rules);
            match &definition.kind {
                TypeKind::Alias(target) => ty = target,
                _ => break,
            }
        }
        rules
    }

    /// The type of the values themselves, behind aliases and one option, and the rules in force for them at a place
    /// that has rules of its own.
    pub fn held<'a>(&'a self, ty: &'a Type, own: &Rules) -> (&'a Type, Rules) {
        let rules = own.over(&self.rules_of(ty));
        match self.resolve(ty) {
            Type::Option(inner) => (self.resolve(inner), rules.over(&self.rules_of(inner))),
            target => (target, rules),
        }
    }

    /// Where the payload of an error case stands in the problem document.
    pub fn payload_meaning(&self, case: &ErrorCase) -> PayloadMeaning {
        let passes = case.status == 429 || case.status == 503;
        match case.payload.as_ref().map(|ty| self.resolve(ty)) {
            Some(Type::String) => PayloadMeaning::Detail,
            Some(Type::List(item)) if self.is_fault(item) => PayloadMeaning::Faults,
            Some(Type::U32) if passes => PayloadMeaning::RetryAfter,
            Some(Type::Option(inner)) if matches!(**inner, Type::U32) && passes => PayloadMeaning::RetryAfter,
            _ => PayloadMeaning::Value,
        }
    }

    fn is_fault(&self, ty: &Type) -> bool {
        match self.resolve(ty) {
            Type::Named(id) => self.named(*id).is_some_and(|definition| {
                definition.wit.starts_with("truc:connector/types") && definition.wit.ends_with("#fault")
            }),
            _ => false,
        }
    }

    /// The named types that stand in requests, answers and the values of problems, by their place in
    /// [`Contract::types`].
    pub fn exchanged(&self) -> BTreeSet<TypeId> {
        self.exchanged_by(&self.operations.iter().collect::<Vec<_>>())
    }

    /// The same of some operations.
    pub fn exchanged_by(&self, operations: &[&Operation]) -> BTreeSet<TypeId> {
        let mut reached = BTreeSet::new();
        for operation in operations {
            let values = operation
                .errors
                .iter()
                .filter(|case| self.payload_meaning(case) == PayloadMeaning::Value)
                .filter_map(|case| case.payload.as_ref());
            let parameters = operation.parameters.iter().map(|parameter| &parameter.ty);
            parameters.chain(&operation.ok).chain(values).for_each(|ty| self.reach(ty, &mut reached));
        }
        reached
    }

    /// Adds the named types that a type is made of.
    fn reach(&self, ty: &Type, reached: &mut BTreeSet<TypeId>) {
        match ty {
            Type::List(item) | Type::Option(item) => self.reach(item, reached),
            Type::Tuple(items) => items.iter().for_each(|item| self.reach(item, reached)),
            Type::Result(ok, err) => ok.iter().chain(err).for_each(|ty| self.reach(ty, reached)),
            Type::Named(id) if reached.insert(*id) => match self.named(*id).map(|it| &it.kind) {
                Some(TypeKind::Alias(target)) => self.reach(target, reached),
                Some(TypeKind::Record(fields)) => {
                    fields.iter().for_each(|field| self.reach(&field.ty, reached));
                }
                Some(TypeKind::Variant(cases)) => {
                    cases.iter().flat_map(|case| &case.payload).for_each(|ty| self.reach(ty, reached));
                }
                _ => {}
            },
            _ => {}
        }
    }
}

/// One interface of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, without package and version.
    pub name: String,
    /// Documentation without directives.
    pub docs: String,
}

/// One operation: a function of one of the contract's interfaces.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// `{interface}/{function}`.
    pub name: OperationName,
    /// The name by which a component exports the interface: `lgsp:land/parcels@1.0.0`.
    pub interface: Arc<str>,
    /// The function's name.
    pub function: Arc<str>,
    /// Documentation without directives.
    pub docs: String,
    /// The version since which it is deprecated.
    pub deprecated: Option<Version>,
    /// The HTTP method.
    pub method: Method,
    /// The path below `/api/{service}/v{major}`; parameters by their JSON names.
    pub path: PathTemplate,
    /// The parameters, in the order of the function.
    pub parameters: Vec<Parameter>,
    /// What it gives; none means that success has no content.
    pub ok: Option<Type>,
    /// Whether it returns a `result`.
    pub fallible: Fallible,
    /// Its error type; none where it returns no `result`.
    pub error: Option<Type>,
    /// The cases of its error type.
    pub errors: Vec<ErrorCase>,
    /// For how many seconds an answer may be reused.
    pub cache: Option<u32>,
    /// The most delicate personal data that goes in or out.
    pub pii: Option<Pii>,
}

impl Operation {
    /// The interface, without package and version.
    pub fn interface_name(&self) -> &str {
        self.name.as_str().split('/').next().unwrap_or_default()
    }

    /// Whether requests have a body.
    pub fn takes_body(&self) -> bool {
        self.parameters.iter().any(|parameter| matches!(parameter.place, Place::Member | Place::Body))
    }
}

/// Whether a function returns a `result`, and how its error type is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallible {
    /// It returns its value as it is.
    Never,
    /// The error is a variant.
    Variant,
    /// The error is an enumeration.
    Enum,
}

/// One parameter of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The name in WIT.
    pub name: String,
    /// The name in paths, queries and JSON.
    pub json: Arc<str>,
    /// Its type.
    pub ty: Type,
    /// Documentation.
    pub docs: String,
    /// What its values must keep.
    pub rules: Rules,
    /// Where it comes from.
    pub place: Place,
}

/// Where a parameter's value stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A segment of the path.
    Path,
    /// The query.
    Query,
    /// A member of the JSON object that is the body.
    Member,
    /// The whole body.
    Body,
}

/// One case of an operation's error type.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorCase {
    /// The case's name; the problem's code.
    pub name: Arc<str>,
    /// Documentation without directives.
    pub docs: String,
    /// The HTTP status: 400 to 599.
    pub status: u16,
    /// What the case carries.
    pub payload: Option<Type>,
}

/// Where the payload of an error case stands in the problem document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadMeaning {
    /// A text: `detail`.
    Detail,
    /// A list of `truc:connector/types#fault`: `errors`.
    Faults,
    /// Seconds to wait: `retryAfter` and the header `Retry-After`.
    RetryAfter,
    /// Anything else: `value`.
    Value,
}

/// The index of a named type in [`Contract::types`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub usize);

/// A type.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// `bool`
    Bool,
    /// `u8`
    U8,
    /// `u16`
    U16,
    /// `u32`
    U32,
    /// `u64`
    U64,
    /// `s8`
    S8,
    /// `s16`
    S16,
    /// `s32`
    S32,
    /// `s64`
    S64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`
    Char,
    /// `string`
    String,
    /// `list<u8>`
    Bytes,
    /// `list<T>`
    List(Box<Type>),
    /// `tuple<…>`
    Tuple(Vec<Type>),
    /// `option<T>`
    Option(Box<Type>),
    /// `result<T, E>` inside another type
    Result(Option<Box<Type>>, Option<Box<Type>>),
    /// A type with a name.
    Named(TypeId),
}

impl Type {
    /// The least and the greatest number of an integer type; none for all others.
    pub fn range(&self) -> Option<(i128, i128)> {
        match self {
            Type::U8 => Some((0, u8::MAX.into())),
            Type::U16 => Some((0, u16::MAX.into())),
            Type::U32 => Some((0, u32::MAX.into())),
            Type::U64 => Some((0, u64::MAX.into())),
            Type::S8 => Some((i8::MIN.into(), i8::MAX.into())),
            Type::S16 => Some((i16::MIN.into(), i16::MAX.into())),
            Type::S32 => Some((i32::MIN.into(), i32::MAX.into())),
            Type::S64 => Some((i64::MIN.into(), i64::MAX.into())),
            _ => None,
        }
    }
}

/// A type with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeDef {
    /// The name in JSON Schema: `[A-Za-z0-9]+`, different for each type of a contract.
    pub name: Arc<str>,
    /// The name in WIT, with its interface: `lgsp:land/parcels@1.0.0#parcel`.
    pub wit: String,
    /// Documentation without directives.
    pub docs: String,
    /// What its values must keep.
    pub rules: Rules,
    /// The most delicate personal data in it.
    pub pii: Option<Pii>,
    /// What it is.
    pub kind: TypeKind,
}

/// What a named type is.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeKind {
    /// Another name for a type.
    Alias(Type),
    /// A record.
    Record(Vec<Field>),
    /// A variant.
    Variant(Vec<Case>),
    /// An enumeration.
    Enum(Vec<Label>),
    /// Flags.
    Flags(Vec<Label>),
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The name in WIT.
    pub name: Arc<str>,
    /// The name in JSON.
    pub json: Arc<str>,
    /// Documentation without directives.
    pub docs: String,
    /// What its values must keep.
    pub rules: Rules,
    /// Its type.
    pub ty: Type,
}

/// A case of a variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The name, in WIT and in JSON.
    pub name: Arc<str>,
    /// Documentation without directives.
    pub docs: String,
    /// What it carries.
    pub payload: Option<Type>,
}

/// A case of an enumeration, or one flag.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The name, in WIT and in JSON.
    pub name: Arc<str>,
    /// Documentation without directives.
    pub docs: String,
}

/// How delicate personal data is (law 91/2025 on the protection of personal data).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pii {
    /// Basic personal data.
    Basic,
    /// Sensitive personal data.
    Sensitive,
}

/// A form of text that is known by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `YYYY-MM-DD`, a day that exists.
    Date,
    /// RFC 3339 with an offset.
    DateTime,
    /// An e-mail address, by its rough shape.
    Email,
    /// An absolute URI, by its rough shape.
    Uri,
    /// A UUID (RFC 9562).
    Uuid,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 5] = [Format::Date, Format::DateTime, Format::Email, Format::Uri, Format::Uuid];

    /// Whether a text is of this form.
    pub fn fits(self, text: &str) -> bool {
        match self {
            Format::Date => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
            Format::DateTime => text.parse::<jiff::Timestamp>().is_ok(),
            Format::Email => text.split_once('@').is_some_and(|(local, domain)| {
                !local.is_empty() && domain.contains('.') && !text.contains(char::is_whitespace)
            }),
            Format::Uri => text.split_once(':').is_some_and(|(scheme, rest)| {
                scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                    && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
                    && !rest.is_empty()
                    && !text.contains(|c: char| c.is_whitespace() || c.is_control())
            }),
            Format::Uuid => {
                text.len() == 36
                    && text.bytes().enumerate().all(|(index, byte)| match index {
                        8 | 13 | 18 | 23 => byte == b'-',
                        _ => byte.is_ascii_hexdigit(),
                    })
            }
        }
    }

    /// The name in directives and JSON Schema.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Date => "date",
            Format::DateTime => "date-time",
            Format::Email => "email",
            Format::Uri => "uri",
            Format::Uuid => "uuid",
        }
    }
}

/// What the directives of a field, parameter or type say of its values.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Whether it is personal data.
    pub pii: Option<Pii>,
    /// The named form of a text.
    pub format: Option<Format>,
    /// A pattern that a text must match; linear-time, as the `regex` crate has it.
    pub pattern: Option<Arc<regex::Regex>>,
    /// The least number, or the least length of a text or list.
    pub min: Option<i128>,
    /// The greatest number, or the greatest length of a text or list.
    pub max: Option<i128>,
    /// An example, as written.
    pub example: Option<String>,
}

impl Rules {
    /// Whether they say what values are allowed.
    pub fn constrain(&self) -> bool {
        self.format.is_some() || self.pattern.is_some() || self.min.is_some() || self.max.is_some()
    }

    /// These rules, with the other's where these have none.
    pub fn over(&self, under: &Rules) -> Rules {
        Rules {
            pii: self.pii.max(under.pii),
            format: self.format.or(under.format),
            pattern: self.pattern.clone().or_else(|| under.pattern.clone()),
            min: self.min.or(under.min),
            max: self.max.or(under.max),
            example: self.example.clone().or_else(|| under.example.clone()),
        }
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        let pattern = |rules: &Rules| rules.pattern.as_ref().map(|regex| regex.as_str().to_owned());
        self.pii == other.pii
            && self.format == other.format
            && pattern(self) == pattern(other)
            && self.min == other.min
            && self.max == other.max
            && self.example == other.example
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_take_what_exists_only() {
        let cases = [
            (Format::Date, "2024-02-29", true),
            (Format::Date, "2025-02-29", false),
            (Format::Date, "2025-2-1", false),
            (Format::Date, "20250201", false),
            (Format::DateTime, "2025-07-01T08:30:00+07:00", true),
            (Format::DateTime, "2025-07-01T08:30:00", false),
            (Format::Email, "a@b.vn", true),
            (Format::Email, "a b@c.vn", false),
            (Format::Uri, "https://a.vn/x", true),
            (Format::Uri, "a.vn/x", false),
            (Format::Uuid, "0197c0de-0000-7000-8000-000000000000", true),
            (Format::Uuid, "0197c0de00007000-8000-0000-00000000000", false),
        ];
        for (format, text, expected) in cases {
            assert_eq!(format.fits(text), expected, "{text}");
        }
    }
}
