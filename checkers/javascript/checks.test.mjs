// The whole check over the committed log: it holds as it is, and whatever is changed is found, at the step that it belongs to.

import assert from 'node:assert/strict';
import { createECDH, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';

import { FIRST_LOG, flipped, golden, inState, module, over, random, withPolicies } from './setup.mjs';

const { checkEntry } = await module('entry.mjs');
const { checkEpoch, claimFromSnapshot } = await module('epoch.mjs');
const { folder } = await module('verify.mjs');
const { digestOf } = await module('auditors.mjs');
const { keccak256 } = await module('hash.mjs');
const { base64, compare, concat, fromBig, hex, toBig, utf8 } = await module('bytes.mjs');
const { encode, nextRow } = await module('cbor.mjs');
const { ROWS, deviceName, parseEpoch } = await module('formats.mjs');
const { Frontier, leafHash, parseCheckpoint, parseVkey, splitNote, tilePath } = await module('log.mjs');

const files = await withPolicies();
const { size } = parseCheckpoint(splitNote(files.get('checkpoint')).text);
const epochs = [0, 1, 2, 3, 4, 5];
const VKEY = golden('goldens/first-log/log.vkey').trim();

/** The rows of a table. */
function rows(name, kind) {
  const [bytes, found] = [files.get(name), []];
  for (let at = 0; at < bytes.length; ) {
    const { value, end } = nextRow(bytes, at);
    found.push(ROWS[kind](value));
    at = end;
  }
  return found;
}

test('every entry of the committed log is in it, and signed by whom it says but for the forged one', async () => {
  const source = folder(FIRST_LOG);
  const found = new Map();
  for (let index = 0; index < size; index += 1) {
    const result = await checkEntry(source, { index, pin: VKEY });
    const verdict = result.state === 'red' ? `red: ${inState(result, 'bad')}` : inState(result, 'left out').filter((name) => name !== 'page').join();
    found.set(verdict, [...(found.get(verdict) ?? []), index]);
  }
  assert.equal(found.get('').length, size - 16);
  found.delete('');
  assert.deepEqual(Object.fromEntries(found), {
    // A stranger's report; an observer that no policy names; epoch statements; reports by a key that a device was given later.
    signatures: [60, 67, 106, 190, 229, 239, 249, 259, 264, 271, 282, 352, 418, 482],
    // Void for its form.
    'decode,signatures': [63],
    'red: signatures': [64],
  }, 'all others hold');
});

test('every epoch holds, with every device’s and account’s pay and every claim', async () => {
  let claims = 0;
  for (const number of epochs) {
    const payouts = rows(`epochs/${number}/payouts.cborseq`, 'payouts');
    const statement = hex(parseEpoch(files.get(`epochs/${number}/statement.cbor`)).hash);
    const sums = new Map();
    for (const { account, device, amount } of payouts) {
      for (const [kind, name] of [['account', account], ['device', device && deviceName(device)]]) {
        if (name) sums.set(`${kind} ${name}`, (sums.get(`${kind} ${name}`) ?? 0n) + amount);
      }
    }
    for (const [whom, paid] of sums) {
      const [kind, name] = whom.split(' ');
      const claim = kind === 'account' ? claimFromSnapshot(files.get(`epochs/${number}/snapshot.cbor`), name) : null;
      claims += claim ? 1 : 0;
      const asked = { epoch: `${number}`, statement, [kind]: name, paid: `${paid}`, claim };
      const result = await checkEpoch(over(files), asked);
      assert.deepEqual([result.state, inState(result, 'left out')], ['green', ['auditors']], `${whom}: ${JSON.stringify(result.steps)}`);
      for (const [change, step] of [[{ paid: `${paid + 1n}` }, 'paid'], [{ statement: '0'.repeat(64) }, 'statement'], [{ network: '0'.repeat(64) }, 'genesis']]) {
        assert.deepEqual(inState(await checkEpoch(over(files), { ...asked, ...change }), 'bad'), [step]);
      }
      if (!claim) continue;
      const other = { ...claim, cumulative: `${BigInt(claim.cumulative) + 1n}` };
      const cut = { ...claim, proof: claim.proof.slice(1) };
      const longer = { ...claim, proof: [...claim.proof, '0'.repeat(64)] };
      const swapped = { ...claim, proof: claim.proof.map((hash, at) => (at === 0 ? '0'.repeat(64) : hash)) };
      // The one account of a chain needs no proof.
      for (const wrong of claim.proof.length ? [other, longer, cut, swapped] : [other, longer]) assert.deepEqual(inState(await checkEpoch(over(files), { ...asked, claim: wrong }), 'bad'), ['claim']);
    }
  }
  assert.ok(claims > 20, `${claims} claims`);
});

/** Every check that reads something of the log, each with the files that it reads. */
async function checks() {
  const all = [];
  for (const index of [0, 17, 255, 256, 300, size - 1]) all.push([`entry ${index}`, (source) => checkEntry(source, { index, keys: [] })]);
  for (const number of epochs) all.push([`epoch ${number}`, (source) => checkEpoch(source, { epoch: `${number}` })]);
  return Promise.all(all.map(async ([name, run]) => {
    const source = over(files);
    assert.equal((await run(source)).state, 'green', name);
    return { name, run, read: [...source.noted] };
  }));
}

test('any byte of any file that a check reads, changed in any bit, is red', async () => {
  const seed = Date.now();
  const next = random(seed);
  const all = await checks();
  for (let round = 0; round < 200; round += 1) {
    const { name, run, read } = all[next(all.length)];
    const file = read[next(read.length)];
    const [at, bit] = [next(files.get(file).length), next(8)];
    const changed = new Map(files).set(file, flipped(files.get(file), at, bit));
    const result = await run(over(changed));
    assert.deepEqual([result.state, inState(result, 'bad').length], ['red', 1], `seed ${seed}: ${name} with bit ${bit} of byte ${at} of ${file}`);
    assert.equal(result.unread, false);
  }
});

test('any file that a check reads, missing or cut short, is red', async () => {
  for (const { name, run, read } of await checks()) {
    for (const file of read) {
      const without = new Map(files);
      without.delete(file);
      assert.equal((await run(over(without))).state, 'red', `${name} without ${file}`);
      const bytes = files.get(file);
      for (const length of [0, 1, Math.floor(bytes.length / 2), bytes.length - 1]) {
        const cut = new Map(files).set(file, bytes.subarray(0, length));
        const empty = length === 0 && bytes.length === 0;
        assert.equal((await run(over(cut))).state, empty ? 'green' : 'red', `${name} with ${length} bytes of ${file}`);
      }
    }
  }
});

test('what is changed is named by its step', async () => {
  const [first, bundle, last] = ['tile/0/000', 'tile/entries/000', `tile/entries/001.p/${size - 256}`];
  const name = (n, table) => `epochs/${n}/${table}.cborseq`;
  const where = (file, bytes) => Buffer.from(files.get(file)).indexOf(bytes);
  for (const [file, at, of, step] of [
    ['checkpoint', 3, { index: 17 }, 'genesis'],
    ['checkpoint', where('checkpoint', '483') + 2, { index: 17 }, 'signature'],
    ['checkpoint', where('checkpoint', '\n\n') + 40, { index: 17 }, 'signature'],
    ['checkpoint', where('checkpoint', '483') + 6, { index: 17 }, 'signature'],
    [first, 32 * 17, { index: 17 }, 'begin'],
    [first, 32 * 200, { index: 17 }, 'begin'],
    ['tile/1/000.p/1', 5, { index: 17 }, 'root'],
    [`tile/0/001.p/${size - 256}`, 5, { index: 17 }, 'root'],
    [bundle, files.get(bundle).length - 1, { index: 17 }, 'begin'],
    [last, files.get(last).length - 1, { index: 300 }, 'entry'],
    [last, 2, { index: 300 }, 'entry'],
    [last, files.get(last).length - 1, { epoch: '5' }, 'logged'],
    ['epochs/3/statement.cbor', files.get('epochs/3/statement.cbor').length - 1, { epoch: '3' }, 'logged'],
    ['epochs/3/policy.toml', 40, { epoch: '3' }, 'policy'],
    ['epochs/3/statement.cbor', 0, { epoch: '3' }, 'statement'],
    ['epochs/2/statement.cbor', files.get('epochs/2/statement.cbor').length - 1, { epoch: '3' }, 'previous'],
    [name(3, 'verdicts'), 20, { epoch: '3' }, 'verdicts'],
    [name(3, 'payouts'), files.get(name(3, 'payouts')).length - 1, { epoch: '3' }, 'payouts'],
  ]) {
    const source = over(new Map(files).set(file, flipped(files.get(file), at)));
    const result = 'index' in of ? await checkEntry(source, of) : await checkEpoch(source, of);
    assert.deepEqual(inState(result, 'bad'), [step], `byte ${at} of ${file}: ${JSON.stringify(result.steps.find((known) => known.state === 'bad'))}`);
    const names = result.steps.map((known) => known.name);
    assert.deepEqual(inState(result, 'waiting'), names.slice(names.indexOf(step) + 1), 'nothing behind it is said to hold');
  }
});

test('what the reader has from elsewhere is held against the log', async () => {
  const { network, operator } = { network: 'bcc39478605ca2873f751e0c1c37ff61e478c346ccd51b18a3cc7058ee99fac2', operator: 'did:key:z6MkvVv69U1HGuN6yUd8RiYE8py6QYRzuQoG45xSpZ1Ct4tD' };
  const other = JSON.parse(golden('crates/cairn-merkle/goldens/log.json')).signed_notes[0].vkey;
  for (const [pin, state] of [
    [VKEY, 'green'], [network, 'green'], [network.toUpperCase(), 'green'], [operator, 'green'],
    [other, 'red'], [`0${network.slice(1)}`, 'red'], [`${operator.slice(0, -1)}E`, 'red'], ['nonsense', 'red'], [VKEY.slice(0, -1), 'red'], [VKEY.replace('9da7f186', '9da7f187'), 'red'],
  ]) {
    const result = await checkEntry(over(files), { index: 17, pin, keys: [] });
    assert.deepEqual([result.state, inState(result, 'bad')], [state, state === 'red' ? ['signature'] : []], pin);
  }
});

test('the page’s own word is compared, never believed', async () => {
  const bundle = files.get('tile/entries/000');
  const first = bundle.subarray(2, 2 + bundle[0] * 256 + bundle[1]);
  const leaf = hex(leafHash(first));
  assert.equal((await checkEntry(over(files), { index: 0, leaf, keys: [] })).state, 'green');
  assert.deepEqual(inState(await checkEntry(over(files), { index: 1, leaf, keys: [] }), 'bad'), ['page']);
  for (const index of [size, size + 1_000, 2 ** 52]) {
    assert.deepEqual(inState(await checkEntry(over(files), { index, keys: [] }), 'bad'), ['tiles'], 'no entry beyond the checkpoint');
  }
  assert.deepEqual(inState(await checkEpoch(over(files), { epoch: '6' }), 'bad'), ['statement']);
  const swapped = new Map(files).set('epochs/3/statement.cbor', files.get('epochs/2/statement.cbor'));
  assert.deepEqual(inState(await checkEpoch(over(swapped), { epoch: '3' }), 'bad'), ['statement']);
  // A key that a page offers for a device is one only when its hash is the device's name.
  const offered = await checkEntry(over(files), { index: 17, keys: ['did:key:z6MkvVv69U1HGuN6yUd8RiYE8py6QYRzuQoG45xSpZ1Ct4tD'] });
  assert.deepEqual(inState(offered, 'left out'), ['page', 'signatures']);
});

/** A wallet: its address and its secret. */
function wallet() {
  const pair = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const { x, y } = pair.publicKey.export({ format: 'jwk' });
  const address = keccak256(new Uint8Array([...Buffer.from(x, 'base64url'), ...Buffer.from(y, 'base64url')])).subarray(12);
  return { address: `0x${hex(address)}`, secret: toBig(new Uint8Array(Buffer.from(pair.privateKey.export({ format: 'jwk' }).d, 'base64url'))) };
}

/** ECDSA over a digest as it is, which Node alone would hash again. */
function signed({ address, secret }, digest) {
  const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const once = createECDH('secp256k1');
  const point = once.generateKeys();
  const [k, r] = [toBig(new Uint8Array(once.getPrivateKey())), toBig(new Uint8Array(point.subarray(1, 33))) % n];
  const power = (base, exponent) => (exponent === 0n ? 1n : ((exponent & 1n ? base : 1n) * power((base * base) % n, exponent >> 1n)) % n);
  const s = (power(k, n - 2n) * (toBig(digest) + r * secret)) % n;
  const [low, odd] = s > n / 2n ? [n - s, 1 - (point[64] & 1)] : [s, point[64] & 1];
  return { auditor: address, revision: 0, signature: `0x${hex(concat(fromBig(r, 32), fromBig(low, 32), Uint8Array.of(27 + odd)))}` };
}

test('auditors’ signatures are counted when they are over this statement, and by auditors', async () => {
  const statement = parseEpoch(files.get('epochs/3/statement.cbor'));
  const [one, other, stranger] = [wallet(), wallet(), wallet()];
  const digest = digestOf(statement, 0n);
  const told = (signatures) => ({ auditors: [one.address, other.address], quorum: 2, signatures });
  const earlier = signed(one, digestOf(parseEpoch(files.get('epochs/2/statement.cbor')), 0n));
  for (const [signatures, state, words] of [
    [[signed(one, digest), signed(other, digest)], 'good', '2 of 2 signed, 2 must'],
    [[signed(one, digest), signed(one, digest), signed(stranger, digest)], 'good', '1 of 2 signed, 2 must'],
    [[{ ...signed(one, digestOf(statement, 4n)), revision: 4 }], 'good', '1 of 2 signed, 2 must'],
    [[signed(stranger, digest)], 'left out', 'Nobody has signed yet'],
    [[], 'left out', 'Nobody has signed yet'],
    [[{ ...signed(stranger, digest), auditor: one.address }], 'bad', 'by the auditor that is named'],
    [[{ ...signed(one, digest), revision: 1 }], 'bad', 'by the auditor that is named'],
    [[earlier], 'bad', 'by the auditor that is named'],
    [[{ ...earlier, signature: '0x00' }], 'bad', 'not in its form'],
    ['none', 'bad', 'not in its form'],
  ]) {
    const source = { ...over(files), signatures: async () => told(signatures) };
    const step = (await checkEpoch(source, { epoch: '3' })).steps.find(({ name }) => name === 'auditors');
    assert.deepEqual([step.state, step.detail.includes(words)], [state, true], step.detail);
  }
});

/** The log again with other entries, signed by its own key, whose seed is public: a dishonest operator. */
function relogged(change) {
  const forged = new Map([...files].filter(([name]) => !name.startsWith('tile/')));
  const entries = [];
  for (const name of ['tile/entries/000', `tile/entries/001.p/${size - 256}`]) {
    const bytes = files.get(name);
    for (let at = 0; at < bytes.length; at += 2 + bytes[at] * 256 + bytes[at + 1]) entries.push(bytes.slice(at + 2, at + 2 + bytes[at] * 256 + bytes[at + 1]));
  }
  change(entries, forged);
  const root = new Frontier();
  entries.forEach((entry) => root.push(entry));
  for (let at = 0; at < entries.length; at += 256) {
    const part = entries.slice(at, at + 256);
    forged.set(tilePath('entries', at / 256, part.length), concat(...part.flatMap((entry) => [Uint8Array.of(entry.length >> 8, entry.length & 255), entry])));
    forged.set(tilePath(0, at / 256, part.length), concat(...part.map(leafHash)));
  }
  const whole = new Frontier();
  entries.slice(0, 256).forEach((entry) => whole.push(entry));
  forged.set('tile/1/000.p/1', whole.root());
  const seed = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 253)]);
  const { name, key } = parseVkey(VKEY);
  const text = `${name}\n${entries.length}\n${base64(root.root())}\n`;
  const signature = sign(null, Buffer.from(text), createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' }));
  const id = splitNote(files.get('checkpoint')).lines[0].id;
  forged.set('checkpoint', utf8(`${text}\n\u2014 ${name} ${base64(concat(id, new Uint8Array(signature)))}\n`));
  return { forged, key };
}

