//! Upstreams that are sick.

use anyhow::{Result, bail};

use super::Setting;
use super::finding::Finding;

pub(crate) fn attack(_: &Setting<'_>) -> Result<Vec<Finding>> {
    bail!("this suite is not written")
}
