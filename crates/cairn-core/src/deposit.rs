//! A buyer's deposit on a chain, as an observer says it in the log; and what it is a credit of.
//!
//! The observation's source is `deposits/<CAIP-2>`, its round the contract's `number` + 1, and its value this array:
//!
//! ```text
//! [ block: uint, block hash: bstr 32, transaction: bstr 32, log index: uint, buyer: bstr 32,
//!   asset: bstr 20, amount: bstr, payer: bstr 20, memo: bstr 32 ]
//! ```
//!
//! A deposit is at least one base unit and below 2^128. Whether it happened is the observer's word: nothing here has seen
//! the chain. Which observers count, from which chains, and what a deposit does to the state is said elsewhere.

use core::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use thiserror::Error;

use crate::cbor::{self, CborError, Decoder, Encoder, Value};
use crate::id::BadName;
use crate::observation::ObservationBody;
use crate::{Account, Address, Amount, Domain};

/// What the sources of deposits begin with; the chain's CAIP-2 id follows.
pub const SOURCE_DEPOSITS: &str = "deposits/";

/// The source of the deposits on a chain: `deposits/eip155:1`.
#[must_use]
pub fn source_of(chain: &Domain) -> String {
    format!("{SOURCE_DEPOSITS}{chain}")
}

/// Whether a source is one of deposits, on whatever chain.
#[must_use]
pub fn is_source(source: &str) -> bool {
    source.starts_with(SOURCE_DEPOSITS)
}

/// The chain of a source of deposits; `None` for other sources, and for chains without 20-byte addresses.
#[must_use]
pub fn chain_of(source: &str) -> Option<Domain> {
    let chain = Domain::parse(source.strip_prefix(SOURCE_DEPOSITS)?).ok()?;
    chain.evm_chain().map(|_| chain)
}

/// Where a chain has a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The block's number, below 2^63.
    pub block: u64,
    /// The block's hash.
    pub block_hash: [u8; 32],
    /// The transaction's hash.
    pub transaction: [u8; 32],
    /// Which event of the block it is, below 2^63.
    pub log_index: u64,
}

/// A deposit as a chain's event tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposit {
    /// Where the chain has it.
    pub place: Place,
    /// Who is credited, as in claims: an EVM address is padded with zeros on the left.
    pub buyer: [u8; 32],
    /// The address of the token that was paid in.
    pub asset: [u8; 20],
    /// Base units of that token; at least one.
    pub amount: Amount,
    /// Who paid.
    pub payer: [u8; 20],
    /// What the buyer said with it: an order's hash, anything, or zeros.
    pub memo: [u8; 32],
}

/// The buyer in a text: a CAIP-10 account, an EVM address (`0x` and 40 digits), or 32 bytes in hexadecimal (64 digits, `0x` or
/// not before them). Digits may be of either case.
///
/// # Errors
/// [`BadName`] for anything else.
pub fn parse_buyer(text: &str) -> Result<[u8; 32], BadName> {
    if let Ok(account) = Account::parse(text) {
        return Ok(account.address().claim_word());
    }
    let decode = |hex: &str| HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok();
    let bytes = text.strip_prefix("0x").map_or_else(
        // Twenty bytes without `0x` are too easily half of something else.
        || decode(text).filter(|bytes| bytes.len() == 32),
        decode,
    );
    let expected = "a buyer: a CAIP-10 account, `0x` and 40 hex digits, or 64 hex digits";
    let bad = || BadName { text: text.to_owned(), expected };
    let bytes = bytes.ok_or_else(bad)?;
    match <[u8; 20]>::try_from(bytes.as_slice()) {
        Ok(address) => Ok(Address::Evm(address).claim_word()),
        Err(_) => bytes.try_into().map_err(|_| bad()),
    }
}

/// An event that no deposit can be made of.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotADeposit {
    /// Nothing, or more than an amount holds.
    #[error("a deposit is at least one base unit and below 2^128 of them")]
    Amount,
    /// A block number or log index of 2^63 or more.
    #[error("a block number and a log index are below 2^63")]
    Place,
}

impl Deposit {
    /// The deposit of an event; `amount` is the event's `uint256`, big-endian.
    ///
    /// # Errors
    /// [`NotADeposit`] for what no observation can say.
    pub fn of_event(
        place: Place,
        buyer: [u8; 32],
        asset: [u8; 20],
        amount: &[u8; 32],
        payer: [u8; 20],
        memo: [u8; 32],
    ) -> Result<Self, NotADeposit> {
        let (high, low) = amount.split_at(16);
        let units = u128::from_be_bytes(low.try_into().expect("half of 32 bytes"));
        if high.iter().any(|byte| *byte != 0) || units == 0 {
            return Err(NotADeposit::Amount);
        }
        if place.block.max(place.log_index) > i64::MAX.cast_unsigned() {
            return Err(NotADeposit::Place);
        }
        Ok(Self { place, buyer, asset, amount: Amount(units), payer, memo })
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.array(9).uint(self.place.block).bytes(&self.place.block_hash).bytes(&self.place.transaction);
        out.uint(self.place.log_index).bytes(&self.buyer).bytes(&self.asset);
        self.amount.encode(&mut out);
        out.bytes(&self.payer).bytes(&self.memo);
        out.into_bytes()
    }

