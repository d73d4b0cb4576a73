//! Opening a network's folder for running: the log, the ledger, the writer, and the first entries of an empty log.

use std::sync::Arc;

use cairn_core::Hash;
use cairn_core::entry::EntryKind;
use cairn_core::statement::{Body, Draft, Genesis, PolicyDocument, ProfileDocument};
use cairn_gateway::{Histogram, TimedDisk};
use cairn_ledger::{Answer, Ledger, LedgerOptions, OperatorKeys, Sequencer, Submission};
use cairn_log::{Log, LogOptions, StdDisk};

use crate::config::{Config, Folder};
use crate::failure::Failure;
use crate::keys::random;
use crate::output::Output;
use crate::words::duration;

/// A clock that is so far behind the log is worth a word, ms.
const CLOCK_BEHIND_MS: u64 = 60_000;

/// How long the operator's own statements stay valid: a year.
const EXPIRY_MS: u64 = 366 * 86_400_000;

/// Opens the log and the ledger of a folder, and logs genesis, policy, profiles and the settlement chain if it is empty.
/// How long the log's syncs take is counted into `syncs_us`.
///
/// # Errors
/// When the folder, its keys and its log do not fit together, or the log cannot be recovered.
pub fn open_network(
    folder: &Folder,
    config: &Config,
    syncs_us: &Arc<Histogram>,
    output: Output,
) -> Result<Sequencer, Failure> {
    let keys = folder.operator_keys()?;
    let disk = StdDisk::create(folder.log()).map_err(|error| Failure::io("open", &folder.log(), &error))?;
    let disk = TimedDisk::over(disk, syncs_us.clone());
    let (log, recovery) = Log::open(Arc::new(disk), LogOptions::default())?;
    if recovery.discarded_bytes > 0 || recovery.torn_commit {
        let bytes = recovery.discarded_bytes;
        output.say(format!("recovered the log: {bytes} bytes that were never acknowledged are gone"));
    }
    if recovery.mended_commits > 0 {
        let mended = recovery.mended_commits;
        output.say(format!("mended the log: {mended} broken commit records were known from their copy or their CRC"));
    }
    let bar = output.progress("reading log", log.size());
    let options = LedgerOptions { snapshots_kept: config.storage.snapshots_kept };
    let ledger = Ledger::open(&folder.views(), log.reader(), options, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    if let Some(epoch) = ledger.remade_from() {
        output.say(format!("mended the views: files of epoch {epoch} were broken, and were made again from the log"));
    }
    let is_empty = log.size() == 0;
    let mut sequencer = Sequencer::over(log, ledger, keys.clone(), config.clock())?;
    let behind_ms = sequencer.clock_behind_ms();
    if behind_ms > CLOCK_BEHIND_MS {
        let behind = duration(behind_ms);
        output.say(format!(
            "this machine's clock is {behind} behind the last entry of the log: until it has caught up, entries are \
             dated with the time of that one\nhint: set the clock"
        ));
    }
    if is_empty {
        found(folder, config, &keys, &mut sequencer)?;
    } else {
        check_unchanged(config, &sequencer)?;
    }
    Ok(sequencer)
}

/// Logs what makes the network: genesis, policy, profiles, settlement chain.
fn found(folder: &Folder, config: &Config, keys: &OperatorKeys, sequencer: &mut Sequencer) -> Result<(), Failure> {
    let policy = read(folder, &config.network.policy)?;
    cairn_reward::Policy::parse(&policy)?;
    let now_ms = config.clock().now_ms(0);
    let genesis = Genesis {
        random: random()?,
        name: config.network.name.clone(),
        origin: config.network.origin.clone(),
        operator: keys.operator.public(),
        log_key: keys.log.public_bytes(),
        promise_key: keys.promise.public_bytes(),
        epoch_zero_ms: config.founding_zero_ms(now_ms)?,
        epoch_ms: config.epoch_ms()?,
        grace_ms: config.grace_ms()?,
        policy_hash: Hash::of(&policy),
        rehearsed: config.network.rehearsed.clone(),
    };
    let expiry_ms = now_ms.saturating_add(EXPIRY_MS);
    let genesis = Draft::of(None, Body::Genesis(genesis), 1, expiry_ms).signed_by(&keys.operator).finish();
    let network = cairn_core::NetworkId(genesis.payload_hash());
    let mut bodies = vec![Body::Policy(PolicyDocument { first_epoch: 0, document: policy })];
    for (class, path) in &config.profiles {
        let document = read(folder, path)?;
        bodies.push(Body::Profile(ProfileDocument { first_epoch: 0, class: class.clone(), document }));
    }
    bodies.extend(config.domain_terms()?.map(Body::Domain));
    let mut statements = vec![genesis];
    for (nonce, body) in (2..).zip(bodies) {
        statements.push(Draft::of(Some(network), body, nonce, expiry_ms).signed_by(&keys.operator).finish());
    }
    // One request, so that a crash leaves all of it or nothing.
    let request = statements.iter().map(|statement| Submission {
        kind: EntryKind::Statement,
        body: statement.encode(),
        checked: None,
    });
    let receipted = sequencer.submit(request.collect())?;
    for (statement, answer) in statements.iter().zip(&receipted.answers) {
        if let Answer::Rejected(refusal) = answer {
            let what = statement.body.schema().as_str();
            return Err(Failure::wrong(refusal.code, format!("the {what} statement: {}", refusal.detail))
                .maybe_hint(refusal.hint()));
        }
    }
    sequencer.publish()?;
    Ok(())
}

fn read(folder: &Folder, path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    let path = folder.root().join(path);
    std::fs::read(&path).map_err(|error| Failure::io("read", &path, &error))
}

/// What genesis said once cannot be changed in the file afterwards.
fn check_unchanged(config: &Config, sequencer: &Sequencer) -> Result<(), Failure> {
    let ledger = sequencer.ledger();
    let ledger = ledger.read().expect("nobody else holds the ledger yet");
    let Some(network) = &ledger.state().network else {
        return Err(Failure::wrong("NET-GENESIS", "the log has entries and no genesis statement"));
    };
    let genesis = &network.genesis;
    let same = [
        ("name", genesis.name == config.network.name),
        ("origin", genesis.origin == config.network.origin),
        ("epoch", genesis.epoch_ms == config.epoch_ms()?),
        ("grace", genesis.grace_ms == config.grace_ms()?),
        ("epoch_zero_ms", config.network.epoch_zero_ms.is_none_or(|zero_ms| zero_ms == genesis.epoch_zero_ms)),
        ("rehearsed", genesis.rehearsed == config.network.rehearsed),
    ];
    match same.iter().find(|(_, same)| !same) {
        None => Ok(()),
        Some((key, _)) => Err(Failure::wrong("NET-CONFIG", format!("`{key}` differs from what genesis said"))
            .hint("what a network is cannot change; set it back, or make another network")),
    }
}
