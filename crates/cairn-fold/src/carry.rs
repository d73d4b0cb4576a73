//! What judges remember from one epoch to the next, and when it is forgotten.
//!
//! Promised: a judge is handed only what the same revision of it wrote, under slots of the same length, at the close of the
//! epoch before; so changing policy or profile never hands a judge what it cannot read, and after the close of an epoch
//! nothing is remembered but by the revisions that judged it. Nobody here reads what is remembered: to the fold it is
//! bytes, hashed into the state like everything else. Not promised: that what a class remembers is small; its tests say so.

use cairn_classes::Carry;

use crate::state::State;

/// What the judge of a class remembers, and which revision of it wrote that down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The revision that wrote the records: no other one is handed them.
    pub revision: u32,
    /// The records, by the class's own keys; never empty.
    pub records: Carry,
}

/// What changes in the memory of one class.
pub(crate) struct Remembered {
    pub class: String,
    /// The revision that judged.
    pub revision: u32,
    /// See [`cairn_classes::Judged::carry`].
    pub changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl State {
    /// What the class's judge remembers, if it is `revision` of it that wrote that.
    #[must_use]
    pub fn carry_of(&self, class: &str, revision: u32) -> Option<&Carry> {
        self.carry.get(class).filter(|carried| carried.revision == revision).map(|carried| &carried.records)
    }
}

/// Forgets what the judges of the open epoch could not go on from: what another revision wrote, or the same one under slots
/// of another length, and the memory of classes that are judged no more.
pub(crate) fn forget_unreadable(state: &mut State) {
    let mut carry = core::mem::take(&mut state.carry);
    carry.retain(|class, carried| goes_on(state, class, carried.revision));
    state.carry = carry;
}

/// Whether the open epoch is judged by a revision that can go on from what `revision` wrote at the end of the one before.
fn goes_on(state: &State, class: &str, revision: u32) -> bool {
    let epoch = state.epoch.number;
    let in_force = state.policy().and_then(|policy| policy.read.classes.get(class));
    let slot_ms = |epoch: u64| {
        let profile = state.profile_for(class, epoch)?;
        Some(cairn_classes::slot_ms(class, profile).expect("admission read the profile"))
    };
    // A memory counts in slots: under longer or shorter ones it would say something else than it was told.
    in_force == Some(&revision) && slot_ms(epoch) == slot_ms(epoch.saturating_sub(1))
}

/// Takes up what the judges remember after the epoch.
pub(crate) fn remember(state: &mut State, remembered: Vec<Remembered>) {
    for Remembered { class, revision, changes } in remembered {
        let mut records = state.carry.remove(&class).map_or_else(Carry::new, |carried| carried.records);
        for (key, value) in changes {
            match value {
                Some(value) => records.insert(key, value),
                None => records.remove(&key),
            };
        }
        // Nothing remembered is the same whoever remembers it, and has no records.
        if !records.is_empty() {
            state.carry.insert(class, Carried { revision, records });
        }
    }
}
