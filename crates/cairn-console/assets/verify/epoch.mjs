// The check of an epoch: its statement stands in the log, what it says of the log is so, and the tables that are served are
// those that it states, row by row; and, where asked for, what one account or device was given.

import { checkSignatures } from './auditors.mjs';
import { Malformed, compare, hex, same, unhex } from './bytes.mjs';
import { nextRow } from './cbor.mjs';
import { claimOf, claimTree, foldProof } from './claims.mjs';
import { LOG_STEPS, expect, need, openLog } from './entry.mjs';
import { ROWS, decimal, deviceName, parseAmount, parseEntry, parseEpoch, parseRecord, parseSnapshot, accountWord, when } from './formats.mjs';
import { sha256 } from './hash.mjs';
import { Broken, Frontier } from './log.mjs';
import { Tally, allocate, compareShares, emitted, readPolicy } from './shares.mjs';
import { Steps, breathe } from './steps.mjs';
import { Unknown } from './toml.mjs';

const EPOCH_STEPS = [
  ...LOG_STEPS,
  ['statement', 'The epoch statement is the one that this page names'],
  ['logged', 'The statement stands in the log'],
  ['log-root', 'The log had the root that it says, at the end of the epoch'],
  ['previous', 'It follows the statement before'],
  ['balance', 'Its balance adds up, and goes on from the one before'],
  ['policy', 'The policy is the one that it names'],
  ['verdicts', 'The verdicts are those that it states'],
  ['payouts', 'The payouts are those that it states, and add up'],
  ['sales', 'The sales are those that it states'],
  ['shares', 'Every payout follows from verdicts, sales and policy'],
  ['auditors', 'Auditors have signed the statement'],
];
const PAID_STEP = ['paid', 'What this page shows as paid is the sum of the rows'];
const CLAIM_STEP = ['claim', 'The claim stands under the claim root that contracts accept'];

/** A statement is logged so soon after its epoch's end. */
const ENTRIES_UNTIL_LOGGED = 1_000;
/** Rows between two breaths. */
const ROWS_AT_ONCE = 2_000;
/** Verdicts that are shared out anew; with more, a browser's memory would be the limit (about a gigabyte for so many). */
const SHARED_MAX = 500_000;
const WIDTH = 256;

/** The steps of a check: what is asked for decides. */
function planned(asked) {
  const steps = [...EPOCH_STEPS];
  if (asked.device || asked.account) steps.push(PAID_STEP);
  if (asked.claim) steps.push(CLAIM_STEP);
  return steps;
}

/** Reads a table row by row: each in its one form, in bytewise order. `take` is handed every row. */
async function readTable(source, name, kind, say, take) {
  const bytes = await need(source, name);
  let [at, rows, before] = [0, 0, null];
  while (at < bytes.length) {
    const { value, row, end } = nextRow(bytes, at);
    if (before !== null && compare(before, row) > 0) {
      throw new Broken(`row ${rows} of ${name} is out of order`, `above ${hex(before).slice(0, 32)}`, hex(row).slice(0, 32));
    }
    take(ROWS[kind](value), row);
    [at, before, rows] = [end, row, rows + 1];
    if (rows % ROWS_AT_ONCE === 0) {
      say(`${rows} rows, ${Math.floor((100 * at) / bytes.length)} %`);
      await breathe();
    }
  }
  return rows;
}

/** The entry that has these bytes as an epoch statement, from the epoch's end on. */
async function findLogged(tree, statement, bytes) {
  const to = Number(statement.range.to);
  const end = Math.min(tree.size, to + ENTRIES_UNTIL_LOGGED);
  for (let bundle = Math.floor(to / WIDTH); bundle * WIDTH < end; bundle += 1) {
    const entries = await tree.bundle(bundle);
    for (let at = 0; at < entries.length; at += 1) {
      const index = bundle * WIDTH + at;
      if (index < to || index >= end) continue;
      const entry = parseEntry(entries[at]);
      if (entry.kind !== 'epoch statement') continue;
      if (same(entry.body, bytes)) return { index, receivedMs: entry.receivedMs };
      const other = parseEpoch(entry.body);
      if (other.number === statement.number) {
        throw new Broken(`entry ${index} is another statement of this epoch`, hex(other.hash), hex(statement.hash));
      }
    }
  }
  throw new Broken('the statement is not in the log', `one of the entries ${to} to ${end - 1}`, 'nowhere (a moment after an epoch has closed, try again)');
}

