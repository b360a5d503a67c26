//! How an operation is called: an example for the command line, examples of bodies, and the form that calls it from the
//! page. The form works with the page's script only, so it is hidden until the script shows it; everything it would
//! teach stands in the example as well.

use std::fmt::Write as _;

use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use truc_contract::model::Label;
use truc_contract::openapi::{DOSSIER_HEADER, PURPOSE_HEADER};
use truc_contract::{Operation, Parameter, Place, Rules, Segment, Type, TypeKind};

use crate::reference::Writer;
use crate::types::Presence;

/// Everything but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Lines that the field for a body shows at the most.
const MAX_LINES: usize = 24;

impl Writer<'_> {
    /// Examples of request and answer.
    pub(crate) fn examples_of(&self, operation: &Operation) -> Markup {
        let words = self.words;
        let answer = operation.ok.as_ref().and_then(|ty| {
            let ty = match self.contract.resolve(ty) {
                Type::Option(inner) => inner,
                _ => ty,
            };
            self.example(ty, &Rules::default())
        });
        html! {
            h4 { (words.example_request) }
            div.sample {
                pre.curl tabindex="0" { code { (self.curl(operation)) } }
                button.copy type="button" data-script hidden { (words.copy) }
            }
            @if let Some(answer) = answer {
                h4 { (words.example_answer) }
                pre tabindex="0" { code { (pretty(&answer)) } }
            }
        }
    }

    fn curl(&self, operation: &Operation) -> String {
        let mut address = self.base.clone();
        for segment in operation.path.segments() {
            match segment {
                Segment::Literal(text) => {
                    let _ = write!(address, "/{text}");
                }
                Segment::Parameter(name) => {
                    let parameter = operation.parameters.iter().find(|parameter| *parameter.json == **name);
                    let values = parameter.map(|parameter| self.example_texts(parameter)).unwrap_or_default();
                    match values.first() {
                        Some(value) => {
                            let _ = write!(address, "/{}", utf8_percent_encode(value, ENCODED));
                        }
                        None => {
                            let _ = write!(address, "/{{{name}}}");
                        }
                    }
                }
            }
        }
        if operation.path.segments().is_empty() {
            address.push('/');
        }
        let mut separator = '?';
        for parameter in operation.parameters.iter().filter(|parameter| parameter.place == Place::Query) {
            if self.presence_in_query(&parameter.ty, &parameter.rules) == Presence::Optional {
                continue;
            }
            for value in self.example_texts(parameter) {
                let _ =
                    write!(address, "{separator}{}={}", parameter.json, utf8_percent_encode(&value, ENCODED));
                separator = '&';
            }
        }
        let mut command = "curl -sS".to_owned();
        match operation.method.as_str() {
            "GET" => {}
            method => {
                let _ = write!(command, " -X {method}");
            }
        }
        let _ = write!(command, " \"$TRUC\"{}", quoted(&address));
        command.push_str(" \\\n  -H \"Authorization: Bearer $KEY\"");
        if operation.pii.is_some() {
            let _ = write!(
                command,
                " \\\n  -H {}",
                quoted(&format!("{PURPOSE_HEADER}: {}", self.words.purpose_example))
            );
        }
        if operation.takes_body() {
            command.push_str(" \\\n  -H 'content-type: application/json'");
            let body = self.example_body(operation).map_or_else(|| "{}".to_owned(), |body| pretty(&body));
            let _ = write!(command, " \\\n  -d {}", quoted(&body));
        }
        command
    }

    /// An example of a scalar or of a list of scalars, as texts.
    fn example_texts(&self, parameter: &Parameter) -> Vec<String> {
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        match self.example(&parameter.ty, &parameter.rules) {
            Some(Value::Array(items)) => items.into_iter().map(text).collect(),
            Some(value) => vec![text(value)],
            None => Vec::new(),
        }
    }

    fn example_body(&self, operation: &Operation) -> Option<Value> {
        if let Some(whole) = operation.parameters.iter().find(|parameter| parameter.place == Place::Body) {
            return self.example(&whole.ty, &whole.rules);
        }
        let mut members = Map::new();
        for member in operation.parameters.iter().filter(|parameter| parameter.place == Place::Member) {
            match self.example(&member.ty, &member.rules) {
                Some(value) => {
                    members.insert(member.json.as_ref().to_owned(), value);
                }
                None if self.presence(&member.ty) == Presence::Optional => {}
                None => return None,
            }
        }
        Some(Value::Object(members))
    }

    /// The form that calls the operation.
    pub(crate) fn try_out(&self, operation: &Operation) -> Markup {
        let words = self.words;
        let in_place =
            |place: Place| operation.parameters.iter().filter(move |parameter| parameter.place == place);
        html! {
            details.try data-script hidden data-method=(operation.method.as_str())
                data-path={ (self.base) (operation.path) } {
                summary { (words.try_it) }
                form autocomplete="off" {
                    @for parameter in in_place(Place::Path) { (self.field(parameter, "path", Presence::Required)) }
                    @for parameter in in_place(Place::Query) {
                        (self.field(parameter, "query", self.presence_in_query(&parameter.ty, &parameter.rules)))
                    }
                    label {
                        span.name { code { (PURPOSE_HEADER) } @if operation.pii.is_some() { " " span.required { (words.required) } } }
                        input type="text" name=(PURPOSE_HEADER) data-in="header" maxlength="200"
                            required[operation.pii.is_some()] placeholder=(words.purpose_example);
                    }
                    label {
                        span.name { code { (DOSSIER_HEADER) } }
                        input type="text" name=(DOSSIER_HEADER) data-in="header" maxlength="100";
                    }
                    @if operation.takes_body() {
                        @let body = self.example_body(operation).map(|body| pretty(&body)).unwrap_or_default();
                        label.wide {
                            span.name { (words.body) " " span.type { "application/json" } }
                            textarea data-in="body" spellcheck="false" required
                                rows=((body.lines().count() + 1).clamp(4, MAX_LINES)) { "\n" (body) }
                        }
                    }
                    @if !operation.method.is_safe() { p.note { (words.try_changes) } }
                    p.actions { button.send type="submit" { (words.send) } }
                }
                section.result aria-label=(words.result) {
                    p.outcome role="status" {}
                    dl.headers {}
                    pre.content tabindex="0" hidden { code {} }
                }
            }
        }
    }

    fn field(&self, parameter: &Parameter, place: &str, presence: Presence) -> Markup {
        let words = self.words;
        let required = presence == Presence::Required;
        let (held, _) = self.contract.held(&parameter.ty, &parameter.rules);
        let examples = self.example_texts(parameter);
        let first = examples.first().map(String::as_str).unwrap_or_default();
        let name = &parameter.json;
        html! {
            label {
                span.name {
                    code { (name) }
                    @if required { " " span.required { (words.required) } }
                    @if matches!(held, Type::List(_)) { " " span.type { (words.one_per_line) } }
                }
                @match self.choices(held) {
                    Some(choices) => {
                        select name=(name) data-in=(place) required[required] {
                            @if !required { option value="" selected {} }
                            @for choice in choices {
                                option value=(choice) selected[required && choice == first] { (choice) }
                            }
                        }
                    }
                    None if matches!(held, Type::List(_)) => {
                        textarea name=(name) data-in=(place) data-list rows="3" required[required] spellcheck="false" {
                            @if required { "\n" (examples.join("\n")) }
                        }
                    }
                    None => {
                        input type="text" name=(name) data-in=(place) required[required] spellcheck="false"
                            value=[required.then_some(first)] placeholder=[(!required).then_some(first)];
                    }
                }
            }
        }
    }

    /// The values among which a scalar is chosen.
    fn choices(&self, ty: &Type) -> Option<Vec<String>> {
        let names = |labels: &[Label]| labels.iter().map(|label| label.name.as_ref().to_owned()).collect();
        match ty {
            Type::Bool => Some(vec!["true".to_owned(), "false".to_owned()]),
            Type::Named(id) => match &self.contract.named(*id)?.kind {
                TypeKind::Enum(labels) => Some(names(labels)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// JSON for people.
fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
