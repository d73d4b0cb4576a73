//! `edge-raw/1`: what went into one reduction, as one canonical byte string.
//!
//! ```cddl
//! raw    = { 1: "edge-raw/1", 2: recipe, 3: [align, start, length], 4: [+ source], 5: [+ sample], ? 6: uint }
//! recipe = { + quantity => [reducer, ? int] }   ; the quantities that are read below, each with its reducer (1 to 9)
//! align  = 0 / 1                                ; start is ms since 1970 UTC / ms since the process began
//! source = bstr                                 ; its name, UTF-8
//! sample = [after, index, payload, { + quantity => int }, ? said]
//! payload = bstr / [bstr .size 32, uint]        ; as it came, or beyond 1,024 bytes its SHA-256 and size
//! ```
//! `after` is ms after `start`, ascending; `index` counts sources from 0; `said` is when the payload says that it was measured;
//! key 6 counts samples that were left out because the window was full.

use std::collections::BTreeMap;

use cairn_classes::sensing::{Body, Quantity, VALUE_MAX};
use cairn_core::Hash;
use cairn_core::cbor::{self, CborError, Decoder, Encoder};
use thiserror::Error;

use super::recipe::Recipe;

/// The name of the format.
const NAME: &str = "edge-raw/1";
/// The most samples of a window.
pub const SAMPLES_MAX: usize = 16_384;
/// The most bytes of a raw input.
pub const RAW_BYTES_MAX: usize = 1 << 20;
/// The most bytes of a payload that is kept as it came.
pub const PAYLOAD_KEPT_MAX: usize = 1_024;
/// The most sources of a window.
pub const SOURCES_MAX: usize = 64;
/// The longest window: a day.
pub const LENGTH_MS_MAX: u64 = 86_400_000;

/// Which stretch of time a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Whether `start_ms` counts from the start of the process, because the time was not known.
    pub is_since_boot: bool,
    /// Its first millisecond, since 1970 UTC or since the start of the process.
    pub start_ms: u64,
    /// How long it is, in ms; 1 to a day.
    pub length_ms: u64,
}

/// One payload and what was read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// ms after the window's start.
    pub after_ms: u64,
    /// Which of the window's sources it came from.
    pub source: usize,
    /// The payload as it came, or the hash and size of one beyond 1,024 bytes.
    pub payload: Payload,
    /// What was read of it.
    pub values: BTreeMap<Quantity, i64>,
    /// When it says that it was measured, ms since 1970 UTC.
    pub said_ms: Option<u64>,
}

/// A payload as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// As it came.
    Whole(Vec<u8>),
    /// SHA-256 and size of one that is too long.
    Hashed(Hash, u64),
}

impl Payload {
    /// As it is kept.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        if bytes.len() <= PAYLOAD_KEPT_MAX {
            Self::Whole(bytes)
        } else {
            Self::Hashed(Hash::of(&bytes), bytes.len() as u64)
        }
    }

    /// About how many bytes it takes in a raw input.
    pub(super) const fn bytes(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len() + 3,
            Self::Hashed(..) => 44,
        }
    }
}

/// Everything that went into one reduction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawWindow {
    /// The reducers of just those quantities that are there.
    pub recipe: Recipe,
    /// When.
    pub span: Span,
    /// Names of sources, in order of their first sample.
    pub sources: Vec<String>,
    /// Ascending in time.
    pub samples: Vec<Sample>,
    /// Samples that were left out because the window was full.
    pub left_out: u64,
}

/// Why bytes are no raw input.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RawError {
    /// Not the canonical form.
    #[error("the raw input: {0}")]
    Cbor(#[from] CborError),
    /// More than [`RAW_BYTES_MAX`].
    #[error("the raw input has {bytes} bytes; at most {RAW_BYTES_MAX} are read")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Reduces to nothing.
    #[error("the raw input reduces to nothing")]
    Nothing,
}

impl RawError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "EDGE-RAW"
    }
}

