//! Deposits become credit: what each rule refuses, and what holds of every history of deposits.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use cairn_core::cbor::{Decoder, Encoder, Value};
use cairn_core::deposit::{Deposit, Place};
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::statement::{Body, DomainTerms, PolicyDocument};
use cairn_core::{Amount, Domain};
use cairn_fold::{CREDIT_MAX, Refusal, State};
use cairn_testkit::network::{DAY_MS, MemoryNetwork, Terms, chain, daily_profile, policy, with_credit};
use proptest::collection::vec;
use proptest::prelude::*;

/// The address of the network's own token, on every chain here.
const OWN: [u8; 20] = [0xab; 20];

/// Three chains: on the first two the network's own token is known, on the third it is not.
fn chains() -> [Domain; 3] {
    [chain(), Domain::parse("eip155:10").unwrap(), Domain::parse("eip155:42220").unwrap()]
}

fn observer() -> SecretKey {
    SecretKey::ed25519([201; 32])
}

fn second_observer() -> SecretKey {
    SecretKey::p256([202; 32]).unwrap()
}

fn deposit(buyer: u8, asset: [u8; 20], amount: u128) -> Deposit {
    let place = Place { block: 9, block_hash: [1; 32], transaction: [2; 32], log_index: 3 };
    Deposit { place, buyer: [buyer; 32], asset, amount: Amount(amount), payer: [4; 20], memo: [0; 32] }
}

fn token_on(chain: &Domain) -> String {
    format!("{chain}/erc20:0x{}", "AB".repeat(20))
}

fn settle_on(network: &mut MemoryNetwork, chain: &Domain, token: String) {
    let terms = DomainTerms { domain: chain.clone(), distributor: [7; 32], token, finality_blocks: 1 };
    assert_eq!(network.operate(Body::Domain(terms)).1, None);
}

/// A network where deposits on all three chains count.
fn network() -> MemoryNetwork {
    let [first, second, third] = chains();
    let policy = with_credit(&policy(2), &chains(), &[observer(), second_observer()]);
    let mut network = MemoryNetwork::under(Terms::default(), &policy, daily_profile(2), SecretKey::ed25519([252; 32]));
    for chain in [&first, &second] {
        settle_on(&mut network, chain, token_on(chain));
    }
    settle_on(&mut network, &third, String::new());
    network
}

fn code(logged: (u64, Option<Refusal>)) -> &'static str {
    logged.1.map_or("valid", |refusal| refusal.code)
}

fn credits(state: &State) -> Vec<(String, u8, u128)> {
    state.credits.all().map(|(asset, buyer, amount)| (asset.to_string(), buyer[0], amount.0)).collect()
}

