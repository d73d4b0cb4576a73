//! The operator's base map.

use cairn_console::basemap::{Basemap, Place, TILE_BYTES_MAX};

/// Zooms whose tiles are all asked for; of the closer ones some are.
const ZOOM_WHOLE: u64 = 3;

pub(crate) fn basemap(bytes: &[u8]) {
    let map = match Basemap::over(Box::new(bytes.to_vec()), b"") {
        Ok(map) => map,
        Err(error) => return assert!(!error.code().is_empty() && error.hint().is_some()),
    };
    let whole = (0..=ZOOM_WHOLE)
        .flat_map(|zoom| (0..1u64 << (2 * zoom)).map(move |at| (zoom, at & ((1 << zoom) - 1), at >> zoom)));
    let closer =
        (ZOOM_WHOLE + 1..=26).flat_map(|zoom| [(zoom, 0, 0), (zoom, (1 << zoom) - 1, 0), (zoom, 1 << (zoom - 1), 3)]);
    let places: Vec<Place> = whole.chain(closer).filter_map(|(zoom, x, y)| Place::of(zoom, x, y)).collect();
    let tile = |place: &Place| map.tile(*place).map_err(|error| error.code());
    let asked: Vec<_> = places.iter().map(tile).collect();
    for (place, found) in places.iter().zip(&asked).rev() {
        assert_eq!(&tile(place), found, "{place:?}");
        if let Ok(Some(tile)) = found {
            assert!(tile.len() as u64 <= TILE_BYTES_MAX, "{place:?}");
        }
    }
}
