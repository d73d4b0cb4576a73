// Where raw bytes come from: a gateway over HTTP. Names are those of an exported folder (`cairn log export`).

import { did, deviceName } from './formats.mjs';
import { Unread } from './steps.mjs';

/** What no file passes: a tile, a bundle and a table have their own, lower bounds in what reads them. */
const BYTES_MAX = 1 << 30;

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

async function fetched(base, path, accept) {
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
    throw new Unread(`${path} cannot be read: ${error.message}`);
  }
  if (response.status === 404) return null;
  if (!response.ok) throw new Unread(`${path} is answered with ${response.status}`);
  try {
    if (Number(response.headers.get('content-length') ?? 0) > BYTES_MAX) throw new Error('it is larger than a gigabyte');
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new Unread(`${path} cannot be read: ${error.message}`);
  }
}

/** What the gateway at `base` (a URL that ends in a slash) serves. */
export function gateway(base) {
  const json = async (path) => {
    const bytes = await fetched(base, path, 'application/json');
    try {
      return bytes === null ? null : JSON.parse(new TextDecoder().decode(bytes));
    } catch {
      throw new Unread(`${path} is not JSON`);
    }
  };
  return {
    read: (name, hash) => fetched(base, ...addressOf(name, hash)),
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
