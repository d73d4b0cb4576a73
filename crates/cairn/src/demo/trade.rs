//! The live part of the demo: this machine sells the run of a module to a buyer, and is paid for it.
//!
//! The owner of a station burns some of what it earned for credit in the log, orders tomorrow's PM10 at its place, and gets it from
//! a worker that was enrolled just now: the code that `cairn node run` runs. Three auditors run the job again, as they must
//! for a worker that nobody knows, the epoch closes, and the sale pays the worker and the owner of the model. At the end the
//! buyer runs the job itself and compares every byte. Here are a client's steps over HTTP and the demo's clock; the
//! shares of the chain are in `settle`.

mod worker;

use std::sync::Arc;

use cairn_api::NetworkInfo;
use cairn_client::Client;
use cairn_core::cbor::CborError;
use cairn_core::epoch::EpochStatement;
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::sale::Sale;
use cairn_core::statement::{Blob, Body, Draft, Licence, Order, RunProfile};
use cairn_core::wallet::WalletKey;
use cairn_core::{Amount, Domain, Hash, JobId, NetworkId, Ppm};
use cairn_ledger::split_rows;
use cairn_merkle::tree::{leaf_hash, root};
use cairn_node::{Contents, Gateway, Network, read_order, run_order};
use cairn_settle::EvmAddress;
use serde::Serialize;

use self::worker::LiveWorker;
use super::cast::{Cast, Device};
use super::forecast::{Answer, Question};
use super::replay::await_checkpoint;
use super::settle::{Live, OnChain};
use crate::config::Folder;
use crate::dataset::Dataset;
use crate::failure::Failure;
use crate::settle::place::address_of;
use crate::submission::accepted_index;

/// What the buyer pays in, and the most that the job may lock: whole tokens.
const DEPOSIT_TOKENS: u128 = 20;
/// What the worker asks for 10^9 gas, in whole tokens: a forecast takes about a quarter of a million gas.
const PRICE_TOKENS: u128 = 10_000;
/// What the model's owner asks for a job, in whole tokens, besides a tenth of the price of the work.
const LICENCE_TOKENS: u128 = 1;
const LICENCE_SHARE: u32 = 100_000;
/// The most gas of the job.
const GAS: u64 = 1_000_000;
/// Its memory, in pages of 64 KiB.
const PAGES: u32 = 16;
/// Its output: two numbers of four bytes, or the reason why there are none.
const OUTPUT_BYTES: u32 = 128;
/// How long the worker has to commit.
const COMMIT_MS: u64 = 3_600_000;
/// How long what is said stays open.
const DAY_MS: u64 = 86_400_000;

/// Where it is played.
pub struct Trade<'a> {
    /// The gateway.
    pub client: &'a Client,
    /// The network's folder.
    pub folder: &'a Folder,
    /// The network.
    pub network: NetworkId,
    /// Its chain.
    pub chain: &'a Domain,
    /// Who moves its clock.
    pub clock: &'a SecretKey,
    /// Who runs jobs again.
    pub auditors: &'a [WalletKey],
    /// When an epoch closes, ms since 1970 UTC, by its number.
    pub closes_ms: &'a dyn Fn(u64) -> u64,
    /// Whose stations there are.
    pub cast: &'a Cast,
    /// What they measured.
    pub dataset: &'a Dataset,
    /// What came of it; nothing before it was played.
    pub traded: Option<Traded>,
    /// Whom the model belongs to, and what he had before it was used.
    owner: Option<(EvmAddress, u128)>,
    /// Whom the worker is paid through.
    worker: Option<EvmAddress>,
}

/// What was bought, or why nothing was.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Traded {
    /// A forecast.
    Bought(Box<Bought>),
    /// Nothing.
    Nothing {
        /// Why.
        nothing_bought: String,
    },
}

