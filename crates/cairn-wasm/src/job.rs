//! What is run: a module, inputs, arguments, and the limits of the order.

use crate::gas::{
    ARGUMENTS_BYTES_MAX, GAS_MAX, INPUT_BYTES_MAX, INPUTS_MAX, MODULE_BYTES_MAX, OUTPUT_BYTES_MAX, PAGES_MAX, intrinsic,
};
use crate::outcome::Refusal;

/// Which of the arithmetic of WebAssembly an order allows. Both give the same bytes everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// Integers alone: a module with any float type or operation is refused.
    DetInt,
    /// Floats, too. Their arithmetic is exact by IEEE 754, and every NaN that it gives is the canonical one.
    DetFloat,
}

/// What a job may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Gas, at most [`GAS_MAX`].
    pub gas: u64,
    /// Pages of memory of 65,536 bytes, at most [`PAGES_MAX`].
    pub pages: u32,
    /// Bytes of output, at most [`OUTPUT_BYTES_MAX`].
    pub output_bytes: u32,
}

impl Limits {
    /// The highest limits that an order can name.
    pub const MAX: Self = Self { gas: GAS_MAX, pages: PAGES_MAX, output_bytes: OUTPUT_BYTES_MAX };
}

/// A job, complete: nothing else has any influence on its result.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The WebAssembly module, as binary; at most [`MODULE_BYTES_MAX`].
    pub module: &'a [u8],
    /// The inputs, at most [`INPUTS_MAX`], and together at most [`INPUT_BYTES_MAX`] bytes.
    pub inputs: &'a [&'a [u8]],
    /// The arguments, at most [`ARGUMENTS_BYTES_MAX`] bytes of any kind.
    pub arguments: &'a [u8],
    /// The arithmetic that is allowed.
    pub profile: Profile,
    /// What the job may use.
    pub limits: Limits,
    /// What the job's random bytes are made from. Whoever knows it knows them.
    pub seed: [u8; 32],
}

impl Job<'_> {
    /// The gas that the job pays before its module is looked at.
    #[must_use]
    pub fn intrinsic_gas(&self) -> u64 {
        let inputs = self.inputs.iter().fold(self.arguments.len(), |sum, input| sum.saturating_add(input.len()));
        intrinsic(self.module.len(), inputs)
    }

    /// Whether everything is within the limits that there are, module aside.
    ///
    /// # Errors
    /// The first [`Refusal`] that applies.
    pub fn check(&self) -> Result<(), Refusal> {
        let Limits { gas, pages, output_bytes } = self.limits;
        if gas > GAS_MAX || pages > PAGES_MAX || output_bytes > OUTPUT_BYTES_MAX {
            return Err(Refusal::Limits);
        }
        if self.module.len() > MODULE_BYTES_MAX {
            return Err(Refusal::ModuleTooLarge);
        }
        if self.inputs.len() > INPUTS_MAX {
            return Err(Refusal::TooManyInputs);
        }
        if self.inputs.iter().fold(0usize, |sum, input| sum.saturating_add(input.len())) > INPUT_BYTES_MAX {
            return Err(Refusal::InputsTooLarge);
        }
        if self.arguments.len() > ARGUMENTS_BYTES_MAX {
            return Err(Refusal::ArgumentsTooLarge);
        }
        Ok(())
    }
}
