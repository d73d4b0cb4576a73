//! Attacks below the items: lengths that lie, chunks that are cut, paths and methods that are not, mutated requests.

use super::{Attack, Attacker, Expected};
use crate::stage::Stage;
use crate::wire::{get, post};

const HEAD: &str = "POST /v1/reports HTTP/1.1\r\nhost: soak\r\ncontent-type: application/cbor-seq\r\n";
/// One byte more than a body may have.
const TOO_LONG: usize = (1 << 20) + 1;

fn raw(rest: &str) -> Vec<u8> {
    format!("{HEAD}{rest}").into_bytes()
}

impl Attacker {
    /// One of the attacks.
    pub(super) fn http(&mut self, stage: &Stage) -> Attack {
        match self.random.below(10) {
            0..2 => self.lengths(),
            2 => self.oversized(),
            3 => self.short(stage),
            4..6 => self.nowhere(),
            6 => self.wrong_media(),
            7 => self.garbage(),
            _ => self.mutated_request(stage),
        }
    }

    /// Heads that contradict themselves.
    fn lengths(&mut self) -> Attack {
        let heads = [
            "content-length: 99999999999999999999\r\n\r\n",
            "content-length: -1\r\n\r\n",
            "content-length: 5\r\ncontent-length: 6\r\n\r\n123456",
            "content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nx",
            "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\nxyz\r\n\u{1}",
            "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n\u{1}",
            "transfer-encoding: chunked\r\n\r\n1\r\n\u{1}\u{1}\u{1}\r\n0\r\n\r\n",
        ];
        let request = raw(heads[self.random.at(heads.len())]);
        Attack::refused("lengths that lie", request, &["400*", "413 NET-TOO-LARGE"]).or_closed()
    }

    /// Too much of everything.
    fn oversized(&mut self) -> Attack {
        let refused = |request, refusals| Attack::refused("oversized", request, refusals).or_closed();
        match self.random.below(6) {
            0 => refused(raw(&format!("content-length: {TOO_LONG}\r\n\r\n")), &["413 NET-TOO-LARGE"]),
            1 => {
                let chunk = format!("40000\r\n{}\r\n", "\u{1}".repeat(0x40000));
                refused(raw(&format!("transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(5))), &["413 NET-TOO-LARGE"])
            }
            2 => refused(post("/v1/reports", "application/cbor-seq", &[1; 1_001]), &["413 NET-TOO-MANY"]),
            3 => refused(format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)).into_bytes(), &["4*"]),
            4 => refused(format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65)).into_bytes(), &["431*"]),
            _ => {
                let report = [&[0x59, 0x7d, 0x01], self.random.bytes(32_001).as_slice()].concat();
                let rows: &[&str] = &["RPT-TOO-LARGE"];
                Attack::items("oversized", "/v1/reports", &[report], rows)
            }
        }
    }

    /// A body that is shorter than it is said to be: the gateway waits as long as it has patience.
    fn short(&mut self, stage: &Stage) -> Attack {
        let body = stage.gossip.a_report(&mut self.random).map(|known| known.bytes).unwrap_or_default();
        let cut = self.random.at(body.len() + 1);
        let request = match self.random.below(2) {
            0 => [raw(&format!("content-length: {}\r\n\r\n", body.len() + 1)).as_slice(), &body[..cut]].concat(),
            _ => {
                let chunk = format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len() + 1);
                [raw(&chunk).as_slice(), &body[..cut]].concat()
            }
        };
        Attack::refused("cut body", request, &["408 NET-SLOW-BODY"])
    }

    /// Paths, methods, numbers and queries that are not.
    fn nowhere(&mut self) -> Attack {
        let noise: String = (0..8).map(|_| char::from(b'a' + self.random.next().to_le_bytes()[1] % 26)).collect();
        let refusals: &[&str] = &["400 NET-*", "404 NET-*", "404 LOG-*", "405 NET-METHOD", "406 NET-ACCEPT", "400*"];
        let path = match self.random.below(12) {
            0 => format!("/{noise}"),
            1 => format!("/v1/{noise}"),
            2 => format!("/v1/epochs/{noise}"),
            3 => "/v1/epochs/18446744073709551615".to_owned(),
            4 => format!("/v1/epochs?limit={noise}"),
            5 => format!("/v1/devices/{noise}"),
            6 => format!("/v1/accounts/{noise}"),
            7 => "/v1/proofs/18446744073709551615".to_owned(),
            8 => format!("/log/tile/0/{noise}"),
            9 => "/log/tile/../../../../etc/passwd".to_owned(),
            10 => "/metrics".to_owned(),
            _ => {
                let method = *self.random.pick(&["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]);
                let request = format!("{method} /v1/reports HTTP/1.1\r\nhost: soak\r\n\r\n").into_bytes();
                return Attack::refused("garbage methods", request, refusals);
            }
        };
        Attack::refused("garbage paths", get(&path), refusals)
    }

    fn wrong_media(&mut self) -> Attack {
        let media =
            *self.random.pick(&["application/json", "text/plain", "", "application/cbor", "multipart/form-data"]);
        let request = post("/v1/reports", media, b"\x01");
        Attack::refused("wrong media types", request, &["415 NET-MEDIA-TYPE"])
    }

    /// Bytes that are no HTTP.
    fn garbage(&mut self) -> Attack {
        let length = 1 + self.random.at(5_000);
        let mut request = self.random.bytes(length);
        request.extend_from_slice(b"\r\n\r\n");
        Attack::refused("garbage", request, &["400*", "408*", "431*", "404 NET-ROUTE"]).or_closed()
    }

    /// A request with a known report, changed anywhere in its head. A head that says less than was sent leaves bytes that are
    /// no request; one that says more is waited for.
    fn mutated_request(&mut self, stage: &Stage) -> Attack {
        let body = stage.gossip.a_report(&mut self.random).map(|known| known.bytes).unwrap_or_default();
        let mut request = post("/v1/reports", "application/cose", &body);
        let head = request.len() - body.len();
        for _ in 0..=self.random.below(3) {
            let at = self.random.at(head - 2);
            match self.random.below(4) {
                0..2 => request[at] ^= 1 << self.random.below(8),
                2 => drop(request.remove(at)),
                _ => request.insert(at, self.random.next().to_le_bytes()[0]),
            }
        }
        let rows: &[&str] = &["duplicate", "RPT-*", "CLS-*", "SEN-*"];
        let expected = Expected { rows, refusals: &["4*", "200"], may_close: true };
        Attack { name: "mutated request", request, items: 1, expected }
    }
}
