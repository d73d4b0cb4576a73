//! Tiles of the operator's base map, as the archive has them.

use crate::address::Address;
use crate::answer::{ALWAYS_ASK, Answer, FOR_EVER};
use crate::basemap::{Place, ZOOM_MAX};
use crate::error::ConsoleError;
use crate::pages::number;
use crate::reader::Reader;

/// Where tiles are.
pub(crate) const TILES: &str = "/map/tiles";
/// The parameter that names the archive: with it a tile is the same for ever.
pub(crate) const NAME: &str = "of";

/// A tile, by its zoom, column and row; nothing (204) where the archive has none.
///
/// # Errors
/// [`ConsoleError`] where there is no base map, for what is no tile of the pyramid, and for a damaged archive.
pub(crate) fn answer(reader: &Reader<'_>, names: [&str; 3], address: &Address) -> Result<Answer, ConsoleError> {
    address.parameters(&[NAME])?;
    let no_map = || ConsoleError::not_there("MAP-NONE", "this network's operator has no base map");
    let map = reader.basemap.ok_or_else(no_map)?;
    let [zoom, x, y] = names;
    let place = Place::of(number(zoom, "a zoom")?, number(x, "a tile's column")?, number(y, "a tile's row")?);
    let outside = || {
        let rule = format!("a zoom goes up to {ZOOM_MAX}, and at zoom z there are 2^z columns and rows from 0 on");
        ConsoleError::bad("MAP-TILE", format!("`{zoom}/{x}/{y}` is no tile: {rule}"))
    };
    let place = place.ok_or_else(outside)?;
    let cache = if address.text(NAME) == Some(map.name()) { FOR_EVER } else { ALWAYS_ASK };
    let content_type = map.kind().content_type();
    Ok(match map.tile(place)? {
        None => Answer::of(204, content_type, cache, Vec::new()),
        Some(tile) if map.are_tiles_packed() => Answer::of(200, content_type, cache, tile).packed(),
        Some(tile) => Answer::of(200, content_type, cache, tile),
    })
}
