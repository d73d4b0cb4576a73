//! `cairn_device.h`: [`cairn_device`] for C and everything that calls C.
//!
//! Every function answers with a number: 0 for done, the number of an [`Error`], or one of those below 200 that only C can
//! be wrong in. Pointers are checked for null, alignment, lengths that no object has, and for an output that lies over an
//! input; that they lead to as many bytes as they say is the caller's word. Nothing is kept after a call returns, nothing
//! is allocated, and nothing unwinds: a panic, if there could be one, would end the program at the boundary.
//!
//! Structures are described in the header, which is written by hand; `tests/languages` holds the two to each other.

#![cfg_attr(target_os = "none", no_std)]

mod pointer;
mod report;

use core::ffi::c_void;

use cairn_device::{BootRecord, DeviceId, DeviceKey, Error, NetworkId, Report, Restart, Signed, compress_p256};

use crate::pointer::{Range, checked_mut, object, object_mut, slice, slice_mut};
pub use crate::report::{CReading, CReport, has};

/// Done.
pub const OK: i32 = 0;
/// A pointer that must lead somewhere is null.
pub const NULL: i32 = 100;
/// A pointer is not aligned, a length is impossible, an output lies over an input, or a field holds what it cannot.
pub const ARGUMENT: i32 = 101;
/// No slot holds a boot counter.
pub const NO_RECORD: i32 = 102;

/// What a call makes of its outcome.
type Outcome = Result<(), i32>;

const fn answer(outcome: Outcome) -> i32 {
    match outcome {
        Ok(()) => OK,
        Err(number) => number,
    }
}

/// What is known of a signed report: `cairn_signed`.
#[derive(Debug)]
#[repr(C)]
pub struct CSigned {
    /// The bytes of the report; after `CAIRN_BUFFER`, those that it needs; else 0.
    pub len: usize,
    /// SHA-256 of the payload; zeros where nothing was signed.
    pub identity: [u8; 32],
}

/// Why nothing was signed.
struct Failure {
    number: i32,
    /// The bytes that the report needs, where that is what is wrong.
    needed: usize,
}

impl From<i32> for Failure {
    fn from(number: i32) -> Self {
        Self { number, needed: 0 }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let needed = if let Error::Buffer { needed } = error { needed } else { 0 };
        Self { number: error.number(), needed }
    }
}

impl From<Signed<'_>> for CSigned {
    fn from(signed: Signed<'_>) -> Self {
        Self { len: signed.bytes().len(), identity: signed.identity() }
    }
}

/// `cairn_public_key`: the public half of a seed, and the id of the device whose first key it is.
///
/// # Safety
/// `seed` leads to 32 bytes; `public_key` and `device`, where not null, to 32 and 16 that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cairn_public_key(
    seed: *const [u8; 32],
    public_key: *mut [u8; 32],
    device: *mut [u8; 16],
) -> i32 {
    // SAFETY: the caller's word, as the header has it.
    let seed = match unsafe { object(seed) } {
        Ok(seed) => *seed,
        Err(number) => return number,
    };
    let key = DeviceKey::from_seed(&seed);
    // SAFETY: as above; the seed was copied, so that nothing written here changes what is read.
    unsafe {
        if let Ok(room) = object_mut(public_key) {
            *room = key.public();
        }
        if let Ok(room) = object_mut(device) {
            *room = key.device().0;
        }
    }
    OK
}

/// `cairn_device_of_p256`: the id of the device whose first key is this point, `x || y`.
///
/// # Safety
/// `point` leads to 64 bytes, `device` to 16 that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cairn_device_of_p256(point: *const [u8; 64], device: *mut [u8; 16]) -> i32 {
    // SAFETY: the caller's word, as the header has it; the point was read before anything is written.
    answer(unsafe {
        object(point).map(compress_p256).and_then(|compressed| {
            *object_mut(device)? = DeviceId::of_p256(&compressed).ok_or(ARGUMENT)?.0;
            Ok(())
        })
    })
}

/// `cairn_device_text`: a device's id as people read it, with a zero at its end.
///
/// # Safety
/// `device` leads to 16 bytes, `text` to 31 that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cairn_device_text(device: *const [u8; 16], text: *mut [u8; 31]) -> i32 {
    // SAFETY: the caller's word, as the header has it; the id was copied before anything is written.
    answer(unsafe {
        object(device).map(|device| DeviceId(*device).text()).and_then(|letters| {
            let room = object_mut(text)?;
            *room = [0; 31];
            room.iter_mut().zip(letters).for_each(|(to, from)| *to = from);
            Ok(())
        })
    })
}

