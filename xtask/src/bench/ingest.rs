//! `cargo xtask bench ingest`: what a gateway takes in, from outside and step by step.
//!
//! It runs `cairn bench ingest` at several sizes of request, and the example that measures the steps, and keeps both in a
//! section of their own.

use super::{INGEST, PAGE, keep, machine, section_of};
use crate::run::{Done, Failure, Program, cargo, root};

/// Reports in a request, and connections.
const RUNS: [(&str, &str); 3] = [("512", "4"), ("64", "16"), ("1", "64")];

/// Measures, prints, and keeps the section if asked to.
pub fn run(flags: &[String]) -> Done {
    let (mut write, mut seconds) = (false, "10".to_owned());
    let mut rest = flags.iter();
    while let Some(flag) = rest.next() {
        match (flag.as_str(), rest.as_slice().first()) {
            ("--write", _) => write = true,
            ("--seconds", Some(number)) if number.parse::<u32>().is_ok() => {
                seconds.clone_from(number);
                rest.next();
            }
            _ => return Err(Failure::Usage("usage: cargo xtask bench ingest [--write] [--seconds N]\n".to_owned())),
        }
    }
    let mut said = String::new();
    for (batch, connections) in RUNS {
        let call = ["run", "--quiet", "--release", "--package", "cairn", "--", "bench", "ingest"];
        let sizes = ["--batch", batch, "--connections", connections, "--seconds", &seconds];
        said.push_str(&Program::of(&cargo(), call.iter().chain(&sizes)).read()?);
        said.push('\n');
    }
    let steps = ["run", "--quiet", "--release", "--package", "cairn-testkit", "--example", "ingest_steps"];
    let steps = Program::of(&cargo(), steps).read()?;
    println!("\n{said}{steps}");
    if !write {
        return Ok(());
    }
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    let section = format!(
        "{INGEST}\n`cargo xtask bench ingest --seconds {seconds}`\n\n```\n{}```\n\n```\n{said}{steps}```\n",
        machine()
    );
    let kept = section_of(&page, INGEST);
    // Before the section of the judge, or at the end.
    let at = kept
        .as_ref()
        .map_or_else(|| section_of(&page, super::JUDGE).map_or(page.len(), |judge| judge.start), |kept| kept.start);
    let end = kept.map_or(at, |kept| kept.end);
    keep(&[&page[..at], &section, &page[end..]].concat())
}
