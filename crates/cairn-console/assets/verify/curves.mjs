// Signatures. The browser's own WebCrypto is asked first; what it accepts is accepted. What it refuses, or cannot do (an older
// browser, a page that is not of a secure origin), is decided by the equations, in plain whole numbers: Ed25519 under ZIP-215,
// ECDSA over P-256, and the address that an EVM wallet's signature gives. Nothing secret is ever here, so time tells nothing.

import { concat, fromBig, toBig } from './bytes.mjs';
import { keccak256, sha256, sha512 } from './hash.mjs';

const mod = (a, m) => ((a % m) + m) % m;

function power(base, exponent, m) {
  let [result, square] = [1n, mod(base, m)];
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % m;
    square = (square * square) % m;
  }
  return result;
}

const inverse = (a, prime) => power(a, prime - 2n, prime);

// Ed25519: -x^2 + y^2 = 1 + d x^2 y^2 over 2^255 - 19, in extended coordinates (X, Y, Z, T).

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = mod(-121665n * inverse(121666n, P), P);
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n, P);

const little = (bytes) => toBig(Uint8Array.from(bytes).reverse());

/** The point of 32 bytes under ZIP-215: y need not be canonical, and the sign of zero is free. */
function decompress(bytes) {
  const number = little(bytes);
  const y = (number & ((1n << 255n) - 1n)) % P;
  const [u, v] = [mod(y * y - 1n, P), (D * y * y + 1n) % P];
  let x = (u * power(v, 3n, P) * power(u * power(v, 7n, P), (P - 5n) / 8n, P)) % P;
  if ((v * x * x) % P === mod(-u, P)) x = (x * ROOT_OF_MINUS_ONE) % P;
  if ((v * x * x) % P !== u) return null;
  if ((x & 1n) !== number >> 255n) x = mod(-x, P);
  return [x, y, 1n, (x * y) % P];
}

function edwardsAdd([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = (y1 - x1) * (y2 - x2);
  const b = (y1 + x1) * (y2 + x2);
  const c = 2n * t1 * t2 * D;
  const d = 2n * z1 * z2;
  const [e, f, g, h] = [mod(b - a, P), mod(d - c, P), mod(d + c, P), mod(b + a, P)];
  return [(e * f) % P, (g * h) % P, (f * g) % P, (e * h) % P];
}

function times(scalar, point, zero, add) {
  let [total, double] = [zero, point];
  for (let left = scalar; left > 0n; left >>= 1n) {
    if (left & 1n) total = add(total, double);
    double = add(double, double);
  }
  return total;
}

const edwardsTimes = (scalar, point) => times(scalar, point, [0n, 1n, 1n, 0n], edwardsAdd);
const BASE = decompress(Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 0x58 : 0x66)));

/** ZIP-215: `[8][s]B = [8]R + [8][k]A`, with s below the order and any encodings of R and A. */
export function ed25519ByEquation(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  const [a, r, s] = [decompress(key), decompress(signature.subarray(0, 32)), little(signature.subarray(32))];
  if (a === null || r === null || s >= L) return false;
  const k = little(sha512(signature.subarray(0, 32), key, message)) % L;
  const right = edwardsAdd(edwardsTimes(k, a), r);
  const minus = [mod(-right[0], P), right[1], right[2], mod(-right[3], P)];
  const [x, y, z] = edwardsTimes(8n, edwardsAdd(edwardsTimes(s, BASE), minus));
  return x === 0n && y === z;
}

// Short Weierstrass curves y^2 = x^3 + a x + b, in Jacobian coordinates (X, Y, Z); Z = 0 is the point at infinity.

