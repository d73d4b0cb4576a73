//! What is added to a module: counters, and the functions that charge what only running tells.
//!
//! All of it is appended, so that no index of the guest's own changes and none of the guest's can name it: the guest is
//! validated before anything is added.

use super::encode::{
    Code, END, I32_EQ, I32_GT_U, I32_SUB, I64_ADD, I64_EXTEND_I32_U, I64_MUL, I64_SHR_U, I64_SUB, IF, RETURN,
    UNREACHABLE, sized,
};
use super::encode::{EMPTY, I32, I64};
use crate::gas::{BULK_BYTES, GAS_ELEMENT, GAS_PAGE};

/// Where the injected things are.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// The first injected type.
    pub types: u32,
    /// The first injected function.
    pub functions: u32,
    /// The first injected global.
    pub globals: u32,
    /// The injected table, which holds the host's [`crate::host::Host::refill`].
    pub table: u32,
}

/// Which of the injected types: `[] -> []`.
pub const TYPE_NOTHING: u32 = 0;
/// `[i32] -> [i32]`.
pub const TYPE_LENGTH: u32 = 1;
/// `[funcref i32] -> [i32]`.
pub const TYPE_GROW_TABLE: u32 = 2;
/// The injected types, encoded.
pub const TYPES: &[u8] = &[
    0x60, 0, 0, // [] -> []
    0x60, 1, 0x7f, 1, 0x7f, // [i32] -> [i32]
    0x60, 2, 0x70, 0x7f, 1, 0x7f, // [funcref i32] -> [i32]
];
/// How many they are.
pub const TYPES_COUNT: u32 = 3;

/// The injected globals, encoded: gas `i64`, stack `i64`, host failure `i32`; all variable and zero.
pub const GLOBALS: &[u8] = &[0x7e, 1, 0x42, 0, 0x0b, 0x7e, 1, 0x42, 0, 0x0b, 0x7f, 1, 0x41, 0, 0x0b];
/// How many they are.
pub const GLOBALS_COUNT: u32 = 3;

impl Places {
    /// The global that holds the gas that is left of what was handed out.
    pub const fn gas(self) -> u32 {
        self.globals
    }

    /// The global that holds the slots that are left of the stack.
    pub const fn stack(self) -> u32 {
        self.globals + 1
    }

    /// The global that says that the host had no memory.
    pub const fn failed(self) -> u32 {
        self.globals + 2
    }

    /// The function that has the host refill the gas.
    pub const fn refill(self) -> u32 {
        self.functions
    }

    /// The function that charges bytes in bulk and gives back how many.
    pub const fn charge_bytes(self) -> u32 {
        self.functions + 1
    }

    /// The function that charges elements and gives back how many.
    pub const fn charge_elements(self) -> u32 {
        self.functions + 2
    }

    /// The function that grows the memory.
    pub const fn grow_memory(self) -> u32 {
        self.functions + 3
    }

    /// The function that grows that table.
    pub const fn grow_table(self, table: u32) -> u32 {
        self.functions + 4 + table
    }
}

/// A figure of the gas table as an immediate.
fn price(figure: u64) -> i64 {
    i64::try_from(figure).expect("the figures of the gas table are small")
}

/// Takes what is on the stack from the gas, by way of a local; asks the host for more when that does not suffice.
fn take_gas(code: &mut Code, places: Places, scratch: u32) {
    code.op(I64_SUB).local_tee(scratch).global_set(places.gas());
    code.if_negative(scratch).call(places.refill()).op(END);
}

/// Charges a block: the amount is patched in later.
pub fn charge(code: &mut Code, places: Places, scratch: u32) -> super::encode::Patch {
    code.global_get(places.gas());
    let patch = code.patched_const();
    take_gas(code, places, scratch);
    patch
}

