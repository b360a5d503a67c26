//! The pages of the repository's contracts: what stands on them, in both languages, and that nothing a contract says can
//! become more than text.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::Path;

use truc_contract::{Contract, Pii, Place, TypeKind, openapi, read_sources, sources_in};
use truc_model::{Code, ServiceName};
use truc_portal::{Entry, Language, index, reference};

const CONTRACTS: [&str; 6] = ["civil-status", "insurance", "land", "payment", "postal", "trial"];

/// A contract of the repository.
fn contract(name: &str) -> Contract {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit").join(name);
    read_sources(&sources_in(&[&folder]).unwrap()).unwrap()
}

fn page(contract: &Contract, name: &str, language: Language) -> String {
    reference(contract, &name.parse().unwrap(), language)
}

/// A page with an element on each line, and without what changes with style and script.
fn stable(html: &str) -> String {
    let mut stable = String::new();
    for (index, part) in html.replace("><", ">\n<").split("portal.").enumerate() {
        match (index, part.split_once('.')) {
            (1.., Some((digest, rest))) if digest.len() == 16 => {
                stable.push_str("portal.<digest>.");
                stable.push_str(rest);
            }
            (0, _) => stable.push_str(part),
            _ => {
                stable.push_str("portal.");
                stable.push_str(part);
            }
        }
    }
    stable
}

/// The names of all elements and attributes of a document; quotation marks in it are those of attributes.
fn names(html: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut elements, mut attributes) = (BTreeSet::new(), BTreeSet::new());
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, mut quoted, mut end) = (after, false, after.len());
        for (at, char) in tag.char_indices() {
            match char {
                '"' => quoted = !quoted,
                '>' if !quoted => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        let tag = &after[..end];
        elements.insert(tag.trim_start_matches('/').split(char::is_whitespace).next().unwrap().to_owned());
        for part in tag.split('"').step_by(2) {
            attributes.extend(
                part.split_whitespace()
                    .skip_while(|word| tag.starts_with(word))
                    .map(|word| word.trim_end_matches('=').to_owned()),
            );
        }
        rest = &after[end..];
    }
    (elements, attributes)
}

#[test]
fn the_trial_contract_in_both_languages() {
    let contract = contract("trial");
    insta::assert_snapshot!("trial-vi", stable(&page(&contract, "trial", Language::Vietnamese)));
    insta::assert_snapshot!("trial-en", stable(&page(&contract, "trial", Language::English)));
}

#[test]
fn the_list_of_services_in_both_languages() {
    let contracts: Vec<(ServiceName, Contract)> =
        ["land", "trial"].into_iter().map(|name| (name.parse().unwrap(), contract(name))).collect();
    let entries: Vec<Entry<'_>> =
        contracts.iter().map(|(service, contract)| Entry { service, contract }).collect();
    insta::assert_snapshot!("index-vi", stable(&index(&entries, Language::Vietnamese)));
    insta::assert_snapshot!("index-en", stable(&index(&entries, Language::English)));
    assert!(index(&[], Language::English).contains("No service is open yet."));
}

#[test]
fn everything_a_contract_has_is_on_its_page() {
    for name in CONTRACTS {
        let contract = contract(name);
        for language in Language::ALL {
            let html = page(&contract, name, language);
            let has = |what: String| assert!(html.contains(&what), "{name} in {language:?} lacks {what}");
            assert_eq!(html, page(&contract, name, language), "the same contract gives the same page");
            has(format!("<html lang=\"{}\">", language.tag()));
            has(format!("href=\"/api/{name}/v1/openapi.json\""));
            for operation in &contract.operations {
                has(format!("<h3 id=\"{}\">", operation.name));
                has(format!("data-path=\"/api/{name}/v1{}\"", operation.path));
                for parameter in
                    operation.parameters.iter().filter(|parameter| parameter.place != Place::Body)
                {
                    has(format!("<code>{}</code>", parameter.json));
                }
                for (status, codes) in openapi::problems(&contract, operation) {
                    for code in codes.keys() {
                        has(format!("<td>{status}</td><th scope=\"row\"><code>{code}</code>"));
                    }
                }
            }
            for definition in &contract.types {
                has(format!("<h3 id=\"type-{}\">", definition.name));
                if let TypeKind::Record(fields) = &definition.kind {
                    fields.iter().for_each(|field| has(format!("<code>{}</code>", field.json)));
                }
            }
        }
    }
}

#[test]
fn the_platform_s_own_problems_are_told_in_the_page_s_language() {
    for name in CONTRACTS {
        let contract = contract(name);
        let (vietnamese, english) =
            (page(&contract, name, Language::Vietnamese), page(&contract, name, Language::English));
        let mut told = 0;
        for operation in &contract.operations {
            for code in
                openapi::problems(&contract, operation).into_values().flat_map(|codes| codes.into_keys())
            {
                let own = operation.errors.iter().any(|case| *case.name == *code);
                if let Some(known) = Code::ALL.iter().find(|known| known.as_str() == code && !own) {
                    assert!(english.contains(&format!("<td>{}</td>", known.title())), "{name}: {code}");
                    assert!(!vietnamese.contains(&format!("<td>{}</td>", known.title())), "{name}: {code}");
                    told += 1;
                }
            }
        }
        assert!(told > 0);
    }
}

