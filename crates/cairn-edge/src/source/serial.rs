//! A serial line: lines from a device on a UART or a USB adapter.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{ControlModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde::Deserialize;

use super::feed::{About, Backoff, Feed, UNREAD};
use super::lines::{Came, Lines, read_some, take_lines};
use crate::map::Mapping;
use crate::{Ended, Raw, Source, SourceTrouble, Stop};

/// Which bit is added so that bytes can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parity {
    /// None.
    #[default]
    None,
    /// Even.
    Even,
    /// Odd.
    Odd,
}

/// How a serial line is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineSettings {
    /// Bits per second, such as 9,600.
    pub baud: u32,
    /// 7 or 8.
    pub data_bits: u8,
    /// See [`Parity`].
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

impl Default for LineSettings {
    /// 9600 8N1.
    fn default() -> Self {
        Self { baud: 9_600, data_bits: 8, parity: Parity::None, stop_bits: 1 }
    }
}

impl LineSettings {
    /// Raw bytes, no flow control, no modem lines.
    fn set(self, termios: &mut Termios) -> rustix::io::Result<()> {
        termios.make_raw();
        let modes = &mut termios.control_modes;
        let all = ControlModes::CSIZE | ControlModes::PARENB | ControlModes::PARODD | ControlModes::CSTOPB;
        modes.remove(all | ControlModes::CRTSCTS);
        modes.insert(ControlModes::CREAD | ControlModes::CLOCAL);
        modes.insert(if self.data_bits == 7 { ControlModes::CS7 } else { ControlModes::CS8 });
        match self.parity {
            Parity::None => {}
            Parity::Even => modes.insert(ControlModes::PARENB),
            Parity::Odd => modes.insert(ControlModes::PARENB | ControlModes::PARODD),
        }
        if self.stop_bits == 2 {
            modes.insert(ControlModes::CSTOPB);
        }
        termios.set_speed(self.baud)
    }
}

/// Lines from a serial device. One that is pulled out is waited for.
pub struct SerialSource {
    path: PathBuf,
    settings: LineSettings,
    mapping: Mapping,
    patience: Duration,
}

impl SerialSource {
    /// Reads lines of `path` by `mapping`; a device that is not there is looked for at least every `patience`.
    #[must_use]
    pub fn of(path: &Path, settings: LineSettings, mapping: Mapping, patience: Duration) -> Self {
        Self { path: path.to_owned(), settings, mapping, patience }
    }

    fn open(&self) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let device = rustix::fs::open(&self.path, flags, Mode::empty())?;
        let mut termios = tcgetattr(&device)?;
        self.settings.set(&mut termios)?;
        tcsetattr(&device, OptionalActions::Now, &termios)?;
        Ok(device)
    }

    /// Reads until the device is gone, or it is asked to stop.
    fn read(&self, device: &OwnedFd, feed: &mut Feed<'_>) -> rustix::io::Result<()> {
        // The first line may have begun before anybody listened.
        let mut is_first = true;
        let mut lines = Lines::default();
        let mut buffer = [0; 4_096];
        while !feed.is_stopped() {
            match read_some(device, &mut buffer)? {
                Came::Bytes(bytes) => lines.push(&buffer[..bytes]),
                Came::Nothing => continue,
                Came::End => return Err(Errno::NODEV),
            }
            if is_first {
                is_first = lines.next().is_none();
            }
            if !is_first && !take_lines(&mut lines, feed, &self.mapping) {
                break;
            }
        }
        Ok(())
    }
}

impl Source for SerialSource {
    fn name(&self) -> String {
        format!("serial {}", self.path.display())
    }

    fn run(self: Box<Self>, out: &dyn Fn(Raw) -> bool, trouble: &dyn Fn(SourceTrouble), stop: &Stop) -> Ended {
        let mut feed = Feed::new(out, trouble, stop);
        let mut backoff = Backoff::up_to(self.patience);
        while !stop.is_set() {
            let failed = self.open().and_then(|device| {
                feed.works(About::Way);
                backoff.reset();
                self.read(&device, &mut feed)
            });
            if let Err(error) = failed {
                let hint = match error {
                    Errno::ACCESS => "; its group is often `dialout`: add the user of this service to it",
                    Errno::NOTTY => "; it is no serial device",
                    _ => "",
                };
                feed.fails(About::Way, UNREAD, format!("{}: {error}{hint}", self.path.display()));
                let _ = stop.wait(backoff.next());
            }
        }
        Ended::Stopped
    }
}

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::super::tests::{collect, number};
    use super::*;

    fn pair() -> (OwnedFd, PathBuf) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        (master, PathBuf::from(name.to_str().unwrap()))
    }

    fn write(master: &OwnedFd, text: &str) {
        assert_eq!(rustix::io::write(master, text.as_bytes()).unwrap(), text.len());
    }

    #[test]
    fn lines_of_a_serial_device_are_read_as_its_settings_say() {
        let (master, path) = pair();
        let settings = LineSettings { baud: 115_200, ..LineSettings::default() };
        let source = SerialSource::of(&path, settings, number("co2"), Duration::from_secs(1));
        // Held open, so that what is written before anybody reads is not lost.
        let held = source.open().unwrap();
        write(&master, "9\r\n415\r\n\r\nno number\r\n416\r\n41");
        let stop = Stop::default();
        let (found, ended) = collect(Box::new(source), &stop, |count| match count {
            2 => write(&master, "7\n"),
            3 => stop.set(),
            _ => {}
        });
        assert_eq!((found.values(), ended), (vec![415, 416, 417], Ended::Stopped));
        let termios = tcgetattr(&held).unwrap();
        assert_eq!((termios.input_speed(), termios.output_speed()), (115_200, 115_200));
        assert!(!termios.local_modes.contains(rustix::termios::LocalModes::ECHO));
    }

    #[test]
    fn settings_are_the_bits_of_the_line() {
        let (_master, path) = pair();
        let device = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let mut termios = tcgetattr(&device).unwrap();
        let cases = [
            (8, Parity::None, 1, ControlModes::CS8),
            (7, Parity::Even, 1, ControlModes::CS7 | ControlModes::PARENB),
            (8, Parity::Odd, 2, ControlModes::CS8 | ControlModes::PARENB | ControlModes::PARODD | ControlModes::CSTOPB),
        ];
        let all = ControlModes::CSIZE | ControlModes::PARENB | ControlModes::PARODD | ControlModes::CSTOPB;
        for (data_bits, parity, stop_bits, expected) in cases {
            LineSettings { baud: 2_400, data_bits, parity, stop_bits }.set(&mut termios).unwrap();
            assert_eq!(termios.control_modes & all, expected);
            assert_eq!(termios.input_speed(), 2_400);
        }
    }

    #[test]
    fn a_device_that_is_pulled_out_is_waited_for() {
        let stop = Stop::default();
        let absent = tempfile::tempdir().unwrap().path().join("ttyUSB0");
        let source = SerialSource::of(&absent, LineSettings::default(), number("co2"), Duration::from_secs(1));
        let said = std::cell::Cell::new(0);
        let ended = Box::new(source).run(
            &|_| true,
            &|trouble| {
                assert_eq!((trouble.code, trouble.is_over), (UNREAD, false));
                said.set(said.get() + 1);
                stop.set();
            },
            &stop,
        );
        assert_eq!((ended, said.get()), (Ended::Stopped, 1));
    }
}
