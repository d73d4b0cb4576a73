//! The few things done with files: read a small one, replace one durably.

use std::io;

use cairn_log::Disk;

use crate::WitnessError;

/// A checkpoint with all its signatures is far below this.
const SMALL_BYTES_MAX: u64 = 1 << 20;

/// A failure at a file, which a full disk is not.
pub(crate) fn failed(action: &'static str, file: &str) -> impl Fn(io::Error) -> WitnessError {
    move |source| WitnessError::Io { action, file: file.to_owned(), source }
}

/// A failure before anything counted: a full disk may be tried again.
pub(crate) fn unwritten(action: &'static str, file: &str) -> impl Fn(io::Error) -> WitnessError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            WitnessError::Full { action, file: file.to_owned() }
        }
        _ => failed(action, file)(source),
    }
}

/// The whole content of a small file; `None` if there is no such file.
pub(crate) fn read_small(disk: &dyn Disk, name: &str) -> Result<Option<Vec<u8>>, WitnessError> {
    let file = match disk.open(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", name)(error)),
    };
    let size = file.size().map_err(failed("read", name))?.min(SMALL_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(size).expect("at most SMALL_BYTES_MAX")];
    file.read_at(0, &mut bytes).map_err(failed("read", name))?;
    Ok(Some(bytes))
}

/// Makes `name` hold exactly `bytes`, durably, or leaves what it held. After [`WitnessError::Full`] it holds that for
/// sure; after another error nobody knows.
pub(crate) fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), WitnessError> {
    let unfinished = format!("{name}.tmp");
    let file = disk.create(&unfinished).map_err(unwritten("create", &unfinished))?;
    file.write_at(0, bytes).map_err(unwritten("write", &unfinished))?;
    file.sync().map_err(failed("sync", &unfinished))?;
    disk.rename(&unfinished, name).map_err(failed("rename", &unfinished))?;
    disk.sync_folder().map_err(failed("sync the folder of", name))
}
