// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Guarded} from "./Guarded.sol";
import {Token} from "./Token.sol";

/// Where buyers pay. The event is what the log observes, and becomes their credit there.
///
/// Promises: the network's token is burned; an allow-listed asset can go to the treasury's shares and nowhere else; an event
/// states what has arrived, not what was announced. It gives nothing back: refunds are ordinary payouts.
contract Deposits is Guarded, ReentrancyGuard {
    using SafeERC20 for IERC20;

    /// Shares that the treasury is split into, at most.
    uint256 public constant SHARES_MAX = 8;

    /// A share of the treasury.
    struct Share {
        /// Who.
        address to;
        /// Of a million.
        uint32 ppm;
    }

    /// What a buyer says with a deposit.
    struct Purpose {
        /// The account that is credited, as in claims: an EVM address is padded with zeros on the left.
        bytes32 buyer;
        /// Anything: an order's hash, or zero.
        bytes32 memo;
    }

    /// An owner's authorization to receive (EIP-3009); its nonce is made of the purpose and the salt.
    struct Authorization {
        /// Whose tokens.
        address from;
        /// Seconds.
        uint256 validAfter;
        /// Seconds.
        uint256 validBefore;
        /// So that the same deposit can be made again.
        bytes32 salt;
        /// Signature.
        uint8 v;
        /// Signature.
        bytes32 r;
        /// Signature.
        bytes32 s;
    }

    /// The network's token.
    Token public immutable token;

    /// Deposits so far.
    uint64 public count;
    /// Stopped by the guardian.
    bool private stopped;
    /// Other assets that are taken.
    mapping(address asset => bool) public allowed;
    /// How the treasury is split.
    Share[] public shares;

    /// A buyer paid. `number` counts from 0 without gaps.
    event Deposited(
        uint64 indexed number, bytes32 indexed buyer, address indexed asset, uint256 amount, address payer, bytes32 memo
    );
    /// An asset is taken, or no more.
    event Allowed(address indexed asset, bool allowed);
    /// The treasury is split anew.
    event Split(Share[] shares);

    /// The token does not burn for this contract.
    error BadTerms();
    /// The asset is not taken.
    error NotTaken(address asset);
    /// Nothing arrived.
    error NothingArrived();
    /// Shares are not a million together, or too many, or nobody's.
    error BadShares();

    constructor(Token token_, address timelock_, address guardian_, Share[] memory split_)
        Guarded(timelock_, guardian_)
    {
        if (token_.depositor() != address(this)) revert BadTerms();
        token = token_;
        _split(split_);
    }

    /// Pays in the network's token, which the caller has approved.
    function deposit(Purpose calldata purpose, uint256 amount) external nonReentrant {
        _running();
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        _burn(purpose, amount, msg.sender);
    }

    /// Pays in the network's token by an owner's signature, which binds buyer and memo. Anyone may send it.
    function depositWithAuthorization(Purpose calldata purpose, uint256 amount, Authorization calldata by)
        external
        nonReentrant
    {
        _running();
        bytes32 nonce = authorizationNonce(purpose, by.salt);
        token.receiveWithAuthorization(
            by.from, address(this), amount, by.validAfter, by.validBefore, nonce, by.v, by.r, by.s
        );
        _burn(purpose, amount, by.from);
    }

    /// The nonce that an authorization must be signed with.
    function authorizationNonce(Purpose calldata purpose, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(purpose.buyer, purpose.memo, salt));
    }

    /// Pays in an allow-listed asset, which the caller has approved. What arrives counts.
    function depositAsset(Purpose calldata purpose, address asset, uint256 amount) external nonReentrant {
        _running();
        if (!allowed[asset]) revert NotTaken(asset);
        uint256 before = IERC20(asset).balanceOf(address(this));
        IERC20(asset).safeTransferFrom(msg.sender, address(this), amount);
        _say(purpose, asset, IERC20(asset).balanceOf(address(this)) - before, msg.sender);
    }

    /// Sends all that is here of an asset to the treasury's shares; what rounding leaves goes to the last. Anyone may call.
    function sweep(address asset) external nonReentrant {
        uint256 all = IERC20(asset).balanceOf(address(this));
        uint256 left = all;
        uint256 last = shares.length - 1;
        for (uint256 i = 0; i <= last; ++i) {
            Share memory share = shares[i];
            uint256 part = i == last ? left : all * share.ppm / 1_000_000;
            left -= part;
            if (part != 0) IERC20(asset).safeTransfer(share.to, part);
        }
    }

    /// Takes an asset, or no more.
    function allow(address asset, bool value) external onlyTimelock {
        if (asset == address(token)) revert NotTaken(asset);
        allowed[asset] = value;
        emit Allowed(asset, value);
    }

    /// Splits the treasury anew.
    function split(Share[] memory anew) external onlyTimelock {
        _split(anew);
    }

    /// Whether the guardian stopped it.
    function paused() public view override returns (bool) {
        return stopped;
    }

    function _setPaused(bool value) internal override {
        stopped = value;
    }

    function _running() private view {
        if (stopped) revert IsPaused();
    }

    function _burn(Purpose calldata purpose, uint256 amount, address payer) private {
        token.burnForCredit(amount);
        _say(purpose, address(token), amount, payer);
    }

    function _say(Purpose calldata purpose, address asset, uint256 amount, address payer) private {
        if (amount == 0) revert NothingArrived();
        emit Deposited(count++, purpose.buyer, asset, amount, payer, purpose.memo);
    }

    function _split(Share[] memory anew) private {
        if (anew.length > SHARES_MAX) revert BadShares();
        delete shares;
        uint256 sum;
        for (uint256 i = 0; i < anew.length; ++i) {
            if (anew[i].to == address(0)) revert BadShares();
            sum += anew[i].ppm;
            shares.push(anew[i]);
        }
        if (sum != 1_000_000) revert BadShares();
        emit Split(anew);
    }
}
