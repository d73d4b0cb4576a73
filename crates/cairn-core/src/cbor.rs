//! Deterministic CBOR (RFC 8949, section 4.2.1), the one encoding of everything that is signed or hashed.
//!
//! Written: shortest heads, definite lengths, map keys in bytewise order of their encodings. Read: exactly that and
//! nothing else. Unknown tags, floats, simple values, indefinite lengths, repeated or misordered keys, trailing bytes and
//! depth over [`DEPTH_MAX`] are refused with the offset at which they stand. Decoding never allocates more than the
//! input's own length warrants.

use thiserror::Error;

/// The deepest nesting of arrays, maps and tags.
pub const DEPTH_MAX: u8 = 8;

/// Why bytes are not the deterministic CBOR that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CborError {
    /// The input ended inside an item.
    #[error("cbor ends early at byte {at}")]
    Truncated {
        /// Offset of the item that is cut.
        at: usize,
    },
    /// Bytes follow the last item.
    #[error("cbor has trailing bytes at byte {at}")]
    Trailing {
        /// Offset of the first byte too many.
        at: usize,
    },
    /// A well-formed item of another kind than the format wants here.
    #[error("cbor at byte {at}: expected {expected}")]
    Unexpected {
        /// Offset of the item.
        at: usize,
        /// What the format wants.
        expected: &'static str,
    },
    /// Not the deterministic form: a longer head than needed, an indefinite length, a float, a simple value.
    #[error("cbor at byte {at} is not deterministic: {what}")]
    NotDeterministic {
        /// Offset of the item.
        at: usize,
        /// What breaks the rule.
        what: &'static str,
    },
    /// A map key that repeats, stands out of order, or is unknown.
    #[error("cbor at byte {at}: map key {key} is {what}")]
    Key {
        /// Offset of the key.
        at: usize,
        /// The key.
        key: i64,
        /// `repeated or out of order`, `unknown`, or `missing`.
        what: &'static str,
    },
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("cbor at byte {at} is nested deeper than {DEPTH_MAX}")]
    TooDeep {
        /// Offset of the item.
        at: usize,
    },
    /// An integer, length or text outside its range.
    #[error("cbor at byte {at}: {what}")]
    Range {
        /// Offset of the item.
        at: usize,
        /// The rule it breaks.
        what: &'static str,
    },
}

/// Result of reading CBOR.
pub type Result<T> = core::result::Result<T, CborError>;

/// Writes deterministic CBOR into a growing buffer.
///
/// The caller writes map keys in canonical order (`0, 1, 2, ... , -1, -2, ...`); debug builds of the formats are held to it
/// by their goldens.
#[derive(Debug, Default, Clone)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An empty buffer.
    #[must_use]
    pub const fn empty() -> Self {
        Self { bytes: Vec::new() }
    }

    /// A message without an item yet, with room for so many bytes.
    #[must_use]
    pub fn with_room(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes) }
    }

    fn head(&mut self, major: u8, value: u64) -> &mut Self {
        let top = major << 5;
        let be = value.to_be_bytes();
        match value {
            0..=23 => self.bytes.push(top | be[7]),
            24..=0xff => self.bytes.extend_from_slice(&[top | 24, be[7]]),
            0x100..=0xffff => {
                self.bytes.push(top | 25);
                self.bytes.extend_from_slice(&be[6..]);
            }
            0x1_0000..=0xffff_ffff => {
                self.bytes.push(top | 26);
                self.bytes.extend_from_slice(&be[4..]);
            }
            _ => {
                self.bytes.push(top | 27);
                self.bytes.extend_from_slice(&be);
            }
        }
        self
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.head(0, value)
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        match u64::try_from(value) {
            Ok(value) => self.head(0, value),
            Err(_) => self.head(1, !value.cast_unsigned()),
        }
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.head(2, value.len() as u64);
        self.bytes.extend_from_slice(value);
        self
    }

    /// A text string.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.head(3, value.len() as u64);
        self.bytes.extend_from_slice(value.as_bytes());
        self
    }

    /// The head of an array of `len` items, which the caller writes next.
    pub fn array(&mut self, len: usize) -> &mut Self {
        self.head(4, len as u64)
    }

    /// The head of a map of `len` pairs, which the caller writes next, keys in canonical order.
    pub fn map(&mut self, len: usize) -> &mut Self {
        self.head(5, len as u64)
    }

    /// A tag; the tagged item follows.
    pub fn tag(&mut self, tag: u64) -> &mut Self {
        self.head(6, tag)
    }

    /// A value tree.
    pub fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Int(int) => self.int(*int),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::Text(text) => self.text(text),
            Value::Array(items) => {
                self.array(items.len());
                for item in items {
                    self.value(item);
                }
                self
            }
            Value::Map(pairs) => {
                self.map(pairs.len());
                for (key, item) in pairs {
                    self.int(*key).value(item);
                }
                self
            }
        }
    }

    /// Bytes that already are one encoded item.
    pub fn encoded(&mut self, item: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(item);
        self
    }

    /// The bytes written so far.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Takes the bytes out of a chain of calls.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.bytes)
    }
}

