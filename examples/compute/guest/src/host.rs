//! The calls to the host, with their lengths right.

mod calls {
    #[link(wasm_import_module = "cairn")]
    unsafe extern "C" {
        pub safe fn input_count() -> u32;
        pub safe fn input_len(index: u32) -> u32;
        pub fn input_read(index: u32, offset: u32, into: *mut u8, len: u32) -> u32;
        pub safe fn arguments_len() -> u32;
        pub fn arguments_read(offset: u32, into: *mut u8, len: u32) -> u32;
        pub fn output_write(from: *const u8, len: u32);
    }
}

pub use calls::{arguments_len, input_count as count, input_len};

/// Fills `into` from the start of an input.
pub fn read_input(index: u32, into: &mut [u8]) {
    // SAFETY: the host writes at most `len` bytes, into a slice of that length.
    unsafe { calls::input_read(index, 0, into.as_mut_ptr(), into.len() as u32) };
}

/// Fills `into` from the start of the arguments.
pub fn read_arguments(into: &mut [u8]) {
    // SAFETY: the host writes at most `len` bytes, into a slice of that length.
    unsafe { calls::arguments_read(0, into.as_mut_ptr(), into.len() as u32) };
}

/// Appends to the output.
pub fn write(bytes: &[u8]) {
    // SAFETY: the host reads `len` bytes of a slice of that length.
    unsafe { calls::output_write(bytes.as_ptr(), bytes.len() as u32) };
}
