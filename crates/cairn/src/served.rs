//! A log as somebody serves it: behind an address, or in a folder that `cairn log export` has written.
//!
//! Nothing that is read here is believed: what is made of it is checked as evidence, or as a receipt, by those who make it.

use std::path::Path;

use cairn_audit::{FolderSource, HttpSource, Source};
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::statement::{Body, Statement};
use cairn_core::{DeviceId, Hash};
use cairn_merkle::note::Note;
use cairn_merkle::proof::inclusion_proof;
use cairn_merkle::tile::{TILE_WIDTH, TileReader, TiledHashes, split_entry};
use cairn_merkle::{Checkpoint, HashReader, MerkleError, Receipt, TileLevel, TilePath};

use crate::config::Folder;
use crate::connect::Connect;
use crate::failure::Failure;

/// Whether a text names a gateway.
#[must_use]
pub fn is_address(name: &str) -> bool {
    name.starts_with("http://") || name.starts_with("https://")
}

/// What serves a log: the address or folder named, or the usual gateway.
///
/// # Errors
/// `NET-SOURCE` for anything else, `NET-URL`.
pub fn source_named(named: Option<&str>) -> Result<Box<dyn Source>, Failure> {
    if named.is_none_or(is_address) {
        let connect = Connect::to(named.map(str::to_owned));
        return Ok(Box::new(HttpSource::of(connect.client()?)));
    }
    let path = Path::new(named.unwrap_or_default());
    if !path.is_dir() {
        let what = format!("{} is neither an http address nor a folder", path.display());
        return Err(Failure::usage("NET-SOURCE", what));
    }
    if Folder::at(path).log().is_dir() && !path.join("checkpoint").exists() {
        let what = format!("{} is a network's own folder; an audit reads what is served", path.display());
        return Err(Failure::usage("NET-SOURCE", what)
            .hint(format!("cairn log export {0} OUT, then cairn audit OUT; or cairn log check {0}", path.display())));
    }
    Ok(Box::new(FolderSource::at(path)))
}

/// A served log under the checkpoint that is served with it.
pub struct Served<'a> {
    source: &'a dyn Source,
    /// The checkpoint's note.
    pub note: String,
    /// Entries under it, as it says.
    pub size: u64,
}

impl<'a> Served<'a> {
    /// The log that a source serves now.
    ///
    /// # Errors
    /// When it serves no checkpoint.
    pub fn by(source: &'a dyn Source) -> Result<Self, Failure> {
        let missing = || Failure::wrong("LOG-MISSING", format!("{} serves no checkpoint", source.name()));
        let note = source.checkpoint()?.ok_or_else(missing)?;
        let note = String::from_utf8(note)
            .map_err(|_| Failure::wrong("LOG-NOTE", format!("the checkpoint of {} is not text", source.name())))?;
        Self::under(source, note)
    }

    /// The log that a source serves, under a checkpoint that came with it.
    ///
    /// # Errors
    /// When that is no checkpoint.
    pub fn under(source: &'a dyn Source, note: String) -> Result<Self, Failure> {
        let checkpoint: Checkpoint = note.parse::<Note>()?.text().parse()?;
        Ok(Self { source, note, size: checkpoint.size() })
    }

    /// Its hashes.
    #[must_use]
    pub const fn hashes(&self) -> TiledHashes<'_, Self> {
        TiledHashes::new(self, self.size)
    }

    /// The entries of a bundle, as served.
    fn bundle(&self, number: u64) -> Result<Vec<Vec<u8>>, Failure> {
        let first = number.saturating_mul(u64::from(TILE_WIDTH));
        let outside = || Failure::from(MerkleError::Index { index: first, size: self.size });
        let path = TilePath::in_log(TileLevel::Entries, number, self.size).ok_or_else(outside)?;
        let bytes = self.tile(path)?;
        let mut rest = &bytes[..];
        let mut entries = Vec::new();
        while let Some((entry, after)) = split_entry(rest).filter(|_| entries.len() < usize::from(path.width)) {
            entries.push(entry.to_vec());
            rest = after;
        }
        Ok(entries)
    }

    /// The payload of the genesis in entry 0. Whoever knows the network's id knows whether it is that.
    ///
    /// # Errors
    /// When entry 0 is none.
    pub fn genesis(&self) -> Result<Vec<u8>, Failure> {
        let bundle = self.bundle(0)?;
        let entry = bundle.first().map(Vec::as_slice).unwrap_or_default();
        genesis_in(entry).ok_or_else(|| Failure::wrong("NET-GENESIS", "entry 0 is no genesis statement"))
    }

    /// The leaf hash that the served hashes have at an index, and the receipt for it, not yet verified.
    ///
    /// # Errors
    /// When they cannot be had.
    pub fn receipt(&self, index: u64) -> Result<(Receipt, Hash), Failure> {
        let hashes = self.hashes();
        let proof = inclusion_proof(&hashes, index, self.size)?;
        let leaf = hashes.node(0, index)?;
        Ok((Receipt { extra: None, index, proof, checkpoint: self.note.clone() }, leaf))
    }

    /// All statements in the log that are about a device's owner or key, in order. Reads every entry.
    ///
    /// # Errors
    /// When a bundle cannot be had.
    pub fn statements_about(&self, device: DeviceId) -> Result<Vec<Vec<u8>>, Failure> {
        let mut found = Vec::new();
        for number in 0..self.size.div_ceil(u64::from(TILE_WIDTH)) {
            for entry in self.bundle(number)? {
                let Ok(entry) = Entry::decode(&entry) else { continue };
                if entry.kind == EntryKind::Statement && is_about(entry.body, device) {
                    found.push(entry.body.to_vec());
                }
            }
        }
        Ok(found)
    }
}

fn is_about(statement: &[u8], device: DeviceId) -> bool {
    Statement::parse(statement).is_ok_and(|statement| match &statement.body {
        Body::Enrol(enrol) => DeviceId::of_key(&enrol.key.multicodec()) == device,
        Body::Transfer(transfer) => transfer.device == device,
        Body::Rotate(rotate) => rotate.device == device,
        _ => false,
    })
}

/// The genesis payload in bytes that are it, the statement around it, or entry 0 around that.
#[must_use]
pub fn genesis_in(bytes: &[u8]) -> Option<Vec<u8>> {
    let body = Entry::decode(bytes).map_or(bytes, |entry| entry.body);
    let payload = Statement::parse(body).map_or_else(|_| body.to_vec(), |statement| statement.payload);
    cairn_core::statement::genesis_of_payload(&payload).is_ok().then_some(payload)
}

impl TileReader for Served<'_> {
    type Error = Failure;

    fn tile(&self, tile: TilePath) -> Result<Vec<u8>, Failure> {
        if let Some(bytes) = self.source.tile(tile)? {
            return Ok(bytes);
        }
        // A partial tile may be gone when the full one is there.
        let full = match tile.is_full() {
            true => None,
            false => self.source.tile(TilePath { width: TILE_WIDTH, ..tile })?,
        };
        let missing = || Failure::wrong("LOG-MISSING", format!("{} serves no {tile}", self.source.name()));
        let mut bytes = full.ok_or_else(missing)?;
        if tile.level != TileLevel::Entries {
            bytes.truncate(32 * usize::from(tile.width));
        }
        Ok(bytes)
    }
}
