//! The help.

use crate::host::truc;

#[test]
fn the_help_shows_commands_examples_and_exit_codes() {
    insta::assert_snapshot!("help", truc(&["--help"]).text());
    insta::assert_snapshot!("service-put", truc(&["service", "put", "--help"]).text());
    insta::assert_snapshot!("contract-publish", truc(&["contract", "publish", "--help"]).text());
    insta::assert_snapshot!("contract-diff", truc(&["contract", "diff", "--help"]).text());
    insta::assert_snapshot!("secret-put", truc(&["secret", "put", "--help"]).text());
    insta::assert_snapshot!("vault-rotate", truc(&["vault", "rotate", "--help"]).text());
    insta::assert_snapshot!("exchanges", truc(&["exchanges", "-h"]).text());
}

#[test]
fn a_command_line_that_cannot_be_used_ends_with_2() {
    for arguments in [
        &[][..],
        &["colour"],
        &["serve"],
        &["grant", "add", "nowhere", "--service", "land", "--operation", "*"],
        &["service", "put", "land"],
        &["exchanges", "--limit", "0"],
        &["publish", "no-such-file.wasm"],
        &["contract", "publish", "no-such-folder"],
        &["contract", "diff", "no-such.wit", "no-such-either.wit"],
        &["contract", "show", "land"],
        &["agency", "list"],
        &["agency", "list", "--admin", "https://127.0.0.1", "--admin-key-file", "x"],
        &["agency", "list", "--admin-key-file", "no-such-file"],
    ] {
        let run = truc(arguments);
        assert_eq!(run.exit, 2, "{arguments:?}: {}", run.err);
        assert!(!run.err.is_empty());
    }
}
