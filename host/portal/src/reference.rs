//! The reference of one service: overview, authentication, operations by interface, problems, types.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use serde_json::Value;
use truc_contract::openapi::{DOSSIER_HEADER, IDEMPOTENCY_KEY_HEADER, PURPOSE_HEADER, REQUEST_ID_HEADER};
use truc_contract::{
    Contract, Operation, Pii, Rules, Type, TypeDef, TypeId, example, first_sentence, openapi,
};
use truc_model::{Code, ServiceName};

use crate::language::Language;
use crate::markdown;
use crate::page::{CONTRACT_LANGUAGE, Frame};
use crate::words::{Words, vietnamese_meaning};

/// How many values the examples of one page may hold together.
const MAX_EXAMPLE_VALUES: usize = 100_000;

/// Bytes of HTML after which operations and types are only named.
const MAX_DETAILS: usize = 12 << 20;

/// The reference of a contract served under a name, as an HTML document.
pub fn reference(contract: &Contract, service: &ServiceName, language: Language) -> String {
    Writer::new(contract, service, language).page()
}

/// Writes one reference.
pub(crate) struct Writer<'a> {
    pub(crate) contract: &'a Contract,
    pub(crate) language: Language,
    pub(crate) words: &'static Words,
    /// `/api/land/v1`
    pub(crate) base: String,
    /// The platform's problems that every operation can be answered with.
    pub(crate) common: BTreeSet<(u16, String)>,
    /// How many values examples may still hold.
    example_values: Cell<usize>,
    /// Examples of named types; most operations share theirs.
    examples: RefCell<BTreeMap<TypeId, Option<Value>>>,
}

impl<'a> Writer<'a> {
    fn new(contract: &'a Contract, service: &ServiceName, language: Language) -> Self {
        Self {
            contract,
            language,
            words: language.words(),
            base: format!("/api/{service}/v{}", contract.id.version.major),
            common: common_problems(contract),
            example_values: Cell::new(MAX_EXAMPLE_VALUES),
            examples: RefCell::default(),
        }
    }

    fn page(self) -> String {
        let title = openapi::title(self.contract);
        let contents = self.contents();
        let mut room = MAX_DETAILS;
        let mut fitting = |full: &dyn Fn() -> Markup, short: &dyn Fn() -> Markup| {
            let markup = if room > 0 { full() } else { short() };
            room = room.saturating_sub(markup.0.len());
            markup
        };
        let interfaces: Vec<Markup> = self
            .contract
            .interfaces
            .iter()
            .map(|interface| {
                let operations: Vec<Markup> = self
                    .operations_of(&interface.name)
                    .map(|operation| {
                        fitting(&|| self.operation(operation), &|| self.short_operation(operation))
                    })
                    .collect();
                html! {
                    section.interface {
                        h2 #{ "interface-" (interface.name) } { code { (interface.name) } }
                        (self.docs(&interface.docs))
                        @for operation in operations { (operation) }
                    }
                }
            })
            .collect();
        let types: Vec<Markup> = self
            .contract
            .types
            .iter()
            .map(|definition| fitting(&|| self.definition(definition), &|| self.short_type(definition)))
            .collect();
        let main = html! {
            (self.overview(&title))
            (self.authentication())
            @for interface in interfaces { (interface) }
            (self.common_problems())
            @if !types.is_empty() {
                section {
                    h2 #types { (self.words.types) }
                    p { (self.words.types_lead) }
                    @for definition in types { (definition) }
                }
            }
        };
        Frame { language: self.language, title: &title, contents: Some(contents), main }.render()
    }

    fn contents(&self) -> Markup {
        html! {
            ul {
                li { a href="#overview" { (self.words.overview) } }
                li { a href="#authentication" { (self.words.authentication) } }
            }
            @for interface in &self.contract.interfaces {
                p { a href={ "#interface-" (interface.name) } { (interface.name) } }
                ul.operations {
                    @for operation in self.operations_of(&interface.name) {
                        li {
                            a href={ "#" (operation.name) } {
                                (method(operation))
                                span lang=(CONTRACT_LANGUAGE) { (markdown::inline(&short_name(operation))) }
                            }
                        }
                    }
                }
            }
            ul {
                li { a href="#problems" { (self.words.problems) } }
                @if !self.contract.types.is_empty() {
                    li { a href="#types" { (self.words.types) } }
                }
            }
        }
    }

    fn overview(&self, title: &str) -> Markup {
        let words = self.words;
        let document = format!("{}/openapi.json", self.base);
        html! {
            section.overview {
                h1 #overview lang=(CONTRACT_LANGUAGE) { (title) }
                (self.docs(&self.contract.docs))
                dl.facts {
                    div { dt { (words.base_path) } dd { code { (self.base) } } }
                    div { dt { (words.version) } dd { (self.contract.id.version) } }
                    div { dt { (words.contract) } dd { code { (self.contract.id) } } }
                    div { dt { (words.openapi) } dd { a href=(document) { (words.openapi_download) } } }
                }
            }
        }
    }

