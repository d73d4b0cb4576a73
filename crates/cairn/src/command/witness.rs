//! `cairn witness`: a C2SP witness of one or several logs, until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_core::key::SecretKey;
use cairn_evidence::{Evidence, Founded};
use cairn_log::{StdDisk, replace_whole};
use cairn_merkle::note::KeyKind;
use cairn_merkle::{Cosigner, NoteVerifier, TrustPolicy};
use cairn_witness::{ForkHearer, ServerOptions, Witness, start};
use serde::Serialize;

use crate::command::evidence::fork::Unserved;
use crate::command::evidence::{keep, read_genesis};
use crate::failure::Failure;
use crate::keys::{Algorithm, Key};
use crate::output::Output;
use crate::words::count;

/// The file that remembers the witness's name, beside its records.
const VKEY: &str = "vkey";

/// Arguments of `cairn witness`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The key of a log to witness, a vkey whose name is the log's origin; several may be given. `cairn status` shows a
    /// network's.
    #[arg(long, value_name = "VKEY", required_unless_present = "policy")]
    log: Vec<String>,
    /// A tlog-policy file, whose `log` lines name the logs to witness.
    #[arg(long, value_name = "FILE", conflicts_with = "log")]
    policy: Option<PathBuf>,
    /// Address and port to listen on.
    #[arg(long, default_value = "127.0.0.1:8642")]
    listen: String,
    /// The witness's folder; made if it does not exist. It must never be replaced by an older copy.
    #[arg(long, default_value = "witness")]
    dir: PathBuf,
    /// The witness's key file; made if it does not exist [default: witness.key in the folder]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The witness's name, such as the address it is reached at without its scheme; for ever after the first start
    /// [default: made from the key]
    #[arg(long)]
    name: Option<String>,
    /// Write a portable proof into this folder when a log was forked: its key signed two checkpoints of one size.
    #[arg(long, value_name = "DIR", requires = "genesis")]
    evidence: Option<PathBuf>,
    /// The genesis of each network whose log is witnessed, which a proof begins with: entry 0, as
    /// `cairn proof 0 --entry FILE` writes it. May be given more than once.
    #[arg(long, value_name = "FILE", requires = "evidence")]
    genesis: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Started {
    name: String,
    vkey: String,
    url: String,
    dir: PathBuf,
    logs: Vec<Witnessed>,
}

#[derive(Debug, Serialize)]
struct Witnessed {
    origin: String,
    /// Entries under the checkpoint cosigned last; 0 if none was.
    size: u64,
}

/// Runs the command.
///
/// # Errors
/// When a key cannot be read, what was cosigned last cannot be read back, or the address cannot be listened on.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let logs = args.logs()?;
    let disk = StdDisk::create(&args.dir).map_err(|error| Failure::io("open", &args.dir, &error))?;
    let hearer = args.evidence.as_deref().map(|folder| args.accuser(folder, &logs)).transpose()?;
    let cosigner = args.cosigner(&disk)?;
    let witness = Witness::open(Arc::new(disk), cosigner, logs)?;
    let witness = Arc::new(match hearer {
        Some(hearer) => witness.telling(hearer),
        None => witness,
    });
    let options = ServerOptions { listen: args.listen.clone(), ..ServerOptions::default() };
    let running = start(witness.clone(), options)?;
    // Whoever reads that it is up may end it at once.
    let signals = running.signals()?;
    let started = Started {
        name: witness.verifier().name().to_owned(),
        vkey: witness.verifier().to_string(),
        url: format!("http://{}", running.address()),
        dir: args.dir.clone(),
        logs: witness.logs().into_iter().map(|(origin, size)| Witnessed { origin, size }).collect(),
    };
    output.show(&started, |started| {
        let Started { name, vkey, url, logs, .. } = started;
        let mut text = format!("{name} witnesses at {url}\n  vkey      {vkey}\n");
        for Witnessed { origin, size } in logs {
            text.push_str(&format!("  log       {origin}, {} cosigned\n", count(*size, "entry", "entries")));
        }
        text + "\nOperators put vkey and url into network.toml, as [[witness]]; auditors give the vkey to \
                `cairn audit --witness`.\nStop it with Ctrl-C."
    })?;
    running.wait(signals);
    output.say("stopped");
    Ok(())
}

