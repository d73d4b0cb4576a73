//! Lines on standard input, and how a stream of bytes becomes lines at all.

use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::feed::{About, Feed, UNREAD};
use crate::map::Mapping;
use crate::{Ended, Raw, Source, SourceTrouble, Stop};

/// The most bytes of a line; longer ones are passed over, whatever they say.
pub const LINE_BYTES_MAX: usize = 8_192;

/// How often a source that waits for bytes looks whether it should stop.
const LOOK: Duration = Duration::from_millis(250);

/// Bytes as they come, cut into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    held: Vec<u8>,
    /// Bytes of a line that is too long, which are gone.
    skipped: u64,
}

/// One line, without what ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    TooLong,
}

impl Lines {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next line that is complete, and how many bytes it took, its end included.
    pub(super) fn next(&mut self) -> Option<(Line, u64)> {
        let Some(end) = self.held.iter().position(|byte| *byte == b'\n') else {
            if self.held.len() > LINE_BYTES_MAX {
                self.skipped += self.held.len() as u64;
                self.held.clear();
            }
            return None;
        };
        let bytes: Vec<u8> = self.held.drain(..=end).collect();
        Some(self.line(&bytes[..end], bytes.len()))
    }

    /// What stands behind the last line's end, when nothing follows it.
    pub(super) fn last(&mut self) -> Option<(Line, u64)> {
        let bytes = core::mem::take(&mut self.held);
        (self.skipped > 0 || !bytes.is_empty()).then(|| self.line(&bytes, bytes.len()))
    }

    fn line(&mut self, bytes: &[u8], taken: usize) -> (Line, u64) {
        let skipped = core::mem::take(&mut self.skipped);
        let is_too_long = skipped > 0 || bytes.len() > LINE_BYTES_MAX;
        let line =
            if is_too_long { Line::TooLong } else { Line::Whole(bytes.strip_suffix(b"\r").unwrap_or(bytes).to_vec()) };
        (line, skipped + taken as u64)
    }
}

/// What came of waiting for bytes.
pub(super) enum Came {
    Bytes(usize),
    End,
    Nothing,
}

/// Waits a moment for bytes, and reads them.
pub(super) fn read_some(fd: impl AsFd, buffer: &mut [u8]) -> rustix::io::Result<Came> {
    let timeout = Timespec { tv_sec: 0, tv_nsec: LOOK.subsec_nanos().into() };
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    match poll(&mut fds, Some(&timeout)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(Came::Nothing),
        Ok(_) => {}
        Err(error) => return Err(error),
    }
    match rustix::io::read(&fd, buffer) {
        Ok(0) => Ok(Came::End),
        Ok(bytes) => Ok(Came::Bytes(bytes)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(Came::Nothing),
        Err(error) => Err(error),
    }
}

/// Hands on every line that is complete. Answers `false` when it was asked to stop.
pub(super) fn take_lines(lines: &mut Lines, feed: &mut Feed<'_>, mapping: &Mapping) -> bool {
    while let Some((line, _)) = lines.next() {
        if !take_line(line, feed, mapping, None) || feed.is_stopped() {
            return false;
        }
    }
    true
}

pub(super) fn take_line(line: Line, feed: &mut Feed<'_>, mapping: &Mapping, mark: Option<Vec<u8>>) -> bool {
    match line {
        Line::Whole(line) => feed.take(mapping, &line, mark),
        Line::TooLong => {
            feed.fails(About::Payload, "EDGE-PAYLOAD", format!("a line has more than {LINE_BYTES_MAX} bytes"));
            true
        }
    }
}

/// Lines from a descriptor that is open already: standard input. It ends with its input.
pub struct LineSource<F> {
    name: String,
    fd: F,
    mapping: Mapping,
}

impl<F: AsFd + Send> LineSource<F> {
    /// Lines of `fd`, read by `mapping`.
    pub fn of(name: &str, fd: F, mapping: Mapping) -> Self {
        Self { name: name.to_owned(), fd, mapping }
    }
}

impl<F: AsFd + Send> Source for LineSource<F> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn run(self: Box<Self>, out: &dyn Fn(Raw) -> bool, trouble: &dyn Fn(SourceTrouble), stop: &Stop) -> Ended {
        let mut feed = Feed::new(out, trouble, stop);
        let mut lines = Lines::default();
        let mut buffer = [0; 4_096];
        while !stop.is_set() {
            match read_some(&self.fd, &mut buffer) {
                Ok(Came::Bytes(bytes)) => lines.push(&buffer[..bytes]),
                Ok(Came::Nothing) => continue,
                Ok(Came::End) => {
                    if let Some((line, _)) = lines.last() {
                        take_line(line, &mut feed, &self.mapping, None);
                    }
                    return Ended::Exhausted;
                }
                Err(error) => {
                    let detail = format!("cannot read: {error}");
                    return Ended::Failed(SourceTrouble { code: UNREAD, detail, is_over: false });
                }
            }
            if !take_lines(&mut lines, &mut feed, &self.mapping) {
                break;
            }
        }
        Ended::Stopped
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{collect, number};
    use super::*;

    fn lines_of(chunks: &[&[u8]]) -> (Vec<Line>, u64) {
        let (mut lines, mut found, mut taken) = (Lines::default(), Vec::new(), 0);
        for chunk in chunks {
            lines.push(chunk);
            while let Some((line, bytes)) = lines.next() {
                found.push(line);
                taken += bytes;
            }
        }
        if let Some((line, bytes)) = lines.last() {
            found.push(line);
            taken += bytes;
        }
        (found, taken)
    }

    #[test]
    fn lines_that_are_too_long_are_passed_over_whole() {
        let long = vec![b'x'; 3 * LINE_BYTES_MAX];
        let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
        let (found, taken) = lines_of(&[b"a\r\n", &long, &long, b"\nb\n", &long[..LINE_BYTES_MAX], b"\nc"]);
        assert_eq!(found[..3], [whole("a"), Line::TooLong, whole("b")]);
        assert_eq!(found[4], whole("c"));
        assert_eq!(taken, 3 + 6 * LINE_BYTES_MAX as u64 + 3 + LINE_BYTES_MAX as u64 + 2);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_their_bytes_come(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..400),
            cuts in proptest::collection::vec(1usize..50, 1..40),
        ) {
            let mut chunks = Vec::new();
            let (mut rest, mut cuts) = (bytes.as_slice(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (chunk, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                chunks.push(chunk);
                rest = behind;
            }
            let (found, taken) = lines_of(&chunks);
            prop_assert_eq!(taken, bytes.len() as u64);
            prop_assert_eq!(found, lines_of(&[&bytes]).0);
        }
    }

    #[test]
    fn lines_of_a_pipe_are_read_to_its_end() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let source = Box::new(LineSource::of("stdin", reader, number("co2")));
        std::io::Write::write_all(&mut writer, b"415\nno number\n\n416\n417").unwrap();
        drop(writer);
        let (found, ended) = collect(source, &Stop::default(), |_| ());
        assert_eq!(ended, Ended::Exhausted);
        assert_eq!(found.values(), [415, 416, 417]);
        assert_eq!(found.troubles(), [("EDGE-NUMBER", false), ("EDGE-NUMBER", true)]);
    }

    #[test]
    fn a_pipe_that_says_nothing_is_left_when_asked_to() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let stop = Stop::default();
        stop.set();
        let (_, ended) = collect(Box::new(LineSource::of("stdin", reader, number("co2"))), &stop, |_| ());
        assert_eq!(ended, Ended::Stopped);
    }
}
