//! Types in words, what values must keep, and tables of members.

use maud::{Markup, html};
use truc_contract::model::{Case, Label};
use truc_contract::{Parameter, Rules, Type, TypeDef, TypeKind};

use crate::page::CONTRACT_LANGUAGE;
use crate::reference::Writer;

/// Values of an enumeration that are told beside the places that use it.
const MAX_VALUES_BESIDE: usize = 8;

/// One member of an object, or one parameter.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) name: &'a str,
    pub(crate) ty: &'a Type,
    pub(crate) rules: &'a Rules,
    pub(crate) docs: &'a str,
    pub(crate) presence: Presence,
}

/// Whether a member may be left out.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Presence {
    Required,
    Optional,
}

impl Writer<'_> {
    /// A type as a short expression, named types as links.
    pub(crate) fn expression(&self, ty: &Type) -> Markup {
        let words = self.words;
        match ty {
            Type::Bool => html! { "boolean" },
            Type::U64 => html! { "string (uint64)" },
            Type::S64 => html! { "string (int64)" },
            Type::U8 | Type::U16 | Type::U32 | Type::S8 | Type::S16 | Type::S32 => html! { "integer" },
            Type::F32 | Type::F64 => html! { "number" },
            Type::Char => html! { "string (1 " (words.characters) ")" },
            Type::String => html! { "string" },
            Type::Bytes => html! { "string (base64)" },
            Type::List(item) => html! { (words.array_of) " " (self.expression(item)) },
            Type::Tuple(items) => html! {
                "["
                @for (index, item) in items.iter().enumerate() {
                    @if index > 0 { ", " }
                    (self.expression(item))
                }
                "]"
            },
            Type::Option(item) => html! { (self.expression(item)) " " (words.or) " null" },
            Type::Result(ok, err) => html! {
                "{ok: " (self.side(ok.as_deref())) "} " (words.or) " {err: " (self.side(err.as_deref())) "}"
            },
            Type::Named(id) => match self.contract.named(*id) {
                Some(definition) => html! { a href={ "#type-" (definition.name) } { (definition.name) } },
                None => html! {},
            },
        }
    }

    fn side(&self, ty: Option<&Type>) -> Markup {
        match ty {
            Some(ty) => self.expression(ty),
            None => html! { "null" },
        }
    }

    /// What values of a type must keep, one entry for each rule.
    fn limits(&self, ty: &Type, rules: &Rules) -> Vec<Markup> {
        let words = self.words;
        let mut limits = Vec::new();
        if let Some(format) = rules.format {
            limits.push(html! { (words.format) " " code { (format.as_str()) } });
        }
        if let Some(pattern) = &rules.pattern {
            limits.push(html! { (words.pattern) " " code.pattern { (pattern.as_str()) } });
        }
        let unit = match ty {
            Type::String => words.characters,
            Type::List(_) => words.items,
            Type::Bytes => words.bytes,
            _ => "",
        };
        // What every integer of its size keeps is told where it is short.
        let (min, max) = match ty {
            Type::U8 | Type::U16 | Type::S8 | Type::S16 => {
                let range = ty.range();
                (rules.min.or(range.map(|it| it.0)), rules.max.or(range.map(|it| it.1)))
            }
            Type::U32 | Type::U64 => (rules.min.or(Some(0)), rules.max),
            _ => (rules.min, rules.max),
        };
        match (min, max) {
            (Some(min), Some(max)) => {
                limits.push(html! { (words.from) " " (min) " " (words.to) " " (max) " " (unit) });
            }
            (Some(min), None) => limits.push(html! { (words.at_least) " " (min) " " (unit) }),
            (None, Some(max)) => limits.push(html! { (words.at_most) " " (max) " " (unit) }),
            (None, None) => {}
        }
        if let Type::Named(id) = ty
            && let Some(TypeKind::Enum(labels) | TypeKind::Flags(labels)) =
                self.contract.named(*id).map(|it| &it.kind)
            && labels.len() <= MAX_VALUES_BESIDE
        {
            limits.push(html! {
                @for (index, label) in labels.iter().enumerate() {
                    @if index > 0 { ", " }
                    code { (label.name) }
                }
            });
        }
        limits
    }

    /// What a place says of its values: rules, and the example.
    fn details(&self, ty: &Type, own: &Rules) -> Markup {
        let (held, rules) = self.contract.held(ty, own);
        let limits = self.limits(held, &rules);
        html! {
            @if !limits.is_empty() {
                p.limits {
                    @for (index, limit) in limits.iter().enumerate() {
                        @if index > 0 { "; " }
                        (limit)
                    }
                }
            }
            @if let Some(example) = &rules.example {
                p.limits { (self.words.example) " " code { (example) } }
            }
        }
    }

    /// A table of members.
    pub(crate) fn members(&self, caption: Option<&str>, members: &[Member<'_>]) -> Markup {
        let words = self.words;
        html! {
            table.members {
                @if let Some(caption) = caption { caption { (caption) } }
                thead { tr { th scope="col" { (words.field) } th scope="col" { (words.description) } } }
                tbody { @for member in members { (self.member(*member)) } }
            }
        }
    }

    fn member(&self, member: Member<'_>) -> Markup {
        let words = self.words;
        let shown = match (self.contract.resolve(member.ty), member.ty, member.presence) {
            // What may be left out is marked so; nobody has to read `or null`.
            (_, Type::Option(inner), Presence::Optional) => inner,
            _ => member.ty,
        };
        html! {
            tr {
                th scope="row" {
                    code { (member.name) }
                    span.type { (self.expression(shown)) }
                    @match member.presence {
                        Presence::Required => span.required { (words.required) },
                        Presence::Optional => span.optional { (words.optional) },
                    }
                }
                td {
                    (self.docs(member.docs))
                    (self.details(member.ty, member.rules))
                    (self.personal(self.pii_of(member.ty, member.rules)))
                }
            }
        }
    }

    /// The most delicate personal data in values of a type.
    fn pii_of(&self, ty: &Type, own: &Rules) -> Option<truc_contract::Pii> {
        let (held, rules) = self.contract.held(ty, own);
        let inside = match held {
            Type::Named(id) => self.contract.named(*id).and_then(|definition| definition.pii),
            Type::List(item) => self.pii_of(item, &Rules::default()),
            _ => None,
        };
        rules.pii.max(inside)
    }

    /// The members of a type that is a record; none for all others.
    pub(crate) fn fields_of<'t>(&'t self, ty: &'t Type) -> Option<Vec<Member<'t>>> {
        let Type::Named(id) = self.contract.resolve(ty) else { return None };
        match &self.contract.named(*id)?.kind {
            TypeKind::Record(fields) => Some(
                fields
                    .iter()
                    .map(|field| Member {
                        name: &field.json,
                        ty: &field.ty,
                        rules: &field.rules,
                        docs: &field.docs,
                        presence: self.presence(&field.ty),
                    })
                    .collect(),
            ),
            _ => None,
        }
    }

    /// A parameter as a member.
    pub(crate) fn parameter<'t>(&self, parameter: &'t Parameter, presence: Presence) -> Member<'t> {
        Member {
            name: &parameter.json,
            ty: &parameter.ty,
            rules: &parameter.rules,
            docs: &parameter.docs,
            presence,
        }
    }

    /// Whether a member of this type may be left out.
    pub(crate) fn presence(&self, ty: &Type) -> Presence {
        match self.contract.resolve(ty) {
            Type::Option(_) => Presence::Optional,
            _ => Presence::Required,
        }
    }

    /// The definition of a named type.
    pub(crate) fn definition(&self, definition: &TypeDef) -> Markup {
        let words = self.words;
        html! {
            article.type-definition {
                h3 #{ "type-" (definition.name) } {
                    code { (definition.name) }
                    (self.personal(definition.pii))
                }
                p.kind {
                    @match &definition.kind {
                        TypeKind::Alias(target) => { (words.alias) " " (self.expression(target)) }
                        TypeKind::Record(_) => (words.record),
                        TypeKind::Variant(_) => (words.variant),
                        TypeKind::Enum(_) => { "string: " (words.one_of) }
                        TypeKind::Flags(_) => (words.any_of),
                    }
                }
                (self.docs(&definition.docs))
                @match &definition.kind {
                    TypeKind::Alias(target) => (self.details(target, &definition.rules)),
                    TypeKind::Record(fields) => {
                        @let members: Vec<Member<'_>> = fields.iter().map(|field| Member {
                            name: &field.json,
                            ty: &field.ty,
                            rules: &field.rules,
                            docs: &field.docs,
                            presence: self.presence(&field.ty),
                        }).collect();
                        (self.members(None, &members))
                    }
                    TypeKind::Variant(cases) => (self.cases(cases)),
                    TypeKind::Enum(labels) | TypeKind::Flags(labels) => (self.labels(labels)),
                }
            }
        }
    }

    fn cases(&self, cases: &[Case]) -> Markup {
        let words = self.words;
        html! {
            table.members {
                thead { tr { th scope="col" { (words.value) } th scope="col" { (words.description) } } }
                tbody {
                    @for case in cases {
                        tr {
                            th scope="row" {
                                code { (case.name) }
                                @if let Some(payload) = &case.payload {
                                    span.type { "value: " (self.expression(payload)) }
                                }
                            }
                            td {
                                (self.docs(&case.docs))
                                @if let Some(payload) = &case.payload { (self.details(payload, &Rules::default())) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn labels(&self, labels: &[Label]) -> Markup {
        let words = self.words;
        html! {
            table.members {
                thead { tr { th scope="col" { (words.value) } th scope="col" { (words.description) } } }
                tbody {
                    @for label in labels {
                        tr { th scope="row" { code { (label.name) } } td lang=(CONTRACT_LANGUAGE) { (self.docs(&label.docs)) } }
                    }
                }
            }
        }
    }
}