/** An epoch statement's entry with other bytes as its statement. */
const asEntry = (body) => encode([1n, 4n, 84_931_200_000n, body]);

test('an operator who signs another history is found where it does not fit itself', async () => {
  const same = relogged(() => {});
  assert.equal((await checkEpoch(over(same.forged), { epoch: '3', pin: VKEY })).state, 'green', 'the log again is the log');
  const statement = files.get('epochs/3/statement.cbor');
  const at = (needle) => Buffer.from(statement).indexOf(Buffer.from(needle));
  const { payoutRoot, logRoot, previous, balances } = parseEpoch(statement);
  const paid = balances[0].paid.toString(16).padStart(balances[0].paid.toString(16).length + (balances[0].paid.toString(16).length % 2), '0');
  for (const [what, offset, step] of [
    ['a payout root', at(payoutRoot), 'payouts'],
    ['a log root', at(logRoot), 'log-root'],
    ['a statement before', at(previous), 'previous'],
    ['a sum that was paid', Buffer.from(statement).lastIndexOf(Buffer.from(paid, 'hex')) + paid.length / 2 - 1, 'balance'],
  ]) {
    const changed = flipped(statement, offset);
    const { forged } = relogged((entries, all) => {
      entries[352] = asEntry(changed);
      all.set('epochs/3/statement.cbor', changed);
    });
    assert.deepEqual(inState(await checkEpoch(over(forged), { epoch: '3' }), 'bad'), [step], what);
  }
  // The statement is served as it was, and the log has another one, or none.
  const other = relogged((entries) => { entries[352] = asEntry(flipped(statement, at(payoutRoot))); });
  assert.deepEqual(inState(await checkEpoch(over(other.forged), { epoch: '3' }), 'bad'), ['logged']);
  const none = relogged((entries) => { entries.splice(352); });
  assert.deepEqual(inState(await checkEpoch(over(none.forged), { epoch: '3' }), 'bad'), ['logged']);
});

