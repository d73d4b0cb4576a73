// The parts of the check against others' word: Node's own hashes and signatures, and the golden files.

import assert from 'node:assert/strict';
import { createECDH, createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { test } from 'node:test';

import { golden, module, random } from './setup.mjs';

const { base32, base58, base64, hex, unbase58, unbase64, unhex, utf8 } = await module('bytes.mjs');
const { keccak256, sha256, sha512 } = await module('hash.mjs');
const { decode, decodeSign1, encode, nextRow, notation } = await module('cbor.mjs');
const { ed25519ByEquation, ed25519Holds, evmAddress, p256ByEquation, p256Holds } = await module('curves.mjs');
const { claimHash, claimTree, foldProof } = await module('claims.mjs');
const { Frontier, Tree, leafHash, parseVkey, splitNote, openNote, tilePath, vkey } = await module('log.mjs');
const { Unknown, parse } = await module('toml.mjs');
const { Tally, allocate, emitted, readPolicy } = await module('shares.mjs');
const { ROWS, deviceName } = await module('formats.mjs');
const { epochDigest, settlementHash } = await module('auditors.mjs');
const { parseEpoch, parseReport, parseSign1, parseStatement } = await module('formats.mjs');

const log = JSON.parse(golden('crates/cairn-merkle/goldens/log.json'));
const settlements = golden('crates/cairn-settle/goldens/settlements.json');
const digests = new Map(golden('crates/cairn-settle/goldens/messages.txt').trim().split('\n').map((line) => [line.slice(0, line.lastIndexOf(' ')), line.slice(line.lastIndexOf(' ') + 1)]));
const formats = new Map(golden('crates/cairn-core/goldens/formats.txt').trim().split('\n').map((line) => line.split(' ')));

test('hashes are those of Node at every length', () => {
  for (let length = 0; length < 300; length += 1) {
    const data = randomBytes(length);
    assert.equal(hex(sha256(data)), createHash('sha256').update(data).digest('hex'), `sha256 of ${length}`);
    assert.equal(hex(sha512(data)), createHash('sha512').update(data).digest('hex'), `sha512 of ${length}`);
    const cut = Math.floor(length / 3);
    assert.deepEqual(sha256(data.subarray(0, cut), data.subarray(cut)), sha256(data), 'parts are one after the other');
  }
});

test('keccak256 has its known values', () => {
  for (const [text, digest] of [
    ['', 'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'],
    ['abc', '4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45'],
    ['Transfer(address,address,uint256)', 'ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef'],
    // One byte short of a block, and a whole one.
    ['a'.repeat(135), '34367dc248bbd832f4e3e69dfaac2f92638bd0bbd18f2912ba4ef454919cf446'],
    ['a'.repeat(136), 'a6c4d403279fe3e0af03729caada8374b5ca54d8065329a3ebcaeb4b60aa386e'],
  ]) {
    assert.equal(hex(keccak256(utf8(text))), digest, text);
  }
});

test('spellings come back as they were', () => {
  for (let length = 0; length < 60; length += 1) {
    const data = new Uint8Array(randomBytes(length));
    if (length % 3 === 0) data.fill(0, 0, length / 3);
    for (const [to, from] of [[hex, unhex], [base58, unbase58], [base64, unbase64]]) assert.deepEqual(from(to(data)), data);
  }
  assert.equal(base32(unhex('6c303aa28a7d3c8239b7c501ed6ed631')), 'nqydviukpu6ieonxyua623wwge');
  for (const bad of ['a', 'zz', '0x1']) assert.throws(() => unhex(bad), bad);
  for (const bad of ['QQ', 'QQ=', 'QR==', 'QQ== ', '=']) assert.throws(() => unbase64(bad), bad);
});

test('every golden value is read, and written again as it was', () => {
  const isCbor = (name) => !/^(key|device-id|wallet|network-id|epoch-statement-hash)/.test(name);
  for (const [name, digits] of [...formats].filter(([name]) => isCbor(name))) {
    const bytes = unhex(digits);
    const isSign1 = bytes[0] === 0xd2;
    const value = isSign1 ? decodeSign1(bytes) : decode(bytes);
    if (Array.isArray(value)) {
      const plain = JSON.stringify(value, (_, item) => (item instanceof Map ? 'map' : typeof item === 'bigint' ? 0 : item));
      if (!plain.includes('"map"')) assert.equal(hex(encode(value)), digits, name);
    }
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => (isSign1 ? decodeSign1 : decode)(bytes.subarray(0, length)), `${name} cut to ${length} bytes`);
    }
    assert.throws(() => decode(Uint8Array.of(...bytes, 0)), `${name} with a byte behind it`);
  }
  assert.equal(hex(parseEpoch(unhex(formats.get('epoch-statement'))).hash), formats.get('epoch-statement-hash'));
  parseEpoch(unhex(formats.get('epoch-statement-with-sales')));
  for (const name of ['report-least', 'report-full', 'report-p256']) parseReport(parseSign1(unhex(formats.get(name))).payload);
  for (const [name, digits] of formats) if (name.startsWith('statement-')) assert.equal(`statement-${parseStatement(unhex(digits)).schema}`, name);
});

