//! `primes FROM TO [list]`: the primes of FROM..TO (TO not included), by a segmented sieve of Eratosthenes.
//!
//! Output is text: how many there are, the first and the last, and every gap between neighbours that is larger than all
//! before it in the range; with `list`, a line for each prime instead. TO is at most 2^48. No input.

#![no_std]

use guest::{Output, Words, arguments, refuse, zeroed};

/// Where a range may end: its sieving primes are below 2^24.
const TO_MAX: u64 = 1 << 48;

/// Bytes of the sieve's window, a bit for each odd number: 2^20 numbers.
const WINDOW_BYTES: usize = 1 << 16;

/// Numbers in a window.
const WINDOW: u64 = WINDOW_BYTES as u64 * 16;

/// What is to be told.
enum Tell {
    Summary(Summary),
    List,
}

/// What is known of the primes so far.
#[derive(Default)]
struct Summary {
    count: u64,
    first: u64,
    last: u64,
    widest: u64,
}

/// Runs the job.
#[unsafe(no_mangle)]
pub extern "C" fn run() {
    let Some((from, to, mut tell)) = arguments().and_then(asked) else {
        return refuse(
            "arguments are FROM TO, two numbers with FROM not above TO and TO at most 2^48, and perhaps `list`",
        );
    };
    let mut output = Output::new();
    if from <= 2 && to > 2 {
        tell.prime(2, &mut output);
    }
    let sieving = odd_primes_to(root(to));
    let window = zeroed(WINDOW_BYTES);
    let mut start = from & !1;
    while start < to {
        let end = to.min(start + WINDOW);
        sieve(window, start, end, sieving);
        for (at, byte) in window.iter().enumerate() {
            let mut primes = !byte;
            while primes != 0 {
                let prime = start + (at as u64 * 8 + u64::from(primes.trailing_zeros())) * 2 + 1;
                if prime >= end {
                    break;
                }
                if prime >= from {
                    tell.prime(prime, &mut output);
                }
                primes &= primes - 1;
            }
        }
        start += WINDOW;
    }
    tell.end(&mut output);
}

fn asked(arguments: &[u8]) -> Option<(u64, u64, Tell)> {
    let mut words = Words::of(arguments);
    let (from, to) = (words.number()?, words.number()?);
    let tell = match words.next() {
        None => Tell::Summary(Summary::default()),
        Some(b"list") => Tell::List,
        Some(_) => return None,
    };
    (from <= to && to <= TO_MAX && words.next().is_none()).then_some((from, to, tell))
}

/// Crosses out what is composite: bit `i` of the window stands for `start + 2 i + 1`, and is set when that is no prime.
/// `sieving` holds the odd primes whose squares may lie below `end`.
fn sieve(window: &mut [u8], start: u64, end: u64, sieving: &[u32]) {
    window.fill(0);
    if start == 0 {
        // One is no prime.
        window[0] = 1;
    }
    for &prime in sieving {
        let prime = u64::from(prime);
        if prime * prime >= end {
            break;
        }
        // The first odd multiple in the window, and never the prime itself.
        let multiple = (start / prime + 1).max(prime) * prime;
        let odd = if multiple % 2 == 0 { multiple + prime } else { multiple };
        let mut bit = (odd - start) / 2;
        while bit < WINDOW / 2 {
            window[(bit / 8) as usize] |= 1 << (bit % 8);
            bit += prime;
        }
    }
}

/// The odd primes up to `limit`, and perhaps the one after, ascending; `limit` is at most 2^24.
fn odd_primes_to(limit: u64) -> &'static [u32] {
    let odd = (limit as usize).div_ceil(2) + 1;
    let composite: &mut [u8] = zeroed(odd);
    let mut count = 0;
    for at in 1..odd {
        if composite[at] != 0 {
            continue;
        }
        count += 1;
        let prime = 2 * at + 1;
        // Above this the square is above 2^24, and above what 32 bits hold.
        if prime < 1 << 12 {
            (prime * prime / 2..odd).step_by(prime).for_each(|multiple| composite[multiple] = 1);
        }
    }
    let primes = zeroed(count);
    let found = (1..odd).filter(|at| composite[*at] == 0);
    for (prime, at) in primes.iter_mut().zip(found) {
        *prime = 2 * at as u32 + 1;
    }
    primes
}

/// The integer square root.
fn root(number: u64) -> u64 {
    let mut root = 0;
    let mut bit = 1 << 24;
    while bit > 0 {
        if (root + bit) * (root + bit) <= number {
            root += bit;
        }
        bit /= 2;
    }
    root
}

impl Tell {
    fn prime(&mut self, prime: u64, output: &mut Output) {
        match self {
            Self::List => line(output, b"", prime, None),
            Self::Summary(summary) => summary.prime(prime, output),
        }
    }

    fn end(&self, output: &mut Output) {
        if let Self::Summary(summary) = self {
            line(output, b"primes ", summary.count, None);
            if summary.count > 0 {
                line(output, b"first ", summary.first, None);
                line(output, b"last ", summary.last, None);
            }
        }
        output.flush();
    }
}

impl Summary {
    fn prime(&mut self, prime: u64, output: &mut Output) {
        if self.count == 0 {
            self.first = prime;
        } else if prime - self.last > self.widest {
            self.widest = prime - self.last;
            line(output, b"gap ", self.widest, Some(self.last));
        }
        self.count += 1;
        self.last = prime;
    }
}

/// A line of the output: a word, a number, and perhaps the prime that it is after.
fn line(output: &mut Output, word: &[u8], number: u64, after: Option<u64>) {
    output.write(word);
    output.number(number);
    if let Some(prime) = after {
        output.write(b" after ");
        output.number(prime);
    }
    output.write(b"\n");
}
