//! Whatever is written, nothing here panics, and what is accepted is what was written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{CONTRACTS, folder, source};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use truc_contract::directive::{self, Place};
use truc_contract::{
    ChangeKind, Changes, ContractId, ContractText, Manifest, Method, PathTemplate, Segment, openapi,
    read_sources, sources_in,
};

/// What WIT texts are made of, so that random texts come beyond the parser's first line.
const WORDS: [&str; 62] = [
    "package ",
    "lgsp:case",
    "@1.0.0",
    ";",
    "interface ",
    "items",
    "world ",
    "connector",
    "{",
    "}",
    "(",
    ")",
    "<",
    ">",
    ",",
    ":",
    "->",
    "=",
    "func",
    "async ",
    "record ",
    "variant ",
    "enum ",
    "flags ",
    "resource ",
    "type ",
    "use ",
    "include ",
    "export ",
    "import ",
    "list",
    "option",
    "result",
    "tuple",
    "stream",
    "future",
    "map",
    "u8",
    "u64",
    "string",
    "bool",
    "char",
    "own",
    "borrow",
    "_",
    "static ",
    "constructor",
    "%",
    "a",
    "a-b",
    "\n",
    " ",
    "/// ",
    "/// @http GET /{a}\n",
    "/// @param a @min 1\n",
    "/// @status 404\n",
    "/**",
    "*/",
    "/*",
    "//",
    "\"",
    "truc:connector/types@0.1.0.{problem}",
];

fn wit_like() -> impl Strategy<Value = String> {
    prop::collection::vec(select(&WORDS[..]), 0..80).prop_map(|words| words.concat())
}

/// The texts of the repository's contracts.
fn texts() -> Vec<String> {
    CONTRACTS.iter().map(|name| sources_in(&[&folder(name)]).unwrap().remove(0).1).collect()
}

/// A contract of the repository with some damage: parts cut out, doubled, or replaced.
fn damaged() -> impl Strategy<Value = String> {
    let damage = (any::<Index>(), 0_usize..40, select(&WORDS[..]));
    (select(texts()), prop::collection::vec(damage, 1..4)).prop_map(|(mut text, damages)| {
        for (at, length, word) in damages {
            let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let begin = at.index(boundaries.len());
            let end = (begin + length).min(boundaries.len() - 1);
            text.replace_range(boundaries[begin]..boundaries[end], word);
        }
        text
    })
}

