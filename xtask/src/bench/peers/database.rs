//! PostgreSQL, which is to be installed already: rows inserted by a prepared statement over a pool of connections, a commit
//! for each group, with the settings that it comes with.

use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use super::Shape;
use super::bodies::Load;
use super::lanes::{Lane, Measured, free_port, measure as send};

/// A database cluster at work; ended when dropped.
struct Cluster {
    folder: String,
    programs: String,
}

/// PostgreSQL refuses to run for root.
fn program(path: &str) -> Command {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|said| said.stdout.starts_with(b"0\n"));
    let mut command = if is_root { Command::new("runuser") } else { Command::new(path) };
    if is_root {
        command.args(["-u", "postgres", "--", path]);
    }
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn works(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Self { folder, programs } = self;
        works(program(&format!("{programs}/pg_ctl")).args(["-D", folder, "-m", "immediate", "-w", "stop"]));
    }
}

/// Runs a cluster in a folder and sends it a load.
///
/// # Errors
/// Why it was left out.
pub fn measure(folder: &str, load: &Load, shape: Shape) -> Result<Measured, String> {
    let failed = |error: io::Error| error.to_string();
    let said = Command::new("pg_config").arg("--bindir").output().map_err(|_| "it is not installed".to_owned())?;
    let programs = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    let port = free_port().map_err(failed)?;
    std::fs::create_dir_all(folder).map_err(failed)?;
    // Nobody else's on a machine where this is not root.
    works(Command::new("chown").args(["postgres", folder]).stderr(Stdio::null()));
    let make = ["-D", folder, "-U", "bench", "--auth", "trust"];
    if !works(program(&format!("{programs}/initdb")).args(make)) {
        return Err("initdb failed".to_owned());
    }
    let options = format!("-p {port} -h 127.0.0.1 -k {folder}");
    let log = format!("{folder}/log");
    let start = ["-D", folder, "-l", &log, "-o", &options, "-w", "start"];
    let is_up = works(program(&format!("{programs}/pg_ctl")).args(start));
    let _cluster = Cluster { folder: folder.to_owned(), programs };
    if !is_up {
        return Err("it does not start".to_owned());
    }
    let mut first = Session::connect(port).map_err(failed)?;
    first.ask("CREATE TABLE reports (id bigserial PRIMARY KEY, body bytea NOT NULL)").map_err(failed)?;
    let measured = send(load, shape, |_| Inserting::prepare(Session::connect(port)?));
    let rows = first.ask("SELECT count(*) FROM reports").map_err(failed)?;
    let expected = load.reports.len().to_string();
    if measured.is_ok() && !rows.windows(expected.len()).any(|window| window == expected.as_bytes()) {
        return Err("not every row is there".to_owned());
    }
    measured
}

/// A session over protocol 3.
struct Session {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Session {
    fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let mut session = Self { reader: BufReader::with_capacity(1 << 16, stream.try_clone()?), stream };
        let parameters = b"\x00\x03\x00\x00user\0bench\0database\0postgres\0\0";
        session.stream.write_all(&[&length_of(parameters)[..], parameters].concat())?;
        session.until_ready()?;
        Ok(session)
    }

    /// Runs a statement; the bytes of the rows that it gave.
    fn ask(&mut self, sql: &str) -> io::Result<Vec<u8>> {
        self.stream.write_all(&message(b'Q', &[sql.as_bytes(), b"\0"].concat()))?;
        Ok(self.until_ready()?.1)
    }

    /// Statements done, and the bytes of rows, until the server waits for more.
    fn until_ready(&mut self) -> io::Result<(usize, Vec<u8>)> {
        let (mut done, mut rows, mut error) = (0, Vec::new(), None);
        loop {
            let mut head = [0; 5];
            self.reader.read_exact(&mut head)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]).saturating_sub(4);
            let mut rest = vec![0; length as usize];
            self.reader.read_exact(&mut rest)?;
            match head[0] {
                b'C' => done += 1,
                b'D' => rows.extend(rest),
                b'E' => error = Some(String::from_utf8_lossy(&rest).replace('\0', " ")),
                b'Z' => return error.map_or(Ok((done, rows)), |error| Err(io::Error::other(error))),
                _ => {}
            }
        }
    }
}

/// A session with the statement prepared.
struct Inserting(Session);

impl Inserting {
    fn prepare(mut session: Session) -> io::Result<Self> {
        let parse = message(b'P', b"i\0INSERT INTO reports (body) VALUES ($1)\0\0\0");
        session.stream.write_all(&[parse, message(b'S', &[])].concat())?;
        session.until_ready()?;
        Ok(Self(session))
    }
}

impl Lane for Inserting {
    fn send(&mut self, group: &[Vec<u8>]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for report in group {
            // One parameter in binary form, no results.
            let value =
                [&b"\0i\0\0\x01\0\x01\0\x01"[..], &u32::try_from(report.len()).unwrap_or(0).to_be_bytes(), report];
            bytes.extend(message(b'B', &[&value.concat()[..], &[0, 0]].concat()));
            bytes.extend(message(b'E', b"\0\0\0\0\0"));
        }
        // What stands before one Sync is one transaction.
        bytes.extend(message(b'S', &[]));
        self.0.stream.write_all(&bytes)?;
        let (done, _) = self.0.until_ready()?;
        if done == group.len() { Ok(()) } else { Err(io::Error::other(format!("{done} of {} rows", group.len()))) }
    }
}

fn length_of(rest: &[u8]) -> [u8; 4] {
    u32::try_from(rest.len() + 4).unwrap_or(u32::MAX).to_be_bytes()
}

fn message(kind: u8, rest: &[u8]) -> Vec<u8> {
    [&[kind][..], &length_of(rest), rest].concat()
}
