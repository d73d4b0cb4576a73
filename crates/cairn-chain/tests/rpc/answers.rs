//! What honest nodes answer, each in its own way, and what is made of it.

use cairn_chain::rpc::Options;
use cairn_chain::{At, Block, Call, Chain, ChainError, Fees, LogFilter, Rpc};
use cairn_core::keccak256;
use serde_json::{Value, json};

use crate::hostile::{open, options};
use crate::server::{Node, Reply};

fn word(byte: u8) -> String {
    format!("0x{}", format!("{byte:02x}").repeat(32))
}

fn block(number: u64, base_fee: Option<&str>) -> Value {
    let mut block = json!({ "number": format!("{number:#x}"), "hash": word(9), "timestamp": "0x64", "transactions": [word(1)], "difficulty": "0x0" });
    if let Some(fee) = base_fee {
        block["baseFeePerGas"] = fee.into();
    }
    block
}

fn event(block: u64, index: u64) -> Value {
    let address = format!("0x{}", "02".repeat(20));
    json!({
        "address": address, "topics": [word(3)], "data": "0x", "blockNumber": format!("{block:#x}"), "blockHash": word(9),
        "transactionHash": word(1), "transactionIndex": "0x0", "logIndex": format!("{index:#x}"), "removed": false,
    })
}

fn no_method() -> Reply {
    Reply::Error(json!({ "code": -32601, "message": "the method does not exist/is not available" }))
}

#[test]
fn blocks_and_accounts_are_read() {
    let node = Node::on_31337(|question| match question.method {
        "eth_getBlockByNumber" => match question.params[0].as_str().unwrap() {
            "latest" => Reply::Is(block(7, Some("0x3b9aca00"))),
            "0x5" => Reply::Is(block(5, None)),
            "0x6" => Reply::Is(block(5, None)),
            _ => Reply::Is(json!(null)),
        },
        "eth_getBalance" => Reply::Is(json!(format!("0x1{}", "0".repeat(40)))),
        "eth_getCode" => Reply::Is(json!(if question.params[0] == word(1)[..42] { "0x60" } else { "0x" })),
        _ => no_method(),
    });
    let rpc = open(&node);
    let expected = Block { number: 7, hash: [9; 32], time_s: 100, base_fee: Some(1_000_000_000) };
    assert_eq!(rpc.head(), Ok(expected));
    assert_eq!(rpc.block(5), Ok(Some(Block { number: 5, base_fee: None, ..expected })));
    assert_eq!(rpc.block(8), Ok(None));
    assert_eq!(rpc.block(6).unwrap_err().code(), "STL-ANSWER", "another block than was asked for");
    assert_eq!(rpc.balance([1; 20]), Ok(u128::MAX));
    assert_eq!((rpc.has_code([1; 20]), rpc.has_code([2; 20])), (Ok(true), Ok(false)));
}

