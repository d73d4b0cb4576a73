//! What was set aside is queued again when its owner asks for it.

use super::{SendEvent, Sender, lock};
use crate::{EdgeError, Stamp};

/// How often it is looked whether something is asked for.
const LOOK_MS: u64 = 5_000;
/// It is queued behind what waits, and not while more than this does: what is measured now goes before what was refused once.
const WAITING_MAX: u64 = 256;

impl Sender {
    /// Queues some of what was asked for, a file of it at a time; answers when it is time for more.
    pub(super) fn queue_again(&mut self, now: Stamp) -> Result<u64, EdgeError> {
        if now.boot_ms < self.again_at_ms {
            // While nothing is asked for nobody has to come for it.
            return Ok(u64::MAX);
        }
        self.again_at_ms = now.boot_ms.saturating_add(LOOK_MS);
        let Some(asked) = self.aside.asked()? else { return Ok(u64::MAX) };
        if lock(&self.with.queue).len() > WAITING_MAX {
            return Ok(self.again_at_ms);
        }
        let Some((number, mut some, rest)) = self.aside.first_of(&asked)? else {
            self.aside.is_done()?;
            return Ok(u64::MAX);
        };
        some.sort_by_key(|row| row.refusal.name);
        let count = some.len() as u64;
        let payloads = some.into_iter().map(|row| row.payload).collect();
        if !lock(&self.with.queue).push_named(payloads)? {
            return Ok(self.again_at_ms);
        }
        self.aside.leave(number, &rest)?;
        (self.with.events)(&SendEvent::Again { count });
        self.again_at_ms = now.boot_ms;
        Ok(now.boot_ms)
    }
}
