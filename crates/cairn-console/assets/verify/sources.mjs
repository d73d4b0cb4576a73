// Where raw bytes come from: a gateway over HTTP. Names are those of an exported folder (`cairn log export`).

import { did, deviceName } from './formats.mjs';
import { Unread } from './steps.mjs';

/** What no file passes: a tile, a bundle and a table have their own, lower bounds in what reads them. */
const BYTES_MAX = 1 << 30;
/** Before a file is asked for again, ms: a telephone changes its network in the middle of a check, a gateway is busy for a moment. */
const WAITS_MS = [250, 1_000, 3_000];
/** No gateway is left alone for longer, whatever it asks for. */
const LEFT_ALONE_MS_MAX = 10_000;

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

/** Asks for a file once: its bytes, or `null` where there is none. */
async function asked(base, path, accept) {
  let response = null;
  try {
    response = await fetch(new URL(path, base), {
      headers: { accept },
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
    });
  } catch (error) {
    throw new Passing(`${path} cannot be read: ${error.message}`);
  }
  if (response.status === 404) return null;
  if (response.status === 429 || response.status >= 500) {
    throw new Passing(`${path} is answered with ${response.status}`, leftAloneMs(response));
  }
  if (!response.ok) throw new Unread(`${path} is answered with ${response.status}`);
  if (Number(response.headers.get('content-length') ?? 0) > BYTES_MAX) throw new Unread(`${path} is larger than a gigabyte`);
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new Passing(`${path} cannot be read: ${error.message}`);
  }
}

/** Asks for a file, and again after each of `waits` (ms) while what keeps it away may pass. */
async function fetched(base, waits, path, accept) {
  for (const wait of waits) {
    try {
      return await asked(base, path, accept);
    } catch (error) {
      if (!(error instanceof Passing)) throw error;
      await new Promise((resume) => setTimeout(resume, Math.max(wait, error.waitMs)));
    }
  }
  return asked(base, path, accept);
}

/** What the gateway at `base` (a URL that ends in a slash) serves; a file that cannot be read is asked for again after `waits`, ms. */
export function gateway(base, waits = WAITS_MS) {
  const read = (path, accept) => fetched(base, waits, path, accept);
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
