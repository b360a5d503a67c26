//! What a service written by hand would read and write: plain structs with serde's derived code.

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The record of ten fields.
#[derive(Serialize, Deserialize, Clone)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) full_name: String,
    pub(crate) date_of_birth: String,
    pub(crate) sex: Sex,
    pub(crate) ethnicity: String,
    pub(crate) province: String,
    pub(crate) commune: String,
    pub(crate) address: String,
    pub(crate) version: u32,
    pub(crate) in_force: bool,
}

#[derive(Serialize, Deserialize, Clone)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sex {
    Male,
    Female,
}

/// Bytes, which JSON writes as base64.
#[derive(Serialize, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scan {
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub(crate) content: Vec<u8>,
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = <&str>::deserialize(deserializer)?;
    BASE64.decode(text).map_err(serde::de::Error::custom)
}

/// A value of one of the cases.
pub(crate) enum Plain {
    Entry(Entry),
    Entries(Vec<Entry>),
    Scan(Scan),
}

/// A body with one member, as operations with a parameter that is no record have it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<T> {
    entries: T,
}

impl Plain {
    /// Reads a body into a value of the same kind, and drops it.
    pub(crate) fn read_like(&self, body: &[u8]) {
        match self {
            Self::Entry(_) => drop(black_box(serde_json::from_slice::<Entry>(body))),
            Self::Entries(_) => drop(black_box(serde_json::from_slice::<Body<Vec<Entry>>>(body))),
            Self::Scan(_) => drop(black_box(serde_json::from_slice::<Scan>(body))),
        }
    }

    /// Whether a body is read at all.
    pub(crate) fn reads(&self, body: &[u8]) -> bool {
        match self {
            Self::Entry(_) => serde_json::from_slice::<Entry>(body).is_ok(),
            Self::Entries(_) => {
                serde_json::from_slice::<Body<Vec<Entry>>>(body).is_ok_and(|body| !body.entries.is_empty())
            }
            Self::Scan(_) => serde_json::from_slice::<Scan>(body).is_ok(),
        }
    }

    /// Its JSON.
    pub(crate) fn write(&self) -> Vec<u8> {
        let written = match self {
            Self::Entry(entry) => serde_json::to_vec(entry),
            Self::Entries(entries) => serde_json::to_vec(entries),
            Self::Scan(scan) => serde_json::to_vec(scan),
        };
        written.unwrap_or_default()
    }
}
