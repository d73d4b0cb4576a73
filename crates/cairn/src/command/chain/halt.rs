//! `cairn chain halt`: a watcher's word that the last epoch is wrong.

use cairn_chain::Call;
use cairn_settle::calls;

use crate::failure::Failure;
use crate::output::Output;
use crate::settle::network::Network;
use crate::settle::place::Site;
use crate::settle::steps::Sent;

/// Arguments of `cairn chain halt`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Halt it also where the chain has what the log says; who halts wrongly loses the bond
    #[arg(long)]
    anyway: bool,
    #[command(flatten)]
    site: Site,
}

/// Runs the command.
///
/// # Errors
/// `STL-NOTHING-WRONG` where the chain has what the log says; when gateway or chain cannot be asked, or the contract refuses.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let chain = args.site.place.open()?;
    let network = Network::of(&args.site.connect, chain.as_ref())?;
    let contracts = args.site.place.known_contracts(&network, chain.as_ref())?;
    let reader = contracts.reader(chain.as_ref());
    let nothing = |what: String| {
        Failure::wrong("STL-NOTHING-WRONG", what)
            .hint("audit the network first: a halt that was wrong loses its bond; `--anyway` halts all the same")
    };
    let head = reader.latest()?.ok_or_else(|| nothing("no epoch is posted on this chain".to_owned()))?;
    let is_closed = network.info.last_closed.as_ref().is_some_and(|last| last.number >= head.epoch);
    if !args.anyway && is_closed && network.statement(head.epoch)?.hash() == head.statement_hash {
        return Err(nothing(format!("the chain has epoch {} as the log has it", head.epoch)));
    }
    let data = calls::halt(head.epoch, head.revision, &head.statement_hash);
    let call = Call { to: Some(contracts.settlement), value: reader.halt_price()?, data };
    let purpose = format!("halt epoch {}, revision {}", head.epoch, head.revision);
    let sent = args.site.purse.at(chain.as_ref())?.send(&purpose, &call)?;
    output.show(&sent, Sent::text)
}
