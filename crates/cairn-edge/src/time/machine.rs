//! The machine as it is: its clocks, its files, and the network.

use std::fs;
use std::io;
use std::net::{ToSocketAddrs, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ureq::Agent;
use ureq::http::header::{AGE, DATE};

use super::sntp::{self, NotBelieved};
use super::{AskError, Sample, Ticks, World, gateway, rtc, system};
use crate::asking::asking_seldom;

/// The port of NTP.
const PORT: u16 = 123;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of an answer that are looked at; extensions behind the header are not.
const ANSWER_BYTES_MAX: usize = 512;

/// The real world.
pub struct Machine {
    root: PathBuf,
    start: [i64; 3],
    agent: Agent,
}

impl Default for Machine {
    fn default() -> Self {
        Self::below(Path::new("/"))
    }
}

impl Machine {
    /// A machine whose system's files are below `root`.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned(), start: unset(), agent: asking_seldom(TIMEOUT) }
    }

    /// The clocks that nobody sets, since this start.
    fn since_start(&self) -> [i64; 3] {
        let now = unset();
        core::array::from_fn(|n| now[n] - self.start[n])
    }

    fn ask(&self, server: &str) -> io::Result<Result<Sample, NotBelieved>> {
        let address = resolve(server)?;
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        // From others nothing is heard.
        socket.connect(address)?;
        let number = self.random();
        let (asked, started) = (self.ticks(), Instant::now());
        socket.send(&sntp::request(number))?;
        let mut answer = [0; ANSWER_BYTES_MAX];
        loop {
            let left = TIMEOUT.checked_sub(started.elapsed()).filter(|left| !left.is_zero());
            socket.set_read_timeout(Some(left.ok_or(io::ErrorKind::TimedOut)?))?;
            let length = match socket.recv(&mut answer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let came = self.ticks();
            match sntp::read(&answer[..length], number) {
                Err(NotBelieved::NotAsked) => {}
                Err(other) => return Ok(Err(other)),
                Ok(answer) => {
                    let offset = answer.offset(asked.boot_us - asked.took_us, came.boot_us + came.took_us);
                    return Ok(offset.map(|offset| Sample::told(offset, &asked, came)));
                }
            }
        }
    }
}

/// `host`, `host:port` or `[address]:port`.
fn resolve(server: &str) -> io::Result<std::net::SocketAddr> {
    let bare = server.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(server);
    let has_port = server.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')))
    });
    let mut found = if has_port { server.to_socket_addrs()? } else { (bare, PORT).to_socket_addrs()? };
    found.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it has no address"))
}

/// The clock that counts sleep, the one that does not, and the one that is not slewed either, µs since some moment each.
#[cfg(target_os = "linux")]
fn unset() -> [i64; 3] {
    use rustix::time::{ClockId, Timespec, clock_gettime};
    let us = |time: Timespec| time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1_000);
    [ClockId::Boottime, ClockId::Monotonic, ClockId::MonotonicRaw].map(|clock| us(clock_gettime(clock)))
}

