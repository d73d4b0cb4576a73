// Paper, and people whom movement makes ill.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { open } from "../browser.js";
import { browser, site, TEMPLATES } from "../setup.js";

describe("every page", () => {
  it("is printed in black on white, without what can only be clicked", async (t) => {
    const { page, faults, close } = await open(browser, site, { colorScheme: "dark" });
    await page.emulateMedia({ media: "print" });
    for (const at of TEMPLATES) {
      await t.test(at.name, async () => {
        await page.goto(at.path);
        const colours = await page.evaluate(() => {
          const style = getComputedStyle(document.documentElement);
          return [style.color, style.backgroundColor];
        });
        assert.deepEqual(colours, ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]);
        for (const what of ["header nav", "header form"]) assert.ok(await page.locator(what).isHidden(), what);
        for (const what of ["h1", "aside.rehearsed", "main"]) assert.ok(await page.locator(what).isVisible(), what);
        assert.deepEqual(faults.splice(0), []);
      });
    }
    await close();
  });

  it("does not move where people asked for less of it", async (t) => {
    const { page, close } = await open(browser, site, { reducedMotion: "reduce" });
    for (const at of TEMPLATES) {
      await t.test(at.name, async () => {
        await page.goto(at.path);
        const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((element) => {
          const style = getComputedStyle(element);
          const lasts = (times) => times.split(",").some((time) => Number.parseFloat(time) > 0.001);
          return lasts(style.transitionDuration) || (style.animationName !== "none" && lasts(style.animationDuration));
        }).map((element) => element.outerHTML.slice(0, 120)));
        assert.deepEqual(moving, []);
        assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
      });
    }
    await close();
  });
});
