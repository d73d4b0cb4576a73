// From verdicts, sales and policy to payouts: the rules of money, revision 1 (section 11 of the formats). Whole numbers only; every
// division is a floor, and what it leaves has a named place.

import { hex, unutf8 } from './bytes.mjs';
import { Broken } from './log.mjs';
import { Unknown, parse } from './toml.mjs';

const PPM = 1_000_000n;
const MARKET = 'compute/1';
const MOST_WEIGHT = (1n << 63n) - 1n;

const sum = (items, of) => items.reduce((total, item) => total + of(item), 0n);

function text(value, what) {
  if (typeof value !== 'string') throw new Unknown(`the policy’s ${what} is not text`);
  return value;
}

function number(value, what) {
  if (typeof value !== 'bigint' || value < 0n) throw new Unknown(`the policy’s ${what} is not a whole number`);
  return value;
}

function table(value, what) {
  if (!(value instanceof Map)) throw new Unknown(`the policy’s ${what} is not a table`);
  return value;
}

/** Decimal tokens as base units. */
function tokens(value, decimals, what) {
  const [, whole, part = ''] = /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/.exec(text(value, what)) ?? [];
  if (whole === undefined || part.length > decimals) throw new Unknown(`the policy’s ${what} is not an amount`);
  return BigInt(whole + part.padEnd(decimals, '0'));
}

/** What of a policy's document decides who is paid what. */
export function readPolicy(bytes) {
  const root = parse(unutf8(bytes));
  const of = (name) => table(root.get(name), name);
  if (of('engine').get('revision') !== 1n) throw new Unknown('the policy wants rules of another revision');
  const decimals = Number(number(of('asset').get('decimals'), 'decimals'));
  const units = (value, what) => (value === undefined ? null : tokens(value, decimals, what));
  const emission = of('emission');
  const rows = emission.get('table').map((row) => ({ from: number(row.get('from_epoch'), 'first epoch'), amount: units(row.get('amount_tokens'), 'amount') }));
  const pools = root.get('pools').map((pool) => ({
    name: text(pool.get('name'), 'pool’s name'),
    rule: text(pool.get('rule'), 'pool’s rule'),
    class: pool.get('class'),
    share: pool.get('share_ppm') ?? 0n,
    minScore: pool.get('min_score_ppm') ?? 0n,
    cap: units(pool.get('cap_per_device_tokens'), 'cap'),
    to: pool.get('to'),
  }));
  const residual = pools.filter((pool) => pool.rule === 'residual');
  if (residual.length !== 1 || pools.some((pool) => !['pro-rata', 'flat', 'residual'].includes(pool.rule))) throw new Unknown('the policy’s pools');
  const late = number(of('epochs').get('late_ppm'), 'factor of late reports');
  const fee = root.get('classes')?.get(MARKET)?.get('fee_ppm') ?? 0n;
  return { rows, maxSupply: units(emission.get('max_supply_tokens'), 'ceiling'), pools: pools.filter((pool) => pool !== residual[0]), residual: residual[0], late, fee };
}

/** What the epoch may mint by the policy's table. */
export const emitted = (policy, epoch) => policy.rows.filter((row) => row.from <= epoch).pop()?.amount ?? 0n;

/** What devices delivered, by class: each verdict is taken once. */
export class Tally {
  #classes = new Map();

  /** `late` is what is left of a million parts of a verdict whose slot begins before `startMs`. */
  constructor(late, startMs) {
    Object.assign(this, { late, startMs });
  }

