//! One epoch whose policy, verdicts and payouts are kept as files that other languages read too.
//!
//! `epoch.policy.toml` is the input; `epoch.verdicts.txt` and `epoch.payouts.txt` hold a line of text and the canonical
//! bytes in hexadecimal for every row; `epoch.outcome.txt` holds the rest. `credit.policy.toml` is the same policy with
//! deposits that count, and `credit.outcome.txt` the same epoch with some in its books. `CAIRN_BLESS=1` writes them anew.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::Path;

use cairn_core::{Account, Amount, DeviceId, Payout, Ppm, Reason, Subject, Verdict};
use cairn_reward::{Allocation, Outcome, Policy, allocate};
use data_encoding::HEXLOWER;

const EPOCH: u64 = 9;
const EPOCH_START_MS: u64 = 1_800_000_000_000;
const OPENING_UNALLOCATED: Amount = Amount(1_000_000_007);
const MINTED_BEFORE: Amount = Amount(4_000_000_000_000_000_000_000_000_000_015);

/// Compares with the file, or writes it when blessed.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(name);
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, text, "{} differs; CAIRN_BLESS=1 rewrites it", path.display());
}

fn policy() -> Policy {
    Policy::parse(include_bytes!("../goldens/epoch.policy.toml")).unwrap()
}

/// Twelve verdicts: late and timely, two classes, a device transferred from one account to another, a score of zero.
fn verdicts() -> Vec<Verdict> {
    let evm = |number: u64| Account::parse(&format!("eip155:1:0x{:040x}", number * 0x1111)).unwrap();
    let far = Account::parse("eip155:84532:0x00000000000000000000000000000000000000ab").unwrap();
    let rows = [
        ("sensing/1", 1, evm(1), 0, 86_400_000, 1_000_000),
        ("sensing/1", 1, evm(1), 1, 86_400_000, 912_345),
        ("sensing/1", 1, evm(1), -3, 43_200_001, 777_777),
        ("sensing/1", 2, evm(2), 0, 86_400_000, 650_001),
        ("sensing/1", 2, evm(3), 1, 50_000_000, 1_000_000),
        ("sensing/1", 3, evm(3), 0, 86_399_999, 599_999),
        ("sensing/1", 4, evm(4), -1, 86_400_000, 1_000_000),
        ("sensing/1", 5, evm(4), 0, 86_400_000, 0),
        ("sensing/1", 6, far.clone(), 6, 1_234_567, 600_001),
        ("compute/1", 7, far, 2, 17, 1_000_000),
        ("compute/1", 8, evm(2), 2, 5, 1_000_000),
        ("compute/1", 8, evm(2), -1, 2, 1_000_000),
    ];
    let reason = |score: u32| Reason {
        code: "SEN-RANGE".to_owned(),
        check: "pm10 above the profile's range".to_owned(),
        observed: 12_000,
        threshold: 10_000,
        lost_ppm: 1_000_000 - score,
        evidence: vec![40, 41],
    };
    let verdict =
        |(index, (class, device, account, day, amount, score)): (usize, (&str, u8, _, i64, _, u32))| Verdict {
            class: class.to_owned(),
            device: DeviceId::of_key(&[device]),
            slot_ms: EPOCH_START_MS.checked_add_signed(day * 86_400_000).unwrap(),
            subject: if class == "compute/1" { Subject::Report(100 + index as u64) } else { Subject::Slot },
            account,
            amount,
            score: Ppm::of(score).unwrap(),
            reasons: if score < 1_000_000 { vec![reason(score)] } else { Vec::new() },
            entries: vec![100 + index as u64],
        };
    rows.into_iter().enumerate().map(verdict).collect()
}

/// In escrow from before, and paid in during the epoch, when deposits count.
const PAID_IN: (Amount, Amount) = (Amount(77_000_000_000_000_000_003), Amount(5_000_000_000_000_000_000));

fn outcome(verdicts: &[Verdict]) -> Outcome {
    outcome_under(&policy(), (Amount::ZERO, Amount::ZERO), verdicts)
}

