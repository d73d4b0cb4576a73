//! The markup of a job's page.

use cairn_api::{BlobInfo, ReasonInfo, SaleInfo, VerdictInfo, WordInfo};
use maud::{Markup, html};

use super::{Candidate, Job, Receipt, Worker};
use crate::markup::link;
use crate::markup::table::{facts, numbers, table, words};
use crate::pages::jobs::stands;
use crate::words::{count, duration, grouped};

/// Hexadecimal digits of arguments that are shown; the JSON twin has all.
const ARGUMENTS_SHOWN: usize = 256;

/// A number, so that it can be read.
fn many(number: u64) -> String {
    grouped(&number.to_string())
}

fn blob(blob: &BlobInfo) -> Markup {
    html! { (link::code(&blob.hash)) ", " (count(blob.bytes, "byte", "bytes")) }
}

/// What an outcome's number means; the reference of compute has them all.
fn outcome(number: u32) -> Markup {
    html! {
        @match number {
            0 => "done",
            1 => "out of gas",
            2..=256 => { "stopped by itself (outcome " (number) ")" },
            _ => { "could not be run (outcome " (number) ")" },
        }
    }
}

/// Why a worker declined.
fn declined(reason: u32) -> &'static str {
    match reason {
        1 => "declined: the module or an input was not to be had",
        2 => "declined: no room",
        3 => "declined: its host failed",
        _ => "declined",
    }
}

impl Job {
    pub(super) fn shown(&self) -> Markup {
        html! {
            p {
                "This job: " (stands(&self.phase, self.draw.as_ref().map(|draw| draw.cause.as_str())))
                @if let Some(receipt) = &self.receipt { " by epoch " (link::epoch(receipt.sale.epoch.number)) }
                "."
            }
            @if self.receipt.is_none() {
                p.quiet { "As the log stands now. No statement says these yet: the epoch that settles the job will." }
            }
            (self.ordered())
            (self.why())
            (self.said())
            (self.again())
            (self.verdicts())
            @if let Some(receipt) = &self.receipt { (self.receipt(receipt)) }
            nav.pager aria-label="Other jobs" { a href="/jobs" rel="up" { "All jobs" } }
        }
    }

    fn ordered(&self) -> Markup {
        let order = &self.order;
        let mut rows = vec![
            ("Buyer", link::account(&order.buyer)),
            ("Order", html! { "entry " (link::entry(self.index)) ", " (link::time(self.received_ms)) }),
            ("Program", blob(&order.module)),
        ];
        rows.extend(order.inputs.iter().map(|input| ("Input", blob(input))));
        let cut = order.arguments.get(..ARGUMENTS_SHOWN);
        let arguments =
            html! { (link::code(cut.unwrap_or(&order.arguments))) @if cut.is_some() { " … the JSON twin has all" } };
        if !order.arguments.is_empty() {
            rows.push(("Arguments", arguments));
        }
        let arithmetic = if order.profile == "det-float" {
            "with floating-point numbers, made deterministic"
        } else {
            "whole numbers only"
        };
        rows.extend([
            ("Runs with", html! { (order.profile) ": " (arithmetic) "; gas table " (order.gas_table) }),
            ("At most", html! {
                (many(order.gas)) " gas, " (order.pages) " pages of memory of 64 KiB, " (count(order.output_bytes.into(), "byte", "bytes")) " of output"
            }),
            ("Price", html! { "at most " (self.asset.of(&order.price)) " for 1\u{202f}000\u{202f}000\u{202f}000 gas" }),
            ("Workers", html! { (order.replicas) }),
            ("Run again by auditors", html! { "with a chance of at least " (link::ppm(order.sample_ppm)) ", and always when workers differ" }),
            ("Time to seal a result", html! { (duration(order.commit_ms)) }),
            ("Set aside (escrow)", html! { (self.asset.of(&self.locked)) ", of at most " (self.asset.of(&order.most)) }),
            ("The rest goes", html! {
                @match &order.refund { Some(account) => { "to " (link::account(account)) }, None => "back to the buyer's credit" }
            }),
        ]);
        html! {
            h2 { "What was ordered" }
            (facts(&rows))
        }
    }

