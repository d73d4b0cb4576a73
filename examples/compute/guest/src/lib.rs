//! What a job of `compute/1` needs of its host: inputs, arguments, output, memory.
//!
//! Everything unsafe about being a guest is here, so that the jobs themselves are safe Rust. Memory is only ever taken: a
//! job ends before it would have to give any back. Not here: an allocator, strings, formatting (which would be most of a
//! small module's bytes).

#![no_std]

mod host;
mod memory;
mod output;
mod words;

pub use memory::zeroed;
pub use output::Output;
pub use words::Words;

/// The most bytes that arguments are read to; longer ones are not arguments of these jobs.
const ARGUMENTS_MAX: usize = 256;

/// How many inputs the order names.
#[must_use]
pub fn inputs() -> u32 {
    host::count()
}

/// An input, whole. The order says how many there are ([`inputs`]); asking for another ends the job as a bad host call.
#[must_use]
pub fn input(index: u32) -> &'static [u8] {
    let bytes = zeroed(host::input_len(index) as usize);
    host::read_input(index, bytes);
    bytes
}

/// The order's arguments, or `None` when they are longer than 256 bytes.
#[must_use]
pub fn arguments() -> Option<&'static [u8]> {
    let len = host::arguments_len() as usize;
    if len > ARGUMENTS_MAX {
        return None;
    }
    let bytes = zeroed(len);
    host::read_arguments(bytes);
    Some(bytes)
}

/// Appends to the job's output, at once. For many small pieces there is [`Output`].
pub fn write(bytes: &[u8]) {
    host::write(bytes);
}

/// Says why there is no result, as the whole output: `refused: ` and the reason. That is a result like any other, for it
/// follows from the order alone, and the worker is paid for having found it. Nothing must have been written before.
pub fn refuse(why: &str) {
    let mut output = Output::new();
    output.write(b"refused: ");
    output.write(why.as_bytes());
    output.write(b"\n");
    output.flush();
}

/// A panic ends the job as `unreachable`. What it says would only be bytes that nobody reads.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
