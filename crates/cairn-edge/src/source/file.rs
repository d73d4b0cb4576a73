//! A file that somebody else writes lines into: followed as it grows, is cut, or is replaced.
//!
//! Every line is handed on with a mark of where the next one begins, so that a restart goes on there, also when the file was
//! renamed meanwhile and stands beside its successor. What is lost is said: a file that was replaced more than once, or
//! removed, while nobody read it. A program that goes on writing into a renamed file for longer than two looks loses what it
//! writes there; a line without an end is read when the file was replaced.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cairn_core::Hash;
use cairn_core::cbor::{self, Decoder, Encoder};

use super::feed::{About, Feed, UNREAD};
use super::lines::{Lines, take_line};
use crate::map::Mapping;
use crate::{Ended, Raw, Source, SourceTrouble, Stop};

/// How much of a file's beginning tells it from others.
const HEAD_BYTES: u64 = HEAD_ROOM as u64;
/// The same as a length.
const HEAD_ROOM: usize = 256;

/// The code of lines that nobody will read any more.
const GAP: &str = "EDGE-GAP";

/// Where to go on in which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    inode: u64,
    /// The first byte of the next line.
    offset: u64,
    /// How many bytes of the beginning are hashed, and what they hash to.
    head: (u64, [u8; 8]),
}

impl Position {
    fn encode(self) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.array(4).uint(self.inode).uint(self.offset).uint(self.head.0).bytes(&self.head.1);
        out.into_bytes()
    }

    fn decode(bytes: &[u8]) -> cbor::Result<Self> {
        let mut input = Decoder::over(bytes);
        input.array_exact(4)?;
        let read = Self { inode: input.uint()?, offset: input.uint()?, head: (input.uint()?, input.bytes_exact()?) };
        input.leave();
        input.end()?;
        Ok(read)
    }

    /// Whether it is a position of this file.
    fn is_of(&self, file: &File) -> bool {
        let is_long = file.metadata().is_ok_and(|known| known.len() >= self.offset);
        is_long && head(file, self.head.0).is_ok_and(|head| head == self.head)
    }
}

/// A hash of the first bytes of a file.
fn head(file: &File, bytes: u64) -> io::Result<(u64, [u8; 8])> {
    let mut buffer = [0; HEAD_ROOM];
    let room = usize::try_from(bytes.min(HEAD_BYTES)).unwrap_or(0);
    file.read_exact_at(&mut buffer[..room], 0)?;
    let mut short = [0; 8];
    short.copy_from_slice(&Hash::of(&buffer[..room]).0[..8]);
    Ok((room as u64, short))
}

/// Lines that are added to a file.
pub struct FileSource {
    path: PathBuf,
    mapping: Mapping,
    is_from_start: bool,
    look: Duration,
    mark: Option<Vec<u8>>,
}

impl FileSource {
    /// Follows `path`, looking for more every `look`. `mark` is that of the last line that was kept; without one it begins at
    /// the file's end, or at its start if `is_from_start`.
    #[must_use]
    pub fn of(path: &Path, mapping: Mapping, is_from_start: bool, look: Duration, mark: Option<Vec<u8>>) -> Self {
        Self { path: path.to_owned(), mapping, is_from_start, look, mark }
    }

    /// The file to go on with, or why there is none yet.
    fn open(&mut self, feed: &mut Feed<'_>) -> io::Result<Tail> {
        let mark = self.mark.as_deref().map(Position::decode);
        if let Some(Ok(position)) = mark {
            if let Some(tail) = self.find(&position)? {
                self.mark = None;
                return Ok(tail);
            }
            feed.fails(About::Payload, GAP, "the file was replaced while nobody read it; lines may be missing");
        }
        let file = File::open(&self.path)?;
        let is_at_end = self.mark.is_none() && !self.is_from_start;
        self.mark = None;
        // From now on whatever appears under this name is read from its start.
        self.is_from_start = true;
        let offset = if is_at_end { file.metadata()?.len() } else { 0 };
        Tail::at(file, offset, false)
    }

    /// The file that a position is of: the one of this name, or one beside it that had it.
    fn find(&self, position: &Position) -> io::Result<Option<Tail>> {
        let mut named = None;
        match File::open(&self.path) {
            Ok(file) if file.metadata()?.ino() == position.inode && position.is_of(&file) => {
                return Tail::at(file, position.offset, false).map(Some);
            }
            Ok(file) => named = Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.metadata().is_ok_and(|known| known.is_file() && known.ino() == position.inode) {
                let file = File::open(entry.path())?;
                if position.is_of(&file) {
                    return Tail::at(file, position.offset, true).map(Some);
                }
            }
        }
        // A copy in its place; a short beginning may be the same header in another file.
        let copy = named.filter(|file| position.head.0 == HEAD_BYTES && position.is_of(file));
        copy.map(|file| Tail::at(file, position.offset, false)).transpose()
    }
}

