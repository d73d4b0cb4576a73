//! Observations: a named observer says something of the outside world: a chain event, a price, a beacon round, the time.
//!
//! A COSE_Sign1 with purpose `observation`, the observer's key id in the header, and the payload
//! `{1: source, 2: round, 3: value, ?4: proof}`. Which observers count for which source is said by the policy.

use crate::cbor::{Decoder, Encoder, Value};
use crate::cose::{self, CoseError, Purpose, Sign1};
use crate::key::SecretKey;
use crate::{NetworkId, cbor};

/// The source by which an operator says that time has passed: the round is the time in ms, the value repeats it.
///
/// On a wall clock it is a heartbeat that lets an epoch close when nobody reports. On a recorded clock (rehearsed) it *is*
/// the clock.
pub const SOURCE_CLOCK: &str = "clock";

/// The most bytes of one observation, signature and headers included.
pub const OBSERVATION_BYTES_MAX: usize = 32_000;

/// The payload of an observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservationBody {
    /// 1: what is observed, such as `clock`.
    pub source: String,
    /// 2: the round; strictly increasing per source and observer. Rounds are computed from time, never chosen.
    pub round: u64,
    /// 3: the value.
    pub value: Value,
    /// 4: proof, for sources that have one.
    pub proof: Option<Vec<u8>>,
}

impl ObservationBody {
    /// The canonical payload bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.map(3 + usize::from(self.proof.is_some()));
        out.int(1).text(&self.source).int(2).uint(self.round).int(3).value(&self.value);
        if let Some(proof) = &self.proof {
            out.int(4).bytes(proof);
        }
        out.into_bytes()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// [`cbor::CborError`].
    pub fn decode(payload: &[u8]) -> cbor::Result<Self> {
        let mut input = Decoder::over(payload);
        let mut keys = input.map()?;
        let (mut source, mut round, mut value, mut proof) = (None, None, None, None);
        while let Some(key) = keys.next_key(&mut input)? {
            match key {
                1 => source = Some(input.text()?.to_owned()),
                2 => round = Some(input.uint()?),
                3 => value = Some(input.value()?),
                4 => proof = Some(input.bytes()?.to_vec()),
                _ => keys.unknown(&input, key)?,
            }
        }
        input.leave();
        input.end()?;
        Ok(Self {
            source: keys.required(1, source)?,
            round: keys.required(2, round)?,
            value: keys.required(3, value)?,
            proof,
        })
    }

    /// The observation that the time is `time_ms`.
    #[must_use]
    pub fn clock(time_ms: u64) -> Self {
        let value = Value::Int(i64::try_from(time_ms).unwrap_or(i64::MAX));
        Self { source: SOURCE_CLOCK.to_owned(), round: time_ms, value, proof: None }
    }
}

/// A parsed observation.
#[derive(Debug, Clone)]
pub struct Observation<'a> {
    /// The COSE structure.
    pub sign1: Sign1<'a>,
    /// What it says.
    pub body: ObservationBody,
}

impl<'a> Observation<'a> {
    /// Parses the bytes of one observation. Says nothing of the signature.
    ///
    /// # Errors
    /// [`CoseError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CoseError> {
        let sign1 = Sign1::parse(bytes)?;
        let body = ObservationBody::decode(sign1.payload)?;
        Ok(Self { sign1, body })
    }

    /// The bytes that the signature covers.
    #[must_use]
    pub fn to_be_signed(&self, network: &NetworkId) -> Vec<u8> {
        self.sign1.to_be_signed(Purpose::Observation, Some(network))
    }
}

/// Signs an observation for `network`.
#[must_use]
pub fn sign_observation(key: &SecretKey, network: &NetworkId, body: &ObservationBody) -> Vec<u8> {
    cose::sign1(key, &key.public().key_id(), Purpose::Observation, network, &body.encode())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hash;

    #[test]
    fn observations_round_trip_and_verify() {
        let key = SecretKey::ed25519([3; 32]);
        let network = NetworkId(Hash::of(b"n"));
        let body = ObservationBody { proof: Some(vec![1]), ..ObservationBody::clock(1_700_000_000_000) };
        let bytes = sign_observation(&key, &network, &body);
        let parsed = Observation::parse(&bytes).unwrap();
        assert_eq!(parsed.body, body);
        assert!(key.public().verify(&parsed.to_be_signed(&network), &parsed.sign1.signature));
        assert!(Observation::parse(&bytes[1..]).is_err());
    }
}
