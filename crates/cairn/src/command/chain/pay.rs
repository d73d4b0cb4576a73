//! `cairn chain pay`: what the last final epoch grants, to every account.

use cairn_core::Amount;

use super::watch::Watch;
use crate::failure::Failure;
use crate::output::Output;
use crate::settle::place::Site;
use crate::settle::steps::Paid;

/// Arguments of `cairn chain pay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    site: Site,
    /// Accounts that one transaction pays
    #[arg(long, value_name = "N", default_value_t = cairn_chain::paying::BATCH)]
    batch: usize,
    #[command(flatten)]
    watch: Watch,
}

/// Runs the command.
///
/// # Errors
/// When gateway or chain cannot be asked, or the chain refuses.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let chain = args.site.place.open()?;
    args.watch.each(output, || {
        let (paid, decimals) = args.site.settle(chain.as_ref(), args.batch, |settler| {
            let bar = output.progress("paying", 0);
            let paid = settler.pay(&mut |done, whole| {
                bar.set_length(whole as u64);
                bar.set_position(done as u64);
            });
            bar.finish_and_clear();
            Ok((paid?, settler.network.info.asset.as_ref().map_or(0, |asset| asset.decimals)))
        })?;
        output.show(&paid, |paid| text(paid, decimals))
    })
}

fn text(paid: &Paid, decimals: u8) -> String {
    let Some(epoch) = paid.epoch else { return "no epoch is final on this chain yet".to_owned() };
    let tokens = |units: &str| Amount::parse(units).unwrap_or_default().display(decimals);
    let mut text: String = paid.sent.iter().map(|sent| format!("{}\n", sent.text())).collect();
    text.push_str(&format!(
        "by epoch {epoch}: {} accounts paid {}; {} below the threshold and {} held by the breaker are owed {}",
        paid.accounts,
        tokens(&paid.amount),
        paid.below,
        paid.held,
        tokens(&paid.left)
    ));
    text
}