/// A forecast that was bought live.
#[derive(Debug, Serialize)]
pub struct Bought {
    /// The job.
    pub job: String,
    /// The station that it is about.
    pub station: String,
    /// Whose owner buys.
    pub buyer: String,
    /// The worker: this machine.
    pub worker: String,
    /// Whom the worker is paid through.
    pub worker_account: String,
    /// Whom the model belongs to.
    pub model_account: String,
    /// SHA-256 of the module, the model and the features.
    pub contents: [String; 3],
    /// Base units that the buyer burned for credit.
    pub deposited: String,
    /// Base units that the order locked.
    pub locked: String,
    /// Base units of the work, burned ones included.
    pub work: String,
    /// Base units of the fee that were burned.
    pub burned: String,
    /// Base units for the worker.
    pub worker_due: String,
    /// Base units for the model.
    pub licence: String,
    /// Base units that went back to the buyer's credit.
    pub returned: String,
    /// Gas.
    pub gas: u64,
    /// SHA-256 of the output.
    pub output: String,
    /// Auditors that ran the job again and found the same.
    pub replays: usize,
    /// The epoch whose statement holds the sale.
    pub epoch: u64,
    /// Base units that the token has for the worker's account in the end, and how many more than before for the model's owner.
    pub paid_on_chain: [String; 2],
    /// Whether the buyer's own run gave the same, byte for byte; the sale is under the statement's root and balances; and the
    /// chain paid what it says.
    pub agrees: bool,
    /// What was forecast.
    pub forecast: Forecast,
}

/// A forecast beside what is known, in 0.1 ug/m3.
#[derive(Debug, Serialize)]
pub struct Forecast {
    /// The recording's last day, in days since 1970.
    pub last_day: u32,
    /// What was forecast for it.
    pub said: i32,
    /// What was measured.
    pub measured: u16,
    /// What was measured the day before, which is the forecast of those who expect no change.
    pub before: u16,
    /// What was forecast for the day after it, which the recording does not have.
    pub tomorrow: i32,
}

impl Live for Trade<'_> {
    fn earned(&mut self, on_chain: &mut OnChain<'_>) -> Result<(), Failure> {
        self.traded = Some(self.play(on_chain)?);
        Ok(())
    }

    fn settled(&mut self, on_chain: &OnChain<'_>) -> Result<(), Failure> {
        let (Some(Traded::Bought(bought)), Some(worker), Some((owner, before))) =
            (&mut self.traded, self.worker, self.owner)
        else {
            return Ok(());
        };
        let (worker, owner) = (on_chain.balance(worker)?, on_chain.balance(owner)?.saturating_sub(before));
        bought.agrees &= bought.worker_due == worker.to_string() && bought.licence == owner.to_string();
        bought.paid_on_chain = [worker, owner].map(|units| units.to_string());
        Ok(())
    }
}

impl<'a> Trade<'a> {
    /// Nothing played yet.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "the whole stage")]
    pub const fn on(
        client: &'a Client,
        folder: &'a Folder,
        network: NetworkId,
        chain: &'a Domain,
        clock: &'a SecretKey,
        auditors: &'a [WalletKey],
        closes_ms: &'a dyn Fn(u64) -> u64,
        cast: &'a Cast,
        dataset: &'a Dataset,
    ) -> Self {
        let (traded, owner, worker) = (None, None, None);
        Self { client, folder, network, chain, clock, auditors, closes_ms, cast, dataset, traded, owner, worker }
    }

    fn play(&mut self, on_chain: &mut OnChain<'_>) -> Result<Traded, Failure> {
        let nothing = |why: &str| Ok(Traded::Nothing { nothing_bought: why.to_owned() });
        let cast = self.cast;
        let info = self.client.network()?;
        let token = 10u128.pow(info.asset.as_ref().map_or(0, |asset| asset.decimals).into());
        let rich = by_balance(on_chain, cast)?;
        let Some(question) = Question::about(self.dataset, rich.iter().map(|(_, station)| *station)) else {
            return nothing("no station has PM10 and eight neighbours on the recording's last two days");
        };
        let held = rich.iter().find(|(_, station)| *station == question.station).map_or(0, |(held, _)| *held);
        let owner = rich.iter().find(|(_, station)| *station != question.station);
        let Some((before, owner)) = owner.filter(|_| held >= DEPOSIT_TOKENS * token) else {
            return nothing("the station's owner has not earned enough to buy anything");
        };
        let (buyer, owner) = (&cast.stations[question.station], &cast.stations[*owner]);
        self.pay_in(on_chain, buyer.wallet(), DEPOSIT_TOKENS * token, &info)?;
        self.license(owner, token, &info)?;
        let mut worker = self.hire(buyer, token, &info)?;
        let contents = self.leave(&question)?;
        let job = self.order(buyer, contents, token)?;
        worker.work(&job)?;
        self.replay()?;
        let epoch = self.client.network()?.epoch;
        self.until((self.closes_ms)(epoch))?;
        // Auditors sign what is under a checkpoint.
        await_checkpoint(self.client)?;
        self.owner = Some((address_of(owner.wallet()), *before));
        self.worker = Some(address_of(worker.wallet()));
        let bought = self.receipt(&job, &question, [buyer, owner], &worker, epoch)?;
        Ok(Traded::Bought(Box::new(Bought { deposited: (DEPOSIT_TOKENS * token).to_string(), ..bought })))
    }

