//! A cell: who is there, what came of them, what is beside it, and what one more device would have earned.

use cairn_api::EpochRef;
use cairn_core::geo::Cell as H3;
use cairn_ledger::{PlaceRow, Places};
use maud::{Markup, html};
use serde::Serialize;

use super::as_of::{AS_OF, AsOf};
use super::map::cell_table;
use super::{Page, in_base_units};
use crate::address::Address;
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::map::{Layer, Numbers};
use crate::markup::link;
use crate::markup::table::{facts, numbers, pager, table, words};
use crate::money::Money;
use crate::newcomer::Newcomer;
use crate::reader::Reader;
use crate::source::Source;
use crate::words::{count, duration};

/// Epochs of the history, at most.
const EPOCHS_MAX: u64 = 24;
/// Rows of verdicts and payouts that are summed up for the history of one page, if more than one epoch is.
const HISTORY_ROWS_MAX: u64 = 2_000_000;

/// The page of a cell.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cell {
    #[serde(skip)]
    source: Source,
    asset: Money,
    cell: Numbers,
    /// 0 (coarsest) to 15.
    resolution: u8,
    /// Latitude and longitude of its centre, 1e-7 degree.
    centre_e7: (i32, i32),
    /// The cell above it; `null` for the coarsest.
    parent: Option<Numbers>,
    /// The cells of the next finer resolution in which devices stand.
    children: Vec<Numbers>,
    /// The cells beside it.
    neighbours: Vec<Numbers>,
    devices: Vec<Device>,
    /// The `after` of the devices that follow; `null` where there are none.
    next: Option<u64>,
    /// The epochs up to this one, newest first.
    history: Vec<Past>,
    /// The `as_of` of a page with those before; `null` where there are none.
    earlier: Option<u64>,
    /// What one more device would have earned in this epoch, pool by pool.
    newcomer: Vec<Newcomer>,
    #[serde(skip)]
    as_of: AsOf,
    #[serde(skip)]
    after: u64,
}

/// A device of the cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Device {
    device: String,
    /// The cell that it enrolled with: this one, or one below it.
    cell: String,
    /// Whether some verdict is over it.
    judged: bool,
    /// `null` when it was not judged, or nothing of it was scored.
    score_ppm: Option<u32>,
    /// Whether it was, at least once, not compared.
    untested: bool,
    /// Base units.
    paid: String,
}

impl Device {
    fn of(row: &PlaceRow) -> Self {
        Self {
            device: row.device.to_string(),
            cell: row.cell.to_string(),
            judged: row.is_judged,
            score_ppm: row.score_ppm,
            untested: row.is_untested,
            paid: row.paid.to_string(),
        }
    }
}

/// The cell in an epoch.
#[derive(Debug, Clone, Serialize)]
struct Past {
    epoch: EpochRef,
    #[serde(flatten)]
    numbers: Numbers,
}

impl Cell {
    /// Reads the page as of an epoch, the last closed one where none is named. Any cell has a page.
    ///
    /// # Errors
    /// [`ConsoleError`] for what is no cell, and for an epoch that has not closed.
    pub fn read(reader: &Reader<'_>, id: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["after", AS_OF])?;
        let (cell, after) = (H3::parse(id)?, address.number("after")?.unwrap_or(0));
        let as_of = AsOf::read(reader, address)?;
        let epoch = as_of.epoch.ok_or_else(|| {
            ConsoleError::not_there("NET-NO-EPOCH", "no epoch has closed yet: nothing is known of any cell")
        })?;
        let (source, asset) = (reader.source(Some(epoch))?, reader.money(Some(epoch))?);
        let places = reader.places(epoch)?;
        let (history, earlier) = history(reader, cell, epoch)?;
        let of = |cell: H3| Numbers::of(cell, &places.sum(cell));
        let rows = places.devices(cell, after, address.form.rows_max());
        let end = after.saturating_add(rows.len() as u64);
        let numbers = of(cell);
        let centre = cell.center();
        Ok(Self {
            source,
            asset,
            resolution: cell.resolution(),
            centre_e7: (centre.lat_e7, centre.lon_e7),
            parent: cell.resolution().checked_sub(1).and_then(|above| cell.parent(above)).map(of),
            children: children(&places, cell),
            neighbours: cell.neighbours().into_iter().map(of).collect(),
            devices: rows.iter().map(Device::of).collect(),
            next: (end < numbers.devices).then_some(end),
            history,
            earlier,
            newcomer: reader.newcomer(epoch, &places)?,
            as_of,
            after,
            cell: numbers,
        })
    }
}

