//! The example in C, compiled here and linked with the static library.

use std::path::{Path, PathBuf};
use std::process::Command;

use cairn_core::key::SecretKey;
use cairn_core::report::{ClockSource, Report};
use cairn_core::wallet::WalletKey;
use cairn_core::{DeviceId, Hash};

use crate::support::{Client, Device, Net, ZERO_MS, rows};
use crate::{left_out, printed, root};

/// What the standard library, which a host's static library carries along, needs of the system.
const LIBRARIES: [&str; 4] = ["-lpthread", "-ldl", "-lm", "-lgcc_s"];

/// A compiler for C, unless there is none.
pub fn compiler() -> Option<Command> {
    let works = Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success());
    if !works {
        left_out("the programs in C: they need `cc`");
        return None;
    }
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu99", "-O1", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(root().join("crates/cairn-device-c/include"));
    Some(cc)
}

/// The static library that was built with this test: the latest beside it.
pub fn library() -> PathBuf {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let found = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("libcairn_device_c") && name.ends_with(".a")
    };
    found.filter(ours).max_by_key(|path| path.metadata().unwrap().modified().unwrap()).unwrap()
}

/// The program of some sources, in a folder.
pub fn compiled(cc: &mut Command, source: &Path, folder: &Path) -> PathBuf {
    let program = folder.join("program");
    printed(cc.arg(source).arg(library()).args(LIBRARIES).arg("-o").arg(&program));
    program
}

fn example(folder: &Path) -> Option<PathBuf> {
    Some(compiled(&mut compiler()?, &root().join("examples/device-c/device.c"), folder))
}

#[test]
fn a_gateway_takes_what_a_device_in_c_signs_and_no_name_comes_twice() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = example(folder.path()) else { return };
    let state = folder.path().join("state");
    let id = printed(Command::new(&program).arg("new").arg(&state));
    let key_file = printed(Command::new(&program).arg("key").arg(&state));
    let seed = Hash::from_hex(key_file.trim().strip_prefix("ed25519 ").unwrap()).unwrap();
    let key = SecretKey::ed25519(seed.0);
    assert_eq!(DeviceId::of_key(&key.public().multicodec()).to_string(), id.trim());

    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    let device = Device { number: 1, key, wallet: WalletKey::from_bytes([9; 32]).unwrap() };
    assert_eq!(rows(&client.statement(&net.enrol(&device))), ["accepted 4"]);
    let out = folder.path().join("report.cose");
    for boot in 0..3 {
        let (network, time_ms) = (net.network.to_string(), (ZERO_MS + u64::from(boot)).to_string());
        let sign = |out: &Path| {
            let mut sign = Command::new(&program);
            sign.arg("sign").arg(&state).args([&network, &time_ms]).arg(out).args(["4=146", "1=-250"]);
            sign
        };
        assert_eq!(printed(&mut sign(&out)), "");
        let bytes = std::fs::read(&out).unwrap();
        let report = Report::parse(&bytes).unwrap();
        assert_eq!((report.body.boot, report.body.seq), (boot * 2, 0));
        assert_eq!(report.body.clock, Some((ClockSource::Ntp, 1_000)));
        assert!(device.key.public().verify(&report.to_be_signed(&net.network), &report.sign1.signature));
        assert_eq!(rows(&client.report(&bytes)), [format!("accepted {}", 5 + boot)]);
        assert_eq!(rows(&client.report(&bytes)), [format!("duplicate {}", 5 + boot)]);
        // The same once more as text: it is another boot.
        let hex = printed(&mut sign(Path::new("-")));
        let bytes = data_encoding::HEXLOWER.decode(hex.trim().as_bytes()).unwrap();
        assert_eq!(Report::parse(&bytes).unwrap().body.boot, boot * 2 + 1);
    }
}

#[test]
fn the_example_in_c_refuses_what_is_wrong_and_signs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = example(folder.path()) else { return };
    let (state, out) = (folder.path().join("state"), folder.path().join("out"));
    let network = "00".repeat(32);
    printed(Command::new(&program).arg("new").arg(&state));
    let cases: [(&str, &[&str], i32); 5] = [
        (&network, &["16=1"], 1),
        (&network, &["1=1", "1=2"], 1),
        (&network, &["1=1000000000001"], 1),
        ("00", &["1=1"], 1),
        (&network, &[], 2),
    ];
    for (network, values, code) in cases {
        let mut sign = Command::new(&program);
        sign.arg("sign").arg(&state).args([network, "1"]).arg(&out).args(values);
        assert_eq!(sign.output().unwrap().status.code(), Some(code), "{values:?}");
        assert!(!out.exists());
    }
    let again = Command::new(&program).arg("new").arg(&state).output().unwrap();
    assert_eq!(again.status.code(), Some(1), "a key is not made over another");
}
