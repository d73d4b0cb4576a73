//! Events of a range of blocks, asked for in pieces that the node gives.

use cairn_settle::told::hex_text;
use serde_json::json;

use super::Rpc;
use super::hex::write_quantity;
use super::read::LogJson;
use super::refusal::Meaning;
use super::transport::NoResult;
use crate::{ChainError, LogFilter, Logged};

const METHOD: &str = "eth_getLogs";
/// The most events that are held of one question.
const EVENTS_MAX: usize = 200_000;

/// All events of the range, in the order of the chain.
pub(super) fn logs(rpc: &Rpc, filter: &LogFilter) -> Result<Vec<Logged>, ChainError> {
    let mut found: Vec<Logged> = Vec::new();
    let mut width = rpc.options.log_blocks_max.max(1);
    let mut from = filter.from;
    while from <= filter.to {
        let to = filter.to.min(from.saturating_add(width - 1));
        let piece = match piece(rpc, &LogFilter { from, to, ..*filter }) {
            Ok(piece) => piece,
            Err(error) if is_too_much(&error) && from < to => {
                width = (to - from).div_ceil(2);
                continue;
            }
            Err(error) => return Err(rpc.plain(METHOD, error)),
        };
        found.extend(piece);
        if found.len() > EVENTS_MAX {
            return Err(rpc.transport.strange(METHOD, &format!("more than {EVENTS_MAX} events: ask for fewer blocks")));
        }
        // What was too much among many events may do where there are few.
        width = width.saturating_add(width / 2).max(2).min(rpc.options.log_blocks_max.max(1));
        let Some(next) = to.checked_add(1) else { break };
        from = next;
    }
    Ok(found)
}

/// Whether fewer blocks may do.
fn is_too_much(error: &NoResult) -> bool {
    match error {
        NoResult::Refused(error) => error.meaning() == Meaning::TooMany,
        NoResult::TooLong(_) => true,
        NoResult::Failed(_) => false,
    }
}

/// The events of one piece, if they are what was asked for.
fn piece(rpc: &Rpc, filter: &LogFilter) -> Result<Vec<Logged>, NoResult> {
    let params = json!([{
        "address": hex_text(&filter.address),
        "topics": [hex_text(&filter.topic)],
        "fromBlock": write_quantity(filter.from.into()),
        "toBlock": write_quantity(filter.to.into()),
    }]);
    let strange = |what| NoResult::Failed(rpc.transport.strange(METHOD, what));
    let answer: Option<Vec<LogJson>> = rpc.transport.ask(METHOD, &params, rpc.options.answer_bytes_max)?;
    let answer = answer.ok_or_else(|| strange("null"))?;
    let mut events: Vec<Logged> = answer.into_iter().filter_map(LogJson::logged).collect();
    let asked = |event: &Logged| {
        let range = filter.from..=filter.to;
        event.address == filter.address && event.topics.first() == Some(&filter.topic) && range.contains(&event.block)
    };
    if !events.iter().all(asked) {
        return Err(strange("events that were not asked for"));
    }
    events.sort_by_key(|event| (event.block, event.index));
    if events.windows(2).any(|pair| (pair[0].block, pair[0].index) == (pair[1].block, pair[1].index)) {
        return Err(strange("two events in one place"));
    }
    Ok(events)
}
