//! What lies in a network's folder: configuration, keys, disk and log.

use std::path::Path;

use cairn_classes::sensing;
use cairn_core::entry::Entry;
use cairn_core::key::SecretKey;
use cairn_core::observation::SOURCE_CLOCK;
use cairn_core::statement::{Body, Genesis, Statement};
use cairn_core::{Hash, NetworkId};
use cairn_ledger::wall_ms;
use cairn_reward::Policy;

use super::{Finding, Health};
use crate::command::log;
use crate::config::{ClockKind, Config, Folder};
use crate::failure::Failure;
use crate::keys::Key;
use crate::rules::Misfit;
use crate::words::{count, duration, utc};

/// The operator's keys, by file.
const KEYS: [&str; 4] = ["operator", "log", "promise", "clock"];
/// Below this there is no room for a day of a small network.
const SPACE_LOW_BYTES: u64 = 1 << 30;
/// Below this the next batch may not fit.
const SPACE_NONE_BYTES: u64 = 64 << 20;
/// 2026-01-01: no clock that runs this program is before it.
const CLOCK_EARLIEST_MS: u64 = 1_767_225_600_000;
/// How far the clock may lie before the log's last entry.
const CLOCK_BEHIND_MS: u64 = 5_000;

/// What the log says of the network.
pub struct Founded {
    pub id: NetworkId,
    pub genesis: Genesis,
    pub last_received_ms: u64,
}

/// Reads the configuration with the policy and profiles that it names.
pub fn examine_config(folder: &Folder, findings: &mut Vec<Finding>) -> Option<Config> {
    let config = match Config::read(folder) {
        Ok(config) => config,
        Err(failure) => {
            findings.push(Finding::of_failure(Health::Fail, "config", failure));
            return None;
        }
    };
    let rehearsed = match config.network.rehearsed.as_slice() {
        [] => "nothing is rehearsed".to_owned(),
        all => format!("rehearsed: {}", all.join("; ")),
    };
    findings.push(Finding::ok("config", format!("`{}`, {rehearsed}", config.network.name)));
    findings
        .push(policy(folder, &config).unwrap_or_else(|failure| Finding::of_failure(Health::Fail, "policy", failure)));
    for (class, path) in &config.profiles {
        findings.push(profile(folder, &config, class, path));
        findings.extend(misfit(folder, &config, class, path).map(|misfit| {
            let text = format!("the files: {}", misfit.text());
            Finding::warn("rules", text).hint("name in both the same revision of the judge, before the network starts")
        }));
    }
    Some(config)
}

fn read(folder: &Folder, path: &Path) -> Result<Vec<u8>, Failure> {
    let path = folder.root().join(path);
    std::fs::read(&path).map_err(|error| Failure::io("read", &path, &error))
}

fn policy(folder: &Folder, config: &Config) -> Result<Finding, Failure> {
    let policy = Policy::parse(&read(folder, &config.network.policy)?)?;
    let warnings = policy.check();
    let clock = Key::read(&folder.key("clock")).and_then(Key::signing).map(|key| key.public());
    let observes = |clock| policy.observers.iter().any(|named| named.source == SOURCE_CLOCK && named.key == clock);
    if clock.is_ok_and(|clock| !observes(clock)) {
        let what = format!("the policy names no observer of `{SOURCE_CLOCK}` with the key in keys/clock.key");
        return Ok(Finding::fail("policy", what)
            .hint("epochs of a quiet network close by that key's observations: add it under [[observers]]"));
    }
    let hash = policy.hash();
    if warnings.is_empty() {
        return Ok(Finding::ok("policy", format!("reads, hash {hash}")));
    }
    let what = format!("reads with {}, hash {hash}", count(warnings.len() as u64, "warning", "warnings"));
    Ok(Finding::ok("policy", what)
        .hint(format!("cairn policy check {}", folder.root().join(&config.network.policy).display())))
}

fn profile(folder: &Folder, config: &Config, class: &str, path: &Path) -> Finding {
    let read = || -> Result<(Hash, Option<u64>), Failure> {
        let document = read(folder, path)?;
        let text = String::from_utf8(document).map_err(|_| Failure::wrong("CLS-PROFILE", "it is not text"))?;
        cairn_classes::check_profile(class, &text)?;
        let slot_ms = (class == sensing::SCHEMA).then(|| sensing::Document::parse(&text)).transpose()?;
        Ok((Hash::of(text.as_bytes()), slot_ms.map(|profile| profile.slot_ms())))
    };
    let (hash, slot_ms) = match read() {
        Ok(read) => read,
        Err(failure) => return Finding::of_failure(Health::Fail, "profile", failure),
    };
    match slot_ms.filter(|slot_ms| !config.has_whole_slots(*slot_ms).unwrap_or(true)) {
        Some(slot_ms) => {
            let slot = duration(slot_ms);
            Finding::fail("profile", format!("{class}: epochs are not whole slots of {slot}"))
                .hint("let `slot_ms` of the profile divide the epoch's length and its start")
        }
        None => Finding::ok("profile", format!("{class} reads, hash {hash}")),
    }
}

/// Whether the policy's file names a revision that does not read the profile's file; what does not read fits nothing.
fn misfit(folder: &Folder, config: &Config, class: &str, path: &Path) -> Option<Misfit> {
    let policy = Policy::parse(&read(folder, &config.network.policy).ok()?).ok()?;
    let profile = String::from_utf8(read(folder, path).ok()?).ok()?;
    Misfit::of(class, 0, *policy.classes.get(class)?, cairn_classes::read_by(class, &profile).ok()?)
}

