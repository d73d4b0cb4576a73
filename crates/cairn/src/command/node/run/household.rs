//! The household's broker: Home Assistant finds the node there, and shows how it is and what it earned.

use cairn_core::DeviceId;
use cairn_edge::SourceTrouble;
use cairn_edge::home::{AlertMessage, Home, HomeDevice, PREFIX, StatusReport};

use super::super::status::NodeReport;
use super::board::Board;
use super::watch::Seen;
use crate::config::node::HomeConfig;

/// What people call a node unless they say otherwise.
const NAME: &str = "Cairn node";

/// The node as the household sees it.
pub struct Household {
    config: HomeConfig,
    device: DeviceId,
    /// Since the network told what is earned, which is part of how the node is found; or since there was an alert to tell.
    home: Option<Home>,
    /// Whether the network had told by then.
    is_announced: bool,
    /// What cannot be a broker is not tried again.
    is_over: bool,
    shown: Option<StatusReport>,
}

impl Household {
    /// Nothing shown yet.
    pub fn of(config: &HomeConfig, device: DeviceId) -> Self {
        Self { config: config.clone(), device, home: None, is_announced: false, is_over: false, shown: None }
    }

    /// Shows how the node is, if that changed, and tells alerts.
    pub fn show(&mut self, report: &NodeReport, seen: Option<Seen>, told: &[AlertMessage], board: &Board) {
        if seen.is_none() && self.home.is_none() && told.is_empty() {
            return;
        }
        let is_told_more = seen.is_some() && !self.is_announced;
        if (self.home.is_none() || is_told_more) && !self.is_over {
            // What was shown by a name that the network had not told yet is taken back first.
            (self.home, self.shown) = (None, None);
            self.begin(seen.as_ref(), board);
        }
        let status = status(report, &seen.unwrap_or_default());
        if let Some(home) = &self.home
            && self.shown.as_ref() != Some(&status)
        {
            home.show(&status);
            self.shown = Some(status);
        }
        if let Some(home) = &self.home {
            told.iter().for_each(|alert| home.alert(alert));
        }
    }

    fn begin(&mut self, seen: Option<&Seen>, board: &Board) {
        self.is_announced = seen.is_some();
        let device = HomeDevice {
            device: self.device,
            name: self.config.name.clone().unwrap_or_else(|| NAME.to_owned()),
            page: seen.map(|seen| seen.page.clone()),
            symbol: seen.map(|seen| seen.symbol.clone()).unwrap_or_default(),
        };
        let prefix = self.config.prefix.as_deref().unwrap_or(PREFIX);
        // The broker is tried again by itself; that it is away hinders nothing else.
        let output = board.output();
        let lost = move |detail: &str| output.say(format!("home: {detail}"));
        match Home::start(&self.config.broker, prefix, device, lost) {
            Ok(home) => self.home = Some(home),
            Err(error) => {
                self.is_over = true;
                board.trouble("home", SourceTrouble { code: error.code(), detail: error.to_string(), is_over: false });
            }
        }
    }
}

fn status(report: &NodeReport, seen: &Seen) -> StatusReport {
    let problem = report.troubles.first().map(|trouble| format!("{}: {}", trouble.who, trouble.detail));
    StatusReport {
        last_report_ms: report.sending.last_promise.as_ref().and_then(|last| last.measured_ms),
        queued: report.queue.waiting,
        score_ppm: seen.last_ppm,
        earned: seen.earned.clone(),
        problem,
    }
}
