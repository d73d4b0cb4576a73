//! The world after some block, so that opening a long chain need not run all of it again.
//!
//! Derived: it may be deleted at any time. A snapshot that is torn, of another chain or of a block that the chain does not
//! have is as good as none. Its checksum is all that is asked of it otherwise: against rot, not against whoever may write
//! in the folder.

use std::io;

use cairn_log::Disk;
use cairn_settle::Word;

use super::world::World;
use crate::rlp::{Items, RlpError, write_bytes, write_list, write_uint};

/// The file, and what stands first in it.
const FILE: &str = "state";
const FORMAT: &[u8] = b"cairn embedded state 1";

/// A world and where it belongs.
pub(super) struct Snapshot {
    /// Hash of the chain's first block.
    pub genesis: Word,
    /// The last block that it knows.
    pub number: u64,
    /// That block's hash.
    pub hash: Word,
    pub world: World,
}

impl Snapshot {
    fn encode(&self) -> Vec<u8> {
        let mut items = Vec::new();
        write_bytes(&mut items, FORMAT);
        write_bytes(&mut items, &self.genesis);
        write_uint(&mut items, self.number);
        write_bytes(&mut items, &self.hash);
        write_bytes(&mut items, &self.world.encode());
        let mut out = Vec::with_capacity(items.len() + 14);
        write_list(&mut out, &items);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (list, crc) = bytes.split_last_chunk::<4>()?;
        (crc32c::crc32c(list) == u32::from_le_bytes(*crc)).then(|| Self::decode_list(list).ok())?
    }

    fn decode_list(list: &[u8]) -> Result<Self, RlpError> {
        let mut items = Items::of_list(list)?;
        if items.bytes()? != FORMAT {
            return Err(RlpError::Kind);
        }
        let (genesis, number, hash) = (items.fixed()?, items.uint64()?, items.fixed()?);
        let world = World::decode(items.bytes()?)?;
        items.end()?;
        Ok(Self { genesis, number, hash, world })
    }

    /// The one in the folder, if it is of use.
    pub(super) fn read(disk: &dyn Disk) -> Option<Self> {
        let file = disk.open(FILE).ok()?;
        let mut bytes = vec![0; usize::try_from(file.size().ok()?).ok()?];
        file.read_at(0, &mut bytes).ok()?;
        Self::decode(&bytes)
    }

    /// Puts it in the place of the one before.
    pub(super) fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        let unfinished = format!("{FILE}.tmp");
        // Not the same file again: what a failed sync left of that one is not known.
        if let Err(error) = disk.remove(&unfinished)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let file = disk.create(&unfinished)?;
        file.write_at(0, &self.encode())?;
        file.sync()?;
        disk.rename(&unfinished, FILE)?;
        disk.sync_folder()
    }
}
