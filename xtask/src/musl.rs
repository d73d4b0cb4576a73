//! `cairn` as one file that needs nothing else of a system: linked with musl, for this kind of machine or another.
//!
//! One library of the tree (ring) has C and assembler in it. For another kind of machine clang compiles those and lld links, so that
//! no cross compiler is needed; what `CC_<target>` and `CARGO_TARGET_<TARGET>_LINKER` name goes before them.

use std::path::PathBuf;

use crate::elf;
use crate::run::{Done, Failure, Program, cargo, root, wrong};

/// What it is built for when nothing is named.
const HERE: &str = "x86_64-unknown-linux-musl";
/// What it can be built for.
const TARGETS: [&str; 2] = [HERE, "aarch64-unknown-linux-musl"];

/// Builds for each target named, checks that the result needs no other file, and says how large it is.
pub fn build(targets: &[String]) -> Done {
    let default = [HERE.to_owned()];
    for target in if targets.is_empty() { &default } else { targets } {
        if !TARGETS.contains(&target.as_str()) {
            return Err(Failure::Usage(format!("cargo xtask static takes {}", TARGETS.join(" or "))));
        }
        one(target)?;
    }
    Ok(())
}

fn one(target: &str) -> Done {
    if !Program::of("rustc", ["--print", "target-libdir", "--target", target]).reads_a_folder() {
        return wrong(format!("the standard library for {target} is missing: `rustup target add {target}`"));
    }
    let mut build = Program::of(&cargo(), ["build", "--locked", "--release", "-p", "cairn", "--target", target])
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    let is_foreign = !target.starts_with(std::env::consts::ARCH);
    let compiler = format!("CC_{}", target.replace('-', "_"));
    let linker = format!("CARGO_TARGET_{}_LINKER", target.replace('-', "_").to_uppercase());
    for (name, program, is_needed) in [(compiler, "clang", true), (linker, "rust-lld", is_foreign)] {
        if is_needed && std::env::var_os(&name).is_none() {
            build = build.env(&name, program);
        }
    }
    build.run()?;
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let path = folder.join(target).join("release/cairn");
    let elf = std::fs::read(&path).or_else(|error| wrong(format!("{}: {error}", path.display())))?;
    match needs_a_loader(&elf) {
        Some(false) => println!("{}: {} bytes, and needs no other file", path.display(), elf.len()),
        Some(true) => return wrong(format!("{} is not static: it asks for a loader", path.display())),
        None => return wrong(format!("{} is no program of 64 bits", path.display())),
    }
    if is_foreign {
        println!("not run here: it is for another kind of machine");
        return Ok(());
    }
    Program::of(&path.to_string_lossy(), ["--version"]).run()
}

/// Whether a 64-bit little-endian ELF file names a program that loads it, as everything does that has shared libraries.
fn needs_a_loader(elf: &[u8]) -> Option<bool> {
    for header in elf::program_headers(elf, elf::Class::Bits64)? {
        if elf::number(elf, header, 4)? == elf::INTERPRETER {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_a_loader_is_not_static() {
        let mut elf = vec![0; 64 + 2 * 56];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (elf[32], elf[54], elf[56]) = (64, 56, 2);
        (elf[64], elf[64 + 56]) = (1, 2);
        assert_eq!(needs_a_loader(&elf), Some(false));
        elf[64 + 56] = 3;
        assert_eq!(needs_a_loader(&elf), Some(true));
        assert_eq!(needs_a_loader(&elf[..100]), None);
        assert_eq!(needs_a_loader(b"#!/bin/sh"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_program_of_this_machine_is_told_as_what_it_is() {
        let own = std::fs::read(std::env::current_exe().unwrap_or_default()).unwrap_or_default();
        assert_eq!(needs_a_loader(&own), Some(cfg!(not(target_feature = "crt-static"))));
    }
}
