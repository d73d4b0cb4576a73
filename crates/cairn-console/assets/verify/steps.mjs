// A check is a list of steps in a fixed order; the first that fails ends it. Whoever shows it is told of every change.

import { Malformed } from './bytes.mjs';
import { Broken } from './log.mjs';

/** A file could not be read: nothing is proven, and nothing is found wrong. */
export class Unread extends Error {}

/** The steps of a check that is under way. `show` is called with a copy of a step whenever it changes. */
export class Steps {
  #show;

  /** `planned` is `[name, title]` of every step. */
  constructor(planned, show = () => {}) {
    this.#show = show;
    this.steps = planned.map(([name, title]) => ({ name, title, state: 'waiting', detail: '', expected: null, found: null }));
    this.steps.forEach((step) => show({ ...step }));
  }

  #change(name, change) {
    const step = this.steps.find((known) => known.name === name);
    Object.assign(step, change);
    this.#show({ ...step });
  }

  /** Runs a step; `work` gives what it found, in words. It is handed a function that says how far it is. */
  async run(name, work) {
    this.#change(name, { state: 'running' });
    const said = await work((detail) => this.#change(name, { detail }));
    const [state, detail] = Array.isArray(said) ? said : ['good', said];
    this.#change(name, { state, detail });
  }

  /** Runs all of a check: `green` when no step is bad, else `red`; `unread` when that is for want of something to read. */
  async all(work) {
    let unread = false;
    try {
      await work();
    } catch (error) {
      const running = this.steps.find((step) => step.state === 'running');
      unread = error instanceof Unread;
      const isKnown = [Broken, Malformed, Unread].some((kind) => error instanceof kind);
      const detail = isKnown ? error.message : `the check itself failed: ${error.message}`;
      const values = { expected: error.expected ?? null, found: error.found ?? null };
      if (running) this.#change(running.name, { state: 'bad', detail, ...values });
      else throw error;
    }
    const state = this.steps.some((step) => step.state !== 'good' && step.state !== 'left out') ? 'red' : 'green';
    return { state, unread, steps: this.steps };
  }
}

/** Gives the page a moment, so that long tables do not freeze it. */
export const breathe = () => new Promise((resume) => setTimeout(resume, 0));
