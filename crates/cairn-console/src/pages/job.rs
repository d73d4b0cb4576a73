//! A job from order to receipt: what was ordered, why these workers, what they and the auditors said, the verdicts, and what
//! became of the money.
//!
//! While the market has the job, everything is shown; a job that is long settled has its order, its lottery, its verdicts and
//! its sale, and the entries that they name have the rest.

mod shown;

use cairn_api::{DrawInfo, JobInfo, OrderInfo, ReplayInfo, SaleProof, VerdictInfo, WordInfo};
use cairn_core::{DeviceId, Hash, JobId};
use cairn_ledger::{Drawing, Drawn};
use cairn_merkle::proof::verify_inclusion;
use cairn_merkle::tree::leaf_hash;
use data_encoding::HEXLOWER;
use maud::Markup;
use serde::Serialize;

use super::{Page, in_base_units};
use crate::address::Address;
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::money::Money;
use crate::reader::Reader;
use crate::source::Source;
use crate::work::Ordered;

/// The page of a job.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Job {
    #[serde(skip)]
    source: Source,
    job: String,
    asset: Money,
    /// Where it stands: `committing`, `revealing`, `done`, `settled`.
    phase: String,
    /// The order's entry, and when it came, ms since 1970 UTC.
    index: u64,
    received_ms: u64,
    order: OrderInfo,
    /// What was set aside for it, base units.
    locked: String,
    /// Until when workers may seal and show results, ms since 1970 UTC; `null` of a job that is long settled.
    until_ms: Option<(u64, u64)>,
    /// The lottery.
    lottery: Lottery,
    /// The workers, in the order of the lottery.
    workers: Vec<Worker>,
    /// That it is to be run again, or was.
    draw: Option<DrawInfo>,
    /// What auditors said.
    replays: Vec<ReplayInfo>,
    /// The digest that a quorum of them said first.
    truth: Option<String>,
    /// The epoch that settled it, what became of what was set aside, and the proof.
    receipt: Option<Receipt>,
}

/// Why these workers.
#[derive(Debug, Clone, Serialize)]
struct Lottery {
    /// The log's root before the order, the leaf hash of its entry, and SHA-256 of both; `null` where it was not drawn again.
    root: Option<String>,
    leaf: Option<String>,
    seed: Option<String>,
    /// Offers that there were.
    offers: Option<u64>,
    /// Among whom was drawn, in the order of their numbers.
    candidates: Vec<Candidate>,
    /// Why it was not drawn again.
    untold: Option<&'static str>,
}

/// One among whom was drawn.
#[derive(Debug, Clone, Serialize)]
struct Candidate {
    device: String,
    owner: String,
    /// Base units for 10^9 gas.
    price: String,
    /// Right results that were remembered of it when the order came.
    score: u32,
    /// Its number in the lottery.
    number: String,
    /// Whether it was among the first.
    chosen: bool,
}

/// A worker of the job.
#[derive(Debug, Clone, Serialize)]
struct Worker {
    device: String,
    owner: Option<String>,
    payee: Option<String>,
    /// Its price when it was assigned, base units for 10^9 gas.
    price: Option<String>,
    /// What it said; `null` of a job that is long settled.
    word: Option<WordInfo>,
    /// What the judge said of it.
    verdict: Option<VerdictInfo>,
}

/// What became of what was set aside.
#[derive(Debug, Clone, Serialize)]
struct Receipt {
    #[serde(flatten)]
    sale: SaleProof,
    /// Whether the proof leads from the sale to the root in the epoch's statement, checked while this page was made.
    holds: bool,
}

