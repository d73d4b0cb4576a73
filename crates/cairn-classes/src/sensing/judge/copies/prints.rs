//! What the rows of a device's readings looked like: a bounded sample that outlives the epoch.
//!
//! A *row* is all usable values of one reading, known by a 64-bit number; a *run* is so many rows one after the other, known
//! by a 61-bit fingerprint ([`Karp`]). Of each *chunk* of slots (as long as a copy window, counted since 1970) the least
//! fingerprints are kept: the same few whatever the epochs are, and spread over the chunk at random. Of the last rows of
//! all, only the numbers are kept, so that a run may begin in one epoch and end in the next.
//!
//! Where a run meets a fingerprint kept from an earlier epoch the rows themselves are no longer at hand. Two runs of
//! different rows agree with a chance of about 2^-60. A million devices that keep 40 fingerprints each and give a
//! thousand runs a day meet by chance once in tens of thousands of days; and nobody can aim at another's rows before they are
//! measured, however well the arithmetic of fingerprints is known. One who makes his own rows collide accuses himself.

use cairn_core::cbor::{self, CborError, Decoder, Encoder};

/// How many fingerprints are kept of one chunk.
const CHUNK_MAX: usize = 10;
/// How many chunks are kept.
const CHUNKS_MAX: usize = 4;
/// The most rows whose numbers are kept: one less than the longest run that a profile may ask for.
const TAIL_MAX: usize = 31;

/// A row that was given before the epoch: its number and slot.
pub(super) type Ghost = (u64, u64);

/// What is remembered of a device's rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::sensing::judge) struct Prints {
    /// The last rows of all, in order of time, and so of slots.
    tail: Vec<Ghost>,
    /// Ascending by chunk; fingerprints ascending.
    chunks: Vec<(u64, Vec<u64>)>,
}

impl Prints {
    /// The last rows.
    pub(super) fn tail(&self) -> &[Ghost] {
        &self.tail
    }

    /// Every fingerprint with its chunk.
    pub(super) fn kept(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.chunks.iter().flat_map(|(chunk, prints)| prints.iter().map(|&print| (print, *chunk)))
    }

    /// Takes runs in, as (fingerprint, chunk), and the rows that are now the last.
    pub(super) fn keep(&mut self, runs: impl Iterator<Item = (u64, u64)>, tail: Vec<Ghost>) {
        for (print, chunk) in runs {
            let at = self.chunks.partition_point(|(of, _)| *of < chunk);
            if self.chunks.get(at).is_none_or(|(of, _)| *of != chunk) {
                if self.chunks.len() == CHUNKS_MAX && at == 0 {
                    continue;
                }
                self.chunks.insert(at, (chunk, Vec::with_capacity(CHUNK_MAX + 1)));
            }
            let prints = &mut self.chunks[at].1;
            if let Err(at) = prints.binary_search(&print)
                && at < CHUNK_MAX
            {
                prints.insert(at, print);
                prints.truncate(CHUNK_MAX);
            }
            if self.chunks.len() > CHUNKS_MAX {
                self.chunks.remove(0);
            }
        }
        self.tail = tail;
    }

    pub(in crate::sensing::judge) fn encode(&self, out: &mut Encoder) {
        out.array(2 + self.tail.len() + 2 * self.chunks.len());
        out.bytes(&numbers(self.tail.iter().map(|(row, _)| *row)));
        out.uint(self.tail.len() as u64);
        // How many slots after the one before.
        let mut before = 0;
        for (_, slot) in &self.tail {
            out.uint(slot.saturating_sub(before));
            before = *slot;
        }
        for (chunk, prints) in &self.chunks {
            out.uint(*chunk).bytes(&numbers(prints.iter().copied()));
        }
    }

    pub(in crate::sensing::judge) fn decode(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        let at = input.position();
        let bad = |what| CborError::Range { at, what };
        let len = input.array()?;
        let rows = read_numbers(input.bytes()?).ok_or(bad("rows are numbers of eight bytes"))?;
        let count = input.uint()?;
        if count != rows.len() as u64 || rows.len() > TAIL_MAX || len < 2 + rows.len() || (len - rows.len()) % 2 != 0 {
            return Err(bad("the last rows have one slot each, and chunks come with their fingerprints"));
        }
        let mut tail = Vec::with_capacity(rows.len());
        let mut slot: u64 = 0;
        for row in rows {
            slot = slot.checked_add(input.uint()?).ok_or(bad("slots stay within 64 bits"))?;
            tail.push((row, slot));
        }
        let mut chunks: Vec<(u64, Vec<u64>)> = Vec::new();
        for _ in 0..(len - 2 - tail.len()) / 2 {
            let chunk = input.uint()?;
            let prints = read_numbers(input.bytes()?).ok_or(bad("fingerprints are numbers of eight bytes"))?;
            let ascending =
                chunks.last().is_none_or(|(before, _)| *before < chunk) && prints.is_sorted_by(|a, b| a < b);
            if !ascending || prints.len() > CHUNK_MAX || chunks.len() == CHUNKS_MAX {
                return Err(bad("a few chunks ascend, and the few fingerprints of each"));
            }
            chunks.push((chunk, prints));
        }
        input.leave();
        Ok(Self { tail, chunks })
    }
}

fn numbers(numbers: impl Iterator<Item = u64>) -> Vec<u8> {
    numbers.flat_map(u64::to_be_bytes).collect()
}

