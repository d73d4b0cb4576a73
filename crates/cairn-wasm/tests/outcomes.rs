//! How jobs end: a case for every outcome, with the laws that gas obeys.

#![allow(clippy::unwrap_used)]

use cairn_wasm::{Job, Limits, Outcome, Profile, Ran, run};

const LIMITS: Limits = Limits { gas: 1_000_000, pages: 16, output_bytes: 64 };

fn job<'a>(module: &'a [u8], inputs: &'a [&'a [u8]]) -> Job<'a> {
    Job { module, inputs, arguments: b"arguments", profile: Profile::DetFloat, limits: LIMITS, seed: [7; 32] }
}

fn ran(wat: &str) -> Ran {
    let module = wat::parse_str(wat).unwrap();
    run(&job(&module, &[b"first", b"the second"])).unwrap()
}

#[test]
fn every_trap_has_its_outcome() {
    let cases: &[(&str, Outcome)] = &[
        ("", Outcome::Done),
        ("(loop $l (br $l))", Outcome::OutOfGas),
        ("(call $run)", Outcome::StackOverflow),
        ("unreachable", Outcome::Unreachable),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", Outcome::DivideByZero),
        ("(drop (i64.rem_s (i64.const 1) (i64.const 0)))", Outcome::DivideByZero),
        ("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", Outcome::IntegerOverflow),
        ("(drop (i32.trunc_f32_s (f32.const 1e20)))", Outcome::IntegerOverflow),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", Outcome::BadConversion),
        ("(drop (i32.load (i32.const 65533)))", Outcome::OutOfBounds),
        ("(memory.fill (i32.const 65530) (i32.const 1) (i32.const 7))", Outcome::OutOfBounds),
        ("(call_indirect (type $nothing) (i32.const 3))", Outcome::TableOutOfBounds),
        ("(table.set (i32.const 3) (ref.null func))", Outcome::TableOutOfBounds),
        ("(call_indirect (type $nothing) (i32.const 0))", Outcome::IndirectCallNull),
        ("(call_indirect (type $number) (i32.const 1)) drop", Outcome::IndirectCallType),
        ("(call $output_write (i32.const 0) (i32.const 65))", Outcome::OutputTooLarge),
        ("(drop (call $input_len (i32.const 2)))", Outcome::BadHostCall),
        ("(call $output_write (i32.const 65530) (i32.const 7))", Outcome::OutOfBounds),
    ];
    for (body, expected) in cases {
        let module = format!(
            r#"(module
                (type $nothing (func)) (type $number (func (result i32)))
                (import "cairn" "input_len" (func $input_len (param i32) (result i32)))
                (import "cairn" "output_write" (func $output_write (param i32 i32)))
                (memory (export "memory") 1) (table 3 funcref) (elem (i32.const 1) func $run)
                (func $run (export "run") {body}))"#
        );
        let ran = ran(&module);
        assert_eq!(ran.outcome, *expected, "{body}");
        assert!(ran.gas <= LIMITS.gas, "{body}");
    }
}
