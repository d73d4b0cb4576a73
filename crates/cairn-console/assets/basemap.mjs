// How the operator's base map is drawn: over the world's outlines, below the cells. The map loads this only where there is one.
//
// Vector tiles have the layers of Protomaps' basemap. Names are left out: no glyphs are served. Colours are the style sheet's.

const SOURCE = "base";
const GREEN = [
  "allotments", "beach", "cemetery", "farmland", "forest", "garden", "golf_course", "grass", "grassland", "meadow", "national_park",
  "nature_reserve", "orchard", "park", "pitch", "protected_area", "recreation_ground", "scrub", "village_green", "wetland", "wood",
];

const isArea = ["match", ["geometry-type"], ["Polygon", "MultiPolygon"], true, false];
const isLine = ["match", ["geometry-type"], ["LineString", "MultiLineString"], true, false];
const isPoint = ["match", ["geometry-type"], ["Point", "MultiPoint"], true, false];
const kindIn = (kinds) => ["match", ["get", "kind"], kinds, true, false];
/** Wider where it is looked at closely. */
const width = (wide, close) => ["interpolate", ["exponential", 1.6], ["zoom"], 5, wide, 18, close];

const VECTOR = [
  { id: "base-earth", type: "fill", "source-layer": "earth", filter: isArea },
  { id: "base-green", type: "fill", "source-layer": "landuse", filter: ["all", isArea, kindIn(GREEN)] },
  { id: "base-water", type: "fill", "source-layer": "water", filter: isArea },
  { id: "base-rivers", type: "line", "source-layer": "water", filter: isLine, paint: { "line-width": width(0.5, 8) } },
  { id: "base-buildings", type: "fill", "source-layer": "buildings", filter: isArea },
  {
    id: "base-paths", type: "line", "source-layer": "roads", minzoom: 13,
    filter: ["all", isLine, kindIn(["path", "other", "rail", "ferry"])], paint: { "line-width": width(0.25, 3) },
  },
  { id: "base-roads", type: "line", "source-layer": "roads", filter: ["all", isLine, kindIn(["minor_road", "medium_road"])], paint: { "line-width": width(0.25, 14) } },
  { id: "base-highways", type: "line", "source-layer": "roads", filter: ["all", isLine, kindIn(["highway", "major_road"])], paint: { "line-width": width(0.75, 20) } },
  { id: "base-boundaries", type: "line", "source-layer": "boundaries", filter: isLine, paint: { "line-width": 0.75 } },
  { id: "base-places", type: "circle", "source-layer": "places", filter: ["all", isPoint, kindIn(["locality"])], paint: { "circle-radius": 2 } },
];
const RASTER = [{ id: "base-raster", type: "raster", paint: { "raster-fade-duration": 0 } }];

/** Has the page itself ask for tiles: what draws them works elsewhere, and may ask nobody. */
export function open(maplibre, base) {
  maplibre.addProtocol(SOURCE, async ({ url }, { signal }) => {
    const [, z, x, y] = /(\d+)\/(\d+)\/(\d+)$/.exec(url);
    const answer = await fetch(base.tiles.replace("{z}", z).replace("{x}", x).replace("{y}", y), { signal });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return { data: await answer.arrayBuffer() };
  });
}

/** The source of `base`, what the page says of its map. */
export function source(base) {
  const [minzoom, maxzoom] = base.zooms.split(",").map(Number);
  const source = { type: base.kind, tiles: [`${SOURCE}://{z}/{x}/{y}`], minzoom, maxzoom, bounds: base.bounds.split(",").map(Number) };
  return { [SOURCE]: base.kind === "raster" ? { ...source, tileSize: 256 } : source };
}

/** Its layers, the lowest first. */
export function layers(base) {
  return (base.kind === "raster" ? RASTER : VECTOR).map((layer) => ({ ...layer, source: SOURCE, paint: layer.paint ?? {} }));
}

/** The colours of a layer. */
export function paint(layer, colour, isDark) {
  switch (layer) {
    case "base-earth": return { "fill-color": colour("land") };
    case "base-green": return { "fill-color": colour("green") };
    case "base-water": return { "fill-color": colour("sea") };
    case "base-rivers": return { "line-color": colour("sea") };
    case "base-buildings": return { "fill-color": colour("building") };
    case "base-paths": case "base-roads": case "base-highways": return { "line-color": colour("road") };
    case "base-boundaries": return { "line-color": colour("border") };
    case "base-places": return { "circle-color": colour("border") };
    // A picture has the colours that it has; at night it is not as bright.
    default: return { "raster-brightness-max": isDark ? 0.6 : 1 };
  }
}
