// A base map of the operator: it is drawn where it has tiles, and takes nothing away where it has none.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { inaccessible, open } from "../browser.js";
import { browser, emptySite, rasterSite, vectorSite } from "../setup.js";

const TILES = /\/map\/tiles\/(\d+)\/(\d+)\/(\d+)\?of=[0-9a-f]{16}$/;

/** The map page, drawn. */
async function shown(site, options) {
  const window = await open(browser, site, options);
  await window.page.goto("/map");
  await idle(window.page);
  return window;
}

const idle = (page) => page.locator('#map[data-map-state="idle"]').waitFor();

/** What part of the map has a colour, of 1,000; a colour of the style sheet by its name, or red, green and blue. */
async function share(page, colour) {
  const png = (await page.locator("#map canvas").screenshot()).toString("base64");
  return page.evaluate(async ([png, colour]) => {
    const picture = new Image();
    picture.src = `data:image/png;base64,${png}`;
    await picture.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [picture.width, picture.height];
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const named = () => getComputedStyle(document.getElementById("map")).getPropertyValue(`--map-${colour}`).trim();
    const wanted = typeof colour === "string" ? [1, 3, 5].map((at) => parseInt(named().slice(at, at + 2), 16)) : colour;
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (wanted.every((part, byte) => Math.abs(part - data[at + byte]) <= 2)) count += 1;
    }
    return Math.round(count * 1000 * 4 / data.length);
  }, [png, colour]);
}

/** Looks until a colour's part is as it has to be: colours are taken over a moment after they change. */
async function becomes(page, colour, holds) {
  let part;
  for (let looks = 0; looks < 50; looks += 1) {
    part = await share(page, colour);
    if (holds(part)) return;
  }
  assert.fail(`${colour} has ${part} of the map`);
}

/** The tiles that a page was given: zoom, column, row. */
function tiles({ bodies }) {
  return [...bodies.keys()].map((url) => TILES.exec(url)).filter((found) => found !== null).map((found) => found.slice(1).map(Number));
}

describe("an operator's base map", () => {
  for (const colorScheme of ["light", "dark"]) {
    it(`of vector tiles is drawn in ${colorScheme} colours, over the world, which is seen where it has no tiles`, async () => {
      const plain = await shown(emptySite, { colorScheme });
      const [land, sea] = [await share(plain.page, "land"), await share(plain.page, "sea")];
      assert.ok(land > 100 && sea > 400, `the world has land ${land} and sea ${sea}`);
      assert.equal(await plain.page.locator(".map-credit").count(), 0);
      assert.deepEqual(tiles(plain), []);
      assert.deepEqual(plain.faults, []);
      await plain.close();
      const window = await shown(vectorSite, { colorScheme });
      const { page, faults } = window;
      // Its west is land, and there are things on it; the east is as it was.
      const now = { land: await share(page, "land"), sea: await share(page, "sea"), green: await share(page, "green"), building: await share(page, "building") };
      assert.ok(now.land > land + 150 && now.sea < sea - 150 && now.sea > 150, JSON.stringify({ land, sea, now }));
      assert.ok(now.green > 2 && now.building > 2, JSON.stringify(now));
      const asked = tiles(window);
      assert.ok(asked.length > 0 && asked.every(([zoom, x]) => zoom <= 3 && x <= 2 ** zoom / 2), `${asked.join(" ")}`);
      assert.deepEqual(await inaccessible(page), []);
      // The other colours are taken over without asking again for a tile.
      let again = 0;
      page.on("request", (request) => { if (TILES.test(request.url())) again += 1; });
      await page.emulateMedia({ colorScheme: colorScheme === "light" ? "dark" : "light" });
      await becomes(page, "land", (part) => part > land + 150);
      assert.equal(again, 0);
      assert.deepEqual(faults, []);
      await window.close();
    });
  }

  it("of pictures is drawn as it is, and not as bright at night", async () => {
    const { page, faults, close } = await shown(rasterSite, { colorScheme: "light" });
    const colours = [0, 1, 2, 3].map((zoom) => [180 + 20 * zoom, 20, 90]);
    const shares = [];
    for (const colour of colours) shares.push(await share(page, colour));
    assert.ok(Math.max(...shares) > 150, `${shares}`);
    assert.ok((await share(page, "sea")) > 150, "the world is seen beside it");
    await page.emulateMedia({ colorScheme: "dark" });
    await becomes(page, "sea", (part) => part > 150);
    for (const colour of colours) await becomes(page, colour, (part) => part < 20);
    assert.deepEqual(faults, []);
    await close();
  });

  it("is named as its archive says, in text that is nothing else", async () => {
    for (const site of [vectorSite, rasterSite]) {
      const { page, faults, close } = await shown(site);
      assert.equal(await page.locator(".map-credit").innerText(), "Base map: Made up © <script>window.harmed=7</script>");
      assert.equal(await page.evaluate(() => globalThis.harmed), undefined);
      assert.deepEqual(faults, []);
      await close();
    }
  });

  it("that fails leaves the world and its cells", async () => {
    const window = await open(browser, vectorSite);
    await window.page.route(/\/map\/tiles\//, (route) => route.fulfill({ status: 500, body: "" }));
    await window.page.goto("/map");
    await window.page.locator('#map[data-map-state="idle"][data-base-state="failed"]').waitFor();
    assert.ok((await share(window.page, "land")) > 100);
    assert.match(await window.page.locator(".map-says").innerText(), /0 cells in this view/);
    await window.close();
  });
});
