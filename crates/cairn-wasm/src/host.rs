//! What a job can ask of its host, the same for every engine: its inputs, arguments, output, random bytes, and gas.
//!
//! An engine brings the guest's memory and its gas counter to each call and obeys the answer. Nothing here reads a clock,
//! a file or a network: what a job sees is its order and nothing else.

use cairn_core::Hash;

use crate::gas::{GAS_HOST_CALL, GAS_OUTPUT_BYTE, GAS_RANDOM_BYTE, bulk};
use crate::job::Job;
use crate::outcome::Outcome;

/// The module name that guests import from.
pub const MODULE: &str = "cairn";

/// How much gas is handed to the guest's counter at a time. It decides nothing but how soon a run can be cancelled.
const SLICE: u64 = 1 << 26;

/// A call to the host, by its name in the module [`MODULE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// `input_count() -> i32`.
    InputCount,
    /// `input_len(i) -> i32`.
    InputLen,
    /// `input_read(i, offset, ptr, len) -> i32`.
    InputRead,
    /// `arguments_len() -> i32`.
    ArgumentsLen,
    /// `arguments_read(offset, ptr, len) -> i32`.
    ArgumentsRead,
    /// `output_write(ptr, len)`.
    OutputWrite,
    /// `random(ptr, len)`.
    Random,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::InputCount,
        Self::InputLen,
        Self::InputRead,
        Self::ArgumentsLen,
        Self::ArgumentsRead,
        Self::OutputWrite,
        Self::Random,
    ];

    /// The call of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|call| call.name() == name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InputCount => "input_count",
            Self::InputLen => "input_len",
            Self::InputRead => "input_read",
            Self::ArgumentsLen => "arguments_len",
            Self::ArgumentsRead => "arguments_read",
            Self::OutputWrite => "output_write",
            Self::Random => "random",
        }
    }

    /// How many parameters it has, each an `i32`.
    #[must_use]
    pub const fn parameters(self) -> usize {
        match self {
            Self::InputCount | Self::ArgumentsLen => 0,
            Self::InputLen => 1,
            Self::OutputWrite | Self::Random => 2,
            Self::ArgumentsRead => 3,
            Self::InputRead => 4,
        }
    }

    /// Whether it gives back an `i32`; otherwise nothing.
    #[must_use]
    pub const fn answers(self) -> bool {
        !matches!(self, Self::OutputWrite | Self::Random)
    }
}

/// Why a call does not return to the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The job ended.
    Ended(Outcome),
    /// The run was cancelled.
    Cancelled,
}

/// The host of one run.
pub struct Host<'a> {
    job: Job<'a>,
    cancelled: &'a mut dyn FnMut() -> bool,
    /// Gas that has not been handed to the guest's counter.
    reserve: u64,
    /// How many random bytes were given.
    random_at: u64,
    output: Vec<u8>,
}