test('what is not in the one form is refused', () => {
  for (const [digits, why] of [
    ['1800', 'a long head'], ['190017', 'a longer one'], ['1a00001000', 'longer still'], ['1b0000000010000000', 'longest'],
    ['1b8000000000000000', 'above 63 bits'], ['3b8000000000000000', 'below -2^63'],
    ['f4', 'false'], ['f6', 'null'], ['f90000', 'a float'], ['5f4100ff', 'no length'], ['9f00ff', 'no length'], ['bf0000ff', 'no length'],
    ['c000', 'a tag'], ['d20', 'half a byte'], ['6180', 'not ASCII'], ['0000', 'two values'], ['', 'none'],
    ['a200000000', 'a key twice'], ['a201000000', 'keys that descend'], ['a120 00'.replace(' ', ''), ''], ['a1410000', 'a key of bytes'],
    ['a2200000 00'.replace(' ', ''), 'a negative key first'], ['9bffffffffffffffff', 'more items than bytes'], ['5b7fffffffffffffff', 'more bytes than there are'],
    [`${'81'.repeat(9)}00`, 'nine deep'],
  ]) {
    if (why === '') assert.deepEqual(decode(unhex(digits)), new Map([[-1n, 0n]]));
    else assert.throws(() => decode(unhex(digits)), `${digits}: ${why}`);
  }
  assert.equal(notation(decode(unhex(`${'81'.repeat(8)}00`))), `${'['.repeat(8)}0${']'.repeat(8)}`);
  assert.throws(() => decodeSign1(unhex('d100')), 'another tag');
  assert.equal(notation('a"\n\x7f'), '"a\\"\\n\\u007f"');
});

test('no bytes make a reader hang or fail otherwise than by saying so', () => {
  const next = random(Date.now());
  const kinds = [decode, decodeSign1, (bytes) => nextRow(bytes, 0), parseEpoch, parseStatement, parseSign1, splitNote];
  const seeds = [...formats.values()].map(unhex);
  for (let round = 0; round < 3_000; round += 1) {
    const bytes = seeds[next(seeds.length)].slice();
    for (let change = next(4); change >= 0 && bytes.length; change -= 1) bytes[next(bytes.length)] = next(256);
    for (const kind of kinds) {
      try {
        kind(bytes);
      } catch (error) {
        assert.equal(error.constructor.name, 'Malformed', `${hex(bytes)}: ${error.stack}`);
      }
    }
  }
});

