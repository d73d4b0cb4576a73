//! What a gateway that is announced answers to a question. Pure.

use std::net::Ipv4Addr;

use crate::offer::{Offer, OfferError, Records, TTL_S};
use crate::packet::{ANSWER_FLAGS, ANY, Data, INTERNET, IS_ANSWER, Message, POINTER, Record, TOP_BIT};

/// For how long what is answered by unicast to one who does not speak multicast DNS holds (RFC 6762, section 6.7).
const TTL_ONCE_S: u32 = 10;

/// A gateway's words, ready to be said.
#[derive(Debug, Clone)]
pub struct Announcement {
    records: Records,
}

/// To whom an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// One who asks once, from a port of its own: answered by unicast, with its number and its question (RFC 6762, section 6.7).
    Once,
    /// One who speaks multicast DNS.
    Peer,
}

impl Announcement {
    /// Of an offer, under a tag that no other gateway on the network has: a few letters and digits.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn of(offer: &Offer, tag: &str) -> Result<Self, OfferError> {
        offer.records(tag).map(|records| Self { records })
    }

    /// What is said unasked on the network where the gateway has this address: when it begins, and with `ttl_s` 0 when it ends.
    fn unasked(&self, address: Ipv4Addr, ttl_s: u32) -> Message {
        let records = [self.records.pointer(), self.records.place(), self.records.texts()];
        let answers = records.into_iter().chain(self.records.address(address));
        let answers = answers.map(|record| Record { ttl_s, ..record }).collect();
        Message { flags: ANSWER_FLAGS, answers, ..Message::default() }
    }

    /// That it is there.
    #[must_use]
    pub fn hello(&self, address: Ipv4Addr) -> Message {
        self.unasked(address, TTL_S)
    }

    /// That it is there no more (RFC 6762, section 10.1).
    #[must_use]
    pub fn goodbye(&self, address: Ipv4Addr) -> Message {
        self.unasked(address, 0)
    }

    /// The answer to a packet; `None` where it asks nothing that is answered here, or knows it already.
    #[must_use]
    pub fn answer(&self, query: &Message, asker: Asker, address: Ipv4Addr) -> Option<Message> {
        if query.flags & IS_ANSWER != 0 {
            return None;
        }
        let all = [self.records.kind(), self.records.pointer(), self.records.place(), self.records.texts()];
        let all: Vec<Record> = all.into_iter().chain(self.records.address(address)).collect();
        let is_asked = |record: &Record| {
            query.questions.iter().any(|question| {
                let class = question.class & !TOP_BIT;
                let is_kind = [record.kind, ANY].contains(&question.kind);
                is_kind && [INTERNET, ANY].contains(&class) && question.name.is(&record.name)
            })
        };
        // What holds for at least half of its time in the asker's memory is not said again (RFC 6762, section 7.1).
        let is_known = |record: &Record| {
            let same = |known: &&Record| known.name.is(&record.name) && says_the_same(&known.data, &record.data);
            query.answers.iter().find(same).is_some_and(|known| known.ttl_s >= record.ttl_s / 2)
        };
        let (answers, rest): (Vec<Record>, Vec<Record>) = all.into_iter().partition(is_asked);
        let answers: Vec<Record> = answers.into_iter().filter(|record| !is_known(record)).collect();
        // Who learns of the gateway is told all of it; who asks what kinds of services there are is not.
        let is_of_gateway = answers.iter().any(|record| !record.name.is(&self.records.kinds));
        let is_more = |record: &Record| is_of_gateway && record.kind != POINTER;
        let others = rest.into_iter().filter(is_more).collect();
        let message = Message { flags: ANSWER_FLAGS, answers, others, ..Message::default() };
        (!message.answers.is_empty()).then(|| match asker {
            Asker::Peer => message,
            Asker::Once => once(message, query),
        })
    }
}

/// An answer as one who asks once takes it.
fn once(message: Message, query: &Message) -> Message {
    let plain = |record: Record| Record { ttl_s: TTL_ONCE_S, class: record.class & !TOP_BIT, ..record };
    Message {
        id: query.id,
        questions: query.questions.clone(),
        answers: message.answers.into_iter().map(plain).collect(),
        others: message.others.into_iter().map(plain).collect(),
        ..message
    }
}

fn says_the_same(one: &Data, two: &Data) -> bool {
    match (one, two) {
        (Data::Pointer(one), Data::Pointer(two)) => one.is(two),
        _ => one == two,
    }
}
