//! `cargo xtask bench judge`: what the judge of sensing finds of injected errors, beside public libraries.
//!
//! The libraries come from Python's own package index into a virtual environment below the target folder, at the versions
//! named here. Where there is no Python, or no way to the packages, the comparison is left out and the page says so.

use std::path::PathBuf;

use super::{PAGE, keep, machine};
use crate::run::{Done, Failure, Program, cargo, root};

/// The libraries, at the versions that the parameters were set for.
const PACKAGES: [&str; 2] = ["ioos_qc==3.0.0", "titanlib==0.4.0"];

const SCRIPT: &str = "xtask/bench/peers.py";

/// The heading of the section on the page.
const HEADING: &str = "\n## What the judge of sensing finds\n";

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
        "{HEADING}\n`cargo xtask bench judge --seeds {seeds}`\n\n{missing}```\n{}```\n\n```\n{said}```\n",
        machine()
    );
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    keep(&with_section(&page, &section))
}

/// The page with another section of the judge, in its place or at the end.
fn with_section(page: &str, section: &str) -> String {
    let kept = kept_of(page);
    let after = kept.get(1..).and_then(|rest| rest.find("\n## ")).map_or("", |at| &kept[1 + at..]);
    page[..page.len() - kept.len()].to_owned() + section + after
}

/// What the other measurements leave as it stands: the judge's section of the page and those after it.
pub fn kept_of(page: &str) -> String {
    page.find(HEADING).map(|at| page[at..].to_owned()).unwrap_or_default()
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
    fn the_section_and_those_after_it_are_kept_and_only_it_is_replaced() {
        let page = format!("# Benchmarks\n\n## Others\n{HEADING}\nold\n\n## Soak\n\nan hour\n");
        assert_eq!(kept_of(&page), format!("{HEADING}\nold\n\n## Soak\n\nan hour\n"));
        assert_eq!(with_section(&page, &format!("{HEADING}\nfresh\n")), page.replace("old", "fresh"));
        assert_eq!(kept_of("# Benchmarks\n"), "");
        assert_eq!(with_section("# Benchmarks\n", "\n## X\n"), "# Benchmarks\n\n## X\n");
    }

    #[test]
    fn the_script_is_there() {
        assert!(root().join(SCRIPT).is_file());
    }
}