/// What became of the file that is read.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Same,
    Cut,
    Replaced,
}

/// An open file, read up to some place.
struct Tail {
    file: File,
    inode: u64,
    lines: Lines,
    /// Where the next line begins.
    offset: u64,
    /// Whether another file has its name.
    is_replaced: bool,
    /// Of its beginning, as far as it was read.
    head: (u64, [u8; 8]),
}

impl Tail {
    fn at(mut file: File, offset: u64, is_replaced: bool) -> io::Result<Self> {
        let inode = file.metadata()?.ino();
        file.seek(SeekFrom::Start(offset))?;
        let head = head(&file, offset)?;
        Ok(Self { file, inode, lines: Lines::default(), offset, is_replaced, head })
    }

    fn mark(&mut self) -> Option<Vec<u8>> {
        if self.head.0 < HEAD_BYTES {
            self.head = head(&self.file, self.offset).ok()?;
        }
        Some(Position { inode: self.inode, offset: self.offset, head: self.head }.encode())
    }

    /// Hands on what there is. Answers how many bytes were read, or `None` when asked to stop.
    fn read(&mut self, feed: &mut Feed<'_>, mapping: &Mapping) -> io::Result<Option<usize>> {
        let mut buffer = [0; 16_384];
        let bytes = self.file.read(&mut buffer)?;
        self.lines.push(&buffer[..bytes]);
        while let Some((line, taken)) = self.lines.next() {
            self.offset += taken;
            let mark = self.mark();
            if !take_line(line, feed, mapping, mark) || feed.is_stopped() {
                return Ok(None);
            }
        }
        Ok(Some(bytes))
    }

    fn fate(&self, path: &Path) -> io::Result<Fate> {
        let read = (&self.file).stream_position()?;
        // One that was cut may have grown again meanwhile, with another beginning.
        let is_cut = self.file.metadata()?.len() < read || head(&self.file, self.head.0)? != self.head;
        match std::fs::metadata(path) {
            Ok(named) if named.ino() == self.inode => Ok(if is_cut { Fate::Cut } else { Fate::Same }),
            Ok(_) => Ok(Fate::Replaced),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Fate::Same),
            Err(error) => Err(error),
        }
    }
}

impl Source for FileSource {
    fn name(&self) -> String {
        format!("file {}", self.path.display())
    }

    fn run(mut self: Box<Self>, out: &dyn Fn(Raw) -> bool, trouble: &dyn Fn(SourceTrouble), stop: &Stop) -> Ended {
        let mut feed = Feed::new(out, trouble, stop);
        let mut tail: Option<Tail> = None;
        while !stop.is_set() {
            let step = self.step(&mut tail, &mut feed);
            match step {
                Ok(Step::Stopped) => break,
                Ok(Step::More) => feed.works(About::Way),
                Ok(Step::Wait) => {
                    feed.works(About::Way);
                    let _ = stop.wait(self.look);
                }
                Err(error) => {
                    let path = self.path.display();
                    feed.fails(About::Way, UNREAD, format!("cannot read {path}: {error}"));
                    let _ = stop.wait(self.look.max(Duration::from_millis(100)));
                }
            }
        }
        Ended::Stopped
    }
}

enum Step {
    More,
    Wait,
    Stopped,
}

