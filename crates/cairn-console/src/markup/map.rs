//! The map's place on a page: what its script needs to know, the layers to choose from, and words for who has no map.

use cairn_core::geo::Area;
use maud::{Markup, html};

use crate::assets::{BASEMAP, MAPLIBRE, MAPLIBRE_WORKER, WORLD};
use crate::basemap::Basemap;
use crate::map::tile::{NAME, TILES};
use crate::map::{Layer, degrees};
use crate::pages::as_of::{AS_OF, AsOf};
use crate::pages::device::readings::decimal;

/// What a map is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// The epoch that its numbers come from.
    pub as_of: AsOf,
    pub layer: Layer,
    /// What it shows at first; all devices where that is not told.
    pub area: Option<&'a Area>,
    /// The operator's base map, if there is one.
    pub base: Option<&'a Base>,
}

/// What a page says of the operator's base map.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    kind: &'static str,
    /// The address of its tiles, with `{z}`, `{x}` and `{y}`.
    tiles: String,
    /// The widest and the closest zoom.
    zooms: String,
    /// Decimal degrees: west, south, east, north.
    bounds: String,
    /// Whose data it is, as text.
    attribution: Option<String>,
}

impl Base {
    pub fn of(map: &Basemap) -> Self {
        let (widest, closest) = map.zooms();
        Self {
            kind: if map.kind().is_raster() { "raster" } else { "vector" },
            tiles: format!("{TILES}/{{z}}/{{x}}/{{y}}?{NAME}={}", map.name()),
            zooms: format!("{widest},{closest}"),
            bounds: map.bounds_e7().map(|e7| decimal(e7.into(), 7)).join(","),
            attribution: map.attribution().map(str::to_owned),
        }
    }
}

/// The map. Without a script its form leads to the table of the layer.
pub(crate) fn map(shown: &Shown<'_>) -> Markup {
    let epoch = shown.as_of.epoch.map(|epoch| epoch.to_string()).unwrap_or_default();
    let fixed = if shown.as_of.is_fixed { epoch.as_str() } else { "" };
    html! {
        section.map #map aria-label="Map" data-map-state="asleep" data-layer=(shown.layer.word()) data-epoch=(epoch) data-as-of=(fixed)
            data-bounds=(shown.area.map(degrees).unwrap_or_default())
            data-library=(MAPLIBRE.path) data-worker=(MAPLIBRE_WORKER.path) data-world=(WORLD.path)
            data-base=[shown.base.map(|_| &BASEMAP.path)] data-base-kind=[shown.base.map(|base| base.kind)]
            data-base-tiles=[shown.base.map(|base| &base.tiles)] data-base-zooms=[shown.base.map(|base| &base.zooms)]
            data-base-bounds=[shown.base.map(|base| &base.bounds)] {
            form.map-layers action="/map" method="get" {
                fieldset {
                    legend { "What the map shows" }
                    @for layer in Layer::ALL {
                        span {
                            @if layer == shown.layer {
                                input type="radio" name="layer" id={ "layer-" (layer.word()) } value=(layer.word()) checked;
                            } @else {
                                input type="radio" name="layer" id={ "layer-" (layer.word()) } value=(layer.word());
                            }
                            label for={ "layer-" (layer.word()) } { (layer.title()) }
                        }
                    }
                }
                @if shown.as_of.is_fixed { input type="hidden" name=(AS_OF) value=(epoch); }
                button type="submit" { "Show" }
            }
            p.map-says role="status" {
                "The map needs JavaScript and WebGL 2. The table of cells says the same without them."
            }
            div.map-canvas {}
            @if let Some(attribution) = shown.base.and_then(|base| base.attribution.as_deref()) {
                p.map-credit { "Base map: " bdi { (attribution) } }
            }
            div.map-beside {
                div.map-legend {}
                div.map-panel aria-live="polite" {}
            }
        }
    }
}
