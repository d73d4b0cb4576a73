//! Pointers from C, made into references once they can be.
//!
//! Checked: null, alignment, lengths past what an object can have. Not checkable, and so the caller's word: that the bytes
//! are there, initialised, and left alone until the call returns.

use crate::{ARGUMENT, NULL};

/// A pointer that a reference may be made of, as far as its value tells.
fn checked<T>(pointer: *const T) -> Result<*const T, i32> {
    if pointer.is_null() {
        Err(NULL)
    } else if !pointer.is_aligned() {
        Err(ARGUMENT)
    } else {
        Ok(pointer)
    }
}

/// As for reading.
pub fn checked_mut<T>(pointer: *mut T) -> Result<*mut T, i32> {
    checked(pointer.cast_const()).map(<*const T>::cast_mut)
}

/// What a pointer leads to.
///
/// # Safety
/// It leads to a `T` that nobody changes while the reference lives.
pub unsafe fn object<'a, T>(pointer: *const T) -> Result<&'a T, i32> {
    // SAFETY: not null and aligned; the rest is the caller's word.
    checked(pointer).map(|pointer| unsafe { &*pointer })
}

/// What a pointer leads to, for writing.
///
/// # Safety
/// It leads to a `T` that nobody else reads or changes while the reference lives.
pub unsafe fn object_mut<'a, T>(pointer: *mut T) -> Result<&'a mut T, i32> {
    // SAFETY: not null and aligned; the rest is the caller's word.
    checked_mut(pointer).map(|pointer| unsafe { &mut *pointer })
}

/// Whether so many `T` are fewer bytes than half the address space.
const fn fits<T>(len: usize) -> Result<usize, i32> {
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) if bytes <= isize::MAX.cast_unsigned() => Ok(bytes),
        _ => Err(ARGUMENT),
    }
}

/// `len` items; the pointer may be null when there are none.
///
/// # Safety
/// It leads to `len` items that nobody changes while the slice lives.
pub unsafe fn slice<'a, T>(pointer: *const T, len: usize) -> Result<&'a [T], i32> {
    if len == 0 {
        return Ok(&[]);
    }
    fits::<T>(len)?;
    // SAFETY: not null, aligned, of a length that an object can have; the rest is the caller's word.
    checked(pointer).map(|pointer| unsafe { core::slice::from_raw_parts(pointer, len) })
}

/// `len` items for writing; the pointer may be null when there are none.
///
/// # Safety
/// It leads to `len` initialised items that nobody else reads or changes while the slice lives.
pub unsafe fn slice_mut<'a, T>(pointer: *mut T, len: usize) -> Result<&'a mut [T], i32> {
    if len == 0 {
        return Ok(&mut []);
    }
    fits::<T>(len)?;
    // SAFETY: not null, aligned, of a length that an object can have; the rest is the caller's word.
    checked_mut(pointer).map(|pointer| unsafe { core::slice::from_raw_parts_mut(pointer, len) })
}

/// The addresses that something takes up.
#[derive(Clone, Copy)]
pub struct Range {
    start: usize,
    end: usize,
}

impl Range {
    /// No address at all.
    pub const EMPTY: Self = Self { start: 0, end: 0 };

    /// Those of `len` items.
    pub fn of<T>(pointer: *const T, len: usize) -> Result<Self, i32> {
        if pointer.is_null() {
            return Ok(Self::EMPTY);
        }
        let start = pointer.addr();
        Ok(Self { start, end: start.checked_add(fits::<T>(len)?).ok_or(ARGUMENT)? })
    }

    /// Refuses two that share an address.
    pub const fn apart_from(self, other: Self) -> Result<(), i32> {
        let empty = self.start == self.end || other.start == other.end;
        if empty || self.end <= other.start || other.end <= self.start { Ok(()) } else { Err(ARGUMENT) }
    }
}
