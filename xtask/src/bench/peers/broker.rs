//! Mosquitto, which is to be installed already: MQTT 3.1.1 at QoS 1, with a subscriber that is away, so that it keeps what
//! it is sent.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Shape;
use super::bodies::Load;
use super::lanes::{Lane, Measured, free_port, measure as send};

const TOPIC: &[u8] = b"reports";
const PROGRAMS: [&str; 2] = ["mosquitto", "/usr/sbin/mosquitto"];
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

struct Broker(Child);

impl Drop for Broker {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a broker in a folder and sends it a load.
///
/// # Errors
/// Why it was left out.
pub fn measure(folder: &str, load: &Load, shape: Shape) -> Result<Measured, String> {
    let failed = |error: io::Error| error.to_string();
    let port = free_port().map_err(failed)?;
    std::fs::create_dir_all(folder).map_err(failed)?;
    // As it comes, but for bounds that would throw messages away; 0 is no bound.
    let config = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\npersistence_location {folder}/\n\
         max_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages 0\nlog_dest none\n"
    );
    let path = format!("{folder}/mosquitto.conf");
    std::fs::write(&path, config).map_err(failed)?;
    let start = |program: &&str| Command::new(program).args(["-c", &path]).stdin(Stdio::null()).spawn().ok();
    let _broker = Broker(PROGRAMS.iter().find_map(start).ok_or("it is not installed")?);
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if started.elapsed() > PATIENCE {
            return Err("it does not start".to_owned());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut keeper = Publishing::connect(port, "keeper", false).map_err(failed)?;
    keeper.subscribe().map_err(failed)?;
    drop(keeper);
    send(load, shape, |number| Publishing::connect(port, &format!("lane{number}"), true))
}

/// A connection with the broker.
struct Publishing(TcpStream);

impl Publishing {
    fn connect(port: u16, client: &str, is_clean: bool) -> io::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let flags = if is_clean { 2 } else { 0 };
        let variable = [&[0, 4][..], b"MQTT", &[4, flags, 0, 0], &text(client.as_bytes())].concat();
        stream.write_all(&packet(0x10, &variable))?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        if answer[0] == 0x20 && answer[3] == 0 { Ok(Self(stream)) } else { Err(refused(&answer)) }
    }

    fn subscribe(&mut self) -> io::Result<()> {
        let variable = [&[0, 1][..], &text(TOPIC), &[1]].concat();
        self.0.write_all(&packet(0x82, &variable))?;
        let mut answer = [0; 5];
        self.0.read_exact(&mut answer)?;
        if answer == [0x90, 3, 0, 1, 1] { Ok(()) } else { Err(refused(&answer)) }
    }
}

impl Lane for Publishing {
    fn send(&mut self, group: &[Vec<u8>]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (number, report) in (1_u16..).zip(group) {
            let variable = [&text(TOPIC)[..], &number.to_be_bytes(), report].concat();
            bytes.extend(packet(0x32, &variable));
        }
        self.0.write_all(&bytes)?;
        let mut answers = vec![0; 4 * group.len()];
        self.0.read_exact(&mut answers)?;
        match answers.chunks_exact(4).find(|answer| answer[..2] != [0x40, 2]) {
            None => Ok(()),
            Some(answer) => Err(refused(answer)),
        }
    }
}

fn refused(answer: &[u8]) -> io::Error {
    io::Error::other(format!("the broker answered {answer:02x?}"))
}

fn text(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

/// A packet: its first byte, its remaining length in groups of seven bits, and that.
fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = rest.len();
    loop {
        let low = u8::try_from(length & 127).expect("seven bits");
        length >>= 7;
        if length == 0 {
            bytes.push(low);
            break;
        }
        bytes.push(low | 128);
    }
    bytes.extend_from_slice(rest);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remaining_length_of_a_packet_is_as_mqtt_has_it() {
        for (length, head) in
            [(0, vec![0x30, 0]), (127, vec![0x30, 127]), (128, vec![0x30, 128, 1]), (16_383, vec![0x30, 255, 127])]
        {
            let packet = packet(0x30, &vec![7; length]);
            assert_eq!((&packet[..head.len()], packet.len()), (&head[..], head.len() + length));
        }
    }
}