test('signatures hold and fail as Node says, with and without WebCrypto', async () => {
  for (let round = 0; round < 12; round += 1) {
    const message = randomBytes(round * 17);
    const pair = generateKeyPairSync('ed25519');
    const key = new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
    const signature = new Uint8Array(sign(null, message, pair.privateKey));
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x, y } = ec.publicKey.export({ format: 'jwk' });
    const point = new Uint8Array([2 + (Buffer.from(y, 'base64url')[31] & 1), ...Buffer.from(x, 'base64url')]);
    const ecdsa = new Uint8Array(sign('sha256', message, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }));
    for (const [holds, byEquation, own, made] of [[ed25519Holds, ed25519ByEquation, key, signature], [p256Holds, p256ByEquation, point, ecdsa]]) {
      assert.equal(await holds(own, message, made), true);
      assert.equal(byEquation(own, message, made), true);
      const [other, wrong] = [Buffer.concat([message, Buffer.of(0)]), made.slice()];
      wrong[(round * 7) % 64] ^= 1;
      for (const [says, sealed] of [[other, made], [message, wrong], [message, made.subarray(1)], [message, new Uint8Array(64)]]) {
        assert.equal(await holds(own, says, sealed), false);
        assert.equal(byEquation(own, says, sealed), false);
      }
    }
  }
});

test('Ed25519 follows ZIP-215: points of small order and encodings beyond the prime are taken', async () => {
  const identity = Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 1 : 0));
  // The same point, written as y = p + 1.
  const beyond = Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 0xee : at === 31 ? 0x7f : 0xff));
  const order = unhex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
  for (const key of [identity, beyond]) {
    for (const r of [identity, beyond]) assert.equal(await ed25519Holds(key, utf8('any'), Uint8Array.of(...r, ...new Uint8Array(32))), true);
    assert.equal(await ed25519Holds(key, utf8('any'), Uint8Array.of(...identity, ...order)), false, 's is below the order');
  }
  assert.equal(await ed25519Holds(Uint8Array.from({ length: 32 }, () => 2), utf8('any'), new Uint8Array(64)), false, 'no point');
});

test('P-256 takes either s, and a wallet’s address comes of the lower one alone', async () => {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const report = parseSign1(unhex(formats.get('report-p256')));
  const key = unhex(formats.get('key-p256')).subarray(2);
  const message = encode(['Signature1', report.protected, encode(['cairn/report/1', unhex(formats.get('network-id'))]), report.payload]);
  assert.equal(await p256Holds(key, message, report.signature), true);
  const mirrored = Uint8Array.of(...report.signature.subarray(0, 32), ...unhex((n - BigInt(`0x${hex(report.signature.subarray(32))}`)).toString(16).padStart(64, '0')));
  assert.equal(p256ByEquation(key, message, mirrored), true);
  assert.equal(await p256Holds(key, message, mirrored), true);
  const curve = createECDH('secp256k1');
  curve.generateKeys();
  const whole = curve.getPublicKey();
  const address = hex(keccak256(new Uint8Array(whole.subarray(1))).subarray(12));
  const der = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const jwk = der.publicKey.export({ format: 'jwk' });
  const own = hex(keccak256(new Uint8Array([...Buffer.from(jwk.x, 'base64url'), ...Buffer.from(jwk.y, 'base64url')])).subarray(12));
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const raw = new Uint8Array(sign('sha256', Buffer.from('wallet'), { key: der.privateKey, dsaEncoding: 'ieee-p1363' }));
  const digest = sha256(utf8('wallet'));
  const s = BigInt(`0x${hex(raw.subarray(32))}`);
  const low = unhex((s > order / 2n ? order - s : s).toString(16).padStart(64, '0'));
  const high = unhex((s > order / 2n ? s : order - s).toString(16).padStart(64, '0'));
  const found = [27, 28].map((v) => evmAddress(digest, Uint8Array.of(...raw.subarray(0, 32), ...low, v))).filter((one) => one !== null).map(hex);
  assert.ok(found.includes(own) && !found.includes(address), `${found} has ${own}`);
  for (const v of [27, 28]) assert.equal(evmAddress(digest, Uint8Array.of(...raw.subarray(0, 32), ...high, v)), null);
});