/// What a body may hold: integers within `i64`, byte strings, ASCII text, arrays, integer-keyed maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An integer.
    Int(i64),
    /// A byte string.
    Bytes(Vec<u8>),
    /// ASCII text.
    Text(String),
    /// An array.
    Array(Vec<Value>),
    /// A map with integer keys, in canonical order.
    Map(Vec<(i64, Value)>),
}

impl Value {
    /// A map from pairs in any order.
    ///
    /// # Panics
    /// When a key repeats: two values for one key have no encoding.
    #[must_use]
    pub fn map(mut pairs: Vec<(i64, Self)>) -> Self {
        pairs.sort_by_key(|&(key, _)| key_order(key));
        assert!(pairs.windows(2).all(|pair| pair[0].0 != pair[1].0), "a map key repeats");
        Self::Map(pairs)
    }

    /// The value under `key`, when this is a map that has it.
    #[must_use]
    pub fn get(&self, key: i64) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        let at = pairs.binary_search_by_key(&key_order(key), |&(key, _)| key_order(key)).ok()?;
        Some(&pairs[at].1)
    }

    /// The integer, when this is one.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Encoder::empty().value(self).take()
    }
}

/// Canonical order of integer keys: non-negative ascending, then negative descending.
const fn key_order(key: i64) -> (bool, u64) {
    if key < 0 { (true, !key.cast_unsigned()) } else { (false, key.cast_unsigned()) }
}

/// Reads deterministic CBOR from a slice, item by item.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u8,
}

