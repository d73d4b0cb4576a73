//! The token: who mints, what the table allows, and transfers by signature.

use cairn_core::keccak256;
use cairn_core::wallet::WalletKey;
use cairn_settle::abi::{Arguments, address_word, uint_word};
use cairn_settle::{EvmAddress, Word};
use proptest::prelude::*;

use crate::chain::{DEPLOYER, FORKS, Sent, for_tests, number};
use crate::world::{GUARDIAN, ONE, PROPOSER, World, address_of, keys, person};

const TRANSFER: &str =
    "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)";
const RECEIVE: &str = "receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)";

/// A world in which the account of the key has ten tokens.
fn world_with(owner: &WalletKey) -> World {
    let mut world = World::new();
    let epoch = world.epoch(0, &[(address_of(owner), 10 * ONE)]);
    world.settle(&epoch);
    world.call_payout(epoch.claim(0)).unwrap();
    world
}

/// An authorization (EIP-3009), as arguments with its signature.
pub fn authorization(
    world: &mut World,
    owner: &WalletKey,
    kind: &str,
    to: EvmAddress,
    (value, after, before): (u128, u64, u64),
    nonce: Word,
) -> Arguments {
    let separator = world.chain.view(world.token, "DOMAIN_SEPARATOR()", Arguments::new())[0];
    let types = "(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)";
    let fields = [
        address_word(address_of(owner)),
        address_word(to),
        uint_word(value),
        uint_word(after),
        uint_word(before),
        nonce,
    ];
    let hash = keccak256(&[keccak256(format!("{kind}{types}").as_bytes()).to_vec(), fields.concat()].concat());
    let signature = owner.sign_digest(&keccak256(&[&[0x19, 0x01][..], &separator, &hash].concat()));
    let word = |range: core::ops::Range<usize>| signature[range].try_into().unwrap();
    Arguments::new().fields(&fields).uint(signature[64]).word(word(0..32)).word(word(32..64))
}

#[test]
fn nobody_mints_but_the_payout_contract_and_nobody_burns_for_credit_but_the_deposit_contract() {
    let mut world = World::new();
    for who in [DEPLOYER, person(1), GUARDIAN, PROPOSER] {
        let mint = Arguments::new().uint(1u8).call("mint(uint256)");
        assert_eq!(world.chain.send(who, world.token, mint).unwrap_err(), "NotAllowed");
    }
    let burn = Arguments::new().uint(0u8).call("burnForCredit(uint256)");
    for who in [DEPLOYER, person(1), GUARDIAN, PROPOSER] {
        assert_eq!(world.chain.send(who, world.token, burn.clone()).unwrap_err(), "NotAllowed");
    }
    assert_eq!(world.supply(), 0);
}

#[test]
fn what_an_owner_authorized_moves_once_in_its_time_and_as_signed() {
    let owner = keys(90, 1).remove(0);
    let mut world = world_with(&owner);
    let now = world.chain.now_s();
    let token = world.token;
    let terms = (3 * ONE, now - 1, now + 100);
    let made = |world: &mut World, terms, nonce| {
        authorization(world, &owner, "TransferWithAuthorization", person(2), terms, [nonce; 32])
    };
    let send = |world: &mut World, arguments: Arguments, name: &str| -> Sent {
        world.chain.send(person(8), token, arguments.call(name))
    };
    let early = made(&mut world, (ONE, now, now + 100), 1);
    assert_eq!(send(&mut world, early, TRANSFER).unwrap_err(), "AuthorizationTime");
    let late = made(&mut world, (ONE, now - 10, now), 1);
    assert_eq!(send(&mut world, late, TRANSFER).unwrap_err(), "AuthorizationTime");
    let other_kind = authorization(&mut world, &owner, "ReceiveWithAuthorization", person(2), terms, [1; 32]);
    assert_eq!(send(&mut world, other_kind, TRANSFER).unwrap_err(), "AuthorizationSigner");
    let stranger = keys(91, 1).remove(0);
    let mut forged =
        authorization(&mut world, &stranger, "TransferWithAuthorization", person(2), terms, [1; 32]).encode();
    forged[..32].copy_from_slice(&address_word(address_of(&owner)));
    let forged = [&cairn_settle::abi::selector(TRANSFER)[..], &forged].concat();
    assert_eq!(world.chain.send(person(8), token, forged).unwrap_err(), "AuthorizationSigner");
    let good = made(&mut world, terms, 1);
    send(&mut world, good, TRANSFER).unwrap();
    let again = made(&mut world, terms, 1);
    assert_eq!(send(&mut world, again, TRANSFER).unwrap_err(), "AuthorizationUsedUp");
    let too_much = made(&mut world, (8 * ONE, now - 1, now + 100), 2);
    assert_eq!(send(&mut world, too_much, TRANSFER).unwrap_err(), "ERC20InsufficientBalance");
    // What only the receiver may send.
    let receive = || ("ReceiveWithAuthorization", person(4));
    let made = authorization(&mut world, &owner, receive().0, receive().1, terms, [3; 32]).call(RECEIVE);
    assert_eq!(world.chain.send(person(8), token, made.clone()).unwrap_err(), "AuthorizationReceiver");
    world.chain.send(person(4), token, made).unwrap();
    assert_eq!([2, 4].map(|i| world.balance(person(i))), [3 * ONE; 2]);
    assert_eq!(world.balance(address_of(&owner)), 4 * ONE);
}