test('claim trees are those of the reference package', () => {
  for (const { root, claims } of JSON.parse(golden('crates/cairn-merkle/goldens/claims.json')).trees) {
    const hashes = claims.map(({ leaf: [domain, distributor, account, cumulative] }) => claimHash(unhex(domain), unhex(distributor), unhex(account), BigInt(cumulative)));
    assert.deepEqual(hashes.map((hash) => `0x${hex(hash)}`), claims.map((claim) => claim.hash));
    const tree = claimTree(hashes);
    assert.equal(`0x${hex(tree.root)}`, root);
    claims.forEach((claim, at) => {
      assert.deepEqual(tree.proofs.get(hex(hashes[at])).map((hash) => `0x${hex(hash)}`), claim.proof);
      assert.equal(`0x${hex(foldProof(hashes[at], claim.proof.map(unhex)))}`, root);
    });
  }
});

test('what auditors sign is what contracts hash', () => {
  const golden = (name) => digests.get(`epoch ${name}`);
  const fill = (byte) => new Uint8Array(32).fill(byte);
  const zeros = { number: 0n, revision: 0n, hash: fill(0), previous: fill(0), size: 0n, logRoot: fill(0), stateRoot: fill(0), settlements: fill(0) };
  const counted = { number: 7n, revision: 1n, hash: fill(1), previous: fill(2), size: 20n, logRoot: fill(3), stateRoot: fill(4), settlements: fill(5) };
  const ends = { ...counted, number: 2n ** 64n - 1n, revision: 2n ** 32n - 1n, size: 2n ** 64n - 1n };
  for (const [name, network, message] of [['zeros', 9, zeros], ['counted', 9, counted], ['ends', 9, ends], ['elsewhere', 8, counted]]) {
    assert.equal(hex(epochDigest(fill(network), message)), golden(name), name);
  }
  for (const { root, rows } of JSON.parse(settlements).trees) {
    const hashes = rows.map(({ row: [domain, distributor, claimRoot, leaves, cumulative] }) => settlementHash(unhex(domain), unhex(distributor), unhex(claimRoot), BigInt(leaves), BigInt(cumulative)));
    assert.deepEqual(hashes.map((hash) => `0x${hex(hash)}`), rows.map((row) => row.hash));
    assert.equal(`0x${hex(claimTree(hashes).root)}`, root);
  }
});

test('TOML is read as far as policies go, and refused beyond', () => {
  const plain = (value) => (value instanceof Map ? Object.fromEntries([...value].map(([key, item]) => [key, plain(item)])) : Array.isArray(value) ? value.map(plain) : typeof value === 'bigint' ? Number(value) : value);
  for (const [text, value] of [
    ['', {}],
    ['# nothing\r\n\t\n', {}],
    ['a = 1_000 # one', { a: 1000 }],
    ['a = -1\nb = +0\n', { a: -1, b: 0 }],
    ['a.b."c.d" = "x # y"\n[t]\nz = \'"\'', { a: { b: { 'c.d': 'x # y' } }, t: { z: '"' } }],
    ['[[p]]\nn = 1\n[[p]]\nn = 2\n[p.q]\nr = true', { p: [{ n: 1 }, { n: 2, q: { r: true } }] }],
    ['a = [\n  { b = 1, c.d = [] }, # first\n  {},\n]\n', { a: [{ b: 1, c: { d: [] } }, {}] }],
    ['[ classes . "sensing/1" ]\nrevision = 2', { classes: { 'sensing/1': { revision: 2 } } }],
  ]) {
    assert.deepEqual(plain(parse(text)), value, text);
  }
  for (const text of ['a', 'a =', 'a = 1 b = 2', 'a = 1.5', 'a = 01', 'a = 0x1f', 'a = 1979-05-27', 'a = """x"""', 'a = "x', 'a = [1 2]', 'a = {b = 1', 'a = 1\na = 2', '[a', 'a = 1\n[a]\nb = 1', '[a]\n[[a]]', 'a = "b\\n"', 'a = nan']) {
    assert.throws(() => parse(text), Unknown, text);
  }
});

/** The rows of a golden table: lines of hexadecimal between lines of words. */
const table = (name, kind) => golden(`crates/cairn-reward/goldens/${name}.txt`).trim().split('\n').filter((line) => !line.startsWith('#')).map((line) => ROWS[kind](decode(unhex(line))));

