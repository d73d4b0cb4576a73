//! `cairn buy compute`: leave the blobs, ask what it costs, sign, order, wait.

use std::path::{Path, PathBuf};

use cairn_api::{AssetInfo, JobInfo, NetworkInfo, OrderInfo, QuoteInfo};
use cairn_client::Client;
use cairn_core::statement::{Blob, Body, Order, RunProfile};
use cairn_core::{Account, Amount, Hash, JobId, Ppm};
use cairn_ledger::order_info;
use cairn_wasm::instrument::instrument;
use cairn_wasm::{GAS_TABLE, Profile, Refusal};
use clap::ValueEnum;
use serde::Serialize;

use crate::command::job::{Outcome, await_done, outcome};
use crate::config::duration_ms;
use crate::connect::Connect;
use crate::failure::Failure;
use crate::keys::wallet_from;
use crate::output::Output;
use crate::words::{duration, tokens};
use crate::work::{account, amount, asset, by_wallet, write_file};

/// More than any price: whoever names none is shown what there is.
const ANY_PRICE: Amount = Amount(u64::MAX as u128);
/// More than any lock.
const ANY_LOCK: Amount = Amount(u128::MAX);

/// Which arithmetic the module may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProfileArg {
    /// Integers alone.
    DetInt,
    /// Floats, too.
    DetFloat,
    /// Floats only where the module has some.
    Auto,
}

/// Arguments of `cairn buy compute`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The WebAssembly module.
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// An input; several may be given, and keep their order.
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// The arguments, as text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    argument: String,
    /// Which arithmetic the module may use.
    #[arg(long, value_enum, default_value = "auto")]
    profile: ProfileArg,
    /// The most gas.
    #[arg(long, value_name = "GAS", default_value_t = 1_000_000_000)]
    gas: u64,
    /// The most memory, in pages of 64 KiB.
    #[arg(long, value_name = "PAGES", default_value_t = 256)]
    pages: u32,
    /// The most bytes of output.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    output_bytes: u32,
    /// The most tokens for 10^9 gas [default: what the cheapest workers ask that suffice]
    #[arg(long, value_name = "TOKENS")]
    price: Option<String>,
    /// How many workers do it, each by itself; where they agree the result is worth more.
    #[arg(long, value_name = "R", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    replicas: u8,
    /// The least chance that auditors run it again, in parts per million; the network's own least counts, too.
    #[arg(long, value_name = "PPM", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    sample: u32,
    /// How long workers have to run it and seal what came out.
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    within: String,
    /// The most tokens that may be locked [default: what the quote says]
    #[arg(long, value_name = "TOKENS")]
    most: Option<String>,
    /// The account that the rest of the lock is paid to, CAIP-10 [default: back to the buyer's credit]
    #[arg(long, value_name = "ACCOUNT")]
    refund: Option<String>,
    /// The buyer's wallet: a key file or a keystore.
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
    /// A file with the keystore's password.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The chain of the buyer's account, CAIP-2 [default: the network's first]
    #[arg(long, value_name = "CAIP-2")]
    chain: Option<String>,
    #[command(flatten)]
    connect: Connect,
    /// Wait until the result is there, and say which it is.
    #[arg(long)]
    wait: bool,
    /// Write the output into this file; waits for it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Say what it would cost, and order nothing.
    #[arg(long, conflicts_with_all = ["wait", "output"])]
    dry_run: bool,
}

