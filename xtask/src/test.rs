//! `cargo xtask test`: everything that has to hold, step by step.
//!
//! Rust is all it needs. The checkers in Python and Go are run, and the contracts are compiled anew and tried over a real
//! node, and the console is looked at in a real browser, where the tools for it are installed; where they are not, it says what was left out, and with `CI=true` that is a
//! failure.

use crate::run::{Done, Failure, Program, Scratch, cargo, json_text, root, wrong};
use crate::{browser, device, docs, links};

/// A step by its name.
struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&mut LeftOut) -> Done,
}

/// What was left out, with the reason.
type LeftOut = Vec<String>;

const STEPS: [Step; 14] = [
    Step { name: "fmt", what: "the code is formatted", run: fmt },
    Step { name: "links", what: "links between documents lead somewhere", run: |_| links::check() },
    Step { name: "clippy", what: "no warnings, in any target", run: clippy },
    Step { name: "rust", what: "all Rust tests: units, laws, goldens, generated pages", run: rust },
    Step {
        name: "device",
        what: "the least firmware that signs: no panic in it, and the right bytes",
        run: device::check,
    },
    Step { name: "contracts", what: "the committed contracts are what their sources compile to", run: contracts },
    Step { name: "node", what: "the contracts, what is sent to them and the commands, over a real node", run: node },
    Step {
        name: "mqtt",
        what: "reports, sensors and Home Assistant over a real broker, with its own clients",
        run: mqtt,
    },
    Step { name: "token", what: "keys on a PKCS#11 token, made and signed with there", run: token },
    Step {
        name: "python",
        what: "the second implementation, over goldens, tampered logs and random networks",
        run: python,
    },
    Step { name: "go", what: "Go's reference tools, over the committed log", run: go },
    Step {
        name: "javascript",
        what: "the check in the browser, over goldens, tampered logs and random networks",
        run: javascript,
    },
    Step { name: "demo", what: "both checkers over a network that is made now", run: demo },
    Step { name: "browser", what: "the console in a real browser, page by page", run: browser::check },
];

/// How many random networks both implementations must agree on, of the seeds from 1 on.
const RANDOM_NETWORKS: &str = "40";

/// Builds the tests over a real node, which plain `cargo test` leaves out.
const NODE: &str = "cairn-chain/node,cairn/node";

/// Builds the tests over a real broker.
const BROKER: &str = "cairn-edge/mosquitto,cairn-gateway/mosquitto";

/// Builds what asks tokens, and its tests.
const TOKEN: &str = "cairn-edge/pkcs11";

/// The steps, for people.
pub fn steps_help() -> String {
    let line = |step: &Step| format!("  {:<10} {}\n", step.name, step.what);
    format!("steps of `test`:\n{}", STEPS.iter().map(line).collect::<String>())
}

/// Runs the steps named, or all.
pub fn run(names: &[String]) -> Done {
    if let Some(stranger) = names.iter().find(|name| STEPS.iter().all(|step| step.name != name.as_str())) {
        return Err(Failure::Usage(format!("there is no step `{stranger}`\n\n{}", steps_help())));
    }
    let mut left_out = LeftOut::new();
    for step in STEPS.iter().filter(|step| names.is_empty() || names.iter().any(|name| name == step.name)) {
        println!("\n== {}: {}", step.name, step.what);
        (step.run)(&mut left_out)?;
    }
    finish(&left_out)
}

fn finish(left_out: &LeftOut) -> Done {
    if left_out.is_empty() {
        println!("\nAll tests passed; nothing was left out.");
        return Ok(());
    }
    println!("\nAll tests that ran passed. Left out:");
    left_out.iter().for_each(|what| println!("  {what}"));
    if std::env::var("CI").is_ok_and(|value| value == "true") {
        return wrong("with CI=true nothing may be left out");
    }
    Ok(())
}

fn fmt(_: &mut LeftOut) -> Done {
    Program::of(&cargo(), ["fmt", "--all", "--check"]).run()
}

fn clippy(_: &mut LeftOut) -> Done {
    let features = [NODE, BROKER, TOKEN].join(",");
    Program::of(&cargo(), ["clippy", "--workspace", "--all-targets", "--features", &features, "--", "-D", "warnings"])
        .run()
}

/// The tests of the crates hold the generated pages to the code; without blessing, whatever the environment says.
fn rust(_: &mut LeftOut) -> Done {
    Program::of(&cargo(), ["test", "--workspace", "--no-fail-fast"]).env_without(docs::BLESS).run()
}

