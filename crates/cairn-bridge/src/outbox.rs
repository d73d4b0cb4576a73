//! The outbox of earlier releases: signed reports that wait, one file each, handed over to the queue.
//!
//! What it promises: a report leaves its file when the queue has it on disk, under the name that it had. What is handed over twice,
//! since the process died in between, is sent twice as the same payload, and answered as known. No name that was given here is
//! given again.
//!
//! The folder holds `whose` (device and network), `boot` (the number of its last start), a file `boot-number.cose` for each report,
//! and `refused`, which stays as it is: what the network refused for good, each with its code.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cairn_core::report::Report;
use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_edge::{EdgeError, Queue};

use crate::BridgeError;

/// Reports that are handed over at once.
const PORTION: usize = 100;

/// An outbox that an earlier release left behind.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
    /// Names of files, ascending in the order in which they were kept.
    waiting: BTreeSet<(u32, u32)>,
}

fn file_name((boot, seq): (u32, u32)) -> String {
    format!("{boot:010}-{seq:010}.cose")
}

fn name_of(file: &str) -> Option<(u32, u32)> {
    let (boot, seq) = file.strip_suffix(".cose")?.split_once('-')?;
    let name = (boot.parse().ok()?, seq.parse().ok()?);
    (file_name(name) == file).then_some(name)
}

fn unless_missing<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Outbox {
    /// Whose reports a folder holds, if it is an outbox.
    ///
    /// # Errors
    /// Those of the disk; `BRG-CONFIG` for a file that does not say.
    pub fn whose(folder: &Path) -> Result<Option<(DeviceId, NetworkId)>, BridgeError> {
        let Some(text) = unless_missing(fs::read_to_string(folder.join("whose")))? else { return Ok(None) };
        let parsed = text
            .trim_end()
            .split_once(' ')
            .and_then(|(device, network)| Some((DeviceId::parse(device).ok()?, NetworkId(Hash::from_hex(network)?))));
        let what = format!("`{}` does not say whose reports wait there", folder.join("whose").display());
        parsed.map(Some).ok_or(BridgeError::Config { what })
    }

    /// Looks at the outbox of a device in a network, and has the queue give no name that may have been given there: to be called
    /// before anything is sent. `None` where there is none.
    ///
    /// # Errors
    /// Those of the disk; `BRG-CONFIG` when it is of another device or network.
    pub fn open(folder: &Path, whose: (DeviceId, NetworkId), queue: &mut Queue) -> Result<Option<Self>, BridgeError> {
        match Self::whose(folder)? {
            None => return Ok(None),
            Some(found) if found == whose => {}
            Some((device, network)) => {
                let what = format!("`{}` is the folder of {device} in network {network}", folder.display());
                return Err(BridgeError::Config { what });
            }
        }
        let mut waiting = BTreeSet::new();
        for entry in fs::read_dir(folder)? {
            waiting.extend(name_of(&entry?.file_name().to_string_lossy()));
        }
        // Where the count cannot be read, names that were given wait here, or a gateway has heard of them.
        let counted =
            unless_missing(fs::read_to_string(folder.join("boot")))?.and_then(|text| text.trim().parse().ok());
        if let Some(boot) = counted.max(waiting.last().map(|(boot, _)| *boot)) {
            queue.heard_of_boot(boot).map_err(kept)?;
        }
        Ok(Some(Self { folder: folder.to_owned(), waiting }))
    }

    /// How many wait here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits here any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Hands reports over, oldest first, while the queue has room for them and fewer than so many wait there; an outbox that is
    /// empty then is removed. What is no report is laid beside those that were refused.
    ///
    /// # Errors
    /// Those of the disk; what was not handed over stays.
    pub fn hand_over(&mut self, queue: &mut Queue, waiting_max: u64) -> Result<(), BridgeError> {
        while !self.waiting.is_empty() && queue.len() < waiting_max {
            let names: Vec<(u32, u32)> = self.waiting.iter().take(PORTION).copied().collect();
            let mut payloads = Vec::with_capacity(names.len());
            for name in &names {
                let path = self.folder.join(file_name(*name));
                match unless_missing(fs::read(&path))?.as_deref().map(Report::parse) {
                    Some(Ok(report)) => payloads.push(report.sign1.payload.to_vec()),
                    Some(Err(_)) => {
                        fs::create_dir_all(self.folder.join("refused"))?;
                        fs::rename(&path, self.folder.join("refused").join(format!("{}.damaged", file_name(*name))))?;
                    }
                    None => {}
                }
            }
            if !queue.push_named(payloads).map_err(kept)? {
                return Ok(());
            }
            for name in names {
                unless_missing(fs::remove_file(self.folder.join(file_name(name))))?;
                self.waiting.remove(&name);
            }
        }
        if self.waiting.is_empty() {
            unless_missing(fs::remove_file(self.folder.join("boot")))?;
            unless_missing(fs::remove_file(self.folder.join("whose")))?;
            // What was refused stays; else nothing does.
            let _ = fs::remove_dir(self.folder.join("refused")).and_then(|()| fs::remove_dir(&self.folder));
        }
        Ok(())
    }
}

