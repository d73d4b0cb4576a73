//! Who stands elsewhere than it says: its values fit the word heard at another place better than that at its own.

use super::case::Case;
use super::hearing::Heard;
use super::own::Finding;
use super::voice::Voice;

/// What was found, ascending by device and slot.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub findings: Vec<(u32, u64, Finding)>,
}

impl Moved {
    /// The findings over a device's slot.
    pub fn of(&self, device: u32, slot: u64) -> impl Iterator<Item = &Finding> {
        let from = self.findings.partition_point(|(of, at, _)| (*of, *at) < (device, slot));
        let rest = self.findings[from..].iter();
        rest.take_while(move |(of, at, _)| (*of, *at) == (device, slot)).map(|(_, _, finding)| finding)
    }
}

/// Looks for them among everything that was heard.
pub(super) fn among(_case: &Case<'_>, _voices: &[Voice], _heard: &[Heard]) -> Moved {
    Moved::default()
}
