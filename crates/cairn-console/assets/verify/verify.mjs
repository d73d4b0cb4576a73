#!/usr/bin/env node
// The check of the console's pages on the command line, over a gateway or an exported folder. Needs Node 20 and nothing else.
//
//   node verify.mjs URL-OR-FOLDER entry N [--pin KEY] [--json]
//   node verify.mjs URL-OR-FOLDER epoch N
//   node verify.mjs URL-OR-FOLDER pay DEVICE-OR-ACCOUNT N
//
// KEY is what you have from elsewhere: the log's verifier key, the network's id, or the operator's did:key.
// Exit code 0: everything that was checked holds. 1: something does not, and is named. 2: the call is wrong. 3: it cannot be read.

import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { Malformed, hex, same } from './bytes.mjs';
import { checkEntry } from './entry.mjs';
import { checkEpoch, claimFromSnapshot } from './epoch.mjs';
import { accountWord, did, parseEntry, parseStatement } from './formats.mjs';
import { sha256 } from './hash.mjs';
import { gateway } from './sources.mjs';
import { Unread } from './steps.mjs';

const SIGNS = { good: 'ok', bad: 'BAD', 'left out': '--' };

/** Every entry of a folder's bundles, as far as they can be cut. */
export async function* entriesOf(root) {
  const names = await readdir(join(root, 'tile/entries'), { recursive: true, withFileTypes: true });
  for (const file of names.filter((name) => name.isFile())) {
    const bytes = await readFile(join(file.path, file.name));
    for (let at = 0; at + 2 <= bytes.length; ) {
      const end = at + 2 + bytes.readUInt16BE(at);
      yield new Uint8Array(bytes.subarray(at + 2, end));
      at = end;
    }
  }
}

/** The statement that an entry is, if it is one that can be read. */
function statementIn(entry) {
  try {
    const { kind, body } = parseEntry(entry);
    return kind === 'statement' ? parseStatement(body) : null;
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

/** Keys that a statement names: that of an enrolment, one that the device `id` was given later, and those in a policy's text. */
function keysIn(entry, id) {
  const { schema, body } = statementIn(entry) ?? {};
  if (schema === 'enrol') return [did(body.get(1n))];
  if (schema === 'rotate' && same(body.get(1n), id)) return [did(body.get(2n))];
  if (schema !== 'policy') return [];
  return new TextDecoder().decode(body.get(2n)).match(/did:key:z[1-9A-HJ-NP-Za-km-z]+/g) ?? [];
}

/** The document of a logged policy, by its hash: older exports leave out the file. */
async function policyIn(root, hash) {
  for await (const entry of entriesOf(root)) {
    const { schema, body } = statementIn(entry) ?? {};
    if (schema === 'policy' && hex(sha256(body.get(2n))) === hash) return body.get(2n);
  }
  return null;
}

/** An exported folder (`cairn log export`). */
export function folder(root) {
  return {
    read: async (name, hash) => {
      try {
        return new Uint8Array(await readFile(join(root, name)));
      } catch (error) {
        const isThere = error.code !== 'ENOENT' && error.code !== 'ENOTDIR';
        if (isThere) throw new Unread(`${name} cannot be read: ${error.message}`);
        return hash === undefined ? null : policyIn(root, hash);
      }
    },
    /** Keys that statements name; whoever uses one holds its hash against the name of device or observer. */
    keys: async (id) => {
      const found = new Set();
      for await (const entry of entriesOf(root)) keysIn(entry, id).forEach((key) => found.add(key));
      return [...found];
    },
    claim: async (account, epoch) => {
      const snapshot = await readFile(join(root, `epochs/${epoch}/snapshot.cbor`)).catch(() => null);
      const claim = snapshot && claimFromSnapshot(new Uint8Array(snapshot), account);
      return claim && { epoch, claim };
    },
  };
}

const usage = (what) => Object.assign(new Error(what), { usage: true });

/** What is asked for, from the arguments. */
function read(positionals) {
  const [where, kind, ...rest] = positionals;
  const number = rest[rest.length - 1];
  const counts = { entry: 1, epoch: 1, pay: 2 };
  if (rest.length !== counts[kind]) throw usage('say where, and `entry N`, `epoch N` or `pay DEVICE-OR-ACCOUNT N`');
  if (!/^(0|[1-9][0-9]{0,14})$/.test(number)) throw usage(`\`${number}\` is not a number`);
  return { where, kind, number, whom: rest.length === 2 ? rest[0] : null };
}

/** Runs a check, and gives its result. */
async function check({ where, kind, number, whom }, pin, show) {
  const source = /^https?:/.test(where) ? gateway(new URL(where.endsWith('/') ? where : `${where}/`)) : folder(where);
  if (kind === 'entry') return checkEntry(source, { index: Number(number), pin }, show);
  const asked = { epoch: number, pin };
  if (whom !== null && accountWord(whom) === null) return checkEpoch(source, { ...asked, device: whom }, show);
  const told = whom === null ? null : await source.claim(whom, number);
  const claim = told?.epoch === number ? told.claim : null;
  return checkEpoch(source, { ...asked, account: whom ?? undefined, claim }, show);
}

function print(result) {
  for (const step of result.steps) {
    console.log(`${(SIGNS[step.state] ?? '').padEnd(4)}${step.title}`);
    if (step.detail) console.log(`    ${step.detail}`);
    if (step.expected !== null) console.log(`    belongs there: ${step.expected}\n    found:         ${step.found}`);
  }
  if (result.said) {
    for (const [name, value] of result.said.facts) console.log(`    ${name}: ${value}`);
    console.log(result.said.notation);
  }
  console.log(result.state === 'green' ? 'Everything that was checked holds.' : 'NOT PROVEN.');
}

/** Runs the command; gives its exit code. */
export async function main(args) {
  try {
    const options = { pin: { type: 'string' }, json: { type: 'boolean', default: false } };
    let parsed = null;
    try {
      parsed = parseArgs({ args, options, allowPositionals: true });
    } catch (error) {
      throw usage(error.message);
    }
    const result = await check(read(parsed.positionals), parsed.values.pin);
    if (parsed.values.json) console.log(JSON.stringify(result));
    else print(result);
    if (result.unread) return 3;
    return result.state === 'green' ? 0 : 1;
  } catch (error) {
    console.error(`verify: ${error.message}`);
    return error.usage ? 2 : 3;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = await main(process.argv.slice(2));