/// What was bought.
#[derive(Debug, Serialize)]
struct Bought {
    /// The job; absent when nothing was ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    /// The order's entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    network_id: String,
    order: OrderInfo,
    quote: QuoteInfo,
    /// What came out, if it was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    asset: AssetInfo,
    rehearsed: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When nothing can be bought on these terms, or nothing came of it.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let wallet = wallet_from(&args.wallet, args.password_file.as_deref())?;
    let client = args.connect.client()?;
    let network = client.network()?;
    let asset = asset(&network)?.clone();
    let buyer = account(&network, &wallet, args.chain.as_ref())?;
    let contents = Contents::read(args)?;
    let (order, quote) = terms(args, &client, buyer, &contents, &asset)?;
    let mut bought = Bought {
        job: None,
        index: None,
        network_id: network.network_id.clone(),
        order: order_info(&order),
        quote,
        outcome: None,
        asset,
        rehearsed: network.rehearsed.clone(),
    };
    if args.dry_run {
        return output.show(&bought, text);
    }
    afford(&bought)?;
    output.say(quote_text(&bought));
    for bytes in contents.all() {
        client.put_blob(bytes)?;
    }
    let signed = by_wallet(&client, &network, (&wallet, &args.wallet), Body::Order(order))?;
    let job = JobId(signed.payload);
    (bought.job, bought.index) = (Some(job.to_string()), Some(signed.index));
    if !args.wait && args.output.is_none() {
        return output.show(&bought, text);
    }
    output.say(format!("job {job} is ordered by entry {}", signed.index));
    match result(&client, &network, &job, args.output.as_deref(), output) {
        Ok(found) => {
            bought.outcome = Some(found);
            output.show(&bought, text)
        }
        // What was ordered is worth knowing, whatever came of it.
        Err(failure) => output.show_wrong(&bought, text, failure),
    }
}

fn result(
    client: &Client,
    network: &NetworkInfo,
    job: &JobId,
    file: Option<&Path>,
    output: Output,
) -> Result<Outcome, Failure> {
    let info: JobInfo = await_done(client, job, output)?;
    let (found, bytes) = outcome(client, network, job, &info)?;
    if let Some(file) = file {
        write_file(file, &bytes)?;
    }
    found.checked()
}

/// What the order names by hash.
struct Contents {
    module: Vec<u8>,
    inputs: Vec<Vec<u8>>,
}

impl Contents {
    fn read(args: &Args) -> Result<Self, Failure> {
        let read = |path: &PathBuf| std::fs::read(path).map_err(|error| Failure::io("read", path, &error));
        Ok(Self { module: read(&args.module)?, inputs: args.input.iter().map(read).collect::<Result<_, _>>()? })
    }

    fn all(&self) -> impl Iterator<Item = &Vec<u8>> {
        core::iter::once(&self.module).chain(&self.inputs)
    }

    /// The profile that the module is run under; what could not be run is told before it is paid for.
    fn profile(&self, args: &Args) -> Result<RunProfile, Failure> {
        let with = |profile| instrument(&self.module, profile, args.pages).map(drop);
        let runs = match args.profile {
            ProfileArg::DetInt => with(Profile::DetInt).map(|()| RunProfile::DetInt),
            ProfileArg::DetFloat => with(Profile::DetFloat).map(|()| RunProfile::DetFloat),
            ProfileArg::Auto => match with(Profile::DetInt) {
                Ok(()) => Ok(RunProfile::DetInt),
                Err(Refusal::Floats) => with(Profile::DetFloat).map(|()| RunProfile::DetFloat),
                Err(why) => Err(why),
            },
        };
        runs.map_err(|why: Refusal| {
            let hint = match why {
                Refusal::Floats => "allow them with --profile det-float",
                Refusal::Memory => "allow more with --pages",
                _ => "the reference of compute says what a module may be",
            };
            Failure::wrong(why.code(), format!("{}: {}", args.module.display(), why.text())).hint(hint)
        })
    }
}