    fn why(&self) -> Markup {
        let lottery = &self.lottery;
        let row = |(at, one): (usize, &Candidate)| {
            let chosen = if one.chosen {
                html! { span.good { "chosen" } }
            } else {
                html! { "not chosen" }
            };
            vec![
                html! { (at + 1) },
                link::device(&one.device),
                link::code(&one.number),
                chosen,
                self.asset.of(&one.price),
                html! { (one.score) },
                link::account(&one.owner),
            ]
        };
        let columns = [
            numbers("Place"),
            words("Worker"),
            words("Number"),
            words("Chosen"),
            numbers("Price for 10⁹ gas"),
            numbers("Score then"),
            words("Owner"),
        ];
        let rows: Vec<Vec<Markup>> = lottery.candidates.iter().enumerate().map(row).collect();
        html! {
            h2 { "Why these workers" }
            p {
                "Of the offers that fit the order the cheapest are taken, one of each owner and never the buyer's own. Among those a lottery "
                "decides: each has a number that follows from the log as it was when the order came, and the lowest are chosen. "
                "Nobody could know the numbers before, and anybody can compute them again."
            }
            @if let Some(untold) = lottery.untold {
                p.empty { "Among whom was drawn is not shown: " (untold) "." }
            } @else {
                p {
                    (count(lottery.offers.unwrap_or_default(), "offer was", "offers were")) " in force or waiting; the lottery was drawn among "
                    (lottery.candidates.len()) ". It was drawn again for this page, by the same code that drew it then"
                    @if self.workers.iter().any(|worker| worker.word.is_some()) { ", and gave the workers that the job has" }
                    "."
                }
                (table("Among whom was drawn, lowest number first", &columns, &rows, "Nobody."))
                (facts(&[
                    ("Log's root before the order", link::code(lottery.root.as_deref().unwrap_or_default())),
                    ("Leaf of the order's entry", html! { (link::code(lottery.leaf.as_deref().unwrap_or_default())) " (" (link::entry(self.index)) ")" }),
                    ("Seed: SHA-256 of both", link::code(lottery.seed.as_deref().unwrap_or_default())),
                ]))
                p.quiet {
                    "A worker's number is the SHA-256 of the CBOR list " code { "[\"cairn/assign/1\", seed, job, worker]" } "."
                }
            }
        }
    }

    fn word(&self, word: Option<&WordInfo>) -> [Markup; 4] {
        let none = || html! { span.quiet { "–" } };
        match word {
            None => [html! { span.quiet { "no longer kept: see the evidence below" } }, none(), none(), none()],
            Some(WordInfo::Silent) => [html! { "nothing" }, none(), none(), none()],
            Some(WordInfo::Committed { index, .. }) => {
                [html! { "sealed a result, entry " (link::entry(*index)) }, none(), none(), none()]
            }
            Some(WordInfo::Declined { index, reason }) => {
                [html! { (declined(*reason)) ", entry " (link::entry(*index)) }, none(), none(), none()]
            }
            Some(WordInfo::Revealed { committed, index, result }) => {
                let right = self.truth.as_ref().map(|truth| *truth == result.digest);
                let digest = html! {
                    (link::code(&result.digest))
                    @match right {
                        Some(true) => { " " span.good { "what auditors found" } },
                        Some(false) => { " " span.bad { "not what auditors found" } },
                        None => {},
                    }
                };
                [
                    html! { "sealed, entry " (link::entry(*committed)) "; showed, entry " (link::entry(*index)) },
                    html! { (outcome(result.outcome)) ", " (many(result.gas)) " gas" },
                    html! { (blob(&result.output)) },
                    digest,
                ]
            }
        }
    }

    fn said(&self) -> Markup {
        let row = |worker: &Worker| {
            let mut cells = vec![link::device(&worker.device)];
            cells.extend(self.word(worker.word.as_ref()));
            cells
        };
        let columns =
            [words("Worker"), words("Said"), words("Came out"), words("Output"), words("Digest of all of it")];
        let rows: Vec<Vec<Markup>> = self.workers.iter().map(row).collect();
        html! {
            h2 { "What the workers said" }
            p {
                "Each first seals its result, so that none can copy another's, and shows it when all have sealed"
                @if let Some((commit, reveal)) = self.until_ms {
                    ": sealing until " (link::time(commit)) ", showing until " (link::time(reveal))
                }
                ". Equal digests mean equal results, bit for bit."
            }
            (table("What the workers said", &columns, &rows, "It has no workers."))
        }
    }

    fn again(&self) -> Markup {
        let cause = |cause: &str| match cause {
            "dissent" => "its workers gave different results",
            "chance" => "the lot fell on it",
            "probation" => "its workers have not proved themselves yet",
            "suspicion" => "a worker of the same owner was found wrong elsewhere",
            _ => "of a cause that this page does not know",
        };
        let row = |replay: &cairn_api::ReplayInfo| {
            let agrees = self.truth.as_ref().map(|truth| if *truth == replay.digest { "yes" } else { "no" });
            vec![
                link::auditor(&replay.auditor),
                link::code(&replay.digest),
                link::entry(replay.index),
                html! { (agrees.unwrap_or("no quorum yet")) },
            ]
        };
        let columns = [words("Auditor"), words("Digest it found"), numbers("Entry"), words("Is the quorum's")];
        let rows: Vec<Vec<Markup>> = self.replays.iter().map(row).collect();
        html! {
            h2 { "Run again" }
            @if self.until_ms.is_none() {
                p.quiet { "What auditors said of a job is kept while it can be disputed. The verdicts below name it as evidence." }
            } @else {
                p {
                    @match &self.draw {
                        Some(draw) => { "It is run again by auditors, because " (cause(&draw.cause)) "; it waits for them until " (link::time(draw.due_ms)) "." },
                        None if self.phase == "committing" || self.phase == "revealing" => "Whether auditors run it again is decided when its workers are done.",
                        None if self.phase == "settled" => "Whether and why it was drawn is not kept once it is settled; the verdicts below say how it was checked.",
                        None => "It was not drawn to be run again. Any auditor may do so all the same until it is settled.",
                    }
                    @if let Some(truth) = &self.truth { " A quorum of auditors found " (link::code(truth)) ": that is the truth, whatever the workers' majority says." }
                }
                (table("What auditors found", &columns, &rows, "No auditor has said anything of it."))
            }
        }
    }

