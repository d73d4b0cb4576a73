//! What an honest sender makes of an answer: every row is held against what was due, and goes into the books.

use crate::books::{Books, Fate};
use crate::device::Made;
use crate::errands::{Errand, Then, algorithm_word};
use crate::honest::{Due, Honest, Request, Settled};
use crate::stage::{Known, Stage};
use crate::wire::{Answer, Row};

/// Answered reports that are remembered, to be asked for again after restarts.
const SETTLED_MAX: usize = 200;

impl Honest {
    /// Settles a request that was answered.
    pub fn settle(&mut self, stage: &Stage, request: Request, answer: &Answer) {
        match request {
            Request::Read(path) => {
                let kind = path.split(['/', '?']).take(3).collect::<Vec<_>>().join("/");
                stage.books.answered(&format!("honest: GET {kind}"), &answer.word());
                // A young network has not closed such an epoch, nor this device been enrolled.
                if ![200, 404].contains(&answer.status) {
                    stage.books.wrong(format!("GET {path} is answered {}", answer.word()));
                }
            }
            Request::Reports(reports) => {
                if answer.status != 200 || answer.rows.len() != reports.len() {
                    let (word, rows) = (answer.word(), answer.rows.len());
                    return stage.books.wrong(format!("{} honest reports: {word} with {rows} rows", reports.len()));
                }
                if stage.books.promised(stage.facts, answer) {
                    for ((made, due), row) in reports.into_iter().zip(&answer.rows) {
                        self.settle_report(stage, made, due, row);
                    }
                }
            }
            Request::Errands(errands) => {
                if answer.status != 200 || answer.rows.len() != errands.len() {
                    let (word, rows) = (answer.word(), answer.rows.len());
                    return stage.books.wrong(format!("{} honest statements: {word} with {rows} rows", errands.len()));
                }
                if stage.books.promised(stage.facts, answer) {
                    for (errand, row) in errands.into_iter().zip(&answer.rows) {
                        self.settle_errand(stage, errand, row);
                    }
                }
            }
        }
    }

    fn settle_report(&mut self, stage: &Stage, made: Made, due: Due, row: &Row) {
        let books = stage.books;
        let kind = match due {
            Due::Accepted => "honest: report",
            Due::Repeat(_) => "honest: report again",
            Due::Conflict => "honest: second payload",
        };
        books.answered(kind, row.word());
        let (code, late) = (row.word(), stage.facts.may_be_too_late(made.time_ms));
        match (due, row) {
            (Due::Accepted, Row::Accepted(index)) => self.settled(stage, made, *index, Fate::Accepted(*index)),
            (Due::Accepted, Row::Duplicate(index)) if self.was_lost => {
                self.settled(stage, made, *index, Fate::KnownAfterLoss(Some(*index)));
            }
            (Due::Repeat(before), Row::Duplicate(index)) if before == *index => {}
            (Due::Repeat(_), _) if (code == "RPT-TOO-LATE" && late) || code == "RPT-RETIRED" => {}
            (Due::Conflict, _) if code == "RPT-CONFLICT" => books.report_is(made.identity, Fate::Refused(code.into())),
            (_, _) if code == "RPT-RATE" && stage.may_meet_rates => match due {
                Due::Accepted => {
                    books.report_is(made.identity, Fate::Refused(code.into()));
                    self.again.push((made, due));
                }
                _ => books.report_is(made.identity, Fate::Refused(code.into())),
            },
            (_, Row::Rejected(_)) if code == "RPT-TOO-LATE" && late => {
                books.report_is(made.identity, refused(code, self.was_lost));
            }
            _ => books.wrong(format!("{kind} of {} is answered {row:?}", made.device)),
        }
    }

    fn settled(&mut self, stage: &Stage, made: Made, index: u64, fate: Fate) {
        stage.books.report_is(made.identity, fate);
        if let Some(device) = self.devices.iter().find(|device| device.id == made.device) {
            stage.books.event(algorithm_word(device.key.public().algorithm()));
            let known = Known { bytes: made.bytes.clone(), key: device.key.clone(), device: device.id };
            stage.gossip.report(known);
        }
        self.settled.push_back(Settled { made, index });
        if self.settled.len() > SETTLED_MAX {
            self.settled.pop_front();
        }
    }

    fn settle_errand(&mut self, stage: &Stage, errand: Errand, row: &Row) {
        let word = errand.word();
        stage.books.answered(&format!("honest: {word} statement"), row.word());
        let (fate, index) = match row {
            Row::Accepted(index) => (Fate::Accepted(*index), Some(*index)),
            // The log has it, or its nonce would be above the signer's last.
            Row::Rejected(code) if code == "STM-NONCE" && self.was_lost => (Fate::KnownAfterLoss(None), None),
            Row::Rejected(code) => {
                // A report that was refused is not there to be contradicted.
                let is_idle = matches!(errand.then, Then::Confess(first) if !stage.books.is_logged(&first));
                if !is_idle {
                    stage.books.wrong(format!("an honest {word} statement is refused: {code}"));
                }
                return stage.books.statement_is(errand.identity, refused(code, self.was_lost));
            }
            Row::Duplicate(_) => return stage.books.wrong("a statement is answered as a duplicate"),
        };
        stage.books.statement_is(errand.identity, fate);
        stage.gossip.statement(errand.bytes);
        let is_retirement = matches!(errand.then, Then::Retire(_));
        let (changed, next) = self.carry_out(stage.facts, errand.then, index);
        self.errands.extend(next);
        let Some(changed) = changed else { return };
        if is_retirement {
            stage.gossip.retired(changed);
        } else if let Some(device) = self.devices.iter().find(|device| device.id == changed) {
            stage.gossip.device(device.card());
        }
    }

    /// Payloads whose answers never came: the log may have them.
    pub fn leave(&mut self, books: &Books) {
        match self.unanswered.take() {
            Some(Request::Reports(reports)) => {
                for (made, due) in reports {
                    if !matches!(due, Due::Repeat(_)) {
                        books.report_is(made.identity, Fate::Unknown);
                    }
                }
            }
            Some(Request::Errands(errands)) => {
                errands.iter().for_each(|errand| books.statement_is(errand.identity, Fate::Unknown));
            }
            Some(Request::Read(_)) | None => {}
        }
    }
}

/// A refusal; whether the log may have the item all the same hangs on whether an answer was lost before.
fn refused(code: &str, was_lost: bool) -> Fate {
    let code = code.to_owned();
    if was_lost { Fate::RefusedAfterLoss(code) } else { Fate::Refused(code) }
}