function checkBalance(statement, before) {
  const [own, last] = [statement.balances[0], before?.balances[0]];
  if (own && last) expect('the balance does not begin with what the epoch before left', `${last.unallocated + last.escrow}`, `${own.opening}`);
  for (const held of statement.balances) {
    const came = held.opening + held.minted + held.deposited;
    const went = held.paid + held.refunded + held.burned + held.escrow + held.vesting + held.unallocated;
    expect(`the balance of ${held.symbol} does not add up`, came.toString(), went.toString());
  }
  const [held] = statement.balances;
  return `${held.opening} + ${held.minted} minted + ${held.deposited} paid in = ${held.paid} paid + ${held.refunded} refunded + ${held.burned} burned + ${held.escrow + held.vesting + held.unallocated} kept, base units of ${held.symbol}`;
}

/** The policy that the statement names by its hash; `null` where nobody serves it, or it is not read here. */
async function checkPolicy(steps, source, statement) {
  let policy = null;
  await steps.run('policy', async () => {
    if (hex(statement.policy) === '0'.repeat(64)) return ['left out', 'There was no policy yet.'];
    const bytes = await need(source, `epochs/${statement.number}/policy.toml`, hex(statement.policy));
    expect('the policy that is served is not the one that the statement names', hex(statement.policy), hex(sha256(bytes)));
    try {
      policy = readPolicy(bytes);
    } catch (error) {
      if (error instanceof Unknown) return ['left out', `Its hash is right, and ${error.message}.`];
      throw error;
    }
    const [minted, most] = [statement.balances[0].minted, emitted(policy, statement.number)];
    const isLess = policy.maxSupply !== null && minted < most;
    if (!isLess) expect('what was minted is not what the policy’s table says', `${most}`, `${minted}`);
    return `its hash is ${hex(statement.policy)}; ${isLess ? 'the ceiling of its emission leaves' : 'its table gives'} this epoch ${minted} base units to mint`;
  });
  return policy;
}

/** Computes every payout anew. */
async function checkShares(steps, statement, before, found) {
  await steps.run('shares', async () => {
    if (found.policy !== null && found.tally === null) return ['left out', `There are more than ${SHARED_MAX} verdicts: sharing out anew is for cairn audit.`];
    if (found.policy === null) return ['left out', 'Without a policy that is read here nothing can be shared out anew.'];
    const pot = (before?.balances[0].unallocated ?? 0n) + statement.balances[0].minted;
    const implied = allocate(found.policy, pot, found.tally, found.sales);
    await breathe();
    compareShares(statement, found.payouts, implied);
    return `${implied.rows.length} payouts of ${implied.pools.length} pools, each computed here from the verdicts above, are those that are paid`;
  });
}

/** Holds the verdict table against the roots of the classes; tallies the device that is asked for. */
async function checkVerdicts(steps, source, statement, asked, tally, found) {
  await steps.run('verdicts', async (say) => {
    let seen = 0;
    const classes = new Map(statement.classes.map((row) => [row.class, { row, root: new Frontier(), passed: 0n }]));
    const rows = await readTable(source, `epochs/${statement.number}/verdicts.cborseq`, 'verdicts', say, (verdict, bytes) => {
      const known = classes.get(verdict.class);
      if (!known) throw new Broken('a verdict is of a class that the statement does not have', [...classes.keys()].join(', '), verdict.class);
      known.root.push(bytes);
      found.tally?.take(verdict);
      seen += 1;
      if (seen > SHARED_MAX) found.tally = null;
      if (verdict.amount > 0n && verdict.score === 1_000_000n) known.passed += 1n;
      if (asked.device === deviceName(verdict.device)) tally.verdicts += 1;
    });
    for (const { row, root, passed } of classes.values()) {
      expect(`the verdicts of ${row.class} do not hash to the root in the statement`, hex(row.verdictRoot), hex(root.root()));
      expect(`the number of verdicts of ${row.class}`, row.subjects.toString(), root.size.toString());
      expect(`the number of those of ${row.class} that passed`, row.passed.toString(), passed.toString());
    }
    return `${rows} in all, of ${[...classes.keys()].join(' and ')}, under the root of each`;
  });
}

