//! Modules made to hurt whoever runs them, and the outcome of each. Those that are refused are refused before anything
//! grows with them; those that run end by their gas, their stack or their memory.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use cairn_wasm::instrument::{growth_max, instrument};
use cairn_wasm::{Job, Limits, Outcome, Profile, Ran, Refusal, gas, run};

const LIMITS: Limits = Limits { gas: 50_000_000, pages: 64, output_bytes: 1000 };

fn job(module: &[u8]) -> Job<'_> {
    Job { module, inputs: &[], arguments: &[], profile: Profile::DetInt, limits: LIMITS, seed: [0; 32] }
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

fn ran(module: &[u8]) -> Ran {
    let ran = run(&job(module)).unwrap();
    assert!(ran.gas <= LIMITS.gas);
    assert!(ran.outcome == Outcome::Done || ran.output.is_empty());
    if let Ok(made) = instrument(module, Profile::DetInt, LIMITS.pages) {
        assert!(made.bytes.len() <= growth_max(module.len()), "{} of {}", made.bytes.len(), module.len());
    }
    ran
}

fn repeat(count: usize, text: &str) -> String {
    text.repeat(count)
}

#[test]
fn bombs_that_run_end_by_what_they_may_use() {
    let many_locals = repeat(4000, " i64");
    let wide = format!("(param{}) (result{})", repeat(64, " i64"), repeat(64, " i64"));
    let zeros = repeat(64, "(i64.const 0)");
    let cases: &[(&str, String, Outcome)] = &[
        ("an endless loop", "(func (export \"run\") (loop (br 0)))".into(), Outcome::OutOfGas),
        ("an endless start function", "(func $s (loop (br 0))) (func (export \"run\")) (start $s)".into(), Outcome::OutOfGas),
        ("a start function that traps", "(func $s unreachable) (func (export \"run\")) (start $s)".into(), Outcome::Unreachable),
        ("recursion", "(func $f (export \"run\") (call $f))".into(), Outcome::StackOverflow),
        ("recursion by turns", "(func $f (call $g)) (func $g (export \"run\") (call $f))".into(), Outcome::StackOverflow),
        (
            "recursion through a table",
            "(type $t (func)) (table 1 funcref) (elem (i32.const 0) func $f)
             (func $f (export \"run\") (call_indirect (type $t) (i32.const 0)))"
                .into(),
            Outcome::StackOverflow,
        ),
        (
            "recursion with many locals",
            format!("(func $f (export \"run\") (local{many_locals}) (call $f))"),
            Outcome::StackOverflow,
        ),
        (
            "recursion with many values",
            format!("(func $f {wide} (call $f {zeros})) (func (export \"run\") (call $f {zeros}) {})", repeat(64, "drop ")),
            Outcome::StackOverflow,
        ),
        (
            "recursion under many operands",
            format!("(func $f (export \"run\") {} (call $f) {})", repeat(4000, "(i32.const 1) "), repeat(4000, "drop ")),
            Outcome::StackOverflow,
        ),
        (
            "growing page by page as far as it goes",
            "(memory 0) (func (export \"run\") (block (loop (br_if 1 (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
             (br 0))) (if (i32.ne (memory.size) (i32.const 64)) (then unreachable)))"
                .into(),
            Outcome::Done,
        ),
        (
            "growing by all there could be",
            "(memory 1) (func (export \"run\")
             (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then unreachable))
             (if (i32.ne (memory.grow (i32.const 64)) (i32.const -1)) (then unreachable))
             (if (i32.ne (memory.grow (i32.const 63)) (i32.const 1)) (then unreachable))
             (if (i32.ne (memory.grow (i32.const 0)) (i32.const 64)) (then unreachable)))"
                .into(),
            Outcome::Done,
        ),
        (
            "a table that grows as far as it goes",
            "(table $t 1 funcref) (func (export \"run\")
             (if (i32.ne (table.grow $t (ref.null func) (i32.const 65536)) (i32.const -1)) (then unreachable))
             (if (i32.ne (table.grow $t (ref.null func) (i32.const 65535)) (i32.const 1)) (then unreachable))
             (if (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1)) (then unreachable)))"
                .into(),
            Outcome::Done,
        ),
        (
            "filling memory without end",
            "(memory 64) (func (export \"run\") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x400000)) (br 0)))"
                .into(),
            Outcome::OutOfGas,
        ),
        (
            "filling far more than there is",
            "(memory 1) (func (export \"run\") (memory.fill (i32.const 0) (i32.const 1) (i32.const -1)))".into(),
            Outcome::OutOfGas,
        ),
        (
            "copying tables without end",
            "(table 60000 funcref) (func (export \"run\")
             (loop (table.copy (i32.const 0) (i32.const 1) (i32.const 59999)) (br 0)))"
                .into(),
            Outcome::OutOfGas,
        ),
        (
            "writing without end",
            "(import \"cairn\" \"output_write\" (func $w (param i32 i32))) (memory 1)
             (func (export \"run\") (loop (call $w (i32.const 0) (i32.const 100)) (br 0)))"
                .into(),
            Outcome::OutputTooLarge,
        ),
        (
            "writing nothing without end",
            "(import \"cairn\" \"output_write\" (func $w (param i32 i32))) (memory 1)
             (func (export \"run\") (loop (call $w (i32.const 0) (i32.const 0)) (br 0)))"
                .into(),
            Outcome::OutOfGas,
        ),
        (
            "random bytes without end",
            "(import \"cairn\" \"random\" (func $r (param i32 i32))) (memory 1)
             (func (export \"run\") (loop (call $r (i32.const 0) (i32.const 65536)) (br 0)))"
                .into(),
            Outcome::OutOfGas,
        ),
        (
            "writing from no memory",
            "(import \"cairn\" \"output_write\" (func $w (param i32 i32)))
             (func (export \"run\") (call $w (i32.const 0) (i32.const 1)))"
                .into(),
            Outcome::OutOfBounds,
        ),
        (
            "a loop that carries many values",
            format!("(func (export \"run\") {zeros} (loop {wide} (br 0)) {})", repeat(64, "drop ")),
            Outcome::OutOfGas,
        ),
        (
            "a table of branches at its limit",
            format!("(func (export \"run\") (block (br_table {} (i32.const -1))))", repeat(16_385, "0 ")),
            Outcome::Done,
        ),
        (
            "blocks nested to the limit",
            format!("(func (export \"run\") {} {})", repeat(1023, "block "), repeat(1023, "end ")),
            Outcome::Done,
        ),
        (
            "operands to the limit",
            format!("(func (export \"run\") {} {})", repeat(4096, "i32.const 1 "), repeat(4096, "drop ")),
            Outcome::Done,
        ),
    ];
    for (name, text, expected) in cases {
        let ran = ran(&wat(&format!("(module {text})")));
        assert_eq!(ran.outcome, *expected, "{name}");
        if ran.outcome == Outcome::OutOfGas {
            assert_eq!(ran.gas, LIMITS.gas, "{name}");
        }
    }
}

#[test]
fn what_is_beyond_a_limit_is_refused_by_the_name_of_that_limit() {
    let run = "(func (export \"run\"))";
    let cases: &[(&str, String, Refusal)] = &[
        (
            "blocks nested too deeply",
            format!("(func (export \"run\") {} {})", repeat(1024, "block "), repeat(1024, "end ")),
            Refusal::Nesting,
        ),
        (
            "too many operands",
            format!("(func (export \"run\") {} {})", repeat(4097, "i32.const 1 "), repeat(4097, "drop ")),
            Refusal::Operands,
        ),
        (
            "a large table of branches",
            format!("(func (export \"run\") (block (br_table {} (i32.const 0))))", repeat(16_386, "0 ")),
            Refusal::BranchTargets,
        ),
        ("many locals", format!("(func (export \"run\") (local{}))", repeat(4097, " i32")), Refusal::Locals),
        ("many functions", format!("{run} {}", repeat(32_768, "(func)")), Refusal::Functions),
        ("many types", format!("{run} {}", repeat(8193, "(type (func))")), Refusal::Types),
        ("many parameters", format!("{run} (type (func (param{})))", repeat(65, " i32")), Refusal::Types),
        ("many results", format!("{run} (type (func (result{})))", repeat(65, " i32")), Refusal::Types),
        ("many globals", format!("{run} {}", repeat(4097, "(global i32 (i32.const 0))")), Refusal::Globals),
        ("many tables", format!("{run} {}", repeat(9, "(table 0 funcref)")), Refusal::Tables),
        ("a large table", format!("{run} (table 65537 funcref)"), Refusal::Tables),
        ("much memory", format!("{run} (memory 65)"), Refusal::Memory),
        ("many data segments", format!("{run} (memory 1) {}", repeat(8193, "(data \"\")")), Refusal::Segments),
        ("many element segments", format!("{run} {}", repeat(8193, "(elem func)")), Refusal::Segments),
        (
            "data outside the memory",
            format!("{run} (memory 1) (data (i32.const 65535) \"ab\")"),
            Refusal::SegmentOutOfBounds,
        ),
        ("data below zero", format!("{run} (memory 1) (data (i32.const -1) \"a\")"), Refusal::SegmentOutOfBounds),
        (
            "nothing, but outside the memory",
            format!("{run} (memory 1) (data (i32.const 65537) \"\")"),
            Refusal::SegmentOutOfBounds,
        ),
        (
            "elements outside the table",
            format!("{run} (func $f) (table 1 funcref) (elem (i32.const 1) func $f)"),
            Refusal::SegmentOutOfBounds,
        ),
        (
            "a reserved name",
            format!("{run} (global (export \"cairn:gas\") (mut i64) (i64.const 1))"),
            Refusal::ReservedName,
        ),
        ("another reserved name", format!("{run} (func (export \"cairn:\"))"), Refusal::ReservedName),
        ("no run", "(func)".into(), Refusal::NoRun),
        ("a run with a parameter", "(func (export \"run\") (param i32))".into(), Refusal::NoRun),
        ("a run with a result", "(func (export \"run\") (result i32) (i32.const 0))".into(), Refusal::NoRun),
        ("a run that is no function", "(memory (export \"run\") 1)".into(), Refusal::NoRun),
        (
            "a system's imports",
            format!(
                "(import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32))) {run}"
            ),
            Refusal::Import,
        ),
        (
            "an import that does not exist",
            format!("(import \"cairn\" \"clock\" (func (result i64))) {run}"),
            Refusal::Import,
        ),
        (
            "an import of another type",
            format!("(import \"cairn\" \"random\" (func (param i64 i32))) {run}"),
            Refusal::Import,
        ),
        ("an imported memory", format!("(import \"cairn\" \"memory\" (memory 1)) {run}"), Refusal::Import),
        ("an imported global", format!("(import \"cairn\" \"gas\" (global (mut i64))) {run}"), Refusal::Import),
        (
            "too many imports",
            format!("{} {run}", repeat(65, "(import \"cairn\" \"input_count\" (func (result i32)))")),
            Refusal::Import,
        ),
        ("a float parameter", format!("{run} (func (param f32))"), Refusal::Floats),
        ("a float operation", "(func (export \"run\") (drop (f64.const 1)))".into(), Refusal::Floats),
        (
            "a float in code that is never reached",
            "(func (export \"run\") unreachable f32.neg drop)".into(),
            Refusal::Floats,
        ),
        ("vectors", "(func (export \"run\") (drop (i8x16.splat (i32.const 0))))".into(), Refusal::Invalid),
        ("threads", format!("{run} (memory 1 1 shared)"), Refusal::Invalid),
        ("a tail call", "(func $f (export \"run\") (return_call $f))".into(), Refusal::Invalid),
        ("two memories", format!("{run} (memory 1) (memory 1)"), Refusal::Invalid),
        ("a 64-bit memory", format!("{run} (memory i64 1)"), Refusal::Invalid),
        ("an exception", format!("{run} (tag)"), Refusal::Invalid),
        (
            "a computed offset",
            format!("{run} (memory 1) (data (i32.add (i32.const 0) (i32.const 0)) \"\")"),
            Refusal::Invalid,
        ),
        ("a reference to the host", format!("{run} (table 1 externref)"), Refusal::Invalid),
        ("a structure", format!("{run} (type (struct))"), Refusal::Invalid),
    ];
    for (name, text, expected) in cases {
        let module = wat(&format!("(module {text})"));
        let ran = ran(&module);
        assert_eq!(ran.outcome, Outcome::Refused(*expected), "{name}");
        assert_eq!(ran.gas, gas::intrinsic(module.len(), 0), "{name}");
    }
}

#[test]
fn bytes_that_are_no_module_are_refused() {
    let whole = wat("(module (memory 1) (func (export \"run\") (i32.store (i32.const 0) (i32.const 1))))");
    let mut cases: Vec<Vec<u8>> = (0..whole.len()).map(|cut| whole[..cut].to_vec()).collect();
    cases.push(b"\0asm\x0d\0\x01\0".to_vec());
    cases.push([&whole[..], b"\0"].concat());
    cases.push(b"(module)".to_vec());
    // A local declared four thousand million times, twice.
    let locals = [2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b];
    let mut flood = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x07\x07\x01\x03run\0\0\x0a".to_vec();
    flood.extend_from_slice(&[2 + 14, 1, 14]);
    flood.extend_from_slice(&locals);
    for case in cases {
        let outcome = ran(&case).outcome;
        // Cut between sections, what is left is a module without `run`, or one whose code is missing.
        assert!(matches!(outcome, Outcome::Refused(Refusal::Invalid | Refusal::NoRun)), "{case:02x?}: {outcome}");
    }
    assert_eq!(ran(&flood).outcome, Outcome::Refused(Refusal::Locals));
}

#[test]
fn a_module_may_say_nothing_of_its_names_that_matters() {
    let module = wat("(module (func (export \"run\")))");
    let plain = ran(&module);
    let mut named = module.clone();
    named.extend_from_slice(&[0, 6, 4, b'n', b'a', b'm', b'e', 0xff]);
    let with_names = ran(&named);
    assert_eq!(with_names.outcome, Outcome::Done);
    assert_eq!(with_names.gas, plain.gas + 8 * gas::GAS_MODULE_BYTE);
    let made = instrument(&named, Profile::DetInt, 1).unwrap();
    assert_eq!(made, instrument(&module, Profile::DetInt, 1).unwrap());
}

#[test]
fn a_module_of_many_sites_is_refused_and_one_at_the_limit_is_bounded() {
    // Each call is a site; so is the block that a function begins with.
    let calls = |count: usize| {
        let mut text = String::from("(module (func $f) (func (export \"run\") ");
        for _ in 0..count {
            write!(text, "call $f ").unwrap();
        }
        wat(&(text + "))"))
    };
    let at_limit = calls(gas::SITES_MAX as usize - 2);
    assert_eq!(ran(&at_limit).outcome, Outcome::Done);
    assert_eq!(ran(&calls(gas::SITES_MAX as usize - 1)).outcome, Outcome::Refused(Refusal::Sites));
}

#[test]
fn what_engines_work_long_on_is_refused_before_they_see_it() {
    let wide = format!("(type $t (func (param{0}) (result{0})))", repeat(64, " i32"));
    let values = repeat(64, "i32.const 1 ");
    let module =
        |body: String| wat(&format!("(module {wide} (func (export \"run\") {values} {body} {}))", repeat(64, "drop ")));
    let branches = format!("block (type $t) i32.const 0 br_table {} 0 end ", repeat(16_000, "0 "));
    let cases: &[(&str, Vec<u8>, Outcome)] = &[
        ("wide blocks", module(repeat(16_300, "block (type $t) end ")), Outcome::Done),
        ("more wide blocks", module(repeat(16_400, "block (type $t) end ")), Outcome::Refused(Refusal::Sites)),
        ("wide tables of branches", module(branches.clone()), Outcome::Done),
        ("more wide tables of branches", module(repeat(3, &branches)), Outcome::Refused(Refusal::Sites)),
    ];
    for (name, module, expected) in cases {
        assert_eq!(ran(module).outcome, *expected, "{name}");
    }
}

#[test]
fn an_order_beyond_the_limits_that_there_are_is_refused() {
    let module = wat("(module (func (export \"run\")))");
    let one: &[u8] = b"1";
    let many = [one; gas::INPUTS_MAX + 1];
    let large = vec![0; gas::INPUT_BYTES_MAX + 1];
    let arguments = vec![0; gas::ARGUMENTS_BYTES_MAX + 1];
    let huge = vec![0; gas::MODULE_BYTES_MAX + 1];
    let max = Limits::MAX;
    let base = Job { limits: max, ..job(&module) };
    let large_inputs: &[&[u8]] = &[&large];
    let cases: &[(Job<'_>, Refusal)] = &[
        (Job { limits: Limits { gas: max.gas + 1, ..max }, ..base }, Refusal::Limits),
        (Job { limits: Limits { pages: max.pages + 1, ..max }, ..base }, Refusal::Limits),
        (Job { limits: Limits { output_bytes: max.output_bytes + 1, ..max }, ..base }, Refusal::Limits),
        (Job { module: &huge, ..base }, Refusal::ModuleTooLarge),
        (Job { inputs: &many, ..base }, Refusal::TooManyInputs),
        (Job { inputs: large_inputs, ..base }, Refusal::InputsTooLarge),
        (Job { arguments: &arguments, ..base }, Refusal::ArgumentsTooLarge),
    ];
    for (job, expected) in cases {
        assert_eq!(run(job).unwrap().outcome, Outcome::Refused(*expected));
        assert_eq!(run(job).unwrap().gas, job.intrinsic_gas());
        let poor = Job { limits: Limits { gas: job.intrinsic_gas() - 1, ..job.limits }, ..*job };
        assert_eq!(run(&poor).unwrap().outcome, Outcome::OutOfGas, "what cannot be paid is not looked at");
    }
    assert_eq!(run(&base).unwrap().outcome, Outcome::Done);
}