fn read_numbers(bytes: &[u8]) -> Option<Vec<u64>> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    rest.is_empty().then(|| numbers.iter().map(|number| u64::from_be_bytes(*number)).collect())
}

/// The number of a row: its quantities and values in order, each stirred in with the finaliser of SplitMix64 (Steele, Lea
/// and Flood 2014, Fast splittable pseudorandom number generators).
pub(super) fn row_number(values: impl Iterator<Item = (u8, i64)>) -> u64 {
    values.fold(0x243f_6a88_85a3_08d3, |number, (quantity, value)| {
        let value = value.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(quantity.into());
        stirred(number.rotate_left(5) ^ stirred(value))
    })
}

const fn stirred(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The fingerprint of the last rows, rolled on row by row: `sum of row * BASE^age` modulo the prime 2^61 - 1 (Karp and
/// Rabin 1987, Efficient randomized pattern-matching algorithms).
#[derive(Debug, Clone, Copy)]
pub(super) struct Karp {
    print: u64,
    /// What the oldest row is multiplied with when it leaves.
    oldest: u64,
}

impl Karp {
    const PRIME: u64 = (1 << 61) - 1;
    const BASE: u64 = 0x1319_8a2e_0370_7344;

    /// Nothing yet, of runs so many rows long.
    pub fn of_runs(rows: u32) -> Self {
        let oldest = (0..rows).fold(1, |power, _| Self::times(power, Self::BASE));
        Self { print: 0, oldest }
    }

    /// The fingerprint after one more row, and one that leaves if there is one.
    pub fn roll(&mut self, row: u64, leaves: Option<u64>) -> u64 {
        let leaves = leaves.map_or(0, |row| Self::times(row % Self::PRIME, self.oldest));
        let print = Self::times(self.print, Self::BASE) + row % Self::PRIME;
        self.print = (print + Self::PRIME - leaves) % Self::PRIME;
        self.print
    }

    fn times(a: u64, b: u64) -> u64 {
        let product = u128::from(a) * u128::from(b) % u128::from(Self::PRIME);
        u64::try_from(product).expect("less than the prime")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered(seed: u64) -> u64 {
        stirred(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn decoded(bytes: &[u8]) -> cbor::Result<Prints> {
        let mut input = Decoder::over(bytes);
        let prints = Prints::decode(&mut input)?;
        input.end()?;
        Ok(prints)
    }

    fn encoded(prints: &Prints) -> Vec<u8> {
        let mut out = Encoder::empty();
        prints.encode(&mut out);
        out.into_bytes()
    }

    #[test]
    fn prints_stay_within_six_hundred_bytes_and_are_read_back_as_written() {
        let mut prints = Prints::default();
        assert_eq!(decoded(&encoded(&prints)), Ok(Prints::default()));
        for day in 0..9 {
            let runs = (0..500).map(|n| (numbered(day * 500 + n) % Karp::PRIME, 20_400 + day));
            prints.keep(runs, (0..23).map(|n| (numbered(n), 490_000 + day * 24 + n / 8)).collect());
        }
        let bytes = encoded(&prints);
        assert_eq!(prints.kept().count(), CHUNKS_MAX * CHUNK_MAX);
        assert!(bytes.len() <= 600, "{}", bytes.len());
        assert_eq!(decoded(&bytes), Ok(prints));
        for cut in 0..bytes.len() {
            assert!(decoded(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_does_not_depend_on_how_runs_are_dealt_to_epochs(
            runs in proptest::collection::vec((0u64..1_000, 0u64..4), 0..200), at in 0usize..200,
        ) {
            let mut runs = runs;
            runs.sort_unstable_by_key(|(_, chunk)| *chunk);
            let (first, second) = runs.split_at(at.min(runs.len()));
            let (mut parted, mut whole) = (Prints::default(), Prints::default());
            parted.keep(first.iter().copied(), Vec::new());
            parted.keep(second.iter().copied(), Vec::new());
            whole.keep(runs.iter().copied(), Vec::new());
            prop_assert_eq!(parted, whole);
        }

        #[test]
        fn a_rolled_fingerprint_is_that_of_its_rows_alone(
            rows in proptest::collection::vec(any::<u64>(), 1..40), length in 1usize..12,
        ) {
            let runs = u32::try_from(length).unwrap();
            let mut rolled = Karp::of_runs(runs);
            for n in 0..rows.len() {
                let print = rolled.roll(rows[n], n.checked_sub(length).map(|n| rows[n]));
                let mut alone = Karp::of_runs(runs);
                let last = rows[(n + 1).saturating_sub(length)..=n].iter().map(|&row| alone.roll(row, None)).last();
                prop_assert_eq!(last, Some(print));
            }
        }
    }

    #[test]
    fn rows_that_differ_in_anything_have_other_numbers() {
        let rows: [&[(u8, i64)]; 8] =
            [&[], &[(1, 0)], &[(2, 0)], &[(1, 1)], &[(1, -1)], &[(1, 5), (2, 6)], &[(1, 6), (2, 5)], &[(2, 6), (1, 5)]];
        let mut numbers: Vec<u64> = rows.iter().map(|row| row_number(row.iter().copied())).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), rows.len());
        // Pinned: what is remembered must be met again by every later build.
        assert_eq!(row_number([(1, 2_345), (2, 9_990)].into_iter()), PINNED);
    }

    const PINNED: u64 = 4_015_327_712_826_291_492;
}