/** Holds the payout table against its root, and its sums against pools and balance; tallies what is asked for. */
async function checkPayouts(steps, source, statement, asked, tally, found) {
  await steps.run('payouts', async (say) => {
    const root = new Frontier();
    const pools = new Map(statement.pools.map((pool) => [pool.pool, { pool, paid: 0n, rows: 0n }]));
    let sum = 0n;
    await readTable(source, `epochs/${statement.number}/payouts.cborseq`, 'payouts', say, (payout, bytes) => {
      root.push(bytes);
      if (found.tally) found.payouts.push({ ...payout, device: payout.device && hex(payout.device) });
      sum += payout.amount;
      const known = pools.get(payout.pool);
      if (known) {
        known.paid += payout.amount;
        known.rows += 1n;
      }
      const isOf = asked.device ? payout.device !== null && deviceName(payout.device) === asked.device : payout.account === asked.account;
      if (isOf) {
        tally.paid += payout.amount;
        tally.rows += 1;
      }
    });
    expect('the payouts do not hash to the root in the statement', hex(statement.payoutRoot), hex(root.root()));
    for (const { pool, paid, rows } of pools.values()) {
      expect(`the payouts of the pool ${pool.pool} do not add up to what the statement says`, pool.paid.toString(), paid.toString());
      expect(`the number of payouts of the pool ${pool.pool}`, pool.recipients.toString(), rows.toString());
    }
    const [held] = statement.balances;
    expect('all payouts together are not what the balance says', (held.paid + held.refunded).toString(), sum.toString());
    return `${root.size} rows, together ${sum} base units of ${held.symbol}, as the balance says`;
  });
}

async function checkSales(steps, source, statement, found) {
  await steps.run('sales', async (say) => {
    if (!statement.sales) return 'the statement states none';
    const root = new Frontier();
    const rows = await readTable(source, `epochs/${statement.number}/sales.cborseq`, 'sales', say, (sale, bytes) => {
      root.push(bytes);
      found.sales.push(sale);
    });
    expect('the sales do not hash to the root in the statement', hex(statement.sales.root), hex(root.root()));
    expect('the number of sales', statement.sales.count.toString(), rows.toString());
    return `${rows} in all, under their root`;
  });
}

/** That a claim's leaf and proof lead to the claim root of the statement. */
function checkClaim(statement, claim) {
  const settlement = statement.settlements.find((row) => row.domain === claim.domain);
  if (!settlement) throw new Broken('the statement has no such settlement chain', statement.settlements.map((row) => row.domain).join(', '), claim.domain);
  const leaf = claimOf(settlement, claim.account, decimal(claim.cumulative));
  const found = foldProof(leaf, claim.proof.map(unhex));
  expect('leaf and proof do not lead to the claim root in the statement', hex(settlement.claimRoot), hex(found));
  return `${claim.cumulative} base units for ${claim.account}: the leaf ${hex(leaf)} and ${claim.proof.length} hashes lead to the claim root ${hex(settlement.claimRoot)}`;
}