/// `cairn_boot_next`: the boot counter to store now, and its record, after the highest one in any slot and at least `floor`.
///
/// # Safety
/// `slots` leads to `slots_len` records of 8 bytes; `boot` to 4 bytes and `record` to 8 that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cairn_boot_next(
    slots: *const [u8; 8],
    slots_len: usize,
    floor: u32,
    boot: *mut u32,
    record: *mut [u8; 8],
) -> i32 {
    // SAFETY: the caller's word, as the header has it; the slots were read before anything is written.
    answer(unsafe {
        slice(slots, slots_len).and_then(|slots| {
            let stored = slots.iter().filter_map(|slot| BootRecord(*slot).boot()).max().ok_or(NO_RECORD)?;
            let next = Restart::after(stored).map_err(|error| error.number())?.at_least(floor).boot();
            *object_mut(boot)? = next;
            *object_mut(record)? = BootRecord::of(next).0;
            Ok(())
        })
    })
}

/// `cairn_boot_record`: the record of a boot counter.
///
/// # Safety
/// `record` leads to 8 bytes that may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cairn_boot_record(boot: u32, record: *mut [u8; 8]) -> i32 {
    // SAFETY: the caller's word, as the header has it.
    answer(unsafe { object_mut(record) }.map(|record| *record = BootRecord::of(boot).0))
}

/// `cairn_sign_ed25519`: signs a report with a seed, into the beginning of `out`.
///
/// # Safety
/// All that the header says of these arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cairn_sign_ed25519(
    seed: *const [u8; 32],
    device: *const [u8; 16],
    network: *const [u8; 32],
    report: *const CReport,
    out: *mut u8,
    out_size: usize,
    signed: *mut CSigned,
) -> i32 {
    let sign = |report: &Report<'_>, network: &NetworkId, out: &mut [u8]| {
        // SAFETY: the caller's word, as the header has it. Both are outside `out`: see `make`.
        let (key, device) = unsafe {
            let key = DeviceKey::from_seed(object(seed)?);
            let device = if device.is_null() { key.device() } else { DeviceId(*object(device)?) };
            (key, device)
        };
        Ok(report.sign(&key, device, network, out)?.into())
    };
    let inputs = [Range::of(seed, 1), Range::of(device, 1), Range::of(network, 1)];
    // SAFETY: the caller's word, as the header has it.
    unsafe { make(inputs, network, report, (out, out_size), signed, sign) }
}

/// What a secure element is asked through: 0 when it has written the signature.
pub type CSigner = unsafe extern "C" fn(context: *mut c_void, digest: *const [u8; 32], signature: *mut [u8; 64]) -> i32;

/// `cairn_sign_p256`: has a secure element sign a report's digest.
///
/// # Safety
/// All that the header says of these arguments; `sign` does not unwind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cairn_sign_p256(
    device: *const [u8; 16],
    network: *const [u8; 32],
    report: *const CReport,
    sign: Option<CSigner>,
    context: *mut c_void,
    out: *mut u8,
    out_size: usize,
    signed: *mut CSigned,
) -> i32 {
    let inputs = [Range::of(device, 1), Range::of(network, 1), Ok(Range::EMPTY)];
    let ask = |report: &Report<'_>, network: &NetworkId, out: &mut [u8]| {
        let sign = sign.ok_or(NULL)?;
        // SAFETY: the caller's word, as the header has it. It is outside `out`: see `make`.
        let device = DeviceId(unsafe { *object(device)? });
        let asked = report.sign_p256(device, network, out, |digest| {
            let mut signature = [0; 64];
            // SAFETY: both lead to as many bytes as the header says, and stay until the call returns.
            let answered = unsafe { sign(context, digest, &raw mut signature) };
            (answered == OK).then_some(signature)
        });
        Ok(asked?.into())
    };
    // SAFETY: the caller's word, as the header has it.
    unsafe { make(inputs, network, report, (out, out_size), signed, ask) }
}

/// What both ways to sign have in common: checks the arguments, signs, says what came of it.
///
/// # Safety
/// The pointers lead to what the header says.
unsafe fn make(
    inputs: [Result<Range, i32>; 3],
    network: *const [u8; 32],
    report: *const CReport,
    (out, out_size): (*mut u8, usize),
    signed: *mut CSigned,
    sign: impl FnOnce(&Report<'_>, &NetworkId, &mut [u8]) -> Result<CSigned, Failure>,
) -> i32 {
    if let Err(number) = checked_mut(signed) {
        return number;
    }
    let made = || {
        // SAFETY: the caller's word, as the header has it. Nothing that is read lies under `out`: that is checked before
        // there is a slice over it.
        unsafe {
            let (room, report) = (Range::of(out, out_size)?, object(report)?);
            room.apart_from(Range::of(signed, 1)?)?;
            room.apart_from(Range::of(report, 1)?)?;
            for input in inputs {
                room.apart_from(input?)?;
            }
            report.check(room)?;
            let network = NetworkId(*object(network)?);
            report.with(|report| sign(report, &network, slice_mut(out, out_size)?))
        }
    };
    let (number, made) = match made() {
        Ok(made) => (OK, made),
        Err(Failure { number, needed }) => (number, CSigned { len: needed, identity: [0; 32] }),
    };
    // SAFETY: checked above for null and alignment; nothing else borrows it.
    unsafe { signed.write(made) };
    number
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // No panic is left in an optimised build: the guide for makers of devices says how that is seen. A device that stands still is one that its watchdog starts again.
    loop {}
}