/// The cells of the next finer resolution in which devices stand.
fn children(places: &Places, cell: H3) -> Vec<Numbers> {
    let sums = cell.children().into_iter().map(|child| (child, places.sum(child)));
    sums.filter(|(_, sum)| sum.devices > 0).map(|(child, sum)| Numbers::of(child, &sum)).collect()
}

/// A cell up to an epoch, newest first, and the epoch that a page before it would be of. How far back depends on how many rows
/// an epoch of this network has.
fn history(reader: &Reader<'_>, cell: H3, epoch: u64) -> Result<(Vec<Past>, Option<u64>), ConsoleError> {
    let statement = reader.epoch(epoch)?;
    let rows = statement.classes.iter().map(|class| class.subjects).sum::<u64>()
        + statement.pools.iter().map(|pool| pool.recipients).sum::<u64>();
    let epochs = (HISTORY_ROWS_MAX / rows.max(1)).clamp(1, EPOCHS_MAX);
    let first = (epoch + 1).saturating_sub(epochs);
    let mut history = Vec::new();
    for number in (first..=epoch).rev() {
        let as_of = reader.source(Some(number))?.as_of;
        let numbers = Numbers::of(cell, &reader.places(number)?.sum(cell));
        history.extend(as_of.map(|epoch| Past { epoch, numbers }));
    }
    Ok((history, first.checked_sub(1)))
}

impl Page for Cell {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        format!("Cell {}", self.cell.cell)
    }

    fn main(&self) -> Markup {
        html! {
            (self.summary())
            (self.newcomer())
            (self.who())
            (self.around())
            (self.past())
            (self.as_of.markup(&self.path()))
        }
    }

    fn table(&self) -> Table {
        let row = |device: &Device| {
            vec![
                device.device.clone(),
                device.cell.clone(),
                device.score_ppm.map(|score| score.to_string()).unwrap_or_default(),
                device.untested.to_string(),
                device.paid.clone(),
            ]
        };
        let columns = &["device", "cell", "score_ppm", "untested", "paid"];
        let table = Table::of(columns, self.devices.iter().map(row).collect())
            .noting(format!("cell {}", self.cell.cell))
            .noting(in_base_units(&self.asset));
        match self.next {
            Some(next) => table.noting(format!("next devices: after={next}")),
            None => table,
        }
    }
}

impl Cell {
    fn path(&self) -> String {
        format!("/cells/{}", self.cell.cell)
    }

    fn summary(&self) -> Markup {
        let cell = &self.cell;
        let degrees = |e7: i32| super::device::readings::decimal(e7.into(), 7);
        let mut rows = vec![
            ("Devices", html! { (cell.devices) }),
            ("Judged", html! { (cell.judged) }),
            (
                "Mean score",
                html! { @match cell.score_ppm { Some(score) => { (link::ppm(score)) } None => { (Layer::Score.nobody()) } } },
            ),
            ("Not compared, at least once", html! { (cell.untested) }),
            ("Earned together", self.asset.of(&cell.paid)),
            ("Centre", html! { (degrees(self.centre_e7.0)) ", " (degrees(self.centre_e7.1)) }),
            ("Resolution (H3)", html! { (self.resolution) " of 15; the larger the number, the smaller the cell" }),
        ];
        if let Some(parent) = &self.parent {
            let name =
                if parent.devices > 0 { link::cell_as_of(&parent.cell, self.as_of) } else { link::code(&parent.cell) };
            rows.push(("Part of", html! { (name) ", which has " (count(parent.devices, "device", "devices")) }));
        }
        facts(&rows)
    }