/// What a node says of fees: base fee, suggestion, history, price.
type Says = (Option<&'static str>, Option<&'static str>, Option<Value>, &'static str);

fn fees(says: Says, max_fee_wei: u128) -> Result<Fees, ChainError> {
    let node = Node::on_31337(move |question| match question.method {
        "eth_getBlockByNumber" => Reply::Is(block(7, says.0)),
        "eth_maxPriorityFeePerGas" => says.1.map_or_else(no_method, |tip| Reply::Is(tip.into())),
        "eth_feeHistory" => says.2.clone().map_or_else(no_method, |reward| Reply::Is(json!({ "reward": reward }))),
        "eth_gasPrice" => Reply::Is(says.3.into()),
        _ => no_method(),
    });
    Rpc::open(&node.url(), Options { max_fee_wei, ..options() }).unwrap().fees()
}

#[test]
fn fees_follow_what_the_node_has_and_never_pass_what_is_allowed() {
    let dynamic = |max, priority| Ok(Fees::Dynamic { max, priority });
    let history = Some(json!([["0x1"], ["0x9"], ["0x5"]]));
    for (says, allowed, expected) in [
        ((Some("0x64"), Some("0xa"), None, "0x0"), 1_000, dynamic(210, 10)),
        ((Some("0x64"), None, history, "0x0"), 1_000, dynamic(205, 5)),
        ((Some("0x64"), None, Some(json!([])), "0x6e"), 1_000, dynamic(210, 10)),
        ((Some("0x64"), None, None, "0x32"), 1_000, dynamic(200, 0)),
        ((Some("0x0"), Some("0x1"), None, "0x0"), 1_000, dynamic(1, 1)),
        ((Some("0x64"), Some("0xa"), None, "0x0"), 150, dynamic(150, 10)),
        ((Some("0x64"), Some("0xa"), None, "0x0"), 110, dynamic(110, 10)),
        ((None, None, None, "0x32"), 50, Ok(Fees::Legacy { price: 50 })),
    ] {
        assert_eq!(fees(says.clone(), allowed), expected, "{says:?}");
    }
    let most = "0xffffffffffffffffffffffffffffffff";
    for (says, price) in [
        ((Some("0x64"), Some("0xa"), None, "0x0"), 110),
        ((None, None, None, "0x6e"), 110),
        ((Some(most), Some(most), None, most), u128::MAX),
    ] {
        let error = fees(says, 109).unwrap_err();
        assert_eq!(error.code(), "STL-FEES");
        assert!(error.to_string().contains(&format!("costs {price} wei, and 109 are allowed")), "{error}");
    }
}

#[test]
fn a_refusal_is_the_contracts_own_word_through_any_node() {
    let data = "0x12345678";
    let cases = [
        (json!({ "code": 3, "message": "execution reverted", "data": data }), "0x12345678"),
        (json!({ "code": -32000, "message": "execution reverted", "data": { "data": data } }), "0x12345678"),
        (json!({ "code": -32015, "message": "VM execution error.", "data": "Reverted 0x12345678" }), "0x12345678"),
        (json!({ "code": -32000, "message": "execution reverted" }), "without a reason"),
        (json!({ "code": -32000, "message": "invalid opcode: INVALID" }), "invalid opcode: INVALID"),
    ];
    for (error, reason) in cases {
        let said = error.clone();
        let node = Node::on_31337(move |_| Reply::Error(said.clone()));
        let rpc = open(&node);
        let call = Call { to: Some([2; 20]), value: 16, data: vec![1, 2] };
        let expected = ChainError::Reverted { reason: reason.to_owned() };
        assert_eq!(rpc.call([1; 20], &call, At::Block(16)), Err(expected.clone()), "{error}");
        assert_eq!(rpc.estimate([1; 20], &call), Err(expected), "{error}");
        let asked = &node.asked("eth_call")[0];
        let (from, to) = (&word(1)[..42], &word(2)[..42]);
        assert_eq!(*asked, json!([{ "from": from, "to": to, "value": "0x10", "data": "0x0102" }, "0x10"]));
    }
    let poor = json!({ "code": -32000, "message": "insufficient funds for transfer" });
    let node = Node::on_31337(move |_| Reply::Error(poor.clone()));
    assert_eq!(open(&node).estimate([1; 20], &Call::deploy(vec![1])).unwrap_err().code(), "STL-REFUSED");
    assert!(node.asked("eth_estimateGas")[0][0].get("to").is_none(), "a deployment is to nobody");
}

fn receipt(transaction: &str, also: Value) -> Value {
    let mut receipt = json!({
        "transactionHash": transaction, "blockNumber": "0x7", "blockHash": word(9), "status": "0x1", "gasUsed": "0x5208",
        "effectiveGasPrice": "0x7", "contractAddress": null, "logs": [event(7, 0)], "type": "0x2", "to": null,
    });
    for (name, value) in also.as_object().unwrap() {
        receipt[name] = value.clone();
    }
    receipt
}

#[test]
fn receipts_are_read_and_held_to_the_question() {
    let ask = |also: Value| {
        let node = Node::on_31337(move |question| match question.method {
            "eth_getTransactionReceipt" if also.is_null() => Reply::Is(json!(null)),
            "eth_getTransactionReceipt" => Reply::Is(receipt(&word(1), also.clone())),
            _ => Reply::Is(json!({ "gasPrice": "0x8" })),
        });
        open(&node).receipt(&[1; 32])
    };
    let good = ask(json!({})).unwrap().unwrap();
    assert_eq!((good.block, good.gas_used, good.gas_price, good.succeeded), (7, 21_000, 7, true));
    assert_eq!((good.logs.len(), good.logs[0].topics.as_slice(), good.created), (1, &[[3; 32]][..], None));
    assert!(!ask(json!({ "status": "0x0" })).unwrap().unwrap().succeeded);
    assert_eq!(ask(json!({ "effectiveGasPrice": null })).unwrap().unwrap().gas_price, 8, "of the transaction");
    assert_eq!(ask(json!({ "contractAddress": &word(5)[..42] })).unwrap().unwrap().created, Some([5; 20]));
    assert_eq!(ask(json!(null)), Ok(None));
    assert_eq!(ask(json!({ "blockNumber": null, "blockHash": null })), Ok(None), "in no block yet");
    for wrong in [
        json!({ "transactionHash": word(2) }),
        json!({ "status": null }),
        json!({ "status": "0x2" }),
        json!({ "logs": [event(8, 0)] }),
        json!({ "gasUsed": null }),
    ] {
        assert_eq!(ask(wrong.clone()).unwrap_err().code(), "STL-ANSWER", "{wrong}");
    }
}

#[test]
fn a_transaction_that_the_chain_has_already_is_sent() {
    let raw = [2, 0xc0];
    let hash = keccak256(&raw);
    let shown = format!("0x{}", data_encoding::HEXLOWER.encode(&hash));
    let refusals = |message: &'static str, mined: bool| {
        let shown = shown.clone();
        let node = Node::on_31337(move |question| match question.method {
            "eth_sendRawTransaction" => Reply::Error(json!({ "code": -32000, "message": message })),
            _ if mined => Reply::Is(receipt(&shown, json!({}))),
            _ => Reply::Is(json!(null)),
        });
        open(&node).send(&raw)
    };
    assert_eq!(refusals("already known", false), Ok(hash));
    assert_eq!(refusals("Transaction with the same hash was already imported.", false), Ok(hash));
    assert_eq!(refusals("nonce too low", true), Ok(hash));
    assert_eq!(refusals("nonce too low", false).unwrap_err().code(), "STL-REFUSED");
    assert_eq!(refusals("insufficient funds", false).unwrap_err().code(), "STL-REFUSED");
    let node = Node::on_31337(|_| Reply::Is(word(1).into()));
    assert_eq!(open(&node).send(&raw).unwrap_err().code(), "STL-ANSWER", "another hash");

    // The answer is lost on the way back, and the second attempt is told that it is known.
    let node = Node::on_31337(|question| match question.before {
        0 => Reply::Close,
        _ => Reply::Error(json!({ "code": -32000, "message": "already known" })),
    });
    assert_eq!(open(&node).send(&raw), Ok(hash));
}

