//! A block as it is written: what happened, and what came of it.
//!
//! Promises: one form (RLP); a block's hash covers its number, its time, what was done in it and, by its parent's hash, all
//! blocks before it. It does not cover what came of it: that follows, and whoever runs the block again finds out.

use cairn_core::keccak256;
use cairn_settle::{EvmAddress, Word};

use super::machine::{Event, Outcome};
use crate::rlp::{Items, RlpError, write_bytes, write_list, write_uint};

/// First in every chain.
const FORMAT: &[u8] = b"cairn embedded chain 1";

/// What a block is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// The first: the chain's id, and who has coin, wei.
    Genesis { chain_id: u64, allocation: Vec<(EvmAddress, u128)> },
    /// One transaction and what it did.
    Transaction { raw: Vec<u8>, outcome: Outcome },
    /// Coin out of nothing, wei: a rehearsal's.
    Fund { to: EvmAddress, wei: u128 },
}

impl Deed {
    const fn kind(&self) -> u8 {
        match self {
            Self::Genesis { .. } => 0,
            Self::Transaction { .. } => 1,
            Self::Fund { .. } => 2,
        }
    }

    /// By what a block's hash names it: a transaction by its hash.
    fn id(&self) -> Word {
        match self {
            Self::Transaction { raw, .. } => keccak256(raw),
            _ => keccak256(&self.encode()),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut items = Vec::new();
        match self {
            Self::Genesis { chain_id, allocation } => {
                let mut all = Vec::new();
                for (account, wei) in allocation {
                    let mut one = Vec::new();
                    write_bytes(&mut one, account);
                    write_uint(&mut one, *wei);
                    write_list(&mut all, &one);
                }
                write_bytes(&mut items, FORMAT);
                write_uint(&mut items, *chain_id);
                write_list(&mut items, &all);
            }
            Self::Transaction { raw, outcome } => {
                write_bytes(&mut items, raw);
                write_outcome(&mut items, outcome);
            }
            Self::Fund { to, wei } => {
                write_bytes(&mut items, to);
                write_uint(&mut items, *wei);
            }
        }
        items
    }

    fn decode(kind: u128, mut items: Items<'_>) -> Result<Self, RlpError> {
        let deed = match kind {
            0 => {
                if items.bytes()? != FORMAT {
                    return Err(RlpError::Kind);
                }
                let (chain_id, mut all) = (items.uint64()?, items.list()?);
                let mut allocation = Vec::new();
                while all.end().is_err() {
                    let mut one = all.list()?;
                    allocation.push((one.fixed()?, one.uint()?));
                    one.end()?;
                }
                Self::Genesis { chain_id, allocation }
            }
            1 => Self::Transaction { raw: items.bytes()?.to_vec(), outcome: read_outcome(&mut items)? },
            2 => Self::Fund { to: items.fixed()?, wei: items.uint()? },
            _ => return Err(RlpError::Kind),
        };
        items.end()?;
        Ok(deed)
    }
}

/// A block with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub hash: Word,
    pub number: u64,
    pub time_s: u64,
    pub deed: Deed,
}

impl Record {
    /// The block that follows `parent`.
    pub(super) fn new(parent: &Word, number: u64, time_s: u64, deed: Deed) -> Self {
        let hash = hash_of(parent, number, time_s, &deed);
        Self { hash, number, time_s, deed }
    }

    /// Whether it is the block `number` behind `parent`.
    pub(super) fn follows(&self, parent: &Word, number: u64) -> bool {
        self.number == number && self.hash == hash_of(parent, number, self.time_s, &self.deed)
    }

    /// The transaction's hash, if there is one in it.
    pub(super) fn transaction(&self) -> Option<Word> {
        matches!(self.deed, Deed::Transaction { .. }).then(|| self.deed.id())
    }