    fn verdicts(&self) -> Markup {
        let judged: Vec<(&Worker, &VerdictInfo)> =
            self.workers.iter().filter_map(|worker| Some((worker, worker.verdict.as_ref()?))).collect();
        let row = |(worker, verdict): &(&Worker, &VerdictInfo)| {
            let reasons = html! { @for reason in &verdict.reasons { div { (reason_told(reason)) } } };
            let evidence: std::collections::BTreeSet<u64> =
                verdict.reasons.iter().flat_map(|reason| &reason.evidence).chain(&verdict.entries).copied().collect();
            vec![
                link::device(&worker.device),
                link::ppm(verdict.score_ppm),
                reasons,
                html! { @for index in &evidence { (link::entry(*index)) " " } },
            ]
        };
        let columns = [words("Worker"), numbers("Score"), words("Why"), words("Evidence, entries")];
        let rows: Vec<Vec<Markup>> = judged.iter().map(row).collect();
        html! {
            h2 { "Verdicts" }
            (table("What the judge says of each worker", &columns, &rows, "The job is not judged yet: the close of an epoch does that."))
        }
    }

    fn receipt(&self, receipt: &Receipt) -> Markup {
        let (sale, proof, epoch) = (&receipt.sale.sale, &receipt.sale.proof, receipt.sale.epoch.number);
        html! {
            h2 { "The receipt" }
            p {
                "What was set aside is the sum of all rows; the fee is a part of the price of the work, and burned. "
                a href={ "/epochs/" (epoch) "/sales" } { "All jobs that epoch " (epoch) " settled" }
            }
            (table("What became of what was set aside", &RECEIPT, &self.receipt_rows(sale), ""))
            p {
                @if receipt.holds { span.good { "The proof holds" } } @else { span.bad { "The proof does not hold" } }
                ": this receipt is number " (proof.index + 1) " of " (proof.size) " under the sales root of "
                a href={ "/epochs/" (epoch) } { "the statement of epoch " (epoch) } ". "
                a href={ "/v1/epochs/" (epoch) "/sales/" (self.job) } { "The receipt with its proof, to be checked offline" }
            }
            (facts(&[
                ("Sales root", link::code(&proof.root)),
                ("Proof", html! { @for hash in &proof.proof { div { (link::code(hash)) } } @if proof.proof.is_empty() { "none is needed: it is the only one" } }),
            ]))
        }
    }

    fn receipt_rows(&self, sale: &SaleInfo) -> Vec<Vec<Markup>> {
        let none = || html! { span.quiet { "–" } };
        let mut rows: Vec<Vec<Markup>> = Vec::new();
        for work in &sale.work {
            rows.push(vec![
                html! { "Work of " (link::device(&work.device)) ", " (many(work.gas)) " gas" },
                self.asset.of(&work.work),
                self.asset.of(&work.burned),
                link::account(&work.account),
            ]);
        }
        for licence in &sale.licences {
            let what = html! { "Licence of " (link::code(&licence.content)) };
            rows.push(vec![what, self.asset.of(&licence.amount), none(), link::account(&licence.account)]);
        }
        let back = html! { "Back to the buyer's credit" };
        rows.push(vec![back, self.asset.of(&sale.returned), none(), link::account(&sale.buyer)]);
        if let Some(refund) = &sale.refund {
            let what = html! { "Paid back, as the order asks" };
            rows.push(vec![what, self.asset.of(&refund.amount), none(), link::account(&refund.account)]);
        }
        rows
    }
}

/// The columns of a receipt.
const RECEIPT: [crate::markup::table::Column; 4] =
    [words("For"), numbers("Amount"), numbers("Fee in it, burned"), words("To")];

/// A reason of a verdict.
fn reason_told(reason: &ReasonInfo) -> Markup {
    html! { (link::text(&reason.sentence)) " " span.quiet { "(" (reason.code) ")" } }
}
