//! The bytes of every format, pinned: a line `name hex` for each, which other languages read too.
//!
//! A change here is a change of a released format: never by accident. `CAIRN_BLESS=1` writes the file anew.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::Path;

use cairn_core::cbor::Value;
use cairn_core::deposit::{Deposit, Place};
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::epoch::{AssetBalance, ClassSummary, DomainClaims, EpochStatement, PoolSummary, SalesSummary};
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::report::{ClockSource, ReportBody, ReportedPlace, flag, sign_report};
use cairn_core::sale::{LicenceSold, WorkSold};
use cairn_core::statement::{
    Appeal, AuditorSet, Blob, Body, Conflict, Deny, DomainTerms, Draft, Enrol, Genesis, Licence, Mobility, Offer,
    Order, PayeeChoice, PolicyDocument, ProfileDocument, Replay, Role, Rotate, RunProfile, Successor, Transfer,
};
use cairn_core::wallet::WalletKey;
use cairn_core::{
    Account, Address, Amount, DeviceId, Domain, Hash, JobId, NetworkId, Payout, Ppm, Reason, Sale, Subject, Verdict,
};
use data_encoding::HEXLOWER;

const TIME_MS: u64 = 1_700_000_000_000;

struct Cast {
    operator: SecretKey,
    device: SecretKey,
    secure_element: SecretKey,
    wallet: WalletKey,
    account: Account,
    network: NetworkId,
}

impl Cast {
    fn play() -> Self {
        let wallet = WalletKey::from_bytes([4; 32]).unwrap();
        let domain = Domain::parse("eip155:31337").unwrap();
        Self {
            operator: SecretKey::ed25519([1; 32]),
            device: SecretKey::ed25519([2; 32]),
            secure_element: SecretKey::p256([3; 32]).unwrap(),
            account: Account::at(domain, wallet.address()).unwrap(),
            wallet,
            network: NetworkId(Hash::of(b"network")),
        }
    }

    fn device_id(&self) -> DeviceId {
        DeviceId::of_key(&self.device.public().multicodec())
    }

    fn genesis(&self) -> Genesis {
        Genesis {
            random: [9; 16],
            name: "golden network".into(),
            origin: "example.com/golden".into(),
            operator: self.operator.public(),
            log_key: SecretKey::ed25519([5; 32]).public().multicodec()[2..].try_into().unwrap(),
            promise_key: SecretKey::ed25519([6; 32]).public().multicodec()[2..].try_into().unwrap(),
            epoch_zero_ms: TIME_MS,
            epoch_ms: 604_800_000,
            grace_ms: 86_400_000,
            policy_hash: Hash::of(b"policy"),
            rehearsed: vec!["everything".into()],
        }
    }

    fn bodies(&self) -> Vec<Body> {
        let device = self.device_id();
        vec![
            Body::Enrol(Enrol {
                key: self.device.public(),
                owner: self.account.clone(),
                role: Role::Device,
                classes: vec!["sensing/1".into()],
                model: "golden station".into(),
                mobility: Mobility::Fixed,
                cell: 0x0881_f055_e3df_ffff,
                exact: Some((536_705_710, 95_859_110)),
                altitude_cm: Some(1_200),
            }),
            Body::Transfer(Transfer { device, owner: self.account.clone() }),
            Body::Retire(device),
            Body::Rotate(Rotate { device, key: self.secure_element.public() }),
            Body::Payee(PayeeChoice { owner: self.account.clone(), payee: self.account.clone() }),
            Body::Policy(PolicyDocument { first_epoch: 0, document: b"policy".to_vec() }),
            Body::Profile(ProfileDocument { first_epoch: 1, class: "sensing/1".into(), document: b"x".to_vec() }),
            Body::Conflict(Conflict { first: b"first".to_vec(), second: b"second".to_vec() }),
            Body::Deny(Deny { device, reason: "SEN-COPY".into(), evidence: vec![1, 300], until_ms: TIME_MS }),
            Body::Appeal(Appeal { deny: 7, text: "not so".into(), evidence: vec![8] }),
            Body::Domain(DomainTerms {
                domain: Domain::parse("eip155:31337").unwrap(),
                distributor: [7; 32],
                token: "eip155:31337/erc20:0x01".into(),
                finality_blocks: 12,
            }),
            Body::AuditorSet(AuditorSet { first_epoch: 2, quorum: 1, auditors: vec![[1; 20], [2; 20]] }),
            Body::Successor(Successor { origin: "example.com/next".into(), log_key: [8; 32] }),
        ]
    }

    fn full_report(&self) -> ReportBody {
        ReportBody {
            clock: Some((ClockSource::Ntp, 20)),
            previous: Some([7; 8]),
            flags: flag::BACKFILLED | flag::LOW_BATTERY,
            place: Some(ReportedPlace::Exact {
                lat_e7: 536_705_710,
                lon_e7: -95_859_110,
                altitude: Some((1_200, Some(500))),
            }),
            subject: Some([6; 16]),
            answers: vec![Hash([5; 32])],
            blobs: vec![(Hash([4; 32]), 1_000_000)],
            ..ReportBody::of(
                3,
                1_000,
                TIME_MS,
                "sensing/1",
                Value::map(vec![(4, Value::Int(146)), (1, Value::Int(-250))]),
            )
        }
    }

