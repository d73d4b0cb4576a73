//! The reports: signed by `cairn bench gen` for a network, and split so that others can be sent them one by one.

use std::path::Path;

use super::gateway::{Gateway, cairn};
use crate::run::{Failure, Program, wrong};

/// Signed reports, each of them never sent before.
pub struct Load {
    pub reports: Vec<Vec<u8>>,
}

impl Load {
    /// Enrols devices with a gateway and has them sign so many requests of 512 reports.
    ///
    /// # Errors
    /// When the reports cannot be made or read.
    pub fn signed_for(gateway: &Gateway, folder: &str, devices: u32, requests: u32) -> Result<Self, Failure> {
        let (devices, requests) = (devices.to_string(), requests.to_string());
        let sizes = ["--devices", &devices, "--batch", "512", "--requests", &requests, "--url", &gateway.url, "--json"];
        Program::of(&cairn(), ["bench", "gen", folder].iter().chain(&sizes)).run_aside()?;
        let mut reports = Vec::new();
        for number in 0..requests.parse().unwrap_or(0_u32) {
            let path = Path::new(folder).join(format!("{number:08}.body"));
            let Ok(body) = std::fs::read(&path) else { return wrong(format!("cannot read {}", path.display())) };
            let mut rest = &body[..];
            while !rest.is_empty() {
                let Some(length) = item_length(rest) else {
                    return wrong(format!("{} is no CBOR sequence", path.display()));
                };
                reports.push(rest[..length].to_vec());
                rest = &rest[length..];
            }
        }
        Ok(Self { reports })
    }

    /// Bytes of all reports.
    pub fn bytes(&self) -> usize {
        self.reports.iter().map(Vec::len).sum()
    }
}

/// The length of the first item of a CBOR sequence: tags, and arrays and strings of definite length, as reports have them.
fn item_length(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    let (argument, head) = match first & 31 {
        small @ 0..24 => (u64::from(small), 1),
        24 => (u64::from(*bytes.get(1)?), 2),
        25 => (u64::from(u16::from_be_bytes(bytes.get(1..3)?.try_into().ok()?)), 3),
        26 => (u64::from(u32::from_be_bytes(bytes.get(1..5)?.try_into().ok()?)), 5),
        _ => return None,
    };
    let argument = usize::try_from(argument).ok()?;
    let items = match first >> 5 {
        0 | 1 => return Some(head),
        2 | 3 => return (bytes.len() >= head + argument).then_some(head + argument),
        4 => argument,
        5 => argument.checked_mul(2)?,
        6 => 1,
        _ => return None,
    };
    (0..items).try_fold(head, |at, _| Some(at + item_length(bytes.get(at..)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_end_where_cbor_says() {
        // Tag 18 on [h'01', {}, h'', h'0102'], then 1.
        let sequence = [0xd2, 0x84, 0x41, 0x01, 0xa0, 0x40, 0x42, 0x01, 0x02, 0x01];
        assert_eq!(item_length(&sequence), Some(9));
        assert_eq!(item_length(&sequence[9..]), Some(1));
        for cut in 0..9 {
            assert_eq!(item_length(&sequence[..cut]), None, "{cut}");
        }
        assert_eq!(item_length(&[0x58, 0x02, 7, 7, 9]), Some(4));
        assert_eq!(item_length(&[0x9f, 0xff]), None);
    }
}
