//! What one connection will send: whole HTTP requests, signed and written before the clock starts.

use std::ops::Range;

use super::fleet::{Fleet, spread};
use crate::failure::Failure;

/// Where reports go.
pub const PATH: &str = "/v1/reports";

/// The media type of a body of so many reports.
pub const fn media_type(batch: usize) -> &'static str {
    if batch == 1 { "application/cose" } else { "application/cbor-seq" }
}

/// The requests of one connection, from devices that no other connection sends for.
pub struct Lane {
    /// Each with its head and its body.
    pub requests: Vec<Vec<u8>>,
    /// How many of them were sent.
    pub sent: usize,
}

/// The reports of a lane, in the order in which they are sent: the devices take turns.
#[derive(Debug, Clone)]
pub struct Turns {
    /// Its devices.
    pub devices: Range<usize>,
    /// When they measured, ms since 1970 UTC.
    pub time_ms: u64,
}

impl Turns {
    /// Devices shared out among lanes.
    pub fn share_out(devices: usize, lanes: usize, time_ms: u64) -> Vec<Self> {
        let start = |lane: usize| devices * lane / lanes;
        (0..lanes).map(|lane| Self { devices: start(lane)..start(lane + 1), time_ms }).collect()
    }

    /// Report `number` of the lane: its device and its bytes.
    ///
    /// # Errors
    /// When there are more reports than names.
    pub fn report(&self, fleet: &Fleet, number: usize) -> Result<(usize, Vec<u8>), Failure> {
        let device = self.devices.start + number % self.devices.len();
        let seq = u32::try_from(number / self.devices.len())
            .map_err(|_| Failure::failed("NET-BENCH", "a device has no more than 2^32 names"))?;
        Ok((device, fleet.report(device, seq, self.time_ms)?))
    }

    /// The body with the reports of request `request`.
    ///
    /// # Errors
    /// As [`Turns::report`].
    pub fn body(&self, fleet: &Fleet, request: usize, batch: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        for number in request * batch..(request + 1) * batch {
            body.extend_from_slice(&self.report(fleet, number)?.1);
        }
        Ok(body)
    }
}

impl Lane {
    /// Signs and writes so many requests of `batch` reports each, on all cores.
    ///
    /// # Errors
    /// As [`Turns::report`].
    pub fn prepare(fleet: &Fleet, turns: &Turns, requests: usize, batch: usize, host: &str) -> Result<Self, Failure> {
        let one = |request: usize| Ok(request_of(host, batch, &turns.body(fleet, request, batch)?));
        let parts = spread(0..requests, |range| range.map(one).collect::<Result<Vec<_>, Failure>>());
        let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Self { requests: parts.into_iter().flatten().collect(), sent: 0 })
    }
}

fn request_of(host: &str, batch: usize, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
        media_type(batch),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use cairn_core::report::Report;
    use cairn_core::{Hash, NetworkId};

    use super::*;

    #[test]
    fn no_two_reports_of_a_run_have_one_name() {
        let fleet = Fleet::make(NetworkId(Hash::ZERO), 7, 0).unwrap();
        let mut names = std::collections::BTreeSet::new();
        for turns in Turns::share_out(7, 3, 0) {
            for number in 0..20 {
                let (_, bytes) = turns.report(&fleet, number).unwrap();
                assert!(names.insert(Report::parse(&bytes).unwrap().name()), "{number}");
            }
        }
    }
}
