// Makes `world.json` of Natural Earth's land and country borders as npm's `world-atlas` packs them (TopoJSON):
//   node world.mjs countries-50m.json land-50m.json > world.json
// Lines are integers of 1e-2 degree, each point after the first one as its step from the one before; map.mjs reads them.
import { readFileSync } from "node:fs";

const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const [countries, land] = process.argv.slice(2).map(read);

// The points of an arc in 1e-2 degree, without those that fall on the one before.
function points({ arcs, transform: { scale, translate } }, number) {
  const arc = arcs[number < 0 ? ~number : number];
  let [x, y] = [0, 0];
  const found = arc.map(([dx, dy]) => {
    [x, y] = [x + dx, y + dy];
    return [x * scale[0] + translate[0], y * scale[1] + translate[1]].map((degrees) => Math.round(degrees * 100));
  });
  return number < 0 ? found.reverse() : found;
}

function line(topology, arcs) {
  const all = arcs.flatMap((number, at) => points(topology, number).slice(at === 0 ? 0 : 1));
  return all.filter(([x, y], at) => at === 0 || x !== all[at - 1][0] || y !== all[at - 1][1]);
}

function steps(points) {
  return points.flatMap(([x, y], at) => (at === 0 ? [x, y] : [x - points[at - 1][0], y - points[at - 1][1]]));
}

// Islands that are no island at this scale are left out.
const rings = (polygons) => polygons.map((polygon) => polygon.map((arcs) => line(land, arcs)).filter((ring) => ring.length > 3));
const of = (geometry) => (geometry.type === "GeometryCollection" ? geometry.geometries.flatMap(of)
  : geometry.type === "Polygon" ? [geometry.arcs] : geometry.arcs);
const polygons = rings(of(land.objects.land)).filter((polygon) => polygon.length > 0);

// A border is an arc that two countries share.
const uses = new Map();
for (const country of countries.objects.countries.geometries) {
  for (const number of new Set(of(country).flat(2).map((number) => (number < 0 ? ~number : number)))) {
    uses.set(number, (uses.get(number) ?? 0) + 1);
  }
}
const shared = [...uses].filter(([, count]) => count > 1).map(([number]) => number).sort((a, b) => a - b);
const borders = shared.map((number) => line(countries, [number])).filter((found) => found.length > 1);

process.stdout.write(JSON.stringify({
  land: polygons.map((polygon) => polygon.map(steps)),
  borders: borders.map(steps),
}) + "\n");
