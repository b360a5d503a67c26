//! Texts: what WIT names become in JSON and schemas, what documentation becomes in summaries, what no text may hold.

/// The name in JSON of a WIT name: camelCase.
pub(crate) fn camel(kebab: &str) -> String {
    let mut words = kebab.split('-');
    let mut camel = words.next().unwrap_or_default().to_ascii_lowercase();
    for word in words {
        push_capitalised(&mut camel, word);
    }
    camel
}

/// The name in JSON Schema of a WIT name: PascalCase.
pub(crate) fn pascal(kebab: &str) -> String {
    kebab.split('-').fold(String::new(), |mut pascal, word| {
        push_capitalised(&mut pascal, word);
        pascal
    })
}

fn push_capitalised(target: &mut String, word: &str) {
    let mut chars = word.chars();
    target.extend(chars.next().map(|c| c.to_ascii_uppercase()));
    target.push_str(&chars.as_str().to_ascii_lowercase());
}

/// Whether a character has no place in a text for people: control characters but line ends and tabs, and the characters
/// that make a text look other than it is (CVE-2021-42574).
pub(crate) fn is_hidden(char: char) -> bool {
    match char {
        '\n' | '\r' | '\t' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => char.is_control(),
    }
}

/// The first sentence of a documentation, without its full stop: a summary. Lines of one paragraph belong together.
pub fn first_sentence(docs: &str) -> String {
    let paragraph: Vec<&str> = docs.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    // "e.g. this" does not end a sentence.
    let end = paragraph.match_indices(". ").map(|(at, _)| at).find(|at| {
        let next = paragraph.get(at + 2..).and_then(|rest| rest.chars().next());
        next.is_some_and(|c| c.is_uppercase() || c == '(')
    });
    let sentence = end.and_then(|end| paragraph.get(..end)).unwrap_or(&paragraph);
    sentence.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_humps() {
        assert_eq!(camel("date-of-birth"), "dateOfBirth");
        assert_eq!(camel("URL-of-page"), "urlOfPage");
        assert_eq!(pascal("dossier-status"), "DossierStatus");
        assert_eq!(pascal("URL"), "Url");
    }

    #[test]
    fn a_sentence_may_go_over_lines_but_not_over_paragraphs() {
        assert_eq!(
            first_sentence("Sends a dossier; sent again\nit supplements. More."),
            "Sends a dossier; sent again it supplements"
        );
        assert_eq!(first_sentence("One parcel. (Thửa đất)"), "One parcel");
        assert_eq!(first_sentence("A code, e.g. 56"), "A code, e.g. 56");
        assert_eq!(first_sentence("Title\n\nText. Text."), "Title");
        assert_eq!(first_sentence(""), "");
    }
}
