//! NTP as a client that asks and does not serve (RFC 5905, section 14): what is sent, what is believed of an answer, and how far
//! off it may be. Pure: who sends it is told elsewhere.
//!
//! The request holds nothing of this machine: instead of its time there is a random number, which an answer has to repeat. Who
//! cannot read the request cannot answer it; who can is only outvoted, since NTP without keys is not signed.

use super::{FLOOR_MS, Offset};

/// Bytes of a request, and the least of an answer.
pub const PACKET_BYTES: usize = 48;
/// Seconds from 1900, where NTP counts from, to 1970.
const SINCE_1900_S: i64 = 2_208_988_800;
/// The largest distance to a reference clock that is believed: RFC 5905, MAXDISP.
const DISTANCE_US_MAX: i64 = 16_000_000;
/// While a leap second is announced, clocks that insert it and clocks that smear it over a day differ by up to this.
const LEAP_US: i64 = 1_000_000;

/// What a server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// When the request came to the server, by its clock, µs since 1970.
    received_us: i64,
    /// When it sent the answer.
    sent_us: i64,
    /// How far its clock may be off: half of the delay to the reference clock, the dispersion on the way, and its precision.
    distance_us: i64,
}

/// Why an answer is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBelieved {
    /// It repeats another request's number: nobody asked for it, and what was asked for may still come.
    NotAsked,
    /// The server asks to be left alone (`DENY`, `RSTR`).
    Denied,
    /// The server asks to be asked less often (`RATE`).
    TooOften,
    /// For this reason.
    Wrong(&'static str),
}

/// A request under a random number.
#[must_use]
pub fn request(number: u64) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    // No leap warning, version 4, mode 3: a client.
    packet[0] = 0b00_100_011;
    packet[40..].copy_from_slice(&number.to_be_bytes());
    packet
}

/// Reads an answer to the request of this number. Extensions behind the header are passed over.
///
/// # Errors
/// [`NotBelieved`], with the number checked before anything else: a stranger's words count for nothing, not even a refusal.
pub fn read(packet: &[u8], number: u64) -> Result<Answer, NotBelieved> {
    let Some(header) = packet.first_chunk::<PACKET_BYTES>() else { return Err(NotBelieved::NotAsked) };
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let pair = |at: usize| (word(at), word(at + 4));
    let (leap, version, mode) = (header[0] >> 6, header[0] >> 3 & 7, header[0] & 7);
    if header[24..32] != number.to_be_bytes() || mode != 4 {
        return Err(NotBelieved::NotAsked);
    }
    let wrong = |why| Err(NotBelieved::Wrong(why));
    match header[1] {
        0 => {
            return Err(match &header[12..16] {
                b"DENY" | b"RSTR" => NotBelieved::Denied,
                b"RATE" => NotBelieved::TooOften,
                _ => NotBelieved::Wrong("it answers that it cannot answer"),
            });
        }
        1..=15 => {}
        _ => return wrong("it is not synchronised"),
    }
    if !(3..=4).contains(&version) {
        return wrong("it speaks another version of NTP");
    }
    if leap == 3 {
        return wrong("it is not synchronised");
    }
    let precision = i8::from_be_bytes([header[3]]);
    let Ok(shift @ 0..=40) = u32::try_from(-i32::from(precision)) else {
        return wrong("its precision is worse than a second");
    };
    let distance = short_us(word(4)) / 2 + 1 + short_us(word(8)) + (1_000_000 >> shift) + 1;
    let distance_us = distance + if leap == 0 { 0 } else { LEAP_US };
    if distance > DISTANCE_US_MAX {
        return wrong("it is too far from its reference clock");
    }
    let (received, sent) = (pair(32), pair(40));
    if received == (0, 0) || sent == (0, 0) {
        return wrong("it does not say the time");
    }
    let (received_us, sent_us) = (time_us(received), time_us(sent));
    if received_us / 1_000 < FLOOR_MS || sent_us / 1_000 < FLOOR_MS {
        return wrong("its time is long past");
    }
    if sent_us < received_us {
        return wrong("it answered before it was asked");
    }
    Ok(Answer { received_us, sent_us, distance_us })
}

