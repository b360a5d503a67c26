//! What is measured: the contract, and a request and an answer for each of its operations.

use anyhow::Result;
use truc_contract::{Contract, read_sources};

use crate::plain::{Entry, Plain, Scan, Sex};

/// The operations give back what they were given, so that what is read is what is written.
const WIT: &str = r#"
/// What the codec is measured with.
package lgsp:codec@1.0.0;

/// Entries of a register.
interface entries {
    /// Sex.
    enum sex { male, female }

    /// Ten fields without constraints.
    record entry {
        id: string, full-name: string, date-of-birth: string, sex: sex, ethnicity: string, province: string,
        commune: string, address: string, version: u32, in-force: bool,
    }

    /// The same ten fields with constraints.
    record checked-entry {
        /// @pattern ^[0-9]{12}$
        id: string,
        /// @min 1
        /// @max 100
        full-name: string,
        /// @format date
        date-of-birth: string,
        sex: sex,
        /// @max 40
        ethnicity: string,
        /// @max 100
        province: string,
        /// @max 100
        commune: string,
        /// @max 200
        address: string,
        /// @min 1
        /// @max 1000
        version: u32,
        in-force: bool,
    }

    /// A scanned document.
    record scan { content: list<u8> }

    /// One entry.
    one: func(entry: entry) -> entry;
    /// One entry with constraints.
    one-checked: func(entry: checked-entry) -> checked-entry;
    /// Many entries.
    many: func(entries: list<entry>) -> list<entry>;
    /// Many entries with constraints.
    many-checked: func(entries: list<checked-entry>) -> list<checked-entry>;
    /// A document.
    document: func(scan: scan) -> scan;
}

world connector {
    include truc:connector/capabilities@0.1.0;
    export entries;
}
"#;

/// One request with its answer.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) answer: Vec<u8>,
    pub(crate) plain: Plain,
}

/// The contract.
pub(crate) fn contract() -> Result<Contract> {
    Ok(read_sources(&[("codec.wit".to_owned(), WIT.to_owned())])?)
}

/// Everything that is measured.
pub(crate) fn all() -> Vec<Case> {
    let entries: Vec<Entry> = (0..1000).map(entry).collect();
    let content: Vec<u8> = (0_u32..786_432).map(|index| (index % 251) as u8).collect();
    [
        ("record of 10 fields", "one", Plain::Entry(entry(0))),
        ("record of 10 fields, constrained", "one-checked", Plain::Entry(entry(0))),
        ("list of 1,000 records", "many", Plain::Entries(entries.clone())),
        ("list of 1,000 records, constrained", "many-checked", Plain::Entries(entries)),
        ("1 MiB of base64", "document", Plain::Scan(Scan { content })),
    ]
    .into_iter()
    .map(|(name, operation, plain)| {
        let answer = plain.write();
        let body = match plain {
            Plain::Entries(_) => [br#"{"entries":"#, answer.as_slice(), b"}"].concat(),
            _ => answer.clone(),
        };
        assert!(plain.reads(&body), "serde_json does not read {name}");
        Case { name, operation, body, answer, plain }
    })
    .collect()
}

fn entry(number: u32) -> Entry {
    Entry {
        id: format!("{number:012}"),
        full_name: "Nguyễn Thị Hoa".to_owned(),
        date_of_birth: "1990-05-17".to_owned(),
        sex: if number.is_multiple_of(2) { Sex::Female } else { Sex::Male },
        ethnicity: "Kinh".to_owned(),
        province: "Thành phố Đà Nẵng".to_owned(),
        commune: "Phường Hội An".to_owned(),
        address: "12 Trần Phú".to_owned(),
        version: number % 1000 + 1,
        in_force: !number.is_multiple_of(7),
    }
}
