//! The list of the services that are served.

use maud::html;
use truc_contract::{Contract, openapi};
use truc_model::ServiceName;

use crate::language::Language;
use crate::markdown;
use crate::page::{CONTRACT_LANGUAGE, Frame};

/// One service in the list.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its name.
    pub service: &'a ServiceName,
    /// The contract it serves.
    pub contract: &'a Contract,
}

/// The page that lists services, as an HTML document.
pub fn index(entries: &[Entry<'_>], language: Language) -> String {
    let words = language.words();
    let main = html! {
        h1 { (words.services) }
        p.lead { (words.services_lead) }
        @if entries.is_empty() {
            p { (words.no_services) }
        } @else {
            ul.services {
                @for Entry { service, contract } in entries {
                    li {
                        h2 lang=(CONTRACT_LANGUAGE) {
                            a href={ "/docs/" (service) "?lang=" (language.tag()) } { (openapi::title(contract)) }
                        }
                        div.docs lang=(CONTRACT_LANGUAGE) { (markdown::blocks(opening(&contract.docs))) }
                        p.facts {
                            code { "/api/" (service) "/v" (contract.id.version.major) }
                            " · " (words.version) " " (contract.id.version)
                            " · " (contract.operations.len()) " " (words.operations_count)
                            " · " a href={ "/api/" (service) "/v" (contract.id.version.major) "/openapi.json" }
                                { "OpenAPI" }
                        }
                    }
                }
            }
        }
    };
    Frame { language, title: words.documentation, contents: None, main }.render()
}

/// The first paragraph.
fn opening(docs: &str) -> &str {
    docs.split("\n\n").next().unwrap_or_default()
}
