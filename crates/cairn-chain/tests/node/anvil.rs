//! A real node: foundry's anvil, started on a free port of loopback and ended with whoever started it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cairn_chain::Rpc;
use cairn_chain::rpc::Options;
use serde_json::{Value, json};

/// Starts the node and ends it when nobody holds its input any more, also where the test was killed.
const KEEP: &str = "\"$@\" & node=$!; cat >/dev/null; kill $node; wait $node";

/// A node.
pub struct Anvil {
    keeper: Child,
    input: Option<ChildStdin>,
    url: String,
    agent: ureq::Agent,
    next_id: AtomicU64,
}

/// Where the node is: as `CAIRN_ANVIL` says, else as `npm ci` in `contracts/evm` installs it.
fn program() -> PathBuf {
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/evm/node_modules/.bin/anvil");
    std::env::var_os("CAIRN_ANVIL").map_or_else(|| installed.into(), PathBuf::from)
}

impl Anvil {
    /// A node whose chain has this id and runs by the rules of this fork.
    pub fn start(fork: &str, chain_id: u64, more: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", KEEP, "keeper"]).arg(program());
        command.args(["--host", "127.0.0.1", "--port", "0", "--hardfork", fork, "--chain-id", &chain_id.to_string()]);
        command.args(["--accounts", "1"]).args(more);
        let mut keeper =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a shell");
        let input = keeper.stdin.take();
        let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| line.ok()?.strip_prefix("Listening on ").map(str::to_owned));
        let address = address.expect("CAIRN_ANVIL, or `npm ci` in contracts/evm: a node that starts");
        // What else it prints is not read further than the pipe is long, so it is read.
        std::thread::spawn(move || lines.for_each(drop));
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(60))).build();
        let agent = ureq::Agent::new_with_config(config);
        Self { keeper, input, url: format!("http://{address}"), agent, next_id: AtomicU64::new(0) }
    }

    /// As every fork can: gas is free, anybody sends without signing, and time stands still.
    pub fn for_contracts(fork: &str, chain_id: u64, time_s: u64) -> Self {
        let free = ["--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee", "--auto-impersonate"];
        let anvil = Self::start(fork, chain_id, &[&free[..], &["--timestamp", &time_s.to_string()]].concat());
        anvil.ask("anvil_setBlockTimestampInterval", json!([0]));
        anvil
    }

    /// Where it is asked.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn rpc(&self) -> Rpc {
        Rpc::open(self.url(), Options { timeout: Duration::from_secs(60), ..Options::default() }).unwrap()
    }

    /// Asks what only tests ask.
    pub fn try_ask(&self, method: &str, params: Value) -> Result<Value, String> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let mut response = self.agent.post(&self.url).content_type("application/json").send(body).unwrap();
        let answer: Value = serde_json::from_slice(&response.body_mut().read_to_vec().unwrap()).unwrap();
        if answer["error"].is_null() { Ok(answer["result"].clone()) } else { Err(answer["error"].to_string()) }
    }

    pub fn ask(&self, method: &str, params: Value) -> Value {
        self.try_ask(method, params).unwrap()
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.keeper.wait();
    }
}
