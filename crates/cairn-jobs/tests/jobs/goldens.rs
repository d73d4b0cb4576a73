//! What the committed modules give for fixed orders: outcome, gas and output, the same on every engine.
//!
//! `CAIRN_BLESS=1` writes the file anew; that is right when a module was built anew, and never when only the runtime changed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cairn_core::Hash;
use cairn_jobs::network::encode_rows;
use cairn_jobs::{INFERENCE, PM10_MODEL, PRIMES, THUMBNAIL, features};
use cairn_wasm::{Job, Limits, Outcome, Ran, run};
use wasmtime::OptLevel;

use crate::compiler::Compiler;
use crate::recording::germany;
use crate::running::{LIMITS, job};
use crate::thumbnail::Plain;

/// 2009-12-31, the recording's last day, in days since 1970.
const LAST_DAY: u32 = 14_609;

/// The README of the jobs.
const README: &str = include_str!("../../../../examples/compute/README.md");

/// An order with a name.
struct Case {
    name: &'static str,
    module: &'static [u8],
    inputs: Vec<Vec<u8>>,
    arguments: &'static str,
    limits: Limits,
}

impl Case {
    fn of(name: &'static str, module: &'static [u8], inputs: Vec<Vec<u8>>, arguments: &'static str) -> Self {
        Self { name, module, inputs, arguments, limits: LIMITS }
    }

    fn run(&self) -> Ran {
        let inputs: Vec<&[u8]> = self.inputs.iter().map(Vec::as_slice).collect();
        run(&Job { limits: self.limits, ..job(self.module, &inputs, self.arguments.as_bytes()) }).unwrap()
    }
}

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/jobs.txt")
}

fn cases() -> Vec<Case> {
    let picture = Plain::pattern(640, 480);
    let grid = germany();
    let rows: Vec<Vec<i8>> = (0..grid.stations()).filter_map(|s| features::row(&grid, s, LAST_DAY)).collect();
    let all = encode_rows(features::WIDTH, &rows);
    let one = encode_rows(features::WIDTH, &rows[..1]);
    let model = PM10_MODEL.to_vec();
    vec![
        Case::of("primes below a million", PRIMES, vec![], "0 1000000"),
        Case::of("primes below a million, each", PRIMES, vec![], "0 1000000 list"),
        Case::of("primes behind 10^12", PRIMES, vec![], "1000000000000 1000001000000"),
        Case::of("primes of nothing", PRIMES, vec![], "none"),
        Case {
            limits: Limits { gas: 5_000_000, ..LIMITS },
            ..Case::of("primes for too little gas", PRIMES, vec![], "0 1000000")
        },
        Case {
            limits: Limits { pages: 4, ..LIMITS },
            ..Case::of("primes in too little memory", PRIMES, vec![], "281474976000000 281474976710656")
        },
        Case {
            limits: Limits { output_bytes: 1_000, ..LIMITS },
            ..Case::of("primes for too little output", PRIMES, vec![], "0 1000000 list")
        },
        Case::of("thumbnail of 640 x 480, PPM", THUMBNAIL, vec![picture.ppm()], "96"),
        Case::of("thumbnail of 640 x 480, BMP", THUMBNAIL, vec![picture.bmp(false)], "96"),
        Case::of("thumbnail of half a picture", THUMBNAIL, vec![picture.ppm()[..460_000].to_vec()], "96"),
        Case::of("forecast for one station", INFERENCE, vec![model.clone(), one.clone()], ""),
        Case::of("forecast for every station", INFERENCE, vec![model.clone(), all], ""),
        Case::of("forecast without a model", INFERENCE, vec![one], ""),
    ]
}

#[test]
fn the_committed_modules_give_what_is_written_down() {
    let mut text = String::from("# outcome, gas, bytes of output and their SHA-256, order\n");
    for case in cases() {
        let Ran { outcome, gas, output } = case.run();
        let (code, hash) = (outcome.code(), Hash::of(&output).to_hex());
        writeln!(text, "{code} {gas} {} {hash} {}", output.len(), case.name).unwrap();
    }
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::write(goldens(), &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(goldens()).unwrap());
}

#[test]
fn a_compiler_gives_what_the_interpreter_gives() {
    let compiler = Compiler::new(OptLevel::Speed);
    for case in cases() {
        // The compiler's guests own what they are given for as long as the process lives.
        let inputs: Vec<&'static [u8]> = case.inputs.iter().map(|input| &*input.clone().leak()).collect();
        let job = Job { limits: case.limits, ..job(case.module, inputs.leak(), case.arguments.as_bytes()) };
        assert!(compiler.run(&job, case.module).unwrap() == case.run(), "{}", case.name);
    }
}

#[test]
fn below_the_gas_that_it_needs_a_job_ends_with_all_gas_used_and_above_it_nothing_changes() {
    for case in cases() {
        let enough = case.run();
        if enough.outcome == Outcome::OutOfGas {
            continue;
        }
        let with = |gas: u64| Case { limits: Limits { gas, ..case.limits }, inputs: case.inputs.clone(), ..case }.run();
        assert_eq!(with(enough.gas), enough, "{}", case.name);
        let short = with(enough.gas - 1);
        assert_eq!((short.outcome, short.gas), (Outcome::OutOfGas, enough.gas - 1), "{}", case.name);
    }
}

#[test]
fn the_readme_quotes_what_orders_cost() {
    let goldens = std::fs::read_to_string(goldens()).unwrap();
    for line in goldens.lines().skip(1) {
        let [code, gas, bytes, _, name] = line.splitn(5, ' ').collect::<Vec<_>>().try_into().unwrap();
        let row = format!("| {name} | `{code}` | {} | {bytes} |", thousands(gas));
        assert!(README.contains(&row), "the README lacks\n{row}");
    }
}

fn thousands(digits: &str) -> String {
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}