#[test]
fn an_authorization_that_was_cancelled_is_gone() {
    let owner = keys(90, 1).remove(0);
    let mut world = world_with(&owner);
    let (now, token) = (world.chain.now_s(), world.token);
    let separator = world.chain.view(token, "DOMAIN_SEPARATOR()", Arguments::new())[0];
    let kind = keccak256(b"CancelAuthorization(address authorizer,bytes32 nonce)");
    let hash = keccak256(&[kind, address_word(address_of(&owner)), [1; 32]].concat());
    let signature = owner.sign_digest(&keccak256(&[&[0x19, 0x01][..], &separator, &hash].concat()));
    let word = |range: core::ops::Range<usize>| signature[range].try_into().unwrap();
    let cancel = Arguments::new().address(address_of(&owner)).word([1; 32]).uint(signature[64]);
    let cancel =
        cancel.word(word(0..32)).word(word(32..64)).call("cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)");
    world.chain.send(person(8), token, cancel.clone()).unwrap();
    assert_eq!(world.chain.send(person(8), token, cancel).unwrap_err(), "AuthorizationUsedUp");
    let terms = (ONE, now - 1, now + 9);
    let made = authorization(&mut world, &owner, "TransferWithAuthorization", person(2), terms, [1; 32]);
    assert_eq!(world.chain.send(person(8), token, made.call(TRANSFER)).unwrap_err(), "AuthorizationUsedUp");
}

#[test]
fn a_permit_allows_what_was_signed_once() {
    let owner = keys(90, 1).remove(0);
    let mut world = world_with(&owner);
    let (now, token) = (world.chain.now_s(), world.token);
    let separator = world.chain.view(token, "DOMAIN_SEPARATOR()", Arguments::new())[0];
    let kind = keccak256(b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    let (from, to) = (address_word(address_of(&owner)), address_word(person(2)));
    let hash = keccak256(&[kind, from, to, uint_word(4 * ONE), [0; 32], uint_word(now)].concat());
    let signature = owner.sign_digest(&keccak256(&[&[0x19, 0x01][..], &separator, &hash].concat()));
    let word = |range: core::ops::Range<usize>| signature[range].try_into().unwrap();
    let permit = Arguments::new().word(from).word(to).uint(4 * ONE).uint(now).uint(signature[64]);
    let permit = permit.word(word(0..32)).word(word(32..64));
    let permit = permit.call("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)");
    world.chain.send(person(8), token, permit.clone()).unwrap();
    assert_eq!(world.chain.send(person(8), token, permit).unwrap_err(), "ERC2612InvalidSigner");
    let take = |amount: u128| {
        let arguments = Arguments::new().word(from).word(to).uint(amount);
        arguments.call("transferFrom(address,address,uint256)")
    };
    world.chain.send(person(2), token, take(4 * ONE)).unwrap();
    assert_eq!(world.chain.send(person(2), token, take(1)).unwrap_err(), "ERC20InsufficientAllowance");
}

/// Emission up to and with an epoch, epoch by epoch.
fn emitted(table: &[(u64, u128)], epoch: u64) -> u128 {
    let rate = |number: u64| table.iter().rev().find(|(from, _)| *from <= number).map_or(0, |(_, rate)| *rate);
    (0..=epoch).map(rate).sum()
}

fn table_arguments(table: &[(u64, u128)]) -> Arguments {
    Arguments::new().rows(table.iter().map(|(from, rate)| [uint_word(*from), uint_word(*rate)]))
}

#[test]
fn tables_that_do_not_ascend_are_refused_and_the_last_epoch_of_all_is_counted() {
    let mut chain = crate::chain::Chain::new(FORKS[0].1, 1, 1);
    let artifact = for_tests("Table");
    let long: Vec<(u64, u128)> = (0..65).map(|i| (i, 1)).collect();
    for bad in [vec![], vec![(3, 1), (3, 2)], vec![(3, 1), (2, 1)], long] {
        assert_eq!(chain.try_deploy(&artifact, &table_arguments(&bad)).unwrap_err(), "BadTable");
    }
    let table = chain.deploy(&artifact, &table_arguments(&[(u64::MAX, 5)]));
    let through = |chain: &mut crate::chain::Chain, epoch: u64| {
        number(&chain.view(table, "emittedThrough(uint64)", Arguments::new().uint(epoch))[0])
    };
    assert_eq!((through(&mut chain, u64::MAX - 1), through(&mut chain, u64::MAX)), (0, 5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_table_emits_what_its_epochs_emit_one_by_one(
        steps in prop::collection::btree_map(0u64..40, 0u128..1 << 90, 1..8),
        epochs in prop::collection::vec(0u64..60, 8),
    ) {
        let steps: Vec<(u64, u128)> = steps.into_iter().collect();
        let mut chain = crate::chain::Chain::new(FORKS[3].1, 1, 1);
        let table = chain.deploy(&for_tests("Table"), &table_arguments(&steps));
        for epoch in epochs {
            let said = chain.view(table, "emittedThrough(uint64)", Arguments::new().uint(epoch))[0];
            prop_assert_eq!(number(&said), emitted(&steps, epoch), "{:?} {}", &steps, epoch);
        }
    }
}
