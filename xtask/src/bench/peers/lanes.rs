//! Sending a load over several connections at once, and the time until each group is acknowledged.

use std::io;
use std::net::TcpListener;
use std::sync::Barrier;
use std::time::Instant;

use super::Shape;
use super::bodies::Load;

/// A connection to whoever takes reports.
pub trait Lane: Send {
    /// Sends a group and waits until all of it is acknowledged.
    ///
    /// # Errors
    /// When it is refused, or the connection fails.
    fn send(&mut self, group: &[Vec<u8>]) -> io::Result<()>;
}

/// What was measured.
pub struct Measured {
    /// Reports acknowledged a second.
    pub per_s: u64,
    /// Within so many microseconds half of the groups were acknowledged.
    pub half_us: u64,
    /// Within so many 99 of a hundred were.
    pub most_us: u64,
}

/// Sends a whole load, every connection its part of it.
///
/// # Errors
/// Why it was not taken.
pub fn measure<L: Lane>(
    load: &Load,
    Shape { group, connections, .. }: Shape,
    connect: impl Fn(usize) -> io::Result<L>,
) -> Result<Measured, String> {
    let failed = |error: io::Error| error.to_string();
    let lanes: Vec<L> = (0..connections).map(connect).collect::<io::Result<_>>().map_err(failed)?;
    let groups: Vec<&[Vec<u8>]> = load.reports.chunks(group).collect();
    let parts: Vec<Vec<&[Vec<u8>]>> =
        (0..connections).map(|lane| groups.iter().skip(lane).step_by(connections).copied().collect()).collect();
    let begin = Barrier::new(connections + 1);
    let (sent, spent_us) = std::thread::scope(|scope| {
        let mut threads = Vec::with_capacity(connections);
        for (mut lane, part) in lanes.into_iter().zip(parts) {
            let begin = &begin;
            threads.push(scope.spawn(move || -> io::Result<Vec<u64>> {
                begin.wait();
                part.into_iter().map(|group| timed(&mut lane, group)).collect()
            }));
        }
        begin.wait();
        let start = Instant::now();
        let panicked = || io::Error::other("a connection's thread panicked");
        let joined: Vec<io::Result<Vec<u64>>> =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect();
        (joined, start.elapsed().as_micros())
    });
    let mut latencies_us: Vec<u64> = sent.into_iter().collect::<io::Result<Vec<_>>>().map_err(failed)?.concat();
    latencies_us.sort_unstable();
    let at = |percent: usize| latencies_us.get(latencies_us.len() * percent / 100).copied().unwrap_or(0);
    let per_s = load.reports.len() as u128 * 1_000_000 / spent_us.max(1);
    Ok(Measured { per_s: u64::try_from(per_s).unwrap_or(u64::MAX), half_us: at(50), most_us: at(99) })
}

fn timed(lane: &mut impl Lane, group: &[Vec<u8>]) -> io::Result<u64> {
    let start = Instant::now();
    lane.send(group)?;
    Ok(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX))
}

/// A port of this machine that nobody had a moment ago.
///
/// # Errors
/// When there is none.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Kept<'a>(&'a Mutex<Vec<Vec<u8>>>, usize);

    impl Lane for Kept<'_> {
        fn send(&mut self, group: &[Vec<u8>]) -> io::Result<()> {
            if self.1 == 7 {
                return Err(io::Error::other("refused"));
            }
            self.0.lock().unwrap().extend(group.iter().cloned());
            Ok(())
        }
    }

    #[test]
    fn every_report_is_sent_once_over_whatever_connections_and_a_refusal_is_no_rate() {
        let load = Load { reports: (0..100_u8).map(|n| vec![n]).collect() };
        for (group, connections) in [(1, 1), (7, 3), (100, 4), (3, 64)] {
            let kept = Mutex::new(Vec::new());
            let shape = Shape { group, connections, signed: 0 };
            assert!(measure(&load, shape, |_| Ok(Kept(&kept, 0))).is_ok());
            let mut kept = kept.into_inner().unwrap();
            kept.sort();
            assert_eq!(kept, load.reports, "{group} over {connections}");
        }
        let kept = Mutex::new(Vec::new());
        let refused = measure(&load, Shape { group: 1, connections: 8, signed: 0 }, |number| Ok(Kept(&kept, number)));
        assert_eq!(refused.err().as_deref(), Some("refused"));
    }
}
