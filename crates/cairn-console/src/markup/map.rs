//! The map's place on a page: what its script needs to know, the layers to choose from, and words for who has no map.

use cairn_core::geo::Area;
use maud::{Markup, html};

use crate::assets::{MAPLIBRE, MAPLIBRE_WORKER, WORLD};
use crate::map::{Layer, degrees};
use crate::pages::as_of::{AS_OF, AsOf};

/// What a map is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// The epoch that its numbers come from.
    pub as_of: AsOf,
    pub layer: Layer,
    /// What it shows at first; all devices where that is not told.
    pub area: Option<&'a Area>,
}

/// The map. Without a script its form leads to the table of the layer.
pub(crate) fn map(shown: &Shown<'_>) -> Markup {
    let epoch = shown.as_of.epoch.map(|epoch| epoch.to_string()).unwrap_or_default();
    let fixed = if shown.as_of.is_fixed { epoch.as_str() } else { "" };
    html! {
        section.map #map aria-label="Map" data-map-state="asleep" data-layer=(shown.layer.word()) data-epoch=(epoch) data-as-of=(fixed)
            data-bounds=(shown.area.map(degrees).unwrap_or_default())
            data-library=(MAPLIBRE.path) data-worker=(MAPLIBRE_WORKER.path) data-world=(WORLD.path) {
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
            div.map-beside {
                div.map-legend {}
                div.map-panel aria-live="polite" {}
            }
        }
    }
}
