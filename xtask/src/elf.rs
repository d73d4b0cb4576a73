//! As much of a little-endian ELF file as is asked here: its program headers (System V ABI, chapter 5).

/// A program header that is loaded, and one that names a program's loader.
pub const LOAD: u64 = 1;
pub const INTERPRETER: u64 = 3;

/// How wide a file's addresses are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Bits32 = 1,
    Bits64 = 2,
}

/// A number of `len` bytes at `at`; `None` where the file has ended before.
pub fn number(elf: &[u8], at: usize, len: usize) -> Option<u64> {
    Some(elf.get(at..at + len)?.iter().rev().fold(0, |value: u64, byte| (value << 8) | u64::from(*byte)))
}

/// Where the program headers begin; `None` where the file is none of this class, or ends before it says where they are.
pub fn program_headers(elf: &[u8], class: Class) -> Option<Vec<usize>> {
    if elf.get(..6)? != [0x7f, b'E', b'L', b'F', class as u8, 1] {
        return None;
    }
    let (first, size, count) = match class {
        Class::Bits32 => (number(elf, 28, 4)?, number(elf, 42, 2)?, number(elf, 44, 2)?),
        Class::Bits64 => (number(elf, 32, 8)?, number(elf, 54, 2)?, number(elf, 56, 2)?),
    };
    (0..count).map(|at| usize::try_from(first.checked_add(at * size)?).ok()).collect()
}
