//! `cairn node find`: the gateways that announce themselves on the local network.
//!
//! What is listed is what somebody there says, and is believed by nobody: whoever uses it asks the gateway, and holds it to the
//! network's id.

use std::net::Ipv4Addr;
use std::time::Duration;

use cairn_nearby::{Found, Place, look};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;

/// Where and how long gateways are looked for.
#[derive(Debug, Clone, clap::Args)]
pub struct LookArgs {
    /// Look for gateways on the network where this machine has this address; may be given more than once [default: on all but loopback]
    #[arg(long, value_name = "ADDRESS")]
    on: Vec<Ipv4Addr>,
    /// For how long gateways are looked for
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
}

/// Arguments of `cairn node find`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    look: LookArgs,
}

/// What was found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Gateways {
    /// By the network's name, its id, and the gateway's address.
    pub gateways: Vec<Gateway>,
    /// How many more were announced than are listed.
    pub left_out: u64,
}

/// A gateway in the words of who announced it.
#[derive(Debug, Clone, Serialize)]
pub struct Gateway {
    /// The network's name.
    pub name: String,
    /// The network's id.
    pub network_id: String,
    /// Its address.
    pub url: String,
    /// The version of its program.
    version: String,
    /// Who announced it.
    from: Ipv4Addr,
}

impl From<Found> for Gateway {
    fn from(found: Found) -> Self {
        let Found { name, network_id, url, version, from } = found;
        Self { name, network_id, url, version, from }
    }
}

impl LookArgs {
    /// Nowhere: the address is known.
    pub const fn none() -> Self {
        Self { on: Vec::new(), seconds: 1 }
    }

    /// The gateways that answer while it is looked.
    ///
    /// # Errors
    /// Those of [`look`].
    pub fn look(&self, output: Output) -> Result<Gateways, Failure> {
        let seconds = self.seconds;
        output.say(format!("looking for gateways on the local network, {seconds} s"));
        let spinner = output.spinner("looking");
        let place = Place { on: self.on.clone(), ..Place::default() };
        let heard = look(&place, Duration::from_secs(seconds), |_| spinner.inc(1));
        spinner.finish_and_clear();
        let heard = heard?;
        Ok(Gateways { gateways: heard.gateways.into_iter().map(Gateway::from).collect(), left_out: heard.left_out })
    }
}

impl Gateways {
    /// A numbered list.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (number, gateway) in self.gateways.iter().enumerate() {
            let Gateway { name, network_id, url, version, from } = gateway;
            text.push_str(&format!("{:>3}  {name}\n     network  {network_id}\n     address  {url}\n", number + 1));
            text.push_str(&format!("     says     {from}, version {version}\n"));
        }
        if self.left_out > 0 {
            text.push_str(&format!("{} more were announced than are listed\n", self.left_out));
        }
        text
    }
}

/// That no gateway was heard.
pub fn none() -> Failure {
    let what = "no gateway announces itself on the local network";
    Failure::wrong("NODE-GATEWAY", what).hint(
        "name it: cairn node setup URL; a gateway is announced where its operator says `cairn up --announce`, and heard where no \
         firewall keeps UDP from port 5353 out",
    )
}

/// Runs the command.
///
/// # Errors
/// `NODE-GATEWAY` where there is none, and those of looking.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let found = args.look.look(output)?;
    if found.gateways.is_empty() {
        return output.show_wrong(&found, Gateways::text, none());
    }
    output.show(&found, |found| {
        found.text()
            + "\nAnybody on the network may announce anything: hold the id against the one that the operator tells.\n"
    })
}
