//! What a contract becomes: operations, places, types, statuses and documentation.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{CONTRACTS, contract, source, wit};
use truc_contract::model::Fallible;
use truc_contract::{Contract, Method, Pii, Place, Type, TypeKind, example, read_sources, sources_in};

fn read(text: &str) -> Contract {
    read_sources(&source(text)).unwrap()
}

#[test]
fn parameters_find_their_place_by_route_and_type() {
    let contract = read(&wit("/// An item.\nrecord item { name: string }\n\
         /// Shows.\n/// @http GET /lists/{list-id}\nshow: func(list-id: u32, page-size: option<u8>) -> result<_, problem>;\n\
         /// Removes.\n/// @http DELETE /items/{id}\nremove: func(id: u32, force: bool) -> result<_, problem>;\n\
         /// Puts one.\n/// @http PUT /items/{id}\nput: func(id: u32, item: item) -> result<_, problem>;\n\
         /// Puts several.\nput-all: func(first: item, second: item) -> result<_, problem>;\n\
         /// Renames.\n/// @http PATCH /items/{id}\nrename: func(id: u32, name: string) -> result<_, problem>;"));
    let seen: Vec<String> = contract
        .operations
        .iter()
        .map(|operation| {
            let places: Vec<String> = operation
                .parameters
                .iter()
                .map(|parameter| format!("{}={:?}", parameter.json, parameter.place))
                .collect();
            format!("{} {} {} {}", operation.name, operation.method, operation.path, places.join(" "))
        })
        .collect();
    assert_eq!(
        seen,
        [
            "items/show GET /lists/{listId} listId=Path pageSize=Query",
            "items/remove DELETE /items/{id} id=Path force=Query",
            "items/put PUT /items/{id} id=Path item=Body",
            "items/put-all POST /items/put-all first=Member second=Member",
            "items/rename PATCH /items/{id} id=Path name=Member",
        ]
    );
}

#[test]
fn statuses_come_from_the_case_or_its_directive() {
    let contract = read(&wit(
        "/// Refusals.\nvariant refusal {\n  not-found,\n  denied,\n  conflict,\n  limited,\n  upstream-timeout,\n  \
         upstream-broken,\n  unavailable,\n  invalid-code,\n  other,\n  /// Locked.\n  /// @status 423\n  locked(string),\n}\n\
         /// Mishaps.\nenum mishap {\n  /// Gone.\n  /// @status 410\n  gone,\n}\n\
         /// Refuses.\nrefuse: func() -> result<_, refusal>;\n\
         /// Mishaps.\nslip: func() -> result<_, mishap>;\n\
         /// Never fails.\nsucceed: func() -> u32;",
    ));
    let statuses: Vec<(String, u16)> =
        contract.operations[0].errors.iter().map(|case| (case.name.to_string(), case.status)).collect();
    let expected = [
        ("not-found", 404),
        ("denied", 403),
        ("conflict", 409),
        ("limited", 429),
        ("upstream-timeout", 504),
        ("upstream-broken", 502),
        ("unavailable", 503),
        ("invalid-code", 422),
        ("other", 422),
        ("locked", 423),
    ];
    assert_eq!(statuses, expected.map(|(name, status)| (name.to_owned(), status)));
    assert_eq!(contract.operations[1].errors[0].status, 410);
    let fallible: Vec<Fallible> = contract.operations.iter().map(|operation| operation.fallible).collect();
    assert_eq!(fallible, [Fallible::Variant, Fallible::Enum, Fallible::Never]);
}

#[test]
fn a_result_behind_a_name_is_a_result() {
    let text = "package lgsp:case@1.0.0;\n\
        interface shared { use truc:connector/types@0.1.0.{problem}; type outcome = result<u32, problem>; }\n\
        interface items {\n use shared.{outcome as result-of-it};\n type again = result-of-it;\n\
        /// Does it.\n do-it: func() -> again; }\n\
        world connector { export items; }";
    let operation = &read(text).operations[0];
    assert_eq!((operation.fallible, operation.ok.clone()), (Fallible::Variant, Some(Type::U32)));
    assert_eq!(operation.errors.len(), 9);
}

