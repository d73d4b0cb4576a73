//! A gateway with a market of work, its till with credit, and an agent without an account: over HTTP, by both versions of x402, and
//! over MCP.

use std::sync::Arc;
use std::time::Duration;

use cairn_api::{OrderTerms, PurchaseStatus};
use cairn_classes::Class;
use cairn_classes::compute::{self, COMPUTE};
use cairn_client::{Answered, Client, ClientError, Paying, buy_with_payment};
use cairn_core::deposit::{Deposit, Place};
use cairn_core::ed25519::SigningKey;
use cairn_core::entry::EntryKind;
use cairn_core::key::SecretKey;
use cairn_core::observation::sign_observation;
use cairn_core::statement::{
    Body, DomainTerms, Draft, Enrol, Genesis, Mobility, Offer, PolicyDocument, ProfileDocument, Role, Statement,
};
use cairn_core::wallet::WalletKey;
use cairn_core::{Account, Address, Amount, DeviceId, Domain, Hash, JobId, NetworkId};
use cairn_gateway::{BlobOptions, Gateway, GatewayOptions, Running};
use cairn_ledger::{Answer, Ledger, LedgerOptions, NetworkClock, OperatorKeys, Sequencer, Submission};
use cairn_log::{Log, LogOptions, StdDisk};
use cairn_settle::told::address_text;
use cairn_testkit::fair::with_compute;
use cairn_testkit::network::with_credit;
use cairn_x402::{Payment, PaymentRequired, Version, header, pay};
use serde_json::{Value, json};

use crate::shop::{Shop, address, key};

const ZERO_MS: u64 = 1_699_920_000_000;
const EXPIRY_MS: u64 = 2 * ZERO_MS;
const CLOCK: NetworkClock = NetworkClock::Recorded { start_ms: ZERO_MS };

/// A running network whose till sells.
struct Market {
    shop: Shop,
    url: String,
    running: Running,
    network: NetworkId,
}

fn chain() -> Domain {
    Domain::parse("eip155:31337").unwrap()
}

fn keys() -> OperatorKeys {
    OperatorKeys {
        operator: SecretKey::ed25519([1; 32]),
        log: SigningKey::from_seed([2; 32]),
        promise: SigningKey::from_seed([3; 32]),
        clock: SecretKey::ed25519([4; 32]),
    }
}

fn account(key: &WalletKey) -> Account {
    Account::at(chain(), Address::Evm(address(key))).unwrap()
}

/// What is said before anything is sold: documents, the chain, a deposit for the till, a worker and its offer.
fn first_words(keys: &OperatorKeys, token: &[u8; 20]) -> (NetworkId, Vec<Submission>) {
    let observer = SecretKey::ed25519([201; 32]);
    let treasury = Account::parse("eip155:31337:0x00000000000000000000000000000000000000ab").unwrap();
    let policy = cairn_reward::default_policy("RHS", &treasury, &keys.clock.public())
        .replace("source = \"bulletin\"", "source = \"clock\"");
    let policy = with_compute(&with_credit(&policy, &[chain()], core::slice::from_ref(&observer)), 0);
    let genesis = Genesis {
        random: [7; 16],
        name: "agents".to_owned(),
        origin: "log.example/agents".to_owned(),
        operator: keys.operator.public(),
        log_key: keys.log.public_bytes(),
        promise_key: keys.promise.public_bytes(),
        epoch_zero_ms: ZERO_MS,
        epoch_ms: 86_400_000,
        grace_ms: 3_600_000,
        policy_hash: Hash::of(policy.as_bytes()),
        rehearsed: vec![NetworkClock::RECORDED_DECLARATION.to_owned()],
    };
    let genesis = Draft::of(None, Body::Genesis(genesis), 1, EXPIRY_MS).signed_by(&keys.operator).finish();
    let network = NetworkId(genesis.payload_hash());
    let document = |class: &str, text: &str| {
        Body::Profile(ProfileDocument { first_epoch: 0, class: class.to_owned(), document: text.as_bytes().to_vec() })
    };
    let (_, station) = Class::Sensing.default_profiles().iter().find(|(name, _)| name.contains("station")).unwrap();
    let asset = format!("{}/erc20:{}", chain(), address_text(token));
    let by_operator = [
        Body::Policy(PolicyDocument { first_epoch: 0, document: policy.into_bytes() }),
        document(Class::Sensing.schema(), station),
        document(compute::SCHEMA, COMPUTE),
        Body::Domain(DomainTerms { domain: chain(), distributor: [9; 32], token: asset, finality_blocks: 1 }),
    ];
    let mut statements = vec![genesis];
    for (nonce, body) in (2..).zip(by_operator) {
        statements.push(Draft::of(Some(network), body, nonce, EXPIRY_MS).signed_by(&keys.operator).finish());
    }
    statements.extend(a_worker(&network));
    let statement = |one: Statement| Submission { kind: EntryKind::Statement, body: one.encode(), checked: None };
    let mut all: Vec<Submission> = statements.into_iter().map(statement).collect();
    let place = Place { block: 9, block_hash: [1; 32], transaction: [2; 32], log_index: 3 };
    let buyer = account(&key(9)).address().claim_word();
    let deposit = Deposit { place, buyer, asset: *token, amount: Amount(500_000), payer: [4; 20], memo: [0; 32] };
    let body = sign_observation(&observer, &network, &deposit.observed(&chain(), 0));
    all.push(Submission { kind: EntryKind::Observation, body, checked: None });
    (network, all)
}

