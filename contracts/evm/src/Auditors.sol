// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {EpochMessage, Messages} from "./Messages.sol";
import {Owed} from "./Owed.sol";

/// Who may sign for the network, how many must, and what they lose for signing two truths.
///
/// Promises: nothing counts as a quorum but `threshold` different, bonded members of the current set over one message; the
/// set changes only by a quorum of the set before it, after a delay; whoever signs two messages for one epoch and revision
/// loses the bond to anyone who shows them, on every chain where there is a bond. There is no owner. What it does not do:
/// judge what is signed, or bring back a quorum whose keys are lost.
contract Auditors is Owed {
    /// Most members of a set.
    uint256 public constant MEMBERS_MAX = 64;
    /// Fewest members where money is real.
    uint256 public constant MEMBERS_MIN = 4;
    /// Share of a lost bond that goes to who showed the two messages, in ppm. Small, so that showing one's own saves little.
    uint256 public constant REPORTER_PPM = 100_000;
    /// Least delay of a change of the set where money is real, seconds.
    uint64 public constant CHANGE_DELAY_MIN_S = 1 days;
    /// Least time that a bond answers after its owner left the set, where money is real, seconds.
    uint64 public constant UNBOND_DELAY_MIN_S = 14 days;

    /// One auditor.
    struct Seat {
        /// The bond, wei.
        uint96 bond;
        /// The last set it belonged to; 0 for none.
        uint32 set;
        /// Signed two truths, once and for all.
        bool slashed;
    }

    /// The set in force.
    struct Set {
        /// From 1 on.
        uint32 id;
        /// Members.
        uint8 size;
        /// How many must sign.
        uint8 threshold;
    }

    /// The set to come.
    struct Change {
        /// Its struct hash; zero for none.
        bytes32 hash;
        /// Its revision; a higher one takes its place.
        uint32 revision;
        /// When it may be put in force, seconds.
        uint64 readyAt;
    }

    /// What is fixed for ever.
    struct Terms {
        /// SHA-256 of the network's genesis.
        bytes32 network;
        /// Nothing here is real money: few auditors and no bond are allowed.
        bool rehearsal;
        /// The bond below which a signature does not count, wei.
        uint96 bondMin;
        /// Between a quorum's word and the change of the set, seconds.
        uint64 changeDelayS;
        /// Between leaving the set and having the bond back, seconds.
        uint64 unbondDelayS;
        /// Where lost bonds go.
        address treasury;
    }

    /// The network.
    bytes32 public immutable network;
    /// The EIP-712 domain separator of the network.
    bytes32 public immutable domainSeparator;
    /// Whether this is a rehearsal.
    bool public immutable rehearsal;
    /// See `Terms`.
    uint96 public immutable bondMin;
    /// See `Terms`.
    uint64 public immutable changeDelayS;
    /// See `Terms`.
    uint64 public immutable unbondDelayS;
    /// See `Terms`.
    address public immutable treasury;

    /// The set in force.
    Set public current;
    /// The set to come.
    Change public pending;
    /// Every auditor's seat.
    mapping(address auditor => Seat) public seats;
    /// When each set came into force, seconds.
    mapping(uint32 set => uint64) public startedAt;

    /// A set is in force.
    event Seated(uint32 indexed set, address[] members, uint8 threshold);
    /// A quorum wants another set.
    event Proposed(uint32 indexed set, uint32 revision, address[] members, uint8 threshold, uint64 readyAt);
    /// An auditor's bond grew or was given back.
    event Bonded(address indexed auditor, uint256 bond);
    /// An auditor signed two truths.
    event Slashed(address indexed auditor, address indexed reporter, uint64 epoch, uint32 revision, uint256 bond);

    /// The terms are not those of a network with real money.
    error BadTerms();
    /// Too few or too many members, or a threshold below two thirds and one.
    error BadSet(uint256 size, uint8 threshold);
    /// Addresses are not strictly ascending from above zero.
    error NotAscending(uint256 place);
    /// Signatures that are not a whole number of 65 bytes, or fewer than the threshold.
    error NoQuorum(uint256 bytesGiven, uint8 threshold);
    /// A signature by somebody who is not a bonded member of the current set.
    error NotAnAuditor(address signer);
    /// A change with this or a higher revision is there already.
    error NotLater(uint32 revision);
    /// Not the change that is pending.
    error NotPending();
    /// Not yet.
    error TooEarly(uint64 readyAt);
    /// The auditor answers with the bond: seated, or not gone for long enough, or slashed.
    error Answering(address auditor);
    /// The two messages do not contradict each other, or are not by one signer.
    error NoContradiction();

    constructor(Terms memory terms, address[] memory members, uint8 threshold) {
        if (terms.network == 0 || terms.treasury == address(0)) revert BadTerms();
        if (!terms.rehearsal) {
            bool short = terms.changeDelayS < CHANGE_DELAY_MIN_S || terms.unbondDelayS < UNBOND_DELAY_MIN_S;
            if (terms.bondMin == 0 || short) revert BadTerms();
        }
        network = terms.network;
        domainSeparator = Messages.domain(terms.network);
        rehearsal = terms.rehearsal;
        bondMin = terms.bondMin;
        changeDelayS = terms.changeDelayS;
        unbondDelayS = terms.unbondDelayS;
        treasury = terms.treasury;
        _check(members, threshold, terms.rehearsal);
        _seat(1, members, threshold);
    }

    /// Reverts unless `signatures` (65 bytes each, `r || s || v`, by strictly ascending signers, low `s`) are of at least
    /// the threshold of bonded members of the current set over the struct hash in this network's domain. One that does not
    /// count spoils all.
    function requireQuorum(bytes32 structHash, bytes calldata signatures) public view {
        Set memory set = current;
        uint256 count = signatures.length / 65;
        if (signatures.length % 65 != 0 || count < set.threshold) revert NoQuorum(signatures.length, set.threshold);
        bytes32 digest = Messages.digest(domainSeparator, structHash);
        address last;
        for (uint256 i = 0; i < count; ++i) {
            address signer = _recover(digest, signatures[i * 65:(i + 1) * 65]);
            // Zero, the answer to what is no signature, is never above the one before.
            if (signer <= last) revert NotAscending(i);
            Seat memory seat = seats[signer];
            if (seat.set != set.id || seat.bond < bondMin || seat.slashed) revert NotAnAuditor(signer);
            last = signer;
        }
    }

    /// Takes a quorum's word that the next set is this one, from after the delay on. Only a higher revision replaces a
    /// change that waits; to stay as it is, a quorum proposes the members of now.
    function propose(uint32 revision, address[] calldata members, uint8 threshold, bytes calldata signatures) external {
        if (pending.hash != 0 && revision <= pending.revision) revert NotLater(pending.revision);
        _check(members, threshold, rehearsal);
        uint32 set = current.id + 1;
        bytes32 structHash = Messages.hash(set, revision, members, threshold);
        requireQuorum(structHash, signatures);
        uint64 readyAt = uint64(block.timestamp) + changeDelayS;
        pending = Change(structHash, revision, readyAt);
        emit Proposed(set, revision, members, threshold, readyAt);
    }

    /// Puts the pending set in force. Anyone may call.
    function activate(address[] calldata members, uint8 threshold) external {
        Change memory change = pending;
        uint32 set = current.id + 1;
        if (change.hash == 0 || change.hash != Messages.hash(set, change.revision, members, threshold)) {
            revert NotPending();
        }
        if (block.timestamp < change.readyAt) revert TooEarly(change.readyAt);
        delete pending;
        _seat(set, members, threshold);
    }

    /// Adds to an auditor's bond. Anyone may pay; it is the auditor's from then on.
    function bond(address auditor) external payable {
        Seat storage seat = seats[auditor];
        if (seat.slashed) revert Answering(auditor);
        seat.bond += SafeCast.toUint96(msg.value);
        emit Bonded(auditor, seat.bond);
    }

    /// Makes the caller's bond its own again, once it has been out of every set for long enough.
    function unbond() external {
        Seat storage seat = seats[msg.sender];
        uint32 set = seat.set;
        bool free = set == 0 || (set != current.id && block.timestamp >= startedAt[set + 1] + unbondDelayS);
        if (!free) revert Answering(msg.sender);
        uint256 amount = seat.bond;
        seat.bond = 0;
        _owe(msg.sender, amount);
        emit Bonded(msg.sender, 0);
    }

    /// Takes the bond of an auditor who signed two different messages for one epoch and revision of this network. Anyone may
    /// show them; the signatures need not have been posted anywhere.
    function slash(
        EpochMessage calldata one,
        bytes calldata signatureOfOne,
        EpochMessage calldata other,
        bytes calldata signatureOfOther
    ) external {
        (bytes32 a, bytes32 b) = (Messages.hash(one), Messages.hash(other));
        if (a == b || one.epoch != other.epoch || one.revision != other.revision) revert NoContradiction();
        address auditor = _recover(Messages.digest(domainSeparator, a), signatureOfOne);
        address same = _recover(Messages.digest(domainSeparator, b), signatureOfOther);
        if (auditor == address(0) || auditor != same) revert NoContradiction();
        Seat storage seat = seats[auditor];
        if (seat.slashed) revert Answering(auditor);
        uint256 lost = seat.bond;
        (seat.bond, seat.slashed) = (0, true);
        uint256 reward = lost * REPORTER_PPM / 1_000_000;
        _owe(msg.sender, reward);
        _owe(treasury, lost - reward);
        emit Slashed(auditor, msg.sender, one.epoch, one.revision, lost);
    }

    /// Who made a signature; zero for anything but 65 bytes with low `s` and `v` 27 or 28.
    function _recover(bytes32 digest, bytes calldata signature) private pure returns (address signer) {
        if (signature.length != 65) return address(0);
        (bytes32 r, bytes32 s) = (bytes32(signature[:32]), bytes32(signature[32:64]));
        ECDSA.RecoverError problem;
        (signer, problem,) = ECDSA.tryRecover(digest, uint8(signature[64]), r, s);
        if (problem != ECDSA.RecoverError.NoError) return address(0);
    }

    function _check(address[] memory members, uint8 threshold, bool few) private pure {
        uint256 size = members.length;
        bool sized = size <= MEMBERS_MAX && size >= (few ? 1 : MEMBERS_MIN);
        if (!sized || threshold > size || threshold < size * 2 / 3 + 1) revert BadSet(size, threshold);
        address last;
        for (uint256 i = 0; i < size; ++i) {
            if (members[i] <= last) revert NotAscending(i);
            last = members[i];
        }
    }

    function _seat(uint32 set, address[] memory members, uint8 threshold) private {
        for (uint256 i = 0; i < members.length; ++i) {
            seats[members[i]].set = set;
        }
        current = Set(set, uint8(members.length), threshold);
        startedAt[set] = uint64(block.timestamp);
        emit Seated(set, members, threshold);
    }
}
