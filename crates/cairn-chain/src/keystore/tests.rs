use super::*;

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// The two vectors of the Web3 Secret Storage definition; their password is `testpassword`.
const SECRET: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
const ADDRESS: &str = "008aeeda4d805471df9b2a5b0f38a0c3bcba786b";
const PBKDF2: &str = r#"{
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": { "iv": "6087dab2f9fdbbfaddc31a909735c1e6" },
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144, "dklen": 32, "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3
}"#;
const SCRYPT: &str = r#"{
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": { "iv": "83dbcc02d8ccb40e466191a123791e0e" },
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32, "n": 262144, "r": 1, "p": 8,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3
}"#;

const CHEAP: Cost = Cost { log_n: 4 };

fn sealed(password: &str) -> (WalletKey, String) {
    let key = WalletKey::from_bytes([7; 32]).unwrap();
    let json = Keystore::seal(&key, password, CHEAP, &[9; RANDOM_BYTES]).unwrap();
    (key, json)
}

#[test]
fn the_published_vectors_open_with_their_password_and_with_no_other() {
    for (name, json) in [("pbkdf2", PBKDF2), ("scrypt", SCRYPT)] {
        let key = Keystore::open(json, "testpassword").unwrap();
        assert_eq!(key.secret_bytes().to_vec(), hex(SECRET), "{name}");
        assert_eq!(HEXLOWER.encode(&address_of(&key)), ADDRESS, "{name}");
        assert_eq!(Keystore::address(json), Ok(None), "{name}: they name none");
        let error = Keystore::open(json, "testpasswore").unwrap_err();
        assert_eq!((error.code(), error), ("STL-PASSWORD", KeystoreError::Password), "{name}");
    }
}

#[test]
fn what_is_sealed_opens_with_its_password_and_tells_nothing_but_its_address() {
    for password in
        ["", "password", "pässwörd", "a rather long password with spaces, longer than one block of SHA-256 is"]
    {
        let (key, json) = sealed(password);
        assert_eq!(Keystore::address(&json), Ok(Some(address_of(&key))));
        assert_eq!(Keystore::open(&json, password).unwrap().secret_bytes(), key.secret_bytes());
        assert_eq!(Keystore::open(&json, "another").unwrap_err(), KeystoreError::Password);
        assert!(!json.contains(&HEXLOWER.encode(&key.secret_bytes())));
        assert!(json.contains("\"id\": \"09090909-0909-4909-8909-090909090909\""), "{json}");
    }
}

#[test]
fn a_damaged_file_never_opens_as_another_key() {
    let (key, json) = sealed("password");
    for place in 0..json.len() {
        for bit in 0..7 {
            let mut bytes = json.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            // A digit's case, a space, the id or the address may be another and the key the same.
            if let Ok(opened) = Keystore::open(&text, "password") {
                assert_eq!(opened.secret_bytes(), key.secret_bytes(), "byte {place}, bit {bit}");
            }
        }
    }
    for end in 0..json.len() {
        assert_eq!(Keystore::open(&json[..end], "password").unwrap_err().code(), "STL-KEYSTORE", "cut at {end}");
    }
}

#[test]
fn a_hostile_file_is_refused_before_it_costs_anything() {
    let (_, json) = sealed("password");
    let scrypt = |n: &str, r: &str, p: &str| {
        let json = json.replace("\"n\": 16", &format!("\"n\": {n}")).replace("\"r\": 8", &format!("\"r\": {r}"));
        json.replace("\"p\": 1", &format!("\"p\": {p}"))
    };
    let rounds = |c: &str| PBKDF2.replace("262144", c);
    for (json, code) in [
        (scrypt("16", "8", "1"), ""),
        (scrypt("2097152", "8", "1"), "STL-KEYSTORE-COST"),
        (scrypt("9223372036854775808", "1", "1"), "STL-KEYSTORE-COST"),
        (scrypt("9223372036854775808", "18446744073709551615", "18446744073709551615"), "STL-KEYSTORE-COST"),
        (scrypt("2", "18446744073709551615", "1"), "STL-KEYSTORE-COST"),
        (scrypt("2", "1", "18446744073709551615"), "STL-KEYSTORE-COST"),
        (scrypt("2", "1", "40000000"), "STL-KEYSTORE-COST"),
        (scrypt("1048576", "8", "16"), "STL-KEYSTORE-COST"),
        (scrypt("0", "8", "1"), "STL-KEYSTORE"),
        (scrypt("1", "8", "1"), "STL-KEYSTORE"),
        (scrypt("15", "8", "1"), "STL-KEYSTORE"),
        (scrypt("16", "0", "1"), "STL-KEYSTORE"),
        (scrypt("16", "8", "0"), "STL-KEYSTORE"),
        (scrypt("-16", "8", "1"), "STL-KEYSTORE"),
        (rounds("10000001"), "STL-KEYSTORE-COST"),
        (rounds("18446744073709551615"), "STL-KEYSTORE-COST"),
        (rounds("0"), "STL-KEYSTORE"),
        (PBKDF2.replace("hmac-sha256", "hmac-sha1"), "STL-KEYSTORE"),
        (PBKDF2.replace("\"pbkdf2\"", "\"argon2\\u001b[2J\""), "STL-KEYSTORE"),
        (json.replace("\"dklen\": 32", "\"dklen\": 1000000000000"), "STL-KEYSTORE"),
        (json.replace("\"dklen\": 32", "\"dklen\": 16"), "STL-KEYSTORE"),
        (json.replace("aes-128-ctr", "aes-128-cbc"), "STL-KEYSTORE"),
        (json.replace("\"version\": 3", "\"version\": 1"), "STL-KEYSTORE"),
        (format!("{json}{}", " ".repeat(FILE_BYTES_MAX)), "STL-KEYSTORE"),
        (
            json.replace(&HEXLOWER.encode(&address_of(&WalletKey::from_bytes([7; 32]).unwrap())), &"00".repeat(20)),
            "STL-KEYSTORE",
        ),
        (String::new(), "STL-KEYSTORE"),
    ] {
        let result = Keystore::open(&json, "password");
        let code_of = result.as_ref().err().map_or("", KeystoreError::code);
        assert_eq!(code_of, code, "{result:?} for {}", &json[..json.len().min(700)]);
        if let Err(error) = result {
            assert!(error.to_string().chars().all(|c| !c.is_control()), "{error}");
        }
    }
    let key = WalletKey::from_bytes([7; 32]).unwrap();
    for log_n in [21, 63, 64, 255] {
        let sealed = Keystore::seal(&key, "", Cost { log_n }, &[0; RANDOM_BYTES]);
        assert_eq!(sealed.unwrap_err().code(), "STL-KEYSTORE-COST", "{log_n}");
    }
}