/// Examines keys, disk, clock and log; what the log says of the network.
pub fn examine(folder: &Folder, config: Option<&Config>, findings: &mut Vec<Finding>) -> Option<Founded> {
    let founded = log(folder, findings);
    keys(folder, founded.as_ref().map(|founded| &founded.genesis), findings);
    disk(folder, findings);
    let is_wall = config.is_none_or(|config| config.network.clock == ClockKind::Wall);
    if is_wall {
        findings.push(clock(founded.as_ref().map(|founded| founded.last_received_ms)));
    }
    founded
}

fn log(folder: &Folder, findings: &mut Vec<Finding>) -> Option<Founded> {
    if !folder.log().is_dir() {
        findings.push(Finding::ok("log", "none yet").hint(format!("cairn up {} begins it", folder.root().display())));
        return None;
    }
    match log::check(folder) {
        Ok(sound) => findings.push(Finding::ok("log", log::text(&sound).replace('\n', "; "))),
        Err(failure) => findings.push(Finding::of_failure(Health::Fail, "log", failure)),
    }
    let founded = founded(folder);
    if let Err(failure) = &founded {
        findings.push(Finding::of_failure(Health::Warn, "genesis", failure.clone()));
    }
    founded.ok()
}

fn founded(folder: &Folder) -> Result<Founded, Failure> {
    let reader = log::reader(folder)?;
    let first = reader.entry(0)?;
    let last = reader.entry(reader.size().saturating_sub(1))?;
    let wrong = |what: String| Failure::wrong("NET-GENESIS", what);
    let entry = Entry::decode(&first).map_err(|error| wrong(error.to_string()))?;
    let statement = Statement::parse(entry.body).map_err(|error| wrong(error.to_string()))?;
    let last_received_ms = Entry::decode(&last).map_err(|error| wrong(error.to_string()))?.received_ms;
    let id = NetworkId(statement.payload_hash());
    match statement.body {
        Body::Genesis(genesis) => Ok(Founded { id, genesis, last_received_ms }),
        other => Err(wrong(format!("entry 0 is a `{}` statement", other.schema().as_str()))),
    }
}

fn keys(folder: &Folder, genesis: Option<&Genesis>, findings: &mut Vec<Finding>) {
    let mut sound = Vec::new();
    for name in KEYS {
        match Key::read(&folder.key(name)).and_then(Key::signing) {
            Err(failure) => findings.push(Finding::of_failure(Health::Fail, "keys", failure)),
            Ok(key) if genesis.is_some_and(|genesis| !fits(name, &key, genesis)) => {
                let what = format!("the {name} key is not the one that genesis names");
                findings.push(Finding::fail("keys", what).hint("use the `keys` folder that was made with this log"));
            }
            Ok(_) => sound.push(name),
        }
    }
    if sound.len() == KEYS.len() {
        let fit = if genesis.is_some() { "they are those of genesis" } else { "no log holds them to anything yet" };
        findings.push(Finding::ok("keys", format!("{}: readable by their owner alone; {fit}", sound.join(", "))));
    }
}

fn fits(name: &str, key: &SecretKey, genesis: &Genesis) -> bool {
    let bytes = |key: &SecretKey| match key {
        SecretKey::Ed25519(key) => Some(key.public_bytes()),
        SecretKey::P256(_) => None,
    };
    match name {
        "operator" => key.public() == genesis.operator,
        "log" => bytes(key) == Some(genesis.log_key),
        "promise" => bytes(key) == Some(genesis.promise_key),
        // The policy names the observers.
        _ => true,
    }
}

fn disk(folder: &Folder, findings: &mut Vec<Finding>) {
    let probe = folder.root().join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"probe").and_then(|()| std::fs::remove_file(&probe));
    if let Err(error) = written {
        let what = format!("{} cannot be written: {error}", folder.root().display());
        findings.push(Finding::fail("disk", what).hint("run as the folder's owner, on a disk that is not read-only"));
        return;
    }
    findings.push(match fs4::available_space(folder.root()) {
        Ok(bytes) if bytes < SPACE_NONE_BYTES => {
            Finding::fail("disk", space(bytes)).hint("make room before the log stops")
        }
        Ok(bytes) if bytes < SPACE_LOW_BYTES => Finding::warn("disk", space(bytes)).hint("make room soon"),
        Ok(bytes) => Finding::ok("disk", format!("writable; {}", space(bytes))),
        Err(error) => Finding::warn("disk", format!("writable; how much is free cannot be told: {error}")),
    });
}

fn space(bytes: u64) -> String {
    format!("{}.{} GiB free", bytes >> 30, ((bytes & ((1 << 30) - 1)) * 10) >> 30)
}

fn clock(last_received_ms: Option<u64>) -> Finding {
    let now_ms = wall_ms();
    if now_ms < CLOCK_EARLIEST_MS {
        return Finding::fail("clock", format!("it says {}", utc(now_ms))).hint("set the machine's clock, with NTP");
    }
    match last_received_ms {
        Some(last_ms) if now_ms.saturating_add(CLOCK_BEHIND_MS) < last_ms => {
            let what = format!("it says {}; the log's last entry was received at {}", utc(now_ms), utc(last_ms));
            Finding::fail("clock", what)
                .hint("set the machine's clock; until then every entry gets the last one's time")
        }
        _ => Finding::ok("clock", utc(now_ms)),
    }
}