fn kept(error: EdgeError) -> BridgeError {
    match error {
        EdgeError::Io(error) => BridgeError::Io(error),
        other => BridgeError::Kept(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cairn_core::key::SecretKey;
    use cairn_edge::QueueLimits;
    use cairn_log::StdDisk;

    use super::*;

    /// What the release before the queue wrote: a report of each of two starts, and two of a third; one that was refused.
    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/outbox");
    const NETWORK: NetworkId = NetworkId(Hash([1; 32]));

    fn whose() -> (DeviceId, NetworkId) {
        (DeviceId::of_key(&SecretKey::ed25519([5; 32]).public().multicodec()), NETWORK)
    }

    fn left_behind() -> (tempfile::TempDir, PathBuf, Vec<Vec<u8>>) {
        let folder = tempfile::tempdir().unwrap();
        let outbox = folder.path().join("outbox");
        fs::create_dir_all(outbox.join("refused")).unwrap();
        let mut payloads = Vec::new();
        for (from, to) in
            [(PathBuf::from(GOLDEN), outbox.clone()), (Path::new(GOLDEN).join("refused"), outbox.join("refused"))]
        {
            let mut names: Vec<_> = fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).collect();
            names.sort();
            for path in names.iter().filter(|path| path.is_file()) {
                fs::copy(path, to.join(path.file_name().unwrap())).unwrap();
                if path.extension().is_some_and(|end| end == "cose") {
                    payloads.push(Report::parse(&fs::read(path).unwrap()).unwrap().sign1.payload.to_vec());
                }
            }
        }
        (folder, outbox, payloads)
    }

    fn queue(folder: &Path, bytes_max: u64) -> Queue {
        let disk = Arc::new(StdDisk::create(folder.join("queue")).unwrap());
        Queue::open(disk, NETWORK, whose().0, QueueLimits::of(bytes_max)).unwrap()
    }

    fn sealed(queue: &mut Queue) -> Vec<Vec<u8>> {
        queue.waiting(100).unwrap().into_iter().map(|waiting| waiting.sealed.unwrap()).collect()
    }

    #[test]
    fn what_an_earlier_release_left_is_handed_over_under_its_names_and_no_name_is_given_again() {
        let (folder, outbox, payloads) = left_behind();
        assert_eq!(payloads.len(), 4);
        let mut queue = queue(folder.path(), 1 << 20);
        assert!(Outbox::open(&outbox, (whose().0, NetworkId(Hash([3; 32]))), &mut queue).is_err());
        let mut left = Outbox::open(&outbox, whose(), &mut queue).unwrap().unwrap();
        left.hand_over(&mut queue, 1_000).unwrap();
        assert_eq!(sealed(&mut queue), payloads);
        assert!(queue.next_name().unwrap().0 > 2, "the third start was number 2");
        // What was refused is its owner's.
        let refused: Vec<_> = fs::read_dir(&outbox).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!((refused.as_slice(), left.is_empty()), (&["refused".into()][..], true));
        assert!(Outbox::open(&outbox, whose(), &mut queue).unwrap().is_none());
    }

    #[test]
    fn what_has_no_room_stays_and_what_is_damaged_holds_nothing_up() {
        let (folder, outbox, payloads) = left_behind();
        let mut small = queue(folder.path(), 64);
        let mut left = Outbox::open(&outbox, whose(), &mut small).unwrap().unwrap();
        left.hand_over(&mut small, 1_000).unwrap();
        assert_eq!((left.len(), small.len()), (4, 0));
        drop(small);
        fs::write(outbox.join(file_name((1, 0))), b"torn").unwrap();
        fs::write(outbox.join("boot"), b"\0\0").unwrap();
        let mut queue = queue(folder.path(), 1 << 20);
        let mut left = Outbox::open(&outbox, whose(), &mut queue).unwrap().unwrap();
        left.hand_over(&mut queue, 0).unwrap();
        assert_eq!(left.len(), 4, "enough waits there");
        left.hand_over(&mut queue, 1).unwrap();
        assert_eq!(sealed(&mut queue), [payloads[0].clone(), payloads[2].clone(), payloads[3].clone()]);
        assert!(outbox.join("refused/0000000001-0000000000.cose.damaged").exists());
        assert!(queue.next_name().unwrap().0 > 2);
    }
}
