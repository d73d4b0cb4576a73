//! `cairn auditor run`: look, sign, publish, wait, and look again.

use std::time::{Duration, Instant};

use cairn_audit::{AuditReport, Source};
use cairn_auditor::{Auditor, LookOptions, Standing, Vouched};
use cairn_client::Client;
use cairn_core::{Hash, NetworkId};
use cairn_ledger::wall_ms;
use cairn_settle::told::{address_text, signature_text};
use serde::Serialize;

use super::Own;
use super::publish::{Target, publish, targets};
use super::replays::Replaying;
use crate::command::audit::{failure_of, proof_of_fork};
use crate::connect::network_id;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::served::{is_address, source_named};

/// However quiet a gateway says that it is, it is looked at so often.
const LOOK_AT_LEAST: Duration = Duration::from_secs(600);

/// Arguments of `cairn auditor run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address of a gateway, which signatures are published to, too; or a folder that `cairn log export` has written.
    #[arg(value_name = "URL|DIR")]
    source: String,
    #[command(flatten)]
    own: Own,
    /// The network's id: which network it must be. Without it the first one met is believed, and held to ever after.
    #[arg(long, value_name = "ID")]
    network: Option<String>,
    /// Look once, and end: 0 when everything is right and published, 1 when something is wrong.
    #[arg(long)]
    once: bool,
    /// The first epoch to sign; earlier ones are recomputed all the same.
    #[arg(long, value_name = "EPOCH", default_value_t = 0)]
    from: u64,
    /// How long to wait between two looks, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    poll: u64,
    /// Run jobs that were not drawn, too: all that are done and not settled.
    #[arg(long, conflicts_with = "no_replay")]
    replay_all: bool,
    /// Run no jobs.
    #[arg(long)]
    no_replay: bool,
    /// Another gateway to publish to; several may be given.
    #[arg(long, value_name = "URL")]
    publish: Vec<String>,
}

/// What became of an epoch, on its line.
#[derive(Debug, Serialize)]
struct Line {
    event: &'static str,
    epoch: u64,
    revision: u32,
    statement: String,
    /// Whether it is signed now.
    signed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    rehearsed: Vec<String>,
}

impl Line {
    fn of(vouched: &Vouched) -> Self {
        let Vouched { epoch, statement, rehearsed, standing } = vouched;
        let (event, signature, reason) = match standing {
            Standing::Signed { signed, known: false } => ("signed", Some(signature_text(&signed.signature)), None),
            Standing::Signed { signed, known: true } => ("known", Some(signature_text(&signed.signature)), None),
            Standing::Before => ("audited", None, Some(("STL-BEFORE", "it is before --from".to_owned()))),
            Standing::NoAuditors => {
                ("audited", None, Some(("STL-NO-AUDITORS", "the log names no auditors for it".to_owned())))
            }
            Standing::NotAnAuditor { auditors } => {
                let why = format!("this key is not among its {auditors} auditors");
                ("audited", None, Some(("STL-NOT-AN-AUDITOR", why)))
            }
        };
        Self {
            event,
            epoch: *epoch,
            revision: 0,
            statement: statement.to_hex(),
            signed: signature.is_some(),
            signature,
            code: reason.as_ref().map(|(code, _)| *code),
            detail: reason.map(|(_, detail)| detail),
            rehearsed: rehearsed.clone(),
        }
    }

    fn text(&self) -> String {
        let Self { event, epoch, statement, .. } = self;
        let mut text = format!("{event}  epoch {epoch}  statement {statement}");
        if let (Some(code), Some(detail)) = (self.code, &self.detail) {
            text.push_str(&format!("\n  not signed, {code}: {detail}"));
        }
        text
    }
}

/// What went wrong, while watching goes on.
#[derive(Debug, Serialize)]
struct Alarm<'a> {
    event: &'static str,
    code: &'a str,
    detail: &'a str,
    hint: Option<&'a str>,
    document: Option<&'a serde_json::Value>,
}

/// Runs the command.
///
/// # Errors
/// With `--once`, what the look found; else what keeps it from starting.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let network = args.network.as_ref().map(|text| {
        let id = Hash::from_hex(text).map(NetworkId);
        id.ok_or_else(|| Failure::usage("NET-ID", format!("`{text}` is not a network id: 64 hex digits")))
    });
    let network = network.transpose()?;
    let is_live = is_address(&args.source);
    let own = is_live.then(|| args.source.clone());
    let targets = targets(&own.into_iter().chain(args.publish.iter().cloned()).collect::<Vec<_>>())?;
    let source = source_named(Some(&args.source))?;
    let hint = is_live.then(|| Client::at(&args.source)).transpose()?;
    let mut watching = Watching { args, network, source, hint, targets, output, warned: false, next: None };
    let mut auditor = args.own.open()?;
    output.say(format!("auditor {}, record {}", address_text(&auditor.address()), args.own.dir.display()));
    let mut replaying = replaying(args, network, output)?;
    if args.once {
        if let Some(replaying) = &mut replaying {
            replaying.step()?;
        }
        let looked = watching.look(&mut auditor);
        // What was right before a difference is worth publishing.
        let is_published = publish(&auditor, &watching.targets, output)?;
        looked?;
        return if is_published { Ok(()) } else { Err(unpublished()) };
    }
    if let Some(replaying) = replaying {
        replaying.go_on(Duration::from_secs(args.poll))?;
    }
    watching.watch(&mut auditor)
}

