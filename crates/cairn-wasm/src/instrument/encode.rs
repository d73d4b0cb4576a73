//! The few pieces of WebAssembly's binary format that are written here: numbers, sections, and injected code.

use wasmparser::ValType;

/// `i32`.
pub const I32: u8 = 0x7f;
/// `i64`.
pub const I64: u8 = 0x7e;
/// A block type without results.
pub const EMPTY: u8 = 0x40;
/// `funcref`.
pub const FUNCREF: u8 = 0x70;

/// Bytes of a number whose place is kept free until it is known: five groups of seven bits.
const PATCH_BYTES: usize = 5;

/// Writes an unsigned number, shortest.
pub fn unsigned(out: &mut Vec<u8>, mut value: u32) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// Writes a signed number, shortest.
pub fn signed(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let low = (value & 0x7f).to_le_bytes()[0];
        value >>= 7;
        if (value == 0 && low & 0x40 == 0) || (value == -1 && low & 0x40 != 0) {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// Writes a section of that number.
pub fn section(out: &mut Vec<u8>, id: u8, content: &[u8]) {
    out.push(id);
    sized(out, content);
}

/// Writes bytes after their length.
pub fn sized(out: &mut Vec<u8>, bytes: &[u8]) {
    unsigned(out, u32::try_from(bytes.len()).expect("an instrumented module is far smaller than 4 GiB"));
    out.extend_from_slice(bytes);
}

/// Writes limits: a minimum and a maximum.
pub fn limits(out: &mut Vec<u8>, minimum: u32, maximum: u32) {
    out.push(0x01);
    unsigned(out, minimum);
    unsigned(out, maximum);
}

/// The byte of a value type. The only references that validation lets pass are those to functions.
pub const fn value_type(of: ValType) -> u8 {
    match of {
        ValType::I32 => I32,
        ValType::I64 => I64,
        ValType::F32 => 0x7d,
        ValType::F64 => 0x7c,
        ValType::V128 => 0x7b,
        ValType::Ref(_) => FUNCREF,
    }
}

/// The number of a place that [`Code::patched_const`] kept free.
#[derive(Debug, Clone, Copy)]
pub struct Patch(usize);

/// Code that is being written.
#[derive(Debug, Default)]
pub struct Code(pub Vec<u8>);

impl Code {
    /// An operation without immediates, or one that is already encoded.
    pub fn op(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    /// An operation with an index.
    pub fn indexed(&mut self, byte: u8, index: u32) -> &mut Self {
        self.0.push(byte);
        unsigned(&mut self.0, index);
        self
    }

    /// `local.get`.
    pub fn local_get(&mut self, index: u32) -> &mut Self {
        self.indexed(0x20, index)
    }

    /// `local.tee`.
    pub fn local_tee(&mut self, index: u32) -> &mut Self {
        self.indexed(0x22, index)
    }

    /// `global.get`.
    pub fn global_get(&mut self, index: u32) -> &mut Self {
        self.indexed(0x23, index)
    }

    /// `global.set`.
    pub fn global_set(&mut self, index: u32) -> &mut Self {
        self.indexed(0x24, index)
    }

    /// `call`.
    pub fn call(&mut self, function: u32) -> &mut Self {
        self.indexed(0x10, function)
    }

    /// `i32.const`.
    pub fn i32_const(&mut self, value: i32) -> &mut Self {
        self.0.push(0x41);
        signed(&mut self.0, i64::from(value));
        self
    }

    /// `i64.const`.
    pub fn i64_const(&mut self, value: i64) -> &mut Self {
        self.0.push(0x42);
        signed(&mut self.0, value);
        self
    }

    /// `i64.const` of a number that [`Code::patch`] says later.
    pub fn patched_const(&mut self) -> Patch {
        self.0.push(0x42);
        let at = self.0.len();
        self.0.extend_from_slice(&[0; PATCH_BYTES]);
        Patch(at)
    }

    /// Says a number that was left open: below 2^34.
    pub fn patch(&mut self, place: Patch, value: u64) {
        assert!(value < 1 << (7 * PATCH_BYTES - 1), "a charge of one block or a frame is far below 2^34");
        for (group, byte) in self.0[place.0..place.0 + PATCH_BYTES].iter_mut().enumerate() {
            let more = if group + 1 < PATCH_BYTES { 0x80 } else { 0 };
            *byte = (value >> (7 * group)).to_le_bytes()[0] & 0x7f | more;
        }
    }

    /// `if` of a global that was just written and is also in local `copy`, being below zero.
    pub fn if_negative(&mut self, copy: u32) -> &mut Self {
        self.local_get(copy).i64_const(0).op(I64_LT_S).op(IF).op(EMPTY)
    }
}

/// `unreachable`.
pub const UNREACHABLE: u8 = 0x00;
/// `if`.
pub const IF: u8 = 0x04;
/// `end`.
pub const END: u8 = 0x0b;
/// `return`.
pub const RETURN: u8 = 0x0f;
/// `i64.lt_s`.
pub const I64_LT_S: u8 = 0x53;
/// `i64.add`.
pub const I64_ADD: u8 = 0x7c;
/// `i64.sub`.
pub const I64_SUB: u8 = 0x7d;
/// `i64.mul`.
pub const I64_MUL: u8 = 0x7e;
/// `i64.shr_u`.
pub const I64_SHR_U: u8 = 0x88;
/// `i64.extend_i32_u`.
pub const I64_EXTEND_I32_U: u8 = 0xad;
/// `i32.eq`.
pub const I32_EQ: u8 = 0x46;
/// `i32.gt_u`.
pub const I32_GT_U: u8 = 0x4b;
/// `i32.sub`.
pub const I32_SUB: u8 = 0x6b;