    fn verdict(&self) -> Verdict {
        Verdict {
            class: "sensing/1".into(),
            device: self.device_id(),
            slot_ms: TIME_MS,
            subject: Subject::Slot,
            account: self.account.clone(),
            amount: 86_400_000,
            score: Ppm::of(750_000).unwrap(),
            reasons: vec![Reason {
                code: "SEN-NEIGHBOUR-SUSPECT".into(),
                check: "pm10 against 7 neighbours".into(),
                observed: -5,
                threshold: 120,
                lost_ppm: 250_000,
                evidence: vec![10, 11],
            }],
            entries: vec![12],
        }
    }

    fn payouts(&self) -> [Payout; 2] {
        let device = Some(self.device_id());
        let row = |device, pool: &str, weight, amount| Payout {
            account: self.account.clone(),
            device,
            pool: pool.into(),
            weight,
            amount: Amount(amount),
        };
        [row(device, "readings", 64_800_000, 10u128.pow(23)), row(None, "treasury", 0, 1)]
    }

    fn deposit(&self) -> Deposit {
        let Address::Evm(payer) = self.wallet.address() else { panic!("an EVM wallet") };
        Deposit {
            place: Place { block: 1_000, block_hash: [1; 32], transaction: [2; 32], log_index: 3 },
            buyer: self.wallet.address().claim_word(),
            asset: [4; 20],
            amount: Amount(10u128.pow(20)),
            payer,
            memo: [5; 32],
        }
    }

    fn epoch(&self) -> EpochStatement {
        let balance = AssetBalance {
            opening: Amount(5),
            minted: Amount(10u128.pow(23)),
            paid: Amount(10u128.pow(23)),
            unallocated: Amount(5),
            ..AssetBalance::default()
        };
        EpochStatement {
            network: self.network,
            number: 3,
            from: 100,
            to: 200,
            log_root: Hash([1; 32]),
            previous: Hash([2; 32]),
            policy_hash: Hash::of(b"policy"),
            engine_revision: 1,
            classes: vec![ClassSummary {
                class: "sensing/1".into(),
                revision: 1,
                profile_hash: Hash::of(b"profile"),
                subjects: 40,
                passed: 39,
                verdict_root: Hash([3; 32]),
                revenue: Amount::ZERO,
            }],
            pools: vec![PoolSummary {
                name: "readings".into(),
                size: Amount(8 * 10u128.pow(22)),
                weight: 1 << 70,
                devices: 40,
                paid: Amount(7 * 10u128.pow(22)),
                recipients: 40,
            }],
            payout_root: Hash([4; 32]),
            asset: ("CAIRN".into(), balance),
            domains: vec![DomainClaims {
                domain: Domain::parse("eip155:31337").unwrap(),
                distributor: [0; 32],
                claim_root: [5; 32],
                leaves: 41,
                cumulative: Amount(10u128.pow(23)),
            }],
            state_root: Hash([6; 32]),
            rehearsed: vec!["everything".into()],
            sales: None,
        }
    }

    fn market(&self) -> Vec<Body> {
        let blob = |byte, bytes| Blob { hash: Hash([byte; 32]), bytes };
        let job = JobId(Hash([9; 32]));
        let order = Order {
            buyer: self.account.clone(),
            module: blob(1, 1_000),
            inputs: vec![blob(2, 2_000), blob(3, 3_000)],
            arguments: b"tomorrow".to_vec(),
            gas_table: 1,
            profile: RunProfile::DetInt,
            gas: 50_000_000,
            pages: 16,
            output_bytes: 4_096,
            price: Amount(10u128.pow(18)),
            replicas: 3,
            sample: Ppm::of(100_000).unwrap(),
            commit_ms: 600_000,
            most: Amount(10u128.pow(17)),
            refund: Some(self.account.clone()),
        };
        vec![
            Body::Offer(Offer {
                device: self.device_id(),
                price: Amount(10u128.pow(18)),
                capacity: 4,
                gas_max: 1 << 40,
                pages_max: 1_024,
                profiles: 3,
                until_ms: TIME_MS,
            }),
            Body::Licence(Licence {
                owner: self.account.clone(),
                content: Hash([2; 32]),
                price: Amount(10u128.pow(15)),
                share: Ppm::of(50_000).unwrap(),
                modules: vec![Hash([1; 32])],
                until_ms: TIME_MS,
            }),
            Body::Order(order),
            Body::Cancel(job),
            Body::Replay(Replay { job, digest: Hash([8; 32]) }),
        ]
    }

