// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// A brake: the guardian may stop, only the timelock may let go. Neither can move anything.
abstract contract Guarded {
    /// Who lets go, and who names the guardian: a timelock, so that everybody sees it coming.
    address public immutable timelock;
    /// Who may stop at once.
    address public guardian;

    /// Stopped, by whom.
    event Paused(address indexed by);
    /// Let go.
    event Unpaused();
    /// Another guardian.
    event GuardianNamed(address indexed guardian);

    /// Only the guardian or the timelock may do this.
    error NotGuardian(address caller);
    /// Only the timelock may do this.
    error NotTimelock(address caller);
    /// It is stopped.
    error IsPaused();
    /// An address that must be somebody is zero.
    error NoAddress();

    modifier onlyTimelock() {
        if (msg.sender != timelock) revert NotTimelock(msg.sender);
        _;
    }

    constructor(address timelock_, address guardian_) {
        if (timelock_ == address(0)) revert NoAddress();
        timelock = timelock_;
        guardian = guardian_;
    }

    /// Stops, at once.
    function pause() external {
        if (msg.sender != guardian && msg.sender != timelock) revert NotGuardian(msg.sender);
        _setPaused(true);
        emit Paused(msg.sender);
    }

    /// Lets go.
    function unpause() external onlyTimelock {
        _setPaused(false);
        emit Unpaused();
    }

    /// Names another guardian; zero for none.
    function setGuardian(address guardian_) external onlyTimelock {
        guardian = guardian_;
        emit GuardianNamed(guardian_);
    }

    /// Whether it is stopped.
    function paused() public view virtual returns (bool);

    /// Kept by each contract where its busiest path reads anyway.
    function _setPaused(bool value) internal virtual;
}