    /// The buyer burns tokens, and the observer says so in the log.
    fn pay_in(
        &self,
        on_chain: &mut OnChain<'_>,
        wallet: &WalletKey,
        amount: u128,
        info: &NetworkInfo,
    ) -> Result<(), Failure> {
        on_chain.deposit(wallet, amount)?;
        let due = info.deposits.get(self.chain.as_str()).copied().unwrap_or_default();
        on_chain.observe(self.client, &self.network, self.chain, due)
    }

    /// The owner of the model says what its use costs.
    fn license(&self, owner: &Device, token: u128, info: &NetworkInfo) -> Result<(), Failure> {
        let licence = Licence {
            owner: owner.account.clone(),
            content: Hash::of(cairn_jobs::PM10_MODEL),
            price: Amount(LICENCE_TOKENS * token),
            share: Ppm::of(LICENCE_SHARE).expect("a tenth"),
            modules: vec![Hash::of(cairn_jobs::INFERENCE)],
            until_ms: info.time_ms + 365 * DAY_MS,
        };
        self.say(Body::Licence(licence), owner.wallet()).map(drop)
    }

    /// Enrols this machine as a worker, which makes its offer.
    fn hire(&self, buyer: &Device, token: u128, info: &NetworkInfo) -> Result<LiveWorker, Failure> {
        let network: Arc<dyn Network> = Arc::new(Gateway::of(self.client.clone()));
        let mut worker = LiveWorker::enrol(
            self,
            buyer.cell(info.h3_resolution),
            Amount(PRICE_TOKENS * token),
            network,
            info.time_ms,
        )?;
        worker.offer()?;
        Ok(worker)
    }

    /// Leaves module, model and features with the gateway.
    fn leave(&self, question: &Question) -> Result<[Blob; 3], Failure> {
        let leave = |bytes: &[u8]| self.client.put_blob(bytes);
        Ok([leave(cairn_jobs::INFERENCE)?, leave(cairn_jobs::PM10_MODEL)?, leave(&question.rows)?])
    }

    fn order(&self, buyer: &Device, [module, model, rows]: [Blob; 3], token: u128) -> Result<JobId, Failure> {
        let order = Order {
            buyer: buyer.account.clone(),
            module,
            inputs: vec![model, rows],
            arguments: Vec::new(),
            gas_table: cairn_wasm::GAS_TABLE,
            profile: RunProfile::DetInt,
            gas: GAS,
            pages: PAGES,
            output_bytes: OUTPUT_BYTES,
            price: Amount(PRICE_TOKENS * token),
            replicas: 1,
            sample: Ppm::FULL,
            commit_ms: COMMIT_MS,
            most: Amount(DEPOSIT_TOKENS * token),
            refund: None,
        };
        self.say(Body::Order(order), buyer.wallet()).map(JobId)
    }

    /// Says a statement by a wallet; the hash of its payload.
    fn say(&self, body: Body, wallet: &WalletKey) -> Result<Hash, Failure> {
        let now_ms = self.client.network()?.time_ms;
        let draft = Draft::of(Some(self.network), body, now_ms.max(1), now_ms.saturating_add(DAY_MS));
        let statement = draft.signed_by_wallet(wallet).finish();
        accepted_index(&self.client.submit_statement(&statement.encode())?)?;
        Ok(statement.payload_hash())
    }

    /// Every auditor runs again what was drawn.
    fn replay(&self) -> Result<(), Failure> {
        for (place, key) in self.auditors.iter().enumerate() {
            let own = self.folder.root().join("auditors").join((place + 1).to_string()).join("replays");
            worker::replay(self, key, &own)?;
        }
        Ok(())
    }

    /// Moves the recorded clock.
    fn until(&self, time_ms: u64) -> Result<(), Failure> {
        let observation = sign_observation(self.clock, &self.network, &ObservationBody::clock(time_ms));
        accepted_index(&self.client.submit_observation(&observation)?).map(drop)
    }

