//! The socket that speaks multicast DNS.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};

use crate::error::system;
use crate::{GROUP, NearbyError};

/// Packets of multicast DNS leave with this (RFC 6762, section 11), and no router passes the group on.
const TTL: u32 = 255;

/// A socket that listens at a port which others listen at, too.
pub(crate) fn shared(port: u16) -> Result<UdpSocket, NearbyError> {
    let open = || -> io::Result<UdpSocket> {
        let socket = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        // Elsewhere than on Linux the other option is what lets a port be shared.
        #[cfg(not(target_os = "linux"))]
        sockopt::set_socket_reuseport(&socket, true)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))?;
        let socket = UdpSocket::from(socket);
        socket.set_multicast_ttl_v4(TTL)?;
        Ok(socket)
    };
    open().map_err(system("listen at the port of multicast DNS"))
}

/// A socket at a port of its own, from which one asks once.
pub(crate) fn own() -> Result<UdpSocket, NearbyError> {
    let open = || -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_multicast_ttl_v4(TTL)?;
        Ok(socket)
    };
    open().map_err(system("open a socket"))
}

/// Says something to all on the network where this machine has the address.
pub(crate) fn tell_all(socket: &UdpSocket, address: Ipv4Addr, port: u16, packet: &[u8]) -> io::Result<()> {
    sockopt::set_ip_multicast_if(socket, &address)?;
    socket.send_to(packet, (GROUP, port)).map(|_| ())
}
