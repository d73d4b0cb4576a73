// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Emission} from "../src/Emission.sol";
import {EpochMessage, Messages} from "../src/Messages.sol";
import {Rfc6962} from "../src/Rfc6962.sol";

/// What the libraries compute, for comparison with other implementations. For tests only.
contract Proofs {
    function includes(bytes32 leaf, uint64 index, uint64 size, bytes32 root, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        return Rfc6962.includes(leaf, index, size, root, proof);
    }

    function extends(uint64 oldSize, bytes32 oldRoot, uint64 size, bytes32 root, bytes32[] calldata proof)
        external
        view
        returns (bool)
    {
        return Rfc6962.extends(oldSize, oldRoot, size, root, proof);
    }

    function epochDigest(bytes32 network, EpochMessage calldata message) external pure returns (bytes32) {
        return Messages.digest(Messages.domain(network), Messages.hash(message));
    }

    function auditorsDigest(
        bytes32 network,
        uint32 set,
        uint32 revision,
        address[] calldata members,
        uint8 threshold
    ) external pure returns (bytes32) {
        return Messages.digest(Messages.domain(network), Messages.hash(set, revision, members, threshold));
    }
}

/// An emission table alone. For tests only.
contract Table is Emission {
    constructor(Step[] memory table) Emission(table) {}
}
