//! The reference engine: `wasmi`, an interpreter, with its canonical NaNs.
//!
//! It is handed only modules that [`crate::instrument`] made. Whatever it refuses or ends by limits of its own is a
//! [`Fault`], never a result.

use wasmi::{
    Caller, Config, Engine, Extern, Func, Global, Instance, Memory, Module, Nullable, Ref, Store, TrapCode, Val,
};

use crate::End;
use crate::gas::{FRAME_SLOTS, STACK_SLOTS};
use crate::host::{Call, Host, Stop};
use crate::instrument::{
    EXPORT_FAILED, EXPORT_GAS, EXPORT_HOOKS, EXPORT_MEMORY, EXPORT_RUN, EXPORT_STACK, EXPORT_START, Instrumented,
};
use crate::outcome::{Fault, Outcome};

/// The depth of calls that the engine must allow: every frame takes at least [`FRAME_SLOTS`]; a few more for what is
/// injected and for the last function, which takes none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
const CALLS_MAX: usize = (STACK_SLOTS / FRAME_SLOTS as i64) as usize + 16;
/// The stack that the engine must allow, in bytes: it keeps 8 for each slot, and twice the operands at most.
const STACK_BYTES_MAX: usize = 64 << 20;

/// What a run is made of in the engine's hands.
struct Guest<'a> {
    host: Host<'a>,
    gas: Option<Global>,
    memory: Option<Memory>,
    stopped: Option<Stop>,
}

/// The words by which the engine is told to stop; what for stands in [`Guest::stopped`].
#[derive(Debug)]
struct Stopped;

impl core::fmt::Display for Stopped {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("stopped by the host")
    }
}

impl wasmi::errors::HostError for Stopped {}

fn broken(what: impl core::fmt::Display) -> Fault {
    Fault::Engine { what: what.to_string() }
}

/// Runs a module on a host that has gas to hand out.
///
/// # Errors
/// [`Fault`] when the host, and not the job, is to blame.
pub fn run(module: &Instrumented, host: Host<'_>) -> Result<End, Fault> {
    let mut config = Config::default();
    config
        .set_max_stack_height(STACK_BYTES_MAX)
        .set_max_recursion_depth(CALLS_MAX)
        .set_max_cached_stacks(0)
        .compilation_mode(wasmi::CompilationMode::Eager)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_extended_const(false);
    let engine = Engine::new(&config);
    let compiled = Module::new(&engine, &module.bytes).map_err(broken)?;
    let mut store = Store::new(&engine, Guest { host, gas: None, memory: None, stopped: None });
    let imports: Vec<Extern> = module.imports.iter().map(|call| Extern::Func(import(&mut store, *call))).collect();
    let instance = Instance::new(&mut store, &compiled, &imports).map_err(failed)?;
    let global = |store: &Store<Guest<'_>>, name| instance.get_global(store, name).ok_or_else(|| broken(name));
    let (gas, stack) = (global(&store, EXPORT_GAS)?, global(&store, EXPORT_STACK)?);
    let failure = global(&store, EXPORT_FAILED)?;
    let refill = Func::wrap(&mut store, |mut caller: Caller<'_, Guest<'_>>| {
        answer(&mut caller, |host, _, gas| host.refill(gas).map(|()| 0)).map(|_| ())
    });
    let hooks = instance.get_table(&store, EXPORT_HOOKS).ok_or_else(|| broken(EXPORT_HOOKS))?;
    hooks.set(&mut store, 0, Ref::Func(Nullable::Val(refill))).map_err(broken)?;
    stack.set(&mut store, Val::I64(STACK_SLOTS)).map_err(broken)?;
    store.data_mut().gas = Some(gas);
    store.data_mut().memory = instance.get_memory(&store, EXPORT_MEMORY);

    let mut ended = Ok(());
    for name in [EXPORT_START, EXPORT_RUN].into_iter().skip(usize::from(!module.start)) {
        let function = instance.get_typed_func::<(), ()>(&store, name).map_err(broken)?;
        ended = function.call(&mut store, ());
        if ended.is_err() {
            break;
        }
    }
    let outcome = match ended {
        Ok(()) => Outcome::Done,
        Err(error) => {
            let spent = matches!(stack.get(&store), Val::I64(left) if left < 0);
            let no_memory = matches!(failure.get(&store), Val::I32(failed) if failed != 0);
            classify(&error, store.data().stopped, spent, no_memory)?
        }
    };
    let left = match gas.get(&store) {
        Val::I64(left) => store.data().host.reserve().saturating_add_signed(left),
        _ => return Err(broken(EXPORT_GAS)),
    };
    Ok(End { outcome, left, output: store.data_mut().host.take_output() })
}