fn a_worker(network: &NetworkId) -> [Statement; 2] {
    let device = SecretKey::ed25519([50; 32]);
    let owner = key(51);
    let position = cairn_core::geo::Position::of(530_000_000, 95_000_000).unwrap();
    let enrol = Enrol {
        key: device.public(),
        owner: account(&owner),
        role: Role::Worker,
        classes: vec![compute::SCHEMA.to_owned()],
        model: "test worker".to_owned(),
        mobility: Mobility::Fixed,
        cell: cairn_core::geo::Cell::containing(position, 8).unwrap().index(),
        exact: None,
        altitude_cm: None,
    };
    let offer = Offer {
        device: DeviceId::of_key(&device.public().multicodec()),
        price: Amount(1_000),
        capacity: 8,
        gas_max: 1_000_000_000_000,
        pages_max: 1_024,
        profiles: 3,
        until_ms: EXPIRY_MS,
    };
    let enrol = Draft::of(Some(*network), Body::Enrol(enrol), 1, EXPIRY_MS).signed_by(&device).signed_by_wallet(&owner);
    let offer = Draft::of(Some(*network), Body::Offer(offer), 2, EXPIRY_MS).signed_by(&device);
    [enrol.finish(), offer.finish()]
}

impl Market {
    fn open() -> Self {
        let mut shop = Shop::open();
        shop.keeper = None;
        let keeper = shop.opened();
        let folder = shop.folder.path();
        let keys = keys();
        let disk = Arc::new(StdDisk::create(folder.join("log")).unwrap());
        let (log, _) = Log::open(disk, LogOptions::default()).unwrap();
        let ledger =
            Ledger::open(&folder.join("views"), log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
        let mut sequencer = Sequencer::over(log, ledger, keys.clone(), CLOCK).unwrap();
        let (network, words) = first_words(&keys, &shop.domain.token);
        for answer in sequencer.submit(words).unwrap().answers {
            assert!(matches!(answer, Answer::Accepted { .. }), "{answer:?}");
        }
        let blobs = BlobOptions { free_bytes_min: 0, ..BlobOptions::in_folder(folder.join("blobs")) };
        let options = GatewayOptions {
            listen: "127.0.0.1:0".to_owned(),
            checkpoint: Duration::from_millis(20),
            blobs: Some(blobs),
            till: Some(Arc::new(keeper)),
            ..GatewayOptions::default()
        };
        let running = Gateway::start(sequencer, CLOCK, options).unwrap();
        let url = format!("http://{}", running.address());
        Self { shop, url, running, network }
    }

    fn client(&self) -> Client {
        Client::at(&self.url).unwrap()
    }

    fn paying(&self, nonce: u8) -> Paying<'_> {
        let token = Box::leak(address_text(&self.shop.domain.token).into_boxed_str());
        Paying {
            key: &self.shop.payer,
            most: 100_000,
            chain_id: 31_337,
            token,
            now_s: self.shop.now_s(),
            nonce: [nonce; 32],
        }
    }

    /// What a message to `/mcp` is answered with.
    fn mcp(&self, method: &str, params: Value) -> Value {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut answer =
            ureq::post(format!("{}/mcp", self.url)).content_type("application/json").send(message.to_string()).unwrap();
        let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        answer["result"].clone()
    }
}

fn terms(module: &[u8]) -> OrderTerms {
    let module = json!({"hash": Hash::of(module).to_hex(), "bytes": module.len()});
    let terms = json!({"module": module, "gas": 10_000_000_000_u64, "pages": 16, "output_bytes": 1_000, "price": "2000", "commit_ms": 60_000});
    serde_json::from_value(terms).unwrap()
}

