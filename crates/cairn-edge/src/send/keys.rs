//! The network's keys, as they were first believed.

use cairn_core::NetworkId;
use cairn_log::{Disk, read_whole, replace_whole};

use super::gateway::Keys;
use crate::EdgeError;

pub(super) const KEYS: &str = "keys";
const KEYS_BYTES_MAX: u64 = 4 << 10;

pub(super) fn same(one: &Keys, other: &Keys) -> bool {
    let shown = |keys: &Keys| (keys.network, keys.log.to_string(), keys.promises.to_string());
    shown(one) == shown(other)
}

pub(super) fn read(disk: &dyn Disk, network: NetworkId) -> Result<Option<Keys>, EdgeError> {
    let Some(bytes) = read_whole(disk, KEYS, KEYS_BYTES_MAX)? else { return Ok(None) };
    let damaged = || EdgeError::Damaged { file: KEYS.to_owned(), what: "it does not hold the network's two keys" };
    let text = String::from_utf8(bytes).map_err(|_| damaged())?;
    let (log, promises) = text.trim_end().split_once('\n').unzip();
    Keys::pinned(network, log, promises).ok().flatten().map(Some).ok_or_else(damaged)
}

pub(super) fn write(disk: &dyn Disk, keys: &Keys) -> Result<(), EdgeError> {
    Ok(replace_whole(disk, KEYS, format!("{}\n{}\n", keys.log, keys.promises).as_bytes())?)
}
