// What holds for every page of the console.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { inaccessible, numbers, open, overflow } from "../browser.js";
import { found, browser, PAGES, site, TEMPLATES } from "../setup.js";
import { json } from "../survey.js";

/** Bytes of a page with everything that it loads. */
const PAGE_BYTES = 100_000;
/** From small phones to wide screens, in CSS pixels. */
const WIDTHS = [320, 390, 768, 1280, 1920];

/** Does something on each page, each as a test of its own, in one window that must stay without a fault. */
function onEveryPage(law, options, check, which = PAGES) {
  it(law, async (t) => {
    const window = await open(browser, site, options);
    for (const page of which) {
      await t.test(page.name, async () => {
        const answer = await window.page.goto(page.path);
        await check(window, page, answer);
        assert.deepEqual(window.faults.splice(0), [], "faults");
      });
    }
    await window.close();
  });
}

describe("every page", () => {
  onEveryPage("is what its address says, cites its statement and says what is rehearsed", {}, async ({ page }, at, answer) => {
    assert.equal(answer.status(), at.status ?? 200);
    assert.equal(await page.locator("h1").innerText(), at.heading);
    assert.equal(await page.getAttribute("html", "lang"), "en");
    assert.equal(await page.title(), `${at.heading} · ${found.network.name}`);
    const rehearsed = await page.locator("aside.rehearsed").innerText();
    for (const what of found.network.rehearsed) assert.ok(rehearsed.includes(what), what);
    if (at.status) return;
    const { source } = await json(site, at.path.replace(/(\?|$)/, ".json$1"));
    const { number, statement } = source.as_of;
    assert.match(await page.locator(".as-of").innerText(), new RegExp(`^As of epoch ${number}, statement ${statement}`));
    assert.equal(await page.locator(".as-of a").getAttribute("href"), `/epochs/${number}`);
    assert.equal((await json(site, `/v1/epochs/${number}`)).statement, statement);
  });

  it("has a title of its own", () => {
    const headings = TEMPLATES.map((page) => page.heading);
    assert.equal(new Set(headings).size, headings.length, headings.join("\n"));
  });

  for (const colorScheme of ["light", "dark"]) {
    onEveryPage(`breaks no rule of WCAG 2.2 AA in ${colorScheme} colours`, { colorScheme }, async ({ page }) => {
      const ground = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
      const brightest = Math.max(...ground.match(/\d+/g).map(Number));
      assert.equal(brightest > 127, colorScheme === "light", ground);
      assert.deepEqual(await inaccessible(page), []);
    }, colorScheme === "light" ? PAGES : TEMPLATES);
  }

  onEveryPage(`is not scrolled sideways at ${WIDTHS.join(", ")} px`, {}, async ({ page }) => {
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      assert.deepEqual(await overflow(page), [], `${width} px`);
    }
  });

  it("says the same numbers without JavaScript", async (t) => {
    const [still, lively] = await Promise.all([{ javaScriptEnabled: false }, {}].map((how) => open(browser, site, how)));
    for (const at of PAGES) {
      await t.test(at.name, async () => {
        const shown = await Promise.all([still, lively].map(async ({ page }) => {
          await page.goto(at.path);
          return numbers(page);
        }));
        assert.deepEqual(shown[0], shown[1]);
        assert.ok(shown[0].length > 0 || !at.hasAmounts, "it has numbers");
        assert.deepEqual([...still.faults.splice(0), ...lively.faults.splice(0)], []);
      });
    }
    await Promise.all([still, lively].map((window) => window.close()));
  });

  it(`is below ${PAGE_BYTES} bytes with all that it loads, but for what draws maps`, async (t) => {
    const { page, bodies, close } = await open(browser, site);
    const drawsMaps = (url) => /^\/(assets\/(maplibre|world)|map\/cells)/.test(new URL(url).pathname);
    for (const at of PAGES) {
      await t.test(at.name, async () => {
        bodies.clear();
        await page.goto(at.path);
        const loaded = [...bodies].filter(([url]) => !drawsMaps(url));
        const sizes = await Promise.all(loaded.map(async ([url, body]) => [url, (await body).length]));
        const sum = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
        assert.ok(sizes.length > 1 && sum < PAGE_BYTES, `${sum} bytes: ${JSON.stringify(sizes)}`);
      });
    }
    await close();
  });

  it("is answered with 304 where it is known, and its assets are kept for ever", async () => {
    const { page, close } = await open(browser, site);
    for (const at of TEMPLATES.filter((page) => !page.status)) {
      await page.goto(at.path);
      const assets = await page.locator("link[href^='/assets/'], script[src], img[src]").evaluateAll((all) =>
        all.map((element) => element.getAttribute("href") ?? element.getAttribute("src")));
      assert.ok(assets.length >= 2);
      for (const path of [at.path, ...assets]) {
        const isAsset = path.startsWith("/assets/");
        const first = await fetch(new URL(path, site.url));
        assert.equal(first.status, 200, path);
        const cache = isAsset ? "public, max-age=31536000, immutable" : "no-cache";
        assert.equal(first.headers.get("cache-control"), cache, path);
        const tag = first.headers.get("etag");
        // The gateway's own clock stands on the page of its status: it is another page from one second to the next.
        if (at.name === "status" && !isAsset) continue;
        const again = await fetch(new URL(path, site.url), { headers: { "if-none-match": tag } });
        assert.deepEqual([again.status, await again.text()], [304, ""], path);
      }
    }
    await close();
  });
});
