//! `cargo xtask bench`: what things cost, beside the least they could cost, measured in the same run.
//!
//! Each measurement is an example of the crate that it measures, and prints lines of a name and a value. Times are of one
//! machine on one day; ratios travel better. Tests are never timed.
//!
//! `cargo xtask bench judge` is the measurement of what the sensing judge finds; it has a section of its own on the page,
//! which the others leave as it stands.

mod judge;

use std::fmt::Write as _;

use crate::run::{Done, Failure, Program, cargo, root, wrong};

/// A measurement: the package, its example, and what it is.
struct Measurement {
    package: &'static str,
    example: &'static str,
    what: &'static str,
}

const MEASUREMENTS: [Measurement; 5] = [
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
    Measurement { package: "cairn-testkit", example: "judge_million", what: "A million reports of sensing, judged" },
    Measurement {
        package: "cairn-gateway",
        example: "throughput",
        what: "Reports accepted by a gateway, durable and promised",
    },
];

/// Where `--write` keeps the results.
const PAGE: &str = "docs/benchmarks.md";

pub use judge::run as run_judge;

/// Measures everything but the judge's finds, prints it, and keeps it if asked to.
pub fn run(write: bool) -> Done {
    let kept = judge::kept_of(&std::fs::read_to_string(root().join(PAGE)).unwrap_or_default());
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
    if write { keep(&(page + &kept)) } else { Ok(()) }
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
    fn every_measurement_is_an_example_that_exists() {
        for Measurement { package, example, .. } in &MEASUREMENTS {
            let path = root().join("crates").join(package).join("examples").join(format!("{example}.rs"));
            assert!(path.is_file(), "{}", path.display());
        }
    }
}
