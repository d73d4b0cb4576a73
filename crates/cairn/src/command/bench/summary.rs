//! What a measurement says: rates, ratios, latencies.
//!
//! Nothing here is judged, paid or hashed, so it may be written with a point.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::traffic::Sent;
use super::verify::Verified;

/// The answer of `cairn bench ingest`.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Reports acknowledged a second: durable, and promised.
    pub acked_per_s: u64,
    /// Signatures of the same reports verified a second, in batches and nothing else, on all cores.
    pub verify_per_s: u64,
    /// CPU time that verifying takes of the CPU time that the server takes, per report. The client's is in neither.
    pub ratio: Option<f64>,
    /// The same by the clock, the client running on the same cores: `acked_per_s / verify_per_s`.
    pub ratio_wall: f64,
    /// Half of the requests were answered within this, ms.
    pub p50_ms: f64,
    /// Of a hundred requests ninety-nine were, ms.
    pub p99_ms: f64,
    /// CPU time of the server for a million reports, s.
    pub cpu_s_per_million: Option<f64>,
    /// CPU time of verifying alone for a million signatures, s.
    pub verify_cpu_s_per_million: Option<f64>,
    /// CPU time of the client for a million reports, s.
    pub client_cpu_s_per_million: Option<f64>,
    /// The most memory that the server had, bytes.
    pub peak_rss_bytes: Option<u64>,
    /// Its memory once all devices were enrolled, before the first report, bytes.
    pub enrolled_rss_bytes: Option<u64>,
    /// Its memory at the end, bytes.
    pub end_rss_bytes: Option<u64>,
    /// Bytes of a report as it is sent, on the average.
    pub bytes_per_report: u64,
    /// What the requests at half the rate met with.
    pub half_load: Option<HalfLoad>,
    /// Reports acknowledged in all.
    pub acked: u64,
    /// Requests answered at full speed.
    pub requests: u64,
    /// For how long they were sent, s.
    pub seconds: f64,
    /// Answers whose promise was verified afterwards.
    pub promises_checked: u64,
    /// Devices enrolled, and how many a second.
    pub devices: u64,
    /// Enrolments accepted a second.
    pub enrolled_per_s: u64,
    /// Reports in a request.
    pub batch: u64,
    /// Connections.
    pub connections: u64,
    /// Percent of the devices that sign with P-256.
    pub p256_share: u8,
    /// Cores that the server may use, and verifying used.
    pub cores: u64,
    /// The gateway's limits in this run.
    pub limits: BTreeMap<&'static str, u64>,
    /// What is rehearsed.
    pub rehearsed: Vec<String>,
}

/// Requests sent in even steps, half as many a second as at full speed.
#[derive(Debug, Serialize)]
pub struct HalfLoad {
    /// Reports acknowledged a second.
    pub acked_per_s: u64,
    /// Half of the requests were answered within this after they were due, ms.
    pub p50_ms: f64,
    /// Of a hundred requests ninety-nine were, ms.
    pub p99_ms: f64,
}

impl HalfLoad {
    /// What a paced run says.
    pub fn of(sent: &Sent) -> Self {
        let latencies = &sent.latencies_us;
        Self {
            acked_per_s: per_second(sent.acked, sent.wall),
            p50_ms: percentile_ms(latencies, 50),
            p99_ms: percentile_ms(latencies, 99),
        }
    }
}

/// Events a second.
pub fn per_second(count: u64, wall: Duration) -> u64 {
    let per_second = u128::from(count) * 1_000_000 / wall.as_micros().max(1);
    u64::try_from(per_second).unwrap_or(u64::MAX)
}

/// One number over another, in thousandths.
#[expect(clippy::float_arithmetic, reason = "a measurement, written with a point")]
pub fn over(part: u128, whole: u128) -> f64 {
    let thousandths = u32::try_from(part * 1_000 / whole.max(1)).unwrap_or(u32::MAX);
    f64::from(thousandths) / 1_000.0
}

/// CPU seconds for a million.
pub fn cpu_s_per_million(cpu: Option<Duration>, count: u64) -> Option<f64> {
    // Microseconds for one are seconds for a million.
    cpu.map(|cpu| over(cpu.as_nanos(), u128::from(count) * 1_000))
}

