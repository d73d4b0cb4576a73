//! Memory, taken once from behind everything that the linker placed, and never given back.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const PAGE_BYTES: usize = 65_536;

/// Where the next bytes are taken from; 0 before the first.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// So many zeroes, for good. When the order allows no more pages the job ends as `unreachable`.
#[must_use]
pub fn zeroed<T: Number>(count: usize) -> &'static mut [T] {
    let bytes = count.saturating_mul(size_of::<T>());
    let next = match NEXT.load(Relaxed) {
        0 => core::arch::wasm32::memory_size::<0>() * PAGE_BYTES,
        next => next,
    };
    let start = next.next_multiple_of(align_of::<u64>());
    let end = start.checked_add(bytes).filter(|end| *end <= isize::MAX as usize);
    let Some(end) = end else { core::arch::wasm32::unreachable() };
    let pages = core::arch::wasm32::memory_size::<0>();
    let more = end.div_ceil(PAGE_BYTES).saturating_sub(pages);
    if more > 0 && core::arch::wasm32::memory_grow::<0>(more) == usize::MAX {
        core::arch::wasm32::unreachable();
    }
    NEXT.store(end, Relaxed);
    // SAFETY: these bytes are behind all that the linker placed, within memory, aligned for 8 bytes, handed out once (a
    // module has one thread), and zero, as pages are when they come; and zeroes are a `T`.
    unsafe { core::slice::from_raw_parts_mut(start as *mut T, count) }
}

/// Integers of at most 8 bytes: zeroes are one, and any address that 8 divides suits them.
///
/// # Safety
/// All bytes zero must be a value, and the alignment at most 8.
pub unsafe trait Number: Copy {}

macro_rules! numbers {
    ($($name:ty)*) => { $(
        // SAFETY: an integer of at most 8 bytes.
        unsafe impl Number for $name {}
    )* };
}

numbers! { u8 i8 u16 u32 i32 u64 }