    /// Reads what [`Deposit::encode`] writes.
    ///
    /// # Errors
    /// [`CborError`] for anything else, and for a deposit of nothing.
    pub fn decode(bytes: &[u8]) -> cbor::Result<Self> {
        let mut input = Decoder::over(bytes);
        input.array_exact(9)?;
        let block = input.uint()?;
        let (block_hash, transaction) = (input.bytes_exact()?, input.bytes_exact()?);
        let place = Place { block, block_hash, transaction, log_index: input.uint()? };
        let (buyer, asset) = (input.bytes_exact()?, input.bytes_exact()?);
        let at = input.position();
        let amount = Amount::decode(&mut input)?;
        if amount == Amount::ZERO {
            return Err(CborError::Range { at, what: "a deposit is at least one base unit" });
        }
        let deposit = Self { place, buyer, asset, amount, payer: input.bytes_exact()?, memo: input.bytes_exact()? };
        input.leave();
        input.end()?;
        Ok(deposit)
    }

    /// The deposit that an observation's value is.
    ///
    /// # Errors
    /// As [`Deposit::decode`].
    pub fn of_value(value: &Value) -> cbor::Result<Self> {
        Self::decode(&value.encode())
    }

    /// What an observer says of it; `number` is the contract's, which counts from 0.
    #[must_use]
    pub fn observed(&self, chain: &Domain, number: u64) -> ObservationBody {
        let value = Decoder::over(&self.encode()).value().expect("a deposit is canonical CBOR");
        ObservationBody { source: source_of(chain), round: number.saturating_add(1), value, proof: None }
    }
}

/// What a credit is of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum CreditAsset {
    /// The network's own asset, paid in on a chain: in the books it is one asset, and what is given back goes to the chain
    /// that it came from.
    Native(Domain),
    /// Another token, by its chain and address.
    Token(Domain, [u8; 20]),
}

impl CreditAsset {
    /// What paying in `asset` on `chain` is a credit of, where `own` is the network's token there: the CAIP-19 id of a
    /// `domain` statement, or empty.
    #[must_use]
    pub fn of(chain: &Domain, asset: [u8; 20], own: &str) -> Self {
        match erc20_on(chain, own) {
            Some(address) if address == asset => Self::Native(chain.clone()),
            _ => Self::Token(chain.clone(), asset),
        }
    }

    /// Whether it is the network's own asset.
    #[must_use]
    pub const fn is_native(&self) -> bool {
        matches!(self, Self::Native(_))
    }

    /// Reads the text that it is written as, and no other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (chain, rest) = text.split_once('/')?;
        let chain = Domain::parse(chain).ok().filter(|chain| chain.evm_chain().is_some())?;
        let asset = match rest {
            NATIVE => Self::Native(chain),
            _ => Self::Token(chain.clone(), erc20_on(&chain, text)?),
        };
        (asset.to_string() == text).then_some(asset)
    }
}

/// What follows the chain in the text of [`CreditAsset::Native`]; in a CAIP-19 id a colon does.
const NATIVE: &str = "native";

/// The address in a CAIP-19 id of an ERC-20 token on `chain`, either case.
fn erc20_on(chain: &Domain, caip19: &str) -> Option<[u8; 20]> {
    chain.evm_chain()?;
    let hex = caip19.strip_prefix(chain.as_str())?.strip_prefix("/erc20:0x")?;
    HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?.try_into().ok()
}

impl fmt::Display for CreditAsset {
    /// `<chain>/native`, or the token's CAIP-19 id in lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native(chain) => write!(f, "{chain}/{NATIVE}"),
            Self::Token(chain, address) => write!(f, "{chain}/erc20:0x{}", data_encoding::HEXLOWER.encode(address)),
        }
    }
}

