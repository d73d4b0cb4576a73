//! Every reading of one quantity that a device was judged by in an epoch, as a table.

use cairn_api::EpochRef;
use cairn_core::DeviceId;
use maud::{Markup, html};
use serde::Serialize;

use super::Page;
use super::device::readings::{COLUMNS, Readings, Series};
use crate::address::{Address, Form, encode};
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::{pager, table};
use crate::reader::Reader;
use crate::source::Source;
use crate::words::rfc3339;

/// Verdicts that are read,
const VERDICTS_MAX: u64 = 10_000;
/// and entries.
const ENTRIES_MAX: usize = 4_000;

/// The page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ReadingsPage {
    #[serde(skip)]
    source: Source,
    device: String,
    epoch: EpochRef,
    readings: Readings,
    /// The position of the first row here.
    #[serde(skip)]
    after: usize,
}

impl ReadingsPage {
    /// Reads the page; without an epoch, of the last one that closed.
    ///
    /// # Errors
    /// [`ConsoleError`] for what is no device, epoch or quantity.
    pub fn read(reader: &Reader<'_>, id: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["epoch", "quantity", "after"])?;
        let device = DeviceId::parse(id)?;
        if !reader.has_device(&device)? {
            return Err(cairn_ledger::LedgerError::NoDevice { device: device.to_string() }.into());
        }
        let epoch = match address.number("epoch")? {
            Some(epoch) => epoch,
            None => reader
                .last_closed()?
                .ok_or_else(|| ConsoleError::not_there("NET-NO-EPOCH", "no epoch has closed yet"))?,
        };
        let source = reader.source(Some(epoch))?;
        let verdicts = reader.verdicts(&device, epoch, VERDICTS_MAX)?;
        let readings = Readings::of_entries(reader, &verdicts, address.text("quantity"), ENTRIES_MAX)?;
        let readings = match reader.slot_grids(&[epoch])?.get(&epoch) {
            Some(grid) if readings.series().is_some() => {
                readings.beside(&reader.compared(&device, epoch)?, grid.slot_ms)
            }
            _ => readings,
        };
        let after = usize::try_from(address.number("after")?.unwrap_or(0)).unwrap_or(usize::MAX);
        Ok(Self { source, device: device.to_string(), epoch: reader.epoch_ref(epoch)?, readings, after })
    }

    fn path(&self) -> String {
        format!("/devices/{}/readings?epoch={}", encode(&self.device), self.epoch.number)
    }

    fn rows(&self, series: &Series) -> Markup {
        let rows_max = usize::try_from(Form::Html.rows_max()).unwrap_or(usize::MAX);
        let shown = series.points.iter().skip(self.after).take(rows_max);
        let rows: Vec<Vec<Markup>> = shown.map(|reading| series.row(reading)).collect();
        let path = format!("{}&quantity={}", self.path(), encode(&series.quantity));
        let end = self.after.saturating_add(rows.len());
        let next = (end < series.points.len()).then(|| format!("{path}&after={end}"));
        let caption = match rows.len() {
            0 => "Readings".to_owned(),
            _ => format!("Readings {} to {end} of {}", self.after + 1, series.points.len()),
        };
        html! {
            (table(&caption, &COLUMNS, &rows, "There is no row from here on."))
            (pager((self.after > 0).then_some(path.as_str()), next.as_deref(), "Next rows"))
        }
    }
}

impl Page for ReadingsPage {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        let what = self.readings.series().map_or("Readings", |series| series.quantity.as_str());
        format!("{what} of {} in epoch {}", self.device, self.epoch.number)
    }

    fn main(&self) -> Markup {
        html! {
            p { "Device " (link::device(&self.device)) ", " a href={ "/epochs/" (self.epoch.number) } { "epoch " (self.epoch.number) } }
            p.quiet { "Read from its reports in the log, as far as they were judged in this epoch." }
            (self.readings.switch(&self.path()))
            @match self.readings.series() {
                Some(series) => (self.rows(series)),
                None => p.empty { "Nothing of this was judged in this epoch." },
            }
        }
    }

    fn table(&self) -> Table {
        let columns =
            &["measured", "time_ms", "value", "unit", "entry", "not_suspect_from", "not_suspect_to", "lost_score_for"];
        let Some(series) = self.readings.series() else { return Table::of(columns, Vec::new()) };
        let row = |reading: &super::device::readings::Reading| {
            vec![
                rfc3339(reading.time_ms),
                reading.time_ms.to_string(),
                series.decimal(reading.value),
                series.unit.clone(),
                reading.entry.to_string(),
                series.band(reading).map_or_else(String::new, |(low, _)| series.decimal(low)),
                series.band(reading).map_or_else(String::new, |(_, high)| series.decimal(high)),
                reading.lost.join(" "),
            ]
        };
        Table::of(columns, series.points.iter().map(row).collect())
            .noting(format!("{} of device {} in epoch {}", series.quantity, self.device, self.epoch.number))
    }
}
