// The log as C2SP's `tlog-tiles` serves it: the signed checkpoint, tiles of hashes, bundles of entries. A hash is handed out only
// when it stands under the checkpoint's root: the right edges of all levels hash to the root, and every full tile to the one above.

import { Malformed, concat, same, toBig, unbase64, unutf8, utf8, base64, hex, cut } from './bytes.mjs';
import { ed25519Holds } from './curves.mjs';
import { sha256 } from './hash.mjs';

const WIDTH = 256;
const [LEAF, NODE] = [Uint8Array.of(0), Uint8Array.of(1)];

/** Something is not what it has to be: what belongs there, and what was found. */
export class Broken extends Error {
  constructor(what, expected = null, found = null) {
    super(what);
    Object.assign(this, { expected, found });
  }
}

/** The hash of a leaf (RFC 6962, section 2.1). */
export const leafHash = (bytes) => sha256(LEAF, bytes);
/** The hash of two children. */
export const nodeHash = (left, right) => sha256(NODE, left, right);

/** The root of a tree that grows leaf by leaf. */
export class Frontier {
  size = 0;
  peaks = [];

  /** Adds a row. */
  push(row) {
    let hash = leafHash(row);
    for (let size = this.size; size % 2 === 1; size = (size - 1) / 2) hash = nodeHash(this.peaks.pop(), hash);
    this.peaks.push(hash);
    this.size += 1;
  }

  /** The root so far. */
  root() {
    return foldPeaks(this.peaks);
  }
}

/** The root over whole subtrees, largest first. */
function foldPeaks(peaks) {
  if (peaks.length === 0) return sha256();
  return peaks.reduceRight((root, peak) => nodeHash(peak, root));
}

/** The root over a power of two of hashes. */
function wholeRoot(hashes) {
  let level = hashes;
  while (level.length > 1) {
    const above = [];
    for (let at = 0; at < level.length; at += 2) above.push(nodeHash(level[at], level[at + 1]));
    level = above;
  }
  return level[0];
}

/** The roots of the whole subtrees that the first `width` hashes of a tile consist of, largest first. */
function tilePeaks(hashes, width) {
  const peaks = [];
  let at = 0;
  for (let bit = WIDTH; bit >= 1; bit /= 2) {
    if (Math.floor(width / bit) % 2 === 1) {
      peaks.push(wholeRoot(hashes.slice(at, at + bit)));
      at += bit;
    }
  }
  return peaks;
}

/** The path of a tile (`level` a number) or a bundle of entries (`level` "entries"). */
export function tilePath(level, index, width) {
  const groups = [String(index % 1000).padStart(3, '0')];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
  }
  return `tile/${level}/${groups.join('/')}${width === WIDTH ? '' : `.p/${width}`}`;
}

/** A signed note (C2SP `signed-note`): its text, and its signature lines. */
export function splitNote(bytes) {
  const note = unutf8(bytes);
  if (/[\0-\x09\x0b-\x1f]/.test(note)) throw new Malformed('the note holds a control character');
  const gap = note.lastIndexOf('\n\n');
  if (gap < 0 || !note.endsWith('\n') || gap + 2 === note.length) throw new Malformed('the note has no signatures');
  const lines = note.slice(gap + 2, -1).split('\n').map((line) => {
    const [dash, name, data, more] = line.split(' ');
    if (dash !== '\u2014' || !name || name.includes('+') || data === undefined || more !== undefined) {
      throw new Malformed(`\`${cut(line)}\` is no signature line`);
    }
    const signature = unbase64(data);
    if (signature.length < 5) throw new Malformed('a signature is shorter than five bytes');
    return { name, id: signature.subarray(0, 4), signature: signature.subarray(4) };
  });
  return { text: note.slice(0, gap + 1), lines };
}

/** A checkpoint's three lines: origin, size, root. */
export function parseCheckpoint(text) {
  const lines = text.split('\n');
  if (lines.length !== 4 || lines[3] !== '' || lines[0] === '') throw new Malformed('a checkpoint has three lines');
  if (!/^(0|[1-9][0-9]{0,15})$/.test(lines[1]) || Number(lines[1]) > Number.MAX_SAFE_INTEGER) {
    throw new Malformed(`\`${cut(lines[1])}\` is not a number of entries`);
  }
  const root = unbase64(lines[2]);
  if (root.length !== 32) throw new Malformed('a root has 32 bytes');
  return { origin: lines[0], size: Number(lines[1]), root };
}

const ED25519 = Uint8Array.of(1);
const keyId = (name, key) => sha256(utf8(`${name}\n`), ED25519, key).subarray(0, 4);

/** The verifier key of a log as text. */
export const vkey = (name, key) => `${name}+${hex(keyId(name, key))}+${base64(concat(ED25519, key))}`;

/** The name and Ed25519 key of a verifier key. */
export function parseVkey(text) {
  const [name, id, data, ...more] = text.split('+');
  // Base64 may hold a plus sign of its own.
  const material = unbase64([data ?? '', ...more].join('+'));
  const key = material.subarray(1);
  if (!name || material[0] !== 1 || key.length !== 32) throw new Malformed('it is not the verifier key of an Ed25519 log');
  if (id !== hex(keyId(name, key))) throw new Malformed('the verifier key does not have its own id: is a letter missing?');
  return { name, key };
}

