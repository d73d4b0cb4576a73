// What all tests look at: made once, before the first of them.

import { launch } from "./browser.js";
import { demo, hostileDevices, hostileName, overBasemap } from "./networks.js";
import { pages, survey } from "./survey.js";

/** A demo network, served. */
export const site = await demo();
/** What is in it. */
export const found = await survey(site);
/** A page of each kind. */
export const PAGES = pages(found);
/** Those that are built differently from each other. */
export const TEMPLATES = PAGES.filter((page) => !page.isLike);
/** A network whose devices have hostile names, */
export const hostileSite = await hostileDevices();
/** and one that has a hostile name itself. */
export const emptySite = await hostileName();
/** Networks with a base map: of vector tiles, */
export const vectorSite = await overBasemap("vector.pmtiles");
/** and of pictures. */
export const rasterSite = await overBasemap("raster.pmtiles");
/** The browser. */
export const browser = await launch();

/** Ends everything; servers have to end well. */
export async function end() {
  await browser.close();
  const codes = await Promise.all([site, hostileSite, emptySite, vectorSite, rasterSite].map((served) => served.stop()));
  if (codes.some((code) => code !== 0)) throw new Error(`servers ended with ${codes}`);
}