/// What runs jobs again, where a gateway can be asked for some and the folder's network is known.
fn replaying(args: &Args, network: Option<NetworkId>, output: Output) -> Result<Option<Replaying>, Failure> {
    if args.no_replay || !is_address(&args.source) {
        return Ok(None);
    }
    // A gateway that is away now is no reason not to begin: what it serves is looked at when it is back.
    let met = Client::at(&args.source)?.network().ok().map(|info| network_id(&info)).transpose()?;
    let Some(network) = network.or(met) else { return Ok(None) };
    Replaying::open(&args.own.dir, args.own.wallet()?, network, &args.source, args.replay_all, output).map(Some)
}

fn unpublished() -> Failure {
    Failure::failed("NET-UNPUBLISHED", "everything is signed, and not everything is published")
        .hint("say it again: what a gateway was not told is told then; the documents lie in the folder `signatures`")
}

struct Watching<'a> {
    args: &'a Args,
    network: Option<NetworkId>,
    source: Box<dyn Source>,
    /// Whom to ask whether there is anything to look at. Nothing else is believed of what it says.
    hint: Option<Client>,
    targets: Vec<Target>,
    output: Output,
    /// Whether it was said that the key is in no set.
    warned: bool,
    /// The epoch that is waited for.
    next: Option<u64>,
}

impl Watching<'_> {
    /// Looks for ever. What is wrong is said each time, and signed at no time.
    fn watch(&mut self, auditor: &mut Auditor) -> Result<(), Failure> {
        let mut last: Option<Instant> = None;
        loop {
            if last.is_none_or(|last| last.elapsed() >= LOOK_AT_LEAST) || self.is_due() {
                match self.look(auditor) {
                    Ok(()) => last = Some(Instant::now()),
                    // What is on the disk is not known any more: only a start reads it back.
                    Err(failure) if failure.code == "STL-STOPPED" || is_closed(&failure) => return Err(failure),
                    Err(failure) => self.alarm(&failure)?,
                }
            }
            publish(auditor, &self.targets, self.output)?;
            std::thread::sleep(Duration::from_secs(self.args.poll));
        }
    }

    /// Whether the gateway says that an epoch has closed which was not seen; and where nobody can be asked.
    fn is_due(&self) -> bool {
        let (Some(client), Some(next)) = (&self.hint, self.next) else { return true };
        client.epochs(None, Some(1)).map_or(true, |list| list.open > next)
    }

    fn look(&mut self, auditor: &mut Auditor) -> Result<(), Failure> {
        let options = LookOptions { network: self.network, first_epoch: self.args.from, now_ms: Some(wall_ms()) };
        let (output, mut said) = (self.output, Ok(()));
        let mut seen = None;
        let mut is_stranger = false;
        let mut told = |vouched: &Vouched| {
            is_stranger = matches!(vouched.standing, Standing::NoAuditors | Standing::NotAnAuditor { .. });
            seen = Some(vouched.epoch);
            let printed = output.line(&Line::of(vouched), Line::text);
            said = core::mem::replace(&mut said, Ok(())).and(printed);
        };
        let look = auditor.look(&*self.source, &options, &mut told, &mut |_| ());
        said?;
        if is_stranger && !self.warned {
            self.warned = true;
            output.say(format!(
                "warning: this key signs nothing: the log does not name {0} an auditor\nhint: the operator names auditors for \
                 epochs to come with `cairn auditor propose ... {0}`; auditing goes on",
                address_text(&auditor.address())
            ));
        }
        let look = look?;
        if let Some(difference) = look.report.difference() {
            return Err(self.difference(&look.report, difference));
        }
        let resumed = look.report.resumed.map(|resumed| resumed.epoch);
        self.next = seen.or(resumed).map(|seen| seen + 1).or(self.next).or(Some(0));
        Ok(())
    }

    fn difference(&self, report: &AuditReport, difference: &cairn_audit::Difference) -> Failure {
        let failure = failure_of(report, difference)
            .with_document(Some(serde_json::json!({ "event": "refused", "difference": difference })));
        let folder = self.args.own.dir.join("evidence");
        proof_of_fork(&*self.source, report, &folder, difference, failure)
    }

    fn alarm(&self, failure: &Failure) -> Result<(), Failure> {
        let Failure { exit, code, message, hint, document } = failure;
        let event = if *exit == Exit::Wrong { "refused" } else { "unread" };
        let (hint, document) = (hint.as_deref(), document.as_ref());
        let alarm = Alarm { event, code, detail: message, hint, document };
        self.output.line(&alarm, |_| format!("{event}  nothing is signed\n{failure}"))
    }
}

/// Whether standard output is closed: nobody listens any more.
fn is_closed(failure: &Failure) -> bool {
    failure.code == "NET-STDOUT"
}
