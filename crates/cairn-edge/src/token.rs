//! Keys on a PKCS#11 token: made there, never leaving it, and asked to sign.
//!
//! Ed25519 where the token can, else P-256. Whatever the token signs is verified before it is used, so one that signs otherwise
//! is an error here and not a refusal at the gateway. A token that was pulled out is looked for again at the next signature. The
//! PIN comes from a file or the environment, and is tried once: tokens lock themselves after a few wrong ones.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cairn_core::ed25519::Signature;
use cairn_core::key::{Algorithm, PublicKey};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use sha2::{Digest, Sha256};

use crate::{SignError, Signer};

/// Ed25519 as an object identifier (RFC 8410), and as PKCS#11 3.0 also names it.
const ED25519: [&[u8]; 2] = [b"\x06\x03\x2b\x65\x70", b"\x13\x0cedwards25519"];
/// P-256 as an object identifier.
const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// The most bytes of a PIN.
const PIN_BYTES_MAX: usize = 255;

/// Where a PIN comes from; never from the command line, which everybody on the machine can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinSource {
    /// The first line of a file.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
}

/// Which key on which token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// The token's PKCS#11 module, a shared library.
    pub module: PathBuf,
    /// The token's label; with one token alone it need not be named.
    pub token: Option<String>,
    /// The key's label.
    pub label: String,
    /// The user's PIN.
    pub pin: PinSource,
}

/// Why a token is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The module, the token or the PIN.
    #[error("the token: {0}")]
    Token(#[from] Error),
    /// Anything else.
    #[error("the token: {what}")]
    Other {
        /// What is wrong.
        what: String,
    },
}

impl TokenError {
    fn other(what: impl Into<String>) -> Self {
        Self::Other { what: what.into() }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "EDGE-TOKEN"
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Token(Error::LibraryLoading(_)) => {
                "name the token's PKCS#11 module, such as /usr/lib/softhsm/libsofthsm2.so; a static binary cannot load one"
            }
            Self::Token(Error::Pkcs11(RvError::PinIncorrect, _)) => {
                "look at the PIN before trying again: tokens lock themselves"
            }
            Self::Token(Error::Pkcs11(RvError::PinLocked, _)) => "unlock the token with its own tools",
            _ => "look at the token with `pkcs11-tool --list-objects`",
        }
    }

    /// Whether it may be otherwise later: a token that was pulled out, or a session that was closed.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Token(Error::Pkcs11(
                RvError::TokenNotPresent
                    | RvError::DeviceRemoved
                    | RvError::DeviceError
                    | RvError::DeviceMemory
                    | RvError::SessionClosed
                    | RvError::SessionHandleInvalid
                    | RvError::SessionCount
                    | RvError::UserNotLoggedIn
                    | RvError::KeyHandleInvalid
                    | RvError::SlotIdInvalid,
                _
            ))
        )
    }
}

/// A key on a token that is logged into.
struct Login {
    session: Session,
    private: ObjectHandle,
}

/// A key on a token. It signs one message at a time.
pub struct TokenSigner {
    key: TokenKey,
    context: Pkcs11,
    public: PublicKey,
    login: Mutex<Option<Login>>,
}

