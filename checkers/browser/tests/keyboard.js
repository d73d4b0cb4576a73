// The console without a mouse.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { awake, open } from "../browser.js";
import { found, browser, site, TEMPLATES } from "../setup.js";

/** What has the focus: its element and words, whether one sees where it is, and whether that is in the window. */
function focus(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    const isOutlined = (shown) => {
      const style = getComputedStyle(shown);
      return style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2;
    };
    const box = element.getBoundingClientRect();
    return {
      tag: element.localName,
      id: element.id,
      words: element.innerText?.trim() ?? "",
      // A map has its outline around all of it.
      isOutlined: isOutlined(element.closest(".maplibregl-map") ?? element),
      isInside: box.width > 0 && box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight,
    };
  });
}

/** Presses Tab until `is` holds of what has the focus; every stop on the way is seen. */
async function tabTo(page, is, most = 400) {
  for (let stops = 1; stops <= most; stops += 1) {
    await page.keyboard.press("Tab");
    const at = await focus(page);
    assert.ok(at.tag === "body" || (at.isOutlined && at.isInside), `one sees the focus: ${JSON.stringify(at)}`);
    if (is(at)) return at;
  }
  return assert.fail(`not reached by ${most} times Tab`);
}

describe("the keyboard", () => {
  it("skips to the content, and comes to every main link and the search before it", async () => {
    const { page, faults, close } = await open(browser, site);
    await page.goto("/network");
    const links = await page.locator("header nav a").allInnerTexts();
    assert.ok(links.length >= 3);
    const first = await tabTo(page, () => true);
    assert.equal(first.words, "Skip to the content");
    for (const words of [found.network.name, ...links]) assert.equal((await tabTo(page, () => true)).words, words);
    assert.equal((await tabTo(page, () => true)).id, "q");
    assert.equal((await tabTo(page, () => true)).words, "Search");
    // The skip link leads past all of them.
    await page.goto("/network");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/network#main");
    await tabTo(page, () => true);
    assert.ok(await page.evaluate(() => document.querySelector("main").contains(document.activeElement)));
    assert.deepEqual(faults, []);
    await close();
  });

  it("finds a device, why it got what it got, and the evidence", async () => {
    const { page, faults, close } = await open(browser, site);
    const { device, epoch } = found.flagged;
    await page.goto("/status");
    await tabTo(page, (at) => at.id === "q");
    await page.keyboard.type(device);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/devices/${device}`);
    const why = `/why/${device}/${epoch}`;
    await tabTo(page, (at) => at.tag === "a" && at.words === "why");
    await page.locator(`main a[href="${why}"]`).first().focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(`**${why}`);
    await tabTo(page, (at) => at.tag === "a" && at.words === String(found.flagged.reason.evidence[0]));
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/entries/${found.flagged.reason.evidence[0]}`);
    assert.deepEqual(faults, []);
    await close();
  });

  it("comes to everything that can be pressed, and out of the page again", async (t) => {
    const { page, faults, close } = await open(browser, site);
    for (const at of TEMPLATES) {
      await t.test(at.name, async () => {
        await page.goto(at.path);
        // What is there is counted when nothing is added any more.
        await awake(page);
        const reachable = await page.evaluate(() => {
          const all = document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']");
          // Of buttons that exclude each other, Tab comes to the one that is chosen.
          const isStop = (element) => element.type !== "radio" || element.checked;
          return [...all].filter((element) => element.checkVisibility() && !element.disabled && isStop(element)).length;
        });
        let stops = 0;
        await tabTo(page, ({ tag }) => {
          stops += 1;
          return tag === "body";
        }, 2 * reachable + 20);
        assert.ok(stops - 1 >= reachable, `${stops - 1} stops, ${reachable} things`);
        assert.deepEqual(faults.splice(0), []);
      });
    }
    await close();
  });
});
