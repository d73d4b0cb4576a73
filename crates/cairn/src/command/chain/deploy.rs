//! `cairn chain deploy`: the contracts of a network, and the statement by which its log names them.

use std::path::{Path, PathBuf};

use cairn_chain::deployment::Plan;
use cairn_chain::{Chain, Contracts, Deployment};
use cairn_core::Hash;
use cairn_core::statement::{Body, DomainTerms};
use cairn_reward::Policy;
use cairn_settle::EvmAddress;
use cairn_settle::told::{address_text, parse_address};
use serde::Serialize;

use crate::config::{Config, Folder};
use crate::connect::Connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::propose::by_operator;
use crate::settle::network::{NO_CONTRACT, Network};
use crate::settle::place::{Place, Purse, Sender};
use crate::settle::steps::Sent;
use crate::settle::terms::{Document, OfNetwork};

/// Arguments of `cairn chain deploy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The network's folder, with the operator's key; the record of the deployment is kept in it
    dir: PathBuf,
    /// The terms, as `cairn chain terms` prints them
    #[arg(long, value_name = "FILE")]
    terms: PathBuf,
    /// Address of the gateway [default: the environment's CAIRN_URL, or the folder's own]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    purse: Purse,
    /// Blocks after which what happens on the chain is taken as final
    #[arg(long, value_name = "N", default_value_t = 12)]
    finality_blocks: u64,
}

#[derive(Debug, Serialize)]
struct Deployed {
    #[serde(flatten)]
    record: Deployment,
    /// The chain, in words.
    chain: String,
    rehearsal: bool,
    sent: Vec<Sent>,
    /// The entry by which the log names the contracts; absent on a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// When the terms are refused, or chain or gateway cannot be asked.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let folder = Folder::at(&args.dir);
    let config = Config::read(&folder)?;
    let document = Document::read(&args.terms)?;
    let connect = Connect::to(args.url.clone()).or_listening(&config);
    let chain = args.place.open_or(&folder.root().join("chain"))?;
    let network = Network::of(&connect, chain.as_ref())?;
    let mut sender = args.purse.at(chain.as_ref())?;
    let path = record_path(&folder, chain.id());
    let known = read_record(&path)?;
    let plan = plan(&network, &document, known.as_ref(), &sender, chain.as_ref())?;
    not_deployed_yet(&network, &plan)?;
    let record = match known {
        Some(known) if !known.is_of(&plan.record(chain.id(), 0)) => {
            return Err(Failure::wrong("STL-TERMS", format!("{} is of other terms", path.display()))
                .hint(
                    "go on with the terms it was begun with: contracts that are deployed anew would pay all that was ever granted \
                     once more, and take no more of the old ones' deposits",
                ));
        }
        Some(known) => known,
        None if sender.sends() => keep_record(&folder, &plan, chain.as_ref())?,
        None => plan.record(chain.id(), chain.head()?.number),
    };
    let sent = deploy_all(&plan, chain.as_ref(), &mut sender, output)?;
    let statement = if sender.sends() {
        // What stands at the addresses is asked: the log names nothing that is not there.
        Contracts::of(chain.as_ref(), plan.addresses().payout, &network.id)?;
        let body = Body::Domain(domain(&network, &plan, args.finality_blocks));
        Some(by_operator(&folder, network.client(), &network.info, vec![body])?)
    } else {
        None
    };
    let (rehearsal, chain) = (chain.rehearsed(), chain.name());
    output.show(&Deployed { record, chain, rehearsal, sent, statement }, text)
}

/// Contracts that take the place of others would pay all that was ever granted once more, since claims are totals.
fn not_deployed_yet(network: &Network, plan: &Plan) -> Result<(), Failure> {
    match network.payout() {
        Ok(named) if named != plan.addresses().payout => {
            let what =
                format!("the log names {} as the contract that pays on {}", address_text(&named), network.domain);
            Err(Failure::wrong("STL-DEPLOYED", what).hint(
                "a network has one deployment on each chain: another would pay all that was ever granted once more",
            ))
        }
        Ok(_) => Ok(()),
        Err(failure) if failure.code == NO_CONTRACT => Ok(()),
        Err(failure) => Err(failure),
    }
}