test('an epoch where every rule leaves a remainder is shared out as the golden one', () => {
  const told = new Map(golden('crates/cairn-reward/goldens/epoch.outcome.txt').trim().split('\n').map((line) => [line.split(' ')[0], line.split(' ')[1]]));
  const policy = readPolicy(utf8(golden('crates/cairn-reward/goldens/epoch.policy.toml')));
  const [epoch, minted] = [BigInt(told.get('epoch')), BigInt(told.get('minted'))];
  assert.equal(emitted(policy, epoch), minted);
  assert.equal(emitted(policy, 4n), 3n);
  const tally = new Tally(policy.late, BigInt(told.get('epoch_start_ms')));
  table('epoch.verdicts', 'verdicts').forEach((verdict) => tally.take(verdict));
  const { rows, pools, balance } = allocate(policy, BigInt(told.get('opening')) + minted, tally, []);
  const line = ({ account, device, pool, weight, amount }) => `${account} ${device ? (typeof device === 'string' ? device : hex(device)) : '-'} ${pool} ${weight} ${amount}`;
  assert.deepEqual(rows.map(line).sort(), table('epoch.payouts', 'payouts').map(line).sort());
  const golds = golden('crates/cairn-reward/goldens/epoch.outcome.txt').split('\n').filter((text) => text.startsWith('pool '));
  for (const [at, text] of golds.entries()) {
    const [, name, , , , size, , weight, , devices, , paid, , , , recipients] = text.split(' ');
    assert.deepEqual(Object.values(pools[at]).map(String), [name, size, weight, devices, paid, recipients], text);
  }
  assert.deepEqual([balance.paid, balance.burned, balance.unallocated].map(String), ['paid', 'burned', 'unallocated'].map((name) => told.get(name)));
  assert.ok(deviceName(table('epoch.payouts', 'payouts')[0].device).startsWith('dev1'));
});

test('an epoch may have more rows than a call may have arguments', () => {
  const policy = readPolicy(utf8(golden('crates/cairn-reward/src/default_policy.toml')));
  const tally = new Tally(policy.late, 0n);
  const devices = 150_000;
  for (let at = 0; at < devices; at += 1) {
    const device = new Uint8Array(16);
    new DataView(device.buffer).setUint32(0, at);
    tally.take({ class: 'sensing/1', device, slotMs: 1n, account: `a${at % 7}`, amount: 1_000n, score: 1_000_000n });
  }
  const { rows, balance } = allocate(policy, 10n ** 23n, tally, []);
  assert.equal(rows.length, 2 * devices + 1);
  assert.equal(rows.reduce((sum, row) => sum + row.amount, 0n), balance.paid);
});

test('sales are paid, refunded and burned to the last unit, or refused', () => {
  const policy = { ...readPolicy(utf8(golden('crates/cairn-reward/goldens/epoch.policy.toml'))), pools: [], fee: 333_333n };
  const [device, job] = [new Uint8Array(16).fill(7), new Uint8Array(32)];
  const sale = {
    job, locked: 1_000n, returned: 100n, refund: { account: 'r', amount: 50n },
    work: [{ account: 'w', device, gas: (1n << 63n) - 2n, work: 500n, burned: 166n }, { account: 'w', device, gas: 9n, work: 100n, burned: 33n }],
    licences: [{ account: 'l', content: job, amount: 250n }],
  };
  const { rows, balance } = allocate(policy, 10n, new Tally(0n, 0n), [sale]);
  assert.deepEqual(rows.map(({ account, pool, weight, amount }) => [account, pool, weight, amount]), [
    [policy.residual.to, 'treasury', 0n, 10n], ['w', 'compute/1', (1n << 63n) - 1n, 401n], ['l', 'compute/1:licence', 0n, 250n], ['r', 'compute/1:refund', 0n, 50n],
  ]);
  assert.deepEqual(balance, { paid: 661n, refunded: 50n, burned: 199n, unallocated: 0n });
  const kept = allocate({ ...policy, residual: { name: 'treasury', to: 'next-epoch' } }, 10n, new Tally(0n, 0n), []);
  assert.deepEqual([kept.rows, kept.balance.unallocated], [[], 10n]);
  for (const wrong of [{ locked: 1_001n }, { returned: 99n }, { work: [{ ...sale.work[0], burned: 165n }, sale.work[1]] }]) {
    assert.throws(() => allocate(policy, 10n, new Tally(0n, 0n), [{ ...sale, ...wrong }]), { name: 'Error' });
  }
});

