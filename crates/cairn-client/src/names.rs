//! Whose folder it is, and how often a program was started in it: what keeps two reports of a device from having one name.
//!
//! Promised: a number that [`Names::count_start`] gives is above every one that it gave in this folder, above what the folder's own
//! records show of names that were given, and, once it was heard, above what the network knows. What is damaged is found again as
//! far as that is safe, and said; nothing is guessed that would have a name given twice.
//!
//! Numbers are no more than starts: leaving some out costs nothing. So where it is not known which was the last, or where the network
//! knows a higher one than the folder (an old copy of it was restored), it goes on [`GAP`] above: what was signed meanwhile
//! and never heard of keeps its name to itself.

use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_log::{Disk, FileError, read_whole, replace_whole};

const IDENTITY: &str = "identity";
/// The file that counts starts.
pub const BOOT: &str = "boot";
const FILE_BYTES_MAX: u64 = 4 << 10;
/// A network that tells of so many more starts than the folder does is not believed: names would be used up.
pub const BOOTS_AHEAD_MAX: u32 = 1 << 20;
/// So many starts are left out where the last one is not known: more than are made without the network hearing of one.
pub const GAP: u32 = 1_024;

/// Why a folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// The folder is of another network.
    #[error("this folder belongs to network {own}, not {told}")]
    OtherNetwork {
        /// The folder's.
        own: NetworkId,
        /// The other.
        told: NetworkId,
    },
    /// The folder is of another device.
    #[error("this folder belongs to device {own}, not {given}")]
    OtherDevice {
        /// The folder's.
        own: DeviceId,
        /// The other.
        given: DeviceId,
    },
    /// The folder is of another format than this program writes.
    #[error("`{file}` is of another format than this program writes")]
    Format {
        /// The file that says so.
        file: &'static str,
    },
    /// No name is left that was certainly not given yet.
    #[error("{device} has told the network of boot {told}, far above the {own} of this folder")]
    Names {
        /// Whose.
        device: DeviceId,
        /// What the network was told.
        told: u32,
        /// What the folder knows.
        own: u32,
    },
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A file that was damaged or missing, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// The file, as named in its folder.
    pub file: &'static str,
    /// In words.
    pub what: String,
}

/// How a program writes the two files `identity` and `boot`. What is released stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    /// The first line of `identity`, if it has one: the format of the folder, which ends with its number.
    format: Option<&'static str>,
    /// Whether `boot` has a checksum. A turned bit that made it smaller would have names given twice.
    has_checksum: bool,
}

/// The names of a queue of reports.
pub const QUEUE: Names = Names { format: Some("cairn queue 1"), has_checksum: true };
/// The names of a worker.
pub const WORKER: Names = Names { format: None, has_checksum: false };

impl Names {
    /// Holds the folder to one device of one network; the first one that comes. One that is damaged so that it names neither is
    /// written again for who comes.
    ///
    /// # Errors
    /// [`NamesError`]: another's, another format, or the disk's.
    pub fn check_identity(
        &self,
        disk: &dyn Disk,
        network: NetworkId,
        device: DeviceId,
    ) -> Result<Option<Mended>, NamesError> {
        let head = self.format.map(|format| format!("{format}\n")).unwrap_or_default();
        let whole = format!("{head}{network}\n{device}\n");
        let Some(bytes) = read_small(disk, IDENTITY)? else {
            replace_whole(disk, IDENTITY, whole.as_bytes())?;
            return Ok(None);
        };
        if bytes == whole.as_bytes() {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&bytes);
        let first = text.lines().next().unwrap_or_default();
        // Another number of the same format, and no other sign of it: else it is damage.
        let is_other = |format: &str| {
            let name = format.trim_end_matches(|sign: char| sign.is_ascii_digit());
            first != format && first.strip_prefix(name).is_some_and(|number| number.parse::<u32>().is_ok())
        };
        if self.format.is_some_and(is_other) {
            return Err(NamesError::Format { file: IDENTITY });
        }
        if let Some(own) = text.lines().find_map(Hash::from_hex).map(NetworkId).filter(|own| *own != network) {
            return Err(NamesError::OtherNetwork { own, told: network });
        }
        if let Some(own) = text.lines().find_map(|line| DeviceId::parse(line).ok()).filter(|own| *own != device) {
            return Err(NamesError::OtherDevice { own, given: device });
        }
        replace_whole(disk, IDENTITY, whole.as_bytes())?;
        let what = format!("it did not say whose folder this is, and says {device} again");
        Ok(Some(Mended { file: IDENTITY, what }))
    }

