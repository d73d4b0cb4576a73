//! The beginning of an archive: where its parts are, and what its tiles are.

use super::BadBasemap;
use super::place::ZOOM_MAX;

/// Bytes of a header.
pub(super) const HEADER_BYTES: u64 = 127;
/// Where the root directory has to end.
const ROOT_END_MAX: u64 = 16_384;

/// A part of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Section {
    pub offset: u64,
    pub length: u64,
}

impl Section {
    /// A part of this part, as a file's.
    pub fn part(self, offset: u64, length: u32) -> Option<Self> {
        let end = offset.checked_add(length.into()).filter(|end| *end <= self.length);
        end.map(|_| Self { offset: self.offset + offset, length: length.into() })
    }
}

/// What tiles are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Mapbox Vector Tiles.
    Vector,
    /// PNG pictures.
    Png,
    /// JPEG pictures.
    Jpeg,
    /// WebP pictures.
    Webp,
}

impl Kind {
    /// The media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Vector => "application/vnd.mapbox-vector-tile",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }

    /// Whether they are pictures.
    #[must_use]
    pub const fn is_raster(self) -> bool {
        !matches!(self, Self::Vector)
    }
}

/// A header (PMTiles version 3, "Header Design").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub root: Section,
    pub metadata: Section,
    pub leaves: Section,
    pub tiles: Section,
    /// Whether directories and metadata are packed with gzip.
    pub is_packed: bool,
    /// Whether tiles are.
    pub are_tiles_packed: bool,
    pub kind: Kind,
    pub zoom_min: u8,
    pub zoom_max: u8,
    /// West, south, east and north, 1e-7 degree.
    pub bounds_e7: [i32; 4],
}

impl Header {
    /// Reads the header of a file of so many bytes.
    ///
    /// # Errors
    /// [`BadBasemap`].
    pub fn read(bytes: &[u8], file_bytes: u64) -> Result<Self, BadBasemap> {
        if bytes.len() as u64 != HEADER_BYTES || !bytes.starts_with(b"PMTiles") {
            return Err(BadBasemap::Format("it does not begin as one"));
        }
        if bytes[7] != 3 {
            return Err(BadBasemap::Format("it has another version"));
        }
        let section = |at: usize| -> Result<Section, BadBasemap> {
            let section = Section { offset: long(bytes, at), length: long(bytes, at + 8) };
            let end = section.offset.checked_add(section.length).filter(|end| *end <= file_bytes);
            end.map(|_| section).ok_or(BadBasemap::Damaged("a part of it lies outside the file"))
        };
        let header = Self {
            root: section(8)?,
            metadata: section(24)?,
            leaves: section(40)?,
            tiles: section(56)?,
            is_packed: is_packed("directories", bytes[97])?,
            are_tiles_packed: is_packed("tiles", bytes[98])?,
            kind: kind(bytes[99])?,
            zoom_min: bytes[100],
            zoom_max: bytes[101],
            bounds_e7: [degrees(bytes, 102), degrees(bytes, 106), degrees(bytes, 110), degrees(bytes, 114)],
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), BadBasemap> {
        let root_end = self.root.offset + self.root.length;
        if self.root.offset < HEADER_BYTES || self.root.length == 0 || root_end > ROOT_END_MAX {
            return Err(BadBasemap::Damaged("its root directory is not in its first 16,384 bytes"));
        }
        if self.zoom_min > self.zoom_max || self.zoom_max > ZOOM_MAX {
            return Err(BadBasemap::Damaged("its zooms are not from 0 to 26"));
        }
        let [west, south, east, north] = self.bounds_e7;
        let are_degrees = west.unsigned_abs().max(east.unsigned_abs()) <= 1_800_000_000
            && south.unsigned_abs().max(north.unsigned_abs()) <= 900_000_000;
        if !are_degrees || west >= east || south >= north {
            return Err(BadBasemap::Damaged("its bounds are no area of the earth"));
        }
        Ok(())
    }
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn degrees(bytes: &[u8], at: usize) -> i32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    i32::from_le_bytes(word)
}

fn is_packed(what: &'static str, code: u8) -> Result<bool, BadBasemap> {
    let how = match code {
        1 => return Ok(false),
        2 => return Ok(true),
        3 => "Brotli".to_owned(),
        4 => "Zstandard".to_owned(),
        0 => "what it does not say".to_owned(),
        code => format!("an unknown way, {code}"),
    };
    Err(BadBasemap::Compression { what, how })
}

fn kind(code: u8) -> Result<Kind, BadBasemap> {
    Ok(match code {
        1 => Kind::Vector,
        2 => Kind::Png,
        3 => Kind::Jpeg,
        4 => Kind::Webp,
        5 => return Err(BadBasemap::Kind("AVIF pictures".to_owned())),
        code => return Err(BadBasemap::Kind(format!("of an unknown kind, {code}"))),
    })
}
