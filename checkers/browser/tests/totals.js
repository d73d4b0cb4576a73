// One number, one source: pages, their twins, the API and the command say the same, to the last base unit.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { numbers, open } from "../browser.js";
import { cairnJson } from "../cairn.js";
import { found, browser, site } from "../setup.js";
import { every, json } from "../survey.js";

/** Amounts in the order in which the balance says them: what there was, and what became of it. */
const PARTS = ["opening", "minted", "deposited", "paid", "refunded", "burned", "escrow", "vesting", "unallocated"];

/** The rows of a CSV twin, by the names of its columns; cells here hold neither commas nor quotes. */
async function csv(path) {
  const text = await (await fetch(new URL(path, site.url))).text();
  const [head, ...rows] = text.trimEnd().split(/\r?\n/).filter((line) => !line.startsWith("#"));
  const names = head.split(",");
  return rows.map((row) => Object.fromEntries(row.split(",").map((cell, at) => [names[at], cell])));
}

const sum = (units) => units.reduce((sum, unit) => sum + BigInt(unit), 0n);

/** The amounts on a page, in its order. */
async function amounts(page, path) {
  await page.goto(path);
  return (await numbers(page)).filter(([kind]) => kind === "money").map(([, units]) => units);
}

describe("one number, one source", () => {
  it("network and epochs: page, twin, API and command say the same balance, and it balances", async (t) => {
    const { page, faults, close } = await open(browser, site);
    const listed = await cairnJson(["epoch", "list", "--url", site.url]);
    for (const { number } of found.epochs) {
      await t.test(`epoch ${number}`, async () => {
        const stated = await json(site, `/v1/epochs/${number}`);
        const said = PARTS.map((part) => stated.balance[part]);
        const [opening, minted, deposited, ...after] = said.map(BigInt);
        assert.equal(opening + minted + deposited, sum(after), "the balance");
        assert.deepEqual((await amounts(page, `/epochs/${number}`)).slice(0, PARTS.length), said, "the page");
        const twin = (await json(site, `/epochs/${number}.json`)).epoch;
        assert.deepEqual(PARTS.map((part) => twin.balance[part]), said, "the JSON twin");
        const command = await cairnJson(["epoch", "show", String(number), "--url", site.url]);
        assert.deepEqual(PARTS.map((part) => command.balance[part]), said, "the command");
        assert.equal(listed.epochs.find((epoch) => epoch.number === number).balance.paid, stated.balance.paid, "the list");
        assert.equal(command.statement, stated.statement);
        const rows = await csv(`/epochs/${number}/payouts.csv`);
        assert.equal(sum(rows.map((row) => row.amount)), BigInt(stated.balance.paid) + BigInt(stated.balance.refunded), "rows");
        const pools = sum((await csv(`/epochs/${number}.csv`)).map((row) => row.paid));
        assert.equal(pools, sum(stated.pools.map((pool) => pool.paid)), "pools");
        if (number !== found.epochs.at(-1).number) return;
        assert.deepEqual((await amounts(page, "/network")).slice(0, PARTS.length), said, "the network's page");
        assert.deepEqual(PARTS.map((part) => found.network && stated.balance[part]), said);
      });
    }
    const paid = found.epochs.map(({ balance }) => balance.paid);
    assert.deepEqual((await csv("/network.csv")).map((row) => row.paid), paid, "what the network's page draws");
    assert.deepEqual((await csv("/epochs.csv")).map((row) => row.paid).reverse(), paid, "the list of epochs");
    assert.deepEqual(faults, []);
    await close();
  });

  it("accounts: page, twins, API and command say the same, and together they are what epochs paid", async () => {
    const { page, faults, close } = await open(browser, site);
    const byEpoch = new Map(found.epochs.map(({ number }) => [number, 0n]));
    for (const account of [...found.accounts].sort()) {
      const info = await json(site, `/v1/accounts/${account}`);
      const twin = await json(site, `/accounts/${account}.json`);
      const rows = await csv(`/accounts/${account}.csv`);
      assert.equal(twin.cumulative, info.cumulative, account);
      assert.equal(sum(rows.map((row) => row.paid)), BigInt(info.cumulative), account);
      assert.equal((await amounts(page, `/accounts/${account}`))[0], info.cumulative, account);
      for (const row of rows) byEpoch.set(Number(row.epoch), byEpoch.get(Number(row.epoch)) + BigInt(row.paid));
    }
    for (const account of [...found.accounts].sort().slice(0, 5)) {
      const command = await cairnJson(["account", account, "--url", site.url]);
      assert.equal(command.cumulative, (await json(site, `/v1/accounts/${account}`)).cumulative, account);
    }
    for (const { number } of found.epochs) {
      const payouts = await every(site, `/v1/epochs/${number}/payouts`, "payouts");
      assert.equal(byEpoch.get(number), sum(payouts.map((payout) => payout.amount)), `epoch ${number}`);
    }
    assert.deepEqual(faults, []);
    await close();
  });

  it("a device's earnings are its payouts, and why it got them adds up to them", async () => {
    const { page, faults, close } = await open(browser, site);
    const { device, epoch } = found.flagged;
    for (const row of await csv(`/devices/${device}.csv`)) {
      const payouts = await every(site, `/v1/epochs/${row.epoch}/payouts`, "payouts");
      const own = sum(payouts.filter((payout) => payout.device === device).map((payout) => payout.amount));
      assert.equal(BigInt(row.paid), own, `epoch ${row.epoch}`);
      const why = await json(site, `/why/${device}/${row.epoch}.json`);
      assert.equal(BigInt(why.paid), own, `why in epoch ${row.epoch}`);
    }
    const explained = await cairnJson(["explain", device, String(epoch), "--url", site.url]);
    const shown = await json(site, `/why/${device}/${epoch}.json`);
    assert.equal(explained.paid, shown.paid);
    assert.ok((await amounts(page, `/why/${device}/${epoch}`)).includes(shown.paid), "the page says it");
    assert.deepEqual(faults, []);
    await close();
  });
});