impl FileSource {
    fn step(&mut self, tail: &mut Option<Tail>, feed: &mut Feed<'_>) -> io::Result<Step> {
        let Some(open) = tail else {
            *tail = Some(self.open(feed)?);
            return Ok(Step::More);
        };
        match open.read(feed, &self.mapping)? {
            None => return Ok(Step::Stopped),
            Some(1..) => return Ok(Step::More),
            Some(0) => {}
        }
        if open.is_replaced {
            if let Some((line, taken)) = open.lines.last() {
                open.offset += taken;
                let mark = open.mark();
                if !take_line(line, feed, &self.mapping, mark) {
                    return Ok(Step::Stopped);
                }
            }
            *tail = None;
            return Ok(Step::More);
        }
        match open.fate(&self.path)? {
            Fate::Same => Ok(Step::Wait),
            Fate::Cut => {
                *tail = None;
                Ok(Step::More)
            }
            Fate::Replaced => {
                // Whoever writes may not have heard of it yet.
                open.is_replaced = true;
                Ok(Step::Wait)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::super::tests::{collect, number};
    use super::*;

    const LOOK: Duration = Duration::from_millis(5);

    fn source(path: &Path, mark: Option<Vec<u8>>) -> Box<FileSource> {
        Box::new(FileSource::of(path, number("co2"), true, LOOK, mark))
    }

    fn append(path: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Runs a source until it gave so many readings; after each, `then` is told how many there are.
    fn follow(
        source: Box<FileSource>,
        until: usize,
        then: impl Fn(usize),
    ) -> (Vec<i64>, Vec<&'static str>, Option<Vec<u8>>) {
        let stop = Stop::default();
        let (found, ended) = collect(source, &stop, |count| {
            then(count);
            if count == until {
                stop.set()
            }
        });
        assert_eq!(ended, Ended::Stopped);
        let codes = found.troubles().into_iter().filter(|(_, is_over)| !is_over).map(|(code, _)| code).collect();
        (found.values(), codes, found.last_mark())
    }

    #[test]
    fn a_file_is_followed_as_it_grows_is_cut_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        append(&path, "1\n2\n");
        let (values, codes, _) = follow(source(&path, None), 9, |count| match count {
            2 => append(&path, "3\n4"),
            3 => append(&path, "0\n"),
            // Rotated away, with a last line that has no end.
            4 => {
                append(&path, "5");
                fs::rename(&path, folder.path().join("data.csv.1")).unwrap();
                fs::write(&path, "6\n7\n").unwrap();
            }
            // Copied away and cut.
            7 => fs::write(&path, "8\n").unwrap(),
            8 => append(&path, "9\n"),
            _ => {}
        });
        assert_eq!(values, [1, 2, 3, 40, 5, 6, 7, 8, 9]);
        assert!(codes.is_empty(), "{codes:?}");
    }

    #[test]
    fn a_restart_neither_loses_nor_repeats_wherever_it_comes() {
        for rotated in [false, true] {
            for stopped in 1..=5 {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("data.csv");
                append(&path, "1\n2\n3\nnot a number\n4\n5\n");
                let (first, _, mark) = follow(source(&path, None), stopped, |_| ());
                if rotated {
                    append(&path, "6\n");
                    fs::rename(&path, folder.path().join("data.csv.1")).unwrap();
                    append(&path, "7\n8\n");
                } else {
                    append(&path, "6\n7\n8\n");
                }
                let (second, codes, _) = follow(source(&path, mark), 8 - stopped, |_| ());
                assert_eq!([first, second].concat(), [1, 2, 3, 4, 5, 6, 7, 8], "stopped at {stopped}, {rotated}");
                assert!(!codes.contains(&GAP));
            }
        }
    }

    #[test]
    fn lines_that_are_gone_are_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        append(&path, "1\n2\n");
        let (_, _, mark) = follow(source(&path, None), 2, |_| ());
        fs::remove_file(&path).unwrap();
        append(&path, "7\n8\n9\n");
        let (values, codes, _) = follow(source(&path, mark), 3, |_| ());
        assert_eq!((values.as_slice(), codes.as_slice()), (&[7, 8, 9][..], &[GAP][..]));
    }

    #[test]
    fn a_file_that_is_not_there_yet_is_waited_for_and_an_old_one_is_read_from_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        let stop = Stop::default();
        let later = path.clone();
        let (found, _) = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(50));
                append(&later, "1\n");
            });
            collect(source(&path, None), &stop, |_| stop.set())
        });
        assert_eq!(found.values(), [1]);
        let from_end = Box::new(FileSource::of(&path, number("co2"), false, LOOK, None));
        let stop = Stop::default();
        let (found, _) = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.is_set() {
                    std::thread::sleep(Duration::from_millis(30));
                    append(&path, "2\n");
                }
            });
            collect(from_end, &stop, |_| stop.set())
        });
        assert_eq!(found.values()[0], 2);
    }

    #[test]
    fn bytes_that_are_no_position_are_no_position() {
        let position = Position { inode: 7, offset: 300, head: (256, [1; 8]) };
        assert_eq!(Position::decode(&position.encode()), Ok(position));
        for bytes in [&b""[..], b"\x84", b"\x84\x01\x02\x03\x41\x00"] {
            assert!(Position::decode(bytes).is_err());
        }
    }
}