#[test]
fn deposits_that_break_a_rule_are_void_with_its_code_and_change_nothing() {
    let mut network = network();
    let [first, second, third] = chains();
    let good = deposit(1, OWN, 5);
    let stranger = SecretKey::ed25519([66; 32]);
    assert_eq!(code(network.pay_in(&stranger, &first, 0, &good)), "OBS-OBSERVER");
    assert_eq!(code(network.pay_in(&observer(), &Domain::parse("eip155:5").unwrap(), 0, &good)), "OBS-OBSERVER");
    assert_eq!(code(network.pay_in(&observer(), &first, 1, &good)), "OBS-ROUND", "the first is 0");
    assert_eq!(code(network.pay_in(&observer(), &first, 0, &deposit(1, OWN, 0))), "OBS-DEPOSIT");
    let said = |network: &mut MemoryNetwork, body: &ObservationBody| {
        let bytes = sign_observation(&observer(), &network.id, body);
        code(network.log(EntryKind::Observation, &bytes))
    };
    let observed = good.observed(&first, 0);
    for value in [Value::Int(1), Value::Array(vec![Value::Int(1); 9]), Value::Text("5".into())] {
        assert_eq!(said(&mut network, &ObservationBody { value, ..observed.clone() }), "OBS-DEPOSIT");
    }
    assert_eq!(said(&mut network, &ObservationBody { round: 0, ..observed.clone() }), "OBS-ROUND");
    let mut forged = sign_observation(&observer(), &network.id, &observed);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(code(network.log(EntryKind::Observation, &forged)), "OBS-SIGNATURE");
    assert_eq!(credits(network.fold.state()), []);

    assert_eq!(code(network.pay_in(&observer(), &first, 0, &good)), "valid");
    assert_eq!(code(network.pay_in(&observer(), &first, 0, &good)), "OBS-ROUND", "a repeat");
    assert_eq!(code(network.pay_in(&second_observer(), &first, 0, &good)), "OBS-ROUND", "a repeat by another");
    assert_eq!(code(network.pay_in(&second_observer(), &first, 2, &good)), "OBS-ROUND", "a gap");
    assert_eq!(code(network.pay_in(&second_observer(), &first, 1, &good)), "valid", "observers take turns");
    assert_eq!(code(network.pay_in(&observer(), &second, 0, &good)), "valid", "chains count apart");
    assert_eq!(code(network.pay_in(&observer(), &third, 0, &deposit(2, OWN, CREDIT_MAX.0))), "valid");
    assert_eq!(code(network.pay_in(&observer(), &third, 1, &deposit(3, OWN, 1))), "OBS-CREDIT");
    assert_eq!(code(network.pay_in(&observer(), &first, 2, &deposit(3, OWN, CREDIT_MAX.0 - 14))), "OBS-CREDIT");
    assert_eq!(code(network.pay_in(&observer(), &first, 2, &deposit(3, OWN, u128::MAX))), "OBS-CREDIT");
    let foreign = format!("{third}/erc20:0x{}", "ab".repeat(20));
    let native = |chain: &Domain| format!("{chain}/native");
    let expected = [(native(&second), 1, 5), (native(&first), 1, 10), (foreign, 2, CREDIT_MAX.0)];
    assert_eq!(credits(network.fold.state()), expected);
}

#[test]
fn a_deposit_needs_a_policy_that_takes_it_and_a_settlement_chain() {
    let elsewhere = Domain::parse("eip155:10").unwrap();
    let policy = with_credit(&policy(2), std::slice::from_ref(&elsewhere), &[observer()]);
    let mut network = MemoryNetwork::under(Terms::default(), &policy, daily_profile(2), SecretKey::ed25519([252; 32]));
    assert_eq!(code(network.pay_in(&observer(), &elsewhere, 0, &deposit(1, OWN, 5))), "OBS-CHAIN");
    settle_on(&mut network, &elsewhere, token_on(&elsewhere));
    assert_eq!(code(network.pay_in(&observer(), &elsewhere, 0, &deposit(1, OWN, 5))), "valid");
    assert_eq!(network.fold.state().credits.native(), Amount(5));
}

#[test]
fn without_a_section_of_credit_an_observation_of_deposits_is_like_any_other() {
    let with = with_credit(&policy(2), &[chain()], &[observer()]);
    let (without, _) = with.split_once("\n[credit]").unwrap();
    let mut network = MemoryNetwork::under(Terms::default(), without, daily_profile(2), SecretKey::ed25519([252; 32]));
    assert_eq!(code(network.pay_in(&observer(), &chain(), 7, &deposit(1, OWN, 0))), "valid", "any round, any value");
    assert_eq!(code(network.pay_in(&observer(), &chain(), 7, &deposit(1, OWN, 5))), "OBS-ROUND");
    assert_eq!(network.fold.state().rounds.values().max(), Some(&8));
    // What was said then is not what counts: deposits are counted from their first on.
    let document = with.clone().into();
    assert_eq!(network.operate(Body::Policy(PolicyDocument { first_epoch: 1, document })).1, None);
    network.pass_to(Terms::default().zero_ms + 8 * DAY_MS);
    assert_eq!(code(network.pay_in(&observer(), &chain(), 8, &deposit(1, OWN, 5))), "OBS-ROUND");
    assert_eq!(code(network.pay_in(&observer(), &chain(), 0, &deposit(1, OWN, 5))), "valid");
    assert_eq!(network.fold.state().credits.counted(&chain()), 1);
}

