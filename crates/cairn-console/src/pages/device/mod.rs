//! A device: who it is, how it scored, when it was there, what it measured and earned.

mod evidence;
mod identity;
pub(crate) mod readings;
mod uptime;

use cairn_api::EpochRef;
use cairn_core::{Amount, DeviceId};
use cairn_ledger::JudgedEpoch;
use maud::{Markup, html};
use serde::Serialize;

use self::evidence::Lost;
use self::identity::Identity;
use self::readings::Readings;
pub(crate) use self::uptime::Grid;
use self::uptime::{Slots, Strip};
use super::as_of::{AS_OF, AsOf};
use super::{Page, in_base_units};
use crate::address::{Address, encode};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::chart::{Axes, Point, line};
use crate::markup::link;
use crate::markup::table::{facts, numbers, pager, table, words};
use crate::money::Money;
use crate::reader::Reader;
use crate::source::Source;

/// Closed epochs that a page looks back over.
const EPOCHS: u64 = 24;
/// Verdicts whose entries are drawn.
const VERDICTS_MAX: u64 = 2_000;

/// The page of a device.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Device {
    #[serde(skip)]
    source: Source,
    device: Identity,
    asset: Money,
    /// Base units that it earned in all, up to the epoch that the page is as of; `null` where too many epochs lie between for
    /// adding up.
    earned: Option<String>,
    /// The closed epochs in which it was judged, newest first.
    epochs: Vec<Judged>,
    /// The `before` of the page of earlier epochs; `null` where there are none.
    next: Option<u64>,
    /// The epoch of what follows: the one that was asked for, or the newest of this page in which it was judged.
    readings_of: Option<EpochRef>,
    /// How many of its slots were reported, and what became of each; `null` where it was not judged by slots.
    slots: Option<(Slots, Strip)>,
    lost: Vec<Lost>,
    readings: Readings,
    #[serde(skip)]
    as_of: AsOf,
    #[serde(skip)]
    is_first: bool,
}

/// An epoch in which it was judged.
#[derive(Debug, Clone, Serialize)]
struct Judged {
    epoch: EpochRef,
    /// Verdicts.
    verdicts: u64,
    /// Score over everything delivered; `null` where nothing was scored, which is no score of 0.
    score_ppm: Option<u32>,
    /// Base units.
    paid: String,
    /// Where slots are judged.
    slots: Option<Slots>,
}

impl Judged {
    fn of(grid: Option<&Grid>, judged: &JudgedEpoch) -> Self {
        Self {
            epoch: judged.told.epoch.clone(),
            verdicts: judged.told.verdicts,
            score_ppm: judged.told.score_ppm,
            paid: judged.told.paid.clone(),
            slots: grid.map(|grid| grid.slots(&judged.verdicts)).filter(|slots| slots.reported + slots.late > 0),
        }
    }
}