fn plan(
    network: &Network,
    document: &Document,
    known: Option<&Deployment>,
    sender: &Sender<'_>,
    chain: &dyn Chain,
) -> Result<Plan, Failure> {
    let policy = Policy::parse(network.client().policy(None)?.as_bytes())?;
    let broken =
        || Failure::wrong("STL-BROKEN", "the record of the deployment is broken").hint("put it back from a copy");
    let (first_epoch, first_previous, first_nonce, deployer) = match known {
        Some(known) => (
            known.first_epoch,
            Hash::from_hex(&known.first_previous).ok_or_else(broken)?,
            known.first_nonce,
            parse_address(&known.deployer).ok_or_else(broken)?,
        ),
        None => {
            let last = network.info.last_closed.as_ref();
            let previous = last.map_or(Some(Hash::ZERO), |last| Hash::from_hex(&last.statement));
            let previous =
                previous.ok_or_else(|| Failure::failed("NET-ANSWER", "the last epoch's statement has no hash"))?;
            (last.map_or(0, |last| last.number + 1), previous, chain.nonce(sender.account)?, sender.account)
        }
    };
    if deployer != sender.account {
        let wallet = address_text(&sender.account);
        return Err(Failure::wrong(
            "STL-DEPLOYER",
            format!("{} began this deployment, not {wallet}", address_text(&deployer)),
        )
        .hint("go on with the wallet that began it"));
    }
    let of = OfNetwork { network: network.id, info: &network.info, policy: &policy, first_epoch, first_previous };
    let terms = document.terms(&of)?;
    if known.is_none() {
        let last =
            network.info.last_closed.as_ref().map(|last| network.client().signatures(last.number)).transpose()?;
        let named = last.map_or_else(Vec::new, |last| last.auditors);
        let named: Vec<EvmAddress> = named.iter().filter_map(|text| parse_address(text)).collect();
        if named.is_empty() {
            // A set that rules from the next epoch on is not served yet.
            eprintln!(
                "warning: the log names no auditors yet: unless it does from epoch {first_epoch} on, that epoch is waited for for ever"
            );
        } else {
            may_sign(&named, &terms.auditors.members, terms.auditors.threshold)?;
        }
    }
    Ok(Plan::of(&terms, deployer, first_nonce))
}

/// Whether enough of those whom the contracts are to believe are auditors of the last closed epoch in the log. Epochs are
/// posted without gaps: one that no quorum ever signs would be waited for for ever.
fn may_sign(named: &[EvmAddress], members: &[EvmAddress], threshold: u8) -> Result<(), Failure> {
    let both = members.iter().filter(|member| named.contains(member)).count();
    if both >= usize::from(threshold) {
        return Ok(());
    }
    let what = format!(
        "{both} of the terms' auditors are in force in the last closed epoch of the log, and {threshold} must sign"
    );
    Err(Failure::wrong("STL-NO-AUDITORS", what).hint(
        "name them with `cairn auditor propose`, and deploy once an epoch has closed that they rule: the contracts wait for the \
         next one, and pass over none",
    ))
}

/// Deploys what is not there yet.
///
/// # Errors
/// When the chain refuses, or the account was used for something else.
pub fn deploy_all(
    plan: &Plan,
    chain: &dyn Chain,
    sender: &mut Sender<'_>,
    output: Output,
) -> Result<Vec<Sent>, Failure> {
    let mut sent = Vec::new();
    if !sender.sends() {
        for step in plan.steps() {
            sent.push(sender.send(&step.purpose(), &step.call)?);
        }
        return Ok(sent);
    }
    let bar = output.progress("deploying", plan.steps().count() as u64);
    while let Some(step) = plan.next(chain)? {
        sent.push(sender.send(&step.purpose(), &step.call)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(sent)
}

fn domain(network: &Network, plan: &Plan, finality_blocks: u64) -> DomainTerms {
    let addresses = plan.addresses();
    let token = format!("{}/erc20:{}", network.domain, address_text(&addresses.token));
    let distributor = cairn_settle::abi::address_word(addresses.payout);
    DomainTerms { domain: network.domain.clone(), distributor, token, finality_blocks }
}

/// Where a network's folder keeps the record of a deployment.
fn record_path(folder: &Folder, chain_id: u64) -> PathBuf {
    folder.root().join("chain").join(format!("deployment-{chain_id}.json"))
}

fn read_record(path: &Path) -> Result<Option<Deployment>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io("read", path, &error)),
    };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Failure::wrong("STL-BROKEN", format!("{}: {error}", path.display())).hint("put it back from a copy")
    })
}

/// Writes down what is going to be deployed, before it is.
///
/// # Errors
/// When the chain cannot be asked, or the record not be written.
pub fn keep_record(folder: &Folder, plan: &Plan, chain: &dyn Chain) -> Result<Deployment, Failure> {
    let record = plan.record(chain.id(), chain.head()?.number);
    let text = serde_json::to_string_pretty(&record).map_err(|error| Failure::failed("NET-JSON", error))?;
    let path = record_path(folder, chain.id());
    let parent = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let disk = cairn_log::StdDisk::create(parent).map_err(|error| Failure::io("make", parent, &error))?;
    cairn_log::replace_whole(&disk, &name, text.as_bytes())
        .map_err(|error| Failure::io("write", &path, &error.into()))?;
    Ok(record)
}

fn text(deployed: &Deployed) -> String {
    let mut text: String = deployed.sent.iter().map(|sent| format!("{}\n", sent.text())).collect();
    text.push_str(&format!("contracts on chain {}, {}\n", deployed.record.chain_id, deployed.chain));
    for (name, address) in &deployed.record.contracts {
        text.push_str(&format!("  {name:<10} {address}\n"));
    }
    match deployed.statement {
        Some(index) => text.push_str(&format!(
            "the log names them by entry {index}; epochs from {} on are settled there",
            deployed.record.first_epoch
        )),
        None => text.push_str("nothing was sent"),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_deployed_that_waits_for_auditors_whom_the_log_does_not_name() {
        let all = [[1; 20], [2; 20], [3; 20], [4; 20]];
        for (named, fits) in
            [(&all[..], true), (&all[1..], true), (&all[2..], false), (&[], false), (&[[9; 20]; 4], false)]
        {
            assert_eq!(may_sign(named, &all, 3).is_ok(), fits, "{named:?}");
        }
    }
}
