//! Which gateway a machine is set up with, and that it speaks for the network that it names.
//!
//! The id of a network is the hash of its first words, and these name its keys. So whoever knows the id knows the keys, whoever
//! told him the gateway's address and whatever is between them.

use cairn_api::NetworkInfo;
use cairn_audit::HttpSource;
use cairn_client::Client;
use cairn_core::{Hash, NetworkId};
use cairn_evidence::Founded;

use super::person::Person;
use crate::command::node::find::{Gateway, Gateways, LookArgs, none};
use crate::connect::network_id;
use crate::failure::Failure;
use crate::output::Output;
use crate::served::{Served, is_address};

/// A gateway that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its address.
    pub url: String,
    /// The id of its network, where somebody announced that.
    pub announced: Option<String>,
}

/// Which network it has to be: an id as `--network` takes it.
pub fn parse(text: &str) -> Result<NetworkId, String> {
    Hash::from_hex(text).map(NetworkId).ok_or_else(|| "a network's id has 64 hexadecimal digits".to_owned())
}

/// Looks for gateways, of this network if one is named, and asks which it is to be.
///
/// # Errors
/// `NODE-GATEWAY` where there is none, or nobody to choose: then what was found is printed.
pub fn choose(
    looking: &LookArgs,
    network: Option<NetworkId>,
    person: &mut dyn Person,
    output: Output,
) -> Result<Chosen, Failure> {
    let mut found = looking.look(output)?;
    found.gateways.retain(|gateway| network.is_none_or(|id| id.0.to_hex() == gateway.network_id));
    if found.gateways.is_empty() {
        return Err(none());
    }
    match chosen(&found, person) {
        Err(failure) if failure.code == "NODE-ASK" => {
            let nobody = Failure::usage("NODE-GATEWAY", "nobody is here to choose a gateway")
                .hint("name the one that is meant, and its network: cairn node setup URL --network ID");
            output.show_wrong(&found, Gateways::text, nobody.clone())?;
            Err(nobody)
        }
        chosen => chosen,
    }
}

fn chosen(found: &Gateways, person: &mut dyn Person) -> Result<Chosen, Failure> {
    let question = format!(
        "These announce themselves here:\n{}Which one? Its number, or the address of another one",
        found.text()
    );
    let answer = person.ask(&question, None, "the gateway's address")?;
    if is_address(&answer) {
        return Ok(Chosen { url: answer, announced: None });
    }
    let number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    match number.and_then(|number| found.gateways.get(number)) {
        Some(Gateway { url, network_id, .. }) => Ok(Chosen { url: url.clone(), announced: Some(network_id.clone()) }),
        None => Err(Failure::usage("NODE-GATEWAY", format!("`{answer}` is none of them"))
            .hint("say one of the numbers, or an address that begins with http:// or https://")),
    }
}

/// Holds what a gateway says of its network to the id that it is expected to have, and its keys to that id.
///
/// # Errors
/// `NODE-NETWORK` where it is another network's, or its keys are not those of its first words.
pub fn hold(client: &Client, info: &NetworkInfo, expected: Option<&str>) -> Result<(), Failure> {
    let url = client.url();
    let id = network_id(info)?;
    if let Some(expected) = expected.filter(|expected| *expected != id.0.to_hex()) {
        let what = format!("{url} is a gateway of network {id}, and not of {expected}");
        return Err(Failure::wrong("NODE-NETWORK", what).hint("ask the operator for the network's id and an address"));
    }
    let source = HttpSource::of(client.clone());
    let founded = Founded::by(&Served::by(&source)?.genesis()?)?;
    let is_so = founded.id == id
        && founded.log.to_string() == info.log_vkey
        && founded.promises.to_string() == info.promise_vkey;
    if is_so {
        return Ok(());
    }
    let what = format!("{url} says that it is of network {id}, whose keys are others than it names");
    Err(Failure::wrong("NODE-NETWORK", what)
        .hint("somebody answers in its place; ask the operator for another address"))
}

/// What a machine is about to be set up for, to be looked at.
pub fn told(client: &Client, info: &NetworkInfo) -> String {
    format!(
        "{} answers for {}\n  network   {}\n  log       {}\n  promises  {}\nGo on where the operator tells the same id.",
        client.url(),
        info.name,
        info.network_id,
        info.log_vkey,
        info.promise_vkey
    )
}

#[cfg(test)]
mod tests {
    use super::super::person::tests::Says;
    use super::*;

    fn found() -> Gateways {
        let gateway = |number: u8| cairn_nearby::Found {
            name: format!("Town {number}"),
            network_id: Hash([number; 32]).to_hex(),
            url: format!("http://192.168.7.{number}:8640"),
            version: "0.1.0".to_owned(),
            from: [192, 168, 7, number].into(),
        };
        Gateways { gateways: [1, 2].map(gateway).map(Gateway::from).to_vec(), left_out: 3 }
    }

    #[test]
    fn a_person_chooses_by_number_or_by_address_and_nobody_does_it_for_him() {
        for (answer, expected) in [
            ("2", Ok(("http://192.168.7.2:8640", Some([2; 32])))),
            ("https://air.example.org", Ok(("https://air.example.org", None))),
            ("0", Err("NODE-GATEWAY")),
            ("3", Err("NODE-GATEWAY")),
            ("Town 1", Err("NODE-GATEWAY")),
            ("", Err("NODE-ASK")),
        ] {
            let mut person = Says::these(&[answer]);
            let chosen = chosen(&found(), &mut person);
            let expected = expected.map(|(url, id): (&str, Option<[u8; 32]>)| Chosen {
                url: url.to_owned(),
                announced: id.map(|id| Hash(id).to_hex()),
            });
            assert_eq!(chosen.map_err(|failure| failure.code), expected.map_err(str::to_owned), "{answer}");
            assert!(person.1[0].contains("  2  Town 2\n") && person.1[0].contains("3 more were announced"));
        }
    }
}
