//! What agents are told over HTTP and over MCP by a gateway that has no till, and by the protocol itself.

use serde_json::{Value, json};

use crate::support::{Client, Http, Net, options};

fn post(client: &mut Client, path: &str, headers: &str, body: &str) -> Http {
    let head = format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    client.send(&[head.as_bytes(), body.as_bytes()].concat());
    client.receive(true)
}

const JSON: &str = "content-type: application/json\r\n";

fn rpc(client: &mut Client, headers: &str, message: &Value) -> (u16, Value) {
    let http = post(client, "/mcp", &format!("{JSON}{headers}"), &message.to_string());
    (http.status, serde_json::from_slice(&http.body).unwrap_or(Value::Null))
}

fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

#[test]
fn an_agent_shakes_hands_lists_tools_and_calls_them() {
    let net = Net::found();
    let running = net.start_with(options());
    let mut client = Client::to(&running);
    let hello =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}});
    let (status, answer) = rpc(&mut client, "", &request("initialize", hello));
    assert_eq!((status, &answer["id"]), (200, &json!(7)));
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
    assert!(answer["result"]["capabilities"]["tools"].is_object());
    let heard = post(&mut client, "/mcp", JSON, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!((heard.status, heard.body.len()), (202, 0));
    let version = "mcp-protocol-version: 2025-06-18\r\n";
    assert_eq!(
        rpc(&mut client, version, &request("ping", json!({}))),
        (200, json!({"jsonrpc": "2.0", "id": 7, "result": {}}))
    );
    let (_, listed) = rpc(&mut client, version, &request("tools/list", json!({})));
    let names: Vec<&str> =
        listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["upload", "quote", "buy", "purchase", "result", "verify"]);
    // What a tool refuses is its result, with the same codes as the API's.
    for (name, arguments, code) in [
        ("quote", json!({}), "NET-ARGUMENTS"),
        ("upload", json!({"base64": "*"}), "NET-ARGUMENTS"),
        ("upload", json!({"base64": "AAAA"}), "NET-BLOB-NOT-KEPT"),
        ("purchase", json!({"payment": "ab".repeat(32)}), "NET-NO-TILL"),
        ("result", json!({"job": "ab".repeat(32)}), "NET-NO-JOB"),
        ("verify", json!({"job": "x"}), "NET-NAME"),
    ] {
        let (status, answer) =
            rpc(&mut client, version, &request("tools/call", json!({"name": name, "arguments": arguments})));
        let result = &answer["result"];
        assert_eq!((status, &result["isError"]), (200, &json!(true)), "{name}: {answer}");
        assert_eq!(result["structuredContent"]["code"], code, "{name}");
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"]);
    }
    running.shutdown().unwrap();
}

#[test]
fn a_message_that_is_none_or_of_another_version_is_told_so() {
    let net = Net::found();
    let running = net.start_with(options());
    let mut client = Client::to(&running);
    for (headers, message, status, code) in [
        ("", request("nothing", json!({})), 200, -32_601),
        ("", request("tools/call", json!({"name": "nothing"})), 200, -32_602),
        ("", request("tools/list", json!({"cursor": "x"})), 200, -32_602),
        ("", json!([]), 400, -32_600),
        ("mcp-protocol-version: 1999-01-01\r\n", request("ping", json!({})), 400, -32_022),
        ("mcp-protocol-version: 2026-07-28\r\n", request("ping", json!({})), 400, -32_020),
    ] {
        let (answered, answer) = rpc(&mut client, headers, &message);
        assert_eq!((answered, &answer["error"]["code"]), (status, &json!(code)), "{headers} {message}");
    }
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let discover = "mcp-protocol-version: 2026-07-28\r\nmcp-method: server/discover\r\n";
    let (status, answer) = rpc(&mut client, discover, &request("server/discover", json!({"_meta": meta})));
    assert_eq!((status, &answer["result"]["resultType"]), (200, &json!("complete")));
    assert_eq!(answer["result"]["supportedVersions"][0], "2026-07-28");
    let other = "mcp-protocol-version: 2026-07-28\r\nmcp-method: nothing\r\n";
    let (status, answer) = rpc(&mut client, other, &request("nothing", json!({"_meta": meta})));
    assert_eq!((status, &answer["error"]["code"]), (404, &json!(-32_601)));

    assert_eq!(post(&mut client, "/mcp", "", "{}").problem().code, "NET-MEDIA-TYPE");
    assert_eq!(post(&mut client, "/mcp", JSON, "{").status, 400);
    let elsewhere = format!("{JSON}origin: http://elsewhere.example\r\n");
    assert_eq!(post(&mut client, "/mcp", &elsewhere, "{}").problem().code, "NET-ORIGIN");
    let here = format!("{JSON}origin: http://localhost:8640\r\n");
    assert_eq!(post(&mut client, "/mcp", &here, "{}").status, 400, "not a message, and heard");
    let get = client.get("/mcp");
    assert_eq!((get.status, get.problem().code.as_str()), (405, "NET-METHOD"));
    running.shutdown().unwrap();
}

#[test]
fn a_gateway_without_a_till_sells_nothing() {
    let net = Net::found();
    let running = net.start_with(options());
    let mut client = Client::to(&running);
    assert_eq!(post(&mut client, "/v1/buy/compute", JSON, "{}").problem().code, "NET-NO-TILL");
    assert_eq!(client.get(&format!("/v1/buy/payments/{}", "ab".repeat(32))).problem().code, "NET-NO-TILL");
    running.shutdown().unwrap();
}
