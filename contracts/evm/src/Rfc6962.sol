// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// Proofs of RFC 6962 (SHA-256), checked as in RFC 9162, sections 2.1.3.2 and 2.1.4.2.
///
/// Checking is strict: a proof with a hash too few or too many is refused even where the hashes used would lead to the
/// right root. Nothing here reverts on a bad proof.
library Rfc6962 {
    /// The root of the tree without leaves: SHA-256 of nothing.
    bytes32 internal constant EMPTY_ROOT = 0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855;

    /// The hash of a leaf that holds `entry`.
    function leafHash(bytes memory entry) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x00), entry));
    }

    /// The hash of a node over its two children.
    function nodeHash(bytes32 left, bytes32 right) internal view returns (bytes32 result) {
        bool done;
        // Memory past the free pointer is used and given back: a proof of thirty hashes would otherwise allocate thirty times.
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 1)
            mstore(add(at, 1), left)
            mstore(add(at, 33), right)
            done := staticcall(gas(), 2, at, 65, 0, 32)
            result := mload(0)
        }
        // The precompile fails only for want of gas, and what is in memory then is no hash.
        require(done);
    }

    /// Whether the leaf stands at `index` in the tree of `size` leaves with this root.
    function includes(bytes32 leaf, uint64 index, uint64 size, bytes32 root, bytes32[] calldata proof)
        internal
        view
        returns (bool)
    {
        if (index >= size) return false;
        uint64 node = index;
        uint64 last = size - 1;
        for (uint256 i = 0; i < proof.length; ++i) {
            if (last == 0) return false;
            if (node & 1 == 1 || node == last) {
                leaf = nodeHash(proof[i], leaf);
                // At the right edge there may be levels without a sibling.
                (node, last) = skip(node, last);
            } else {
                leaf = nodeHash(leaf, proof[i]);
            }
            node >>= 1;
            last >>= 1;
        }
        return last == 0 && leaf == root;
    }

    /// Whether the tree of `size` leaves begins with the tree of `oldSize` leaves. The empty tree begins every tree, with
    /// an empty proof.
    function extends(uint64 oldSize, bytes32 oldRoot, uint64 size, bytes32 root, bytes32[] calldata proof)
        internal
        view
        returns (bool)
    {
        if (oldSize > size) return false;
        if (oldSize == 0 || oldSize == size) {
            if (proof.length != 0 || oldRoot != (oldSize == 0 ? EMPTY_ROOT : root)) return false;
            return size != 0 || root == EMPTY_ROOT;
        }
        uint64 node = oldSize - 1;
        uint64 last = size - 1;
        while (node & 1 == 1) {
            node >>= 1;
            last >>= 1;
        }
        uint256 used;
        bytes32 hash = oldRoot;
        // A whole tree of a power of two is its own first hash.
        if (oldSize & (oldSize - 1) != 0) {
            if (proof.length == 0) return false;
            hash = proof[0];
            used = 1;
        }
        bytes32 oldHash = hash;
        for (; used < proof.length; ++used) {
            if (last == 0) return false;
            if (node & 1 == 1 || node == last) {
                oldHash = nodeHash(proof[used], oldHash);
                hash = nodeHash(proof[used], hash);
                (node, last) = skip(node, last);
            } else {
                hash = nodeHash(hash, proof[used]);
            }
            node >>= 1;
            last >>= 1;
        }
        return last == 0 && oldHash == oldRoot && hash == root;
    }

    /// Up to the next level that has a sibling on the left.
    function skip(uint64 node, uint64 last) private pure returns (uint64, uint64) {
        while (node & 1 == 0 && node != 0) {
            node >>= 1;
            last >>= 1;
        }
        return (node, last);
    }
}
