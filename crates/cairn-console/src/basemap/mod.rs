//! The operator's base map: a PMTiles archive of version 3, read by position.
//!
//! The specification: <https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md>.
//!
//! Promised: whatever the file says, nothing is read outside it, nothing is held beyond the limits below, and a look-up reads
//! no more than [`LEAVES_DEEP`] directories. Directories that were read are kept, in a bounded room. Tiles are handed out as
//! the file has them.
//!
//! Not here: what is in a tile (the browser draws it), archives over the network, and how tiles are served.

mod about;
mod directory;
mod error;
mod header;
mod place;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use cairn_core::Hash;

use about::About;
use directory::{Directory, Entry};
use header::{HEADER_BYTES, Header, Section};

pub use error::BadBasemap;
pub use header::Kind;
pub use place::{Place, ZOOM_MAX};

/// Bytes of a tile, as the file has it, at most.
pub const TILE_BYTES_MAX: u64 = 2 << 20;
/// Bytes of a directory in the file,
const DIRECTORY_BYTES_MAX: u64 = 1 << 20;
/// and of what it unpacks to.
const DIRECTORY_UNPACKED_MAX: u64 = 2 << 20;
/// Bytes of the metadata in the file,
const METADATA_BYTES_MAX: u64 = 2 << 20;
/// and of what they unpack to.
const METADATA_UNPACKED_MAX: u64 = 8 << 20;
/// Directories below the root on the way to a tile, at most.
const LEAVES_DEEP: usize = 3;
/// Bytes of directories that are kept,
const KEPT_BYTES_MAX: usize = 16 << 20;
/// and how many they are.
const KEPT_MAX: usize = 256;

/// What an archive is read from.
pub trait Source: Send + Sync {
    /// Its bytes.
    ///
    /// # Errors
    /// Those of the disk.
    fn bytes(&self) -> io::Result<u64>;

    /// Fills `buffer` from a position on.
    ///
    /// # Errors
    /// Those of the disk, and when it ends before.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl Source for File {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

impl Source for Vec<u8> {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = begin.checked_add(buffer.len()).and_then(|end| self.get(begin..end));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Directories that were read, the last one used first.
#[derive(Default)]
struct Kept {
    leaves: VecDeque<(Section, Arc<Directory>)>,
    bytes: usize,
}

impl Kept {
    fn find(&mut self, section: Section) -> Option<Arc<Directory>> {
        let at = self.leaves.iter().position(|(known, _)| *known == section)?;
        let found = self.leaves.remove(at)?;
        let leaf = found.1.clone();
        self.leaves.push_front(found);
        Some(leaf)
    }

    fn keep(&mut self, section: Section, leaf: Arc<Directory>) {
        self.bytes += leaf.memory_bytes();
        self.leaves.push_front((section, leaf));
        while self.bytes > KEPT_BYTES_MAX || self.leaves.len() > KEPT_MAX {
            let Some((_, oldest)) = self.leaves.pop_back() else { break };
            self.bytes -= oldest.memory_bytes();
        }
    }
}

/// The operator's base map.
pub struct Basemap {
    source: Box<dyn Source>,
    header: Header,
    root: Directory,
    about: About,
    name: String,
    kept: Mutex<Kept>,
}

impl fmt::Debug for Basemap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Basemap").field("header", &self.header).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Basemap {
    /// Opens a file, which stays open: one that takes its name later is read after the next start.
    ///
    /// # Errors
    /// [`BadBasemap`].
    pub fn open(path: &Path) -> Result<Self, BadBasemap> {
        let file = File::open(path)?;
        let changed = file.metadata()?.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let changed_ns = changed.map_or(0, |changed| changed.as_nanos());
        Self::over(Box::new(file), &changed_ns.to_be_bytes())
    }

    /// Reads the header, the root directory and the metadata of an archive. `salt` makes the name of its tiles another one.
    ///
    /// # Errors
    /// [`BadBasemap`].
    pub fn over(source: Box<dyn Source>, salt: &[u8]) -> Result<Self, BadBasemap> {
        let file_bytes = source.bytes()?;
        if file_bytes < HEADER_BYTES {
            return Err(BadBasemap::Format("it is too short"));
        }
        let first = read(&*source, Section { offset: 0, length: HEADER_BYTES }, "header", HEADER_BYTES)?;
        let header = Header::read(&first, file_bytes)?;
        let root = read(&*source, header.root, "root directory", DIRECTORY_BYTES_MAX)?;
        let metadata = read(&*source, header.metadata, "metadata", METADATA_BYTES_MAX)?;
        let parts = [&first, &root, &metadata, salt].map(|part| Hash::of(part).0);
        let says_nothing = metadata.is_empty();
        let metadata = plain(&metadata, header.is_packed && !says_nothing, "metadata", METADATA_UNPACKED_MAX)?;
        let about = About::read(if says_nothing { b"{}" } else { &metadata }, header.kind)?;
        let root = Directory::read(&plain(&root, header.is_packed, "root directory", DIRECTORY_UNPACKED_MAX)?)?;
        let name = Hash::of(&parts.concat()).to_hex()[..16].to_owned();
        Ok(Self { source, header, root, about, name, kept: Mutex::default() })
    }