impl<'a> Decoder<'a> {
    /// A reader at the start of `bytes`.
    #[must_use]
    pub const fn over(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0 }
    }

    /// The offset of the next item.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Whether every byte has been read.
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Refuses trailing bytes.
    ///
    /// # Errors
    /// [`CborError::Trailing`].
    pub const fn end(&self) -> Result<()> {
        if self.is_at_end() { Ok(()) } else { Err(CborError::Trailing { at: self.at }) }
    }

    fn take(&mut self, len: usize, start: usize) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..len).ok_or(CborError::Truncated { at: start })?;
        self.at += len;
        Ok(taken)
    }

    /// Reads a head: (major type, argument).
    fn head(&mut self) -> Result<(u8, u64)> {
        let at = self.at;
        let first = self.take(1, at)?[0];
        let (major, info) = (first >> 5, first & 0x1f);
        if major == 7 {
            return Err(CborError::NotDeterministic { at, what: "floats and simple values are not used" });
        }
        let len = match info {
            0..=23 => return Ok((major, u64::from(info))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(CborError::NotDeterministic { at, what: "indefinite or reserved length" }),
        };
        let mut be = [0u8; 8];
        be[8 - len..].copy_from_slice(self.take(len, at)?);
        let value = u64::from_be_bytes(be);
        let least = match len {
            1 => 24,
            2 => 0x100,
            4 => 0x1_0000,
            _ => 0x1_0000_0000,
        };
        if value < least {
            return Err(CborError::NotDeterministic { at, what: "a longer head than needed" });
        }
        Ok((major, value))
    }

    fn expect(&mut self, major: u8, expected: &'static str) -> Result<(usize, u64)> {
        let at = self.at;
        let (found, value) = self.head()?;
        if found == major { Ok((at, value)) } else { Err(CborError::Unexpected { at, expected }) }
    }

    /// The major type of the next item (0 unsigned, 1 negative, 2 bytes, 3 text, 4 array, 5 map, 6 tag), unread.
    #[must_use]
    pub fn peek_major(&self) -> Option<u8> {
        self.bytes.get(self.at).map(|byte| byte >> 5)
    }

    /// An unsigned integer within `i64`.
    ///
    /// # Errors
    /// [`CborError`] when the next item is anything else.
    pub fn uint(&mut self) -> Result<u64> {
        let (at, value) = self.expect(0, "an unsigned integer")?;
        if value > i64::MAX.cast_unsigned() {
            return Err(CborError::Range { at, what: "integers stay within 63 bits" });
        }
        Ok(value)
    }

    /// An unsigned integer below 2^32.
    ///
    /// # Errors
    /// [`CborError`] when the next item is anything else.
    pub fn uint32(&mut self) -> Result<u32> {
        let at = self.at;
        u32::try_from(self.uint()?).map_err(|_| CborError::Range { at, what: "the integer is 2^32 or more" })
    }

    /// A signed integer within `i64`.
    ///
    /// # Errors
    /// [`CborError`] when the next item is anything else.
    pub fn int(&mut self) -> Result<i64> {
        let at = self.at;
        let (major, value) = self.head()?;
        let low = i64::try_from(value).map_err(|_| CborError::Range { at, what: "integers stay within 63 bits" })?;
        match major {
            0 => Ok(low),
            1 => Ok(!low),
            _ => Err(CborError::Unexpected { at, expected: "an integer" }),
        }
    }

    /// A byte string.
    ///
    /// # Errors
    /// [`CborError`] when the next item is anything else.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let (at, len) = self.expect(2, "a byte string")?;
        let len = usize::try_from(len).map_err(|_| CborError::Truncated { at })?;
        self.take(len, at)
    }

    /// A byte string of exactly `N` bytes.
    ///
    /// # Errors
    /// [`CborError`] when the next item is anything else.
    pub fn bytes_exact<const N: usize>(&mut self) -> Result<[u8; N]> {
        let at = self.at;
        self.bytes()?.try_into().map_err(|_| CborError::Range { at, what: "the byte string has another length" })
    }

    /// ASCII text.
    ///
    /// # Errors
    /// [`CborError`] when the next item is anything else.
    pub fn text(&mut self) -> Result<&'a str> {
        let (at, len) = self.expect(3, "text")?;
        let len = usize::try_from(len).map_err(|_| CborError::Truncated { at })?;
        let bytes = self.take(len, at)?;
        if !bytes.is_ascii() {
            return Err(CborError::Range { at, what: "text is ASCII" });
        }
        core::str::from_utf8(bytes).map_err(|_| CborError::Range { at, what: "text is ASCII" })
    }

    /// The head of an array; the caller reads that many items, then calls [`Decoder::leave`].
    ///
    /// # Errors
    /// [`CborError`] when the next item is anything else, or nesting is too deep.
    pub fn array(&mut self) -> Result<usize> {
        let (at, len) = self.expect(4, "an array")?;
        self.enter(at)?;
        self.fitting(at, len)
    }

    /// The head of an array of exactly `len` items.
    ///
    /// # Errors
    /// [`CborError`] when the next item is anything else.
    pub fn array_exact(&mut self, len: usize) -> Result<()> {
        let at = self.at;
        if self.array()? == len { Ok(()) } else { Err(CborError::Range { at, what: "the array has another length" }) }
    }

    /// An array of at most `max` items, each read by `item`.
    ///
    /// # Errors
    /// [`CborError`] when the next item is anything else, the array is longer, or an item is refused.
    pub fn list<T>(&mut self, max: usize, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let at = self.at;
        let len = self.array()?;
        if len > max {
            return Err(CborError::Range { at, what: "the list is too long" });
        }
        let mut items = Vec::new();
        for _ in 0..len {
            items.push(item(self)?);
        }
        self.leave();
        Ok(items)
    }

    /// The head of a map; the caller reads keys through [`MapReader::next_key`], then calls [`Decoder::leave`].
    ///
    /// # Errors
    /// [`CborError`] when the next item is anything else, or nesting is too deep.
    pub fn map(&mut self) -> Result<MapReader> {
        let (at, len) = self.expect(5, "a map")?;
        self.enter(at)?;
        Ok(MapReader { left: self.fitting(at, len)?, last: None, start: at })
    }

    /// The tag `tag`.
    ///
    /// # Errors
    /// [`CborError`] when the next item is anything else.
    pub fn tag(&mut self, tag: u64, expected: &'static str) -> Result<()> {
        let at = self.at;
        if self.expect(6, expected)?.1 == tag { Ok(()) } else { Err(CborError::Unexpected { at, expected }) }
    }

    /// Leaves the array or map entered last.
    pub const fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    const fn enter(&mut self, at: usize) -> Result<()> {
        if self.depth == DEPTH_MAX {
            return Err(CborError::TooDeep { at });
        }
        self.depth += 1;
        Ok(())
    }

    /// A length that the bytes left could hold, so that nobody allocates on a lie.
    fn fitting(&self, at: usize, len: u64) -> Result<usize> {
        let left = self.bytes.len() - self.at;
        match usize::try_from(len) {
            Ok(len) if len <= left => Ok(len),
            _ => Err(CborError::Truncated { at }),
        }
    }

    /// A value tree.
    ///
    /// # Errors
    /// [`CborError`] when the next item holds what bodies may not hold.
    pub fn value(&mut self) -> Result<Value> {
        let at = self.at;
        match self.peek_major().ok_or(CborError::Truncated { at })? {
            0 | 1 => Ok(Value::Int(self.int()?)),
            2 => Ok(Value::Bytes(self.bytes()?.to_vec())),
            3 => Ok(Value::Text(self.text()?.to_owned())),
            4 => {
                let len = self.array()?;
                let items = (0..len).map(|_| self.value()).collect::<Result<_>>()?;
                self.leave();
                Ok(Value::Array(items))
            }
            5 => {
                let mut keys = self.map()?;
                let mut pairs = Vec::new();
                while let Some(key) = keys.next_key(self)? {
                    pairs.push((key, self.value()?));
                }
                self.leave();
                Ok(Value::Map(pairs))
            }
            major => Err(no_value(at, major)),
        }
    }

    /// Reads one value and returns the bytes it stands in.
    ///
    /// # Errors
    /// As [`Decoder::value`].
    pub fn raw_value(&mut self) -> Result<&'a [u8]> {
        let start = self.at;
        self.pass()?;
        Ok(&self.bytes[start..self.at])
    }

    /// Reads what [`Decoder::value`] reads, by the same rules, and keeps nothing of it: tables of millions of rows are split so.
    fn pass(&mut self) -> Result<()> {
        let at = self.at;
        match self.peek_major().ok_or(CborError::Truncated { at })? {
            0 | 1 => self.int().map(|_| ()),
            2 => self.bytes().map(|_| ()),
            3 => self.text().map(|_| ()),
            4 => {
                for _ in 0..self.array()? {
                    self.pass()?;
                }
                self.leave();
                Ok(())
            }
            5 => {
                let mut keys = self.map()?;
                while keys.next_key(self)?.is_some() {
                    self.pass()?;
                }
                self.leave();
                Ok(())
            }
            major => Err(no_value(at, major)),
        }
    }
}

