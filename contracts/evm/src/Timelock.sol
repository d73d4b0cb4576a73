// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// OpenZeppelin's timelock, as it is: who may ask is a proposer, anyone may carry out what has waited long enough, and it
/// administers itself.
contract Timelock is TimelockController {
    constructor(uint256 delayS, address[] memory proposers, address[] memory executors)
        TimelockController(delayS, proposers, executors, address(0))
    {}
}
