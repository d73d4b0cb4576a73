// Whether the check in the browser and the Rust crates agree on networks at random.
//
//   node agree.mjs FOLDER
//
// FOLDER holds exported networks, each with `void.txt`: a line `index code` for every entry that the crates found void. Every epoch must
// hold, every payout of it computed anew; no valid entry may be red, and none that is void for its signature green, but for reports by the
// first key of a device that has another one by then: that it is the first is all that a name shows.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { inState, module } from './setup.mjs';

const { checkEntry } = await module('entry.mjs');
const { checkEpoch } = await module('epoch.mjs');
const { entriesOf, folder } = await module('verify.mjs');
const { deviceName, parseEntry, parseStatement } = await module('formats.mjs');
const { Malformed } = await module('bytes.mjs');

/** Entries of a network that are looked at beside those whose signature is forged. */
const ENTRIES = 40;

/** The devices of a log that changed their keys. */
async function rotated(path) {
  const devices = new Set();
  for await (const bytes of entriesOf(path)) {
    try {
      const { kind, body } = parseEntry(bytes);
      const statement = kind === 'statement' ? parseStatement(body) : null;
      if (statement?.schema === 'rotate') devices.add(deviceName(statement.body.get(1n)));
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
    }
  }
  return devices;
}

/** What the two do not agree on; counts what was compared. */
async function compare(path, counts) {
  const source = folder(path);
  for (const epoch of readdirSync(join(path, 'epochs'))) {
    const result = await checkEpoch(source, { epoch });
    counts.epochs += 1;
    // An export has no signatures of auditors; an epoch without a policy pays nobody.
    const left = inState(result, 'left out').filter((name) => !['auditors', 'policy', 'shares'].includes(name));
    if (result.state !== 'green' || left.length > 0) return `epoch ${epoch}: ${JSON.stringify(result.steps.filter((step) => step.state !== 'good'))}`;
    counts.shared += inState(result, 'good').includes('shares') ? 1 : 0;
  }
  const found = new Map(readFileSync(join(path, 'void.txt'), 'ascii').trim().split('\n').filter((line) => line !== '').map((line) => line.split(' ')));
  const size = Number(readFileSync(join(path, 'checkpoint'), 'utf8').split('\n')[1]);
  const every = Math.ceil(size / ENTRIES);
  const former = await rotated(path);
  for (let index = 0; index < size; index += 1) {
    const code = found.get(`${index}`);
    const isForged = code?.endsWith('-SIGNATURE') ?? false;
    if (index % every !== 0 && !isForged) continue;
    const result = await checkEntry(source, { index });
    counts.entries += 1;
    const isFormer = former.has(new Map(result.said?.facts).get('device'));
    const isHeld = inState(result, 'good').includes('signatures') && !isFormer;
    if (result.state === 'red' ? code === undefined : isForged && isHeld) return `entry ${index}, ${code ?? 'valid'}: ${JSON.stringify(result.steps.filter((step) => step.state !== 'good'))}`;
    counts.forged += isForged ? 1 : 0;
  }
  return null;
}

const [where] = process.argv.slice(2);
if (where === undefined) {
  console.error('agree: say which folder');
  process.exit(2);
}
const counts = { networks: 0, epochs: 0, shared: 0, entries: 0, forged: 0 };
for (const name of readdirSync(where)) {
  const differs = await compare(join(where, name), counts);
  if (differs !== null) {
    console.error(`network ${name}: ${differs}`);
    process.exit(1);
  }
  counts.networks += 1;
}
const { networks, epochs, shared, entries, forged } = counts;
console.log(`they agree on ${networks} networks: ${epochs} epochs, every payout of ${shared} of them computed anew; ${entries} entries, ${forged} of them forged`);
if (shared === 0 || forged === 0) process.exit(1);
