// Compiles every contract with the compiler and packages that package-lock.json pins, and writes what is committed:
//   node build.js [--out FOLDER]
// artifacts/build.json   compiler, settings, SHA-256 of every source
// artifacts/NAME.json    ABI and creation bytecode of one contract; contracts for tests only lie in artifacts/test
// The output depends on nothing but those sources: no paths, no time.
'use strict';

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const solc = require('solc');

const SETTINGS = {
  evmVersion: 'shanghai',
  viaIR: true,
  optimizer: { enabled: true, runs: 10000 },
  metadata: { bytecodeHash: 'none', appendCBOR: false },
};
const FOLDERS = ['src', 'test'];

const here = file => path.join(__dirname, file);
const flag = process.argv.indexOf('--out');
const out = flag < 0 ? here('artifacts') : process.argv[flag + 1];
const used = {};

function read(name) {
  const content = fs.readFileSync(here(name.startsWith('@') ? path.join('node_modules', name) : name), 'utf8');
  used[name] = createHash('sha256').update(content).digest('hex');
  return content;
}

const own = FOLDERS.flatMap(folder => fs.readdirSync(here(folder)).filter(name => name.endsWith('.sol')).sort().map(name => `${folder}/${name}`));
const input = {
  language: 'Solidity',
  sources: Object.fromEntries(own.map(name => [name, { content: read(name) }])),
  settings: { ...SETTINGS, outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } } },
};
const find = name => {
  try {
    return { contents: read(name) };
  } catch (error) {
    return { error: error.message };
  }
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
// Warnings about our own sources are errors; those about packages are the packages'.
const ours = problem => own.includes(problem.sourceLocation?.file) || problem.severity === 'error';
const problems = (output.errors ?? []).filter(ours);
if (problems.length > 0) {
  problems.forEach(problem => process.stderr.write(`${problem.formattedMessage}\n`));
  process.exit(1);
}

const write = (name, value) => {
  fs.mkdirSync(path.dirname(path.join(out, name)), { recursive: true });
  fs.writeFileSync(path.join(out, name), `${JSON.stringify(value, null, 1)}\n`);
};
const sources = Object.fromEntries(Object.keys(used).sort().map(name => [name, used[name]]));
const contracts = [];
for (const source of own) {
  for (const [name, made] of Object.entries(output.contracts[source] ?? {})) {
    const bytecode = made.evm.bytecode.object;
    // Abstract contracts, and libraries that are compiled into those who use them, are not deployed.
    if (bytecode === '' || made.abi.length === 0) continue;
    const bytes = made.evm.deployedBytecode.object.length / 2;
    if (bytes > 24576) throw new Error(`${name} has ${bytes} bytes: no chain takes more than 24576`);
    const artefact = source.startsWith('test/') ? `test/${name}` : name;
    contracts.push(artefact);
    write(`${artefact}.json`, { contract: name, source, abi: made.abi, bytecode: `0x${bytecode}` });
  }
}
write('build.json', { compiler: solc.version(), settings: SETTINGS, contracts: contracts.sort(), sources });
