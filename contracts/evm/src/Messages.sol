// SPDX-License-Identifier: Apache-2.0 OR MIT
pragma solidity 0.8.37;

/// What auditors sign of an epoch. Every field is bound; which chain it is posted to is not: one truth on every chain.
struct EpochMessage {
    /// The epoch's number.
    uint64 epoch;
    /// 0, or higher where auditors correct what they signed before.
    uint32 revision;
    /// SHA-256 of the epoch statement.
    bytes32 statementHash;
    /// SHA-256 of the epoch statement before it; zeros for epoch 0.
    bytes32 previousHash;
    /// Entries of the log that the epoch closes at.
    uint64 logSize;
    /// RFC 6962 root of the log at that size.
    bytes32 logRoot;
    /// RFC 6962 root over the state's records after the epoch.
    bytes32 stateRoot;
    /// Root of the tree of settlement rows, one for each chain that is paid on.
    bytes32 settlementsRoot;
}

/// EIP-712 hashes of what auditors sign. The domain is the network alone: no chain id, no contract.
library Messages {
    bytes32 internal constant DOMAIN_TYPE = keccak256("EIP712Domain(string name,string version,bytes32 salt)");
    bytes32 internal constant EPOCH_TYPE = keccak256(
        "CairnEpoch(uint64 epoch,uint32 revision,bytes32 statementHash,bytes32 previousHash,uint64 logSize,bytes32 logRoot,bytes32 stateRoot,bytes32 settlementsRoot)"
    );
    bytes32 internal constant AUDITORS_TYPE =
        keccak256("CairnAuditors(uint32 set,uint32 revision,address[] members,uint8 threshold)");

    /// The domain separator of a network.
    function domain(bytes32 network) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPE, keccak256("Cairn"), keccak256("1"), network));
    }

    /// The struct hash of an epoch's message.
    function hash(EpochMessage calldata message) internal pure returns (bytes32) {
        // Every member of the struct is static, so its ABI encoding is its EIP-712 encoding.
        return keccak256(abi.encode(EPOCH_TYPE, message));
    }

    /// The struct hash of a change of the set of auditors.
    function hash(uint32 set, uint32 revision, address[] calldata members, uint8 threshold)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(AUDITORS_TYPE, set, revision, keccak256(abi.encodePacked(members)), threshold)
        );
    }

    /// What is signed: a struct hash in a domain.
    function digest(bytes32 separator, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }
}
