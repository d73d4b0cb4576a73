//! `primes` against division by everything, and against what is known.

use cairn_jobs::PRIMES;
use proptest::prelude::*;

use crate::running::text;

fn is_prime(number: u64) -> bool {
    number >= 2
        && (2..).take_while(|divisor| divisor * divisor <= number).all(|divisor| !number.is_multiple_of(divisor))
}

/// The job's summary, made the slow way.
fn summary(primes: &[u64]) -> String {
    let mut text = String::new();
    let mut widest = 0;
    for pair in primes.windows(2) {
        if pair[1] - pair[0] > widest {
            widest = pair[1] - pair[0];
            text += &format!("gap {widest} after {}\n", pair[0]);
        }
    }
    text += &format!("primes {}\n", primes.len());
    if let (Some(first), Some(last)) = (primes.first(), primes.last()) {
        text += &format!("first {first}\nlast {last}\n");
    }
    text
}

#[test]
fn the_primes_of_a_range_are_those_that_nothing_divides() {
    let windows = [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (2, 3), (3, 3), (3, 4), (4, 5), (5, 30), (8, 11), (9, 49)];
    // Around the edge of the first window of the sieve, and the squares of primes beyond 2^16.
    let edges = [(1_048_500, 1_048_700), (4_295_098_300, 4_295_098_400), (999_999_999_900, 1_000_000_000_100)];
    for (from, to) in windows.into_iter().chain(edges) {
        let primes: Vec<u64> = (from..to).filter(|number| is_prime(*number)).collect();
        assert_eq!(text(PRIMES, &[], &format!("{from} {to}")), summary(&primes), "{from} {to}");
        let lines: String = primes.iter().map(|prime| format!("{prime}\n")).collect();
        assert_eq!(text(PRIMES, &[], &format!("{from} {to} list")), lines, "{from} {to}");
    }
}

#[test]
fn counts_and_gaps_are_those_that_are_known() {
    // OEIS A006880 and A002386.
    let million = text(PRIMES, &[], "0 1000000");
    assert!(million.contains("gap 114 after 492113\nprimes 78498\nfirst 2\nlast 999983\n"), "{million}");
    // The largest prime below 2^48 is 2^48 - 59 (A013603).
    let highest = text(PRIMES, &[], "281474976710000 281474976710656");
    assert!(highest.ends_with("last 281474976710597\n"), "{highest}");
}

#[test]
fn other_arguments_are_refused() {
    let long = "0 ".repeat(200);
    let cases = [
        "",
        "1",
        "1 ",
        "x 2",
        "2 1",
        "1 2 3",
        "1 2 list 4",
        "1 2 List",
        "-1 2",
        "0 281474976710657",
        "1,2",
        "0 18446744073709551616",
        &long,
    ];
    for arguments in cases {
        assert!(text(PRIMES, &[], arguments).starts_with("refused: arguments are FROM TO"), "{arguments}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_small_range_holds_what_nothing_divides(from in 0u64..5_000_000, length in 0u64..600) {
        let primes: Vec<u64> = (from..from + length).filter(|number| is_prime(*number)).collect();
        prop_assert_eq!(text(PRIMES, &[], &format!("{from} {}", from + length)), summary(&primes));
    }
}
