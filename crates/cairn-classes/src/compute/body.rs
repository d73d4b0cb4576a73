//! What a worker says of a job: a sealed result, the result itself, or that it will not be done.
//!
//! ```text
//! commit  = [1, job bstr32, seal bstr32]
//! reveal  = [2, job bstr32, outcome uint, gas uint, output bstr32, output_bytes uint, salt bstr16]
//! decline = [3, job bstr32, reason uint 1..3]
//! digest  = SHA-256(cbor [gas table, job, outcome, gas, output, output_bytes])
//! seal    = SHA-256(cbor ["cairn/seal/1", job, device, digest, salt])
//! ```
//!
//! The seal names job and worker, so that another's commit is of no use; the salt keeps results with few values from being
//! guessed. Whether anybody was asked, and in time, is the market's business.

use cairn_core::cbor::{Encoder, Value};
use cairn_core::{DeviceId, Hash, JobId};

use crate::ClassError;

/// The outcome of a run that ended as it should: only then is there output.
pub const OUTCOME_DONE: u32 = 0;

/// The greatest number of an outcome (`docs/reference/compute-abi.md` numbers them).
pub const OUTCOME_MAX: u32 = 65_535;

/// The reasons to decline are 1 to this: 1 blobs are not to be had, 2 no room, 3 the host failed.
pub const DECLINE_REASON_MAX: u32 = 3;

const SEAL_CONTEXT: &str = "cairn/seal/1";

/// What came out of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunResult {
    /// How it ended, 0 to [`OUTCOME_MAX`]; 0 is done, a trap is a result too.
    pub outcome: u32,
    /// The gas it took, below 2^63.
    pub gas: u64,
    /// SHA-256 of the output; of nothing unless the outcome is done.
    pub output: Hash,
    /// Length of the output, below 2^63; zero unless the outcome is done.
    pub output_bytes: u64,
}

impl RunResult {
    /// Whether there is output only where there may be.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let is_empty = self.output_bytes == 0 && self.output == Hash::of(b"");
        is_empty || (self.outcome == OUTCOME_DONE && self.output_bytes > 0)
    }

    /// What auditors say of the job, and workers seal: see [`digest`].
    #[must_use]
    pub fn digest(&self, gas_table: u32, job: &JobId) -> Hash {
        digest(gas_table, job, self.outcome, self.gas, &self.output, self.output_bytes)
    }
}

/// `SHA-256(cbor [gas table, job, outcome, gas, output, output_bytes])`: two runs are the same when this is.
#[must_use]
pub fn digest(gas_table: u32, job: &JobId, outcome: u32, gas: u64, output: &Hash, output_bytes: u64) -> Hash {
    let mut out = Encoder::with_room(96);
    out.array(6).uint(gas_table.into()).bytes(&job.0.0).uint(outcome.into()).uint(gas).bytes(&output.0);
    out.uint(output_bytes);
    Hash::of(&out.into_bytes())
}

/// `SHA-256(cbor ["cairn/seal/1", job, device, digest, salt])`: what a worker commits to.
#[must_use]
pub fn seal(job: &JobId, device: &DeviceId, digest: &Hash, salt: &[u8; 16]) -> Hash {
    let mut out = Encoder::with_room(128);
    out.array(5).text(SEAL_CONTEXT).bytes(&job.0.0).bytes(&device.0).bytes(&digest.0).bytes(salt);
    Hash::of(&out.into_bytes())
}

/// The body of a report of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The job is done, and this seals its result.
    Commit {
        /// The job.
        job: JobId,
        /// [`seal`] of the result.
        seal: Hash,
    },
    /// The result that was sealed.
    Reveal {
        /// The job.
        job: JobId,
        /// What came out.
        result: RunResult,
        /// What it was sealed with.
        salt: [u8; 16],
    },
    /// The job will not be done by this worker.
    Decline {
        /// The job.
        job: JobId,
        /// Why, 1 to [`DECLINE_REASON_MAX`].
        reason: u32,
    },
}

impl Body {
    /// The job spoken of.
    #[must_use]
    pub const fn job(&self) -> JobId {
        match self {
            Self::Commit { job, .. } | Self::Reveal { job, .. } | Self::Decline { job, .. } => *job,
        }
    }

    /// Parses the body of a report.
    ///
    /// # Errors
    /// [`ClassError::WorkShape`] for anything else than the three forms.
    pub fn parse(body: &Value) -> Result<Self, ClassError> {
        const FORMS: &str = "a commit [1, job, seal], a reveal [2, job, outcome, gas, output, output bytes, salt] or a \
                             decline [3, job, reason]";
        let shape = || ClassError::WorkShape { expected: FORMS };
        let Value::Array(parts) = body else { return Err(shape()) };
        match parts.as_slice() {
            [Value::Int(1), Value::Bytes(job), Value::Bytes(seal)] => {
                let (job, seal) = hash(job).zip(hash(seal)).ok_or_else(shape)?;
                Ok(Self::Commit { job: JobId(job), seal })
            }
            [Value::Int(2), Value::Bytes(job), Value::Int(outcome), Value::Int(gas), rest @ ..] => {
                let [Value::Bytes(output), Value::Int(output_bytes), Value::Bytes(salt)] = rest else {
                    return Err(shape());
                };
                let (job, output) = hash(job).zip(hash(output)).ok_or_else(shape)?;
                let salt = salt.as_slice().try_into().map_err(|_| shape())?;
                let result = RunResult {
                    outcome: small(*outcome, 0, OUTCOME_MAX).ok_or_else(shape)?,
                    gas: u64::try_from(*gas).map_err(|_| shape())?,
                    output,
                    output_bytes: u64::try_from(*output_bytes).map_err(|_| shape())?,
                };
                if !result.is_well_formed() {
                    return Err(ClassError::WorkShape { expected: "a reveal with output only where the run was done" });
                }
                Ok(Self::Reveal { job: JobId(job), result, salt })
            }
            [Value::Int(3), Value::Bytes(job), Value::Int(reason)] => {
                let reason = small(*reason, 1, DECLINE_REASON_MAX).ok_or_else(shape)?;
                Ok(Self::Decline { job: JobId(hash(job).ok_or_else(shape)?), reason })
            }
            _ => Err(shape()),
        }
    }

    /// The body as it stands in a report.
    ///
    /// # Panics
    /// For gas or a length of 2^63 or more, which no report can say.
    #[must_use]
    pub fn encode(&self) -> Value {
        let bytes = |hash: &Hash| Value::Bytes(hash.0.to_vec());
        let int = |number: u64| Value::Int(i64::try_from(number).expect("gas and lengths are below 2^63"));
        Value::Array(match self {
            Self::Commit { job, seal } => vec![Value::Int(1), bytes(&job.0), bytes(seal)],
            Self::Reveal { job, result, salt } => vec![
                Value::Int(2),
                bytes(&job.0),
                int(result.outcome.into()),
                int(result.gas),
                bytes(&result.output),
                int(result.output_bytes),
                Value::Bytes(salt.to_vec()),
            ],
            Self::Decline { job, reason } => vec![Value::Int(3), bytes(&job.0), int((*reason).into())],
        })
    }
}

fn hash(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok().map(Hash)
}

fn small(number: i64, least: u32, most: u32) -> Option<u32> {
    u32::try_from(number).ok().filter(|number| (least..=most).contains(number))
}
