//! `cairn witness` beside a network on the wall clock: cosigned checkpoints, and audits that hold its time to them.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::network::write_key;
use crate::transcript::{Ran, Transcript, cairn};
use crate::up::Up;

fn run(folder: &Path, url: &str, arguments: &str) -> Ran {
    cairn(folder, url, &arguments.split(' ').collect::<Vec<_>>(), "")
}

fn done(folder: &Path, url: &str, arguments: &str) -> String {
    let ran = run(folder, url, arguments);
    assert_eq!(ran.code, 0, "cairn {arguments}: {}{}", ran.stdout, ran.stderr);
    ran.stdout
}

fn json(folder: &Path, url: &str, arguments: &str) -> Value {
    serde_json::from_str(&done(folder, url, &format!("{arguments} --json"))).unwrap()
}

fn witness(folder: &Path, name: &str, log: &str, listen: &str) -> Up {
    let name_at = format!("{name}.example");
    let arguments = ["witness", "--log", log, "--dir", name, "--name", &name_at, "--listen", listen, "--json"];
    Up::start_with(folder, &arguments)
}

fn vkey(witness: &Up) -> String {
    witness.document["vkey"].as_str().unwrap().to_owned()
}

/// Audits until the outcome is as it should be: witnesses answer when they do.
fn until(folder: &Path, url: &str, arguments: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..300 {
        let report = json(folder, url, arguments);
        if is_so(&report) {
            return report;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("cairn {arguments} never says so: {}", done(folder, url, arguments));
}

fn cosigned(report: &Value) -> usize {
    let witnesses = report["witnessed"]["witnesses"].as_array().unwrap();
    witnesses.iter().filter(|witness| !witness["time_s"].is_null()).count()
}

#[test]
fn witnesses_cosign_a_network_and_audits_hold_its_time_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, "", "init net --epoch 1s --grace 100ms");
    let up = Up::start(folder);
    let log = json(folder, &up.url, "status")["network"]["log_vkey"].as_str().unwrap().to_owned();
    let before = done(folder, &up.url, "audit");
    assert!(before.contains("  time       bound by nobody: no witness was named"), "{before}");
    assert_eq!(up.end(), 0);
    let one = witness(folder, "one", &log, "127.0.0.1:0");
    let two = witness(folder, "two", &log, "127.0.0.1:0");
    let mut config = OpenOptions::new().append(true).open(folder.join("net/network.toml")).unwrap();
    for witness in [&one, &two] {
        write!(config, "\n[[witness]]\nvkey = \"{}\"\nurl = \"{}\"\n", vkey(witness), witness.url).unwrap();
    }
    write!(config, "\n[witnessing]\ninterval = \"200ms\"\nhistory = \"1s\"\n").unwrap();
    let policy = format!(
        "log {log}\nwitness one {} {}\nwitness two {} {}\ngroup both all one two\nquorum both\n",
        vkey(&one),
        one.url,
        vkey(&two),
        two.url
    );
    std::fs::write(folder.join("trust"), &policy).unwrap();
    std::fs::write(folder.join("any"), policy.replace("both all", "both any")).unwrap();

    let up = Up::start(folder);
    let is_bound = |report: &Value| report["witnessed"]["time"]["entries"].as_u64().unwrap() > 2;
    let report = until(folder, &up.url, "audit --trust trust", is_bound);
    assert_eq!((report["result"].as_str(), cosigned(&report)), (Some("pass"), 2));
    assert!(report["witnessed"]["history"].as_u64().unwrap() > 0);
    let said = done(folder, &up.url, "audit --trust trust --ask-witnesses");
    assert!(said.contains("  witnesses  2 of 2 cosigned this checkpoint, a quorum;"), "{said}");
    assert!(said.contains(" bound on both sides"), "{said}");
    let asked = json(folder, &up.url, "audit --trust trust --ask-witnesses");
    assert!(asked["witnessed"]["elsewhere"].as_u64().unwrap() > 0, "{asked:#}");
    let stranger = run(folder, &up.url, &format!("audit --witness {}", vkey(&one).replace("one", "two")));
    assert_eq!(stranger.code, 1, "{}", stranger.stderr);

    // One of them dies: one is enough for some, and not for others.
    drop(two);
    until(folder, &up.url, "audit --trust any", |report| cosigned(report) == 1);
    let missing = run(folder, &up.url, "audit --trust trust");
    assert!(missing.code == 1 && missing.stderr.contains("error[WIT-QUORUM]"), "{}", missing.stderr);
    // Started again it goes on with the name and the key that it had.
    let again =
        Up::start_with(folder, &["witness", "--log", &log, "--dir", "two", "--listen", "127.0.0.1:0", "--json"]);
    assert!(again.document["logs"][0]["size"].as_u64().unwrap() > 0);
    assert!(vkey(&again).starts_with("two.example+"));
    let both = format!("audit out --witness {} --witness {}", vkey(&one), vkey(&again));
    assert_eq!(again.end(), 0, "it ends in order when told to");

    // What was cosigned is exported, and a copy that lost some of it is bound less.
    let exported = json(folder, &up.url, "log export net out");
    assert!(exported["witnessed"].as_u64().unwrap() > 1);
    let entries = |report: &Value| report["witnessed"]["time"]["entries"].as_u64().unwrap();
    let whole = json(folder, "", &both);
    std::fs::remove_file(folder.join("out/witnessed")).unwrap();
    let less = json(folder, "", &both);
    assert!(entries(&whole) > entries(&less), "{whole:#}{less:#}");
    assert_eq!(up.end(), 0);
}

#[test]
fn what_a_witness_is_told_wrong_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut terminal = Transcript::of(folder.path());
    let log = "log.example/air+b9c1a0e1+AQ==";
    terminal.run("witness");
    terminal.run(&format!("witness --log {log}"));
    let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    terminal.run(&format!("witness --log {key} --policy policy"));
    terminal.run("witness --policy policy");
    std::fs::write(folder.path().join("policy"), "quorum none\n").unwrap();
    terminal.run("witness --policy policy");
    std::fs::write(folder.path().join("policy"), format!("log {key}\ngroup g 2 a b\nquorum none\n")).unwrap();
    terminal.run("witness --policy policy");
    std::fs::create_dir(folder.path().join("witness")).unwrap();
    write_key(&folder.path().join("witness/witness.key"), "ed25519", 7);
    terminal.run(&format!("witness --log {key} --listen 127.0.0.1:99999 --name my+witness"));
    terminal.run(&format!("witness --log {key} --listen 127.0.0.1:99999 --name witness.example"));
    terminal.run(&format!("witness --log {key} --listen 127.0.0.1:99999 --name other.example"));
    terminal.run(&format!("witness --log {key} --log {key} --listen 127.0.0.1:99999"));
    terminal.run("audit policy --witness a --trust b");
    std::fs::create_dir(folder.path().join("out")).unwrap();
    terminal.run(&format!("audit out --witness {key}"));
    terminal.run("audit out --trust policy");
    terminal.run("audit out --ask-witnesses");
    terminal.compare("witness.txt");
}