impl core::fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host")
            .field("reserve", &self.reserve)
            .field("output", &self.output.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Host<'a> {
    /// A host that has so much gas to hand out; `cancelled` is asked from time to time.
    #[must_use]
    pub fn of(job: &Job<'a>, gas: u64, cancelled: &'a mut dyn FnMut() -> bool) -> Self {
        Self { job: *job, cancelled, reserve: gas, random_at: 0, output: Vec::new() }
    }

    /// The gas that is neither used nor in the guest's counter.
    #[must_use]
    pub const fn reserve(&self) -> u64 {
        self.reserve
    }

    /// Takes what the job wrote.
    #[must_use]
    pub fn take_output(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.output)
    }

    /// Hands out gas to a counter that fell below zero, so that it is at zero or above again.
    ///
    /// # Errors
    /// [`Stop`] when there is not enough left, or the run was cancelled.
    pub fn refill(&mut self, counter: &mut i64) -> Result<(), Stop> {
        if (self.cancelled)() {
            return Err(Stop::Cancelled);
        }
        let missing = if *counter < 0 { counter.unsigned_abs() } else { 0 };
        if missing > self.reserve {
            self.reserve = 0;
            return Err(Stop::Ended(Outcome::OutOfGas));
        }
        let grant = self.reserve.min(missing.saturating_add(SLICE));
        self.reserve -= grant;
        *counter = counter.saturating_add_unsigned(grant);
        Ok(())
    }

    /// Charges the counter.
    fn charge(&mut self, counter: &mut i64, gas: u64) -> Result<(), Stop> {
        *counter = counter.saturating_sub_unsigned(gas);
        if *counter < 0 { self.refill(counter) } else { Ok(()) }
    }

    /// Answers a call: `parameters` are as many as [`Call::parameters`] says, all read as unsigned. What gives no answer
    /// answers 0. Gas is charged first, by the length that was asked for.
    ///
    /// # Errors
    /// [`Stop`] when the guest does not go on.
    pub fn call(&mut self, call: Call, parameters: &[u32], memory: &mut [u8], gas: &mut i64) -> Result<u32, Stop> {
        let at = |index: usize| parameters.get(index).copied().unwrap_or_default();
        self.charge(gas, GAS_HOST_CALL)?;
        match call {
            Call::InputCount => Ok(length(self.job.inputs.len())),
            Call::InputLen => Ok(length(self.input(at(0))?.len())),
            Call::InputRead => {
                self.charge(gas, bulk(at(3)))?;
                read(self.input(at(0))?, at(1), range(memory, at(2), at(3))?)
            }
            Call::ArgumentsLen => Ok(length(self.job.arguments.len())),
            Call::ArgumentsRead => {
                self.charge(gas, bulk(at(2)))?;
                read(self.job.arguments, at(0), range(memory, at(1), at(2))?)
            }
            Call::OutputWrite => {
                self.charge(gas, u64::from(at(1)) * GAS_OUTPUT_BYTE)?;
                let bytes = range(memory, at(0), at(1))?;
                if bytes.len() > (self.job.limits.output_bytes as usize).saturating_sub(self.output.len()) {
                    return Err(Stop::Ended(Outcome::OutputTooLarge));
                }
                self.output.extend_from_slice(bytes);
                Ok(0)
            }
            Call::Random => {
                self.charge(gas, u64::from(at(1)) * GAS_RANDOM_BYTE)?;
                self.random(range(memory, at(0), at(1))?);
                Ok(0)
            }
        }
    }

    fn input(&self, index: u32) -> Result<&'a [u8], Stop> {
        self.job.inputs.get(index as usize).copied().ok_or(Stop::Ended(Outcome::BadHostCall))
    }

    /// The next bytes of the stream of SHA-256(seed || block number as 8 bytes, big-endian), block by block.
    fn random(&mut self, into: &mut [u8]) {
        let mut rest = into;
        while !rest.is_empty() {
            let (block, skip) = (self.random_at / 32, (self.random_at % 32) as usize);
            let bytes = Hash::of_parts(&[&self.job.seed, &block.to_be_bytes()]);
            let taken = rest.len().min(32 - skip);
            let (now, later) = rest.split_at_mut(taken);
            now.copy_from_slice(&bytes.as_bytes()[skip..skip + taken]);
            self.random_at += taken as u64;
            rest = later;
        }
    }
}

/// A length as the guest sees it; all are limited far below 2^31.
fn length(len: usize) -> u32 {
    u32::try_from(len).expect("inputs and arguments are limited to far less than 2^32 bytes")
}

/// The part of the guest's memory that it named.
fn range(memory: &mut [u8], ptr: u32, len: u32) -> Result<&mut [u8], Stop> {
    let (start, len) = (ptr as usize, len as usize);
    let end = start.checked_add(len).ok_or(Stop::Ended(Outcome::OutOfBounds))?;
    memory.get_mut(start..end).ok_or(Stop::Ended(Outcome::OutOfBounds))
}

/// Copies what there is from `offset` on, and says how many bytes that were.
fn read(from: &[u8], offset: u32, into: &mut [u8]) -> Result<u32, Stop> {
    let rest = from.get(offset as usize..).unwrap_or_default();
    let copied = rest.len().min(into.len());
    into[..copied].copy_from_slice(&rest[..copied]);
    Ok(length(copied))
}
