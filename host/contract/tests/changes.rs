//! What changed between two texts of a contract: each kind of change, whom it breaks, which version it asks for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fmt::Write as _;

use truc_contract::{Changes, ChangesError, ContractText, Effect};

fn text(wit: &str) -> ContractText {
    ContractText::new(vec![("case.wit".to_owned(), wit.to_owned())]).unwrap()
}

fn between(old: &str, new: &str) -> Changes {
    Changes::between(&text(old), &text(new)).unwrap()
}

/// A contract in which every kind of thing stands, as changes find it.
const BEFORE: &str = r#"/// Things.
package lgsp:case@1.0.0;

/// Items.
interface items {
    use truc:connector/types@0.1.0.{problem};

    /// A code.
    /// @pattern ^[a-z]+$
    /// @example abc
    type code = string;

    /// Sizes.
    enum size {
        /// Small.
        small,
        /// Large.
        large,
    }

    /// Rights.
    flags rights { read, write }

    /// What is sent.
    record sent {
        /// Its code.
        code: code,
        /// How many.
        /// @max 50
        count: u32,
    }

    /// What is received.
    record received {
        /// How many.
        /// @max 50
        count: u32,
        /// Its note.
        note: option<string>,
    }

    /// Both ways.
    record both {
        /// How large.
        /// @min 1
        size: u32,
    }

    /// What can be wrong.
    variant trouble {
        /// Not there.
        missing,
        /// Wrong.
        wrong(string),
    }

    /// Sends.
    /// @http POST /items
    send: func(sent: sent) -> result<received, trouble>;

    /// Turns round.
    /// @http PUT /items/{id}
    /// @param id Its number.
    turn: func(id: u32, both: both) -> result<both, trouble>;

    /// Looks up.
    /// @http GET /items/{id}
    /// @cache 60s
    get: func(id: u32, size: option<size>) -> result<rights, problem>;
}

/// More.
interface more {
    use truc:connector/types@0.1.0.{problem};

    /// Counts.
    count: func() -> result<u32, problem>;
}

world connector {
    include truc:connector/capabilities@0.1.0;
    export items;
    export more;
}
"#;

/// One edit of the contract: what is replaced, by what, and the changes that are told.
type Case = (&'static str, &'static str, &'static [(Effect, &'static str)]);

use Effect::{Breaking, Compatible};

