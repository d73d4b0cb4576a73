//! What is asked of a device over a long time.

use cairn_core::cbor::{self, Decoder, Encoder};

use super::case::Case;
use super::hearing::Heard;
use super::memory::Memory;
use super::own::Finding;
use super::voice::Voice;

/// Findings over slots, ascending by slot.
pub(super) type Findings = Vec<(u64, Finding)>;

/// How a quantity lay to its neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Moments {}

impl Moments {
    pub fn encode(&self, out: &mut Encoder) {
        out.array(0);
    }

    pub fn decode(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        input.array_exact(0)?;
        input.leave();
        Ok(Self {})
    }
}

/// Takes a device's slots into its memory, in their order, and says what it finds. `own` are the indices of the device's
/// voices.
pub(super) fn remember(
    case: &Case<'_>,
    device: u32,
    own: &[u32],
    voices: &[Voice],
    heard: &[Heard],
    memory: &mut Memory,
) -> Findings {
    let _ = (case, device);
    for &n in own {
        let voice = &voices[n as usize];
        if voice.slot <= memory.last_slot {
            continue;
        }
        if let Heard::Crowd(crowd) = &heard[n as usize]
            && crowd.off_ppm(voice.value) == 0
        {
            memory.good_slots = memory.good_slots.saturating_add(1);
        }
    }
    if let Some(&last) = own.last() {
        memory.last_slot = memory.last_slot.max(voices[last as usize].slot);
    }
    Vec::new()
}
