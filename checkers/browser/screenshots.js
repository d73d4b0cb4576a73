// Takes the pictures of the console that the documents show: `cargo xtask screenshots`.

import { fileURLToPath } from "node:url";

import { open } from "./browser.js";
import { browser, end, found, site } from "./setup.js";

const IMAGES = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const { device, epoch } = found.flagged;

const mapIsDrawn = (page) => page.locator("#map[data-map-state=idle]").waitFor();
const toHeading = (words) => (page) => page.getByRole("heading", { name: words }).first().evaluate((heading) => heading.scrollIntoView());
const belowWhatIsRehearsed = (page) => page.locator("main").evaluate((main) => main.scrollIntoView());

/** Name of the picture, the page, what is done on it first, and the colours. */
const PICTURES = [
  ["network", "/network", mapIsDrawn, "light"],
  ["device", `/devices/${device}?as_of=${epoch}`, toHeading(/^What it measured/), "light"],
  ["why", `/why/${device}/${epoch}`, belowWhatIsRehearsed, "light"],
  ["map", `/map?as_of=${epoch}`, async (page) => {
    await mapIsDrawn(page);
    await belowWhatIsRehearsed(page);
  }, "light"],
  ["map-dark", `/map?as_of=${epoch}`, async (page) => {
    await mapIsDrawn(page);
    await belowWhatIsRehearsed(page);
  }, "dark"],
  ["verify", `/why/${device}/${epoch}`, async (page) => {
    await page.locator(".verify button").click();
    await page.locator("[data-verify-state=green]").waitFor();
    await toHeading(/^Check it yourself/)(page);
  }, "light"],
];

for (const [name, path, first, colorScheme] of PICTURES) {
  const { page, faults, close } = await open(browser, site, { colorScheme, reducedMotion: "reduce" });
  await page.goto(path);
  await first(page);
  await page.screenshot({ path: `${IMAGES}console-${name}.png` });
  await close();
  if (faults.length > 0) throw new Error(`${path}: ${faults.join("; ")}`);
  console.log(`docs/images/console-${name}.png`);
}
await end();
