//! The chain in memory, as the file of blocks says it.
//!
//! Promises: a block that was appended is what memory says, and the other way round; opening ends with the world in which every block
//! was run, by a snapshot as far as it goes, and each block that is run comes out as it is written.

use cairn_log::Disk;
use cairn_settle::{EvmAddress, Word};

use super::frames::{Frames, broken, failure};
use super::index::Index;
use super::machine::{self, Place};
use super::record::{Deed, Record};
use super::snapshot::Snapshot;
use super::world::World;
use crate::{ChainError, SignedTransaction};

/// The file of blocks.
const FILE: &str = "blocks";

/// Blocks and what they amount to.
pub(super) struct State {
    frames: Frames,
    pub index: Index,
    pub world: World,
    chain_id: u64,
    /// The file, for people.
    name: String,
}

impl State {
    /// Opens what is in the folder, or begins a chain there. Also how many blocks were run for it.
    pub(super) fn open(
        disk: &dyn Disk,
        folder: &str,
        chain_id: u64,
        genesis: impl FnOnce() -> (u64, Vec<(EvmAddress, u128)>),
    ) -> Result<(Self, u64), ChainError> {
        let name = format!("{folder}/{FILE}");
        let mut index = Index::default();
        let mut first = None;
        let mut each = |span, bytes: &[u8]| {
            let number = index.len();
            let record = Record::decode(bytes).map_err(|error| broken(&name, format!("block {number}: {error}")))?;
            if !record.follows(&index.last_hash(), number) || record.time_s < index.last_time_s() {
                return Err(broken(&name, format!("block {number} does not follow the one before it")));
            }
            index.push(span, &record);
            first.get_or_insert(record);
            Ok(())
        };
        let frames = match Frames::open(disk, FILE, &name, &mut each)? {
            Some(frames) => frames,
            None => {
                let (time_s, allocation) = genesis();
                let first = Record::new(&[0; 32], 0, time_s, Deed::Genesis { chain_id, allocation });
                Frames::create(disk, FILE, &name, &first.encode())?;
                Frames::open(disk, FILE, &name, &mut each)?.ok_or_else(|| failure("open", &name, "it was just made"))?
            }
        };
        let Some(Record { deed: Deed::Genesis { chain_id: written, allocation }, .. }) = first else {
            return Err(broken(&name, "it does not begin as a chain does"));
        };
        if written != chain_id {
            return Err(broken(&name, format!("it is the chain {written}, not {chain_id}")));
        }
        let mut state = Self { frames, index, world: World::default(), chain_id, name };
        let run = state.run_all(disk, &allocation)?;
        Ok((state, run))
    }

    /// Makes the world by running the blocks after the snapshot; all of them where it is of no use.
    fn run_all(&mut self, disk: &dyn Disk, allocation: &[(EvmAddress, u128)]) -> Result<u64, ChainError> {
        if let Some(snapshot) = Snapshot::read(disk).filter(|snapshot| self.has(snapshot)) {
            self.world = snapshot.world;
            if self.run_from(snapshot.number).is_ok() {
                return Ok(self.index.head() - snapshot.number);
            }
        }
        self.world = World::default();
        allocation.iter().for_each(|(account, wei)| self.world.give(*account, *wei));
        self.run_from(0)?;
        Ok(self.index.head())
    }

    /// Whether the snapshot is of one of these blocks.
    fn has(&self, snapshot: &Snapshot) -> bool {
        let hash = |number| self.index.get(number).map(|entry| entry.hash);
        hash(0) == Some(snapshot.genesis) && hash(snapshot.number) == Some(snapshot.hash)
    }

    /// Runs the blocks after `done`, in a world that is the one after it.
    fn run_from(&mut self, done: u64) -> Result<(), ChainError> {
        for number in done.saturating_sub(256)..=done {
            self.follow(number);
        }
        for number in done + 1..self.index.len() {
            let wrong = |what: String| broken(&self.name, format!("block {number}: {what}"));
            let record = self.record(number)?;
            match record.deed {
                Deed::Genesis { .. } => return Err(wrong("a chain begins once".to_owned())),
                Deed::Fund { to, wei } => self.world.give(to, wei),
                Deed::Transaction { raw, outcome } => {
                    let signed = SignedTransaction::decode(&raw).map_err(|error| wrong(error.to_string()))?;
                    let place = self.place(number, record.time_s);
                    let ran = machine::transact(&self.world, &place, signed.sender(), signed.transaction());
                    let (again, changes) = ran.map_err(wrong)?;
                    if again != outcome {
                        return Err(wrong("it comes out otherwise than when it was written".to_owned()));
                    }
                    self.world.commit(changes);
                }
            }
            self.follow(number);
        }
        Ok(())
    }

    fn follow(&mut self, number: u64) {
        if let Some(entry) = self.index.get(number) {
            self.world.follow(number, entry.hash);
        }
    }

    /// Where a block of this number runs, behind the one before it.
    fn place(&self, number: u64, time_s: u64) -> Place {
        let parent =
            number.checked_sub(1).and_then(|before| self.index.get(before)).map_or([0; 32], |entry| entry.hash);
        Place { chain_id: self.chain_id, number, time_s, parent }
    }

    /// Where the next block would run at this time, which does not fall.
    pub(super) fn next_place(&self, now_s: u64) -> Place {
        self.place(self.index.len(), now_s.max(self.index.last_time_s()))
    }

    /// Runs a transaction, writes it down, and only then lets it count. `what` of a refusal is the machine's.
    pub(super) fn include(&mut self, now_s: u64, signed: &SignedTransaction) -> Result<Result<(), String>, ChainError> {
        let place = self.next_place(now_s);
        let (outcome, changes) = match machine::transact(&self.world, &place, signed.sender(), signed.transaction()) {
            Ok(ran) => ran,
            Err(what) => return Ok(Err(what)),
        };
        self.append(&place, Deed::Transaction { raw: signed.raw().to_vec(), outcome })?;
        self.world.commit(changes);
        Ok(Ok(()))
    }

    /// Gives coin.
    pub(super) fn fund(&mut self, now_s: u64, to: EvmAddress, wei: u128) -> Result<(), ChainError> {
        let place = self.next_place(now_s);
        self.append(&place, Deed::Fund { to, wei })?;
        self.world.give(to, wei);
        Ok(())
    }

    fn append(&mut self, place: &Place, deed: Deed) -> Result<(), ChainError> {
        let record = Record::new(&place.parent, place.number, place.time_s, deed);
        let span = self.frames.append(&record.encode())?;
        self.index.push(span, &record);
        self.world.follow(record.number, record.hash);
        Ok(())
    }

    /// A block as it is written.
    pub(super) fn record(&self, number: u64) -> Result<Record, ChainError> {
        let missing = || broken(&self.name, format!("there is no block {number}"));
        let entry = self.index.get(number).ok_or_else(missing)?;
        let bytes = self.frames.read(entry.span)?;
        Record::decode(&bytes).map_err(|error| broken(&self.name, format!("block {number}: {error}")))
    }

    /// The world as it is now, with its place.
    pub(super) fn snapshot(&self) -> Snapshot {
        let genesis: Word = self.index.get(0).map_or([0; 32], |entry| entry.hash);
        Snapshot { genesis, number: self.index.head(), hash: self.index.last_hash(), world: self.world.clone() }
    }
}
