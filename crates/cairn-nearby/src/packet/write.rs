//! Writing a packet, without compression: what is announced fits a packet anyhow.

use super::{Data, Message, Name, Record};

impl Message {
    /// The packet's bytes.
    ///
    /// # Panics
    /// When it has more than 65,535 questions or records in a section, or a string of more than 255 bytes: what was read has not.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        for word in [self.id, self.flags] {
            out.extend(word.to_be_bytes());
        }
        for count in [self.questions.len(), self.answers.len(), 0, self.others.len()] {
            out.extend(length_of(count).to_be_bytes());
        }
        for question in &self.questions {
            put_name(&mut out, &question.name);
            out.extend(question.kind.to_be_bytes());
            out.extend(question.class.to_be_bytes());
        }
        for record in self.answers.iter().chain(&self.others) {
            put_record(&mut out, record);
        }
        out
    }
}

fn length_of(count: usize) -> u16 {
    u16::try_from(count).expect("what is written was read, or made here, and is short")
}

fn put_name(out: &mut Vec<u8>, name: &Name) {
    for label in name.labels() {
        put_string(out, label);
    }
    out.push(0);
}

fn put_string(out: &mut Vec<u8>, string: &[u8]) {
    out.push(u8::try_from(string.len()).expect("a label or string was read with a length of one byte, or made here"));
    out.extend(string);
}

fn put_record(out: &mut Vec<u8>, record: &Record) {
    put_name(out, &record.name);
    out.extend(record.kind.to_be_bytes());
    out.extend(record.class.to_be_bytes());
    out.extend(record.ttl_s.to_be_bytes());
    let mut data = Vec::new();
    match &record.data {
        Data::Address(address) => data.extend(address.octets()),
        Data::Pointer(name) => put_name(&mut data, name),
        Data::Service { priority, weight, port, target } => {
            for word in [priority, weight, port] {
                data.extend(word.to_be_bytes());
            }
            put_name(&mut data, target);
        }
        Data::Text(strings) => strings.iter().for_each(|string| put_string(&mut data, string)),
        Data::Other(bytes) => data.extend(bytes),
    }
    out.extend(length_of(data.len()).to_be_bytes());
    out.extend(data);
}
