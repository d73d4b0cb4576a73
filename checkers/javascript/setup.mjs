// What the tests share: the modules under test, the committed log, and sources of bytes that can be changed.

import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

const ROOT = new URL('../..', import.meta.url).pathname;
export const FIRST_LOG = join(ROOT, 'goldens/first-log');
/** A module of the check, as the console serves it. */
export const module = (name) => import(join(ROOT, 'crates/cairn-console/assets/verify', name));
/** A golden file, by its path in the project. */
export const golden = (path) => readFileSync(join(ROOT, path), 'utf8');

/** Every file of the committed log, by its name. */
export function firstLog() {
  const files = readdirSync(FIRST_LOG, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return new Map(files.map((file) => {
    const path = join(file.path, file.name);
    return [relative(FIRST_LOG, path), new Uint8Array(readFileSync(path))];
  }));
}

/** The committed log with the policy of each epoch, which its folder leaves out and its entries hold. */
export async function withPolicies() {
  const { parseEntry, parseEpoch, parseStatement } = await module('formats.mjs');
  const [{ hex }, { sha256 }] = [await module('bytes.mjs'), await module('hash.mjs')];
  const all = firstLog();
  const documents = new Map();
  for (const name of ['tile/entries/000', 'tile/entries/001.p/227']) {
    const bytes = all.get(name);
    for (let at = 0; at < bytes.length; at += 2 + bytes[at] * 256 + bytes[at + 1]) {
      const { kind, body } = parseEntry(bytes.slice(at + 2, at + 2 + bytes[at] * 256 + bytes[at + 1]));
      const said = kind === 'statement' ? parseStatement(body) : null;
      if (said?.schema === 'policy') documents.set(hex(sha256(said.body.get(2n))), said.body.get(2n));
    }
  }
  for (let n = 0; n < 6; n += 1) {
    const { policy } = parseEpoch(all.get(`epochs/${n}/statement.cbor`));
    all.set(`epochs/${n}/policy.toml`, documents.get(hex(policy)));
  }
  return all;
}

/** A source over files in memory; notes what is read. */
export function over(files) {
  const read = new Set();
  return {
    read: async (name) => {
      if (files.has(name)) read.add(name);
      return files.get(name)?.slice() ?? null;
    },
    noted: read,
  };
}

/** Bytes with one bit turned. */
export function flipped(bytes, at, bit = 0) {
  const changed = bytes.slice();
  changed[at] ^= 1 << bit;
  return changed;
}

/** The names of the steps that are in a state. */
export const inState = (result, state) => result.steps.filter((step) => step.state === state).map((step) => step.name);

/** Whole numbers below `end` from a seed (xorshift), so that what fails can be had again. */
export function random(seed) {
  let state = BigInt(seed) | 1n;
  return (end) => {
    state ^= (state << 13n) & 0xffffffffffffffffn;
    state ^= state >> 7n;
    state ^= (state << 17n) & 0xffffffffffffffffn;
    return Number(state % BigInt(end));
  };
}