    fn authentication(&self) -> Markup {
        let words = self.words;
        let header = |name: &str, docs: &str| {
            html! { tr { th scope="row" { code { (name) } } td { (docs) } } }
        };
        html! {
            section {
                h2 #authentication { (words.authentication) }
                p { (words.authentication_lead) " " code { "Authorization: Bearer <key>" } "." }
                div.key data-script hidden {
                    label for="key" { (words.key) }
                    input #key type="password" autocomplete="off" autocapitalize="off" spellcheck="false"
                        aria-describedby="key-note";
                    p #key-note { (words.key_note) }
                }
                table.members {
                    caption { (words.headers) }
                    thead { tr { th scope="col" { (words.field) } th scope="col" { (words.description) } } }
                    tbody {
                        (header(PURPOSE_HEADER, words.purpose))
                        (header(DOSSIER_HEADER, words.dossier))
                        (header(IDEMPOTENCY_KEY_HEADER, words.idempotency_key))
                        (header(REQUEST_ID_HEADER, words.request_id))
                    }
                }
            }
        }
    }

    /// The head of a table of problems.
    pub(crate) fn problems_head(&self) -> Markup {
        let words = self.words;
        html! {
            thead { tr {
                th scope="col" { (words.status) }
                th scope="col" { (words.code) }
                th scope="col" { (words.meaning) }
            } }
        }
    }

    fn common_problems(&self) -> Markup {
        let words = self.words;
        html! {
            section {
                h2 #problems { (words.problems) }
                p { (words.problems_lead) }
                table.problems {
                    (self.problems_head())
                    tbody {
                        @for (status, code) in &self.common {
                            tr { td { (status) } th scope="row" { code { (code) } } td { (self.meaning(code)) } }
                        }
                    }
                }
            }
        }
    }

    fn short_operation(&self, operation: &Operation) -> Markup {
        html! {
            article.operation {
                h3 #(operation.name) { (method(operation)) " " code { (self.base) (operation.path) } }
                p { (self.words.too_long) }
            }
        }
    }

    fn short_type(&self, definition: &TypeDef) -> Markup {
        html! { h3 #{ "type-" (definition.name) } { code { (definition.name) } } }
    }

    fn operations_of<'s>(&'s self, interface: &'s str) -> impl Iterator<Item = &'a Operation> + 's {
        let of_it = move |name: &str| name.split_once('/').is_some_and(|(before, _)| before == interface);
        self.contract.operations.iter().filter(move |operation| of_it(operation.name.as_str()))
    }

    /// A documentation of the contract.
    pub(crate) fn docs(&self, docs: &str) -> Markup {
        html! {
            @if !docs.is_empty() {
                div.docs lang=(CONTRACT_LANGUAGE) { (markdown::blocks(docs)) }
            }
        }
    }

    /// What one of the platform's problems means.
    pub(crate) fn meaning(&self, code: &str) -> &'static str {
        let known = Code::ALL.iter().copied().find(|known| known.as_str() == code);
        known.map_or("", |known| match self.language {
            Language::English => known.title(),
            Language::Vietnamese => vietnamese_meaning(known).unwrap_or(known.title()),
        })
    }

    /// The mark of personal data.
    pub(crate) fn personal(&self, pii: Option<Pii>) -> Markup {
        html! {
            @match pii {
                Some(Pii::Basic) => { " " span.mark.personal { (self.words.personal) } }
                Some(Pii::Sensitive) => { " " span.mark.personal.sensitive { (self.words.personal_sensitive) } }
                None => {}
            }
        }
    }

    /// An example of a type under the rules of its place.
    pub(crate) fn example(&self, ty: &Type, rules: &Rules) -> Option<Value> {
        let shared = match ty {
            Type::Named(id) if rules.example.is_none() && !rules.constrain() => Some(*id),
            _ => None,
        };
        if let Some(known) = shared.and_then(|id| self.examples.borrow().get(&id).cloned()) {
            return known;
        }
        let mut stock = self.example_values.get();
        let made = example::within(self.contract, ty, rules, &mut stock);
        self.example_values.set(stock);
        if let Some(id) = shared {
            self.examples.borrow_mut().insert(id, made.clone());
        }
        made
    }
}

/// The method of an operation, as a mark.
pub(crate) fn method(operation: &Operation) -> Markup {
    let method = operation.method.as_str();
    html! { span class={ "method " (method.to_ascii_lowercase()) } { (method) } }
}

/// What an operation is called in the contents: its first sentence, up to a semicolon.
fn short_name(operation: &Operation) -> String {
    let sentence = first_sentence(&operation.docs);
    sentence.split("; ").next().unwrap_or_default().to_owned()
}

fn common_problems(contract: &Contract) -> BTreeSet<(u16, String)> {
    let mut sets = contract.operations.iter().map(|operation| {
        let own: BTreeSet<&str> = operation.errors.iter().map(|case| case.name.as_ref()).collect();
        openapi::problems(contract, operation)
            .into_iter()
            .flat_map(|(status, codes)| codes.into_keys().map(move |code| (status, code)))
            .filter(|(_, code)| !own.contains(code.as_str()))
            .collect::<BTreeSet<_>>()
    });
    let first = sets.next().unwrap_or_default();
    sets.fold(first, |common, set| &common & &set)
}
