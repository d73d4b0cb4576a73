// A reading that lost score, as its owner follows it: the device, the mark, why, the evidence, and the check of the evidence.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { open } from "../browser.js";
import { found, browser, site } from "../setup.js";
import { json } from "../survey.js";

const { device, epoch, verdict, reason } = found.flagged;
const [OWN] = verdict.entries;

describe("a flagged reading", () => {
  it("is marked on the device's page, named in the table, and explained down to bytes that are checked in the browser", async () => {
    const { page, faults, close } = await open(browser, site);
    await page.goto("/network");
    await page.locator("#q").fill(device);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/devices/${device}`);
    // The page as of the epoch in which it happened has that epoch's readings.
    await page.goto(`/devices/${device}?as_of=${epoch}`);
    assert.match(await page.locator(".as-of").innerText(), new RegExp(`^As of epoch ${epoch},`));
    const { readings } = await json(site, `/devices/${device}.json?as_of=${epoch}`);
    const flagged = readings.series.points.filter((point) => point.lost.length > 0);
    assert.ok(flagged.some((point) => point.entry === OWN && point.lost.includes(reason.code)));
    assert.ok((await page.locator("svg circle.flagged").count()) >= flagged.length);
    const row = page.locator("main tr").filter({ has: page.locator(`a[href="/entries/${OWN}"]`), hasText: reason.code });
    assert.equal(await row.count(), 1);
    await page.locator(`main a[href^="/why/${device}/${epoch}"]`).first().click();
    await page.waitForURL(`**/why/${device}/${epoch}`);
    const said = await page.locator("main").innerText();
    for (const words of [reason.code, reason.sentence]) assert.ok(said.includes(words), `${words}\n${said}`);
    // The neighbours it was held against are evidence, too.
    const evidence = await page.locator("main a[href^='/entries/']").evaluateAll((all) => all.map((link) => Number(link.innerText)));
    const shown = reason.evidence.filter((index) => evidence.includes(index));
    assert.ok(shown.length >= 2, `${evidence} of ${reason.evidence}`);
    await page.locator(`main a[href="/entries/${shown[0]}"]`).first().click();
    await page.waitForURL(`**/entries/${shown[0]}`);
    assert.match(await page.locator("main").innerText(), /sensing\/1/);
    await page.locator(".verify button").click();
    await page.locator("[data-verify-state=green]").waitFor();
    assert.deepEqual(faults, []);
    await close();
  });
});
