use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// Keys whose accounts are known: that of the example in EIP-155, the first of the mnemonic `test test ... junk`, and 1.
fn key(number: usize) -> WalletKey {
    let scalar = [
        "4646464646464646464646464646464646464646464646464646464646464646",
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "0000000000000000000000000000000000000000000000000000000000000001",
    ][number];
    WalletKey::from_bytes(hex(scalar).try_into().unwrap()).unwrap()
}

const SENDERS: [&str; 3] = [
    "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f",
    "f39fd6e51aad88f6f4ce6ab8827279cfffb92266",
    "7e5f4552091a69125d5dfcb7b8c2659029395bdf",
];

struct Vector {
    name: &'static str,
    key: usize,
    transaction: Transaction,
    signing_hash: &'static str,
    hash: &'static str,
    raw: &'static str,
}

fn dynamic(chain_id: u64, nonce: u64, max: u128, priority: u128, gas_limit: u64, call: Call) -> Transaction {
    Transaction { chain_id, nonce, fees: Fees::Dynamic { max, priority }, gas_limit, call }
}

fn legacy(chain_id: u64, nonce: u64, price: u128, gas_limit: u64, call: Call) -> Transaction {
    Transaction { chain_id, nonce, fees: Fees::Legacy { price }, gas_limit, call }
}

fn paid(to: u8, value: u128, data: Vec<u8>) -> Call {
    Call { to: Some([to; 20]), value, data }
}

/// The first is the example of EIP-155; the others were signed with ethers 6.
fn vectors() -> Vec<Vector> {
    const GWEI: u128 = 1_000_000_000;
    vec![
        Vector {
            name: "a payment of the older form",
            key: 0,
            transaction: legacy(1, 9, 20 * GWEI, 21_000, paid(0x35, 1_000_000_000 * GWEI, vec![])),
            signing_hash: "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53",
            hash: "33469b22e9f636356c4160a87eb19df52b7412e8eac32a4a55ffe88ea8350788",
            raw: "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83",
        },
        Vector {
            name: "a deployment of the older form on a chain with a large id",
            key: 1,
            transaction: legacy(18_446_744_073_709_551, 0, 0, 30_000_000, Call::deploy(vec![0x60, 1, 0x60, 0])),
            signing_hash: "ad8ba2ab11299795b098da2b6d99879e1d6f7bb0d2a779c72f99f617e45cd74d",
            hash: "807fbc79ce028796e2eb594edb7608b4237dea19f975acb28b0b07df8d526678",
            raw: "f85880808401c9c380808084600160008783126e978d5001a014b6da0d8c256f9b8dfe6ba8857652857197eda35acc3cf333bf3a73202bfbb1a01a9b7472dfc22af096705fe48248fa27b4f8ea2aebeb1ddb87ad22e9197d849c",
        },
        Vector {
            name: "a payment",
            key: 1,
            transaction: dynamic(1, 0, 30 * GWEI, GWEI, 21_000, paid(0x35, 1, vec![])),
            signing_hash: "ff218eb3a1433919c365bdff196948ef9e9fd397d67897a4df68a5947942814c",
            hash: "865fd07dd55318c4b19f981c42e6f217fef1edf3ce0126872effd80102e2e51a",
            raw: "02f86b0180843b9aca008506fc23ac008252089435353535353535353535353535353535353535350180c001a04f0df1936bc9bd8b27737037be3ff6b0474fb0a83deb84af0509e1e58ce20c11a0180a875d69981a04ded96ac6ca897432b57ddc9ddca98aa2fecb93f066f24b62",
        },
        Vector {
            name: "a deployment without fees",
            key: 1,
            transaction: dynamic(31_337, 127, 0, 0, 53_000, Call::deploy(vec![0])),
            signing_hash: "7cb99a02552f70f034d0f1daa49fca9766644054c21d697a3a72cc124d3e5b1f",
            hash: "4d910882891a9f64cc7270f185e60dee87bd599f1dc03aca27dbeaaaf1a79479",
            raw: "02f850827a697f808082cf08808000c001a00db0b6a2375a795a710b72a1f15392d2174233b560c4778de49c3306f48cd224a00fccc183862adef68bca93e3072006117bb811088372c6256c2699fda9196174",
        },
        Vector {
            name: "one byte of data, and the most coin",
            key: 2,
            transaction: dynamic(31_337, 128, 7, 7, 255, paid(0, u128::MAX, vec![0x7f])),
            signing_hash: "45fa040248a1f8d9053b6c78dcbaa372391731ebeed770b97ef32f8c05c2a8f2",
            hash: "0b1ef9d92c506edd6cb41df8b7f3c27e97746c35970631a336dcf32f91429291",
            raw: "02f874827a698180070781ff94000000000000000000000000000000000000000090ffffffffffffffffffffffffffffffff7fc080a0b11ccb0d4aa580ffc0e4a56a70e290a3a384d4b46cc8e2e396482321a9118675a0594403bb0e2ac3a0449f898439c9698ddbf0144fd8f3db9134663f5e59329544",
        },
        Vector {
            name: "data whose length is in its first byte",
            key: 2,
            transaction: dynamic(8453, 256, u128::MAX, 1 << 64, 65_536, paid(0xff, 0, vec![0xab; 55])),
            signing_hash: "f9d79388bacea28c380f8db476593c3f1d327347a6c243c11d9aa3fe33e518f2",
            hash: "5568fe665d42b066b5d5e79a2362f3ac5911706b0c5b66e69c637ad8a69227b8",
            raw: "02f8b78221058201008901000000000000000090ffffffffffffffffffffffffffffffff8301000094ffffffffffffffffffffffffffffffffffffffff80b7abababababababababababababababababababababababababababababababababababababababababababababababababababababababc080a0acca972aa5054a51e3b238e75fac8504b4f13b057b0c8ff5e75050682107ffd3a018000d0f45fa657170b0f0082434018a4a2b4a021988cd3ab7ff01bfa8c2f7b0",
        },
        Vector {
            name: "data whose length is behind its first byte, and a short s",
            key: 0,
            transaction: dynamic(8453, 65_604, 256, 255, 30_000_000, paid(1, 128, vec![0; 56])),
            signing_hash: "d94978188b84408ae0cfccdfe65a7471e436ba74cd7840c94bc2b5076b76144a",
            hash: "6cd04a94213c6a39ba48402aa40e5d8a1ee978257d976efd690e9a669c47ba81",
            raw: "02f8a58221058301004481ff8201008401c9c3809401010101010101010101010101010101010101018180b8380000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000c001a08f1cdc75a6a1dd11b3b5311a3e6bee5c95b57fa7a45c7c4ee65631fccdbd04929f7635ba33fb9aec9f75c7a5a959b37c0574a895b9727b0c29c47ba5be55b090",
        },
    ]
}

