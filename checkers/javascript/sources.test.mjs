// Where bytes come from: a gateway's addresses and forms, and the command.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { after, test } from 'node:test';

import { FIRST_LOG, inState, module, withPolicies } from './setup.mjs';

const { checkEpoch } = await module('epoch.mjs');
const { checkEntry } = await module('entry.mjs');
const { gateway } = await module('sources.mjs');
const PROGRAM = new URL('../../crates/cairn-console/assets/verify/verify.mjs', import.meta.url).pathname;

const files = await withPolicies();
const { hex } = await module('bytes.mjs');
const { sha256 } = await module('hash.mjs');
/** A policy is asked for by its hash. */
const policies = new Map([...files].filter(([name]) => name.endsWith('policy.toml')).map(([, bytes]) => [`v1/policies/${hex(sha256(bytes))}`, bytes]));
const TYPES = { 'statement.cbor': 'application/cbor', 'verdicts.cborseq': 'application/cbor-seq', 'payouts.cborseq': 'application/cbor-seq', 'snapshot.cbor': 'application/cbor' };

/** A file with trouble ahead: what becomes of each of the next requests for it. */
const TROUBLED = 'log/checkpoint';
const troubles = [];
const dropped = (request) => request.socket.destroy();
const cutShort = (request, response) => response.writeHead(200, { 'content-length': 1_000 }).write('c', () => request.socket.destroy());
const busy = (request, response) => response.writeHead(503, { 'retry-after': '0' }).end();
const tooFast = (request, response) => response.writeHead(429).end();
const refused = (request, response) => response.writeHead(403).end();
const elsewhere = (request, response) => response.writeHead(302, { location: '/some/where/log/checkpoint' }).end();
/** A body that does not end holds its connection until whoever asked lets it go. */
const endless = (request, response) => response.writeHead(503).write('wait');

/** Serves the committed log at the addresses of a gateway, under a prefix. Canonical bytes are for those who ask for them. */
function answer(request, response) {
  const path = request.url.replace('/some/where/', '');
  const [, epoch, table] = /^v1\/epochs\/([0-9]+)(?:\/(\w+))?$/.exec(path) ?? [];
  const file = epoch === undefined ? path.replace(/^log\//, '') : `epochs/${epoch}/${table ? `${table}.cborseq` : 'statement.cbor'}`;
  const type = TYPES[file.split('/').pop()];
  if (path === 'v1/epochs/4') return response.writeHead(503).end();
  if (troubles.length > 0 && path === TROUBLED) return troubles.shift()(request, response);
  if (path === 'v1/epochs/3/verdicts') return response.writeHead(302, { location: '/some/where/v1/epochs/2/verdicts' }).end();
  if (type !== undefined && request.headers.accept !== type) return response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  const bytes = policies.get(path) ?? files.get(file);
  return bytes ? response.writeHead(200).end(bytes) : response.writeHead(404).end('{}');
}

const server = createServer(answer);
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
after(() => server.close());
const base = `http://127.0.0.1:${server.address().port}/some/where/`;

test('a gateway is asked for raw bytes, and for nothing else', async () => {
  assert.equal((await checkEntry(gateway(base), { index: 300 })).state, 'green');
  assert.equal((await checkEpoch(gateway(base), { epoch: '1' })).state, 'green');
});

test('what cannot be read is neither held nor broken: it says so', async () => {
  for (const [epoch, step] of [['4', 'statement'], ['3', 'verdicts']]) {
    const result = await checkEpoch(gateway(base, []), { epoch });
    assert.deepEqual([result.state, result.unread, inState(result, 'bad')], ['red', true, [step]]);
  }
  const nobody = await checkEntry(gateway('http://127.0.0.1:1/', [0]), { index: 0 });
  assert.deepEqual([nobody.state, nobody.unread, inState(nobody, 'bad')], ['red', true, ['checkpoint']]);
});

test('a file is asked for again while what keeps it away may pass', async () => {
  for (const [ahead, left, state] of [
    [[dropped], 0, 'green'], [[cutShort, busy], 0, 'green'], [[tooFast, dropped, cutShort], 0, 'green'],
    [[dropped, dropped, dropped, dropped], 0, 'red'], [[busy, busy, busy, busy, busy], 1, 'red'],
    [[endless, endless, endless], 0, 'green'],
    // Who refuses is not asked again, and nobody who sends elsewhere.
    [[refused, dropped], 1, 'red'], [[elsewhere, dropped], 1, 'red'],
  ]) {
    troubles.splice(0, Infinity, ...ahead);
    const result = await checkEntry(gateway(base, [0, 1, 2]), { index: 300 });
    assert.deepEqual([result.state, result.unread, troubles.length], [state, state === 'red', left]);
  }
  troubles.splice(0);
});

test('a gateway that asks to be left alone is left alone for so long', async () => {
  troubles.push((request, response) => response.writeHead(503, { 'retry-after': '1' }).end());
  const start = Date.now();
  assert.equal((await checkEntry(gateway(base, [0]), { index: 300 })).state, 'green');
  assert.ok(Date.now() - start >= 990);
});

test('a gateway that asks to be left alone again and again is waited for so long in all', async () => {
  const { setTimeout: real } = globalThis;
  const seen = [];
  globalThis.setTimeout = (then, ms, ...rest) => (ms === 10_000 ? (seen.push(ms), real(then, 0, ...rest)) : real(then, ms, ...rest));
  try {
    const source = gateway(base, [0, 0, 0]);
    for (let file = 0; file < 4; file += 1) {
      troubles.push(...Array.from({ length: 4 }, () => (request, response) => response.writeHead(503, { 'retry-after': '999' }).end()));
      await assert.rejects(source.read('checkpoint'));
      troubles.splice(0);
    }
  } finally {
    globalThis.setTimeout = real;
  }
  assert.equal(seen.length, 6);
});

/** The command's exit code and output. */
const run = (...args) => new Promise((resolve) => {
  execFile(process.execPath, [PROGRAM, ...args], (error, out, err) => resolve({ code: error?.code ?? 0, out, err }));
});

test('the command has an exit code for each ending', async () => {
  for (const [args, code] of [
    [[FIRST_LOG, 'entry', '300'], 0], [[base, 'entry', '300'], 0], [[FIRST_LOG, 'epoch', '2', '--json'], 0],
    [[FIRST_LOG, 'pay', 'dev1qpnkit7sbcf5ctzkswdcrj7gl4', '2'], 0],
    [[FIRST_LOG, 'entry', '64'], 1], [[FIRST_LOG, 'entry', '483'], 1], [[FIRST_LOG, 'epoch', '2', '--pin', '0'.repeat(64)], 1],
    [[], 2], [[FIRST_LOG, 'entry'], 2], [[FIRST_LOG, 'entry', '-1'], 2], [[FIRST_LOG, 'entry', '1', '--such'], 2], [[FIRST_LOG, 'day', '1'], 2],
    [[base, 'epoch', '4'], 3], [['http://127.0.0.1:1', 'entry', '0'], 3],
  ]) {
    const ended = await run(...args);
    assert.equal(ended.code, code, `${args.join(' ')}: ${ended.out}${ended.err}`);
    if (args.includes('--json')) assert.equal(JSON.parse(ended.out).state, 'green');
  }
});
