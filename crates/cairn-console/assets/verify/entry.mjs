// The check of an entry: from the signed checkpoint down to its bytes, what they say, and who signed them.

import { Malformed, hex, same, unhex } from './bytes.mjs';
import { decode, notation } from './cbor.mjs';
import {
  deviceName,
  did,
  keyHolds,
  keyId,
  parseEntry,
  parseEpoch,
  parseGenesis,
  parseObservation,
  parseReport,
  parseSign1,
  parseStatement,
  signedBytes,
  statementSignatures,
  undid,
  when,
} from './formats.mjs';
import { Broken, Tree, leafHash, openNote, parseCheckpoint, parseVkey, splitNote, vkey } from './log.mjs';
import { Steps, Unread } from './steps.mjs';

/** The steps that come first in every check. */
export const LOG_STEPS = [
  ['checkpoint', 'The log’s latest checkpoint can be read'],
  ['genesis', 'Entry 0 says which network this is'],
  ['signature', 'The checkpoint is signed by the log’s key'],
  ['root', 'The tiles hash to the root that is signed'],
  ['begin', 'Entry 0 is in the log'],
];

const ENTRY_STEPS = [
  ...LOG_STEPS,
  ['tiles', 'Each tile on the way to the entry hashes to the one above'],
  ['entry', 'The entry’s bytes are those in the log'],
  ['page', 'This page shows the same entry'],
  ['decode', 'Its bytes are in their one form'],
  ['signatures', 'It is signed by whom it names'],
];

/** A file of the source, which has to be there; some are known by their hash. */
export async function need(source, name, hash) {
  const bytes = await source.read(name, hash);
  if (bytes === null) throw new Broken(`${name} is not served`, 'a file', 'nothing');
  return bytes;
}

/** A value that must be another one. */
export function expect(what, expected, found) {
  if (expected !== found) throw new Broken(what, expected, found);
}

/** Refuses a network or log key that is not the one that the reader has from elsewhere. */
function holdPin(pin, genesis) {
  if (!pin) return `The key is the one that entry 0 names. Compare it with one that you have from elsewhere: ${vkey(genesis.origin, genesis.logKey)}`;
  if (/^[0-9a-f]{64}$/i.test(pin)) {
    expect('this is another network than the one that you named', pin.toLowerCase(), hex(genesis.network));
    return 'The network is the one that you named.';
  }
  if (pin.startsWith('did:key:')) {
    expect('this network has another operator than the one that you named', pin, did(genesis.operator));
    return 'The operator is the one that you named.';
  }
  const { name, key } = parseVkey(pin);
  expect('the log’s key is another one than yours', vkey(name, key), vkey(genesis.origin, genesis.logKey));
  return 'The key is the one that you gave.';
}

/**
 * The steps of `LOG_STEPS`: gives the tree under the signed checkpoint, and genesis.
 * `asked.network` is the id that a page names, `asked.pin` what the reader has from elsewhere.
 */
export async function openLog(steps, source, asked) {
  let [note, checkpoint, tree, genesis, first] = [null, null, null, null, null];
  await steps.run('checkpoint', async () => {
    note = splitNote(await need(source, 'checkpoint'));
    checkpoint = parseCheckpoint(note.text);
    return `${checkpoint.origin}: ${checkpoint.size} entries, root ${hex(checkpoint.root)}`;
  });
  tree = new Tree((name) => source.read(name), checkpoint.size, checkpoint.root);
  await steps.run('genesis', async () => {
    if (checkpoint.size === 0) throw new Broken('the log is empty');
    first = await tree.served(0);
    genesis = parseGenesis(first[0]);
    expect('the checkpoint is of another log than the one that entry 0 names', genesis.origin, checkpoint.origin);
    if (asked.network) expect('this page is of another network', asked.network, hex(genesis.network));
    const bad = (await statementSignatures(genesis.statement, null)).filter((row) => !row.holds);
    if (bad.length) throw new Broken('entry 0 is not signed by the operator that it names', did(genesis.operator), bad[0].signer);
    return `${genesis.name}, network ${hex(genesis.network)}, operator ${did(genesis.operator)}`;
  });
  await steps.run('signature', async () => {
    await openNote(note, genesis.origin, genesis.logKey);
    return holdPin(asked.pin, genesis);
  });
  await steps.run('root', async () => {
    await tree.open();
    return `${tree.tilesRead} tiles at the right edge lead to ${hex(checkpoint.root)}`;
  });
  await steps.run('begin', async () => {
    await tree.held(0, first);
    return `its hash is ${hex(leafHash(first[0]))}`;
  });
  return { tree, genesis, source };
}

