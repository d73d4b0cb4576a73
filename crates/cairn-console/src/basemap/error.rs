//! Why a file is no base map, or a tile of it cannot be read.

use std::io;

use thiserror::Error;

/// Why a file is no base map, or a tile of it cannot be read.
#[derive(Debug, Error)]
pub enum BadBasemap {
    /// The file cannot be read.
    #[error("the base map cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is not a PMTiles archive of version 3.
    #[error("this is no PMTiles archive of version 3: {0}")]
    Format(&'static str),
    /// What is packed is packed in a way that is not read.
    #[error("the archive's {what} are packed with {how}")]
    Compression {
        /// Such as `tiles`.
        what: &'static str,
        /// Such as `Zstandard`.
        how: String,
    },
    /// Its tiles are nothing that the console draws.
    #[error("the archive's tiles are {0}, which the console does not draw")]
    Kind(String),
    /// None of its layers is drawn.
    #[error("the archive has the layers {0}, of which the console draws none")]
    Layers(String),
    /// A part of it lies outside the file, or is not what it has to be.
    #[error("the archive is damaged: {0}")]
    Damaged(&'static str),
    /// A part of it is larger than what is read.
    #[error("the archive's {what} has more than {bytes_max} bytes")]
    Limit {
        /// Such as `directory`.
        what: &'static str,
        /// What is read at most.
        bytes_max: u64,
    },
}

impl BadBasemap {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "NET-IO",
            Self::Format(_) => "MAP-FORMAT",
            Self::Compression { .. } => "MAP-COMPRESSION",
            Self::Kind(_) => "MAP-KIND",
            Self::Layers(_) => "MAP-LAYERS",
            Self::Damaged(_) => "MAP-DAMAGED",
            Self::Limit { .. } => "MAP-LIMIT",
        }
    }

    /// The way out.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Io(_) => "the path of [console] basemap is taken from the network's folder",
            Self::Format(_) => "`pmtiles convert` makes version 3 of older archives and of MBTiles",
            Self::Compression { .. } => "gzip and none are read: make the archive with one of them",
            Self::Kind(_) => "vector tiles, PNG, JPEG and WebP are drawn",
            Self::Layers(_) => "vector tiles have to have layers of Protomaps' basemap, such as earth, water and roads",
            Self::Damaged(_) => "`pmtiles verify` says what is the matter; fetch the file again",
            Self::Limit { .. } => "make the archive with `pmtiles`, whose directories and tiles are smaller",
        })
    }
}
