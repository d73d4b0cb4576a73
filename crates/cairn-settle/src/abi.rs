//! The contract ABI's encoding of the arguments that our contracts take: words, bytes, and lists of words or rows.
//!
//! It encodes what it is given under the signature it is given; that the signature exists is held by a test over the
//! committed ABI. Structs whose members are all words are written as their words. It does not decode.

use cairn_core::keccak256;

use crate::{EvmAddress, Word};

/// One argument.
enum Part {
    /// In place.
    Word(Word),
    /// After all that is in place: a length, and the bytes, which are padded with zeros.
    Tail(usize, Vec<u8>),
}

/// Arguments in the order of a signature.
#[derive(Default)]
pub struct Arguments(Vec<Part>);

/// A number as a word.
#[must_use]
pub fn uint_word(value: impl Into<u128>) -> Word {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&value.into().to_be_bytes());
    word
}

/// An address as a word: zeros on the left.
#[must_use]
pub fn address_word(address: EvmAddress) -> Word {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&address);
    word
}

/// The first four bytes of a call: of keccak256 over the signature without spaces, structs as tuples.
#[must_use]
pub fn selector(signature: &str) -> [u8; 4] {
    let [a, b, c, d, ..] = keccak256(signature.as_bytes());
    [a, b, c, d]
}

impl Arguments {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A word as it is: `bytes32`.
    #[must_use]
    pub fn word(mut self, word: Word) -> Self {
        self.0.push(Part::Word(word));
        self
    }

    /// Words in place: a struct of them.
    #[must_use]
    pub fn fields(mut self, words: &[Word]) -> Self {
        self.0.extend(words.iter().copied().map(Part::Word));
        self
    }

    /// Any `uint` of up to 128 bits.
    #[must_use]
    pub fn uint(self, value: impl Into<u128>) -> Self {
        self.word(uint_word(value))
    }

    /// An `address`.
    #[must_use]
    pub fn address(self, address: EvmAddress) -> Self {
        self.word(address_word(address))
    }

    /// `bytes` or `string`.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.push(Part::Tail(bytes.len(), bytes.to_vec()));
        self
    }

    /// A list of words: `bytes32[]`, `uint256[]`, `address[]`, `bool[]`.
    #[must_use]
    pub fn words(self, words: impl IntoIterator<Item = Word>) -> Self {
        self.rows(words.into_iter().map(|word| [word]))
    }

    /// A list of structs of `N` words each.
    #[must_use]
    pub fn rows<const N: usize>(mut self, rows: impl IntoIterator<Item = [Word; N]>) -> Self {
        let rows: Vec<[Word; N]> = rows.into_iter().collect();
        self.0.push(Part::Tail(rows.len(), rows.concat().concat()));
        self
    }

    /// The arguments alone, as a constructor takes them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut place = self.0.len() * 32;
        let (mut head, mut tails) = (Vec::new(), Vec::new());
        for part in &self.0 {
            match part {
                Part::Word(word) => head.extend(word),
                Part::Tail(length, bytes) => {
                    head.extend(uint_word(place as u128));
                    tails.extend(uint_word(*length as u128));
                    tails.extend(bytes);
                    let padded = bytes.len().next_multiple_of(32);
                    tails.resize(tails.len() + padded - bytes.len(), 0);
                    place += 32 + padded;
                }
            }
        }
        head.extend(tails);
        head
    }

    /// The call of a function with these arguments.
    #[must_use]
    pub fn call(&self, signature: &str) -> Vec<u8> {
        [&selector(signature)[..], &self.encode()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_those_of_the_abi_specification() {
        // Contract ABI Specification, "Examples" and "Use of Dynamic Types".
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        let baz = Arguments::new().uint(69u8).uint(1u8).call("baz(uint32,bool)");
        assert_eq!(hex(&baz), format!("cdcd77c0{:0>64}{:0>64}", "45", "1"));
        let sam = Arguments::new().bytes(b"dave").uint(1u8).words([1u8, 2, 3].map(uint_word));
        let words = ["60", "1", "a0", "4"].map(|word| format!("{word:0>64}")).concat();
        let list = ["3", "1", "2", "3"].map(|word| format!("{word:0>64}")).concat();
        assert_eq!(hex(&sam.call("sam(bytes,bool,uint256[])")), format!("a5643bf2{words}{:0<64}{list}", "64617665"));
    }
}