impl Device {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`] for a device that is not enrolled.
    pub fn read(reader: &Reader<'_>, id: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["before", AS_OF, "epoch", "quantity"])?;
        let (id, before) = (DeviceId::parse(id)?, address.number("before")?);
        let as_of = AsOf::read(reader, address)?;
        let (info, (history, next)) = reader.device(&id, as_of.before(before), EPOCHS)?;
        let asked = address.number("epoch")?;
        if let (Some(asked), Some(last)) = (asked, as_of.epoch) {
            reader.epoch_ref(asked)?;
            if asked > last {
                let detail = format!("epoch {asked} is later than epoch {last}, which this page is as of");
                return Err(ConsoleError::bad("NET-QUERY", detail));
            }
        }
        let shown = asked.or_else(|| history.first().map(|judged| judged.told.epoch.number));
        let verdicts = shown.map_or_else(|| Ok(Vec::new()), |epoch| reader.verdicts(&id, epoch, VERDICTS_MAX))?;
        let of_shown = match shown {
            Some(epoch) => reader.judged_epoch(&id, epoch)?,
            None => None,
        };
        let numbers: Vec<u64> = history.iter().map(|judged| judged.told.epoch.number).chain(shown).collect();
        let grids = reader.slot_grids(&numbers)?;
        let of = |judged: &JudgedEpoch| Judged::of(grids.get(&judged.told.epoch.number), judged);
        let shown_slots = of_shown.as_ref().and_then(|judged| {
            let slots = of(judged).slots?;
            Some((slots, grids.get(&judged.told.epoch.number)?.strip(&judged.verdicts)))
        });
        let readings = Readings::read(reader, &verdicts, address.text("quantity"))?;
        let readings = match shown.and_then(|epoch| grids.get(&epoch).map(|grid| (epoch, grid.slot_ms))) {
            Some((epoch, slot_ms)) if readings.series().is_some() => {
                readings.beside(&reader.compared(&id, epoch)?, slot_ms)
            }
            _ => readings,
        };
        Ok(Self {
            source: reader.source(as_of.epoch)?,
            device: Identity::of(info),
            asset: reader.money(as_of.epoch)?,
            earned: reader.earned(&id, as_of.epoch)?.map(|amount: Amount| amount.to_string()),
            epochs: history.iter().map(of).collect(),
            next,
            readings_of: shown.map(|epoch| reader.epoch_ref(epoch)).transpose()?,
            slots: shown_slots,
            lost: evidence::lost(&verdicts),
            readings,
            as_of,
            is_first: before.is_none(),
        })
    }
}

impl Page for Device {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        format!("Device {}", self.device.id)
    }

    fn main(&self) -> Markup {
        html! {
            (self.as_of.markup(&self.path()))
            (self.summary())
            h2 { "Score and earnings" }
            (self.chart())
            (self.history())
            @if let Some(epoch) = &self.readings_of { (self.epoch(epoch)) }
            (self.device.markup())
        }
    }

    fn table(&self) -> Table {
        let row = |judged: &Judged| {
            let slots = judged.slots;
            let number = |of: fn(Slots) -> u64| slots.map_or_else(String::new, |slots| of(slots).to_string());
            vec![
                judged.epoch.number.to_string(),
                judged.epoch.statement.clone(),
                judged.verdicts.to_string(),
                judged.score_ppm.map_or_else(String::new, |score| score.to_string()),
                judged.paid.clone(),
                number(|slots| slots.reported),
                number(|slots| slots.possible),
                number(|slots| slots.late),
            ]
        };
        let columns =
            &["epoch", "statement", "verdicts", "score_ppm", "paid", "slots_reported", "slots_possible", "slots_late"];
        let table = Table::of(columns, self.epochs.iter().map(row).collect()).noting(in_base_units(&self.asset));
        let table = match &self.earned {
            Some(earned) => table.noting(format!("earned in all {earned}")),
            None => table,
        };
        match self.next {
            Some(next) => {
                let path = self.as_of.path(&format!("{}.csv", self.path()), Some(("before", next)));
                table.noting(format!("earlier epochs: {path}"))
            }
            None => table,
        }
    }
}

impl Device {
    fn path(&self) -> String {
        format!("/devices/{}", encode(&self.device.id))
    }

    fn summary(&self) -> Markup {
        let mut rows = Vec::new();
        if let Some(earned) = &self.earned {
            rows.push(("Earned in all", self.asset.of(earned)));
        }
        if let Some(newest) = self.epochs.first() {
            let scored = self.epochs.iter().find_map(|judged| Some((judged.epoch.number, judged.score_ppm?)));
            let score = html! {
                @match scored {
                    Some((epoch, score)) => { (link::ppm(score)) " in epoch " (link::epoch(epoch)) }
                    None => "not scored in the epochs below"
                }
            };
            rows.push(("Last score", score));
            if let Some(slots) = newest.slots {
                let late = html! { @if slots.late > 0 { ", and " (slots.late) " of earlier epochs, which came late" } };
                rows.push(("Last reported", html! { (slots.reported) " of " (slots.possible) " slots" (late) }));
            }
        }
        facts(&rows)
    }

    /// What it did in one epoch.
    fn epoch(&self, epoch: &EpochRef) -> Markup {
        let path = self.as_of.path(&self.path(), Some(("epoch", epoch.number)));
        html! {
            h2 #epoch { "In epoch " (epoch.number) }
            p.quiet {
                "By statement " (link::statement(epoch)) ": "
                (link::why(&self.device.id, epoch.number, "why it got what it got, from check to payment")) "."
            }
            @if let Some((slots, strip)) = &self.slots {
                h3 { "When it was there" }
                (strip.markup(*slots))
            }
            (evidence::markup(&self.lost, &self.path()))
            h3 { "What it measured" }
            (self.readings.markup(&path, &self.path(), epoch.number))
        }
    }

    /// The scores of more than one epoch; of those that were not scored there is no point.
    fn chart(&self) -> Markup {
        let point = |judged: &Judged| {
            let score = judged.score_ppm?;
            Some(Point { x: judged.epoch.number.into(), y: score.into(), is_flagged: score < cairn_core::PPM })
        };
        let points: Vec<Point> = self.epochs.iter().rev().filter_map(point).collect();
        if points.len() < 2 {
            return Markup::default();
        }
        let end = |point: Option<&Point>| point.map_or_else(String::new, |point| format!("epoch {}", point.x));
        let axes = Axes {
            x: (end(points.first()), end(points.last())),
            y: ((0, "0 %".to_owned()), (cairn_core::PPM.into(), "100 %".to_owned())),
        };
        line("Score per epoch; the table below has the numbers", &points, &axes)
    }

    fn history(&self) -> Markup {
        let row = |judged: &Judged| {
            let readings = self.as_of.path(&self.path(), Some(("epoch", judged.epoch.number)));
            vec![
                link::epoch(judged.epoch.number),
                link::score(judged.score_ppm),
                html! {
                    @match judged.slots {
                        Some(slots) => { (slots.reported) " of " (slots.possible) @if slots.late > 0 { " + " (slots.late) " late" } }
                        None => { (judged.verdicts) " verdicts" }
                    }
                },
                self.asset.of(&judged.paid),
                html! { a href={ (readings) "#epoch" } { "readings" } },
                link::why(&self.device.id, judged.epoch.number, "why"),
            ]
        };
        let rows: Vec<Vec<Markup>> = self.epochs.iter().map(row).collect();
        let columns = [
            numbers("Epoch"),
            numbers("Score"),
            numbers("Slots reported"),
            numbers("Earned"),
            words("Readings"),
            words("Why"),
        ];
        let first = self.as_of.path(&self.path(), None);
        let next = self.next.map(|next| self.as_of.path(&self.path(), Some(("before", next))));
        html! {
            (table("Epochs in which it was judged, newest first", &columns, &rows, "It was not judged in these epochs."))
            (pager((!self.is_first).then_some(first.as_str()), next.as_deref(), "Earlier epochs"))
        }
    }
}
