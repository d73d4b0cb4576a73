//! A second engine, for tests alone: a compiler to machine code, which shares nothing with the interpreter but the
//! instrumented module and the host's answers.

use cairn_wasm::host::{Call, Host, Stop};
use cairn_wasm::instrument::{
    EXPORT_FAILED, EXPORT_GAS, EXPORT_HOOKS, EXPORT_MEMORY, EXPORT_RUN, EXPORT_STACK, EXPORT_START,
};
use cairn_wasm::{End, Fault, Job, Outcome, Ran, gas, prepare};
use wasmtime::{
    Caller, Config, Engine, Extern, Func, FuncType, Global, Instance, Memory, Module, OptLevel, Ref, Store, Trap, Val,
    ValType,
};

/// The native stack that the compiler's code may use; threads of tests have twice as much.
pub const NATIVE_STACK_BYTES: usize = 64 << 20;

/// The compiler, set up as it must be for a job: canonical NaNs, no feature that could differ.
pub struct Compiler {
    engine: Engine,
}

struct Guest {
    host: Host<'static>,
    gas: Option<Global>,
    memory: Option<Memory>,
    stopped: Option<Stop>,
}

fn broken(what: impl core::fmt::Display) -> Fault {
    Fault::Engine { what: what.to_string() }
}

impl Compiler {
    pub fn new(level: OptLevel) -> Self {
        let mut config = Config::new();
        config.cranelift_nan_canonicalization(true).cranelift_opt_level(level);
        config.async_stack_size(NATIVE_STACK_BYTES).max_wasm_stack(NATIVE_STACK_BYTES);
        config.wasm_relaxed_simd(false).wasm_simd(false).wasm_tail_call(false).wasm_multi_memory(false);
        config.wasm_memory64(false).wasm_extended_const(false);
        config.memory_reservation(1 << 30).memory_guard_size(1 << 20);
        Self { engine: Engine::new(&config).unwrap() }
    }

    /// Runs a job whose inputs last for ever; its module need not.
    pub fn run(&self, job: &Job<'static>, module: &[u8]) -> Result<Ran, Fault> {
        let ready = match prepare(&Job { module, ..*job }) {
            Ok(ready) => ready,
            Err(ran) => return Ok(ran),
        };
        let host = Host::of(job, ready.gas, Box::leak(Box::new(|| false)));
        let compiled = Module::new(&self.engine, &ready.module.bytes).map_err(|error| broken(format!("{error:?}")))?;
        let mut store = Store::new(&self.engine, Guest { host, gas: None, memory: None, stopped: None });
        let imports: Vec<Extern> =
            ready.module.imports.iter().map(|call| self.import(&mut store, *call).into()).collect();
        let instance = Instance::new(&mut store, &compiled, &imports).map_err(broken)?;
        let global = |store: &mut Store<Guest>, name| instance.get_global(&mut *store, name).unwrap();
        let counter = global(&mut store, EXPORT_GAS);
        let stack = global(&mut store, EXPORT_STACK);
        let failed = global(&mut store, EXPORT_FAILED);
        let refill = Func::wrap(&mut store, |mut caller: Caller<'_, Guest>| {
            answer(&mut caller, |host, _, gas| host.refill(gas).map(|()| 0)).map(|_| ())
        });
        let hooks = instance.get_table(&mut store, EXPORT_HOOKS).unwrap();
        hooks.set(&mut store, 0, Ref::Func(Some(refill))).unwrap();
        stack.set(&mut store, Val::I64(gas::STACK_SLOTS)).unwrap();
        store.data_mut().gas = Some(counter);
        store.data_mut().memory = instance.get_memory(&mut store, EXPORT_MEMORY);

        let mut ended = Ok(());
        for name in [EXPORT_START, EXPORT_RUN].into_iter().skip(usize::from(!ready.module.start)) {
            let function = instance.get_typed_func::<(), ()>(&mut store, name).unwrap();
            ended = function.call(&mut store, ());
            if ended.is_err() {
                break;
            }
        }
        let spent = stack.get(&mut store).unwrap_i64() < 0;
        let no_memory = failed.get(&mut store).unwrap_i32() != 0;
        let outcome = match ended {
            Ok(()) => Outcome::Done,
            Err(error) => classify(&error, store.data().stopped, spent, no_memory)?,
        };
        let left = store.data().host.reserve().saturating_add_signed(counter.get(&mut store).unwrap_i64());
        let output = store.data_mut().host.take_output();
        Ok(ready.conclude(End { outcome, left, output }))
    }

    fn import(&self, store: &mut Store<Guest>, call: Call) -> Func {
        let results: &[ValType] = if call.answers() { &[ValType::I32] } else { &[] };
        let of = FuncType::new(&self.engine, vec![ValType::I32; call.parameters()], results.to_vec());
        Func::new(store, of, move |mut caller, parameters, results| {
            let mut words = [0; 4];
            for (word, value) in words.iter_mut().zip(parameters) {
                *word = value.unwrap_i32().cast_unsigned();
            }
            let value = answer(&mut caller, |host, memory, gas| host.call(call, &words, memory, gas))?;
            if let Some(result) = results.first_mut() {
                *result = Val::I32(value);
            }
            Ok(())
        })
    }
}

fn answer(
    caller: &mut Caller<'_, Guest>,
    with: impl FnOnce(&mut Host<'_>, &mut [u8], &mut i64) -> Result<u32, Stop>,
) -> wasmtime::Result<i32> {
    let counter = caller.data().gas.unwrap();
    let mut gas = counter.get(&mut *caller).unwrap_i64();
    let answered = match caller.data().memory {
        Some(memory) => {
            let (bytes, guest) = memory.data_and_store_mut(&mut *caller);
            with(&mut guest.host, bytes, &mut gas)
        }
        None => with(&mut caller.data_mut().host, &mut [], &mut gas),
    };
    counter.set(&mut *caller, Val::I64(gas))?;
    answered.map(u32::cast_signed).map_err(|stop| {
        caller.data_mut().stopped = Some(stop);
        wasmtime::Error::msg("stopped by the host")
    })
}

fn classify(error: &wasmtime::Error, stopped: Option<Stop>, spent: bool, no_memory: bool) -> Result<Outcome, Fault> {
    match stopped {
        Some(Stop::Ended(outcome)) => return Ok(outcome),
        Some(Stop::Cancelled) => return Err(Fault::Cancelled),
        None => {}
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::UnreachableCodeReached) if no_memory => Err(Fault::Memory),
        Some(Trap::UnreachableCodeReached) if spent => Ok(Outcome::StackOverflow),
        Some(Trap::UnreachableCodeReached) => Ok(Outcome::Unreachable),
        Some(Trap::MemoryOutOfBounds) => Ok(Outcome::OutOfBounds),
        Some(Trap::TableOutOfBounds) => Ok(Outcome::TableOutOfBounds),
        Some(Trap::IndirectCallToNull) => Ok(Outcome::IndirectCallNull),
        Some(Trap::BadSignature) => Ok(Outcome::IndirectCallType),
        Some(Trap::IntegerDivisionByZero) => Ok(Outcome::DivideByZero),
        Some(Trap::IntegerOverflow) => Ok(Outcome::IntegerOverflow),
        Some(Trap::BadConversionToInteger) => Ok(Outcome::BadConversion),
        _ => Err(broken(format!("{error:?}"))),
    }
}
