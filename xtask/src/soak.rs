//! `cargo xtask soak`: the real process, built for release, under honest and hostile traffic with restarts; then the books.
//!
//! The harness is `crates/cairn/tests/soak`; what it promises stands there. This starts it and hands on what it says.

use std::path::Path;

use crate::run::{Done, Failure, Program, Scratch, cargo, wrong};

/// Minutes of traffic, unless asked for otherwise.
const MINUTES: u64 = 60;

/// How the soak is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    minutes: u64,
    seed: Option<u64>,
    rate: Option<u64>,
    json: bool,
}

fn read(flags: &[String]) -> Result<Asked, Failure> {
    let mut asked = Asked { minutes: MINUTES, seed: None, rate: None, json: false };
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        if flag == "--json" {
            asked.json = true;
            continue;
        }
        let value = flags.next().and_then(|value| value.parse::<u64>().ok());
        let Some(value) = value else {
            return Err(Failure::Usage(format!("soak: `{flag}` is no flag, or wants a whole number after it")));
        };
        match flag.as_str() {
            "--minutes" if value > 0 => asked.minutes = value,
            "--seed" => asked.seed = Some(value),
            "--rate" if value > 0 => asked.rate = Some(value),
            _ => return Err(Failure::Usage(format!("soak: `{flag} {value}` means nothing here"))),
        }
    }
    Ok(asked)
}

/// Runs it; with `--json` the standard output is one document.
pub fn run(flags: &[String]) -> Done {
    let asked = read(flags)?;
    let scratch = Scratch::folder()?;
    let summary = scratch.path("soak.json");
    let arguments = ["test", "--release", "--package", "cairn", "--test", "soak", "--", "--nocapture"];
    let mut program = Program::of(&cargo(), arguments)
        .env("CAIRN_SOAK_MINUTES", asked.minutes.to_string())
        .env("CAIRN_SOAK_SUMMARY", &summary);
    if let Some(seed) = asked.seed {
        program = program.env("CAIRN_SEED", seed.to_string());
    }
    if let Some(rate) = asked.rate {
        program = program.env("CAIRN_SOAK_RATE", rate.to_string());
    }
    if !asked.json {
        return program.run();
    }
    let done = program.run_aside();
    match std::fs::read_to_string(Path::new(&summary)) {
        Ok(document) => println!("{document}"),
        Err(error) => return done.and_then(|()| wrong(format!("there is no summary: {error}"))),
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_and_what_is_none_is_a_wrong_call() {
        let flags = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let plain = Asked { minutes: MINUTES, seed: None, rate: None, json: false };
        assert!(read(&[]).is_ok_and(|asked| asked == plain));
        let all = Asked { minutes: 5, seed: Some(7), rate: Some(20), json: true };
        assert!(read(&flags("--minutes 5 --seed 7 --json --rate 20")).is_ok_and(|asked| asked == all));
        for bad in ["--minutes", "--minutes 0", "--minutes x", "--hours 1", "5", "--rate 0"] {
            assert!(matches!(read(&flags(bad)), Err(Failure::Usage(_))), "{bad}");
        }
    }
}