#[test]
fn what_a_caller_must_heed_is_marked() {
    let mut contract = contract("trial");
    let article = |html: &str| {
        let (_, article) = html.split_once("<h3 id=\"values/echo-parameters\">").unwrap();
        article.split_once("</article>").unwrap().0.to_owned()
    };
    let plain = article(&page(&contract, "trial", Language::English));
    assert!(!plain.contains("Deprecated since") && !plain.contains("may be reused"));
    let since = contract.id.version.clone();
    let operation = &mut contract.operations[1];
    operation.deprecated = Some(since);
    operation.cache = Some(60);
    operation.pii = Some(Pii::Sensitive);
    for (language, told) in [
        (
            Language::English,
            [
                "Deprecated since version 1.0.0",
                "Answers may be reused for 60 seconds.",
                ">sensitive personal data<",
            ],
        ),
        (
            Language::Vietnamese,
            [
                "Không nên dùng nữa, từ phiên bản 1.0.0",
                "được dùng lại trong 60 giây.",
                ">dữ liệu cá nhân nhạy cảm<",
            ],
        ),
    ] {
        let html = page(&contract, "trial", language);
        let operation = article(&html);
        told.into_iter().for_each(|text| assert!(operation.contains(text), "{text}"));
        // The purpose is then demanded: by the form, and in the example for the command line.
        assert!(operation.contains("name=\"truc-purpose\" data-in=\"header\" maxlength=\"200\" required"));
        assert!(operation.contains("-H 'truc-purpose: "));
    }
}

#[test]
fn what_needs_the_script_is_not_shown_without_it() {
    let html = page(&contract("land"), "land", Language::English);
    assert!(html.matches("<details class=\"try\" data-script hidden ").count() > 5);
    assert!(html.contains("<div class=\"key\" data-script hidden>"));
    assert!(html.contains("<input id=\"key\" type=\"password\" autocomplete=\"off\""));
    assert!(!html.contains("name=\"key\""));
}

#[test]
fn no_text_of_a_contract_becomes_more_than_text() {
    let plain = contract("trial");
    let bad = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}</textarea></title>&lt;\n\n[x](javascript:alert(3))";
    let mut hostile = plain.clone();
    hostile.docs = bad.to_owned();
    for interface in &mut hostile.interfaces {
        interface.docs = bad.to_owned();
    }
    for operation in &mut hostile.operations {
        operation.docs = bad.to_owned();
        for parameter in &mut operation.parameters {
            parameter.docs = bad.to_owned();
            parameter.json = bad.into();
            parameter.rules.example = Some(bad.to_owned());
        }
        for case in &mut operation.errors {
            case.docs = bad.to_owned();
            case.name = bad.into();
        }
    }
    for definition in &mut hostile.types {
        definition.docs = bad.to_owned();
        definition.name = bad.into();
        definition.rules.example = Some(bad.to_owned());
        match &mut definition.kind {
            TypeKind::Record(fields) => {
                for field in fields {
                    field.docs = bad.to_owned();
                    field.json = bad.into();
                }
            }
            TypeKind::Variant(cases) => cases.iter_mut().for_each(|case| case.name = bad.into()),
            TypeKind::Enum(labels) | TypeKind::Flags(labels) => {
                labels.iter_mut().for_each(|label| label.name = bad.into());
            }
            TypeKind::Alias(_) => {}
        }
    }
    for language in Language::ALL {
        let name: ServiceName = "trial".parse().unwrap();
        for (written, sound) in [
            (page(&hostile, "trial", language), page(&plain, "trial", language)),
            (
                index(&[Entry { service: &name, contract: &hostile }], language),
                index(&[Entry { service: &name, contract: &plain }], language),
            ),
        ] {
            let (elements, attributes) = names(&written);
            let known: BTreeSet<String> = ["em", "strong", "p", "ul", "li"].map(str::to_owned).into();
            let (sound_elements, sound_attributes) = names(&sound);
            let new: Vec<_> =
                elements.difference(&sound_elements).filter(|it| !known.contains(*it)).collect();
            assert!(new.is_empty(), "elements that no page has: {new:?}");
            let new: Vec<_> = attributes.difference(&sound_attributes).collect();
            assert!(new.is_empty(), "attributes that no page has: {new:?}");
            assert_eq!(written.matches("<script").count(), 1);
            assert!(written.contains("&lt;script&gt;alert(1)"));
            assert!(!written.contains("href=\"javascript"));
        }
    }
}

#[test]
fn a_page_has_a_bound_whatever_the_contract() {
    let mut contract = contract("land");
    let operations = contract.operations.clone();
    for number in 0..1000 {
        for operation in &operations {
            let mut copy = operation.clone();
            copy.name = format!("{}-x{number}", operation.name).parse().unwrap();
            contract.operations.push(copy);
        }
    }
    let html = page(&contract, "land", Language::English);
    assert!(html.len() < 24 << 20, "{} bytes", html.len());
    assert!(html.contains("The page has become too long; details are in the OpenAPI document."));
    let last = &contract.operations.last().unwrap().name;
    assert!(html.contains(&format!("<h3 id=\"{last}\">")), "{last} is not even named");
}
