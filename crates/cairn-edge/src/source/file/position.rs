//! Positions in files: what a mark of a file says, and how its file is known again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use cairn_core::Hash;
use cairn_core::cbor::{self, Decoder, Encoder};

use crate::Stretch;

/// How much of a file's beginning tells it from others.
pub(super) const HEAD_BYTES: u64 = HEAD_ROOM as u64;
/// The same as a length.
const HEAD_ROOM: usize = 256;

/// Where to go on in which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub inode: u64,
    /// The first byte of the next line.
    pub offset: u64,
    /// How many bytes of the beginning are hashed, and what they hash to.
    pub head: (u64, [u8; 8]),
}

impl Position {
    pub fn encode(self) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.array(4).uint(self.inode).uint(self.offset).uint(self.head.0).bytes(&self.head.1);
        out.into_bytes()
    }

    pub fn decode(bytes: &[u8]) -> cbor::Result<Self> {
        let mut input = Decoder::over(bytes);
        input.array_exact(4)?;
        let read = Self { inode: input.uint()?, offset: input.uint()?, head: (input.uint()?, input.bytes_exact()?) };
        input.leave();
        input.end()?;
        Ok(read)
    }

    /// Whether it is a position of this file.
    pub fn is_of(&self, file: &File) -> bool {
        let is_long = file.metadata().is_ok_and(|known| known.len() >= self.offset);
        is_long && head(file, self.head.0).is_ok_and(|head| head == self.head)
    }
}

/// A hash of the first bytes of a file.
pub(super) fn head(file: &File, bytes: u64) -> io::Result<(u64, [u8; 8])> {
    let mut buffer = [0; HEAD_ROOM];
    let room = usize::try_from(bytes.min(HEAD_BYTES)).unwrap_or(0);
    file.read_exact_at(&mut buffer[..room], 0)?;
    let mut short = [0; 8];
    short.copy_from_slice(&Hash::of(&buffer[..room]).0[..8]);
    Ok((room as u64, short))
}

/// Lines that were kept before a restart, beyond the mark: they begin in one file, and may end in its successor.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// The end of the first line; `None` once the file is over in which that is.
    first: Option<Position>,
    /// The end of the last line, and the mark that is it.
    last: Position,
    mark: Vec<u8>,
}

impl Known {
    /// What a stretch of marks says; nothing where they are no positions.
    pub fn of(stretch: Stretch) -> Option<Self> {
        let (first, last) = (Position::decode(&stretch.first).ok()?, Position::decode(&stretch.last).ok()?);
        Some(Self { first: Some(first), last, mark: stretch.last })
    }

    /// Which lines of a file it holds. `inodes` are the file's own, and the one of which it is a copy.
    pub fn part_of(&self, file: &File, inodes: &[u64]) -> Option<Part> {
        let is_here = |position: &Position| inodes.contains(&position.inode) && position.is_of(file);
        let (from, to, mark) = match &self.first {
            None if is_here(&self.last) => (0, self.last.offset, Some(self.mark.clone())),
            Some(first) if is_here(first) && is_here(&self.last) => {
                (first.offset, self.last.offset, Some(self.mark.clone()))
            }
            // It goes on in the file that has taken this one's name.
            Some(first) if is_here(first) && !inodes.contains(&self.last.inode) => (first.offset, u64::MAX, None),
            _ => return None,
        };
        Some(Part { from, to, mark })
    }

    /// What is left of it behind a file that is over.
    pub fn behind(self, inodes: &[u64]) -> Option<Self> {
        if inodes.contains(&self.last.inode) {
            return None;
        }
        let first = self.first.filter(|first| !inodes.contains(&first.inode));
        Some(Self { first, ..self })
    }
}

/// Lines of one file that were kept before a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Where the first and the last of them end.
    pub from: u64,
    pub to: u64,
    /// The mark of the last, if that is known to be in this file.
    pub mark: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_position_are_no_position() {
        let position = Position { inode: 7, offset: 300, head: (256, [1; 8]) };
        assert_eq!(Position::decode(&position.encode()), Ok(position));
        for bytes in [&b""[..], b"\x84", b"\x84\x01\x02\x03\x41\x00"] {
            assert!(Position::decode(bytes).is_err());
        }
    }

    #[test]
    fn what_was_kept_is_passed_over_in_its_own_files_and_in_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            File::open(folder.path().join(name)).unwrap()
        };
        let (one, two, other) = (file("1", "a\nb\nc\n"), file("2", "d\ne\nf\n"), file("3", "x\ny\nz\n"));
        let at = |file: &File, inode, offset| Position { inode, offset, head: head(file, offset).unwrap() };
        let known = |first: Position, last: Position| {
            Known::of(Stretch { first: first.encode(), last: last.encode() }).unwrap()
        };
        let whole = |from, to, last: Position| Some(Part { from, to, mark: Some(last.encode()) });
        let within = known(at(&one, 1, 4), at(&one, 1, 6));
        assert_eq!(within.part_of(&one, &[1]), whole(4, 6, at(&one, 1, 6)));
        assert_eq!(within.part_of(&one, &[9, 1]), whole(4, 6, at(&one, 1, 6)), "a copy");
        assert_eq!(within.part_of(&one, &[2]), None, "another file with the same beginning");
        assert_eq!(within.part_of(&other, &[1]), None, "another file in its place");
        assert!(within.behind(&[1]).is_none());
        let across = known(at(&one, 1, 4), at(&two, 2, 2));
        assert_eq!(across.part_of(&one, &[1]), Some(Part { from: 4, to: u64::MAX, mark: None }));
        assert_eq!(across.part_of(&two, &[2]), None, "its first file is not over");
        let across = across.behind(&[1]).unwrap();
        assert_eq!(across.part_of(&two, &[2]), whole(0, 2, at(&two, 2, 2)));
        assert_eq!(across.part_of(&one, &[1]), None);
        assert_eq!(across.part_of(&other, &[2]), None, "its successor was replaced, too");
        assert!(Known::of(Stretch { first: vec![1], last: at(&one, 1, 2).encode() }).is_none());
    }
}
