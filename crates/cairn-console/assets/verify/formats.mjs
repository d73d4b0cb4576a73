// What is logged and served, read strictly: entries, reports, observations, statements, epoch statements and their tables.
// Written from the formats (docs/reference/formats.md), not from the Rust code.

import { Malformed, base32, base58, concat, fromBig, hex, same, unbase58, utf8 } from './bytes.mjs';
import { decode, decodeSign1, encode } from './cbor.mjs';
import { ed25519Holds, evmAddress, p256Holds } from './curves.mjs';
import { keccak256, sha256 } from './hash.mjs';

// What a format has at a place: a function from a value to what it means.

const refuse = (what) => {
  throw new Malformed(what);
};
const uint = (value) => (typeof value === 'bigint' && value >= 0n ? value : refuse('a whole number of zero or more belongs here'));
const int = (value) => (typeof value === 'bigint' ? value : refuse('a whole number belongs here'));
const bstr = (value) => (value instanceof Uint8Array ? value : refuse('a byte string belongs here'));
const bstrOf = (size) => (value) => (bstr(value).length === size ? value : refuse(`${size} bytes belong here`));
const tstr = (value) => (typeof value === 'string' ? value : refuse('text belongs here'));
const anything = (value) => value;
const hash = bstrOf(32);
const deviceId = bstrOf(16);

const ppm = (value) => (uint(value) <= 1_000_000n ? value : refuse('more than a million parts of a million'));

/** An amount: big-endian, at most 16 bytes, no zero byte ahead. */
function amount(value) {
  if (bstr(value).length > 16 || value[0] === 0) refuse('an amount has at most 16 bytes and no zero ahead');
  return value.length === 0 ? 0n : BigInt(`0x${hex(value)}`);
}

const arrayOf = (item) => (value) => (Array.isArray(value) ? value.map(item) : refuse('an array belongs here'));

/** An array of exactly these items, by name. */
function row(items) {
  const names = Object.keys(items);
  return (value) => {
    if (!Array.isArray(value) || value.length !== names.length) refuse(`an array of ${names.length} belongs here`);
    return Object.fromEntries(names.map((name, at) => [name, items[name](value[at])]));
  };
}

/** A map with these keys: `{ name: [key, item] }`; those in `optional` may be missing. */
function fields(required, optional = {}) {
  const known = { ...required, ...optional };
  const keys = new Set(Object.values(known).map(([key]) => BigInt(key)));
  return (value) => {
    if (!(value instanceof Map)) refuse('a map belongs here');
    for (const key of value.keys()) if (!keys.has(key)) refuse(`the key ${key} is unknown`);
    const read = {};
    for (const [name, [key, item]] of Object.entries(known)) {
      if (value.has(BigInt(key))) read[name] = item(value.get(BigInt(key)));
      else if (name in required) refuse(`the key ${key} is missing`);
    }
    return read;
  };
}

// Names.

/** A device id as people read it. */
export const deviceName = (id) => `dev1${base32(id)}`;
/** A key, by its multicodec form, as people read it. */
export const did = (multicodec) => `did:key:z${base58(multicodec)}`;
/** The first 16 bytes of SHA-256 over a key's multicodec form. */
export const keyId = (multicodec) => sha256(multicodec).subarray(0, 16);

/** The multicodec form that a `did:key` names. */
export function undid(text) {
  if (!text.startsWith('did:key:z')) refuse(`\`${text}\` is not a did:key`);
  return unbase58(text.slice('did:key:z'.length));
}

/** A time in UTC, or its number where no calendar has it. */
export function when(ms) {
  const time = new Date(Number(ms));
  return Number.isNaN(time.getTime()) ? `${ms} ms` : time.toISOString().replace('T', ' ').replace('.000Z', ' UTC').replace('Z', ' UTC');
}

/** The 32-byte word of an account in claims, and its settlement chain; `null` for what is no account. */
export function accountWord(text) {
  const evm = /^(eip155:(?:0|[1-9][0-9]*)):0x([0-9a-f]{40})$/.exec(text);
  if (evm) return { domain: evm[1], word: fromBig(BigInt(`0x${evm[2]}`), 32) };
  const solana = /^(solana:[0-9a-zA-Z]{1,32}):([1-9A-HJ-NP-Za-km-z]{1,44})$/.exec(text);
  const key = solana && unbase58(solana[2]);
  return key && key.length === 32 ? { domain: solana[1], word: key } : null;
}

// Entries.

export const KINDS = new Map([[1n, 'report'], [2n, 'statement'], [3n, 'observation'], [4n, 'epoch statement']]);

const entryRow = row({ version: uint, kind: uint, receivedMs: uint, body: bstr });

