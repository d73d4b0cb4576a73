// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Rfc6962} from "./Rfc6962.sol";
import {Settlement} from "./Settlement.sol";

/// The log as this chain knows it: a size, a root, and the state at that size, for other contracts to ask.
///
/// Promises: it advances only to a final epoch of the settlement, and only by a proof that the log there begins with the log
/// here. Nobody owns it. Answers are `false`, not reverts, for proofs that fail. What it does not do: say that an entry is
/// valid; inclusion proves that something was said.
contract LogAnchor {
    /// Who knows what is final.
    Settlement public immutable settlement;

    /// The epoch that the log is anchored at.
    uint64 public epoch;
    /// Entries.
    uint64 public size;
    /// RFC 6962 root of the log.
    bytes32 public root = Rfc6962.EMPTY_ROOT;
    /// RFC 6962 root of the state after the epoch.
    bytes32 public stateRoot;

    /// The anchor advanced.
    event Advanced(uint64 indexed epoch, uint64 size, bytes32 root, bytes32 stateRoot);

    /// The log of the settlement does not begin with the log anchored here, or the proof does not show it.
    error NotConsistent(uint64 size, uint64 to);

    constructor(Settlement settlement_) {
        settlement = settlement_;
    }

    /// Advances to the last final epoch. Anyone may call.
    function advance(bytes32[] calldata proof) external {
        Settlement.Head memory head = settlement.latestFinal();
        bool begins = Rfc6962.extends(size, root, head.logSize, head.logRoot, proof);
        if (!begins || head.epoch < epoch) revert NotConsistent(size, head.logSize);
        (epoch, size, root, stateRoot) = (head.epoch, head.logSize, head.logRoot, head.stateRoot);
        emit Advanced(head.epoch, head.logSize, head.logRoot, head.stateRoot);
    }

    /// Whether the log holds these bytes as its entry `index`. The bytes, not their hash: an inner node is no entry.
    function verifyInclusion(bytes calldata entry, uint64 index, bytes32[] calldata proof) external view returns (bool) {
        return Rfc6962.includes(Rfc6962.leafHash(entry), index, size, root, proof);
    }

    /// Whether the state holds `value` under `key` of a table. `index` and `records` say where the record stands among how
    /// many: the prover's word, not checked beyond that the proof fits it; that the record is in the state is what is proven.
    function verifyState(
        uint64 table,
        bytes calldata key,
        bytes calldata value,
        uint64 index,
        uint64 records,
        bytes32[] calldata proof
    ) external view returns (bool) {
        bytes memory record = bytes.concat(hex"83", _head(0x00, table), _head(0x40, key.length), key);
        record = bytes.concat(record, _head(0x40, value.length), value);
        return Rfc6962.includes(Rfc6962.leafHash(record), index, records, stateRoot, proof);
    }

    /// The head of a CBOR item in its shortest form (RFC 8949, section 4.2.1).
    function _head(uint8 major, uint256 value) private pure returns (bytes memory) {
        if (value < 24) return abi.encodePacked(uint8(major + value));
        if (value <= type(uint8).max) return abi.encodePacked(major + 24, uint8(value));
        if (value <= type(uint16).max) return abi.encodePacked(major + 25, uint16(value));
        if (value <= type(uint32).max) return abi.encodePacked(major + 26, uint32(value));
        return abi.encodePacked(major + 27, uint64(value));
    }
}
