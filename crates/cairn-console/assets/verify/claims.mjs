// What a settlement contract accepts: the claim tree of OpenZeppelin's `standard-v1`.

import { Malformed, compare, fromBig, hex, utf8 } from './bytes.mjs';
import { accountWord } from './formats.mjs';
import { keccak256 } from './hash.mjs';

/** The word that names a settlement chain: an EVM chain's number, or keccak256 of any other chain's name. */
export function domainWord(domain) {
  const evm = /^eip155:(0|[1-9][0-9]*)$/.exec(domain);
  return evm ? fromBig(BigInt(evm[1]), 32) : keccak256(utf8(domain));
}

/** The hash of a claim: keccak256 twice over `abi.encode(uint256, bytes32, bytes32, uint256)`. */
export function claimHash(domain, distributor, account, cumulative) {
  return keccak256(keccak256(domain, distributor, account, fromBig(cumulative, 32)));
}

const pair = (one, other) => (compare(one, other) < 0 ? keccak256(one, other) : keccak256(other, one));

/** The root that a proof leads to from a claim's hash. */
export const foldProof = (leaf, proof) => proof.reduce(pair, leaf);

/** The whole tree over claim hashes: its root, and the proof of each by its hexadecimal. */
export function claimTree(hashes) {
  if (hashes.length === 0) return { root: new Uint8Array(32), proofs: new Map() };
  const leaves = [...hashes].sort(compare).reverse();
  const heap = [...new Array(leaves.length - 1), ...leaves];
  for (let at = leaves.length - 2; at >= 0; at -= 1) heap[at] = pair(heap[2 * at + 1], heap[2 * at + 2]);
  const proof = (leaf) => {
    const path = [];
    for (let at = leaf; at > 0; at = Math.floor((at - 1) / 2)) path.push(heap[at % 2 ? at + 1 : at - 1]);
    return path;
  };
  const proofs = new Map(leaves.map((leaf, at) => [hex(leaf), proof(leaves.length - 1 + at)]));
  return { root: heap[0], proofs };
}

/** The hash of an account's claim on a settlement chain of an epoch statement. */
export function claimOf(settlement, account, cumulative) {
  const named = accountWord(account);
  if (named === null) throw new Malformed(`\`${account}\` is no account`);
  if (named.domain !== settlement.domain) throw new Malformed(`${account} is not an account on ${settlement.domain}`);
  return claimHash(domainWord(settlement.domain), settlement.distributor, named.word, cumulative);
}