/// Takes a frame from the stack before a call, keeping in `kept` what there was; the frame is patched in later.
pub fn enter_call(code: &mut Code, places: Places, scratch: u32, kept: u32) -> super::encode::Patch {
    code.global_get(places.stack()).local_tee(kept);
    let patch = code.patched_const();
    code.op(I64_SUB).local_tee(scratch).global_set(places.stack());
    code.if_negative(scratch).op(UNREACHABLE).op(END);
    patch
}

/// Gives the frame back after the call.
pub fn leave_call(code: &mut Code, places: Places, kept: u32) {
    code.local_get(kept).global_set(places.stack());
}

/// The body of [`Places::refill`].
pub fn refill(out: &mut Vec<u8>, places: Places) {
    let mut code = Code::default();
    code.op(0).i32_const(0).indexed(0x11, places.types + TYPE_NOTHING);
    super::encode::unsigned(&mut code.0, places.table);
    code.op(END);
    sized(out, &code.0);
}

/// The body of a function that charges an amount that follows from its only parameter, which it gives back.
fn charging(out: &mut Vec<u8>, places: Places, amount: impl FnOnce(&mut Code)) {
    let mut code = Code::default();
    code.op(1).op(1).op(I64);
    code.global_get(places.gas()).local_get(0).op(I64_EXTEND_I32_U);
    amount(&mut code);
    take_gas(&mut code, places, 1);
    code.local_get(0).op(END);
    sized(out, &code.0);
}

/// The body of [`Places::charge_bytes`].
pub fn charge_bytes(out: &mut Vec<u8>, places: Places) {
    charging(out, places, |code| {
        code.i64_const(price(BULK_BYTES) - 1).op(I64_ADD);
        code.i64_const(i64::from(BULK_BYTES.trailing_zeros())).op(I64_SHR_U);
    });
}

/// The body of [`Places::charge_elements`].
pub fn charge_elements(out: &mut Vec<u8>, places: Places) {
    charging(out, places, |code| {
        code.i64_const(price(GAS_ELEMENT)).op(I64_MUL);
    });
}

/// The body of a function that grows a memory or table to at most `maximum`, and whose last parameter says by how much: it
/// gives -1 above that, and otherwise charges, grows, and says that the host has failed if that did not work.
fn growing(out: &mut Vec<u8>, places: Places, maximum: u32, each: u64, table: Option<u32>) {
    let (delta, scratch, before) = if table.is_some() { (1, 2, 3) } else { (0, 1, 2) };
    let size = |code: &mut Code| match table {
        Some(table) => {
            code.op(0xfc).indexed(0x10, table);
        }
        None => {
            code.op(0x3f).op(0);
        }
    };
    let mut code = Code::default();
    code.op(2).op(1).op(I64).op(1).op(I32);
    code.local_get(delta).i32_const(maximum.cast_signed());
    size(&mut code);
    code.op(I32_SUB).op(I32_GT_U).op(IF).op(EMPTY).i32_const(-1).op(RETURN).op(END);
    code.global_get(places.gas()).local_get(delta).op(I64_EXTEND_I32_U);
    code.i64_const(price(each)).op(I64_MUL);
    take_gas(&mut code, places, scratch);
    match table {
        Some(table) => code.local_get(0).local_get(delta).op(0xfc).indexed(0x0f, table),
        None => code.local_get(delta).op(0x40).op(0),
    };
    code.local_tee(before).i32_const(-1).op(I32_EQ).op(IF).op(EMPTY);
    code.i32_const(1).global_set(places.failed()).op(UNREACHABLE).op(END);
    code.local_get(before).op(END);
    sized(out, &code.0);
}

/// The body of [`Places::grow_memory`]; without a memory, one that is never called.
pub fn grow_memory(out: &mut Vec<u8>, places: Places, maximum: Option<u32>) {
    match maximum {
        Some(maximum) => growing(out, places, maximum, GAS_PAGE, None),
        None => sized(out, &[0, UNREACHABLE, END]),
    }
}

/// The body of [`Places::grow_table`].
pub fn grow_table(out: &mut Vec<u8>, places: Places, table: u32, maximum: u32) {
    growing(out, places, maximum, GAS_ELEMENT, Some(table));
}
