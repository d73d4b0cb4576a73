// The networks that are looked at: a demo with everything in it, two whose words are hostile, and those with a base map.

import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { cairn, cairnJson, scratch, serve } from "./cairn.js";

/** Two months of recorded readings with attackers, auditors, an embedded chain, and one job that was bought and paid. */
export async function demo() {
  const dir = join(scratch, "demo");
  const made = await cairnJson(["demo", "--days", "60", "--once", "--dir", dir]);
  if (made.audit !== "PASS") throw new Error(`the demo's own audit says ${made.audit}`);
  return { ...(await serve(dir)), made };
}

/** Names of a network and of its devices by people who mean harm: markup, addresses, formulas, length. */
export const HOSTILE = {
  name: "</title><script>window.harmed=1</script>",
  rehearsed: "<img src=https://outside.example/x onerror=window.harmed=2><style>*{display:none}</style>",
  models: [
    "<svg/onload=window.harmed=3>",
    "'><script>window.harmed=4</script>",
    "javascript:window.harmed=5",
    "=HYPERLINK('https://outside.example')",
    "W".repeat(64),
    "</dd></dl></main><main><h1>Paid 1000000 CAIRN</h1>",
  ],
};

/** A demo whose devices have hostile names; they have reported for three weeks, one of them wildly. */
export async function hostileDevices() {
  const rows = ["timestamp,station,lat,lon,pm10"];
  for (let day = 0; day < 21; day += 1) {
    const date = new Date(Date.UTC(2020, 5, 1 + day)).toISOString().slice(0, 10);
    for (const [at, model] of HOSTILE.models.entries()) {
      const value = at === 0 && day % 5 === 0 ? 400 : 20 + ((day * 7 + at) % 10);
      rows.push(`${date},${model},${50 + at / 10},10.5,${value}`);
    }
  }
  const [readings, dir] = [join(scratch, "hostile.csv"), join(scratch, "hostile-devices")];
  writeFileSync(readings, `${rows.join("\n")}\n`);
  await cairn(["demo", "--dataset", readings, "--no-compute", "--no-attackers", "--once", "--dir", dir]);
  return serve(dir);
}

/** A network with hostile words of its own, in which nothing has happened yet. */
export async function hostileName() {
  const dir = join(scratch, "hostile-name");
  await cairn(["init", dir, "--name", HOSTILE.name, "--rehearsed", HOSTILE.rehearsed]);
  return serve(dir);
}

/** A network in which nothing has happened, over one of the archives of `goldens/basemap`. */
export async function overBasemap(archive) {
  const dir = join(scratch, archive);
  await cairn(["init", dir, "--name", archive]);
  const path = fileURLToPath(new URL(`../../goldens/basemap/${archive}`, import.meta.url));
  appendFileSync(join(dir, "network.toml"), `\n[console]\nbasemap = ${JSON.stringify(path)}\n`);
  return serve(dir);
}
