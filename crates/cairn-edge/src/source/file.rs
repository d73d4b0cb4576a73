//! A file that somebody else writes lines into: followed as it grows, is cut, or is replaced.
//!
//! Every line is handed on with a mark of where the next one begins, so that a restart goes on there, also when the file was
//! renamed meanwhile and stands beside its successor; lines beyond the mark that were kept are passed over. What is lost is said: a file that was replaced more than once, or
//! removed, while nobody read it. A program that goes on writing into a renamed file for longer than two looks loses what it
//! writes there; a line without an end is read when the file was replaced.

mod position;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use position::{HEAD_BYTES, Known, Part, Position, head};

use super::feed::{About, Feed, UNREAD};
use super::lines::{Line, Lines, take_line};
use crate::map::Mapping;
use crate::{Ended, Mark, Raw, Source, SourceTrouble, Stop};

/// The code of lines that nobody will read any more.
const GAP: &str = "EDGE-GAP";

/// Lines that are added to a file.
pub struct FileSource {
    path: PathBuf,
    mapping: Mapping,
    is_from_start: bool,
    look: Duration,
    mark: Option<Vec<u8>>,
    /// What was kept beyond the mark, in the order in which it comes.
    known: Vec<Known>,
    /// Whether it goes on where it was.
    is_begun: bool,
}

impl FileSource {
    /// Follows `path`, looking for more every `look`. `mark` is that of the last line up to which all were kept; without one it
    /// begins at the file's end, or at its start if `is_from_start`.
    #[must_use]
    pub fn of(path: &Path, mapping: Mapping, is_from_start: bool, look: Duration, mark: Option<Mark>) -> Self {
        let (mark, beyond) = mark.map(|mark| (mark.at, mark.beyond)).unzip();
        let known = beyond.into_iter().flatten().filter_map(Known::of).collect();
        Self { path: path.to_owned(), mapping, is_from_start, look, mark, known, is_begun: false }
    }

    /// The file to go on with, or why there is none yet.
    fn open(&mut self, feed: &mut Feed<'_>) -> io::Result<Tail> {
        let mark = self.mark.as_deref().map(Position::decode);
        if let Some(Ok(position)) = mark {
            if let Some(tail) = self.find(&position)? {
                (self.mark, self.is_begun) = (None, true);
                return Ok(tail);
            }
            self.known.clear();
            feed.fails(About::Payload, GAP, "the file was replaced while nobody read it; lines may be missing");
        }
        let file = File::open(&self.path)?;
        let is_at_end = self.mark.is_none() && !self.is_from_start;
        self.mark = None;
        // From now on whatever appears under this name is read from its start.
        self.is_from_start = true;
        let offset = if is_at_end { file.metadata()?.len() } else { 0 };
        let mut tail = self.tail(file, offset, false, None)?;
        // Else what comes next would be looked for where it was before.
        if !core::mem::replace(&mut self.is_begun, true) {
            let _ = feed.pass(tail.mark());
        }
        Ok(tail)
    }

    /// A file to be read from `offset` on; `copied` is the inode of the one of which it is a copy.
    fn tail(&self, mut file: File, offset: u64, is_replaced: bool, copied: Option<u64>) -> io::Result<Tail> {
        let inodes: Vec<u64> = [file.metadata()?.ino()].into_iter().chain(copied).collect();
        file.seek(SeekFrom::Start(offset))?;
        let head = head(&file, offset)?;
        let known = self.known.iter().filter_map(|known| known.part_of(&file, &inodes)).collect();
        Ok(Tail { file, inodes, lines: Lines::default(), offset, is_replaced, head, known })
    }

    /// The file that a position is of: the one of this name, or one beside it that had it.
    fn find(&self, position: &Position) -> io::Result<Option<Tail>> {
        let mut named = None;
        match File::open(&self.path) {
            Ok(file) if file.metadata()?.ino() == position.inode && position.is_of(&file) => {
                return self.tail(file, position.offset, false, None).map(Some);
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
                    return self.tail(file, position.offset, true, None).map(Some);
                }
            }
        }
        // A copy in its place; a short beginning may be the same header in another file.
        let copy = named.filter(|file| position.head.0 == HEAD_BYTES && position.is_of(file));
        copy.map(|file| self.tail(file, position.offset, false, Some(position.inode))).transpose()
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
    /// Its inode, and that of the file of which it is a copy.
    inodes: Vec<u64>,
    lines: Lines,
    /// Where the next line begins.
    offset: u64,
    /// Whether another file has its name.
    is_replaced: bool,
    /// Of its beginning, as far as it was read.
    head: (u64, [u8; 8]),
    /// Lines that were kept before a restart and are still to come.
    known: VecDeque<Part>,
}

impl Tail {
    fn mark(&mut self) -> Vec<u8> {
        if self.head.0 < HEAD_BYTES {
            self.head = head(&self.file, self.offset).unwrap_or(self.head);
        }
        let inode = self.inodes.first().copied().unwrap_or_default();
        Position { inode, offset: self.offset, head: self.head }.encode()
    }

    /// Hands on a line of so many bytes. Answers `false` when asked to stop before it was taken.
    fn take(&mut self, line: Line, bytes: u64, feed: &mut Feed<'_>, mapping: &Mapping) -> bool {
        self.offset += bytes;
        while self.known.front().is_some_and(|part| part.to < self.offset) {
            self.known.pop_front();
        }
        match self.known.front() {
            Some(part) if part.from <= self.offset => {
                let last = part.mark.clone().filter(|_| part.to == self.offset);
                last.is_none_or(|mark| feed.pass(mark))
            }
            _ => take_line(line, feed, mapping, Some(self.mark())),
        }
    }

    /// Hands on what there is. Answers how many bytes were read, or `None` when asked to stop.
    fn read(&mut self, feed: &mut Feed<'_>, mapping: &Mapping) -> io::Result<Option<usize>> {
        let mut buffer = [0; 16_384];
        let bytes = self.file.read(&mut buffer)?;
        self.lines.push(&buffer[..bytes]);
        while let Some((line, taken)) = self.lines.next() {
            if !self.take(line, taken, feed, mapping) || feed.is_stopped() {
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
            Ok(named) if self.inodes.first() == Some(&named.ino()) => Ok(if is_cut { Fate::Cut } else { Fate::Same }),
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
            if let Some((line, taken)) = open.lines.last()
                && !open.take(line, taken, feed, &self.mapping)
            {
                return Ok(Step::Stopped);
            }
            self.known =
                core::mem::take(&mut self.known).into_iter().filter_map(|own| own.behind(&open.inodes)).collect();
            *tail = None;
            return Ok(Step::More);
        }
        match open.fate(&self.path)? {
            Fate::Same => Ok(Step::Wait),
            Fate::Cut => {
                (self.is_begun, *tail) = (false, None);
                self.known.clear();
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
mod tests;
