//! The proof that engines are interchangeable: an interpreter and a compiler, handed the same jobs, give the same outcome,
//! gas and output, and neither ever fails by a limit of its own.
//!
//! `CAIRN_WASM_SOAK` is how many seeds are tried instead of the usual ones; a failure names its seed.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod compiler;
mod dense;
mod smith;
mod tables;

use std::collections::BTreeMap;

use cairn_wasm::{Job, Limits, Outcome, Profile, Ran, run};
use wasmtime::OptLevel;

use compiler::{Compiler, NATIVE_STACK_BYTES};

const INPUTS: &[&[u8]] = &[b"the first input", b"", b"and a third"];
const LIMITS: Limits = Limits { gas: 600_000, pages: 3, output_bytes: 70_000 };

fn job(floats: bool) -> Job<'static> {
    let profile = if floats { Profile::DetFloat } else { Profile::DetInt };
    Job { module: &[], inputs: INPUTS, arguments: b"some arguments", profile, limits: LIMITS, seed: [9; 32] }
}

/// Runs what compiled code needs a deep native stack for.
fn deep(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 * NATIVE_STACK_BYTES).spawn(test).unwrap().join().unwrap();
}

/// Runs a job on both engines, holds the results equal, and gives the one.
fn both(compiler: &Compiler, job: &Job<'static>, module: &[u8], case: &str) -> Ran {
    let interpreted = run(&Job { module, ..*job });
    let compiled = compiler.run(job, module);
    assert!(interpreted.is_ok(), "{case}: {interpreted:?}");
    assert_eq!(interpreted, compiled, "{case}");
    let ran = interpreted.unwrap();
    assert!(ran.gas <= job.limits.gas, "{case}");
    ran
}

fn soak(usual: u64) -> u64 {
    std::env::var("CAIRN_WASM_SOAK").ok().and_then(|count| count.parse().ok()).unwrap_or(usual)
}

#[test]
fn an_interpreter_and_a_compiler_give_the_same_outcome_gas_and_bytes() {
    deep(|| {
        let compilers = [Compiler::new(OptLevel::Speed), Compiler::new(OptLevel::None)];
        let mut outcomes = BTreeMap::<_, u64>::new();
        for seed in 0..soak(1200) {
            let floats = seed % 2 == 1;
            let Some(module) = smith::module(seed, floats) else { continue };
            let ran = both(&compilers[(seed % 16 == 0) as usize], &job(floats), &module, &format!("seed {seed}"));
            *outcomes.entry(ran.outcome).or_default() += 1;
        }
        println!("{outcomes:?}");
        assert!(outcomes.get(&Outcome::Done).is_some_and(|done| *done > 10), "too few ran to their end: {outcomes:?}");
    });
}

#[test]
fn programs_as_compilers_write_them_give_the_same() {
    deep(|| {
        let compilers = [Compiler::new(OptLevel::Speed), Compiler::new(OptLevel::None)];
        let mut done = 0;
        let seeds = soak(1000);
        for seed in 0..seeds {
            let floats = seed % 3 == 2;
            let module = dense::program(seed, floats);
            let ran =
                both(&compilers[(seed % 8 != 0) as usize], &job(floats), &module, &format!("program of seed {seed}"));
            done += u64::from(ran.outcome == Outcome::Done);
        }
        println!("{done} of {seeds} ran to their end");
        assert!(done * 10 > seeds * 9);
    });
}

#[test]
fn no_operation_of_the_interpreter_takes_of_its_hosts_stack() {
    // Each operation of these is run tens of thousands of times. Were one of the interpreter's tail calls no jump, this
    // thread would overflow.
    let small = std::thread::Builder::new().stack_size(512 << 10);
    let endless = small.spawn(|| {
        for seed in 0..soak(60) {
            let module = dense::endless(seed, seed % 3 == 2);
            let limits = Limits { gas: 4_000_000, ..LIMITS };
            let ran = run(&Job { module: &module, limits, ..job(seed % 3 == 2) });
            assert_eq!(ran.map(|ran| ran.outcome), Ok(Outcome::OutOfGas), "seed {seed}");
        }
    });
    endless.unwrap().join().unwrap();
}