const CASES: &[Case] = &[
    // Words.
    (
        "/// Things.",
        "/// Other things.",
        &[(Compatible, "lgsp:case: its documentation says now: Other things")],
    ),
    ("/// Items.", "/// Pieces.", &[(Compatible, "items: its documentation says now: Pieces")]),
    ("/// Sends.", "/// Sends it.", &[(Compatible, "items/send: its documentation says now: Sends it")]),
    (
        "@param id Its number.",
        "@param id Its key.",
        &[(Compatible, "items/turn(id): its documentation says now: Its key")],
    ),
    ("/// Small.", "/// Smaller.", &[(Compatible, "items#size.small: its documentation says now: Smaller")]),
    ("@example abc", "@example xyz", &[(Compatible, "items#code: it has another `@example`")]),
    (
        "@cache 60s",
        "@cache 90s",
        &[(Compatible, "items/get: its answers may be reused for 90 s; it was for 60 s before")],
    ),
    // Routes and statuses.
    (
        "@http POST /items",
        "@http POST /things",
        &[(Breaking, "items/send: its route was POST /items and is POST /things")],
    ),
    (
        "@http PUT /items/{id}",
        "@http PATCH /items/{id}",
        &[(Breaking, "items/turn: its route was PUT /items/{id} and is PATCH /items/{id}")],
    ),
    (
        "/// Not there.",
        "/// Not there.\n        /// @status 404",
        &[(Breaking, "items#trouble.missing: the refusal was answered with 422 and is with 404")],
    ),
    // Functions.
    (
        "get: func(id: u32, size: option<size>)",
        "get: func(size: option<size>, id: u32)",
        &[(
            Breaking,
            "items/get: its parameters stand in another order, which compiled connectors do not know",
        )],
    ),
    (
        "get: func(id: u32, size: option<size>)",
        "get: func(id: u32)",
        &[
            (Breaking, "items/get(size): the parameter is gone"),
            (Compatible, "items#size: no operation uses the type any more"),
        ],
    ),
    (
        "get: func(id: u32, size",
        "get: func(id: u32, more: bool, size",
        &[(Breaking, "items/get(more): a new parameter: callers and compiled connectors do not know it")],
    ),
    (
        "count: func() -> result<u32, problem>",
        "count: func() -> result<u64, problem>",
        &[(Breaking, "more/count: its answer was `u32` and is `u64`")],
    ),
    (
        "count: func() -> result<u32, problem>",
        "count: func() -> result<_, problem>",
        &[(Breaking, "more/count: its answer was `u32` and is nothing")],
    ),
    (
        "    /// Counts.\n",
        "    /// Lists.\n    lists: func() -> result<list<u32>, problem>;\n    /// Counts.\n",
        &[(Compatible, "more/lists: a new operation, POST /more/lists: Lists")],
    ),
    (
        "    export more;\n",
        "",
        &[
            (Breaking, "more: the interface, with all its operations, is gone"),
            (Breaking, "more/count: the operation POST /more/count is gone"),
        ],
    ),
    // Types.
    (
        "count: u32,\n        /// Its note.",
        "count: u64,\n        /// Its note.",
        &[(Breaking, "items#received.count: its type was `u32` and is `u64`")],
    ),
    (
        "note: option<string>,",
        "note: option<string>,\n        /// More.\n        more: bool,",
        &[(Breaking, "items#received.more: a new field: callers and compiled connectors do not know it")],
    ),
    (
        "        /// Its note.\n        note: option<string>,\n",
        "",
        &[(Breaking, "items#received.note: the field is gone")],
    ),
    ("        /// Large.\n        large,\n", "", &[(Breaking, "items#size.large: the case is gone")]),
    (
        "        large,\n",
        "        large,\n        /// Huge.\n        huge,\n",
        &[(Breaking, "items#size.huge: a new case: callers and compiled connectors do not know it")],
    ),
    (
        "{ read, write }",
        "{ write, read }",
        &[(
            Breaking,
            "items#rights: its flags stand in another order, which compiled connectors do not know",
        )],
    ),
    (
        "{ read, write }",
        "{ read, write, run }",
        &[(Breaking, "items#rights.run: a new flag: callers and compiled connectors do not know it")],
    ),
    ("wrong(string)", "wrong(u32)", &[(Breaking, "items#trouble.wrong: its type was `string` and is `u32`")]),
    (
        "missing,",
        "missing(string),",
        &[(Breaking, "items#trouble.missing: it carried nothing and carries `string`")],
    ),
    // Rules: what is taken, what is given, both.
    (
        "@max 50\n        count: u32,\n    }\n\n    /// What is received.",
        "@max 20\n        count: u32,\n    }\n\n    /// What is received.",
        &[(Breaking, "items#sent.count: `@max` was `50` and is `20`: what callers send may be refused now")],
    ),
    (
        "@max 50\n        count: u32,\n    }\n\n    /// What is received.",
        "@max 90\n        count: u32,\n    }\n\n    /// What is received.",
        &[(Compatible, "items#sent.count: `@max` was `50` and is `90`: more is taken than before")],
    ),
    (
        "@max 50\n        count: u32,\n        /// Its note.",
        "@max 20\n        count: u32,\n        /// Its note.",
        &[(Compatible, "items#received.count: `@max` was `50` and is `20`: less is given than before")],
    ),
    (
        "@max 50\n        count: u32,\n        /// Its note.",
        "@max 90\n        count: u32,\n        /// Its note.",
        &[(
            Breaking,
            "items#received.count: `@max` was `50` and is `90`: callers may receive what they never did",
        )],
    ),
    (
        "@min 1",
        "@min 2",
        &[(Breaking, "items#both.size: `@min` was `1` and is `2`: what callers send may be refused now")],
    ),
    (
        "        /// @min 1\n",
        "",
        &[(
            Breaking,
            "items#both.size: it has no `@min 1` any more: callers may receive what they never did",
        )],
    ),
    (
        "    /// @pattern ^[a-z]+$\n",
        "",
        &[(Compatible, "items#code: it has no `@pattern ^[a-z]+$` any more: more is taken than before")],
    ),
    (
        "^[a-z]+$",
        "^[a-z]{3}$",
        &[(
            Breaking,
            "items#code: `@pattern` was `^[a-z]+$` and is `^[a-z]{3}$`: what callers send may be refused now",
        )],
    ),
    (
        "/// Its note.",
        "/// Its note.\n        /// @format email\n        /// @example a@b.vn",
        &[
            (Compatible, "items#received.note: it has `@format email` now: less is given than before"),
            (Compatible, "items#received.note: it has another `@example`"),
        ],
    ),
    // The same type by another name, with and without its rules.
    (
        "        code: code,",
        "        /// @pattern ^[a-z]+$\n        /// @example abc\n        code: string,",
        &[(Compatible, "items#code: no operation uses the type any more")],
    ),
    (
        "        code: code,",
        "        code: string,",
        &[
            (Compatible, "items#code: no operation uses the type any more"),
            (
                Compatible,
                "items#sent.code: it has no `@pattern ^[a-z]+$` any more: more is taken than before",
            ),
            (Compatible, "items#sent.code: it has another `@example`"),
        ],
    ),
    // Personal data.
    (
        "/// Its note.",
        "/// Its note.\n        /// @pii basic",
        &[(
            Breaking,
            "items#received.note: it is basic personal data now: calls that touch it must state a purpose",
        )],
    ),
];

fn told(changes: &Changes) -> Vec<(Effect, String)> {
    changes.list.iter().map(|change| (change.effect, format!("{}: {}", change.item, change.text))).collect()
}