#[test]
fn personal_data_is_seen_through_types_lists_and_errors() {
    let contract = read(&wit("/// A name.\n/// @pii basic\ntype name = string;\n\
         /// A record.\nrecord patient {\n  /// Names.\n  names: list<name>,\n  /// The finding.\n  /// @pii sensitive\n  finding: option<string>,\n}\n\
         /// Refusals.\nvariant refusal {\n  /// Belongs to somebody else.\n  taken-by(name),\n}\n\
         /// Nothing personal.\nplain: func() -> result<u32, problem>;\n\
         /// Goes in.\ninto: func(name: name) -> result<_, problem>;\n\
         /// Comes out.\nout: func() -> result<list<tuple<u32, patient>>, problem>;\n\
         /// In the refusal.\nrefuse: func() -> result<_, refusal>;\n\
         /// By the parameter alone.\n/// @param id @pii basic\nby-id: func(id: u32) -> result<_, problem>;"));
    let classes: Vec<Option<Pii>> = contract.operations.iter().map(|operation| operation.pii).collect();
    assert_eq!(classes, [None, Some(Pii::Basic), Some(Pii::Sensitive), Some(Pii::Basic), Some(Pii::Basic)]);
}

#[test]
fn a_rule_of_a_place_narrows_those_of_the_type() {
    let contract =
        read(&wit("/// A name.\n/// @min 1\n/// @max 50\n/// @example Nguyễn Văn An\ntype name = string;\n\
         /// Takes names.\n/// @param short @max 20\n/// @param maybe @min 2\n\
         take: func(short: name, maybe: option<name>) -> result<_, problem>;"));
    let in_force: Vec<(Option<i128>, Option<i128>)> = contract.operations[0]
        .parameters
        .iter()
        .map(|parameter| {
            let (ty, rules) = contract.held(&parameter.ty, &parameter.rules);
            assert_eq!(*ty, Type::String);
            (rules.min, rules.max)
        })
        .collect();
    assert_eq!(in_force, [(Some(1), Some(20)), (Some(2), Some(50))]);
}

#[test]
fn ordinary_comments_are_nobodys_documentation() {
    let text =
        wit("// An internal remark. @http GET /secret\n/// Does it.\n/* Another. */ // And one more.\n\
         do-it: func() -> result<_, problem>; /**/");
    let contract = read(&text);
    let operation = &contract.operations[0];
    assert_eq!((operation.docs.as_str(), operation.path.as_str()), ("Does it.", "/items/do-it"));
}

#[test]
fn line_ends_and_the_order_of_files_make_no_difference() {
    let types = "package lgsp:case@1.0.0;\n/// Types.\ninterface types {\n  /// A number.\n  /// @example 7\n  type number = u32;\n}\n";
    let items = "/// A contract.\npackage lgsp:case@1.0.0;\n/// Items.\ninterface items {\n  use types.{number};\n  \
                 use truc:connector/types@0.1.0.{problem};\n\n  /// Gives.\n  /// @http GET /{id}\n  get: func(id: number) -> result<_, problem>;\n}\n\
                 world connector {\n  export items;\n}\n";
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let one = read_sources(&[file("a.wit", types), file("b.wit", items)]).unwrap();
    let other = read_sources(&[file("b.wit", items), file("a.wit", types)]).unwrap();
    assert_eq!(one, other);
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let windows = read_sources(&[file("a.wit", &crlf(types)), file("b.wit", &crlf(items))]).unwrap();
    assert_eq!(one, windows);
}

#[test]
fn a_fault_is_told_in_the_file_it_is_in() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let good = file("a.wit", "package lgsp:case@1.0.0;\n\n// Nothing here.\n");
    let cases = [
        ("package lgsp:case@1.0.0;\ninterface items {\n  get func();\n}", "b.wit:3:"),
        ("package lgsp:case@1.0.0;\n/// \u{7}\ninterface items {\n}", "b.wit:2:"),
        ("package lgsp:other@1.0.0;\n", "b.wit:1:"),
        (
            "package lgsp:case@1.0.0;\ninterface items {\n  /// Gets.\n  get: func() -> result;\n}\nworld connector {\n  export items;\n}",
            "b.wit:4:",
        ),
    ];
    for (text, place) in cases {
        let error = read_sources(&[good.clone(), file("b.wit", text)]).unwrap_err();
        assert!(error.place.starts_with(place), "{error}");
    }
}