    /// What the buyer has in the end: the result, run again by itself, and the sale under the epoch's statement.
    fn receipt(
        &self,
        job: &JobId,
        question: &Question,
        [buyer, owner]: [&Device; 2],
        worker: &LiveWorker,
        epoch: u64,
    ) -> Result<Bought, Failure> {
        let info = self.client.job(job)?;
        let order = read_order(job, &info, &self.network)?;
        let bytes = |blob: &Blob| self.client.get_blob(blob);
        let contents = Contents {
            module: bytes(&order.module)?,
            inputs: order.inputs.iter().map(bytes).collect::<Result<_, _>>()?,
        };
        let found = run_order(job, &order, &contents, &mut || false)
            .map_err(|missed| Failure::failed("NET-DEMO", format!("the buyer's own run: {missed:?}")))?;
        let digest = found.result.digest(order.gas_table, job).to_hex();
        let served = bytes(&Blob { hash: found.result.output, bytes: found.result.output_bytes })?;
        let replays = info.replays.iter().filter(|replay| replay.digest == digest).count();
        let (sale, is_stated) = self.sale(job, epoch)?;
        let answer = Answer::read(&found.output)
            .ok_or_else(|| Failure::failed("NET-DEMO", "the job's output is no forecast"))?;
        let amount = |amount: Option<Amount>| amount.unwrap_or_default().to_string();
        Ok(Bought {
            job: job.to_string(),
            station: buyer.name.clone(),
            buyer: buyer.account.to_string(),
            worker: worker.device().to_string(),
            worker_account: worker.account().to_string(),
            model_account: owner.account.to_string(),
            contents: [order.module.hash, order.inputs[0].hash, order.inputs[1].hash].map(|hash| hash.to_hex()),
            deposited: String::new(),
            locked: sale.locked.to_string(),
            work: amount(sale.work_total()),
            burned: amount(sale.burned()),
            worker_due: amount(Amount::checked_sum(sale.work.iter().map(cairn_core::sale::WorkSold::paid))),
            licence: amount(sale.licence_total()),
            returned: sale.returned.to_string(),
            gas: found.result.gas,
            output: found.result.output.to_hex(),
            replays,
            epoch,
            paid_on_chain: [String::new(), String::new()],
            agrees: is_stated && served == found.output && sale.work.iter().any(|sold| sold.gas == found.result.gas),
            forecast: Forecast {
                last_day: question.last_day,
                said: answer.last_day,
                measured: question.measured,
                before: question.before,
                tomorrow: answer.tomorrow,
            },
        })
    }

    /// The sale of a job, and whether it is under the root of the epoch's statement and balances.
    fn sale(&self, job: &JobId, epoch: u64) -> Result<(Sale, bool), Failure> {
        let bad = |error: CborError| Failure::wrong("NET-TABLE", format!("what the gateway served: {error}"));
        let statement = EpochStatement::decode(&self.client.epoch_bytes(epoch)?).map_err(bad)?;
        let table = self.client.sale_rows(epoch)?;
        let rows = split_rows(&table).map_err(bad)?;
        let leaves: Vec<Hash> = rows.iter().map(|row| leaf_hash(row)).collect();
        let is_stated = statement.sales.is_some_and(|sales| sales.root == root(&leaves));
        let sales = rows.into_iter().map(Sale::decode).collect::<Result<Vec<_>, _>>().map_err(bad)?;
        let sale = sales.into_iter().find(|sale| sale.job == *job);
        let sale =
            sale.ok_or_else(|| Failure::failed("NET-DEMO", format!("epoch {epoch} did not settle job {job}")))?;
        let is_stated = is_stated && sale.balances();
        Ok((sale, is_stated))
    }
}

/// What the owners of the stations hold on the chain, most first.
fn by_balance(on_chain: &OnChain<'_>, cast: &Cast) -> Result<Vec<(u128, usize)>, Failure> {
    let held = |(place, station): (usize, &Device)| Ok((on_chain.balance(address_of(station.wallet()))?, place));
    let mut rich = cast.stations.iter().enumerate().map(held).collect::<Result<Vec<_>, Failure>>()?;
    rich.sort_by_key(|(held, place)| (core::cmp::Reverse(*held), *place));
    Ok(rich)
}
