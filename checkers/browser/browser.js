// The browser, and what is written down of everything that a page does in it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

/** Debian's Chromium; nothing is downloaded. */
const CHROMIUM = process.env.CAIRN_CHROMIUM ?? "/usr/bin/chromium";
/** The accessibility rules, as a script. */
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** What the machine did to a request while its addresses changed under the browser: neither page nor server has a part in it. */
const NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED";
/** WCAG 2.2 at level AA. */
const WCAG_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** Starts the browser. Names are not looked up and nothing but loopback is reached, whatever a page says. */
export function launch() {
  return chromium.launch({
    executablePath: CHROMIUM,
    // The map draws with WebGL, which is computed where there is no graphics card.
    args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
    // Chromium's own sandbox does not start as root.
    chromiumSandbox: process.getuid() !== 0,
  });
}

/**
 * A window over one site, under `options` of Playwright's contexts. `faults` gets a line for whatever no page may do: errors and
 * warnings, requests to anybody else, refusals by the content security policy, dialogs, further windows, failed requests.
 * `bodies` has the bytes of each answer, by its address; the browser's own store is not used, so that every page asks anew.
 */
export async function open(browser, site, options = {}) {
  const context = await browser.newContext({ baseURL: site.url, viewport: { width: 1280, height: 800 }, ...options });
  // Only what hangs takes that long; two slow cores may take their time.
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const [faults, bodies] = [[], new Map()];
  // A page that is refused is still shown; Chromium notes every status above 399 as an error, which it then is not.
  const isProblem = (message) => message.text().includes("Failed to load resource") && message.location().url === page.url();
  page.on("console", (message) => {
    const isLoud = ["error", "warning", "assert"].includes(message.type());
    const isMachine = message.text().includes(NETWORK_CHANGED);
    if (isLoud && !isProblem(message) && !isMachine) faults.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`uncaught: ${error.message}`));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    return dialog.dismiss();
  });
  context.on("page", (other) => faults.push(`a window: ${other.url()}`));
  context.on("requestfailed", (request) => {
    // A page that is left ends what it still listened to.
    const why = request.failure()?.errorText;
    if (why !== "net::ERR_ABORTED" && why !== NETWORK_CHANGED) faults.push(`failed: ${request.url()}: ${why}`);
  });
  context.on("response", (response) => {
    // A stream of events has no end.
    const isStream = response.headers()["content-type"]?.startsWith("text/event-stream");
    if (!isStream) bodies.set(response.url(), response.body().catch(() => ""));
  });
  await context.route("**/*", (route) => {
    const url = new URL(route.request().url());
    const isOwn = url.origin === site.url || ["data:", "blob:"].includes(url.protocol);
    if (isOwn) return route.fallback();
    faults.push(`a request to somebody else: ${url.href}`);
    return route.abort();
  });
  await context.routeWebSocket(/.*/, (socket) => faults.push(`a socket: ${socket.url()}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  return { context, page, faults, bodies, close: () => context.close() };
}

/** Waits until the map of the page, if it has one, has drawn its cells. */
export async function awake(page) {
  const map = page.locator("#map");
  if ((await map.count()) === 0) return;
  await map.scrollIntoViewIfNeeded();
  await page.locator('#map[data-map-state="idle"]').waitFor();
}

/** What breaks the rules of WCAG 2.2 AA on the page that is shown: a line for every rule and place. */
export async function inaccessible(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(
    (values) => globalThis.axe.run(document, { runOnly: { type: "tag", values }, resultTypes: ["violations"] }),
    WCAG_AA,
  );
  return found.violations.flatMap((rule) => rule.nodes.map((node) =>
    `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary?.replace(/\s+/g, " ")}`));
}

/** What stands out of the window to the right, where the document itself can be scrolled sideways; nothing when it cannot. */
export function overflow(page) {
  return page.evaluate(() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    const wide = [...document.body.querySelectorAll("*")].filter((element) =>
      element.getBoundingClientRect().right > root.clientWidth + 1 && !element.closest(".scroll"));
    return [`${root.scrollWidth} px`, ...wide.slice(0, 5).map((element) => element.outerHTML.slice(0, 120))];
  });
}

/** Base units, shares and other exact numbers on the page, in its order. */
export function numbers(page) {
  return page.locator("main data[value]").evaluateAll((all) => all.map((data) => [data.className, data.getAttribute("value")]));
}