#[test]
fn transactions_have_the_bytes_that_other_wallets_give_them() {
    for Vector { name, key: number, transaction, signing_hash, hash, raw } in vectors() {
        assert_eq!(HEXLOWER.encode(&transaction.signing_hash()), signing_hash, "{name}");
        let signed = transaction.sign(&key(number));
        assert_eq!(HEXLOWER.encode(signed.raw()), raw, "{name}");
        assert_eq!(HEXLOWER.encode(&signed.hash()), hash, "{name}");
        assert_eq!(HEXLOWER.encode(&signed.sender()), SENDERS[number], "{name}");
        assert_eq!(SignedTransaction::decode(&hex(raw)), Ok(signed), "{name}");
    }
}

#[test]
fn no_part_of_a_transaction_is_one_and_no_flipped_bit_keeps_its_sender() {
    for Vector { name, key: number, raw, .. } in vectors() {
        let raw = hex(raw);
        for end in 0..raw.len() {
            assert!(SignedTransaction::decode(&raw[..end]).is_err(), "{name} cut at {end}");
        }
        let longer = [&raw[..], &[0]].concat();
        assert_eq!(SignedTransaction::decode(&longer), Err(RlpError::Trailing(1).into()), "{name}");
        for bit in 0..raw.len() * 8 {
            let mut other = raw.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let sender = SignedTransaction::decode(&other).map(|signed| HEXLOWER.encode(&signed.sender()));
            assert_ne!(sender.as_deref(), Ok(SENDERS[number]), "{name}, bit {bit}");
        }
    }
}

/// The items of a list, written; what is put together need not be a transaction.
fn list(kind: &[u8], items: &[&[u8]]) -> Vec<u8> {
    let mut out = kind.to_vec();
    write_list(&mut out, &items.concat());
    out
}

