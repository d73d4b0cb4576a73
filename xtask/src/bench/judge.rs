//! `cargo xtask bench judge`: what the judge of sensing finds of injected errors, beside public libraries.
//!
//! The libraries come from Python's own package index into a virtual environment below the target folder, at the versions
//! named here. Where there is no Python, or no way to the packages, the comparison is left out and the page says so.

use std::path::PathBuf;

use super::{JUDGE, PAGE, keep, machine, section_of};
use crate::run::{Done, Failure, Program, cargo, root};

/// The libraries, at the versions that the parameters were set for.
const PACKAGES: [&str; 2] = ["ioos_qc==3.0.0", "titanlib==0.4.0"];

const SCRIPT: &str = "xtask/bench/peers.py";

/// Measures, prints, and keeps the section if asked to.
pub fn run(flags: &[String]) -> Done {
    let (mut write, mut seeds) = (false, "3".to_owned());
    let mut rest = flags.iter();
    while let Some(flag) = rest.next() {
        match (flag.as_str(), rest.as_slice().first()) {
            ("--write", _) => write = true,
            ("--seeds", Some(number)) if number.parse::<u64>().is_ok() => {
                seeds.clone_from(number);
                rest.next();
            }
            _ => return Err(Failure::Usage("usage: cargo xtask bench judge [--write] [--seeds N]\n".to_owned())),
        }
    }
    let mut arguments: Vec<String> =
        ["run", "--quiet", "--release", "--package", "cairn-testkit"].map(str::to_owned).into();
    arguments.extend(["--example", "judge_bench", "--", "--seeds", &seeds].map(str::to_owned));
    let peers = peers();
    match &peers {
        Ok(python) => arguments.extend(["--peers", python, SCRIPT, &folder("rows")].map(str::to_owned)),
        Err(why) => println!("without the public libraries: {why}"),
    }
    let said = Program::of(&cargo(), &arguments).read()?;
    println!("\n{said}");
    if !write {
        return Ok(());
    }
    let missing = peers.err().map(|why| format!("The public libraries were left out: {why}.\n\n")).unwrap_or_default();
    let section = format!(
        "{JUDGE}\n`cargo xtask bench judge --seeds {seeds}`\n\n{missing}```\n{}```\n\n```\n{said}```\n",
        machine()
    );
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    let at = section_of(&page, JUDGE).unwrap_or(page.len()..page.len());
    keep(&[&page[..at.start], &section, &page[at.end..]].concat())
}

/// A folder below the target folder, as text.
fn folder(name: &str) -> String {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("bench-judge").join(name).to_string_lossy().into_owned()
}

/// A Python that has the libraries, or why there is none.
fn peers() -> Result<String, String> {
    let environment = folder("python");
    let python = format!("{environment}/bin/python");
    let pip = |python: &str| Program::of(python, ["-m", "pip", "install", "--quiet"].iter().chain(&PACKAGES)).works();
    if !Program::of(&python, ["--version"]).works() && !Program::of("python3", ["-m", "venv", &environment]).works() {
        return Err("no python3 that makes virtual environments".to_owned());
    }
    if pip(&python) { Ok(python) } else { Err(format!("pip cannot install {}", PACKAGES.join(" and "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_there() {
        assert!(root().join(SCRIPT).is_file());
    }
}
