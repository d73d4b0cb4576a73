// Bytes and their spellings: hexadecimal, base64, base58, base32, text. Nothing here knows of Cairn.
// Readers refuse what is not in its one form, so that two spellings never mean the same bytes.

/** What was read is not in its form. */
export class Malformed extends Error {}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** Bytes as lower-case hexadecimal. */
export function hex(bytes) {
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** The bytes of hexadecimal digits, with or without `0x` ahead. */
export function unhex(text) {
  const digits = text.startsWith('0x') ? text.slice(2) : text;
  if (digits.length % 2 || /[^0-9a-fA-F]/.test(digits)) throw new Malformed(`\`${cut(text)}\` is not hexadecimal`);
  return Uint8Array.from({ length: digits.length / 2 }, (_, at) => parseInt(digits.slice(2 * at, 2 * at + 2), 16));
}

/** Bytes as base64. */
export function base64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

/** The bytes of base64 in its one form. */
export function unbase64(text) {
  let bytes = null;
  try {
    bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    bytes = null;
  }
  if (bytes === null || base64(bytes) !== text) throw new Malformed(`\`${cut(text)}\` is not base64 in its one form`);
  return bytes;
}

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** Bytes as base58btc. */
export function base58(bytes) {
  let [number, text] = [toBig(bytes), ''];
  for (; number > 0n; number /= 58n) text = BASE58[Number(number % 58n)] + text;
  let zeros = 0;
  while (zeros < bytes.length && bytes[zeros] === 0) zeros += 1;
  return '1'.repeat(zeros) + text;
}

/** The bytes of base58btc; at most 100 letters. */
export function unbase58(text) {
  let number = 0n;
  for (const letter of text) {
    const digit = BASE58.indexOf(letter);
    if (digit < 0 || text.length > 100) throw new Malformed(`\`${cut(text)}\` is not base58`);
    number = number * 58n + BigInt(digit);
  }
  const digits = number === 0n ? '' : number.toString(16);
  const zeros = text.length - text.replace(/^1+/, '').length;
  return concat(new Uint8Array(zeros), unhex(digits.length % 2 ? `0${digits}` : digits));
}

/** Bytes as lower-case base32 (RFC 4648) without padding. */
export function base32(bytes) {
  let [text, held, bits] = ['', 0, 0];
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xffff;
    for (bits += 8; bits >= 5; bits -= 5) text += 'abcdefghijklmnopqrstuvwxyz234567'[(held >> (bits - 5)) & 31];
  }
  return bits > 0 ? text + 'abcdefghijklmnopqrstuvwxyz234567'[(held << (5 - bits)) & 31] : text;
}

/** Text as UTF-8. */
export const utf8 = (text) => new TextEncoder().encode(text);

/** The text of UTF-8. */
export function unutf8(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Malformed('it is not UTF-8 text');
  }
}

/** Bytes one after the other. */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Below zero, zero or above, as bytes come in bytewise order. */
export function compare(one, other) {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at += 1) if (one[at] !== other[at]) return one[at] - other[at];
  return one.length - other.length;
}

/** Whether bytes are the same. */
export const same = (one, other) => compare(one, other) === 0;

/** A big-endian number. */
export const toBig = (bytes) => (bytes.length ? BigInt(`0x${hex(bytes)}`) : 0n);

/** A number as `size` bytes, big-endian. */
export function fromBig(number, size) {
  const digits = number.toString(16).padStart(2 * size, '0');
  if (number < 0n || digits.length > 2 * size) throw new Malformed(`${number} does not go into ${size} bytes`);
  return unhex(digits);
}

/** The beginning of a text. */
export const cut = (text, most = 80) => (text.length > most ? `${text.slice(0, most)}…` : text);
