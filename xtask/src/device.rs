//! The firmware of `examples/device-firmware`: it links, so no panic is left in it, and an emulated Cortex-M4 signs the very bytes
//! that are kept beside it, which a test holds to those of `cairn-core`.

use std::path::PathBuf;

use crate::elf;
use crate::run::{Done, Failure, Program, cargo, root, wrong};

const FOLDER: &str = "examples/device-firmware";
const TARGET: &str = "thumbv7em-none-eabi";
/// A Cortex-M4 that talks to its debugger, and whose clock counts instructions.
const MACHINE: [&str; 13] = [
    "-M",
    "mps2-an386",
    "-nographic",
    "-monitor",
    "none",
    "-serial",
    "none",
    "-icount",
    "shift=0",
    "-chardev",
    "stdio,id=debugger",
    "-semihosting-config",
    "enable=on,target=native,chardev=debugger",
];

/// Builds, runs, compares. What is missing is said in `left_out`.
pub fn check(left_out: &mut Vec<String>) -> Done {
    if !Program::of("rustc", ["--print", "target-libdir", "--target", TARGET]).reads_a_folder() {
        left_out.push(format!("the firmware: needs `rustup target add {TARGET}`"));
        return Ok(());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let target = target.join("device-firmware");
    let folder = target.to_string_lossy();
    Program::of(&cargo(), ["build", "--locked", "--release", "--target-dir", &*folder]).within(FOLDER).run()?;
    let firmware = target.join(TARGET).join("release/cairn-device-firmware");
    println!("the firmware has {} bytes of flash, and no panic", flash_bytes(&firmware)?);

    let emulator = std::env::var("CAIRN_QEMU_ARM").unwrap_or_else(|_| "qemu-system-arm".to_owned());
    if !Program::of(&emulator, ["--version"]).works() {
        left_out.push("running the firmware: needs qemu-system-arm (CAIRN_QEMU_ARM names another)".to_owned());
        return Ok(());
    }
    let firmware = firmware.to_string_lossy();
    let said = Program::of(&emulator, MACHINE.into_iter().chain(["-kernel", &*firmware])).read()?;
    print!("{said}");
    let kept = std::fs::read_to_string(root().join(FOLDER).join("report.hex")).unwrap_or_default();
    if said.lines().any(|line| line.strip_prefix("report ").is_some_and(|report| report == kept.trim())) {
        return Ok(());
    }
    wrong(format!("the firmware signs other bytes than those of {FOLDER}/report.hex"))
}

/// What a 32-bit little-endian ELF file loads: the bytes in the file of its loadable segments.
fn flash_bytes(path: &std::path::Path) -> Result<u64, Failure> {
    let unread = || Failure::Wrong(format!("{} is not a firmware", path.display()));
    let elf = std::fs::read(path).map_err(|_| unread())?;
    loaded(&elf).ok_or_else(unread)
}

fn loaded(elf: &[u8]) -> Option<u64> {
    let mut bytes = 0;
    for header in elf::program_headers(elf, elf::Class::Bits32)? {
        if elf::number(elf, header, 4)? == elf::LOAD {
            bytes += elf::number(elf, header + 16, 4)?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_is_counted_and_nothing_else() {
        let mut elf = vec![0; 52 + 2 * 32];
        elf[..6].copy_from_slice(b"\x7fELF\x01\x01");
        (elf[28], elf[42], elf[44]) = (52, 32, 2);
        (elf[52], elf[52 + 16], elf[52 + 17]) = (1, 5, 1);
        (elf[84], elf[84 + 16]) = (4, 9);
        assert_eq!(loaded(&elf), Some(261));
        assert_eq!(loaded(&elf[..60]), None);
        assert_eq!(loaded(b"#!/bin/sh"), None);
    }
}
