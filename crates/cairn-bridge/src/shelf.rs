//! What is kept before a request is answered: the original, and what is to be said of it, in the queue that a sender empties.
//!
//! What it promises: when [`Shelf::keep`] returns, both are on disk; where it fails, nobody was told that they are. A full queue gives
//! up its oldest, which late rules pay least, and that is counted and said.

use cairn_core::Hash;
use cairn_edge::send::SharedQueue;
use cairn_edge::{Item, SourceTrouble};

use crate::{BridgeError, Keeps, Originals};

/// Who hears what could not be kept.
pub type Troubles = Box<dyn Fn(SourceTrouble) + Send>;

/// Originals, and the queue.
pub struct Shelf {
    originals: Originals,
    queue: SharedQueue,
    given_up: u64,
    troubles: Troubles,
}

impl Shelf {
    /// Keeps originals here and reports in a queue.
    #[must_use]
    pub fn of(originals: Originals, queue: SharedQueue, troubles: Troubles) -> Self {
        Self { originals, queue, given_up: 0, troubles }
    }
}

impl Keeps for Shelf {
    fn keep(&mut self, hash: &Hash, original: &[u8], items: Vec<Item>) -> Result<(), BridgeError> {
        self.originals.keep(hash, original).map_err(|error| BridgeError::Kept(error.to_string()))?;
        let pushed = self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(items);
        let lost = pushed.map_err(|error| BridgeError::Kept(error.to_string()))?;
        if lost > 0 {
            self.given_up += lost;
            let detail = format!("the queue is full: the {lost} oldest were given up, {} in this start", self.given_up);
            (self.troubles)(SourceTrouble { code: "EDGE-QUEUE-FULL", detail, is_over: false });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use cairn_core::cbor::Value;
    use cairn_core::{DeviceId, NetworkId};
    use cairn_edge::{Queue, QueueLimits, When};
    use cairn_testkit::disk::{Faults, FaultyDisk};

    use super::*;

    const WHOSE: (NetworkId, DeviceId) = (NetworkId(Hash([1; 32])), DeviceId([2; 16]));

    fn item(n: u64) -> Item {
        Item {
            subject: Some(DeviceId([9; 16])),
            blobs: vec![(Hash([2; 32]), n)],
            ..Item::of(When::Unknown, "sensing/1", Value::map(vec![(4, Value::Int(7))]))
        }
    }

    fn queue(disk: &FaultyDisk, bytes_max: u64) -> Queue {
        Queue::open(Arc::new(disk.clone()), WHOSE.0, WHOSE.1, QueueLimits::of(bytes_max)).unwrap()
    }

    #[test]
    fn what_was_kept_waits_after_a_loss_of_power_and_what_was_refused_does_not() {
        let (folder, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new(7, Faults::default()));
        let originals = Originals::open(folder.path(), 1 << 20).unwrap();
        let shared = Arc::new(Mutex::new(queue(&disk, 1 << 20)));
        let mut shelf = Shelf::of(originals, Arc::clone(&shared), Box::new(|_| {}));
        shelf.keep(&Hash::of(b"one"), b"one", vec![item(1), item(2)]).unwrap();
        disk.fill();
        assert_eq!(shelf.keep(&Hash::of(b"two"), b"two", vec![item(3)]).unwrap_err().code(), "BRG-KEPT");
        disk.make_room();
        shelf.keep(&Hash::of(b"three"), b"three", vec![item(4)]).unwrap();
        drop((shelf, shared));
        disk.cut_power(Faults::default());
        let waiting = queue(&disk, 1 << 20).waiting(9).unwrap();
        assert_eq!(waiting.into_iter().map(|waiting| waiting.item).collect::<Vec<_>>(), [item(1), item(2), item(4)]);
        assert!(folder.path().join(Hash::of(b"one").to_hex()).exists());
    }

    #[test]
    fn a_full_queue_gives_up_its_oldest_and_says_so() {
        let (folder, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new(7, Faults::default()));
        let originals = Originals::open(folder.path(), 1 << 20).unwrap();
        let (said, shared) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(queue(&disk, 2_000))));
        let own = Arc::clone(&said);
        let told = move |trouble: SourceTrouble| own.lock().unwrap().push(trouble.code);
        let mut shelf = Shelf::of(originals, Arc::clone(&shared), Box::new(told));
        (0..50u64).for_each(|n| shelf.keep(&Hash::of(&n.to_be_bytes()), b"x", vec![item(n)]).unwrap());
        let waiting: Vec<Item> = shared.lock().unwrap().waiting(99).unwrap().into_iter().map(|one| one.item).collect();
        let first = 50 - waiting.len() as u64;
        assert_eq!(waiting, (first..50).map(item).collect::<Vec<_>>());
        assert!(first > 0 && said.lock().unwrap().iter().all(|code| *code == "EDGE-QUEUE-FULL"));
        assert_eq!(shared.lock().unwrap().counts().lost, first);
    }
}
