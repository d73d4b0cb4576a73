//! Where the devices are, and what came of them there: a map, and the same as a table of cells.

use std::sync::LazyLock;

use cairn_core::geo::{Area, Cell};
use cairn_ledger::PlaceSum;
use maud::{Markup, html};
use serde::Serialize;

use super::as_of::{AS_OF, AsOf};
use super::{Page, in_base_units};
use crate::address::Address;
use crate::assets::{Asset, MAP};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::map::{Layer, Numbers};
use crate::markup::link;
use crate::markup::map::{Base, Shown, map};
use crate::markup::table::{facts, numbers, pager, table, words};
use crate::money::Money;
use crate::reader::Reader;
use crate::source::Source;

/// The page of the map.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Map {
    #[serde(skip)]
    source: Source,
    asset: Money,
    layer: Layer,
    /// All devices together; `null` before an epoch has closed.
    total: Option<Total>,
    /// Cells in the layer's order.
    cells: Vec<Numbers>,
    /// The `after` of the cells that follow; `null` where there are none.
    next: Option<String>,
    #[serde(skip)]
    as_of: AsOf,
    #[serde(skip)]
    area: Option<Area>,
    #[serde(skip)]
    is_first: bool,
    #[serde(skip)]
    base: Option<Base>,
}

/// What draws the map.
pub(crate) static SCRIPTS: [&LazyLock<Asset>; 1] = [&MAP];

/// All devices together.
#[derive(Debug, Clone, Serialize)]
struct Total {
    /// Cells that devices stand in.
    cells: usize,
    devices: u64,
    judged: u64,
    score_ppm: Option<u32>,
    untested: u64,
    /// Base units.
    paid: String,
}

/// The cells of an epoch that come first in a layer, after a cell.
pub(crate) fn first_cells(
    places: &cairn_ledger::Places,
    layer: Layer,
    after: Option<Cell>,
    limit: usize,
) -> Vec<Numbers> {
    // The lowest scores come first, and the most of everything else; last those of whom nothing can be said.
    let rank = |sum: &PlaceSum| {
        let value = layer.value(sum).map(|value| if layer == Layer::Score { value } else { u128::MAX - value });
        Some((value.is_none(), value))
    };
    places.ranked(rank, after, limit).iter().map(|(cell, sum)| Numbers::of(*cell, sum)).collect()
}

impl Map {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`] for an epoch that has not closed.
    pub fn read(reader: &Reader<'_>, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["layer", "after", AS_OF])?;
        let layer = Layer::read(address.text("layer"))?;
        let after = address.text("after").map(Cell::parse).transpose()?;
        let as_of = AsOf::read(reader, address)?;
        let mut page = Self {
            source: reader.source(as_of.epoch)?,
            asset: reader.money(as_of.epoch)?,
            as_of,
            layer,
            total: None,
            cells: Vec::new(),
            next: None,
            area: None,
            is_first: after.is_none(),
            base: reader.basemap.map(Base::of),
        };
        if let Some(epoch) = as_of.epoch {
            let places = reader.places(epoch)?;
            let limit = usize::try_from(address.form.rows_max()).unwrap_or(usize::MAX);
            // One more than is shown tells whether there is more.
            page.cells = first_cells(&places, layer, after, limit + 1);
            if page.cells.len() > limit {
                page.cells.truncate(limit);
                page.next = page.cells.last().map(|last| last.cell.clone());
            }
            let total = places.total();
            page.total = Some(Total {
                cells: places.cells(),
                devices: total.devices,
                judged: total.judged,
                score_ppm: total.score_ppm(),
                untested: total.untested,
                paid: total.paid.to_string(),
            });
            page.area = places.area();
        }
        Ok(page)
    }
}

/// Columns of tables of cells.
pub(crate) const COLUMNS: &[&str] = &["cell", "devices", "judged", "score_ppm", "untested", "paid"];

/// A row of them.
pub(crate) fn row(numbers: &Numbers) -> Vec<String> {
    vec![
        numbers.cell.clone(),
        numbers.devices.to_string(),
        numbers.judged.to_string(),
        numbers.score_ppm.map(|score| score.to_string()).unwrap_or_default(),
        numbers.untested.to_string(),
        numbers.paid.clone(),
    ]
}

/// Cells as a table; those where nobody is have no page that says more.
pub(crate) fn cell_table(caption: &str, cells: &[Numbers], money: &Money, as_of: AsOf, empty: &str) -> Markup {
    let row = |cell: &Numbers| {
        vec![
            if cell.devices > 0 {
                link::cell_as_of(&cell.cell, as_of)
            } else {
                html! { code.cell { (cell.cell) } }
            },
            html! { (cell.devices) },
            html! { (cell.judged) },
            html! { @if cell.judged > 0 { (link::score(cell.score_ppm)) } @else { "–" } },
            html! { (cell.untested) },
            money.of(&cell.paid),
        ]
    };
    let columns = [
        words("Cell (H3)"),
        numbers("Devices"),
        numbers("Judged"),
        numbers("Score"),
        numbers("Not compared"),
        numbers("Earned"),
    ];
    table(caption, &columns, &cells.iter().map(row).collect::<Vec<_>>(), empty)
}

impl Page for Map {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        "Map".to_owned()
    }

    fn main(&self) -> Markup {
        let at = |after: Option<&str>| {
            let fixed = self.as_of.epoch.filter(|_| self.as_of.is_fixed);
            let fixed = fixed.map(|epoch| format!("&{AS_OF}={epoch}")).unwrap_or_default();
            let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
            format!("/map?layer={}{fixed}{after}", self.layer.word())
        };
        let (first, next) = (at(None), self.next.as_deref().map(|next| at(Some(next))));
        let caption = format!("Cells, {}", self.layer.order());
        html! {
            p { "Devices stand in cells of the " span.quiet { "H3" } " grid, as they enrolled: a place is told no finer than its owner agreed to." }
            (map(&Shown { as_of: self.as_of, layer: self.layer, area: self.area.as_ref(), base: self.base.as_ref() }))
            @if let Some(total) = &self.total {
                h2 { "All devices" }
                (facts(&[
                    ("Devices", html! { (total.devices) " in " (total.cells) " cells" }),
                    ("Judged", html! { (total.judged) }),
                    ("Mean score", html! { @if total.judged > 0 { (link::score(total.score_ppm)) } @else { "–" } }),
                    ("Not compared, at least once", html! { (total.untested) }),
                    ("Earned together", self.asset.of(&total.paid)),
                ]))
            }
            h2 { "Cells" }
            p.quiet { (self.layer.sentence()) }
            (cell_table(&caption, &self.cells, &self.asset, self.as_of, "No device stood anywhere."))
            (pager((!self.is_first).then_some(first.as_str()), next.as_deref(), "Next cells"))
            (self.as_of.markup("/map"))
        }
    }

    fn table(&self) -> Table {
        let table = Table::of(COLUMNS, self.cells.iter().map(row).collect())
            .noting(in_base_units(&self.asset))
            .noting(format!("cells, {}", self.layer.order()));
        match &self.next {
            Some(next) => table.noting(format!("next cells: after={next}")),
            None => table,
        }
    }

    fn scripts(&self) -> &'static [&'static LazyLock<Asset>] {
        &SCRIPTS
    }
}