    /// What the tiles are.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.header.kind
    }

    /// Whether tiles are packed with gzip.
    #[must_use]
    pub const fn are_tiles_packed(&self) -> bool {
        self.header.are_tiles_packed
    }

    /// The widest and the closest zoom with tiles.
    #[must_use]
    pub const fn zooms(&self) -> (u8, u8) {
        (self.header.zoom_min, self.header.zoom_max)
    }

    /// Where it has tiles: west, south, east and north, 1e-7 degree.
    #[must_use]
    pub const fn bounds_e7(&self) -> [i32; 4] {
        self.header.bounds_e7
    }

    /// Whose data it is, in plain text.
    #[must_use]
    pub fn attribution(&self) -> Option<&str> {
        self.about.attribution.as_deref()
    }

    /// What this file's tiles are known by: another file has another name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes of a tile, packed if [`Basemap::are_tiles_packed`]; `None` where there is none.
    ///
    /// # Errors
    /// [`BadBasemap`] when the file cannot be read, or its directories do not hold together.
    pub fn tile(&self, place: Place) -> Result<Option<Vec<u8>>, BadBasemap> {
        if place.zoom() < self.header.zoom_min || place.zoom() > self.header.zoom_max {
            return Ok(None);
        }
        let Some(entry) = self.entry(place.number())? else { return Ok(None) };
        let section = part(self.header.tiles, entry)?;
        read(&*self.source, section, "tile", TILE_BYTES_MAX).map(Some)
    }

    fn entry(&self, tile: u64) -> Result<Option<Entry>, BadBasemap> {
        let mut found = self.root.find(tile);
        for _ in 0..LEAVES_DEEP {
            match found {
                Some(entry) if entry.run == 0 => found = self.leaf(part(self.header.leaves, entry)?)?.find(tile),
                found => return Ok(found),
            }
        }
        match found {
            Some(entry) if entry.run == 0 => Err(BadBasemap::Damaged("its directories lead on and on")),
            found => Ok(found),
        }
    }

    /// A directory below the root. Those that wait for another one wait, so that only one is unpacked at a time.
    fn leaf(&self, section: Section) -> Result<Arc<Directory>, BadBasemap> {
        // It is changed in one step each time.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = kept.find(section) {
            return Ok(leaf);
        }
        let bytes = read(&*self.source, section, "directory", DIRECTORY_BYTES_MAX)?;
        let bytes = plain(&bytes, self.header.is_packed, "directory", DIRECTORY_UNPACKED_MAX)?;
        let leaf = Arc::new(Directory::read(&bytes)?);
        kept.keep(section, leaf.clone());
        Ok(leaf)
    }
}

fn part(section: Section, entry: Entry) -> Result<Section, BadBasemap> {
    let outside = BadBasemap::Damaged("a directory names bytes outside of its section");
    section.part(entry.offset, entry.length).ok_or(outside)
}

/// The bytes of a part of the file, if it is no larger than it may be.
fn read(source: &dyn Source, section: Section, what: &'static str, bytes_max: u64) -> Result<Vec<u8>, BadBasemap> {
    let limit = BadBasemap::Limit { what, bytes_max };
    let Some(length) = usize::try_from(section.length).ok().filter(|_| section.length <= bytes_max) else {
        return Err(limit);
    };
    let mut bytes = vec![0; length];
    source.read_at(section.offset, &mut bytes)?;
    Ok(bytes)
}

/// What bytes unpack to, if it is no larger than it may be.
fn plain(bytes: &[u8], is_packed: bool, what: &'static str, bytes_max: u64) -> Result<Vec<u8>, BadBasemap> {
    if !is_packed {
        return Ok(bytes.to_vec());
    }
    match unpacked(bytes, bytes_max) {
        Some(whole) if whole.len() as u64 <= bytes_max => Ok(whole),
        Some(_) => Err(BadBasemap::Limit { what, bytes_max }),
        None => Err(BadBasemap::Damaged("what should be packed with gzip is not")),
    }
}

/// What gzip unpacks to: its first `bytes_max` bytes and one more; `None` where it is no gzip.
pub(crate) fn unpacked(bytes: &[u8], bytes_max: u64) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    flate2::read::GzDecoder::new(bytes).take(bytes_max.saturating_add(1)).read_to_end(&mut whole).ok()?;
    Some(whole)
}