impl TokenSigner {
    /// Opens a key that is on the token already.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn open(key: TokenKey) -> Result<Self, TokenError> {
        let context = load(&key.module)?;
        let login = log_in(&context, &key)?;
        let public = public_of(&login.session, &key.label)?;
        if !public.enrolable() {
            return Err(TokenError::other("its public key is in no group that may be enrolled"));
        }
        Ok(Self { key, context, public, login: Mutex::new(Some(login)) })
    }

    /// Makes a key on the token and opens it: of `algorithm`, or without one Ed25519 where the token can, else P-256.
    ///
    /// # Errors
    /// [`TokenError`], also where there is a key of that label.
    pub fn make(key: TokenKey, algorithm: Option<Algorithm>) -> Result<Self, TokenError> {
        let context = load(&key.module)?;
        let slot = slot(&context, &key)?;
        let session = context.open_rw_session(slot)?;
        sign_in(&session, &key.pin)?;
        let known = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(key.label.clone().into_bytes())];
        if !session.find_objects(&known)?.is_empty() {
            return Err(TokenError::other(format!("there is a key `{}` already", key.label)));
        }
        let mechanisms = context.get_mechanism_list(slot)?;
        let can_eddsa =
            mechanisms.contains(&MechanismType::EDDSA) && mechanisms.contains(&MechanismType::ECC_EDWARDS_KEY_PAIR_GEN);
        match algorithm.unwrap_or(if can_eddsa { Algorithm::Ed25519 } else { Algorithm::P256 }) {
            Algorithm::Ed25519 => {
                let make = |curve| {
                    generate(&session, &Mechanism::EccEdwardsKeyPairGen, KeyType::EC_EDWARDS, curve, &key.label)
                };
                // Tokens know the curve by one name or the other; a second key is made only where there is no first one.
                make(ED25519[0]).or_else(|_| make(ED25519[1]))?;
            }
            Algorithm::P256 => generate(&session, &Mechanism::EccKeyPairGen, KeyType::EC, P256, &key.label)?,
        }
        drop(session);
        drop(context);
        Self::open(key)
    }

    fn sign_once(&self, login: &mut Option<Login>, message: &[u8]) -> Result<Signature, TokenError> {
        if login.is_none() {
            *login = Some(log_in(&self.context, &self.key)?);
        }
        let Some(Login { session, private }) = login else { return Err(TokenError::other("nobody is logged in")) };
        let signed = match self.public.algorithm() {
            Algorithm::Ed25519 => {
                let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
                session.sign(&mechanism, *private, message)
            }
            Algorithm::P256 => session.sign(&Mechanism::Ecdsa, *private, &Sha256::digest(message)),
        };
        let signature: Signature = signed?
            .try_into()
            .map_err(|bytes: Vec<u8>| TokenError::other(format!("a signature of {} bytes, not 64", bytes.len())))?;
        if self.public.verify(message, &signature) {
            Ok(signature)
        } else {
            Err(TokenError::other("what it signed does not verify"))
        }
    }
}

impl core::fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "TokenSigner({}, {})", self.key.label, self.public)
    }
}

fn lock(login: &Mutex<Option<Login>>) -> MutexGuard<'_, Option<Login>> {
    login.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Signer for TokenSigner {
    fn public(&self) -> PublicKey {
        self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        let mut login = lock(&self.login);
        let mut signed = self.sign_once(&mut login, message);
        if signed.as_ref().is_err_and(TokenError::may_pass) {
            // It may have been pulled out and put back.
            *login = None;
            signed = self.sign_once(&mut login, message);
        }
        signed.map_err(|error| {
            let may_pass = error.may_pass();
            *login = None;
            SignError { reason: error.to_string(), may_pass }
        })
    }
}

fn load(module: &Path) -> Result<Pkcs11, TokenError> {
    let context = Pkcs11::new(module)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(context),
        Err(error) => Err(error.into()),
    }
}

fn slot(context: &Pkcs11, key: &TokenKey) -> Result<Slot, TokenError> {
    let slots = context.get_slots_with_initialized_token()?;
    let Some(label) = &key.token else {
        return match slots.as_slice() {
            [only] => Ok(*only),
            [] => Err(TokenError::other("no token is there")),
            _ => Err(TokenError::other(format!("{} tokens are there: name one by its label", slots.len()))),
        };
    };
    let is_named = |slot: &&Slot| context.get_token_info(**slot).is_ok_and(|info| info.label().trim_end() == label);
    slots.iter().find(is_named).copied().ok_or_else(|| TokenError::other(format!("no token `{label}` is there")))
}

fn sign_in(session: &Session, pin: &PinSource) -> Result<(), TokenError> {
    match session.login(UserType::User, Some(&AuthPin::new(read_pin(pin)?.into()))) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn read_pin(source: &PinSource) -> Result<String, TokenError> {
    let (text, place) = match source {
        PinSource::File(path) => {
            let text = std::fs::read_to_string(path);
            let place = path.display().to_string();
            (text.map_err(|error| TokenError::other(format!("cannot read {place}: {error}")))?, place)
        }
        PinSource::Environment(name) => {
            let text = std::env::var(name);
            (text.map_err(|_| TokenError::other(format!("the environment has no {name}")))?, name.clone())
        }
    };
    let pin = text.lines().next().unwrap_or_default();
    if pin.is_empty() || pin.len() > PIN_BYTES_MAX {
        return Err(TokenError::other(format!("{place} holds no PIN on its first line")));
    }
    Ok(pin.to_owned())
}

fn log_in(context: &Pkcs11, key: &TokenKey) -> Result<Login, TokenError> {
    let session = context.open_ro_session(slot(context, key)?)?;
    sign_in(&session, &key.pin)?;
    let private = only(&session, ObjectClass::PRIVATE_KEY, &key.label)?;
    Ok(Login { session, private })
}

fn only(session: &Session, class: ObjectClass, label: &str) -> Result<ObjectHandle, TokenError> {
    let found = session.find_objects(&[Attribute::Class(class), Attribute::Label(label.as_bytes().to_vec())])?;
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(TokenError::other(format!("there is no key `{label}`"))),
        _ => Err(TokenError::other(format!("there are {} keys `{label}`", found.len()))),
    }
}

