//! RLP, the encoding of Ethereum's transactions (yellow paper, appendix B): byte strings, and lists of items.
//!
//! Promises: what is written has one form, and only that form is read: no length in more bytes than it needs, no string
//! of one small byte behind a header, no number with zeros in front, nothing left over. Reading takes nothing from the heap
//! and goes only as deep as its caller asks.

use thiserror::Error;

/// The longest string or list whose length stands in its first byte.
const SHORT_MAX: usize = 55;
/// First byte of an empty string, and of an empty list.
const STRING: u8 = 0x80;
const LIST: u8 = 0xc0;

/// Why bytes are not the RLP that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RlpError {
    /// They end within an item, or before one.
    #[error("the bytes end too early")]
    Truncated,
    /// They could have been written shorter.
    #[error("the bytes are not in their one shortest form")]
    NotCanonical,
    /// A list where a string is expected, or a string where a list is.
    #[error("a list and a string stand for each other")]
    Kind,
    /// A number that is too large, or a string of another length.
    #[error("a field has another width")]
    Width,
    /// Something stands behind the last item.
    #[error("{0} bytes stand behind the last item")]
    Trailing(usize),
}

/// Appends a string of bytes.
pub fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if let [byte] = *bytes
        && byte < STRING
    {
        out.push(byte);
        return;
    }
    write_header(out, STRING, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a number: its bytes from the first that is not zero, most significant first.
pub fn write_uint(out: &mut Vec<u8>, value: impl Into<u128>) {
    write_bytes(out, without_zeros(&value.into().to_be_bytes()));
}

/// Appends a list whose items, written one after the other, are `items`.
pub fn write_list(out: &mut Vec<u8>, items: &[u8]) {
    write_header(out, LIST, items.len());
    out.extend_from_slice(items);
}

/// The bytes of a number from the first that is not zero.
#[must_use]
pub fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    &number[zeros..]
}

fn write_header(out: &mut Vec<u8>, kind: u8, length: usize) {
    if length <= SHORT_MAX {
        out.push(kind + length.to_le_bytes()[0]);
        return;
    }
    let all = length.to_be_bytes();
    let bytes = without_zeros(&all);
    out.push(kind + SHORT_MAX.to_le_bytes()[0] + bytes.len().to_le_bytes()[0]);
    out.extend_from_slice(bytes);
}