/** An entry of the log: kind, time of receipt, body. */
export function parseEntry(bytes) {
  const entry = entryRow(decode(bytes));
  if (entry.version !== 1n || !KINDS.has(entry.kind)) refuse(`an entry of version ${entry.version} and kind ${entry.kind}`);
  return { kind: KINDS.get(entry.kind), receivedMs: entry.receivedMs, body: entry.body };
}

const ALGORITHMS = new Map([[-19n, 'Ed25519'], [-8n, 'Ed25519'], [-9n, 'P-256'], [-7n, 'P-256']]);
const sign1Row = row({ protected: bstr, unprotected: fields({}), payload: bstr, signature: bstrOf(64) });
const sign1Header = fields({ alg: [1, int], kid: [4, deviceId] });

/** A COSE_Sign1 (RFC 9052) with a key's id, and the value that it is over. */
export function parseSign1(bytes) {
  const sign1 = sign1Row(decodeSign1(bytes));
  const header = sign1Header(decode(sign1.protected));
  const algorithm = ALGORITHMS.get(header.alg) ?? refuse('the algorithm is not one of those that are read');
  return { ...sign1, algorithm, keyId: header.kid };
}

/** What a COSE signature is over, bound to purpose and network (`null` in genesis). */
export function signedBytes(protectedHeader, context, network, payload) {
  return encode(['Signature1', protectedHeader, encode([context, network ?? new Uint8Array(0)]), payload]);
}

/** Whether a signature over a message is that of a key, by the key's multicodec form; of another algorithm it is not. */
export async function keyHolds(multicodec, algorithm, message, signature) {
  const raw = multicodec.subarray(2);
  const kind = hex(multicodec.subarray(0, 2));
  if (kind === 'ed01' && algorithm === 'Ed25519') return ed25519Holds(raw, message, signature);
  if (kind === '8024' && algorithm === 'P-256') return p256Holds(raw, message, signature);
  return false;
}

const reportBody = fields(
  { seq: [1, uint], boot: [2, uint], timeMs: [3, uint], schema: [6, tstr], body: [7, anything] },
  {
    clock: [4, row({ source: uint, errorMs: uint })],
    previous: [5, bstrOf(8)],
    flags: [8, uint],
    place: [9, anything],
    subject: [10, deviceId],
    answers: [11, arrayOf(hash)],
    blobs: [12, arrayOf(row({ hash, size: uint }))],
  },
);

/** What a report says. */
export const parseReport = (payload) => reportBody(decode(payload));

const observationBody = fields({ source: [1, tstr], round: [2, uint], value: [3, anything] }, { proof: [4, bstr] });

/** What an observation says. */
export const parseObservation = (payload) => observationBody(decode(payload));

const statementRow = row({ payload: bstr, signed: arrayOf(row({ signer: bstr, scheme: uint, signature: bstr })) });
const statementPayload = fields({ schema: [1, tstr], body: [2, anything], nonce: [3, uint], expiryMs: [4, uint] });

/** A statement: what it says and who signed; `bodyOf` reads the bodies that matter here. */
export function parseStatement(bytes) {
  const { payload, signed } = statementRow(decode(bytes));
  if (signed.length === 0 || signed.length > 16) refuse('one to sixteen sign a statement');
  return { payload, signed, ...statementPayload(decode(payload)) };
}

const genesisBody = fields({
  random: [1, bstrOf(16)],
  name: [2, tstr],
  origin: [3, tstr],
  operator: [4, bstr],
  logKey: [5, hash],
  promiseKey: [6, hash],
  epochZeroMs: [7, uint],
  epochMs: [8, uint],
  graceMs: [9, uint],
  policyHash: [10, hash],
  rehearsed: [11, arrayOf(tstr)],
});

/** The genesis in entry 0, and the network's id. */
export function parseGenesis(bytes) {
  const entry = parseEntry(bytes);
  const statement = entry.kind === 'statement' ? parseStatement(entry.body) : refuse('entry 0 is no statement');
  if (statement.schema !== 'genesis') refuse('entry 0 is no genesis');
  return { ...genesisBody(statement.body), network: sha256(statement.payload), statement };
}

const word = (text) => keccak256(utf8(text));
const EIP712_DOMAIN = keccak256(word('EIP712Domain(string name,string version)'), word('Cairn'), word('1'));
const EIP712_TYPE = word('CairnStatement(bytes32 network,string schema,bytes32 payloadHash)');

