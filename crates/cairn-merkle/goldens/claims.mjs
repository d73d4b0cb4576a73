// Writes claims.json with the reference implementation of the claim tree:
//   npm install @openzeppelin/merkle-tree@1.0.8 && node claims.mjs > claims.json
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
const { StandardMerkleTree } = createRequire(`${process.cwd()}/`)('@openzeppelin/merkle-tree');

const encoding = ['uint256', 'bytes32', 'bytes32', 'uint256'];
const sha256 = text => `0x${createHash('sha256').update(text).digest('hex')}`;
const address = text => `0x${'00'.repeat(12)}${sha256(text).slice(2, 42)}`;

// Two domains: an EVM chain id, and a hash as it stands for any other chain. Two kinds of accounts: an address padded
// on the left, and a 32-byte key. Amounts from zero to 2^128 - 1.
const domains = [`0x${(31337).toString(16).padStart(64, '0')}`, sha256('domain')];
const amounts = [0n, 1n, 1_000_000_000_000_000_000n, 2n ** 64n, 2n ** 128n - 1n];
const leaf = i => [
  domains[i % 7 === 6 ? 1 : 0],
  address('distributor'),
  i % 3 === 2 ? sha256(`account ${i}`) : address(`account ${i}`),
  (i < amounts.length ? amounts[i] : BigInt(i) * 123_456_789n).toString(),
];

const trees = [1, 2, 3, 5, 8, 33].map(size => {
  const tree = StandardMerkleTree.of(Array.from({ length: size }, (_, i) => leaf(i)), encoding);
  const entries = [...tree.entries()];
  const claims = entries.map(([i, value]) => ({ leaf: value, hash: tree.leafHash(value), proof: tree.getProof(i) }));
  return { root: tree.root, claims };
});
console.log(JSON.stringify({ package: '@openzeppelin/merkle-tree 1.0.8', encoding, trees }, null, 1));
