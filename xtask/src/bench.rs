//! `cargo xtask bench`: what things cost, beside the least they could cost, measured in the same run.
//!
//! Each measurement is an example of the crate that it measures, and prints lines of a name and a value. Times are of one
//! machine on one day; ratios travel better. Tests are never timed.
//!
//! `cargo xtask bench ingest` measures what a gateway takes in, `cargo xtask bench peers` the same beside a broker and a
//! database, and `cargo xtask bench judge` what the sensing judge finds; each has a section of its own on the page, which the others leave as it stands.

mod ingest;
mod judge;
mod peers;

use std::fmt::Write as _;

use crate::run::{Done, Failure, Program, cargo, root, wrong};

/// A measurement: the package, its example, and what it is.
struct Measurement {
    package: &'static str,
    example: &'static str,
    what: &'static str,
}

const MEASUREMENTS: [Measurement; 7] = [
    Measurement {
        package: "cairn-audit",
        example: "audit_rate",
        what: "A whole audit, beside the verifying of its signatures alone",
    },
    Measurement {
        package: "cairn-merkle",
        example: "claim_tree",
        what: "A claim tree of a million with all proofs, beside its hashes alone",
    },
    Measurement {
        package: "cairn-reward",
        example: "million",
        what: "An epoch of a million verdicts, from verdicts to payouts",
    },
    Measurement {
        package: "cairn-classes",
        example: "compute_thousand",
        what: "A thousand jobs of compute: assigned, sealed, revealed, judged, billed",
    },
    Measurement { package: "cairn-testkit", example: "judge_million", what: "A million reports of sensing, judged" },
    Measurement {
        package: "cairn-gateway",
        example: "throughput",
        what: "Reports accepted by a gateway, durable and promised",
    },
    Measurement {
        package: "cairn-console",
        example: "page_speed",
        what: "Every kind of page, beside reading as many bytes",
    },
];

/// Where `--write` keeps the results.
const PAGE: &str = "docs/benchmarks.md";

/// The heading of the section of `bench ingest`.
const INGEST: &str = "\n## Reports taken in by a whole server, beside the verifying of their signatures alone\n";
/// The heading of the section of `bench judge`.
const JUDGE: &str = "\n## What the judge of sensing finds\n";

pub use ingest::run as run_ingest;
pub use judge::run as run_judge;
pub use peers::run as run_peers;

/// Measures everything but the judge's finds, prints it, and keeps it if asked to.
pub fn run(write: bool) -> Done {
    let before = std::fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    let kept = kept_of(&before);
    let mut page =
        String::from("# Benchmarks\n\nWritten by `cargo xtask bench --write`; nothing here was measured elsewhere.\n");
    let _ = writeln!(page, "\n```\n{}```", machine());
    for measurement in &MEASUREMENTS {
        let said = measurement.take()?;
        println!("\n{}\n{said}", measurement.what);
        let Measurement { package, example, what } = measurement;
        let _ =
            write!(page, "\n## {what}\n\n`cargo run --release -p {package} --example {example}`\n\n```\n{said}```\n");
    }
    if write { keep(&(page + kept)) } else { Ok(()) }
}

/// What the measurements of `bench` alone leave as it stands: the sections with commands of their own, and all after them.
fn kept_of(page: &str) -> &str {
    let first = [INGEST, peers::PEERS, JUDGE].iter().filter_map(|heading| page.find(heading)).min();
    first.map_or("", |at| &page[at..])
}

/// Where a section stands on a page, from its heading to the next one.
fn section_of(page: &str, heading: &str) -> Option<core::ops::Range<usize>> {
    let start = page.find(heading)?;
    let body = start + heading.len();
    Some(start..page[body..].find("\n## ").map_or(page.len(), |next| body + next))
}

fn keep(page: &str) -> Done {
    match std::fs::write(root().join(PAGE), page) {
        Ok(()) => {
            println!("kept in {PAGE}");
            Ok(())
        }
        Err(error) => wrong(format!("cannot write {PAGE}: {error}")),
    }
}

impl Measurement {
    fn take(&self) -> Result<String, Failure> {
        let arguments = ["run", "--quiet", "--release", "--package", self.package, "--example", self.example];
        Program::of(&cargo(), arguments).read()
    }
}

/// The machine, the compiler and the commit, as far as they are known.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let threads = std::thread::available_parallelism().map_or(0, usize::from);
    let first_line = |said: Result<String, Failure>| {
        said.ok().and_then(|said| said.lines().next().map(str::to_owned)).unwrap_or_else(|| "unknown".to_owned())
    };
    let compiler = first_line(Program::of("rustc", ["--version"]).read());
    let commit = first_line(Program::of("git", ["rev-parse", "HEAD"]).read());
    format!(
        "processor  {}, {threads} threads\nsystem     {} {}\ncompiler   {compiler}\ncommit     {commit}\n",
        model.unwrap_or("unknown"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_goes_from_its_heading_to_the_next_one() {
        let kept = format!("{INGEST}\nb\n{JUDGE}\nc\n\n## Soak\n\nd\n");
        let page = format!("# Benchmarks\n\n## Others\n\na\n{kept}");
        assert_eq!(&page[section_of(&page, INGEST).unwrap()], format!("{INGEST}\nb\n"));
        assert_eq!(&page[section_of(&page, JUDGE).unwrap()], format!("{JUDGE}\nc\n"));
        assert_eq!(section_of("# Benchmarks\n", JUDGE), None);
        assert_eq!((kept_of(&page), kept_of("# Benchmarks\n")), (kept.as_str(), ""));
    }

    #[test]
    fn every_measurement_is_an_example_that_exists() {
        for Measurement { package, example, .. } in &MEASUREMENTS {
            let folder = root().join("crates").join(package).join("examples");
            let is_there =
                [format!("{example}.rs"), format!("{example}/main.rs")].iter().any(|file| folder.join(file).is_file());
            assert!(is_there, "{example} of {package}");
        }
    }
}
