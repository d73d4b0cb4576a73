//! What can be computed from the entries alone: the hashes of all tiles, and where bundles start.

use std::sync::Arc;

use cairn_core::Hash;
use cairn_merkle::{Frontier, tree};

use crate::LogError;
use crate::batch::push_leaf;
use crate::disk::DiskFile;
use crate::error::{failed, unwritten};
use crate::format::{BUNDLE_ENTRIES, BUNDLES, HASH_BYTES, PLACE_BYTES, level_name};
use crate::store::{LevelReader, Published, Segment, Walk, bundle_count};

/// Hashes are handed to the disk in pieces of about this size, in bytes.
const DERIVED_BYTES: usize = 1 << 20;

/// The entries that count.
pub struct Entries<'a> {
    pub segments: &'a [Segment],
    pub end: u64,
    pub size: u64,
    pub published: Option<&'a Published>,
}

/// What is computed from entries.
pub struct Derived {
    pub places: Vec<u64>,
    pub frontier: Frontier,
}

/// Hashes and places of all entries, and of how many entries they had to be computed.
pub fn derive(
    entries: &Entries<'_>,
    levels: &[Arc<dyn DiskFile>],
    bundles: &dyn DiskFile,
) -> Result<(Derived, u64), LogError> {
    let trusted = match entries.published {
        Some(published) => trust(published, entries.segments, entries.end, levels, bundles),
        None => None,
    };
    let (derived, place) = match trusted {
        Some(trusted) => (trusted.derived, trusted.place),
        None => (Derived { places: Vec::new(), frontier: Frontier::new() }, 0),
    };
    let rehashed = entries.size - derived.frontier.size();
    Ok((rebuild(entries, derived, place, levels, bundles)?, rehashed))
}

/// Hashes and places up to the last checkpoint, with the place of the entry after it.
pub struct Trusted {
    pub derived: Derived,
    pub place: u64,
}

/// Takes hashes and places up to the last checkpoint from their files; `None` if they do not fit it.
pub fn trust(
    published: &Published,
    segments: &[Segment],
    end: u64,
    levels: &[Arc<dyn DiskFile>],
    bundles: &dyn DiskFile,
) -> Option<Trusted> {
    let size = published.checkpoint.size();
    let frontier = Frontier::read(&LevelReader { levels, size }, size).ok()?;
    if frontier.root() != published.checkpoint.root() {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(bundle_count(size) * PLACE_BYTES).ok()?];
    bundles.read_at(0, &mut bytes).ok()?;
    let place = |chunk: &[u8]| u64::from_be_bytes(chunk.try_into().expect("chunks of eight bytes"));
    let places: Vec<u64> = bytes.chunks_exact(8).map(place).collect();
    let ascending = places.windows(2).all(|pair| pair[0] < pair[1]) && places.last().is_none_or(|last| *last < end);
    let begin_bundles = segments.iter().filter(|segment| segment.first_index < size).all(|segment| {
        let number = usize::try_from(segment.first_index / BUNDLE_ENTRIES).ok();
        let place = number.and_then(|number| places.get(number));
        segment.first_index.is_multiple_of(BUNDLE_ENTRIES) && place == Some(&segment.start)
    });
    if !ascending || !begin_bundles {
        return None;
    }
    let mut walk = Walk::new(segments, end, places.last().copied().unwrap_or(0));
    for _ in 0..size - (places.len() as u64).saturating_sub(1) * BUNDLE_ENTRIES {
        walk.next().ok()??;
    }
    let place = walk.place();
    Some(Trusted { derived: Derived { places, frontier }, place })
}