/** Refuses a note that this key has not signed, or has signed wrongly. */
export async function openNote(note, name, key) {
  const own = note.lines.filter((line) => line.name === name && same(line.id, keyId(name, key)));
  if (own.length === 0) {
    throw new Broken('the checkpoint has no signature by this key', vkey(name, key), note.lines.map((line) => line.name).join(', '));
  }
  for (const line of own) {
    if (!(await ed25519Holds(key, utf8(note.text), line.signature))) {
      throw new Broken('the signature under the checkpoint does not hold', 'a signature by the log’s key', hex(line.signature));
    }
  }
}

/** A bundle's entries: as many as it has to hold. */
function splitBundle(bytes, width, path) {
  const entries = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + Number(toBig(bytes.subarray(at, at + 2)));
    if (at + 2 > bytes.length || end > bytes.length) throw new Broken(`${path} is cut short`);
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  if (entries.length !== width && entries.length !== WIDTH) {
    throw new Broken(`${path} holds another number of entries`, `${width}`, `${entries.length}`);
  }
  return entries.slice(0, width);
}

/** The entries under a checkpoint, read from tiles and held against its root. */
export class Tree {
  #read;
  #tiles = new Map();

  /** `read` gives the bytes of a path, or `null` where there are none. */
  constructor(read, size, root) {
    this.#read = read;
    Object.assign(this, { size, root, tilesRead: 0 });
  }

  /** Hashes or whole entries at a level. */
  #count(level) {
    return Math.floor(this.size / WIDTH ** level);
  }

  #width(level, index) {
    return Math.min(WIDTH, this.#count(level) - index * WIDTH);
  }

  /** A file of the log; the full one where a partial one is gone. */
  async #file(level, index, width) {
    const path = tilePath(level, index, width);
    const bytes = (await this.#read(path)) ?? (width < WIDTH ? await this.#read(tilePath(level, index, WIDTH)) : null);
    if (bytes === null) throw new Broken(`${path} is not served`, 'a file', 'nothing');
    return { path, bytes };
  }

  /** A tile as served, not held against anything yet. */
  async #served(level, index) {
    const width = this.#width(level, index);
    const { path, bytes } = await this.#file(level, index, width);
    if (bytes.length !== 32 * width && bytes.length !== 32 * WIDTH) {
      throw new Broken(`${path} has another length`, `${32 * width} bytes`, `${bytes.length} bytes`);
    }
    this.tilesRead += 1;
    return Array.from({ length: width }, (_, at) => bytes.subarray(32 * at, 32 * at + 32));
  }

  /** Holds the right edges of all levels against the root. Comes before everything else. */
  async open() {
    const peaks = [];
    let top = 0;
    while (this.#count(top + 1) > 0) top += 1;
    for (let level = top; level >= 0 && this.size > 0; level -= 1) {
      const [count, width] = [this.#count(level), this.#count(level) % WIDTH];
      if (width === 0) continue;
      const hashes = await this.#served(level, Math.floor(count / WIDTH));
      this.#tiles.set(`${level}/${Math.floor(count / WIDTH)}`, hashes);
      peaks.push(...tilePeaks(hashes, width));
    }
    const found = foldPeaks(peaks);
    if (!same(found, this.root)) {
      throw new Broken('the right edge of the tiles does not hash to the checkpoint’s root', hex(this.root), hex(found));
    }
  }

  /** A tile's hashes, each of which stands under the root. */
  async tile(level, index) {
    const known = this.#tiles.get(`${level}/${index}`);
    if (known) return known;
    const hashes = await this.#served(level, index);
    const above = (await this.tile(level + 1, Math.floor(index / WIDTH)))[index % WIDTH];
    const found = wholeRoot(hashes);
    if (!same(found, above)) {
      throw new Broken(`${tilePath(level, index, WIDTH)} does not hash to the tile above it`, hex(above), hex(found));
    }
    this.#tiles.set(`${level}/${index}`, hashes);
    return hashes;
  }

  /** The leaf hash of an entry, under the root. */
  async leaf(index) {
    return (await this.tile(0, Math.floor(index / WIDTH)))[index % WIDTH];
  }

  /** A bundle's entries as served, not held against anything yet. */
  async served(index) {
    const width = this.#width(0, index);
    const { path, bytes } = await this.#file('entries', index, width);
    return splitBundle(bytes, width, path);
  }

  /** Holds all entries of a bundle against the tile of their hashes. */
  async held(index, entries) {
    const hashes = await this.tile(0, index);
    entries.forEach((entry, at) => {
      const found = leafHash(entry);
      if (!same(found, hashes[at])) {
        throw new Broken(`the bytes served as entry ${index * WIDTH + at} are not those in the log`, hex(hashes[at]), hex(found));
      }
    });
    return entries;
  }

  /** The entries of a bundle, each of which is in the log. */
  async bundle(index) {
    return this.held(index, await this.served(index));
  }

  /** An entry that is in the log. */
  async entry(index) {
    return (await this.bundle(Math.floor(index / WIDTH)))[index % WIDTH];
  }

  /** The root that the log had with its first `size` entries. */
  async rootAt(size) {
    const peaks = [];
    for (let level = 7; level >= 0; level -= 1) {
      const count = Math.floor(size / WIDTH ** level);
      if (count % WIDTH > 0) peaks.push(...tilePeaks(await this.tile(level, Math.floor(count / WIDTH)), count % WIDTH));
    }
    return foldPeaks(peaks);
  }
}
