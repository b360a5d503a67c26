//! The set as a whole: that all of it can be made, that there is enough of it, and that nothing is there twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use hostile::{Expected, generated};

#[test]
fn every_component_is_made_and_no_two_are_the_same() {
    let set = hostile::all();
    let names: BTreeSet<&str> = set.iter().map(|hostile| hostile.name).collect();
    assert_eq!(names.len(), set.len(), "a name stands twice");
    let mut components = BTreeSet::new();
    let mut wrong = Vec::new();
    for hostile in &set {
        match hostile.component() {
            Ok(component) => assert!(components.insert(component), "{} is there twice", hostile.name),
            Err(error) => wrong.push(error),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let called = set.iter().filter(|hostile| matches!(hostile.expected, Expected::Calls(_))).count();
    assert!(called >= 40, "{called} are called");
}

#[test]
fn most_of_what_chance_makes_is_a_connector() {
    let made: Vec<_> = generated::components().unwrap().take(300).collect();
    assert_eq!(made.len(), 300);
    let connectors: BTreeSet<_> = made.iter().filter_map(|(_, component)| component.as_ref()).collect();
    assert!(connectors.len() >= 250, "{} are", connectors.len());
}
