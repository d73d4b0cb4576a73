//! Deposits at random: said by the right observers and by others, in order, twice, with gaps, of nothing and of too much, on
//! chains that are known and on others, under policies that take them or do not.

use cairn_core::cbor::Value;
use cairn_core::deposit::{Deposit, Place};
use cairn_core::entry::EntryKind;
use cairn_core::key::SecretKey;
use cairn_core::observation::sign_observation;
use cairn_core::statement::{Body, DomainTerms};
use cairn_core::{Amount, Domain};
use cairn_fold::CREDIT_MAX;
use cairn_testkit::network::{MemoryNetwork, chain, with_credit};

use super::{Crowd, Dice};

/// The network's own token, where a `domain` statement says so.
const OWN: &str = "abABabABabABabABabABabABabABabABabABabAB";

fn chains() -> [Domain; 3] {
    let other = |text| Domain::parse(text).expect("a chain id");
    [chain(), other("eip155:10"), other("eip155:42220")]
}

fn observers() -> [SecretKey; 2] {
    [SecretKey::ed25519([201; 32]), SecretKey::p256([202; 32]).expect("a small scalar is a key")]
}

/// A policy with observers of deposits, or none; whose deposits count, or not; and now and then one that is void for it.
pub fn policy_at_random(dice: &mut Dice, policy: &str) -> String {
    let chains = chains();
    let listed = &chains[..1 + dice.place(chains.len())];
    let document = with_credit(policy, listed, &observers()[..1 + dice.place(2)]);
    match dice.below(6) {
        0 => policy.to_owned(),
        1 => document.split("\n[credit]").next().expect("a split has a first part").to_owned(),
        _ => document,
    }
}

/// The section of credit as it should not be.
pub fn spoil_policy(dice: &mut Dice, policy: &str) -> String {
    let edits = [
        ("chains = [", "chains = [\"solana:x\", "),
        ("chains = [", "chains = [\"eip155:31337\", "),
        ("source = \"deposits/eip155:31337\"", "source = \"deposits/eip155:5\""),
        ("[credit]", "[credit]\nmore = 1"),
        ("[credit]", "[credits]"),
    ];
    let (from, to) = dice.pick(&edits);
    policy.replacen(from, to, 1)
}

/// A chain, and what a `domain` statement says its token is: the network's own, another chain's, nothing, or no token.
pub fn terms_at_random(dice: &mut Dice) -> (Domain, String) {
    let domain = dice.pick(&chains());
    let own = format!("{domain}/erc20:0x{OWN}");
    let others = [
        own.clone(),
        own.clone(),
        own.to_lowercase(),
        own.replace("0x", "0X"),
        format!("eip155:5/erc20:0x{OWN}"),
        format!("{own}00"),
        String::new(),
    ];
    (domain, dice.pick(&others))
}

fn deposit(dice: &mut Dice) -> Deposit {
    let mut word = |limit: u64| [u8::try_from(dice.below(limit)).expect("a byte"); 32];
    let (buyer, block_hash, transaction, memo) = (word(4), word(256), word(256), word(256));
    let asset = dice.pick(&[[0xab; 20], [0xab; 20], [1; 20]]);
    let amounts =
        [0, 1, 255, 256, 10u128.pow(18), u128::from(dice.0.bits()), CREDIT_MAX.0 / 3, CREDIT_MAX.0, u128::MAX];
    let amount = Amount(dice.pick(&amounts));
    let place = Place { block: dice.below(1 << 40), block_hash, transaction, log_index: dice.below(300) };
    Deposit { place, buyer, asset, amount, payer: [4; 20], memo }
}

/// Makes something else of one item of a deposit.
fn spoil(dice: &mut Dice, value: &mut Value) {
    let Value::Array(items) = value else { return };
    let others =
        [Value::Int(-1), Value::Int(0), Value::Bytes(vec![0, 1]), Value::Bytes(vec![1; 17]), Value::Text("1".into())];
    match dice.below(4) {
        0 => drop(items.pop()),
        1 => items.push(Value::Int(0)),
        _ => {
            let at = dice.place(items.len());
            items[at] = dice.pick(&others);
        }
    }
}

/// Settles on most chains from the start, with the network's own token on them.
pub fn settle(dice: &mut Dice, network: &mut MemoryNetwork) {
    for domain in chains() {
        if !dice.one_in(4) {
            let token = format!("{domain}/erc20:0x{OWN}");
            network.operate(Body::Domain(DomainTerms { domain, distributor: [3; 32], token, finality_blocks: 2 }));
        }
    }
}

impl Crowd {
    /// Somebody says a deposit: most often the next one of its chain, and rightly.
    pub(super) fn pay_in(&mut self) {
        let dice = &mut self.dice;
        let stranger = SecretKey::ed25519([7; 32]);
        let [first, second] = observers();
        let key = dice.pick(&[&first, &first, &first, &second, &second, &stranger]);
        let taken = self.network.fold.state().policy().and_then(|policy| policy.read.credit.as_ref());
        let chain = match taken {
            Some(credit) if !dice.one_in(4) => dice.pick(&credit.chains.iter().cloned().collect::<Vec<_>>()),
            _ => dice.pick(&chains()),
        };
        let counted = self.network.fold.state().credits.counted(&chain);
        let number = if dice.one_in(6) { dice.below(counted + 3) } else { counted };
        let mut body = deposit(dice).observed(&chain, number);
        match dice.below(20) {
            0 | 1 => spoil(dice, &mut body.value),
            2 => body.round = 0,
            3 => body.source = dice.pick(&["deposits/", "deposits/solana:x", "deposits/eip155:5"]).to_owned(),
            4 => body.proof = Some(vec![1, 2]),
            _ => {}
        }
        let mut bytes = sign_observation(key, &self.network.id, &body);
        if dice.one_in(20) {
            dice.spoil(&mut bytes);
        }
        self.network.log(EntryKind::Observation, &bytes);
    }
}
