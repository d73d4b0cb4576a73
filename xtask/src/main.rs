//! The project's own chores: `cargo xtask test | docs | screenshots | bench | soak | static`.
//!
//! Nothing is checked only on a server: what continuous integration runs is `cargo xtask test`. This program starts other
//! programs and reads what they say; it depends on nothing but the standard library, so that it builds at once.

mod bench;
mod browser;
mod device;
mod docs;
mod elf;
mod links;
mod musl;
mod run;
mod soak;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [STEP...]    run every test, or only the steps named
  docs              write the reference pages that are generated from code
  screenshots       take the pictures of the console that the documents show
  bench [--write]   measure, and print ratios of the same run; --write keeps them in docs/benchmarks.md
  bench ingest [--write] [--seconds N]
                    what a whole server takes in, beside the verifying of the same signatures alone
  bench peers [--write]
                    the same reports into Cairn, PostgreSQL and Mosquitto, as far as they are installed
  bench judge [--write] [--seeds N]
                    what the judge of sensing finds of injected errors, beside public libraries in Python
  soak [--minutes M] [--seed N] [--rate R] [--json]
                    the real process under honest and hostile traffic with restarts, for an hour unless told otherwise
  static [TARGET...]
                    the program as one file without any library: for x86_64-unknown-linux-musl unless told otherwise
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = arguments.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let done = match (command, rest) {
        ("test", steps) => test::run(steps),
        ("docs", []) => docs::generate(),
        ("screenshots", []) => browser::screenshots(),
        ("bench", []) => bench::run(false),
        ("bench", [flag]) if flag == "--write" => bench::run(true),
        ("bench", [of, flags @ ..]) if of == "ingest" => bench::run_ingest(flags),
        ("bench", [of, flags @ ..]) if of == "peers" => bench::run_peers(flags),
        ("bench", [of, flags @ ..]) if of == "judge" => bench::run_judge(flags),
        ("soak", flags) => soak::run(flags),
        ("static", targets) => musl::build(targets),
        ("help" | "--help" | "-h", _) => {
            print!("{USAGE}\n{}", test::steps_help());
            return ExitCode::SUCCESS;
        }
        _ => Err(run::Failure::Usage(format!("{USAGE}\n{}", test::steps_help()))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(run::Failure::Usage(text)) => {
            eprint!("{text}");
            ExitCode::from(2)
        }
        Err(run::Failure::Wrong(what)) => {
            eprintln!("\nFAILED: {what}");
            ExitCode::FAILURE
        }
    }
}
