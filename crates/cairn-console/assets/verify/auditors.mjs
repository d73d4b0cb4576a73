// What auditors sign of an epoch: EIP-712 in the domain `{name: "Cairn", version: "1", salt: <network>}`, recomputed from the epoch
// statement alone; and whose signature it is.

import { Malformed, cut, fromBig, hex, unhex, utf8 } from './bytes.mjs';
import { claimTree, domainWord } from './claims.mjs';
import { evmAddress } from './curves.mjs';
import { keccak256 } from './hash.mjs';
import { Broken } from './log.mjs';

const word = (text) => keccak256(utf8(text));
const DOMAIN_TYPE = word('EIP712Domain(string name,string version,bytes32 salt)');
const EPOCH_TYPE = word(
  'CairnEpoch(uint64 epoch,uint32 revision,bytes32 statementHash,bytes32 previousHash,uint64 logSize,bytes32 logRoot,bytes32 stateRoot,bytes32 settlementsRoot)',
);
const uint = (number) => fromBig(number, 32);

/** The hash of a row of the settlements tree: keccak256 twice over five words. */
export const settlementHash = (domain, distributor, claimRoot, leaves, cumulative) =>
  keccak256(keccak256(domain, distributor, claimRoot, uint(leaves), uint(cumulative)));

/** The root over what a statement says of each settlement chain. */
export function settlementsRoot(settlements) {
  const row = ({ domain, distributor, claimRoot, leaves, cumulative }) => settlementHash(domainWord(domain), distributor, claimRoot, leaves, cumulative);
  return claimTree(settlements.map(row)).root;
}

/** What is signed, for a message of eight words. */
export function epochDigest(network, { number, revision, hash, previous, size, logRoot, stateRoot, settlements }) {
  const domain = keccak256(DOMAIN_TYPE, word('Cairn'), word('1'), network);
  const fields = [uint(number), uint(revision), hash, previous, uint(size), logRoot, stateRoot, settlements];
  return keccak256(Uint8Array.of(0x19, 0x01), domain, keccak256(EPOCH_TYPE, ...fields));
}

/** What is signed of an epoch statement, in a revision. */
export function digestOf(statement, revision) {
  const { network, number, hash, previous, logRoot, stateRoot } = statement;
  const [size, settlements] = [statement.range.to, settlementsRoot(statement.settlements)];
  return epochDigest(network, { number, revision, hash, previous, size, logRoot, stateRoot, settlements });
}

/** Most signatures that are looked at: an auditor set has at most 64 members. */
const SIGNATURES_MAX = 64;

/** What a gateway tells of signatures, as far as it is in its form. */
function read(told) {
  const isAddress = (text) => typeof text === 'string' && /^0x[0-9a-f]{40}$/.test(text);
  const isSignature = (row) => isAddress(row?.auditor) && Number.isInteger(row.revision) && row.revision >= 0 && /^0x[0-9a-f]{130}$/.test(row.signature);
  const { auditors, quorum, signatures } = told;
  const isWhole = Array.isArray(auditors) && auditors.every(isAddress) && Number.isInteger(quorum) && Array.isArray(signatures);
  if (!isWhole || signatures.length > SIGNATURES_MAX || !signatures.every(isSignature)) {
    throw new Malformed(`what is told of signatures is not in its form: ${cut(JSON.stringify(told))}`);
  }
  return { auditors, quorum, signatures };
}

/** Whose signatures are under a statement. They prove themselves; who the auditors are is told by the gateway. */
export function checkSignatures(statement, told) {
  if (told === null) return ['left out', 'No signatures are served here.'];
  const { auditors, quorum, signatures } = read(told);
  const signers = new Set();
  for (const { auditor, revision, signature } of signatures) {
    const found = evmAddress(digestOf(statement, BigInt(revision)), unhex(signature));
    if (found === null || `0x${hex(found)}` !== auditor) {
      throw new Broken('a signature is not over this statement by the auditor that is named', auditor, found ? `0x${hex(found)}` : 'nobody');
    }
    if (auditors.includes(auditor)) signers.add(auditor);
  }
  const who = 'The statement `auditor-set` in the log names the auditors; that these are they is what the server says.';
  if (signers.size === 0) return ['left out', auditors.length === 0 ? 'This network names no auditors.' : `Nobody has signed yet; ${quorum} of ${auditors.length} must.`];
  return `${signers.size} of ${auditors.length} signed, ${quorum} must: ${[...signers].join(', ')}. ${who}`;
}
