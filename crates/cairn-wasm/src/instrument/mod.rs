//! Validation and metering: a guest's module in, a module that any engine runs to the same result out.
//!
//! One walk over the module's bytes. Every limit is checked where what it limits is met, before anything grows with it; each
//! section and each operation is validated under a fixed set of features; what is kept is copied byte for byte, and what
//! charges gas and stack is put between. Everything added is appended to its index space, so no index changes and the
//! guest can name nothing of it. Work and result are linear in the module: the result is at most [`growth_max`] bytes.
//!
//! Not here: what things cost ([`crate::gas`]), and running.

mod body;
mod encode;
mod injected;
mod sections;

use wasmparser::{Encoding, FuncValidatorAllocations, Parser, Payload, ValidPayload, Validator, WasmFeatures};

use crate::gas::{FUNCTIONS_MAX, SITES_MAX};
use crate::host::Call;
use crate::job::Profile;
use crate::outcome::Refusal;

use self::sections::Sections;

/// The names that an instrumented module exports for its engine begin with this; the guest may export none such.
pub const RESERVED: &str = "cairn:";
/// The exported global with the gas that is left of what was handed out (`i64`, variable).
pub const EXPORT_GAS: &str = "cairn:gas";
/// The exported global with the slots that are left of the stack (`i64`, variable); below zero after an overflow.
pub const EXPORT_STACK: &str = "cairn:stack";
/// The exported global that is 1 once the host could not grow a memory or table (`i32`, variable).
pub const EXPORT_FAILED: &str = "cairn:failed";
/// The exported table whose only element the engine sets to the function that refills the gas.
pub const EXPORT_HOOKS: &str = "cairn:hooks";
/// The exported memory, where the guest has one.
pub const EXPORT_MEMORY: &str = "cairn:memory";
/// The exported function that is called first, where the guest has a start function.
pub const EXPORT_START: &str = "cairn:start";
/// The guest's own export that is the job.
pub const EXPORT_RUN: &str = "run";

/// A module that is valid, within every limit, and metered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instrumented {
    /// The module to run, as binary. It has no start section: see [`EXPORT_START`].
    pub bytes: Vec<u8>,
    /// What its imports are, in order.
    pub imports: Vec<Call>,
    /// Whether it has a memory, exported as [`EXPORT_MEMORY`].
    pub memory: bool,
    /// Whether it has a start function, exported as [`EXPORT_START`].
    pub start: bool,
    /// Gas of what is there at the beginning: pages of memory and elements of tables.
    pub initial_gas: u64,
}

/// The most bytes that an instrumented module has, of a module of so many bytes.
#[must_use]
pub const fn growth_max(module_bytes: usize) -> usize {
    const SITE_BYTES: usize = 64;
    const FUNCTION_BYTES: usize = 16;
    const FIXED_BYTES: usize = 8192;
    let sites = if module_bytes < SITES_MAX as usize { module_bytes } else { SITES_MAX as usize };
    let functions = if module_bytes < FUNCTIONS_MAX as usize { module_bytes } else { FUNCTIONS_MAX as usize };
    4 * module_bytes + SITE_BYTES * sites + FUNCTION_BYTES * functions + FIXED_BYTES
}

/// What is allowed of WebAssembly, and nothing that came later: version 1 with mutable globals, saturating conversions, sign
/// extension, several results, bulk memory and references to functions. No `externref`, of which a guest could hold none
/// but null; no SIMD, threads, tail calls, exceptions, 64-bit or several memories, garbage collection or components.
const fn features(profile: Profile) -> WasmFeatures {
    let integers = WasmFeatures::MUTABLE_GLOBAL
        .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
        .union(WasmFeatures::SIGN_EXTENSION)
        .union(WasmFeatures::MULTI_VALUE)
        .union(WasmFeatures::BULK_MEMORY)
        .union(WasmFeatures::REFERENCE_TYPES);
    match profile {
        Profile::DetInt => integers,
        Profile::DetFloat => integers.union(WasmFeatures::FLOATS),
    }
}

/// Validates and meters a module whose memory may have so many pages.
///
/// # Errors
/// The first [`Refusal`] in the order of the module's bytes. A module that would be valid with floats, under a profile
/// without, is [`Refusal::Floats`].
pub fn instrument(module: &[u8], profile: Profile, pages: u32) -> Result<Instrumented, Refusal> {
    match walk(module, features(profile), pages) {
        Err(Refusal::Invalid) if profile == Profile::DetInt => match walk(module, features(Profile::DetFloat), pages) {
            Ok(_) => Err(Refusal::Floats),
            Err(_) => Err(Refusal::Invalid),
        },
        other => other,
    }
}

fn walk(module: &[u8], features: WasmFeatures, pages: u32) -> Result<Instrumented, Refusal> {
    let invalid = |_| Refusal::Invalid;
    let mut parser = Parser::new(0);
    parser.set_features(features);
    let mut validator = Validator::new_with_features(features);
    let mut allocations = FuncValidatorAllocations::default();
    let mut sections = Sections::of(module, pages);
    for payload in parser.parse_all(module) {
        let payload = payload.map_err(invalid)?;
        if let Payload::Version { encoding: Encoding::Component, .. } = payload {
            return Err(Refusal::Invalid);
        }
        sections.check(&payload)?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload).map_err(invalid)? {
            allocations = sections.function(&body, function.into_validator(allocations))?;
        }
        sections.keep(&payload)?;
    }
    sections.finish()
}
