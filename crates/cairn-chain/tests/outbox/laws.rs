//! Whatever happens, each purpose has its effect once, and finishing ends.

use std::sync::Arc;
use std::time::Duration;

use cairn_chain::{Call, ChainError};

use crate::world::{CONTRACT, Faults, World};

/// Seeds of each law.
const SEEDS: u64 = 1_000;
/// Beginnings after which a purpose must be done.
const BEGINNINGS_MAX: u32 = 400;

/// Those that are run: `CAIRN_SEED=n` runs one, `CAIRN_SEEDS=n` the first n.
fn seeds() -> std::ops::Range<u64> {
    let variable = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    match variable("CAIRN_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("CAIRN_SEEDS").unwrap_or(SEEDS),
    }
}

fn call(purpose: u64) -> Call {
    Call::to(CONTRACT, format!("purpose {purpose}").into_bytes())
}

/// How a history may go.
#[derive(Clone, Copy)]
struct History {
    faults: Faults,
    /// Crashes come within so many steps; never where 0.
    crash_within: u64,
    /// Of a thousand beginnings, so many cancel what is under way.
    cancel: u64,
}

/// One beginning, as a process makes it: finishes what there is, then does what is to be done.
fn begin(world: &Arc<World>, purpose: u64, cancel: bool) -> Result<(), ChainError> {
    let outbox = world.outbox()?;
    let named = format!("purpose {purpose}");
    let found = if cancel { outbox.cancel()? } else { outbox.resume()? };
    if let Some((finished, _)) = found {
        assert_eq!(finished, named, "only what was begun is finished");
    }
    let receipt = outbox.execute(&named, &call(purpose))?;
    assert!(receipt.succeeded);
    assert_eq!(outbox.under_way()?, None);
    Ok(())
}

fn may_end_in(error: &ChainError, history: &History) -> bool {
    match error.code() {
        "STL-UNREACHABLE" | "STL-REFUSED" | "STL-WAITING" => true,
        "STL-FAILED" => history.faults.fail > 0,
        "STL-CANCELLED" => history.cancel > 0,
        "STL-NONCE" => history.faults.foreign > 0,
        _ => false,
    }
}

/// Does some purposes, one after the other, beginning again after every error.
fn live(seed: u64, history: &History) {
    let confirmations = seed % 10;
    let world = World::new(seed, history.faults, confirmations);
    for purpose in 0..3u64 {
        let mut beginnings = 0;
        loop {
            beginnings += 1;
            assert!(beginnings <= BEGINNINGS_MAX, "seed {seed}: purpose {purpose} is never done");
            let (cancel, forgets) = {
                let mut state = world.state();
                let fuse = 1 + state.random() % history.crash_within.max(1);
                // Every fourth beginning lives as long as it wants.
                let crashes = history.crash_within > 0 && !state.random().is_multiple_of(4);
                state.fuse = crashes.then_some(fuse);
                (state.happens(history.cancel), state.happens(100))
            };
            match begin(&world, purpose, cancel) {
                // The process that asked may forget that it was done, and ask again.
                Ok(()) if !forgets => break,
                Ok(()) => {}
                Err(error) => assert!(may_end_in(&error, history), "seed {seed}: {error}"),
            }
        }
        let effects = world.state().effects();
        assert_eq!(effects.get(&call(purpose).data), Some(&1), "seed {seed}: purpose {purpose} when it was done");
    }
    // Whatever still lies about anywhere is mined now, if it can be.
    world.state().faults = Faults { mine: 1_000, reorganise: history.faults.reorganise, ..Faults::NONE };
    for _ in 0..30 {
        world.pass(Duration::from_secs(1));
    }
    for purpose in 0..3u64 {
        let effects = world.state().effects();
        assert_eq!(effects.get(&call(purpose).data), Some(&1), "seed {seed}: purpose {purpose} in the end");
    }
}

const ROUGH: Faults = Faults {
    mine: 500,
    reorganise: 100,
    forget: 50,
    lose: 100,
    drop: 100,
    refuse: 100,
    fail: 50,
    foreign: 0,
    between: 30,
};

#[test]
fn each_purpose_has_its_effect_once_whatever_the_chain_does() {
    for seed in seeds() {
        live(seed, &History { faults: ROUGH, crash_within: 0, cancel: 0 });
    }
}

#[test]
fn each_purpose_has_its_effect_once_whenever_the_process_crashes() {
    for seed in seeds() {
        live(seed, &History { faults: ROUGH, crash_within: 60, cancel: 0 });
    }
}

#[test]
fn each_purpose_has_its_effect_once_where_somebody_cancels_or_uses_the_account() {
    for seed in seeds() {
        let faults = Faults { foreign: 50, reorganise: 150, drop: 300, ..ROUGH };
        live(seed, &History { faults, crash_within: 120, cancel: 100 });
    }
}

#[test]
fn a_crash_between_any_two_steps_of_a_quiet_day_changes_nothing() {
    for confirmations in 0..3u64 {
        for fuse in 1..400u64 {
            let seed = 5 * fuse + confirmations;
            let world = World::new(seed, Faults::NONE, confirmations);
            world.state().fuse = Some(fuse);
            let crashed = begin(&world, 0, false);
            let lived_on = world.state().fuse != Some(0);
            assert_eq!(crashed.is_ok(), lived_on, "crash at {fuse}: {crashed:?}");
            world.state().fuse = None;
            begin(&world, 0, false).unwrap();
            assert_eq!(world.state().effects().get(&call(0).data), Some(&1), "crash at {fuse}");
            if lived_on {
                break;
            }
            assert!(fuse < 399, "the day has an end");
        }
    }
}