impl fmt::Debug for CreditAsset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Domain {
        Domain::parse("eip155:31337").unwrap()
    }

    fn deposit() -> Deposit {
        let place = Place { block: 300, block_hash: [1; 32], transaction: [2; 32], log_index: 7 };
        Deposit {
            place,
            buyer: [3; 32],
            asset: [0xab; 20],
            amount: Amount(10u128.pow(20)),
            payer: [5; 20],
            memo: [6; 32],
        }
    }

    #[test]
    fn a_deposit_has_one_encoding_and_every_cut_is_refused() {
        let bytes = deposit().encode();
        assert_eq!(Deposit::decode(&bytes), Ok(deposit()));
        for cut in 0..bytes.len() {
            assert!(Deposit::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        assert!(Deposit::decode(&[&bytes[..], &[0]].concat()).is_err());
        let nothing = Deposit { amount: Amount::ZERO, ..deposit() };
        assert!(Deposit::decode(&nothing.encode()).is_err(), "a deposit of nothing");
    }

    #[test]
    fn an_observation_of_a_deposit_says_it_and_its_round_counts_from_one() {
        let body = deposit().observed(&chain(), 0);
        assert_eq!((body.source.as_str(), body.round), ("deposits/eip155:31337", 1));
        assert_eq!(Deposit::of_value(&body.value), Ok(deposit()));
        let other = [Value::Int(1), Value::Text("a deposit".into()), Value::Array(vec![]), Value::map(vec![])];
        for value in other {
            assert!(Deposit::of_value(&value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn an_event_is_a_deposit_unless_no_observation_can_say_it() {
        let word = |high: u128, low: u128| {
            let mut word = [0; 32];
            word[..16].copy_from_slice(&high.to_be_bytes());
            word[16..].copy_from_slice(&low.to_be_bytes());
            word
        };
        let of = |amount: &[u8; 32], block, log_index| {
            let place = Place { block, log_index, ..deposit().place };
            Deposit::of_event(place, [3; 32], [0xab; 20], amount, [5; 20], [6; 32])
        };
        assert_eq!(of(&word(0, 10u128.pow(20)), 300, 7), Ok(deposit()));
        assert_eq!(of(&word(0, u128::MAX), 0, 0).map(|deposit| deposit.amount), Ok(Amount(u128::MAX)));
        let edge = i64::MAX.cast_unsigned();
        let read = of(&word(0, 1), edge, edge).unwrap();
        assert_eq!(Deposit::decode(&read.encode()), Ok(read));
        let cases = [
            (word(0, 0), 0, 0, NotADeposit::Amount),
            (word(1, 0), 0, 0, NotADeposit::Amount),
            (word(1 << 127, 1), 0, 0, NotADeposit::Amount),
            (word(0, 1), edge + 1, 0, NotADeposit::Place),
            (word(0, 1), 0, edge + 1, NotADeposit::Place),
        ];
        for (amount, block, log_index, error) in cases {
            assert_eq!(of(&amount, block, log_index), Err(error));
        }
    }

    #[test]
    fn sources_of_deposits_name_chains_with_addresses_of_20_bytes() {
        assert_eq!(chain_of(&source_of(&chain())), Some(chain()));
        for source in ["clock", "deposits", "deposits/", "deposits/eip155:01", "deposits/solana:abc", "x/eip155:1"] {
            assert_eq!(chain_of(source), None, "{source}");
        }
        assert!(is_source("deposits/anything") && !is_source("deposit/eip155:1"));
    }

    #[test]
    fn the_networks_own_token_is_native_and_any_other_token_is_itself() {
        let own = format!("eip155:31337/erc20:0x{}", "aB".repeat(20));
        let cases = [
            (own.as_str(), CreditAsset::Native(chain())),
            ("", CreditAsset::Token(chain(), [0xab; 20])),
            ("eip155:31337/erc20:0xabab", CreditAsset::Token(chain(), [0xab; 20])),
            ("eip155:31337/slip44:60", CreditAsset::Token(chain(), [0xab; 20])),
        ];
        for (token, asset) in cases {
            assert_eq!(CreditAsset::of(&chain(), [0xab; 20], token), asset, "{token}");
        }
        let elsewhere = own.replace("31337", "1");
        assert!(!CreditAsset::of(&chain(), [0xab; 20], &elsewhere).is_native());
        assert!(!CreditAsset::of(&chain(), [0xac; 20], &own).is_native());
    }

    #[test]
    fn a_buyer_has_three_texts_and_no_others() {
        let word = "00".repeat(12) + &"ab".repeat(20);
        let padded = parse_buyer(&word).unwrap();
        let address = format!("0x{}", "Ab".repeat(20));
        for text in [format!("0x{word}"), word.to_uppercase(), address.clone(), format!("eip155:1:{address}")] {
            assert_eq!(parse_buyer(&text), Ok(padded), "{text}");
        }
        let key = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv";
        assert_eq!(parse_buyer(key).map(|key| key[0] == 0), Ok(false));
        for text in ["", "0x", &address[2..], &word[1..], "eip155:1", "me", &format!("0X{word}"), &format!("{word}00")]
        {
            assert!(parse_buyer(text).is_err(), "{text}");
        }
    }

    #[test]
    fn assets_of_credit_have_one_text() {
        let token = CreditAsset::Token(chain(), [0xab; 20]);
        for asset in [CreditAsset::Native(chain()), token.clone()] {
            assert_eq!(CreditAsset::parse(&asset.to_string()), Some(asset));
        }
        let upper = token.to_string().replace("ab", "AB");
        for text in [
            "",
            "native",
            "solana:x/native",
            "eip155:1/Native",
            "eip155:01/native",
            "eip155:1/native/",
            "erc20:0x01",
            "eip155:1/erc20:0x01",
            "solana:x/erc20:0x01",
            upper.as_str(),
        ] {
            assert_eq!(CreditAsset::parse(text), None, "{text}");
        }
    }
}