/// Elsewhere there is one clock for all: sleep is then seen by the step of the system's clock alone.
#[cfg(not(target_os = "linux"))]
fn unset() -> [i64; 3] {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let us = i64::try_from(START.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(i64::MAX);
    [us; 3]
}

fn since_1970_us(time: SystemTime) -> Option<i64> {
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()
}

impl World for Machine {
    fn ticks(&self) -> Ticks {
        let [boot_us, awake_us, raw_us] = self.since_start();
        let wall_us = since_1970_us(SystemTime::now());
        let took_us = self.since_start()[0] - boot_us;
        Ticks { boot_us, awake_us, raw_us, wall_us, took_us }
    }

    fn ntp(&self, server: &str) -> Result<Sample, AskError> {
        match self.ask(server) {
            Ok(Ok(sample)) => Ok(sample),
            Ok(Err(NotBelieved::Denied)) => Err(AskError::Denied),
            Ok(Err(NotBelieved::TooOften)) => Err(AskError::TooOften),
            Ok(Err(NotBelieved::Wrong(why))) => Err(AskError::Failed(why.to_owned())),
            Ok(Err(NotBelieved::NotAsked)) => Err(AskError::Failed("it does not answer".to_owned())),
            Err(error) => Err(AskError::Failed(match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it does not answer".to_owned(),
                _ => error.to_string(),
            })),
        }
    }

    fn gateway(&self, url: &str) -> Result<Sample, AskError> {
        let failed = |why: String| AskError::Failed(why);
        let url = format!("{}/health", url.trim_end_matches('/'));
        let asked = self.ticks();
        let response = self.agent.get(&url).header("cache-control", "no-cache").call();
        let response = response.map_err(|error| failed(error.to_string()))?;
        let came = self.ticks();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let date = header(DATE).ok_or_else(|| failed("it does not say the time".to_owned()))?;
        let offset = gateway::offset(date, header(AGE), asked.boot_us - asked.took_us, came.boot_us + came.took_us);
        Ok(Sample::told(offset.map_err(failed)?, &asked, came))
    }

    fn synchronised(&self) -> Option<Sample> {
        let marked = fs::metadata(self.root.join(system::MARK)).ok()?.modified().ok()?;
        system::sample(since_1970_us(marked)?, self.ticks())
    }

    fn rtc_s(&self) -> Option<i64> {
        fs::read_to_string(self.root.join(rtc::FILE)).ok()?.trim().parse().ok()
    }

    fn random(&self) -> u64 {
        let mut random = [0; 8];
        // Without randomness it is a time that nobody sees: an answer is then easier to guess, and outvoted as any other.
        if getrandom::fill(&mut random).is_err() {
            return u64::try_from(self.ticks().raw_us).unwrap_or(0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        u64::from_be_bytes(random)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::super::sntp::PACKET_BYTES;
    use super::*;

    fn now_us() -> i64 {
        since_1970_us(SystemTime::now()).unwrap()
    }

    /// Answers one request with what is made of it, on loopback.
    fn server(answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> (String, thread::JoinHandle<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let serve = move || {
            let mut request = [0; 512];
            let (length, from) = socket.recv_from(&mut request).unwrap();
            for answer in answers(&request[..length]) {
                socket.send_to(&answer, from).unwrap();
            }
        };
        (address, thread::spawn(serve))
    }

    #[test]
    fn a_server_is_asked_and_what_nobody_asked_for_is_passed_over() {
        let (address, serving) = server(|request| {
            assert_eq!((request.len(), request[0], &request[1..40]), (PACKET_BYTES, 0x23, &[0; 39][..]));
            let good = sntp::tests::answer(request, now_us());
            let mut forged = good;
            forged[30] ^= 1;
            vec![b"short".to_vec(), forged.to_vec(), good.to_vec()]
        });
        let machine = Machine::default();
        let sample = machine.ntp(&address).unwrap();
        serving.join().unwrap();
        let ticks = machine.ticks();
        let found = sample.aged(&ticks).widened(10_000);
        let expected = now_us() - ticks.boot_us;
        assert!(found.lo_us() <= expected && expected <= found.hi_us(), "{found:?} {expected}");
    }

    #[test]
    fn who_denies_is_heard() {
        let (address, serving) = server(|request| {
            let mut kiss = sntp::tests::answer(request, now_us());
            kiss[1] = 0;
            kiss[12..16].copy_from_slice(b"DENY");
            vec![kiss.to_vec()]
        });
        assert_eq!(Machine::default().ntp(&address), Err(AskError::Denied));
        serving.join().unwrap();
    }

    #[test]
    fn a_server_is_a_host_with_or_without_a_port() {
        for (text, expected) in [
            ("127.0.0.1", "127.0.0.1:123"),
            ("127.0.0.1:4", "127.0.0.1:4"),
            ("[::1]:4", "[::1]:4"),
            ("[::1]", "[::1]:123"),
            ("::1", "[::1]:123"),
        ] {
            assert_eq!(resolve(text).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn a_gateway_tells_the_time_with_any_answer() {
        for (head, is_told) in [
            ("HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 06:50:00 GMT\r\n", true),
            ("HTTP/1.1 503 Busy\r\nDate: Sat, 21 Nov 2026 06:50:00 GMT\r\n", true),
            ("HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 06:50:00 GMT\r\nAge: 7\r\n", false),
            ("HTTP/1.1 200 OK\r\n", false),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            let serving = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                    request.push(byte[0]);
                }
                write!(stream, "{head}content-length: 0\r\nconnection: close\r\n\r\n").unwrap();
                String::from_utf8(request).unwrap()
            });
            let told = Machine::default().gateway(&url);
            assert_eq!(told.is_ok(), is_told, "{head}: {told:?}");
            assert!(serving.join().unwrap().starts_with("GET /health HTTP/1.1\r\n"));
        }
    }

    #[test]
    fn the_systems_files_are_read_where_they_are() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::below(root.path());
        assert_eq!((machine.synchronised(), machine.rtc_s()), (None, None));
        for (file, content) in [(system::MARK, ""), (rtc::FILE, "1790000000\n")] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        assert_eq!(machine.rtc_s(), Some(1_790_000_000));
        assert!(machine.synchronised().is_some());
        let (first, second) = (machine.ticks(), machine.ticks());
        assert!(first.boot_us <= second.boot_us && first.raw_us <= second.raw_us && second.took_us >= 0);
    }
}
