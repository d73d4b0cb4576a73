//! The next reports: who is asked, what is named and signed, and what a failure means.

use super::answer::Refused;
use super::doubt::Said;
use super::gateway::Trouble;
use super::refusals::words;
use super::seal::Dated;
use super::{Parcel, SendEvent, Sender, Sending, Way, keys, lock};
use crate::{EdgeError, Stamp, sign_payload};

impl Sender {
    pub(super) fn send(&mut self, now: Stamp) -> Result<u64, EdgeError> {
        if lock(&self.with.queue).is_empty() {
            self.stuck_since_ms = None;
            return Ok(now.boot_ms.saturating_add(self.options.idle_ms));
        }
        self.stuck_since_ms.get_or_insert(now.boot_ms);
        // Since it was last looked others may be out of reach for long enough.
        if self.decide(now)? > 0 {
            self.stuck_since_ms = Some(now.boot_ms);
        }
        let way = match self.choose(now) {
            Ok(way) => way,
            Err(at_ms) => return Ok(at_ms),
        };
        self.current = way;
        if let Err(trouble) = self.greet(way)? {
            return Ok(self.fail(way, trouble));
        }
        let (parcels, later_ms) = self.pack(way, now)?;
        if parcels.is_empty() {
            return Ok(later_ms.unwrap_or(now.boot_ms.saturating_add(self.options.idle_ms)));
        }
        let mut reports = Vec::with_capacity(parcels.len());
        for parcel in &parcels {
            let Sending { signer, device, network, .. } = &self.with;
            reports.push(sign_payload(&**signer, *device, network, &parcel.payload)?);
        }
        match self.ways[way].gateway.submit(&reports) {
            Ok(taken) => self.settle(way, &parcels, reports, &taken),
            Err(trouble) if trouble.is_of_size() && parcels.len() > 1 => {
                self.batch.halve();
                Ok(now.boot_ms.saturating_add(self.options.pace_ms))
            }
            Err(trouble) if trouble.is_of_size() => Ok(self.hear_of_size(way, &parcels[0], trouble)?),
            Err(trouble) => Ok(self.fail(way, trouble)),
        }
    }

    /// A gateway calls one report too much at once.
    fn hear_of_size(&mut self, way: usize, parcel: &Parcel, trouble: Trouble) -> Result<u64, EdgeError> {
        let now = self.with.clock.now();
        let Trouble { code, detail, hint, .. } = trouble;
        let said =
            Said { is_early: false, code: words(&code), detail: words(&detail), hint: hint.as_deref().map(words) };
        self.hear(way, parcel, said.clone());
        let is_left = self.refused_more(way, 1, Some(&said), now);
        self.decide(now)?;
        self.say_doubts(way, core::slice::from_ref(parcel));
        Ok(if is_left { self.when_next(now) } else { now.boot_ms.saturating_add(self.options.pace_ms) })
    }

    /// Holds a gateway to the keys that are known, and hears, once in a start, of the names that the network knows.
    fn greet(&mut self, way: usize) -> Result<Result<(), Trouble>, EdgeError> {
        let Way { gateway, is_known } = &mut self.ways[way];
        if !*is_known {
            let named = match gateway.keys() {
                Ok(named) => named,
                Err(trouble) => return Ok(Err(trouble)),
            };
            let wrong = |what: &str| {
                let hint = "look at `gateways`; where the operator says that the network's keys have changed, move receipts/keys away";
                Trouble {
                    hint: Some(hint.to_owned()),
                    ..Trouble::of("EDGE-KEYS", format!("{} {what}", gateway.name()))
                }
            };
            if named.network != self.with.network {
                return Ok(Err(wrong("is a gateway of another network")));
            }
            match &self.keys {
                Some(known) if !keys::same(known, &named) => return Ok(Err(wrong("names other keys than are known"))),
                Some(_) => {}
                None => {
                    keys::write(&*self.with.disk, &named)?;
                    self.keys = Some(named);
                }
            }
            *is_known = true;
        }
        if self.has_heard {
            return Ok(Ok(()));
        }
        match gateway.boot_told(self.with.device) {
            Ok(told) => match lock(&self.with.queue).heard_of_boot(told.unwrap_or(0)) {
                Err(error @ EdgeError::Names { .. }) => {
                    return Ok(Err(Trouble::of(error.code(), error.to_string())));
                }
                heard => heard?,
            },
            Err(trouble) => return Ok(Err(trouble)),
        }
        self.has_heard = true;
        Ok(Ok(()))
    }

