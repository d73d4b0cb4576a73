//! Packets of DNS (RFC 1035, section 4) as multicast DNS uses them: read within bounds, and written without compression.
//!
//! Promised: reading any bytes ends, does not panic, and takes no more memory than some times their length; what is read is
//! written as a packet that reads the same. Kinds of records that are not known here are kept as bytes.

use std::net::Ipv4Addr;

mod name;
mod read;
mod write;

pub use name::Name;

/// The most questions of a packet.
pub const QUESTIONS_MAX: usize = 32;
/// The most records of a packet, in all its sections.
pub const RECORDS_MAX: usize = 64;
/// An address: type A.
pub const ADDRESS: u16 = 1;
/// A pointer to another name: type PTR.
pub const POINTER: u16 = 12;
/// Strings: type TXT.
pub const TEXT: u16 = 16;
/// Where a service is: type SRV.
pub const SERVICE: u16 = 33;
/// Any type, in a question.
pub const ANY: u16 = 255;
/// The Internet class.
pub const INTERNET: u16 = 1;
/// The highest bit of a class: of a question, that a unicast answer will do (QU); of a record, that it is the only one of its name
/// and type (RFC 6762, sections 5.4 and 10.2).
pub const TOP_BIT: u16 = 0x8000;
/// Flags of an answer with authority (RFC 6762, section 18).
pub const ANSWER_FLAGS: u16 = 0x8400;
/// The flag that tells an answer from a query.
pub const IS_ANSWER: u16 = 0x8000;

/// A packet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Repeated by an answer to one who asked by unicast.
    pub id: u16,
    /// As they are on the wire.
    pub flags: u16,
    /// What is asked.
    pub questions: Vec<Question>,
    /// What is answered; in a query, what is known already.
    pub answers: Vec<Record>,
    /// What is told besides: the sections of authorities and of additional records.
    pub others: Vec<Record>,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Of what.
    pub name: Name,
    /// Which type.
    pub kind: u16,
    /// The class, and [`TOP_BIT`].
    pub class: u16,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose.
    pub name: Name,
    /// Its type.
    pub kind: u16,
    /// The class, and [`TOP_BIT`].
    pub class: u16,
    /// For how long it holds, seconds; 0 takes it back.
    pub ttl_s: u32,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// [`ADDRESS`].
    Address(Ipv4Addr),
    /// [`POINTER`].
    Pointer(Name),
    /// [`SERVICE`].
    Service {
        /// Who is asked first.
        priority: u16,
        /// Of those with the same priority.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        target: Name,
    },
    /// [`TEXT`]: strings of up to 255 bytes.
    Text(Vec<Vec<u8>>),
    /// Any other type, as it stands in the packet.
    Other(Vec<u8>),
}

/// Why bytes are no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// It ends too early.
    #[error("it is cut short")]
    Short,
    /// It says that it has more questions or records than are read.
    #[error("it has more than {QUESTIONS_MAX} questions or {RECORDS_MAX} records")]
    Many,
    /// A name is longer than 255 bytes, points ahead or in a circle, or has a label of a kind that is none.
    #[error("a name in it is none")]
    Name,
    /// What a record says is not as long as the record says.
    #[error("a record is not as long as it says")]
    Length,
}
