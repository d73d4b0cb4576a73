// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Guarded} from "./Guarded.sol";
import {Settlement} from "./Settlement.sol";
import {Token} from "./Token.sol";

/// Pays each account what the log granted it since the first epoch, less what it has been paid.
///
/// Promises: nothing is paid but what a row of a final epoch proves for this chain and this contract; nothing twice; never
/// more in all than the row's total; no more in a window than the breaker lets through. Whoever calls, money goes to the
/// account that the claim names. The guardian stops it, the timelock lets it go, nobody takes anything out.
///
/// Anyone may be a relayer: each whole increase that is pushed by the last epoch earns a fee from the relay pool, which is what the log grants
/// to this contract's own address.
contract Payout is Guarded {
    /// What every payment touches, in one word.
    struct Flow {
        /// Proven and not paid, base units.
        uint112 unpaid;
        /// Paid of late, as the breaker counts it: it falls to nothing within a window.
        uint96 spent;
        /// When `spent` was counted, seconds.
        uint40 spentAt;
        /// Stopped by the guardian.
        bool stopped;
    }

    /// One account.
    struct Account {
        /// Ever paid, base units.
        uint128 paid;
        /// Its own wish: nothing below is pushed to it. What is below the contract's own threshold never is.
        uint128 threshold;
    }

    /// The last epoch that was opened.
    struct Opened {
        /// Its number.
        uint64 epoch;
        /// Its revision.
        uint32 revision;
        /// Whether there is one.
        bool any;
    }

    /// What is fixed for ever.
    struct Terms {
        /// Which epochs are final.
        Settlement settlement;
        /// What is paid.
        Token token;
        /// Who lets go.
        address timelock;
        /// Who stops.
        address guardian;
        /// Nothing below is pushed, base units.
        uint128 pushMin;
        /// What a relayer earns for each push, base units.
        uint128 relayFee;
        /// Most that is paid at once and, as it decays, in a window, base units.
        uint96 breakerLimit;
        /// The breaker's window, seconds.
        uint40 breakerWindowS;
    }

    /// See `Terms`.
    Settlement public immutable settlement;
    /// See `Terms`.
    Token public immutable token;
    /// See `Terms`.
    uint128 public immutable pushMin;
    /// See `Terms`.
    uint128 public immutable relayFee;
    /// See `Terms`.
    uint96 public immutable breakerLimit;
    /// See `Terms`.
    uint40 public immutable breakerWindowS;

    /// See `Flow`.
    Flow public flow;
    /// See `Opened`.
    Opened public opened;
    /// Proven in all, base units.
    uint112 public proven;
    /// Minted for this contract, base units.
    uint112 public funded;
    /// What relayers may still earn, base units.
    uint256 public relayPool;
    /// Every account.
    mapping(address account => Account) public accounts;
    /// The claim tree of each opened epoch.
    mapping(uint64 epoch => bytes32) public claimRoots;

    /// An epoch may be claimed.
    event EpochOpened(uint64 indexed epoch, uint32 revision, bytes32 claimRoot, uint256 cumulative, uint256 minted);
    /// A correction is under way: the epoch may not be claimed for now.
    event Retracted(uint64 indexed epoch, uint32 revision);
    /// A relayer pushed increases.
    event Pushed(uint64 indexed epoch, address indexed relayer, uint256 accounts, uint256 amount, uint256 fee);
    /// The relay pool was granted more.
    event RelayFunded(uint256 amount, uint256 pool);

    /// The contracts do not know each other, or the terms make no sense.
    error BadTerms();
    /// The last final epoch is open already, or nothing is to be retracted.
    error NothingToDo();
    /// The proof leads elsewhere.
    error NotProven();
    /// The epoch is not open.
    error NotOpen(uint64 epoch);
    /// Paid already, or the breaker lets nothing through at the moment.
    error NothingDue(address account);
    /// Lists of different lengths.
    error Lengths();

    constructor(Terms memory terms) Guarded(terms.timelock, terms.guardian) {
        if (terms.token.minter() != address(this) || address(terms.token.settlement()) != address(terms.settlement)) revert BadTerms();
        if (terms.relayFee > terms.pushMin || terms.pushMin == 0) revert BadTerms();
        if (terms.breakerLimit == 0 || terms.breakerWindowS == 0) revert BadTerms();
        settlement = terms.settlement;
        token = terms.token;
        pushMin = terms.pushMin;
        relayFee = terms.relayFee;
        breakerLimit = terms.breakerLimit;
        breakerWindowS = terms.breakerWindowS;
    }

    /// Opens the last final epoch for claims, and mints what its row proves beyond what was minted. Anyone may call. Epochs
    /// may be passed over: totals are cumulative.
    function open(bytes32 claimRoot, uint256 leaves, uint256 cumulative, bytes32[] calldata proof) external {
        Settlement.Head memory head = settlement.latestFinal();
        Opened memory last = opened;
        bool later = head.epoch > last.epoch || (head.epoch == last.epoch && head.revision > last.revision);
        if (last.any && !later) revert NothingToDo();
        bytes32 row = _twice(abi.encode(block.chainid, address(this), claimRoot, leaves, cumulative));
        if (!MerkleProof.verifyCalldata(proof, head.settlementsRoot, row)) revert NotProven();
        if (cumulative > type(uint112).max) revert NotProven();
        opened = Opened(head.epoch, head.revision, true);
        claimRoots[head.epoch] = claimRoot;
        uint112 paidInAll = proven - flow.unpaid;
        // A corrected total may be below what was paid: then nothing is, until later epochs make up for it.
        uint112 total = cumulative > paidInAll ? uint112(cumulative) : paidInAll;
        proven = total;
        flow.unpaid = total - paidInAll;
        uint256 fresh = total > funded ? total - funded : 0;
        if (fresh != 0) {
            funded = total;
            token.mint(fresh);
        }
        emit EpochOpened(head.epoch, head.revision, claimRoot, cumulative, fresh);
    }

    /// Closes an opened epoch that is being corrected, until its correction is final. Anyone may call.
    function retract() external {
        Opened memory last = opened;
        if (!last.any || claimRoots[last.epoch] == 0) revert NothingToDo();
        Settlement.Head memory head = settlement.latest();
        if (head.epoch != last.epoch || head.revision <= last.revision) revert NothingToDo();
        delete claimRoots[last.epoch];
        emit Retracted(last.epoch, last.revision);
    }

    /// Pays the caller what it is due by an open epoch's tree.
    function claim(uint64 epoch, uint256 cumulative, bytes32[] calldata proof) external returns (uint256) {
        return claimFor(msg.sender, epoch, cumulative, proof);
    }

    /// Pays an account what it is due. Anyone may call. Pays a part where the breaker lets no more through.
    function claimFor(address account, uint64 epoch, uint256 cumulative, bytes32[] calldata proof)
        public
        returns (uint256 amount)
    {
        bytes32 root = _openRoot(epoch);
        if (!MerkleProof.verifyCalldata(proof, root, _leaf(account, cumulative))) revert NotProven();
        Flow memory now_ = _current();
        uint128 paid = accounts[account].paid;
        if (cumulative <= paid) revert NothingDue(account);
        amount = _least(cumulative - paid, _room(now_));
        if (amount == 0) revert NothingDue(account);
        _count(now_, amount);
        flow = now_;
        // No more than fits: `amount` is at most `unpaid`.
        accounts[account].paid = paid + uint128(amount);
        if (account != address(this)) {
            token.transfer(account, amount);
            return amount;
        }
        relayPool += amount;
        emit RelayFunded(amount, relayPool);
    }

    /// Pushes to many accounts of one open epoch what each is due, by one proof for all (`MerkleProof.multiProofVerify`).
    /// Whoever is due less than the threshold, or more than the breaker lets through, is passed over, and so is whoever was
    /// paid in the meantime: a batch cannot be spoiled by one of its accounts. Anyone may call, and earns the fee.
    function payMany(
        uint64 epoch,
        address[] calldata to,
        uint256[] calldata cumulatives,
        bytes32[] calldata proof,
        bool[] calldata flags
    ) external returns (uint256 pushed, uint256 total) {
        bytes32 root = _openRoot(epoch);
        uint256 count = to.length;
        if (count != cumulatives.length) revert Lengths();
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = _leaf(to[i], cumulatives[i]);
        }
        if (count == 0 || !MerkleProof.multiProofVerifyCalldata(proof, flags, root, leaves)) revert NotProven();
        Flow memory now_ = _current();
        uint256[] memory amounts = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 amount = _pushable(to[i], cumulatives[i], now_);
            if (amount == 0) continue;
            accounts[to[i]].paid += uint128(amount);
            _count(now_, amount);
            amounts[i] = amount;
            total += amount;
            ++pushed;
        }
        flow = now_;
        // Only the last epoch earns: who waits and pushes one increase epoch by epoch earns no more than who pushes it once.
        uint256 fee = epoch == opened.epoch ? _least(pushed * relayFee, relayPool) : 0;
        if (fee != 0) relayPool -= fee;
        // Everything is written down: only now does money move.
        for (uint256 i = 0; i < count; ++i) {
            if (amounts[i] != 0) token.transfer(to[i], amounts[i]);
        }
        if (fee != 0) token.transfer(msg.sender, fee);
        emit Pushed(epoch, msg.sender, pushed, total, fee);
    }

    /// Sets the caller's own threshold: nothing below is pushed to it; the highest value refuses every push.
    function setThreshold(uint128 threshold) external {
        accounts[msg.sender].threshold = threshold;
    }

    /// Whether the guardian stopped it.
    function paused() public view override returns (bool) {
        return flow.stopped;
    }

    /// What the breaker and the proven total let through at the moment, base units.
    function room() external view returns (uint256) {
        return _room(_decayed(flow));
    }

    function _setPaused(bool value) internal override {
        flow.stopped = value;
    }

    function _openRoot(uint64 epoch) private view returns (bytes32 root) {
        root = claimRoots[epoch];
        if (root == 0) revert NotOpen(epoch);
    }

    function _leaf(address account, uint256 cumulative) private view returns (bytes32) {
        return _twice(abi.encode(block.chainid, address(this), account, cumulative));
    }

    /// Twice, so that no inner node can pass for a leaf.
    function _twice(bytes memory encoded) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(encoded)));
    }

    /// What may be pushed to an account: its whole increase, or nothing.
    function _pushable(address account, uint256 cumulative, Flow memory now_) private view returns (uint256) {
        if (account == address(0) || account == address(this)) return 0;
        Account memory known = accounts[account];
        if (cumulative <= known.paid) return 0;
        uint256 increase = cumulative - known.paid;
        if (increase < pushMin || increase < known.threshold || increase > _room(now_)) return 0;
        return increase;
    }

    function _current() private view returns (Flow memory now_) {
        now_ = flow;
        if (now_.stopped) revert IsPaused();
        return _decayed(now_);
    }

    /// The flow as of now: what was spent falls in a straight line to nothing within a window.
    function _decayed(Flow memory now_) private view returns (Flow memory) {
        uint256 since = block.timestamp - now_.spentAt;
        now_.spent = since >= breakerWindowS ? 0 : uint96(now_.spent - uint256(now_.spent) * since / breakerWindowS);
        now_.spentAt = uint40(block.timestamp);
        return now_;
    }

    function _room(Flow memory now_) private view returns (uint256) {
        return _least(breakerLimit - now_.spent, now_.unpaid);
    }

    /// Notes a payment that fits into the room.
    function _count(Flow memory now_, uint256 amount) private pure {
        now_.spent += uint96(amount);
        now_.unpaid -= uint112(amount);
    }

    function _least(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