fn uploaded(market: &Market, module: &[u8]) {
    let base64 = data_encoding::BASE64.encode(module);
    let kept = market.mcp("tools/call", json!({"name": "upload", "arguments": {"base64": base64}}));
    assert_eq!(kept["structuredContent"], json!({"hash": Hash::of(module).to_hex(), "bytes": module.len()}));
}

#[test]
fn an_agent_without_an_account_buys_a_job_over_http() {
    let market = Market::open();
    let client = market.client();
    let terms = terms(b"module");
    // What is not here cannot be bought, and nothing is asked for.
    let refused = client.buy_compute(&terms, None).unwrap_err();
    assert_eq!(refused.code(), "NET-BLOB-MISSING");
    uploaded(&market, b"module");

    let mut kept = None;
    let answered = buy_with_payment::<ClientError>(&client, &terms, &market.paying(1), |payment| {
        kept = Some(payment.clone());
        Ok(())
    });
    let Answered::Taken(purchase) = answered.unwrap() else { panic!("it was paid") };
    // 10^10 gas at 1,000 for 10^9: 10,000; a twentieth of it, and 2.
    assert_eq!((purchase.status, purchase.amount.as_str()), (PurchaseStatus::Ordered, "10502"));
    assert_eq!(purchase.locked.as_deref(), Some("10000"));
    assert_eq!(market.shop.balance(address(&market.shop.payer)), 1_000_000 - 10_502);
    // The same again is the same, and a second one is another job.
    let kept = kept.unwrap();
    assert_eq!(client.buy_compute(&terms, Some(&kept)).unwrap(), Answered::Taken(purchase.clone()));
    assert_eq!(client.purchase(&purchase.payment).unwrap(), *purchase);
    let again = buy_with_payment::<ClientError>(&client, &terms, &market.paying(2), |_| Ok(()));
    let Answered::Taken(second) = again.unwrap() else { panic!("it was paid") };
    assert_ne!(second.job, purchase.job);

    // The order is the till's, and names the payer for what is left.
    let shown = market.mcp("tools/call", json!({"name": "verify", "arguments": {"job": purchase.job.unwrap()}}));
    assert_eq!(shown["structuredContent"]["phase"], "committing");
    assert_eq!(shown["structuredContent"]["replay"]["module"]["hash"], Hash::of(b"module").to_hex());
    let entry = shown["structuredContent"]["order"]["entry"].as_u64().unwrap();
    let found = client.network().unwrap();
    assert!(found.size > entry);
    // Less than is asked for, or of a payer without money, is asked for again.
    let Answered::Required(required) = client.buy_compute(&terms, None).unwrap() else { panic!("it costs something") };
    let poor = pay(&required, &key(77), market.shop.now_s(), [3; 32]).unwrap();
    let Answered::Required(again) = client.buy_compute(&terms, Some(&poor)).unwrap() else { panic!("he has nothing") };
    assert_eq!(again.accepts, required.accepts);
    let few = Paying { most: 10_501, ..market.paying(4) };
    let refused = buy_with_payment::<ClientError>(&client, &terms, &few, |_| panic!("nothing is signed")).unwrap_err();
    assert_eq!(refused.code(), "NET-ANSWER");
    assert_eq!(found.network_id, market.network.0.to_string());
    market.running.shutdown().unwrap();
}

