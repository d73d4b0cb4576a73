//! Looking for gateways.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::error::system;
use crate::interface::{self, Network};
use crate::packet::{IS_ANSWER, Message};
use crate::{Found, NearbyError, PACKET_BYTES_MAX, Place, found, query, socket};

/// The most gateways that are told of; a stranger may make up any number.
const FOUND_MAX: usize = 32;
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What was heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// Gateways, by name, id and address.
    pub gateways: Vec<Found>,
    /// How many more were said to be there than are told of; repetitions count.
    pub left_out: u64,
}

/// Asks for gateways and listens for as long as is said. `heard` is told of each the first time.
///
/// # Errors
/// [`NearbyError`] where there is no network to ask on, or the system does not let it be asked.
pub fn look(place: &Place, how_long: Duration, mut heard: impl FnMut(&Found)) -> Result<Heard, NearbyError> {
    let networks = interface::networks(place)?;
    if networks.is_empty() {
        return Err(NearbyError::NoInterface);
    }
    let socket = socket::own()?;
    let mut number = [0; 2];
    getrandom::fill(&mut number)
        .map_err(|error| system("make a random number")(std::io::Error::other(error.to_string())))?;
    let id = u16::from_be_bytes(number);
    let (until, mut ask_at) = (Instant::now() + how_long, Instant::now());
    let mut all = Heard::default();
    let mut buffer = vec![0; PACKET_BYTES_MAX];
    loop {
        let now = Instant::now();
        if now >= until {
            break;
        }
        if now >= ask_at {
            ask(&socket, &networks, place.port, id)?;
            ask_at = now + ASK_EVERY;
        }
        let wait = ask_at.min(until).saturating_duration_since(now).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(wait)).map_err(system("wait for answers"))?;
        match socket.recv_from(&mut buffer) {
            Ok((length, from)) => all.take(&buffer[..length], from, id, &networks, &mut heard),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(error) => return Err(system("hear answers")(error)),
        }
    }
    all.gateways.sort();
    Ok(all)
}

/// Asks on every network; it is enough when one of them lets us.
fn ask(socket: &UdpSocket, networks: &[Network], port: u16, id: u16) -> Result<(), NearbyError> {
    let packet = query(id).write();
    let mut failed = None;
    let mut is_asked = false;
    for network in networks {
        match socket::tell_all(socket, network.address, port, &packet) {
            Ok(()) => is_asked = true,
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    match failed {
        Some(error) if !is_asked => Err(system("ask on any network")(error)),
        _ => Ok(()),
    }
}

impl Heard {
    /// Takes what a packet tells, if it answers what was asked and came from a network of this machine.
    pub(crate) fn take(
        &mut self,
        packet: &[u8],
        from: SocketAddr,
        id: u16,
        networks: &[Network],
        heard: &mut impl FnMut(&Found),
    ) {
        let SocketAddr::V4(from) = from else { return };
        let is_near = |address| interface::of(networks, address).is_some();
        let Ok(message) = Message::read(packet) else { return };
        if message.id != id || message.flags & IS_ANSWER == 0 || !is_near(*from.ip()) {
            return;
        }
        for one in found(&message, *from.ip(), is_near) {
            let is_known =
                self.gateways.iter().any(|known| (&known.url, &known.network_id) == (&one.url, &one.network_id));
            if is_known {
                continue;
            }
            if self.gateways.len() >= FOUND_MAX {
                self.left_out += 1;
                continue;
            }
            heard(&one);
            self.gateways.push(one);
        }
    }
}