/// The order, and what it would meet.
fn terms(
    args: &Args,
    client: &Client,
    buyer: Account,
    contents: &Contents,
    asset: &AssetInfo,
) -> Result<(Order, QuoteInfo), Failure> {
    let blob = |bytes: &Vec<u8>| Blob { hash: Hash::of(bytes), bytes: bytes.len() as u64 };
    let bad = |error| Failure::usage("NET-NAME", error);
    let commit_ms = duration_ms(&args.within)
        .ok_or_else(|| Failure::usage("NET-DURATION", format!("`{}` is no duration, such as 10m", args.within)))?;
    let named = |text: &Option<String>| text.as_deref().map(|text| amount(text, asset)).transpose();
    let (price, most) = (named(&args.price)?, named(&args.most)?);
    let mut order = Order {
        buyer,
        module: blob(&contents.module),
        inputs: contents.inputs.iter().map(blob).collect(),
        arguments: args.argument.clone().into_bytes(),
        gas_table: GAS_TABLE,
        profile: contents.profile(args)?,
        gas: args.gas,
        pages: args.pages,
        output_bytes: args.output_bytes,
        price: price.unwrap_or(ANY_PRICE),
        replicas: args.replicas,
        sample: Ppm::of(args.sample).unwrap_or(Ppm::FULL),
        commit_ms,
        most: most.unwrap_or(ANY_LOCK),
        refund: args.refund.as_deref().map(Account::parse).transpose().map_err(bad)?,
    };
    let mut quote = client.quote(&order_info(&order))?;
    if price.is_none() {
        // The dearest of the cheapest that suffice: nobody dearer is drawn then.
        let enough = quote.workers.get(usize::from(args.replicas) - 1).map(|worker| Amount::parse(&worker.price));
        order.price = enough.and_then(Result::ok).unwrap_or(order.price);
        quote = client.quote(&order_info(&order))?;
    }
    if most.is_none() {
        order.most = Amount::parse(&quote.locked).map_err(|error| Failure::failed("NET-ANSWER", error))?;
    }
    Ok((order, quote))
}

fn afford(bought: &Bought) -> Result<(), Failure> {
    let units = |text: &str| Amount::parse(text).unwrap_or_default();
    let Bought { quote, asset, order, .. } = bought;
    if units(&quote.locked) <= units(&quote.credit) {
        return Ok(());
    }
    let money = |text: &str| tokens(text, asset.decimals, &asset.symbol);
    let what =
        format!("up to {} would be locked, and {} has {}", money(&quote.locked), order.buyer, money(&quote.credit));
    Err(Failure::wrong("CMP-CREDIT", what)
        .hint("pay in more on the account's chain, or order less: --gas, --replicas, --price"))
}

fn quote_text(bought: &Bought) -> String {
    let Bought { quote, asset, order, .. } = bought;
    let money = |text: &str| tokens(text, asset.decimals, &asset.symbol);
    let mut text =
        format!("{} of these would do it, at most at {} for 10^9 gas:\n", quote.replicas, money(&order.price));
    for worker in &quote.workers {
        text.push_str(&format!("  worker   {} at {}, score {}\n", worker.device, money(&worker.price), worker.score));
    }
    for licence in &quote.licences {
        let (price, share) = (money(&licence.price), licence.share_ppm);
        text.push_str(&format!("  licence  {}: {price} and {share} ppm to {}\n", licence.content, licence.owner));
    }
    text.push_str(&format!("  gas      {} at most, {}\n", order.gas, order.profile));
    text.push_str(&format!("  locked   {} at most, of a credit of {}\n", money(&quote.locked), money(&quote.credit)));
    text.push_str(&format!(
        "  checked  with a chance of {} ppm at least, sealed within {}\n",
        quote.sample_ppm,
        duration(order.commit_ms)
    ));
    text
}

fn text(bought: &Bought) -> String {
    let Some((job, index)) = bought.job.as_ref().zip(bought.index) else {
        return quote_text(bought) + "nothing was ordered\n";
    };
    let mut text = format!("job {job} is ordered by entry {index}\n");
    match &bought.outcome {
        Some(found) => text.push_str(&found.text()),
        None => text.push_str(&format!("wait for it: cairn job result {job} --wait\n")),
    }
    text
}