test('an operator who pays another than the verdicts imply is found, though every root and every sum is right', async () => {
  const name = 'epochs/3/payouts.cborseq';
  const pays = rows(name, 'payouts');
  const [one, other] = pays.flatMap((row) => pays.filter((next) => next.pool === row.pool && next.amount > row.amount).map((next) => [row, next]))[0];
  const bytesOf = (row) => encode([row.account, row.device ?? new Uint8Array(0), row.pool, row.weight, unsigned(row.amount)]);
  const unsigned = (amount) => (amount === 0n ? new Uint8Array(0) : fromBig(amount, Math.ceil(amount.toString(16).length / 2)));
  // Two accounts change their amounts: the sum, the number of rows and every pool stay as they are.
  const changed = rows(name, 'payouts').map((row) => {
    const isOne = row.account === one.account && row.pool === one.pool && hex(row.device ?? []) === hex(one.device ?? []);
    const isOther = row.account === other.account && row.pool === other.pool && hex(row.device ?? []) === hex(other.device ?? []);
    return bytesOf({ ...row, amount: isOne ? other.amount : isOther ? one.amount : row.amount });
  }).sort(compare);
  const root = new Frontier();
  changed.forEach((row) => root.push(row));
  const statement = files.get('epochs/3/statement.cbor').slice();
  statement.set(root.root(), Buffer.from(statement).indexOf(Buffer.from(parseEpoch(statement).payoutRoot)));
  const { forged } = relogged((entries, all) => {
    entries[352] = asEntry(statement);
    all.set('epochs/3/statement.cbor', statement);
    all.set(name, concat(...changed));
  });
  const result = await checkEpoch(over(forged), { epoch: '3' });
  assert.deepEqual(inState(result, 'bad'), ['shares'], JSON.stringify(result.steps));
  forged.delete('epochs/3/policy.toml');
  assert.deepEqual(inState(await checkEpoch(over(forged), { epoch: '3' }), 'bad'), ['policy'], 'whoever hides the policy is not believed');
});