    /// The network that a folder is of; `None` where it was never used, or what says so is damaged.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn network(&self, disk: &dyn Disk) -> Result<Option<NetworkId>, NamesError> {
        let bytes = read_small(disk, IDENTITY)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).lines().find_map(Hash::from_hex).map(NetworkId))
    }

    /// Counts a start, durably: one above whatever the folder has seen, and what the network was `told`. `seen` answers the highest
    /// number that other files of the folder show, `None` where there are no such files; it is asked only where `boot` is damaged
    /// or missing.
    ///
    /// # Errors
    /// [`NamesError::Names`] for one told that is not believed, or the disk's; those of `seen`.
    pub fn count_start<E: From<NamesError>>(
        &self,
        disk: &dyn Disk,
        device: DeviceId,
        told: Option<u32>,
        seen: impl FnOnce() -> Result<Option<u32>, E>,
    ) -> Result<(u32, Option<Mended>), E> {
        let stored = read_small(disk, BOOT).map_err(NamesError::from)?;
        let is_there = stored.is_some();
        let own = match stored.and_then(|bytes| self.decode(&bytes)) {
            Some(own) => return Ok((self.above(disk, device, own, told)?, None)),
            None => seen()?,
        };
        if own.is_none() && !is_there {
            // The first start.
            return Ok((self.above(disk, device, 0, told)?, None));
        }
        let last = own.unwrap_or(0);
        let boot = self.above(disk, device, last, Some(told.unwrap_or(0).max(last.saturating_add(1))))?;
        let what = format!("it did not say how often the program was started; names go on with {boot}");
        Ok((boot, Some(Mended { file: BOOT, what })))
    }

    /// Jumps above what the network was told of, durably, in a start whose number is `own`. What it was told of earlier starts changes
    /// nothing.
    ///
    /// # Errors
    /// [`NamesError::Names`] for one that is not believed, or the disk's.
    pub fn hear(&self, disk: &dyn Disk, device: DeviceId, own: u32, told: u32) -> Result<u32, NamesError> {
        if told < own { Ok(own) } else { self.above(disk, device, own.saturating_sub(1), Some(told)) }
    }

    /// Jumps above a number of this device that its own records show, durably: that is believed however high it is.
    ///
    /// # Errors
    /// [`NamesError::Names`] where none is left, or the disk's.
    pub fn saw(&self, disk: &dyn Disk, device: DeviceId, own: u32, seen: u32) -> Result<u32, NamesError> {
        if seen < own { Ok(own) } else { self.above(disk, device, seen.saturating_sub(1), Some(seen)) }
    }

    fn above(&self, disk: &dyn Disk, device: DeviceId, own: u32, told: Option<u32>) -> Result<u32, NamesError> {
        let told = told.unwrap_or(0);
        let names = || NamesError::Names { device, told, own };
        if told > own.saturating_add(BOOTS_AHEAD_MAX) {
            return Err(names());
        }
        let last = if told > own { told.checked_add(GAP) } else { Some(own) };
        let boot = last.and_then(|last| last.checked_add(1)).ok_or_else(names)?;
        replace_whole(disk, BOOT, self.encode(boot).as_bytes())?;
        Ok(boot)
    }

    fn encode(&self, boot: u32) -> String {
        if self.has_checksum {
            format!("{boot} {:08x}\n", crc32c::crc32c(&boot.to_be_bytes()))
        } else {
            format!("{boot}\n")
        }
    }

    fn decode(&self, bytes: &[u8]) -> Option<u32> {
        let text = core::str::from_utf8(bytes).ok()?;
        if !self.has_checksum {
            // Whatever is a number counts: people wrote some of these files.
            return text.trim().parse().ok();
        }
        let boot = text.split(' ').next()?.parse().ok()?;
        (self.encode(boot) == text).then_some(boot)
    }
}

