// Finds one page of each kind in a network by asking its API, as anybody can.

/** A JSON document of the site. */
export async function json(site, path) {
  const answer = await fetch(new URL(path, site.url));
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

/** All rows of a table in pages, `rows` being its name in the answer. */
export async function every(site, path, rows) {
  const all = [];
  let [next, ahead] = [0, path.includes("?") ? "&" : "?"];
  while (next !== null && next !== undefined) {
    const page = await json(site, `${path}${next === 0 ? "" : `${ahead}after=${next}`}`);
    all.push(...page[rows]);
    next = page.next;
  }
  return all;
}

/** The first entry of each kind, and of each schema among statements and observations. */
async function entries(site) {
  const { size } = await json(site, "/v1/network");
  const kinds = new Map();
  for (let index = 0; index < size; index += 1) {
    const entry = await json(site, `/entries/${index}.json`);
    const schema = entry.decoded?.fields?.schema ?? "";
    const name = `${entry.kind} ${schema}`.trim();
    kinds.set(name, kinds.get(name) ?? { index, kind: entry.kind });
  }
  return kinds;
}

/** What the tests look for in a network. */
export async function survey(site) {
  const network = await json(site, "/v1/network");
  const { epochs } = await json(site, "/v1/epochs");
  const found = { network, epochs: epochs.toReversed(), entries: await entries(site), devices: new Set(), accounts: new Set() };
  for (const { number } of epochs) {
    const verdicts = await every(site, `/v1/epochs/${number}/verdicts`, "verdicts");
    for (const verdict of verdicts) {
      found.devices.add(verdict.device);
      const suspect = verdict.reasons.find((reason) => reason.code === "SEN-NEIGHBOUR-SUSPECT" && reason.lost_ppm > 0);
      if (suspect) found.flagged ??= { device: verdict.device, epoch: number, verdict, reason: suspect };
    }
    for (const payout of await every(site, `/v1/epochs/${number}/payouts`, "payouts")) found.accounts.add(payout.account);
  }
  const { jobs } = await json(site, "/v1/jobs");
  found.jobs = jobs.map(({ job }) => job);
  found.cell = (await json(site, `/v1/devices/${found.flagged.device}`)).cell;
  return found;
}

/** Entries whose pages are looked at in every way; those of other kinds are built alike (`isLike`), and looked at in the most important ones. */
const ENTRIES = ["statement enrol", "report sensing/1", "epoch statement"];

/** A page of each kind: what it is called, where it is, and its heading. */
export function pages(found) {
  const epoch = found.epochs.at(-1).number;
  const { device, epoch: flaggedIn } = found.flagged;
  const account = [...found.accounts].sort()[0];
  const [job] = found.jobs;
  return [
    { name: "network", hasAmounts: true, path: "/network", heading: found.network.name },
    { name: "epochs", hasAmounts: true, path: "/epochs", heading: "Epochs" },
    { name: "epoch", hasAmounts: true, path: `/epochs/${epoch}`, heading: `Epoch ${epoch}` },
    { name: "payouts", hasAmounts: true, path: `/epochs/${epoch}/payouts`, heading: `Payouts of epoch ${epoch}` },
    { name: "verdicts", path: `/epochs/${flaggedIn}/verdicts`, heading: `Verdicts of epoch ${flaggedIn}` },
    { name: "sales", path: `/epochs/${epoch}/sales`, heading: `Jobs settled in epoch ${epoch}` },
    { name: "jobs", path: "/jobs", heading: "Jobs" },
    { name: "job", path: `/jobs/${job}`, heading: `Job ${job}` },
    { name: "device", hasAmounts: true, path: `/devices/${device}`, heading: `Device ${device}` },
    { name: "readings", path: `/devices/${device}/readings?epoch=${flaggedIn}`, heading: `PM10 of ${device} in epoch ${flaggedIn}` },
    { name: "map", hasAmounts: true, path: "/map", heading: "Map" },
    { name: "map of pay", path: "/map?layer=pay", heading: "Map", isLike: true },
    { name: "cell", hasAmounts: true, path: `/cells/${found.cell}`, heading: `Cell ${found.cell}` },
    { name: "account", hasAmounts: true, path: `/accounts/${account}`, heading: `Account ${account}` },
    { name: "account for taxes", path: `/accounts/${account}/tax?year=2009`, heading: `Given to ${account} in 2009` },
    { name: "why", hasAmounts: true, path: `/why/${device}/${flaggedIn}`, heading: `Why ${device} got what it got in epoch ${flaggedIn}` },
    { name: "auditors", path: "/auditors", heading: "Auditors" },
    { name: "denials", path: "/denials", heading: "Denials and appeals" },
    { name: "policies", path: "/policies", heading: "Policies" },
    ...[...found.entries].map(([name, { index, kind }]) => (
      { name: `entry: ${name}`, path: `/entries/${index}`, heading: `Entry ${index}: ${kind}`, isLike: !ENTRIES.includes(name) })),
    { name: "status", path: "/status", heading: "Status" },
    { name: "search", path: "/search", heading: "Search" },
    { name: "search for nothing", path: "/search?q=nothing%E2%80%AE", heading: "Search for nothing\\u{202e}" },
    { name: "no such epoch", path: "/epochs/999999", heading: "Not Found", status: 404 },
    { name: "no such device", path: "/devices/dev1xyz", heading: "Bad Request", status: 400 },
  ];
}
