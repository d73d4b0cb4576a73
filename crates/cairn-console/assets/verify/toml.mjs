// As much of TOML 1.0 as policies are written in: comments, tables and arrays of tables, keys with dots, strings on one line, whole
// numbers, truth values, arrays, tables in a line. Policies have no backslashes and no floats; whatever else there is is refused.

import { Malformed, cut } from './bytes.mjs';

/** Something that this reader does not read, which may be right all the same. */
export class Unknown extends Malformed {}

const SPACE = /[ \t]*/y;
const BLANK = /(?:[ \t\r\n]|#[^\n]*)*/y;
const BARE = /[A-Za-z0-9_-]+/y;
const QUOTED = /"([^"\n\\]*)"(?!")|'([^'\n]*)'(?!')/y;
const NUMBER = /[+-]?(?:0|[1-9](?:_?[0-9])*)(?![0-9A-Za-z_.:-])/y;
const WORD = /(?:true|false)(?![A-Za-z0-9_-])/y;
const END = /[ \t]*(?:#[^\n]*)?(?:\r?\n|$)/y;

class Reader {
  constructor(text) {
    Object.assign(this, { text, at: 0, root: new Map() });
  }

  refuse() {
    const line = this.text.slice(0, this.at).split('\n').length;
    throw new Unknown(`line ${line} of the document is not read here: ${cut(this.text.slice(this.at).split('\n')[0])}`);
  }

  /** What a pattern matches here, or `null`. */
  take(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found !== null) this.at = pattern.lastIndex;
    return found;
  }

  is(sign) {
    if (!this.text.startsWith(sign, this.at)) return false;
    this.at += sign.length;
    return true;
  }

  need(found) {
    return found ? found : this.refuse();
  }

  part() {
    const quoted = this.take(QUOTED);
    return quoted ? (quoted[1] ?? quoted[2]) : this.need(this.take(BARE))[0];
  }

  /** A key: its parts. */
  key() {
    const parts = [];
    do {
      this.take(SPACE);
      parts.push(this.part());
      this.take(SPACE);
    } while (this.is('.'));
    return parts;
  }

  value() {
    const quoted = this.take(QUOTED);
    if (quoted) return quoted[1] ?? quoted[2];
    const number = this.take(NUMBER);
    if (number) return BigInt(number[0].replaceAll('_', '').replace('+', ''));
    const word = this.take(WORD);
    if (word) return word[0] === 'true';
    if (this.is('[')) return this.array();
    if (this.is('{')) return this.inline();
    return this.refuse();
  }

  array() {
    const items = [];
    for (;;) {
      this.take(BLANK);
      if (this.is(']')) return items;
      items.push(this.value());
      this.take(BLANK);
      if (this.is(']')) return items;
      this.need(this.is(','));
    }
  }

  inline() {
    const table = new Map();
    this.take(SPACE);
    if (this.is('}')) return table;
    do this.pair(table);
    while (this.is(','));
    this.need(this.is('}'));
    return table;
  }

  pair(table) {
    const parts = this.key();
    this.need(this.is('='));
    this.take(SPACE);
    const within = this.walk(table, parts.slice(0, -1));
    const name = parts[parts.length - 1];
    if (within.has(name)) this.refuse();
    within.set(name, this.value());
    this.take(SPACE);
  }

  /** The table that a path leads to; of an array of tables, its last one. */
  walk(table, parts) {
    let within = table;
    for (const part of parts) {
      if (!within.has(part)) within.set(part, new Map());
      const next = within.get(part);
      within = Array.isArray(next) ? next[next.length - 1] : next;
      if (!(within instanceof Map)) this.refuse();
    }
    return within;
  }

  header() {
    const isArray = this.is('[');
    const parts = this.key();
    this.need(this.is(isArray ? ']]' : ']'));
    if (!isArray) return this.walk(this.root, parts);
    const [within, name] = [this.walk(this.root, parts.slice(0, -1)), parts[parts.length - 1]];
    if (!within.has(name)) within.set(name, []);
    const list = within.get(name);
    if (!Array.isArray(list)) this.refuse();
    list.push(new Map());
    return list[list.length - 1];
  }

  document() {
    let table = this.root;
    for (this.take(BLANK); this.at < this.text.length; this.take(BLANK)) {
      this.take(SPACE);
      if (this.is('[')) table = this.header();
      else this.pair(table);
      this.need(this.take(END));
    }
    return this.root;
  }
}

/** A document as maps, arrays, text, `BigInt` and truth values. */
export const parse = (text) => new Reader(text).document();
