//! A device: who it is, how it scored, what it measured and earned.

use cairn_api::{DeviceEpoch, DeviceInfo};
use cairn_core::DeviceId;
use maud::{Markup, html};
use serde::Serialize;

use super::readings::Readings;
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
    /// The closed epochs in which it was judged, newest first.
    epochs: Vec<DeviceEpoch>,
    /// The `before` of the page of earlier epochs; `null` where there are none.
    next: Option<u64>,
    /// The epoch of the readings: the newest one of this page in which it was judged.
    readings_of: Option<u64>,
    readings: Readings,
    #[serde(skip)]
    is_first: bool,
}

/// Who it is, as the log says by now.
#[derive(Debug, Clone, Serialize)]
struct Identity {
    id: String,
    key: String,
    owner: String,
    payee: String,
    role: String,
    classes: Vec<String>,
    model: String,
    mobile: bool,
    cell: String,
    /// Latitude and longitude in 1e-7 degree, where the owner opted in.
    exact: Option<(i32, i32)>,
    altitude_cm: Option<i32>,
    enrolled_index: u64,
    retired_index: Option<u64>,
    denied_index: Option<u64>,
    /// Reports accepted for epochs that are not judged yet.
    open_reports: u64,
}

impl Identity {
    fn of(info: DeviceInfo) -> Self {
        Self {
            id: info.id,
            key: info.key,
            owner: info.owner,
            payee: info.payee,
            role: info.role,
            classes: info.classes,
            model: info.model,
            mobile: info.mobile,
            cell: info.cell,
            exact: info.exact,
            altitude_cm: info.altitude_cm,
            enrolled_index: info.enrolled_index,
            retired_index: info.retired_index,
            denied_index: info.denied_index,
            open_reports: info.open_reports,
        }
    }
}

impl Device {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`] for a device that is not enrolled.
    pub fn read(reader: &Reader<'_>, id: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["before"])?;
        let (id, before) = (DeviceId::parse(id)?, address.number("before")?);
        let (info, (epochs, next)) = reader.device(&id, before, EPOCHS)?;
        let newest = epochs.first().map(|epoch| epoch.epoch.number);
        let readings = match newest {
            Some(epoch) => Readings::read(reader, &reader.verdicts(&id, epoch, VERDICTS_MAX)?)?,
            None => Readings::default(),
        };
        Ok(Self {
            source: reader.source(newest)?,
            device: Identity::of(info),
            asset: reader.money(newest)?,
            epochs,
            next,
            readings_of: newest,
            readings,
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
            (self.identity())
            h2 { "Score and earnings" }
            @if self.epochs.len() > 1 { (self.chart()) }
            (self.history())
            @if let Some(epoch) = self.readings_of {
                h2 { "What it measured in epoch " (epoch) }
                p.quiet {
                    "Read from its reports in the log. What lost score is marked; "
                    (link::why(&self.device.id, epoch, "why, from check to payment")) "."
                }
                (self.readings.markup())
            }
        }
    }

    fn table(&self) -> Table {
        let row = |epoch: &DeviceEpoch| {
            vec![
                epoch.epoch.number.to_string(),
                epoch.epoch.statement.clone(),
                epoch.verdicts.to_string(),
                epoch.score_ppm.to_string(),
                epoch.paid.clone(),
            ]
        };
        let columns = &["epoch", "statement", "verdicts", "score_ppm", "paid"];
        let table = Table::of(columns, self.epochs.iter().map(row).collect()).noting(in_base_units(&self.asset));
        let id = &self.device.id;
        match self.next {
            Some(next) => table.noting(format!("earlier epochs: /devices/{id}.csv?before={next}")),
            None => table,
        }
    }
}

impl Device {
    fn identity(&self) -> Markup {
        let device = &self.device;
        let mut rows = vec![
            ("Owner", link::account(&device.owner)),
            ("Paid to", link::account(&device.payee)),
            ("Role", html! { (device.role) }),
            ("Classes", html! { @for class in &device.classes { (link::text(class)) " " } }),
            ("Model, as its owner calls it", link::text(&device.model)),
            ("Cell (H3)", html! { code { (device.cell) } @if device.mobile { ", it moves" } }),
        ];
        if let Some((lat_e7, lon_e7)) = device.exact {
            let degrees = |e7: i32| super::readings::decimal(e7.into(), 7);
            rows.push(("Exact place", html! { (degrees(lat_e7)) ", " (degrees(lon_e7)) " (the owner opted in)" }));
        }
        if let Some(altitude_cm) = device.altitude_cm {
            rows.push(("Altitude", html! { (super::readings::decimal(altitude_cm.into(), 2)) " m" }));
        }
        rows.push(("Key", link::code(&device.key)));
        rows.push(("Enrolled", html! { "by entry " (link::entry(device.enrolled_index)) }));
        if let Some(index) = device.retired_index {
            rows.push(("Retired", html! { "by entry " (link::entry(index)) }));
        }
        if let Some(index) = device.denied_index {
            rows.push(("Denied", html! { span.bad { "by entry " } (link::entry(index)) }));
        }
        rows.push(("Reports that wait for a verdict", html! { (device.open_reports) " (as the log stands now)" }));
        facts(&rows)
    }

    fn chart(&self) -> Markup {
        let point = |epoch: &DeviceEpoch| Point {
            x: epoch.epoch.number.into(),
            y: epoch.score_ppm.into(),
            is_flagged: epoch.score_ppm < cairn_core::PPM,
        };
        let points: Vec<Point> = self.epochs.iter().rev().map(point).collect();
        let end = |point: Option<&Point>| point.map_or_else(String::new, |point| format!("epoch {}", point.x));
        let axes = Axes {
            x: (end(points.first()), end(points.last())),
            y: ((0, "0 %".to_owned()), (cairn_core::PPM.into(), "100 %".to_owned())),
        };
        line("Score per epoch; the table below has the numbers", &points, &axes)
    }

    fn history(&self) -> Markup {
        let row = |epoch: &DeviceEpoch| {
            vec![
                link::epoch(epoch.epoch.number),
                html! { (epoch.verdicts) },
                link::ppm(epoch.score_ppm),
                self.asset.of(&epoch.paid),
                link::why(&self.device.id, epoch.epoch.number, "why"),
            ]
        };
        let rows: Vec<Vec<Markup>> = self.epochs.iter().map(row).collect();
        let columns = [numbers("Epoch"), numbers("Verdicts"), numbers("Score"), numbers("Earned"), words("Why")];
        let path = format!("/devices/{}", encode(&self.device.id));
        let next = self.next.map(|next| format!("{path}?before={next}"));
        html! {
            (table("Epochs in which it was judged, newest first", &columns, &rows, "It was not judged in these epochs."))
            (pager((!self.is_first).then_some(path.as_str()), next.as_deref(), "Earlier epochs"))
        }
    }
}
