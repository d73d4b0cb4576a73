//! A transfer that its payer signs and anybody may send (EIP-3009), and who signed it.

use cairn_core::wallet::{WalletKey, recover_evm};
use cairn_core::{Address, keccak256};

use crate::word::{Word, word_of};

/// An account or contract on an EVM chain.
pub type EvmAddress = [u8; 20];

/// Bytes of a signature: `r || s || v`.
pub const SIGNATURE_BYTES: usize = 65;

const DOMAIN_TYPE: &[u8] = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const TRANSFER_TYPE: &[u8] = b"TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)";

/// The EIP-712 domain of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDomain {
    /// The token's name, as its contract has it.
    pub name: String,
    /// The version, as its contract has it.
    pub version: String,
    /// The chain (EIP-155).
    pub chain_id: u64,
    /// The contract.
    pub token: EvmAddress,
}

/// What is moved, from whom to whom, and when it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorization {
    /// Who pays.
    pub from: EvmAddress,
    /// Who is paid.
    pub to: EvmAddress,
    /// Base units of the token.
    pub value: Word,
    /// Only after this time, seconds since 1970 UTC.
    pub valid_after: Word,
    /// Only before this time, seconds since 1970 UTC.
    pub valid_before: Word,
    /// Chosen by the payer; the token takes each of a payer's once.
    pub nonce: Word,
}

/// An authorization and the signature that stands beside it. Nothing about it is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// What was signed.
    pub authorization: Authorization,
    /// `r || s || v`, with `v` 27 or 28.
    pub signature: [u8; SIGNATURE_BYTES],
}

fn address_word(address: &EvmAddress) -> Word {
    let mut word = [0; 32];
    word[12..].copy_from_slice(address);
    word
}

impl TokenDomain {
    /// keccak256 of the domain (EIP-712).
    #[must_use]
    pub fn separator(&self) -> Word {
        keccak256(
            &[
                keccak256(DOMAIN_TYPE),
                keccak256(self.name.as_bytes()),
                keccak256(self.version.as_bytes()),
                word_of(self.chain_id),
                address_word(&self.token),
            ]
            .concat(),
        )
    }
}

impl Authorization {
    /// What is signed (EIP-712).
    #[must_use]
    pub fn digest(&self, domain: &TokenDomain) -> Word {
        let message = keccak256(
            &[
                keccak256(TRANSFER_TYPE),
                address_word(&self.from),
                address_word(&self.to),
                self.value,
                self.valid_after,
                self.valid_before,
                self.nonce,
            ]
            .concat(),
        );
        keccak256(&[&[0x19, 0x01][..], &domain.separator(), &message].concat())
    }

    /// Signs it.
    #[must_use]
    pub fn sign(self, domain: &TokenDomain, key: &WalletKey) -> Signed {
        Signed { authorization: self, signature: key.sign_digest(&self.digest(domain)) }
    }
}

impl Signed {
    /// Who signed, if anybody did; high `s` and `v` other than 27 and 28 are nobody's, as for the token's contract.
    #[must_use]
    pub fn signer(&self, domain: &TokenDomain) -> Option<EvmAddress> {
        recover_evm(&self.authorization.digest(domain), &self.signature)
    }

    /// Whether the payer signed.
    #[must_use]
    pub fn is_the_payers(&self, domain: &TokenDomain) -> bool {
        self.signer(domain) == Some(self.authorization.from)
    }
}

/// The account of a wallet's key.
pub(crate) fn account_of(key: &WalletKey) -> EvmAddress {
    match key.address() {
        Address::Evm(address) => address,
        Address::Solana(_) => unreachable!("a secp256k1 key has an EVM address"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::word::{bytes, parse_word};

    /// The payment of the specification's example, whose payer and digest an independent implementation computed.
    pub(crate) fn example() -> (TokenDomain, Signed) {
        let domain = TokenDomain {
            name: "USDC".into(),
            version: "2".into(),
            chain_id: 84_532,
            token: bytes("0x036CbD53842c5426634e7929541eC2318f3dCF7e").unwrap(),
        };
        let authorization = Authorization {
            from: bytes("0x857b06519E91e3A54538791bDbb0E22373e36b66").unwrap(),
            to: bytes("0x209693Bc6afc0C5328bA36FaF03C514EF312287C").unwrap(),
            value: word_of(10_000u32),
            valid_after: word_of(1_740_672_089u32),
            valid_before: word_of(1_740_672_154u32),
            nonce: parse_word("0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480").unwrap(),
        };
        let signature = "0x2d6a7588d6acca505cbf0d9a4a227e0c52c6c34008c8e8986a1283259764173608a2ce6496642e377d6da8dbbf5836e9bd15092f9ecab05ded3d6293af148b571c";
        (domain, Signed { authorization, signature: bytes(signature).unwrap() })
    }

    #[test]
    fn the_example_of_the_specification_recovers_its_payer() {
        let (domain, signed) = example();
        let digest = "0xf256992871671abcb27ff92885a7afa46218724e5fc0bac35d050115aa1d22e6";
        assert_eq!(signed.authorization.digest(&domain), bytes::<32>(digest).unwrap());
        assert_eq!(signed.signer(&domain), Some(signed.authorization.from));
    }

    #[test]
    fn the_types_are_those_of_the_standard_and_of_the_contract() {
        let typehash = "0x7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267";
        assert_eq!(keccak256(TRANSFER_TYPE), bytes::<32>(typehash).unwrap());
        let contract = include_str!("../../../contracts/evm/src/Authorized.sol");
        assert!(contract.contains(core::str::from_utf8(TRANSFER_TYPE).unwrap()));
    }

    #[test]
    fn the_same_signature_on_another_chain_or_for_another_token_is_not_the_payers() {
        let (domain, signed) = example();
        let others = [
            TokenDomain { chain_id: 8_453, ..domain.clone() },
            TokenDomain { name: "USD Coin".into(), ..domain.clone() },
            TokenDomain { version: "1".into(), ..domain.clone() },
            TokenDomain { token: [7; 20], ..domain.clone() },
        ];
        for other in others {
            assert!(!signed.is_the_payers(&other), "{other:?}");
        }
        assert!(signed.is_the_payers(&domain));
    }

    #[test]
    fn every_flipped_bit_changes_who_signed_or_leaves_nobody() {
        let (domain, signed) = example();
        let payer = signed.authorization.from;
        for byte in 0..SIGNATURE_BYTES {
            for bit in 0..8 {
                let mut turned = signed;
                turned.signature[byte] ^= 1 << bit;
                assert_ne!(turned.signer(&domain), Some(payer), "bit {bit} of byte {byte} of the signature");
            }
        }
        let fields: [fn(&mut Authorization) -> &mut [u8]; 6] = [
            |a| &mut a.from,
            |a| &mut a.to,
            |a| &mut a.value,
            |a| &mut a.valid_after,
            |a| &mut a.valid_before,
            |a| &mut a.nonce,
        ];
        for (place, field) in fields.iter().enumerate() {
            let length = field(&mut signed.authorization.clone()).len();
            for bit in 0..length * 8 {
                let mut turned = signed;
                field(&mut turned.authorization)[bit / 8] ^= 1 << (bit % 8);
                assert!(!turned.is_the_payers(&domain), "bit {bit} of field {place}");
                assert_ne!(turned.signer(&domain), Some(payer), "bit {bit} of field {place}");
            }
        }
    }
}
