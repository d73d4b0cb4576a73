// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// How much may ever have been emitted by the end of an epoch: a table of (from epoch, amount per epoch), fixed for ever.
abstract contract Emission {
    /// Most steps of a table: what is read is bounded.
    uint256 public constant STEPS_MAX = 64;

    /// One step of the table.
    struct Step {
        /// The first epoch that emits at this rate.
        uint64 fromEpoch;
        /// Base units for each epoch, until the next step.
        uint128 perEpoch;
    }

    /// The table.
    Step[] public steps;

    /// The table is empty, too long, or its epochs do not ascend.
    error BadTable(uint256 place);

    constructor(Step[] memory table) {
        if (table.length == 0 || table.length > STEPS_MAX) revert BadTable(table.length);
        for (uint256 i = 0; i < table.length; ++i) {
            if (i > 0 && table[i].fromEpoch <= table[i - 1].fromEpoch) revert BadTable(i);
            steps.push(table[i]);
        }
    }

    /// Base units emitted by all epochs up to and with this one.
    function emittedThrough(uint64 epoch) public view returns (uint256 total) {
        // Epochs are counted in 256 bits: none is too far to be added up.
        uint256 end = uint256(epoch) + 1;
        uint256 count = steps.length;
        for (uint256 i = 0; i < count; ++i) {
            Step memory step = steps[i];
            if (step.fromEpoch >= end) break;
            uint256 until = end;
            if (i + 1 < count && steps[i + 1].fromEpoch < end) until = steps[i + 1].fromEpoch;
            total += (until - step.fromEpoch) * step.perEpoch;
        }
    }
}