/// What a raw input reduces to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recomputed {
    /// What went in.
    pub raw: RawWindow,
    /// The body of the report that it makes.
    pub body: Body,
    /// SHA-256 and size of the raw input: what stands in field 12 of that report.
    pub blob: (Hash, u64),
}

/// Makes the body of a report of its raw input.
///
/// # Errors
/// [`RawError`] for bytes that are no raw input, or one that says nothing.
pub fn recompute(bytes: &[u8]) -> Result<Recomputed, RawError> {
    let raw = RawWindow::decode(bytes)?;
    let body = raw.reduce().ok_or(RawError::Nothing)?;
    Ok(Recomputed { raw, body, blob: (Hash::of(bytes), bytes.len() as u64) })
}

impl RawWindow {
    /// The body of the report; `None` where nothing is to be said.
    #[must_use]
    pub fn reduce(&self) -> Option<Body> {
        let mut values: BTreeMap<Quantity, Vec<i64>> = BTreeMap::new();
        for sample in &self.samples {
            for (quantity, value) in &sample.values {
                values.entry(*quantity).or_default().push(*value);
            }
        }
        let reduced = values.iter().filter_map(|(quantity, values)| {
            self.recipe.reducer(*quantity).reduce(values).map(|value| (*quantity, value))
        });
        Body::one(reduced.collect::<Vec<_>>()).ok()
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.map(5 + usize::from(self.left_out > 0)).int(1).text(NAME).int(2);
        self.recipe.encode(&mut out);
        let Span { is_since_boot, start_ms, length_ms } = self.span;
        out.int(3).array(3).uint(is_since_boot.into()).uint(start_ms).uint(length_ms);
        out.int(4).array(self.sources.len());
        for source in &self.sources {
            out.bytes(source.as_bytes());
        }
        out.int(5).array(self.samples.len());
        for sample in &self.samples {
            sample.encode(&mut out);
        }
        if self.left_out > 0 {
            out.int(6).uint(self.left_out);
        }
        out.into_bytes()
    }

    /// Reads the canonical bytes.
    ///
    /// # Errors
    /// [`RawError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RawError> {
        if bytes.len() > RAW_BYTES_MAX {
            return Err(RawError::TooLarge { bytes: bytes.len() });
        }
        let mut input = Decoder::over(bytes);
        let read = Self::read(&mut input)?;
        input.end()?;
        let refused = |what| Err(RawError::Cbor(CborError::Range { at: 0, what }));
        let used: BTreeMap<Quantity, ()> =
            read.samples.iter().flat_map(|own| own.values.keys()).map(|q| (*q, ())).collect();
        if !read.recipe.reducers().map(|(quantity, _)| quantity).eq(used.into_keys()) {
            return refused("the recipe is not of just those quantities that are there");
        }
        let mut seen = 0;
        for sample in &read.samples {
            if sample.source > seen || sample.source >= read.sources.len() {
                return refused("sources are not in order of their first sample");
            }
            seen = seen.max(sample.source + 1);
        }
        if seen != read.sources.len() {
            return refused("a source without a sample");
        }
        let is_ascending = read.samples.windows(2).all(|pair| pair[0].after_ms <= pair[1].after_ms);
        let is_within = read.samples.last().is_some_and(|last| last.after_ms < read.span.length_ms);
        if is_ascending && is_within { Ok(read) } else { refused("samples out of order, or outside the window") }
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        let mut keys = input.map()?;
        let (mut name, mut recipe, mut span, mut sources, mut samples, mut left_out) =
            (None, None, None, None, None, 0);
        while let Some(key) = keys.next_key(input)? {
            let at = input.position();
            match key {
                1 => name = Some(input.text()? == NAME).filter(|is_ours| *is_ours),
                2 => recipe = Some(Recipe::decode(input)?),
                3 => span = Some(read_span(input)?),
                4 => sources = Some(input.list(SOURCES_MAX, read_name)?),
                5 => samples = Some(input.list(SAMPLES_MAX, Sample::decode)?),
                6 => {
                    left_out = input.uint()?;
                    if left_out == 0 {
                        return Err(CborError::NotDeterministic { at, what: "a count of zero is left out" });
                    }
                }
                _ => keys.unknown(input, key)?,
            }
        }
        input.leave();
        keys.required(1, name)?;
        Ok(Self {
            recipe: keys.required(2, recipe)?,
            span: keys.required(3, span)?,
            sources: keys.required(4, sources)?,
            samples: keys.required(5, samples)?,
            left_out,
        })
    }
}