/** The golden logs' entry at an index. */
const row = (index) => utf8(`entry-${index}`);

test('roots, tile paths and notes are those of the golden files', async () => {
  const frontier = new Frontier();
  for (const [size, root] of Object.entries(log.roots)) {
    while (frontier.size < Number(size)) frontier.push(row(frontier.size));
    assert.equal(base64(frontier.root()), root, `${size} entries: ${log.leaf_rule}`);
  }
  for (const { level, index, width, path } of log.tile_paths) assert.equal(tilePath(level, index, width), path);
  for (const { vkey: text, note } of log.signed_notes) {
    const { name, key } = parseVkey(text);
    assert.equal(vkey(name, key), text);
    await openNote(splitNote(utf8(note)), name, key);
    const other = note.replace('T', 'U').replace('t', 'u');
    await assert.rejects(openNote(splitNote(utf8(other)), name, key), other);
  }
});

const nodes = (...parts) => new Uint8Array(createHash('sha256').update(Buffer.concat(parts)).digest());
const leaves = [];

/** The files of a log of `size` entries, as tlog-tiles has them; hashed by Node. */
function tiled(size) {
  const files = new Map();
  while (leaves.length < size) leaves.push(nodes(Buffer.of(0), row(leaves.length)));
  let hashes = leaves.slice(0, size);
  for (let level = 0; hashes.length > 0; level += 1) {
    const above = [];
    for (let at = 0; at < hashes.length; at += 256) {
      const part = hashes.slice(at, at + 256);
      files.set(tilePath(level, at / 256, part.length), new Uint8Array(Buffer.concat(part)));
      if (part.length === 256) above.push(part);
    }
    hashes = above.map((part) => {
      let level = part;
      while (level.length > 1) level = level.filter((_, at) => at % 2 === 0).map((left, at) => nodes(Buffer.of(1), left, level[2 * at + 1]));
      return level[0];
    });
  }
  return files;
}

test('every leaf and every earlier root is found in the tiles of logs of any size', async () => {
  const roots = new Map([[0, sha256()]]);
  const frontier = new Frontier();
  const sizes = [0, 1, 2, 255, 256, 257, 512, 1100, 65_535, 65_536, 70_000];
  for (const size of sizes) {
    while (frontier.size < size) {
      frontier.push(row(frontier.size));
      if (frontier.size % 997 === 0) roots.set(frontier.size, frontier.root());
    }
    roots.set(size, frontier.root());
    const files = tiled(size);
    const tree = new Tree(async (name) => files.get(name) ?? null, size, frontier.root());
    await tree.open();
    for (let index = 0; index < size; index += Math.max(1, Math.floor(size / 20))) {
      assert.deepEqual(await tree.leaf(index), leafHash(row(index)), `${index} of ${size}`);
    }
    for (const [at, root] of roots) assert.deepEqual(await tree.rootAt(at), root, `the root at ${at} of ${size}`);
    // What a mirror may do: partial tiles are gone once the full one is there.
    if (size % 256 !== 0 && size > 0) {
      const path = tilePath(0, Math.floor(size / 256), size % 256);
      files.set(tilePath(0, Math.floor(size / 256), 256), new Uint8Array([...files.get(path), ...new Uint8Array(32 * (256 - (size % 256)))]));
      files.delete(path);
      await new Tree(async (name) => files.get(name) ?? null, size, frontier.root()).open();
    }
  }
  assert.equal(base64(roots.get(70_000)), log.log70000.root);
});
