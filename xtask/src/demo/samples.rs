//! Citizens, parcels, dossiers and payments that the simulators say exist.

use anyhow::{Context, Result};
use serde_json::Value;

/// What the simulators' `/samples` answered, or a part of it.
pub(crate) struct Samples(pub(crate) Value);

impl Samples {
    /// A part, by a JSON Pointer.
    pub(crate) fn part(&self, pointer: &str) -> Result<Samples> {
        Ok(Samples(self.at(pointer)?.clone()))
    }

    /// A text, by a JSON Pointer.
    pub(crate) fn text(&self, pointer: &str) -> Result<String> {
        let text = self.at(pointer)?.as_str();
        Ok(text.with_context(|| format!("the simulators' sample {pointer} is no text"))?.to_owned())
    }

    /// The code of a ward, which some systems keep as a number.
    pub(crate) fn ward(&self, pointer: &str) -> Result<String> {
        let number = self.at(pointer)?.as_u64();
        let number = number.with_context(|| format!("the simulators' sample {pointer} is no ward"))?;
        Ok(format!("{number:05}"))
    }

    /// A day that a system writes `yyyyMMdd`, as `yyyy-MM-dd`.
    pub(crate) fn day(&self, pointer: &str) -> Result<String> {
        let text = self.text(pointer)?;
        let parts = (text.get(..4), text.get(4..6), text.get(6..));
        let (Some(year), Some(month), Some(day)) = parts else {
            anyhow::bail!("the simulators' sample {pointer} is no day: {text}");
        };
        Ok(format!("{year}-{month}-{day}"))
    }

    fn at(&self, pointer: &str) -> Result<&Value> {
        self.0.pointer(pointer).with_context(|| format!("the simulators have no sample {pointer}"))
    }
}