fn public_of(session: &Session, label: &str) -> Result<PublicKey, TokenError> {
    let object = only(session, ObjectClass::PUBLIC_KEY, label)?;
    let (mut kind, mut point) = (None, None);
    for attribute in session.get_attributes(object, &[AttributeType::KeyType, AttributeType::EcPoint])? {
        match attribute {
            Attribute::KeyType(found) => kind = Some(found),
            Attribute::EcPoint(found) => point = Some(found),
            _ => {}
        }
    }
    let refused = || TokenError::other(format!("`{label}` is no Ed25519 and no P-256 key"));
    let (kind, point) = (kind.ok_or_else(refused)?, point.ok_or_else(refused)?);
    multicodec(kind == KeyType::EC_EDWARDS, &point)
        .and_then(|bytes| PublicKey::from_multicodec(&bytes))
        .ok_or_else(refused)
}

/// The multicodec form of a public point: as it is, or in an ASN.1 OCTET STRING or BIT STRING, as tokens give it.
fn multicodec(is_edwards: bool, point: &[u8]) -> Option<Vec<u8>> {
    let bare = |bytes: usize| match point {
        [0x04, length, bare @ ..] if usize::from(*length) == bytes && bare.len() == bytes => Some(bare),
        [0x03, length, 0, bare @ ..] if usize::from(*length) == bytes + 1 && bare.len() == bytes => Some(bare),
        bare if bare.len() == bytes => Some(bare),
        _ => None,
    };
    if is_edwards {
        return Some([&[0xed, 0x01], bare(32)?].concat());
    }
    let compressed = match bare(65) {
        Some([0x04, xy @ ..]) => [&[2 + (xy[63] & 1)], &xy[..32]].concat(),
        _ => bare(33)?.to_vec(),
    };
    Some([&[0x80, 0x24], compressed.as_slice()].concat())
}

fn generate(
    session: &Session,
    mechanism: &Mechanism<'_>,
    kind: KeyType,
    curve: &[u8],
    label: &str,
) -> Result<(), TokenError> {
    let label = label.as_bytes().to_vec();
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| TokenError::other(error.to_string()))?;
    let public = [
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::KeyType(kind),
        Attribute::Verify(true),
        Attribute::EcParams(curve.to_vec()),
        Attribute::Label(label.clone()),
        Attribute::Id(id.to_vec()),
    ];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::KeyType(kind),
        Attribute::Sign(true),
        Attribute::Label(label),
        Attribute::Id(id.to_vec()),
    ];
    session.generate_key_pair(mechanism, &public, &private)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use cairn_core::key::SecretKey;

    use super::*;

    #[test]
    fn points_are_read_in_every_form_that_tokens_give() {
        let edwards = SecretKey::ed25519([7; 32]).public().multicodec();
        let raw = &edwards[2..];
        for head in [&[][..], &[0x04, 32], &[0x03, 33, 0]] {
            let point = [head, raw].concat();
            assert_eq!(multicodec(true, &point).as_ref(), Some(&edwards));
        }
        // The base point of P-256 (SEC 2, section 2.4.2), whose y is odd.
        let x = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
        let y = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let whole = [vec![4], hex(x), hex(y)].concat();
        let expected = [vec![0x80, 0x24, 3], hex(x)].concat();
        assert!(PublicKey::from_multicodec(&expected).is_some());
        for point in [whole.clone(), [&[0x04, 65], whole.as_slice()].concat(), expected[2..].to_vec()] {
            assert_eq!(multicodec(false, &point).as_ref(), Some(&expected));
        }
        for point in [&b""[..], &[4], &[4, 32], &[0; 31], &[0; 64]] {
            assert_eq!((multicodec(true, point), multicodec(false, point)), (None, None));
        }
    }
}
