//! Pages as they were, to be looked at when they change: `CAIRN_BLESS=1` writes them again.
//!
//! Hashes and keys are numbered in the order in which they come, so that these files change when pages do, and not with
//! every rule of the network that they show.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::{PLAIN, parse, small};

/// The page with every hash and key named by its number.
fn masked(html: &str) -> String {
    let (mut shown, mut names) = (String::new(), BTreeMap::new());
    let mut rest = html;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        shown.push_str(&rest[..at]);
        let word = &rest[at..];
        let end = word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        let has_letter = word.bytes().any(|byte| byte.is_ascii_alphabetic());
        let is_hash = word.len() >= 16
            && has_letter
            && word.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase());
        let is_key = word.len() > 40 && word.starts_with("z6Mk");
        if is_hash || is_key {
            let number = names.len() + 1;
            let number = *names.entry(word.to_owned()).or_insert(number);
            shown.push_str(&format!("[{}-{number}]", if is_key { "key" } else { "hash" }));
        } else {
            shown.push_str(word);
        }
        rest = after;
    }
    // A line for each tag, so that a change shows where it is.
    (shown + rest).replace("><", ">\n<") + "\n"
}

#[test]
fn pages_look_as_they_did() {
    let site = small(&PLAIN);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages/kept");
    let device = site.devices[1].id;
    let mut stale = Vec::new();
    for (name, address) in [
        ("network", "/network".to_owned()),
        ("epochs", "/epochs".to_owned()),
        ("epoch", "/epochs/1".to_owned()),
        ("payouts", "/epochs/1/payouts".to_owned()),
        ("device", format!("/devices/{device}")),
        ("account", format!("/accounts/{}", site.devices[1].account)),
        ("why", format!("/why/{device}/0")),
        ("entry-report", "/entries/12".to_owned()),
        ("entry-enrolment", "/entries/4".to_owned()),
        ("map", "/map".to_owned()),
        ("cell", format!("/cells/{}", site.cells()[1])),
        ("status", "/status".to_owned()),
        ("search", "/search?q=1".to_owned()),
    ] {
        let html = site.page(&address);
        parse(&html);
        let (path, page) = (folder.join(format!("{name}.html")), masked(&html));
        if std::env::var_os("CAIRN_BLESS").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != page {
            stale.push(name);
        }
    }
    assert!(stale.is_empty(), "{stale:?} changed: look at them with CAIRN_BLESS=1 and git diff");
}
