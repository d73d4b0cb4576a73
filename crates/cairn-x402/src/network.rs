//! What chains are called: by CAIP-2, and by the names of the protocol's first version.

/// The names of the first version that an EVM chain has.
const NAMES: [(&str, u64); 12] = [
    ("abstract", 2_741),
    ("abstract-testnet", 11_124),
    ("avalanche", 43_114),
    ("avalanche-fuji", 43_113),
    ("base", 8_453),
    ("base-sepolia", 84_532),
    ("iotex", 4_689),
    ("peaq", 3_338),
    ("polygon", 137),
    ("polygon-amoy", 80_002),
    ("sei", 1_329),
    ("sei-testnet", 1_328),
];

/// The EVM chain (EIP-155) of a CAIP-2 name or of a name of the first version.
#[must_use]
pub fn chain_of(text: &str) -> Option<u64> {
    if let Some(digits) = text.strip_prefix("eip155:") {
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        return digits.parse().ok().filter(|_| is_plain);
    }
    NAMES.iter().find(|(name, _)| *name == text).map(|(_, chain_id)| *chain_id)
}

/// A chain's CAIP-2 name.
pub(crate) fn caip2(chain_id: u64) -> String {
    format!("eip155:{chain_id}")
}

/// What the first version calls a chain; the CAIP-2 name where it has none for it.
#[must_use]
pub fn first_name(chain_id: u64) -> String {
    let named = NAMES.iter().find(|(_, id)| *id == chain_id);
    named.map_or_else(|| caip2(chain_id), |(name, _)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_has_one_name_in_each_version() {
        for (name, chain_id) in NAMES {
            assert_eq!((chain_of(name), first_name(chain_id).as_str()), (Some(chain_id), name));
            assert_eq!(chain_of(&caip2(chain_id)), Some(chain_id));
        }
        assert_eq!(chain_of(&first_name(31_337)), Some(31_337));
        for text in [
            "",
            "eip155:",
            "eip155:0",
            "eip155:01",
            "eip155:+1",
            "eip155:x",
            "solana:1",
            "Base",
            "eip155:18446744073709551616",
        ] {
            assert_eq!(chain_of(text), None, "{text}");
        }
    }
}