/// Compiles the contracts anew and compares; all other tests of theirs run on what is committed, with the Rust tests.
fn contracts(left_out: &mut LeftOut) -> Done {
    let packages = "require('solc'); require.resolve('@openzeppelin/contracts/package.json')";
    if !Program::of("node", ["-e", packages]).within("contracts/evm").works() {
        left_out.push("compiling the contracts: needs Node, and `npm ci` in contracts/evm".to_owned());
        return Ok(());
    }
    let test = "artifacts::the_committed_artefacts_are_what_the_sources_compile_to";
    let arguments = ["test", "--package", "cairn-settle", "--test", "evm", test, "--", "--ignored", "--exact"];
    Program::of(&cargo(), arguments).run()
}

/// Runs the tests of the contracts again, and those of the outbox and of the commands, on chains of foundry's anvil:
/// `CAIRN_ANVIL`, else the one that is installed beside the contracts.
fn node(left_out: &mut LeftOut) -> Done {
    let installed = root().join("contracts/evm/node_modules/.bin/anvil").to_string_lossy().into_owned();
    let anvil = std::env::var("CAIRN_ANVIL").unwrap_or(installed);
    if !Program::of(&anvil, ["--version"]).works() {
        left_out.push(
            "everything over a real node: needs anvil, which `npm ci` in contracts/evm installs (CAIRN_ANVIL names another)"
                .to_owned(),
        );
        return Ok(());
    }
    let packages = ["--package", "cairn-chain", "--package", "cairn"];
    let arguments = [&["test"][..], &packages, &["--features", NODE, "--test", "node"]].concat();
    Program::of(&cargo(), arguments).env("CAIRN_ANVIL", &anvil).env_without(docs::BLESS).run()
}

/// Runs what talks to a broker over a real Mosquitto: `CAIRN_MOSQUITTO`, else the one that is installed.
fn mqtt(left_out: &mut LeftOut) -> Done {
    // Neither has a call that does nothing and ends well.
    let look = "command -v \"${CAIRN_MOSQUITTO:-mosquitto}\" && command -v mosquitto_pub && command -v mosquitto_sub";
    let look = format!("PATH=\"$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin\"; {look}");
    if !Program::of("sh", ["-c", look.as_str()]).works() {
        left_out.push(
            "everything over a broker: needs mosquitto and its clients (Debian: mosquitto mosquitto-clients; CAIRN_MOSQUITTO \
             names another)"
                .to_owned(),
        );
        return Ok(());
    }
    let packages = ["--package", "cairn-edge", "--package", "cairn-gateway"];
    let arguments = [&["test"][..], &packages, &["--features", BROKER, "--test", "mqtt"]].concat();
    Program::of(&cargo(), arguments).run()
}

/// Runs what asks a token over SoftHSM2: `CAIRN_SOFTHSM`, else the one that is installed.
fn token(left_out: &mut LeftOut) -> Done {
    let folders =
        ["/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/local/lib", "/opt/homebrew/lib"];
    let known = folders.map(|folder| format!("{folder}/softhsm/libsofthsm2.so"));
    let module = std::env::var("CAIRN_SOFTHSM").ok();
    let Some(module) = module.or_else(|| known.into_iter().find(|path| std::path::Path::new(path).exists())) else {
        left_out.push("keys on a token: needs SoftHSM2 (Debian: softhsm2; CAIRN_SOFTHSM names its module)".to_owned());
        return Ok(());
    };
    let arguments = ["test", "--package", "cairn-edge", "--features", TOKEN, "--test", "token"];
    Program::of(&cargo(), arguments).env("CAIRN_SOFTHSM", &module).run()
}