/// Items that stand one after the other, read from the first on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    /// The items in some bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The items of the one list that some bytes are.
    ///
    /// # Errors
    /// [`RlpError`] where they are anything else.
    pub fn of_list(bytes: &'a [u8]) -> Result<Self, RlpError> {
        let mut outer = Self(bytes);
        let items = outer.list()?;
        outer.end()?;
        Ok(items)
    }

    /// The next item, which is a string.
    ///
    /// # Errors
    /// [`RlpError`].
    pub fn bytes(&mut self) -> Result<&'a [u8], RlpError> {
        let (&first, rest) = self.0.split_first().ok_or(RlpError::Truncated)?;
        match first {
            ..STRING => {
                let (byte, rest) = self.0.split_at(1);
                self.0 = rest;
                Ok(byte)
            }
            STRING..LIST => {
                let content = self.take(first - STRING, rest)?;
                let small = matches!(content, [byte] if *byte < STRING);
                if small { Err(RlpError::NotCanonical) } else { Ok(content) }
            }
            LIST.. => Err(RlpError::Kind),
        }
    }

    /// The next item, which is a string of `N` bytes.
    ///
    /// # Errors
    /// [`RlpError`].
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], RlpError> {
        self.bytes()?.try_into().map_err(|_| RlpError::Width)
    }

    /// The next item, which is a number of up to `N` bytes, with zeros in front.
    ///
    /// # Errors
    /// [`RlpError`].
    pub fn number<const N: usize>(&mut self) -> Result<[u8; N], RlpError> {
        let bytes = self.bytes()?;
        if bytes.first() == Some(&0) {
            return Err(RlpError::NotCanonical);
        }
        let start = N.checked_sub(bytes.len()).ok_or(RlpError::Width)?;
        let mut number = [0; N];
        number[start..].copy_from_slice(bytes);
        Ok(number)
    }

    /// The next item, which is a number of up to 128 bits.
    ///
    /// # Errors
    /// [`RlpError`].
    pub fn uint(&mut self) -> Result<u128, RlpError> {
        self.number().map(u128::from_be_bytes)
    }

    /// The next item, which is a number of up to 64 bits.
    ///
    /// # Errors
    /// [`RlpError`].
    pub fn uint64(&mut self) -> Result<u64, RlpError> {
        self.number().map(u64::from_be_bytes)
    }

    /// The items of the next item, which is a list.
    ///
    /// # Errors
    /// [`RlpError`].
    pub fn list(&mut self) -> Result<Self, RlpError> {
        let (&first, rest) = self.0.split_first().ok_or(RlpError::Truncated)?;
        let head = first.checked_sub(LIST).ok_or(RlpError::Kind)?;
        self.take(head, rest).map(Self)
    }

    /// That nothing follows.
    ///
    /// # Errors
    /// [`RlpError::Trailing`].
    pub const fn end(self) -> Result<(), RlpError> {
        if self.0.is_empty() { Ok(()) } else { Err(RlpError::Trailing(self.0.len())) }
    }

    /// The content of an item, whose first byte says `head` above its kind, and behind which `rest` follows.
    fn take(&mut self, head: u8, rest: &'a [u8]) -> Result<&'a [u8], RlpError> {
        let head = usize::from(head);
        let (length, rest) = match head.checked_sub(SHORT_MAX) {
            None | Some(0) => (head, rest),
            Some(width) => {
                let (length, rest) = rest.split_at_checked(width).ok_or(RlpError::Truncated)?;
                if length.first() == Some(&0) {
                    return Err(RlpError::NotCanonical);
                }
                let length = length.iter().fold(0_u64, |all, &byte| (all << 8) | u64::from(byte));
                // What no memory holds is not there.
                let length = usize::try_from(length).map_err(|_| RlpError::Truncated)?;
                if length <= SHORT_MAX {
                    return Err(RlpError::NotCanonical);
                }
                (length, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(RlpError::Truncated)?;
        self.0 = rest;
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    /// A tree of strings and lists, as the yellow paper has it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Item {
        Bytes(Vec<u8>),
        List(Vec<Self>),
    }

    fn write(out: &mut Vec<u8>, item: &Item) {
        match item {
            Item::Bytes(bytes) => write_bytes(out, bytes),
            Item::List(items) => {
                let mut inner = Vec::new();
                items.iter().for_each(|item| write(&mut inner, item));
                write_list(out, &inner);
            }
        }
    }

    fn read(items: &mut Items) -> Result<Item, RlpError> {
        match items.bytes() {
            Err(RlpError::Kind) => {
                let mut inner = items.list()?;
                let mut list = Vec::new();
                while inner.end().is_err() {
                    list.push(read(&mut inner)?);
                }
                Ok(Item::List(list))
            }
            bytes => Ok(Item::Bytes(bytes?.to_vec())),
        }
    }

    #[test]
    fn what_is_written_is_what_the_reference_vectors_say() {
        // From the table of the yellow paper's companion tests, `rlptest.json`.
        let text = b"Lorem ipsum dolor sit amet, consectetur adipisicing elit";
        let (none, list) = (|| Item::List(vec![]), Item::List);
        let bytes = |bytes: &[u8]| Item::Bytes(bytes.to_vec());
        let three = list(vec![none(), list(vec![none()]), list(vec![none(), list(vec![none()])])]);
        for (item, expected) in [
            (bytes(b""), "80".to_owned()),
            (bytes(b"\0"), "00".to_owned()),
            (bytes(b"\x7f"), "7f".to_owned()),
            (bytes(b"\x80"), "8180".to_owned()),
            (bytes(b"dog"), "83646f67".to_owned()),
            (bytes(text), format!("b838{}", HEXLOWER.encode(text))),
            (none(), "c0".to_owned()),
            (list(vec![bytes(b"cat"), bytes(b"dog")]), "c88363617483646f67".to_owned()),
            (three, "c7c0c1c0c3c0c1c0".to_owned()),
        ] {
            let mut out = Vec::new();
            write(&mut out, &item);
            assert_eq!(HEXLOWER.encode(&out), expected, "{item:?}");
        }
        for (number, expected) in
            [(0, "80"), (15, "0f"), (1024, "820400"), (u128::MAX, "90ffffffffffffffffffffffffffffffff")]
        {
            let mut out = Vec::new();
            write_uint(&mut out, number);
            assert_eq!(HEXLOWER.encode(&out), expected);
            assert_eq!(Items::new(&out).uint(), Ok(number));
        }
    }

    #[test]
    fn what_is_not_the_one_form_is_refused() {
        use RlpError::{Kind, NotCanonical, Trailing, Truncated, Width};
        let long = |head: &str, zeros: usize| format!("{head}{}", "00".repeat(zeros));
        for (text, expected) in [
            (String::new(), Truncated),
            ("8100".into(), NotCanonical),
            ("817f".into(), NotCanonical),
            (long("b837", 55), NotCanonical),
            (long("b90038", 56), NotCanonical),
            (long("b80038", 0), NotCanonical),
            ("83646f".into(), Truncated),
            ("b8".into(), Truncated),
            (long("b838", 55), Truncated),
            ("bfffffffffffffffff".into(), Truncated),
            ("bf7fffffffffffffff".into(), Truncated),
            ("c0".into(), Kind),
        ] {
            assert_eq!(Items::new(&hex(&text)).bytes(), Err(expected), "{text}");
        }
        for (text, expected) in [
            ("80", Kind),
            ("00", Kind),
            ("c1", Truncated),
            ("c0c0", Trailing(1)),
            ("c000", Trailing(1)),
            ("", Truncated),
        ] {
            assert_eq!(Items::of_list(&hex(text)), Err(expected), "{text}");
        }
        assert_eq!(Items::of_list(&hex(&long("f837", 55))), Err(NotCanonical));
        assert_eq!(Items::new(&hex("820001")).uint(), Err(NotCanonical));
        assert_eq!(Items::new(&hex("00")).uint(), Err(NotCanonical), "zero is the empty string");
        assert_eq!(Items::new(&hex("89010000000000000000")).uint64(), Err(Width));
        assert_eq!(Items::new(&hex("820102")).fixed::<3>(), Err(Width));
    }

    fn any_item() -> impl Strategy<Value = Item> {
        let bytes = prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..70),
            1 => prop::collection::vec(any::<u8>(), 250..260),
        ];
        bytes
            .prop_map(Item::Bytes)
            .prop_recursive(4, 40, 6, |item| prop::collection::vec(item, 0..6).prop_map(Item::List))
    }

    proptest! {
        #[test]
        fn every_item_is_read_as_it_was_written_and_no_part_of_it_is_an_item(item in any_item(), cut in any::<prop::sample::Index>()) {
            let mut out = Vec::new();
            write(&mut out, &item);
            let mut items = Items::new(&out);
            prop_assert_eq!(read(&mut items), Ok(item));
            prop_assert_eq!(items.end(), Ok(()));
            prop_assert_eq!(read(&mut Items::new(&out[..cut.index(out.len())])), Err(RlpError::Truncated));
        }

        #[test]
        fn what_is_read_is_written_as_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..90)) {
            let mut items = Items::new(&bytes);
            if let Ok(item) = read(&mut items) {
                let mut out = Vec::new();
                write(&mut out, &item);
                prop_assert_eq!(&out[..], &bytes[..out.len()]);
            }
        }

        #[test]
        fn numbers_are_read_as_they_were_written(number in any::<u128>(), shift in 0_u32..128) {
            let mut out = Vec::new();
            write_uint(&mut out, number >> shift);
            prop_assert_eq!(Items::new(&out).uint(), Ok(number >> shift));
        }
    }
}