#[test]
fn clients_of_the_first_version_and_wrong_ones_are_answered_by_status_and_headers() {
    let market = Market::open();
    uploaded(&market, b"module");
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
    let url = format!("{}/v1/buy/compute", market.url);
    let body = serde_json::to_string(&terms(b"module")).unwrap();
    let send = |headers: &[(&str, &str)]| {
        let mut request = agent.post(&url).content_type("application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send(&body).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), answer.headers().clone(), serde_json::from_str::<Value>(&text).unwrap())
    };
    let (status, headers, said) = send(&[]);
    assert_eq!(
        (status, &said["x402Version"], &said["accepts"][0]["maxAmountRequired"]),
        (402, &json!(1), &json!("10502"))
    );
    let required: PaymentRequired = header::decode(headers["payment-required"].to_str().unwrap()).unwrap();
    assert_eq!(required.resource.url, url);

    let payment = pay(&required, &market.shop.payer, market.shop.now_s(), [1; 32]).unwrap();
    let (_, second) = payment.header();
    let earlier = Payment { version: Version::First, accepted: None, ..payment };
    let (name, value) = earlier.header();
    let (status, headers, bought) = send(&[(name, &value)]);
    assert_eq!((status, &bought["status"]), (200, &json!("ordered")));
    let receipt: Value = header::decode(headers["x-payment-response"].to_str().unwrap()).unwrap();
    assert_eq!((&receipt["success"], &receipt["network"]), (&json!(true), &json!("eip155:31337")));
    assert_eq!(receipt["transaction"], bought["transaction"]);
    assert!(!headers.contains_key("payment-required"));
    let job = JobId::parse(bought["job"].as_str().unwrap()).unwrap();
    assert_eq!(job.to_string(), bought["job"]);

    let (status, headers, failed) = send(&[("payment-signature", &second[..second.len() - 8])]);
    assert_eq!((status, failed["code"].as_str().unwrap().starts_with("X402-")), (400, true), "{headers:?}");
    let (status, _, failed) = send(&[(name, &value), ("payment-signature", &second)]);
    assert_eq!((status, &failed["code"]), (400, &json!("X402-VERSION")));
    let poor = pay(&required, &key(77), market.shop.now_s(), [3; 32]).unwrap().header().1;
    let (status, headers, failed) = send(&[("payment-signature", &poor)]);
    assert_eq!((status, &failed["code"]), (402, &json!("X402-FUNDS")));
    let told: Value = header::decode(headers["payment-response"].to_str().unwrap()).unwrap();
    assert_eq!((&told["success"], &told["errorReason"]), (&json!(false), &json!("insufficient_funds")));
    assert!(headers.contains_key("payment-required"), "it is asked for again");
    market.running.shutdown().unwrap();
}

#[test]
fn an_agent_buys_a_job_over_mcp() {
    let market = Market::open();
    uploaded(&market, b"module");
    let terms = serde_json::to_value(terms(b"module")).unwrap();
    let quoted = market.mcp("tools/call", json!({"name": "quote", "arguments": terms}));
    assert_eq!(
        (&quoted["isError"], &quoted["structuredContent"]["accepts"][0]["amount"]),
        (&json!(false), &json!("10502"))
    );
    let asked = market.mcp("tools/call", json!({"name": "buy", "arguments": terms}));
    assert_eq!(asked["isError"], true);
    let wrapped: Value = serde_json::from_str(asked["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&wrapped["x402/error"]["code"], &wrapped["x402/error"]["data"]),
        (&json!(402), &asked["structuredContent"])
    );

    let required: PaymentRequired = serde_json::from_value(asked["structuredContent"].clone()).unwrap();
    let pay_with = |payment: &Payment| {
        let meta = json!({"x402/payment": payment.document()});
        market.mcp("tools/call", json!({"name": "buy", "arguments": terms, "_meta": meta}))
    };
    let poor = pay(&required, &key(77), market.shop.now_s(), [3; 32]).unwrap();
    let refused = pay_with(&poor);
    assert_eq!(refused["isError"], true);
    assert_eq!(refused["structuredContent"]["x402/payment-response"]["errorReason"], "insufficient_funds");

    let payment = pay(&required, &market.shop.payer, market.shop.now_s(), [1; 32]).unwrap();
    let bought = pay_with(&payment);
    assert_eq!(
        (&bought["isError"], &bought["structuredContent"]["status"]),
        (&json!(false), &json!("ordered")),
        "{bought}"
    );
    let receipt = &bought["_meta"]["x402/payment-response"];
    assert_eq!(
        (&receipt["success"], &receipt["transaction"]),
        (&json!(true), &bought["structuredContent"]["transaction"])
    );
    assert_eq!(pay_with(&payment), bought);
    let name = &bought["structuredContent"]["payment"];
    let found = market.mcp("tools/call", json!({"name": "purchase", "arguments": {"payment": name}}));
    assert_eq!(found["structuredContent"], bought["structuredContent"]);
    let job = &bought["structuredContent"]["job"];
    let result = market.mcp("tools/call", json!({"name": "result", "arguments": {"job": job}}));
    assert_eq!((&result["structuredContent"]["result"], &result["isError"]), (&Value::Null, &json!(false)));
    // Somebody else's terms with the same payment.
    let mut other = terms.clone();
    other["gas"] = json!(1);
    let meta = json!({"x402/payment": payment.document()});
    let conflict = market.mcp("tools/call", json!({"name": "buy", "arguments": other, "_meta": meta}));
    assert_eq!(
        (&conflict["isError"], &conflict["structuredContent"]["code"]),
        (&json!(true), &json!("TIL-OTHER-TERMS"))
    );
    market.running.shutdown().unwrap();
}
