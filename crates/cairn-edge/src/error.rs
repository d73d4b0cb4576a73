//! What can go wrong at the edge, each with a stable code.

use std::io;

use cairn_client::names::NamesError;
use cairn_core::{DeviceId, NetworkId};

use crate::SignError;

/// Why something at the edge failed.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// Another process has the folder.
    #[error("another process uses this folder")]
    Locked,
    /// The folder is of another network.
    #[error("this folder belongs to network {own}, not {told}")]
    OtherNetwork {
        /// The folder's.
        own: NetworkId,
        /// The other.
        told: NetworkId,
    },
    /// The folder is of another device.
    #[error("this folder belongs to device {own}, not {given}")]
    OtherDevice {
        /// The folder's.
        own: DeviceId,
        /// The other.
        given: DeviceId,
    },
    /// No name is left that was certainly not given yet.
    #[error("{device} has told the network of boot {told}, far above the {own} of this folder")]
    Names {
        /// Whose.
        device: DeviceId,
        /// What the network was told.
        told: u32,
        /// What the folder knows.
        own: u32,
    },
    /// A folder that another program wrote.
    #[error("`{file}` is of another format than this program writes")]
    Format {
        /// The file that says so.
        file: &'static str,
    },
    /// A file that does not hold what was written into it.
    #[error("`{file}` is damaged: {what}")]
    Damaged {
        /// The file, as named in its folder.
        file: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Something that is larger than a report can be.
    #[error("what was measured makes a report of more than {bytes_max} bytes")]
    TooLarge {
        /// The most.
        bytes_max: usize,
    },
    /// A file that cannot be read or written.
    #[error("the disk: {0}")]
    Io(#[from] io::Error),
    /// The signer did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl EdgeError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Locked => "EDGE-LOCKED",
            Self::OtherNetwork { .. } => "EDGE-NETWORK",
            Self::OtherDevice { .. } => "EDGE-DEVICE",
            Self::Names { .. } => "EDGE-NAMES",
            Self::Format { .. } => "EDGE-FORMAT",
            Self::Damaged { .. } => "EDGE-DAMAGED",
            Self::TooLarge { .. } => "EDGE-TOO-LARGE",
            Self::Io(_) => "EDGE-DISK",
            Self::Sign(error) => error.code(),
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Locked => Some("is the node running already? `systemctl status cairn-node`"),
            Self::OtherNetwork { .. } | Self::OtherDevice { .. } => {
                Some("take another folder (--dir): what waits in this one is another's")
            }
            Self::Names { .. } => Some("make another key and enrol it: names of this one may be used up"),
            Self::Format { .. } => {
                Some("a later program wrote this folder: start that one; this one has changed nothing")
            }
            Self::Damaged { .. } => Some("move the file away; it says in the guide what is lost with it"),
            Self::TooLarge { .. } => Some("send fewer readings under one signature"),
            Self::Io(error) if error.kind() == io::ErrorKind::StorageFull => Some("make room on the disk"),
            Self::Io(_) => None,
            Self::Sign(error) => error.may_pass.then_some("is the token plugged in?"),
        }
    }

    /// Whether it may pass without anybody doing something about it.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Io(_) => true,
            Self::Sign(error) => error.may_pass,
            _ => false,
        }
    }
}

impl From<NamesError> for EdgeError {
    fn from(error: NamesError) -> Self {
        match error {
            NamesError::OtherNetwork { own, told } => Self::OtherNetwork { own, told },
            NamesError::OtherDevice { own, given } => Self::OtherDevice { own, given },
            NamesError::Format { file } => Self::Format { file },
            NamesError::Names { device, told, own } => Self::Names { device, told, own },
            NamesError::File(error) => error.into(),
        }
    }
}

impl From<cairn_log::FileError> for EdgeError {
    fn from(error: cairn_log::FileError) -> Self {
        Self::Io(error.into())
    }
}
