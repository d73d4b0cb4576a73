//! One entry bundle: held against the log's hashes, split into entries, its signatures laid out for checking.

use core::ops::Range;

use cairn_core::cose::{Purpose, Sign1};
use cairn_core::ed25519::Signature;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::key::{Algorithm, PublicKey};
use cairn_core::report::REPORT_BYTES_MAX;
use cairn_core::statement::{Body, Statement};
use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_merkle::tile::{TILE_WIDTH, split_entry};
use cairn_merkle::{TileLevel, TilePath, tree};

use crate::difference::{Difference, Stop};
use crate::tiles::{check_entry, decode};

/// A bundle and its hashes, as served.
pub(crate) struct RawBundle {
    /// The bundle.
    pub path: TilePath,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its leaf hashes.
    pub leaves: Leaves,
}

/// The leaf hashes of a bundle.
pub(crate) enum Leaves {
    /// Those of the partial tile, which the checkpoint's root vouches for.
    Vouched(Vec<Hash>),
    /// The bytes of a full tile, and the hash of it in the tile above, which is vouched for.
    Served {
        /// The tile's bytes.
        tile: Vec<u8>,
        /// The root that they must have.
        above: Hash,
    },
}

/// What of an entry is of use before it is folded.
pub(crate) enum Outline {
    /// A signed report.
    Report(Box<SignedReport>),
    /// A statement that gives a device a key.
    Key(DeviceId, Box<PublicKey>),
    /// Anything else.
    Other,
}

/// A report's signature, and what it covers.
pub(crate) struct SignedReport {
    /// The device that it says signed it.
    pub device: DeviceId,
    /// The algorithm that it says was used.
    pub algorithm: Algorithm,
    /// The bytes that the signature covers.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: Signature,
}

/// A bundle whose entries are those of the log.
pub(crate) struct Bundle {
    /// Index of its first entry.
    pub first: u64,
    bytes: Vec<u8>,
    entries: Vec<Range<usize>>,
    /// The leaf hash of each entry.
    pub leaves: Vec<Hash>,
    /// What is known of each entry beforehand.
    pub outlines: Vec<Outline>,
}

impl Bundle {
    /// The bytes of the `n`-th entry.
    pub fn entry(&self, n: usize) -> &[u8] {
        &self.bytes[self.entries[n].clone()]
    }

    /// Entries in it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

/// Holds a bundle against the log's hashes.
///
/// # Errors
/// The first entry, or the tile, that is not the log's.
pub(crate) fn check(raw: RawBundle, network: &NetworkId) -> Result<Bundle, Stop> {
    let first = raw.path.index * u64::from(TILE_WIDTH);
    let (entries, after) = split(&raw.bytes, raw.path.width);
    let leaves = match raw.leaves {
        Leaves::Vouched(leaves) => leaves,
        Leaves::Served { tile, above } => {
            let path = TilePath { level: TileLevel::Hashes(0), ..raw.path };
            let leaves = decode(path, &tile)?;
            if tree::root(&leaves) != above {
                return Err(blame_tile(path, &leaves, &raw.bytes, &entries, above).into());
            }
            leaves
        }
    };
    for (n, entry) in entries.iter().enumerate() {
        check_entry(first + n as u64, raw.path, &raw.bytes[entry.clone()], &leaves[n])?;
    }
    if entries.len() < leaves.len() || after < raw.bytes.len() {
        let index = first + entries.len() as u64;
        let what = if entries.len() < leaves.len() { "an entry is cut short" } else { "bytes follow the last entry" };
        let place = format!("{} at byte {after}", raw.path);
        return Err(Difference::at("LOG-BUNDLE", place, what)
            .values(
                format!("{} entries", leaves.len()),
                format!("{} and {} bytes", entries.len(), raw.bytes.len() - after),
            )
            .entry(index)
            .into());
    }
    let outlines = entries.iter().map(|entry| outline(&raw.bytes[entry.clone()], network)).collect();
    Ok(Bundle { first, bytes: raw.bytes, entries, leaves, outlines })
}

/// The entries of a bundle, as many as are whole, and where they end.
fn split(bundle: &[u8], width: u16) -> (Vec<Range<usize>>, usize) {
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bundle;
    while entries.len() < usize::from(width) {
        let Some((entry, after)) = split_entry(rest) else { break };
        let end = bundle.len() - after.len();
        entries.push(end - entry.len()..end);
        rest = after;
    }
    (entries, bundle.len() - rest.len())
}

/// Whether the tile alone is wrong, and where.
fn blame_tile(path: TilePath, leaves: &[Hash], bytes: &[u8], entries: &[Range<usize>], above: Hash) -> Difference {
    let rebuilt: Vec<Hash> = entries.iter().map(|entry| tree::leaf_hash(&bytes[entry.clone()])).collect();
    let differs = rebuilt.iter().zip(leaves).position(|(rebuilt, served)| rebuilt != served);
    match differs {
        Some(n) if tree::root(&rebuilt) == above => {
            let index = path.index * u64::from(TILE_WIDTH) + n as u64;
            Difference::at("LOG-TILE", path.to_string(), format!("hash {n} is not that of entry {index}"))
                .values(rebuilt[n], leaves[n])
                .entry(index)
        }
        _ => Difference::at("LOG-TILE", path.to_string(), "it does not lead to the hash in the tile above it")
            .values(format!("root {above}"), format!("root {}", tree::root(leaves))),
    }
}

/// Looks at what can be checked or learnt before the entry's turn comes. Whatever is wrong is left to the fold to say.
fn outline(bytes: &[u8], network: &NetworkId) -> Outline {
    let Ok(entry) = Entry::decode(bytes) else { return Outline::Other };
    match entry.kind {
        EntryKind::Report if entry.body.len() <= REPORT_BYTES_MAX => {
            let Ok(sign1) = Sign1::parse(entry.body) else { return Outline::Other };
            Outline::Report(Box::new(SignedReport {
                device: DeviceId(sign1.key_id),
                algorithm: sign1.algorithm,
                message: sign1.to_be_signed(Purpose::Report, Some(network)),
                signature: sign1.signature,
            }))
        }
        EntryKind::Statement => match Statement::parse(entry.body).map(|statement| statement.body) {
            Ok(Body::Enrol(enrol)) => Outline::Key(DeviceId::of_key(&enrol.key.multicodec()), Box::new(enrol.key)),
            Ok(Body::Rotate(rotate)) => Outline::Key(rotate.device, Box::new(rotate.key)),
            _ => Outline::Other,
        },
        _ => Outline::Other,
    }
}