fn outcome_under(policy: &Policy, (escrow, deposited): (Amount, Amount), verdicts: &[Verdict]) -> Outcome {
    let allocation = Allocation {
        epoch: EPOCH,
        policy,
        epoch_start_ms: EPOCH_START_MS,
        opening_unallocated: OPENING_UNALLOCATED,
        opening_escrow: escrow,
        deposited,
        minted_before: MINTED_BEFORE,
        verdicts,
        sales: &[],
    };
    allocate(&allocation).unwrap()
}

fn verdict_line(verdict: &Verdict) -> String {
    let Verdict { class, device, slot_ms, account, amount, score, .. } = verdict;
    let text = format!("{class} {device} slot_ms {slot_ms} {account} amount {amount} score_ppm {}", score.get());
    format!("# {text} weight {}\n{}\n", verdict.weight(), HEXLOWER.encode(&verdict.encode()))
}

fn payout_line(payout: &Payout) -> String {
    let Payout { account, device, pool, weight, amount } = payout;
    let device = device.map_or("-".to_owned(), |id| id.to_string());
    let text = format!("{account} {device} {pool} weight {weight} amount {amount}");
    format!("# {text}\n{}\n", HEXLOWER.encode(&payout.encode()))
}

fn outcome_text(policy: &Policy, outcome: &Outcome) -> String {
    let balance = &outcome.balance;
    let mut text = format!(
        "policy {}\nepoch {EPOCH}\nepoch_start_ms {EPOCH_START_MS}\nminted_before {MINTED_BEFORE}\nopening {}\nminted {}\n\
         deposited {}\npaid {}\nrefunded {}\nburned {}\nescrow {}\nvesting {}\nunallocated {}\n",
        policy.hash(),
        balance.opening,
        balance.minted,
        balance.deposited,
        balance.paid,
        balance.refunded,
        balance.burned,
        balance.closing.escrow,
        balance.closing.vesting,
        balance.closing.unallocated,
    );
    for pool in &outcome.pools {
        let class = pool.class.as_deref().unwrap_or("-");
        let (name, rule, size, weight) = (&pool.name, pool.rule, pool.size, pool.weight_total);
        let (devices, paid, dust, rows) = (pool.devices, pool.paid, pool.dust, pool.recipients);
        writeln!(
            text,
            "pool {name} {class} {rule} size {size} weight {weight} devices {devices} paid {paid} dust {dust} rows {rows}"
        )
        .unwrap();
    }
    for (account, total) in &outcome.totals {
        writeln!(text, "total {account} {total}").unwrap();
    }
    text
}

#[test]
fn the_golden_epoch_pays_the_same_bytes_for_ever() {
    let mut verdicts = verdicts();
    verdicts.sort_by_cached_key(Verdict::encode);
    golden("epoch.verdicts.txt", &verdicts.iter().map(verdict_line).collect::<String>());
    let outcome = outcome(&verdicts);
    golden("epoch.payouts.txt", &outcome.payouts.iter().map(payout_line).collect::<String>());
    golden("epoch.outcome.txt", &outcome_text(&policy(), &outcome));
}

#[test]
fn the_golden_epoch_with_deposits_in_its_books_pays_the_same_rows() {
    let policy = Policy::parse(include_bytes!("../goldens/credit.policy.toml")).unwrap();
    let paid_in = outcome_under(&policy, PAID_IN, &verdicts());
    golden("credit.outcome.txt", &outcome_text(&policy, &paid_in));
    assert_eq!(paid_in.payouts, outcome(&verdicts()).payouts);
}

#[test]
fn the_verdict_file_alone_gives_the_payout_file() {
    let rows = |text: &str| -> Vec<Vec<u8>> {
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| HEXLOWER.decode(line.as_bytes()).unwrap())
            .collect()
    };
    let verdicts: Vec<Verdict> = rows(include_str!("../goldens/epoch.verdicts.txt"))
        .iter()
        .map(|bytes| Verdict::decode(bytes).unwrap())
        .collect();
    assert!(!verdicts.is_empty());
    let payouts: Vec<Vec<u8>> = outcome(&verdicts).payouts.iter().map(Payout::encode).collect();
    assert_eq!(payouts, rows(include_str!("../goldens/epoch.payouts.txt")));
}