/// A manifest of random keys and values, some of them right.
fn manifest_like() -> impl Strategy<Value = String> {
    let lines = [
        "[connector]\n",
        "[upstreams.a]\n",
        "[config.b]\n",
        "[keys.c]\n",
        "[limits]\n",
        "[[limits]]\n",
        "[x]\n",
        "name = \"a\"\n",
        "version = \"1.0.0\"\n",
        "publisher = \"p\"\n",
        "description = \"d\"\n",
        "contract = \"a:b@1.0.0\"\n",
        "allow = [\"GET /a\"]\n",
        "allow = [{}]\n",
        "type = \"text\"\n",
        "default = [[1]]\n",
        "default = 1979-05-27\n",
        "use = [\"mac\"]\n",
        "memory = \"1MiB\"\n",
        "cpu = nan\n",
        "name.a = 1\n",
        "\"\" = 0x7f\n",
        "concurrency = 0xffffffffffffffffff\n",
        "= \n",
        "\"\"\"",
        "\u{feff}",
        "\r",
    ];
    prop::collection::vec(select(lines.to_vec()), 0..20).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_as_a_contract_or_refused(text in ".{0,400}") {
        let _ = read_sources(&source(&text));
    }

    #[test]
    fn any_row_of_words_is_read_as_a_contract_or_refused(text in wit_like(), other in wit_like()) {
        let _ = read_sources(&source(&text));
        let _ = read_sources(&[("a.wit".to_owned(), text), ("b.wit".to_owned(), other)]);
    }

    #[test]
    fn a_damaged_contract_is_described_or_refused_in_its_file(text in damaged()) {
        match read_sources(&source(&text)) {
            Ok(contract) => prop_assert!(!openapi::document(&contract, &"case".parse().unwrap()).is_empty()),
            Err(error) => prop_assert!(error.place.starts_with("case.wit"), "{}", error),
        }
    }

    #[test]
    fn a_damaged_contract_is_compared_with_its_original_or_refused(
        (original, damaged) in (select(texts()), any::<Index>(), 0_usize..40, select(&WORDS[..])).prop_map(
            |(text, at, length, word)| {
                let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
                let begin = at.index(boundaries.len());
                let end = (begin + length).min(boundaries.len() - 1);
                let mut damaged = text.clone();
                damaged.replace_range(boundaries[begin]..boundaries[end], word);
                (text, damaged)
            },
        )
    ) {
        let text = |text: &str| ContractText::new(source(text)).unwrap();
        let (original, damaged) = (text(&original), text(&damaged));
        if let Ok(changes) = Changes::between(&original, &damaged) {
            // Whatever is added one way is removed the other way.
            let back = Changes::between(&damaged, &original).unwrap();
            let count = |changes: &Changes, kind| changes.list.iter().filter(|change| change.kind == kind).count();
            prop_assert_eq!(count(&changes, ChangeKind::Added), count(&back, ChangeKind::Removed));
        }
    }

    #[test]
    fn any_text_is_read_as_a_manifest_or_refused(text in ".{0,400}", lines in manifest_like()) {
        for text in [text, lines] {
            if let Err(error) = Manifest::parse(&text, "connector.toml") {
                prop_assert!(!error.faults.is_empty());
                prop_assert!(error.to_string().starts_with("connector.toml"));
            }
        }
    }

    #[test]
    fn any_comment_is_taken_apart_or_refused(text in r"([ -~đ\n]|@(http|cache|param|status|pii|format|pattern|min|max|example) ){0,60}") {
        for place in [Place::Container, Place::Function, Place::Value, Place::Case] {
            if let Ok(docs) = directive::parse(Some(&text), place) {
                prop_assert!(docs.text.lines().all(|line| !line.trim_start().starts_with('@')));
            }
        }
    }

    #[test]
    fn a_path_template_is_what_was_written(text in r"(/|\{|\}|[a-z.%:~đ-]){0,20}") {
        if let Ok(template) = text.parse::<PathTemplate>() {
            prop_assert_eq!(template.as_str(), &text);
            let rebuilt: String = template.segments().iter().map(|segment| match segment {
                Segment::Literal(text) => format!("/{text}"),
                Segment::Parameter(name) => format!("/{{{name}}}"),
            }).collect();
            prop_assert_eq!(if rebuilt.is_empty() { "/" } else { &rebuilt }, &text);
            prop_assert!(template.same_shape(&template));
            prop_assert!(!text.contains("//") && !text.contains("/../") && !text.contains('%'));
        }
    }

    #[test]
    fn any_text_is_a_path_template_or_not(text in any::<String>()) {
        let _ = text.parse::<PathTemplate>();
        let _ = text.parse::<Method>();
    }

    #[test]
    fn a_contract_id_is_what_was_written(text in "[a-z:@0-9.-]{0,20}", any in any::<String>()) {
        if let Ok(id) = text.parse::<ContractId>() {
            prop_assert_eq!(id.to_string(), text);
        }
        let _ = any.parse::<ContractId>();
    }

    #[test]
    fn a_contract_id_survives_being_written(
        namespace in "[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8}){0,2}",
        name in "[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8}){0,2}",
        version in "(0|[1-9][0-9]{0,3})\\.(0|[1-9][0-9]{0,3})\\.(0|[1-9][0-9]{0,3})(-rc\\.[1-9])?",
    ) {
        let text = format!("{namespace}:{name}@{version}");
        prop_assert_eq!(text.parse::<ContractId>().unwrap().to_string(), text);
    }
}
