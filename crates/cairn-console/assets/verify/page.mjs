// The check's place on a page: a button, a line for each step, and what came of it. Everything shown is text, never markup; what is
// checked are the raw bytes that this origin serves. `data-verify-state` (running, green, red) says how it stands to whoever asks.
// The check itself is loaded when the button is pressed: who only reads a page does not wait for it.

const SIGNS = { waiting: '·', running: '…', good: '✓', bad: '✗', 'left out': '–' };
const WORDS = { waiting: 'not yet', running: 'at it', good: 'holds', bad: 'DOES NOT HOLD', 'left out': 'not checked here' };

/** An element with attributes and children. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const entryWords = (asked) => `entry ${asked.index}`;
const epochWords = (asked) => (asked.device || asked.account ? `this pay of epoch ${asked.epoch}` : `epoch ${asked.epoch}`);

/** What the page asks for, from the attributes of its section. */
function read({ dataset }) {
  const asked = { network: dataset.verifyNetwork };
  if (dataset.verify === 'entry') {
    const keys = (dataset.verifyKeys ?? '').split(' ').filter((key) => key !== '');
    return { ...asked, index: Number(dataset.verifyIndex), leaf: dataset.verifyLeaf, keys };
  }
  const { verifyEpoch: epoch, verifyStatement: statement, verifyDevice: device, verifyAccount: account, verifyPaid: paid } = dataset;
  const claim = dataset.verifyClaimDomain && {
    account,
    domain: dataset.verifyClaimDomain,
    cumulative: dataset.verifyClaimCumulative,
    proof: dataset.verifyClaimProof.split(' ').filter((hash) => hash !== ''),
  };
  return { ...asked, epoch, statement, device, account, paid, claim };
}

/** A step's line, written anew whenever the step changes. */
function line(step, word = WORDS[step.state]) {
  const item = make('li', { 'data-step': step.name, 'data-state': step.state.replace(' ', '-') });
  item.append(make('span', { class: 'verify-sign', 'aria-hidden': 'true' }, SIGNS[step.state]));
  const words = make('div', {}, make('strong', {}, `${step.title}: `), make('span', { class: 'verify-word' }, word));
  if (step.detail) words.append(make('p', {}, step.detail));
  if (step.expected !== null) {
    const values = make('dl');
    for (const [name, value] of [['belongs there', step.expected], ['found', step.found]]) {
      values.append(make('div', {}, make('dt', {}, name), make('dd', {}, String(value))));
    }
    words.append(values);
  }
  item.append(words);
  return item;
}

/** What the entry says, as read from its bytes here. */
function told({ facts, notation }) {
  const list = make('dl');
  for (const [name, value] of facts) list.append(make('div', {}, make('dt', {}, name), make('dd', {}, value)));
  return [make('h3', {}, 'What the bytes say, read in this browser'), list, make('pre', { class: 'dump', tabindex: '0' }, notation)];
}

/** The sentence at the end. */
function verdict(result) {
  const bad = result.steps.find((step) => step.state === 'bad');
  if (result.unread) return `✗ Not checked to the end. ${bad.detail}.`;
  if (bad) return `✗ Not proven. The step “${bad.title}” failed: ${bad.detail}.`;
  const left = result.steps.filter((step) => step.state === 'left out').length;
  const without = left === 0 ? '' : ` ${left === 1 ? 'One step was' : `${left} steps were`} not checked here; the lines say why.`;
  return `✓ Everything that was checked holds.${without}`;
}

/** Loads the check, and runs it over what this origin serves. */
async function run(asked, isEntry, show) {
  const [{ checkEntry }, { checkEpoch }, { gateway }] = await Promise.all([
    import('./entry.mjs'),
    import('./epoch.mjs'),
    import('./sources.mjs'),
  ]);
  return (isEntry ? checkEntry : checkEpoch)(gateway(new URL('/', document.baseURI)), asked, show);
}

/** Puts the button into a section, and the check behind it. */
function begin(section) {
  const asked = read(section);
  const isEntry = section.dataset.verify === 'entry';
  const button = make('button', { type: 'submit' }, `Check ${isEntry ? entryWords(asked) : epochWords(asked)} in this browser`);
  const pin = make('input', { id: 'verify-pin', autocomplete: 'off', spellcheck: 'false', maxlength: '400' });
  const label = make('label', { for: 'verify-pin' }, 'The log’s key, the network or the operator (did:key), if you have it from elsewhere');
  const form = make('form', { class: 'verify-form' }, label, pin, button);
  const [status, list, said] = [make('p', { role: 'status', class: 'verify-verdict' }), make('ol', { class: 'verify-steps' }), make('div')];
  section.append(form, status, list, said);

  const show = (step, word) => {
    const known = list.querySelector(`[data-step="${step.name}"]`);
    if (known) known.replaceWith(line(step, word));
    else list.append(line(step, word));
  };
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (section.dataset.verifyState === 'running') return;
    section.dataset.verifyState = 'running';
    button.setAttribute('aria-disabled', 'true');
    list.replaceChildren();
    said.replaceChildren();
    status.textContent = 'Checking…';
    try {
      const result = await run({ ...asked, pin: pin.value.trim() }, isEntry, show);
      status.textContent = verdict(result);
      for (const step of result.steps) {
        if (step.state === 'waiting') show(step, 'not reached');
        if (step.state === 'bad' && result.unread) show(step, 'could not be read');
      }
      if (result.said) said.append(...told(result.said));
      section.dataset.verifyState = result.state;
    } catch (error) {
      // Nothing is known of what it was: that is no reason to stay green, or to stay silent.
      status.textContent = `✗ Not proven. The check itself failed: ${error.message}`;
      section.dataset.verifyState = 'red';
    }
    button.removeAttribute('aria-disabled');
  });
}

document.querySelectorAll('[data-verify]').forEach(begin);