/// Python with the packages that the checker needs: `CAIRN_PYTHON`, else `python3`.
fn find_python() -> Option<String> {
    let python = std::env::var("CAIRN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let needs = "import sys, cryptography, cbor2\nif sys.version_info < (3, 11): import tomli";
    Program::of(&python, ["-c", needs]).works().then_some(python)
}

fn no_python(left_out: &mut LeftOut, what: &str) {
    left_out.push(format!(
        "{what}: needs python3 with the packages of checkers/python/requirements.txt (CAIRN_PYTHON names another Python)"
    ));
}

/// Writes networks of random doings into a folder, of the seeds from 1 on.
fn export_networks(folder: &str, count: &str) -> Done {
    let example = ["run", "--quiet", "--package", "cairn-testkit", "--example", "export_network", "--"];
    Program::of(&cargo(), example.into_iter().chain([folder, "1", count])).run()
}

fn python(left_out: &mut LeftOut) -> Done {
    let Some(python) = find_python() else {
        no_python(left_out, "the Python checker's tests");
        return Ok(());
    };
    let tests = ["-m", "unittest", "discover", "-s", "checkers/python"];
    Program::of(&python, tests).env("PYTHONDONTWRITEBYTECODE", "1").run()?;
    let scratch = Scratch::folder()?;
    let networks = scratch.path("networks");
    export_networks(&networks, RANDOM_NETWORKS)?;
    let agree = root().join("checkers/python/agree.py");
    Program::of(&python, [&*agree.to_string_lossy(), &*networks]).env("PYTHONDONTWRITEBYTECODE", "1").run()
}

/// How Go finds `golang.org/x/mod`: as a module, or where Debian's packages put it.
#[derive(Clone, Copy)]
enum Go {
    Modules,
    Packages,
}

/// Where `golang-golang-x-mod-dev` installs.
const GO_PACKAGES: &str = "/usr/share/gocode";

impl Go {
    fn find() -> Option<Self> {
        [Self::Packages, Self::Modules].into_iter().find(|go| go.program(["vet", "."]).works())
    }

    fn program<const N: usize>(self, arguments: [&str; N]) -> Program {
        let program = Program::of("go", arguments).within("checkers/go");
        match self {
            Self::Modules => program,
            Self::Packages => program.env("GO111MODULE", "off").env("GOPATH", GO_PACKAGES),
        }
    }
}

fn no_go(left_out: &mut LeftOut, what: &str) {
    left_out.push(format!("{what}: needs Go with golang.org/x/mod (Debian: golang-go golang-golang-x-mod-dev)"));
}

fn go(left_out: &mut LeftOut) -> Done {
    let Some(go) = Go::find() else {
        no_go(left_out, "Go's reader of the committed log");
        return Ok(());
    };
    go.program(["test", "."]).run()
}

/// What pages load to check the log in the browser, held to its tests by Node's own runner.
fn javascript(left_out: &mut LeftOut) -> Done {
    let is_recent = "if (Number(process.versions.node.split('.')[0]) < 20) process.exit(1)";
    if !Program::of("node", ["-e", is_recent]).works() {
        left_out.push("the check in the browser: needs Node 20".to_owned());
        return Ok(());
    }
    Program::of("node", ["--test", "all.test.mjs"]).within("checkers/javascript").run()?;
    let scratch = Scratch::folder()?;
    let networks = scratch.path("networks");
    export_networks(&networks, "12")?;
    Program::of("node", ["agree.mjs", &*networks]).within("checkers/javascript").run()
}

/// Makes a network from recorded readings, exports it, and has it checked by programs that share no code with it.
fn demo(left_out: &mut LeftOut) -> Done {
    let (python, go) = (find_python(), Go::find());
    let Some(python) = python else {
        no_python(left_out, "both checkers over a fresh network");
        return Ok(());
    };
    let scratch = Scratch::folder()?;
    let (network, exported) = (scratch.path("network"), scratch.path("exported"));
    let cairn = |arguments: &[&str]| {
        let fixed = ["run", "--quiet", "--release", "--package", "cairn", "--"];
        Program::of(&cargo(), fixed.into_iter().chain(arguments.iter().copied()))
    };
    // The second implementation recomputes no market of work.
    let made = cairn(&["demo", "--days", "60", "--once", "--no-compute", "--json", "--dir", &network]).read()?;
    let (audited, network_id) = (json_text(&made, "audit"), json_text(&made, "network_id").unwrap_or_default());
    if audited != Some("PASS") {
        return wrong(format!("the demo's own audit says {}", audited.unwrap_or("nothing")));
    }
    cairn(&["log", "export", &network, &exported]).run()?;
    cairn(&["audit", &exported]).run()?;
    let checker = root().join("checkers/python/cairn_check.py");
    let checker = checker.to_string_lossy();
    Program::of(&python, [&*checker, &exported, "--network", network_id]).run()?;
    let said = Program::of(&python, [&*checker, &exported, "--log-only", "--json"]).read()?;
    let Some(vkey) = json_text(&said, "log_vkey") else { return wrong("the checker named no log key") };
    match go {
        Some(go) => go.program(["run", ".", "-vkey", vkey, &exported]).run(),
        None => {
            no_go(left_out, "Go's reader over a fresh network");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_does_not_exist_is_a_wrong_call() {
        assert!(matches!(run(&["novel".to_owned()]), Err(Failure::Usage(text)) if text.contains("novel")));
        for step in &STEPS {
            assert!(steps_help().contains(step.name));
        }
    }
}