fn read_name(input: &mut Decoder<'_>) -> cbor::Result<String> {
    let at = input.position();
    let name = core::str::from_utf8(input.bytes()?).map_err(|_| CborError::Range { at, what: "a name is UTF-8" })?;
    Ok(name.to_owned())
}

fn read_span(input: &mut Decoder<'_>) -> cbor::Result<Span> {
    let at = input.position();
    input.array_exact(3)?;
    let (align, start_ms, length_ms) = (input.uint()?, input.uint()?, input.uint()?);
    input.leave();
    if align > 1 || length_ms == 0 || length_ms > LENGTH_MS_MAX {
        return Err(CborError::Range { at, what: "no window" });
    }
    Ok(Span { is_since_boot: align == 1, start_ms, length_ms })
}

impl Sample {
    fn encode(&self, out: &mut Encoder) {
        out.array(4 + usize::from(self.said_ms.is_some())).uint(self.after_ms).uint(self.source as u64);
        match &self.payload {
            Payload::Whole(bytes) => out.bytes(bytes),
            Payload::Hashed(hash, size) => out.array(2).bytes(&hash.0).uint(*size),
        };
        out.map(self.values.len());
        for (quantity, value) in &self.values {
            out.int(quantity.number().into()).int(*value);
        }
        if let Some(said_ms) = self.said_ms {
            out.uint(said_ms);
        }
    }

    fn decode(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        let at = input.position();
        let parts = input.array()?;
        if !(4..=5).contains(&parts) {
            return Err(CborError::Range { at, what: "a sample has four or five parts" });
        }
        let after_ms = input.uint()?;
        let source = usize::try_from(input.uint()?).map_err(|_| CborError::Range { at, what: "no source" })?;
        let payload = read_payload(input)?;
        let values = read_values(input)?;
        let said_ms = if parts == 5 { Some(input.uint()?) } else { None };
        input.leave();
        Ok(Self { after_ms, source, payload, values, said_ms })
    }
}

fn read_payload(input: &mut Decoder<'_>) -> cbor::Result<Payload> {
    let at = input.position();
    let refused = Err(CborError::NotDeterministic { at, what: "a payload is whole up to 1,024 bytes, else hashed" });
    if input.peek_major() == Some(2) {
        let bytes = input.bytes()?;
        return if bytes.len() <= PAYLOAD_KEPT_MAX { Ok(Payload::Whole(bytes.to_vec())) } else { refused };
    }
    input.array_exact(2)?;
    let (hash, size) = (Hash(input.bytes_exact()?), input.uint()?);
    input.leave();
    if size > PAYLOAD_KEPT_MAX as u64 { Ok(Payload::Hashed(hash, size)) } else { refused }
}

