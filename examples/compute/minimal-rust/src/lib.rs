//! A job in Rust, complete: the FNV-1a hash of each input, 8 bytes each, little-endian.

#![no_std]

#[link(wasm_import_module = "cairn")]
unsafe extern "C" {
    safe fn input_count() -> i32;
    fn input_read(input: i32, offset: i32, ptr: *mut u8, len: i32) -> i32;
    fn output_write(ptr: *const u8, len: i32);
}

#[unsafe(no_mangle)]
extern "C" fn run() {
    let mut buffer = [0u8; 4096];
    for input in 0..input_count() {
        let (mut hash, mut offset) = (0xcbf2_9ce4_8422_2325u64, 0);
        loop {
            // Sound: the host writes at most the length that it is told.
            let read = unsafe { input_read(input, offset, buffer.as_mut_ptr(), 4096) };
            if read == 0 {
                break;
            }
            for byte in &buffer[..read as usize] {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
            }
            offset += read;
        }
        unsafe { output_write(hash.to_le_bytes().as_ptr(), 8) };
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