/// Computes hashes and places from the entry at `place` on, and writes them.
fn rebuild(
    entries: &Entries<'_>,
    mut derived: Derived,
    place: u64,
    levels: &[Arc<dyn DiskFile>],
    bundles: &dyn DiskFile,
) -> Result<Derived, LogError> {
    let from = derived.frontier.size();
    let mut writer = DerivedWriter::new(levels, from);
    let first_new_place = derived.places.len() as u64;
    let mut walk = Walk::new(entries.segments, entries.end, place);
    let mut segments = entries.segments.iter().skip_while(|segment| segment.first_index < from);
    let mut next_segment = segments.next();
    while derived.frontier.size() < entries.size {
        let index = derived.frontier.size();
        let place = walk.place();
        if let Some(segment) = next_segment.filter(|segment| segment.start == place || segment.first_index == index) {
            if segment.start != place || segment.first_index != index {
                let what = "the segments before this one hold another number of entries than its name says";
                return Err(LogError::Damaged { file: segment.name.clone(), offset: 0, entry: Some(index), what });
            }
            next_segment = segments.next();
        }
        if index.is_multiple_of(BUNDLE_ENTRIES) {
            derived.places.push(place);
        }
        let (file, offset) = walk.position();
        let what = "the segments hold fewer entries than were committed";
        let missing = || LogError::Damaged { file, offset, entry: Some(index), what };
        let leaf = tree::leaf_hash(walk.next().map_err(|error| error.in_entry(index))?.ok_or_else(missing)?);
        writer.push(&mut derived.frontier, leaf)?;
        check_against(entries.published, &derived.frontier)?;
    }
    if walk.place() != entries.end {
        let (file, offset) = walk.position();
        let what = "the segments hold more entries than were committed";
        return Err(LogError::Damaged { file, offset, entry: Some(entries.size), what });
    }
    writer.finish(entries.size)?;
    let new: Vec<u8> = derived.places[usize::try_from(first_new_place).expect("a length in memory")..]
        .iter()
        .flat_map(|place| place.to_be_bytes())
        .collect();
    bundles.write_at(first_new_place * PLACE_BYTES, &new).map_err(unwritten("write", BUNDLES))?;
    bundles.truncate(derived.places.len() as u64 * PLACE_BYTES).map_err(failed("truncate", BUNDLES))?;
    Ok(derived)
}

/// The tree of the checkpoint's size must have the checkpoint's root.
fn check_against(published: Option<&Published>, frontier: &Frontier) -> Result<(), LogError> {
    let same_size = |published: &&Published| published.checkpoint.size() == frontier.size();
    match published.filter(same_size).map(|published| published.checkpoint.root()) {
        Some(published) if published != frontier.root() => {
            Err(LogError::Forked { size: frontier.size(), found: frontier.root(), published })
        }
        _ => Ok(()),
    }
}

/// Writes the hashes of all levels, in pieces.
struct DerivedWriter<'a> {
    files: &'a [Arc<dyn DiskFile>],
    written: Vec<u64>,
    pending: Vec<Vec<u8>>,
}

impl<'a> DerivedWriter<'a> {
    fn new(files: &'a [Arc<dyn DiskFile>], size: u64) -> Self {
        let written = (0..files.len()).map(|level| (size >> (8 * level)) * HASH_BYTES).collect();
        Self { files, written, pending: vec![Vec::new(); files.len()] }
    }

    fn push(&mut self, frontier: &mut Frontier, leaf: Hash) -> Result<(), LogError> {
        push_leaf(frontier, leaf, &mut self.pending);
        if self.pending[0].len() >= DERIVED_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), LogError> {
        for (level, pending) in self.pending.iter_mut().enumerate() {
            self.files[level].write_at(self.written[level], pending).map_err(unwritten("write", &level_name(level)))?;
            self.written[level] += pending.len() as u64;
            pending.clear();
        }
        Ok(())
    }

    fn finish(mut self, size: u64) -> Result<(), LogError> {
        self.flush()?;
        for (level, file) in self.files.iter().enumerate() {
            let bytes = (size >> (8 * level)) * HASH_BYTES;
            debug_assert_eq!(bytes, self.written[level], "every whole tile hash was written once");
            file.truncate(bytes).map_err(failed("truncate", &level_name(level)))?;
        }
        Ok(())
    }
}
