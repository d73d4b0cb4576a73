//! Gas table 1: what everything costs, and every limit. Law once released.
//!
//! One gas is about one simple operation of the interpreter. A number here is part of what a job's result means: it is
//! never changed, only superseded by a table of another number, so that old results stay reproducible.
//!
//! Not here: where charges are put ([`crate::instrument`]) and what the calls to the host cost ([`crate::host`] applies the
//! figures named here).

use wasmparser::Operator;

/// The number of this gas table and of every limit below: law once released.
pub const GAS_TABLE: u32 = 1;

/// The highest gas limit of a job: 2^40, about an hour of the interpreter.
pub const GAS_MAX: u64 = 1 << 40;
/// The largest module, in bytes.
pub const MODULE_BYTES_MAX: usize = 4 << 20;
/// The most inputs of a job.
pub const INPUTS_MAX: usize = 16;
/// The most bytes of all inputs of a job together.
pub const INPUT_BYTES_MAX: usize = 64 << 20;
/// The most bytes of arguments.
pub const ARGUMENTS_BYTES_MAX: usize = 64 << 10;
/// The most pages of memory, of 65,536 bytes each: 256 MiB.
pub const PAGES_MAX: u32 = 4096;
/// The most bytes of output.
pub const OUTPUT_BYTES_MAX: u32 = 16 << 20;

/// The most function types of a module.
pub const TYPES_MAX: u32 = 8192;
/// The most parameters, and the most results, of a function type.
pub const VALUES_MAX: usize = 64;
/// The most imports of a module.
pub const IMPORTS_MAX: u32 = 64;
/// The most functions that a module defines.
pub const FUNCTIONS_MAX: u32 = 32_768;
/// The most locals of a function, parameters included.
pub const LOCALS_MAX: u32 = 4096;
/// The most values on a function's operand stack.
pub const OPERANDS_MAX: u32 = 4096;
/// The deepest nesting of blocks in a function.
pub const NESTING_MAX: u32 = 1024;
/// The most targets of one `br_table`.
pub const BRANCH_TARGETS_MAX: u32 = 16_384;
/// The most places of a module that are metered: basic blocks, calls of its own functions, and for each
/// [`VALUES_A_SITE`] values that a block or a `br_table` moves one more.
pub const SITES_MAX: u32 = 1 << 18;
/// How many values that a block takes and gives, or that the targets of a `br_table` carry, count as a site of their own.
pub const VALUES_A_SITE: u32 = 8;
/// The most globals of a module.
pub const GLOBALS_MAX: u32 = 4096;
/// The most exports of a module.
pub const EXPORTS_MAX: u32 = 4096;
/// The most tables of a module.
pub const TABLES_MAX: u32 = 8;
/// The most elements of a table, at its beginning and when it has grown.
pub const TABLE_ELEMENTS_MAX: u32 = 65_536;
/// The most element segments, and the most data segments, of a module.
pub const SEGMENTS_MAX: u32 = 8192;
/// The most elements in all element segments together.
pub const SEGMENT_ELEMENTS_MAX: u32 = 1 << 18;
/// The stack, in slots: the sum of the frames of all functions that wait for a call to return.
pub const STACK_SLOTS: i64 = 1 << 18;
/// What a waiting function takes of the stack besides its locals and its deepest operand stack, in slots.
pub const FRAME_SLOTS: u32 = 16;

/// Gas of any job, before its first byte is looked at.
pub const GAS_JOB: u64 = 10_000;
/// Gas of each byte of the module: it is checked, metered and compiled.
pub const GAS_MODULE_BYTE: u64 = 32;
/// Gas of each byte of the inputs and of the arguments.
pub const GAS_INPUT_BYTE: u64 = 1;
/// Gas of each page of memory, at the beginning and when it grows.
pub const GAS_PAGE: u64 = 4096;
/// Gas of each element of a table, at the beginning and when it grows.
pub const GAS_ELEMENT: u64 = 1;
/// Bytes that one gas fills, copies or reads in bulk, the last begun ones counted in full.
pub const BULK_BYTES: u64 = 16;
/// Gas of entering a function, besides 1 for each local that it declares.
pub const GAS_ENTRY: u64 = 4;
/// Gas of a direct call, besides 1 for each parameter and result.
pub const GAS_CALL: u64 = 8;
/// Gas of a call through a table, besides 1 for each parameter and result.
pub const GAS_CALL_INDIRECT: u64 = 12;
/// Gas of a branch, besides 1 for each value that it carries.
pub const GAS_BRANCH: u64 = 2;
/// Gas of a bulk operation or of growing, besides what its length costs.
pub const GAS_BULK: u64 = 50;
/// Gas of a call to the host, besides the call itself and its bytes.
pub const GAS_HOST_CALL: u64 = 50;
/// Gas of each byte that is appended to the output.
pub const GAS_OUTPUT_BYTE: u64 = 2;
/// Gas of each random byte.
pub const GAS_RANDOM_BYTE: u64 = 8;

