//! The console in a real browser: Debian's Chromium, driven from `checkers/browser` over networks that are made for it.

use std::path::PathBuf;

use crate::run::{Done, Program, cargo, root, wrong};

const FOLDER: &str = "checkers/browser";
/// Where Debian installs it.
const CHROMIUM: &str = "/usr/bin/chromium";

/// Runs the tests. What is missing is said in `left_out`.
pub fn check(left_out: &mut Vec<String>) -> Done {
    if let Some(missing) = missing() {
        left_out.push(format!("the console in a browser: {missing}"));
        return Ok(());
    }
    node(&["--test", "--test-reporter=spec", "all.test.js"])
}

/// Takes the pictures of `docs/images` anew.
pub fn screenshots() -> Done {
    match missing() {
        Some(missing) => wrong(format!("pictures of the console: {missing}")),
        None => node(&["screenshots.js"]),
    }
}

/// What is not installed, in words.
fn missing() -> Option<String> {
    let packages = "require('playwright-core'); require.resolve('axe-core/axe.min.js')";
    let has_packages = Program::of("node", ["-e", packages]).within(FOLDER).works();
    let has_all = has_packages && Program::of(&chromium(), ["--version"]).works();
    (!has_all).then(|| {
        format!(
            "needs Node 20, `npm ci --ignore-scripts` in {FOLDER}, and Chromium (Debian: chromium; CAIRN_CHROMIUM names \
             another)"
        )
    })
}

/// A script of the folder, with the browser and a fresh `cairn`.
fn node(arguments: &[&str]) -> Done {
    Program::of(&cargo(), ["build", "--quiet", "--release", "--package", "cairn"]).run()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let program = root().join(target).join("release/cairn");
    Program::of("node", arguments).within(FOLDER).env("CAIRN_PROGRAM", program).env("CAIRN_CHROMIUM", chromium()).run()
}

fn chromium() -> String {
    std::env::var("CAIRN_CHROMIUM").unwrap_or_else(|_| CHROMIUM.to_owned())
}
