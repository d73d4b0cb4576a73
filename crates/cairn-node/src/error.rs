//! What stops a worker or an auditor, or only a step of it.

use cairn_client::ClientError;
use cairn_client::names::NamesError;
use cairn_core::{DeviceId, JobId, NetworkId};
use cairn_log::FileError;

/// What stops a worker or an auditor, or only a step of it.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The gateway cannot be reached, refused, or answered with something else.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What a gateway tells of a job is not what its buyer signed.
    #[error("what the gateway tells of job {job} is not the job: {what}")]
    NotTheJob {
        /// The job.
        job: JobId,
        /// What does not fit.
        what: &'static str,
    },
    /// The folder belongs to another network than the gateway's.
    #[error("the folder is that of a worker of network {own}, and the gateway is of {told}")]
    OtherNetwork {
        /// The folder's network.
        own: NetworkId,
        /// The gateway's.
        told: NetworkId,
    },
    /// The folder belongs to another device.
    #[error("the folder is that of {own}, and the key is of {given}")]
    OtherDevice {
        /// The folder's device.
        own: DeviceId,
        /// The key's.
        given: DeviceId,
    },
    /// A name for the next report is not to be had.
    #[error("the network says that {device} has counted its starts up to {told}, and its folder says {own}")]
    Names {
        /// The device.
        device: DeviceId,
        /// The boot counter by the network.
        told: u32,
        /// The boot counter by the folder.
        own: u32,
    },
    /// Another program works in the folder.
    #[error("another program works in this folder")]
    Locked,
    /// A file of the folder is not what was written into it.
    #[error("`{file}` is damaged: {what}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The disk failed, or is full.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder cannot be read or written.
    #[error("cannot use the folder: {0}")]
    Io(#[from] std::io::Error),
    /// The system gives no randomness or no thread.
    #[error("the system gives no {0}")]
    System(&'static str),
}

impl NodeError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Client(error) => error.code(),
            Self::NotTheJob { .. } => "NODE-JOB",
            Self::OtherNetwork { .. } => "NODE-NETWORK",
            Self::OtherDevice { .. } => "NODE-DEVICE",
            Self::Names { .. } => "NODE-NAMES",
            Self::Locked => "NODE-LOCKED",
            Self::Damaged { .. } => "NODE-DAMAGED",
            Self::File(FileError::Full { .. }) => "NODE-FULL",
            Self::File(_) | Self::Io(_) => "NODE-IO",
            Self::System(_) => "NODE-SYSTEM",
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Client(error) => error.hint(),
            Self::NotTheJob { .. } => Some("ask another gateway of the network; this one is wrong or lies"),
            Self::OtherNetwork { .. } => {
                Some("give another folder with --dir, or the address of the network's gateway")
            }
            Self::OtherDevice { .. } => Some("each device has a folder of its own: give another one with --dir"),
            Self::Names { .. } => {
                Some("if the device has been at work elsewhere for long, write its boot counter into the file `boot`")
            }
            Self::Locked => Some("end the other one, or give another folder with --dir"),
            Self::Damaged { .. } => Some("move the file away; a job of which nobody has heard yet is run again"),
            Self::File(FileError::Full { .. }) => Some("make room; nothing that was said is lost"),
            Self::File(_) | Self::Io(_) | Self::System(_) => None,
        }
    }

    /// Whether it is the folder's trouble, after which nobody knows what is durable: only a start tells.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        !matches!(self, Self::Client(_) | Self::NotTheJob { .. })
    }
}

impl From<NamesError> for NodeError {
    fn from(error: NamesError) -> Self {
        match error {
            NamesError::OtherNetwork { own, told } => Self::OtherNetwork { own, told },
            NamesError::OtherDevice { own, given } => Self::OtherDevice { own, given },
            NamesError::Format { file } => {
                Self::Damaged { file: file.to_owned(), what: "it is of another format than this program writes" }
            }
            NamesError::Names { device, told, own } => Self::Names { device, told, own },
            NamesError::File(error) => Self::File(error),
        }
    }
}
