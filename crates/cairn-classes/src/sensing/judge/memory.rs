//! What is remembered of a device from epoch to epoch: one bounded record per device, in the class's carry.
//!
//! The record is `[1, good_slots, last_slot, place, [quantity, trail]..., [quantity, moments]..., prints]`; its parts
//! belong to the checks that need them. It changes only with the slots and readings of the epoch being closed, in the order of their times.

use std::collections::BTreeMap;

use cairn_core::cbor::{self, CborError, Decoder, Encoder};
use cairn_core::geo::Position;
use rayon::prelude::*;

use super::Changes;
use super::case::Case;
use super::copies::Prints;
use super::long::Moments;
use super::own::Trail;
use crate::ClassError;
use crate::sensing::quantity::Quantity;

/// The version of the record.
const VERSION: u64 = 1;

/// What is remembered of one device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Memory {
    /// Slots in which it was compared with neighbours and passed; what its word weighs.
    pub good_slots: u32,
    /// The last slot that went into the memory: one that comes later than others is not taken in again.
    pub last_slot: u64,
    /// Where it stood, for one that stands still: what was earned at one place is not brought to another.
    pub place: Option<Position>,
    /// The end of each quantity's series.
    pub trails: BTreeMap<Quantity, Trail>,
    /// How each quantity lay to its neighbours.
    pub moments: BTreeMap<Quantity, Moments>,
    /// What the rows of its readings looked like.
    pub prints: Prints,
}

impl Memory {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.array(7).uint(VERSION).uint(self.good_slots.into()).uint(self.last_slot);
        match self.place {
            Some(place) => out.array(2).int(place.lat_e7.into()).int(place.lon_e7.into()),
            None => out.array(0),
        };
        out.array(self.trails.len() * 2);
        for (quantity, trail) in &self.trails {
            out.uint(quantity.number().into());
            trail.encode(&mut out);
        }
        out.array(self.moments.len() * 2);
        for (quantity, moments) in &self.moments {
            out.uint(quantity.number().into());
            moments.encode(&mut out);
        }
        self.prints.encode(&mut out);
        out.into_bytes()
    }

    pub fn decode(bytes: &[u8]) -> cbor::Result<Self> {
        let mut input = Decoder::over(bytes);
        input.array_exact(7)?;
        let at = input.position();
        if input.uint()? != VERSION {
            return Err(CborError::Range { at, what: "a memory of another version" });
        }
        let good_slots = input.uint32()?;
        let last_slot = input.uint()?;
        let place = read_place(&mut input)?;
        let trails = read_map(&mut input, Trail::decode)?;
        let moments = read_map(&mut input, Moments::decode)?;
        let prints = Prints::decode(&mut input)?;
        input.leave();
        input.end()?;
        Ok(Self { good_slots, last_slot, place, trails, moments, prints })
    }
}

/// What is remembered of one device, read and written again: the same bytes, or they are refused.
///
/// # Errors
/// [`CborError`] for bytes that no judge wrote.
pub fn reread_memory(bytes: &[u8]) -> cbor::Result<Vec<u8>> {
    Memory::decode(bytes).map(|memory| memory.encode())
}

fn read_place(input: &mut Decoder<'_>) -> cbor::Result<Option<Position>> {
    let at = input.position();
    let bad = CborError::Range { at, what: "a place is empty, or a latitude and a longitude" };
    let place = match input.array()? {
        0 => None,
        2 => {
            let (lat_e7, lon_e7) = (i32::try_from(input.int()?), i32::try_from(input.int()?));
            let place = lat_e7.ok().zip(lon_e7.ok()).and_then(|(lat_e7, lon_e7)| Position::of(lat_e7, lon_e7));
            Some(place.ok_or(bad)?)
        }
        _ => return Err(bad),
    };
    input.leave();
    Ok(place)
}

fn read_map<T>(
    input: &mut Decoder<'_>,
    read: impl Fn(&mut Decoder<'_>) -> cbor::Result<T>,
) -> cbor::Result<BTreeMap<Quantity, T>> {
    let at = input.position();
    let len = input.array()?;
    let bad = |what| CborError::Range { at, what };
    if len % 2 != 0 {
        return Err(bad("quantities and what is remembered of them come in pairs"));
    }
    let mut map = BTreeMap::new();
    for _ in 0..len / 2 {
        let number = i64::try_from(input.uint()?).map_err(|_| bad("no quantity has that number"))?;
        let quantity = Quantity::of_number(number).ok_or(bad("no quantity has that number"))?;
        map.insert(quantity, read(input)?);
    }
    input.leave();
    Ok(map)
}

/// The memory of every device of the case, in the case's order.
///
/// # Errors
/// [`ClassError::Carry`] for a record that was not written here.
pub(super) fn recall(case: &Case<'_>) -> Result<Vec<Memory>, ClassError> {
    let read = |station: &super::case::Station<'_>| {
        let Some(bytes) = case.docket.carry.get(&station.id.0[..]) else { return Ok(Memory::default()) };
        Memory::decode(bytes)
            .map_err(|error| ClassError::Carry { key: station.id.to_string(), what: error.to_string() })
    };
    case.stations.par_iter().map(read).collect()
}

/// What changes in the carry.
pub(super) fn changes(case: &Case<'_>, memories: &[Memory]) -> Changes {
    let change = |(station, memory): (&super::case::Station<'_>, &Memory)| {
        let key = station.id.0.to_vec();
        let bytes = memory.encode();
        (case.docket.carry.get(&key) != Some(&bytes)).then_some((key, Some(bytes)))
    };
    case.stations.par_iter().zip(memories).filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_read_back_as_written() {
        let memory = Memory { good_slots: 7, last_slot: 400_000, ..Memory::default() };
        assert_eq!(Memory::decode(&memory.encode()), Ok(memory));
        assert!(Memory::decode(&[]).is_err());
    }
}
