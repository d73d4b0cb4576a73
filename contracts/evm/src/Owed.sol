// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// Native coin that is owed and fetched, never pushed: whoever cannot or will not take it stops nobody else.
abstract contract Owed {
    /// What each account may have sent to it, in wei.
    mapping(address account => uint256) public owed;

    /// Coin left for its owner.
    event Withdrawn(address indexed account, uint256 amount);

    /// There is nothing to send.
    error NothingOwed(address account);
    /// The account did not take it; it stays owed.
    error NotTaken(address account);

    /// Sends an account what it is owed. Anyone may call.
    function withdraw(address account) external {
        uint256 amount = owed[account];
        if (amount == 0) revert NothingOwed(account);
        owed[account] = 0;
        emit Withdrawn(account, amount);
        (bool taken,) = account.call{value: amount}("");
        if (!taken) revert NotTaken(account);
    }

    function _owe(address account, uint256 amount) internal {
        owed[account] += amount;
    }
}
