//! What metering costs the interpreter, and how far it is from a compiler: three kernels, each run without and with metering
//! by the interpreter, and with metering by a compiler to machine code. Processor time, the
//! best of three rounds each, in one process.

#![allow(clippy::unwrap_used, clippy::float_arithmetic, clippy::cast_precision_loss)]

use std::time::{Duration, Instant};

use cairn_wasm::gas::STACK_SLOTS;
use cairn_wasm::instrument::{EXPORT_GAS, EXPORT_STACK, instrument};
use cairn_wasm::{Job, Limits, Outcome, Profile, run};

const ROUNDS: u32 = 3;
/// How long one round lasts at least, so that the clock's grain does not matter.
const ROUND_MIN: Duration = Duration::from_millis(200);

/// A name, and a module as text.
const KERNELS: &[(&str, &str)] = &[
    (
        "sieve of 500,000",
        r#"(module (memory 16) (func (export "run") (local $n i32) (local $m i32)
          (local.set $n (i32.const 2))
          (loop $numbers
            (if (i32.eqz (i32.load8_u (local.get $n))) (then
              (local.set $m (i32.shl (local.get $n) (i32.const 1)))
              (block $done (loop $multiples
                (br_if $done (i32.ge_u (local.get $m) (i32.const 500000)))
                (i32.store8 (local.get $m) (i32.const 1))
                (local.set $m (i32.add (local.get $m) (local.get $n)))
                (br $multiples)))))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $numbers (i32.lt_u (local.get $n) (i32.const 500000))))))"#,
    ),
    (
        "8-bit product of 160 by 160",
        r#"(module (memory 4) (func (export "run") (local $i i32) (local $j i32) (local $k i32) (local $sum i32)
          (loop $rows
            (local.set $j (i32.const 0))
            (loop $columns
              (local.set $k (i32.const 0)) (local.set $sum (i32.const 0))
              (loop $inner
                (local.set $sum (i32.add (local.get $sum) (i32.mul
                  (i32.load8_s (i32.add (i32.mul (local.get $i) (i32.const 160)) (local.get $k)))
                  (i32.load8_s offset=32768 (i32.add (i32.mul (local.get $j) (i32.const 160)) (local.get $k))))))
                (local.set $sum (i32.add (local.get $sum) (i32.mul
                  (i32.load8_s offset=1 (i32.add (i32.mul (local.get $i) (i32.const 160)) (local.get $k)))
                  (i32.load8_s offset=32769 (i32.add (i32.mul (local.get $j) (i32.const 160)) (local.get $k))))))
                (local.set $k (i32.add (local.get $k) (i32.const 2)))
                (br_if $inner (i32.lt_u (local.get $k) (i32.const 160))))
              (i32.store offset=65536 (i32.shl (i32.add (i32.mul (local.get $i) (i32.const 160)) (local.get $j)) (i32.const 2))
                (local.get $sum))
              (local.set $j (i32.add (local.get $j) (i32.const 1)))
              (br_if $columns (i32.lt_u (local.get $j) (i32.const 160))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $rows (i32.lt_u (local.get $i) (i32.const 160))))))"#,
    ),
    (
        "Fibonacci of 27, by calls",
        r#"(module (memory 1)
          (func $fib (param i32) (result i32)
            (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0)) (else
              (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
          (func (export "run") (i32.store (i32.const 0) (call $fib (i32.const 27)))))"#,
    ),
];

/// The time that this thread was on a processor, where the system tells (Linux); otherwise the time that went by.
fn spent(since: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| since.elapsed(), Duration::from_nanos)
}

/// The mean time of one call in the best round.
fn best(mut once: impl FnMut()) -> Duration {
    let round = |_| {
        let since = Instant::now();
        let start = spent(since);
        for calls in 1.. {
            once();
            let lasted = spent(since).saturating_sub(start);
            if lasted >= ROUND_MIN {
                return lasted / calls;
            }
        }
        Duration::MAX
    };
    (0..ROUNDS).map(round).min().unwrap()
}

fn interpreted(module: &[u8]) -> Duration {
    let engine = wasmi::Engine::default();
    let module = wasmi::Module::new(&engine, module).unwrap();
    best(|| {
        let mut store = wasmi::Store::new(&engine, ());
        let instance = wasmi::Instance::new(&mut store, &module, &[]).unwrap();
        if let Some(gas) = instance.get_global(&store, EXPORT_GAS) {
            gas.set(&mut store, wasmi::Val::I64(i64::MAX)).unwrap();
            instance.get_global(&store, EXPORT_STACK).unwrap().set(&mut store, wasmi::Val::I64(STACK_SLOTS)).unwrap();
        }
        instance.get_typed_func::<(), ()>(&store, "run").unwrap().call(&mut store, ()).unwrap();
    })
}

fn compiled(module: &[u8]) -> Duration {
    let mut config = wasmtime::Config::new();
    config.cranelift_nan_canonicalization(true);
    let engine = wasmtime::Engine::new(&config).unwrap();
    let module = wasmtime::Module::new(&engine, module).unwrap();
    best(|| {
        let mut store = wasmtime::Store::new(&engine, ());
        let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
        if let Some(gas) = instance.get_global(&mut store, EXPORT_GAS) {
            gas.set(&mut store, wasmtime::Val::I64(i64::MAX)).unwrap();
            let stack = instance.get_global(&mut store, EXPORT_STACK).unwrap();
            stack.set(&mut store, wasmtime::Val::I64(STACK_SLOTS)).unwrap();
        }
        instance.get_typed_func::<(), ()>(&mut store, "run").unwrap().call(&mut store, ()).unwrap();
    })
}

fn main() {
    for (name, text) in KERNELS {
        let module = wat::parse_str(text).unwrap();
        let metered = instrument(&module, Profile::DetInt, 64).unwrap().bytes;
        let limits = Limits { gas: 1 << 34, pages: 64, output_bytes: 0 };
        let job = Job { module: &module, inputs: &[], arguments: &[], profile: Profile::DetInt, limits, seed: [0; 32] };
        let ran = run(&job).unwrap();
        assert_eq!(ran.outcome, Outcome::Done);
        let (plain, charged) = (interpreted(&module), interpreted(&metered));
        let (machine, machine_charged) = (compiled(&module), compiled(&metered));
        let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
        println!("{name}: {} gas, {:.0} million a second", ran.gas, ran.gas as f64 / charged.as_micros() as f64);
        println!("  interpreter  {plain:>12?} metered {charged:>12?}  {:.2} times", ratio(charged, plain));
        println!(
            "  compiler     {machine:>12?} metered {machine_charged:>12?}  {:.2} times",
            ratio(machine_charged, machine)
        );
        println!(
            "  the interpreter takes {:.0} times as long as the compiler, both metered",
            ratio(charged, machine_charged)
        );
    }
    let text = format!("(module {})", "(func (param i32) (result i32) (if (result i32) (local.get 0) (then (i32.add (local.get 0) (i32.const 7))) (else (i32.const 3))))".repeat(30_000) + "(func (export \"run\"))");
    let module = wat::parse_str(text).unwrap();
    let metering = best(|| drop(instrument(&module, Profile::DetInt, 1).unwrap()));
    let made = instrument(&module, Profile::DetInt, 1).unwrap().bytes;
    let compiling = best(|| drop(wasmi::Module::new(&wasmi::Engine::default(), &made).unwrap()));
    println!("a module of {} bytes and 30,001 functions: {} bytes metered", module.len(), made.len());
    println!("  checked and metered in {metering:?}, compiled by the interpreter in {compiling:?}");
}
