// The check in the reader's own browser: green over what the log says, red wherever one byte of it is another.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { inaccessible, open, overflow } from "../browser.js";
import { found, browser, PAGES, site } from "../setup.js";
import { json } from "../survey.js";

const { device, epoch } = found.flagged;
const LAST = found.epochs.at(-1).number;
const ENTRY = found.flagged.reason.evidence[0];

/** Presses the button of a page, and waits for what comes of it: the state, the steps by their names, and the last sentence. */
async function verify(page, path) {
  if (path) await page.goto(path);
  await page.locator(".verify button").click();
  await page.locator("[data-verify-state='green'], [data-verify-state='red']").waitFor();
  const section = page.locator("[data-verify]");
  const steps = await section.locator("[data-step]").evaluateAll((all) => all.map((step) => [step.dataset.step, step.dataset.state]));
  return {
    state: await section.getAttribute("data-verify-state"),
    steps: Object.fromEntries(steps),
    said: await section.locator("[role=status]").innerText(),
  };
}

/** Everything holds, and nothing was passed over but the steps in `leftOut`. */
function isGreen({ state, steps, said }, leftOut = []) {
  assert.deepEqual([state, said.slice(0, 1)], ["green", "✓"], JSON.stringify(steps));
  assert.ok(Object.keys(steps).length > 5);
  for (const [name, how] of Object.entries(steps)) assert.equal(how, leftOut.includes(name) ? "left-out" : "good", name);
}

/** The steps that a page's check leaves out: the signatures of an entry that has none. */
async function leftOutOf({ name, path }) {
  if (!name.startsWith("entry: ")) return [];
  const { signatures } = (await json(site, `${path}.json`)).decoded;
  return signatures.length > 0 ? [] : ["signatures"];
}

/** Changes one byte, by default in the middle, of every answer whose address is `matching`. */
function flip(page, matching, where = 0.5) {
  return page.route(matching, async (route) => {
    const response = await route.fetch();
    const body = Buffer.from(await response.body());
    if (response.ok()) body[Math.min(body.length - 1, Math.floor(body.length * where))] ^= 1;
    return route.fulfill({ response, body });
  });
}

