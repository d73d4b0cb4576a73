// What others wrote neither speaks as the page nor breaks it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { open, overflow } from "../browser.js";
import { HOSTILE } from "../networks.js";
import { browser, emptySite, hostileSite } from "../setup.js";
import { every, json } from "../survey.js";

/** What no page with hostile words in it may show. */
async function isUnharmed({ page, faults }, path) {
  await page.goto(path);
  assert.equal(await page.evaluate(() => globalThis.harmed), undefined, `${path} runs nothing`);
  const strangers = await page.evaluate(() => {
    const made = document.querySelectorAll("script:not([src^='/assets/']), style, img:not([src^='/assets/']), iframe, [onload], [onerror]");
    return [...made].map((element) => element.outerHTML);
  });
  assert.deepEqual(strangers, [], path);
  for (const one of ["main", "h1", "header", "aside.rehearsed", "footer"]) {
    assert.equal(await page.locator(one).count(), 1, `${one} of ${path}`);
    assert.ok(await page.locator(one).isVisible(), `${one} of ${path}`);
  }
  for (const width of [320, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    assert.deepEqual(await overflow(page), [], `${path} at ${width} px`);
  }
  assert.deepEqual(faults.splice(0), [], path);
}

describe("hostile words", () => {
  it("of devices are shown as they are, and are nothing but text", async () => {
    const window = await open(browser, hostileSite);
    const verdicts = await every(hostileSite, "/v1/epochs/0/verdicts", "verdicts");
    const devices = [...new Set(verdicts.map((verdict) => verdict.device))];
    const models = new Set();
    for (const device of devices) {
      await isUnharmed(window, `/devices/${device}`);
      const { device: { model, enrolled_index, owner } } = await json(hostileSite, `/devices/${device}.json`);
      models.add(model);
      const shown = await window.page.locator("main bdi").allInnerTexts();
      assert.ok(shown.includes(model), `${shown} has ${model}`);
      await isUnharmed(window, `/entries/${enrolled_index}`);
      await isUnharmed(window, `/accounts/${owner}`);
      await isUnharmed(window, `/why/${device}/0`);
      for (const twin of [`/devices/${device}.csv`, `/entries/${enrolled_index}.csv`]) {
        const csv = await (await fetch(new URL(twin, hostileSite.url))).text();
        assert.ok(csv.split(/[\n,]/).every((cell) => !/^"?[=+@\t]/.test(cell)), `${twin} has no formula: ${csv}`);
      }
    }
    assert.deepEqual([...models].sort(), [...HOSTILE.models].sort());
    for (const path of ["/network", "/epochs", "/epochs/1", "/epochs/1/payouts", "/status"]) await isUnharmed(window, path);
    await window.close();
  });

  it("of a network, in which nothing has happened, neither", async () => {
    const window = await open(browser, emptySite);
    for (const path of ["/network", "/epochs", "/status", "/search", "/entries/0", "/entries/0.json", "/epochs/7"]) {
      if (path.endsWith(".json")) {
        const said = await json(emptySite, path);
        assert.equal(said.source.network, HOSTILE.name);
        continue;
      }
      await isUnharmed(window, path);
      assert.ok((await window.page.locator("aside.rehearsed bdi").allInnerTexts()).includes(HOSTILE.rehearsed), path);
      assert.ok((await window.page.title()).endsWith(` · ${HOSTILE.name}`), path);
    }
    await window.close();
  });

  it("in an address are text, in their own direction", async () => {
    const window = await open(browser, emptySite);
    const hostile = "<script>window.harmed=6</script>\u{202e}\u{200b}\"'";
    for (const path of [
      `/search?q=${encodeURIComponent(hostile)}`,
      `/devices/${encodeURIComponent(hostile)}`,
      `/epochs/${encodeURIComponent(hostile)}`,
      `/status?${encodeURIComponent(hostile)}=1`,
    ]) {
      await isUnharmed(window, path);
      const text = await window.page.locator("body").innerText();
      assert.ok(!/[\u{202e}\u{200b}]/u.test(text) && text.includes("\\u{202e}"), path);
    }
    await window.close();
  });
});
