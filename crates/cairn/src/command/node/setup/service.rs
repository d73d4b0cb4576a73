//! The service that keeps the node running.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use cairn_edge::service::{SYSTEM_FOLDER, UNIT_FILE, Unit, Whose};
use cairn_edge::source::SourceConfig;
use serde::Serialize;

use super::person::Person;
use super::{absolute, replace_text};
use crate::config::node::{NodeConfig, NodeFolder, is_root};
use crate::failure::Failure;

/// Where the machine's own units are.
const SYSTEM_UNITS: &str = "/etc/systemd/system";
/// The name of the service.
const SERVICE: &str = "cairn-node";

/// Whose service is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Wanted {
    /// The machine's for root, a person's for anybody else; none where there is no systemd
    Auto,
    /// The machine's, started with it
    System,
    /// A person's, started when they log in
    User,
    /// None: start it yourself
    None,
}

/// Flags about the service.
#[derive(Debug, clap::Args)]
pub struct ServiceArgs {
    /// Whose service is written
    #[arg(long, value_enum, default_value = "auto")]
    service: Wanted,
    /// Write no service
    #[arg(long, conflicts_with = "service")]
    no_service: bool,
    /// Start it now, and whenever the machine starts
    #[arg(long, conflicts_with = "no_service")]
    start: bool,
}

/// What became of the service.
#[derive(Debug, Clone, Serialize)]
pub struct Installed {
    /// The unit's file, if one was written.
    unit: Option<PathBuf>,
    /// Whether it was started.
    started: bool,
    /// What to do by hand, in words.
    #[serde(skip)]
    pub next: Vec<String>,
}

impl Installed {
    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        match (&self.unit, self.started) {
            (Some(unit), true) => format!("started, and whenever the machine starts ({})", unit.display()),
            (Some(unit), false) => format!("written, not started: {}", unit.display()),
            (None, _) => "none".to_owned(),
        }
    }
}

impl ServiceArgs {
    /// No service.
    pub const fn none() -> Self {
        Self { service: Wanted::None, no_service: true, start: false }
    }

    /// Writes the service, and starts it where that is wanted.
    ///
    /// # Errors
    /// Those of the disk; `NODE-SERVICE` where systemd does not start it.
    pub fn install(
        &self,
        person: &mut dyn Person,
        folder: &NodeFolder,
        config: &NodeConfig,
    ) -> Result<Installed, Failure> {
        let by_hand = format!("measure and send: cairn node run --dir {}", absolute(folder.root()).display());
        let Some(whose) = self.whose(folder)? else {
            return Ok(Installed { unit: None, started: false, next: vec![by_hand] });
        };
        let is_user = whose == Whose::User;
        let path = unit_path(is_user)?;
        let program = std::env::current_exe()
            .map_err(|error| Failure::failed("NET-IO", format!("which program this is: {error}")))?;
        let unit = Unit { program, folder: absolute(folder.root()), whose, groups: groups(config) };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| Failure::io("make", parent, &error))?;
        }
        replace_text(&path, &unit.text())?;
        // It holds no secret, and systemd would wonder.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))
            .map_err(|error| Failure::io("write", &path, &error))?;
        let mut next = Vec::new();
        let systemctl = if is_user { "systemctl --user" } else { "systemctl" };
        let is_running = is_systemd_here();
        let is_wanted = self.start || is_running && self.is_wanted(person)?;
        if is_wanted && is_running {
            control(is_user, &["daemon-reload"])?;
            control(is_user, &["enable", SERVICE])?;
            control(is_user, &["restart", SERVICE])?;
        } else {
            next.push(format!("start it: {systemctl} daemon-reload && {systemctl} enable --now {SERVICE}"));
        }
        if is_user {
            next.push("let it run without anybody logged in: loginctl enable-linger".to_owned());
        }
        Ok(Installed { unit: Some(path), started: is_wanted && is_running, next })
    }

    /// Whose service is to be written, if one is.
    fn whose(&self, folder: &NodeFolder) -> Result<Option<Whose>, Failure> {
        let wanted = match (self.no_service, self.service) {
            (true, _) => Wanted::None,
            (false, Wanted::Auto) if !is_systemd_here() => Wanted::None,
            (false, Wanted::Auto) if is_root() => Wanted::System,
            (false, Wanted::Auto) => Wanted::User,
            (false, wanted) => wanted,
        };
        Ok(match wanted {
            Wanted::None | Wanted::Auto => None,
            Wanted::User => Some(Whose::User),
            Wanted::System if absolute(folder.root()) == Path::new(SYSTEM_FOLDER) => Some(Whose::System),
            Wanted::System => {
                let own = std::fs::metadata(folder.root());
                Some(Whose::SystemAs(own.map_err(|error| Failure::io("look at", folder.root(), &error))?.uid()))
            }
        })
    }

    /// Whether somebody wants it started; who cannot be asked does not.
    fn is_wanted(&self, person: &mut dyn Person) -> Result<bool, Failure> {
        match person.ask("Start it now, and whenever the machine starts? yes or no", Some("no"), "--start") {
            Ok(answer) => Ok(["y", "yes"].contains(&answer.to_ascii_lowercase().as_str())),
            Err(failure) if failure.code == "NODE-ASK" => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}

fn is_systemd_here() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn unit_path(is_user: bool) -> Result<PathBuf, Failure> {
    if !is_user {
        return Ok(Path::new(SYSTEM_UNITS).join(UNIT_FILE));
    }
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = of("XDG_CONFIG_HOME").or_else(|| of("HOME").map(|home| home.join(".config")));
    let none = || {
        Failure::usage("NODE-SERVICE", "the environment names no home for a person's service")
            .hint("set HOME, or say it again with --no-service")
    };
    Ok(config.ok_or_else(none)?.join("systemd/user").join(UNIT_FILE))
}

/// Groups whose devices the sources read.
fn groups(config: &NodeConfig) -> Vec<String> {
    let has_serial = config.source.iter().any(|source| matches!(source, SourceConfig::Serial(_)));
    if has_serial { vec!["dialout".to_owned()] } else { Vec::new() }
}

fn control(is_user: bool, arguments: &[&str]) -> Result<(), Failure> {
    let wrong = |what: String| {
        Failure::failed("NODE-SERVICE", format!("systemctl {}: {what}", arguments.join(" ")))
            .hint("everything else is done; start it by hand, or say it again with --no-service")
    };
    let mut command = Command::new("systemctl");
    if is_user {
        command.arg("--user");
    }
    let done = command.args(arguments).output().map_err(|error| wrong(error.to_string()))?;
    if done.status.success() { Ok(()) } else { Err(wrong(String::from_utf8_lossy(&done.stderr).trim().to_owned())) }
}