impl Lottery {
    fn of(drawn: Drawn) -> (Self, Option<std::sync::Arc<Drawing>>) {
        let (drawing, untold) = match drawn {
            Drawn::Again(drawing) => (Some(drawing), None),
            Drawn::Busy => (None, Some("another lottery is being drawn again just now: load this page once more")),
            Drawn::TooFar => (None, Some("too much of the log would have to be followed again to show it here")),
        };
        let told = drawing.as_deref();
        let chosen = told.map_or(0, |drawing| usize::from(drawing.order.replicas));
        let candidates =
            told.into_iter().flat_map(|drawing| &drawing.candidates).enumerate().map(|(at, one)| Candidate {
                device: one.device.to_string(),
                owner: one.worker.owner.to_string(),
                price: one.price.to_string(),
                score: one.worker.score,
                number: one.lottery.to_hex(),
                chosen: at < chosen,
            });
        let lottery = Self {
            root: told.map(|drawing| drawing.root.to_hex()),
            leaf: told.map(|drawing| drawing.leaf.to_hex()),
            seed: told.map(|drawing| drawing.seed.to_hex()),
            offers: told.map(|drawing| drawing.offers),
            candidates: candidates.collect(),
            untold,
        };
        (lottery, drawing)
    }
}

impl Receipt {
    fn of(reader: &Reader<'_>, sale: SaleProof) -> Result<Self, ConsoleError> {
        let stated = reader.closed()?.statement(sale.epoch.number)?.sales.map(|sales| sales.root);
        let proof = &sale.proof;
        let path: Option<Vec<Hash>> = proof.proof.iter().map(|hash| Hash::from_hex(hash)).collect();
        let holds = match (HEXLOWER.decode(proof.leaf.as_bytes()), path, stated) {
            (Ok(leaf), Some(path), Some(root)) => {
                verify_inclusion(leaf_hash(&leaf), proof.index, proof.size, root, &path).is_ok()
            }
            _ => false,
        };
        Ok(Self { sale, holds })
    }
}

