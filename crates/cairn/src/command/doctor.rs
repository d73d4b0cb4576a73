//! `cairn doctor`: whether a network's folder and its gateway are in order; each line says what to do when one is not.

mod folder;
mod gateway;

use std::path::PathBuf;

use serde::Serialize;

use crate::config::{Config, Folder};
use crate::connect::Connect;
use crate::failure::Failure;
use crate::output::Output;

/// Arguments of `cairn doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The network's folder [default: this one, if it is one]
    dir: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Ok,
    Warn,
    Fail,
}

/// One line of the diagnosis.
#[derive(Debug, Serialize)]
struct Finding {
    health: Health,
    /// What was looked at.
    what: &'static str,
    /// How it is.
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Finding {
    fn of(health: Health, what: &'static str, detail: impl Into<String>) -> Self {
        Self { health, what, detail: detail.into(), hint: None }
    }

    fn ok(what: &'static str, detail: impl Into<String>) -> Self {
        Self::of(Health::Ok, what, detail)
    }

    fn warn(what: &'static str, detail: impl Into<String>) -> Self {
        Self::of(Health::Warn, what, detail)
    }

    fn fail(what: &'static str, detail: impl Into<String>) -> Self {
        Self::of(Health::Fail, what, detail)
    }

    fn of_failure(health: Health, what: &'static str, failure: Failure) -> Self {
        Self { hint: failure.hint, ..Self::of(health, what, format!("{}: {}", failure.code, failure.message)) }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

#[derive(Debug, Serialize)]
struct Diagnosis {
    healthy: bool,
    findings: Vec<Finding>,
}

/// Runs the command.
///
/// # Errors
/// `NET-UNWELL` when something fails.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let folder = match &args.dir {
        Some(dir) => Some(Folder::at(dir)),
        None => Some(Folder::at(&PathBuf::from("."))).filter(|here| here.config().exists()),
    };
    let mut findings = Vec::new();
    let mut config = None;
    let mut genesis = None;
    if let Some(folder) = &folder {
        config = folder::examine_config(folder, &mut findings);
        genesis = folder::examine(folder, config.as_ref(), &mut findings);
    }
    gateway::examine(&gateway(args, config.as_ref()), genesis.as_ref(), &mut findings);
    let failed = findings.iter().filter(|finding| finding.health == Health::Fail).count();
    let diagnosis = Diagnosis { healthy: failed == 0, findings };
    if diagnosis.healthy {
        return output.show(&diagnosis, text);
    }
    let what = format!("{failed} of {} checks failed", diagnosis.findings.len());
    output.show_wrong(&diagnosis, text, Failure::wrong("NET-UNWELL", what))
}

/// The gateway to ask, and whether it was named or is only where one should be.
struct Where {
    connect: Connect,
    is_named: bool,
}

fn gateway(args: &Args, config: Option<&Config>) -> Where {
    let is_named = args.connect.named().is_some();
    match config {
        Some(config) => Where { connect: args.connect.or_listening(config), is_named },
        // Without a folder there is nothing else to look at.
        None => Where { connect: args.connect.clone(), is_named: is_named || args.dir.is_none() },
    }
}

fn text(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    for Finding { health, what, detail, hint } in &diagnosis.findings {
        let health = match health {
            Health::Ok => "ok  ",
            Health::Warn => "warn",
            Health::Fail => "FAIL",
        };
        text.push_str(&format!("{health}  {what:<10} {detail}\n"));
        if let Some(hint) = hint {
            text.push_str(&format!("      hint: {hint}\n"));
        }
    }
    text
}
