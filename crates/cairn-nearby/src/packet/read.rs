//! Reading a packet.

use std::net::Ipv4Addr;

use super::{
    ADDRESS, Data, Message, Name, POINTER, PacketError, QUESTIONS_MAX, Question, RECORDS_MAX, Record, SERVICE, TEXT,
};

/// The most pointers of one name. Each leads back, so that they end anyhow; nobody needs as many.
const POINTERS_MAX: usize = 32;

impl Message {
    /// Reads a packet. What is behind its last record is passed over.
    ///
    /// # Errors
    /// [`PacketError`].
    pub fn read(bytes: &[u8]) -> Result<Self, PacketError> {
        let mut reader = Reader { bytes, at: 0 };
        let (id, flags) = (reader.word()?, reader.word()?);
        let mut counts = [0usize; 4];
        for count in &mut counts {
            *count = usize::from(reader.word()?);
        }
        let [questions, answers, authorities, additional] = counts;
        let others = authorities + additional;
        if questions > QUESTIONS_MAX || answers + others > RECORDS_MAX {
            return Err(PacketError::Many);
        }
        Ok(Self {
            id,
            flags,
            questions: (0..questions).map(|_| reader.question()).collect::<Result<_, _>>()?,
            answers: (0..answers).map(|_| reader.record()).collect::<Result<_, _>>()?,
            others: (0..others).map(|_| reader.record()).collect::<Result<_, _>>()?,
        })
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], PacketError> {
        let end = self.at.checked_add(count).ok_or(PacketError::Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(PacketError::Short)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PacketError> {
        self.take(N)?.try_into().map_err(|_| PacketError::Short)
    }

    fn byte(&mut self) -> Result<u8, PacketError> {
        self.array().map(|[byte]| byte)
    }

    fn word(&mut self) -> Result<u16, PacketError> {
        self.array().map(u16::from_be_bytes)
    }

    fn question(&mut self) -> Result<Question, PacketError> {
        Ok(Question { name: self.name()?, kind: self.word()?, class: self.word()? })
    }

    fn record(&mut self) -> Result<Record, PacketError> {
        let (name, kind, class) = (self.name()?, self.word()?, self.word()?);
        let ttl_s = u32::from_be_bytes(self.array()?);
        let length = usize::from(self.word()?);
        let end = self.at + length;
        if end > self.bytes.len() {
            return Err(PacketError::Short);
        }
        // Its names may point at anything before it, but what it says of its own ends where the record does.
        let mut inside = Reader { bytes: &self.bytes[..end], at: self.at };
        let data = inside.data(kind, length)?;
        if inside.at != end {
            return Err(PacketError::Length);
        }
        self.at = end;
        Ok(Record { name, kind, class, ttl_s, data })
    }

    fn data(&mut self, kind: u16, length: usize) -> Result<Data, PacketError> {
        Ok(match kind {
            ADDRESS => Data::Address(Ipv4Addr::from(self.array::<4>()?)),
            POINTER => Data::Pointer(self.name()?),
            SERVICE => {
                Data::Service { priority: self.word()?, weight: self.word()?, port: self.word()?, target: self.name()? }
            }
            TEXT => {
                let mut strings = Vec::new();
                while self.at < self.bytes.len() {
                    let length = usize::from(self.byte()?);
                    strings.push(self.take(length)?.to_vec());
                }
                Data::Text(strings)
            }
            _ => Data::Other(self.take(length)?.to_vec()),
        })
    }

    /// A name, compressed or not (RFC 1035, section 4.1.4). A pointer leads before whatever part of the name was read last, so
    /// that no name is without end.
    fn name(&mut self) -> Result<Name, PacketError> {
        let mut name = Name::default();
        let (mut part, mut behind) = (self.at, None);
        for _ in 0..=POINTERS_MAX {
            loop {
                let length = self.byte()?;
                match length >> 6 {
                    0 if length == 0 => {
                        self.at = behind.unwrap_or(self.at);
                        return Ok(name);
                    }
                    0 => name.push(self.take(usize::from(length))?).ok_or(PacketError::Name)?,
                    3 => {
                        let to = usize::from(u16::from_be_bytes([length & 0x3f, self.byte()?]));
                        if to >= part {
                            return Err(PacketError::Name);
                        }
                        behind = behind.or(Some(self.at));
                        (self.at, part) = (to, to);
                        break;
                    }
                    _ => return Err(PacketError::Name),
                }
            }
        }
        Err(PacketError::Name)
    }
}
