//! Files of a node's folder: whole or not there, whatever is interrupted, and readable by their owner alone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use crate::failure::Failure;

/// Makes a folder that its owner alone can enter; one that is there stays as it is.
pub fn make_folder(path: &Path) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| Failure::io("make", path, &error))
}

/// Writes a text under a name that nothing has yet, durably; what has it stays. Answers whether it was written.
///
/// # Errors
/// `NET-IO`.
pub fn keep_text(path: &Path, text: &str) -> Result<bool, Failure> {
    if path.exists() {
        return Ok(false);
    }
    let unfinished = write_beside(path, text.as_bytes())?;
    // A link is refused where the name was taken meanwhile, unlike a new name.
    let linked = std::fs::hard_link(&unfinished, path);
    let removed = std::fs::remove_file(&unfinished);
    match linked {
        Ok(()) => {
            removed.map_err(|error| Failure::io("remove", &unfinished, &error))?;
            sync_folder(path).map(|()| true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Failure::io("write", path, &error)),
    }
}

/// Writes a text instead of what has the name, durably.
///
/// # Errors
/// `NET-IO`.
pub fn replace_text(path: &Path, text: &str) -> Result<(), Failure> {
    replace_bytes(path, text.as_bytes())
}

/// [`replace_text`] of bytes.
///
/// # Errors
/// `NET-IO`.
pub fn replace_bytes(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let unfinished = write_beside(path, bytes)?;
    std::fs::rename(&unfinished, path).map_err(|error| Failure::io("write", path, &error))?;
    sync_folder(path)
}

fn write_beside(path: &Path, bytes: &[u8]) -> Result<std::path::PathBuf, Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let unfinished = std::path::PathBuf::from(name);
    let wrong = |error| Failure::io("write", &unfinished, &error);
    // What an interrupted write left may have other rights.
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(wrong(error)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).map_err(wrong)?;
    belong(&file, path).map_err(wrong)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(wrong)?;
    Ok(unfinished)
}

/// Gives a file to the owner of its folder: a service that runs as another user must read what root writes for it.
fn belong(file: &File, path: &Path) -> std::io::Result<()> {
    let (own, folder) = (file.metadata()?, std::fs::metadata(folder_of(path))?);
    if (own.uid(), own.gid()) == (folder.uid(), folder.gid()) || own.uid() != 0 {
        return Ok(());
    }
    fchown(file, Some(folder.uid()), Some(folder.gid()))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_folder(path: &Path) -> Result<(), Failure> {
    let folder = folder_of(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| Failure::io("sync", folder, &error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_has_a_name_keeps_it_and_what_was_half_written_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/key");
        make_folder(path.parent().unwrap()).unwrap();
        std::fs::write(folder.path().join("deep/key.tmp"), "half").unwrap();
        assert!(keep_text(&path, "one").unwrap());
        assert!(!keep_text(&path, "two").unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        replace_text(&path, "three").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_root_writes_belongs_to_whom_the_folder_belongs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let own = std::fs::metadata(folder.path()).unwrap();
        // Only root can give a folder away, and only what root writes has to be.
        let expected = if own.uid() == 0 { (65_534, 65_534) } else { (own.uid(), own.gid()) };
        std::os::unix::fs::chown(folder.path(), Some(expected.0), Some(expected.1)).unwrap();
        replace_text(&path, "one").unwrap();
        let written = std::fs::metadata(&path).unwrap();
        assert_eq!((written.uid(), written.gid()), expected);
    }
}
