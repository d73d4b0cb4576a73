//! `cairn chain post`: epochs that a quorum signed.

use super::watch::Watch;
use crate::failure::Failure;
use crate::output::Output;
use crate::settle::place::Site;
use crate::settle::steps::Posted;

/// Arguments of `cairn chain post`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    site: Site,
    #[command(flatten)]
    watch: Watch,
}

/// Runs the command.
///
/// # Errors
/// When gateway or chain cannot be asked, or the chain refuses an epoch.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let chain = args.site.place.open()?;
    args.watch.each(output, || {
        let posted = args.site.settle(chain.as_ref(), 1, |settler| {
            let closed = settler.network.info.last_closed.as_ref().map_or(0, |last| last.number + 1);
            let bar = output.progress("posting", closed);
            let posted = settler.post(&mut |epoch| bar.set_position(epoch + 1));
            bar.finish_and_clear();
            posted
        })?;
        output.show(&posted, text)
    })
}

fn text(posted: &Posted) -> String {
    let mut text: String = posted.sent.iter().map(|sent| format!("{}\n", sent.text())).collect();
    text.push_str(&format!("{} epochs posted; then {}", posted.epochs.len(), posted.waits_for));
    text
}