/// The CPU time of verifying `count` signatures over that of the server for `acked` reports.
pub fn cpu_ratio(verified: &Verified, server: Option<Duration>, acked: u64) -> Option<f64> {
    let (verifying, server) = verified.cpu.zip(server)?;
    Some(over(verifying.as_nanos() * u128::from(acked), server.as_nanos() * u128::from(verified.count)))
}

/// The latency that so many of a hundred do not exceed, ms; the latencies ascend.
pub fn percentile_ms(latencies_us: &[u32], percent: usize) -> f64 {
    let rank = (latencies_us.len() * percent).div_ceil(100).saturating_sub(1);
    over(latencies_us.get(rank).copied().unwrap_or(0).into(), 1_000)
}

impl Summary {
    /// The summary as people read it.
    pub fn text(&self) -> String {
        let cpu = |seconds: Option<f64>| seconds.map_or("?".to_owned(), |seconds| format!("{seconds} us"));
        let mib = |bytes: Option<u64>| bytes.map_or("?".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
        let mut text = format!(
            "{} reports of {} bytes from {} devices, {} in a request, {} connections, {} % P-256\n",
            self.acked, self.bytes_per_report, self.devices, self.batch, self.connections, self.p256_share
        );
        text.push_str(&format!("  acknowledged       {} a second\n", self.acked_per_s));
        text.push_str(&format!("  verifying alone    {} a second on {} cores\n", self.verify_per_s, self.cores));
        let ratio = self.ratio.map_or("?".to_owned(), |ratio| ratio.to_string());
        text.push_str(&format!(
            "  ratio              {ratio} of the server's CPU time verifies; {} by the clock\n",
            self.ratio_wall
        ));
        text.push_str(&format!(
            "  CPU per report     server {}, verifying alone {}, client {}\n",
            cpu(self.cpu_s_per_million),
            cpu(self.verify_cpu_s_per_million),
            cpu(self.client_cpu_s_per_million)
        ));
        text.push_str(&format!("  answered within    {} ms (half), {} ms (99 %)\n", self.p50_ms, self.p99_ms));
        if let Some(half) = &self.half_load {
            let HalfLoad { acked_per_s, p50_ms, p99_ms } = half;
            text.push_str(&format!("  at {acked_per_s} a second  {p50_ms} ms (half), {p99_ms} ms (99 %)\n"));
        }
        text.push_str(&format!(
            "  memory             {} with all devices, {} at the end, {} at most\n",
            mib(self.enrolled_rss_bytes),
            mib(self.end_rss_bytes),
            mib(self.peak_rss_bytes)
        ));
        text.push_str(&format!(
            "  promises checked   {}\n  enrolled           {} a second\n",
            self.promises_checked, self.enrolled_per_s
        ));
        let limits: Vec<String> = self.limits.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        text.push_str(&format!("  limits             {}\n", limits.join(", ")));
        for what in &self.rehearsed {
            text.push_str(&format!("  rehearsed          {what}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_least_latency_that_so_many_do_not_exceed() {
        let hundred: Vec<u32> = (1..=100).map(|ms| ms * 1_000).collect();
        assert_eq!((percentile_ms(&hundred, 50), percentile_ms(&hundred, 99)), (50.0, 99.0));
        assert_eq!((percentile_ms(&[7_500], 50), percentile_ms(&[7_500], 99)), (7.5, 7.5));
        assert_eq!(percentile_ms(&[], 99), 0.0);
    }

    #[test]
    fn ratios_compare_the_time_of_one_report_with_that_of_one_signature() {
        let verified = Verified { count: 100, wall: Duration::from_secs(1), cpu: Some(Duration::from_millis(100)) };
        assert_eq!(cpu_ratio(&verified, Some(Duration::from_millis(500)), 400), Some(0.8));
        assert_eq!(cpu_s_per_million(Some(Duration::from_millis(10)), 1_000), Some(10.0));
        assert_eq!(per_second(500, Duration::from_millis(250)), 2_000);
    }
}