/// What a failed instantiation is: segments were checked before, so only the host can be to blame.
fn failed(error: wasmi::Error) -> Fault {
    match error.kind() {
        wasmi::errors::ErrorKind::Memory(_) | wasmi::errors::ErrorKind::Table(_) => Fault::Memory,
        _ => broken(error),
    }
}

fn classify(error: &wasmi::Error, stopped: Option<Stop>, stack_spent: bool, no_memory: bool) -> Result<Outcome, Fault> {
    match stopped {
        Some(Stop::Ended(outcome)) => return Ok(outcome),
        Some(Stop::Cancelled) => return Err(Fault::Cancelled),
        None => {}
    }
    match error.as_trap_code() {
        Some(TrapCode::UnreachableCodeReached) if no_memory => Err(Fault::Memory),
        Some(TrapCode::UnreachableCodeReached) if stack_spent => Ok(Outcome::StackOverflow),
        Some(TrapCode::UnreachableCodeReached) => Ok(Outcome::Unreachable),
        Some(TrapCode::MemoryOutOfBounds) => Ok(Outcome::OutOfBounds),
        Some(TrapCode::TableOutOfBounds) => Ok(Outcome::TableOutOfBounds),
        Some(TrapCode::IndirectCallToNull) => Ok(Outcome::IndirectCallNull),
        Some(TrapCode::BadSignature) => Ok(Outcome::IndirectCallType),
        Some(TrapCode::IntegerDivisionByZero) => Ok(Outcome::DivideByZero),
        Some(TrapCode::IntegerOverflow) => Ok(Outcome::IntegerOverflow),
        Some(TrapCode::BadConversionToInteger) => Ok(Outcome::BadConversion),
        Some(TrapCode::OutOfSystemMemory) => Err(Fault::Memory),
        _ => Err(broken(error)),
    }
}

/// Answers the guest with its memory and gas at hand.
fn answer(
    caller: &mut Caller<'_, Guest<'_>>,
    with: impl FnOnce(&mut Host<'_>, &mut [u8], &mut i64) -> Result<u32, Stop>,
) -> Result<i32, wasmi::Error> {
    let Some(counter) = caller.data().gas else { return Err(wasmi::Error::new("no gas counter")) };
    let Val::I64(mut gas) = counter.get(&*caller) else { return Err(wasmi::Error::new("no gas counter")) };
    let answered = match caller.data().memory {
        Some(memory) => {
            let (bytes, guest) = memory.data_and_store_mut(&mut *caller);
            with(&mut guest.host, bytes, &mut gas)
        }
        None => with(&mut caller.data_mut().host, &mut [], &mut gas),
    };
    counter.set(&mut *caller, Val::I64(gas)).map_err(wasmi::Error::from)?;
    match answered {
        Ok(value) => Ok(value.cast_signed()),
        Err(stop) => {
            caller.data_mut().stopped = Some(stop);
            Err(wasmi::Error::host(Stopped))
        }
    }
}

/// The function behind an import.
fn import(store: &mut Store<Guest<'_>>, call: Call) -> Func {
    use wasmi::{FuncType, ValType};
    let results: &[ValType] = if call.answers() { &[ValType::I32] } else { &[] };
    let of = FuncType::new(vec![ValType::I32; call.parameters()], results.to_vec());
    Func::new(store, of, move |mut caller, parameters, results| {
        let mut words = [0; 4];
        for (word, value) in words.iter_mut().zip(parameters) {
            *word = value.i32().unwrap_or_default().cast_unsigned();
        }
        let value = answer(&mut caller, |host, memory, gas| host.call(call, &words, memory, gas))?;
        if let Some(result) = results.first_mut() {
            *result = Val::I32(value);
        }
        Ok(())
    })
}