  /** Takes a verdict. */
  take(verdict) {
    let weight = (verdict.amount * verdict.score) / PPM;
    if (verdict.slotMs < this.startMs) weight = (weight * this.late) / PPM;
    if (!this.#classes.has(verdict.class)) this.#classes.set(verdict.class, new Map());
    const devices = this.#classes.get(verdict.class);
    const name = hex(verdict.device);
    let device = devices.get(name);
    if (!device) devices.set(name, (device = { name, weight: 0n, amount: 0n, parts: [] }));
    device.weight += weight;
    device.amount += verdict.amount;
    const part = device.parts.find((known) => known.account === verdict.account);
    if (part) part.weight += weight;
    else device.parts.push({ account: verdict.account, weight });
  }

  /** The devices of a class. */
  of(name) {
    return [...(this.#classes.get(name)?.values() ?? [])];
  }
}

/** The rows of a pool of `size`, and what the statement says of it. */
function shareOut(pool, size, devices) {
  const isIn = ({ weight, amount }) => weight > 0n && (pool.rule === 'pro-rata' || weight * PPM >= pool.minScore * amount);
  const sharing = devices.filter(isIn);
  const whole = sum(sharing, (device) => device.weight);
  const rows = [];
  for (const device of sharing) {
    let part = pool.rule === 'pro-rata' ? (size * device.weight) / whole : size / BigInt(sharing.length);
    if (pool.cap !== null && part > pool.cap) part = pool.cap;
    for (const { account, weight } of device.parts) {
      const amount = (part * weight) / device.weight;
      if (amount > 0n) rows.push({ account, device: device.name, pool: pool.name, weight, amount });
    }
  }
  const result = { pool: pool.name, size, weight: whole, devices: BigInt(sharing.length), paid: sum(rows, (row) => row.amount), recipients: BigInt(rows.length) };
  return { rows, result };
}

/** What the sales of an epoch pay, refund and burn; each is held to its own sum and to the fee. */
class Sold {
  constructor(fee) {
    Object.assign(this, { fee, rows: new Map(), paid: 0n, refunded: 0n, burned: 0n });
  }

  add(account, device, pool, amount, gas) {
    const key = `${account} ${device} ${pool}`;
    const row = this.rows.get(key) ?? { account, device, pool, weight: 0n, amount: 0n };
    const weight = row.weight + gas;
    this.rows.set(key, { ...row, weight: weight > MOST_WEIGHT ? MOST_WEIGHT : weight, amount: row.amount + amount });
  }

  take(sale) {
    const went = sum(sale.work, (row) => row.work) + sum(sale.licences, (row) => row.amount) + sale.returned + (sale.refund?.amount ?? 0n);
    if (went !== sale.locked) throw new Broken(`the sale of job ${hex(sale.job)} does not add up`, `${sale.locked}`, `${went}`);
    for (const { account, device, gas, work, burned } of sale.work) {
      const fee = (work * this.fee) / PPM;
      if (burned !== fee) throw new Broken(`the fee of job ${hex(sale.job)}`, `${fee}`, `${burned}`);
      this.add(account, hex(device), MARKET, work - burned, gas);
      this.paid += work - burned;
      this.burned += burned;
    }
    for (const { account, amount } of sale.licences) {
      this.add(account, null, `${MARKET}:licence`, amount, 0n);
      this.paid += amount;
    }
    if (sale.refund === null) return;
    this.add(sale.refund.account, null, `${MARKET}:refund`, sale.refund.amount, 0n);
    this.refunded += sale.refund.amount;
  }
}

/** Everything that the epoch has to pay: rows, pools, and the lines of the balance that follow. */
export function allocate(policy, pot, tally, sales) {
  // Not spread into calls anywhere: there may be a million.
  let rows = [];
  const pools = [];
  let left = pot;
  for (const pool of policy.pools) {
    const shared = shareOut(pool, (pot * pool.share) / PPM, tally.of(pool.class));
    rows = rows.concat(shared.rows);
    pools.push(shared.result);
    left -= shared.result.paid;
  }
  const { name, to } = policy.residual;
  const isPaid = to !== 'burn' && to !== 'next-epoch';
  const residual = { pool: name, size: left, weight: 0n, devices: 0n, paid: isPaid ? left : 0n, recipients: isPaid && left > 0n ? 1n : 0n };
  if (residual.recipients > 0n) rows.push({ account: to, device: null, pool: name, weight: 0n, amount: left });
  pools.push(residual);
  const sold = new Sold(policy.fee);
  sales.forEach((sale) => sold.take(sale));
  rows = rows.concat([...sold.rows.values()].filter((row) => row.amount > 0n));
  const balance = {
    paid: pot - left + residual.paid + sold.paid,
    refunded: sold.refunded,
    burned: sold.burned + (to === 'burn' ? left : 0n),
    unallocated: to === 'next-epoch' ? left : 0n,
  };
  return { rows, pools, balance };
}

const nameOf = (row) => `${row.account} ${row.device ?? '-'} ${row.pool}`;
const worth = (row) => (row ? `${row.amount} by weight ${row.weight}` : 'no row');

/** Holds payouts as served, and the statement's own lines, against what verdicts, sales and policy imply. */
export function compareShares(statement, served, implied) {
  const expected = new Map(implied.rows.map((row) => [nameOf(row), row]));
  for (const row of served) {
    const own = expected.get(nameOf(row));
    if (worth(own) !== worth(row)) throw new Broken(`the payout to ${nameOf(row)} does not follow from verdicts and policy`, worth(own), worth(row));
    expected.delete(nameOf(row));
  }
  for (const row of expected.values()) throw new Broken(`a payout to ${nameOf(row)} is missing`, worth(row), 'no row');
  const lines = (pool) => Object.values(pool).join(', ');
  if (statement.pools.length !== implied.pools.length) throw new Broken('the number of pools', `${implied.pools.length}`, `${statement.pools.length}`);
  statement.pools.forEach((pool, at) => {
    if (lines(pool) !== lines(implied.pools[at])) throw new Broken(`what the statement says of the pool ${pool.pool}`, lines(implied.pools[at]), lines(pool));
  });
  const [held] = statement.balances;
  for (const [name, amount] of Object.entries(implied.balance)) {
    if (held[name] !== amount) throw new Broken(`what the balance says is ${name}`, `${amount}`, `${held[name]}`);
  }
}