#[test]
fn what_was_paid_in_stays_what_it_was_when_the_networks_token_changes() {
    let mut network = network();
    let [first, ..] = chains();
    assert_eq!(code(network.pay_in(&observer(), &first, 0, &deposit(1, OWN, 5))), "valid");
    settle_on(&mut network, &first, String::new());
    assert_eq!(code(network.pay_in(&observer(), &first, 1, &deposit(1, OWN, 7))), "valid");
    network.pass_to(Terms::default().zero_ms + 8 * DAY_MS);
    let balance = network.closed[0].statement.asset.1;
    assert_eq!((balance.deposited, balance.escrow, balance.balances()), (Amount(5), Amount(5), true));
    let foreign = format!("{first}/erc20:0x{}", "ab".repeat(20));
    assert_eq!(credits(network.fold.state()), [(format!("{first}/native"), 1, 5), (foreign, 1, 7)]);
}

#[test]
fn credit_is_carried_from_epoch_to_epoch_and_no_pool_shares_it() {
    let (mut network, mut plain) = (network(), network());
    let [first, second, third] = chains();
    let week_ms = 7 * DAY_MS;
    let zero_ms = Terms::default().zero_ms;
    let mut number = 0;
    for epoch in 0..4u64 {
        network.now_ms = zero_ms + epoch * week_ms + DAY_MS;
        for amount in 0..epoch {
            let paid_in = deposit(u8::try_from(amount).unwrap(), OWN, 1_000 + u128::from(amount));
            assert_eq!(code(network.pay_in(&observer(), &first, number, &paid_in)), "valid");
            assert_eq!(code(network.pay_in(&observer(), &third, number, &paid_in)), "valid", "not native there");
            number += 1;
        }
        for network in [&mut network, &mut plain] {
            network.pass_to(zero_ms + (epoch + 1) * week_ms + DAY_MS);
        }
    }
    assert_eq!(code(network.pay_in(&observer(), &second, 0, &deposit(1, OWN, 1))), "valid");
    let books = |network: &MemoryNetwork| -> Vec<_> {
        let of = |closed: &cairn_fold::Closed| closed.statement.asset.1;
        network.closed.iter().map(of).collect()
    };
    let rows: Vec<_> = books(&network).iter().map(|b| (b.opening.0, b.deposited.0, b.escrow.0)).collect();
    assert_eq!(rows, [(0, 0, 0), (0, 1_000, 1_000), (1_000, 2_001, 3_001), (3_001, 3_003, 6_004)]);
    for (paid_in, plain) in books(&network).iter().zip(&books(&plain)) {
        assert!(paid_in.balances() && plain.balances());
        assert_eq!((paid_in.pot(), paid_in.minted, paid_in.paid), (plain.pot(), plain.minted, plain.paid));
    }
}

#[test]
fn a_record_of_credit_has_one_form_and_says_something() {
    let record =
        |table: u64, key: &[u8], value: &[u8]| Encoder::empty().array(3).uint(table).bytes(key).bytes(value).take();
    let key = |asset: &str, buyer: &[u8]| Encoder::empty().array(2).text(asset).bytes(buyer).take();
    let native = key("eip155:1/native", &[1; 32]);
    let most = [&[0x50][..], &CREDIT_MAX.0.to_be_bytes()].concat();
    let token = format!("eip155:1/erc20:0x{}", "ab".repeat(20));
    let good = [
        record(18, &native, &[0x41, 1]),
        record(18, &native, &most),
        record(18, &key(&token, &[0; 32]), &[0x41, 1]),
        record(19, b"eip155:1", &[1]),
    ];
    for good in good {
        assert!(State::from_records(std::slice::from_ref(&good)).unwrap().records().contains(&good), "{good:02x?}");
    }
    let bad = [
        ("nothing", record(18, &native, &[0x40])),
        ("too much", record(18, &native, &[&[0x50][..], &(CREDIT_MAX.0 + 1).to_be_bytes()].concat())),
        ("a short buyer", record(18, &key("eip155:1/native", &[1; 20]), &[0x41, 1])),
        ("no asset", record(18, &key("", &[1; 32]), &[0x41, 1])),
        ("no chain", record(18, &key("native", &[1; 32]), &[0x41, 1])),
        ("upper case", record(18, &key(&token.to_uppercase(), &[1; 32]), &[0x41, 1])),
        ("a key that goes on", record(18, &[&native[..], &[0]].concat(), &[0x41, 1])),
        ("a value that goes on", record(18, &native, &[0x41, 1, 0])),
        ("none counted", record(19, b"eip155:1", &[0])),
        ("no EVM chain", record(19, b"solana:x", &[1])),
        ("no chain", record(19, b"eip155:01", &[1])),
        ("paid in and not there", record(1, &[5], &[0x41, 1])),
    ];
    for (what, bad) in bad {
        assert!(State::from_records(&[bad]).is_err(), "{what}");
    }
    let two = [record(18, &native, &most), record(18, &key("eip155:10/native", &[2; 32]), &[0x41, 1])];
    assert!(State::from_records(&two).is_err(), "together too much");
}