function curve(p, a, b, n, x, y) {
  const double = ([x1, y1, z1]) => {
    if (z1 === 0n || y1 === 0n) return [0n, 1n, 0n];
    const y2 = (y1 * y1) % p;
    const s = (4n * x1 * y2) % p;
    const m = (3n * x1 * x1 + a * power(z1, 4n, p)) % p;
    const x3 = mod(m * m - 2n * s, p);
    return [x3, mod(m * (s - x3) - 8n * y2 * y2, p), (2n * y1 * z1) % p];
  };
  const add = (one, other) => {
    if (one[2] === 0n) return other;
    if (other[2] === 0n) return one;
    const [[x1, y1, z1], [x2, y2, z2]] = [one, other];
    const [u1, u2] = [(x1 * z2 * z2) % p, (x2 * z1 * z1) % p];
    const [s1, s2] = [(y1 * z2 ** 3n) % p, (y2 * z1 ** 3n) % p];
    if (u1 === u2) return s1 === s2 ? double(one) : [0n, 1n, 0n];
    const [h, r] = [u2 - u1, s2 - s1];
    const [h2, h3] = [(h * h) % p, (h * h * h) % p];
    const x3 = mod(r * r - h3 - 2n * u1 * h2, p);
    return [x3, mod(r * (u1 * h2 - x3) - s1 * h3, p), mod(h * z1 * z2, p)];
  };
  const affine = ([x1, y1, z1]) => {
    if (z1 === 0n) return null;
    const z = inverse(z1, p);
    return [(x1 * z * z) % p, (y1 * z ** 3n) % p];
  };
  /** The point with this x whose y is odd or even; both primes are 3 modulo 4. */
  const lift = (x1, isOdd) => {
    const square = mod(x1 ** 3n + a * x1 + b, p);
    const y1 = power(square, (p + 1n) / 4n, p);
    if (x1 >= p || (y1 * y1) % p !== square) return null;
    return [x1, (y1 & 1n) === (isOdd ? 1n : 0n) ? y1 : mod(-y1, p), 1n];
  };
  return { n, g: [x, y, 1n], add, affine, lift, times: (scalar, point) => times(scalar, point, [0n, 1n, 0n], add) };
}

const P256 = curve(
  2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
  -3n,
  0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
);
const SECP256K1 = curve(
  2n ** 256n - 2n ** 32n - 977n,
  0n,
  7n,
  0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
  0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
);

function p256Point(key) {
  if (key.length !== 33 || (key[0] !== 2 && key[0] !== 3)) return null;
  return P256.lift(toBig(key.subarray(1)), key[0] === 3);
}

/** ECDSA with SHA-256 over P-256 by a compressed key: `r || s`, either of the two values of s. */
export function p256ByEquation(key, message, signature) {
  const point = p256Point(key);
  if (point === null || signature.length !== 64) return false;
  const [r, s] = [toBig(signature.subarray(0, 32)), toBig(signature.subarray(32))];
  if (r === 0n || s === 0n || r >= P256.n || s >= P256.n) return false;
  const [z, w] = [toBig(sha256(message)), inverse(s, P256.n)];
  const sum = P256.add(P256.times((z * w) % P256.n, P256.g), P256.times((r * w) % P256.n, point));
  const found = P256.affine(sum);
  return found !== null && found[0] % P256.n === r;
}

/** The 20-byte address whose key made `r || s || v` (v 27 or 28, s in the lower half) over a digest, or `null`. */
export function evmAddress(digest, signature) {
  const { n, g, add, lift, times: multiply, affine } = SECP256K1;
  if (signature.length !== 65 || (signature[64] !== 27 && signature[64] !== 28)) return null;
  const [r, s] = [toBig(signature.subarray(0, 32)), toBig(signature.subarray(32, 64))];
  const point = r > 0n && r < n && s > 0n && s <= n / 2n ? lift(r, signature[64] === 28) : null;
  if (point === null) return null;
  const [z, w] = [toBig(digest), inverse(r, n)];
  const key = affine(add(multiply((s * w) % n, point), multiply(mod(-z * w, n), g)));
  return key === null ? null : keccak256(fromBig(key[0], 32), fromBig(key[1], 32)).subarray(12);
}

/** Whether WebCrypto says that a signature holds; `false` also where it cannot tell. */
async function byWebCrypto(algorithm, key, message, signature) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return false;
  try {
    const imported = await subtle.importKey('raw', key, algorithm, false, ['verify']);
    return await subtle.verify({ ...algorithm, hash: 'SHA-256' }, imported, signature, message);
  } catch {
    return false;
  }
}

/** Whether an Ed25519 signature holds under ZIP-215. WebCrypto's equation is the stricter one, so its word is enough. */
export async function ed25519Holds(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  if (await byWebCrypto({ name: 'Ed25519' }, key, message, signature)) return true;
  return ed25519ByEquation(key, message, signature);
}

/** Whether a P-256 signature by a compressed key holds. */
export async function p256Holds(key, message, signature) {
  const point = p256Point(key);
  if (point === null || signature.length !== 64) return false;
  const whole = concat(Uint8Array.of(4), fromBig(point[0], 32), fromBig(point[1], 32));
  if (await byWebCrypto({ name: 'ECDSA', namedCurve: 'P-256' }, whole, message, signature)) return true;
  return p256ByEquation(key, message, signature);
}