impl Job {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`] for a job that was never ordered, was taken back, or is settled too long ago to be found without its
    /// epoch.
    pub fn read(reader: &Reader<'_>, id: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["epoch"])?;
        let (job, epoch) = (JobId::parse(id)?, address.number("epoch")?);
        let info = reader.job(&job)?;
        let settled = info.as_ref().and_then(|info| info.settled.as_ref()).map(|settled| settled.epoch.number);
        let is_open = info.is_some() && settled.is_none();
        let sale = if is_open { None } else { reader.sale_of(&job, settled.or(epoch))? };
        let mut page = match (info, &sale) {
            (Some(info), _) => Self::standing(reader, &job, info)?,
            (None, Some(sale)) => Self::long_settled(reader, &job, sale)?,
            (None, None) => {
                let detail = format!(
                    "there is no job {job}: it was never ordered, was taken back, or is settled so long \
                    ago that it is found only from the page of the epoch that settled it"
                );
                return Err(ConsoleError::not_there("NET-NO-JOB", detail));
            }
        };
        if let Some(sale) = sale {
            let epoch = sale.epoch.number;
            for worker in &mut page.workers {
                worker.verdict = reader.verdict_on(epoch, &worker.device, page.index)?;
            }
            page.source = reader.source(Some(epoch))?;
            page.asset = reader.money(Some(epoch))?;
            page.receipt = Some(Receipt::of(reader, sale)?);
        }
        Ok(page)
    }

    /// A job that the market has.
    fn standing(reader: &Reader<'_>, job: &JobId, info: JobInfo) -> Result<Self, ConsoleError> {
        let devices: Result<Vec<DeviceId>, _> = info.assigned.iter().map(|one| DeviceId::parse(&one.device)).collect();
        let (lottery, _) = Lottery::of(reader.drawing(job, info.index, Some(&devices?))?);
        let worker = |one: cairn_api::AssignedInfo| Worker {
            device: one.device,
            owner: Some(one.owner),
            payee: Some(one.payee),
            price: Some(one.price),
            word: Some(one.word),
            verdict: None,
        };
        Ok(Self {
            source: reader.source(None)?,
            job: info.job,
            asset: reader.money(None)?,
            phase: info.phase,
            index: info.index,
            received_ms: info.received_ms,
            order: info.order,
            locked: info.locked,
            until_ms: Some((info.commit_until_ms, info.reveal_until_ms)),
            lottery,
            workers: info.assigned.into_iter().map(worker).collect(),
            draw: info.draw,
            replays: info.replays,
            truth: info.truth,
            receipt: None,
        })
    }

    /// A job that the market has forgotten: the lottery tells its workers, or at least the sale those that were right.
    fn long_settled(reader: &Reader<'_>, job: &JobId, sale: &SaleProof) -> Result<Self, ConsoleError> {
        let sold = &sale.sale;
        let none =
            || ConsoleError::not_there("NET-NO-JOB", format!("entry {} is not the order of job {job}", sold.order));
        let Ordered { index, received_ms, order } = reader.order_at(job, sold.order)?.ok_or_else(none)?;
        let (lottery, drawing) = Lottery::of(reader.drawing(job, index, None)?);
        let unheard =
            |device: String| Worker { device, owner: None, payee: None, price: None, word: None, verdict: None };
        let workers = match drawing {
            Some(drawing) => {
                let chosen = drawing.candidates.iter().take(drawing.order.replicas.into());
                let worker = |one: &cairn_classes::compute::Candidate| Worker {
                    owner: Some(one.worker.owner.to_string()),
                    payee: Some(one.worker.payee.to_string()),
                    price: Some(one.price.to_string()),
                    ..unheard(one.device.to_string())
                };
                chosen.map(worker).collect()
            }
            None => sold.work.iter().map(|work| unheard(work.device.clone())).collect(),
        };
        Ok(Self {
            source: reader.source(None)?,
            job: job.to_string(),
            asset: reader.money(None)?,
            phase: "settled".to_owned(),
            index,
            received_ms,
            order,
            locked: sold.locked.clone(),
            until_ms: None,
            lottery,
            workers,
            draw: None,
            replays: Vec::new(),
            truth: None,
            receipt: None,
        })
    }

    /// What was sold of a worker's work.
    fn sold(&self, device: &str) -> Option<&cairn_api::WorkSoldInfo> {
        self.receipt.as_ref()?.sale.sale.work.iter().find(|work| work.device == device)
    }
}

impl Page for Job {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        format!("Job {}", self.job)
    }

    fn main(&self) -> Markup {
        self.shown()
    }

    fn table(&self) -> Table {
        let columns = &[
            "worker",
            "owner",
            "price",
            "number",
            "said",
            "outcome",
            "gas",
            "output",
            "digest",
            "verdict",
            "score_ppm",
            "work",
            "burned",
            "paid_to",
        ];
        let row = |worker: &Worker| {
            let number = self.lottery.candidates.iter().find(|one| one.device == worker.device);
            let (said, result) = match &worker.word {
                None => ("", None),
                Some(WordInfo::Silent) => ("nothing", None),
                Some(WordInfo::Committed { .. }) => ("committed", None),
                Some(WordInfo::Revealed { result, .. }) => ("revealed", Some(result)),
                Some(WordInfo::Declined { .. }) => ("declined", None),
            };
            let of = |text: Option<&String>| text.cloned().unwrap_or_default();
            let told = |text: Option<String>| text.unwrap_or_default();
            let sold = self.sold(&worker.device);
            let verdict = worker.verdict.as_ref();
            vec![
                worker.device.clone(),
                of(worker.owner.as_ref()),
                of(worker.price.as_ref()),
                of(number.map(|one| &one.number)),
                said.to_owned(),
                told(result.map(|result| result.outcome.to_string())),
                told(result.map(|result| result.gas.to_string())),
                of(result.map(|result| &result.output.hash)),
                of(result.map(|result| &result.digest)),
                of(verdict.and_then(|verdict| verdict.reasons.first()).map(|reason| &reason.code)),
                told(verdict.map(|verdict| verdict.score_ppm.to_string())),
                of(sold.map(|sold| &sold.work)),
                of(sold.map(|sold| &sold.burned)),
                of(sold.map(|sold| &sold.account)),
            ]
        };
        let table = Table::of(columns, self.workers.iter().map(row).collect())
            .noting(format!("job {}, order at entry {}, {}", self.job, self.index, self.phase))
            .noting(in_base_units(&self.asset))
            .noting(format!("set aside: {}", self.locked));
        match &self.receipt {
            Some(receipt) => table.noting(format!("settled in epoch {}", receipt.sale.epoch.number)),
            None => table.noting("as the log stands now; no statement says these yet"),
        }
    }
}