    /// What events there are in it.
    pub(super) fn events(&self) -> &[Event] {
        match &self.deed {
            Deed::Transaction { outcome, .. } => &outcome.events,
            _ => &[],
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut items = Vec::new();
        write_bytes(&mut items, &self.hash);
        write_uint(&mut items, self.number);
        write_uint(&mut items, self.time_s);
        write_uint(&mut items, self.deed.kind());
        write_list(&mut items, &self.deed.encode());
        let mut out = Vec::with_capacity(items.len() + 10);
        write_list(&mut out, &items);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RlpError> {
        let mut items = Items::of_list(bytes)?;
        let (hash, number, time_s) = (items.fixed()?, items.uint64()?, items.uint64()?);
        let deed = Deed::decode(items.uint()?, items.list()?)?;
        items.end()?;
        Ok(Self { hash, number, time_s, deed })
    }
}

fn hash_of(parent: &Word, number: u64, time_s: u64, deed: &Deed) -> Word {
    keccak256(&[&parent[..], &number.to_be_bytes(), &time_s.to_be_bytes(), &deed.id()].concat())
}

fn write_outcome(items: &mut Vec<u8>, outcome: &Outcome) {
    write_uint(items, u8::from(outcome.succeeded));
    write_uint(items, outcome.gas_used);
    write_uint(items, outcome.gas_price);
    write_bytes(items, outcome.created.as_ref().map_or(&[], |address| &address[..]));
    let mut events = Vec::new();
    for event in &outcome.events {
        let (mut one, mut topics) = (Vec::new(), Vec::new());
        event.topics.iter().for_each(|topic| write_bytes(&mut topics, topic));
        write_bytes(&mut one, &event.address);
        write_list(&mut one, &topics);
        write_bytes(&mut one, &event.data);
        write_list(&mut events, &one);
    }
    write_list(items, &events);
}

fn read_outcome(items: &mut Items<'_>) -> Result<Outcome, RlpError> {
    let succeeded = match items.uint()? {
        0 => false,
        1 => true,
        _ => return Err(RlpError::Width),
    };
    let (gas_used, gas_price) = (items.uint64()?, items.uint()?);
    let created = match items.bytes()? {
        [] => None,
        address => Some(address.try_into().map_err(|_| RlpError::Width)?),
    };
    let (mut list, mut events) = (items.list()?, Vec::new());
    while list.end().is_err() {
        let mut one = list.list()?;
        let (address, mut all, mut topics) = (one.fixed()?, one.list()?, Vec::new());
        while all.end().is_err() {
            topics.push(all.fixed()?);
        }
        events.push(Event { address, topics, data: one.bytes()?.to_vec() });
        one.end()?;
    }
    Ok(Outcome { succeeded, gas_used, gas_price, created, events })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_as_it_was_written_and_its_hash_covers_what_was_done() {
        let event = Event { address: [7; 20], topics: vec![[1; 32], [2; 32]], data: vec![0; 70] };
        let bare = Event { address: [0; 20], topics: vec![], data: vec![] };
        let done =
            Outcome { succeeded: true, gas_used: 21_000, gas_price: 8, created: None, events: vec![event, bare] };
        let made = Outcome { created: Some([9; 20]), events: vec![], ..done.clone() };
        let deeds = [
            Deed::Genesis { chain_id: 31_337, allocation: vec![([1; 20], u128::MAX), ([0; 20], 0)] },
            Deed::Transaction { raw: vec![2, 0xc0], outcome: done },
            Deed::Transaction { raw: vec![2, 0xc1, 0], outcome: made },
            Deed::Fund { to: [3; 20], wei: 5 },
            Deed::Fund { to: [3; 20], wei: 6 },
        ];
        let mut hashes = Vec::new();
        for deed in deeds {
            let record = Record::new(&[5; 32], 3, 1_700_000_000, deed);
            let bytes = record.encode();
            assert_eq!(Record::decode(&bytes).as_ref(), Ok(&record));
            assert!((0..bytes.len()).all(|end| Record::decode(&bytes[..end]).is_err()), "{record:?}");
            assert!(record.follows(&[5; 32], 3) && !record.follows(&[5; 32], 4) && !record.follows(&[6; 32], 3));
            assert!(!Record { time_s: 1_700_000_001, ..record.clone() }.follows(&[5; 32], 3));
            hashes.push(record.hash);
        }
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 5);
    }
}
