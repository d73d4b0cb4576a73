// Writes settlements.json with the reference implementation of the tree:
//   npm install @openzeppelin/merkle-tree@1.0.8 && node settlements.mjs > settlements.json
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
const { StandardMerkleTree } = createRequire(`${process.cwd()}/`)('@openzeppelin/merkle-tree');

const encoding = ['uint256', 'bytes32', 'bytes32', 'uint256', 'uint256'];
const sha256 = text => `0x${createHash('sha256').update(text).digest('hex')}`;
const word = number => `0x${number.toString(16).padStart(64, '0')}`;

// Domains: EVM chain ids, and a hash as it stands for any other chain. Totals from zero to 2^128 - 1.
const row = i => [
  i % 3 === 2 ? sha256(`domain ${i}`) : word(BigInt(i) * 1_000n + 1n),
  `0x${'00'.repeat(12)}${sha256(`distributor ${i}`).slice(2, 42)}`,
  i === 0 ? word(0n) : sha256(`claims ${i}`),
  String(i === 1 ? 2n ** 64n - 1n : BigInt(i) * 17n),
  String(i === 1 ? 2n ** 128n - 1n : BigInt(i) * 1_000_000_000_000_000_000n),
];

const trees = [1, 2, 3, 5, 8, 9].map(size => {
  const tree = StandardMerkleTree.of(Array.from({ length: size }, (_, i) => row(i)), encoding);
  const rows = [...tree.entries()].map(([i, value]) => ({ row: value, hash: tree.leafHash(value), proof: tree.getProof(i) }));
  return { root: tree.root, rows };
});
console.log(JSON.stringify({ package: '@openzeppelin/merkle-tree 1.0.8', encoding, trees }, null, 1));
