// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {Authorized} from "./Authorized.sol";
import {Emission} from "./Emission.sol";
import {Settlement} from "./Settlement.sol";

/// The network's token: ERC-20 with permit (EIP-2612) and authorizations (EIP-3009).
///
/// Promises: supply never exceeds the emission table up to the last final epoch, nor the cap; only the payout contract mints.
/// What buyers burn for credit may be minted again when the log pays it out: it was emitted before. Nobody owns it, nobody
/// can stop a transfer, and no transfer calls anybody.
contract Token is Authorized, ERC20Permit, Emission {
    /// No more will ever be there, base units.
    uint256 public immutable cap;
    /// Which epoch is final.
    Settlement public immutable settlement;
    /// The only one who mints.
    address public immutable minter;
    /// The only one whose burning is credit.
    address public immutable depositor;

    /// Base units ever minted.
    uint256 public minted;
    /// Base units ever burned for credit.
    uint256 public credited;

    /// More than the table, the cap and what was burned for credit allow.
    error BeyondEmission(uint256 minted, uint256 allowed);
    /// Not for this caller.
    error NotAllowed(address caller);

    constructor(
        string memory name_,
        string memory symbol_,
        uint256 cap_,
        Step[] memory table,
        Settlement settlement_,
        address minter_,
        address depositor_
    ) ERC20(name_, symbol_) ERC20Permit(name_) Emission(table) {
        cap = cap_;
        settlement = settlement_;
        minter = minter_;
        depositor = depositor_;
    }

    /// Mints for the payout contract, within the table.
    function mint(uint256 amount) external {
        if (msg.sender != minter) revert NotAllowed(msg.sender);
        uint256 allowed = mintable();
        uint256 after_ = minted + amount;
        if (after_ > allowed) revert BeyondEmission(after_, allowed);
        minted = after_;
        _mint(msg.sender, amount);
    }

    /// What may ever have been minted by now, base units.
    function mintable() public view returns (uint256) {
        uint256 emitted = emittedThrough(settlement.latestFinal().epoch);
        return (emitted < cap ? emitted : cap) + credited;
    }

    /// Burns what the deposit contract was paid.
    function burnForCredit(uint256 amount) external {
        if (msg.sender != depositor) revert NotAllowed(msg.sender);
        credited += amount;
        _burn(msg.sender, amount);
    }
}
