// SHA-256, SHA-512 and keccak256, written here: a check hashes hundreds of thousands of small rows, for which the browser's
// own functions are slow to call, and which it offers to pages of secure origins only. Held against Node's in the tests.

const PRIMES = (() => {
  const primes = [];
  for (let n = 2; primes.length < 80; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return primes;
})();

/** The first 64 bits behind the point of the square or cube root of a number: FIPS 180-4, sections 4.2 and 5.3. */
function rootBits(number, degree) {
  const scaled = BigInt(number) << (64n * degree);
  let [low, high] = [0n, 1n << 70n];
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** degree <= scaled) low = middle;
    else high = middle;
  }
  return low & 0xffffffffffffffffn;
}

const START = PRIMES.slice(0, 8).map((prime) => rootBits(prime, 2n));
const ROUNDS = PRIMES.map((prime) => rootBits(prime, 3n));
const START_32 = Int32Array.from(START, (word) => Number(word >> 32n));
const ROUNDS_32 = Int32Array.from(ROUNDS.slice(0, 64), (word) => Number(word >> 32n));

/** The parts, one after the other, with the padding of SHA-2 for blocks of `block` bytes. */
function padded(parts, block) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const tail = block / 8 + 1;
  const whole = new Uint8Array(Math.ceil((length + tail) / block) * block);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  whole[length] = 0x80;
  const view = new DataView(whole.buffer);
  view.setUint32(whole.length - 8, Math.floor(length / 2 ** 29));
  view.setUint32(whole.length - 4, length * 8);
  return view;
}

const W = new Int32Array(64);
const H = new Int32Array(8);

/** One block of SHA-256 (FIPS 180-4, section 6.2.2), into `H`. Written for speed: a check of a large table is mostly this. */
function block256(data, at) {
  for (let t = 0; t < 16; t += 1) W[t] = data.getInt32(at + 4 * t);
  for (let t = 16; t < 64; t += 1) {
    const x = W[t - 15];
    const y = W[t - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    W[t] = (W[t - 16] + s0 + W[t - 7] + s1) | 0;
  }
  let a = H[0];
  let b = H[1];
  let c = H[2];
  let d = H[3];
  let e = H[4];
  let f = H[5];
  let g = H[6];
  let h = H[7];
  for (let t = 0; t < 64; t += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS_32[t] + W[t]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  H[0] += a;
  H[1] += b;
  H[2] += c;
  H[3] += d;
  H[4] += e;
  H[5] += f;
  H[6] += g;
  H[7] += h;
}

/** SHA-256 of the parts, one after the other. */
export function sha256(...parts) {
  const data = padded(parts, 64);
  H.set(START_32);
  for (let at = 0; at < data.byteLength; at += 64) block256(data, at);
  const digest = new Uint8Array(32);
  const view = new DataView(digest.buffer);
  for (let at = 0; at < 8; at += 1) view.setInt32(4 * at, H[at]);
  return digest;
}

const MASK = 0xffffffffffffffffn;
const turnRight = (word, by) => ((word >> by) | (word << (64n - by))) & MASK;

/** SHA-512 of the parts, one after the other. In plain whole numbers: for single messages, not for tables. */
export function sha512(...parts) {
  const data = padded(parts, 128);
  const h = [...START];
  for (let block = 0; block < data.byteLength; block += 128) {
    const w = [];
    for (let t = 0; t < 16; t += 1) w.push(data.getBigUint64(block + 8 * t));
    for (let t = 16; t < 80; t += 1) {
      const [x, y] = [w[t - 15], w[t - 2]];
      const s0 = turnRight(x, 1n) ^ turnRight(x, 8n) ^ (x >> 7n);
      const s1 = turnRight(y, 19n) ^ turnRight(y, 61n) ^ (y >> 6n);
      w.push((w[t - 16] + s0 + w[t - 7] + s1) & MASK);
    }
    let [a, b, c, d, e, f, g, i] = h;
    for (let t = 0; t < 80; t += 1) {
      const s1 = turnRight(e, 14n) ^ turnRight(e, 18n) ^ turnRight(e, 41n);
      const t1 = i + s1 + ((e & f) ^ (~e & MASK & g)) + ROUNDS[t] + w[t];
      const s0 = turnRight(a, 28n) ^ turnRight(a, 34n) ^ turnRight(a, 39n);
      const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      [i, g, f, e, d, c, b, a] = [g, f, e, (d + t1) & MASK, c, b, a, (t1 + t2) & MASK];
    }
    [a, b, c, d, e, f, g, i].forEach((word, at) => {
      h[at] = (h[at] + word) & MASK;
    });
  }
  const digest = new Uint8Array(64);
  const view = new DataView(digest.buffer);
  h.forEach((word, at) => view.setBigUint64(8 * at, word));
  return digest;
}

/** The constants of iota: from the shift register of FIPS 202, section 3.2.5. */
const IOTA = (() => {
  const constants = [];
  for (let round = 0, register = 1; round < 24; round += 1) {
    let constant = 0n;
    for (let bit = 0; bit < 7; bit += 1) {
      if (register & 1) constant |= 1n << BigInt((1 << bit) - 1);
      register = (register << 1) ^ (register >> 7 ? 0x171 : 0);
    }
    constants.push(constant);
  }
  return constants;
})();

/** The walk of rho and pi: which lane is next, and how far it turns (sections 3.2.2 and 3.2.3). */
const WALK = (() => {
  const steps = [];
  for (let [time, x, y] = [0, 1, 0]; time < 24; time += 1) {
    [x, y] = [y, (2 * x + 3 * y) % 5];
    steps.push([x + 5 * y, BigInt((((time + 1) * (time + 2)) / 2) % 64)]);
  }
  return steps;
})();

const turnLeft = (word, by) => ((word << by) | (word >> (64n - by))) & MASK;

function permute(a) {
  for (const constant of IOTA) {
    const c = [0, 1, 2, 3, 4].map((x) => a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20]);
    for (let at = 0; at < 25; at += 1) a[at] ^= c[(at + 4) % 5] ^ turnLeft(c[(at + 1) % 5], 1n);
    let moving = a[1];
    for (const [lane, by] of WALK) [moving, a[lane]] = [a[lane], turnLeft(moving, by)];
    for (let row = 0; row < 25; row += 5) {
      const b = a.slice(row, row + 5);
      for (let x = 0; x < 5; x += 1) a[row + x] = b[x] ^ (~b[(x + 1) % 5] & MASK & b[(x + 2) % 5]);
    }
    a[0] ^= constant;
  }
}

/** keccak256 as the EVM has it: the permutation of FIPS 202 with the padding of the first submission. */
export function keccak256(...parts) {
  const rate = 136;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array((Math.floor(length / rate) + 1) * rate);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  whole[length] ^= 0x01;
  whole[whole.length - 1] ^= 0x80;
  const view = new DataView(whole.buffer);
  const state = new Array(25).fill(0n);
  for (let block = 0; block < whole.length; block += rate) {
    for (let lane = 0; lane < rate / 8; lane += 1) state[lane] ^= view.getBigUint64(block + 8 * lane, true);
    permute(state);
  }
  const digest = new Uint8Array(32);
  const out = new DataView(digest.buffer);
  for (let lane = 0; lane < 4; lane += 1) out.setBigUint64(8 * lane, state[lane], true);
  return digest;
}
