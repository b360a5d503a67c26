//! The image of a folder: what a disk would hold of it.
//!
//! | file in the image | holds |
//! |---|---|
//! | `<id>.names` | The names in a folder, one a line: `d` or `f`, the identity, the name. |
//! | `<id>.bytes` | The bytes of a file. |
//! | `root` | The identity of the folder itself. It is written last: an image without it is not begun. |
//!
//! An identity is the number of the inode and the time of its birth, as numbers of inodes are given again.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::Result;
use std::ops::Range;
use std::os::fd::RawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The folder that is watched, as an absolute path without links.
const FOLDER: &str = "TRUC_POWER_LOSS_FOLDER";

/// The folder of the image, outside the watched one.
const IMAGE: &str = "TRUC_POWER_LOSS_IMAGE";

/// Set, syncing does nothing and says that it did: a disk that lies.
const LIES: &str = "TRUC_POWER_LOSS_LIES";

/// The longest that a sync waits before anything is durable, so that what is killed is often killed then.
const SLOWEST: Duration = Duration::from_millis(2);

/// How much is copied at once.
const PIECE: usize = 64 * 1024;

/// The disk of this process; none where nothing is watched.
static DISK: OnceLock<Option<Disk>> = OnceLock::new();

/// A watched folder and its image.
pub(crate) struct Disk {
    folder: PathBuf,
    image: PathBuf,
    honesty: Honesty,
    /// Which bytes were written since the last sync, by the file's identity.
    written: Mutex<HashMap<String, Vec<Range<u64>>>>,
    /// One sync at a time: who finds nothing left to copy must not return before it is copied.
    syncing: Mutex<()>,
}

#[derive(PartialEq)]
enum Honesty {
    Honest,
    Lying,
}

/// Begins to watch, if the environment asks for it. Before that, nothing is watched.
pub(crate) fn begin() {
    let disk = Disk::from_environment();
    if let Some(disk) = &disk
        && let Err(error) = disk.seed()
    {
        // A run without an image would be a test that cannot fail.
        eprintln!("power loss: no image of {} can be made: {error}", disk.folder.display());
        std::process::abort();
    }
    let _ = DISK.set(disk);
}

/// The disk of this process.
pub(crate) fn disk() -> Option<&'static Disk> {
    DISK.get()?.as_ref()
}

impl Disk {
    fn from_environment() -> Option<Self> {
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        let honesty = if std::env::var_os(LIES).is_some() { Honesty::Lying } else { Honesty::Honest };
        Some(Self {
            folder: path(FOLDER)?,
            image: path(IMAGE)?,
            honesty,
            written: Mutex::default(),
            syncing: Mutex::default(),
        })
    }

    /// Makes the image, where there is none yet: everything that is there is taken as durable. A process that is started
    /// by a watched one goes on with the image it finds.
    fn seed(&self) -> Result<()> {
        let root = self.image.join("root");
        if root.exists() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.image)?;
        self.seed_folder(&self.folder)?;
        std::fs::write(root, identity(&std::fs::metadata(&self.folder)?))
    }

    fn seed_folder(&self, folder: &Path) -> Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let metadata = std::fs::metadata(&path)?;
            if metadata.is_dir() {
                self.seed_folder(&path)?;
            } else {
                std::fs::copy(&path, self.bytes(&identity(&metadata)))?;
            }
        }
        self.keep_names(folder)
    }

    /// Whether a descriptor is of the watched folder or of something in it; what is.
    pub(crate) fn watched(&self, descriptor: RawFd) -> Option<Watched<'_>> {
        let link = PathBuf::from(format!("/proc/self/fd/{descriptor}"));
        std::fs::read_link(&link).ok()?.starts_with(&self.folder).then_some(Watched { disk: self, link })
    }

    fn bytes(&self, identity: &str) -> PathBuf {
        self.image.join(format!("{identity}.bytes"))
    }

    /// The present names of a folder become durable, all in one step.
    fn keep_names(&self, folder: &Path) -> Result<()> {
        let mut names = String::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            // Gone in between: then it has no name to be kept.
            let Ok(metadata) = entry.metadata() else { continue };
            let kind = if metadata.is_dir() { 'd' } else { 'f' };
            let name = entry.file_name();
            names.push_str(&format!("{kind} {} {}\n", identity(&metadata), name.to_string_lossy()));
        }
        let identity = identity(&std::fs::metadata(folder)?);
        let fresh = self.image.join(format!("{identity}.names.new"));
        std::fs::write(&fresh, names)?;
        std::fs::rename(fresh, self.image.join(format!("{identity}.names")))
    }
}

/// Something in the watched folder that a process has open.
pub(crate) struct Watched<'a> {
    disk: &'a Disk,
    /// Where the system shows it, also when it has no name any more.
    link: PathBuf,
}

impl Watched<'_> {
    /// Notes bytes that were written. To be called after they were: noted before, they could be synced before they are
    /// there.
    pub(crate) fn wrote(&self, bytes: Range<u64>) {
        let Ok(metadata) = std::fs::metadata(&self.link) else { return };
        let mut written = lock(&self.disk.written);
        let ranges = written.entry(identity(&metadata)).or_default();
        match ranges.last_mut() {
            Some(last) if last.end == bytes.start => last.end = bytes.end,
            _ => ranges.push(bytes),
        }
    }

    /// Syncs it into the image.
    pub(crate) fn sync(&self) -> Result<()> {
        if self.disk.honesty == Honesty::Lying {
            return Ok(());
        }
        let _one_at_a_time = lock(&self.disk.syncing);
        std::thread::sleep(some_time());
        let metadata = std::fs::metadata(&self.link)?;
        if metadata.is_dir() {
            return self.disk.keep_names(&self.link);
        }
        let identity = identity(&metadata);
        let image = self.disk.bytes(&identity);
        let whole = 0..u64::MAX;
        // What this process has not written, another may have.
        let noted = lock(&self.disk.written).remove(&identity);
        let ranges = noted.filter(|_| image.exists()).unwrap_or_else(|| vec![whole]);
        let file = File::open(&self.link)?;
        let image = File::options().create(true).truncate(false).write(true).open(&image)?;
        image.set_permissions(metadata.permissions())?;
        let length = file.metadata()?.len();
        image.set_len(length)?;
        ranges.into_iter().try_for_each(|range| copy(&file, &image, range.start..range.end.min(length)))
    }
}

/// Copies bytes from one file to the same place in another.
fn copy(from: &File, to: &File, bytes: Range<u64>) -> Result<()> {
    let mut piece = vec![0; PIECE];
    let mut place = bytes.start;
    while place < bytes.end {
        let most = usize::try_from(bytes.end - place).unwrap_or(PIECE).min(PIECE);
        let (room, _) = piece.split_at_mut(most);
        let read = from.read_at(room, place)?;
        if read == 0 {
            break;
        }
        to.write_all_at(room.split_at(read).0, place)?;
        place += read as u64;
    }
    Ok(())
}

/// What tells a file from every other that is or was.
fn identity(metadata: &Metadata) -> String {
    let born = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{:x}-{:x}", metadata.ino(), born.unwrap_or_default().as_nanos())
}

/// Between nothing and [`SLOWEST`], by the clock's last digits: it needs to differ, not to be random.
fn some_time() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    SLOWEST.mul_f64(f64::from(now.subsec_nanos() % 1000) / 1000.0)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
