//! Signs a report on a Cortex-M and says through the debugger (semihosting) what it was and how much stack it took.
//!
//! It links only when no panic can be reached from it: the panic handler calls what does not exist.

#![no_std]
#![no_main]

mod report;

use core::arch::asm;

/// What the stack is painted with.
const PAINT: u32 = 0xca12_9ca1;

unsafe extern "C" {
    static mut stack_bottom: u32;
    static stack_top: u32;
    /// Defined nowhere.
    fn a_panic_can_be_reached() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: never linked.
    unsafe { a_panic_can_be_reached() }
}

/// The first two words that a Cortex-M reads: where the stack begins and where the program does.
#[repr(C)]
struct Vectors {
    stack: *const u32,
    reset: unsafe extern "C" fn() -> !,
    /// Every fault ends the program.
    faults: [unsafe extern "C" fn() -> !; 14],
}

// SAFETY: constants, read by the processor alone.
unsafe impl Sync for Vectors {}

#[used]
#[unsafe(link_section = ".vectors")]
static VECTORS: Vectors = Vectors { stack: &raw const stack_top, reset, faults: [fault; 14] };

/// Where the program starts.
#[unsafe(no_mangle)]
unsafe extern "C" fn reset() -> ! {
    let bottom = &raw mut stack_bottom;
    let top = &raw const stack_top;
    let here: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, sp", out(reg) here) };
    // What is below this frame is free; 64 bytes are left for what the compiler does here.
    let words = (here - 64 - bottom.addr()) / 4;
    for at in 0..words {
        // SAFETY: between the end of RAM and the stack pointer; nobody else is there.
        unsafe { bottom.add(at).write_volatile(PAINT) };
    }
    let clock = Ticks::start();
    signed();
    let ticks = clock.taken();
    let mut untouched = 0;
    // SAFETY: within RAM, painted above.
    while untouched < words && unsafe { bottom.add(untouched).read_volatile() } == PAINT {
        untouched += 1;
    }
    told();
    say(b"stack ");
    number(top.addr() - bottom.addr() - 4 * untouched);
    say(b"\nticks ");
    number(ticks);
    say(b"\n");
    exit(true)
}

/// The processor's own timer, which counts down from 2^24 - 1 with its clock. On an emulator that counts instructions
/// (QEMU's `-icount shift=0`: one instruction is a nanosecond, and a tick of this machine is 40 of them) it counts those.
struct Ticks;

impl Ticks {
    const CONTROL: *mut u32 = core::ptr::without_provenance_mut(0xe000_e010);
    const RELOAD: *mut u32 = core::ptr::without_provenance_mut(0xe000_e014);
    const CURRENT: *mut u32 = core::ptr::without_provenance_mut(0xe000_e018);

    fn start() -> Self {
        // SAFETY: SysTick's registers, which every Cortex-M has here and nobody else uses.
        unsafe {
            Self::RELOAD.write_volatile(0x00ff_ffff);
            Self::CURRENT.write_volatile(0);
            Self::CONTROL.write_volatile(0b101);
        }
        Self
    }

    fn taken(self) -> usize {
        // SAFETY: as above.
        let left = unsafe { Self::CURRENT.read_volatile() };
        0x00ff_ffff_usize.saturating_sub(left as usize)
    }
}

/// Signs, and says nothing yet: speaking takes time.
#[inline(never)]
fn signed() {
    let mut buffer = [0; report::BUFFER_BYTES];
    let _ = core::hint::black_box(report::sign(core::hint::black_box(&mut buffer)));
}

/// Signs once more, and says what.
#[inline(never)]
fn told() {
    let mut buffer = [0; report::BUFFER_BYTES];
    match report::sign(&mut buffer) {
        Ok(signed) => {
            say(b"report ");
            signed.bytes().iter().for_each(|byte| digits(*byte));
            say(b"\n");
        }
        Err(error) => {
            say(error.code().as_bytes());
            exit(false)
        }
    }
}

unsafe extern "C" fn fault() -> ! {
    say(b"fault\n");
    exit(false)
}

fn digits(byte: u8) {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + (value - 10) };
    say(&[digit(byte >> 4), digit(byte & 15)]);
}

fn number(value: usize) {
    let mut left = value;
    let mut unit = 1_000_000;
    let mut begun = false;
    while unit > 0 {
        let mut digit = b'0';
        while left >= unit {
            left -= unit;
            digit += 1;
        }
        begun |= digit != b'0' || unit == 1;
        if begun {
            say(&[digit]);
        }
        unit = match unit {
            1_000_000 => 100_000,
            100_000 => 10_000,
            10_000 => 1_000,
            1_000 => 100,
            100 => 10,
            10 => 1,
            _ => 0,
        };
    }
}

/// Writes through the debugger, byte by byte.
fn say(text: &[u8]) {
    for byte in text {
        semihost(0x03, core::ptr::from_ref(byte).addr());
    }
}

/// Ends the program through the debugger.
fn exit(well: bool) -> ! {
    const STOPPED_BY_ITSELF: usize = 0x2_0026;
    loop {
        semihost(0x18, if well { STOPPED_BY_ITSELF } else { 0 });
    }
}

fn semihost(operation: usize, argument: usize) {
    // SAFETY: Arm's convention for semihosting on M profiles: r0 and r1 in, r0 out.
    unsafe { asm!("bkpt 0xab", inout("r0") operation => _, in("r1") argument, options(nostack)) };
}