/// A node that gives events of at most so many blocks at once; every third block has two.
fn with_events(blocks_max: u64, how: fn() -> Reply) -> Node {
    Node::on_31337(move |question| {
        let number = |name: &str| {
            let text = question.params[0][name].as_str().unwrap();
            u64::from_str_radix(&text[2..], 16).unwrap()
        };
        let (from, to) = (number("fromBlock"), number("toBlock"));
        if to - from >= blocks_max {
            return how();
        }
        let events = (from..=to).filter(|block| block % 3 == 0).flat_map(|block| [event(block, 1), event(block, 0)]);
        Reply::Is(events.collect())
    })
}

#[test]
fn events_come_in_order_however_few_blocks_the_node_gives_at_once() {
    let too_many: [fn() -> Reply; 3] = [
        || Reply::Error(json!({ "code": -32005, "message": "query returned more than 10000 results" })),
        || Reply::Error(json!({ "code": -32600, "message": "block range is too wide" })),
        || Reply::Http(200, "", " ".repeat(100_001)),
    ];
    let filter = LogFilter { address: [2; 20], topic: [3; 32], from: 2, to: 100 };
    let expected: Vec<(u64, u64)> = (2..=100).filter(|block| block % 3 == 0).flat_map(|b| [(b, 0), (b, 1)]).collect();
    for how in too_many {
        for blocks_max in [1, 2, 3, 7, 50, 1_000] {
            let node = with_events(blocks_max, how);
            let logs = open(&node).logs(&filter).unwrap();
            let places: Vec<(u64, u64)> = logs.iter().map(|event| (event.block, event.index)).collect();
            assert_eq!(places, expected, "{blocks_max} at once");
        }
        let error = open(&with_events(0, how)).logs(&filter).unwrap_err();
        assert_eq!(error.code(), "STL-ANSWER", "not even one block");
    }
    let node = with_events(1_000, || Reply::Close);
    assert_eq!(open(&node).logs(&LogFilter { from: 5, to: 4, ..filter }), Ok(vec![]));
    let last = LogFilter { from: u64::MAX, to: u64::MAX, ..filter };
    assert_eq!(open(&node).logs(&last).unwrap().len(), 2);
}

#[test]
fn events_that_were_not_asked_for_are_no_answer_and_removed_ones_none() {
    let filter = LogFilter { address: [2; 20], topic: [3; 32], from: 2, to: 100 };
    let ask = |events: Value| {
        let node = Node::on_31337(move |_| Reply::Is(events.clone()));
        open(&node).logs(&filter)
    };
    let with = |name: &str, value: Value| {
        let mut event = event(5, 0);
        event[name] = value;
        event
    };
    assert_eq!(ask(json!([with("removed", true.into()), event(6, 0)])).unwrap().len(), 1);
    assert_eq!(ask(json!([with("blockNumber", json!(null))])), Ok(vec![]), "in no block");
    for wrong in [
        json!([event(1, 0)]),
        json!([event(101, 0)]),
        json!([with("address", word(7)[..42].into())]),
        json!([with("topics", json!([word(4)]))]),
        json!([with("topics", json!([]))]),
        json!([event(5, 0), event(5, 0)]),
        json!({ "events": [] }),
    ] {
        assert_eq!(ask(wrong.clone()).unwrap_err().code(), "STL-ANSWER", "{wrong}");
    }
}