/** What a body says, for people. Gives the facts, and what was signed in CBOR's notation. */
function told(entry, at) {
  const facts = [['kind', entry.kind], ['received', when(entry.receivedMs)], ['entry', String(at)]];
  if (entry.kind === 'report') {
    const sign1 = parseSign1(entry.body);
    const said = parseReport(sign1.payload);
    facts.push(['device', deviceName(sign1.keyId)], ['schema', said.schema], ['measured', when(said.timeMs)]);
    facts.push(['boot and number', `${said.boot}, ${said.seq}`]);
    return { facts, notation: notation(decode(sign1.payload)) };
  }
  if (entry.kind === 'observation') {
    const sign1 = parseSign1(entry.body);
    const said = parseObservation(sign1.payload);
    facts.push(['source', said.source], ['round', String(said.round)], ['observer', hex(sign1.keyId)]);
    return { facts, notation: notation(decode(sign1.payload)) };
  }
  if (entry.kind === 'statement') {
    const statement = parseStatement(entry.body);
    facts.push(['schema', statement.schema], ['number of its signers', String(statement.nonce)], ['expires', when(statement.expiryMs)]);
    return { facts, notation: notation(decode(statement.payload)) };
  }
  const epoch = parseEpoch(entry.body);
  facts.push(['epoch', String(epoch.number)], ['hash', hex(epoch.hash)]);
  return { facts, notation: notation(decode(entry.body)) };
}

/**
 * Whether one of the keys that are offered made a COSE signature. A key is believed as far as its hash is the name that signed; a key
 * that a device was given later has no such proof of its own, so what it signed is not settled here.
 */
async function signed(entry, genesis, keys) {
  const sign1 = parseSign1(entry.body);
  const what = entry.kind === 'report' ? 'device' : 'observer';
  const message = signedBytes(sign1.protected, `cairn/${entry.kind}/1`, genesis.network, sign1.payload);
  const offered = keys.map(undid);
  for (const key of offered) {
    if (!(await keyHolds(key, sign1.algorithm, message, sign1.signature))) continue;
    if (same(keyId(key), sign1.keyId)) return `signed by the ${what}’s ${what === 'device' ? 'first ' : ''}key ${did(key)} (${sign1.algorithm})`;
    return ['left out', `It is signed by ${did(key)}, which the ${what} is said to have been given later. That is in the log too; cairn audit follows keys through it.`];
  }
  const own = offered.find((key) => same(keyId(key), sign1.keyId));
  if (own === undefined) return ['left out', `The ${what}’s key is not known here. cairn audit finds it in the log.`];
  throw new Broken(`the signature does not hold under the ${what}’s key`, `a signature by ${did(own)}`, hex(sign1.signature));
}

async function signatures(entry, index, genesis, keys) {
  if (entry.kind === 'report' || entry.kind === 'observation') return signed(entry, genesis, keys);
  if (entry.kind === 'epoch statement') return ['left out', 'It has no signature of its own: the log implies it, and cairn audit computes it again.'];
  const rows = await statementSignatures(parseStatement(entry.body), index === 0 ? null : genesis.network);
  const bad = rows.find((row) => !row.holds);
  if (bad) throw new Broken('a signature under the statement does not hold', `a signature by ${bad.signer} (${bad.scheme})`, 'another one');
  return rows.map((row) => `signed by ${row.signer} (${row.scheme})`).join('; ');
}

/** Parses what may be void: an entry that cannot be read is in the log all the same. */
function readable(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

/**
 * Checks entry `asked.index`. Of the page come `network`, `leaf` (what it shows as the leaf's hash) and `keys` (`did:key` of who
 * may have signed); of the reader `pin`. Gives the state, the steps, and what the entry says.
 */
export async function checkEntry(source, asked, show) {
  const steps = new Steps(ENTRY_STEPS, show);
  let [entry, said] = [null, null];
  const result = await steps.all(async () => {
    const { tree, genesis } = await openLog(steps, source, asked);
    const { index } = asked;
    await steps.run('tiles', async () => {
      if (!(index < tree.size)) throw new Broken('the checkpoint does not cover this entry', `below ${tree.size}`, `${index}`);
      return `its hash is ${hex(await tree.leaf(index))}`;
    });
    let bytes = null;
    await steps.run('entry', async () => {
      bytes = await tree.entry(index);
      return `${bytes.length} bytes`;
    });
    await steps.run('page', async () => {
      if (!asked.leaf) return ['left out', 'No page was asked: the bytes come from the log alone.'];
      expect('the page shows another hash of this entry', hex(leafHash(bytes)), hex(unhex(asked.leaf)));
      return 'the hash that stands on the page is that of these bytes';
    });
    await steps.run('decode', async () => {
      entry = parseEntry(bytes);
      said = readable(() => told(entry, index));
      if (said === null) return ['left out', `The ${entry.kind} inside cannot be read. It is in the log, and it is void: it counts for nothing.`];
      return `a ${entry.kind}, received ${when(entry.receivedMs)}`;
    });
    await steps.run('signatures', async () => {
      if (said === null) return ['left out', 'Nothing can be read that could be signed.'];
      const keys = asked.keys ?? (await offered(source, entry));
      return signatures(entry, index, genesis, keys);
    });
  });
  return { ...result, said };
}

/** Keys that may have signed an entry, where no page offers any. */
async function offered(source, entry) {
  if (!source.keys || (entry.kind !== 'report' && entry.kind !== 'observation')) return [];
  try {
    return await source.keys(parseSign1(entry.body).keyId);
  } catch (error) {
    if (error instanceof Unread) return [];
    throw error;
  }
}