#[test]
fn every_kind_of_change_is_told_with_its_effect() {
    let mut differences = Vec::new();
    for (from, to, expected) in CASES {
        assert_eq!(BEFORE.matches(from).count(), 1, "{from:?} must stand once");
        let changes = between(BEFORE, &BEFORE.replace(from, to));
        let expected: Vec<(Effect, String)> =
            expected.iter().map(|(effect, text)| (*effect, (*text).to_owned())).collect();
        if told(&changes) != expected {
            differences.push(format!("{from:?} -> {to:?}: {:#?}", told(&changes)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn what_is_said_of_edits_that_reach_further() {
    let edits = [
        ("a renamed parameter", "turn: func(id: u32, both", "turn: func(number: u32, both"),
        (
            "an alias of another type",
            "/// @pattern ^[a-z]+$\n    /// @example abc\n    type code = string;",
            "type code = u32;",
        ),
        (
            "a record that became a variant",
            "record both {\n        /// How large.\n        /// @min 1\n        size: u32,\n    }",
            "variant both { large(u32), none }",
        ),
        ("another error", "-> result<received, trouble>", "-> result<received, problem>"),
        (
            "deprecation",
            "/// Counts.\n    count",
            "/// Counts.\n    @since(version = 1.0.0)\n    @deprecated(version = 1.1.0)\n    count",
        ),
    ];
    let mut said = String::new();
    for (what, from, to) in edits {
        assert_eq!(BEFORE.matches(from).count(), 1, "{what}");
        let mut new = BEFORE.replace(from, to);
        if what == "a renamed parameter" {
            new = new.replace("PUT /items/{id}", "PUT /items/{number}").replace("@param id", "@param number");
        }
        if what == "deprecation" {
            new = new.replace("lgsp:case@1.0.0", "lgsp:case@1.1.0");
        }
        let changes = between(BEFORE, &new);
        writeln!(said, "{what}: {} -> {}", changes.effect().as_str(), changes.right_version()).unwrap();
        for (effect, text) in told(&changes) {
            writeln!(said, "  {} {text}", effect.as_str()).unwrap();
        }
    }
    insta::assert_snapshot!(said);
}

#[test]
fn the_right_version_follows_from_the_changes() {
    let right = |new: &str| between(BEFORE, new).right_version().to_string();
    assert_eq!(right(BEFORE), "1.0.0");
    assert_eq!(right(&BEFORE.replace("/// Sends.", "/// Sends it.")), "1.0.1");
    let added = BEFORE.replace(
        "    /// Counts.\n",
        "    /// Adds.\n    add: func() -> result<_, problem>;\n    /// Counts.\n",
    );
    assert_eq!(right(&added), "1.1.0");
    assert_eq!(right(&BEFORE.replace("    export more;\n", "")), "2.0.0");
    let early = BEFORE.replace("@1.0.0;", "@0.3.1;");
    assert_eq!(between(&early, &added.replace("@1.0.0;", "@0.3.2;")).right_version().to_string(), "0.3.2");
    assert_eq!(
        between(&early, &early.replace("    export more;\n", "")).right_version().to_string(),
        "0.4.0"
    );
}

/// Types that no operation reaches are in no description, and are exports all the same.
#[test]
fn the_last_word_is_wit_components() {
    let old = BEFORE
        .replace("    /// Sends.\n", "    /// Unused.\n    record unused { a: u32 }\n\n    /// Sends.\n");
    let changes = between(&old, BEFORE);
    assert_eq!(changes.effect(), Effect::Breaking);
    insta::assert_snapshot!(told(&changes)[0].1);
    // More types break nobody, nor does what connectors may import.
    assert_eq!(between(BEFORE, &old).effect(), Effect::Compatible);
    let bare = BEFORE.replace("    include truc:connector/capabilities@0.1.0;\n", "");
    for (old, new) in [(bare.as_str(), BEFORE), (BEFORE, bare.as_str())] {
        assert_eq!(told(&between(old, new)), []);
    }
}

#[test]
fn the_contracts_of_the_repository_are_compatible_with_themselves_under_the_next_version() {
    for name in common::CONTRACTS {
        let sources = truc_contract::sources_in(&[&common::folder(name)]).unwrap();
        let next = sources.iter().map(|(file, text)| (file.clone(), text.replace("@1.0.0;", "@1.1.0;")));
        let (old, new) =
            (ContractText::new(sources.clone()).unwrap(), ContractText::new(next.collect()).unwrap());
        let changes = Changes::between(&old, &new).unwrap();
        assert_eq!((told(&changes), changes.to.version.to_string()), (vec![], "1.1.0".to_owned()), "{name}");
        assert_eq!(Changes::between(&old, &old).unwrap().list, []);
    }
}

#[test]
fn different_contracts_and_broken_texts_are_not_compared() {
    let other = text(&BEFORE.replace("lgsp:case", "lgsp:other"));
    let error = Changes::between(&text(BEFORE), &other).unwrap_err();
    assert!(matches!(error, ChangesError::Different { .. }), "{error}");
    let broken = text(&BEFORE.replace("@cache 60s", "@cash 60s"));
    let error = Changes::between(&text(BEFORE), &broken).unwrap_err().to_string();
    assert!(error.starts_with("case.wit:") && error.contains("lgsp:case/items@1.0.0#get"), "{error}");
}