describe("the check in the browser", () => {
  it("is green for an entry of each kind, an epoch, its payouts, a pay and an account's claim", async (t) => {
    const window = await open(browser, site);
    const names = ["epoch", "payouts", "why", "account"];
    for (const at of PAGES.filter(({ name }) => names.includes(name) || name.startsWith("entry: "))) {
      await t.test(at.name, async () => {
        isGreen(await verify(window.page, at.path), await leftOutOf(at));
        assert.deepEqual(await overflow(window.page), []);
        assert.deepEqual(window.faults.splice(0), []);
      });
    }
    await window.close();
  });

  it("says the amount, the entry's words and the roots that it found itself", async () => {
    const { page, close } = await open(browser, site);
    await verify(page, `/why/${device}/${epoch}`);
    const shown = await page.locator(".verify").innerText();
    const { statement } = found.epochs.find(({ number }) => number === epoch);
    assert.ok(shown.includes(statement), shown);
    await verify(page, `/entries/${ENTRY}`);
    assert.match(await page.locator(".verify").innerText(), /sensing\/1/);
    await close();
  });

  it("is red wherever one byte of what the log serves is another, and says where", async (t) => {
    const entry = `/entries/${ENTRY}`;
    const epochAt = `/epochs/${LAST}`;
    // What the page's own numbers are made of is not asked: the script reads the raw files.
    for (const [what, path, matching, steps, where] of [
      ["the checkpoint's text", entry, "**/log/checkpoint", ["checkpoint", "signature"], 0.2],
      ["the checkpoint's signature", entry, "**/log/checkpoint", ["checkpoint", "signature"], 0.9],
      ["a tile of hashes", entry, /\/log\/tile\/0\//, ["root", "begin", "tiles"], 0.5],
      ["the first byte of a tile", entry, /\/log\/tile\/0\//, ["root", "begin", "tiles"], 0],
      ["the last byte of a tile", entry, /\/log\/tile\/0\//, ["root", "begin", "tiles"], 1],
      ["a tile above", entry, /\/log\/tile\/1\//, ["root"], 0.5],
      ["a bundle of entries", entry, /\/log\/tile\/entries\//, ["genesis", "begin", "entry"], 0.5],
      ["the statement", epochAt, `**/v1/epochs/${LAST}`, ["statement"], 0.5],
      ["the statement before", epochAt, `**/v1/epochs/${LAST - 1}`, ["previous"], 0.5],
      ["a verdict", epochAt, `**/v1/epochs/${LAST}/verdicts`, ["verdicts"], 0.5],
      ["a payout", epochAt, `**/v1/epochs/${LAST}/payouts`, ["payouts"], 0.5],
      ["a sale", epochAt, `**/v1/epochs/${LAST}/sales`, ["sales"], 0.5],
    ]) {
      await t.test(what, async () => {
        const { page, faults, close } = await open(browser, site);
        await flip(page, matching, where);
        const { state, steps: ended, said } = await verify(page, path);
        const bad = Object.entries(ended).filter(([, how]) => how === "bad").map(([name]) => name);
        assert.deepEqual([state, said.slice(0, 1), bad.length], ["red", "✗", 1], JSON.stringify(ended));
        assert.ok(steps.includes(bad[0]), `found at ${bad[0]}, not at ${steps}: ${said} ${faults.join("; ")}`);
        assert.deepEqual(faults, []);
        // Asked again over what is true, it is green again.
        await page.unrouteAll({ behavior: "wait" });
        isGreen(await verify(page));
        await close();
      });
    }
  });

  it("asks again for a file that cannot be read at once, and says so where it cannot be read at all", async () => {
    const { page, close } = await open(browser, site);
    let left = 2;
    await page.route(/\/log\/tile\/0\//, (route) => (left-- > 0 ? route.abort("connectionreset") : route.fallback()));
    isGreen(await verify(page, `/entries/${ENTRY}`));
    left = Infinity;
    const { state, steps, said } = await verify(page);
    assert.deepEqual([state, steps.root, said.startsWith("✗ Not checked to the end.")], ["red", "bad", true], said);
    await close();
  });

  it("is red where the page itself says another amount or another leaf", async () => {
    for (const [path, attribute, step] of [
      [`/why/${device}/${epoch}`, /data-verify-paid="(\d)/, "paid"],
      [`/entries/${ENTRY}`, /data-verify-leaf="([0-9a-f])/, "page"],
    ]) {
      const { page, close } = await open(browser, site);
      await page.route(`**${path}`, async (route) => {
        const response = await route.fetch();
        const other = (found, digit) => found.slice(0, -1) + (digit === "1" ? "2" : "1");
        const html = await response.text();
        assert.match(html, attribute);
        return route.fulfill({ response, body: html.replace(attribute, other) });
      });
      const { state, steps } = await verify(page, path);
      assert.deepEqual([state, steps[step]], ["red", "bad"], JSON.stringify(steps));
      await close();
    }
  });

  it("is red for a network that is not the one that the reader knows", async () => {
    const { page, faults, close } = await open(browser, site);
    await page.goto(`/entries/${ENTRY}`);
    await page.locator("#verify-pin").fill("0".repeat(64));
    assert.equal((await verify(page)).state, "red");
    await page.locator("#verify-pin").fill(found.network.network_id);
    isGreen(await verify(page));
    assert.deepEqual(faults, []);
    await close();
  });

  for (const colorScheme of ["light", "dark"]) {
    it(`is pressed with the keyboard, and red and green break no rule of WCAG 2.2 AA in ${colorScheme} colours`, async () => {
      for (const [isTampered, width] of [[true, 320], [false, 320]]) {
        const { page, faults, close } = await open(browser, site, { colorScheme, viewport: { width, height: 800 } });
        if (isTampered) await flip(page, "**/log/checkpoint");
        await page.goto(`/entries/${ENTRY}`);
        await page.locator("#verify-pin").focus();
        await page.keyboard.press("Tab");
        assert.equal(await page.evaluate(() => document.activeElement.localName), "button");
        await page.keyboard.press("Enter");
        await page.locator(`[data-verify-state=${isTampered ? "red" : "green"}]`).waitFor();
        assert.deepEqual(await inaccessible(page), []);
        assert.deepEqual(await overflow(page), []);
        assert.deepEqual(faults, []);
        await close();
      }
    });
  }

  it("says so where its script cannot be loaded", async () => {
    const { page, close } = await open(browser, site);
    await page.route("**/epoch.mjs", (route) => route.abort());
    const { state, said } = await verify(page, `/entries/${ENTRY}`);
    assert.deepEqual([state, said.startsWith("✗ Not proven.")], ["red", true], said);
    await close();
  });

  it("is not offered without JavaScript, and its sentences are there", async () => {
    const { page, close } = await open(browser, site, { javaScriptEnabled: false });
    await page.goto(`/entries/${ENTRY}`);
    assert.equal(await page.locator(".verify button").count(), 0);
    assert.match(await page.locator(".verify").innerText(), /verify\.mjs URL/);
    await close();
  });
});