/** The statement of the epoch and that it stands in the log, in the order in which the log says it. */
async function checkStatement(steps, { tree, genesis, source }, asked) {
  let [statement, bytes, before] = [null, null, null];
  await steps.run('statement', async () => {
    bytes = await need(source, `epochs/${asked.epoch}/statement.cbor`);
    statement = parseEpoch(bytes);
    if (asked.statement) expect('the statement that is served is not the one that the page names', asked.statement, hex(statement.hash));
    expect('the statement is of another epoch', `${asked.epoch}`, `${statement.number}`);
    expect('the statement is of another network', hex(genesis.network), hex(statement.network));
    return `its hash is ${hex(statement.hash)}`;
  });
  await steps.run('logged', async () => {
    const { index, receivedMs } = await findLogged(tree, statement, bytes);
    return `it is entry ${index}, received ${when(receivedMs)}`;
  });
  await steps.run('log-root', async () => {
    const size = Number(statement.range.to);
    expect('the root of the log up to the epoch’s end is another one', hex(statement.logRoot), hex(await tree.rootAt(size)));
    return `the first ${size} entries have the root that it says`;
  });
  await steps.run('previous', async () => {
    const own = hex(statement.previous);
    if (statement.number === 0n) {
      expect('the first statement names one before it', '0'.repeat(64), own);
      expect('the first epoch does not begin with entry 0', '0', `${statement.range.from}`);
      return 'it is the first';
    }
    before = parseEpoch(await need(source, `epochs/${statement.number - 1n}/statement.cbor`));
    expect('the statement before has another hash', own, hex(before.hash));
    expect('the epoch does not begin where the one before ended', `${before.range.to}`, `${statement.range.from}`);
    return `the one of epoch ${before.number} has the hash that it names, and ends at entry ${before.range.to}`;
  });
  await steps.run('balance', async () => checkBalance(statement, before));
  return { statement, before };
}

/**
 * Checks epoch `asked.epoch`. Of the page come `network`, `statement` (the hash that it names), `device` or `account` with
 * `paid` (what it shows, base units), and `claim` (`{account, domain, cumulative, proof}`); of the reader `pin`.
 */
export async function checkEpoch(source, asked, show) {
  const steps = new Steps(planned(asked), show);
  const tally = { verdicts: 0, rows: 0, paid: 0n };
  return steps.all(async () => {
    const log = await openLog(steps, source, asked);
    const { statement, before } = await checkStatement(steps, log, asked);
    const policy = await checkPolicy(steps, source, statement);
    const startMs = log.genesis.epochZeroMs + statement.number * log.genesis.epochMs;
    const found = { policy, tally: policy && new Tally(policy.late, startMs), payouts: [], sales: [] };
    await checkVerdicts(steps, source, statement, asked, tally, found);
    await checkPayouts(steps, source, statement, asked, tally, found);
    await checkSales(steps, source, statement, found);
    await checkShares(steps, statement, before, found);
    await steps.run('auditors', async () => checkSignatures(statement, (await source.signatures?.(asked.epoch)) ?? null));
    if (asked.device || asked.account) {
      await steps.run('paid', async () => {
        const whom = asked.device ?? asked.account;
        if (asked.paid !== undefined) expect(`what ${whom} was paid`, tally.paid.toString(), decimal(asked.paid).toString());
        const verdicts = asked.device ? `; ${tally.verdicts} verdicts are about it` : '';
        return `${tally.rows} rows give ${whom} ${tally.paid} base units of ${statement.balances[0].symbol}${verdicts}`;
      });
    }
    if (asked.claim) await steps.run('claim', async () => checkClaim(statement, asked.claim));
  });
}

/**
 * An account's claim after an epoch from the epoch's snapshot, which is the whole state: `null` where it has none. The snapshot is
 * not believed: what comes of it is checked under the statement's claim root.
 */
export function claimFromSnapshot(bytes, account) {
  const { statement, records } = parseSnapshot(bytes);
  const named = accountWord(account);
  const settlement = parseEpoch(statement).settlements.find((row) => row.domain === named?.domain);
  if (!settlement) return null;
  const hashes = [];
  let own = null;
  for (const record of records.map(parseRecord)) {
    if (record.table !== 7n) continue;
    const text = Array.from(record.key, (byte) => String.fromCharCode(byte)).join('');
    const word = accountWord(text);
    if (word === null) throw new Malformed(`the snapshot has a total of \`${text}\`, which is no account`);
    if (word.domain !== settlement.domain) continue;
    const cumulative = parseAmount(record.value);
    hashes.push(claimOf(settlement, text, cumulative));
    if (text === account) own = { hash: hashes[hashes.length - 1], cumulative };
  }
  if (own === null) return null;
  const proof = claimTree(hashes).proofs.get(hex(own.hash)).map(hex);
  return { account, domain: settlement.domain, cumulative: own.cumulative.toString(), proof };
}
