// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// Transfers that the owner signs and anyone may send (EIP-3009). Nonces are chosen, not counted: many may wait at once.
abstract contract Authorized is ERC20, EIP712 {
    /// EIP-3009.
    bytes32 public constant TRANSFER_WITH_AUTHORIZATION_TYPEHASH = keccak256(
        "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    /// EIP-3009.
    bytes32 public constant RECEIVE_WITH_AUTHORIZATION_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    /// EIP-3009.
    bytes32 public constant CANCEL_AUTHORIZATION_TYPEHASH =
        keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");

    /// Whether a nonce was used or cancelled.
    mapping(address authorizer => mapping(bytes32 nonce => bool)) public authorizationState;

    /// EIP-3009.
    event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
    /// EIP-3009.
    event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);

    /// Outside the time that the owner allowed.
    error AuthorizationTime(uint256 validAfter, uint256 validBefore);
    /// The nonce is gone.
    error AuthorizationUsedUp(bytes32 nonce);
    /// Not the owner's signature.
    error AuthorizationSigner(address signer, address owner);
    /// Only the receiver may send this.
    error AuthorizationReceiver(address receiver);

    /// Moves what the owner signed. Anyone may send it.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        bytes32 what = keccak256(
            abi.encode(TRANSFER_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _use(from, validAfter, validBefore, nonce, what, v, r, s);
        _transfer(from, to, value);
    }

    /// As above, but only the receiver may send it: what the receiver does next cannot be cut off from it.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        if (to != msg.sender) revert AuthorizationReceiver(to);
        bytes32 what = keccak256(
            abi.encode(RECEIVE_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _use(from, validAfter, validBefore, nonce, what, v, r, s);
        _transfer(from, to, value);
    }

    /// Makes a nonce useless.
    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s) external {
        _spend(authorizer, nonce, keccak256(abi.encode(CANCEL_AUTHORIZATION_TYPEHASH, authorizer, nonce)), v, r, s);
        emit AuthorizationCanceled(authorizer, nonce);
    }

    function _use(
        address from,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes32 what,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) private {
        if (block.timestamp <= validAfter || block.timestamp >= validBefore) {
            revert AuthorizationTime(validAfter, validBefore);
        }
        _spend(from, nonce, what, v, r, s);
        emit AuthorizationUsed(from, nonce);
    }

    function _spend(address owner, bytes32 nonce, bytes32 what, uint8 v, bytes32 r, bytes32 s) private {
        if (authorizationState[owner][nonce]) revert AuthorizationUsedUp(nonce);
        // Reverts on anything but a signature with low `s`.
        address signer = ECDSA.recover(_hashTypedDataV4(what), v, r, s);
        if (signer != owner) revert AuthorizationSigner(signer, owner);
        authorizationState[owner][nonce] = true;
    }
}
