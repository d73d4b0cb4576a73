// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Owed} from "../src/Owed.sol";

/// Calls somebody back, once, with what it was told to say. For tests only.
abstract contract CallsBack {
    address public target;
    bytes public said;
    bool public answered;
    uint256 public times;

    function arm(address target_, bytes calldata said_) external {
        (target, said, answered, times) = (target_, said_, false, 0);
    }

    function _callBack() internal {
        if (target == address(0) || times != 0) return;
        times = 1;
        (answered,) = target.call(said);
    }
}

/// An asset that calls somebody before it moves. For tests only.
contract CallingAsset is ERC20("Calling", "CALL"), CallsBack {
    function give(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function approveAs(address spender, uint256 amount) external {
        _approve(address(this), spender, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from != address(0)) _callBack();
        super._update(from, to, amount);
    }
}

/// An asset that keeps a hundredth of what moves. For tests only.
contract TakingAsset is ERC20("Taking", "TAKE") {
    function give(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from == address(0)) return super._update(from, to, amount);
        super._update(from, address(this), amount / 100);
        super._update(from, to, amount - amount / 100);
    }
}

/// An asset that says no and does nothing. For tests only.
contract RefusingAsset is ERC20("Refusing", "NO") {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}

/// A token that the payout contract takes for the network's, and that calls back when it moves. For tests only.
contract CallingToken is ERC20("Calling", "CALL"), CallsBack {
    address public immutable minter;
    address public immutable settlement;

    constructor(address minter_, address settlement_) {
        (minter, settlement) = (minter_, settlement_);
    }

    function mint(uint256 amount) external {
        _mint(msg.sender, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from != address(0)) _callBack();
        super._update(from, to, amount);
    }
}

/// An account that takes no coin, or asks again while it is being paid. For tests only.
contract Greedy {
    bool public refuses;
    uint256 public times;

    function setRefuses(bool value) external {
        refuses = value;
    }

    function act(address target, bytes calldata said) external payable {
        (bool done, bytes memory answer) = target.call{value: msg.value}(said);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    receive() external payable {
        require(!refuses);
        ++times;
        // Whether this works is what is asked: it must not.
        (bool again,) = msg.sender.call(abi.encodeCall(Owed.withdraw, (address(this))));
        require(!again);
    }
}
