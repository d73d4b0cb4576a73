//! Deposits come in as observations, and are served as what a buyer holds.

use cairn_api::{CreditInfo, CreditList, EpochInfo};
use cairn_core::deposit::{Deposit, Place, source_of};
use cairn_core::key::SecretKey;
use cairn_core::observation::sign_observation;
use cairn_core::statement::{Body, DomainTerms, PolicyDocument};
use cairn_core::{Amount, Domain};
use cairn_gateway::Running;

use crate::support::{CHAIN, Client, Net, rows};

const OWN: [u8; 20] = [0xab; 20];

fn observer() -> SecretKey {
    SecretKey::ed25519([201; 32])
}

fn chain() -> Domain {
    Domain::parse(CHAIN).unwrap()
}

/// A network whose open epoch, the second, takes deposits.
fn taking_deposits() -> (Net, Running) {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    let token = format!("{CHAIN}/erc20:0x{}", "ab".repeat(20));
    let terms = DomainTerms { domain: chain(), distributor: [9; 32], token, finality_blocks: 1 };
    let policy = format!(
        "{}\n[[observers]]\nsource = \"{}\"\nkey = \"{}\"\ntrust = \"operator\"\n\n[credit]\nchains = [\"{CHAIN}\"]\n",
        net.policy,
        source_of(&chain()),
        observer().public().did()
    );
    let policy = PolicyDocument { first_epoch: 1, document: policy.into_bytes() };
    for (nonce, body) in (100..).zip([Body::Domain(terms), Body::Policy(policy)]) {
        let response = client.statement(&net.by_operator(body, nonce).encode());
        assert!(rows(&response)[0].starts_with("accepted"), "{:?}", rows(&response));
    }
    let response = client.observation(&net.clock(Net::closing_ms(0)));
    assert!(rows(&response)[0].starts_with("accepted"), "{:?}", rows(&response));
    (net, running)
}

/// The contract's deposit of a number, as the observer says it.
fn said(net: &Net, number: u64, asset: [u8; 20], amount: u128) -> Vec<u8> {
    let place = Place { block: 7 + number, block_hash: [1; 32], transaction: [2; 32], log_index: 0 };
    let mut buyer = [0; 32];
    buyer[12..].fill(0xcd);
    let deposit = Deposit { place, buyer, asset, amount: Amount(amount), payer: [4; 20], memo: [0; 32] };
    sign_observation(&observer(), &net.network, &deposit.observed(&chain(), number))
}

#[test]
fn what_a_buyer_paid_in_is_served_by_every_name_of_the_buyer_and_survives_a_restart() {
    let (net, running) = taking_deposits();
    let mut client = Client::to(&running);
    for (number, asset, amount) in [(0, OWN, 40), (1, [7; 20], 5), (2, OWN, 2)] {
        let response = client.observation(&said(&net, number, asset, amount));
        assert!(rows(&response)[0].starts_with("accepted"), "{:?}", rows(&response));
    }
    let size = client.network().size;
    for (number, code) in [(2, "OBS-ROUND"), (0, "OBS-ROUND"), (4, "OBS-ROUND")] {
        let response = client.observation(&said(&net, number, OWN, 2));
        assert_eq!(response.results[0].code.as_deref(), Some(code), "{:?}", rows(&response));
    }
    assert_eq!(client.network().size, size, "what does not count is not logged");

    let address = format!("0x{}", "cd".repeat(20));
    let word = format!("{}{}", "0".repeat(24), &address[2..]);
    let expected = [
        CreditInfo {
            asset: format!("{CHAIN}/native"),
            symbol: Some("WALK".to_owned()),
            decimals: Some(18),
            amount: "42".to_owned(),
        },
        CreditInfo {
            asset: format!("{CHAIN}/erc20:0x{}", "07".repeat(20)),
            symbol: None,
            decimals: None,
            amount: "5".to_owned(),
        },
    ];
    for name in [word.clone(), format!("0x{word}"), address.clone(), format!("{CHAIN}:{address}")] {
        let list: CreditList = client.get(&format!("/v1/credits/{name}")).json();
        assert_eq!((list.buyer.as_str(), list.credits.as_slice()), (word.as_str(), &expected[..]), "{name}");
        assert_eq!(list.last_closed, client.network().last_closed);
    }
    let nobody: CreditList = client.get(&format!("/v1/credits/{}", "1".repeat(64))).json();
    assert_eq!(nobody.credits, []);
    let refused = client.get("/v1/credits/nobody");
    assert_eq!((refused.status, refused.problem().code.as_str()), (400, "NET-NAME"));

    client.settle();
    drop(client);
    running.shutdown().unwrap();
    let running = net.start();
    let mut client = Client::to(&running);
    let list: CreditList = client.get(&format!("/v1/credits/{address}")).json();
    assert_eq!(list.credits, expected);
    client.observation(&net.clock(Net::closing_ms(1)));
    let response = client.observation(&said(&net, 3, OWN, 8));
    assert!(rows(&response)[0].starts_with("accepted"), "{:?}", rows(&response));
    client.observation(&net.clock(Net::closing_ms(2)));
    let books = |client: &mut Client, epoch: u64| {
        let EpochInfo { balance, .. } = client.get(&format!("/v1/epochs/{epoch}")).json();
        (balance.opening, balance.deposited, balance.escrow)
    };
    let texts = |opening: &str, deposited: &str, escrow: &str| (opening.into(), deposited.into(), escrow.into());
    assert_eq!(books(&mut client, 1), texts("0", "42", "42"));
    assert_eq!(books(&mut client, 2), texts("42", "8", "50"));
}
