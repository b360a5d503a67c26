//! The connector to the national land information system (VBDLIS).
//!
//! The contract's terms become the system's and back: [`wire`] knows its envelope and codes, [`parcels`] and [`dossiers`]
//! translate the two interfaces, [`pointers`] finds the system's fields in the contract's records.

mod dossiers;
mod parcels;
mod pointers;
#[cfg(test)]
mod tests;
mod wire;

truc_sdk::connector!(Connector { world: "lgsp:land/connector", wit: ["../../wit/truc", "../../wit/land"] });

struct Connector;
