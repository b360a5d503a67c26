//! Documentation as HTML. It is CommonMark without HTML: what looks like HTML is text here, links lead to web addresses
//! or into the page, images are their texts.

use std::fmt::Write as _;

use maud::{Escaper, Markup, PreEscaped};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// How far below the page's title headings in documentation begin.
const HEADINGS_BELOW: usize = 3;

/// A documentation in paragraphs.
pub(crate) fn blocks(text: &str) -> Markup {
    write(text, Shape::Blocks)
}

/// A documentation of one sentence, without links and paragraphs, fit for a heading.
pub(crate) fn inline(text: &str) -> Markup {
    write(text, Shape::Inline)
}

/// The documentation after its first sentence.
pub(crate) fn after_first_sentence(docs: &str) -> &str {
    // The sentence is the text's beginning with its white space made even.
    let mut left = truc_contract::first_sentence(docs).chars().filter(|char| !char.is_whitespace()).count();
    let mut end = 0;
    for (at, char) in docs.char_indices() {
        if left == 0 {
            break;
        }
        left -= usize::from(!char.is_whitespace());
        end = at + char.len_utf8();
    }
    docs.get(end..).unwrap_or_default().trim_start_matches('.').trim_start_matches([' ', '\n']).trim_end()
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Blocks,
    Inline,
}

fn write(text: &str, shape: Shape) -> Markup {
    let mut html = Html { text: String::with_capacity(text.len() * 2), shape, links: Vec::new() };
    for event in Parser::new_ext(text, Options::empty()) {
        html.event(event);
    }
    PreEscaped(html.text)
}

struct Html {
    text: String,
    shape: Shape,
    /// Whether each link that is open was written.
    links: Vec<bool>,
}

impl Html {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Code(code) => {
                self.text.push_str("<code>");
                self.escaped(&code);
                self.text.push_str("</code>");
            }
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.escaped(&text),
            Event::SoftBreak => self.text.push('\n'),
            Event::HardBreak => self.block("<br>"),
            Event::Rule => self.block("<hr>"),
            // Extensions, which are all off.
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.escaped(&text)
            }
            Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.block("<p>"),
            Tag::Heading { level, .. } => {
                let element = heading(level);
                self.block(&format!("<{element}>"));
            }
            Tag::BlockQuote(_) => self.block("<blockquote>"),
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                self.block("<pre tabindex=\"0\"><code>");
            }
            Tag::List(None) => self.block("<ul>"),
            Tag::List(Some(first)) => self.block(&format!("<ol start=\"{first}\">")),
            Tag::Item => self.block("<li>"),
            Tag::Emphasis => self.text.push_str("<em>"),
            Tag::Strong => self.text.push_str("<strong>"),
            Tag::Link { dest_url, .. } => {
                let written = self.shape == Shape::Blocks && leads_somewhere_safe(&dest_url);
                if written {
                    self.text.push_str("<a rel=\"noopener noreferrer nofollow\" href=\"");
                    self.escaped(&dest_url);
                    self.text.push_str("\">");
                }
                self.links.push(written);
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.block("</p>\n"),
            TagEnd::Heading(level) => {
                let element = heading(level);
                self.block(&format!("</{element}>\n"));
            }
            TagEnd::BlockQuote(_) => self.block("</blockquote>\n"),
            TagEnd::CodeBlock => self.block("</code></pre>\n"),
            TagEnd::List(false) => self.block("</ul>\n"),
            TagEnd::List(true) => self.block("</ol>\n"),
            TagEnd::Item => self.block("</li>\n"),
            TagEnd::Emphasis => self.text.push_str("</em>"),
            TagEnd::Strong => self.text.push_str("</strong>"),
            TagEnd::Link if self.links.pop() == Some(true) => self.text.push_str("</a>"),
            _ => {}
        }
    }

    /// What has a place among blocks only.
    fn block(&mut self, html: &str) {
        if self.shape == Shape::Blocks {
            self.text.push_str(html);
        }
    }

    fn escaped(&mut self, text: &str) {
        // Writing into a string cannot fail.
        let _ = Escaper::new(&mut self.text).write_str(text);
    }
}

fn heading(level: pulldown_cmark::HeadingLevel) -> &'static str {
    match level as usize + HEADINGS_BELOW {
        ..=4 => "h4",
        5 => "h5",
        _ => "h6",
    }
}

fn leads_somewhere_safe(address: &str) -> bool {
    let begins = |scheme: &str| {
        address.get(..scheme.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(scheme))
    };
    address.starts_with('#') || begins("https://") || begins("http://")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn documentation_becomes_the_elements_it_means() {
        let html = blocks(
            "A *word*, `code` & [a link](https://a.vn/?a=1&b=\"2\").\n\n# Title\n\n* one\n* two\n\n3. three\n\n    code <b>\n",
        );
        insta::assert_snapshot!(html.0);
    }

    #[test]
    fn hostile_documentation_is_text() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "[a](javascript:alert(1)) [b](data:text/html,x) [c](JaVaScRiPt:x) <javascript:alert(1)>",
            "![x](https://evil.example/x.png)",
            "`</code><script>`",
            "[a](https://a.vn/\"onmouseover=\"x)",
            "</div></main>",
        ] {
            for html in [blocks(text).0, inline(text).0] {
                for bad in [
                    "<script",
                    "<img",
                    "javascript:alert(1)\"",
                    "data:text/html,x\"",
                    "\"onmouse",
                    "</div",
                    "</main",
                ] {
                    assert!(!html.contains(bad), "{text} gave {html}");
                }
            }
        }
        assert!(blocks("[a](#b) <https://c.vn>").0.contains("href=\"#b\""));
        assert!(!inline("[a](https://b.vn)").0.contains("href"));
    }

    #[test]
    fn what_follows_the_first_sentence() {
        for (docs, expected) in [
            ("One parcel. (Thửa đất)", "(Thửa đất)"),
            ("A text over\nlines. More.\n\nEven more.\n", "More.\n\nEven more."),
            ("Only one.", ""),
            ("Title\n\n* a\n* b", "* a\n* b"),
            ("", ""),
        ] {
            assert_eq!(after_first_sentence(docs), expected, "{docs:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_only_known_elements_come_out(text in ".{0,200}") {
            let html = blocks(&text).0;
            let mut rest = html.as_str();
            while let Some(at) = rest.find('<') {
                rest = &rest[at + 1..];
                let known = ["p>", "/p>", "h4>", "/h4>", "h5>", "/h5>", "h6>", "/h6>", "blockquote>", "/blockquote>",
                    "pre tabindex=\"0\">", "/pre>", "code>", "/code>", "ul>", "/ul>", "ol start=\"", "/ol>", "li>", "/li>",
                    "em>", "/em>", "strong>", "/strong>", "a rel=\"noopener noreferrer nofollow\" href=\"", "/a>", "br>", "hr>"];
                prop_assert!(known.iter().any(|element| rest.starts_with(element)), "{}", html);
            }
        }
    }
}