fn read_values(input: &mut Decoder<'_>) -> cbor::Result<BTreeMap<Quantity, i64>> {
    let mut keys = input.map()?;
    let mut values = BTreeMap::new();
    loop {
        let at = input.position();
        let Some(key) = keys.next_key(input)? else { break };
        let quantity = Quantity::of_number(key).ok_or(CborError::Range { at, what: "no quantity" })?;
        let value = input.int()?;
        if value.unsigned_abs() > VALUE_MAX.unsigned_abs() {
            return Err(CborError::Range { at, what: "a value beyond 10^12" });
        }
        values.insert(quantity, value);
    }
    input.leave();
    if values.is_empty() {
        return Err(CborError::Range { at: input.position(), what: "a sample has at least one value" });
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reduce::Reducer;

    fn window() -> RawWindow {
        let sample = |after_ms, source, payload: &[u8], values: &[(Quantity, i64)]| Sample {
            after_ms,
            source,
            payload: Payload::of(payload.to_vec()),
            values: values.iter().copied().collect(),
            said_ms: None,
        };
        let used = [Quantity::AirTemperature, Quantity::Rain];
        RawWindow {
            recipe: Recipe::of([(Quantity::Rain, Reducer::Count(20))]).only(used),
            span: Span { is_since_boot: false, start_ms: 1_700_000_040_000, length_ms: 60_000 },
            sources: vec!["serial /dev/ttyUSB0".to_owned(), "stdin".to_owned()],
            samples: vec![
                sample(0, 0, b"T=21.50", &[(Quantity::AirTemperature, 2150)]),
                Sample { said_ms: Some(1_700_000_041_000), ..sample(1_000, 1, &[7; 2_000], &[(Quantity::Rain, 0)]) },
                sample(59_999, 0, b"T=21.53", &[(Quantity::AirTemperature, 2153), (Quantity::Rain, 0)]),
            ],
            left_out: 0,
        }
    }

    #[test]
    fn a_raw_input_has_the_bytes_that_it_was_released_with() {
        let bytes = window().encode();
        assert_eq!(bytes.len(), 158);
        assert_eq!(Hash::of(&bytes).to_string(), "e727da40b4bddd7eedb27ec54c40c4e1df3b31068eb749640e077d5b34c1534e");
        let recomputed = recompute(&bytes).unwrap();
        // (2150 + 2153) / 2 is a tie: to the even one.
        let expected = Body::one([(Quantity::AirTemperature, 2152), (Quantity::Rain, 40)]).unwrap();
        assert_eq!((recomputed.body, recomputed.raw), (expected, window()));
        assert_eq!(recomputed.blob, (Hash::of(&bytes), bytes.len() as u64));
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        let mut cases = vec![
            RawWindow { sources: vec!["stdin".to_owned()], ..window() },
            RawWindow { sources: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()], ..window() },
            RawWindow { recipe: Recipe::default(), ..window() },
            RawWindow { span: Span { length_ms: 59_999, ..window().span }, ..window() },
            RawWindow { span: Span { length_ms: 0, ..window().span }, ..window() },
            RawWindow { samples: Vec::new(), ..window() },
        ];
        let mut swapped = window();
        swapped.samples.swap(0, 1);
        cases.push(swapped);
        let mut empty = window();
        empty.samples[0].values.clear();
        cases.push(empty);
        let mut beyond = window();
        beyond.samples[0].values.insert(Quantity::AirTemperature, VALUE_MAX + 1);
        cases.push(beyond);
        for case in cases {
            assert!(recompute(&case.encode()).is_err(), "{case:?}");
        }
        assert_eq!(recompute(&vec![0; RAW_BYTES_MAX + 1]).unwrap_err().code(), "EDGE-RAW");
        let silent =
            RawWindow { recipe: Recipe::of([(Quantity::AirTemperature, Reducer::AtLeast(9_999))]), ..window() };
        let silent = RawWindow { recipe: silent.recipe.only([Quantity::AirTemperature]), ..silent };
        let mut silent = silent;
        silent.samples = vec![window().samples[0].clone()];
        silent.sources.truncate(1);
        assert_eq!(recompute(&silent.encode()), Err(RawError::Nothing));
    }

    proptest! {
        #[test]
        fn any_bit_that_is_turned_is_another_input_or_none(at in 0usize..158, bit in 0u8..8) {
            let bytes = window().encode();
            let mut turned = bytes.clone();
            let at = at % turned.len();
            turned[at] ^= 1 << bit;
            if let Ok(read) = RawWindow::decode(&turned) {
                prop_assert_eq!(read.encode(), turned);
                prop_assert_ne!(read, window());
            }
        }
    }
}
