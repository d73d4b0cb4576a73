//! How long a large epoch takes: a million verdicts, of as many devices or of seven days each.
//!
//! `cargo run --release -p cairn-reward --example million`

use std::time::Instant;

use cairn_core::{Account, Amount, DeviceId, Ppm, Subject, Verdict};
use cairn_reward::{Allocation, DEFAULT_POLICY, Policy, allocate};

fn main() {
    let policy = Policy::parse(DEFAULT_POLICY.as_bytes()).expect("the default policy is one");
    let trillion = DEFAULT_POLICY.replace("\"100000\"", "\"1000000000000\"").replace("max_supply_tokens", "# ceiling");
    let trillion = Policy::parse(trillion.as_bytes()).expect("a policy of a trillion tokens");
    for (slots, shuffled) in [(7, false), (7, true), (1, false)] {
        let mut verdicts: Vec<Verdict> = (0..1_000_000 / slots).flat_map(|n| device(n, slots)).collect();
        if shuffled {
            let len = verdicts.len() as u64;
            for at in 0..len {
                let other = at.wrapping_mul(6_364_136_223_846_793_005) % len;
                verdicts.swap(usize::try_from(at).expect("64 bits"), usize::try_from(other).expect("64 bits"));
            }
        }
        for (emission, policy) in [("1e5", &policy), ("1e12", &trillion)] {
            let start = Instant::now();
            let outcome = allocate(&Allocation {
                epoch: 0,
                policy,
                epoch_start_ms: 0,
                opening_unallocated: Amount::ZERO,
                opening_escrow: Amount::ZERO,
                deposited: Amount::ZERO,
                minted_before: Amount::ZERO,
                verdicts: &verdicts,
                sales: &[],
            })
            .expect("the epoch fits");
            println!(
                "{} verdicts, {slots} per device, {}, {emission} tokens: {} ms, {} payouts to {} accounts",
                verdicts.len(),
                if shuffled { "shuffled" } else { "sorted" },
                start.elapsed().as_millis(),
                outcome.payouts.len(),
                outcome.totals.len(),
            );
        }
    }
}

/// The verdicts of one device, of which every owner has ten.
fn device(number: u64, slots: u64) -> impl Iterator<Item = Verdict> {
    let mut id = [0u8; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let account = Account::parse(&format!("eip155:1:0x{:040x}", number / 10)).expect("an address of 20 bytes");
    (0..slots).map(move |slot| Verdict {
        class: "sensing/1".to_owned(),
        device: DeviceId(id),
        slot_ms: slot * 86_400_000,
        subject: Subject::Slot,
        account: account.clone(),
        amount: 86_400_000,
        score: Ppm::of(1_000_000 - u32::try_from(number % 400_000).expect("small")).expect("at most one"),
        reasons: Vec::new(),
        entries: vec![number],
    })
}
