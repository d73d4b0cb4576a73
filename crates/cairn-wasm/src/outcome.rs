//! How a job ends, by numbers that are law once released, and the digest of a result.
//!
//! An [`Outcome`] is part of the result: every engine on every machine says the same. A [`Fault`] is the host's own trouble:
//! it is never a result, is never signed, and says nothing about the job.

use core::fmt;

use cairn_core::Hash;
use cairn_core::cbor::Encoder;

/// The first field of what [`digest`] hashes.
const DIGEST_FORMAT: u64 = 1;

/// What [`Refusal::number`] adds to, so that refusals and outcomes of running never share a number.
const REFUSED_FROM: u16 = 256;

macro_rules! refusals {
    ($($name:ident = $number:literal, $code:literal, $text:literal;)+) => {
        /// Why a job cannot be run at all: decided from its bytes alone, before any engine sees them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Refusal {
            $(#[doc = $text] $name = $number,)+
        }

        impl Refusal {
            /// All of them, by number.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its number among outcomes, 257 to 511. Law once released.
            #[must_use]
            pub const fn number(self) -> u16 {
                REFUSED_FROM + self as u16
            }

            /// Its stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What is wrong, as a sentence without a point.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

refusals! {
    Limits = 1, "RUN-LIMITS", "the order's limits are above the highest that there are";
    ModuleTooLarge = 2, "RUN-MODULE-SIZE", "the module is too large";
    TooManyInputs = 3, "RUN-INPUTS", "there are too many inputs";
    InputsTooLarge = 4, "RUN-INPUT-SIZE", "the inputs together are too large";
    ArgumentsTooLarge = 5, "RUN-ARGUMENTS-SIZE", "the arguments are too large";
    Invalid = 6, "RUN-INVALID", "the bytes are not a valid module of the features that are allowed";
    Floats = 7, "RUN-FLOATS", "the module uses floats, which its profile refuses";
    Import = 8, "RUN-IMPORT", "the module imports what does not exist";
    NoRun = 9, "RUN-NO-RUN", "the module exports no function `run` without parameters and results";
    ReservedName = 10, "RUN-RESERVED", "the module exports a name that is reserved";
    Types = 11, "RUN-TYPES", "the module has too many types, or one with too many values";
    Functions = 12, "RUN-FUNCTIONS", "the module has too many functions";
    Locals = 13, "RUN-LOCALS", "a function has too many locals";
    Nesting = 14, "RUN-NESTING", "a function nests blocks too deeply";
    Operands = 15, "RUN-OPERANDS", "a function needs too many operands";
    BranchTargets = 16, "RUN-BRANCH-TARGETS", "a branch table has too many targets";
    Sites = 17, "RUN-SITES", "the module has too many basic blocks and calls";
    Globals = 18, "RUN-GLOBALS", "the module has too many globals";
    Exports = 19, "RUN-EXPORTS", "the module has too many exports";
    Tables = 20, "RUN-TABLES", "the module has too many tables, or one with too many elements";
    Memory = 21, "RUN-MEMORY", "the module needs more memory than the order allows";
    Segments = 22, "RUN-SEGMENTS", "the module has too many segments, or too many elements in them";
    SegmentOutOfBounds = 23, "RUN-SEGMENT-BOUNDS", "a segment does not fit the memory or table that it fills";
}

macro_rules! traps {
    ($($name:ident = $number:literal, $code:literal, $text:literal;)+) => {
        /// How a job ended. Part of its result.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Outcome {
            $(#[doc = $text] $name,)+
            /// The job cannot be run, and why.
            Refused(Refusal),
        }

        impl Outcome {
            /// All that running can end with, by number; refusals are in [`Refusal::ALL`].
            pub const RUNNING: &[Self] = &[$(Self::$name,)+];

            /// Its number: below 256 for what ran, above for what was refused. Law once released.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)+ Self::Refused(why) => why.number() }
            }

            /// Its stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ Self::Refused(why) => why.code() }
            }

            /// What happened, as a sentence without a point.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ Self::Refused(why) => why.text() }
            }
        }
    };
}

traps! {
    Done = 0, "RUN-DONE", "`run` returned";
    OutOfGas = 1, "RUN-OUT-OF-GAS", "the gas limit did not suffice";
    StackOverflow = 2, "RUN-STACK", "calls nested deeper than the stack allows";
    Unreachable = 3, "RUN-UNREACHABLE", "the module ran into `unreachable`: most often a panic of its own";
    DivideByZero = 4, "RUN-DIVIDE-BY-ZERO", "an integer was divided by zero";
    IntegerOverflow = 5, "RUN-OVERFLOW", "a signed division or a conversion of a float has no result that fits";
    BadConversion = 6, "RUN-CONVERSION", "a float that is not a number was converted to an integer";
    OutOfBounds = 7, "RUN-OUT-OF-BOUNDS", "memory was used outside its bounds";
    TableOutOfBounds = 8, "RUN-TABLE-BOUNDS", "a table was used outside its bounds";
    IndirectCallNull = 9, "RUN-CALL-NULL", "a call through a table met an empty element";
    IndirectCallType = 10, "RUN-CALL-TYPE", "a call through a table met a function of another type";
    OutputTooLarge = 11, "RUN-OUTPUT", "more output was written than the order allows";
    BadHostCall = 12, "RUN-HOST-CALL", "an input was asked for that does not exist";
}

impl Outcome {
    /// The outcome of that number, if there is one.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        let refused = Refusal::ALL.iter().map(|why| Self::Refused(*why));
        Self::RUNNING.iter().copied().chain(refused).find(|outcome| outcome.number() == number)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.text())
    }
}

/// The result of a job: the same bytes wherever it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub outcome: Outcome,
    /// The gas that it used, at most its limit; exactly its limit when that did not suffice.
    pub gas: u64,
    /// What it wrote; empty unless it is [`Outcome::Done`].
    pub output: Vec<u8>,
}

impl Ran {
    /// The digest of this result under an order: see [`digest`].
    #[must_use]
    pub fn digest(&self, order: &Hash) -> Hash {
        digest(order, self.outcome, self.gas, &Hash::of(&self.output), self.output.len() as u64)
    }
}

/// The digest by which a result is named: SHA-256 over the deterministic CBOR
/// `[1, order hash, outcome number, gas, SHA-256 of the output, length of the output]`.
#[must_use]
pub fn digest(order: &Hash, outcome: Outcome, gas: u64, output: &Hash, output_bytes: u64) -> Hash {
    let mut encoder = Encoder::empty();
    encoder.array(6).uint(DIGEST_FORMAT).bytes(order.as_bytes()).uint(u64::from(outcome.number()));
    encoder.uint(gas).bytes(output.as_bytes()).uint(output_bytes);
    Hash::of(&encoder.take())
}

/// The host's own trouble. Never a result: nothing is known of the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The host could not give the memory that the job may use.
    Memory,
    /// The engine refused or ended what it should have run: a defect of the engine, or a limit of its own.
    Engine {
        /// The engine's own words.
        what: String,
    },
    /// Whoever asked for the run wants it no longer.
    Cancelled,
}

impl Fault {
    /// Its stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Memory => "RUN-HOST-MEMORY",
            Self::Engine { .. } => "RUN-HOST-ENGINE",
            Self::Cancelled => "RUN-HOST-CANCELLED",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("the host has not the memory that the job may use"),
            Self::Engine { what } => write!(f, "the engine did not run the job: {what}"),
            Self::Cancelled => f.write_str("the run was cancelled"),
        }
    }
}

impl core::error::Error for Fault {}
