//! What a disk holds when the power is gone: what was synced, and as much of the rest as chance decides.
//!
//! The image of `xtask/power-loss` says what was synced, the folder itself what was written. Between the two lies what a
//! disk may have kept or not, each sector for itself, as disks do not keep the order of what is written between two
//! syncs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};

use crate::attack::crash::random::Random;
use crate::workspace::read;

/// How much survives of what was not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Survives {
    /// Nothing.
    Nothing,
    /// So many of a thousand sectors, lengths and names.
    Some {
        /// The bytes of a sector, each of which is kept or forgotten as a whole.
        sector: usize,
        /// How many of a thousand.
        share: u64,
    },
}

impl Survives {
    /// One of the ways in which power goes: with sectors of old disks, of new ones, and with all that was not synced.
    pub(crate) fn some(random: &mut Random) -> Self {
        match random.below(3) {
            0 => Self::Nothing,
            1 => Self::Some { sector: 512, share: random.below(1000) },
            _ => Self::Some { sector: 4096, share: random.below(1000) },
        }
    }
}

/// A name's file or folder.
#[derive(Clone, Debug, PartialEq)]
struct Named {
    kind: Kind,
    identity: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Folder,
    File,
}

struct Cut<'a> {
    image: &'a Path,
    /// What is there, by identity.
    present: HashMap<String, PathBuf>,
    survives: Survives,
    random: &'a mut Random,
    /// Sectors that were written and not synced, and are taken away.
    forgotten: u64,
}

/// Puts what a disk would hold in the place of a folder in which nobody works any more, and forgets its image. Gives the
/// number of sectors that were written and are gone.
pub(crate) fn cut(folder: &Path, image: &Path, survives: Survives, random: &mut Random) -> Result<u64> {
    let mut present = HashMap::new();
    find(folder, &mut present)?;
    let mut cut = Cut { image, present, survives, random, forgotten: 0 };
    let after = folder.with_extension("after");
    std::fs::create_dir(&after)?;
    let root = read(&image.join("root")).context("the host was not watched")?;
    cut.folder(&root, &after)?;
    std::fs::remove_dir_all(folder)?;
    std::fs::rename(&after, folder)?;
    std::fs::remove_dir_all(image)?;
    Ok(cut.forgotten)
}

impl Cut<'_> {
    fn folder(&mut self, identity: &str, into: &Path) -> Result<()> {
        let durable = self.durable_names(identity)?;
        let present = match self.present.get(identity) {
            Some(folder) => names(folder)?,
            None => durable.clone(),
        };
        let all: BTreeSet<&String> = durable.keys().chain(present.keys()).collect();
        for name in all {
            let (before, now) = (durable.get(name), present.get(name));
            let named = if before == now || self.survives() { now } else { before };
            let path = into.join(name);
            match named {
                Some(Named { kind: Kind::Folder, identity }) => {
                    std::fs::create_dir(&path)?;
                    self.folder(identity, &path)?;
                }
                Some(Named { kind: Kind::File, identity }) => self.file(identity, &path)?,
                None => continue,
            }
            let present = named.and_then(|named| self.present.get(&named.identity));
            if let Some(present) = present {
                std::fs::set_permissions(&path, std::fs::metadata(present)?.permissions())?;
            }
        }
        Ok(())
    }

    /// The names that were synced; none where the folder never was.
    fn durable_names(&self, identity: &str) -> Result<BTreeMap<String, Named>> {
        let file = self.image.join(format!("{identity}.names"));
        let text = if file.exists() { read(&file)? } else { String::new() };
        let line = |line: &str| {
            let mut parts = line.splitn(3, ' ');
            let kind = if parts.next()? == "d" { Kind::Folder } else { Kind::File };
            let identity = parts.next()?.to_owned();
            Some((parts.next()?.to_owned(), Named { kind, identity }))
        };
        text.lines().map(|text| line(text).with_context(|| format!("{text:?} is no name"))).collect()
    }

    fn file(&mut self, identity: &str, into: &Path) -> Result<()> {
        let file = self.image.join(format!("{identity}.bytes"));
        let durable = if file.exists() { std::fs::read(&file)? } else { Vec::new() };
        let present = match self.present.get(identity) {
            Some(file) => std::fs::read(file)?,
            None => durable.clone(),
        };
        Ok(std::fs::write(into, self.mixed(durable, &present))?)
    }

    /// What was synced, with those of the sectors written since that survive.
    fn mixed(&mut self, mut durable: Vec<u8>, present: &[u8]) -> Vec<u8> {
        let sector = match self.survives {
            Survives::Nothing => 4096,
            Survives::Some { sector, .. } => sector,
        };
        if durable.len() != present.len() && self.survives() {
            durable.resize(present.len(), 0);
        }
        for (before, now) in durable.chunks_mut(sector).zip(present.chunks(sector)) {
            let before = before.split_at_mut(before.len().min(now.len())).0;
            let now = now.split_at(before.len()).0;
            if before != now {
                match self.survives() {
                    true => before.copy_from_slice(now),
                    false => self.forgotten += 1,
                }
            }
        }
        let beyond = present.len().saturating_sub(durable.len());
        self.forgotten += beyond.div_ceil(sector) as u64;
        durable
    }

    fn survives(&mut self) -> bool {
        match self.survives {
            Survives::Nothing => false,
            Survives::Some { share, .. } => self.random.in_a_thousand(share),
        }
    }
}

/// Everything in a folder and below, and the folder itself, by identity.
fn find(folder: &Path, found: &mut HashMap<String, PathBuf>) -> Result<()> {
    found.insert(identity(folder)?, folder.to_owned());
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => find(&path, found)?,
            false => drop(found.insert(identity(&path)?, path)),
        }
    }
    Ok(())
}

/// The names in a folder.
fn names(folder: &Path) -> Result<BTreeMap<String, Named>> {
    let mut names = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let kind = if path.is_dir() { Kind::Folder } else { Kind::File };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        names.insert(name, Named { kind, identity: identity(&path)? });
    }
    Ok(names)
}

/// The identity that the image gives it.
fn identity(path: &Path) -> Result<String> {
    let metadata = std::fs::metadata(path)?;
    let born = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok(format!("{:x}-{:x}", metadata.ino(), born.unwrap_or_default().as_nanos()))
}
