// Deterministic CBOR, as section 1 of the formats has it: one encoding for each value, and everything else refused.
// Whole numbers are BigInt, byte strings Uint8Array, text string, arrays Array, maps Map from BigInt.

import { Malformed, concat, hex, utf8 } from './bytes.mjs';

const DEPTH_MAX = 8;
const INT_END = 1n << 63n;

class Reader {
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  refuse(what) {
    throw new Malformed(`CBOR at byte ${this.at}: ${what}`);
  }

  need(count) {
    if (this.bytes.length - this.at < count) this.refuse('it ends early');
  }

  /** A head: its major type and its argument, in the shortest form only. */
  head() {
    this.need(1);
    const first = this.bytes[this.at];
    const [major, info] = [first >> 5, first & 31];
    if (major === 7 || info > 27) this.refuse('floats, simple values and lengths without an end are not allowed');
    this.at += 1;
    if (info < 24) return [major, BigInt(info)];
    const size = 1 << (info - 24);
    this.need(size);
    let value = 0n;
    if (size === 1) value = BigInt(this.view.getUint8(this.at));
    else if (size === 2) value = BigInt(this.view.getUint16(this.at));
    else if (size === 4) value = BigInt(this.view.getUint32(this.at));
    else value = this.view.getBigUint64(this.at);
    const least = size === 1 ? 24n : 1n << BigInt(4 * size);
    if (value < least) this.refuse('a number is not in its shortest form');
    if (value >= INT_END) this.refuse('a number passes 63 bits');
    this.at += size;
    return [major, value];
  }

  string(length) {
    if (length > BigInt(this.bytes.length - this.at)) this.refuse('a string is longer than what is left');
    const start = this.at;
    this.at += Number(length);
    return this.bytes.subarray(start, this.at);
  }

  value(depth) {
    const [major, argument] = this.head();
    if (major === 0) return argument;
    if (major === 1) return -1n - argument;
    if (major === 2) return this.string(argument);
    if (major === 3) return this.text(argument);
    if (major === 6) this.refuse('there is no tag here');
    if (depth >= DEPTH_MAX) this.refuse(`it is more than ${DEPTH_MAX} deep`);
    return major === 4 ? this.array(argument, depth + 1) : this.map(argument, depth + 1);
  }

  text(length) {
    const bytes = this.string(length);
    if (bytes.some((byte) => byte > 0x7f)) this.refuse('text is ASCII only');
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  }

  array(count, depth) {
    if (count > BigInt(this.bytes.length - this.at)) this.refuse('an array has more items than bytes are left');
    const items = [];
    for (let at = 0n; at < count; at += 1n) items.push(this.value(depth));
    return items;
  }

  map(count, depth) {
    if (count > BigInt(this.bytes.length - this.at)) this.refuse('a map has more pairs than bytes are left');
    const pairs = new Map();
    // In bytewise order: unsigned keys ascend, then negative ones descend.
    let last = null;
    for (let at = 0n; at < count; at += 1n) {
      const [major, argument] = this.head();
      if (major > 1) this.refuse('a key is a whole number');
      const ascends = last === null || major > last[0] || (major === last[0] && argument > last[1]);
      if (!ascends) this.refuse('keys ascend, and none comes twice');
      last = [major, argument];
      pairs.set(major === 0 ? argument : -1n - argument, this.value(depth));
    }
    return pairs;
  }
}

/** The one value that bytes are, and nothing behind it. */
export function decode(bytes) {
  const reader = new Reader(bytes, 0);
  const value = reader.value(0);
  if (reader.at < bytes.length) reader.refuse('something follows the value');
  return value;
}

/** The value behind tag 18, which only a COSE_Sign1 has. */
export function decodeSign1(bytes) {
  const reader = new Reader(bytes, 1);
  if (bytes[0] !== 0xd2) throw new Malformed('it is not a COSE_Sign1 (tag 18)');
  const value = reader.value(0);
  if (reader.at < bytes.length) reader.refuse('something follows the value');
  return value;
}

/** The next row of a CBOR sequence: its value, its bytes and where it ends. */
export function nextRow(bytes, at) {
  const reader = new Reader(bytes, at);
  const value = reader.value(0);
  return { value, row: bytes.subarray(at, reader.at), end: reader.at };
}

function headOf(major, value) {
  const first = major << 5;
  if (value < 24n) return Uint8Array.of(first | Number(value));
  const size = value < 0x100n ? 1 : value < 0x10000n ? 2 : value < 0x100000000n ? 4 : 8;
  const digits = value.toString(16).padStart(2 * size, '0');
  const bytes = [first | (24 + Math.log2(size))];
  for (let at = 0; at < size; at += 1) bytes.push(parseInt(digits.slice(2 * at, 2 * at + 2), 16));
  return Uint8Array.from(bytes);
}

/** Encodes whole numbers, byte strings, text and arrays; what signatures are over needs no more. */
export function encode(value) {
  if (typeof value === 'bigint') return value < 0n ? headOf(1, -1n - value) : headOf(0, value);
  if (value instanceof Uint8Array) return concat(headOf(2, BigInt(value.length)), value);
  if (typeof value === 'string') return concat(headOf(3, BigInt(value.length)), utf8(value));
  return concat(headOf(4, BigInt(value.length)), ...value.map(encode));
}

const SHOWN_MAX = 6_000;

/** A value in CBOR's diagnostic notation (RFC 8949, section 8); long strings are cut. */
export function notation(value, depth = 0) {
  const text = written(value, depth);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}\n… cut here` : text;
}

function written(value, depth) {
  const line = `\n${'  '.repeat(depth + 1)}`;
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'string') return JSON.stringify(value).replaceAll('\x7f', '\\u007f');
  if (value instanceof Uint8Array) {
    return value.length > 96 ? `h'${hex(value.subarray(0, 96))}…' /${value.length} bytes/` : `h'${hex(value)}'`;
  }
  if (Array.isArray(value)) return `[${value.map((item) => written(item, depth + 1)).join(', ')}]`;
  if (value.size === 0) return '{}';
  const pairs = Array.from(value, ([key, item]) => `${line}${key}: ${written(item, depth + 1)}`);
  return `{${pairs.join(',')}\n${'  '.repeat(depth)}}`;
}
