//! Laws of running, for any job: what more gas changes, what less changes, and that nothing else matters.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "equality/smith.rs"]
mod smith;

use cairn_core::Hash;
use cairn_wasm::instrument::{EXPORT_FAILED, EXPORT_GAS, EXPORT_RUN, EXPORT_STACK, growth_max, instrument};
use cairn_wasm::{Fault, Job, Limits, Outcome, Profile, Ran, run, run_unless};
use proptest::prelude::*;

fn job<'a>(module: &'a [u8], inputs: &'a [&'a [u8]], gas: u64) -> Job<'a> {
    let limits = Limits { gas, pages: 3, output_bytes: 70_000 };
    Job { module, inputs, arguments: b"arguments", profile: Profile::DetFloat, limits, seed: [3; 32] }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn gas_never_exceeds_its_limit_less_is_out_of_gas_and_more_changes_nothing(
        seed in any::<u64>(), floats in any::<bool>(), less in 1u64..20_000, more in 0u64..1_000_000_000
    ) {
        let Some(module) = smith::module(seed, floats) else { return Ok(()) };
        let inputs: [&[u8]; 2] = [b"input", b""];
        let limit = 400_000;
        let ran = run(&job(&module, &inputs, limit)).unwrap();
        prop_assert!(ran.gas <= limit);
        prop_assert_eq!(run(&job(&module, &inputs, limit)).unwrap(), ran.clone(), "running is a function");
        if ran.outcome == Outcome::OutOfGas {
            prop_assert_eq!(ran.gas, limit);
            return Ok(());
        }
        prop_assert_eq!(run(&job(&module, &inputs, ran.gas)).unwrap(), ran.clone(), "what was used suffices");
        prop_assert_eq!(run(&job(&module, &inputs, limit + more)).unwrap(), ran.clone(), "more changes nothing");
        let poor = ran.gas.saturating_sub(less);
        let out = Ran { outcome: Outcome::OutOfGas, gas: poor, output: Vec::new() };
        prop_assert_eq!(run(&job(&module, &inputs, poor)).unwrap(), out, "less is out of gas");
    }

    #[test]
    fn what_is_instrumented_is_bounded_and_any_bytes_are_a_result(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let module = [&b"\0asm\x01\0\0\0"[..], &bytes].concat();
        if let Ok(made) = instrument(&module, Profile::DetFloat, 1) {
            prop_assert!(made.bytes.len() <= growth_max(module.len()));
        }
        prop_assert!(run(&job(&module, &[], 200_000)).is_ok());
        prop_assert!(run(&job(&bytes, &[], 200_000)).is_ok());
    }
}

#[test]
fn a_run_that_nobody_wants_any_longer_ends_without_a_result() {
    let module = wat::parse_str("(module (func (export \"run\") (loop (br 0))))").unwrap();
    let job = job(&module, &[], 1 << 40);
    let mut asked = 0;
    let cancelled = run_unless(&job, &mut || {
        asked += 1;
        asked > 2
    });
    assert_eq!(cancelled, Err(Fault::Cancelled));
    assert_eq!(asked, 3);
}

#[test]
fn the_random_stream_is_the_seeds_hash_by_block_however_it_is_cut() {
    let module = wat::parse_str(
        r#"(module (import "cairn" "random" (func $r (param i32 i32))) (import "cairn" "output_write" (func $w (param i32 i32)))
            (memory 1) (func (export "run")
              (call $r (i32.const 0) (i32.const 1)) (call $r (i32.const 1) (i32.const 40)) (call $r (i32.const 41) (i32.const 0))
              (call $r (i32.const 41) (i32.const 55)) (call $w (i32.const 0) (i32.const 96))))"#,
    )
    .unwrap();
    let ran = run(&job(&module, &[], 1_000_000)).unwrap();
    let block = |number: u64| Hash::of_parts(&[&[3; 32], &number.to_be_bytes()]);
    assert_eq!(ran.output, [block(0).0, block(1).0, block(2).0].concat());
}

#[test]
fn the_digest_is_that_of_its_documented_cbor() {
    let order = Hash::of(b"order");
    let ran = Ran { outcome: Outcome::Done, gas: 1_000_000, output: b"output".to_vec() };
    let mut cbor = vec![0x86, 1, 0x58, 32];
    cbor.extend_from_slice(order.as_bytes());
    cbor.extend_from_slice(&[0, 0x1a, 0, 0x0f, 0x42, 0x40, 0x58, 32]);
    cbor.extend_from_slice(Hash::of(b"output").as_bytes());
    cbor.push(6);
    assert_eq!(ran.digest(&order), Hash::of(&cbor));
    let others = [
        Ran { gas: 999_999, ..ran.clone() },
        Ran { output: b"Output".to_vec(), ..ran.clone() },
        Ran { outcome: Outcome::OutOfGas, ..ran.clone() },
    ];
    assert!(others.iter().all(|other| other.digest(&order) != ran.digest(&order)));
    assert_ne!(ran.digest(&Hash::of(b"another order")), ran.digest(&order));
}

#[test]
fn when_the_host_has_no_memory_the_guest_is_stopped_before_it_can_see_that() {
    let grow_memory = "(memory 1) (func (export \"run\") (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)))";
    let grow_table = "(table 1 funcref) (func (export \"run\") (drop (table.grow 0 (ref.null func) (i32.const 9))))";
    for text in [grow_memory, grow_table] {
        let module = wat::parse_str(format!("(module {text})")).unwrap();
        assert_eq!(run(&job(&module, &[], 1_000_000)).unwrap().outcome, Outcome::Done);
        let made = instrument(&module, Profile::DetInt, 4).unwrap();
        let engine = wasmi::Engine::default();
        let poor = wasmi::StoreLimitsBuilder::new().memory_size(65_536).table_elements(2).build();
        let mut store = wasmi::Store::new(&engine, poor);
        store.limiter(|limits| limits);
        let compiled = wasmi::Module::new(&engine, &made.bytes).unwrap();
        let instance = wasmi::Instance::new(&mut store, &compiled, &[]).unwrap();
        for counter in [EXPORT_GAS, EXPORT_STACK] {
            let counter = instance.get_global(&store, counter).unwrap();
            counter.set(&mut store, wasmi::Val::I64(1_000_000)).unwrap();
        }
        let ended = instance.get_typed_func::<(), ()>(&store, EXPORT_RUN).unwrap().call(&mut store, ());
        assert_eq!(ended.unwrap_err().as_trap_code(), Some(wasmi::TrapCode::UnreachableCodeReached), "{text}");
        let failed = instance.get_global(&store, EXPORT_FAILED).unwrap().get(&store);
        assert!(matches!(failed, wasmi::Val::I32(1)), "{text}: {failed:?}");
    }
}
