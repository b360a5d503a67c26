//! One operation: what it is called, what goes in, what comes out, what can go wrong.

use std::collections::BTreeMap;

use maud::{Markup, html};
use truc_contract::openapi::{self, PURPOSE_HEADER};
use truc_contract::{ErrorCase, Operation, Place, Rules, Type, first_sentence};

use crate::markdown;
use crate::page::CONTRACT_LANGUAGE;
use crate::reference::{Writer, method};
use crate::types::{Member, Presence};

impl Writer<'_> {
    /// One operation in full.
    pub(crate) fn operation(&self, operation: &Operation) -> Markup {
        let words = self.words;
        html! {
            article.operation {
                h3 #(operation.name) {
                    span lang=(CONTRACT_LANGUAGE) { (markdown::inline(&first_sentence(&operation.docs))) }
                    a.here href={ "#" (operation.name) } aria-label=(words.link_here) { "#" }
                }
                p.route { (method(operation)) " " code { (self.base) (operation.path) } }
                div.columns {
                    div.text {
                        @if operation.deprecated.is_some() || operation.pii.is_some() {
                            p.marks {
                                @if let Some(version) = &operation.deprecated {
                                    span.mark.deprecated { (words.deprecated_since) " " (version) }
                                }
                                (self.personal(operation.pii))
                            }
                        }
                        (self.docs(markdown::after_first_sentence(&operation.docs)))
                        @if operation.pii.is_some() {
                            p.note { (words.personal_note) " " code { (PURPOSE_HEADER) } "." }
                        }
                        @if let Some(seconds) = operation.cache {
                            p.note { (words.cache_before) " " (seconds) " " (words.cache_after) }
                        }
                        p.grant { (words.name_in_grants) ": " code { (operation.name) } }
                        (self.parameters(operation, Place::Path, words.path_parameters))
                        (self.parameters(operation, Place::Query, words.query_parameters))
                        (self.body(operation))
                        (self.answer(operation))
                        (self.problems(operation))
                    }
                    div.examples { (self.examples_of(operation)) }
                }
                (self.try_out(operation))
            }
        }
    }

    fn parameters(&self, operation: &Operation, place: Place, title: &str) -> Markup {
        let here = operation.parameters.iter().filter(|parameter| parameter.place == place);
        let members: Vec<Member<'_>> = here
            .map(|parameter| {
                let presence = match place {
                    Place::Path => Presence::Required,
                    _ => self.presence_in_query(&parameter.ty, &parameter.rules),
                };
                self.parameter(parameter, presence)
            })
            .collect();
        html! {
            @if !members.is_empty() { h4 { (title) } (self.members(None, &members)) }
        }
    }

    /// Whether a query parameter may be left out: a list that is not there is empty.
    pub(crate) fn presence_in_query(&self, ty: &Type, own: &Rules) -> Presence {
        let rules = own.over(&self.contract.rules_of(ty));
        match self.contract.resolve(ty) {
            Type::List(_) if rules.min.is_none_or(|min| min <= 0) => Presence::Optional,
            _ => self.presence(ty),
        }
    }

    fn body(&self, operation: &Operation) -> Markup {
        let words = self.words;
        let whole = operation.parameters.iter().find(|parameter| parameter.place == Place::Body);
        let members: Vec<Member<'_>> = operation
            .parameters
            .iter()
            .filter(|parameter| parameter.place == Place::Member)
            .map(|parameter| self.parameter(parameter, self.presence(&parameter.ty)))
            .collect();
        html! {
            @if let Some(body) = whole {
                h4 { (words.body) }
                p { (words.body_of) " " (self.expression(&body.ty)) (self.personal(body.rules.pii)) }
                (self.docs(&body.docs))
                @if let Some(fields) = self.fields_of(&body.ty) { (self.members(None, &fields)) }
            } @else if !members.is_empty() {
                h4 { (words.body) }
                p { "JSON" }
                (self.members(None, &members))
            }
        }
    }

    fn answer(&self, operation: &Operation) -> Markup {
        let words = self.words;
        html! {
            h4 { (words.answer) }
            @match &operation.ok {
                None => p { span.status { "204" } " " (words.answer_empty) },
                Some(ty) => {
                    @let ty = match self.contract.resolve(ty) { Type::Option(inner) => inner, _ => ty };
                    p { span.status { "200" } " " (words.answer_with) " " (self.expression(ty)) }
                    @if let Some(fields) = self.fields_of(ty) { (self.members(None, &fields)) }
                }
            }
        }
    }

    fn problems(&self, operation: &Operation) -> Markup {
        let words = self.words;
        let mut own: BTreeMap<(u16, &str), Option<&ErrorCase>> =
            operation.errors.iter().map(|case| ((case.status, case.name.as_ref()), Some(case))).collect();
        let all = openapi::problems(self.contract, operation);
        for (status, code) in all.iter().flat_map(|(status, codes)| codes.keys().map(|code| (*status, code)))
        {
            if !self.common.contains(&(status, code.clone())) {
                own.entry((status, code)).or_default();
            }
        }
        html! {
            h4 { (words.problems) }
            @if !own.is_empty() {
                table.problems {
                    (self.problems_head())
                    tbody {
                        @for ((status, code), case) in &own {
                            tr {
                                td { (status) }
                                th scope="row" { code { (code) } }
                                td {
                                    @match case {
                                        Some(case) => {
                                            (self.docs(&case.docs))
                                            @if let Some(payload) = self.told_payload(case) {
                                                p.limits {
                                                    (words.carries) " " code { (self.member_of(case)) } ": "
                                                    (self.expression(payload))
                                                }
                                            }
                                        }
                                        None => (self.meaning(code)),
                                    }
                                }
                            }
                        }
                    }
                }
            }
            p.limits { (words.problems_more) " " a href="#problems" { (words.problems_all) } "." }
        }
    }
}

impl Writer<'_> {
    /// What a case carries, where it is more than the `detail` that any problem may have.
    fn told_payload<'c>(&self, case: &'c ErrorCase) -> Option<&'c Type> {
        case.payload.as_ref().filter(|_| self.member_of(case) != "detail")
    }

    /// The member of a problem document in which a case's payload stands.
    fn member_of(&self, case: &ErrorCase) -> &'static str {
        let waits = matches!(case.status, 429 | 503);
        match case.payload.as_ref().map(|ty| self.contract.resolve(ty)) {
            Some(Type::String) => "detail",
            Some(Type::List(item)) if self.is_fault(item) => "errors",
            Some(Type::U32) if waits => "retryAfter",
            Some(Type::Option(inner)) if waits && matches!(**inner, Type::U32) => "retryAfter",
            _ => "value",
        }
    }

    fn is_fault(&self, ty: &Type) -> bool {
        let Type::Named(id) = self.contract.resolve(ty) else { return false };
        let name = self.contract.named(*id).map(|definition| definition.wit.as_str()).unwrap_or_default();
        name.starts_with("truc:connector/types@") && name.ends_with("#fault")
    }
}
