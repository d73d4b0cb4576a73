//! Who a device is, as the log says by now.

use cairn_api::DeviceInfo;
use cairn_core::geo::Cell;
use maud::{Markup, html};
use serde::Serialize;

use super::readings::decimal;
use crate::markup::link;
use crate::markup::table::facts;

/// Who it is, as the log says by now.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Identity {
    pub id: String,
    key: String,
    owner: String,
    payee: String,
    role: String,
    pub classes: Vec<String>,
    model: String,
    mobile: bool,
    cell: String,
    /// The cells beside it.
    cells_beside: Vec<String>,
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
    pub fn of(info: DeviceInfo) -> Self {
        let cell = Cell::parse(&info.cell).ok();
        let beside = cell.map(Cell::neighbours).unwrap_or_default();
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
            cells_beside: beside.into_iter().map(|cell| format!("{:x}", cell.index())).collect(),
            exact: info.exact,
            altitude_cm: info.altitude_cm,
            enrolled_index: info.enrolled_index,
            retired_index: info.retired_index,
            denied_index: info.denied_index,
            open_reports: info.open_reports,
        }
    }

    pub fn markup(&self) -> Markup {
        let mut rows = vec![
            ("Owner", link::account(&self.owner)),
            ("Paid to", link::account(&self.payee)),
            ("Role", html! { (self.role) }),
            ("Classes", html! { @for class in &self.classes { (link::text(class)) " " } }),
            ("Model, as its owner calls it", link::text(&self.model)),
            ("Cell (H3, a hexagon of the map)", html! { (link::cell(&self.cell)) @if self.mobile { ", it moves" } }),
            ("Cells beside it", html! { @for cell in &self.cells_beside { (link::cell(cell)) " " } }),
        ];
        if let Some((lat_e7, lon_e7)) = self.exact {
            let degrees = |e7: i32| decimal(e7.into(), 7);
            rows.push(("Exact place", html! { (degrees(lat_e7)) ", " (degrees(lon_e7)) " (the owner opted in)" }));
        }
        if let Some(altitude_cm) = self.altitude_cm {
            rows.push(("Altitude", html! { (decimal(altitude_cm.into(), 2)) " m" }));
        }
        rows.push(("Key", link::code(&self.key)));
        rows.push(("Enrolled", html! { "by entry " (link::entry(self.enrolled_index)) }));
        if let Some(index) = self.retired_index {
            rows.push(("Retired", html! { "by entry " (link::entry(index)) }));
        }
        if let Some(index) = self.denied_index {
            rows.push(("Denied", html! { span.bad { "by entry " } (link::entry(index)) }));
        }
        rows.push(("Reports that wait for a verdict", link::count(self.open_reports)));
        html! {
            h2 { "Who it is" }
            p.quiet { "As the log stands now. No statement says these." }
            (facts(&rows))
        }
    }
}
