//! Every verdict of an epoch, a page at a time, in the order of the verdict roots' leaves.

use cairn_api::{EpochRef, VerdictInfo};
use maud::{Markup, html};
use serde::Serialize;

use super::{Page, number};
use crate::address::{Address, Form};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::{numbers, pager, table, words};
use crate::reader::Reader;
use crate::rows::Rows;
use crate::source::Source;

/// Verdicts of a page of JSON: they are longer than payout rows.
const ROWS_IN_JSON: u64 = 200;
/// Reasons that a row of the page names.
const REASONS_MAX: usize = 4;

/// A page of verdicts.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdicts {
    #[serde(skip)]
    source: Source,
    epoch: EpochRef,
    /// Verdicts in the epoch.
    total: u64,
    /// The position of the first row here.
    after: u64,
    verdicts: Vec<VerdictInfo>,
    /// The `after` of the next page; `null` on the last.
    next: Option<u64>,
    /// What follows in CSV, which is the whole table from `after` on.
    #[serde(skip)]
    more: Option<Rows>,
}

/// The fields of a row, in the order of its columns.
pub(crate) fn row(verdict: &VerdictInfo) -> Vec<String> {
    let joined = |numbers: &[u64]| numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let lost: Vec<String> =
        verdict.reasons.iter().map(|reason| format!("{}:{}", reason.code, reason.lost_ppm)).collect();
    vec![
        verdict.class.clone(),
        verdict.device.clone(),
        verdict.slot_ms.to_string(),
        verdict.report.map_or_else(String::new, |index| index.to_string()),
        verdict.account.clone(),
        verdict.amount.to_string(),
        verdict.score_ppm.to_string(),
        verdict.weight.to_string(),
        lost.join(" "),
        joined(&verdict.entries),
    ]
}

impl Verdicts {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`] for an epoch that has not closed.
    pub fn read(reader: &Reader<'_>, epoch: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["after"])?;
        let epoch = number(epoch, "an epoch")?;
        let after = address.number("after")?.unwrap_or(0);
        let source = reader.source(Some(epoch))?;
        let limit = if address.form == Form::Json { ROWS_IN_JSON } else { address.form.rows_max() };
        let list = reader.verdict_list(epoch, after, limit)?;
        let more = match list.next {
            Some(next) if address.form == Form::Csv => Some(reader.verdict_rows(epoch, next, Form::Csv.rows_max())?),
            _ => None,
        };
        let (total, verdicts, next) = (list.total, list.verdicts, list.next);
        Ok(Self { source, epoch: list.epoch, total, after, verdicts, next, more })
    }
}

impl Page for Verdicts {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        format!("Verdicts of epoch {}", self.epoch.number)
    }

    fn main(&self) -> Markup {
        let number = self.epoch.number;
        let columns = [
            words("Class"),
            words("Device"),
            words("Slot begins"),
            numbers("Score"),
            numbers("Weight"),
            words("What it lost score for"),
            words("Why"),
        ];
        let row = |verdict: &VerdictInfo| {
            let lost = verdict.reasons.iter().filter(|reason| reason.lost_ppm > 0).take(REASONS_MAX);
            vec![
                link::text(&verdict.class),
                link::device(&verdict.device),
                link::time(verdict.slot_ms),
                html! { @if verdict.amount == 0 { "unscored" } @else { (link::ppm(verdict.score_ppm)) } },
                link::count(verdict.weight),
                html! { @for reason in lost { (link::text(&reason.code)) " " } },
                link::why(&verdict.device, number, "why"),
            ]
        };
        let rows: Vec<Vec<Markup>> = self.verdicts.iter().map(row).collect();
        let path = format!("/epochs/{number}/verdicts");
        let next = self.next.map(|next| format!("{path}?after={next}"));
        let caption = match rows.len() as u64 {
            0 => "Verdicts".to_owned(),
            shown => format!("Verdicts {} to {} of {}", self.after + 1, self.after + shown, self.total),
        };
        html! {
            p { a href={ "/epochs/" (number) } { "Epoch " (number) } " has " (link::count(self.total)) " verdicts: what the judges said." }
            (table(&caption, &columns, &rows, "There is no row from here on."))
            (pager((self.after > 0).then_some(path.as_str()), next.as_deref(), "Next rows"))
        }
    }

    fn table(&self) -> Table {
        let columns = &[
            "class",
            "device",
            "slot_ms",
            "job_order",
            "account",
            "amount",
            "score_ppm",
            "weight",
            "lost_ppm_by_code",
            "entries",
        ];
        Table::of(columns, self.verdicts.iter().map(row).collect())
            .noting(format!("rows from {} on, of {}", self.after, self.total))
            .noting("weight is floor(amount * score_ppm / 1000000)")
    }

    fn more(&self) -> Option<Rows> {
        self.more.clone()
    }
}
