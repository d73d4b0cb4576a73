//! The service that keeps a node running, as a systemd unit: what `cairn node setup` writes and what packages install.
//!
//! Promised: the process may write its own folder and nothing else, gains no rights, and is started again whatever ends it. Not
//! promised: that it reaches every sensor; devices that need a group are named with [`Unit::groups`].

use std::path::{Path, PathBuf};

/// The name of the unit's file.
pub const UNIT_FILE: &str = "cairn-node.service";
/// The node's folder where a package or root installs the service.
pub const SYSTEM_FOLDER: &str = "/var/lib/cairn-node";
/// The most memory that the service may take before the system ends it: several times what it needs.
const MEMORY_MAX: &str = "96M";

/// Whose service it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The machine's, under a user of its own that systemd makes, with the folder [`SYSTEM_FOLDER`].
    System,
    /// The machine's, as this numeric user, with a folder anywhere.
    SystemAs(u32),
    /// A person's, in their own session.
    User,
}

/// What the unit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The binary.
    pub program: PathBuf,
    /// The node's folder.
    pub folder: PathBuf,
    /// Whose service it is.
    pub whose: Whose,
    /// Groups whose devices it reads, such as `dialout` for serial lines.
    pub groups: Vec<String>,
}

/// What holds for a person's service too: no rights of their own are needed for it.
const EVERYBODY: &str = "NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
";

/// What only the machine's own service may ask for.
const SYSTEM: &str = "AmbientCapabilities=
CapabilityBoundingSet=
PrivateTmp=yes
ProcSubset=all
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictNamespaces=yes
";

impl Unit {
    /// The text of the unit's file.
    #[must_use]
    pub fn text(&self) -> String {
        let (program, folder) = (quoted(&self.program), quoted(&self.folder));
        let wanted_by = if self.whose == Whose::User { "default.target" } else { "multi-user.target" };
        let mut service = match &self.whose {
            Whose::System => {
                "DynamicUser=yes\nStateDirectory=cairn-node\nStateDirectoryMode=0700\nRuntimeDirectory=cairn-node\n"
                    .to_owned()
            }
            Whose::SystemAs(user) => format!("User={user}\nReadWritePaths={folder}\nRuntimeDirectory=cairn-node\n"),
            Whose::User => String::new(),
        };
        // A person's service has that person's groups, and may take no others.
        if !self.groups.is_empty() && self.whose != Whose::User {
            service.push_str(&format!("SupplementaryGroups={}\n", self.groups.join(" ")));
        }
        service.push_str(EVERYBODY);
        if self.whose != Whose::User {
            service.push_str(SYSTEM);
        }
        format!(
            "[Unit]\n\
             Description=Cairn node: measures, signs, and sends until it is kept\n\
             Wants=network-online.target\n\
             After=network-online.target time-sync.target\n\
             StartLimitIntervalSec=0\n\
             \n\
             [Service]\n\
             Type=exec\n\
             ExecStart={program} node run --dir {folder}\n\
             Restart=always\n\
             RestartSec=10\n\
             RestartMaxDelaySec=300\n\
             RestartSteps=5\n\
             TimeoutStopSec=30\n\
             UMask=0077\n\
             MemoryMax={MEMORY_MAX}\n\
             TasksMax=64\n\
             {service}\n\
             [Install]\n\
             WantedBy={wanted_by}\n"
        )
    }
}

/// A path as systemd reads it: in quotes, where it holds anything but plain characters.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string().replace('%', "%%");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%".contains(&byte);
    if text.bytes().all(is_plain) {
        return text;
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(whose: Whose, folder: &str) -> Unit {
        Unit { program: "/usr/bin/cairn".into(), folder: folder.into(), whose, groups: Vec::new() }
    }

    #[test]
    fn only_the_machines_own_service_asks_for_what_a_person_cannot_give() {
        let system = unit(Whose::System, SYSTEM_FOLDER).text();
        let user = unit(Whose::User, "/home/ada/.cairn/node").text();
        for line in SYSTEM.lines().chain(["DynamicUser=yes", "WantedBy=multi-user.target"]) {
            assert!(system.contains(&format!("\n{line}\n")) && !user.contains(&format!("\n{line}\n")), "{line}");
        }
        for line in EVERYBODY.lines().chain(["Restart=always", "UMask=0077"]) {
            assert!(system.contains(&format!("\n{line}\n")) && user.contains(&format!("\n{line}\n")), "{line}");
        }
        assert!(user.contains("ExecStart=/usr/bin/cairn node run --dir /home/ada/.cairn/node\n"));
        let own = unit(Whose::SystemAs(1_000), "/srv/node").text();
        assert!(own.contains("\nUser=1000\nReadWritePaths=/srv/node\n"));
    }

    #[test]
    fn paths_and_groups_stay_what_they_are() {
        let odd = |whose| Unit { groups: vec!["dialout".to_owned()], ..unit(whose, "/srv/my \"100%\" $node\\x") };
        assert!(!odd(Whose::User).text().contains("SupplementaryGroups"));
        let odd = odd(Whose::System).text();
        assert!(odd.contains("--dir \"/srv/my \\\"100%%\\\" $$node\\\\x\"\n"), "{odd}");
        assert!(odd.contains("\nSupplementaryGroups=dialout\n"));
    }
}