/// What is wrong with an item of a major type that no value has.
const fn no_value(at: usize, major: u8) -> CborError {
    match major {
        6 => CborError::Unexpected { at, expected: "an untagged item" },
        _ => CborError::NotDeterministic { at, what: "floats and simple values are not used" },
    }
}

/// Walks the keys of one map in canonical order.
#[derive(Debug)]
pub struct MapReader {
    left: usize,
    last: Option<i64>,
    start: usize,
}

impl MapReader {
    /// The next key, or `None` after the last; the caller reads its value from `decoder` before asking again.
    ///
    /// # Errors
    /// [`CborError::Key`] when keys repeat or stand out of order.
    pub fn next_key(&mut self, decoder: &mut Decoder<'_>) -> Result<Option<i64>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let at = decoder.position();
        let key = decoder.int()?;
        if self.last.is_some_and(|last| key_order(last) >= key_order(key)) {
            return Err(CborError::Key { at, key, what: "repeated or out of order" });
        }
        self.last = Some(key);
        Ok(Some(key))
    }

    /// The error for a key that the format does not know.
    ///
    /// # Errors
    /// Always [`CborError::Key`].
    pub const fn unknown<T>(&self, decoder: &Decoder<'_>, key: i64) -> Result<T> {
        Err(CborError::Key { at: decoder.position(), key, what: "unknown" })
    }