#[test]
fn recursion_of_any_shape_ends_before_the_stack_of_any_engine() {
    deep(|| {
        let compilers = [Compiler::new(OptLevel::Speed), Compiler::new(OptLevel::None)];
        let many = |count: usize, text: &str| text.repeat(count);
        let (drops, zeros) = (many(64, "drop "), many(64, "(i64.const 0) "));
        // Values that an optimiser keeps alive over the call, far more than there are locals or operands: products that are
        // wanted again after it.
        let product = |at: usize| format!("(i64.mul (local.get 0) (i64.const {}))", at * 2 + 3);
        let stored = |from: usize| {
            (0..600).map(|at| format!("(i64.store (i32.const {}) {})", from + at * 8, product(at))).collect::<String>()
        };
        let shapes = [
            "(func $f (export \"run\") (call $f))".to_owned(),
            format!("(func $f (export \"run\") (local {}) (call $f))", many(4090, "i64 ")),
            format!("(func $f (export \"run\") {} (call $f) {})", many(4090, "(i32.const 1) "), many(4090, "drop ")),
            format!("(func $f (param {0}) (result {0}) (call $f {zeros})) (func (export \"run\") (call $f {zeros}) {drops})", many(64, "i64 ")),
            "(type $t (func)) (table 1 funcref) (elem (i32.const 0) func $f) (func $f (export \"run\") (call_indirect (type $t) (i32.const 0)))".to_owned(),
            format!("(memory 1) (func $f (param i64) {} (call $f (local.get 0)) {}) (func (export \"run\") (call $f (i64.const 3)))", stored(0), stored(8000)),
        ];
        for (at, shape) in shapes.iter().enumerate() {
            let module = wat::parse_str(format!("(module {shape})")).unwrap();
            for compiler in &compilers {
                let job = Job { limits: Limits { gas: 200_000_000, ..LIMITS }, ..job(false) };
                let ran = both(compiler, &job, &module, &format!("shape {at}"));
                assert_eq!(ran.outcome, Outcome::StackOverflow, "shape {at}");
            }
        }
    });
}

#[test]
fn the_jobs_of_the_golden_file_give_the_same() {
    deep(|| {
        let compilers = [Compiler::new(OptLevel::Speed), Compiler::new(OptLevel::None)];
        let jobs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/jobs");
        for entry in std::fs::read_dir(jobs).unwrap() {
            let path = entry.unwrap().path();
            let module = wat::parse_str(std::fs::read_to_string(&path).unwrap()).unwrap();
            for compiler in &compilers {
                both(compiler, &job(true), &module, &path.display().to_string());
            }
        }
    });
}

#[test]
fn tables_and_references_behave_the_same() {
    deep(|| {
        let compiler = Compiler::new(OptLevel::None);
        let mut outcomes = BTreeMap::<_, u64>::new();
        for seed in 0..soak(400) {
            let ran = both(&compiler, &job(false), &tables::module(seed), &format!("tables of seed {seed}"));
            *outcomes.entry(ran.outcome).or_default() += 1;
        }
        println!("{outcomes:?}");
        let met = [Outcome::Done, Outcome::TableOutOfBounds, Outcome::IndirectCallNull, Outcome::IndirectCallType];
        assert!(met.iter().all(|outcome| outcomes.contains_key(outcome)), "{outcomes:?}");
    });
}

#[test]
fn what_is_made_of_turned_bytes_is_refused_or_runs_the_same() {
    deep(|| {
        let compiler = Compiler::new(OptLevel::None);
        let (mut refused, mut ran) = (0u64, 0u64);
        for seed in 0..soak(1500) {
            let floats = seed % 2 == 1;
            let Some(mut module) = smith::module(seed / 50, floats) else { continue };
            let noise = smith::bytes(seed ^ 0x5eed, 33);
            for turn in noise.chunks_exact(8).take(1 + (noise[32] % 4) as usize) {
                let at = u64::from_le_bytes(turn.try_into().unwrap()) as usize % module.len();
                module[at] = turn[7];
            }
            match both(&compiler, &job(floats), &module, &format!("seed {seed}")).outcome {
                Outcome::Refused(_) => refused += 1,
                _ => ran += 1,
            }
        }
        println!("refused {refused}, ran {ran}");
        assert!(refused > 0 && ran > 0);
    });
}
