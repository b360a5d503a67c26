//! What every page has: head, bar, navigation, languages, main part.

use maud::{DOCTYPE, Markup, html};

use crate::assets::{ICON, SCRIPT, STYLE};
use crate::language::Language;

/// The language in which contracts are written; official terms in them stand in brackets, in Vietnamese.
pub(crate) const CONTRACT_LANGUAGE: &str = "en";

/// A page, still without its frame.
pub(crate) struct Frame<'a> {
    pub(crate) language: Language,
    /// For the browser's title bar; the product's name is added.
    pub(crate) title: &'a str,
    /// The list of what is on the page, for pages that are long.
    pub(crate) contents: Option<Markup>,
    pub(crate) main: Markup,
}

impl Frame<'_> {
    /// The whole document.
    pub(crate) fn render(self) -> String {
        let Self { language, title, contents, main } = self;
        let words = language.words();
        let page = html! {
            (DOCTYPE)
            html lang=(language.tag()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · Trục" }
                    link rel="icon" type="image/svg+xml" href=(ICON.path());
                    link rel="stylesheet" href=(STYLE.path());
                    script defer src=(SCRIPT.path()) {}
                }
                body data-sending=(words.sending) data-unreachable=(words.unreachable) data-late=(words.late)
                    data-not-a-segment=(words.not_a_segment) data-not-json=(words.not_json)
                    data-no-content=(words.no_content) data-cut=(words.cut)
                    data-copied=(words.copied) {
                    a.skip href="#main" { (words.skip) }
                    header.bar {
                        a.brand href=(home(language)) { strong { "Trục" } " " span { (words.documentation) } }
                        nav.languages aria-label=(words.language) {
                            @for other in Language::ALL {
                                a href={ "?lang=" (other.tag()) } lang=(other.tag()) hreflang=(other.tag())
                                    aria-current=[(other == language).then_some("true")] { (other.name()) }
                            }
                        }
                        @if contents.is_some() {
                            button.menu type="button" popovertarget="contents" { (words.menu) }
                        }
                    }
                    div.page.with-contents[contents.is_some()] {
                        @if let Some(contents) = contents {
                            nav #contents popover aria-label=(words.contents) { (contents) }
                        }
                        main #main tabindex="-1" { (main) }
                    }
                }
            }
        };
        page.into_string()
    }
}

/// The address of the list of services.
pub(crate) fn home(language: Language) -> String {
    format!("/docs?lang={}", language.tag())
}

/// The page that is shown where there is none.
pub(crate) fn missing(language: Language) -> String {
    let words = language.words();
    let main = html! {
        h1 { (words.missing) }
        p.lead { (words.missing_lead) }
        p { a href=(home(language)) { (words.all_services) } }
    };
    Frame { language, title: words.missing, contents: None, main }.render()
}