    /// The next reports, named durably; and when to come again where there are none yet.
    fn pack(&mut self, way: usize, now: Stamp) -> Result<(Vec<Parcel>, Option<u64>), EdgeError> {
        let (mut parcels, mut sealing, mut too_large) = (Vec::new(), Vec::new(), Vec::new());
        let (mut later_ms, mut bytes) = (None::<u64>, 0);
        let most = self.most(way);
        let mut queue = lock(&self.with.queue);
        let oldest = queue.waiting(most + self.later.len())?;
        let first = oldest.first().map_or(u64::MAX, |first| first.ordinal);
        self.later = self.later.split_off(&first);
        self.doubts = self.doubts.split_off(&first);
        for waiting in oldest {
            let ordinal = waiting.ordinal;
            if let Some(&(_, until_ms)) = self.later.get(&ordinal).filter(|(_, until_ms)| now.boot_ms < *until_ms) {
                later_ms = Some(later_ms.map_or(until_ms, |at_ms| at_ms.min(until_ms)));
                continue;
            }
            let is_full = parcels.len() >= most || bytes > self.options.batch_bytes_max;
            // Nothing goes before what waits for another gateway.
            if is_full || !self.may_be_sent(way, ordinal, now) {
                break;
            }
            let dated = self.dating.date(waiting.item.when, now);
            let payload = match (waiting.sealed, dated) {
                (Some(payload), _) => payload,
                (None, Dated::Wait(until_ms)) => {
                    later_ms = Some(until_ms);
                    break;
                }
                (None, dated) => match self.dating.seal(&waiting.item, dated, now, queue.next_name()?) {
                    Some(payload) => {
                        sealing.push((ordinal, payload.clone()));
                        payload
                    }
                    None => {
                        too_large.push(ordinal);
                        continue;
                    }
                },
            };
            bytes += payload.len();
            parcels.push(Parcel { ordinal, payload });
        }
        queue.seal(sealing)?;
        drop(queue);
        let refused = |ordinal| {
            let detail = "it makes a report of more than 32,000 bytes".to_owned();
            Refused {
                ordinal,
                payload: &[],
                code: "RPT-TOO-LARGE".to_owned(),
                detail,
                hint: None,
                gateways: Vec::new(),
            }
        };
        let refused: Vec<Refused<'_>> = too_large.into_iter().map(refused).collect();
        self.refuse(&refused)?;
        Ok((parcels, later_ms))
    }

    /// A gateway was of no use; answers when to come again.
    pub(super) fn fail(&mut self, way: usize, trouble: Trouble) -> u64 {
        let now = self.with.clock.now();
        self.blame(way, trouble, now);
        self.when_next(now)
    }

    /// When to come again, ms since this start: at once where somebody can be asked.
    pub(super) fn when_next(&self, now: Stamp) -> u64 {
        self.choose(now).map_or_else(|at_ms| at_ms, |_| now.boot_ms)
    }

    /// Leaves a gateway alone for a while, and says why.
    pub(super) fn blame(&mut self, way: usize, trouble: Trouble, now: Stamp) {
        let name = self.ways[way].gateway.name();
        let health = &mut self.health[way];
        let is_said = health.failures > 0 && health.last.as_ref().is_some_and(|(_, last)| last.code == trouble.code);
        health.fail(now.boot_ms, trouble.clone(), &mut self.jitter);
        self.batch.probe();
        if self.health.iter().all(|health| health.failures > 0) {
            self.reached_since_ms = None;
        }
        if !is_said {
            (self.with.events)(&SendEvent::Trouble { gateway: Some(name), trouble });
        }
    }

    /// A gateway answered, and took something or not.
    pub(super) fn taken(&mut self, way: usize, count: usize, is_too_fast: bool, wait_ms: Option<u64>, now: Stamp) {
        let gateway = self.ways[way].gateway.name();
        let had_failed = self.health[way].failures > 0;
        let wait_ms = wait_ms.or(is_too_fast.then_some(1_000));
        if self.reached_since_ms.is_none() {
            self.reached_since_ms = Some(now.boot_ms);
            // Nobody was to be had, which says nothing of the others.
            self.health.iter_mut().for_each(|health| health.failures = health.failures.min(1));
        }
        self.health[way].take(now.boot_ms, wait_ms, &mut self.jitter);
        if is_too_fast {
            self.batch.shrink_to(count);
        } else {
            self.batch.grow();
        }
        if had_failed {
            (self.with.events)(&SendEvent::Over { gateway: Some(gateway.clone()) });
        }
        if count > 0 {
            let waiting = lock(&self.with.queue).len();
            (self.with.events)(&SendEvent::Sent { gateway, promised: count as u64, waiting });
        }
    }
}
