//! What is kept before a request is answered: the original, and what is to be said of it, in the queue that a sender empties.
//!
//! What it promises: when [`Shelf::keep`] returns, both are on disk; where it fails, nobody was told that they are. A full queue gives
//! up its oldest, which late rules pay least, and a full disk costs the oldest originals; both is counted and said.

use std::sync::{Arc, Mutex, PoisonError};

use cairn_core::Hash;
use cairn_edge::reduce::Crowding;
use cairn_edge::send::SharedQueue;
use cairn_edge::{Item, SourceTrouble};

use crate::{BridgeError, Keeps, Originals};

/// Hears what could not be kept, and of what: [`QUEUE`] or [`ORIGINALS`].
pub type Troubles = Box<dyn Fn(&'static str, SourceTrouble) + Send>;

/// Of what something could not be kept: reports that wait, and what they were made of.
pub const QUEUE: &str = "queue";
/// See [`QUEUE`].
pub const ORIGINALS: &str = "originals";
/// The code of what is given up because the disk is full, as a node has it.
const GIVEN_UP: &str = "EDGE-RAW-FULL";

/// Originals, and the queue.
pub struct Shelf {
    originals: Arc<Mutex<Originals>>,
    crowding: Crowding,
    queue: SharedQueue,
    given_up: u64,
    troubles: Troubles,
}

impl Shelf {
    /// Keeps originals here and reports in a queue.
    #[must_use]
    pub fn of(originals: Arc<Mutex<Originals>>, queue: SharedQueue, troubles: Troubles) -> Self {
        Self { originals, crowding: Crowding::behind(0), queue, given_up: 0, troubles }
    }

    /// Says once, until it is over, that old originals go because the disk is full.
    fn say(&mut self) {
        let given_up = self.originals.lock().unwrap_or_else(PoisonError::into_inner).given_up();
        let Some(is_over) = self.crowding.look(given_up) else { return };
        let said = "the disk is full, and old originals are given up for what comes; make room on it";
        let detail = if is_over { String::new() } else { said.to_owned() };
        (self.troubles)(ORIGINALS, SourceTrouble { code: GIVEN_UP, detail, is_over });
    }
}

impl Keeps for Shelf {
    fn keep(&mut self, hash: &Hash, original: &[u8], items: Vec<Item>) -> Result<(), BridgeError> {
        let kept = self.originals.lock().unwrap_or_else(PoisonError::into_inner).keep(hash, original);
        kept.map_err(|error| BridgeError::Kept(error.to_string()))?;
        let pushed = self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(items);
        self.say();
        let lost = pushed.map_err(|error| BridgeError::Kept(error.to_string()))?;
        if lost > 0 {
            self.given_up += lost;
            let detail = format!("the queue is full: the {lost} oldest were given up, {} in this start", self.given_up);
            (self.troubles)(QUEUE, SourceTrouble { code: "EDGE-QUEUE-FULL", detail, is_over: false });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::cbor::Value;
    use cairn_core::{DeviceId, NetworkId};
    use cairn_edge::reduce::MakingRoom;
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
        let originals = Arc::new(Mutex::new(Originals::open(folder.path(), 1 << 20).unwrap()));
        let shared = Arc::new(Mutex::new(queue(&disk, 1 << 20)));
        let mut shelf = Shelf::of(originals, Arc::clone(&shared), Box::new(|_, _| {}));
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
        let originals = Arc::new(Mutex::new(Originals::open(folder.path(), 1 << 20).unwrap()));
        let (said, shared) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(queue(&disk, 2_000))));
        let own = Arc::clone(&said);
        let told = move |_: &'static str, trouble: SourceTrouble| own.lock().unwrap().push(trouble.code);
        let mut shelf = Shelf::of(originals, Arc::clone(&shared), Box::new(told));
        (0..50u64).for_each(|n| shelf.keep(&Hash::of(&n.to_be_bytes()), b"x", vec![item(n)]).unwrap());
        let waiting: Vec<Item> = shared.lock().unwrap().waiting(99).unwrap().into_iter().map(|one| one.item).collect();
        let first = 50 - waiting.len() as u64;
        assert_eq!(waiting, (first..50).map(item).collect::<Vec<_>>());
        assert!(first > 0 && said.lock().unwrap().iter().all(|code| *code == "EDGE-QUEUE-FULL"));
        assert_eq!(shared.lock().unwrap().counts().lost, first);
    }

    #[test]
    fn on_a_full_disk_reports_take_the_room_of_old_originals_and_that_is_said_once() {
        /// A disk that is full while an original lies in a folder.
        struct Crowded(FaultyDisk, std::path::PathBuf);
        impl cairn_log::Disk for Crowded {
            fn open(&self, name: &str) -> std::io::Result<Arc<dyn cairn_log::DiskFile>> {
                self.0.open(name)
            }
            fn create(&self, name: &str) -> std::io::Result<Arc<dyn cairn_log::DiskFile>> {
                let is_full = std::fs::read_dir(&self.1)?.count() > 3;
                if is_full { Err(std::io::ErrorKind::StorageFull.into()) } else { self.0.create(name) }
            }
            fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
                self.0.rename(from, to)
            }
            fn remove(&self, name: &str) -> std::io::Result<()> {
                self.0.remove(name)
            }
            fn list(&self) -> std::io::Result<Vec<String>> {
                self.0.list()
            }
            fn sync_folder(&self) -> std::io::Result<()> {
                self.0.sync_folder()
            }
            fn lock_writer(&self) -> std::io::Result<Box<dyn cairn_log::WriterLock>> {
                self.0.lock_writer()
            }
        }
        let (folder, disk) = (tempfile::tempdir().unwrap(), FaultyDisk::new(7, Faults::default()));
        let originals = Arc::new(Mutex::new(Originals::open(folder.path(), 1 << 30).unwrap()));
        let crowded = Crowded(disk, folder.path().to_owned());
        let on = Arc::new(MakingRoom::on(Arc::new(crowded), originals.clone()));
        let limits = QueueLimits { bytes_max: 1 << 20, segment_bytes: 600 };
        let shared = Arc::new(Mutex::new(Queue::open(on, WHOSE.0, WHOSE.1, limits).unwrap()));
        let said = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&said);
        let told = move |of: &'static str, trouble: SourceTrouble| {
            own.lock().unwrap().push((of, trouble.code, trouble.is_over))
        };
        let mut shelf = Shelf::of(originals.clone(), Arc::clone(&shared), Box::new(told));
        // Each is a third of what is given up at once.
        let original = |n: u64| [n.to_be_bytes().as_slice(), &[0; 24 << 10]].concat();
        (0..60).for_each(|n| shelf.keep(&Hash::of(&original(n)), &original(n), vec![item(n)]).unwrap());
        let waiting: Vec<Item> = shared.lock().unwrap().waiting(99).unwrap().into_iter().map(|one| one.item).collect();
        assert_eq!(waiting, (0..60).map(item).collect::<Vec<_>>(), "nothing is missing");
        assert_eq!(*said.lock().unwrap(), [(ORIGINALS, "EDGE-RAW-FULL", false)]);
        assert!(originals.lock().unwrap().given_up() > 10);
    }
}