#[test]
fn types_of_one_name_get_different_schema_names() {
    let text = "package lgsp:case@1.0.0;\n\
        interface a { record item { b: bool } record problem-details { c: bool }\n\
          /// Takes it.\n take: func(x: item, y: problem-details); }\n\
        interface b { record item { d: bool }\n /// Takes it.\n take: func(x: item); }\n\
        interface c { record b-item { e: bool }\n /// Takes it.\n take: func(x: b-item); }\n\
        world connector { export a; export b; export c; }";
    let contract = read(text);
    let names: Vec<&str> = contract.types.iter().map(|definition| &*definition.name).collect();
    // `ProblemDetails` is the schema of problem documents.
    assert_eq!(names, ["Item", "AProblemDetails", "BItem", "CBItem"]);
}

#[test]
fn unstable_items_are_left_out_and_deprecated_ones_marked() {
    let contract = read(&wit(
        "/// Old.\n@since(version = 1.0.0)\n@deprecated(version = 1.0.0)\nold: func() -> result<_, problem>;\n\
         /// New.\n@unstable(feature = next)\nnew: func() -> result<_, problem>;",
    ));
    let seen: Vec<(&str, bool)> =
        contract.operations.iter().map(|it| (&*it.function, it.deprecated.is_some())).collect();
    assert_eq!(seen, [("old", true)]);
}

#[test]
fn the_contracts_of_the_repository_are_documented_throughout() {
    for name in CONTRACTS.into_iter().chain(["bench"]) {
        let contract = contract(name);
        assert!(!contract.docs.is_empty(), "{name} says nothing of itself");
        for operation in &contract.operations {
            for parameter in &operation.parameters {
                let at = format!("{name}: {}, parameter {}", operation.name, parameter.name);
                assert!(!parameter.docs.is_empty(), "{at} has no documentation");
                assert!(
                    example::of(&contract, &parameter.ty, &parameter.rules).is_some(),
                    "{at} has no example"
                );
                assert!(parameter.place != Place::Query || !matches!(operation.method, Method::Post), "{at}");
            }
            for case in &operation.errors {
                assert!(
                    !case.docs.is_empty(),
                    "{name}: {}, error {} has no documentation",
                    operation.name,
                    case.name
                );
            }
        }
        for definition in &contract.types {
            let undocumented: Vec<&str> = match &definition.kind {
                _ if definition.docs.is_empty() => vec!["the type itself"],
                // Shapes of values for tests: their hundreds of labels mean nothing.
                _ if definition.wit.starts_with("lgsp:trial/shapes@") => Vec::new(),
                TypeKind::Record(fields) => {
                    fields.iter().filter(|field| field.docs.is_empty()).map(|field| &*field.name).collect()
                }
                TypeKind::Variant(cases) => {
                    cases.iter().filter(|case| case.docs.is_empty()).map(|case| &*case.name).collect()
                }
                TypeKind::Enum(labels) | TypeKind::Flags(labels) => {
                    labels.iter().filter(|label| label.docs.is_empty()).map(|label| &*label.name).collect()
                }
                TypeKind::Alias(_) => Vec::new(),
            };
            assert!(undocumented.is_empty(), "{}: {undocumented:?} has no documentation", definition.wit);
        }
    }
}

#[test]
fn a_folder_that_is_not_there_is_told_by_its_name() {
    let error = sources_in(&[&common::folder("nowhere")]).unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(
        read_sources(&sources_in(&[empty.path()]).unwrap()).unwrap_err().reason,
        "there is no `.wit` file"
    );
    std::fs::write(empty.path().join("a.wit"), [0xff, 0xfe]).unwrap();
    let error = sources_in(&[empty.path()]).unwrap_err().to_string();
    assert!(error.contains("a.wit"), "{error}");
}