#[test]
fn what_is_no_transaction_of_these_forms_is_refused_by_name() {
    let number = |value: u128| {
        let mut out = Vec::new();
        write_uint(&mut out, value);
        out
    };
    let (zero, one, none, empty) = (number(0), number(1), [0x80].as_slice(), [0xc0].as_slice());
    let v = |v: u128| list(&[], &[&zero, &zero, &zero, none, &zero, none, &number(v), &one, &one]);
    let dynamic = |id: &[u8], to: &[u8], access: &[u8], parity: &[u8], r: &[u8], s: &[u8]| {
        list(&[2], &[id, &zero, &zero, &zero, &zero, to, &zero, none, access, parity, r, s])
    };
    let leading = [0x82, 0, 1].as_slice();
    let high = [&[0xa0][..], &[0xff; 32]].concat();
    let short_of_a_field = list(&[2], &[&one, &zero, &zero, &zero, &zero, none, &zero, none, empty, &zero, &one]);
    let canonical = TransactionError::Form(RlpError::NotCanonical);
    let width = TransactionError::Form(RlpError::Width);
    for (name, raw, expected) in [
        ("nothing", vec![], RlpError::Truncated.into()),
        ("a string", b"\x83dog".to_vec(), RlpError::Kind.into()),
        ("an access list's type", vec![1, 0xc0], TransactionError::Type(1)),
        ("a blob's type", vec![3, 0xc0], TransactionError::Type(3)),
        ("a delegation's type", vec![4, 0xc0], TransactionError::Type(4)),
        ("a signature for every chain", v(27), TransactionError::NoChain),
        ("a signature for every chain, odd", v(28), TransactionError::NoChain),
        ("the older form for chain 0", v(36), TransactionError::NoChain),
        ("the older form for a chain past 64 bits", v(35 + (1 << 65)), width),
        ("chain 0", dynamic(&zero, none, empty, &zero, &one, &one), TransactionError::NoChain),
        ("zeros in front of the id", dynamic(leading, none, empty, &zero, &one, &one), canonical),
        ("zeros in front of r", dynamic(&one, none, empty, &zero, leading, &one), canonical),
        ("an address of one byte", dynamic(&one, &one, empty, &zero, &one, &one), width),
        ("an access list", dynamic(&one, none, &[0xc1, 0xc0], &zero, &one, &one), TransactionError::AccessList),
        ("a string for an access list", dynamic(&one, none, none, &zero, &one, &one), RlpError::Kind.into()),
        ("a parity of 2", dynamic(&one, none, empty, &number(2), &one, &one), TransactionError::Signature),
        ("a v of 27", dynamic(&one, none, empty, &number(27), &one, &one), TransactionError::Signature),
        ("no r", dynamic(&one, none, empty, &zero, &zero, &one), TransactionError::Signature),
        ("no s", dynamic(&one, none, empty, &zero, &one, &zero), TransactionError::Signature),
        ("a high s", dynamic(&one, none, empty, &zero, &one, &high), TransactionError::Signature),
        ("a field too few", short_of_a_field, RlpError::Truncated.into()),
    ] {
        assert_eq!(SignedTransaction::decode(&raw), Err(expected), "{name}");
        assert!(expected.code().starts_with("STL-TX-") && !expected.hint().is_empty(), "{name}");
    }
}

/// A signature with a high `s` signs the same and has another hash: were it taken, what was sent could not be found by its hash.
#[test]
fn a_signature_has_one_form() {
    // The order of secp256k1.
    let order = hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    for Vector { name, raw, .. } in vectors() {
        let (transaction, mut signature) = match hex(raw).split_first().unwrap() {
            (2, list) => decode_dynamic(Items::of_list(list).unwrap()).unwrap(),
            _ => decode_legacy(Items::of_list(&hex(raw)).unwrap()).unwrap(),
        };
        let mut borrow = 0;
        for place in (0..32).rev() {
            let difference = i32::from(order[place]) - i32::from(signature[32 + place]) - borrow;
            borrow = i32::from(difference < 0);
            signature[32 + place] = u8::try_from(difference.rem_euclid(256)).unwrap();
        }
        signature[64] = 55 - signature[64];
        let twin = SignedTransaction::new(transaction, [0; 20], &signature);
        assert_eq!(SignedTransaction::decode(twin.raw()), Err(TransactionError::Signature), "{name}");
    }
}

fn any_uint() -> impl Strategy<Value = u128> {
    (any::<u128>(), 0_u32..128).prop_map(|(value, shift)| value >> shift)
}

fn any_uint64() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(value, shift)| value >> shift)
}

prop_compose! {
    fn any_transaction()(
        chain_id in any_uint64(), nonce in any_uint64(), gas_limit in any_uint64(),
        fees in (any_uint(), any_uint(), any::<bool>()),
        to in any::<Option<[u8; 20]>>(), value in any_uint(),
        data in prop::collection::vec(any::<u8>(), 0..300),
    ) -> Transaction {
        let (price, priority, is_legacy) = fees;
        let fees = if is_legacy { Fees::Legacy { price } } else { Fees::Dynamic { max: price, priority } };
        Transaction { chain_id: chain_id.max(1), nonce, fees, gas_limit, call: Call { to, value, data } }
    }
}

proptest! {
    #[test]
    fn a_transaction_is_read_as_it_was_signed(transaction in any_transaction(), scalar in any::<[u8; 32]>()) {
        let Some(key) = WalletKey::from_bytes(scalar) else { return Ok(()) };
        let signed = transaction.sign(&key);
        prop_assert_eq!(Address::Evm(signed.sender()), key.address());
        let read = SignedTransaction::decode(signed.raw());
        prop_assert_eq!(read.as_ref(), Ok(&signed));
        prop_assert_eq!(signed.transaction(), &transaction);
    }

    #[test]
    fn what_is_changed_is_refused_or_signed_by_somebody_else(
        transaction in any_transaction(), place in any::<prop::sample::Index>(), flip in 1_u8..,
    ) {
        let signed = transaction.sign(&key(2));
        let mut raw = signed.raw().to_vec();
        let place = place.index(raw.len());
        raw[place] ^= flip;
        if let Ok(other) = SignedTransaction::decode(&raw) {
            prop_assert_eq!(other.raw(), &raw[..]);
            prop_assert_ne!(other.sender(), signed.sender());
            prop_assert_ne!(other.hash(), signed.hash());
        }
        raw[place] ^= flip;
        prop_assert!(SignedTransaction::decode(&raw[..place]).is_err());
    }
}