    /// A required key's value, or the error that names it.
    ///
    /// # Errors
    /// [`CborError::Key`] when `value` is `None`.
    pub fn required<T>(&self, key: i64, value: Option<T>) -> Result<T> {
        value.ok_or(CborError::Key { at: self.start, key, what: "missing" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn rfc_8949_examples_encode_and_decode() {
        let cases: &[(Value, &str)] = &[
            (Value::Int(0), "00"),
            (Value::Int(23), "17"),
            (Value::Int(24), "1818"),
            (Value::Int(1000), "1903e8"),
            (Value::Int(1_000_000), "1a000f4240"),
            (Value::Int(1_000_000_000_000), "1b000000e8d4a51000"),
            (Value::Int(i64::MAX), "1b7fffffffffffffff"),
            (Value::Int(-1), "20"),
            (Value::Int(-1000), "3903e7"),
            (Value::Int(i64::MIN), "3b7fffffffffffffff"),
            (Value::Bytes(vec![1, 2, 3, 4]), "4401020304"),
            (Value::Text("IETF".into()), "6449455446"),
            (Value::Array(vec![Value::Int(1), Value::Array(vec![])]), "820180"),
            (Value::map(vec![(-1, Value::Int(2)), (3, Value::Int(4)), (10, Value::Int(0))]), "a303040a002002"),
        ];
        for (value, expected) in cases {
            assert_eq!(value.encode(), hex(expected), "{value:?}");
            let bytes = hex(expected);
            let mut decoder = Decoder::over(&bytes);
            assert_eq!(decoder.value().as_ref(), Ok(value), "{expected}");
            assert_eq!(decoder.end(), Ok(()));
        }
    }

    #[test]
    fn anything_but_the_deterministic_form_is_refused() {
        let cases = [
            ("", "empty"),
            ("1817", "long head"),
            ("190017", "long head"),
            ("1b0000000000000001", "long head"),
            ("1b8000000000000000", "over i64"),
            ("3b8000000000000000", "under i64"),
            ("5f4100ff", "indefinite bytes"),
            ("9fff", "indefinite array"),
            ("f5", "true"),
            ("f6", "null"),
            ("f93c00", "float"),
            ("c100", "tag"),
            ("62c3bc", "not ascii"),
            ("a201000100", "repeated key"),
            ("a202000100", "keys out of order"),
            ("a2200001ff", "negative before positive"),
            ("a1616100", "text key"),
            ("44010203", "cut bytes"),
            ("9a7fffffff", "array longer than input"),
            ("818181818181818181", "too deep"),
        ];
        for (bytes, why) in cases {
            let bytes = hex(bytes);
            assert!(Decoder::over(&bytes).value().is_err(), "{why}");
        }
    }

    #[test]
    fn trailing_bytes_and_missing_keys_are_named() {
        let mut decoder = Decoder::over(&[0x01, 0x02]);
        decoder.uint().unwrap();
        assert_eq!(decoder.end(), Err(CborError::Trailing { at: 1 }));
        let mut decoder = Decoder::over(&[0xa0]);
        let keys = decoder.map().unwrap();
        assert_eq!(keys.required::<u8>(7, None), Err(CborError::Key { at: 0, key: 7, what: "missing" }));
    }

    mod laws {
        use proptest::prelude::*;

        use super::*;

        fn any_value() -> impl Strategy<Value = Value> {
            let leaf = prop_oneof![
                any::<i64>().prop_map(Value::Int),
                proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
                "[ -~]{0,20}".prop_map(Value::Text),
            ];
            leaf.prop_recursive(4, 32, 6, |inner| {
                prop_oneof![
                    proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                    proptest::collection::btree_map(any::<i64>(), inner, 0..6)
                        .prop_map(|map| Value::map(map.into_iter().collect())),
                ]
            })
        }

        proptest! {
            #[test]
            fn what_is_written_is_read_back(value in any_value()) {
                let bytes = value.encode();
                let mut decoder = Decoder::over(&bytes);
                prop_assert_eq!(decoder.value().unwrap(), value);
                prop_assert!(decoder.end().is_ok());
            }

            #[test]
            fn what_is_passed_over_is_what_is_read(
                value in any_value(),
                touched: prop::sample::Index,
                bit in 0u8..8,
                noise in proptest::collection::vec(any::<u8>(), 0..60),
            ) {
                let right = value.encode();
                let mut wrong = right.clone();
                wrong[touched.index(right.len())] ^= 1 << bit;
                for bytes in [&right[..], &wrong, &right[..touched.index(right.len())], &noise] {
                    let (mut one, mut other) = (Decoder::over(bytes), Decoder::over(bytes));
                    let (read, passed) = (one.value(), other.raw_value());
                    prop_assert_eq!(passed, read.map(|_| &bytes[..one.position()]));
                    prop_assert_eq!(one.position(), other.position());
                }
            }

            #[test]
            fn what_is_read_has_only_one_form(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
                let mut decoder = Decoder::over(&bytes);
                if let Ok(value) = decoder.value() {
                    prop_assert_eq!(value.encode(), &bytes[..decoder.position()]);
                }
            }
        }
    }
}