impl Args {
    fn logs(&self) -> Result<Vec<NoteVerifier>, Failure> {
        let logs: Vec<NoteVerifier> = match &self.policy {
            Some(path) => read_policy(path)?.logs().iter().map(|log| log.verifier.clone()).collect(),
            None => self.log.iter().map(|vkey| vkey.parse()).collect::<Result<_, _>>()?,
        };
        if logs.is_empty() {
            return Err(Failure::usage("WIT-NO-LOG", "the policy names no log").hint("add `log VKEY` lines"));
        }
        if let Some(other) = logs.iter().find(|log| log.kind() != KeyKind::Ed25519) {
            return Err(Failure::usage("WIT-LOG-KEY", format!("the key of `{}` is no log's", other.name()))
                .hint("a log's key is of type 1; `cairn status` shows a network's as log vkey"));
        }
        Ok(logs)
    }

    /// Who writes the proof of a fork into a folder. A witness never stops for it.
    fn accuser(&self, folder: &Path, logs: &[NoteVerifier]) -> Result<ForkHearer, Failure> {
        let mut founded = Vec::new();
        for path in &self.genesis {
            let genesis = read_genesis(path)?;
            founded.push((Founded::by(&genesis)?.log, genesis));
        }
        let is_unfounded = |log: &&NoteVerifier| founded.iter().all(|(key, _)| key != *log);
        if let Some(log) = logs.iter().find(is_unfounded) {
            let what = format!("no genesis given names the key of the log `{}`", log.name());
            return Err(Failure::usage("EVD-GENESIS", what).hint("entry 0 is one: cairn proof 0 --entry FILE"));
        }
        let folder = folder.to_owned();
        Ok(Box::new(move |log, one, other| {
            let genesis = founded.iter().find(|(key, _)| key == log).map(|(_, genesis)| genesis.as_slice());
            let proof = Evidence::fork(genesis.unwrap_or_default(), &one.to_string(), &other.to_string(), &Unserved);
            match proof.and_then(|proof| keep(&proof, &folder)) {
                Ok(path) => eprintln!("witness: the proof is in {0}: cairn evidence check {0}", path.display()),
                Err(error) => eprintln!("witness: no proof was written: {}", error.message),
            }
        }))
    }

    /// The key, made at the first start, under the name that it had then.
    fn cosigner(&self, disk: &StdDisk) -> Result<Cosigner, Failure> {
        let path = self.key.clone().unwrap_or_else(|| self.dir.join("witness.key"));
        if !path.exists() {
            Key::generate(Algorithm::Ed25519)?.write(&path, "witness: cosigns checkpoints, and nothing else")?;
        }
        let SecretKey::Ed25519(key) = Key::read(&path)?.signing()? else {
            return Err(Failure::wrong("NET-KEY", format!("{}: a witness's key is ed25519", path.display())));
        };
        let known = self.known()?;
        let made = || {
            let public = cairn_core::Hash::of(&key.public_bytes()).to_hex();
            format!("witness-{}", &public[..12])
        };
        let name = known.as_ref().map(|known| known.name().to_owned()).or(self.name.clone()).unwrap_or_else(made);
        let cosigner = Cosigner::new(&name, key)?;
        match known {
            Some(known) if known != *cosigner.verifier() || self.name.as_ref().is_some_and(|asked| *asked != name) => {
                Err(Failure::wrong("WIT-OTHER", format!("the folder {} is that of {known}", self.dir.display()))
                    .hint("another key or name is another witness: give it a folder of its own with --dir"))
            }
            Some(_) => Ok(cosigner),
            None => {
                let text = format!("{}\n", cosigner.verifier());
                replace_whole(disk, VKEY, text.as_bytes())
                    .map_err(|error| Failure::failed("NET-IO", format!("{}: {error}", self.dir.display())))?;
                Ok(cosigner)
            }
        }
    }

    fn known(&self) -> Result<Option<NoteVerifier>, Failure> {
        let file = self.dir.join(VKEY);
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Some(text.trim_end().parse()?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::io("read", &file, &error)),
        }
    }
}

/// Reads a tlog-policy file.
///
/// # Errors
/// `LOG-TRUST` with the line.
pub fn read_policy(path: &Path) -> Result<TrustPolicy, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    TrustPolicy::parse(&text)
        .map_err(|error| Failure::wrong(error.code(), format!("{}: {error}", path.display())).maybe_hint(error.hint()))
}