/// What a job pays before its module is looked at: [`GAS_JOB`], the module's bytes, the inputs' and the arguments'.
#[must_use]
pub fn intrinsic(module_bytes: usize, input_bytes: usize) -> u64 {
    let module = (module_bytes as u64).saturating_mul(GAS_MODULE_BYTE);
    let inputs = (input_bytes as u64).saturating_mul(GAS_INPUT_BYTE);
    GAS_JOB.saturating_add(module).saturating_add(inputs)
}

/// Gas of filling, copying or reading so many bytes in bulk.
#[must_use]
pub const fn bulk(bytes: u32) -> u64 {
    (bytes as u64).div_ceil(BULK_BYTES)
}

/// Gas of an operation by itself. Calls, branches and bulk operations pay more, by what they carry.
#[must_use]
pub fn operation(operator: &Operator<'_>) -> u64 {
    use Operator as O;
    match operator {
        O::Block { .. } | O::Loop { .. } | O::Else | O::End | O::Nop => 0,
        O::If { .. } | O::Br { .. } | O::BrIf { .. } | O::Return => GAS_BRANCH,
        O::BrTable { .. } => GAS_BRANCH + 2,
        O::Call { .. } => GAS_CALL,
        O::CallIndirect { .. } => GAS_CALL_INDIRECT,
        O::MemoryGrow { .. } | O::TableGrow { .. } => GAS_BULK,
        O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => GAS_BULK,
        O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } => GAS_BULK,
        O::DataDrop { .. } | O::ElemDrop { .. } => GAS_BULK,
        O::Select | O::TypedSelect { .. } | O::GlobalGet { .. } | O::GlobalSet { .. } => 2,
        O::MemorySize { .. } | O::TableSize { .. } | O::TableGet { .. } | O::TableSet { .. } => 3,
        other => memory_access(other).or_else(|| division(other)).or_else(|| float(other)).unwrap_or(1),
    }
}

/// Loads and stores.
const fn memory_access(operator: &Operator<'_>) -> Option<u64> {
    use Operator as O;
    match operator {
        O::I32Load { .. }
        | O::I64Load { .. }
        | O::F32Load { .. }
        | O::F64Load { .. }
        | O::I32Load8S { .. }
        | O::I32Load8U { .. }
        | O::I32Load16S { .. }
        | O::I32Load16U { .. }
        | O::I64Load8S { .. }
        | O::I64Load8U { .. }
        | O::I64Load16S { .. }
        | O::I64Load16U { .. }
        | O::I64Load32S { .. }
        | O::I64Load32U { .. }
        | O::I32Store { .. }
        | O::I64Store { .. }
        | O::F32Store { .. }
        | O::F64Store { .. }
        | O::I32Store8 { .. }
        | O::I32Store16 { .. }
        | O::I64Store8 { .. }
        | O::I64Store16 { .. }
        | O::I64Store32 { .. } => Some(2),
        _ => None,
    }
}

/// Integer division and remainder.
const fn division(operator: &Operator<'_>) -> Option<u64> {
    use Operator as O;
    match operator {
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU | O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => {
            Some(4)
        }
        _ => None,
    }
}

/// Arithmetic of floats, whose results are made canonical, and what is slow on them.
const fn float(operator: &Operator<'_>) -> Option<u64> {
    use Operator as O;
    match operator {
        O::F32Div | O::F64Div | O::F32Sqrt | O::F64Sqrt => Some(8),
        O::F32Ceil
        | O::F32Floor
        | O::F32Trunc
        | O::F32Nearest
        | O::F64Ceil
        | O::F64Floor
        | O::F64Trunc
        | O::F64Nearest => Some(4),
        O::F32Add
        | O::F32Sub
        | O::F32Mul
        | O::F32Min
        | O::F32Max
        | O::F64Add
        | O::F64Sub
        | O::F64Mul
        | O::F64Min
        | O::F64Max
        | O::F32DemoteF64
        | O::F64PromoteF32 => Some(2),
        _ => None,
    }
}
