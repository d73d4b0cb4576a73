// Where raw bytes come from: a gateway over HTTP. Names are those of an exported folder (`cairn log export`).

import { did, deviceName } from './formats.mjs';
import { Unread } from './steps.mjs';

/** What no file passes: a tile, a bundle and a table have their own, lower bounds in what reads them. */
const BYTES_MAX = 1 << 30;
/** Before a file is asked for again, ms: a telephone changes its network in the middle of a check, a gateway is busy for a moment. */
const WAITS_MS = [250, 1_000, 3_000];
/** No gateway is left alone for longer, whatever it asks for, */
const LEFT_ALONE_MS_MAX = 10_000;
/** nor waited for in all, between the files of one check. */
const PATIENCE_MS = 60_000;
/** Nobody who says nothing at all is waited for any longer. */
const SILENCE_MS_MAX = 30_000;

const TABLES = new Map([
  ['statement.cbor', ['', 'application/cbor']],
  ['verdicts.cborseq', ['/verdicts', 'application/cbor-seq']],
  ['payouts.cborseq', ['/payouts', 'application/cbor-seq']],
  ['sales.cborseq', ['/sales', 'application/cbor-seq']],
]);

/** The address below a gateway's root that serves a file, and what to ask for. */
function addressOf(name, hash) {
  const [, epoch, file] = /^epochs\/([0-9]+)\/(.*)$/.exec(name) ?? [];
  if (epoch === undefined) return [`log/${name}`, '*/*'];
  if (file === 'snapshot.cbor') return [`v1/snapshots/${epoch}`, 'application/cbor'];
  // A policy is served by its hash, whatever epochs it rules.
  if (file === 'policy.toml') return [`v1/policies/${hash}`, 'text/plain'];
  const [path, accept] = TABLES.get(file);
  return [`v1/epochs/${epoch}${path}`, accept];
}

/** What the network or a busy gateway is to blame for, and may be otherwise the next time. */
class Passing extends Unread {
  constructor(message, waitMs = 0) {
    super(message);
    this.waitMs = waitMs;
  }
}

/** How long a gateway asks to be left alone, ms. */
function leftAloneMs(response) {
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  return seconds > 0 ? Math.min(1_000 * seconds, LEFT_ALONE_MS_MAX) : 0;
}

/** The head of an answer. */
async function answered(url, accept) {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error('there is no answer')), SILENCE_MS_MAX);
  try {
    return await fetch(url, {
      headers: { accept },
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'manual',
      referrerPolicy: 'no-referrer',
      signal: silence.signal,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Asks for a file once: its bytes, or `null` where there is none. */
async function asked(base, path, accept) {
  let response = null;
  try {
    response = await answered(new URL(path, base), accept);
  } catch (error) {
    throw new Passing(`${path} cannot be read: ${error.message}`);
  }
  const { status } = response;
  const isTooLong = Number(response.headers.get('content-length') ?? 0) > BYTES_MAX;
  // What is not read is let go, so that it holds no connection.
  if (!response.ok || isTooLong) response.body?.cancel().catch(() => {});
  if (status === 404) return null;
  if (status === 429 || status >= 500) throw new Passing(`${path} is answered with ${status}`, leftAloneMs(response));
  if (response.type === 'opaqueredirect') throw new Unread(`${path} leads elsewhere`);
  if (!response.ok) throw new Unread(`${path} is answered with ${status}`);
  if (isTooLong) throw new Unread(`${path} is larger than a gigabyte`);
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    // There is no room for it, and there will be none.
    if (error instanceof RangeError) throw new Unread(`${path} cannot be held: ${error.message}`);
    throw new Passing(`${path} cannot be read: ${error.message}`);
  }
}

/** Asks for files, and again after each of `waits` (ms) while what keeps one away may pass; waits so long in all and no longer. */
function patiently(base, waits) {
  let leftMs = PATIENCE_MS;
  return async (path, accept) => {
    for (const wait of waits) {
      try {
        return await asked(base, path, accept);
      } catch (error) {
        const ms = Math.max(wait, error.waitMs ?? 0);
        if (!(error instanceof Passing) || ms > leftMs) throw error;
        leftMs -= ms;
        await new Promise((resume) => setTimeout(resume, ms));
      }
    }
    return asked(base, path, accept);
  };
}

/** What the gateway at `base` (a URL that ends in a slash) serves; a file that cannot be read is asked for again after `waits`, ms. */
export function gateway(base, waits = WAITS_MS) {
  const read = patiently(base, waits);
  const json = async (path) => {
    const bytes = await read(path, 'application/json');
    try {
      return bytes === null ? null : JSON.parse(new TextDecoder().decode(bytes));
    } catch {
      throw new Unread(`${path} is not JSON`);
    }
  };
  return {
    read: (name, hash) => read(...addressOf(name, hash)),
    /** Keys that may be a device's; whoever uses one holds its hash against the device's name. */
    keys: async (id) => {
      const device = await json(`v1/devices/${deviceName(id)}`);
      return device === null ? [] : [device.key];
    },
    /** What is told of the auditors' signatures under an epoch's statement. */
    signatures: (epoch) => json(`v1/epochs/${epoch}/signatures`),
    /** An account's claim as the gateway tells it, which proves itself or nothing; and the epoch that it is of. */
    claim: async (account) => {
      const told = (await json(`v1/accounts/${encodeURIComponent(account)}`))?.claim;
      if (!told) return null;
      const { domain, cumulative, proof } = told;
      return { epoch: String(told.epoch.number), claim: { account, domain, cumulative, proof } };
    },
  };
}
