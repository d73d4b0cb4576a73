//! What a node may do to who asks it, and does not get out of it.

use std::time::Duration;

use cairn_chain::rpc::Options;
use cairn_chain::{Chain, Rpc};
use serde_json::json;

use crate::server::{Node, Reply};

/// Patience for tests: three attempts, a short while.
pub fn options() -> Options {
    Options {
        timeout: Duration::from_secs(20),
        attempts: 3,
        first_wait: Duration::from_millis(2),
        answer_bytes_max: 100_000,
        ..Options::default()
    }
}

pub fn open(node: &Node) -> Rpc {
    Rpc::open(&node.url(), options()).unwrap()
}

/// What a node does, by a name.
type Case = (&'static str, fn() -> Reply);

#[test]
fn what_was_lost_is_asked_again_and_no_more_often_than_allowed() {
    let busy = || Reply::Http(429, "retry-after: 0\r\n", "slow down".to_owned());
    let lost: [Case; 6] = [
        ("closed", || Reply::Close),
        ("truncated", || Reply::Truncated),
        ("429", busy),
        ("503", || Reply::Http(503, "", "<html>".to_owned())),
        ("500", || Reply::Http(500, "", String::new())),
        ("a limit of the provider", || Reply::Error(json!({ "code": -32005, "message": "rate limit exceeded" }))),
    ];
    for (what, reply) in lost {
        let node = Node::on_31337(move |question| match question.before {
            0 | 1 => reply(),
            _ => Reply::Is(json!("0x5")),
        });
        assert_eq!(open(&node).nonce([1; 20]), Ok(5), "{what}");
        assert_eq!(node.asked("eth_getTransactionCount").len(), 3, "{what}");

        let node = Node::on_31337(move |_| reply());
        let error = open(&node).nonce([1; 20]).unwrap_err();
        assert_eq!(error.code(), "STL-UNREACHABLE", "{what}: {error}");
        assert_eq!(node.asked("eth_getTransactionCount").len(), 3, "{what}");
    }
}

#[test]
fn what_is_no_answer_is_an_error_and_is_not_asked_again() {
    let strange: [Case; 14] = [
        ("a page", || Reply::Http(200, "content-type: text/html\r\n", "<!doctype html><p>hello".to_owned())),
        ("nothing", || Reply::Http(200, "", String::new())),
        ("a list", || Reply::Http(200, "", "[]".to_owned())),
        ("neither result nor error", || Reply::Http(200, "", r#"{"jsonrpc":"2.0","id":2}"#.to_owned())),
        ("another protocol", || Reply::Http(200, "", r#"{"jsonrpc":"1.0","id":2,"result":"0x5"}"#.to_owned())),
        ("another question's answer", || Reply::WrongId(json!("0x5"))),
        ("no number of the question", || Reply::Http(200, "", r#"{"jsonrpc":"2.0","result":"0x5"}"#.to_owned())),
        ("null", || Reply::Is(json!(null))),
        ("a number as a number", || Reply::Is(json!(5))),
        ("a number with zeros before it", || Reply::Is(json!("0x05"))),
        ("a number too large", || Reply::Is(json!("0x10000000000000000"))),
        ("a redirect", || Reply::Http(307, "location: http://127.0.0.1:1/\r\n", String::new())),
        ("not found", || Reply::Http(404, "", "no such page".to_owned())),
        ("an error of its own", || Reply::Error(json!({ "code": -32603, "message": "internal" }))),
    ];
    for (what, reply) in strange {
        let node = Node::on_31337(move |_| reply());
        let error = open(&node).nonce([1; 20]).unwrap_err();
        assert_eq!(error.code(), "STL-ANSWER", "{what}: {error}");
        assert_eq!(node.asked("eth_getTransactionCount").len(), 1, "{what}");
    }
}

#[test]
fn no_answer_is_read_further_than_its_bound() {
    let node = Node::on_31337(|_| Reply::Endless);
    let rpc = open(&node);
    let error = rpc.receipt(&[1; 32]).unwrap_err();
    assert!(error.to_string().contains("more than 100000 bytes"), "{error}");
    let error = rpc.nonce([1; 20]).unwrap_err();
    assert!(error.to_string().contains("more than 1048576 bytes"), "{error}");
}

#[test]
fn nobody_is_waited_for_without_end() {
    let node = Node::on_31337(|_| Reply::Drip);
    let patience = Options { timeout: Duration::from_millis(1_500), attempts: 2, ..options() };
    let error = Rpc::open(&node.url(), patience).unwrap().nonce([1; 20]).unwrap_err();
    assert!(error.to_string().contains("no answer within 1500 ms"), "{error}");
    assert_eq!(node.asked("eth_getTransactionCount").len(), 2);
}

#[test]
fn a_deep_answer_is_refused_and_not_followed() {
    let deep = format!(r#"{{"jsonrpc":"2.0","id":2,"result":{}"#, "[".repeat(500_000));
    let node = Node::on_31337(move |_| Reply::Http(200, "", deep.clone()));
    assert_eq!(open(&node).nonce([1; 20]).unwrap_err().code(), "STL-ANSWER");
}

#[test]
fn no_secret_of_the_address_is_in_a_name_or_an_error() {
    let secrets = ["someone", "pass-word", "path-key-1", "query-key-2"];
    let echo = "no: someone pass-word path-key-1 query-key-2 /v3/path-key-1?key=query-key-2";
    type Make = fn(&'static str) -> Reply;
    let replies: [Make; 8] = [
        |_| Reply::Close,
        |_| Reply::Truncated,
        |echo| Reply::Http(401, "", echo.to_owned()),
        |echo| Reply::Http(503, "", echo.to_owned()),
        |echo| Reply::Http(200, "", echo.to_owned()),
        |echo| Reply::Error(json!({ "code": -32000, "message": echo })),
        |echo| Reply::Error(json!({ "code": -32000, "message": format!("execution reverted: {echo}") })),
        |echo| Reply::Is(json!(echo)),
    ];
    for reply in replies {
        let node = Node::on_31337(move |question| {
            assert_eq!(question.authorization, Some("Basic c29tZW9uZTpwYXNzLXdvcmQ="));
            reply(echo)
        });
        let host = node.url().replace("http://", "");
        let rpc =
            Rpc::open(&format!("http://someone:pass-word@{host}/v3/path-key-1?key=query-key-2"), options()).unwrap();
        let call = cairn_chain::Call::to([2; 20], vec![1]);
        let said = [
            rpc.name(),
            format!("{rpc:?}"),
            rpc.nonce([1; 20]).unwrap_err().to_string(),
            format!("{:?}", rpc.estimate([1; 20], &call).unwrap_err()),
            format!("{:?}", rpc.send(&[1, 2, 3]).unwrap_err()),
        ];
        for text in said {
            assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
            assert!(
                text.contains(&host) || text.contains("the contract refuses") || text.contains("Reverted"),
                "{text}"
            );
        }
    }
    // Where nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://someone:pass-word@{free}/v3/path-key-1?key=query-key-2");
    let error = Rpc::open(&url, options()).unwrap_err();
    assert_eq!(error.code(), "STL-UNREACHABLE");
    assert!(secrets.iter().all(|secret| !format!("{error} {error:?}").contains(secret)), "{error}");
    let error = Rpc::open("htp://someone:pass-word@h/path-key-1", options()).unwrap_err();
    assert!(error.code() == "STL-ADDRESS" && secrets.iter().all(|secret| !error.to_string().contains(secret)));
}

#[test]
fn only_the_chain_that_is_meant_is_opened() {
    let node = Node::on_31337(|_| Reply::Close);
    let meaning = |chain_id| Options { chain_id, ..options() };
    let rpc = Rpc::open(&node.url(), meaning(Some(31_337))).unwrap();
    assert!(rpc.id() == 31_337 && rpc.rehearsed());
    let error = Rpc::open(&node.url(), meaning(Some(1))).unwrap_err();
    assert_eq!(error.code(), "STL-ANSWER");
    assert!(error.to_string().contains("chain 31337 and not 1"), "{error}");
}
