//! `cairn chain anchor`: the log, for other contracts to ask.

use cairn_audit::HttpSource;
use cairn_chain::Call;
use cairn_chain::contracts::anchored;
use cairn_merkle::proof::consistency_proof;
use cairn_settle::calls;
use cairn_settle::told::address_text;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;
use crate::served::Served;
use crate::settle::address;
use crate::settle::network::Network;
use crate::settle::place::Site;
use crate::settle::steps::Sent;

/// Arguments of `cairn chain anchor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The anchor's address, as the deployment said it
    anchor: String,
    #[command(flatten)]
    site: Site,
}

#[derive(Debug, Serialize)]
struct Advanced {
    anchor: String,
    from_size: u64,
    to_size: u64,
    epoch: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Sent>,
}

/// Runs the command.
///
/// # Errors
/// When gateway or chain cannot be asked, or the anchor refuses the proof.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let anchor = address(&args.anchor)?;
    let chain = args.site.place.open()?;
    let network = Network::of(&args.site.connect, chain.as_ref())?;
    let contracts = args.site.place.contracts(&network, chain.as_ref())?;
    let stands = anchored(chain.as_ref(), anchor)?;
    let Some(head) = contracts.reader(chain.as_ref()).latest_final()? else {
        let advanced = Advanced {
            anchor: address_text(&anchor),
            from_size: stands.size,
            to_size: stands.size,
            epoch: None,
            sent: None,
        };
        return output.show(&advanced, text);
    };
    let mut advanced = Advanced {
        anchor: address_text(&anchor),
        from_size: stands.size,
        to_size: head.log_size,
        epoch: Some(head.epoch),
        sent: None,
    };
    if stands.size != head.log_size || stands.epoch != head.epoch {
        let source = HttpSource::of(network.client().clone());
        let proof = consistency_proof(&Served::by(&source)?.hashes(), stands.size, head.log_size)?;
        let call = Call::to(anchor, calls::advance(&proof));
        let purpose = format!("anchor the log at epoch {}", head.epoch);
        advanced.sent = Some(args.site.purse.at(chain.as_ref())?.send(&purpose, &call)?);
    }
    output.show(&advanced, text)
}

fn text(advanced: &Advanced) -> String {
    match (&advanced.sent, advanced.epoch) {
        (Some(sent), _) => {
            format!("{}\nfrom {} to {} entries", sent.text(), advanced.from_size, advanced.to_size)
        }
        (None, Some(epoch)) => format!("the anchor is at epoch {epoch} already, {} entries", advanced.to_size),
        (None, None) => "no epoch is final on this chain yet".to_owned(),
    }
}