    fn sale(&self) -> Sale {
        Sale {
            job: JobId(Hash([9; 32])),
            order: 1_000,
            buyer: self.account.clone(),
            locked: Amount(10u128.pow(17)),
            work: vec![WorkSold {
                account: self.account.clone(),
                device: self.device_id(),
                gas: 40_000_000,
                work: Amount(4 * 10u128.pow(16)),
                burned: Amount(2 * 10u128.pow(15)),
            }],
            licences: vec![LicenceSold {
                account: self.account.clone(),
                content: Hash([2; 32]),
                amount: Amount(3 * 10u128.pow(15)),
            }],
            returned: Amount(10u128.pow(15)),
            refund: Some((self.account.clone(), Amount(56 * 10u128.pow(15)))),
        }
    }
}

fn lines() -> String {
    let cast = Cast::play();
    let mut text = String::new();
    let mut line = |name: &str, bytes: &[u8]| writeln!(text, "{name} {}", HEXLOWER.encode(bytes)).unwrap();

    line("key-ed25519", &cast.device.public().multicodec());
    line("key-p256", &cast.secure_element.public().multicodec());
    line("device-id", &cast.device_id().0);
    let Address::Evm(address) = cast.wallet.address() else { panic!("an EVM wallet") };
    line("wallet-address", &address);
    line("network-id", &cast.network.0.0);

    let genesis = Draft::of(None, Body::Genesis(cast.genesis()), 1, TIME_MS).signed_by(&cast.operator).finish();
    line("statement-genesis", &genesis.encode());
    for body in cast.bodies() {
        let name = format!("statement-{}", body.schema().as_str());
        let statement =
            Draft::of(Some(cast.network), body, 2, TIME_MS).signed_by(&cast.device).signed_by_wallet(&cast.wallet);
        line(&name, &statement.finish().encode());
    }

    let least = ReportBody::of(0, 0, 0, "sensing/1", Value::map(vec![(4, Value::Int(0))]));
    line("report-least", &sign_report(&cast.device, cast.device_id(), &cast.network, &least));
    line("report-full-payload", &cast.full_report().encode());
    let full = sign_report(&cast.device, cast.device_id(), &cast.network, &cast.full_report());
    line("report-full", &full);
    line("report-p256", &sign_report(&cast.secure_element, cast.device_id(), &cast.network, &least));
    line("observation", &sign_observation(&cast.operator, &cast.network, &ObservationBody::clock(TIME_MS)));
    line("entry", &Entry { kind: EntryKind::Report, received_ms: TIME_MS, body: &full }.encode());

    line("verdict-slot", &cast.verdict().encode());
    line("verdict-report", &Verdict { subject: Subject::Report(9), reasons: vec![], ..cast.verdict() }.encode());
    for (name, payout) in ["payout-device", "payout-residual"].into_iter().zip(cast.payouts()) {
        line(name, &payout.encode());
    }
    line("epoch-statement", &cast.epoch().encode());
    line("epoch-statement-hash", &cast.epoch().hash().0);

    line("deposit", &cast.deposit().encode());
    let observed = cast.deposit().observed(cast.account.domain(), 0);
    line("observation-deposit", &sign_observation(&cast.operator, &cast.network, &observed));

    for body in cast.market() {
        let name = format!("statement-{}", body.schema().as_str());
        let statement =
            Draft::of(Some(cast.network), body, 2, TIME_MS).signed_by(&cast.device).signed_by_wallet(&cast.wallet);
        line(&name, &statement.finish().encode());
    }
    line("verdict-job", &Verdict { subject: Subject::Job(1_000), reasons: vec![], ..cast.verdict() }.encode());
    line("sale", &cast.sale().encode());
    let sales = Some(SalesSummary { count: 1, root: Hash([7; 32]) });
    line("epoch-statement-with-sales", &EpochStatement { sales, ..cast.epoch() }.encode());
    text
}

#[test]
fn every_format_has_the_bytes_it_was_released_with() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/formats.txt");
    let made = lines();
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let released = std::fs::read_to_string(&path).unwrap();
    for (made, released) in made.lines().zip(released.lines()) {
        assert_eq!(made, released, "a released format changed");
    }
    assert_eq!(made.lines().count(), released.lines().count());
}

#[test]
fn golden_documents_read_back_to_themselves() {
    let cast = Cast::play();
    assert_eq!(Verdict::decode(&cast.verdict().encode()), Ok(cast.verdict()));
    for payout in cast.payouts() {
        assert_eq!(Payout::decode(&payout.encode()), Ok(payout));
    }
    assert_eq!(EpochStatement::decode(&cast.epoch().encode()), Ok(cast.epoch()));
    assert_eq!(Sale::decode(&cast.sale().encode()), Ok(cast.sale()));
    assert_eq!(Deposit::decode(&cast.deposit().encode()), Ok(cast.deposit()));
    assert_eq!(ReportBody::decode(&cast.full_report().encode()), Ok(cast.full_report()));
}