/// A small file; one that is far too long holds nothing of ours.
fn read_small(disk: &dyn Disk, file: &str) -> Result<Option<Vec<u8>>, FileError> {
    match read_whole(disk, file, FILE_BYTES_MAX) {
        Err(FileError::TooLong { .. }) => Ok(Some(Vec::new())),
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use cairn_testkit::disk::{Faults, FaultyDisk};

    use super::*;

    const NETWORK: NetworkId = NetworkId(Hash([1; 32]));
    const DEVICE: DeviceId = DeviceId([2; 16]);

    fn disk() -> FaultyDisk {
        FaultyDisk::new(1, Faults::default())
    }

    fn start(names: Names, disk: &FaultyDisk, told: Option<u32>, seen: Option<u32>) -> Result<u32, NamesError> {
        names.count_start::<NamesError>(disk, DEVICE, told, || Ok(seen)).map(|(boot, _)| boot)
    }

    fn write(disk: &FaultyDisk, file: &str, text: &str) {
        replace_whole(disk, file, text.as_bytes()).unwrap();
    }

    #[test]
    fn starts_are_counted_above_whatever_was_seen_and_heard_and_never_by_leaps() {
        for names in [QUEUE, WORKER] {
            let (disk, mut last) = (disk(), 0);
            for (told, expected) in [(None, 1), (Some(0), 2), (Some(2), 3), (Some(7), 8 + GAP), (Some(3), 9 + GAP)] {
                assert_eq!(start(names, &disk, told, None).unwrap(), expected, "{told:?}");
                assert!(core::mem::replace(&mut last, expected) < expected);
            }
            for told in [last + BOOTS_AHEAD_MAX + 1, u32::MAX] {
                assert!(matches!(start(names, &disk, Some(told), None), Err(NamesError::Names { .. })), "{told}");
                assert!(matches!(names.hear(&disk, DEVICE, last, told), Err(NamesError::Names { .. })), "{told}");
            }
            assert_eq!(start(names, &disk, None, None).unwrap(), last + 1, "who was not believed has changed nothing");
            assert_eq!(names.hear(&disk, DEVICE, last + 1, last).unwrap(), last + 1);
            assert_eq!(names.hear(&disk, DEVICE, last + 1, last + 1).unwrap(), last + 2 + GAP);
            let far = last + 2 * BOOTS_AHEAD_MAX;
            assert_eq!(names.saw(&disk, DEVICE, last + 1, far).unwrap(), far + 1 + GAP);
            assert_eq!(start(names, &disk, None, None).unwrap(), far + 2 + GAP);
        }
    }

    #[test]
    fn a_counter_that_is_damaged_or_gone_goes_on_above_all_that_is_known_with_room_for_what_is_not() {
        type Case = (Names, Option<&'static str>, Option<u32>, Option<u32>, u32, bool);
        let cases: [Case; 9] = [
            (QUEUE, None, None, None, 1, false),
            (QUEUE, None, None, Some(0), 2 + GAP, true),
            (QUEUE, None, None, Some(41), 43 + GAP, true),
            (QUEUE, Some("41 00000000\n"), None, Some(7), 9 + GAP, true),
            (QUEUE, Some("41"), None, None, 2 + GAP, true),
            (QUEUE, Some(""), Some(50), Some(41), 51 + GAP, true),
            (WORKER, Some("41"), Some(3), Some(99), 42, false),
            (WORKER, Some("4x1\n"), Some(50), Some(41), 51 + GAP, true),
            (WORKER, Some("4x1\n"), None, None, 2 + GAP, true),
        ];
        for (names, stored, told, seen, expected, is_mended) in cases {
            let disk = disk();
            if let Some(stored) = stored {
                write(&disk, BOOT, stored);
            }
            let (boot, mended) = names.count_start::<NamesError>(&disk, DEVICE, told, || Ok(seen)).unwrap();
            assert_eq!((boot, mended.is_some()), (expected, is_mended), "{stored:?} {told:?} {seen:?}");
            assert_eq!(start(names, &disk, None, None).unwrap(), expected + 1, "it is mended for good");
        }
        // The longest file that is none, and every byte of a good one.
        let disk = disk();
        write(&disk, BOOT, &"1".repeat(9_000));
        assert_eq!(start(QUEUE, &disk, None, Some(3)).unwrap(), 5 + GAP);
        for at in 0..disk.files().into_iter().find(|(name, _)| name == BOOT).unwrap().1.len() {
            let damaged = disk.twin(at as u64);
            assert!(damaged.flip(BOOT, at, 0));
            assert!(start(QUEUE, &damaged, None, Some(5 + GAP)).unwrap() > 5 + GAP, "{at}");
        }
    }

    #[test]
    fn a_folder_is_one_devices_of_one_network_also_where_half_of_what_says_so_is_left() {
        for names in [QUEUE, WORKER] {
            let whole = disk();
            assert_eq!(names.check_identity(&whole, NETWORK, DEVICE).unwrap(), None);
            let (other_network, other_device) = (NetworkId(Hash([9; 32])), DeviceId([9; 16]));
            let check = |disk: &FaultyDisk, network, device| match names.check_identity(disk, network, device) {
                Ok(mended) => {
                    if mended.is_some() {
                        "mended"
                    } else {
                        "own"
                    }
                }
                Err(NamesError::OtherNetwork { .. }) => "network",
                Err(NamesError::OtherDevice { .. }) => "device",
                Err(NamesError::Format { .. }) => "format",
                Err(_) => "disk",
            };
            let (network, device) = (NETWORK.to_string(), DEVICE.to_string());
            for (text, own, of_network, of_device) in [
                (None, "own", "network", "device"),
                (Some(""), "mended", "mended", "mended"),
                (Some("\0\0\0"), "mended", "mended", "mended"),
                (Some(&*format!("{network}\nrubbish")), "mended", "network", "mended"),
                (Some(&*format!("rubbish\n{device}\n")), "mended", "mended", "device"),
            ] {
                for (network, device, expected) in
                    [(NETWORK, DEVICE, own), (other_network, DEVICE, of_network), (NETWORK, other_device, of_device)]
                {
                    let disk = whole.twin(2);
                    text.into_iter().for_each(|text| write(&disk, IDENTITY, text));
                    assert_eq!(check(&disk, network, device), expected, "{text:?}");
                    if expected == "mended" {
                        assert_eq!(check(&disk, network, device), "own", "{text:?}");
                    }
                }
            }
        }
        let later = disk();
        write(&later, IDENTITY, &format!("cairn queue 2\n{NETWORK}\n{DEVICE}\n"));
        assert!(matches!(QUEUE.check_identity(&later, NETWORK, DEVICE), Err(NamesError::Format { .. })));
    }

    #[test]
    fn no_number_is_given_twice_whatever_crashes_and_whatever_is_damaged() {
        for seed in 0..300 {
            let disk = FaultyDisk::new(seed, Faults::default());
            let mut last = 0;
            for step in 0..12 {
                let crash_at = (seed % 3 != 0).then(|| disk.operations() + 1 + (seed + step) % 7);
                disk.cut_power(Faults { crash_at, ..Faults::default() });
                if (seed + step) % 4 == 0 {
                    let _ = disk.flip(BOOT, (seed % 9) as usize, (step % 8) as u8);
                }
                // What other files show is what was really used.
                if let Ok(boot) = start(QUEUE, &disk, None, Some(last)) {
                    assert!(boot > last, "seed {seed}, step {step}: {boot} after {last}");
                    last = boot;
                }
            }
            assert!(last > 0, "seed {seed}");
        }
    }
}