/// What somebody may try: an observer (the third is nobody's), a chain, how far the number is off, buyer, asset, amount, and
/// how many days pass before.
#[derive(Debug, Clone)]
struct Attempt {
    observer: usize,
    chain: usize,
    off: i64,
    deposit: Deposit,
    days: u64,
}

fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let amount = prop_oneof![0u128..4, 0u128..1_000_000, Just(CREDIT_MAX.0 / 2), Just(CREDIT_MAX.0), Just(u128::MAX)];
    let asset = prop_oneof![Just(OWN), Just([1; 20]), Just([2; 20])];
    let off = prop_oneof![6 => Just(0i64), 1 => -2i64..3];
    let days = prop_oneof![5 => Just(0u64), 1 => 1u64..20];
    let one = (0usize..5, 0usize..4, off, (0u8..4, asset, amount), days);
    let one = one.prop_map(|(observer, chain, off, (buyer, asset, amount), days)| Attempt {
        observer,
        chain,
        off,
        deposit: deposit(buyer, asset, amount),
        days,
    });
    vec(one, 0..40)
}

/// What the rules of deposits say, written down a second time: by chain the deposits that count, in order.
#[derive(Default)]
struct Books {
    counted: BTreeMap<usize, Vec<Deposit>>,
    sums: BTreeMap<String, u128>,
}