/** Who signed a statement, and whether it holds: one row for each signer. `network` is `null` in genesis. */
export async function statementSignatures(statement, network) {
  const rows = [];
  for (const { signer, scheme, signature } of statement.signed) {
    if (scheme === 0n) {
      const algorithm = hex(signer.subarray(0, 2)) === 'ed01' ? 'Ed25519' : 'P-256';
      const header = concat(Uint8Array.of(0xa1), encode(1n), encode(algorithm === 'Ed25519' ? -19n : -9n));
      const message = signedBytes(header, 'cairn/statement/1', network, statement.payload);
      rows.push({ signer: did(signer), scheme: `COSE, ${algorithm}`, holds: await keyHolds(signer, algorithm, message, signature) });
    } else if (scheme === 1n) {
      const fieldsHash = keccak256(EIP712_TYPE, network ?? new Uint8Array(32), word(statement.schema), sha256(statement.payload));
      const digest = keccak256(Uint8Array.of(0x19, 0x01), EIP712_DOMAIN, fieldsHash);
      const address = evmAddress(digest, signature);
      rows.push({ signer: `0x${hex(signer)}`, scheme: 'wallet, EIP-712', holds: address !== null && same(address, signer) });
    } else if (scheme === 2n) {
      const line = utf8(`cairn statement ${network ? hex(network) : ''} ${hex(sha256(statement.payload))}`);
      rows.push({ signer: base58(signer), scheme: 'wallet, Ed25519 over a line', holds: await ed25519Holds(signer, line, signature) });
    } else {
      refuse(`there is no scheme ${scheme} of signatures`);
    }
  }
  return rows;
}

// Epochs.

const classRow = row({ class: tstr, revision: uint, profile: hash, subjects: uint, passed: uint, verdictRoot: hash, revenue: amount });
const poolRow = row({ pool: tstr, size: amount, weight: amount, devices: uint, paid: amount, recipients: uint });
const balanceRow = row({
  symbol: tstr,
  opening: amount,
  minted: amount,
  deposited: amount,
  paid: amount,
  refunded: amount,
  burned: amount,
  escrow: amount,
  vesting: amount,
  unallocated: amount,
});
const settlementRow = row({ domain: tstr, distributor: hash, claimRoot: hash, leaves: uint, cumulative: amount });
const epochStatement = fields(
  {
    network: [1, hash],
    number: [2, uint],
    range: [3, row({ from: uint, to: uint })],
    logRoot: [4, hash],
    previous: [5, hash],
    policy: [6, hash],
    engine: [7, uint],
    classes: [8, arrayOf(classRow)],
    pools: [9, arrayOf(poolRow)],
    payoutRoot: [10, hash],
    balances: [11, arrayOf(balanceRow)],
    settlements: [12, arrayOf(settlementRow)],
    stateRoot: [13, hash],
    rehearsed: [14, arrayOf(tstr)],
  },
  { sales: [15, row({ count: uint, root: hash })] },
);

/** An epoch statement, with its hash. */
export function parseEpoch(bytes) {
  return { ...epochStatement(decode(bytes)), hash: sha256(bytes) };
}

const verdictRow = row({
  class: tstr,
  device: deviceId,
  slotMs: uint,
  subject: arrayOf(uint),
  account: tstr,
  amount: uint,
  score: ppm,
  reasons: arrayOf(row({ code: tstr, check: tstr, observed: int, threshold: int, lost: ppm, evidence: arrayOf(uint) })),
  entries: arrayOf(uint),
});
const payoutRow = row({
  account: tstr,
  device: (value) => (bstr(value).length === 0 ? null : deviceId(value)),
  pool: tstr,
  weight: uint,
  amount,
});
const saleRow = row({
  job: hash,
  order: uint,
  buyer: tstr,
  locked: amount,
  work: arrayOf(row({ account: tstr, device: deviceId, gas: uint, work: amount, burned: amount })),
  licences: arrayOf(row({ account: tstr, content: hash, amount })),
  returned: amount,
  refund: (value) => (Array.isArray(value) && value.length === 0 ? null : row({ account: tstr, amount })(value)),
});

/** Readers of the rows of an epoch's tables. */
export const ROWS = { verdicts: verdictRow, payouts: payoutRow, sales: saleRow };

const recordRow = row({ table: uint, key: bstr, value: bstr });
const snapshotRow = row({ version: uint, statement: bstr, records: arrayOf(bstr) });

/** A snapshot: its statement's bytes and the records of the state, as bytes. */
export function parseSnapshot(bytes) {
  const snapshot = snapshotRow(decode(bytes));
  return snapshot.version === 1n ? snapshot : refuse(`a snapshot of version ${snapshot.version}`);
}

/** A record of the state. */
export const parseRecord = (bytes) => recordRow(decode(bytes));
/** An amount in a record. */
export const parseAmount = (bytes) => amount(decode(bytes));
/** An amount as decimal text has it. */
export function decimal(text) {
  return /^(0|[1-9][0-9]*)$/.test(text) ? BigInt(text) : refuse(`\`${text}\` is not a whole number`);
}