    fn newcomer(&self) -> Markup {
        let Some(epoch) = self.as_of.epoch else { return html! {} };
        let row = |pool: &Newcomer| {
            vec![
                link::text(&pool.pool),
                link::text(&pool.class),
                html! { (delivered(pool)) },
                self.asset.of(&pool.size),
                html! { (pool.devices) },
                self.asset.of(&pool.paid),
            ]
        };
        let columns = [
            words("Pool"),
            words("Class"),
            words("Delivers"),
            numbers("Pool shares out"),
            numbers("Among, with it"),
            numbers("It would have got"),
        ];
        let rows: Vec<Vec<Markup>> = self.newcomer.iter().map(row).collect();
        let others = self.cell.devices + self.neighbours.iter().map(|beside| beside.devices).sum::<u64>();
        html! {
            h2 { "What one more device would have earned" }
            p {
                "If it had been there in epoch " (epoch) ": one more honest device, which delivers what the middle device of its "
                "class delivered, scored whole. These are the epoch's own pools with one more among them, shared out by the "
                "engine that shares out every epoch. It is no promise: the next epoch has other devices and may have "
                "other rules."
            }
            (table("What each pool would have paid it", &columns, &rows, "Nobody delivered anything that a pool pays for."))
            p.quiet {
                "The pools of this network pay for what is delivered and how well, the same in every cell. A place matters for "
                "the score: a device is compared with others, as near as its class's profile says. In this cell and beside it "
                "stood " (count(others, "device", "devices")) "."
            }
        }
    }

    fn who(&self) -> Markup {
        let row = |device: &Device| {
            vec![
                link::device(&device.device),
                if device.cell == self.cell.cell {
                    link::code(&device.cell)
                } else {
                    link::cell_as_of(&device.cell, self.as_of)
                },
                html! { @if device.judged { (link::score(device.score_ppm)) } @else { "–" } },
                html! { @if device.untested { "no, at least once" } @else if device.score_ppm.is_some() { "yes" } @else { "–" } },
                self.asset.of(&device.paid),
                html! {
                    @match self.as_of.epoch {
                        Some(epoch) if device.judged => { (link::why(&device.device, epoch, "why")) }
                        _ => { "not judged" }
                    }
                },
            ]
        };
        let columns =
            [words("Device"), words("Cell"), numbers("Score"), words("Compared"), numbers("Earned"), words("Why")];
        let rows: Vec<Vec<Markup>> = self.devices.iter().map(row).collect();
        let at = |after: Option<u64>| self.as_of.path(&self.path(), after.map(|after| ("after", after)));
        let (first, next) = (at(None), self.next.map(|next| at(Some(next))));
        let caption = match rows.len() as u64 {
            0 => "Devices".to_owned(),
            shown => format!("Devices {} to {} of {}", self.after + 1, self.after + shown, self.cell.devices),
        };
        html! {
            h2 { "Who is there" }
            (table(&caption, &columns, &rows, "No device stood here."))
            (pager((self.after > 0).then_some(first.as_str()), next.as_deref(), "Next devices"))
        }
    }

    fn around(&self) -> Markup {
        html! {
            @if !self.children.is_empty() {
                h2 { "Its parts" }
                (cell_table("The cells in it where devices stood", &self.children, &self.asset, self.as_of, ""))
            }
            h2 { "Beside it" }
            (cell_table("The cells that touch it", &self.neighbours, &self.asset, self.as_of, ""))
        }
    }

    fn past(&self) -> Markup {
        let row = |past: &Past| {
            let numbers = &past.numbers;
            vec![
                link::epoch(past.epoch.number),
                html! { (numbers.devices) },
                html! { (numbers.judged) },
                html! { @if numbers.judged > 0 { (link::score(numbers.score_ppm)) } @else { "–" } },
                self.asset.of(&numbers.paid),
                html! { a href={ (self.path()) "?" (AS_OF) "=" (past.epoch.number) } { "this cell then" } },
            ]
        };
        let columns = [
            numbers("Epoch"),
            numbers("Devices"),
            numbers("Judged"),
            numbers("Score"),
            numbers("Earned"),
            words("More"),
        ];
        let rows: Vec<Vec<Markup>> = self.history.iter().map(row).collect();
        let earlier = self.earlier.map(|epoch| format!("{}?{AS_OF}={epoch}", self.path()));
        html! {
            h2 { "Epoch by epoch" }
            p.quiet { "Each row comes from its own epoch's statement." }
            (table("The cell in the last epochs, newest first", &columns, &rows, ""))
            (pager(None, earlier.as_deref(), "Earlier epochs"))
        }
    }
}

/// What a newcomer delivers, in words.
fn delivered(newcomer: &Newcomer) -> String {
    // The unit of this class is the millisecond of a slot.
    if newcomer.class == "sensing/1" { duration(newcomer.amount) } else { newcomer.amount.to_string() }
}
