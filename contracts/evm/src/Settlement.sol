// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {Auditors} from "./Auditors.sol";
import {EpochMessage, Messages} from "./Messages.sol";
import {Owed} from "./Owed.sol";

/// Which epochs a quorum of auditors signed, one after the other.
///
/// Promises: epoch n + 1 stands on n, by hash, and comes when n is final and its own time is over; an epoch is final when its
/// window is over and nobody halts it; a halt ends by a quorum's word or after seven days. Of what was posted it keeps the
/// last two epochs, so that the last final one can always be read. It holds no tokens and can move none. What it does not do:
/// judge what is signed.
///
/// A quorum may correct the last epoch by a higher revision, also a final one: otherwise a chain on which nobody halted could
/// never follow a network that corrected itself on another.
contract Settlement is Owed {
    /// How long a halt that no quorum answers holds an epoch, seconds.
    uint64 public constant HALT_LASTS_S = 7 days;
    /// Times that the price of a halt doubles at most.
    uint8 public constant DOUBLINGS_MAX = 16;

    /// An epoch as posted.
    struct Head {
        /// Its number.
        uint64 epoch;
        /// Its revision.
        uint32 revision;
        /// Entries of the log.
        uint64 logSize;
        /// When its window is over, seconds.
        uint64 finalAt;
        /// SHA-256 of its statement.
        bytes32 statementHash;
        /// RFC 6962 root of the log.
        bytes32 logRoot;
        /// RFC 6962 root of the state.
        bytes32 stateRoot;
        /// Root of the settlement rows.
        bytes32 settlementsRoot;
    }

    /// A watcher's word that the last epoch is wrong.
    struct Halt {
        /// Who; zero for nobody.
        address watcher;
        /// When, seconds.
        uint64 sinceS;
        /// What it cost, wei.
        uint256 bond;
    }

    /// What is fixed for ever.
    struct Terms {
        /// Who signs.
        Auditors auditors;
        /// The first epoch that is settled here.
        uint64 firstEpoch;
        /// Hash of the statement before it; zeros for epoch 0.
        bytes32 firstPrevious;
        /// Start of epoch 0, seconds since 1970 UTC, rounded up.
        uint64 zeroS;
        /// Length of an epoch, seconds, rounded up.
        uint64 lengthS;
        /// How long an epoch may be challenged, seconds.
        uint64 windowS;
        /// What the first halt costs, wei.
        uint96 haltBond;
        /// Where the bonds of halts that were wrong go.
        address treasury;
    }

    /// See `Terms`.
    Auditors public immutable auditors;
    /// See `Terms`.
    uint64 public immutable firstEpoch;
    /// See `Terms`.
    bytes32 public immutable firstPrevious;
    /// See `Terms`.
    uint64 public immutable zeroS;
    /// See `Terms`.
    uint64 public immutable lengthS;
    /// See `Terms`.
    uint64 public immutable windowS;
    /// See `Terms`.
    uint96 public immutable haltBond;
    /// See `Terms`.
    address public immutable treasury;

    /// The epoch that comes next.
    uint64 public next;
    /// How many halts were wrong of late: each doubles the price of the next.
    uint8 public doublings;
    /// Whether a halt of the last epoch was wrong: then the price does not fall with the next.
    bool private disturbed;
    /// The halt of the last epoch.
    Halt public halted;
    /// The last two epochs, by the parity of their number.
    Head[2] private heads;

    /// An epoch is posted, or corrected.
    event Posted(uint64 indexed epoch, uint32 revision, bytes32 statementHash, bytes32 settlementsRoot, uint64 finalAt);
    /// A watcher halted the last epoch.
    event Halted(uint64 indexed epoch, uint32 revision, address indexed watcher, uint256 bond);
    /// A halt is over: upheld and given back, or lost.
    event HaltOver(uint64 indexed epoch, address indexed watcher, bool upheld);

    /// Neither the next epoch nor the last one.
    error NotNext(uint64 epoch, uint64 next);
    /// It does not stand on the epoch before it.
    error NotOnPrevious(bytes32 previousHash, bytes32 expected);
    /// The log shrank.
    error LogShrank(uint64 size, uint64 before);
    /// The epoch's time, or the window of the epoch before it, is not over.
    error TooEarly(uint64 epoch);
    /// A correction of a lower or the same revision, or of nothing.
    error NothingCorrected(uint32 revision);
    /// No epoch is final yet.
    error NothingFinal();
    /// This is not the last epoch, it is final, or it is halted already.
    error NotToHalt(uint64 epoch, uint32 revision);
    /// A halt costs more than was sent.
    error HaltCosts(uint256 price);
    /// The terms make no sense.
    error BadTerms();

    constructor(Terms memory terms) {
        bool real = !terms.auditors.rehearsal();
        if (terms.lengthS == 0 || terms.treasury == address(0)) revert BadTerms();
        if (real && (terms.windowS == 0 || terms.haltBond == 0)) revert BadTerms();
        auditors = terms.auditors;
        firstEpoch = terms.firstEpoch;
        firstPrevious = terms.firstPrevious;
        zeroS = terms.zeroS;
        lengthS = terms.lengthS;
        windowS = terms.windowS;
        haltBond = terms.haltBond;
        treasury = terms.treasury;
        next = terms.firstEpoch;
    }

    /// Posts the next epoch, or corrects the last one. Anyone may call who holds a quorum's signatures.
    function post(EpochMessage calldata message, bytes calldata signatures) external {
        auditors.requireQuorum(Messages.hash(message), signatures);
        (uint64 coming, uint64 epoch) = (next, message.epoch);
        bool corrects = coming != firstEpoch && epoch + 1 == coming;
        if (!corrects && epoch != coming) revert NotNext(epoch, coming);
        if (block.timestamp < zeroS + (epoch + 1) * lengthS) revert TooEarly(epoch);
        if (epoch == firstEpoch) {
            if (message.previousHash != firstPrevious) revert NotOnPrevious(message.previousHash, firstPrevious);
        } else {
            Head storage previous = heads[(epoch - 1) & 1];
            if (message.previousHash != previous.statementHash) {
                revert NotOnPrevious(message.previousHash, previous.statementHash);
            }
            if (message.logSize < previous.logSize) revert LogShrank(message.logSize, previous.logSize);
            if (!corrects && !_lastIsFinal()) revert TooEarly(epoch);
        }
        uint64 finalAt = uint64(block.timestamp) + windowS;
        Head storage head = heads[epoch & 1];
        if (corrects) {
            finalAt = _correct(head, message, finalAt);
        } else {
            _endLapsedHalt();
            next = coming + 1;
        }
        _write(head, message, finalAt);
        emit Posted(epoch, message.revision, message.statementHash, message.settlementsRoot, finalAt);
    }

    /// Halts the last epoch. The message is named, so that no other is halted by mistake; all that is sent is the bond.
    function halt(uint64 epoch, uint32 revision, bytes32 statementHash) external payable {
        Head storage head = heads[epoch & 1];
        bool last = next != firstEpoch && epoch + 1 == next && head.revision == revision;
        bool named = last && head.statementHash == statementHash;
        if (!named || halted.watcher != address(0) || block.timestamp >= head.finalAt) revert NotToHalt(epoch, revision);
        uint256 price = haltPrice();
        if (msg.value < price) revert HaltCosts(price);
        halted = Halt(msg.sender, uint64(block.timestamp), msg.value);
        emit Halted(epoch, revision, msg.sender, msg.value);
    }

    /// What the next halt costs, wei.
    function haltPrice() public view returns (uint256) {
        return uint256(haltBond) << doublings;
    }

    /// The last final epoch.
    function latestFinal() external view returns (Head memory) {
        uint64 coming = next;
        if (coming == firstEpoch) revert NothingFinal();
        if (_lastIsFinal()) return heads[(coming - 1) & 1];
        if (coming - 1 == firstEpoch) revert NothingFinal();
        // The one before the last was final when the last was posted, and can be corrected no more.
        return heads[coming & 1];
    }

    /// The last epoch, final or not.
    function latest() external view returns (Head memory) {
        if (next == firstEpoch) revert NothingFinal();
        return heads[(next - 1) & 1];
    }

    function _lastIsFinal() private view returns (bool) {
        Halt storage by = halted;
        if (by.watcher != address(0)) return block.timestamp >= by.sinceS + HALT_LASTS_S;
        return block.timestamp >= heads[(next - 1) & 1].finalAt;
    }

    /// When the last epoch is final after its correction, and what becomes of a halt.
    function _correct(Head storage head, EpochMessage calldata message, uint64 finalAt) private returns (uint64) {
        if (message.revision <= head.revision) revert NothingCorrected(message.revision);
        bool same = head.statementHash == message.statementHash && head.logRoot == message.logRoot
            && head.stateRoot == message.stateRoot && head.settlementsRoot == message.settlementsRoot
            && head.logSize == message.logSize;
        bool live = halted.watcher != address(0) && block.timestamp < halted.sinceS + HALT_LASTS_S;
        if (same && !live) revert NothingCorrected(message.revision);
        if (halted.watcher != address(0)) _endHalt(message.epoch, live && !same);
        if (!same) return finalAt;
        // The same once more: the quorum dismisses the halt, and the window runs on as it was.
        return head.finalAt > block.timestamp ? head.finalAt : uint64(block.timestamp);
    }

    /// Before the next epoch: a halt that nobody answered is lost, and an epoch without one lets the price fall again.
    function _endLapsedHalt() private {
        if (halted.watcher != address(0)) _endHalt(next - 1, false);
        else if (!disturbed && doublings != 0) --doublings;
        disturbed = false;
    }

    function _endHalt(uint64 epoch, bool upheld) private {
        Halt memory over = halted;
        delete halted;
        if (upheld) doublings = 0;
        else if (doublings < DOUBLINGS_MAX) ++doublings;
        disturbed = !upheld;
        _owe(upheld ? over.watcher : treasury, over.bond);
        emit HaltOver(epoch, over.watcher, upheld);
    }

    function _write(Head storage head, EpochMessage calldata message, uint64 finalAt) private {
        (head.epoch, head.revision, head.logSize, head.finalAt) =
            (message.epoch, message.revision, message.logSize, finalAt);
        head.statementHash = message.statementHash;
        head.logRoot = message.logRoot;
        head.stateRoot = message.stateRoot;
        head.settlementsRoot = message.settlementsRoot;
    }
}
