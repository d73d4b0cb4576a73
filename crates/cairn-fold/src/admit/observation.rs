//! When an observation is valid; and, of a deposit, what it is a credit of.

use cairn_core::deposit::{self, CreditAsset, Deposit};
use cairn_core::entry::Entry;
use cairn_core::observation::{OBSERVATION_BYTES_MAX, Observation, ObservationBody};

use super::Effect;
use crate::credit::{CREDIT_MAX, Credited};
use crate::refusal::Refusal;
use crate::state::State;

pub(super) fn admit(state: &State, entry: &Entry<'_>) -> Result<Effect, Refusal> {
    let bytes = entry.body.len();
    if bytes > OBSERVATION_BYTES_MAX {
        let what = format!("the observation has {bytes} bytes; at most {OBSERVATION_BYTES_MAX} are read");
        return Err(Refusal::of("OBS-TOO-LARGE", what));
    }
    let observation =
        Observation::parse(entry.body).map_err(|error| Refusal::of("OBS-COSE", format!("the observation: {error}")))?;
    let network = state.network.as_ref().ok_or_else(|| Refusal::of("NET-GENESIS", "there is no network yet"))?;
    let policy = state.policy().ok_or_else(|| Refusal::of("OBS-OBSERVER", "no policy names observers yet"))?;
    let body = &observation.body;
    let observer = observation.sign1.key_id;
    let named =
        policy.read.observers.iter().find(|named| named.source == body.source && named.key.key_id() == observer);
    let named = named.ok_or_else(|| {
        Refusal::of("OBS-OBSERVER", format!("the policy names no such observer of `{}`", body.source))
    })?;
    let effect = if policy.read.credit.is_some() && deposit::is_source(&body.source) {
        credit(state, body).map(Effect::Deposit)?
    } else {
        note(state, body, observer)?
    };
    let holds = named.key.algorithm() == observation.sign1.algorithm
        && named.key.verify(&observation.to_be_signed(&network.id), &observation.sign1.signature);
    if !holds {
        return Err(Refusal::of("OBS-SIGNATURE", "the observer's signature does not verify"));
    }
    Ok(effect)
}

/// What nobody here acts on: rounds rise, for each source and observer.
fn note(state: &State, body: &ObservationBody, observer: [u8; 16]) -> Result<Effect, Refusal> {
    let last = state.rounds.get(&(body.source.clone(), observer));
    if last.is_some_and(|last| body.round <= *last) {
        return Err(Refusal::of(
            "OBS-ROUND",
            format!("round {} of `{}` is not above the last", body.round, body.source),
        ));
    }
    Ok(Effect::Observation { source: body.source.clone(), observer, round: body.round })
}

/// The next deposit of its chain, whoever of the source's observers says it: none is left out, and none counts twice.
fn credit(state: &State, body: &ObservationBody) -> Result<Credited, Refusal> {
    let chain = deposit::chain_of(&body.source);
    let terms = chain.and_then(|chain| state.domains.get(&chain));
    let terms =
        terms.ok_or_else(|| Refusal::of("OBS-CHAIN", format!("`{}` is of no settlement chain here", body.source)))?;
    let due = state.credits.counted(&terms.domain) + 1;
    if body.round != due {
        let what = format!("round {} of `{}`: deposits count without gaps, {due} is next", body.round, body.source);
        return Err(Refusal::of("OBS-ROUND", what));
    }
    let deposit = Deposit::of_value(&body.value)
        .map_err(|error| Refusal::of("OBS-DEPOSIT", format!("the value is no deposit: {error}")))?;
    let asset = CreditAsset::of(&terms.domain, deposit.asset, &terms.token);
    let Deposit { buyer, amount, .. } = deposit;
    if !state.has_room(&asset, amount) {
        let what = format!("with {amount} more, credit in {asset} would pass {CREDIT_MAX} base units");
        return Err(Refusal::of("OBS-CREDIT", what));
    }
    Ok(Credited { chain: terms.domain.clone(), asset, buyer, amount })
}