impl Books {
    fn asset(chain: usize, asset: [u8; 20]) -> String {
        if asset == OWN && chain < 2 {
            return format!("{}/native", chains()[chain]);
        }
        format!("{}/erc20:0x{}", chains()[chain], asset.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    /// Whether the deposit counts; if so, it is written down.
    fn take(&mut self, attempt: &Attempt, number: u64) -> bool {
        let Attempt { observer, chain, deposit, .. } = attempt;
        if *chain > 2 || *observer > 3 {
            return false;
        }
        let counted = self.counted.entry(*chain).or_default();
        let asset = Self::asset(*chain, deposit.asset);
        // The network's own asset is one, wherever it is paid in.
        let is_one = |other: &str| other == asset || (other.ends_with("/native") && asset.ends_with("/native"));
        let held: u128 = self.sums.iter().filter(|(other, _)| is_one(other)).map(|(_, sum)| sum).sum();
        let fits = held.checked_add(deposit.amount.0).is_some_and(|sum| sum <= CREDIT_MAX.0);
        let sum = self.sums.entry(asset).or_default();
        if number != counted.len() as u64 || deposit.amount.0 == 0 || !fits {
            return false;
        }
        *sum += deposit.amount.0;
        counted.push(*deposit);
        true
    }
}

fn played(attempts: &[Attempt]) -> Result<(MemoryNetwork, Books), TestCaseError> {
    let (mut network, mut books) = (network(), Books::default());
    let unknown = Domain::parse("eip155:99").unwrap();
    for attempt in attempts {
        network.now_ms += attempt.days * DAY_MS;
        let key = match attempt.observer {
            0 | 1 => observer(),
            2 | 3 => second_observer(),
            _ => SecretKey::ed25519([66; 32]),
        };
        let next = books.counted.get(&attempt.chain).map_or(0, Vec::len) as u64;
        let number = next.saturating_add_signed(attempt.off);
        let chain = chains().get(attempt.chain).cloned().unwrap_or(unknown.clone());
        let before = network.fold.state().credits.clone();
        let (_, refusal) = network.pay_in(&key, &chain, number, &attempt.deposit);
        prop_assert_eq!(refusal.is_none(), books.take(attempt, number), "{:?}: {:?}", attempt, refusal);
        prop_assert!(refusal.is_none() || network.fold.state().credits == before, "what is void changes nothing");
    }
    network.now_ms += 8 * DAY_MS;
    network.pass_to(network.now_ms);
    Ok((network, books))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn credits_of_an_asset_are_the_sum_of_the_deposits_that_count_and_every_epoch_balances(attempts in attempts()) {
        let (network, books) = played(&attempts)?;
        let state = network.fold.state();
        let mut sums: BTreeMap<String, u128> = BTreeMap::new();
        for (asset, _, amount) in state.credits.all() {
            *sums.entry(asset.to_string()).or_default() += amount.0;
            prop_assert!(amount > Amount::ZERO);
        }
        prop_assert_eq!(&sums, &books.sums.into_iter().filter(|(_, sum)| *sum > 0).collect());
        for (place, chain) in chains().iter().enumerate() {
            prop_assert_eq!(state.credits.counted(chain), books.counted.get(&place).map_or(0, Vec::len) as u64);
        }
        let (mut escrow, mut unallocated) = (Amount::ZERO, Amount::ZERO);
        for closed in &network.closed {
            let balance = closed.statement.asset.1;
            prop_assert!(balance.balances(), "epoch {}: {:?}", closed.statement.number, balance);
            prop_assert_eq!(Some(balance.opening), escrow.checked_add(unallocated));
            prop_assert_eq!(Some(balance.escrow), escrow.checked_add(balance.deposited));
            (escrow, unallocated) = (balance.escrow, balance.unallocated);
            let held = State::from_records(&closed.records).unwrap();
            prop_assert_eq!(held.credits.native(), escrow);
        }
        let native = sums.iter().filter(|(asset, _)| asset.ends_with("/native")).map(|(_, sum)| sum);
        prop_assert_eq!(native.sum::<u128>(), escrow.0);
    }

    #[test]
    fn replaying_an_observation_that_counted_changes_nothing(attempts in attempts()) {
        let (mut network, _) = played(&attempts)?;
        let before = network.fold.state().clone();
        let logged: Vec<_> = network.entries.iter().cloned().zip(network.refusals.clone()).collect();
        for (bytes, refusal) in logged {
            let entry = Entry::decode(&bytes).unwrap();
            let is_deposit = entry.kind == EntryKind::Observation && bytes.windows(9).any(|part| part == b"deposits/");
            if is_deposit && refusal.is_none() {
                prop_assert!(network.log(EntryKind::Observation, entry.body).1.is_some());
            }
        }
        prop_assert_eq!(&before.credits, &network.fold.state().credits);
        prop_assert_eq!(before.deposited, network.fold.state().deposited);
        prop_assert_eq!(before.records(), network.fold.state().records());
    }

    #[test]
    fn the_order_of_chains_does_not_matter(attempts in attempts()) {
        // Amounts for which no order makes an asset too much, and one epoch, since time is what order may change.
        let small = |attempt: &Attempt| {
            let amount = Amount(attempt.deposit.amount.0 % 1_000);
            Attempt { days: 0, deposit: Deposit { amount, ..attempt.deposit }, ..attempt.clone() }
        };
        let mixed: Vec<Attempt> = attempts.iter().map(small).collect();
        let mut by_chain = mixed.clone();
        by_chain.sort_by_key(|attempt| std::cmp::Reverse(attempt.chain));
        let ((mixed, _), (by_chain, _)) = (played(&mixed)?, played(&by_chain)?);
        prop_assert_eq!(&mixed.fold.state().credits, &by_chain.fold.state().credits);
        prop_assert_eq!(mixed.closed[0].statement.asset.1, by_chain.closed[0].statement.asset.1);
    }

    #[test]
    fn the_state_is_its_records_and_a_fold_resumed_goes_on(attempts in attempts()) {
        let (network, _) = played(&attempts)?;
        let state = network.fold.state();
        let records = state.records();
        prop_assert!(records.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(&State::from_records(&records).unwrap(), state);
        let deposited = |record: &[u8]| {
            let mut input = Decoder::over(record);
            input.array_exact(3).is_ok() && input.uint() == Ok(1) && input.bytes() == Ok(&[5][..])
        };
        for closed in &network.closed {
            prop_assert!(!closed.records.iter().any(|record| deposited(record)), "no state root holds it");
            let mut fold = network.resumed(closed);
            network.fold_on(&mut fold);
            prop_assert_eq!(fold.state(), state);
        }
    }
}