impl Answer {
    /// UTC less the boot clock, given when the request was sent and the answer came by that clock.
    ///
    /// The request came to the server after it was sent, and the answer to us after the server had sent it; nothing else is
    /// assumed, so that however unequal the two ways are the truth is inside. The width is that of RFC 5905: the delay, and twice
    /// the root distance.
    ///
    /// # Errors
    /// [`NotBelieved::Wrong`]: the server says that it thought for longer than it took.
    pub fn offset(&self, asked_boot_us: i64, came_boot_us: i64) -> Result<Offset, NotBelieved> {
        let lo_us = self.sent_us.saturating_sub(came_boot_us).saturating_sub(self.distance_us);
        let hi_us = self.received_us.saturating_sub(asked_boot_us).saturating_add(self.distance_us);
        let offset = Offset::between(lo_us, hi_us);
        offset.ok_or(NotBelieved::Wrong("it took longer by its own clock than by ours"))
    }
}

/// 16.16 fixed-point seconds in µs, rounded up.
fn short_us(short: u32) -> i64 {
    ((i64::from(short) * 1_000_000) >> 16) + 1
}

/// A timestamp in µs since 1970. One below 2^31 seconds is of the era that begins in 2036 (RFC 4330, section 3): this lasts to 2104.
fn time_us((seconds, fraction): (u32, u32)) -> i64 {
    let era_s = if seconds < 1 << 31 { 1i64 << 32 } else { 0 };
    (i64::from(seconds) + era_s - SINCE_1900_S) * 1_000_000 + ((i64::from(fraction) * 1_000_000) >> 32)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const NUMBER: u64 = 0x1122_3344_5566_7788;
    const NOW_US: i64 = 1_790_000_000_250_000;

    fn stamp(time_us: i64) -> [u8; 8] {
        let seconds = (time_us.div_euclid(1_000_000) + SINCE_1900_S) as u64 & 0xffff_ffff;
        // Rounded up, as it is cut when it is read.
        let fraction = ((time_us.rem_euclid(1_000_000) as u64) << 32).div_ceil(1_000_000);
        (seconds << 32 | fraction).to_be_bytes()
    }

    /// An answer to a request, of a server whose clock says so, that took no time.
    pub fn answer(request: &[u8], time_us: i64) -> [u8; PACKET_BYTES] {
        let mut packet = [0; PACKET_BYTES];
        packet[0] = 0b00_100_100;
        packet[1] = 2;
        packet[3] = 0xec;
        packet[24..32].copy_from_slice(&request[40..48]);
        packet[32..40].copy_from_slice(&stamp(time_us));
        packet[40..48].copy_from_slice(&stamp(time_us));
        packet
    }

    fn changed(change: impl Fn(&mut [u8; PACKET_BYTES])) -> Result<Answer, NotBelieved> {
        let mut packet = answer(&request(NUMBER), NOW_US);
        change(&mut packet);
        read(&packet, NUMBER)
    }

    #[test]
    fn an_answer_bounds_the_truth_whichever_way_took_longer() {
        // Asked at 1 s after boot, answered at 1.06 s; root delay 1/64 s, dispersion 1/128 s.
        let answer = changed(|packet| {
            packet[4..8].copy_from_slice(&1_024u32.to_be_bytes());
            packet[8..12].copy_from_slice(&512u32.to_be_bytes());
        });
        let offset = answer.unwrap().offset(1_000_000, 1_060_000).unwrap();
        // Half of the delay, the dispersion, and 2^-20 s, each rounded up.
        let distance = 15_626 / 2 + 1 + 7_813 + 1;
        assert_eq!(offset.lo_us(), NOW_US - 1_060_000 - distance);
        assert_eq!(offset.hi_us(), NOW_US - 1_000_000 + distance);
        assert_eq!(
            changed(|_| ()).unwrap().offset(1_000_000, 999_900),
            Err(NotBelieved::Wrong("it took longer by its own clock than by ours"))
        );
    }

    #[test]
    fn what_is_not_believed_says_why() {
        type Change = fn(&mut [u8; PACKET_BYTES]);
        let cases: [(Change, NotBelieved); 14] = [
            (|packet| packet[24] ^= 1, NotBelieved::NotAsked),
            (|packet| packet[31] ^= 1, NotBelieved::NotAsked),
            (|packet| packet[0] = 0b00_100_011, NotBelieved::NotAsked),
            (|packet| packet[0] = 0b00_001_100, NotBelieved::Wrong("it speaks another version of NTP")),
            (|packet| packet[0] = 0b11_100_100, NotBelieved::Wrong("it is not synchronised")),
            (|packet| packet[1] = 16, NotBelieved::Wrong("it is not synchronised")),
            (|packet| packet[3] = 1, NotBelieved::Wrong("its precision is worse than a second")),
            (|packet| packet[4] = 0xff, NotBelieved::Wrong("it is too far from its reference clock")),
            (|packet| packet[9] = 17, NotBelieved::Wrong("it is too far from its reference clock")),
            (|packet| packet[32..40].fill(0), NotBelieved::Wrong("it does not say the time")),
            (|packet| packet[40..48].fill(0), NotBelieved::Wrong("it does not say the time")),
            (
                |packet| packet[40..48].copy_from_slice(&stamp(NOW_US - 1_000)),
                NotBelieved::Wrong("it answered before it was asked"),
            ),
            (
                |packet| packet[32..40].copy_from_slice(&stamp(1_325_376_000_000_000)),
                NotBelieved::Wrong("its time is long past"),
            ),
            (|packet| packet[24..32].fill(0), NotBelieved::NotAsked),
        ];
        for (n, (change, expected)) in cases.into_iter().enumerate() {
            assert_eq!(changed(change), Err(expected), "case {n}");
        }
        assert!(
            changed(|packet| packet[12..16].copy_from_slice(b"DENY")).is_ok(),
            "the name of what it follows means nothing"
        );
    }

    #[test]
    fn who_asks_to_be_left_alone_is_heard_only_if_he_was_asked() {
        for (code, expected) in [
            (b"DENY", NotBelieved::Denied),
            (b"RSTR", NotBelieved::Denied),
            (b"RATE", NotBelieved::TooOften),
            (b"STEP", NotBelieved::Wrong("it answers that it cannot answer")),
        ] {
            let kiss = |packet: &mut [u8; PACKET_BYTES]| {
                packet[1] = 0;
                packet[12..16].copy_from_slice(code);
            };
            assert_eq!(changed(kiss), Err(expected));
            let of_a_stranger = changed(|packet| {
                kiss(packet);
                packet[24] ^= 1;
            });
            assert_eq!(of_a_stranger, Err(NotBelieved::NotAsked));
        }
    }

    #[test]
    fn an_announced_leap_second_widens_the_bound_by_a_second() {
        let width = |leap: u8| {
            let offset = changed(|packet| packet[0] = leap << 6 | 0b100_100).unwrap().offset(0, 0).unwrap();
            offset.hi_us() - offset.lo_us()
        };
        assert_eq!((width(1) - width(0), width(2) - width(0)), (2_000_000, 2_000_000));
    }

    #[test]
    fn times_are_read_over_the_end_of_the_era() {
        for time_us in
            [NOW_US, 2_085_978_495_000_000, 2_085_978_496_500_000, 2_085_978_497_500_000, 4_000_000_000_000_000]
        {
            let found = read(&answer(&request(NUMBER), time_us), NUMBER).unwrap();
            assert_eq!((found.received_us, found.sent_us), (time_us, time_us));
        }
    }

    #[test]
    fn no_bytes_stop_the_reader() {
        let packet = answer(&request(NUMBER), NOW_US);
        for length in 0..PACKET_BYTES {
            assert_eq!(read(&packet[..length], NUMBER), Err(NotBelieved::NotAsked));
        }
        let mut random = NUMBER;
        for _ in 0..20_000 {
            let mut noise = packet;
            for byte in noise.iter_mut().take(24) {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = (random >> 56) as u8;
            }
            if let Ok(answer) = read(&noise, NUMBER) {
                let offset = answer.offset(0, 1).unwrap();
                assert!(offset.error_us() <= DISTANCE_US_MAX + LEAP_US + 1);
            }
        }
    }
}
