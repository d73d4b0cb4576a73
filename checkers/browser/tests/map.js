// The map: it is drawn, it shows what the server summed up, and nobody is held in it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { inaccessible, open } from "../browser.js";
import { browser, found, site } from "../setup.js";
import { json } from "../survey.js";

/** Waits until the map has drawn a layer and asks for nothing more. */
function drawn(page, layer = "score") {
  return page.locator(`#map[data-map-state="idle"][data-layer="${layer}"][data-shown="${layer}"]`).waitFor();
}

/** Does something, and waits for the cells that the map asks for because of it. */
async function cellsOf(page, act) {
  const answered = page.waitForResponse((response) => response.url().includes("/map/cells.json?") && response.url().includes("bbox="));
  await act();
  return (await answered).json();
}

const sum = (features, name) => features.reduce((sum, { properties }) => sum + Number(properties[name]), 0);

describe("the map", () => {
  it("has every device of the last epoch in the cells that it draws, and says as of when", async () => {
    const { page, faults, close } = await open(browser, site);
    const cells = await cellsOf(page, () => page.goto("/map"));
    await drawn(page);
    const { total } = await json(site, "/map.json");
    assert.ok(total.devices > 0);
    assert.equal(sum(cells.features, "devices"), total.devices, "all devices are in view");
    assert.equal(await page.getAttribute("#map", "data-features"), String(cells.features.length));
    assert.equal(cells.source.as_of.statement, found.epochs.at(-1).statement);
    const says = await page.locator(".map-says").innerText();
    assert.match(says, new RegExp(`^${cells.features.length} cells? in this view, as of epoch ${found.epochs.at(-1).number}\\.`));
    // Pixels, not only words: the canvas has more than one colour.
    const picture = await page.locator("#map canvas").screenshot();
    assert.ok(picture.length > 4_000, `${picture.length} bytes of picture`);
    assert.deepEqual(faults, []);
    await close();
  });

  it("switches to each layer, with a legend whose cells are all that are seen", async () => {
    const { page, faults, close } = await open(browser, site);
    await page.goto("/map");
    await drawn(page);
    const layers = await page.locator(".map-layers input[type=radio]").evaluateAll((all) => all.map((input) => input.value));
    assert.deepEqual(layers.toSorted(), ["devices", "pay", "score", "untested"]);
    for (const layer of [...layers.filter((name) => name !== "score"), "score"]) {
      const cells = await cellsOf(page, () => page.locator(`label[for="layer-${layer}"]`).click());
      await drawn(page, layer);
      assert.equal(cells.layer, layer);
      const label = await page.locator(`label[for="layer-${layer}"]`).innerText();
      assert.equal(await page.locator(".map-legend h2").innerText(), label);
      const counts = await page.locator(".map-legend li").evaluateAll((all) => all.map((item) => Number(/(\d+) cells?$/.exec(item.innerText)[1])));
      assert.equal(counts.reduce((sum, count) => sum + count, 0), cells.features.length, `${counts}`);
      assert.equal(new URL(page.url()).pathname, "/map");
    }
    assert.deepEqual(faults, []);
    await close();
  });

  for (const colorScheme of ["light", "dark"]) {
    it(`breaks no rule of WCAG 2.2 AA in ${colorScheme} colours, and takes the other ones over`, async () => {
      const { page, faults, close } = await open(browser, site, { colorScheme });
      await page.goto("/map");
      await drawn(page);
      assert.deepEqual(await inaccessible(page), []);
      await page.emulateMedia({ colorScheme: colorScheme === "light" ? "dark" : "light" });
      await drawn(page);
      assert.deepEqual(await inaccessible(page), []);
      assert.deepEqual(faults, []);
      await close();
    });
  }

  it("is moved, chosen in and left with the keyboard alone", async () => {
    const { page, faults, close } = await open(browser, site);
    // The map of a cell's page has the cell in its middle.
    await page.goto(`/cells/${found.cell}`);
    if ((await page.locator("#map").count()) === 0) await page.goto("/map");
    await page.locator("#map").scrollIntoViewIfNeeded();
    await drawn(page);
    const canvas = page.locator("#map canvas");
    await canvas.focus();
    await cellsOf(page, () => page.keyboard.press("+"));
    await drawn(page);
    await cellsOf(page, () => page.keyboard.press("ArrowRight"));
    await drawn(page);
    await page.keyboard.press("Enter");
    const middle = page.locator(".map-panel[data-cell]").or(page.locator(".map-says", { hasText: "no cell with devices in the middle" }));
    await middle.first().waitFor();
    for (let stops = 0; stops < 5; stops += 1) await page.keyboard.press("Tab");
    assert.ok(!(await canvas.evaluate((element) => element === document.activeElement)), "Tab leads out of the map");
    assert.deepEqual(faults, []);
    await close();
  });

  it("takes the focus from nobody when it comes", async () => {
    const { page, faults, close } = await open(browser, site);
    let go;
    const gate = new Promise((resolve) => { go = resolve; });
    await page.route(/maplibre/, (route) => gate.then(() => route.fallback()));
    await page.goto("/map");
    const button = page.locator(".map-layers button");
    const isAt = (element) => element === document.activeElement;
    await button.focus();
    go();
    await drawn(page);
    assert.ok(await button.evaluate(isAt), "it is still at the button");
    await page.keyboard.press("Tab");
    assert.ok(await page.locator(".map-controls button").first().evaluate(isAt), "and then at the map's own");
    assert.ok(await button.isHidden(), "which is not needed any more");
    // What is told of a cell anew, because the map was moved, does not lose who is at its link.
    await page.locator("#map canvas").focus();
    await page.keyboard.press("Enter");
    const link = page.locator(".map-panel a");
    await link.focus();
    await cellsOf(page, () => page.locator(".map-controls button", { hasText: "Zoom out" }).evaluate((zoom) => zoom.click()));
    await drawn(page);
    assert.ok(await link.evaluate(isAt), "it is still at the link");
    assert.deepEqual(faults, []);
    await close();
  });

  it("says so where the server fails, where there is no WebGL, and where there is no JavaScript; its table is there", async () => {
    const failing = await open(browser, site);
    await failing.page.route(/map\/cells\.json\?.*bbox=/, (route) => route.fulfill({ status: 500, body: "" }));
    await failing.page.goto("/map");
    await failing.page.locator("#map[data-map-state=failed]").waitFor();
    assert.match(await failing.page.locator(".map-says").innerText(), /could not be loaded/);
    await failing.close();
    const flat = await open(browser, site);
    await flat.context.addInitScript(() => { HTMLCanvasElement.prototype.getContext = () => null; });
    await flat.page.goto("/map");
    await flat.page.locator("#map[data-map-state=none]").waitFor();
    assert.match(await flat.page.locator(".map-says").innerText(), /no WebGL 2/);
    assert.deepEqual(flat.faults, []);
    await flat.close();
    const still = await open(browser, site, { javaScriptEnabled: false });
    await still.page.goto("/map");
    const { cells } = await json(site, "/map.json");
    const linked = await still.page.locator("main table a[href^='/cells/']").count();
    assert.ok(linked > 0 && linked <= cells.length, `${linked} of ${cells.length}`);
    await still.page.locator("#layer-pay").check();
    await still.page.locator(".map-layers button").click();
    await still.page.waitForURL("**/map?layer=pay");
    assert.deepEqual(still.faults, []);
    await still.close();
  });
});
