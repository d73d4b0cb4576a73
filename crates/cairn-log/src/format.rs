//! Names and records of the log's folder.

use cairn_core::Hash;
use cairn_merkle::tile::TILE_WIDTH;

/// Names the format; its content is [`FORMAT_TEXT`].
pub const FORMAT: &str = "format";
/// What `format` holds.
pub const FORMAT_TEXT: &str = "cairn-log/1\n";
/// The commit records.
pub const COMMITS: &str = "commits";
/// The same records once more.
pub const COMMITS_COPY: &str = "commits-copy";
/// Where each bundle starts, counted over all segments as if they were one file.
pub const BUNDLES: &str = "bundles";
/// The lock record.
pub const CHECKPOINT: &str = "checkpoint";
/// Written and removed again to see whether the disk has room.
pub const ROOM: &str = "room";
/// Held by the writer.
pub const WRITER_LOCK: &str = "writer.lock";
/// Files under this ending are not yet what they will be.
pub const UNFINISHED: &str = ".tmp";

/// What is wrong with a commit record that is lost.
pub const NO_SECOND: &str = "a commit record before the last is broken, and there is no second of it";

/// Entries in a full bundle.
pub const BUNDLE_ENTRIES: u64 = TILE_WIDTH as u64;
/// Bytes of a hash in `hashes-<level>`.
pub const HASH_BYTES: u64 = 32;
/// Bytes of a place in `bundles`.
pub const PLACE_BYTES: u64 = 8;

/// The segment whose first entry has this index.
pub fn segment_name(first_index: u64) -> String {
    format!("entries-{first_index:015}")
}

/// The index of the first entry of a segment, from its name.
pub fn parse_segment_name(name: &str) -> Option<u64> {
    let first_index = name.strip_prefix("entries-")?.parse().ok()?;
    (segment_name(first_index) == name).then_some(first_index)
}

/// The hashes of a tile level.
pub fn level_name(level: usize) -> String {
    format!("hashes-{level}")
}

/// Whether a file holds only what can be computed from the entries and the commit records.
pub fn is_derived(name: &str) -> bool {
    [BUNDLES, COMMITS_COPY].contains(&name) || name.starts_with("hashes-")
}

/// Tile levels of a log of `size` entries; there is always one.
pub fn level_count(size: u64) -> usize {
    (1..8).take_while(|level| size >> (8 * level) > 0).count() + 1
}

/// Written, and made durable, after the entries of a batch are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Entries in the log, this batch included.
    pub size: u64,
    /// The index of the first entry in the segment where this batch ends.
    pub segment: u64,
    /// Bytes in that segment up to the end of this batch.
    pub end: u64,
    /// CRC-32C of the bytes that this batch added, over all segments.
    pub batch_crc: u32,
    /// The RFC 6962 root over all entries.
    pub root: Hash,
}

impl Commit {
    /// Bytes of a record.
    pub const BYTES: usize = 64;

    /// The record: its own CRC-32C comes last.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut record = [0; Self::BYTES];
        record[..8].copy_from_slice(&self.size.to_be_bytes());
        record[8..16].copy_from_slice(&self.segment.to_be_bytes());
        record[16..24].copy_from_slice(&self.end.to_be_bytes());
        record[24..28].copy_from_slice(&self.batch_crc.to_be_bytes());
        record[28..60].copy_from_slice(&self.root.0);
        let crc = crc32c::crc32c(&record[..60]);
        record[60..].copy_from_slice(&crc.to_be_bytes());
        record
    }

    /// Reads a record; `None` if its CRC does not fit, as after a torn write.
    pub fn decode(record: &[u8; Self::BYTES]) -> Option<Self> {
        let number = |at: usize| u64::from_be_bytes(record[at..at + 8].try_into().expect("eight bytes"));
        let word = |at: usize| u32::from_be_bytes(record[at..at + 4].try_into().expect("four bytes"));
        let root = Hash(record[28..60].try_into().expect("32 bytes"));
        let intact = crc32c::crc32c(&record[..60]) == word(60);
        intact.then_some(Self { size: number(0), segment: number(8), end: number(16), batch_crc: word(24), root })
    }

    /// The record that `record` was before one of its bits turned; `None` if turning one bit back makes none.
    ///
    /// Any two records differ in more than two bits together with their CRC-32C (its distance is 6 at this length;
    /// Koopman, "32-Bit Cyclic Redundancy Codes for Internet Applications", 2002), so there is at most one.
    pub fn mend(record: &[u8; Self::BYTES]) -> Option<Self> {
        (0..Self::BYTES * 8).find_map(|bit| {
            let mut turned = *record;
            turned[bit / 8] ^= 1 << (bit % 8);
            Self::decode(&turned)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_round_trips_and_any_altered_byte_voids_it() {
        let commit = Commit { size: 1 << 40, segment: 256, end: 77, batch_crc: 0xdead_beef, root: Hash([7; 32]) };
        let record = commit.encode();
        assert_eq!(Commit::decode(&record), Some(commit));
        for byte in 0..Commit::BYTES {
            let mut altered = record;
            altered[byte] ^= 0x10;
            assert_eq!(Commit::decode(&altered), None, "byte {byte}");
            assert_eq!(Commit::mend(&altered), Some(commit), "byte {byte}");
            altered[(byte + 7) % Commit::BYTES] ^= 0x80;
            assert_eq!(Commit::mend(&altered), None, "byte {byte}");
        }
        // What a crash may leave where a record should be.
        assert_eq!(Commit::decode(&[0; Commit::BYTES]), None);
        assert_eq!(Commit::mend(&[0; Commit::BYTES]), None);
    }

    #[test]
    fn segment_names_sort_like_their_indices() {
        assert_eq!(segment_name(256), "entries-000000000000256");
        assert_eq!(parse_segment_name("entries-000000000000256"), Some(256));
        for bad in ["entries-256", "entries-", "entries-+00000000000256", "hashes-0", "entries-000000000000256.tmp"] {
            assert_eq!(parse_segment_name(bad), None, "{bad}");
        }
    }
}
